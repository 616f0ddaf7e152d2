"""How snapshots and looks at hours affect writers, compared with nothing and with a process that burns one core.

Run ``make bench`` or ``python benchmarks/inserts.py [EVENTS] [SECONDS] [ROUNDS]``. One process inserts transactions of
80 events, at 4,000 events a second and as fast as it can, into SQLite (WAL, synchronous=NORMAL, no index) and into
PostgreSQL (an index on the time; a separate server that does not wait for the disk). Looks at two hours come every
second instead of every quarter of an hour, at SQLite with an index on the time. Prints medians over interleaved rounds,
and the cost of reading as ratios to nothing and to the burner: all share two cores.
"""

from __future__ import annotations

import multiprocessing
import secrets
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

import psycopg

from telemetry_quality.assembly import open_source
from telemetry_quality.core.days import DayWindow, day_window
from telemetry_quality.core.events import DayAggregates
from telemetry_quality.settings import SourceSettings
from telemetry_quality_tests.servers import running_postgresql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.synchronize import Event

    from telemetry_quality.sources.sql_source import SqlSource

    Row = tuple[str, str, str, str, int, str]
    Insert = Callable[[list[Row]], None]

DAY = date(2026, 3, 10)
BATCH, FIXED_RATE = 80, 4000


class Inserting(NamedTuple):
    """What one writer measured: events a second, milliseconds per transaction, the largest log of SQLite in MiB."""

    rate: float
    p50: float
    p99: float
    worst: float
    wal: float


def rows(numbers: Iterable[int], events: int) -> Iterator[Row]:
    """Events spread over the day: 50 names, 30 versions, 2 % errors, random ids."""
    start = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
    for number in numbers:
        at = (start + timedelta(days=1) * (number % events) / events).isoformat(sep=" ")
        severity = 17 if number % 50 == 7 else 9
        yield secrets.token_hex(16), at, f"signal.{number % 50}", f"1.{number % 30}", severity, "x" * 60


def fill_sqlite(url: str, events: int) -> None:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(
            "CREATE TABLE events (event_id TEXT, occurred_at TEXT, event_name TEXT, app_version TEXT,"
            " severity INTEGER, payload TEXT)"
        )
        connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", rows(range(events), events))
        connection.commit()


def fill_indexed_sqlite(url: str, events: int) -> None:
    fill_sqlite(url, events)
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        connection.execute("CREATE INDEX by_time ON events (occurred_at)")


def fill_postgresql(url: str, events: int) -> None:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE events (event_id TEXT, occurred_at TIMESTAMPTZ, event_name TEXT, app_version TEXT,"
            " severity INTEGER, payload TEXT)"
        )
        with cursor.copy("COPY events FROM STDIN") as copy:
            for row in rows(range(events), events):
                copy.write_row(row)
        cursor.execute("CREATE INDEX ON events (occurred_at)")
        cursor.execute("ANALYZE events")


def opened(url: str) -> tuple[Insert, Callable[[], float]]:
    """Functions that insert a transaction into the database and return the size of its log in MiB."""
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite:///")
        file = sqlite3.connect(path, isolation_level=None, timeout=30)
        file.execute("PRAGMA synchronous = NORMAL")

        def into_sqlite(batch: list[Row]) -> None:
            file.execute("BEGIN IMMEDIATE")
            file.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", batch)
            file.execute("COMMIT")

        return into_sqlite, lambda: Path(f"{path}-wal").stat().st_size / 2**20
    connection = psycopg.connect(url, autocommit=True)

    def into_postgresql(batch: list[Row]) -> None:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.executemany("INSERT INTO events VALUES (%s, %s, %s, %s, %s, %s)", batch)

    return into_postgresql, lambda: 0.0


def insert(url: str, rate: int | None, seconds: float, answer: Any) -> None:
    """Insert for some seconds, at ``rate`` events a second or as fast as possible."""
    into, log_size = opened(url)
    taken: list[float] = []
    largest = 0.0
    begun = perf_counter()
    while perf_counter() - begun < seconds:
        number = len(taken) * BATCH
        batch = list(rows(range(number, number + BATCH), 1_000_000))
        if rate is not None:
            sleep(max(0, begun + number / rate - perf_counter()))
        before = perf_counter()
        into(batch)
        taken.append(1000 * (perf_counter() - before))
        if len(taken) % 20 == 0:
            largest = max(largest, log_size())
    its_rate = len(taken) * BATCH / (perf_counter() - begun)
    answer.put(Inserting(its_rate, median(taken), quantiles(taken, n=100)[98], max(taken), largest))


