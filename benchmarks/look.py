"""What a look at some hours costs, compared with the scan of their day.

Run ``python benchmarks/look.py [EVENTS]``. A look at one hour and at two in the middle of a day, and the whole day with
a sample of 100, of the same source object in one process: of sorted Parquet (a file of the day among 30 days), of
PostgreSQL with BRIN, of ClickHouse and of SQLite with an index. Each round opens its own connection, as a look does;
prints medians of interleaved rounds and their ratios.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb
from day import SCHEMA
from results import Table, keep
from synthetic import DAY, write_day

from telemetry_quality.core.days import DayWindow, day_window
from telemetry_quality.core.events import DayAggregates
from telemetry_quality.sources.clickhouse import ClickHouseSource
from telemetry_quality.sources.duckdb import ParquetSource
from telemetry_quality.sources.postgresql import PostgresSource
from telemetry_quality.sources.sqlite import SqliteSource
from telemetry_quality_tests.servers import running_clickhouse, running_postgresql

if TYPE_CHECKING:
    from collections.abc import Callable


ROUNDS = 5
OTHER_DAYS = 29
ZONE = ZoneInfo("UTC")
HOUR = timedelta(hours=1)
WINDOW = day_window(DAY, ZONE)
COLUMNS = replace(SCHEMA, critical_fields=("device_id",), observed_at="received_at", dimensions=("platform", "country"))
"""As a source is usually described: with arrivals and two dimensions."""


KINDS = {
    **dict.fromkeys(("event_id", "event_name", "app_version", "device_id", "platform", "country", "payload"), "TEXT"),
    **dict.fromkeys(("occurred_at", "received_at"), "TIMESTAMPTZ"),
    "severity": "INTEGER",
}
TABLE = """
CREATE TABLE events ENGINE = MergeTree PARTITION BY toDate(occurred_at) ORDER BY occurred_at AS
SELECT event_id, occurred_at, received_at, toLowCardinality(event_name) AS event_name, app_version, device_id,
       toUInt8(severity) AS severity, toLowCardinality(platform) AS platform, toLowCardinality(country) AS country
FROM file('{}', Parquet, 'event_id String, occurred_at DateTime64(6, ''UTC''), received_at DateTime64(6, ''UTC''),
          event_name String, app_version Nullable(String), device_id String, severity Int32, platform String,
          country String')
"""


def hours(count: int) -> DayWindow:
    return DayWindow(DAY, WINDOW.start + 12 * HOUR, WINDOW.start + (12 + count) * HOUR)


def look(source: Any, count: int) -> None:
    found = source.scan_hours(hours(count))
    assert isinstance(found, DayAggregates), found
    assert len(found.by_hour()) == count


def scan(source: Any) -> None:
    (found,) = source.scan_days([WINDOW], 100)
    assert len(found.sample) == 100


def seconds_of(source: Any) -> list[float]:
    """The medians of a look at one hour, at two, and of the day."""
    works: list[Callable[[], None]] = [partial(look, source, 1), partial(look, source, 2), partial(scan, source)]
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS + 1):
        for work, found in zip(works, taken, strict=True):
            start = perf_counter()
            work()
            found.append(perf_counter() - start)
    return [median(found[1:]) for found in taken]


def parquet(folder: Path, events: int) -> list[float]:
    folder /= "parquet"
    write_day(folder, events)
    for number in range(1, OTHER_DAYS + 1):
        write_day(folder, 10_000, DAY - timedelta(days=number))
    return seconds_of(ParquetSource(str(folder), COLUMNS, ZONE))


def in_postgresql(folder: Path, events: int) -> list[float]:
    day = write_day(folder / "postgresql", events)
    with running_postgresql() as server:
        with duckdb.connect() as rows, server.connect() as connection:
            connection.execute(f"CREATE TABLE events ({', '.join(f'{name} {kind}' for name, kind in KINDS.items())})")
            rows.execute("SET TimeZone = 'UTC'")
            found = rows.execute(f"SELECT {', '.join(KINDS)} FROM '{day}' ORDER BY occurred_at")  # noqa: S608 - our file
            with connection.cursor() as cursor, cursor.copy("COPY events FROM STDIN") as copy:
                while batch := found.fetchmany(50_000):
                    for row in batch:
                        copy.write_row(row)
            connection.execute("CREATE INDEX ON events USING brin (occurred_at)")
            connection.execute("VACUUM ANALYZE events")
        return seconds_of(PostgresSource(server.url(), "events", COLUMNS))


def in_clickhouse(folder: Path, events: int) -> list[float]:
    with running_clickhouse() as server:
        server.run(TABLE.format(write_day(folder / "clickhouse", events)))
        return seconds_of(ClickHouseSource(server.url(), "events", COLUMNS))


def in_sqlite(folder: Path, events: int) -> list[float]:
    """Times are numbers; an index on them."""
    names = ", ".join(KINDS)
    read = names.replace("occurred_at", "epoch_us(occurred_at)").replace("received_at", "epoch_us(received_at)")
    with duckdb.connect() as rows, closing(sqlite3.connect(folder / "events.db")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"CREATE TABLE events ({names})")
        day = write_day(folder / "sqlite", events)
        found = rows.execute(f"SELECT {read} FROM '{day}' ORDER BY occurred_at")  # noqa: S608 - our file
        while batch := found.fetchmany(50_000):
            connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", batch)
        connection.execute("CREATE INDEX by_time ON events (occurred_at)")
        connection.commit()
    return seconds_of(SqliteSource(f"sqlite:///{folder / 'events.db'}", "events", replace(COLUMNS, time_unit="us")))


MEASURES: dict[str, Callable[[Path, int], list[float]]] = {
    "Parquet": parquet,
    "PostgreSQL with BRIN": in_postgresql,
    "ClickHouse": in_clickhouse,
    "SQLite with an index": in_sqlite,
}


def main() -> None:
    events = int(sys.argv[1].replace("_", "")) if len(sys.argv) > 1 else 1_000_000
    rows = []
    with TemporaryDirectory() as name:
        for where, measure in MEASURES.items():
            one, two, day = (1000 * seconds for seconds in measure(Path(name), events))
            rows.append((where, one, two, day, 100 * one / day, 100 * two / day))
            print(f"{where}: {one:,.0f} ms, {two:,.0f} ms, the day {day:,.0f} ms", flush=True)
    table = Table(
        "look",
        f"Looks at hours of a day of {events:,} events, compared with the scan of the day; medians of {ROUNDS} rounds",
        ("", "one hour ms", "two hours ms", "the day ms", "one hour %", "two hours %"),
        rows,
        ("one hour %", "two hours %"),
    )
    print(table.markdown())
    keep(table)


if __name__ == "__main__":
    main()
