"""Alerts: which verdicts must be dispatched, and in which words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails.activity import NAME as ACTIVITY
from telemetry_quality.core.guardrails.catalogue import metric_named
from telemetry_quality.core.guardrails.verdicts import DAY_UNREADABLE, Level, Outcome, Verdict
from telemetry_quality.core.metrics import METRICS, Unit
from telemetry_quality.core.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from telemetry_quality.core.metrics import Metric
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert, which is dispatched once; unique by source, day, guardrail and revision."""

    source: str
    day: date
    guardrail: str
    revision: int
    level: Level
    reason_code: str
    sentence: str

    def line(self) -> str:
        """The text that is logged, on one line whatever event names contain."""
        return visible(
            f"{self.level} {self.source} {self.day} {self.guardrail} [{self.reason_code}] {self.sentence} "
            f"(revision {self.revision})"
        )


def is_alert(verdict: Verdict) -> bool:
    """Whether a verdict must be dispatched: every failure, and one verdict of a day that could not be read."""
    unreadable = verdict.guardrail == ACTIVITY and verdict.reason_code == DAY_UNREADABLE
    return verdict.outcome is Outcome.FAILED or unreadable


def alerts_of(snapshot: TelemetryIntegritySnapshot, verdicts: Iterable[Verdict]) -> tuple[Alert, ...]:
    """The alerts of a stored snapshot.

    Raises:
        ValueError: If the snapshot has no revision, because it was never stored.
    """
    if snapshot.revision is None:
        raise ValueError("An alert requires a stored snapshot, but this one has no revision; append it first.")
    return tuple(
        Alert(
            snapshot.source,
            snapshot.day,
            verdict.guardrail,
            snapshot.revision,
            verdict.level,
            verdict.reason_code,
            verdict.sentence,
        )
        for verdict in verdicts
        if is_alert(verdict)
    )


def changes(earlier: TelemetryIntegritySnapshot, later: TelemetryIntegritySnapshot) -> str:
    """What changed between two revisions, in one sentence."""
    extra = dict.fromkeys((*earlier.extra_numbers, *later.extra_numbers))
    changed = []
    for metric in (*(metric for metric in METRICS if metric.phrase), *map(metric_named, extra)):
        before, after = (_number(metric, snapshot.number(metric.name)) for snapshot in (earlier, later))
        if before != after:
            changed.append(f"{after} {_words(metric)} instead of {before}")
    if earlier.policy != later.policy:
        changed.append("other thresholds")
    return f"Since revision {earlier.revision}: {', '.join(changed) or 'none of the main figures changed'}."


def _number(metric: Metric, value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.{metric.digits}f}"


def _words(metric: Metric) -> str:
    """The unit and name of a number, such as ``events`` or ``% errors``."""
    phrase = metric.phrase or metric.label
    return phrase if metric.unit is Unit.EVENTS else f"% {phrase}"
