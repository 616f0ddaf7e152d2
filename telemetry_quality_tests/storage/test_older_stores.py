"""A store that an older version wrote keeps its rows, their hashes and its promises when it is migrated."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from sqlalchemy import JSON

from telemetry_quality.core.events import DayAggregates, UnreadableDay
from telemetry_quality.core.sampling import SampleVerdict
from telemetry_quality.storage.engine import open_engine, transaction
from telemetry_quality.storage.migrations import _config, differences, migrate
from telemetry_quality.storage.staff import StaffStore
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality.storage.tables import APPEND_ONLY, CHAINED, SCHEMA_REVISION, added_later, metadata
from telemetry_quality.storage.triggers import expected_triggers
from telemetry_quality_tests.builders import DAY, NOW, make_reading, make_row, spread
from telemetry_quality_tests.storage.examples import VERDICTS, make_act, make_full_reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry_quality.core.events import AggregateRow, DayReading

WRITTEN_BY_0002 = (Path(__file__).parent / "written_by_0002.sql").read_text(encoding="utf-8")
WRITTEN_BY_0003 = (Path(__file__).parent / "written_by_0003.sql").read_text(encoding="utf-8")
WRITTEN_BY_0004 = (Path(__file__).parent / "written_by_0004.sql").read_text(encoding="utf-8")
OLD_TABLES = ("day_reading", "event_aggregate", "event_sample", "integrity_snapshot", "alert")
TABLES_OF_0003 = (*OLD_TABLES, "event_slice", "guardrail_verdict", "incident_act")
LATER_COLUMNS = [(table.name, column) for table in CHAINED for column in sorted(added_later(table))]
NEXT_DAY, UNREAD_DAY = DAY + timedelta(days=1), DAY + timedelta(days=2)


def upgrade(url: str, revision: str) -> None:
    engine = open_engine(url)
    with transaction(engine, writes=True) as connection:
        command.upgrade(_config(connection), revision)
    engine.dispose()


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'quality.db'}"


@contextmanager
def plain_connection(folder: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(folder / "quality.db")
    yield connection
    connection.commit()
    connection.close()


def content(folder: Path, columns_of: dict[str, str]) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the old tables, by the columns they had."""
    with plain_connection(folder) as connection:
        return {
            table: connection.execute(f"SELECT {columns} FROM {table}").fetchall()
            for table, columns in columns_of.items()
        }


def columns_of(folder: Path, *tables: str) -> dict[str, str]:
    with plain_connection(folder) as connection:
        names = {table: connection.execute(f"PRAGMA table_info({table})").fetchall() for table in tables}
    return {table: ", ".join(str(column[1]) for column in columns) for table, columns in names.items()}


@pytest.fixture
def old_store(tmp_path: Path) -> Path:
    """Two days with a snapshot and an alert each, and an unread one, as the version of schema 0002 wrote them."""
    upgrade(url_of(tmp_path), "0002")
    with plain_connection(tmp_path) as connection:
        connection.executescript(WRITTEN_BY_0002)
    return tmp_path


@pytest.fixture
def store(old_store: Path) -> SqlQualityStore:
    """The same, migrated."""
    assert migrate(url_of(old_store)) == SCHEMA_REVISION
    return SqlQualityStore(url_of(old_store))


def test_an_older_store_is_migrated_without_touching_a_row(old_store: Path) -> None:
    columns = columns_of(old_store, *OLD_TABLES)
    before = content(old_store, columns)
    assert [len(rows) for rows in before.values()] == [3, 4, 4, 2, 2]
    migrate(url_of(old_store))
    assert content(old_store, columns) == before
    engine = open_engine(url_of(old_store))
    assert differences(engine) == []
    engine.dispose()


def test_a_store_of_the_first_schema_ends_up_the_same(tmp_path: Path) -> None:
    upgrade(url_of(tmp_path), "0001")
    with plain_connection(tmp_path) as connection:
        connection.executescript(WRITTEN_BY_0002)
    migrate(url_of(tmp_path))
    assert SqlQualityStore(url_of(tmp_path)).verify().findings == ()


def test_a_migrated_store_has_no_findings(store: SqlQualityStore) -> None:
    verification = store.verify()
    assert verification.findings == ()
    assert verification.rows == 3 + 4 + 4 + 2 + 2
    assert verification.head_hash == store.snapshots("web", NEXT_DAY, NEXT_DAY)[0].content_hash


