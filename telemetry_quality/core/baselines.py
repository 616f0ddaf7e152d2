"""Baselines: how many events to expect on a day, and within which interval, from earlier days only.

What a day's count means for the verdict belongs to the guardrails; a slow loss to ``leaks``.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import count as count_from
from math import exp, inf, log, sqrt
from statistics import fmean, median
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.days import ONE_DAY
from telemetry_quality.core.distributions import student_t5_reach
from telemetry_quality.core.special_days import BETWEEN, HOLIDAY, NEAR, special_days

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from telemetry_quality.core.policies import Policy
    from telemetry_quality.core.special_days import Special

HISTORY_DAYS = 400
"""How far back a baseline may look: a year of holidays and a little more."""

TRAILING_DAYS = 7
TRAILING_MINIMUM = 4
PROFILE_DAYS = 56
PROFILE_MINIMUM = 14
ERRORS_MINIMUM = 7
"""One-step errors that must be known before they can say how far off the next one may be."""

FEW_EVENTS = 5.3
"""Where fewer are expected a day without events is no surprise: a Poisson count is then zero more than 1 day in 200."""

SLOW_LEVEL, QUICK_LEVEL = 0.1, 0.4
"""Share of a surprise that the slow and the quick smoother take into their level."""

SLOW_WEEKDAY, QUICK_WEEKDAY = 0.12, 0.4
"""The same for the offset of the weekday, which is seen once a week."""

OUTLIER = 2.0
"""Spreads beyond which a surprise teaches no more: a bad day in the history must not become the expectation."""

SHIFT_DAYS = 4
SHIFT = 2.5
"""So many days in a row more than so many spreads off on the same side are a new level."""

FIRST_SPREAD = 0.1
SMALLEST_SPREAD = 0.02
"""Spread of the log count: before any error is known, and never below."""

SPREAD_MEMORY = 0.92
ERROR_MEMORY = 0.96
CARRY_MEMORY = 0.97
FIRST_CARRY, FIRST_CARRY_DAYS, LARGEST_CARRY = 0.35, 10, 0.8
"""Share of yesterday's surprise expected again today, worth so many days of evidence, and never above."""

HOLIDAY_CARRY = 0.5
WEEKDAY_SPREAD_DAYS = 6
LONGEST_GAP_DAYS = 14
GAP_VARIANCE = 0.05
"""Each day without an ordinary reading before this one adds so much of the stream's variance."""

TAIL_DAYS = 200
FIRST_REACH = 3.0
TAIL_EVIDENCE_DAYS = 40
LARGEST_TAIL = 6.0
"""Errors the interval is made of; the spreads to its ends before any is known; the days of evidence that is worth;
the spreads at which an error is clipped."""


PRIOR_SHARE = {HOLIDAY: 0.8, NEAR: 0.5, BETWEEN: 0.3}
"""How far a special day is expected to be on the way to the quietest weekday, until the stream says otherwise."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What earlier days lead to expect of a day.

    Attributes:
        events: The expected number of events, or None while the history is too short.
        low: Lower end of the interval of ``Policy.interval_percent``, in events; None until the stream's own
            errors are known.
        high: Its upper end.
        known_from: While ``events`` is None, the first day it will be known for if no day is missing from now on.
    """

    events: float | None = None
    low: float | None = None
    high: float | None = None
    known_from: date | None = None


def expect(day: date, history: Mapping[date, int], policy: Policy) -> Expectation:
    """The volume ``policy`` leads to expect on ``day``, and the interval of this stream's normal days.

    Args:
        day: The day to be judged; its own count and later ones in ``history`` are never looked at.
        history: Events per readable day; a day that could not be read is simply absent.
        policy: Names the baseline, the holiday calendar and the level of the interval.

    Raises:
        SettingsError: If the ``holidays`` library does not know the region.
    """
    earlier = {past: count for past, count in history.items() if day - timedelta(days=HISTORY_DAYS) <= past < day}
    if policy.baseline == "trailing_mean":
        return _expect_trailing_mean(day, earlier, policy)
    return _expect_weekday(day, earlier, policy)


def surprise(count: int, expectation: Expectation) -> float | None:
    """How far ``count`` lies from what is expected, 1 at either end of the interval; None where it is not known.

    Measured in logs: half-way is where the interval of half the reach ends. No events where FEW_EVENTS or more
    are expected surprise infinitely.
    """
    events, low, high = expectation.events, expectation.low, expectation.high
    if not events or low is None or high is None:
        return None
    if count >= events:
        return log(count / events) / log(high / events)
    if low == 0:
        return 0.0
    return log(count / events) / log(low / events) if count else inf


