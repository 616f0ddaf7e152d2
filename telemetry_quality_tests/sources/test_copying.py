"""A SQLite table is read in batches: any batches give the same day, and between them nobody waits for the reader."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry_quality.assembly import open_source
from telemetry_quality.core.days import day_window
from telemetry_quality.core.events import DayScan, UnreadableDay
from telemetry_quality.errors import SourceUnavailableError
from telemetry_quality.settings import SourceSettings
from telemetry_quality.sources import copying
from telemetry_quality.sources.sqlite import SqliteSource
from telemetry_quality_tests.builders import DAY, SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from telemetry_quality.core.event_schema import EventSchema

START = int(datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC).timestamp())
DAY_SECONDS = 86_400
WINDOWS = [day_window(DAY.replace(day=DAY.day + n), ZoneInfo("UTC")) for n in range(3)]
WHOLE_SECONDS = replace(SCHEMA, time_unit="s")
FULL = replace(WHOLE_SECONDS, observed_at="observed_at", dimensions=("platform",), critical_fields=("user_id",))
COLUMNS = (
    "event_id TEXT, occurred_at INTEGER, event_name TEXT, service_version TEXT, is_error BOOLEAN,"
    " observed_at INTEGER, platform TEXT, user_id TEXT"
)


def make_file(folder: Path, events: Sequence[Sequence[Any]], table: str = f"CREATE TABLE events ({COLUMNS})") -> Path:
    """A file in WAL mode with a table of events given as tuples."""
    path = folder / "events.db"
    with connected(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(table)
        add(connection, events)
    return path


class connected:  # noqa: N801 - used like a function
    """A connection of a writer that commits every statement and never waits for a lock."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None, timeout=0)

    def __enter__(self) -> sqlite3.Connection:
        return self.connection

    def __exit__(self, *_: object) -> None:
        self.connection.close()


def add(connection: sqlite3.Connection, events: Sequence[Sequence[Any]]) -> None:
    columns = "event_id, occurred_at, event_name, service_version, is_error, observed_at, platform, user_id"
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(f"INSERT INTO events ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", events)
    connection.execute("COMMIT")


def event(number: int, at: int = START, **_: Any) -> tuple[Any, ...]:
    return (f"e{number}", at, "page.view", "1.0", number % 2, at, "web", "u")


def source_of(path: Path, schema: EventSchema = FULL, table: str = "events", **options: Any) -> SqliteSource:
    return SqliteSource(f"sqlite:///{path}", table, schema, **options)


def read(source: SqliteSource, days: int = 1) -> list[DayScan]:
    answers = list(source.scan_days(WINDOWS[:days], 100))
    assert all(isinstance(answer, DayScan) for answer in answers), answers
    return [answer for answer in answers if isinstance(answer, DayScan)]


@pytest.fixture
def slices(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[float]]:
    """Reads tables in batches of so many rows, does something after each, and lists the requested pauses."""

    def cut(rows: int, then: Callable[[], object] = lambda: None) -> list[float]:
        pauses: list[float] = []

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            then()

        monkeypatch.setattr(copying, "sleep", pause)
        monkeypatch.setattr(copying, "FIRST_BATCH_ROWS", rows)
        monkeypatch.setattr(copying, "MOST_BATCH_ROWS", rows)
        monkeypatch.setattr(copying, "BATCH_SECONDS", 1e9)
        monkeypatch.setattr(copying, "REST_SECONDS", 0)
        return pauses

    return cut


TEXTS = st.one_of(st.none(), st.sampled_from(["", " ", "a", "A", "unknown"]))
TIMES = st.one_of(st.none(), st.integers(START - DAY_SECONDS, START + 4 * DAY_SECONDS))
EVENTS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.sampled_from(["1", "2", "3"])), TIMES, TEXTS, TEXTS, st.booleans(), TIMES, TEXTS, TEXTS
    ),
    max_size=12,
)
NUMBERS = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=12, max_size=12, unique=True)


