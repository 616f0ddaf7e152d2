"""The metrics sensor: pushes the metrics of all sources, if the settings say where.

It runs in the daemon, so that numbers go on arriving between runs, and stop arriving when nobody judges any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from telemetry_quality.orchestration.resources import telemetry_of

if TYPE_CHECKING:
    from telemetry_quality.orchestration.names import Names
    from telemetry_quality.settings import Settings


def build_metrics_sensors(names: Names, settings: Settings) -> list[dg.SensorDefinition]:
    """One sensor for all sources of the settings; none without an endpoint."""
    if settings.otlp.endpoint is None:
        return []

    @dg.sensor(
        name=names.named("metrics_sensor"),
        minimum_interval_seconds=settings.otlp.interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={names.resource},
        description=f"Every {settings.otlp.interval_seconds} seconds, pushes the numbers of all sources to the "
        "OpenTelemetry collector of the setting otlp.endpoint. Nothing depends on it.",
    )
    def metrics_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        failure = telemetry_of(context, names.resource).push_metrics()
        if failure is None:
            return dg.SkipReason("The metrics were pushed.")
        context.log.warning(failure)
        return dg.SkipReason(failure)

    return [metrics_sensor]
