"""Alerts in the store: which are pending on a channel, who may send one, and what became of it.

Nothing here is updated. A claim is a row, and so is its end: writers run one after another, so that what a transaction
has found still holds when it appends.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, exists, func, select

from telemetry_quality.core.alerts import Settlement
from telemetry_quality.core.guardrails.verdicts import Level, Outcome
from telemetry_quality.core.ports import StoredVerdict
from telemetry_quality.core.running.model import RUNNING
from telemetry_quality.storage.chains import append
from telemetry_quality.storage.history import FAILED
from telemetry_quality.storage.rows import VERDICT_COLUMNS, as_text, verdicts_of
from telemetry_quality.storage.running_hours import running_verdicts, unjudged_since
from telemetry_quality.storage.tables import alert as settled
from telemetry_quality.storage.tables import alert_claim, guardrail_verdict, integrity_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    from sqlalchemy import ColumnElement, Connection, Table

    from telemetry_quality.core.alerts import Alert

_VERDICT = guardrail_verdict.c


def undispatched_verdicts(connection: Connection, source: str, channel: str) -> list[StoredVerdict]:
    """What failed in current snapshots or on running days and was not settled on the channel, the oldest day first."""
    query = (
        select(*as_text(guardrail_verdict, ("day", "revision", *VERDICT_COLUMNS)))
        .where(_VERDICT.source == source, FAILED, _is_current(), ~_is_settled(channel))
        .order_by(_VERDICT.day, _VERDICT.position)
    )
    found = [StoredVerdict(*found) for found in verdicts_of(connection.execute(query).all())]
    return sorted([*found, *_of_running_days(connection, source, channel)], key=attrgetter("day"))


def _of_running_days(connection: Connection, source: str, channel: str) -> Iterator[StoredVerdict]:
    """What failed on running days and was not settled on the channel."""
    running = running_verdicts(connection, source)
    if not running:
        return
    query = select(settled.c.day, settled.c.guardrail).where(
        settled.c.source == source,
        settled.c.day.in_(running),
        settled.c.revision == RUNNING,
        settled.c.channel == channel,
    )
    known = {tuple(row) for row in connection.execute(query)}
    for day, verdicts in running.items():
        yield from (
            StoredVerdict(day, RUNNING, verdict) for verdict in verdicts if (day, verdict.guardrail) not in known
        )


def withdrawn_verdicts(connection: Connection, source: str, channel: str) -> list[StoredVerdict]:
    """What passes in current snapshots after an alert while the day was running, and the channel has not heard."""
    since = unjudged_since(connection, source)
    if since is None:
        return []
    same = (settled.c[name] == _VERDICT[name] for name in ("source", "day", "guardrail"))
    was_dispatched = exists().where(
        *same,
        settled.c.revision == RUNNING,
        settled.c.channel == channel,
        settled.c.settlement == Settlement.DISPATCHED.value,
    )
    later = settled.alias("later")
    was_heard_since = exists().where(
        *(later.c[name] == _VERDICT[name] for name in ("source", "day", "guardrail")),
        later.c.revision > RUNNING,
        later.c.channel == channel,
    )
    query = (
        select(*as_text(guardrail_verdict, ("day", "revision", *VERDICT_COLUMNS)))
        .where(_VERDICT.source == source, _VERDICT.day >= since, _VERDICT.outcome == Outcome.PASSED.value)
        .where(_is_current(), was_dispatched, ~was_heard_since)
        .order_by(_VERDICT.day, _VERDICT.position)
    )
    return [StoredVerdict(*found) for found in verdicts_of(connection.execute(query).all())]


def settled_levels(connection: Connection, alert: Alert, channel: str) -> dict[int, Level]:
    """The revisions of the day in which an alert of the guardrail was settled on the channel, with its level."""
    query = select(settled.c.revision, settled.c.level).where(
        settled.c.source == alert.source,
        settled.c.day == alert.day,
        settled.c.guardrail == alert.guardrail,
        settled.c.channel == channel,
    )
    return {revision: Level(level) for revision, level in connection.execute(query)}


def claim_alert(connection: Connection, alert: Alert, channel: str, now: datetime, lease: timedelta) -> int:
    """Claim an alert in a writing transaction, unless it is settled, replaced or claimed by somebody else."""
    query = select(alert_claim.c.attempt, alert_claim.c.claimed_at).where(_is_about(alert_claim, alert, channel))
    last = connection.execute(query.order_by(alert_claim.c.attempt.desc()).limit(1)).first()
    # A claim made far in the future by a wrong clock holds nobody up.
    if last is not None and abs(now - last.claimed_at) < lease:
        return 0
    if not _is_pending(connection, alert, channel):
        return 0
    attempt: int = 1 if last is None else last.attempt + 1
    append(connection, alert_claim, {**_key_of(alert, channel), "attempt": attempt, "claimed_at": now})
    return attempt


def _is_pending(connection: Connection, alert: Alert, channel: str) -> bool:
    """Whether the alert is neither settled nor replaced by a newer revision."""
    if alert.revision == RUNNING:
        pending = _of_running_days(connection, alert.source, channel)
        return any((day, verdict.guardrail) == (alert.day, alert.guardrail) for day, _, verdict in pending)
    query = select(_VERDICT.id).where(
        _VERDICT.source == alert.source,
        _VERDICT.day == alert.day,
        _VERDICT.revision == alert.revision,
        _VERDICT.guardrail == alert.guardrail,
        _is_current(),
        ~_is_settled(channel),
    )
    return connection.execute(query).first() is not None


def settle_alert(connection: Connection, alert: Alert, channel: str, settlement: Settlement, now: datetime) -> None:
    """Store what became of an alert in a writing transaction, unless that is stored already."""
    if connection.execute(select(settled.c.sequence).where(_is_about(settled, alert, channel))).first() is not None:
        return
    said = {"level": alert.level.value, "reason_code": alert.reason_code, "sentence": alert.sentence}
    became = {"settlement": settlement.value, "settled_at": now}
    append(connection, settled, {**_key_of(alert, channel), **said, **became})


def _is_current() -> ColumnElement[bool]:
    """Whether a verdict belongs to the newest revision of its day."""
    newest = (
        select(func.max(integrity_snapshot.c.revision))
        .where(integrity_snapshot.c.source == _VERDICT.source, integrity_snapshot.c.day == _VERDICT.day)
        .scalar_subquery()
    )
    return _VERDICT.revision == newest


def _is_settled(channel: str) -> ColumnElement[bool]:
    """Whether the alert about a verdict is settled on the channel."""
    same = (settled.c[name] == _VERDICT[name] for name in ("source", "day", "guardrail", "revision"))
    return exists().where(*same, settled.c.channel == channel)


def _is_about(stored: Table, alert: Alert, channel: str) -> ColumnElement[bool]:
    """Whether a row is about an alert on a channel."""
    return and_(*(stored.c[name] == value for name, value in _key_of(alert, channel).items()))


def _key_of(alert: Alert, channel: str) -> dict[Any, Any]:
    return {
        "source": alert.source,
        "day": alert.day,
        "revision": alert.revision,
        "guardrail": alert.guardrail,
        "channel": channel,
    }
