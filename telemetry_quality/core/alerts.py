"""Alerts: which verdicts somebody must hear about, and in which words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails import judge_day
from telemetry_quality.core.guardrails.activity import NAME as ACTIVITY
from telemetry_quality.core.guardrails.verdicts import DAY_UNREADABLE, Level, Outcome, Verdict

if TYPE_CHECKING:
    from datetime import date

    from telemetry_quality.core.policies import Policy
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to tell once: unique by source, day, guardrail and revision."""

    source: str
    day: date
    guardrail: str
    revision: int
    level: Level
    reason_code: str
    sentence: str

    def line(self) -> str:
        """The text that is logged."""
        return (
            f"{self.level} {self.source} {self.day} {self.guardrail} [{self.reason_code}] {self.sentence} "
            f"(revision {self.revision})"
        )


def is_alert(verdict: Verdict) -> bool:
    """Whether a verdict must be told: failures, and once for a day that could not be read."""
    unreadable = verdict.guardrail == ACTIVITY and verdict.reason_code == DAY_UNREADABLE
    return verdict.outcome is Outcome.FAILED or unreadable


def alerts_of(snapshot: TelemetryIntegritySnapshot, policy: Policy) -> tuple[Alert, ...]:
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
        for verdict in judge_day(snapshot, policy)
        if is_alert(verdict)
    )
