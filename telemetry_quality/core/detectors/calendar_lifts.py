"""Calendar lifts: how a stream's holidays, and the days beside them, differ from the level of their week."""

from __future__ import annotations

from math import log, sqrt
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.calendar_effects import BETWEEN, HOLIDAY, NEAR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry_quality.core.calendar_effects import CalendarEffect

PRIOR_SHARE = {HOLIDAY: 0.8, NEAR: 0.5, BETWEEN: 0.3}
"""How far towards the quietest weekday a calendar effect is expected to move a day until the stream shows otherwise."""

SAME_HOLIDAY_WEIGHT = 3.0
"""The same holiday of last year counts as much as this many others."""

AGREEMENT = 0.1
"""Earlier days of a kind whose logs differ by this much do not agree: the prior then counts as one of them."""

UNSURE = {HOLIDAY: (0.12, 0.15), NEAR: (0.12, 0.15), BETWEEN: (0.06, 0.1)}
UNSURE_DAYS = 4
"""Prior spread of a calendar effect, worth UNSURE_DAYS: a constant, and a share of the quietest weekday's distance."""

PEAK, PEAKS_MINIMUM = log(1.3), 2
"""A day beside a holiday is a peak if it lies above an ordinary day by more than this, in logs; peaks beside so many
different holidays show that those beside other holidays are peaks too."""

HOLIDAY_MEMORY = 0.9
LARGEST_HOLIDAY_SQUARE = 9
"""Share of earlier effects' squared errors that carries over, and the multiple of the expected square that clips."""


class Lift(NamedTuple):
    """What to expect of a day with a calendar effect: its distance from an ordinary day, in logs, and the variance."""

    effect: float
    variance: float


class CalendarLifts:
    """The calendar effects seen so far."""

    def __init__(self) -> None:
        self.seen: list[tuple[CalendarEffect, float]] = []
        self.squares = self.weight = 0.0

    def expected(self, weekday: int, effect_of_day: CalendarEffect, offsets: Sequence[float]) -> Lift:
        """The lift to expect, like earlier ones relative to the level of the week.

        Unless several days of its kind agree, it is drawn towards a share of the way from an ordinary day of this
        weekday to the quietest one. The same holiday of last year counts like three others.

        Args:
            weekday: The weekday of the day.
            effect_of_day: Why it is not ordinary.
            offsets: The distance of each weekday from the level of the week.
        """
        quiet = offsets[weekday] - min(offsets)
        of_kind = self._comparable(effect_of_day, offsets[weekday])
        lifts = [lift for _, lift in of_kind]
        weights = [
            SAME_HOLIDAY_WEIGHT if name == effect_of_day.name and effect_of_day.kind != BETWEEN else 1.0
            for name, _ in of_kind
        ]
        prior = min(_deviation(lifts) / AGREEMENT, 1.0) if len(lifts) > 1 else 1.0
        total = sum(w * (lift - offsets[weekday]) for w, lift in zip(weights, lifts, strict=True))
        effect = (total - prior * PRIOR_SHARE[effect_of_day.kind] * quiet) / (sum(weights) + prior)
        always, if_quiet = UNSURE[effect_of_day.kind]
        prior_squares = UNSURE_DAYS * (always + if_quiet * quiet) ** 2
        return Lift(effect, (prior_squares + self.squares) / (UNSURE_DAYS + self.weight))

    def _comparable(self, effect_of_day: CalendarEffect, offset: float) -> list[tuple[str, float]]:
        """Names and lifts of earlier days of the kind; the peak of another holiday (one Black Friday) is none."""
        of_kind = [(earlier.name, lift) for earlier, lift in self.seen if earlier.kind == effect_of_day.kind]
        peaks = {name for name, lift in of_kind if lift - offset > PEAK and name != effect_of_day.name}
        if len(peaks) >= PEAKS_MINIMUM:
            return of_kind
        return [(name, lift) for name, lift in of_kind if name not in peaks]

    def learn(self, effect_of_day: CalendarEffect, lift: float, error: float, spread: float) -> None:
        """Learn the lift of a day, and how far it was from what was expected."""
        self.seen.append((effect_of_day, lift))
        self.squares = HOLIDAY_MEMORY * (self.squares + min(error * error, LARGEST_HOLIDAY_SQUARE * spread**2))
        self.weight = HOLIDAY_MEMORY * (self.weight + 1)


def _deviation(values: Sequence[float]) -> float:
    mean = fmean(values)
    return sqrt(fmean((value - mean) ** 2 for value in values))