def _known_from(day: date, known: Collection[date], is_enough: Callable[[date, Collection[date]], bool]) -> date:
    """The first day after ``day`` that ``is_enough`` days lie before, if none is missing from ``day`` on."""
    days = set(known)
    for n in count_from():
        days.add(day + n * ONE_DAY)
        if is_enough(later := day + (n + 1) * ONE_DAY, days):
            return later
    raise AssertionError("days never end")


def trailing_mean(day: date, history: Mapping[date, int]) -> float | None:
    """Mean of the last TRAILING_DAYS days; None where fewer than TRAILING_MINIMUM of them are known."""
    counts = [history[past] for past in _trailing_days(day) if past in history]
    return fmean(counts) if len(counts) >= TRAILING_MINIMUM else None


def _trailing_days(day: date) -> list[date]:
    return [day - n * ONE_DAY for n in range(1, TRAILING_DAYS + 1)]


def _expect_trailing_mean(day: date, history: Mapping[date, int], policy: Policy) -> Expectation:
    events = trailing_mean(day, history)
    if events is None:
        return Expectation(
            known_from=_known_from(
                day,
                history,
                lambda later, days: sum(past in days for past in _trailing_days(later)) >= TRAILING_MINIMUM,
            )
        )
    recent = sorted(history)[-TAIL_DAYS:]
    pairs = [(history[past], mean) for past in recent if (mean := trailing_mean(past, history)) is not None]
    errors = [log(max(count, 1)) - log(max(mean, 1)) for count, mean in pairs]
    if len(errors) < ERRORS_MINIMUM or not events:
        return Expectation(events)
    spread = max(1.4826 * median(abs(error) for error in errors), SMALLEST_SPREAD, 1 / sqrt(max(events, 1)))
    return _within(log(events), spread, [error / spread for error in errors], policy)


def _expect_weekday(day: date, history: Mapping[date, int], policy: Policy) -> Expectation:
    """Two smoothers of the log count, corrected by yesterday's surprise, with one-step errors of their own.

    Each smoother holds a level and an offset per weekday, one slow and one quick; they are weighted by how well
    each foresaw this stream lately. Surprises are clipped, so that an incident in the history does not become
    the expectation, unless they persist: that is a new level. A share of yesterday's surprise, learnt from the
    stream, is expected again. Special days teach neither level nor weekdays and are expected to be like earlier
    ones of their kind. Measured beside other methods in DETECTION.md's protocol. After Holt (1957), Winters
    (1960); clipping after Gelper, Fried and Croux (2010), Robust forecasting with exponential smoothing.
    """
    special = special_days(policy.holidays, day.year)

    def is_enough(later: date, days: Collection[date]) -> bool:
        start = later - timedelta(days=PROFILE_DAYS)
        return sum(start <= past < later and past not in special for past in days) >= PROFILE_MINIMUM

    if not is_enough(day, history):
        return Expectation(known_from=_known_from(day, history, is_enough))
    stream = _learn(history, special)
    forecast = stream.forecast(day, special.get(day))
    if len(stream.tail) < ERRORS_MINIMUM:
        return Expectation(_events(forecast.middle))
    # How little a steady stream errs says nothing of how sure one may be of its first holidays.
    least = FIRST_REACH if day in special else 0.0
    return _within(forecast.middle, forecast.spread, stream.tail, policy, least)


def _learn(history: Mapping[date, int], special: Mapping[date, Special]) -> _Stream:
    points = [(past, log(max(history[past], 1))) for past in sorted(history)]
    first = [point for point in points if point[0] not in special][:PROFILE_MINIMUM]
    stream = _Stream(first)
    for past, value in points:
        if past > first[-1][0]:
            stream.learn(past, value, special.get(past))
    return stream


class _Forecast(NamedTuple):
    """Logs of events: what the smoothers say, their weighted mean, the middle and spread of what is expected."""

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
        mean = change / 7
        self.offsets = [offset - mean for offset in self.offsets]
        self.level += step + mean

    def remember_error(self, surprise: float) -> None:
        size = min(abs(surprise), 3 * self.error + 0.02)
        self.error = ERROR_MEMORY * self.error + (1 - ERROR_MEMORY) * size