def rest(_: str, is_over: Event, ready: Event) -> None:
    ready.set()
    is_over.wait()


def burn(_: str, is_over: Event, ready: Event) -> None:
    ready.set()
    while not is_over.is_set():
        sum(range(10_000))


def source_at(url: str) -> SqlSource[Any]:
    return open_source(
        "web",
        SourceSettings.model_validate(
            {
                "connector": "database",
                "url": url,
                "table": "events",
                "first_day": DAY,
                "roles": {
                    "event_id": "event_id",
                    "occurred_at": "occurred_at",
                    "event_name": "event_name",
                    "service_version": "app_version",
                    "is_error": "severity >= 17",
                },
            }
        ),
    )


def snapshot(url: str, is_over: Event, ready: Event) -> None:
    """Read the day again and again, as ``telemetry-quality snapshot`` does; the last scan is abandoned."""
    source = source_at(url)
    ready.set()
    while not is_over.is_set():
        (scan,) = source.scan_days([day_window(DAY, ZoneInfo("UTC"))], 100)
        assert len(getattr(scan, "sample", ())) == 100, scan


def looks(url: str, is_over: Event, ready: Event) -> None:
    """Look at two hours every second."""
    source, start = source_at(url), day_window(DAY, ZoneInfo("UTC")).start
    hours = DayWindow(DAY, start + timedelta(hours=12), start + timedelta(hours=14))
    ready.set()
    while not is_over.wait(1):
        found = source.scan_hours(hours)
        assert isinstance(found, DayAggregates), found


BESIDE = {"nothing": rest, "a CPU burner": burn, "a snapshot": snapshot, "looks": looks}


def beside(load: str, url: str, rate: int | None, seconds: float) -> Inserting:
    """What a writer measures while something else runs."""
    context = multiprocessing.get_context("spawn")
    is_over, ready, answer = context.Event(), context.Event(), context.Queue()
    other = context.Process(target=BESIDE[load], args=(url, is_over, ready))
    other.start()
    ready.wait()
    writer = context.Process(target=insert, args=(url, rate, seconds, answer))
    writer.start()
    found: Inserting = answer.get()
    writer.join()
    is_over.set()
    other.terminate()
    other.join()
    return found


def measure(engine: str, url: str, rate: int | None, seconds: float, rounds: int, *, loads: Iterable[str]) -> None:
    print(f"{engine}, {'full speed' if rate is None else f'{rate:,} events a second'}:")
    seen: dict[str, list[Inserting]] = {load: [] for load in loads}
    for _ in range(rounds):
        for load, found in seen.items():
            found.append(beside(load, url, rate, seconds))
    medians = {load: Inserting(*map(median, zip(*found, strict=True))) for load, found in seen.items()}
    for load, result in medians.items():
        print(
            f"  beside {load:14}{result.rate:9,.0f} events/s  p50 {result.p50:6.2f} ms  p99 {result.p99:7.2f} ms"
            f"  worst {result.worst:6.0f} ms" + (f"  log {result.wal:6.1f} MiB" if result.wal else "")
        )
    for ours in ("a snapshot", "looks"):
        for other in ("nothing", "a CPU burner"):
            if ours in medians and other in medians:
                _compare(f"{ours} / {other}", medians[ours], medians[other])


def _compare(what: str, ours: Inserting, other: Inserting) -> None:
    print(
        f"  {what:26}events/s {ours.rate / other.rate:5.2f} x  p50 {ours.p50 / other.p50:5.2f} x"
        f"  p99 {ours.p99 / other.p99:5.2f} x"
    )


def main() -> None:
    numbers = [int(word.replace("_", "")) for word in sys.argv[1:]]
    events, seconds, rounds = [*numbers, *[1_000_000, 20, 5][len(numbers) :]]
    with TemporaryDirectory() as folder, running_postgresql() as server:
        urls = {"SQLite": f"sqlite:///{folder}/events.db", "PostgreSQL": server.new_database()}
        fill_sqlite(urls["SQLite"], events)
        fill_postgresql(urls["PostgreSQL"], events)
        indexed = f"sqlite:///{folder}/indexed.db"
        fill_indexed_sqlite(indexed, events)
        measure("SQLite with an index on the time", indexed, FIXED_RATE, seconds, rounds, loads=("nothing", "looks"))
        for engine, url in urls.items():
            loads = [load for load in BESIDE if load != "looks" or engine != "SQLite"]
            for rate in (FIXED_RATE, None):
                measure(engine, url, rate, seconds, rounds, loads=loads)


if __name__ == "__main__":
    main()
