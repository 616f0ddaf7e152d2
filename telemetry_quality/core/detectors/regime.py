"""A regime: the level, weekdays and spread of a stream while nothing changes it for good.

When a regime begins and ends belongs to ``weekday_stream``.
"""

from __future__ import annotations

from collections import deque
from math import exp, sqrt
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.detectors.first_profile import WEEK

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from telemetry_quality.core.detectors.first_profile import Profile

SLOW_LEVEL, QUICK_LEVEL = 0.1, 0.4
"""Share of a surprise that the slow and the quick smoother add to their level."""

SLOW_WEEKDAY, QUICK_WEEKDAY = 0.12, 0.4
"""The same for the offset of a weekday, which is seen once a week."""

FIRST_LEVEL_DAYS, FIRST_WEEKDAY_DAYS = 2, 1
"""Days of evidence that the first profile is worth, for the level and for each weekday: early on, the mean
of the few known days is better than a smoother that depends on its start."""

OUTLIER = 2.0
"""Surprises are clipped at so many spreads: a bad day in the history must not become the expectation."""

FIRST_SPREAD = 0.1
SMALLEST_SPREAD = 0.02
"""Spread of the log count before any error is known, and the smallest spread."""

SPREAD_DECAY, FIRST_SPREAD_DAYS = 0.92, 3
"""Share of the variance that carries over from day to day, and the days of evidence that FIRST_SPREAD is worth."""

LARGEST_SQUARE = 9
CLIPPING_LOSS = 1.1
"""Squared errors are clipped at LARGEST_SQUARE times their mean, which makes the mean about a tenth too small."""

ERROR_DECAY = 0.96
LARGEST_ERROR_RATIO, LARGEST_ERROR_MARGIN = 3, 0.02
"""Share of each smoother's mean error that carries over, and the multiple of it, plus a margin, that clips errors."""

LEAST_ERROR = 0.01
LEAD_POWER = 4
"""How clearly the smoother that errs less leads; the other one never loses all its weight."""

CARRY_DECAY = 0.97
FIRST_CARRY, FIRST_CARRY_DAYS = 0.35, 10
"""Prior share of yesterday's surprise that is expected again today, and the days of evidence it is worth."""

LARGEST_CARRIED = 3
"""Spreads at which a surprise that carries over is clipped."""

WEEKDAY_SPREAD_DAYS = 6
WEEKDAY_SPREAD_MEMORY = 0.95
LARGEST_WEEKDAY_SQUARE = 6
"""Days of evidence that the stream's variance is worth against a weekday's own; the share of it that carries over; and
at how many times the stream's variance a square is clipped."""

GAP_VARIANCE, LONGEST_GAP_DAYS = 0.05, 14
"""Each day since the last ordinary one, up to LONGEST_GAP_DAYS, adds so much of the stream's variance."""

CHANCE_DAYS = 14
LARGEST_CHANCE_SQUARE = 9.0
"""Days of evidence that Poisson's variance is worth, and at how many times that variance a square is clipped."""

TAIL_DAYS = 200
LARGEST_TAIL = 6.0
"""How many of the latest errors are stored, and the spreads at which an error is clipped."""


class Forecast(NamedTuple):
    """Logs of events: the forecast of each smoother, their weighted mean, and the middle and spread to expect."""

    slow: float
    quick: float
    base: float
    middle: float
    spread: float
    quick_weight: float
    weekday_factor: float


