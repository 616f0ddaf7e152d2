"""How many events to expect on a day, and within which interval, from earlier days only.

What a day's count means for the verdict belongs to the guardrails; slow losses belong to ``leak``.
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
"""How far back a baseline may look: a little more than a year, to see every holiday once."""

TRAILING_DAYS = 7
TRAILING_MINIMUM = 4
PROFILE_DAYS = 56
ERRORS_MINIMUM = 7
"""One-step errors that must be known before they say how large the next error may be."""

FEW_EVENTS = 5.3
"""If fewer are expected, a day without events is no surprise: a Poisson count is then zero on over 1 day in 200."""

EVERYDAY = 0.5
"""Four of five normal days lie no farther out than this share of the way to the end of a 99 % interval."""

FIRST_REACH, TAIL_EVIDENCE_DAYS = 3.0, 40
"""Reach of an interval in spreads before any error is known, and how many days of evidence this prior is worth."""

LEAST_REACH = 0.5
"""Smallest reach of an interval, in spreads, even if the stream went exactly as forecast."""

BODY_QUANTILE, TAIL_QUANTILE = 0.9, 0.99
TAIL_RATIO = 2.1
"""TAIL_QUANTILE over BODY_QUANTILE in most streams: between a normal and a t distribution of 3 degrees of freedom."""

OWN_TAIL_MINIMUM, OWN_TAIL_SHARE = 50, 0.5
"""Errors that must be known before their own TAIL_QUANTILE counts, and its weight once TAIL_DAYS are known."""

LARGEST_LOGARITHM = 700.0
"""Just below the value at which ``exp`` overflows."""


@dataclass(frozen=True, slots=True)
class ExpectationSettings:
    """What an expectation depends on besides earlier days.

    Attributes:
        baseline: ``trailing_mean`` or ``weekday``.
        interval_percent: The percentage of the stream's normal days that lie within the interval.
        holidays: Country, or country and subdivision, whose holidays count; None for no holidays.
        rest: Weekdays, as ``date.weekday`` counts them, on which the stream may rest.
        rest_days: Dates on which it may rest.
    """

    baseline: str
    interval_percent: float
    holidays: str | None
    rest: frozenset[int] = frozenset()
    rest_days: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class Expectation:
    """The volume that earlier days suggest for a day.

    Attributes:
        events: The expected number of events; None while the history is too short.
        low: Lower end of the interval of ``interval_percent``, in events; None until the stream's own
            errors are known.
        high: Upper end of the interval.
        known_from: While ``events`` is None, the first day for which it will be known if no day is missing from now on.
        is_empty_usual: Whether a day without a single event would be ordinary here: a weekend of a business stream.
    """

    events: float | None = None
    low: float | None = None
    high: float | None = None
    known_from: date | None = None
    is_empty_usual: bool = False


def expect(
    day: date, history: Mapping[date, int], settings: ExpectationSettings, new_levels: Collection[date] = ()
) -> Expectation:
    """The volume to expect on ``day``, and the interval of this stream's normal days.

    Args:
        day: The day to be judged; its own count and later ones in ``history`` are ignored.
        history: Events per readable day; days that could not be read are absent.
        settings: The baseline, the holiday calendar, days of rest and the level of the interval.
        new_levels: Days from which on somebody accepted another level as normal.

    Raises:
        SettingsError: If the ``holidays`` library does not know the region.
    """
    earlier = {past: count for past, count in history.items() if day - timedelta(days=HISTORY_DAYS) <= past < day}
    if settings.baseline == "trailing_mean":
        since = max((past for past in new_levels if past <= day), default=date.min)
        return _expect_trailing_mean(day, {past: count for past, count in earlier.items() if past >= since}, settings)
    return _expect_weekday(day, earlier, settings, new_levels)


def surprise(count: int, expectation: Expectation) -> float | None:
    """How far ``count`` lies from what is expected, 1 at either end of the interval; None if that is not known.

    Measured in logs, so 0.5 is where an interval of half the reach ends. Zero events are infinitely surprising
    if FEW_EVENTS or more are expected.
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
    """Whether ``count`` is so far off that a noisy stream must not hide it, although it lies within the interval.

    A loss above ``loss_percent`` is far off, and so is a gain by the same factor. Otherwise half a day's events
    could be missing on streams that sometimes vary that much. A stream that varies that much every other day
    (EVERYDAY of the way to the end of the interval) is left alone.
    """
    surprised = surprise(count, expectation)
    if surprised is None or not expectation.events:
        return False
    deviation = 100 * (count - expectation.events) / expectation.events
    gain = 100 * (100 / (100 - loss_percent) - 1)
    return (deviation < -loss_percent or deviation > gain) and surprised > EVERYDAY


