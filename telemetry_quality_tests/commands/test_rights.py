"""Files that hold secrets or people's data are readable by their owner only, and ``check`` says where they are not."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.commands.rights import exposures, secrets_in
from telemetry_quality.settings import load_settings
from telemetry_quality.storage.migrations import migrate
from telemetry_quality.storage.store import SqlQualityStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SETTINGS = """
store = "{store}"

[sources.web]
connector = "{connector}"
{place}
preset = "opentelemetry"
first_day = 2026-01-01
"""
FILES = {"connector": "parquet", "place": 'path = "events"'}


@pytest.fixture(autouse=True)
def _usual_mask() -> Iterator[None]:
    """What new files get if nobody cares: readable by everybody."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def written(folder: Path, store: str = "sqlite:///deep/quality.db", **place: str) -> Path:
    file = folder / "telemetry.toml"
    file.write_text(SETTINGS.format(store=store, **(place or FILES)), encoding="utf-8")
    return file


def rights(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):o}"


def test_a_new_store_belongs_to_its_owner_alone_and_so_do_the_files_beside_it(tmp_path: Path) -> None:
    store = load_settings(written(tmp_path)).store
    migrate(store)

    with SqlQualityStore(store).kept_open():
        found = {file.name: rights(file) for file in (tmp_path / "deep").iterdir()}

    assert found == dict.fromkeys(("quality.db", "quality.db-wal", "quality.db-shm"), "600")
    assert rights(tmp_path / "deep") == "700"


def test_the_rights_of_an_existing_store_are_its_owner_s_business(tmp_path: Path) -> None:
    store = load_settings(written(tmp_path)).store
    migrate(store)
    (tmp_path / "deep" / "quality.db").chmod(0o640)

    migrate(store)

    assert rights(tmp_path / "deep" / "quality.db") == "640"


@pytest.mark.parametrize(("mode", "is_exposed"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_a_store_that_others_may_read_is_named_with_the_remedy(tmp_path: Path, mode: int, is_exposed: bool) -> None:
    file = written(tmp_path)
    settings = load_settings(file)
    migrate(settings.store)
    database = tmp_path / "deep" / "quality.db"
    database.chmod(mode)

    found = exposures(settings, file, None)

    expected = (
        f"The store must be readable by its owner only, but {database} has the rights {mode:o}; "
        f"run chmod 600 {database}"
    )
    assert found == ([expected] if is_exposed else [])


@pytest.mark.parametrize(("mode", "is_exposed"), [(0o700, False), (0o750, True), (0o701, True)])
def test_a_home_of_dagster_that_others_may_enter_is_named(tmp_path: Path, mode: int, is_exposed: bool) -> None:
    file, home = written(tmp_path), tmp_path / "home"
    home.mkdir()
    home.chmod(mode)

    found = exposures(load_settings(file), file, str(home))

    assert [sentence.split(" must")[0] for sentence in found] == (["Dagster's home"] if is_exposed else [])
    assert exposures(load_settings(file), file, str(tmp_path / "nowhere")) == []


POSTGRESQL = {"connector": "database", "place": 'url = "postgresql://reader:s3cret@db/events"\ntable = "events"'}
CLICKHOUSE = {"connector": "clickhouse", "place": 'url = "https://reader@db:8443/events"\ntable = "events"'}

SPARK = {"connector": "spark", "place": 'url = "sc://db:15002/;token=s3cret"\ntable = "events"'}
ODD_PORT = {"connector": "spark", "place": 'url = "sc://db:port/"\ntable = "events"'}
DELTA = {
    "connector": "delta",
    "place": 'path = "s3://lake/events"\nstorage_options = { AWS_SECRET_ACCESS_KEY = "s3cret" }',
}


@pytest.mark.parametrize(
    ("place", "store", "more", "key"),
    [
        (FILES, "sqlite:///quality.db", "", None),
        (FILES, "postgresql://app@db/quality", "", None),
        (FILES, "postgresql://app:s3cret@db/quality", "", "store"),
        (POSTGRESQL, "sqlite:///quality.db", "", "sources.web.url"),
        (CLICKHOUSE, "sqlite:///quality.db", "", None),
        (SPARK, "sqlite:///quality.db", "", "sources.web.url"),
        (DELTA, "sqlite:///quality.db", "", "sources.web.storage_options.AWS_SECRET_ACCESS_KEY"),
        (ODD_PORT, "sqlite:///quality.db", "", None),
        (
            FILES,
            "sqlite:///quality.db",
            '[dashboard.oidc]\nissuer = "https://id.example.org"\nclient_id = "q"\nclient_secret = "s3cret"\n',
            "dashboard.oidc.client_secret",
        ),
    ],
)
def test_settings_with_a_secret_that_others_may_read_are_named_without_the_secret(
    tmp_path: Path, place: dict[str, str], store: str, more: str, key: str | None
) -> None:
    file = written(tmp_path, store, **place)
    file.write_text(file.read_text(encoding="utf-8") + more, encoding="utf-8")
    file.chmod(0o644)

    found = exposures(load_settings(file), file, None)

    assert [sentence.split(",")[0] for sentence in found] == ([] if key is None else ["The settings file"])
    assert all(f"a secret ({key})" in sentence and "s3cret" not in sentence for sentence in found)
    file.chmod(0o600)
    assert exposures(load_settings(file), file, None) == []


def test_a_secret_in_the_environment_is_not_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path)
    monkeypatch.setenv("TELEMETRY_QUALITY_STORE", "postgresql://app:s3cret@db/quality")

    assert list(secrets_in(load_settings(file), file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(("anchor", "is_secret"), [("anchors.txt", False), ("https://audit/kept?token=s3cret", True)])
def test_a_file_of_anchors_is_no_secret_and_an_address_is(tmp_path: Path, anchor: str, is_secret: bool) -> None:
    file = written(tmp_path)
    file.write_text(f'anchor = "{anchor}"\n' + file.read_text(encoding="utf-8"), encoding="utf-8")

    assert list(secrets_in(load_settings(file), file.read_text(encoding="utf-8"))) == ["anchor"] * is_secret
