"""One day of events in Parquet: what reading and judging it costs compared with a bare scan of the same columns.

Run ``make bench`` or ``python benchmarks/day.py [EVENTS …]``; by default 1 and 10 million, 100 million on request.
Prints medians of warm rounds, interleaved, and of whole fresh processes with their peak memory, as seconds, as
processor seconds of all threads and as ratios to the floor within this run. On a busy machine, other work increases
seconds; the ratios of processor seconds hardly change.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import duckdb
from synthetic import DAY, write_day

from telemetry_quality.core.days import day_window
from telemetry_quality.core.event_schema import EventSchema
from telemetry_quality.sources.aggregates import aggregate_query
from telemetry_quality.sources.duckdb import ParquetSource
from telemetry_quality.sources.query import DayRange
from telemetry_quality.sources.scanning import _threshold, read_sample
from telemetry_quality.storage.migrations import migrate

if TYPE_CHECKING:
    from collections.abc import Callable

LAUNCH = Path(__file__).with_name("launch.py")
ROUNDS, PROCESSES = 5, 3
WINDOW = day_window(DAY, ZoneInfo("UTC"))
SCHEMA = EventSchema("event_id", "occurred_at", "event_name", "app_version", "severity >= 17")
EXPLAINED = replace(SCHEMA, observed_at="received_at", dimensions=("platform", "country"))
FLOOR = "floor: decode the five columns, keep nothing"
# Counts of values alone would be read from the footers.
FLOOR_SQL = "SELECT last(event_id), last(occurred_at), last(event_name), last(app_version), last(severity) FROM '{}'"
FOUR_COUNTS = "plain DuckDB, four counts"
FOUR_COUNTS_SQL = """
SELECT count(*), count(*) FILTER (severity >= 17), count(*) FILTER (app_version IS NULL OR trim(app_version) = ''
       OR lower(app_version) IN ('unknown', '(not set)') OR lower(app_version) LIKE 'unknown_service%'),
       count(*) FILTER (device_id IS NULL OR trim(device_id) = '') FROM '{}'
"""
SETTINGS = """
store = "sqlite:///quality.db"

[sources.web]
connector = "parquet"
path = "{path}"
time_zone = "UTC"
first_day = {day}