def _known_from(day: date, known: Collection[date], is_enough: Callable[[date, Collection[date]], bool]) -> date:
    """The first day after ``day`` that has enough known days before it, if none is missing from ``day`` on."""
    days = set(known)
    for n in count_from():
        days.add(day + n * ONE_DAY)
        if is_enough(later := day + (n + 1) * ONE_DAY, days):
            return later
    raise AssertionError("days never end")


def trailing_mean(day: date, history: Mapping[date, int]) -> float | None:
    """Mean of the last TRAILING_DAYS days; None if fewer than TRAILING_MINIMUM of them are known."""
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


def _expect_weekday(
    day: date, history: Mapping[date, int], settings: ExpectationSettings, new_levels: Collection[date]
) -> Expectation:
    """Two smoothers of the log count, corrected by yesterday's surprise, each with its own one-step errors.

    Each smoother holds a level and an offset per weekday, one slow and one quick; they are weighted by how well
    each forecast this stream lately. Surprises are clipped, so that an incident in the history does not become
    the expectation, unless they persist, which makes a new level. A share of yesterday's surprise, learnt from the
    stream, is expected again. Days with a calendar effect teach neither level nor weekdays and are expected to be
    like earlier ones of their kind. DETECTION.md compares this with other methods. After Holt (1957), Winters
    (1960); clipping after Gelper, Fried and Croux (2010), Robust forecasting with exponential smoothing.
    """
    effects = calendar_effects(settings.holidays, day.year)

    def is_enough(later: date, days: Collection[date]) -> bool:
        start = later - timedelta(days=PROFILE_DAYS)
        return sum(start <= past < later and past not in effects for past in days) >= PROFILE_MINIMUM

    if not is_enough(day, history):
        return Expectation(known_from=_known_from(day, history, is_enough))
    stream = learn(history, effects, new_levels)
    forecast = stream.forecast(day, effects.get(day))
    if len(stream.tail) < ERRORS_MINIMUM:
        return Expectation(_events(forecast.middle))
    # The small errors of a steady stream do not show how far off its first holidays may be.
    least = FIRST_REACH if day in effects else 0.0
    return _within(forecast.middle, forecast.spread, stream.tail, settings, least)


def _events(logarithm: float) -> float:
    # Without rounding, a steady 1,000 would be expected as 999.9999999999998, and exactly 30 % more would fail.
    return float(f"{exp(min(logarithm, LARGEST_LOGARITHM)):.12g}")


def _within(
    middle: float, spread: float, tail: Collection[float], settings: ExpectationSettings, least_reach: float = 0.0
) -> Expectation:
    """The interval around ``middle``; ``tail`` holds earlier one-step errors, each in the spread of its own day."""
    reach = spread * max(_reach(tail), least_reach) * _level_factor(settings.interval_percent)
    events = _events(middle)
    low = 0.0 if events < FEW_EVENTS else _events(middle - reach)
    return Expectation(events, low, _events(middle + reach))


def _reach(tail: Collection[float]) -> float:
    """Spreads from the middle to either end of the interval that holds 99 % of normal days.

    A few weeks of errors say little about the largest in a hundred, so the reach combines what they do show, their
    BODY_QUANTILE times TAIL_RATIO, with their own extreme if there are enough of them, and with a prior of
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
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)

    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


@lru_cache(maxsize=16)
def _level_factor(percent: float) -> float:
    """Reach of a ``percent`` interval relative to the 99 % interval, by a t distribution of five degrees of freedom."""
    if percent == 99:
        return 1.0
    return student_t5_reach(percent / 100) / student_t5_reach(0.99)