class Smoother:
    """A level and seven weekday offsets that sum to zero, both of log counts."""

    __slots__ = ("error", "level", "level_gain", "offsets", "weekday_gain")

    def __init__(self, level: float, offsets: Sequence[float], level_gain: float, weekday_gain: float) -> None:
        self.level = level
        self.offsets = list(offsets)
        self.level_gain = level_gain
        self.weekday_gain = weekday_gain
        self.error = FIRST_SPREAD

    def copy(self) -> Smoother:
        """An independent copy."""
        twin = Smoother(self.level, self.offsets, self.level_gain, self.weekday_gain)
        twin.error = self.error
        return twin

    def learn(self, weekday: int, surprise: float, level_gain: float, weekday_gain: float) -> None:
        """Move the level and the offset of ``weekday`` by their shares of a surprise."""
        step = level_gain * surprise
        self.move_weekday(weekday, weekday_gain * (surprise - step))
        self.level += step

    def move_weekday(self, weekday: int, change: float) -> None:
        """Move what is expected on one weekday, and on no other."""
        self.offsets[weekday] += change
        mean = change / WEEK
        self.offsets = [offset - mean for offset in self.offsets]
        self.level += mean

    def learn_error(self, surprise: float) -> None:
        """Learn how far off this smoother was."""
        size = min(abs(surprise), LARGEST_ERROR_RATIO * self.error + LARGEST_ERROR_MARGIN)
        self.error = ERROR_DECAY * self.error + (1 - ERROR_DECAY) * size


