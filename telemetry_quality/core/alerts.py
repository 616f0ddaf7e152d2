"""Alerts: which verdicts must be dispatched, and in which words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails.activity import NAME as ACTIVITY
from telemetry_quality.core.guardrails.catalogue import metric_named
from telemetry_quality.core.guardrails.verdicts import DAY_UNREADABLE, Level, Outcome, Verdict
from telemetry_quality.core.metrics import METRICS, Unit
from telemetry_quality.core.running.model import RUNNING
from telemetry_quality.core.visible import visible

if TYPE_CHECKING:
    from datetime import date

    from telemetry_quality.core.metrics import Metric
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot


WITHDRAWN = "WITHDRAWN"
"""Why a passing guardrail is dispatched: it had failed while the day was running."""


class Settlement(StrEnum):
    """What became of an alert on a channel; whatever it was, the alert is not pending any more."""

    DISPATCHED = "dispatched"
    """It was sent."""
    MUTED = "muted"
    """Withheld, because its incident was muted, or its incident or its day accepted."""
    REPEATED = "repeated"
    """Withheld, because an earlier revision was settled that said the same of the same scan."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert, which is dispatched once by each channel; unique by source, day, guardrail and revision.

    Attributes:
        attempt: How often it has been claimed for sending; later attempts may repeat an earlier one.
    """

    source: str
    day: date
    guardrail: str
    revision: int
    level: Level
    reason_code: str
    sentence: str
    attempt: int = 1

    @property
    def key(self) -> str:
        """The same text whenever the alert is sent, by which a receiver can drop what it has received before."""
        return f"{self.source}/{self.day}/{self.guardrail}/{self.revision}"

    def line(self) -> str:
        """The text that is logged, on one line whatever event names contain."""
        again = "" if self.attempt == 1 else f", attempt {self.attempt}: a process died while it sent this"
        of = "running day" if self.revision == RUNNING else f"revision {self.revision}"
        return visible(
            f"{self.level} {self.source} {self.day} {self.guardrail} [{self.reason_code}] {self.sentence} ({of}{again})"
        )


def is_alert(verdict: Verdict) -> bool:
    """Whether a verdict must be dispatched: every failure, and one verdict of a day that could not be read."""
    unreadable = verdict.guardrail == ACTIVITY and verdict.reason_code == DAY_UNREADABLE
    return verdict.outcome is Outcome.FAILED or unreadable


def alert_of(source: str, day: date, revision: int, verdict: Verdict) -> Alert:
    """The alert about a verdict of a stored snapshot."""
    return Alert(source, day, verdict.guardrail, revision, verdict.level, verdict.reason_code, verdict.sentence)


def withdrawal_of(source: str, day: date, revision: int, verdict: Verdict) -> Alert:
    """The alert that takes back what was found while the day was running: in its snapshot, ``verdict`` passes."""
    sentence = (
        f"Withdrawn: what was found while the day was running, the whole day does not confirm. {verdict.sentence}"
    )
    return Alert(source, day, verdict.guardrail, revision, Level.INFO, WITHDRAWN, sentence)


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
