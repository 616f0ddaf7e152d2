"""Dispatch: which alerts are pending, which of them somebody has muted or accepted, and who sends the others.

Pending alerts are derived from the store, so that nothing else has to survive: not the process that judged a day, not
Dagster's event log, not a cursor. A process claims an alert before it sends it, and settles it afterwards. If it dies
in between, its claim expires and the next process sends the alert: at least once, with the same key.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

from telemetry_quality.core.alerts import WITHDRAWN, Settlement, alert_of, changes, is_alert, withdrawal_of
from telemetry_quality.core.guardrails.verdicts import ACCEPTED, MARKED_SPECIAL
from telemetry_quality.core.incidents import Action, incidents_of, is_muted
from telemetry_quality.core.incidents.model import severity
from telemetry_quality.core.marks import Mark, days_marked, marks_of
from telemetry_quality.core.running.model import RUNNING
from telemetry_quality.interrupts import postponed_interrupts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from datetime import date, datetime

    from telemetry_quality.core.alerts import Alert
    from telemetry_quality.core.guardrails.verdicts import Level, Verdict
    from telemetry_quality.core.ports import QualityStore

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
"""How long a claim holds: longer than sending takes, and than the clocks of two machines differ."""

WAIT_SECONDS = 0.5
"""The pause before looking again at alerts that another process has claimed."""


@dataclass(frozen=True)
class Channel:
    """A way by which alerts are dispatched.

    Attributes:
        name: Under which the store keeps what was claimed and settled.
        send: Sends an alert within LEASE. An alert may come twice if a process dies before it could settle it: a
            receiver that must not see it twice compares ``Alert.key``.
    """

    name: str
    send: Callable[[Alert], None]


def log_channel(write: Callable[[Alert], None]) -> Channel:
    """The channel that exists without any settings: whichever log the running process writes to."""
    return Channel("log", write)


def pending_alerts(store: QualityStore, source: str, channel: Channel) -> list[Alert]:
    """Alerts about failures of a source that are not settled yet, the oldest day first, and then withdrawals.

    Failures are those of current snapshots, and of running days, which have no snapshot yet.
    """
    failures = [
        alert_of(source, day, revision, verdict)
        for day, revision, verdict in store.undispatched_verdicts(source, channel.name)
        if is_alert(verdict)
    ]
    withdrawn = store.withdrawn_verdicts(source, channel.name)
    return failures + [
        withdrawal_of(source, day, revision, verdict)
        for day, revision, verdict in withdrawn
        if verdict.reason_code not in {ACCEPTED, MARKED_SPECIAL}
    ]


def dispatch_pending(
    store: QualityStore,
    sources: Collection[str],
    channel: Channel,
    clock: Callable[[], datetime],
    at_most: int | None = None,
) -> int:
    """Send the pending alerts of ``sources``, but no more than ``at_most``; returns how many were sent.

    Two kinds are settled without being sent: alerts of muted or accepted incidents, and alerts that repeat those of an
    earlier revision without a new scan, because other thresholds or another history changed nothing. Alerts that
    another process has claimed are left to it.
    """
    with store.kept_open():
        sent = (
            alert
            for source in sources
            for alert in _worth_sending(store, pending_alerts(store, source, channel)[:at_most], channel, clock())
            if _send(store, alert, channel, clock)
        )
        return sum(1 for _ in islice(sent, at_most))


def dispatch_all(
    store: QualityStore,
    sources: Collection[str],
    channel: Channel,
    clock: Callable[[], datetime],
    wait: Callable[[float], None],
) -> int:
    """Send all pending alerts of ``sources``, also those that a process had claimed when it died.

    Waits until nothing is pending, but no longer than such a claim holds.
    """
    sent = dispatch_pending(store, sources, channel, clock)
    for pause in range(int(LEASE.total_seconds() / WAIT_SECONDS) + 1):
        claimed = sum(len(pending_alerts(store, source, channel)) for source in sources)
        if not claimed:
            break
        if pause == 1:
            log.warning(
                "Pending alerts that another process has claimed: %d; waiting for it, or up to %d s if it has died",
                claimed,
                LEASE.total_seconds(),
            )
        wait(WAIT_SECONDS)
        sent += dispatch_pending(store, sources, channel, clock)
    return sent


def _send(store: QualityStore, alert: Alert, channel: Channel, clock: Callable[[], datetime]) -> bool:
    """Claim, send and settle an alert; False if another process does so."""
    # Ctrl-C between sending and settling would send the alert again.
    with postponed_interrupts():
        attempt = store.claim_alert(alert, channel.name, clock(), LEASE)
        if not attempt:
            return False
        channel.send(replace(alert, attempt=attempt))
        store.settle_alerts([alert], channel.name, Settlement.DISPATCHED, clock())
    return True


def _worth_sending(store: QualityStore, pending: Sequence[Alert], channel: Channel, now: datetime) -> Iterator[Alert]:
    """The ``pending`` alerts that are neither muted nor repeated; the others are settled."""
    complete = [_since_the_revision_before(store, alert, channel) for alert in pending]
    new = [alert for alert, is_repeated in complete if not is_repeated]
    repeated = [alert for alert, is_repeated in complete if is_repeated]
    unmuted = unmuted_alerts(store, new, now.date()) if new else []
    muted = set(new) - set(unmuted)
    for withheld, settlement in (
        (repeated, Settlement.REPEATED),
        ([alert for alert in new if alert in muted], Settlement.MUTED),
    ):
        if withheld:
            store.settle_alerts(withheld, channel.name, settlement, now)
    yield from unmuted


def _since_the_revision_before(store: QualityStore, alert: Alert, channel: Channel) -> tuple[Alert, bool]:
    """The alert with what changed since the revision before, and whether it only repeats a settled one."""
    if alert.revision == RUNNING or alert.reason_code == WITHDRAWN:
        return alert, False
    settled = store.settled_levels(alert, channel.name)
    if settled.keys() == {RUNNING}:
        return _since_it_was_running(alert, settled[RUNNING])
    if alert.revision == 1:
        return alert, False
    revisions = {snapshot.revision: snapshot for snapshot in store.revisions(alert.source, alert.day)}
    earlier, later = revisions[alert.revision - 1], revisions[alert.revision]
    complete = replace(alert, sentence=f"{alert.sentence} {changes(earlier, later)}")
    verdicts = store.verdicts(alert.source, alert.day, alert.day).get(alert.day, {})
    # Revisions between which nobody looked were not settled, but say the same all the more.
    for revision in range(alert.revision - 1, 0, -1):
        is_same_scan = revisions[revision].scan_hash == later.scan_hash
        if not is_same_scan or not _says_the_same(verdicts.get(revision, ()), alert):
            break
        if revision in settled:
            return complete, True
    return complete, False


def _since_it_was_running(alert: Alert, level: Level) -> tuple[Alert, bool]:
    """The same for a day of which nothing but an alert of ``level`` was settled, while it was running."""
    if severity(alert.level) >= severity(level):
        return alert, True
    return replace(alert, sentence=f"{alert.sentence} While the day was running, this was {level}."), False


def _says_the_same(verdicts: Sequence[Verdict], alert: Alert) -> bool:
    return any(
        (verdict.guardrail, verdict.level, verdict.reason_code) == (alert.guardrail, alert.level, alert.reason_code)
        for verdict in verdicts
    )


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
