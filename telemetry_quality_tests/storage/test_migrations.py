"""The migrations make exactly what the models say, keep what is stored, and can run concurrently."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory

from telemetry_quality.core.sampling import SampleVerdict
from telemetry_quality.errors import StoreError
from telemetry_quality.storage import migrations
from telemetry_quality.storage.engine import open_engine, transaction
from telemetry_quality.storage.migrations import _config, differences, differences_of_a_new_store, migrate
from telemetry_quality.storage.staff.store import StaffStore
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality.storage.tables import APPEND_ONLY, SCHEMA_REVISION, metadata
from telemetry_quality.storage.triggers import expected_triggers
from telemetry_quality.storage.views import VIEWS
from telemetry_quality_tests.builders import DAY, NOW, dispatch_alerts, make_scan, make_snapshot, make_store
from telemetry_quality_tests.storage.examples import (
    VERDICTS,
    make_action,
    make_delivery,
    make_forecast,
    make_full_scan,
    make_mark,
    make_running_hour,
    make_sign_in,
)

SCRIPTS = ScriptDirectory(str(Path(migrations.__file__).parent))
REVISIONS = [script.revision for script in SCRIPTS.walk_revisions()][::-1]


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'quality.db'}"


def run(folder: Path, statement: str) -> list[tuple[Any, ...]]:
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
    assert SCRIPTS.get_heads() == [SCHEMA_REVISION]
    assert migrate(url_of(tmp_path)) == SCHEMA_REVISION


def test_migrating_makes_the_folders_it_needs(tmp_path: Path) -> None:
    migrate(url_of(tmp_path / "deep" / "down"))
    assert SqlQualityStore(url_of(tmp_path / "deep" / "down")).verify().findings == ()


def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    migrate(url_of(tmp_path))
    SqlQualityStore(url_of(tmp_path)).append_scan("web", make_scan(), (), NOW)
    before = run(tmp_path, "SELECT * FROM sqlite_master"), run(tmp_path, "SELECT * FROM day_scan")
    assert migrate(url_of(tmp_path)) == SCHEMA_REVISION
    assert (run(tmp_path, "SELECT * FROM sqlite_master"), run(tmp_path, "SELECT * FROM day_scan")) == before


def fill(folder: Path) -> None:
    """Rows in every table of a new store."""
    store, staff = make_store(folder), StaffStore(url_of(folder))
    scan = store.append_scan("web", make_full_scan(), (SampleVerdict("s1"),), NOW)
    snapshot = replace(make_snapshot(), scan_hash=scan.figures_hash, run_id="run-1")
    snapshot, _ = store.append_snapshot(snapshot, VERDICTS)
    dispatch_alerts(store, snapshot, VERDICTS)
    store.append_delivery(make_delivery())
    store.append_incident_action(make_action(assignee="grace"))
    store.append_marked_days(make_mark())
    store.append_forecast(make_forecast())
    store.append_running_hours([make_running_hour()])
    staff.record(make_sign_in())
    ada = staff.add_account("ada", "hash", NOW)
    staff.open_session(ada.id, "id", "password", NOW, NOW.replace(year=2100))
    staff.add_token(ada.id, "grafana", "hash", NOW, 365)
    staff.secret(NOW)
    staff.close()


def content(folder: Path, columns: dict[str, str]) -> dict[str, list[tuple[Any, ...]]]:
    return {table: run(folder, f"SELECT {names} FROM {table}") for table, names in columns.items()}


@pytest.fixture(params=REVISIONS)
def old_store(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A store of each schema that ever existed, with rows in every table."""
    engine = open_engine(url_of(tmp_path))
    with transaction(engine, writes=True) as connection:
        command.upgrade(_config(connection), request.param)
    engine.dispose()
    (tmp_path / "new").mkdir()
    fill(tmp_path / "new")
    with closing(sqlite3.connect(tmp_path / "quality.db")) as sqlite, sqlite:
        sqlite.execute("ATTACH ? AS new", [str(tmp_path / "new" / "quality.db")])
        for table, names in columns_of(tmp_path).items():
            sqlite.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM new.{table}")
    return tmp_path


