"""The database connector: SQLite opened read-only, times in every form that SQLite stores, faults in plain words."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from telemetry_quality.core.days import day_window
from telemetry_quality.core.events import Arrivals, DayScan
from telemetry_quality.errors import SourceError, SourceUnavailableError
from telemetry_quality.sources.sqlite import SqliteSource
from telemetry_quality_tests.builders import DAY, SCHEMA, make_event

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from telemetry_quality.core.event_schema import EventSchema

WINDOW = day_window(DAY, ZoneInfo("UTC"))
NOON = "2026-03-10 12:00:00"


def make_file(
    folder: Path, times: Sequence[object] = (NOON, NOON, NOON), *, time_type: str = "TEXT", **overrides: Any
) -> Path:
    """A file with a table ``events`` of one event per time."""
    path = folder / "events.db"
    events = [make_event(event_id=f"e{n}", occurred_at=at, **overrides) for n, at in enumerate(times)]
    connection = sqlite3.connect(path)
    connection.execute(
        f"CREATE TABLE events (event_id TEXT, occurred_at {time_type}, event_name TEXT, service_version TEXT,"
        " is_error BOOLEAN)"
    )
    connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", [list(event.values()) for event in events])
    connection.commit()
    connection.close()
    return path


def change(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def source_of(path: Path, table: str = "events", schema: EventSchema = SCHEMA) -> SqliteSource:
    return SqliteSource(f"sqlite:///{path}", table, schema)


def read(source: SqliteSource) -> DayScan:
    (answer,) = source.scan_days([WINDOW], 100)
    assert isinstance(answer, DayScan), answer
    return answer


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM events", "DROP TABLE events", "CREATE TABLE more (a)", "UPDATE events SET is_error = 1"],
)
def test_the_file_is_opened_so_that_nothing_can_be_written(tmp_path: Path, statement: str) -> None:
    source = source_of(make_file(tmp_path))
    with pytest.raises(SourceError, match="readonly"), source._client() as client:
        client.connection.execute(text(statement))
    assert read(source).aggregates.totals().events == 3


def test_a_file_in_wal_mode_is_read_while_another_connection_writes(tmp_path: Path) -> None:
    path = make_file(tmp_path)
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM events")
    assert read(source_of(path)).aggregates.totals().events == 3
    writer.execute("COMMIT")
    writer.close()
    assert read(source_of(path)).aggregates.totals().events == 0


@pytest.mark.slow
def test_a_file_locked_by_a_writer_is_only_temporarily_unavailable(tmp_path: Path) -> None:
    """Slow, because SQLite itself waits five seconds before it gives up."""
    path = make_file(tmp_path)
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    with pytest.raises(SourceUnavailableError, match="locked") as caught:
        source_of(path).count_days([WINDOW])
    assert caught.value.reason_code == "SOURCE_LOCKED"
    writer.close()
    assert source_of(path).count_days([WINDOW]) == {DAY: 3}


@pytest.mark.parametrize("time_type", ["TEXT", "TIMESTAMP", "DATETIME", "VARCHAR(40)", ""])
def test_every_way_to_write_a_time_as_text_means_the_same_instant(tmp_path: Path, time_type: str) -> None:
    times = [
        "2026-03-10 23:59:59",
        "2026-03-10T23:59:59",
        "2026-03-10 23:59:59.999999",
        "2026-03-10T23:59:59Z",
        "2026-03-10T23:59:59.9+00:00",
        "2026-03-11T13:59:59+14:00",
        "2026-03-10 11:59:59-12:00",
        "2026-03-11 00:59:59.999999999+01:00",
    ]
    scan = read(source_of(make_file(tmp_path, times, time_type=time_type)))
    assert {hour: totals.events for hour, totals in scan.aggregates.by_hour().items()} == {23: len(times)}


def test_text_that_is_not_a_time_belongs_to_no_day(tmp_path: Path) -> None:
    nonsense = [None, "", "yesterday", "2026-03-10 25:00:00", "2026-03-10x", "20260310", "infinity", b"2026-03-10"]
    far = ["0001-01-01 00:00:00", "9999-12-31 23:59:59", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"]
    scan = read(source_of(make_file(tmp_path, [*nonsense, *far, NOON])))
    assert scan.aggregates.totals().events == 1


@pytest.mark.parametrize(("unit", "per_second"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_an_integer_time_is_read_exactly_in_its_unit(tmp_path: Path, unit: str, per_second: int) -> None:
    start = int(datetime(2026, 3, 10, tzinfo=UTC).timestamp()) * per_second
    end = start + 86_400 * per_second
    path = make_file(tmp_path, [start - 1, start, end - 1, end], time_type="BIGINT")
    scan = read(source_of(path, schema=replace(SCHEMA, time_unit=unit)))
    assert {hour: totals.events for hour, totals in scan.aggregates.by_hour().items()} == {0: 1, 23: 1}


def test_an_integer_time_without_its_unit_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="set time_unit to s, ms, us or ns") as caught:
        source_of(make_file(tmp_path, [0], time_type="INTEGER")).count_days([WINDOW])
    assert caught.value.reason_code == "COLUMN_TYPE"


@pytest.mark.parametrize("time_type", ["NUMERIC", "DECIMAL(10, 2)"])
def test_a_number_with_a_fraction_is_no_time_without_a_unit(tmp_path: Path, time_type: str) -> None:
    with pytest.raises(SourceError, match="set time_unit to s, ms, us or ns") as caught:
        source_of(make_file(tmp_path, [0.5], time_type=time_type)).count_days([WINDOW])
    assert caught.value.reason_code == "COLUMN_TYPE"


@pytest.mark.parametrize("predicate", ["event_id IN ('e0', 'e2')", "NOT is_error AND event_id <> 'e1'"])
def test_is_error_may_be_a_predicate(tmp_path: Path, predicate: str) -> None:
    scan = read(source_of(make_file(tmp_path), schema=replace(SCHEMA, is_error=predicate)))
    assert scan.aggregates.totals().errors == 2


def test_a_view_is_as_good_as_a_table(tmp_path: Path) -> None:
    path = make_file(tmp_path)
    change(path, "CREATE VIEW seen AS SELECT * FROM events WHERE event_id <> 'e1'")
    assert read(source_of(path, "seen")).aggregates.totals().events == 2


@pytest.mark.parametrize("name", ["my events", "it's", 'say "hi"', "ünï", "select", "x; DROP TABLE events"])
def test_a_table_may_have_any_name(tmp_path: Path, name: str) -> None:
    path = make_file(tmp_path)
    quoted = name.replace('"', '""')
    change(path, f'ALTER TABLE events RENAME TO "{quoted}"')
    assert read(source_of(path, name)).aggregates.totals().events == 3


@pytest.mark.parametrize("name", ["a b.db", "50% off.db", "ünï.db", "it's.db"])
def test_a_file_may_have_an_odd_name(tmp_path: Path, name: str) -> None:
    path = make_file(tmp_path).rename(tmp_path / name)
    assert read(source_of(path)).aggregates.totals().events == 3


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="requires the table 'absent'") as caught:
        source_of(make_file(tmp_path), "absent").count_days([WINDOW])
    assert caught.value.reason_code == "TABLE_MISSING"


def test_a_missing_file_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="A SQLite file is required") as caught:
        source_of(tmp_path / "absent.db").count_days([WINDOW])
    assert caught.value.reason_code == "FILE_MISSING"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_a_database_is_unreadable_and_not_retried(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    path.write_bytes(b"no database, just words\n" * 400)
    with pytest.raises(SourceError, match="not a database") as caught:
        source_of(path).count_days([WINDOW])
    assert caught.value.reason_code == "FILE_BROKEN"
    assert not isinstance(caught.value, SourceUnavailableError)


def test_a_table_without_a_role_column_is_an_error_and_never_zero(tmp_path: Path) -> None:
    path = make_file(tmp_path)
    change(path, "ALTER TABLE events DROP COLUMN is_error")
    with pytest.raises(SourceError, match="is_error requires the column 'is_error'") as caught:
        list(source_of(path).scan_days([WINDOW], 1))
    assert caught.value.reason_code == "COLUMN_MISSING"


@pytest.mark.parametrize(
    "url",
    ["postgresql://admin:hunter2@host/db", "mysql://admin:hunter2@host/db", "sqlite://", "hunter2", "", "://hunter2"],
)
def test_a_url_that_is_not_a_sqlite_file_is_refused_without_repeating_a_password(url: str) -> None:
    with pytest.raises(SourceError, match="url requires the form sqlite:///FILE") as caught:
        SqliteSource(url, "events", SCHEMA)
    assert caught.value.reason_code == "URL_INVALID"
    assert "hunter2" not in str(caught.value)


def test_the_columns_are_those_of_the_table(tmp_path: Path) -> None:
    found = source_of(make_file(tmp_path)).columns()
    assert {name: column.kind.value for name, column in found.items()} == {
        "event_id": "text",
        "occurred_at": "text",
        "event_name": "text",
        "service_version": "text",
        "is_error": "boolean",
    }


@pytest.mark.parametrize("time_type", ["DATETIME", "TIMESTAMP", "REAL", ""])
def test_numbers_where_text_is_declared_are_refused_rather_than_read_as_no_events(
    tmp_path: Path, time_type: str
) -> None:
    seconds = datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp()
    times = [seconds + 0.5] * 3 if time_type == "REAL" else [int(seconds)] * 3
    with pytest.raises(SourceError) as caught:
        list(source_of(make_file(tmp_path, times, time_type=time_type)).scan_days([WINDOW], 10))
    assert caught.value.reason_code == "COLUMN_TYPE"


def test_whole_numbers_are_read_in_their_unit_whatever_the_column_is_declared_as(tmp_path: Path) -> None:
    seconds = int(datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp())
    path = make_file(tmp_path, [seconds] * 3, time_type="DATETIME")
    assert read(source_of(path, schema=replace(SCHEMA, time_unit="s"))).aggregates.totals().events == 3


def test_text_where_a_boolean_is_declared_is_refused_rather_than_read_as_no_errors(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        list(source_of(make_file(tmp_path, is_error="true")).scan_days([WINDOW], 10))
    assert caught.value.reason_code == "COLUMN_TYPE"


def test_expressions_of_a_view_are_read_as_the_text_they_show(tmp_path: Path) -> None:
    path = make_file(tmp_path)
    change(
        path,
        "CREATE VIEW shown AS SELECT rowid + 0 AS event_id, occurred_at, event_name, 42 + 0 AS service_version,"
        " is_error FROM events",
    )
    scan = read(source_of(path, "shown"))
    assert [row.service_version for row in scan.aggregates.rows] == ["42"]
    assert {event.event_id for event in scan.sample} == {"1", "2", "3"}


def test_invalid_text_is_shown_with_replacement_characters(tmp_path: Path) -> None:
    path = make_file(tmp_path)
    change(path, "UPDATE events SET event_name = CAST(x'6162ff' AS TEXT)")
    assert [row.event_name for row in read(source_of(path)).aggregates.rows] == ["ab\ufffd"]


def test_a_damaged_page_makes_the_file_unreadable_without_a_crash(tmp_path: Path) -> None:
    path = make_file(tmp_path, [NOON] * 2000)
    content = bytearray(path.read_bytes())
    content[3 * 4096 : 3 * 4096 + 2000] = b"\xff" * 2000
    path.write_bytes(bytes(content))
    with pytest.raises(SourceError, match="must be a sound SQLite file") as caught:
        source_of(path).count_days([WINDOW])
    assert caught.value.reason_code == "FILE_BROKEN"


def test_a_name_with_a_hash_sign_creates_no_file_beside_it(tmp_path: Path) -> None:
    path = make_file(tmp_path).rename(tmp_path / "a#b.db")
    assert read(source_of(path)).aggregates.totals().events == 3
    assert [file.name for file in tmp_path.iterdir()] == ["a#b.db"]


def test_like_is_case_sensitive_as_on_other_engines(tmp_path: Path) -> None:
    schema = replace(SCHEMA, is_error="event_name LIKE 'PAGE%'")
    assert read(source_of(make_file(tmp_path), schema=schema)).aggregates.totals().errors == 0


def test_milliseconds_before_1970_stay_in_their_day(tmp_path: Path) -> None:
    path = make_file(tmp_path, [-500, -86_400_000 + 500], time_type="INTEGER")
    source = source_of(path, schema=replace(SCHEMA, time_unit="ms"))
    windows = [day_window(day, ZoneInfo("UTC")) for day in (date(1969, 12, 31), date(1970, 1, 1))]
    assert list(source.count_days(windows).values()) == [2, 0]


def test_times_of_different_units_are_compared_exactly(tmp_path: Path) -> None:
    """Whole seconds beside an arrival half a second later: ten minutes ahead and seven days behind are tolerated."""
    noon = int(datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp())
    path = make_file(tmp_path, [noon + 600, noon + 601, noon - 604_800, noon - 604_799], time_type="INTEGER")
    change(path, "ALTER TABLE events ADD COLUMN arrived TEXT")
    change(path, "UPDATE events SET arrived = '2026-03-10 12:00:00.5'")
    schema = replace(SCHEMA, observed_at="arrived", time_unit="s")
    assert read(source_of(path, schema=schema)).arrivals == Arrivals((2,), 4, 1, 1, 0)


@pytest.mark.parametrize(("minutes", "arrived", "late"), [(60, "13:00:00", 0), (60, "13:00:01", 1), (1, "12:01:01", 1)])
def test_an_event_is_late_strictly_after_the_minutes_allowed(
    tmp_path: Path, minutes: int, arrived: str, late: int
) -> None:
    path = make_file(tmp_path, ["2026-03-10 12:00:00"])
    change(path, "ALTER TABLE events ADD COLUMN arrived TEXT")
    change(path, f"UPDATE events SET arrived = '2026-03-10 {arrived}'")
    schema = replace(SCHEMA, observed_at="arrived", allowed_lateness_minutes=minutes)
    assert read(source_of(path, schema=schema)).aggregates.totals().late_events == late


def test_an_arrival_that_is_not_a_time_is_not_counted(tmp_path: Path) -> None:
    path = make_file(tmp_path)
    change(path, "ALTER TABLE events ADD COLUMN arrived TEXT")
    change(path, "UPDATE events SET arrived = '2026-03-10 yesterday' WHERE event_id <> 'e0'")
    assert read(source_of(path, schema=replace(SCHEMA, observed_at="arrived"))).arrivals == Arrivals((), 0, 0, 0, 0)


def test_text_that_is_not_a_time_counts_as_undated_on_the_day_it_arrived(tmp_path: Path) -> None:
    path = make_file(tmp_path, [None, "", "yesterday", "2026-03-10 25:00:00", "2099-01-01", "1970-01-01", NOON])
    change(path, "ALTER TABLE events ADD COLUMN arrived TEXT")
    change(path, f"UPDATE events SET arrived = '{NOON}'")
    assert read(source_of(path, schema=replace(SCHEMA, observed_at="arrived"))).arrivals == Arrivals((1,), 7, 1, 1, 4)
