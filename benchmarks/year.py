"""A year of 100,000 events a day in one Dagster run, without Dagster, and in plain DuckDB; and RAM by days.

Run ``make bench`` or ``python benchmarks/year.py``; ``--days`` and ``--events`` make it smaller, ``--flights`` takes
the demo's year of flights (extra ``demo``) instead. Everything is in a temporary folder that is removed. Each
measurement runs in its own process, so that its peak RAM is its own too.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import TYPE_CHECKING

import duckdb

from telemetry_quality import demo, load_settings
from telemetry_quality.assembly import daily_work, utc_now
from telemetry_quality.core.days import days_between
from telemetry_quality.storage.migrations import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from telemetry_quality.settings import Settings

LAUNCH = Path(__file__).with_name("launch.py")
FIRST_DAY = date(2025, 1, 1)
MEMORY_DAYS = (30, 90, 365)

# The demo's name for its source, because the demo's backfill in one Dagster run is measured.
SETTINGS = """
store = "sqlite:///quality.db"

[sources.flights]
connector = "parquet"
path = "events"
first_day = {first}
last_day = {last}

[sources.flights.roles]
event_id = "event_id"
occurred_at = "occurred_at"
observed_at = "received_at"
event_name = "event_name"
service_version = "app_version"
is_error = "severity >= 17"
critical_fields = ["device_id"]
"""

ONE_SCAN = """
SELECT day, hour(occurred_at), event_name, app_version, count(*), count(*) FILTER (severity >= 17),
       count(*) FILTER (device_id IS NULL)
FROM read_parquet($files, hive_partitioning = true) GROUP BY ALL
"""


def write_year(folder: Path, days: int, events: int) -> None:
    """Write ``folder/day=…/…``: 50 names and 30 versions, mostly a few of them; 0.5 % without version, 2 % errors."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET preserve_insertion_order = false")
        for number in range(days):
            day = FIRST_DAY + timedelta(days=number)
            file = folder / f"day={day}" / "events.parquet"
            file.parent.mkdir(parents=True)
            connection.execute(
                """
                COPY (
                    SELECT (hash(16 * n + 11)::UHUGEINT << 64 | hash(16 * n + 12))::UUID::VARCHAR AS event_id,
                           $day::TIMESTAMPTZ + to_microseconds(((n - $first) * 86400e6 / $events)::BIGINT)
                               AS occurred_at,
                           occurred_at + to_microseconds((hash(16 * n + 1) % 3600000000)::BIGINT) AS received_at,
                           'signal.' || floor(50 * (hash(16 * n + 2) % 1000000 / 1e6) ^ $skew)::INT AS event_name,
                           CASE WHEN hash(16 * n + 3) % 200 > 0
                                THEN '1.' || floor(30 * (hash(16 * n + 4) % 1000000 / 1e6) ^ $skew)::INT
                           END AS app_version,
                           to_hex(hash(hash(16 * n + 5) % 5000)) AS device_id,
                           CASE WHEN hash(16 * n + 6) % 50 = 0 THEN 17 ELSE 9 END AS severity,
                           '{"screen": "view-' || n % 97 || '", "session": ' || hash(16 * n + 10) || '}' AS payload
                    FROM range($first, $first + $events) AS series(n)
                ) TO $file (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 122880)
                """,
                {
                    "day": f"{day} 00:00:00+00",
                    "first": number * events,
                    "events": events,
                    "skew": SKEW,
                    "file": str(file),
                },
            )


SKEW = 4
"""1 would make all names and versions equally frequent; 4 gives the most frequent fifth two thirds of the events."""


def with_dagster(settings: Settings, days: Sequence[date]) -> None:
    demo.backfill(settings, days, lambda _: None)


def without_dagster(settings: Settings, days: Sequence[date]) -> None:
    work, now = daily_work(settings, demo.SOURCE), utc_now()
    for _ in work.read(days, now):
        pass
    for _ in work.judge(days, now):
        pass


