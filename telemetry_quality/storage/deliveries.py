"""Deliveries in the store: what a channel has heard, and which process may send to it.

Nothing here is updated. Writers run one after another, so that a row is appended only if nobody else has added one to
the channel since it was read: two processes that decided the same cannot both send.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, or_, select

from telemetry_quality.core.messages.model import Delivery, DeliveryOutcome, Mention, MessageKind
from telemetry_quality.storage.chains import append
from telemetry_quality.storage.tables import current_snapshot, integrity_snapshot, running_hour
from telemetry_quality.storage.tables import delivery as stored

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from sqlalchemy import Connection

ATTEMPTS_KEPT_IN_MIND = timedelta(days=14)
"""Failed attempts that are older decide nothing any more; a receiver that stays away makes many of them."""

_ATTEMPTS = (DeliveryOutcome.CLAIMED.value, DeliveryOutcome.FAILED.value)


def deliveries(connection: Connection, channel: str, now: datetime) -> list[Delivery]:
    """The rows of a channel, oldest first, without attempts of long ago."""
    is_recent = stored.c.at >= now - ATTEMPTS_KEPT_IN_MIND
    query = (
        select(stored)
        .where(stored.c.channel == channel, or_(stored.c.outcome.not_in(_ATTEMPTS), is_recent))
        .order_by(stored.c.sequence)
    )
    return [_delivery(row) for row in connection.execute(query).mappings()]


def latest_deliveries(connection: Connection, channel: str | None, limit: int) -> list[Delivery]:
    """The last rows about messages, newest first, of one channel or of all."""
    shown = [outcome.value for outcome in DeliveryOutcome if outcome is not DeliveryOutcome.FOLLOWED]
    query = select(stored).where(stored.c.outcome.in_(shown)).order_by(stored.c.sequence.desc()).limit(limit)
    if channel is not None:
        query = query.where(stored.c.channel == channel)
    return [_delivery(row) for row in connection.execute(query).mappings()]


def append_delivery(connection: Connection, row: Delivery, after: int | None) -> int:
    """Append a row in a writing transaction; returns its position, or 0 if the channel has rows beyond ``after``."""
    if after is not None:
        last = connection.scalar(select(func.max(stored.c.sequence)).where(stored.c.channel == row.channel))
        if (last or 0) != after:
            return 0
    values = {
        "channel": row.channel,
        "message_key": row.key,
        "kind": row.kind.value,
        "outcome": row.outcome.value,
        "attempt": row.attempt,
        "at": row.at,
        "title": row.title,
        "mentions": [mention.as_json() for mention in row.mentions],
        "reason": row.reason,
    }
    append(connection, stored, values)
    return int(connection.scalar(select(func.max(stored.c.sequence))) or 0)


def days_judged_since(connection: Connection, source: str, instant: datetime) -> tuple[date, date] | None:
    """The first and the last day of which something new was stored since ``instant``; None if there is none."""
    kept, looked = integrity_snapshot.c, running_hour.c
    # No day is looked at long after it; without its days, all hours ever would be read.
    is_recent = looked.day >= (instant - timedelta(days=3)).date()
    found = [
        day
        for column, *conditions in (
            (kept.day, kept.source == source, kept.computed_at >= instant),
            (looked.day, looked.source == source, looked.looked_at >= instant, is_recent),
        )
        for day in connection.execute(select(func.min(column), func.max(column)).where(*conditions)).one()
        if day is not None
    ]
    return (min(found), max(found)) if found else None


def judgements(connection: Connection, source: str, first: date, last: date) -> list[tuple[date, datetime, bool]]:
    """Of each day that was judged or looked at, when that was last, and whether it is provisional.

    A running day counts as judged when a look last found something new in it.
    """
    kept, looked = current_snapshot.c, running_hour.c
    query = select(kept.day, kept.computed_at, kept.is_provisional).where(
        kept.source == source, kept.day.between(first, last)
    )
    judged = {day: (at, bool(is_provisional)) for day, at, is_provisional in connection.execute(query)}
    last_looks = (
        select(looked.day, func.max(looked.looked_at))
        .where(looked.source == source, looked.day.between(first, last))
        .group_by(looked.day)
    )
    looks = connection.execute(last_looks).all()
    return [
        *((day, at, is_provisional) for day, (at, is_provisional) in judged.items()),
        *((day, at, True) for day, at in looks if day not in judged),
    ]


def _delivery(row: Mapping[Any, Any]) -> Delivery:
    return Delivery(
        row["channel"],
        row["message_key"],
        MessageKind(row["kind"]),
        DeliveryOutcome(row["outcome"]),
        row["attempt"],
        row["at"],
        row["title"],
        tuple(map(Mention.from_json, row["mentions"])),
        row["reason"],
        row["sequence"],
    )
