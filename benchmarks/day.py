"""One day of events in Parquet: what a snapshot's reading costs beside the bare scan of the same columns.

Run ``make bench`` or ``python benchmarks/day.py [EVENTS]``. Prints medians of seven warm rounds, interleaved, as
milliseconds and as ratios of the floor within this one run; other processes on the machine shift all alike.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import duckdb

from telemetry_quality.core.days import day_window
from telemetry_quality.core.events import EventSchema
from telemetry_quality.sources.duckdb import ParquetSource

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 7
DAY = date(2026, 3, 10)
SCHEMA = EventSchema("event_id", "occurred_at", "event_name", "app_version", "severity >= 17")
EXPLAINED = replace(SCHEMA, observed_at="received_at", dimensions=("platform", "country"))


def write_day(folder: Path, events: int) -> Path:
    """A synthetic day: 50 names, 30 versions (0.5 % null), 2 % errors, random ids, row groups of 122,880.

    Of 5 platforms and 50 countries, each event received within an hour.
    """
    file = folder / f"day={DAY}" / "events.parquet"
    file.parent.mkdir()
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SELECT setseed(0.5)")
        connection.execute(
            """
            CREATE TABLE events AS
            SELECT uuid()::VARCHAR AS event_id,
                   TIMESTAMPTZ '2026-03-10 00:00:00+00' + to_microseconds((86400e6 * n / ?)::BIGINT) AS occurred_at,
                   'signal.' || (random() * 49)::INT AS event_name,
                   CASE WHEN random() < 0.005 THEN NULL ELSE '1.' || (random() * 29)::INT END AS app_version,
                   CASE WHEN random() < 0.02 THEN 17 ELSE 9 END AS severity,
                   'platform.' || (random() * 4)::INT AS platform,
                   'country.' || (random() * 49)::INT AS country,
                   occurred_at + to_microseconds((3600e6 * random())::BIGINT) AS received_at,
                   md5(n::VARCHAR)[:16] AS device_id,
                   repeat('x', 60) || n AS payload
            FROM range(?) AS series(n)
            """,
            [events, events],
        )
        connection.table("events").to_parquet(str(file), compression="zstd", row_group_size=122_880)
    return file


def main() -> None:
    events = int(sys.argv[1].replace("_", "")) if len(sys.argv) > 1 else 1_000_000
    with TemporaryDirectory() as folder:
        file = write_day(Path(folder), events)
        source = ParquetSource(folder, SCHEMA, ZoneInfo("UTC"))
        explained = ParquetSource(folder, EXPLAINED, ZoneInfo("UTC"))
        window = day_window(DAY, ZoneInfo("UTC"))

        def floor() -> None:
            with duckdb.connect() as connection:
                connection.execute(
                    "SELECT count(event_id), count(occurred_at), count(event_name), count(app_version), count(severity)"
                    " FROM read_parquet(?)",
                    [str(file)],
                ).fetchall()

        def count() -> None:
            assert source.count_days([window])[DAY] == events

        def snapshot() -> None:
            (reading,) = source.read_days([window], 100)
            assert len(getattr(reading, "sample", ())) == 100

        def snapshot_with_parts() -> None:
            (reading,) = explained.read_days([window], 100)
            assert getattr(reading, "arrivals", None) is not None

        work: dict[str, Callable[[], None]] = {
            "floor: decode the five columns, keep nothing": floor,
            "count of the day (late-day schedule)": count,
            "aggregates, sample of 100, repetitions": snapshot,
            "the same with 2 dimensions and arrivals": snapshot_with_parts,
        }
        seconds: dict[str, list[float]] = {name: [] for name in work}
        for _ in range(ROUNDS + 1):
            for name, run in work.items():
                start = perf_counter()
                run()
                seconds[name].append(perf_counter() - start)
        base = median(seconds["floor: decode the five columns, keep nothing"][1:])
        print(f"One day of {events:,} events in Parquet ({file.stat().st_size / 2**20:.0f} MiB), warm:")
        for name, taken in seconds.items():
            print(f"  {name:46}{1000 * median(taken[1:]):8.0f} ms {median(taken[1:]) / base:6.1f} x")


if __name__ == "__main__":
    main()
