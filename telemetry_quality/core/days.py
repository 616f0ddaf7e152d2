"""Days: half-open windows of instants in a time zone, daylight saving included."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from telemetry_quality.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DayWindow:
    """A local day as the instants ``start <= t < end``, both aware and in UTC.

    A day has 23, 24 or 25 hours; a day that a zone skipped altogether (Samoa, 2011-12-30) has 0.
    """

    day: date
    start: datetime
    end: datetime

    @property
    def hours(self) -> float:
        """Length of the day in hours."""
        return (self.end - self.start).total_seconds() / 3600


# Judging and showing many days asks for the same ones again and again, and each takes 20 µs.
@lru_cache(maxsize=8192)
def day_window(day: date, zone: ZoneInfo) -> DayWindow:
    """The window of ``day`` in ``zone``."""
    return DayWindow(day, _first_instant(day, zone), _first_instant(day + ONE_DAY, zone))


def clock_times(day: date, hours: tuple[int, int], zone: ZoneInfo) -> tuple[str, str] | None:
    """When the first of ``hours`` since the day began begins and the last one ends, by the clock in ``zone``.

    None where that is what counting hours from midnight says anyway: except on two days a year, if at all.
    """
    window = day_window(day, zone)
    begin, end = (window.start + timedelta(hours=hour) for hour in (hours[0], hours[1] + 1))
    shown = f"{begin.astimezone(zone):%H:%M}", "24:00" if end >= window.end else f"{end.astimezone(zone):%H:%M}"
    return None if shown == (f"{hours[0]:02}:00", f"{hours[1] + 1:02}:00") else shown


def _first_instant(day: date, zone: ZoneInfo) -> datetime:
    """The instant at which ``day`` begins; if clocks jump over midnight, the instant of the jump."""
    midnight = datetime.combine(day, time.min)
    before = midnight.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if before.astimezone(zone).replace(tzinfo=None) == midnight:
        return before
    # Midnight does not exist: the jump lies between the two instants it has by the later and the earlier offset.
    low = midnight.replace(tzinfo=zone, fold=1).astimezone(UTC)
    high = before
    while high - low > timedelta(seconds=1):
        middle = (low + (high - low) / 2).replace(microsecond=0)
        low, high = (low, middle) if middle.astimezone(zone).date() >= day else (middle, high)
    return high


def days_between(first: date, last: date) -> Iterator[date]:
    """Every day from ``first`` to ``last``, inclusive."""
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)


def in_utc(instant: datetime) -> datetime:
    """An aware instant in UTC, without what subclasses such as pandas' add.

    Raises:
        RequestError: If it is something else, or has no time zone.
    """
    if not isinstance(instant, datetime):
        raise RequestError(f"An aware instant is required, but a {type(instant).__name__} was passed; pass a datetime.")
    if instant.utcoffset() is None:
        raise RequestError(f"An aware instant is required, but {instant.isoformat()} has no zone; pass one in UTC.")
    try:
        utc = instant.astimezone(UTC)
    except OverflowError:
        raise RequestError(f"An instant within the calendar is required, but {instant} is not in UTC.") from None
    return datetime.combine(date(utc.year, utc.month, utc.day), utc.time(), UTC)


def latest_complete_day(now: datetime, zone: ZoneInfo) -> date:
    """The last day that had ended in ``zone`` at the aware instant ``now``."""
    return in_utc(now).astimezone(zone).date() - ONE_DAY


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which days a source has: a zone, a first day, and a last day if the data set is finished."""

    zone: ZoneInfo
    first_day: date
    last_day: date | None = None

    def window(self, day: date) -> DayWindow:
        """The window of ``day`` in this calendar's zone."""
        return day_window(day, self.zone)

    def latest_day(self, now: datetime) -> date:
        """The last day that is complete at ``now`` and not after the data set's own end."""
        complete = latest_complete_day(now, self.zone)
        return complete if self.last_day is None else min(complete, self.last_day)

    def require(self, day: date, now: datetime) -> None:
        """Raise RequestError unless ``day`` is one of this calendar's complete days."""
        latest = self.latest_day(now)
        if not self.first_day <= day <= latest:
            raise RequestError(
                f"A complete day from {self.first_day} to {latest} is required, but {day} was asked for; "
                "choose another day or change first_day or last_day in the settings."
            )
