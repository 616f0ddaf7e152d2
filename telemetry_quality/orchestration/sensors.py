"""The alert sensor: asks the store which alerts are pending, and logs each once, at its own level.

It neither reads Dagster's event log nor keeps a cursor, so a lost Dagster database loses and repeats no alert.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import dagster as dg

from telemetry_quality.core.dispatch import dispatch_pending, log_channel
from telemetry_quality.core.guardrails.verdicts import Level
from telemetry_quality.orchestration.resources import telemetry_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from telemetry_quality.core.alerts import Alert
    from telemetry_quality.orchestration.names import Names

INTERVAL_SECONDS = 30
ALERTS_PER_TICK = 500
"""So many take about ten seconds; Dagster ends a tick after sixty."""

PYTHON_LEVELS = {Level.CRITICAL: logging.CRITICAL, Level.WARNING: logging.WARNING, Level.INFO: logging.INFO}


def build_alert_sensor(names: Names, sources: Collection[str]) -> dg.SensorDefinition:
    """One sensor for all sources of the settings."""

    @dg.sensor(
        name=names.named("alert_sensor"),
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={names.resource},
        description="Logs every failed guardrail once, at its level, and stores it in the table alert.",
    )
    def alert_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        telemetry = telemetry_of(context, names.resource)

        def log_alert(alert: Alert) -> None:
            context.log.log(PYTHON_LEVELS[alert.level], alert.line())

        dispatched = dispatch_pending(
            telemetry.store(), sorted(sources), log_channel(log_alert), telemetry.clock, ALERTS_PER_TICK
        )
        return dg.SensorResult(skip_reason=f"{dispatched} new alert{'' if dispatched == 1 else 's'} logged.")

    return alert_sensor