def one_scan(settings: Settings, days: Sequence[date]) -> None:
    """The counts alone, without storing them."""
    _scan([f"{settings.sources[demo.SOURCE].location}/day={day}/*.parquet" for day in days])


def scan_per_day(settings: Settings, days: Sequence[date]) -> None:
    """The same, day by day."""
    for day in days:
        _scan([f"{settings.sources[demo.SOURCE].location}/day={day}/*.parquet"])


def _scan(files: Sequence[str]) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        result = connection.execute(ONE_SCAN, {"files": files})
        while result.fetchmany(10_000):
            pass


WAYS: dict[str, Callable[[Settings, Sequence[date]], None]] = {
    "plain DuckDB, one grouped scan, counts only": one_scan,
    "plain DuckDB, a scan per day, counts only": scan_per_day,
    "read, judged and kept, without Dagster": without_dagster,
    "in one Dagster run, with all checks": with_dagster,
}


def measure(file: Path, way: str, days: int) -> None:
    """Run once in its own process, and print seconds and CPU seconds."""
    settings = load_settings(file)
    migrate(settings.store)
    calendar = settings.sources[demo.SOURCE].calendar()
    wanted = list(days_between(calendar.first_day, calendar.latest_day(utc_now())))[:days]
    start, cpu = perf_counter(), process_time()
    WAYS[way](settings, wanted)
    sys.stdout.write(f"{perf_counter() - start} {process_time() - cpu}\n")


def _measured(template: Path, way: str, days: int) -> tuple[float, float, float]:
    """One variant in a fresh process, with its own store and Dagster home: seconds, CPU seconds and peak RAM in MiB."""
    with TemporaryDirectory(dir=template.parent) as folder:
        file = Path(folder) / "telemetry.toml"
        shutil.copyfile(template, file)
        (Path(folder) / "events").symlink_to(template.parent / "events")
        (Path(folder) / "flights").symlink_to(template.parent / "flights")
        home = Path(folder) / ".dagster"
        home.mkdir()
        shutil.copyfile(demo.STARTER / "dagster.yaml", home / "dagster.yaml")
        report = Path(folder) / "report.json"
        launched = [sys.executable, "-S", "-E", str(LAUNCH), str(report)]
        done = subprocess.run(  # noqa: S603 - this file
            [*launched, sys.executable, __file__, "--measure", str(file), way, str(days)],
            env={**os.environ, "DAGSTER_HOME": str(home), "TELEMETRY_QUALITY_CONFIG": str(file)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        peak = json.loads(report.read_text(encoding="utf-8"))["peak_mib"]
    seconds, cpu = map(float, done.stdout.split())
    return seconds, cpu, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--events", type=int, default=100_000, help="events a day")
    parser.add_argument("--flights", action="store_true", help="the demo's flights instead")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(Path(given.measure[0]), given.measure[1], int(given.measure[2]))
        return
    with TemporaryDirectory() as folder:
        template = Path(folder) / "telemetry.toml"
        if given.flights:
            demo.prepare(template)
            print(f"{given.days} days of flights:")
        else:
            last = FIRST_DAY + timedelta(days=given.days - 1)
            template.write_text(SETTINGS.format(first=FIRST_DAY, last=last), encoding="utf-8")
            write_year(template.parent / "events", given.days, given.events)
            print(f"{given.days} days of {given.events:,} events:")
        floor = None
        for way in WAYS:
            if given.flights and way.startswith("plain"):
                continue  # other columns
            seconds, cpu, peak = _measured(template, way, given.days)
            floor = floor or seconds
            print(f"  {way:45} {seconds:7.1f} s {seconds / floor:6.1f} x {cpu:7.1f} s CPU {peak:6.0f} MiB")
        print("Peak of memory in one Dagster run:")
        for days in sorted({min(days, given.days) for days in MEMORY_DAYS}):
            *_, peak = _measured(template, "in one Dagster run, with all checks", days)
            print(f"  {days:4} days {peak:6.0f} MiB")


if __name__ == "__main__":
    main()
