"""Alerts: which verdicts somebody must hear about, and in which words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails.activity import NAME as ACTIVITY
from telemetry_quality.core.guardrails.verdicts import DAY_UNREADABLE, Level, Outcome, Verdict
from telemetry_quality.core.incidents import Act, incidents_of, is_muted
from telemetry_quality.core.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date, datetime

    from telemetry_quality.core.ports import QualityStore
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot

COMPARED = {
    "total_events": ("events", ",.0f"),
    "expected_events": ("expected", ",.0f"),
    "error_rate_percent": ("% errors", ".2f"),
    "missing_version_percent": ("% without a version", ".2f"),
    "sampling_success_rate_percent": ("% of the sample passed", ".1f"),
    "duplicate_percent": ("% repeated", ".2f"),
    "late_percent": ("% late", ".2f"),
}
"""The figures that tell what a new revision changed, each with its words and its format."""


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
        """The text that is logged, one line whatever the names of events hold."""
        return visible(
            f"{self.level} {self.source} {self.day} {self.guardrail} [{self.reason_code}] {self.sentence} "
            f"(revision {self.revision})"
        )


def is_alert(verdict: Verdict) -> bool:
    """Whether a verdict must be told: failures, and once for a day that could not be read."""
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


def tell(store: QualityStore, alerts: Sequence[Alert], log: Callable[[Alert], None], now: datetime) -> int:
    """Log those of ``alerts`` that are news, then keep all; return how many were logged.

    Logged first and kept after: a crash in between repeats an alert rather than losing it. Not logged, but kept,
    are alerts of incidents that somebody muted, and those of a revision that says what the one before it told
    already without the day having been read anew: other thresholds or another history that change nothing.
    """
    fresh = store.new_alerts(alerts)
    complete = [_since_the_revision_before(store, one) for one in fresh]
    told = [one for one, is_news in complete if is_news]
    loud = audible(store, told, now.date()) if told else []
    for one in loud:
        log(one)
    if fresh:
        store.append_alerts([one for one, _ in complete], now)
    return len(loud)


def _since_the_revision_before(store: QualityStore, alert: Alert) -> tuple[Alert, bool]:
    """The alert with what changed since the revision before it, and whether it is news at all."""
    if alert.revision == 1:
        return alert, True
    revisions = {one.revision: one for one in store.revisions(alert.source, alert.day)}
    earlier, its = revisions.get(alert.revision - 1), revisions.get(alert.revision)
    if earlier is None or its is None:
        return alert, True
    is_told = not store.new_alerts([replace(alert, revision=alert.revision - 1)])
    verdicts = store.verdicts(alert.source, alert.day, alert.day).get(alert.day, {}).get(alert.revision - 1, ())
    says_the_same = any(
        (one.guardrail, one.level, one.reason_code) == (alert.guardrail, alert.level, alert.reason_code)
        for one in verdicts
    )
    is_news = not (is_told and says_the_same and earlier.reading_hash == its.reading_hash)
    return replace(alert, sentence=f"{alert.sentence} {changes(earlier, its)}"), is_news


def changes(earlier: TelemetryIntegritySnapshot, later: TelemetryIntegritySnapshot) -> str:
    """What a revision changed, in one sentence."""
    told = []
    for name, (words, form) in COMPARED.items():
        values = getattr(earlier, name), getattr(later, name)
        before, after = ("unknown" if value is None else format(value, form) for value in values)
        if before != after:
            told.append(f"{after} {words} instead of {before}")
    if earlier.policy != later.policy:
        told.append("other thresholds")
    return f"Since revision {earlier.revision}: {', '.join(told) or 'none of the main figures changed'}."


def audible(store: QualityStore, alerts: Sequence[Alert], today: date) -> list[Alert]:
    """Those of ``alerts`` whose incident nobody has muted up to ``today``."""
    muted: set[tuple[str, date, str]] = set()
    for source in {one.source for one in alerts}:
        if any(act.act is Act.MUTE and act.until and act.until >= today for act in store.acts(source)):
            days = [one.day for one in alerts if one.source == source]
            muted |= {
                (source, failure.day, failure.guardrail)
                for incident in incidents_of(store, source, min(days), max(days))
                if is_muted(incident, today)
                for failure in incident.failures
            }
    return [one for one in alerts if (one.source, one.day, one.guardrail) not in muted]