def test_the_triggers_of_migrated_tables_are_those_of_new_ones(tmp_path: Path, store: SqlQualityStore) -> None:
    expected = {name: text for table in APPEND_ONLY for name, text in expected_triggers("sqlite", table).items()}
    with plain_connection(tmp_path) as connection:
        found = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    assert dict(found) == expected


def test_the_view_shows_the_columns_that_were_added_under_it(tmp_path: Path, store: SqlQualityStore) -> None:
    with plain_connection(tmp_path) as connection:
        shown = [row[1] for row in connection.execute("PRAGMA table_info(current_snapshot)")]
        assert set(shown) == set(metadata.tables["integrity_snapshot"].columns.keys())


def test_what_an_older_version_did_not_keep_is_none(store: SqlQualityStore) -> None:
    readings = store.readings("web", DAY, UNREAD_DAY)
    assert [one.total_events for one in readings] == [107, 108, None]
    for reading in readings:
        assert (reading.missing_critical, reading.repetitions, reading.arrivals) == (None, None, None)
    assert store.latest_readings("web", [DAY, NEXT_DAY, UNREAD_DAY]) == {one.day: one for one in readings}
    assert store.slices("web", DAY, UNREAD_DAY) == {}
    assert store.signals_first_seen("web") == {"page.view": DAY}
    assert store.verdicts("web", DAY, UNREAD_DAY) == {}
    for snapshot in store.snapshots("web", DAY, UNREAD_DAY):
        assert (snapshot.verdicts_hash, snapshot.late_percent, snapshot.is_provisional) == (None, None, None)


@pytest.mark.parametrize(("table", "column"), LATER_COLUMNS)
@pytest.mark.parametrize("row", [1, 2])
def test_a_value_put_into_a_column_that_an_old_row_never_had_is_found(
    tmp_path: Path, store: SqlQualityStore, table: str, column: str, row: int
) -> None:
    kind = metadata.tables[table].columns[column].type
    for value in ("[]" if isinstance(kind, JSON) else 0, "[1]" if isinstance(kind, JSON) else 1):
        edit(tmp_path, table, f"UPDATE {table} SET {column} = ? WHERE sequence = {row}", value)
        assert any(finding.table == table for finding in store.verify().findings)
    edit(tmp_path, table, f"UPDATE {table} SET {column} = ? WHERE sequence = {row}", None)
    assert store.verify().findings == ()


def edit(folder: Path, table: str, statement: str, *values: Any) -> None:
    """Change rows behind the program's back, triggers and all."""
    with plain_connection(folder) as connection:
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?"
        triggers = connection.execute(query, [table]).fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        assert connection.execute(statement, values).rowcount
        for _, sql in triggers:
            connection.execute(sql)


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("day_reading", "UPDATE day_reading SET total_events = 1 WHERE sequence = 1"),
        ("day_reading", "DELETE FROM day_reading WHERE sequence = 2"),
        ("event_aggregate", "UPDATE event_aggregate SET events = 1 WHERE id = 1"),
        ("event_sample", "DELETE FROM event_sample WHERE id = 4"),
        ("integrity_snapshot", "UPDATE integrity_snapshot SET status = 'healthy' WHERE sequence = 1"),
        ("alert", "DELETE FROM alert WHERE sequence = 1"),
    ],
)
def test_an_edit_of_an_old_row_is_found_as_before(
    tmp_path: Path, store: SqlQualityStore, table: str, statement: str
) -> None:
    edit(tmp_path, table, statement)
    assert store.verify().findings


