"""What a day costs on Spark as its events grow, compared with DuckDB on the same Parquet file.

Run ``make bench`` or ``python benchmarks/spark.py [URL] [EVENTS …]``; without a URL, Spark runs in this process on two
cores. Prints medians of three warm rounds, interleaved, as seconds and as ratios within this run: first without
dimensions and arrivals, then with two dimensions and arrivals.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from day import EXPLAINED, SCHEMA
from synthetic import DAY, write_day

from telemetry_quality.core.days import day_window
from telemetry_quality.sources.duckdb import ParquetSource
from telemetry_quality.sources.spark import SparkSource

if TYPE_CHECKING:
    from telemetry_quality.core.event_schema import EventSchema

ROUNDS = 3


def main() -> None:
    words = sys.argv[1:]
    url = words.pop(0) if words and not words[0][0].isdigit() else "local[2]"
    print(f"A day's aggregates, sample of 100 and duplicates, Spark at {url} beside DuckDB in this process, warm:")
    for events in [int(word.replace("_", "")) for word in words] or [100_000, 1_000_000, 10_000_000]:
        with TemporaryDirectory() as folder:
            write_day(Path(folder), events)
            for what, schema in (("plain", SCHEMA), ("with two dimensions and arrivals", EXPLAINED)):
                duck, spark = _seconds(url, folder, schema)
                took = f"DuckDB {duck:6.2f} s, Spark {spark:6.2f} s, {spark / duck:5.1f} x"
                print(f"  {events:12,} events, {what}: {took}", flush=True)


def _seconds(url: str, folder: str, schema: EventSchema) -> list[float]:
    """The median seconds of DuckDB and of Spark."""
    window = day_window(DAY, ZoneInfo("UTC"))
    sources: tuple[ParquetSource | SparkSource, ...] = (
        ParquetSource(folder, schema, ZoneInfo("UTC"), time_limit_seconds=1800),
        SparkSource(url, folder, schema, reads_files=True, time_limit_seconds=1800),
    )
    seconds: list[list[float]] = [[] for _ in sources]
    for _ in range(ROUNDS + 1):
        for source, taken in zip(sources, seconds, strict=True):
            start = perf_counter()
            (scan,) = source.scan_days([window], 100)
            taken.append(perf_counter() - start)
            assert len(getattr(scan, "sample", ())) == 100, scan
    return [median(taken[1:]) for taken in seconds]


if __name__ == "__main__":
    main()
