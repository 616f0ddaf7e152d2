"""Builds the definitions: everything that Dagster knows of the sources of some settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import dagster as dg

from telemetry_quality.errors import SettingsError
from telemetry_quality.orchestration.asset_checks import build_asset_checks
from telemetry_quality.orchestration.assets import build_assets
from telemetry_quality.orchestration.conditions import with_conditions
from telemetry_quality.orchestration.deliveries import build_delivery_sensors
from telemetry_quality.orchestration.evaluations import expected_warnings
from telemetry_quality.orchestration.forecasts import build_forecast_asset
from telemetry_quality.orchestration.ghost_runs import build_ghost_run_sensor
from telemetry_quality.orchestration.jobs import materialize_day_job, recheck_day_job
from telemetry_quality.orchestration.metrics import build_metrics_sensors
from telemetry_quality.orchestration.names import Key, Names, key_of, prefix_of
from telemetry_quality.orchestration.resources import TelemetryResource
from telemetry_quality.orchestration.running import build_running_asset, build_running_sensors
from telemetry_quality.orchestration.schedules import daily_schedule, late_days_schedule
from telemetry_quality.orchestration.sensors import build_alert_sensor
from telemetry_quality.orchestration.specs import events_spec
from telemetry_quality.orchestration.training import build_training_asset
from telemetry_quality.orchestration.trust import build_trust_sensor
from telemetry_quality.settings import Settings, anchored, check_settings, load_settings

if TYPE_CHECKING:
    from telemetry_quality.orchestration.names import SourceNames

NAME_PREFIX = "telemetry_quality_"
"""Begins names beside those of other people, who may well have an ``alert_sensor`` of their own."""

Automation = Literal["schedules", "conditions"]
"""What materializes days; None leaves that to the deployment."""


def build_definitions(
    settings: Settings | Mapping[str, Any] | str | Path,
    *,
    folder: str | Path | None = None,
    name_prefix: str = NAME_PREFIX,
    key_prefix: Key = (),
    group_name: str | None = None,
    resource_key: str | None = None,
    events_key: Key | Mapping[str, Key] | None = None,
    include_events_asset: bool = True,
    automation: Automation | None = "schedules",
    **resource_overrides: Any,
) -> dg.Definitions:
    """All assets, checks, jobs, schedules and sensors for ``settings``; merge them with the deployment's own.

    Args:
        settings: The sources and how they are judged: a settings file, its content as a mapping, or Settings.
        folder: What relative paths start from, if the settings are not a file: the folder of a file is its own.
        name_prefix: Begins the names of ops, jobs, schedules and sensors.
        key_prefix: Begins the keys of assets.
        group_name: The group of all assets; by default each source has a group of its name.
        resource_key: The key of the resource; by default ``telemetry`` after the prefix of names.
        events_key: The deployment's own asset that holds the events, or one per source.
        include_events_asset: False if the deployment has assets ``SOURCE/events``.
        automation: What materializes days: schedules, automation conditions on the assets, or nothing.
        resource_overrides: Fields of TelemetryResource to replace, such as ``clock`` or ``on_progress``.

    Raises:
        SettingsError: If something above is not as required.
    """
    checked = _anchored(settings, None if folder is None else Path(folder))
    if automation is not None and automation not in get_args(Automation):
        raise SettingsError(
            f"automation must be 'schedules', 'conditions' or None, but {automation!r} was found; choose one."
        )
    names = Names(name_prefix, prefix_of(key_prefix), group_name, resource_key, _events_keys(events_key, checked))
    resource = TelemetryResource(checked, **resource_overrides)
    parts = [
        _source_definitions(
            names.of(source),
            checked,
            has_events=include_events_asset and source not in names.events_keys,
            automation=automation,
        )
        for source in checked.sources
    ]
    return dg.Definitions.merge(*parts, _shared_definitions(names, resource))


def _source_definitions(
    names: SourceNames, settings: Settings, *, has_events: bool, automation: Automation | None
) -> dg.Definitions:
    """What belongs to one source."""
    source = settings.sources[names.source]
    with expected_warnings():
        assets = build_assets(names, source, settings.store_engine, settings.dashboard.grace_minutes)
        running = [build_running_asset(names, source)] if source.intraday else []
        training = [] if settings.training_folder is None else [build_training_asset(names, source)]
        following = [*training, build_forecast_asset(names, source, settings.store_engine)]
        if automation == "conditions":
            assets, following = (
                [with_conditions(asset, names, source) for asset in each] for each in (assets, following)
            )
        materialize_day, recheck_day = (
            materialize_day_job(names, *(asset.key for asset in following)),
            recheck_day_job(names),
        )
        return dg.Definitions(
            assets=[*([events_spec(names, source)] if has_events else []), *assets, *following, *running],
            asset_checks=[build_asset_checks(names, source)],
            jobs=[materialize_day, recheck_day],
            sensors=[build_trust_sensor(names, recheck_day)],
            schedules=[
                daily_schedule(names, source, materialize_day),
                late_days_schedule(names, source, materialize_day),
            ]
            if automation == "schedules"
            else [],
        )


def _shared_definitions(names: Names, resource: TelemetryResource) -> dg.Definitions:
    """What all sources of the settings share."""
    sources = [names.of(source) for source in resource.settings.sources]
    return dg.Definitions(
        sensors=[
            build_alert_sensor(names, resource.settings.sources),
            build_ghost_run_sensor(names, sources),
            *build_metrics_sensors(names, resource.settings),
            *build_delivery_sensors(names, resource.settings),
            *build_running_sensors(names, resource.settings),
        ],
        resources={names.resource: resource},
    )


def _anchored(settings: Settings | Mapping[str, Any] | str | Path, folder: Path | None) -> Settings:
    """The settings with absolute paths only: where a process was started must not matter.

    Raises:
        SettingsError: If a path is relative and nothing says to what.
    """
    if folder is not None and not folder.is_absolute():
        raise SettingsError(
            f"folder requires an absolute path, but {str(folder)!r} was found; pass Path(__file__).parent."
        )
    if isinstance(settings, str | Path):
        file = (folder or Path()) / settings
        if not file.is_absolute():
            raise SettingsError(
                f"The settings file requires an absolute path, but {str(settings)!r} was found; "
                'pass Path(__file__).with_name("telemetry.toml").'
            )
        return load_settings(file, is_alone=False)
    checked = settings if isinstance(settings, Settings) else check_settings(settings, "settings", is_alone=False)
    if folder is None and anchored(checked, Path("/elsewhere")) != checked:
        raise SettingsError(
            "The settings require absolute paths or the folder that paths start from, but a path is relative and no "
            "folder was given; pass folder=Path(__file__).parent."
        )
    return checked if folder is None else anchored(checked, folder)


def _events_keys(given: Key | Mapping[str, Key] | None, settings: Settings) -> dict[str, dg.AssetKey]:
    """The assets that hold the events, by source."""
    sources = list(settings.sources)
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        if len(sources) > 1:
            raise SettingsError(
                f"events_key requires a key per source, but one key was found for {', '.join(sources)}; "
                "pass a mapping from sources to keys."
            )
        given = {sources[0]: given}
    for source in given:
        if source not in sources:
            raise SettingsError(f"events_key requires sources of the settings, but {source!r} is none; remove it.")
    return {source: key_of(key) for source, key in given.items()}
