"""How many events to expect on a day, and within which interval, from earlier days only.

What a day's count means for the verdict belongs to the guardrails; a slow loss to ``leak``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import count as count_from
from math import exp, inf, log, sqrt
from statistics import fmean
from typing import TYPE_CHECKING

from telemetry_quality.core.calendar_effects import calendar_effects
from telemetry_quality.core.days import ONE_DAY
from telemetry_quality.core.detectors.robust import robust_sigma
from telemetry_quality.core.detectors.weekday_stream import (
    LARGEST_TAIL,
    PROFILE_MINIMUM,
    SMALLEST_SPREAD,
    TAIL_DAYS,
    learn,
)
from telemetry_quality.core.distributions import student_t5_reach

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

HISTORY_DAYS = 400
"""How far back a baseline may look: a year of holidays and a little more."""

TRAILING_DAYS = 7
TRAILING_MINIMUM = 4
PROFILE_DAYS = 56
ERRORS_MINIMUM = 7
"""One-step errors that must be known before they can say how far off the next one may be."""

FEW_EVENTS = 5.3
"""Where fewer are expected a day without events is no surprise: a Poisson count is then zero more than 1 day in 200."""

EVERYDAY = 0.5
"""Four of five normal days lie no farther than this part of the way to the end of a 99 % interval."""

FIRST_REACH, TAIL_EVIDENCE_DAYS = 3.0, 40
"""The spreads to the ends of an interval before any error is known, and the days of evidence that is worth."""

LEAST_REACH = 0.5
"""An interval never reaches less far, in spreads, though a stream went exactly as foreseen."""

BODY_QUANTILE, TAIL_QUANTILE = 0.9, 0.99
TAIL_RATIO = 2.1
"""From the one to the other it is so far in most streams: between a normal and a t distribution of 3 degrees."""

OWN_TAIL_MINIMUM, OWN_TAIL_SHARE = 50, 0.5
"""Errors that must be known before their own TAIL_QUANTILE counts, and its share of the reach once TAIL_DAYS are."""

LARGEST_LOGARITHM = 700.0
"""Just before ``exp`` overflows."""


@dataclass(frozen=True, slots=True)
class ExpectationSettings:
    """What an expectation depends on beside earlier days.

    Attributes:
        baseline: ``trailing_mean`` or ``weekday``.
        interval_percent: How many of the stream's normal days lie within the interval.
        holidays: Country, or country and subdivision, whose holidays count; None for no holidays.
    """

    baseline: str
    interval_percent: float
    holidays: str | None


@dataclass(frozen=True, slots=True)
class Expectation:
    """What earlier days lead to expect of a day.

    Attributes:
        events: The expected number of events, or None while the history is too short.
        low: Lower end of the interval of ``interval_percent``, in events; None until the stream's own
            errors are known.
        high: Its upper end.
        known_from: While ``events`` is None, the first day it will be known for if no day is missing from now on.
    """

    events: float | None = None
    low: float | None = None
    high: float | None = None
    known_from: date | None = None


def expect(day: date, history: Mapping[date, int], settings: ExpectationSettings) -> Expectation:
    """The volume that ``settings`` lead to expect on ``day``, and the interval of this stream's normal days.

    Args:
        day: The day to be judged; its own count and later ones in ``history`` are never looked at.
        history: Events per readable day; a day that could not be read is simply absent.
        settings: Name the baseline, the holiday calendar and the level of the interval.

    Raises:
        SettingsError: If the ``holidays`` library does not know the region.
    """
    earlier = {past: count for past, count in history.items() if day - timedelta(days=HISTORY_DAYS) <= past < day}
    if settings.baseline == "trailing_mean":
        return _expect_trailing_mean(day, earlier, settings)
    return _expect_weekday(day, earlier, settings)


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


def is_far(count: int, expectation: Expectation, loss_percent: float) -> bool:
    """Whether ``count`` is so far off that a noisy stream must not hide it, although the interval holds it.

    Far is a loss above ``loss_percent``, or a gain as far upwards. Half a day's events missing would otherwise pass
    on streams that vary by as much now and then. Where a stream does so every other day (EVERYDAY of the way to the
    end of the interval), it is left alone.
    """
    surprised = surprise(count, expectation)
    if surprised is None or not expectation.events:
        return False
    deviation = 100 * (count - expectation.events) / expectation.events
    gain = 100 * (100 / (100 - loss_percent) - 1)
    return (deviation < -loss_percent or deviation > gain) and surprised > EVERYDAY


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


def _expect_trailing_mean(day: date, history: Mapping[date, int], settings: ExpectationSettings) -> Expectation:
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
    spread = max(robust_sigma(errors, 0.0), SMALLEST_SPREAD, 1 / sqrt(max(events, 1)))
    return _within(log(events), spread, [error / spread for error in errors], settings)


def _expect_weekday(day: date, history: Mapping[date, int], settings: ExpectationSettings) -> Expectation:
    """Two smoothers of the log count, corrected by yesterday's surprise, with one-step errors of their own.

    Each smoother holds a level and an offset per weekday, one slow and one quick; they are weighted by how well
    each foresaw this stream lately. Surprises are clipped, so that an incident in the history does not become
    the expectation, unless they persist: that is a new level. A share of yesterday's surprise, learnt from the
    stream, is expected again. Calendar effects teach neither level nor weekdays and are expected to be like earlier
    ones of their kind. Measured beside other methods in DETECTION.md's protocol. After Holt (1957), Winters
    (1960); clipping after Gelper, Fried and Croux (2010), Robust forecasting with exponential smoothing.
    """
    effects = calendar_effects(settings.holidays, day.year)

    def is_enough(later: date, days: Collection[date]) -> bool:
        start = later - timedelta(days=PROFILE_DAYS)
        return sum(start <= past < later and past not in effects for past in days) >= PROFILE_MINIMUM

    if not is_enough(day, history):
        return Expectation(known_from=_known_from(day, history, is_enough))
    stream = learn(history, effects)
    forecast = stream.forecast(day, effects.get(day))
    if len(stream.tail) < ERRORS_MINIMUM:
        return Expectation(_events(forecast.middle))
    # How little a steady stream errs says nothing of how sure one may be of its first holidays.
    least = FIRST_REACH if day in effects else 0.0
    return _within(forecast.middle, forecast.spread, stream.tail, settings, least)


def _events(logarithm: float) -> float:
    # Without rounding a steady 1,000 would be expected as 999.9999999999998, and exactly 30 % more would fail.
    return float(f"{exp(min(logarithm, LARGEST_LOGARITHM)):.12g}")


def _within(
    middle: float, spread: float, tail: Collection[float], settings: ExpectationSettings, least_reach: float = 0.0
) -> Expectation:
    """``tail``: earlier one-step errors, each in the spreads of its own day."""
    reach = spread * max(_reach(tail), least_reach) * _level_factor(settings.interval_percent)
    events = _events(middle)
    low = 0.0 if events < FEW_EVENTS else _events(middle - reach)
    return Expectation(events, low, _events(middle + reach))


def _reach(tail: Collection[float]) -> float:
    """Spreads from the middle to either end of the interval that holds 99 % of normal days.

    A few weeks of errors say little of the one in a hundred, so it is drawn from what they do say, their
    BODY_QUANTILE times TAIL_RATIO, from their own extreme where there are enough of them, and from a prior of
    FIRST_REACH.
    """
    sizes = sorted(min(abs(error), LARGEST_TAIL) for error in tail)
    known = len(sizes)
    reach = TAIL_RATIO * _quantile(sizes, BODY_QUANTILE)
    if known >= OWN_TAIL_MINIMUM:
        share = OWN_TAIL_SHARE * min(1, known / TAIL_DAYS)
        reach = reach ** (1 - share) * _quantile(sizes, TAIL_QUANTILE) ** share
    prior = TAIL_EVIDENCE_DAYS * log(FIRST_REACH)
    return exp((known * log(max(reach, LEAST_REACH)) + prior) / (known + TAIL_EVIDENCE_DAYS))


def _quantile(ordered: Sequence[float], share: float) -> float:
    segment = share * (len(ordered) - 1)
    below = int(segment)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (segment - below) * (ordered[above] - ordered[below])


@lru_cache(maxsize=16)
def _level_factor(percent: float) -> float:
    """Reach of an interval of ``percent`` beside that of 99 %, as of a t distribution of five degrees of freedom."""
    if percent == 99:
        return 1.0
    return student_t5_reach(percent / 100) / student_t5_reach(0.99)
