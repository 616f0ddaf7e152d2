"""Recurrences: days that come back each month or every second week, such as a batch on the 1st or a payday."""

from __future__ import annotations

from math import log
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.detectors.emptiness import same_day_of_months

if TYPE_CHECKING:
    from datetime import date

MONTHS = 2
"""The same day of so many months before must have been far from what was expected of it, alike."""

SHORTEST_MONTH, LONGEST_MONTH = 28, 31
"""How many days before a day the same day of the month before can be."""

FAR, FAR_SPREADS = log(1.3), 2.5
"""Far means beyond both: a constant in logs, and spreads."""

ALIKE = 0.5
"""Such days are alike if their distances from an ordinary day differ by less than this, in logs."""

WEEKS = 3
APART, APART_SPREADS = 0.2, 2.0
"""Every second week is another, if all of the last WEEKS of the one kind lie so far, in logs and in spreads, beyond all
of the other kind."""


class _Strayed(NamedTuple):
    """How far a day strayed from what its weekday suggests, in logs and in spreads, and its distance from the week."""

    rest: float
    sigmas: float
    lift: float


class Recurrences:
    """How far earlier days strayed, by which a day that recurs is recognized."""

    def __init__(self) -> None:
        # By the day's ordinal number, since this is looked at for every day that is learnt.
        self.days: dict[int, _Strayed] = {}
        self.far: set[int] = set()

    def learn(self, day: date, rest: float, sigmas: float, lift: float) -> None:
        """Learn how far an ordinary day strayed from its weekday, in logs and in spreads, and from its week."""
        strayed = _Strayed(rest, sigmas, lift)
        self.days[day.toordinal()] = strayed
        if _is_far(strayed):
            self.far.add(day.toordinal())

    def expected(self, day: date, weekday_offset: float, spread: float) -> float | None:
        """How far ``day`` will stray from what its weekday suggests, in logs; None if nothing recurs."""
        ordinal = day.toordinal()
        return self._monthly(day, ordinal) or self._fortnightly(ordinal, weekday_offset, spread)

    def _monthly(self, day: date, ordinal: int) -> float | None:
        if self.far.isdisjoint(range(ordinal - LONGEST_MONTH, ordinal - SHORTEST_MONTH + 1)):
            return None
        rests = []
        for past in same_day_of_months(day, MONTHS):
            if past.toordinal() not in self.far:
                return None
            rests.append(self.days[past.toordinal()].rest)
        return median(rests) if max(rests) - min(rests) < ALIKE and min(rests) * max(rests) > 0 else None

    def _fortnightly(self, ordinal: int, weekday_offset: float, spread: float) -> float | None:
        gap, same, other = max(APART, APART_SPREADS * spread), [], []
        for n in range(1, WEEKS + 1):
            strayed, between = self.days.get(ordinal - 14 * n), self.days.get(ordinal - 14 * n + 7)
            if strayed is None or between is None or abs(strayed.lift - between.lift) <= gap:
                return None
            same.append(strayed.lift)
            other.append(between.lift)
        if min(same) - max(other) > gap or min(other) - max(same) > gap:
            return median(same) - weekday_offset
        return None


def _is_far(strayed: _Strayed) -> bool:
    return abs(strayed.rest) > FAR and abs(strayed.sigmas) > FAR_SPREADS
