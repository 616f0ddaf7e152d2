"""Guardrails and trust as asset checks: one evaluation per check and day, also in a single-run backfill."""

# Dagster resolves the annotations of what it decorates: no postponed ones, no imports for type checkers only.
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from time import monotonic
from typing import Any

import dagster as dg

from telemetry_quality.core.daily import DailyWork
from telemetry_quality.core.guardrails.verdicts import DAY_UNREADABLE, Level, Outcome, Verdict
from telemetry_quality.core.judged_days import JudgedDays
from telemetry_quality.core.marks import marks_of
from telemetry_quality.core.progress import Pace
from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot
from telemetry_quality.core.trust import CHECK, trust_in
from telemetry_quality.orchestration.evaluations import materialization_targets
from telemetry_quality.orchestration.ghost_runs import record_worker
from telemetry_quality.orchestration.heartbeats import heard
from telemetry_quality.orchestration.names import SourceNames
from telemetry_quality.orchestration.partitions import partition_days
from telemetry_quality.orchestration.rendering import dashboard_entry
from telemetry_quality.orchestration.resources import telemetry_of
from telemetry_quality.orchestration.specs import guardrail_specs, trust_spec
from telemetry_quality.orchestration.trust import evaluation_of_trust
from telemetry_quality.settings import SourceSettings


def build_asset_checks(names: SourceNames, settings: SourceSettings) -> dg.AssetChecksDefinition:
    """All guardrails of a source as non-blocking checks on its integrity snapshot, and the trust in the day."""
    specs = [*guardrail_specs(names, settings), trust_spec(names, settings)]

    @dg.multi_asset_check(
        name=names.named("guardrails"), specs=specs, can_subset=True, required_resource_keys={names.resource}
    )
    def guardrails(context: dg.AssetCheckExecutionContext) -> Iterator[Any]:
        selected = [spec for spec in specs if spec.key in context.selected_asset_check_keys]
        with heard(context, names, is_last=True):
            yield from _checked(context, names, selected)

    return guardrails


def _checked(
    context: dg.AssetCheckExecutionContext, names: SourceNames, selected: Sequence[dg.AssetCheckSpec]
) -> Iterator[Any]:
    """The evaluations of a run's days, one check after the other."""
    record_worker(context)
    telemetry = telemetry_of(context, names.resource)
    work, days = telemetry.work(names.source), partition_days(context)
    standing = work.standing(days, telemetry.clock(), context.run.run_id)
    snapshots = {day: snapshot for day, (snapshot, _) in standing.items()}
    found = _evaluations(work, standing, telemetry.settings.dashboard.url)
    targets = materialization_targets(context.instance, names.snapshot, days)
    pace = Pace(len(selected) * len(days), monotonic, "evaluations")
    for spec in selected:
        for day in days:
            if day in snapshots:
                yield dg.AssetCheckEvaluation(
                    asset_key=names.snapshot,
                    check_name=spec.name,
                    partition=day.isoformat(),
                    target_materialization_data=targets.get(day),
                    # A run of nothing but checks has nothing to block, and must not fail for what it found.
                    blocking=spec.blocking and context.run.job_name != names.recheck_day,
                    **found[day][spec.name],
                )
            telemetry.on_progress(1)
        pace.advance(len(days))
        context.log.info(f"Checked {spec.name}: {pace.sentence()}")
        yield dg.Output(None, output_name=spec.get_python_identifier())
    context.log.info(_closing_line(standing))
    _require_snapshots(days, snapshots)


def _closing_line(standing: Mapping[date, tuple[TelemetryIntegritySnapshot, Sequence[Verdict]]]) -> str:
    """What the checked days are like, in the last line of most runs."""
    checked = JudgedDays()
    for day in sorted(standing):
        checked.add(*standing[day])
    return checked.sentence("checked")


def _evaluations(
    work: DailyWork, standing: Mapping[date, tuple[TelemetryIntegritySnapshot, Sequence[Verdict]]], dashboard: str
) -> dict[date, dict[str, dict[str, Any]]]:
    """What each check says of each day that has a snapshot, by the check's name."""
    marks = marks_of(work.store.marked_days(work.name))
    return {
        day: {verdict.guardrail: evaluation_of(verdict, snapshot, dashboard) for verdict in verdicts}
        | {CHECK: evaluation_of_trust(trust_in(snapshot, marks.get(day), work.gate), snapshot, dashboard)}
        for day, (snapshot, verdicts) in standing.items()
    }


def _require_snapshots(days: Sequence[date], snapshots: Mapping[date, TelemetryIntegritySnapshot]) -> None:
    """Fail the run if a day has no snapshot or could not be read."""
    _fail_visibly([day.isoformat() for day in days if day not in snapshots], "have no snapshot to check")
    _fail_visibly(
        [
            f"{day} ({snapshots[day].unreadable_reason_code})"
            for day in days
            if day in snapshots and snapshots[day].unreadable_reason_code
        ],
        "could not be read; they are recorded as unknown",
    )


def evaluation_of(verdict: Verdict, snapshot: TelemetryIntegritySnapshot, dashboard: str) -> dict[str, Any]:
    """A verdict in Dagster's terms: passed or failed, ERROR for CRITICAL, WARN for other levels.

    A check with too little history passes and says so; on a day that could not be read, every check fails.
    """
    is_unreadable = verdict.reason_code == DAY_UNREADABLE
    return {
        "passed": verdict.outcome is not Outcome.FAILED and not is_unreadable,
        "severity": dg.AssetCheckSeverity.ERROR if verdict.level is Level.CRITICAL else dg.AssetCheckSeverity.WARN,
        "description": verdict.sentence,
        "metadata": {
            **dashboard_entry(dashboard, snapshot),
            "source": snapshot.source,
            "day": snapshot.day.isoformat(),
            "revision": str(snapshot.revision),
            "level": verdict.level.value,
            "outcome": verdict.outcome.value,
            "reason_code": verdict.reason_code,
            **_numbers(verdict),
        },
    }


def _numbers(verdict: Verdict) -> dict[str, Any]:
    """The judged value to plot, on its side of the threshold also when rounded; the threshold as text, a constant."""
    threshold = {} if verdict.threshold is None else {"threshold": f"{verdict.threshold:.15g}"}
    if verdict.value is None:
        return threshold
    digits = next((digits for digits in range(2, 8) if round(verdict.value, digits) != verdict.threshold), 8)
    return {"value": round(float(verdict.value), digits), **threshold}


def _fail_visibly(days: list[str], what: str) -> None:
    """Fail the run after everything is recorded: a day that nobody can vouch for must not look green."""
    if days:
        shown = ", ".join(days[:5]) + (", …" if len(days) > 5 else "")
        raise dg.Failure(f"{len(days)} of the run's days {what}: {shown}", allow_retries=False)
