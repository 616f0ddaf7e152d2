"""The migrations make exactly what the models say, keep what is there, and can be run by everybody at once."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from alembic.script import ScriptDirectory

from telemetry_quality.errors import StoreError
from telemetry_quality.storage.engine import open_engine
from telemetry_quality.storage.migrations import _config, differences, differences_of_a_new_store, migrate
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality.storage.tables import SCHEMA_REVISION
from telemetry_quality_tests.builders import NOW, make_reading

if TYPE_CHECKING:
    from pathlib import Path


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'quality.db'}"


def run(folder: Path, statement: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(folder / "quality.db")
    rows = connection.execute(statement).fetchall()
    connection.commit()
    connection.close()
    return rows


def found_differences(folder: Path) -> str:
    engine = open_engine(url_of(folder))
    try:
        return str(differences(engine))
    finally:
        engine.dispose()


def test_a_new_store_is_exactly_what_the_models_say(tmp_path: Path) -> None:
    assert differences_of_a_new_store() == []
    migrate(url_of(tmp_path))
    assert found_differences(tmp_path) == "[]"


def test_the_models_belong_to_the_last_migration(tmp_path: Path) -> None:
    engine = open_engine(url_of(tmp_path))
    with engine.connect() as connection:
        scripts = ScriptDirectory.from_config(_config(connection))
    assert scripts.get_heads() == [SCHEMA_REVISION]
    assert migrate(url_of(tmp_path)) == SCHEMA_REVISION


def test_migrating_makes_the_folders_it_needs(tmp_path: Path) -> None:
    migrate(url_of(tmp_path / "deep" / "down"))
    assert SqlQualityStore(url_of(tmp_path / "deep" / "down")).verify().findings == ()


def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    migrate(url_of(tmp_path))
    SqlQualityStore(url_of(tmp_path)).append_reading("web", make_reading(), (), NOW)
    before = run(tmp_path, "SELECT * FROM sqlite_master"), run(tmp_path, "SELECT * FROM day_reading")
    assert migrate(url_of(tmp_path)) == SCHEMA_REVISION
    assert (run(tmp_path, "SELECT * FROM sqlite_master"), run(tmp_path, "SELECT * FROM day_reading")) == before


def test_migrating_at_the_same_time_works(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(migrate, [url_of(tmp_path)] * 4)) == [SCHEMA_REVISION] * 4
    assert found_differences(tmp_path) == "[]"


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("ALTER TABLE alert DROP COLUMN sentence", "sentence"),
        ("ALTER TABLE day_reading DROP COLUMN arrivals_by_hour", "arrivals_by_hour"),
        ("ALTER TABLE alert ADD COLUMN payload TEXT", "payload"),
        ("DROP TABLE alert", "alert"),
        ("DROP TABLE incident_act", "incident_act"),
        ("DROP TABLE sign_in", "sign_in"),
        ("ALTER TABLE integrity_snapshot DROP COLUMN run_id", "run_id"),
        ("ALTER TABLE staff_session DROP COLUMN revoked_at", "revoked_at"),
        ("DROP INDEX ix_sign_in_address_outcome_at", "ix_sign_in_address_outcome_at"),
        ("CREATE TABLE stray (a INTEGER)", "stray"),
        ("DROP INDEX ix_integrity_snapshot_day_status", "ix_integrity_snapshot_day_status"),
        ("DROP VIEW current_snapshot", "current_snapshot"),
    ],
)
def test_whatever_differs_from_the_models_is_noticed(tmp_path: Path, statement: str, named: str) -> None:
    migrate(url_of(tmp_path))
    if "COLUMN" in statement:
        run(tmp_path, "DROP VIEW current_snapshot")
    run(tmp_path, statement)
    assert named in found_differences(tmp_path)


def test_a_folder_that_cannot_be_made_is_named_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match=r"The folder of the store, .*file, must be writable"):
        migrate(url_of(tmp_path / "file"))


def test_a_migration_that_fails_half_way_leaves_nothing_behind(tmp_path: Path) -> None:
    run(tmp_path, "CREATE TABLE integrity_snapshot (in_the_way TEXT)")
    with pytest.raises(Exception, match="already exists"):
        migrate(url_of(tmp_path))
    assert run(tmp_path, "SELECT name FROM sqlite_master") == [("integrity_snapshot",)]
    run(tmp_path, "DROP TABLE integrity_snapshot")
    assert migrate(url_of(tmp_path)) == SCHEMA_REVISION


def test_a_store_of_a_newer_version_is_left_alone_with_the_right_remedy(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'quality.db'}"
    migrate(url)
    connection = sqlite3.connect(tmp_path / "quality.db")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    for use in (lambda: migrate(url), lambda: SqlQualityStore(url).verify()):
        with pytest.raises(StoreError, match="install the telemetry-quality that made it"):
            use()


def test_a_store_in_memory_is_refused_for_it_would_keep_nothing() -> None:
    with pytest.raises(StoreError, match="sqlite:///FILE"):
        migrate("sqlite:///:memory:")
