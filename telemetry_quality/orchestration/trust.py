"""The check ``trustworthy``: what those downstream wait for, and the sensor that has it run again when trust changes.

Trust changes without a run: somebody accepts a day, withdraws a mark, or changes the gate. The sensor compares the
store with the latest evaluation of each day and requests the check for those that differ. It reads no events and keeps
no cursor: what a tick did not request still differs at the next one. A run is requested rather than an evaluation
reported, because Dagster stores a single evaluation without a run per check and day, ever.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from telemetry_quality.core.gaps import day_ranges
from telemetry_quality.core.marks import marks_of
from telemetry_quality.core.trust import CHECK, trust_in
from telemetry_quality.orchestration.evaluations import reported_outcomes
from telemetry_quality.orchestration.rendering import dashboard_entry
from telemetry_quality.orchestration.resources import telemetry_of
from telemetry_quality.orchestration.schedules import RANGE_END_TAG, RANGE_START_TAG, UNFINISHED

if TYPE_CHECKING:
    from datetime import datetime

    from dagster import UnresolvedAssetJobDefinition as Job

    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot
    from telemetry_quality.core.trust import Trust
    from telemetry_quality.orchestration.names import SourceNames
    from telemetry_quality.orchestration.resources import TelemetryResource

INTERVAL_SECONDS = 30
RANGES_PER_TICK = 10
"""How many ranges of days a tick may request, each of which is a run of seconds."""

RETRY_AFTER = timedelta(minutes=10)
"""How long a tick waits after a run of the check that failed."""

TRUST_TAG = "telemetry_quality/trust"


def evaluation_of_trust(trust: Trust, snapshot: TelemetryIntegritySnapshot, dashboard: str) -> dict[str, Any]:
    """The trust in a day in Dagster's terms; a day that cannot be trusted is an ERROR, which blocks where asked to."""
    return {
        "passed": trust.is_trusted,
        "severity": dg.AssetCheckSeverity.ERROR,
        "description": trust.sentence,
        "metadata": {
            **dashboard_entry(dashboard, snapshot),
            "source": snapshot.source,
            "day": snapshot.day.isoformat(),
            "revision": str(snapshot.revision),
            "status": snapshot.status.value,
            "reason_code": trust.reason_code,
        },
    }


def build_trust_sensor(names: SourceNames, recheck: Job) -> dg.SensorDefinition:
    """The sensor of a source."""

    @dg.sensor(
        name=names.named("trust_sensor"),
        job=recheck,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={names.resource},
        description=f"Every half minute, looks whether anybody has accepted or marked a day of {names.source} or "
        f"changed its gate, and runs the check {CHECK} again for the days concerned, so that assets that wait for "
        "trusted days go on. It scans no events.",
    )
    def trust_sensor(context: dg.SensorEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        telemetry = telemetry_of(context, names.resource)
        changed = _changed_days(context.instance, names, telemetry)
        if not changed:
            return dg.SkipReason("The check says of every day what the store says.")
        if (reason := _why_not_yet(context.instance, names, telemetry.clock())) is not None:
            return dg.SkipReason(f"{len(changed)} days are to be checked again. {reason}")
        return [_request(names, first, last) for first, last in day_ranges(changed)[:RANGES_PER_TICK]]

    return trust_sensor


def _changed_days(instance: dg.DagsterInstance, names: SourceNames, telemetry: TelemetryResource) -> list[date]:
    """The days that Dagster checked before, and of which its latest evaluation no longer holds."""
    reported = reported_outcomes(instance, dg.AssetCheckKey(names.snapshot, CHECK))
    if None in reported.values() and _is_busy(instance, names):
        # The run that materialized these days goes on to check them.
        reported = {day: outcome for day, outcome in reported.items() if outcome is not None}
    if not reported:
        return []
    gate, store = telemetry.settings.sources[names.source].gate, telemetry.store()
    days = [date.fromisoformat(day) for day in reported]
    with store.kept_open():
        marks = marks_of(store.marked_days(names.source))
        snapshots = store.snapshots(names.source, min(days), max(days))
    found = {each.day: trust_in(each, marks.get(each.day), gate).is_trusted for each in snapshots}
    return [day for day in sorted(days) if day in found and reported[day.isoformat()] is not found[day]]


def _is_busy(instance: dg.DagsterInstance, names: SourceNames) -> bool:
    """Whether a run that judges or checks days of the source is not over yet."""
    jobs = {names.materialize_day, names.recheck_day}
    runs = [record.dagster_run for record in instance.get_run_records(dg.RunsFilter(statuses=UNFINISHED))]
    return any(run.job_name in jobs or names.snapshot in (run.asset_selection or ()) for run in runs)


def _why_not_yet(instance: dg.DagsterInstance, names: SourceNames, now: datetime) -> str | None:
    """Why no run of the check is requested now: one is under way, or has just failed."""
    tags = {TRUST_TAG: names.source}
    unfinished = dg.RunsFilter(job_name=names.recheck_day, tags=tags, statuses=UNFINISHED)
    if instance.get_run_records(unfinished, limit=1):
        return "A run that does so is not over yet."
    failed = dg.RunsFilter(
        job_name=names.recheck_day, tags=tags, statuses=[dg.DagsterRunStatus.FAILURE], created_after=now - RETRY_AFTER
    )
    return "A run that does so has just failed." if instance.get_run_records(failed, limit=1) else None


def _request(names: SourceNames, first: date, last: date) -> dg.RunRequest:
    tags = {RANGE_START_TAG: first.isoformat(), RANGE_END_TAG: last.isoformat(), TRUST_TAG: names.source}
    return dg.RunRequest(
        job_name=names.recheck_day, tags=tags, asset_check_keys=[dg.AssetCheckKey(names.snapshot, CHECK)]
    )
