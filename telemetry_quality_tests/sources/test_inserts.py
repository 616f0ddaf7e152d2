"""Inserting events into PostgreSQL never waits for a read; ``test_copying`` has the promises for SQLite."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import psycopg
import pytest
from sqlalchemy import text

from telemetry_quality.core.days import day_window
from telemetry_quality.core.events import DayScan
from telemetry_quality.sources.postgresql import PostgresSource
from telemetry_quality_tests.builders import DAY, SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from telemetry_quality_tests.servers import PostgreSQL

WINDOW = day_window(DAY, ZoneInfo("UTC"))
EVENTS = 20_000
INSERT = (
    "INSERT INTO events SELECT n, '2026-03-10 12:00+00', 'page.view', '1.0', FALSE FROM generate_series(1, %s) AS s(n)"
)
BLOCKED_BY_US = """
    SELECT waiting.query FROM pg_stat_activity AS waiting, pg_stat_activity AS ours
    WHERE ours.application_name = 'telemetry-quality' AND ours.pid = ANY (pg_blocking_pids(waiting.pid))
"""
CHANGE = "ALTER TABLE events ADD COLUMN more TEXT"
OURS_AT_WORK = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'telemetry-quality' AND state = 'active'"


@pytest.fixture
def url(postgresql: PostgreSQL) -> str:
    """A database with a table of events of one day."""
    new = postgresql.new_database()
    with psycopg.connect(new, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE events (event_id TEXT, occurred_at TIMESTAMPTZ, event_name TEXT, service_version TEXT,"
            " is_error BOOLEAN)"
        )
        connection.execute("CREATE INDEX ON events (occurred_at)")
        connection.execute(INSERT, [EVENTS])
    return new


@pytest.fixture
def impatient(url: str) -> Iterator[psycopg.Connection]:
    """A connection that waits a millisecond for a lock."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '1ms'")
        yield connection


class Repeated:
    """Does something repeatedly in its own thread; what it raises is raised at the end."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.times = 0
        self._work = work
        self._is_over = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._repeat)

    def _repeat(self) -> None:
        try:
            while not self._is_over.is_set():
                self._work()
                self.times += 1
        except BaseException as error:  # noqa: BLE001 - raised again where the test sees it
            self._error = error

    def __enter__(self) -> Repeated:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        if self._error is not None:
            raise self._error


def test_no_insert_ever_waits_for_a_lock_of_a_snapshot(url: str, impatient: psycopg.Connection) -> None:
    source = PostgresSource(url, "events", SCHEMA)
    seen_at_work, blocked = 0, []
    with (
        psycopg.connect(url, autocommit=True) as watch,
        Repeated(lambda: impatient.execute(INSERT, [8])) as inserts,
        Repeated(lambda: list(source.scan_days([WINDOW], 100))) as scans,
    ):
        for _ in range(5000):
            blocked += watch.execute(BLOCKED_BY_US).fetchall()
            seen_at_work += watch.execute(OURS_AT_WORK).fetchone() != (0,)
            if seen_at_work >= 20 and scans.times >= 3 and inserts.times >= 20:
                break
    assert blocked == []
    assert seen_at_work >= 20
    assert source.count_days([WINDOW]) == {DAY: EVENTS + 8 * inserts.times}
    (scan,) = source.scan_days([WINDOW], 100)
    assert isinstance(scan, DayScan)


def test_inserts_queue_behind_a_table_change_that_waits_for_a_read_unless_it_gives_up_soon(
    url: str, impatient: psycopg.Connection
) -> None:
    """The only way in which a read can hold up inserts, common to all readers of PostgreSQL and documented."""
    source = PostgresSource(url, "events", SCHEMA)
    with psycopg.connect(url, autocommit=True) as migration, source._client() as client, client.transaction():
        client.execute(text("SELECT count(*) FROM events"))  # type: ignore[arg-type]
        migration.execute("SET lock_timeout = '30s'")
        waiting = threading.Thread(target=change_or_be_cancelled, args=[migration])
        waiting.start()
        with psycopg.connect(url, autocommit=True) as watch:
            while not watch.execute(BLOCKED_BY_US).fetchall():
                assert waiting.is_alive()
            with pytest.raises(psycopg.errors.LockNotAvailable):
                impatient.execute(INSERT, [1])
            migration.cancel()
        waiting.join()
        migration.execute("SET lock_timeout = '10ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            migration.execute(CHANGE)
        impatient.execute(INSERT, [1])
    impatient.execute(CHANGE)


def change_or_be_cancelled(connection: psycopg.Connection) -> None:
    with contextlib.suppress(psycopg.errors.QueryCanceled):
        connection.execute(CHANGE)
