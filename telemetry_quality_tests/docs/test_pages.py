"""Every page that tells a reader what to do is done by a test, or says why it cannot be."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from telemetry_quality_tests.docs.walk import DOCS, blocks_of, walk

if TYPE_CHECKING:
    from telemetry_quality_tests.servers import PostgreSQL

BIN = Path(sys.executable).parent
TESTS = Path(__file__).parents[1]

NOT_WALKED = {
    "how-to/add-a-channel.md": "its blocks are built and run by test_outside_channel.py",
    "how-to/add-a-connector.md": "its blocks are built and run by sources/test_outside_connector.py",
    "how-to/add-a-guardrail.md": "its blocks are built and run by test_outside_package.py",
    "how-to/add-a-number.md": "it changes the project's own code; test_catalogue.py compares what it says",
    "how-to/add-a-page.md": "its steps are done in a copy of the project by dashboard/pages/test_added_page.py",
    "how-to/alerts.md": "its settings are loaded by test_docs.py, and its Python runs in notifications/test_kinds.py",
    "how-to/existing-dagster.md": "its Python runs in test_dagster.py",
    "how-to/object-stores.md": "its credentials are somebody's; sources/test_objects.py reads from a store of its own",
    "how-to/production.md": "its services run on other machines",
    "how-to/running-day.md": "what it shows depends on the hour",
    "how-to/spark.md": "it needs a cluster; sources/test_spark.py has one",
    "how-to/training-days.md": "its columns are compared by test_day_columns.py",
    "how-to/trusted-days.md": "its columns are compared by test_day_columns.py",
}
"""Pages that tell what to do and are not typed, and what stands in for it."""

WITH_SERVERS = ("how-to/own-parquet.md",)

ALONE = ("how-to/alerts-to-a-webhook.md", "how-to/noisy-guardrails.md")
"""Pages that need nothing but the package."""


@pytest.fixture
def reader(tmp_path: Path) -> dict[str, str]:
    """The environment of a reader's shell: nothing of ours but the programs."""
    home = tmp_path / "home"
    home.mkdir()
    root = str(Path(__file__).parents[2])
    path = f"{BIN}:{os.environ['PATH']}"
    return {
        "PATH": path, "HOME": str(home), "PYTHONPATH": root, "DAGSTER_DISABLE_TELEMETRY": "yes",
        "LANG": "C.UTF-8", "COLUMNS": "250",
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The empty folder in which a reader begins."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def test_every_page_is_walked_or_says_what_stands_in_for_it() -> None:
    pages = {f"how-to/{file.name}" for file in (DOCS / "how-to").glob("*.md")}
    assert sorted([*ALONE, *WITH_SERVERS, *NOT_WALKED]) == sorted(pages)
    for reason in NOT_WALKED.values():
        for test in re.findall(r"[\w/]+\.py", reason):
            assert (TESTS / test).exists(), test


@pytest.mark.parametrize("page", [*ALONE, *WITH_SERVERS])
def test_a_walked_page_types_something(page: str) -> None:
    assert any(block.is_run for block in blocks_of((DOCS / page).read_text(encoding="utf-8")))


@pytest.mark.slow
@pytest.mark.parametrize("page", ALONE)
def test_a_reader_who_does_what_the_page_says_sees_what_it_shows(
    page: str, folder: Path, reader: dict[str, str]
) -> None:
    walk(page, folder, reader)


@pytest.mark.slow
def test_own_parquet_files_are_judged_into_postgresql(
    folder: Path, reader: dict[str, str], postgresql: PostgreSQL
) -> None:
    place = {"PGHOST": "127.0.0.1", "PGPORT": str(postgresql.port), "PGUSER": "postgres"}
    environment = reader | place | {"PGPASSWORD": postgresql.password}
    walk("how-to/own-parquet.md", folder, environment, {"@localhost/": f"@127.0.0.1:{postgresql.port}/"})
