"""Dispatch: which alerts are new, and which of them somebody has muted or accepted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from telemetry_quality.core.alerts import changes
from telemetry_quality.core.incidents import Action, incidents_of, is_muted
from telemetry_quality.core.marks import Mark, days_marked, marks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date, datetime

    from telemetry_quality.core.alerts import Alert
    from telemetry_quality.core.ports import QualityStore


def dispatch(store: QualityStore, alerts: Sequence[Alert], log: Callable[[Alert], None], now: datetime) -> int:
    """Log the new ones of ``alerts``, then store all; returns how many were logged.

    Alerts are logged first and stored afterwards: a crash in between repeats an alert rather than losing it. Two kinds
    are stored but not logged: alerts of muted or accepted incidents, and alerts of a revision that repeats a dispatched
    verdict of the revision before without a new scan, because other thresholds or another history changed nothing.
    """
    fresh = store.new_alerts(alerts)
    complete = [_since_the_revision_before(store, alert) for alert in fresh]
    new = [alert for alert, is_new in complete if is_new]
    unmuted = unmuted_alerts(store, new, now.date()) if new else []
    for alert in unmuted:
        log(alert)
    if fresh:
        store.append_alerts([alert for alert, _ in complete], now)
    return len(unmuted)


def _since_the_revision_before(store: QualityStore, alert: Alert) -> tuple[Alert, bool]:
    """The alert with what changed since the revision before, and whether it is new at all."""
    if alert.revision == 1:
        return alert, True
    revisions = {snapshot.revision: snapshot for snapshot in store.revisions(alert.source, alert.day)}
    earlier, later = revisions.get(alert.revision - 1), revisions.get(alert.revision)
    if earlier is None or later is None:
        return alert, True
    is_dispatched = not store.new_alerts([replace(alert, revision=alert.revision - 1)])
    verdicts = store.verdicts(alert.source, alert.day, alert.day).get(alert.day, {}).get(alert.revision - 1, ())
    says_the_same = any(
        (verdict.guardrail, verdict.level, verdict.reason_code) == (alert.guardrail, alert.level, alert.reason_code)
        for verdict in verdicts
    )
    is_new = not (is_dispatched and says_the_same and earlier.scan_hash == later.scan_hash)
    return replace(alert, sentence=f"{alert.sentence} {changes(earlier, later)}"), is_new


def unmuted_alerts(store: QualityStore, alerts: Sequence[Alert], today: date) -> list[Alert]:
    """The ``alerts`` whose incident is neither muted on ``today`` nor accepted, and whose day is not accepted."""
    muted: set[tuple[str, date, str]] = set()
    for source in {alert.source for alert in alerts}:
        if any(
            action.action is Action.ACCEPT
            or (action.action is Action.MUTE and action.until is not None and action.until >= today)
            for action in store.incident_actions(source)
        ):
            days = [alert.day for alert in alerts if alert.source == source]
            muted |= {
                (source, failure.day, failure.guardrail)
                for incident in incidents_of(store, source, min(days), max(days))
                if is_muted(incident, today) or incident.is_accepted
                for failure in incident.failures
            }
        accepted = days_marked(marks_of(store.marked_days(source)), {Mark.ACCEPTED})
        muted |= {(source, alert.day, alert.guardrail) for alert in alerts if alert.day in accepted}
    return [alert for alert in alerts if (alert.source, alert.day, alert.guardrail) not in muted]
