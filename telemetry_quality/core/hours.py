"""The hours of a day: counts per whole hour since the day began, and the same by the clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.events import Totals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from telemetry_quality.core.days import Calendar
    from telemetry_quality.core.events import DayAggregates

HOURS = 24
ALL_HOURS = tuple(range(HOURS))

ClockCounts = tuple[float | None, ...]
"""Counts per hour of the clock, 24 of them; None for an hour that the day did not have, the mean for one it had twice.
"""


class ExpectedHour(NamedTuple):
    """The events to expect in an hour, and the interval in which an ordinary hour lies."""

    events: float
    low: float
    high: float


class HourTotals(NamedTuple):
    """Counts per whole hour since the day began, up to the last hour with events.

    Attributes:
        missing_version: Empty if every event of the day has a version.
    """

    events: tuple[int, ...]
    errors: tuple[int, ...]
    missing_version: tuple[int, ...] = ()

    @classmethod
    def from_json(cls, counts: Mapping[str, Sequence[int]]) -> HourTotals:
        """What ``as_json`` made."""
        return cls(**{name: tuple(numbers) for name, numbers in counts.items()})

    def as_json(self) -> dict[str, list[int]]:
        """The lists by name; an empty list of missing versions is left out."""
        return {name: list(counts) for name, counts in self._asdict().items() if counts or name != "missing_version"}


def hour_totals(aggregates: DayAggregates) -> HourTotals:
    """The hours of a day's aggregates."""
    by_hour = aggregates.by_hour()
    totals = [by_hour.get(hour, Totals()) for hour in range(max(by_hour, default=-1) + 1)]
    missing_version = tuple(total.missing_version for total in totals)
    return HourTotals(
        tuple(total.events for total in totals),
        tuple(total.errors for total in totals),
        missing_version if any(missing_version) else (),
    )


@dataclass(frozen=True, slots=True)
class DayHours:
    """The hours of a whole day, 23 to 25 of them, and the hour of the clock at which each begins."""

    events: tuple[int, ...]
    errors: tuple[int, ...]
    clock: tuple[int, ...] = ALL_HOURS

    def events_by_clock(self) -> ClockCounts:
        """The events per hour of the clock."""
        return self.events if self.clock is ALL_HOURS else _by_clock(self.events, self.clock)

    def errors_by_clock(self) -> ClockCounts:
        """The errors per hour of the clock."""
        return self.errors if self.clock is ALL_HOURS else _by_clock(self.errors, self.clock)


def day_hours(totals: HourTotals, day: date, calendar: Calendar) -> DayHours:
    """The hours of ``day`` by the clock of ``calendar``; hours without events are zeros."""
    clock = clock_of(day, calendar)
    missing = (0,) * (len(clock) - len(totals.events))
    return DayHours((*totals.events, *missing)[: len(clock)], (*totals.errors, *missing)[: len(clock)], clock)


def clock_of(day: date, calendar: Calendar) -> tuple[int, ...]:
    """The hour of the clock at which each whole hour since the beginning of ``day`` begins."""
    window = calendar.window(day)
    if window.hours == HOURS:
        return ALL_HOURS
    begins = (window.start + timedelta(hours=hour) for hour in range(ceil(window.hours)))
    return tuple(begin.astimezone(calendar.zone).hour for begin in begins)


def _by_clock(counts: Sequence[int], clock: Sequence[int]) -> ClockCounts:
    found: list[list[int]] = [[] for _ in ALL_HOURS]
    for hour, count in zip(clock, counts, strict=True):
        found[hour].append(count)
    return tuple(sum(counted) / len(counted) if counted else None for counted in found)
