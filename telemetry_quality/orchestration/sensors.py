"""The alert sensor: asks the store which alerts are pending, and logs each once, at its own level.

It neither reads Dagster's event log nor keeps a cursor, so a lost Dagster database loses and repeats no alert.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from telemetry_quality.core.dispatch import dispatch_pending, log_channel
from telemetry_quality.orchestration.alert_lines import log_line
from telemetry_quality.orchestration.resources import telemetry_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from telemetry_quality.core.alerts import Alert
    from telemetry_quality.orchestration.names import Names

INTERVAL_SECONDS = 30
ALERTS_PER_TICK = 500
"""So many take about ten seconds; Dagster ends a tick after sixty."""

MOST_NAMED = 3
"""The alerts that a tick's result names; its log has all of them."""


def build_alert_sensor(names: Names, sources: Collection[str]) -> dg.SensorDefinition:
    """One sensor for all sources of the settings."""

    @dg.sensor(
        name=names.named("alert_sensor"),
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={names.resource},
        description="Every half minute, logs each failed guardrail that it has not logged before, at its level. The "
        "lines are in the logs of the ticks below whose result begins with the number of alerts; the table alert has "
        "them too.",
    )
    def alert_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        telemetry = telemetry_of(context, names.resource)
        logged: list[Alert] = []

        def log_alert(alert: Alert) -> None:
            log_line(context.log, alert)
            logged.append(alert)

        dispatch_pending(telemetry.store(), sorted(sources), log_channel(log_alert), telemetry.clock, ALERTS_PER_TICK)
        return dg.SensorResult(skip_reason=_sentence(logged))

    return alert_sensor


def _sentence(logged: Sequence[Alert]) -> str:
    """What a tick did, which the list of ticks shows."""
    if not logged:
        return "No new alerts."
    named = [f"{alert.source} {alert.day} {alert.guardrail}" for alert in logged[:MOST_NAMED]]
    more = len(logged) - len(named)
    words = "; ".join([*named, *([f"and {more} more"] if more else [])])
    return f"{len(logged)} alert{'' if len(logged) == 1 else 's'} logged: {words}."
