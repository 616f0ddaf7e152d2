"""The DuckDB connector: database files opened read-only, and faults reported in plain words."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import combinations
from statistics import mean, variance
from threading import Timer
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import duckdb
import pytest
from sqlalchemy import func, select

from telemetry_quality.core.days import day_window
from telemetry_quality.core.events import DayScan, UnreadableDay
from telemetry_quality.errors import SourceError, SourceUnavailableError
from telemetry_quality.sources.duckdb import DuckDBFileSource
from telemetry_quality.sources.functions import HASH_SPACE
from telemetry_quality.sources.query import day_ranges_of
from telemetry_quality_tests.builders import DAY, SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WINDOW = day_window(DAY, ZoneInfo("UTC"))


def make_file(folder: Path, *statements: str) -> Path:
    """A file with a table ``events`` of three events on DAY."""
    path = folder / "events.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            "CREATE TABLE events AS SELECT 'e' || i AS event_id, TIMESTAMPTZ '2026-03-10 12:00:00+00' AS occurred_at,"
            " 'page.view' AS event_name, '1.0' AS service_version, i = 0 AS is_error FROM range(3) AS numbers(i)"
        )
        for statement in statements:
            connection.execute(statement)
    return path


@contextmanager
def open_for_writing_elsewhere(path: Path) -> Iterator[None]:
    program = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        try:
            yield
        finally:
            process.communicate()


@pytest.mark.slow
def test_a_file_open_for_writing_elsewhere_is_only_temporarily_unavailable(tmp_path: Path) -> None:
    path = make_file(tmp_path)
    source = DuckDBFileSource(str(path), "events", SCHEMA)
    with open_for_writing_elsewhere(path):
        for ask in (lambda: list(source.scan_days([WINDOW], 1)), lambda: source.count_days([WINDOW]), source.columns):
            with pytest.raises(SourceUnavailableError, match="must not be open for writing elsewhere") as caught:
                ask()
            assert caught.value.reason_code == "SOURCE_LOCKED"
            assert str(path) in str(caught.value)
    assert source.count_days([WINDOW]) == {DAY: 3}


def test_a_file_that_this_process_has_open_for_writing_is_temporarily_unavailable_too(tmp_path: Path) -> None:
    path = make_file(tmp_path)
    source = DuckDBFileSource(str(path), "events", SCHEMA)
    with duckdb.connect(str(path)), pytest.raises(SourceUnavailableError) as caught:
        source.count_days([WINDOW])
    assert caught.value.reason_code == "SOURCE_LOCKED"
    assert source.count_days([WINDOW]) == {DAY: 3}


def test_sources_with_different_memory_limits_may_be_in_one_file(tmp_path: Path) -> None:
    path = make_file(tmp_path)
    sources = [DuckDBFileSource(str(path), "events", SCHEMA, memory_limit_bytes=bytes_) for bytes_ in (2**28, 2**29)]
    with sources[0]._client():
        assert sources[1].count_days([WINDOW]) == {DAY: 3}


@pytest.mark.parametrize("name", ["memory", "temp", "system", "main", "it's my.file"])
def test_a_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    path = make_file(tmp_path).rename(tmp_path / f"{name}.duckdb")
    assert DuckDBFileSource(str(path), "events", SCHEMA).count_days([WINDOW]) == {DAY: 3}


def test_a_file_is_opened_read_only(tmp_path: Path) -> None:
    source = DuckDBFileSource(str(make_file(tmp_path)), "events", SCHEMA)
    with source._client() as client, pytest.raises(duckdb.InvalidInputException, match="read-only"):
        client.connection.execute("DELETE FROM events")
    assert source.count_days([WINDOW]) == {DAY: 3}


def test_a_view_is_as_good_as_a_table(tmp_path: Path) -> None:
    path = make_file(tmp_path, "CREATE VIEW seen AS SELECT *, 'x' AS more FROM events WHERE event_id <> 'e1'")
    assert DuckDBFileSource(str(path), "seen", SCHEMA).count_days([WINDOW]) == {DAY: 2}


@pytest.mark.parametrize("name", ["my events", "Events 2", "it's", "ünï", "select", "x; DROP TABLE events"])
def test_a_table_may_have_any_name(tmp_path: Path, name: str) -> None:
    path = make_file(tmp_path, f'CREATE TABLE "{name}" AS FROM events')
    (answer,) = DuckDBFileSource(str(path), name, SCHEMA).scan_days([WINDOW], 1)
    assert isinstance(answer, DayScan), answer
    assert answer.aggregates.totals().events == 3


def test_a_missing_file_is_not_created(tmp_path: Path) -> None:
    path = tmp_path / "absent.duckdb"
    with pytest.raises(SourceError, match="A DuckDB file is required") as caught:
        list(DuckDBFileSource(str(path), "events", SCHEMA).scan_days([WINDOW], 1))
    assert caught.value.reason_code == "FILE_MISSING"
    assert not path.exists()


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="absent") as caught:
        DuckDBFileSource(str(make_file(tmp_path)), "absent", SCHEMA).count_days([WINDOW])
    assert caught.value.reason_code == "TABLE_MISSING"
    assert not isinstance(caught.value, SourceUnavailableError)


def test_a_table_without_a_role_column_is_an_error_and_never_zero(tmp_path: Path) -> None:
    path = make_file(tmp_path, "ALTER TABLE events DROP COLUMN is_error")
    with pytest.raises(SourceError, match="is_error requires the column 'is_error'") as caught:
        list(DuckDBFileSource(str(path), "events", SCHEMA).scan_days([WINDOW], 1))
    assert caught.value.reason_code == "COLUMN_MISSING"


@pytest.mark.parametrize("content", [b"", b"no database, just words\n" * 400], ids=["empty", "garbage"])
def test_a_file_that_is_not_a_database_is_unreadable_and_not_retried(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "events.duckdb"
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        list(DuckDBFileSource(str(path), "events", SCHEMA).scan_days([WINDOW], 1))
    assert not isinstance(caught.value, SourceUnavailableError)
    assert path.read_bytes() == content


def test_a_failing_query_never_repeats_a_value_of_an_event(tmp_path: Path) -> None:
    """Reasons are stored, and no personal data may reach the store."""
    path = make_file(
        tmp_path,
        "CREATE VIEW private AS SELECT * REPLACE (CAST(CAST(event_id AS INTEGER) AS TEXT) AS event_id) FROM events",
    )
    (answer,) = DuckDBFileSource(str(path), "private", SCHEMA).scan_days([WINDOW], 1)
    assert isinstance(answer, UnreadableDay)
    assert answer.reason_code == "QUERY_FAILED"
    assert "'e" not in answer.reason
    assert "ConversionException" in answer.reason


def test_an_interrupt_by_the_user_is_not_reported_as_a_time_limit(tmp_path: Path) -> None:
    path = make_file(tmp_path, "CREATE VIEW endless AS SELECT events.* FROM events, range(1000000), range(1000000)")
    source = DuckDBFileSource(str(path), "endless", SCHEMA, time_limit_seconds=60)
    with source._client() as client:
        events = client.event_table("endless", SCHEMA, "")
        timer = Timer(0.2, client.connection.interrupt)
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            client.execute(select(func.count()).select_from(events.relation).where(events.relation.c.event_id != "x"))
        timer.join()


def test_a_read_in_another_thread_ends_when_it_is_interrupted(tmp_path: Path) -> None:
    path = make_file(tmp_path, "CREATE VIEW endless AS SELECT events.* FROM events, range(1000000), range(1000000)")
    source = DuckDBFileSource(str(path), "endless", SCHEMA)
    source.interrupt()  # without a read, nothing happens
    with ThreadPoolExecutor(1) as pool:
        scan = pool.submit(lambda: list(source.scan_days([WINDOW], 1)))
        while wait([scan], 0.1).not_done:
            source.interrupt()
        with pytest.raises(KeyboardInterrupt):
            scan.result()
    source.interrupt()


def test_the_time_zone_of_the_machine_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_file(
        tmp_path, "CREATE TABLE naive AS SELECT * REPLACE (TIMESTAMP '2026-03-10 23:30:00' AS occurred_at) FROM events"
    )
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    (answer,) = DuckDBFileSource(str(path), "naive", SCHEMA).scan_days([WINDOW], 1)
    assert isinstance(answer, DayScan)
    assert list(answer.aggregates.by_hour()) == [23]


def test_a_path_that_contains_the_word_lock_is_not_reported_as_locked(tmp_path: Path) -> None:
    path = tmp_path / "clock" / "events.duckdb"
    path.parent.mkdir()
    path.write_bytes(b"garbage" * 1000)
    with pytest.raises(SourceError) as caught:
        DuckDBFileSource(str(path), "events", SCHEMA).count_days([WINDOW])
    assert not isinstance(caught.value, SourceUnavailableError)


@pytest.mark.parametrize("name", ["s.events", "show"])
def test_a_table_may_be_in_a_schema_or_be_named_like_a_keyword(tmp_path: Path, name: str) -> None:
    quoted = ".".join(f'"{part}"' for part in name.split("."))
    path = make_file(tmp_path, "CREATE SCHEMA s", f"CREATE TABLE {quoted} AS FROM events")
    (scan,) = DuckDBFileSource(str(path), name, SCHEMA).scan_days([WINDOW], 10)
    (same,) = DuckDBFileSource(str(path), "events", SCHEMA).scan_days([WINDOW], 10)
    assert isinstance(scan, DayScan)
    assert isinstance(same, DayScan)
    assert scan.aggregates == same.aggregates


@pytest.mark.slow
def test_samples_under_different_salts_overlap_only_by_chance(tmp_path: Path) -> None:
    path = make_file(
        tmp_path,
        "INSERT INTO events SELECT 'n' || i, e.* EXCLUDE (event_id) FROM events e, range(117) AS t(i) WHERE is_error",
    )
    drawn = []
    for salt in range(60):
        (scan,) = DuckDBFileSource(str(path), "events", SCHEMA, salt=str(salt)).scan_days([WINDOW], 40)
        assert isinstance(scan, DayScan)
        drawn.append({event.event_id for event in scan.sample})
    shared = [len(first & second) for first, second in combinations(drawn, 2)]
    # Hypergeometric: two draws of 40 from 120 have 13 in common on average, with a variance of 6.
    assert mean(shared) == pytest.approx(13, abs=1)
    assert variance(shared) == pytest.approx(6, abs=1.5)


def test_an_id_that_is_repeated_endlessly_adds_no_more_events_than_are_drawn(tmp_path: Path) -> None:
    path = make_file(
        tmp_path, "INSERT INTO events SELECT 'same', e.* EXCLUDE (event_id) FROM events e, range(20000) AS t(i)"
    )
    source = DuckDBFileSource(str(path), "events", SCHEMA)
    with source._client() as client:
        events = client.event_table("events", SCHEMA, "")
        (day_range,) = day_ranges_of([WINDOW])
        assert len(client.execute(events.sample_query(day_range, {0: HASH_SPACE - 1}, 50))) == 50
    (scan,) = source.scan_days([WINDOW], 50)
    assert isinstance(scan, DayScan)
    assert len(scan.sample) == 50
