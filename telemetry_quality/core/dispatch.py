"""Dispatch: which of the alerts are news, and which of those somebody has muted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from telemetry_quality.core.alerts import changes
from telemetry_quality.core.incidents import Action, incidents_of, is_muted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date, datetime

    from telemetry_quality.core.alerts import Alert
    from telemetry_quality.core.ports import QualityStore


def dispatch(store: QualityStore, alerts: Sequence[Alert], log: Callable[[Alert], None], now: datetime) -> int:
    """Log those of ``alerts`` that are news, then keep all; return how many were logged.

    Logged first and kept after: a crash in between repeats an alert rather than losing it. Not logged, but kept,
    are alerts of incidents that somebody muted, and those of a revision that says what the one before it said
    already without the day having been read anew: other thresholds or another history that change nothing.
    """
    fresh = store.new_alerts(alerts)
    complete = [_since_the_revision_before(store, one) for one in fresh]
    new = [one for one, is_new in complete if is_new]
    unmuted = unmuted_alerts(store, new, now.date()) if new else []
    for one in unmuted:
        log(one)
    if fresh:
        store.append_alerts([one for one, _ in complete], now)
    return len(unmuted)


def _since_the_revision_before(store: QualityStore, alert: Alert) -> tuple[Alert, bool]:
    """The alert with what changed since the revision before it, and whether it is news at all."""
    if alert.revision == 1:
        return alert, True
    revisions = {one.revision: one for one in store.revisions(alert.source, alert.day)}
    earlier, its = revisions.get(alert.revision - 1), revisions.get(alert.revision)
    if earlier is None or its is None:
        return alert, True
    is_dispatched = not store.new_alerts([replace(alert, revision=alert.revision - 1)])
    verdicts = store.verdicts(alert.source, alert.day, alert.day).get(alert.day, {}).get(alert.revision - 1, ())
    says_the_same = any(
        (one.guardrail, one.level, one.reason_code) == (alert.guardrail, alert.level, alert.reason_code)
        for one in verdicts
    )
    is_new = not (is_dispatched and says_the_same and earlier.scan_hash == its.scan_hash)
    return replace(alert, sentence=f"{alert.sentence} {changes(earlier, its)}"), is_new


def unmuted_alerts(store: QualityStore, alerts: Sequence[Alert], today: date) -> list[Alert]:
    """Those of ``alerts`` whose incident nobody has muted up to ``today``."""
    muted: set[tuple[str, date, str]] = set()
    for source in {one.source for one in alerts}:
        if any(
            action.action is Action.MUTE and action.until and action.until >= today
            for action in store.incident_actions(source)
        ):
            days = [one.day for one in alerts if one.source == source]
            muted |= {
                (source, failure.day, failure.guardrail)
                for incident in incidents_of(store, source, min(days), max(days))
                if is_muted(incident, today)
                for failure in incident.failures
            }
    return [one for one in alerts if (one.source, one.day, one.guardrail) not in muted]
