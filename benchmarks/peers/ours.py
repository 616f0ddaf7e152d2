"""telemetry-quality in one process: what its commands ``snapshot`` and ``count`` do."""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from synthetic import DAY

from peers.protocol import ERROR_PERCENT, MISSING_VERSION_PERCENT, answer
from telemetry_quality.assembly import daily_work
from telemetry_quality.core.days import day_window
from telemetry_quality.core.event_schema import EventSchema
from telemetry_quality.settings import load_settings
from telemetry_quality.sources.duckdb import ParquetSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry_quality.core.daily import DailyWork

SETTINGS = """
store = "sqlite:///{store}"

[sources.days]
connector = "parquet"
path = "{folder}"
time_zone = "UTC"
first_day = 2026-01-01

[sources.days.roles]
event_id = "event_id"
occurred_at = "occurred_at"
event_name = "event_name"
service_version = "app_version"
is_error = "severity >= 17"
critical_fields = ["event_name"]
"""


def write_settings(folder: Path, file: Path) -> Path:
    """Settings of a source that consists of this one file, with a store in ``folder``."""
    settings = folder / "telemetry.toml"
    settings.write_text(SETTINGS.format(store=folder / "quality.db", folder=file.parent), encoding="utf-8")
    return settings


def new_store(folder: Path) -> None:
    """Replace the store of the last snapshot with a migrated store without days."""
    for rest in folder.glob("quality.db*"):
        rest.unlink()
    shutil.copy(folder / "migrated.db", folder / "quality.db")


def verdicts_of(day: Mapping[str, Any], guardrails: Iterable[Mapping[str, Any]]) -> dict[str, object]:
    """The verdicts that every tool gives, taken from a snapshot."""
    has_passed = {verdict["guardrail"]: verdict["outcome"] == "passed" for verdict in guardrails}
    return {
        "rows": day["total_events"] > 0,
        "error_rate": has_passed["error_rate"],
        "missing_version": has_passed["missing_version"],
        "missing_name": has_passed["critical_fields"],
        "sample": day["sample_passed"],
    }


def open_work(file: Path) -> DailyWork:
    folder = Path(sys.argv[2])
    new_store(folder)
    return daily_work(load_settings(str(write_settings(folder, file))), "days")


def snapshot(work: DailyWork) -> dict[str, object]:
    now = datetime.now(UTC)
    list(work.read([DAY], now))
    (judged,) = work.judge([DAY], now)
    return verdicts_of(judged.snapshot.as_json(), [verdict.as_json() for verdict in judged.verdicts])


def open_source(file: Path) -> ParquetSource:
    schema = EventSchema(None, "occurred_at", "event_name", "app_version", "severity >= 17", ("event_name",))
    return ParquetSource(str(file), schema, ZoneInfo("UTC"))


def counts(source: ParquetSource) -> dict[str, object]:
    day = source.count_day(day_window(DAY, ZoneInfo("UTC")))
    return {
        "rows": day.events > 0,
        "error_rate": 100 * day.errors <= ERROR_PERCENT * day.events,
        "missing_version": 100 * day.missing_version <= MISSING_VERSION_PERCENT * day.events,
        "missing_name": day.missing_critical["event_name"] == 0,
    }


if __name__ == "__main__":
    if "counts" in sys.argv:
        answer(open_source, counts)
    else:
        answer(open_work, snapshot)
