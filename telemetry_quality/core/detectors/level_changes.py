"""Level changes: when days that are far off are the new normal, and when the old level is back."""

from __future__ import annotations

from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import date

    from telemetry_quality.core.detectors.regime import Forecast, Regime

SHIFT_DAYS, SHIFT = 4, 2.5
"""SHIFT_DAYS days in a row that are more than SHIFT spreads off on the same side are a new level."""

SHIFT_RANGE, SHIFT_RANGE_SPREADS = 0.5, 5.0
"""They must be plausible as days of one level: they may differ by the larger of these, in logs and in spreads."""

SURE_SHIFT_DAYS = 14
"""After so many days in a row it is a new level, however much they differ."""

RETURN_DAYS = 120
"""How long a stream may stay at a new level and still return to the old one at once."""

RETURN, CLEARLY_NEARER = 4.0, 0.5
"""A day belongs to the old level if its error there is at most so many spreads, and at most this share of its error at
the new one."""


class _Far(NamedTuple):
    """A day in a row of days that are off on the same side, and its log count."""

    day: date
    value: float
    is_above: bool


class LevelChanges:
    """The days in a row that are off, and the level that the stream may return to."""

    def __init__(self) -> None:
        self.run: list[_Far] = []
        self.before: Regime | None = None
        self.other: Regime | None = None
        self.other_until: date | None = None

    def follow(self, day: date, value: float, forecast: Forecast, regime: Regime) -> Regime | None:
        """The regime that begins with ``day``, if it shows a new level; it has not learnt the day yet.

        Args:
            day: The next ordinary day.
            value: Its log count.
            forecast: What ``regime`` expected of it.
            regime: The present regime, which has not learnt the day yet.
        """
        error = value - forecast.middle
        if abs(error) <= SHIFT * forecast.spread:
            self.run.clear()
            return None
        if self.run and self.run[-1].is_above != (error > 0):
            self.run.clear()
        if not self.run:
            self.before = regime.copy()
        self.run.append(_Far(day, value, error > 0))
        if len(self.run) < SHIFT_DAYS or self.before is None:
            return None
        steps = [far.value - self.before.forecast(far.day).base for far in self.run[-SHIFT_DAYS:]]
        limit = max(SHIFT_RANGE, SHIFT_RANGE_SPREADS * forecast.spread)
        if max(steps) - min(steps) >= limit and len(self.run) < SURE_SHIFT_DAYS:
            return None
        return self._new_regime(day, median(steps), self.before)

    def _new_regime(self, day: date, step: float, before: Regime) -> Regime:
        """A level with the weekdays and spread of the old one: days of a change do not show how ordinary days vary."""
        self.other, self.other_until = before, day + timedelta(days=RETURN_DAYS)
        regime = before.copy()
        regime.move_level(step, day)
        self.run.clear()
        return regime

    def returned(self, day: date, value: float, regime: Regime) -> Regime | None:
        """The regime before the present one, if ``day`` belongs to it; the two then change places."""
        other = self.other
        if other is None or self.other_until is None or day > self.other_until:
            return None
        now, then = regime.forecast(day), other.forecast(day)
        error, other_error = abs(value - now.middle), abs(value - then.base)
        if error <= SHIFT * now.spread or other_error > min(RETURN * then.spread, CLEARLY_NEARER * error):
            return None
        self.other = regime
        other.move_level(0.0, day)
        self.run.clear()
        return other

    def forget(self) -> None:
        """Forget the run and the other level: the present one was chosen by somebody."""
        self.run.clear()
        self.other = None
