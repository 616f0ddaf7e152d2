"""The hours of many days against what was to be expected of them: what a heat map and the bars of a day show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from telemetry_quality.core.days import days_between
from telemetry_quality.core.detectors.hourly_curve import usual_shares
from telemetry_quality.core.detectors.windows import WINDOW_DAYS
from telemetry_quality.core.hours import ALL_HOURS, clock_of, day_hours
from telemetry_quality.core.incidents.decisions import confirmed_days
from telemetry_quality.core.marks import Mark, days_marked
from telemetry_quality.dashboard.running import hours_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from telemetry_quality.core.days import Calendar
    from telemetry_quality.core.hours import ClockCounts, HourTotals
    from telemetry_quality.core.running.model import RunningHour
    from telemetry_quality.dashboard.state import DashboardState
    from telemetry_quality.storage.reader import JournalRow, StoreReader

Number = TypeVar("Number", int, float)


class Known(StrEnum):
    """Whether an hour was counted, and why not."""

    COUNTED = "counted"
    UNREADABLE = "unreadable"
    NOT_LOOKED_AT = "not_looked_at"
    LATER = "later"


class Hour(NamedTuple):
    """What was found in an hour since the day began, and how many events were to be expected; None where not known."""

    events: int | None = None
    errors: int | None = None
    missing_version: int | None = None
    expected: float | None = None
    known: Known = Known.COUNTED


class Column(StrEnum):
    """Why a day has the hours that it has."""

    READ = "read"
    RUNNING = "running"
    """It is not over, or not judged yet: its hours were looked at while it ran."""
    UNREADABLE = "unreadable"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class HoursOfDay:
    """A day by the hour.

    Attributes:
        hours: The hours since the day began: 23 to 25 of them, or none if nothing is known of the day.
        clock: The hour of the clock at which each begins.
    """

    day: date
    kind: Column
    hours: tuple[Hour, ...] = ()
    clock: tuple[int, ...] = ()

    def at(self, hour: int) -> tuple[int, Hour] | None:
        """The first position of an hour of the clock, and all that was found in it; None if the day did not have it.

        Where clocks are set back, an hour of the clock comes twice.
        """
        if self.clock is ALL_HOURS:
            return hour, self.hours[hour]
        places = [place for place, begins in enumerate(self.clock) if begins == hour]
        if not places:
            return None
        return places[0], reduce(_both, (self.hours[place] for place in places))


def _both(first: Hour, second: Hour) -> Hour:
    """Two hours as one; what is not known of either is not known."""
    if first.known is not second.known:
        return first if first.known is not Known.COUNTED else second
    return Hour(
        _sum(first.events, second.events),
        _sum(first.errors, second.errors),
        _sum(first.missing_version, second.missing_version),
        _sum(first.expected, second.expected),
        first.known,
    )


def _sum(first: Number | None, second: Number | None) -> Number | None:
    return None if first is None or second is None else first + second


class LoadedHours(NamedTuple):
    """The hours of the latest scans of the days of a page, and of the days that they are compared with."""

    source: str
    first: date
    last: date
    totals: Mapping[date, HourTotals | None]


def load_hours(reader: StoreReader, source: str, first: date, last: date) -> LoadedHours:
    """Read the hours from ``first`` to ``last``, and those of the six weeks before.

    Raises:
        StoreError: If the store cannot be read.
    """
    totals = reader.hours_by_day(source, first - timedelta(days=WINDOW_DAYS), last)
    return LoadedHours(source, first, last, totals)


def days_by_hour(state: DashboardState, loaded: LoadedHours, calendar: Calendar) -> list[HoursOfDay]:
    """Every day from the first to the last by the hour, each compared with the six weeks before it."""
    marked = days_marked(state.marks.get(loaded.source, {}), {Mark.BAD, Mark.SPECIAL})
    left_out = marked | confirmed_days(state.incidents.get(loaded.source, ()))
    earlier = {
        day: day_hours(totals, day, calendar).events_by_clock()
        for day, totals in loaded.totals.items()
        if totals is not None and day not in left_out
    }
    rows = state.index.window(loaded.source, loaded.first, loaded.last)
    return [
        _not_judged(day, hours_of(state, loaded.source, day), calendar)
        if row is None
        else _judged(row, loaded.totals.get(day), usual_shares(day, _before(day, earlier)), calendar)
        for day, row in zip(days_between(loaded.first, loaded.last), rows, strict=True)
    ]


def _before(day: date, earlier: Mapping[date, ClockCounts]) -> dict[date, ClockCounts]:
    """The same days on every page, however many more it has read."""
    return {past: hours for past, hours in earlier.items() if 0 < (day - past).days <= WINDOW_DAYS}


def _judged(
    row: JournalRow, totals: HourTotals | None, shares: Sequence[float] | None, calendar: Calendar
) -> HoursOfDay:
    if totals is None or row.total_events is None:
        return HoursOfDay(row.day, Column.UNREADABLE)
    clock = clock_of(row.day, calendar)
    counted, unknown = day_hours(totals, row.day, calendar), [None] * len(clock)
    missing = (*totals.missing_version, *[0] * len(clock))[: len(clock)]
    hours = zip(
        counted.events,
        unknown if row.error_events is None else counted.errors,
        unknown if row.missing_version_events is None else missing,
        _expected(row.expected_events, shares, clock),
        strict=True,
    )
    return HoursOfDay(row.day, Column.READ, tuple(Hour(*counts) for counts in hours), clock)


def _not_judged(day: date, looked_at: Sequence[RunningHour], calendar: Calendar) -> HoursOfDay:
    """A day as it was looked at while it ran, with what to expect of the hours that come."""
    if not looked_at:
        return HoursOfDay(day, Column.MISSING)
    clock, last = clock_of(day, calendar), looked_at[-1]
    unknown = {
        place: Hour(known=Known.LATER if place > last.hour else Known.NOT_LOOKED_AT) for place in range(len(clock))
    }
    later = {
        place: Hour(expected=hour.events, known=Known.LATER) for place, hour in enumerate(last.later, last.hour + 1)
    }
    hours = unknown | later | {hour.hour: _looked_at(hour) for hour in looked_at}
    return HoursOfDay(day, Column.RUNNING, tuple(hours[place] for place in range(len(clock))), clock)


def _expected(total: float | None, shares: Sequence[float] | None, clock: Sequence[int]) -> Sequence[float | None]:
    """The usual share of each hour in the events that were to be expected on the day."""
    if total is None or shares is None:
        return [None] * len(clock)
    return [total * shares[hour] for hour in clock]


def _looked_at(hour: RunningHour) -> Hour:
    expected = None if hour.expected is None else hour.expected.events
    if hour.counts is None:
        return Hour(expected=expected, known=Known.UNREADABLE)
    return Hour(hour.counts.events, hour.counts.errors, hour.counts.missing_version, expected)