class Regime:
    """Two smoothers, a slow and a quick one, and how far days stray from what they forecast."""

    def __init__(self, profile: Profile, last_day: date) -> None:
        self.slow = Smoother(profile.level, profile.offsets, SLOW_LEVEL, SLOW_WEEKDAY)
        self.quick = Smoother(profile.level, profile.offsets, QUICK_LEVEL, QUICK_WEEKDAY)
        self.last_day = last_day
        self.days_learnt = 0
        self.weekday_days = list(profile.weekday_days)
        self.variance = FIRST_SPREAD**2
        self.variance_days = FIRST_SPREAD_DAYS
        self.weekday_squares = [0.0] * WEEK
        self.weekday_weights = [0.0] * WEEK
        self.chance_squares = 0.0
        self.surprise = 0.0
        self.carried = self.carriers = 0.0
        self.tail: deque[float] = deque(maxlen=TAIL_DAYS)

    def copy(self) -> Regime:
        """An independent copy."""
        twin: Regime = object.__new__(Regime)
        twin.__dict__.update(self.__dict__)
        twin.slow, twin.quick = self.slow.copy(), self.quick.copy()
        twin.weekday_days = list(self.weekday_days)
        twin.weekday_squares, twin.weekday_weights = list(self.weekday_squares), list(self.weekday_weights)
        twin.tail = self.tail.copy()
        return twin

    def forecast(self, day: date) -> Forecast:
        """What to expect of an ordinary ``day`` after the days learnt so far."""
        weekday = day.weekday()
        slow = self.slow.level + self.slow.offsets[weekday]
        quick = self.quick.level + self.quick.offsets[weekday]
        ratio = (LEAST_ERROR + self.quick.error) / (LEAST_ERROR + self.slow.error)
        weight = 1 / (1 + ratio**LEAD_POWER)
        base = slow + weight * (quick - slow)
        factor = (self.weekday_squares[weekday] + WEEKDAY_SPREAD_DAYS) / (
            self.weekday_weights[weekday] + WEEKDAY_SPREAD_DAYS
        )
        middle = base + self.carried_over(1)
        disagreement = weight * (1 - weight) * (quick - slow) ** 2
        gap = min((day - self.last_day).days - 1, LONGEST_GAP_DAYS)
        variance = self.variance * (factor + GAP_VARIANCE * gap) + disagreement
        return Forecast(slow, quick, base, middle, spread_of(variance, middle, self._chance()), weight, factor)

    def offset(self, weekday: int, quick_weight: float) -> float:
        """The offset of one weekday, weighted like the forecast."""
        slow = self.slow.offsets[weekday]
        return slow + quick_weight * (self.quick.offsets[weekday] - slow)

    def weekdays(self, quick_weight: float) -> list[float]:
        """The offsets of all weekdays, weighted like the forecast."""
        return [self.offset(weekday, quick_weight) for weekday in range(WEEK)]

    def learn(self, day: date, value: float, forecast: Forecast) -> None:
        """Learn the log count of an ordinary day, of which ``forecast`` was expected."""
        error = value - forecast.middle
        self.learn_tail(error / forecast.spread)
        self.chance_squares += min(error * error * exp(forecast.middle), LARGEST_CHANCE_SQUARE)
        spread = sqrt(self.variance)
        self._learn_level(day.weekday(), value, forecast, OUTLIER * spread)
        self.last_day = day
        self.learn_carry(min(max(error, -LARGEST_CARRIED * spread), LARGEST_CARRIED * spread))
        self._learn_spread(day.weekday(), error, forecast.weekday_factor)

    def learn_tail(self, sigmas: float) -> None:
        """Learn how far a day strayed, in spreads."""
        self.tail.append(min(max(sigmas, -LARGEST_TAIL), LARGEST_TAIL))

    def move_level(self, step: float, day: date) -> None:
        """Move what is expected on every weekday after ``day``, which has no other influence."""
        self.slow.level += step
        self.quick.level += step
        self.last_day = day
        self.surprise = 0.0

    def move_weekday(self, weekday: int, change: float) -> None:
        """Move what is expected on one weekday, and on no other."""
        self.slow.move_weekday(weekday, change)
        self.quick.move_weekday(weekday, change)

    def _chance(self) -> float:
        """The variance of counts relative to Poisson: scheduled jobs, nine a day, vary less."""
        return min(1.0, (self.chance_squares + CHANCE_DAYS) / (self.days_learnt + CHANCE_DAYS))

    def _carry(self) -> float:
        """Share of the last surprise to expect again: a regression on the stream's own surprises, with a prior."""
        evidence = FIRST_CARRY_DAYS * self.variance
        share = (self.carried + evidence * FIRST_CARRY) / (self.carriers + evidence)
        return max(share, 0.0)

    def carried_over(self, days: int) -> float:
        """The part of the last surprise that is expected again so many days later."""
        return self._carry() ** days * self.surprise

    def _learn_level(self, weekday: int, value: float, forecast: Forecast, limit: float) -> None:
        self.days_learnt += 1
        for smoother, before in ((self.slow, forecast.slow), (self.quick, forecast.quick)):
            surprise = value - before
            smoother.learn_error(surprise)
            level_gain = max(smoother.level_gain, 1 / (self.days_learnt + FIRST_LEVEL_DAYS))
            weekday_gain = max(smoother.weekday_gain, 1 / (self.weekday_days[weekday] + FIRST_WEEKDAY_DAYS))
            smoother.learn(weekday, min(max(surprise, -limit), limit), level_gain, weekday_gain)
        self.weekday_days[weekday] += 1

    def learn_carry(self, surprise: float) -> None:
        """Learn a surprise, and how much of the one before came back with it."""
        self.carried = CARRY_DECAY * self.carried + surprise * self.surprise
        self.carriers = CARRY_DECAY * self.carriers + self.surprise**2
        self.surprise = surprise

    def _learn_spread(self, weekday: int, error: float, factor: float) -> None:
        square = error * error
        relative = min(square / self.variance, LARGEST_WEEKDAY_SQUARE)
        self.weekday_squares[weekday] = WEEKDAY_SPREAD_MEMORY * self.weekday_squares[weekday] + relative
        self.weekday_weights[weekday] = WEEKDAY_SPREAD_MEMORY * self.weekday_weights[weekday] + 1
        decay = min(SPREAD_DECAY, self.variance_days / (self.variance_days + 1))
        self.variance_days += 1
        fresh = CLIPPING_LOSS * min(square / factor, LARGEST_SQUARE * self.variance)
        self.variance = max(decay * self.variance + (1 - decay) * fresh, SMALLEST_SPREAD**2 / 4)


def spread_of(variance: float, middle: float, chance: float = 1.0) -> float:
    """The spread to expect around ``middle``: never below SMALLEST_SPREAD, nor below that of chance.

    Args:
        variance: The variance of the log count.
        middle: The log count to expect.
        chance: The variance that chance adds, relative to that of a Poisson count.
    """
    return max(sqrt(variance), SMALLEST_SPREAD, sqrt(chance) * exp(-middle / 2))
