"""One day of events in PostgreSQL: what its aggregates cost compared with the same GROUP BY typed into psql.

Run ``make bench`` or ``python benchmarks/postgresql.py [EVENTS]``; starts its own server. Prints medians of
seven warm rounds, interleaved, and their ratios within this run; other processes on the machine affect all alike.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from telemetry_quality.core.days import day_window
from telemetry_quality.core.event_schema import EventSchema
from telemetry_quality.sources.aggregates import aggregate_query
from telemetry_quality.sources.postgresql import PostgresSource
from telemetry_quality.sources.query import day_ranges_of
from telemetry_quality_tests.servers import PostgreSQL, running_postgresql

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 7
DAY = date(2026, 3, 10)
SCHEMA = EventSchema(
    "event_id", "occurred_at", "event_name", "app_version", "severity >= 17", critical_fields=("device_id",)
)

TYPED = """
SELECT date_trunc('hour', occurred_at), event_name, app_version, count(*), count(*) FILTER (WHERE severity >= 17),
       count(*) FILTER (WHERE severity IS NULL), count(*) FILTER (WHERE device_id IS NULL OR trim(device_id) = '')
FROM events WHERE occurred_at >= '2026-03-10 00:00:00+00' AND occurred_at < '2026-03-11 00:00:00+00' GROUP BY 1, 2, 3
"""


def write_day(server: PostgreSQL, events: int) -> None:
    """A synthetic day: 50 names, 30 versions (0.5 % null), 2 % errors, random ids; BRIN on the time."""
    with server.connect() as connection:
        connection.execute("SELECT setseed(0.5)")
        connection.execute(
            """
            CREATE TABLE events AS
            SELECT gen_random_uuid()::text AS event_id,
                   TIMESTAMPTZ '2026-03-10 00:00:00+00' + (86400e6 * n / %(events)s)::bigint * INTERVAL '1 microsecond'
                       AS occurred_at,
                   'signal.' || (random() * 49)::int AS event_name,
                   CASE WHEN random() < 0.005 THEN NULL ELSE '1.' || (random() * 29)::int END AS app_version,
                   CASE WHEN random() < 0.02 THEN 17 ELSE 9 END AS severity,
                   left(md5(n::text), 16) AS device_id,
                   repeat('x', 60) || n AS payload
            FROM generate_series(0, %(events)s - 1) AS series(n)
            """,
            {"events": events},
        )
        connection.execute("CREATE INDEX ON events USING brin (occurred_at)")
        connection.execute("VACUUM ANALYZE events")


def main() -> None:
    events = int(sys.argv[1].replace("_", "")) if len(sys.argv) > 1 else 1_000_000
    with running_postgresql() as server:
        write_day(server, events)
        source = PostgresSource(server.url(), "events", SCHEMA)
        window = day_window(DAY, ZoneInfo("UTC"))
        (day_range,) = day_ranges_of([window])

        def typed() -> None:
            one_core = "SET max_parallel_workers_per_gather = 0"
            done = subprocess.run(  # noqa: S603 - psql, of the server just started
                [server.programs / "psql", server.url(), "-XqAt", "-c", one_core, "-c", TYPED],
                capture_output=True,
                check=True,
            )
            assert done.stdout.count(b"\n") > 24

        def aggregates() -> None:
            with source._client() as client:  # noqa: SLF001 - the aggregate query alone, as scan_days asks it
                table = client.event_table("events", SCHEMA, "")
                assert sum(row[3] for row in client.execute(aggregate_query(table, day_range))) == events

        def snapshot() -> None:
            (scan,) = source.scan_days([window], 100)
            assert len(getattr(scan, "sample", ())) == 100

        work: dict[str, Callable[[], None]] = {
            "the same GROUP BY typed into psql": typed,
            "aggregates, connecting and fetching included": aggregates,
            "aggregates, sample of 100, duplicates": snapshot,
        }
        seconds: dict[str, list[float]] = {name: [] for name in work}
        for _ in range(ROUNDS + 1):
            for name, do in work.items():
                start = perf_counter()
                do()
                seconds[name].append(perf_counter() - start)
        base = median(seconds["the same GROUP BY typed into psql"][1:])
        print(f"One day of {events:,} events in PostgreSQL, warm:")
        for name, taken in seconds.items():
            print(f"  {name:46}{1000 * median(taken[1:]):8.0f} ms {median(taken[1:]) / base:6.1f} x")


if __name__ == "__main__":
    main()
