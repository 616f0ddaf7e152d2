"""The check ``trustworthy``: what those downstream wait for, and the sensor that reports it again when it changes.

Trust changes without a run: somebody accepts a day, withdraws a mark, or changes the gate. The sensor compares the
store with the latest evaluation of each day and reports those that differ. It reads no events and keeps no cursor: what
a tick could not report still differs at the next one.
"""

from __future__ import annotations

from datetime import date
from itertools import islice
from typing import TYPE_CHECKING, Any

import dagster as dg

from telemetry_quality.core.marks import marks_of
from telemetry_quality.core.trust import CHECK, trust_in
from telemetry_quality.orchestration.evaluations import materialization_targets, reported_outcomes
from telemetry_quality.orchestration.resources import telemetry_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot
    from telemetry_quality.core.trust import Trust
    from telemetry_quality.orchestration.names import Names, SourceNames
    from telemetry_quality.orchestration.resources import TelemetryResource

INTERVAL_SECONDS = 30
EVALUATIONS_PER_TICK = 500
"""So many take a few seconds; Dagster ends a tick after sixty."""


def evaluation_of_trust(trust: Trust, snapshot: TelemetryIntegritySnapshot) -> dict[str, Any]:
    """The trust in a day in Dagster's terms; a day that cannot be trusted is an ERROR, which blocks where asked to."""
    return {
        "passed": trust.is_trusted,
        "severity": dg.AssetCheckSeverity.ERROR,
        "description": trust.sentence,
        "metadata": {
            "source": snapshot.source,
            "day": snapshot.day.isoformat(),
            "revision": snapshot.revision,
            "status": snapshot.status.value,
            "reason_code": trust.reason_code,
        },
    }


def build_trust_sensor(names: Names, sources: Sequence[SourceNames]) -> dg.SensorDefinition:
    """One sensor for all sources of the settings."""

    @dg.sensor(
        name=names.named("trust_sensor"),
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={names.resource},
        description=f"Reports the check {CHECK} again for days that somebody accepted or marked since.",
    )
    def trust_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        telemetry = telemetry_of(context, names.resource)
        changed = (
            evaluation for source in sources for evaluation in _changed_evaluations(context.instance, source, telemetry)
        )
        found = list(islice(changed, EVALUATIONS_PER_TICK))
        for evaluation in found:
            context.log.info(
                f"{evaluation.asset_key.to_user_string()} {evaluation.partition}: {evaluation.description}"
            )
        return dg.SensorResult(
            asset_events=found, skip_reason=f"{len(found)} day{'' if len(found) == 1 else 's'} reported again."
        )

    return trust_sensor


def _changed_evaluations(
    instance: dg.DagsterInstance, names: SourceNames, telemetry: TelemetryResource
) -> Iterator[dg.AssetCheckEvaluation]:
    """An evaluation of each day that Dagster checked before, and of which its latest one no longer holds."""
    reported = reported_outcomes(instance, dg.AssetCheckKey(names.snapshot, CHECK))
    if not reported:
        return
    settings, store = telemetry.settings.sources[names.source], telemetry.store()
    days = [date.fromisoformat(day) for day in reported]
    with store.kept_open():
        marks = marks_of(store.marked_days(names.source))
        snapshots = store.snapshots(names.source, min(days), max(days))
    trusts = [(snapshot, trust_in(snapshot, marks.get(snapshot.day), settings.gate)) for snapshot in snapshots]
    changed = [
        (snapshot, trust)
        for snapshot, trust in trusts
        if (day := snapshot.day.isoformat()) in reported and reported[day] is not trust.is_trusted
    ]
    targets = materialization_targets(instance, names.snapshot, [snapshot.day for snapshot, _ in changed])
    for snapshot, trust in changed:
        yield dg.AssetCheckEvaluation(
            asset_key=names.snapshot,
            check_name=CHECK,
            partition=snapshot.day.isoformat(),
            target_materialization_data=targets.get(snapshot.day),
            blocking=settings.is_gate_blocking,
            **evaluation_of_trust(trust, snapshot),
        )
