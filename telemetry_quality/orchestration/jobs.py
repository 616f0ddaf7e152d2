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
        description="Read a day of events, judge it, and run its guardrails.",
    )


def recheck_day_job(names: SourceNames) -> Job:
    """The job that runs the guardrails on the stored snapshot with today's thresholds, without reading events."""
    return dg.define_asset_job(
        names.recheck_day,
        selection=dg.AssetSelection.checks_for_assets(names.snapshot),
        executor_def=dg.in_process_executor,
        description="Run a day's guardrails on its stored snapshot, without reading events again.",
    )