@pytest.mark.slow
@settings(max_examples=40 if "WHOLE_CONTRACT" in os.environ else 12, deadline=None, derandomize=True)
@given(events=EVENTS, numbers=st.one_of(st.just(list(range(1, 13))), NUMBERS), rows=st.integers(1, 5))
def test_any_batches_give_the_same_day_as_a_single_read_whatever_the_row_ids(
    events: list[tuple[Any, ...]], numbers: list[int], rows: int
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = make_file(Path(folder), [])
        with connected(path) as connection:
            places = ", ".join("?" * 9)
            columns = "rowid, event_id, occurred_at, event_name, service_version, is_error, observed_at, platform"
            connection.executemany(
                f"INSERT INTO events ({columns}, user_id) VALUES ({places})",
                [(number, *values) for number, values in zip(numbers, events, strict=False)],
            )
            connection.execute("CREATE VIEW in_one_piece AS SELECT * FROM events")
        patch.setattr(copying, "FIRST_BATCH_ROWS", rows)
        patch.setattr(copying, "MOST_BATCH_ROWS", rows)
        whole, cut = source_of(path, table="in_one_piece"), source_of(path)
        scans, counts = read(cut, 3), cut.count_days(WINDOWS)
        assert scans == read(whole, 3)
        assert counts == whole.count_days(WINDOWS)
        assert list(counts.values()) == [scan.aggregates.totals().events for scan in scans]


@pytest.mark.parametrize(
    "table",
    [
        f"CREATE TABLE events ({COLUMNS}, PRIMARY KEY (event_id)) WITHOUT ROWID",
        f"CREATE TABLE events ({COLUMNS}, rowid TEXT)",
        f"CREATE TABLE events ({COLUMNS}, ROWID TEXT, oid TEXT)",
        f"CREATE TABLE events ({COLUMNS}, rowid TEXT, oid TEXT, _rowid_ TEXT)",
        f"CREATE TABLE events ({COLUMNS}, number INTEGER PRIMARY KEY)",
    ],
)
def test_all_rows_are_read_whatever_the_row_id_is_called_or_without_row_ids(
    tmp_path: Path, slices: Callable[..., list[float]], table: str
) -> None:
    path = make_file(tmp_path, [event(n) for n in range(7)], table)
    pauses = slices(2)
    (scan,) = read(source_of(path))
    assert scan.aggregates.totals().events == len(scan.sample) == 7
    has_numbers = "WITHOUT" not in table and "_rowid_" not in table
    assert len(pauses) == (4 if has_numbers else 0)
    assert source_of(path).count_days(WINDOWS[:1]) == {DAY: 7}


def test_rows_added_between_batches_are_left_out_and_rows_removed_after_the_last_batch_are_counted(
    tmp_path: Path, slices: Callable[..., list[float]]
) -> None:
    path = make_file(tmp_path, [event(n) for n in range(6)])

    def meanwhile() -> None:
        with connected(path) as writer:
            if len(pauses) == 2:
                writer.execute("DELETE FROM events")
            else:
                add(writer, [event(100 + n) for n in range(50)])

    pauses = slices(4, meanwhile)
    (scan,) = read(source_of(path))
    assert len(pauses) == 2
    assert scan.aggregates.totals().events == 6
    assert {event.event_id for event in scan.sample} == {f"e{n}" for n in range(6)}
    assert scan.duplicates is not None
    assert scan.duplicates.compared_events == 6
    assert scan.arrivals is not None
    assert scan.arrivals.by_hour == (6,)
    assert sum(counts.events for part, counts in scan.slices.items() if part.by == "hour") == 6


@pytest.mark.parametrize("statement", ["VACUUM", "CREATE INDEX IF NOT EXISTS i ON events (platform)"])
def test_rows_renumbered_meanwhile_are_read_again_rather_than_twice_or_never(
    tmp_path: Path, slices: Callable[..., list[float]], statement: str
) -> None:
    path = make_file(tmp_path, [event(n) for n in range(6)])
    change(path, "DELETE FROM events WHERE rowid < 4")
    slices(2, lambda: change(path, statement))
    with pytest.raises(SourceUnavailableError, match="must keep its structure while it is read") as caught:
        read(source_of(path))
    assert caught.value.reason_code == "SOURCE_CHANGED"
    slices(2)
    assert read(source_of(path))[0].aggregates.totals().events == 3


def change(path: Path, statement: str) -> None:
    with connected(path) as connection:
        connection.execute(statement)


@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
@pytest.mark.parametrize("ask", [read, lambda source: source.count_days(WINDOWS)], ids=["read", "count"])
def test_a_writer_that_never_waits_commits_and_empties_its_log_between_batches(
    tmp_path: Path, slices: Callable[..., list[float]], journal: str, ask: Callable[[SqliteSource], object]
) -> None:
    path = make_file(tmp_path, [event(n) for n in range(20)])
    change(path, f"PRAGMA journal_mode = {journal}")
    emptied: list[bool] = []

    def meanwhile() -> None:
        with connected(path) as writer:
            add(writer, [event(0)])
            emptied.append(writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)

    pauses = slices(4, meanwhile)
    ask(source_of(path))
    assert len(pauses) == 5
    assert emptied == [True] * 5


@pytest.mark.slow
def test_while_days_are_read_again_and_again_no_insert_ever_finds_the_file_locked(tmp_path: Path) -> None:
    path = make_file(tmp_path, [event(n) for n in range(3000)])
    has_ended, inserts = threading.Event(), []

    def write() -> None:
        with connected(path) as writer:
            while not has_ended.is_set():
                # It waits for no lock: the first lock that the reader holds raises.
                add(writer, [event(n) for n in range(20)])
                inserts.append(20)

    writer = threading.Thread(target=write)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copying, "FIRST_BATCH_ROWS", 100)
        patch.setattr(copying, "MOST_BATCH_ROWS", 100)
        writer.start()
        try:
            seen = [read(source_of(path))[0].aggregates.totals().events for _ in range(3)]
            assert writer.is_alive(), "no insert may fail"
        finally:
            has_ended.set()
            writer.join()
    assert seen == sorted(seen)
    assert source_of(path).count_days(WINDOWS[:1]) == {DAY: 3000 + sum(inserts)}


