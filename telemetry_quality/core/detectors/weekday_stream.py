"""A stream as it is learnt day by day: its level, weekdays, holidays, and how far it strays from them.

How an interval follows from this belongs to ``expected_volume``.
"""

from __future__ import annotations

from collections import deque
from math import exp, log, sqrt
from statistics import fmean, median
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.calendar_effects import BETWEEN, HOLIDAY, NEAR
from telemetry_quality.core.days import ONE_DAY

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date

    from telemetry_quality.core.calendar_effects import CalendarEffect

WEEK = 7

PROFILE_MINIMUM = 14
"""Ordinary days that must be known before a stream can be learnt: two of each weekday."""

SLOW_LEVEL, QUICK_LEVEL = 0.1, 0.4
"""Share of a surprise that the slow and the quick smoother add to their level."""

SLOW_WEEKDAY, QUICK_WEEKDAY = 0.12, 0.4
"""The same for the offset of a weekday, which is seen once a week."""

FIRST_LEVEL_DAYS, FIRST_WEEKDAY_DAYS = 2, 1
"""Days of evidence that the first profile is worth, for the level and for each weekday: early on, the mean
of the few known days is better than a smoother that depends on its start."""

OUTLIER = 2.0
"""Surprises are clipped at so many spreads: a bad day in the history must not become the expectation."""

SHIFT_DAYS = 4
SHIFT = 2.5
"""SHIFT_DAYS days in a row that are more than SHIFT spreads off on the same side are a new level."""

SHIFT_LEVEL, SHIFT_WEEKDAY_RATIO = 0.8, 0.2
"""Share of the surprise that a new level takes, and how much of their usual share the weekdays take."""

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

HOLIDAY_CARRY, LARGEST_HOLIDAY_CARRY = 0.5, 2
"""Share of a surprise expected again on a day with a calendar effect and after it; spreads that clip the latter."""

WEEKDAY_SPREAD_DAYS = 6
WEEKDAY_SPREAD_MEMORY = 0.95
LARGEST_WEEKDAY_SQUARE = 6
"""Days of evidence that the stream's variance is worth against a weekday's own; the share of it that carries over; and
at how many times the stream's variance a square is clipped."""

GAP_VARIANCE, LONGEST_GAP_DAYS = 0.05, 14
"""Each day since the last ordinary one, up to LONGEST_GAP_DAYS, adds so much of the stream's variance."""

TAIL_DAYS = 200
LARGEST_TAIL = 6.0
"""How many of the latest errors are stored, and the spreads at which an error is clipped."""

PRIOR_SHARE = {HOLIDAY: 0.8, NEAR: 0.5, BETWEEN: 0.3}
"""How far towards the quietest weekday a calendar effect is expected to move a day until the stream shows otherwise."""

SAME_HOLIDAY_WEIGHT = 3.0
"""The same holiday of last year counts as much as this many others."""

AGREEMENT = 0.1
"""Earlier days of a kind whose logs differ by this much do not agree: the prior then counts as one of them."""

UNSURE = {HOLIDAY: (0.12, 0.15), NEAR: (0.12, 0.15), BETWEEN: (0.06, 0.1)}
UNSURE_DAYS = 4
"""Prior spread of a calendar effect, worth UNSURE_DAYS: a constant, and a share of the quietest weekday's distance."""

HOLIDAY_MEMORY = 0.9
LARGEST_HOLIDAY_SQUARE = 9
"""Share of earlier effects' squared errors that carries over, and the multiple of the expected square that clips."""


def learn(
    history: Mapping[date, int], effects: Mapping[date, CalendarEffect], new_levels: Collection[date] = ()
) -> Stream:
    """The stream after all of ``history``, which holds PROFILE_MINIMUM or more ordinary days.

    Args:
        history: Events per readable day.
        effects: The calendar effects of its days.
        new_levels: Days from which on another level is normal.
    """
    points = [(past, log(max(history[past], 1))) for past in sorted(history)]
    first = [point for point in points if point[0] not in effects][:PROFILE_MINIMUM]
    stream = Stream(first)
    for past, value in points:
        if past > first[-1][0]:
            if past in new_levels:
                stream.take_level(past, value)
            else:
                stream.learn(past, value, effects.get(past))
    return stream


class Forecast(NamedTuple):
    """Logs of events: the forecast of each smoother, their weighted mean, and the middle and spread to expect."""

    slow: float
    quick: float
    base: float
    middle: float
    spread: float
    quick_weight: float
    weekday_factor: float


class _Smoother:
    """A level and seven weekday offsets that sum to zero, both of log counts."""

    __slots__ = ("error", "level", "level_gain", "offsets", "weekday_gain")

    def __init__(self, level: float, offsets: Sequence[float], level_gain: float, weekday_gain: float) -> None:
        self.level = level
        self.offsets = list(offsets)
        self.level_gain = level_gain
        self.weekday_gain = weekday_gain
        self.error = FIRST_SPREAD

    def learn(self, weekday: int, surprise: float, level_gain: float, weekday_gain: float) -> None:
        step = level_gain * surprise
        change = weekday_gain * (surprise - step)
        self.offsets[weekday] += change
        mean = change / WEEK
        self.offsets = [offset - mean for offset in self.offsets]
        self.level += step + mean

    def learn_error(self, surprise: float) -> None:
        size = min(abs(surprise), LARGEST_ERROR_RATIO * self.error + LARGEST_ERROR_MARGIN)
        self.error = ERROR_DECAY * self.error + (1 - ERROR_DECAY) * size


