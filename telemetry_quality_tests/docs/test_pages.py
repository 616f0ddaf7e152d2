"""Every page that tells a reader what to do is done by a test, or says why it cannot be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from telemetry_quality_tests.docs import readers
from telemetry_quality_tests.docs.walk import DOCS, blocks_of, walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry_quality_tests.docs.readers import Reader

TESTS = Path(__file__).parents[1]

WALKED: dict[str, Callable[[Reader], None]] = {
    "how-to/accept-changes.md": readers.nothing_more,
    "how-to/alerts-to-a-webhook.md": readers.nothing_more,
    "how-to/backfill-and-late-data.md": readers.nothing_more,
    "how-to/noisy-guardrails.md": readers.nothing_more,
    "how-to/upgrade.md": readers.nothing_more,
    "how-to/clickhouse-events.md": readers.clickhouse,
    "how-to/ga4.md": readers.warehouse("ga4", "events_2026"),
    "how-to/opentelemetry.md": readers.warehouse("otel_logs_with_event_name", "otel_logs"),
    "how-to/own-parquet.md": readers.postgresql_and_dagster,
    "how-to/postgresql-events.md": readers.postgresql,
    "how-to/posthog.md": readers.warehouse("posthog_table", "events"),
    "how-to/segment.md": readers.warehouse("segment_tracks", "app.tracks"),
    "how-to/single-sign-on.md": readers.nothing_more,
    "how-to/snowplow.md": readers.warehouse("snowplow_mobile", "atomic.events"),
    "tutorial.md": readers.ports_for_the_demo,
}
"""What the reader of each page has before the first step, besides the package and an empty folder."""

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


def test_every_page_is_walked_or_says_what_stands_in_for_it() -> None:
    pages = {"tutorial.md", *(f"how-to/{file.name}" for file in (DOCS / "how-to").glob("*.md"))}
    assert sorted([*WALKED, *NOT_WALKED]) == sorted(pages)
    for reason in NOT_WALKED.values():
        for test in re.findall(r"[\w/]+\.py", reason):
            assert (TESTS / test).exists(), test


@pytest.mark.parametrize("page", WALKED)
def test_a_walked_page_types_something(page: str) -> None:
    assert any(block.is_run for block in blocks_of((DOCS / page).read_text(encoding="utf-8")))


@pytest.mark.slow
@pytest.mark.parametrize("page", WALKED)
def test_a_reader_who_does_what_the_page_says_sees_what_it_shows(page: str, tmp_path: Path) -> None:
    with readers.new_reader(tmp_path) as reader:
        WALKED[page](reader)
        walk(page, reader.folder, reader.environment, reader.replace)