class _Stream:
    """All that is learnt of a stream, one day after another."""

    def __init__(self, first: Sequence[tuple[date, float]]) -> None:
        level, offsets = _first_profile(first)
        self.slow = _Smoother(level, offsets, SLOW_LEVEL, SLOW_WEEKDAY)
        self.quick = _Smoother(level, offsets, QUICK_LEVEL, QUICK_WEEKDAY)
        self.last_day = first[-1][0]
        self.days_learnt = 0
        self.weekday_days = [2] * 7
        self.variance = FIRST_SPREAD**2
        self.variance_days = 3
        self.weekday_squares = [0.0] * 7
        self.weekday_weights = [0.0] * 7
        self.surprise = 0.0
        self.carried = self.carriers = 0.0
        self.holidays: list[tuple[Special, float]] = []
        self.holiday_squares = self.holiday_weight = 0.0
        self.tail: deque[float] = deque(maxlen=TAIL_DAYS)
        self.sides: deque[int] = deque(maxlen=SHIFT_DAYS)
        self.variances: deque[float] = deque(maxlen=SHIFT_DAYS)

    def forecast(self, day: date, special: Special | None) -> _Forecast:
        weekday = day.weekday()
        slow = self.slow.level + self.slow.offsets[weekday]
        quick = self.quick.level + self.quick.offsets[weekday]
        # The fourth power lets the better one lead clearly, without ever silencing the other.
        ratio = (0.01 + self.quick.error) / (0.01 + self.slow.error)
        weight = 1 / (1 + ratio**4)
        base = slow + weight * (quick - slow)
        factor = (self.weekday_squares[weekday] + WEEKDAY_SPREAD_DAYS) / (
            self.weekday_weights[weekday] + WEEKDAY_SPREAD_DAYS
        )
        if special:
            middle, variance = self._forecast_special(weekday, special, base, weight)
        else:
            middle = base + self._carry() * self.surprise
            disagreement = weight * (1 - weight) * (quick - slow) ** 2
            gap = min((day - self.last_day).days - 1, LONGEST_GAP_DAYS)
            variance = self.variance * (factor + GAP_VARIANCE * gap) + disagreement
        spread = max(sqrt(variance), SMALLEST_SPREAD, exp(-middle / 2))
        return _Forecast(slow, quick, base, middle, spread, weight, factor)

    def learn(self, day: date, value: float, special: Special | None) -> None:
        forecast = self.forecast(day, special)
        error = value - forecast.middle
        if special:
            self._learn_special(day.weekday(), value, special, forecast)
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
        self._learn_carry(min(max(error, -3 * spread), 3 * spread))
        self._learn_spread(day.weekday(), error, forecast.weekday_factor)

    def _carry(self) -> float:
        """How much of the last surprise to expect again: a regression on the stream's own, after a prior."""
        evidence = FIRST_CARRY_DAYS * self.variance
        share = (self.carried + evidence * FIRST_CARRY) / (self.carriers + evidence)
        return min(max(share, 0.0), LARGEST_CARRY)

    def _learn_level(self, weekday: int, value: float, forecast: _Forecast, spread: float, is_shift: bool) -> None:
        self.days_learnt += 1
        limit = OUTLIER * spread
        for smoother, before in ((self.slow, forecast.slow), (self.quick, forecast.quick)):
            surprise = value - before
            smoother.remember_error(surprise)
            if is_shift:
                smoother.learn(weekday, surprise, 0.8, smoother.weekday_gain / 5)
                continue
            # Early on, the mean of the few known days is better than a smoother that remembers its start.
            level_gain = max(smoother.level_gain, 1 / (self.days_learnt + 2))
            weekday_gain = max(smoother.weekday_gain, 1 / (self.weekday_days[weekday] + 1))
            smoother.learn(weekday, min(max(surprise, -limit), limit), level_gain, weekday_gain)
        self.weekday_days[weekday] += 1

    def _forget_shift(self) -> None:
        """The days it took to see that the level is a new one say nothing of how ordinary days differ."""
        for _ in range(SHIFT_DAYS):
            self.tail.pop()
        self.variance = self.variances[0]
        self.sides.clear()
        self.surprise = 0.0

    def _learn_carry(self, surprise: float) -> None:
        self.carried = CARRY_MEMORY * self.carried + surprise * self.surprise
        self.carriers = CARRY_MEMORY * self.carriers + self.surprise**2
        self.surprise = surprise

    def _learn_spread(self, weekday: int, error: float, factor: float) -> None:
        self.variances.append(self.variance)
        square = error * error
        self.weekday_squares[weekday] = 0.95 * self.weekday_squares[weekday] + min(square / self.variance, 6)
        self.weekday_weights[weekday] = 0.95 * self.weekday_weights[weekday] + 1
        memory = min(SPREAD_MEMORY, self.variance_days / (self.variance_days + 1))
        self.variance_days += 1
        # Clipping makes the mean square too small by about a tenth.
        fresh = 1.1 * min(square / factor, 9 * self.variance)
        self.variance = max(memory * self.variance + (1 - memory) * fresh, SMALLEST_SPREAD**2 / 4)

    def _weekdays(self, weight: float) -> list[float]:
        return [s + weight * (q - s) for s, q in zip(self.slow.offsets, self.quick.offsets, strict=True)]

    def _forecast_special(self, weekday: int, special: Special, base: float, weight: float) -> tuple[float, float]:
        """Middle and variance on a special day, relative to the level of the week, like earlier ones of its kind.

        Unless several of its kind agree, it is drawn towards a share of the way from an ordinary day of this
        weekday to the quietest one. The same holiday of last year counts like three others.
        """
        offsets = self._weekdays(weight)
        quiet = offsets[weekday] - min(offsets)
        of_kind = [(earlier.name, lift) for earlier, lift in self.holidays if earlier.kind == special.kind]
        lifts = [lift for _, lift in of_kind]
        weights = [3.0 if name == special.name and special.kind != BETWEEN else 1.0 for name, _ in of_kind]
        prior = min(_deviation(lifts) / 0.1, 1.0) if len(lifts) > 1 else 1.0
        total = sum(w * (lift - offsets[weekday]) for w, lift in zip(weights, lifts, strict=True))
        effect = (total - prior * PRIOR_SHARE[special.kind] * quiet) / (sum(weights) + prior)
        middle = base + effect + HOLIDAY_CARRY * self.surprise
        unsure = 0.06 + 0.1 * quiet if special.kind == BETWEEN else 0.12 + 0.15 * quiet
        return middle, self.variance + (4 * unsure**2 + self.holiday_squares) / (4 + self.holiday_weight)

    def _learn_special(self, weekday: int, value: float, special: Special, forecast: _Forecast) -> None:
        level = forecast.base - self._weekdays(forecast.quick_weight)[weekday]
        self.holidays.append((special, value - level))
        error = value - forecast.middle
        self.holiday_squares = 0.9 * (self.holiday_squares + min(error * error, 9 * forecast.spread**2))
        self.holiday_weight = 0.9 * (self.holiday_weight + 1)
        limit = 2 * sqrt(self.variance)
        self.surprise = min(max(HOLIDAY_CARRY * error, -limit), limit)


