"""The running day of each source, read for code that shows it: nothing of it is written here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select

from telemetry_quality.storage.running_hours import running_hours
from telemetry_quality.storage.tables import running_hour as stored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from telemetry_quality.core.running.model import RunningHour


class RunningPosition(NamedTuple):
    """The last running hour that was stored; its hash covers all before it."""

    sequence: int
    content_hash: str


@dataclass(frozen=True, slots=True)
class RunningDays:
    """What looks have found since a position.

    Attributes:
        last: The last running hour in the store; None if there is none.
        hours: Of each source that was looked at since, the latest revisions of the hours of its last day, in order.
        is_whole: Whether these are all sources: nothing was asked for before, or the store was replaced since.
    """

    last: RunningPosition | None
    hours: Mapping[str, tuple[RunningHour, ...]]
    is_whole: bool


def running_days(connection: Connection, after: RunningPosition | None) -> RunningDays:
    """What looks have found since ``after``, or all of it if the store does not hold that position any more."""
    kept = stored.c
    position = select(kept.sequence, kept.content_hash)
    last = connection.execute(position.order_by(kept.sequence.desc()).limit(1)).one_or_none()
    is_whole = (
        after is None
        or not connection.execute(
            position.where(kept.sequence == after.sequence, kept.content_hash == after.content_hash)
        ).all()
    )
    looked_at = select(kept.source).where(kept.sequence > (0 if is_whole or after is None else after.sequence))
    sources = connection.scalars(looked_at.distinct().order_by(kept.source)).all()
    hours = {source: _last_day(connection, source) for source in sources}
    return RunningDays(None if last is None else RunningPosition(*last), hours, is_whole)


def _last_day(connection: Connection, source: str) -> tuple[RunningHour, ...]:
    last = connection.scalar(select(func.max(stored.c.day)).where(stored.c.source == source))
    return tuple(running_hours(connection, source, stored.c.day == last).get(last, ()))