@pytest.mark.parametrize(
    ("indexes", "passed"),
    [
        ([], 30),
        (["(occurred_at)"], 30),
        (["(occurred_at)", "(observed_at, event_id)"], 10),
        (["(occurred_at)", "(observed_at) WHERE is_error"], 30),
        (["(occurred_at)", "(event_id, observed_at)"], 30),
    ],
)
def test_other_days_are_not_read_if_all_times_are_indexed(
    tmp_path: Path, slices: Callable[..., list[float]], indexes: list[str], passed: int
) -> None:
    path = make_file(tmp_path, [event(n, START + n // 10 * DAY_SECONDS) for n in range(-10, 20)])
    for number, columns in enumerate(indexes):
        change(path, f"CREATE INDEX i{number} ON events {columns}")
    pauses = slices(1)
    (scan,) = read(source_of(path))
    assert scan.aggregates.totals().events == 10
    assert len(pauses) == passed


@pytest.mark.parametrize(("seconds", "batches_of_ten"), [(1e9, [2, 4, 4]), (1e-9, [2, *[1] * 8])])
def test_the_duration_of_a_batch_decides_the_size_of_the_next(
    tmp_path: Path,
    slices: Callable[..., list[float]],
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    batches_of_ten: list[int],
) -> None:
    path = make_file(tmp_path, [event(n) for n in range(10)])
    pauses = slices(2)
    monkeypatch.setattr(copying, "BATCH_SECONDS", seconds)
    monkeypatch.setattr(copying, "MOST_BATCH_ROWS", 4)
    read(source_of(path))
    assert len(pauses) == len(batches_of_ten)


def test_the_batches_of_a_scan_share_one_time_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "FIRST_BATCH_ROWS", 1)
    monkeypatch.setattr(copying, "MOST_BATCH_ROWS", 1)
    path = make_file(tmp_path, [event(n) for n in range(50_000)])
    (answer,) = source_of(path, time_limit_seconds=0.5).scan_days(WINDOWS[:1], 100)
    assert isinstance(answer, UnreadableDay)
    assert answer.reason_code == "TIME_LIMIT"


def test_the_pause_between_batches_is_the_one_in_the_settings(
    tmp_path: Path, slices: Callable[..., list[float]]
) -> None:
    path = make_file(tmp_path, [event(n) for n in range(4)])
    roles = {"event_id": "event_id", "occurred_at": "occurred_at", "event_name": "event_name"}
    settings = SourceSettings.model_validate(
        {
            "connector": "database",
            "url": f"sqlite:///{path}",
            "table": "events",
            "time_unit": "s",
            "first_day": "2026-01-01",
            "pause_seconds": 0.25,
            "roles": {**roles, "service_version": "service_version", "is_error": "is_error"},
        }
    )
    pauses = slices(2)
    source: Any = open_source("web", settings)
    read(source)
    assert pauses == [0.25, 0.25]


@pytest.mark.parametrize(("rest_after", "rests"), [(0.0, 3), (1e9, 0)])
def test_short_batches_share_a_pause(
    tmp_path: Path,
    slices: Callable[..., list[float]],
    monkeypatch: pytest.MonkeyPatch,
    rest_after: float,
    rests: int,
) -> None:
    path = make_file(tmp_path, [event(n) for n in range(6)])
    pauses = slices(2)
    monkeypatch.setattr(copying, "REST_SECONDS", rest_after)
    read(source_of(path))
    assert len(pauses) == rests


def test_values_compare_in_the_copy_as_in_the_table_and_text_is_always_case_sensitive(
    tmp_path: Path, slices: Callable[..., list[float]]
) -> None:
    declared = COLUMNS.replace("event_name TEXT", "event_name TEXT COLLATE NOCASE")
    path = make_file(tmp_path, [event(n) for n in range(4)], f"CREATE TABLE events ({declared}, level TEXT, grade NUM)")
    change(path, "UPDATE events SET event_name = 'PAGE.view' WHERE rowid = 1")
    change(path, "UPDATE events SET level = rowid + 8, grade = rowid + 8")
    slices(3)
    for predicate, errors in [("level >= 10", 4), ("level >= 9", 1), ("grade >= 9", 4), ("grade >= '10'", 3)]:
        (scan,) = read(source_of(path, replace(FULL, is_error=predicate)))
        assert scan.aggregates.totals().errors == errors, predicate
    assert [(row.event_name, row.events) for row in scan.aggregates.rows] == [("PAGE.view", 1), ("page.view", 3)]


def test_what_makes_writers_wait_is_reported_with_its_remedy(tmp_path: Path) -> None:
    path = make_file(tmp_path, [event(1)])
    change(path, "CREATE VIEW shown AS SELECT * FROM events")
    assert source_of(path).holds_up_writers() is None
    assert "read in one piece" in (source_of(path, table="shown").holds_up_writers() or "")
    change(path, "PRAGMA journal_mode = DELETE")
    assert source_of(path).holds_up_writers() == (
        "Nobody can commit during a batch (delete journal); run PRAGMA journal_mode = WAL once."
    )