def _deviation(values: Sequence[float]) -> float:
    mean = fmean(values)
    return sqrt(fmean((value - mean) ** 2 for value in values))


def _first_profile(first: Sequence[tuple[date, float]]) -> tuple[float, list[float]]:
    """Level on the last of the ``first`` days, and weekday offsets, freed of the growth between the two weeks."""
    values = dict(first)
    slopes = [(values[later] - value) / 7 for past, value in first if (later := past + 7 * ONE_DAY) in values]
    slope = median(slopes) if slopes else 0.0
    middle = fmean(past.toordinal() for past, _ in first)
    rests: list[list[float]] = [[] for _ in range(7)]
    for past, value in first:
        rests[past.weekday()].append(value - slope * (past.toordinal() - middle))
    seen = [fmean(rest) for rest in rests if rest]
    level = fmean(seen)
    offsets = [fmean(rest) - level if rest else 0.0 for rest in rests]
    return level + slope * (first[-1][0].toordinal() - middle), offsets


def _events(logarithm: float) -> float:
    # Without rounding a steady 1,000 would be expected as 999.9999999999998, and exactly 30 % more would fail.
    return float(f"{exp(min(logarithm, 700.0)):.12g}")


def _within(
    middle: float, spread: float, tail: Collection[float], policy: Policy, least_reach: float = 0.0
) -> Expectation:
    """``tail``: earlier one-step errors, each in the spreads of its own day."""
    reach = spread * max(_reach(tail), least_reach) * _level_factor(policy.interval_percent)
    events = _events(middle)
    low = 0.0 if events < FEW_EVENTS else _events(middle - reach)
    return Expectation(events, low, _events(middle + reach))


def _reach(tail: Collection[float]) -> float:
    """Spreads from the middle to either end of the interval that holds 99 % of normal days.

    A few weeks of errors say little of the one in a hundred, so it is drawn from what they do say, their 90 %
    point times 2.1 (between a normal and a t distribution of three degrees of freedom), from their own extreme
    where there are enough of them, and from a prior of FIRST_REACH.
    """
    sizes = sorted(min(abs(error), LARGEST_TAIL) for error in tail)
    known = len(sizes)
    reach = 2.1 * _quantile(sizes, 0.9)
    if known >= 50:
        share = 0.5 * min(1, known / TAIL_DAYS)
        reach = reach ** (1 - share) * _quantile(sizes, 0.99) ** share
    prior = TAIL_EVIDENCE_DAYS * log(FIRST_REACH)
    return exp((known * log(max(reach, 0.5)) + prior) / (known + TAIL_EVIDENCE_DAYS))


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


@lru_cache(maxsize=16)
def _level_factor(percent: float) -> float:
    """Reach of an interval of ``percent`` beside that of 99 %, as of a t distribution of five degrees of freedom."""
    if percent == 99:
        return 1.0
    return student_t5_reach(percent / 100) / student_t5_reach(0.99)
