"""The alert sensor: reads the check evaluations of finished runs and logs each alert once, at its own level.

At-least-once: an alert is logged, then stored, and the cursor moves last, so a crash in between repeats an alert
instead of losing it. It is a plain sensor because a run-status sensor that raises loses its event.
"""

from __future__ import annotations

import json
import logging
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from telemetry_quality.core.alerts import Alert
from telemetry_quality.core.dispatch import dispatch
from telemetry_quality.core.guardrails.verdicts import Level
from telemetry_quality.orchestration.resources import RESOURCE, telemetry_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

INTERVAL_SECONDS = 30
RUNS_PER_TICK = 20

FINISHED = (
    dg.DagsterEventType.RUN_SUCCESS,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.RUN_CANCELED,
)

PYTHON_LEVELS = {Level.CRITICAL: logging.CRITICAL, Level.WARNING: logging.WARNING, Level.INFO: logging.INFO}


def build_alert_sensor(sources: frozenset[str]) -> dg.SensorDefinition:
    """One sensor for all sources of the settings."""

    @dg.sensor(
        name="alert_sensor",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={RESOURCE},
        description="Logs every failed guardrail once, at its level, and stores it in the table alert.",
    )
    def alert_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        telemetry = telemetry_of(context)
        cursors: dict[str, str] = json.loads(context.cursor or "{}")

        def log_alert(alert: Alert) -> None:
            context.log.log(PYTHON_LEVELS[alert.level], alert.line())

        runs, cursors = _finished_runs(context.instance, cursors)
        found = [alert for run_id in runs for alert in _alerts_of_run(context.instance, run_id, sources)]
        dispatched = dispatch(telemetry.store(), found, log_alert, telemetry.clock()) if found else 0
        seen = f"{len(runs)} finished run{'' if len(runs) == 1 else 's'} checked"
        return dg.SensorResult(
            skip_reason=f"{dispatched} new alerts logged, {seen}.", cursor=json.dumps(cursors, sort_keys=True)
        )

    return alert_sensor


def _finished_runs(instance: dg.DagsterInstance, cursors: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Runs that ended since the cursors, oldest first per event type, and the cursors after them."""
    runs: list[str] = []
    moved = dict(cursors)
    for kind in FINISHED:
        result = instance.fetch_run_status_changes(
            kind, limit=RUNS_PER_TICK, cursor=cursors.get(kind.value), ascending=True
        )
        runs += [record.event_log_entry.run_id for record in result.records]
        if result.records:
            moved[kind.value] = result.cursor
    return runs, moved


def _alerts_of_run(instance: dg.DagsterInstance, run_id: str, sources: frozenset[str]) -> Iterator[Alert]:
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        event = entry.dagster_event
        if event is None:
            continue
        evaluation = event.asset_check_evaluation_data
        metadata = {name: value.value for name, value in evaluation.metadata.items()}
        if metadata.get("is_alert") and metadata.get("source") in sources:
            yield alert_of(evaluation.check_name, str(evaluation.description), metadata)


def alert_of(guardrail: str, sentence: str, metadata: Mapping[str, object]) -> Alert:
    """The alert that an evaluation's metadata describes."""
    return Alert(
        source=str(metadata["source"]),
        day=date.fromisoformat(str(metadata["day"])),
        guardrail=guardrail,
        revision=int(str(metadata["revision"])),
        level=Level(str(metadata["level"])),
        reason_code=str(metadata["reason_code"]),
        sentence=sentence,
    )
