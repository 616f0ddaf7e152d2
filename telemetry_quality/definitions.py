"""The code location: everything that Dagster loads; the only module named in workspace.yaml."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster import BetaWarning, PreviewWarning

from telemetry_quality.orchestration.asset_checks import build_asset_checks
from telemetry_quality.orchestration.assets import build_assets
from telemetry_quality.orchestration.ghost_runs import build_ghost_run_sensor
from telemetry_quality.orchestration.jobs import materialize_day_job, recheck_day_job
from telemetry_quality.orchestration.resources import RESOURCE, TelemetryResource
from telemetry_quality.orchestration.schedules import daily_schedule, late_days_schedule
from telemetry_quality.orchestration.sensors import build_alert_sensor
from telemetry_quality.settings import load_settings

if TYPE_CHECKING:
    from telemetry_quality.settings import Settings


def build_definitions(settings: Settings, **resource_overrides: Any) -> dg.Definitions:
    """All assets, checks, jobs, schedules and sensors for ``settings``.

    Args:
        settings: The sources and how they are judged.
        resource_overrides: Fields of TelemetryResource to replace, such as ``clock`` or ``on_progress``.
    """
    assets: list[dg.AssetsDefinition | dg.AssetSpec] = []
    checks, jobs, schedules = [], [], []
    with warnings.catch_warnings():
        # Expected: pyproject.toml pins the minor version with which these were tested.
        warnings.simplefilter("ignore", BetaWarning)
        warnings.simplefilter("ignore", PreviewWarning)
        for name, source in settings.sources.items():
            assets += build_assets(name, source, settings.store_engine, settings.dashboard.grace_minutes)
            checks.append(build_asset_checks(name, source))
            materialize_day = materialize_day_job(name)
            jobs += [materialize_day, recheck_day_job(name)]
            schedules += [
                daily_schedule(name, source, materialize_day),
                late_days_schedule(name, source, materialize_day),
            ]
    return dg.Definitions(
        assets=assets,
        asset_checks=checks,
        jobs=jobs,
        schedules=schedules,
        sensors=[build_alert_sensor(frozenset(settings.sources)), build_ghost_run_sensor(frozenset(settings.sources))],
        resources={RESOURCE: TelemetryResource(settings, **resource_overrides)},
        # All steps share a process: one process per step would cost seconds of start-up and save nothing.
        executor=dg.in_process_executor,
    )


defs = build_definitions(load_settings())
