"""Days that should be in the store and are not, and days that are there although they cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.days import ONE_DAY, days_between, latest_complete_day

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import date, datetime, timedelta

    from telemetry_quality.core.days import Calendar

DayRange = tuple["date", "date"]
"""The first and the last of consecutive days."""


def missing_days(calendar: Calendar, judged: Collection[date], now: datetime, lateness: timedelta) -> list[date]:
    """The days that have no snapshot although their events had time to arrive, oldest first."""
    latest = calendar.latest_day(now - lateness)
    return [day for day in days_between(calendar.first_day, latest) if day not in judged]


def day_ranges(days: Sequence[date]) -> list[DayRange]:
    """The ranges that ascending ``days`` consist of."""
    ranges: list[DayRange] = []
    for day in days:
        if ranges and ranges[-1][1] + ONE_DAY == day:
            ranges[-1] = ranges[-1][0], day
        else:
            ranges.append((day, day))
    return ranges


@dataclass(frozen=True, slots=True)
class Gaps:
    """What is wrong with which days of a source the store holds.

    Attributes:
        missing: The ranges of days that have no snapshot, oldest first.
        future: The days that have a snapshot although the clock says that they are not over yet.
        latest: The latest complete day, by the clock.
        newest: The latest day that has a snapshot and is over; None if there is none.
    """

    source: str
    missing: tuple[DayRange, ...]
    future: tuple[date, ...]
    latest: date
    newest: date | None

    @property
    def missing_count(self) -> int:
        """How many days have no snapshot."""
        return sum((last - first).days + 1 for first, last in self.missing)

    @property
    def is_overdue(self) -> bool:
        """Whether a day after the newest one should have a snapshot; older gaps fill themselves."""
        newest_missing = self.missing[-1][1] if self.missing else None
        return newest_missing is not None and (self.newest is None or self.newest < newest_missing)

    @property
    def command(self) -> str:
        """The command that makes the missing snapshots."""
        return f"telemetry-quality backfill --missing --source {self.source}"

    def sentences(self) -> list[str]:
        """What is wrong, and what to do about it."""
        return [*self._missing_sentence(), *self._future_sentence()]

    def _missing_sentence(self) -> Iterator[str]:
        if self.missing:
            days = "1 day has" if self.missing_count == 1 else f"{self.missing_count:,} days have"
            shown = ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in self.missing[:3])
            more = ", …" if self.missing[3:] else ""
            yield f"{self.source}: {days} no snapshot ({shown}{more}); run {self.command}."

    def _future_sentence(self) -> Iterator[str]:
        if self.future:
            yield (
                f"{self.source}: the store must end at {self.latest}, yesterday by this machine's clock, but holds "
                f"{len(self.future):,} later days, up to {self.future[-1]}; set the clock right if it is behind. "
                "If it was ahead, each of these days is read again once it is over."
            )

    def as_json(self) -> dict[str, Any]:
        """The gaps for machines."""
        return {
            "source": self.source,
            "missing_days": self.missing_count,
            "missing": [{"first": first.isoformat(), "last": last.isoformat()} for first, last in self.missing],
            "command": self.command if self.missing else None,
            "future_days": [day.isoformat() for day in self.future],
            "sentences": self.sentences(),
        }


def find_gaps(source: str, calendar: Calendar, judged: Collection[date], now: datetime, lateness: timedelta) -> Gaps:
    """The gaps of a source at the aware instant ``now``; ``judged`` are the days that have a snapshot."""
    # Days after the end of a data set are over too: they were judged before somebody said where it ends.
    latest = latest_complete_day(now, calendar.zone)
    future = tuple(sorted(day for day in judged if day > latest))
    newest = max((day for day in judged if day <= calendar.latest_day(now)), default=None)
    return Gaps(source, tuple(day_ranges(missing_days(calendar, judged, now, lateness))), future, latest, newest)
