"""The last 24 hours of a running day, and the same hours by the clock up to the end of each earlier day's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.days import ONE_DAY
from telemetry_quality.core.hours import ALL_HOURS, HOURS, DayHours

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date


class LastHours(NamedTuple):
    """The hours up to the end of an hour of a running day.

    Attributes:
        hours: The last 24 hours, without those that could not be read; their ``clock`` counts from the oldest on.
        numbers: Which whole hour since the day began each of them is, negative on the day before.
    """

    hours: DayHours
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class LastHoursOf:
    """The last hours at any hour of a running day, and those of earlier days at the same time of the clock.

    Attributes:
        earlier: The hours of the days that the day may be compared with.
        clock: The hour of the clock at which each hour of the running day begins.
        shifts: By how many hours the clock was set forward since an earlier day, where it was changed.
    """

    day: date
    earlier: Mapping[date, DayHours]
    clock: Sequence[int]
    shifts: Mapping[date, int] = field(default_factory=dict)
    _until: dict[int, dict[date, DayHours]] = field(default_factory=dict)

    def at(self, events: Sequence[int | None], errors: Sequence[int | None], yesterday: DayHours | None) -> LastHours:
        """The last hours when the hours with these counts are over; None stands for an hour that could not be read."""
        end = self.clock[len(events) - 1]
        rows = [] if yesterday is None else _rows_of_the_day_before(yesterday, end)
        rows += [
            (hour, _position(clock, end), count, errors[hour] or 0)
            for hour, (count, clock) in enumerate(zip(events, self.clock, strict=False))
            if count is not None
        ]
        numbers, positions, counts, wrong = zip(*rows, strict=True) if rows else ((), (), (), ())
        return LastHours(_day_hours(positions, counts, wrong), tuple(numbers))

    def until(self, hour: int) -> dict[date, DayHours]:
        """Of each earlier day, the 24 hours up to the same time of the clock as the end of ``hour`` of this day."""
        end = self.clock[hour]
        if end not in self._until:
            self._until[end] = {
                past: _joined(self.earlier.get(past - ONE_DAY), hours, end) for past, hours in self.earlier.items()
            }
        return self._until[end]

    def unmoved(self, hour: int) -> dict[date, DayHours]:
        """The same for a stream that no change of the clock moves: up to the same time in UTC."""
        return self.until(hour) | {
            past: self._up_to(past, self.clock[hour] - shift)
            for past, shift in self.shifts.items()
            if past in self.earlier
        }

    def _up_to(self, past: date, end: int) -> DayHours:
        """The 24 hours up to the end of an hour by the clock of ``past``, or of the day beside it."""
        last = past + end // HOURS * ONE_DAY
        own = self.earlier.get(last, DayHours((), (), ()))
        return _joined(self.earlier.get(last - ONE_DAY), own, end % HOURS)


_Row = tuple[int, int, int, int]
"""An hour since the day began, its position among the last 24 hours of the clock, its events and its errors."""


def _position(clock: int, end: int) -> int:
    """The position of an hour of the clock among the 24 that end with the hour ``end``."""
    return (clock - end - 1) % HOURS


def _rows_of_the_day_before(hours: DayHours, end: int) -> list[_Row]:
    """The hours of the day before that are later by the clock than ``end``."""
    counted = enumerate(zip(hours.clock, hours.events, hours.errors, strict=True), -len(hours.clock))
    return [(hour, _position(clock, end), events, errors) for hour, (clock, events, errors) in counted if clock > end]


def _joined(before: DayHours | None, own: DayHours, end: int) -> DayHours:
    """The hours of two consecutive days: of the first those later by the clock than ``end``, of the second the rest."""
    if before is not None and before.clock is own.clock is ALL_HOURS:
        cut = end + 1
        return DayHours((*before.events[cut:], *own.events[:cut]), (*before.errors[cut:], *own.errors[:cut]))
    rows = [] if before is None else _rows_of_the_day_before(before, end)
    counted = enumerate(zip(own.clock, own.events, own.errors, strict=True))
    rows += [(hour, _position(clock, end), count, wrong) for hour, (clock, count, wrong) in counted if clock <= end]
    _, positions, events, errors = zip(*rows, strict=True) if rows else ((), (), (), ())
    return _day_hours(positions, events, errors)


def _day_hours(positions: tuple[int, ...], events: tuple[int, ...], errors: tuple[int, ...]) -> DayHours:
    return DayHours(events, errors, ALL_HOURS if positions == ALL_HOURS else positions)
