"""Jobs: make a day's snapshot, or check a day again without a new snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from dagster import UnresolvedAssetJobDefinition as Job

    from telemetry_quality.orchestration.names import SourceNames

# All steps share a process: one process per step would cost seconds of start-up and save nothing. The executor belongs
# to our jobs alone, because one on the definitions would become that of everybody's jobs.


def materialize_day_job(names: SourceNames, *more: dg.AssetKey) -> Job:
    """The job that reads and judges a day, runs its checks, and makes ``more`` of it."""
    return dg.define_asset_job(
        names.materialize_day,
        selection=dg.AssetSelection.assets(*names.materialized, *more),
        executor_def=dg.in_process_executor,
        description=f"Tells whether a day of {names.source} can be trusted: scans its events, stores counts and a "
        "sample, judges the day, and shows each guardrail's verdict as a check of integrity_snapshot. Start it for "
        "days that are missing or whose events have changed; the same events are stored only once. A day that "
        "fails its guardrails does not fail the run.",
    )


def recheck_day_job(names: SourceNames) -> Job:
    """The job that runs the guardrails on the stored snapshot with today's thresholds, without reading events."""
    return dg.define_asset_job(
        names.recheck_day,
        selection=dg.AssetSelection.checks_for_assets(names.snapshot),
        executor_def=dg.in_process_executor,
        description=f"Judges days of {names.source} by today's thresholds, from what is stored: it reads no events and "
        "takes seconds. Start it after you have changed a threshold, or accepted or marked a day.",
    )
