"""A synthetic day of events in Parquet, the same for every benchmark of this project and its peers.

The values depend only on the number of the event, so every run and every tool sees the same day.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from pathlib import Path

DAY = date(2026, 3, 10)


def write_day(folder: Path, events: int, day: date = DAY) -> Path:
    """Write ``folder/day=DAY/events.parquet`` (zstd, row groups of 122,880 rows) and return it.

    Columns: ``event_id`` (a uuid as text), ``occurred_at`` and ``received_at`` (within an hour after; instants in
    UTC), ``event_name`` (50 values), ``app_version`` (30 values, 0.5 % null), ``device_id`` (16 hex digits, each of
    some 20 events), ``severity`` (2 % are 17, errors; the others 9), ``platform`` (5 values), ``country`` (50
    values), ``payload`` (some 80 bytes of JSON). Nothing is kept in memory beyond a few row groups.
    """
    file = folder / f"day={day}" / "events.parquet"
    file.parent.mkdir(parents=True)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        # Each thread writes the row groups of its own share, in the order of time.
        connection.execute("SET preserve_insertion_order = false")
        connection.execute(
            """
            COPY (
                SELECT (hash(16 * n + 11)::UHUGEINT << 64 | hash(16 * n + 12))::UUID::VARCHAR AS event_id,
                       $day::TIMESTAMPTZ + to_microseconds((n * 86400e6 / $events)::BIGINT) AS occurred_at,
                       occurred_at + to_microseconds((hash(16 * n + 1) % 3600000000)::BIGINT) AS received_at,
                       'signal.' || hash(16 * n + 2) % 50 AS event_name,
                       CASE WHEN hash(16 * n + 3) % 200 > 0 THEN '1.' || hash(16 * n + 4) % 30 END AS app_version,
                       to_hex(hash(hash(16 * n + 5) % greatest($events // 20, 1))) AS device_id,
                       CASE WHEN hash(16 * n + 6) % 50 = 0 THEN 17 ELSE 9 END AS severity,
                       'platform.' || hash(16 * n + 7) % 5 AS platform,
                       'country.' || hash(16 * n + 8) % 50 AS country,
                       '{"screen": "view-' || n % 97 || '", "duration_ms": ' || hash(16 * n + 9) % 10000
                           || ', "session": ' || hash(16 * n + 10) || '}' AS payload
                FROM range($events) AS series(n)
            ) TO $file (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 122880)
            """,
            {"day": f"{day} 00:00:00+00", "events": events, "file": str(file)},
        )
    return file
