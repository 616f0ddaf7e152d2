"""Jobs: take a day's snapshot, or check a day again without taking it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from telemetry_quality.orchestration.assets import snapshot_key
from telemetry_quality.orchestration.partitions import daily_partitions

if TYPE_CHECKING:
    from dagster import UnresolvedAssetJobDefinition as Job

    from telemetry_quality.settings import SourceSettings


def materialize_day_job(source: str, settings: SourceSettings) -> Job:
    """Read and judge a day, then run its checks."""
    keys = ([source, "event_aggregates"], [source, "event_sample"], snapshot_key(source).path)
    return dg.define_asset_job(
        f"{source}_materialize_day",
        selection=dg.AssetSelection.assets(*(dg.AssetKey(key) for key in keys)),
        partitions_def=daily_partitions(settings.calendar()),
        description="Read a day of events, judge it, and run its guardrails.",
    )


def recheck_day_job(source: str, settings: SourceSettings) -> Job:
    """Run the guardrails on the stored snapshot, with today's thresholds; events are not read again."""
    return dg.define_asset_job(
        f"{source}_recheck_day",
        selection=dg.AssetSelection.checks_for_assets(snapshot_key(source)),
        partitions_def=daily_partitions(settings.calendar()),
        description="Run a day's guardrails on its stored snapshot, without reading events again.",
    )
