"""A small stream of events with its settings and definitions, for tests that run Dagster."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from telemetry_quality.assembly import daily_work
from telemetry_quality.core.guardrails.catalogue import guardrails_of
from telemetry_quality.dagster import build_definitions
from telemetry_quality.settings import Settings, load_settings
from telemetry_quality_tests.builders import NOW, make_event, make_events, migrated_store, write_parquet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from telemetry_quality.core.daily import DailyWork
    from telemetry_quality.core.marks import Gate

FIRST_DAY = date(2026, 2, 1)
SNAPSHOT_KEY = dg.AssetKey(["web", "integrity_snapshot"])

SETTINGS = """
store = "sqlite:///quality.db"

[sources.web]
connector = "parquet"
path = "events"
first_day = 2026-02-01
{extra}

[sources.web.roles]
event_id = "event_id"
occurred_at = "occurred_at"
event_name = "event_name"
service_version = "service_version"
is_error = "is_error"
"""


@dataclass
class Station:
    """A folder of events, one file per day, and everything that is built on it."""

    folder: Path
    settings: Settings

    @property
    def definitions(self) -> dg.Definitions:
        return build_definitions(self.settings, name_prefix="", clock=lambda: NOW)

    @property
    def work(self) -> DailyWork:
        return daily_work(self.settings, "web")

    @property
    def guardrails(self) -> list[str]:
        """The names of the guardrails that the source's schema allows."""
        return [rule.name for rule in guardrails_of(self.settings.sources["web"].event_schema())]

    def write_day(
        self,
        day: date,
        events: int = 40,
        errors: int = 0,
        types: Mapping[str, str | None] | None = None,
        **overrides: Any,
    ) -> None:
        rows = make_events(events, day, **overrides)
        for row in rows[:errors]:
            row["is_error"] = True
        write_parquet(self.file(day), rows, types)

    def set_guardrails(self, **thresholds: float) -> None:
        """Use settings with these thresholds from now on."""
        file = self.folder / "telemetry.toml"
        before = file.read_text(encoding="utf-8").partition("\n[sources.web.guardrails]")[0]
        lines = [f"{name} = {value}" for name, value in thresholds.items()]
        file.write_text("\n".join([before, "[sources.web.guardrails]", *lines, ""]), encoding="utf-8")
        self.settings = load_settings(file)

    def set_gate(self, gate: Gate) -> None:
        """Let other days through from now on."""
        web = self.settings.sources["web"].model_copy(update={"gate": gate})
        self.settings = self.settings.model_copy(update={"sources": {"web": web}})

    def cut(self, day: date, first: int, end: int) -> None:
        """Write a day of 480 events again, without those of some hours."""
        rows = [row for row in make_events(480, day) if not first <= row["occurred_at"].hour < end]
        write_parquet(self.file(day), rows)

    def file(self, day: date) -> Path:
        return self.folder / "events" / f"day={day}" / "events.parquet"

    def add_late_event(self, day: date) -> None:
        """Write one more event of ``day``, in its own file."""
        late = make_event(event_id=f"late-{day}", occurred_at=make_events(1, day)[0]["occurred_at"])
        write_parquet(self.file(day).with_name("late.parquet"), [late])

    def run(
        self, instance: dg.DagsterInstance, first: date, last: date | None = None, job: str = "materialize_day"
    ) -> dg.ExecuteInProcessResult:
        """Run a range of days, as a single-run backfill does."""
        return self.definitions.resolve_job_def(f"web_{job}").execute_in_process(
            instance=instance,
            tags={
                "dagster/asset_partition_range_start": first.isoformat(),
                "dagster/asset_partition_range_end": (last or first).isoformat(),
            },
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )


def make_station(folder: Path, days: int = 3, extra: str = "", roles: str = "") -> Station:
    """A station with ``days`` healthy days from FIRST_DAY; ``extra`` settings and ``roles`` of the source."""
    file = folder / "telemetry.toml"
    file.write_text(SETTINGS.format(extra=extra) + roles + "\n", encoding="utf-8")
    station = Station(folder, load_settings(file))
    migrated_store(folder / "quality.db")
    for offset in range(days):
        station.write_day(FIRST_DAY + timedelta(days=offset))
    return station


def evaluations(instance: dg.DagsterInstance, run_id: str) -> list[dg.AssetCheckEvaluation]:
    """All check evaluations of a run."""
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    return [entry.dagster_event.asset_check_evaluation_data for entry in entries if entry.dagster_event]
