"""What a day's aggregates cost on ClickHouse, compared with the same GROUP BY typed by hand.

Run ``python benchmarks/clickhouse.py [EVENTS]``. The server is that of the tests: chdb, ClickHouse's engine as a
library, behind its HTTP interface, with two threads for each query. Prints medians of interleaved rounds: seconds until
the client has all rows, and processor seconds of the server.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from day import SCHEMA
from synthetic import DAY, write_day

from telemetry_quality.core.days import day_window
from telemetry_quality.sources.aggregates import aggregate_query
from telemetry_quality.sources.clickhouse import ClickHouseSource
from telemetry_quality.sources.query import day_ranges_of
from telemetry_quality_tests.servers import running_clickhouse

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 9
TABLE = """
CREATE TABLE events ENGINE = MergeTree PARTITION BY toDate(occurred_at) ORDER BY occurred_at AS
SELECT event_id, occurred_at, received_at, toLowCardinality(event_name) AS event_name, app_version, device_id,
       toUInt8(severity) AS severity
FROM file('{}', Parquet, 'event_id String, occurred_at DateTime64(6, ''UTC''), received_at DateTime64(6, ''UTC''),
          event_name String, app_version Nullable(String), device_id String, severity Int32')
"""
BY_HAND = """
SELECT toHour(occurred_at) AS hour, event_name, app_version, count() AS events, countIf(severity >= 17) AS errors,
       countIf(severity IS NULL) AS unknown, countIf(received_at - occurred_at > 3600) AS late,
       countIf(device_id IS NULL OR trim(device_id) = '') AS missing,
       countIf(event_id IS NULL OR device_id IS NULL OR trim(device_id) = '') AS incomplete
FROM events WHERE occurred_at >= '2026-03-10 00:00:00' AND occurred_at < '2026-03-11 00:00:00'
GROUP BY hour, event_name, app_version
"""


def main() -> None:
    events = int(sys.argv[1].replace("_", "")) if sys.argv[1:] else 5_000_000
    schema = replace(SCHEMA, critical_fields=("device_id",), observed_at="received_at")
    (day_range,) = day_ranges_of([day_window(DAY, ZoneInfo("UTC"))])
    with TemporaryDirectory() as folder, running_clickhouse() as server:
        server.run(TABLE.format(write_day(Path(folder), events)))
        with ClickHouseSource(server.url(), "events", schema)._client() as client:  # noqa: SLF001 - the same session
            query = aggregate_query(client.event_table("events", schema, ""), day_range)
            taken = _taken(
                {
                    "by hand": lambda: client._driver.query(BY_HAND).result_rows,  # noqa: SLF001
                    "aggregates": lambda: client.execute(query),
                },
                server.processor_seconds,
            )
    print(f"A day of {events:,} events on ClickHouse (chdb), medians of {ROUNDS} rounds:")
    for name, rounds in taken.items():
        seconds, processor = (median(numbers) for numbers in zip(*rounds, strict=True))
        print(f"  {name:12} {seconds:6.2f} s, {processor:6.2f} s of the server's processors")
    ratios = [
        median(ours[place] / hand[place] for ours, hand in zip(taken["aggregates"], taken["by hand"], strict=True))
        for place in (0, 1)
    ]
    print(f"  ratio        {ratios[0]:6.2f} x, {ratios[1]:6.2f} x")


def _taken(
    works: dict[str, Callable[[], Any]], processor_seconds: Callable[[], float]
) -> dict[str, list[tuple[float, float]]]:
    """Seconds and the server's processor seconds of each round of each work, after one to warm up."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(ROUNDS + 1):
        for name, work in works.items():
            start, processor = perf_counter(), processor_seconds()
            assert work()
            taken[name].append((perf_counter() - start, processor_seconds() - processor))
    return {name: rounds[1:] for name, rounds in taken.items()}


if __name__ == "__main__":
    main()