[sources.web.roles]
event_id = "event_id"
occurred_at = "occurred_at"
event_name = "event_name"
service_version = "app_version"
is_error = "severity >= 17"
"""


class Cost(NamedTuple):
    """What one run took; the peak is measured in a fresh process."""

    seconds: float
    processor_seconds: float
    peak_mebibytes: float = 0.0


def main() -> None:
    for events in [int(text.replace("_", "")) for text in sys.argv[1:]] or [1_000_000, 10_000_000]:
        with TemporaryDirectory() as folder:
            file = write_day(Path(folder) / "events", events)
            print(f"One day of {events:,} events in Parquet ({file.stat().st_size / 2**20:.0f} MiB), warm:")
            _print(_measured(_warm(file, events), ROUNDS))
            print("The same, whole fresh processes:")
            _print(_measured(_fresh(file, Path(folder)), PROCESSES))


def _warm(file: Path, events: int) -> dict[str, Callable[[], Cost]]:
    source = ParquetSource(str(file), SCHEMA, ZoneInfo("UTC"))
    explained = ParquetSource(str(file), EXPLAINED, ZoneInfo("UTC"))
    critical = ParquetSource(str(file), replace(SCHEMA, critical_fields=("device_id",)), ZoneInfo("UTC"))
    day_range = DayRange((WINDOW,))

    def floor() -> None:
        with duckdb.connect() as connection:
            connection.execute(FLOOR_SQL.format(file)).fetchall()

    def four_counts() -> None:
        with duckdb.connect() as connection:
            ((found, *_),) = connection.execute(FOUR_COUNTS_SQL.format(file)).fetchall()
            assert found == events

    def counts_alone() -> None:
        assert critical.count_day(WINDOW).events == events

    def count() -> None:
        assert source.count_days([WINDOW])[DAY] == events

    def aggregates_and_sample() -> None:
        with source._client() as client:  # noqa: SLF001 - half of what reading a day does
            table = source._tables(client).of(day_range)  # noqa: SLF001
            assert table is not None
            client.execute(aggregate_query(table, day_range))
            assert len(read_sample(client.execute, table, day_range, {0: events}, 100)[0]) == 100

    def aggregates_and_sampled_ids() -> None:
        with source._client() as client:  # noqa: SLF001
            table = source._tables(client).of(day_range)  # noqa: SLF001
            assert table is not None
            client.execute(aggregate_query(table, day_range))
            event_id = table.text("event_id")
            is_drawn = table.drawn_hash(event_id) <= _threshold(events, 100)
            assert len(client.execute(table.events_where(is_drawn, id=event_id))) >= 100

    def scan() -> None:
        (day,) = source.scan_days([WINDOW], 100)
        assert len(getattr(day, "sample", ())) == 100

    def scan_with_slices() -> None:
        (day,) = explained.scan_days([WINDOW], 100)
        assert getattr(day, "arrivals", None) is not None

    work = {
        FLOOR: floor,
        FOUR_COUNTS: four_counts,
        "the same as telemetry-quality count says them": counts_alone,
        "count of the day (late-day schedule)": count,
        "aggregates and the sampled ids alone": aggregates_and_sampled_ids,
        "aggregates and sample of 100 with its fields": aggregates_and_sample,
        "the whole scan: duplicates and slices too": scan,
        "the same with 2 dimensions and arrivals": scan_with_slices,
    }
    return {name: _here(run_it) for name, run_it in work.items()}


def _here(work: Callable[[], None]) -> Callable[[], Cost]:
    def run() -> Cost:
        start, processor = perf_counter(), process_time()
        work()
        return Cost(perf_counter() - start, process_time() - processor)

    return run


def _fresh(file: Path, folder: Path) -> dict[str, Callable[[], Cost]]:
    settings = folder / "telemetry.toml"
    settings.write_text(SETTINGS.format(path=file, day=DAY))
    floor = f"import duckdb; duckdb.execute({FLOOR_SQL.format(file)!r}).fetchall()"

    def snapshot() -> Cost:
        (folder / "quality.db").unlink(missing_ok=True)
        migrate(f"sqlite:///{folder / 'quality.db'}")
        command = ["-m", "telemetry_quality", "snapshot", str(DAY), "--config", str(settings)]
        return _process([sys.executable, *command], folder)

    return {
        FLOOR: lambda: _process([sys.executable, "-c", floor], folder),
        "telemetry-quality snapshot DAY": snapshot,
    }


def _process(command: list[str], folder: Path) -> Cost:
    report = folder / "report.json"
    launched = [sys.executable, "-S", "-E", str(LAUNCH), str(report), *command]
    done = subprocess.run(launched, cwd=folder, stdout=subprocess.DEVNULL, check=False)  # noqa: S603 - our own command
    # Exit code 1: a first day has nothing to be compared with, which is not a failure of the command.
    assert done.returncode in {0, 1}, done.returncode
    took = json.loads(report.read_text(encoding="utf-8"))
    return Cost(took["seconds"], took["cpu_seconds"], took["peak_mib"])


def _measured(work: dict[str, Callable[[], Cost]], rounds: int) -> dict[str, Cost]:
    """Medians without the first round, which only warms up."""
    costs = [{name: run() for name, run in work.items()} for _ in range(rounds + 1)][1:]
    return {
        name: Cost(*(median(values) for values in zip(*(cost[name] for cost in costs), strict=True))) for name in work
    }


def _print(costs: dict[str, Cost]) -> None:
    floor = costs[FLOOR]
    for name, cost in costs.items():
        ratios = (cost.seconds / floor.seconds, cost.processor_seconds / floor.processor_seconds)
        memory = f"{cost.peak_mebibytes:8.0f} MiB" if cost.peak_mebibytes else ""
        print(
            f"  {name:46}{cost.seconds:8.3f} s {ratios[0]:6.1f} x"
            f"{cost.processor_seconds:8.3f} processor s {ratios[1]:6.1f} x{memory}"
        )


if __name__ == "__main__":
    main()
