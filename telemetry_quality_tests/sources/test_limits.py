"""The limits of a read: a slow query is interrupted, nothing else is, and DuckDB's memory is bounded."""

from __future__ import annotations

import sqlite3
import threading
import time
import weakref
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from zoneinfo import ZoneInfo

import duckdb
import pytest

from telemetry_quality.core.days import day_window
from telemetry_quality.core.events import DayScan, UnreadableDay
from telemetry_quality.sources import limits
from telemetry_quality.sources.duckdb import DuckDBFileSource, ParquetSource
from telemetry_quality.sources.limits import time_limit
from telemetry_quality.sources.sqlite import SqliteSource
from telemetry_quality_tests.builders import DAY, SCHEMA, make_events, write_parquet

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry_quality.core.ports import EventSource

LIMIT_SECONDS = 1.5
MEMORY_BYTES = 128 * 1024**2
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


@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_duckdb_takes_no_more_memory_than_the_settings_allow_and_moves_the_rest_to_a_private_folder(
    tmp_path: Path, kind: str
) -> None:
    events = write_parquet(tmp_path / "events.parquet", make_events(3))
    with duckdb.connect(str(tmp_path / "events.duckdb")) as connection:
        connection.execute(f"CREATE TABLE events AS FROM '{events}'")
    source = (
        ParquetSource(str(events), SCHEMA, ZoneInfo("UTC"), memory_limit_bytes=MEMORY_BYTES)
        if kind == "parquet"
        else DuckDBFileSource(str(tmp_path / "events.duckdb"), "events", SCHEMA, memory_limit_bytes=MEMORY_BYTES)
    )
    with source.new_client() as client:
        ((limit, threads, name),) = client.connection.execute(
            "SELECT current_setting('memory_limit'), current_setting('threads'), current_setting('temp_directory')"
        ).fetchall()
        assert (limit, threads) == ("128.0 MiB", 1)
        many = "SELECT max(id), count(*) FROM (SELECT md5(i::VARCHAR) AS id FROM range(4000000) t(i) ORDER BY id)"
        folder = Path(name)
        assert client.connection.execute(many).fetchall()[0][1] == 4_000_000
        assert folder.parent.stat().st_mode & 0o077 == 0
        assert folder.exists()
    assert not folder.exists()


class LateTimer(threading.Timer):
    """A timer whose thread does not get its turn before the process ends, as on a busy machine."""

    made: ClassVar[list[LateTimer]] = []

    def __init__(self, seconds: float, function: Callable[[], None]) -> None:
        super().__init__(seconds, function)
        self.made.append(self)

    def cancel(self) -> None:
        """Come too late."""


def test_a_timer_that_ends_late_holds_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        def interrupt(self) -> None:
            """Never called."""

    monkeypatch.setattr(limits, "Timer", LateTimer)
    client = Client()
    connection = weakref.ref(client)

    with limits.time_limit(600, client.interrupt):
        del client

    (timer,) = LateTimer.made
    assert timer.is_alive()
    assert connection() is None
    timer.finished.set()
