"""The time limit of a read: a slow query is interrupted, and nothing else is."""

from __future__ import annotations

import sqlite3
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import duckdb
import pytest

from telemetry_quality.core.days import day_window
from telemetry_quality.core.events import DayScan, UnreadableDay
from telemetry_quality.sources.duckdb import DuckDBFileSource
from telemetry_quality.sources.limits import time_limit
from telemetry_quality.sources.sqlite import SqliteSource
from telemetry_quality_tests.builders import DAY, SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from telemetry_quality.core.ports import EventSource

LIMIT_SECONDS = 0.4
WINDOWS = [day_window(DAY + timedelta(days=n), ZoneInfo("UTC")) for n in range(3)]
TABLES = [
    f"CREATE TABLE {name} (event_id TEXT, occurred_at TEXT, event_name TEXT, service_version TEXT, is_error BOOLEAN)"
    for name in ("fast", "slow")
]
ROWS = [
    f"INSERT INTO fast VALUES ('f', '{DAY} 12:00:00', 'a', '1', FALSE)",
    f"INSERT INTO slow VALUES ('s', '{DAY + timedelta(days=1)} 12:00:00', 'a', '1', FALSE)",
]


def duckdb_file(folder: Path) -> EventSource:
    """One event on the first day, 10^12 of them on the second, none on the third."""
    path = folder / "events.duckdb"
    with duckdb.connect(str(path)) as connection:
        for statement in [*TABLES, *ROWS]:
            connection.execute(statement)
        connection.execute(
            "CREATE VIEW events AS FROM fast UNION ALL SELECT slow.* FROM slow, range(1000000), range(1000000)"
        )
    return DuckDBFileSource(str(path), "events", SCHEMA, time_limit_seconds=LIMIT_SECONDS)


def sqlite(folder: Path) -> EventSource:
    """One event on the first day, 10^9 of them on the second, none on the third."""
    connection = sqlite3.connect(folder / "events.db")
    for statement in [*TABLES, *ROWS]:
        connection.execute(statement)
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000000) SELECT i FROM n"
    connection.execute(
        f"CREATE VIEW events AS SELECT * FROM fast UNION ALL SELECT slow.* FROM slow CROSS JOIN ({numbers})"
    )
    connection.commit()
    connection.close()
    return SqliteSource(f"sqlite:///{folder / 'events.db'}", "events", SCHEMA, time_limit_seconds=LIMIT_SECONDS)


@pytest.mark.slow
@pytest.mark.parametrize("connect", [duckdb_file, sqlite], ids=lambda connect: connect.__name__)
def test_a_day_that_takes_too_long_is_interrupted_and_the_other_days_are_read(
    tmp_path: Path, connect: Callable[[Path], EventSource]
) -> None:
    source = connect(tmp_path)
    started = time.monotonic()
    first, slow, third = source.scan_days(WINDOWS, 10)
    assert time.monotonic() - started < 10 * LIMIT_SECONDS
    assert isinstance(slow, UnreadableDay)
    assert slow.reason_code == "TIME_LIMIT"
    assert f"must answer within {LIMIT_SECONDS:g} s, but did not; raise time_limit_seconds" in slow.reason
    assert isinstance(first, DayScan)
    assert isinstance(third, DayScan)
    assert [first.aggregates.totals().events, third.aggregates.totals().events] == [1, 0]
    assert source.count_days(WINDOWS[:1]) == {DAY: 1}, "the next scan works too"


def test_a_block_that_runs_too_long_is_interrupted_once_and_the_deadline_says_so() -> None:
    interrupted = threading.Event()
    with time_limit(0.01, interrupted.set) as deadline:
        assert interrupted.wait(5)
    assert deadline.has_passed


def test_a_block_that_ends_in_time_is_never_interrupted() -> None:
    interrupted = threading.Event()
    with time_limit(0.05, interrupted.set) as deadline:
        pass
    assert not interrupted.wait(0.1)
    assert not deadline.has_passed


def test_a_block_that_fails_in_time_is_never_interrupted() -> None:
    interrupted = threading.Event()
    with pytest.raises(ZeroDivisionError), time_limit(0.05, interrupted.set):
        raise ZeroDivisionError
    assert not interrupted.wait(0.1)