def columns_of(folder: Path) -> dict[str, str]:
    """The columns of each table that a store has and the models know."""
    found = {table: run(folder, f"SELECT name FROM pragma_table_info('{table}')") for table in metadata.tables}
    return {table: ", ".join(name for (name,) in names) for table, names in found.items() if names}


def test_a_store_of_any_schema_is_migrated_without_touching_a_row(old_store: Path) -> None:
    columns = columns_of(old_store)
    before = content(old_store, columns)
    assert all(before.values())
    assert migrate(url_of(old_store)) == SCHEMA_REVISION
    assert content(old_store, columns) == before
    assert found_differences(old_store) == "[]"
    assert SqlQualityStore(url_of(old_store)).verify().findings == ()


def test_a_migrated_store_is_as_append_only_as_a_new_one(old_store: Path) -> None:
    migrate(url_of(old_store))
    expected = {name: text for table in APPEND_ONLY for name, text in expected_triggers("sqlite", table).items()}
    assert dict(run(old_store, "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")) == expected
    shown = {name for (name,) in run(old_store, "SELECT name FROM pragma_table_info('current_snapshot')")}
    assert shown == set(metadata.tables["integrity_snapshot"].columns.keys())


def test_the_chain_of_a_migrated_store_goes_on_from_its_last_row(old_store: Path) -> None:
    migrate(url_of(old_store))
    store = SqlQualityStore(url_of(old_store))
    (newest,) = store.snapshots("web", DAY, DAY)
    assert not store.append_scan("web", make_full_scan(), (SampleVerdict("s1"),), NOW).is_new
    assert store.append_snapshot(newest, VERDICTS) == (newest, False)
    second, is_new = store.append_snapshot(replace(newest, total_events=1), VERDICTS)
    assert (second.revision, is_new, second.previous_hash) == (2, True, newest.content_hash)
    assert store.verify().findings == ()


def test_migrating_at_the_same_time_works(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(migrate, [url_of(tmp_path)] * 4)) == [SCHEMA_REVISION] * 4
    assert found_differences(tmp_path) == "[]"


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("ALTER TABLE alert DROP COLUMN sentence", "sentence"),
        ("ALTER TABLE day_scan DROP COLUMN arrivals_by_hour", "arrivals_by_hour"),
        ("ALTER TABLE alert ADD COLUMN payload TEXT", "payload"),
        ("DROP TABLE alert", "alert"),
        ("DROP TABLE incident_action", "incident_action"),
        ("DROP TABLE sign_in", "sign_in"),
        ("ALTER TABLE integrity_snapshot DROP COLUMN run_id", "run_id"),
        ("ALTER TABLE staff_session DROP COLUMN revoked_at", "revoked_at"),
        ("DROP INDEX ix_sign_in_address_outcome_at", "ix_sign_in_address_outcome_at"),
        ("CREATE TABLE stray (a INTEGER)", "stray"),
        ("DROP INDEX ix_integrity_snapshot_day_status", "ix_integrity_snapshot_day_status"),
        *((f"DROP VIEW {view}", view) for view in VIEWS),
    ],
)
def test_whatever_differs_from_the_models_is_noticed(tmp_path: Path, statement: str, named: str) -> None:
    migrate(url_of(tmp_path))
    if "COLUMN" in statement:
        for view in VIEWS:
            run(tmp_path, f"DROP VIEW {view}")
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
        with pytest.raises(StoreError, match="install the telemetry-quality version that made it"):
            use()


def test_a_store_in_memory_is_refused_because_it_would_keep_nothing() -> None:
    with pytest.raises(StoreError, match="sqlite:///FILE"):
        migrate("sqlite:///:memory:")
