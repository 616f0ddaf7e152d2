"""Jobs: make a day's snapshot, or check a day again without a new snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from telemetry_quality.orchestration.specs import snapshot_key

if TYPE_CHECKING:
    from dagster import UnresolvedAssetJobDefinition as Job


def job_names(source: str) -> tuple[str, str]:
    """The names of a source's jobs: ``materialize_day_job`` and ``recheck_day_job``."""
    return f"{source}_materialize_day", f"{source}_recheck_day"


def materialize_day_job(source: str) -> Job:
    """The job that reads and judges a day and runs its checks."""
    keys = ([source, "event_aggregates"], [source, "event_sample"], snapshot_key(source).path)
    return dg.define_asset_job(
        job_names(source)[0],
        selection=dg.AssetSelection.assets(*(dg.AssetKey(key) for key in keys)),
        description="Read a day of events, judge it, and run its guardrails.",
    )


def recheck_day_job(source: str) -> Job:
    """The job that runs the guardrails on the stored snapshot with today's thresholds, without reading events."""
    return dg.define_asset_job(
        job_names(source)[1],
        selection=dg.AssetSelection.checks_for_assets(snapshot_key(source)),
        description="Run a day's guardrails on its stored snapshot, without reading events again.",
    )