class Stream:
    """All that is learnt about a stream, day by day."""

    def __init__(self, first: Sequence[tuple[date, float]]) -> None:
        level, offsets = _first_profile(first)
        self.slow = _Smoother(level, offsets, SLOW_LEVEL, SLOW_WEEKDAY)
        self.quick = _Smoother(level, offsets, QUICK_LEVEL, QUICK_WEEKDAY)
        self.last_day = first[-1][0]
        self.days_learnt = 0
        self.weekday_days = [PROFILE_MINIMUM // WEEK] * WEEK
        self.variance = FIRST_SPREAD**2
        self.variance_days = FIRST_SPREAD_DAYS
        self.weekday_squares = [0.0] * WEEK
        self.weekday_weights = [0.0] * WEEK
        self.surprise = 0.0
        self.carried = self.carriers = 0.0
        self.holidays: list[tuple[CalendarEffect, float]] = []
        self.holiday_squares = self.holiday_weight = 0.0
        self.tail: deque[float] = deque(maxlen=TAIL_DAYS)
        self.sides: deque[int] = deque(maxlen=SHIFT_DAYS)
        self.variances: deque[float] = deque(maxlen=SHIFT_DAYS)

    def forecast(self, day: date, effect_of_day: CalendarEffect | None) -> Forecast:
        """What to expect of ``day`` after the days learnt so far."""
        weekday = day.weekday()
        slow = self.slow.level + self.slow.offsets[weekday]
        quick = self.quick.level + self.quick.offsets[weekday]
        ratio = (LEAST_ERROR + self.quick.error) / (LEAST_ERROR + self.slow.error)
        weight = 1 / (1 + ratio**LEAD_POWER)
        base = slow + weight * (quick - slow)
        factor = (self.weekday_squares[weekday] + WEEKDAY_SPREAD_DAYS) / (
            self.weekday_weights[weekday] + WEEKDAY_SPREAD_DAYS
        )
        if effect_of_day:
            middle, variance = self._forecast_effect(weekday, effect_of_day, base, weight)
        else:
            middle = base + self._carry() * self.surprise
            disagreement = weight * (1 - weight) * (quick - slow) ** 2
            gap = min((day - self.last_day).days - 1, LONGEST_GAP_DAYS)
            variance = self.variance * (factor + GAP_VARIANCE * gap) + disagreement
        spread = max(sqrt(variance), SMALLEST_SPREAD, exp(-middle / 2))
        return Forecast(slow, quick, base, middle, spread, weight, factor)

    def learn(self, day: date, value: float, effect_of_day: CalendarEffect | None) -> None:
        """Learn the log count of the next day."""
        forecast = self.forecast(day, effect_of_day)
        error = value - forecast.middle
        if effect_of_day:
            self._learn_effect(day.weekday(), value, effect_of_day, forecast)
            return
        self.tail.append(min(max(error / forecast.spread, -LARGEST_TAIL), LARGEST_TAIL))
        spread = sqrt(self.variance)
        self.sides.append((error > SHIFT * spread) - (error < -SHIFT * spread))
        is_shift = abs(sum(self.sides)) == SHIFT_DAYS
        self._learn_level(day.weekday(), value, forecast, spread, is_shift)
        self.last_day = day
        if is_shift:
            self._forget_shift()
            return
        self._learn_carry(min(max(error, -LARGEST_CARRIED * spread), LARGEST_CARRIED * spread))
        self._learn_spread(day.weekday(), error, forecast.weekday_factor)

    def take_level(self, day: date, value: float) -> None:
        """Take the log count of the next day as the level that is normal from now on."""
        forecast = self.forecast(day, None)
        for smoother, before in ((self.slow, forecast.slow), (self.quick, forecast.quick)):
            smoother.level += value - before
        self.last_day = day
        self.sides.clear()
        self.variances.clear()
        self.surprise = 0.0

    def _carry(self) -> float:
        """Share of the last surprise to expect again: a regression on the stream's own surprises, with a prior."""
        evidence = FIRST_CARRY_DAYS * self.variance
        share = (self.carried + evidence * FIRST_CARRY) / (self.carriers + evidence)
        return max(share, 0.0)

    def _learn_level(self, weekday: int, value: float, forecast: Forecast, spread: float, is_shift: bool) -> None:
        self.days_learnt += 1
        limit = OUTLIER * spread
        for smoother, before in ((self.slow, forecast.slow), (self.quick, forecast.quick)):
            surprise = value - before
            smoother.learn_error(surprise)
            if is_shift:
                smoother.learn(weekday, surprise, SHIFT_LEVEL, SHIFT_WEEKDAY_RATIO * smoother.weekday_gain)
                continue
            level_gain = max(smoother.level_gain, 1 / (self.days_learnt + FIRST_LEVEL_DAYS))
            weekday_gain = max(smoother.weekday_gain, 1 / (self.weekday_days[weekday] + FIRST_WEEKDAY_DAYS))
            smoother.learn(weekday, min(max(surprise, -limit), limit), level_gain, weekday_gain)
        self.weekday_days[weekday] += 1

    def _forget_shift(self) -> None:
        """Forget the days it took to recognize a new level: they do not show how ordinary days differ."""
        for _ in range(SHIFT_DAYS):
            self.tail.pop()
        self.variance = self.variances[0]
        self.sides.clear()
        self.surprise = 0.0

    def _learn_carry(self, surprise: float) -> None:
        self.carried = CARRY_DECAY * self.carried + surprise * self.surprise
        self.carriers = CARRY_DECAY * self.carriers + self.surprise**2
        self.surprise = surprise

    def _learn_spread(self, weekday: int, error: float, factor: float) -> None:
        self.variances.append(self.variance)
        square = error * error
        relative = min(square / self.variance, LARGEST_WEEKDAY_SQUARE)
        self.weekday_squares[weekday] = WEEKDAY_SPREAD_MEMORY * self.weekday_squares[weekday] + relative
        self.weekday_weights[weekday] = WEEKDAY_SPREAD_MEMORY * self.weekday_weights[weekday] + 1
        decay = min(SPREAD_DECAY, self.variance_days / (self.variance_days + 1))
        self.variance_days += 1
        fresh = CLIPPING_LOSS * min(square / factor, LARGEST_SQUARE * self.variance)
        self.variance = max(decay * self.variance + (1 - decay) * fresh, SMALLEST_SPREAD**2 / 4)

    def _weekdays(self, weight: float) -> list[float]:
        return [s + weight * (q - s) for s, q in zip(self.slow.offsets, self.quick.offsets, strict=True)]

    def _forecast_effect(
        self, weekday: int, effect_of_day: CalendarEffect, base: float, weight: float
    ) -> tuple[float, float]:
        """Middle and variance on a day with a calendar effect, like earlier ones relative to the level of the week.

        Unless several days of its kind agree, it is drawn towards a share of the way from an ordinary day of this
        weekday to the quietest one. The same holiday of last year counts like three others.
        """
        offsets = self._weekdays(weight)
        quiet = offsets[weekday] - min(offsets)
        of_kind = [(earlier.name, lift) for earlier, lift in self.holidays if earlier.kind == effect_of_day.kind]
        lifts = [lift for _, lift in of_kind]
        weights = [
            SAME_HOLIDAY_WEIGHT if name == effect_of_day.name and effect_of_day.kind != BETWEEN else 1.0
            for name, _ in of_kind
        ]
        prior = min(_deviation(lifts) / AGREEMENT, 1.0) if len(lifts) > 1 else 1.0
        total = sum(w * (lift - offsets[weekday]) for w, lift in zip(weights, lifts, strict=True))
        effect = (total - prior * PRIOR_SHARE[effect_of_day.kind] * quiet) / (sum(weights) + prior)
        middle = base + effect + HOLIDAY_CARRY * self.surprise
        always, if_quiet = UNSURE[effect_of_day.kind]
        prior_squares = UNSURE_DAYS * (always + if_quiet * quiet) ** 2
        return middle, self.variance + (prior_squares + self.holiday_squares) / (UNSURE_DAYS + self.holiday_weight)

    def _learn_effect(self, weekday: int, value: float, effect_of_day: CalendarEffect, forecast: Forecast) -> None:
        level = forecast.base - self._weekdays(forecast.quick_weight)[weekday]
        self.holidays.append((effect_of_day, value - level))
        error = value - forecast.middle
        square = min(error * error, LARGEST_HOLIDAY_SQUARE * forecast.spread**2)
        self.holiday_squares = HOLIDAY_MEMORY * (self.holiday_squares + square)
        self.holiday_weight = HOLIDAY_MEMORY * (self.holiday_weight + 1)
        limit = LARGEST_HOLIDAY_CARRY * sqrt(self.variance)
        self.surprise = min(max(HOLIDAY_CARRY * error, -limit), limit)


def _deviation(values: Sequence[float]) -> float:
    mean = fmean(values)
    return sqrt(fmean((value - mean) ** 2 for value in values))


def _first_profile(first: Sequence[tuple[date, float]]) -> tuple[float, list[float]]:
    """Level on the last of the ``first`` days, and weekday offsets corrected for growth between the two weeks."""
    values = dict(first)
    slopes = [(values[later] - value) / WEEK for past, value in first if (later := past + WEEK * ONE_DAY) in values]
    slope = median(slopes) if slopes else 0.0
    middle = fmean(past.toordinal() for past, _ in first)
    rests: list[list[float]] = [[] for _ in range(WEEK)]
    for past, value in first:
        rests[past.weekday()].append(value - slope * (past.toordinal() - middle))
    seen = [fmean(rest) for rest in rests if rest]
    level = fmean(seen)
    offsets = [fmean(rest) - level if rest else 0.0 for rest in rests]
    return level + slope * (first[-1][0].toordinal() - middle), offsets
