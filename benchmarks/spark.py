"""What a day costs on Spark as its events grow, compared with DuckDB on the same Parquet file.

Run ``make bench`` or ``python benchmarks/spark.py [URL] [EVENTS …]``; without a URL, Spark runs in this process on two
cores. Prints medians of three warm rounds, interleaved, as seconds and as ratios within this run.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from zoneinfo import ZoneInfo

from day import SCHEMA
from synthetic import DAY, write_day

from telemetry_quality.core.days import day_window
from telemetry_quality.sources.duckdb import ParquetSource
from telemetry_quality.sources.spark import SparkSource

ROUNDS = 3


def main() -> None:
    words = sys.argv[1:]
    url = words.pop(0) if words and not words[0][0].isdigit() else "local[2]"
    print(f"A day's aggregates, sample of 100 and duplicates, Spark at {url} beside DuckDB in this process, warm:")
    for events in [int(word.replace("_", "")) for word in words] or [100_000, 1_000_000, 10_000_000]:
        with TemporaryDirectory() as folder:
            write_day(Path(folder), events)
            window = day_window(DAY, ZoneInfo("UTC"))
            sources: dict[str, ParquetSource | SparkSource] = {
                "duckdb": ParquetSource(folder, SCHEMA, ZoneInfo("UTC"), time_limit_seconds=1800),
                "spark": SparkSource(url, folder, SCHEMA, reads_files=True, time_limit_seconds=1800),
            }
            seconds: dict[str, list[float]] = {name: [] for name in sources}
            for _ in range(ROUNDS + 1):
                for name, source in sources.items():
                    start = perf_counter()
                    (scan,) = source.scan_days([window], 100)
                    seconds[name].append(perf_counter() - start)
                    assert len(getattr(scan, "sample", ())) == 100, scan
            duck, spark = (median(taken[1:]) for taken in seconds.values())
            print(
                f"  {events:12,} events: DuckDB {duck:6.2f} s, Spark {spark:6.2f} s, {spark / duck:5.1f} x", flush=True
            )


if __name__ == "__main__":
    main()
