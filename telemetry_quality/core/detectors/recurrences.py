"""Recurrences: days that come back each month or every second week, such as a batch on the 1st or a payday."""

from __future__ import annotations

from datetime import timedelta
from math import log
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.detectors.emptiness import same_day_of_months

if TYPE_CHECKING:
    from datetime import date

MONTHS = 2
"""The same day of so many months before must have been far from what was expected of it, alike."""

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
        self.days: dict[date, _Strayed] = {}

    def learn(self, day: date, rest: float, sigmas: float, lift: float) -> None:
        """Learn how far an ordinary day strayed from its weekday, in logs and in spreads, and from its week."""
        self.days[day] = _Strayed(rest, sigmas, lift)

    def expected(self, day: date, weekday_offset: float, spread: float) -> float | None:
        """How far ``day`` will stray from what its weekday suggests, in logs; None if nothing recurs."""
        return self._monthly(day) or self._fortnightly(day, weekday_offset, spread)

    def _monthly(self, day: date) -> float | None:
        found = [self.days.get(past) for past in same_day_of_months(day, MONTHS)]
        rests = [strayed.rest for strayed in found if strayed and _is_far(strayed)]
        if len(rests) < MONTHS or max(rests) - min(rests) >= ALIKE or min(rests) * max(rests) < 0:
            return None
        return median(rests)

    def _fortnightly(self, day: date, weekday_offset: float, spread: float) -> float | None:
        lifts = [self.days.get(day - timedelta(weeks=n)) for n in range(1, 2 * WEEKS + 1)]
        other = [strayed.lift for strayed in lifts[0::2] if strayed]
        same = [strayed.lift for strayed in lifts[1::2] if strayed]
        if min(len(other), len(same)) < WEEKS:
            return None
        gap = max(APART, APART_SPREADS * spread)
        if min(same) - max(other) > gap or min(other) - max(same) > gap:
            return median(same) - weekday_offset
        return None


def _is_far(strayed: _Strayed) -> bool:
    return abs(strayed.rest) > FAR and abs(strayed.sigmas) > FAR_SPREADS
