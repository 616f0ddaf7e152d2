"""Whether days are still being judged: what a monitor asks about the watcher itself, not about the telemetry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import date, datetime

    from telemetry_quality.core.days import Calendar
    from telemetry_quality.core.gaps import Gaps

HOUR = timedelta(hours=1)


class WatchState(IntEnum):
    """How the watching goes; the values are the exit codes of monitoring plugins (Monitoring Plugins, guidelines)."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True)
class Watch:
    """How far the watching of a source has come.

    Attributes:
        newest_day: The latest day that has a snapshot and is over; None if there is none.
        age: How long ago that day ended.
    """

    source: str
    state: WatchState
    sentence: str
    newest_day: date | None = None
    age: timedelta | None = None

    def as_json(self) -> dict[str, Any]:
        """The answer for machines."""
        return {
            "source": self.source,
            "state": self.state.name,
            "sentence": self.sentence,
            "newest_day": self.newest_day and self.newest_day.isoformat(),
            "age_seconds": None if self.age is None else self.age.total_seconds(),
        }


def watch(
    gaps: Gaps, calendar: Calendar, now: datetime, max_age: timedelta, unreadable_reason_code: str | None
) -> Watch:
    """How the watching of a source goes.

    Args:
        gaps: What the store holds of the source.
        calendar: The days of the source.
        now: The aware current instant.
        max_age: How long ago the newest day may have ended; a data set that has ended may be older.
        unreadable_reason_code: Why the newest day could not be read; None if it was.
    """
    newest = gaps.newest
    if newest is None:
        return Watch(gaps.source, WatchState.CRITICAL, f"{gaps.source}: no day has been judged.")
    age = now - calendar.window(newest).end
    ended = f"{gaps.source}: the newest day is {newest}, which ended {age / HOUR:.1f} hours ago"
    if gaps.future:
        return Watch(gaps.source, WatchState.CRITICAL, " ".join(gaps.sentences()), newest, age)
    if age > max_age and newest != calendar.last_day:
        sentence = f"{ended}, more than the {max_age / HOUR:g} allowed; is Dagster's daemon, or cron, running?"
        return Watch(gaps.source, WatchState.CRITICAL, sentence, newest, age)
    if unreadable_reason_code is not None:
        sentence = f"{ended}, but it could not be read ({unreadable_reason_code})."
        return Watch(gaps.source, WatchState.WARNING, sentence, newest, age)
    if gaps.missing:
        return Watch(gaps.source, WatchState.WARNING, " ".join(gaps.sentences()), newest, age)
    return Watch(gaps.source, WatchState.OK, f"{ended}.", newest, age)
