"""One day of events in SQLite: what a scan costs compared with SQLite's own GROUP BY of the same day.

Run ``make bench`` or ``python benchmarks/sqlite.py [EVENTS] [ROUNDS]``. Prints medians of interleaved rounds, and the
ratios within this run: a scan needs a second core to copy one batch while it reads the next.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import duckdb
from results import Table, keep
from synthetic import DAY, write_day

from telemetry_quality.core.days import day_window
from telemetry_quality.core.event_schema import EventSchema
from telemetry_quality.core.events import DayScan
from telemetry_quality.sources.sqlite import SqliteSource

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW = day_window(DAY, ZoneInfo("UTC"))
SCHEMA = EventSchema("event_id", "occurred_at", "event_name", "app_version", "severity >= 17")
EXPLAINED = replace(SCHEMA, observed_at="received_at", dimensions=("platform", "country"))
GROUP_BY = """
SELECT event_name, app_version, substr(occurred_at, 1, 13), count(*), sum(severity >= 17) FROM events
WHERE occurred_at >= '2026-03-10' AND occurred_at < '2026-03-11' GROUP BY 1, 2, 3
"""


def main() -> None:
    events, rounds = [*map(int, sys.argv[1:]), *(1_000_000, 5)[len(sys.argv) - 1 :]]
    with TemporaryDirectory() as folder:
        file = write_table(Path(folder), events)
        ways: dict[str, Callable[[], object]] = {
            "sqlite3: GROUP BY name, version and hour": lambda: group_by(file),
            "a scan without pauses": lambda: scan(file, SCHEMA, 0),
            "a scan": lambda: scan(file, SCHEMA),
            "a scan with two dimensions and arrivals": lambda: scan(file, EXPLAINED),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                begun = perf_counter()
                way()
                seconds[name].append(perf_counter() - begun)
    floor, *_ = medians = [median(found) for found in seconds.values()]
    rows = [(name, found, found / floor) for name, found in zip(ways, medians, strict=True)]
    for subject, found, ratio in rows:
        print(f"{subject:45} {found:6.2f} s  {ratio:5.2f} ×")
    keep(Table("sqlite", f"A day of {events:,} events in SQLite.", ("what", "seconds", "ratio"), rows, ("seconds",)))


def write_table(folder: Path, events: int) -> Path:
    """The synthetic day in a table with times as text, without an index."""
    parquet, file = write_day(folder / "parquet", events), folder / "events.db"
    with closing(sqlite3.connect(file)) as connection, duckdb.connect() as source:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(
            "CREATE TABLE events (event_id TEXT, occurred_at TEXT, received_at TEXT, event_name TEXT, app_version TEXT,"
            " device_id TEXT, severity INTEGER, platform TEXT, country TEXT, payload TEXT)"
        )
        source.execute("SET TimeZone = 'UTC'")
        times = "strftime(occurred_at, '%Y-%m-%d %H:%M:%S.%f'), strftime(received_at, '%Y-%m-%d %H:%M:%S.%f')"
        rows = source.execute(
            f"SELECT event_id, {times}, event_name, app_version, device_id, severity, platform, country, payload"  # noqa: S608
            f" FROM '{parquet}'"
        )
        while some := rows.fetchmany(50_000):
            connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", some)
        connection.commit()
    return file


def group_by(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(GROUP_BY).fetchall()


def scan(file: Path, schema: EventSchema, pause_seconds: float = 0.03) -> None:
    (answer,) = SqliteSource(f"sqlite:///{file}", "events", schema, pause_seconds=pause_seconds).scan_days(
        [WINDOW], 100
    )
    assert isinstance(answer, DayScan), answer


if __name__ == "__main__":
    main()