@pytest.mark.parametrize("table", ["event_slice", "guardrail_verdict"])
@pytest.mark.parametrize("day", [DAY, NEXT_DAY, DAY + timedelta(days=9)])
def test_slices_or_verdicts_given_to_days_from_before_they_were_kept_are_found(
    tmp_path: Path, store: SqlQualityStore, table: str, day: Any
) -> None:
    other = SqlQualityStore(url_of(tmp_path))
    last = DAY + timedelta(days=20)
    reading = other.append_reading("web", make_full_reading(last), (), NOW)
    (snapshot,) = store.snapshots("web", DAY, DAY)
    other.append_snapshot(replace(snapshot, day=last, reading_hash=reading.figures_hash), VERDICTS)
    assert store.verify().findings == ()
    names = [column.name for column in metadata.tables[table].columns if column.name != "id"]
    values = ", ".join(f"'{day}'" if name == "day" else name for name in names)
    with plain_connection(tmp_path) as connection:
        connection.execute(f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM {table} WHERE id = 1")
    assert store.verify().findings


def test_the_chain_goes_on_from_the_last_old_row(store: SqlQualityStore) -> None:
    (*_, newest) = store.snapshots("web", DAY, NEXT_DAY)
    reading = store.append_reading("web", make_full_reading(NEXT_DAY), (SampleVerdict("s1"),), NOW)
    assert (reading.revision, reading.is_new) == (2, True)
    judged = replace(newest, reading_revision=2, reading_hash=reading.figures_hash, late_percent=1.0)
    snapshot, is_new = store.append_snapshot(judged, VERDICTS)
    assert (snapshot.revision, is_new, snapshot.previous_hash) == (2, True, newest.content_hash)
    store.append_act(make_act())
    assert store.verify().findings == ()


def test_a_snapshot_from_before_verdicts_were_kept_is_not_the_same_as_one_with_them(store: SqlQualityStore) -> None:
    (old,) = store.snapshots("web", DAY, DAY)
    second, is_new = store.append_snapshot(replace(old, verdicts_hash=None), VERDICTS)
    assert (second.revision, is_new) == (2, True)
    assert store.append_snapshot(replace(old, verdicts_hash=None), VERDICTS) == (second, False)
    assert store.verdicts("web", DAY, DAY) == {DAY: {2: VERDICTS}}
    assert store.revisions("web", DAY) == [old, second]
    assert store.verify().findings == ()


def test_a_day_that_still_cannot_be_read_adds_nothing_to_an_older_store(store: SqlQualityStore) -> None:
    assert not store.append_reading("web", UnreadableDay(UNREAD_DAY, "NO_FILES", "None."), (), NOW).is_new
    assert store.append_reading("web", make_reading(UNREAD_DAY, make_row()), (), NOW).revision == 2


@pytest.fixture
def store_of_0003(tmp_path: Path) -> Path:
    """Two days with everything that schema 0003 keeps, and an unread one, as its version wrote them."""
    upgrade(url_of(tmp_path), "0003")
    with plain_connection(tmp_path) as connection:
        connection.executescript(WRITTEN_BY_0003)
    return tmp_path


def test_a_store_of_schema_0003_is_migrated_without_touching_a_row(store_of_0003: Path) -> None:
    columns = columns_of(store_of_0003, *TABLES_OF_0003)
    before = content(store_of_0003, columns)
    assert {table: len(rows) for table, rows in before.items()} == {
        "day_reading": 3,
        "event_aggregate": 4,
        "event_sample": 4,
        "integrity_snapshot": 2,
        "alert": 2,
        "event_slice": 4,
        "guardrail_verdict": 6,
        "incident_act": 2,
    }
    assert migrate(url_of(store_of_0003)) == SCHEMA_REVISION
    assert content(store_of_0003, columns) == before
    engine = open_engine(url_of(store_of_0003))
    assert differences(engine) == []
    engine.dispose()


def test_snapshots_of_schema_0003_keep_their_hashes_and_know_no_run(store_of_0003: Path) -> None:
    migrate(url_of(store_of_0003))
    store = SqlQualityStore(url_of(store_of_0003))
    verification = store.verify()
    assert (verification.findings, verification.rows) == ((), 3 + 4 + 4 + 4 + 2 + 6 + 2 + 2)
    snapshots = store.snapshots("web", DAY, NEXT_DAY)
    assert [one.run_id for one in snapshots] == [None, None]
    assert verification.head_hash == snapshots[-1].content_hash
    assert store.verdicts("web", DAY, DAY) == {DAY: {1: VERDICTS}}
    assert store.acts("web") == [make_act(), make_act(day=NEXT_DAY)]


@pytest.mark.parametrize("row", [1, 2])
@pytest.mark.parametrize("run_id", ["", "a run that never was"])
def test_a_run_put_into_a_snapshot_of_schema_0003_is_found(store_of_0003: Path, row: int, run_id: str) -> None:
    migrate(url_of(store_of_0003))
    edit(
        store_of_0003, "integrity_snapshot", f"UPDATE integrity_snapshot SET run_id = ? WHERE sequence = {row}", run_id
    )
    findings = SqlQualityStore(url_of(store_of_0003)).verify().findings
    assert [finding.sentence for finding in findings] == [
        f"web {(DAY, NEXT_DAY)[row - 1]} revision 1 was changed after it was written."
    ]


def test_the_chain_of_schema_0003_goes_on_and_staff_can_be_let_in(store_of_0003: Path) -> None:
    migrate(url_of(store_of_0003))
    store, staff = SqlQualityStore(url_of(store_of_0003)), StaffStore(url_of(store_of_0003))
    (*_, newest) = store.snapshots("web", DAY, NEXT_DAY)
    judged = replace(newest, total_events=1, run_id="run-1")
    snapshot, is_new = store.append_snapshot(judged, VERDICTS)
    assert (is_new, snapshot.revision, snapshot.previous_hash) == (True, 2, newest.content_hash)
    assert store.snapshots("web", NEXT_DAY, NEXT_DAY)[0].run_id == "run-1"
    assert staff.accounts() == []
    staff.add_account("ada", None, NOW)
    staff.close()
    assert store.verify().findings == ()


SINGLE_HOURS = (
    make_row(hour=0, missing_critical=(1,), events=7, errors=2),
    make_row(hour=12, event_name=None, missing_critical=(0,)),
    make_row(hour=12, missing_critical=(0,), late_events=3),
    make_row(hour=13, service_version="", missing_version=100, missing_critical=(0,)),
    make_row(hour=13, missing_critical=(4,), error_unknown_events=5),
    make_row(hour=14, service_version="", missing_version=100, missing_critical=(0,)),
)
"""What the version of schema 0004 read: a row per hour, event name and version."""
SPREAD = (
    SINGLE_HOURS[1],
    spread(SINGLE_HOURS[3], SINGLE_HOURS[5]),
    spread(SINGLE_HOURS[0], SINGLE_HOURS[2], SINGLE_HOURS[4]),
)
"""The same as it is read since."""
SAMPLE = (SampleVerdict("s1"), SampleVerdict("s2", ("UNKNOWN_SIGNAL",)))


@pytest.fixture
def store_of_0004(tmp_path: Path) -> SqlQualityStore:
    """A day of several hours, as the version of schema 0004 wrote it; migrated."""
    upgrade(url_of(tmp_path), "0004")
    with plain_connection(tmp_path) as connection:
        connection.executescript(WRITTEN_BY_0004)
    migrate(url_of(tmp_path))
    return SqlQualityStore(url_of(tmp_path))


def reread(rows: tuple[AggregateRow, ...], **overrides: Any) -> DayReading:
    return make_full_reading(aggregates=DayAggregates(rows, ("user_id",)), **overrides)


def test_rows_of_single_hours_keep_their_hashes(store_of_0004: SqlQualityStore) -> None:
    assert store_of_0004.verify().findings == ()
    assert store_of_0004.aggregates("web", DAY) == DayAggregates(SINGLE_HOURS, ("user_id",))


def test_a_day_that_reads_as_it_did_adds_nothing_to_rows_of_single_hours(store_of_0004: SqlQualityStore) -> None:
    (before,) = store_of_0004.readings("web", DAY, DAY)
    assert store_of_0004.append_reading("web", reread(SPREAD), SAMPLE, NOW) == before
    assert store_of_0004.readings("web", DAY, DAY) == [before]


@pytest.mark.parametrize(
    "changed",
    [
        reread((SPREAD[0], SPREAD[1], SPREAD[2]._replace(service_version="1.1"))),
        reread((SPREAD[0], spread(SINGLE_HOURS[3], SINGLE_HOURS[5]._replace(hour=15)), SPREAD[2])),
        reread((SPREAD[0], SPREAD[1], SPREAD[2]._replace(events=208))),
        reread(SPREAD, slices={}),
        UnreadableDay(DAY, "NO_FILES", "None."),
    ],
)
def test_a_day_that_reads_otherwise_is_another_revision(
    store_of_0004: SqlQualityStore, changed: DayReading | UnreadableDay
) -> None:
    stored = store_of_0004.append_reading("web", changed, SAMPLE, NOW)
    assert (stored.revision, stored.is_new) == (2, True)
    assert store_of_0004.verify().findings == ()
