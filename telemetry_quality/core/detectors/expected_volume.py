"""How many events to expect on a day, and within which interval, from earlier days only.

What a day's count means for the verdict belongs to the guardrails; slow losses belong to ``leak``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import count as count_from
from math import exp, inf, log, sqrt
from statistics import fmean
from typing import TYPE_CHECKING

from telemetry_quality.core.calendar_effects import calendar_effects
from telemetry_quality.core.days import ONE_DAY
from telemetry_quality.core.detectors.intervals import FIRST_REACH, Reach, reach_of
from telemetry_quality.core.detectors.regime import LARGEST_TAIL, SMALLEST_SPREAD, TAIL_DAYS
from telemetry_quality.core.detectors.robust import robust_sigma
from telemetry_quality.core.detectors.weekday_stream import PROFILE_MINIMUM, StreamCalendar, learn

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from telemetry_quality.core.detectors.weekday_stream import Stream

HISTORY_DAYS = 400
"""How far back a baseline may look: a little more than a year, to see every holiday once."""

TRAILING_DAYS = 7
TRAILING_MINIMUM = 4
PROFILE_DAYS = 56
ERRORS_MINIMUM = 7
"""One-step errors that must be known before they say how large the next error may be."""

FEW_EVENTS = 5.3
"""If fewer are expected, a day without events is no surprise: a Poisson count is then zero on over 1 day in 200."""

STEADY, POISSON_REACH = 0.7, 2.58
"""A stream is steady if the lower half of its interval is shorter than this share of that of a Poisson count, which
holds POISSON_REACH standard deviations."""

EVERYDAY_LOSS, EVERYDAY_GAIN = 0.45, 0.5
"""Most normal days lie no farther out than this share of the way to the lower, or upper, end of a 99 % interval."""

GAIN_POWER = 1.2
"""A gain is as far off as a loss if its factor is that of the loss to this power: peaks are more common than losses."""

EVERY_HOLIDAY = 0.65
"""The same on holidays and the days beside them, which differ more."""

REST = "day of rest"
"""The calendar effect of days on which the settings let the stream rest."""

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
        calendar_effect: Why the day may not be an ordinary one: ``Labor Day``, ``perhaps Labor Day``, ``day of rest``.
        is_empty_usual: Whether a day without a single event would be ordinary here: a weekend of a business stream.
    """

    events: float | None = None
    low: float | None = None
    high: float | None = None
    known_from: date | None = None
    calendar_effect: str | None = None
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
    start = day - timedelta(days=HISTORY_DAYS)
    earlier = {past: count for past, count in history.items() if start <= past < day and past not in settings.rest_days}
    if settings.baseline == "trailing_mean":
        since = max((past for past in new_levels if past <= day), default=date.min)
        found = _expect_trailing_mean(day, {past: n for past, n in earlier.items() if past >= since}, settings)
    else:
        found = _expect_weekday(day, earlier, settings, new_levels)
    if day in settings.rest_days or day.weekday() in settings.rest:
        low = None if found.low is None else 0.0
        return replace(found, low=low, calendar_effect=REST, is_empty_usual=True)
    return found


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


def is_steadier_than_chance(expectation: Expectation) -> bool:
    """Whether the stream varies clearly less than independent events would: a few scheduled jobs, the same every day.

    The lower end of its interval is compared with that of a Poisson count (in logs, by the normal approximation).
    """
    events, low = expectation.events, expectation.low
    if not events or not low:
        return False
    return log(events / low) < STEADY * POISSON_REACH / sqrt(events)


def is_far(count: int, expectation: Expectation, loss_percent: float) -> bool:
    """Whether ``count`` is so far off that a noisy stream must not hide it, although it lies within the interval.

    A loss above ``loss_percent`` is far off, and so is a gain like it (see ``far_gain_percent``). Otherwise half a
    day's events could be missing on streams that sometimes vary that much. A stream that varies that much every other
    day (``everyday`` says how far that is) is left alone.
    """
    surprised = surprise(count, expectation)
    if surprised is None or not expectation.events:
        return False
    deviation = 100 * (count - expectation.events) / expectation.events
    everyday_loss, everyday_gain = everyday(expectation)
    if deviation < 0:
        return deviation < -loss_percent and surprised > everyday_loss
    return deviation > far_gain_percent(loss_percent) and surprised > everyday_gain


def far_gain_percent(loss_percent: float) -> float:
    """The gain that is as far off as a loss of ``loss_percent``: 68 % for 35 %."""
    return 100 * (exp(-GAIN_POWER * log(1 - loss_percent / 100)) - 1)


def everyday(expectation: Expectation) -> tuple[float, float]:
    """How far most days like this one lie from what is expected, as shares of the way to either end of the interval."""
    if expectation.calendar_effect:
        return EVERY_HOLIDAY, EVERY_HOLIDAY
    return EVERYDAY_LOSS, EVERYDAY_GAIN


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
    tail = [min(max(error / spread, -LARGEST_TAIL), LARGEST_TAIL) for error in errors]
    return _within(log(events), spread, reach_of(tail, settings.interval_percent))


def _expect_weekday(
    day: date, history: Mapping[date, int], settings: ExpectationSettings, new_levels: Collection[date]
) -> Expectation:
    """Two smoothers of the log count, corrected by yesterday's surprise, each with its own one-step errors.

    Each smoother holds a level and an offset per weekday, one slow and one quick; they are weighted by how well
    each forecast this stream lately. Surprises are clipped, and days that are far off or empty teach nothing, so that
    an incident in the history does not become the expectation, unless they persist, which makes a new level. A share
    of yesterday's surprise, learnt from the stream, is expected again. Days with a calendar effect teach neither level
    nor weekdays and are expected to be like earlier ones of their kind; days that come back each month or every second
    week are expected to do so. docs/explanation/detection.md compares this with other methods. After Holt (1957),
    Winters (1960); clipping after Gelper, Fried and Croux (2010), Robust forecasting with exponential smoothing.
    """
    effects = calendar_effects(settings.holidays, day.year)

    def is_enough(later: date, days: Collection[date]) -> bool:
        start = later - timedelta(days=PROFILE_DAYS)
        return sum(start <= past < later and past not in effects for past in days) >= PROFILE_MINIMUM

    # Days before the first event are not days of the stream.
    begin = min((past for past, count in history.items() if count), default=day)
    known = {past: count for past, count in history.items() if past >= begin}
    if not is_enough(day, known):
        return Expectation(known_from=_known_from(day, known, is_enough))
    stream = learn(known, StreamCalendar(effects if settings.holidays else None, settings.rest, new_levels))
    return expectation_of(stream, day, settings.interval_percent)


def expectation_of(stream: Stream, day: date, interval_percent: float) -> Expectation:
    """What to expect of ``day`` from the stream as it was learnt up to the day before."""
    reach = reach_of(stream.tail, interval_percent)
    # The small errors of a steady stream do not show how far off its first holidays may be.
    wide = Reach(max(reach.below, FIRST_REACH), max(reach.above, FIRST_REACH))
    effect_of_day = stream.effects.get(day)
    forecast = stream.forecast(day)
    found = _within(forecast.middle, forecast.spread, wide if effect_of_day else reach)
    if recurring := stream.forecast_recurrence(day):
        found = _either(_within(recurring.middle, recurring.spread, reach), found)
    if possible := stream.possible_holiday(day):
        quiet = stream.forecast_holiday(day, possible)
        found = _either(found, _within(quiet.middle, quiet.spread, wide))
    if is_empty := stream.is_empty_usual(day):
        found = replace(found, low=0.0)
    if len(stream.tail) < ERRORS_MINIMUM:
        found = replace(found, low=None, high=None)
    reason = effect_of_day.name if effect_of_day else f"perhaps {possible.name}" if possible else None
    return replace(found, calendar_effect=reason, is_empty_usual=is_empty)


def _either(likely: Expectation, possible: Expectation) -> Expectation:
    """The likely day is expected, but the other one would be no surprise."""
    lows = [low for low in (likely.low, possible.low) if low is not None]
    highs = [high for high in (likely.high, possible.high) if high is not None]
    return Expectation(likely.events, min(lows), max(highs))


def _events(logarithm: float) -> float:
    # Without rounding, a steady 1,000 would be expected as 999.9999999999998, and exactly 30 % more would fail.
    return float(f"{exp(min(logarithm, LARGEST_LOGARITHM)):.12g}")


def _within(middle: float, spread: float, reach: Reach) -> Expectation:
    """The interval around ``middle``."""
    events = _events(middle)
    # One event more or less is never unusual, however steady the stream.
    low = min(_events(middle - reach.below * spread), max(events - 1, 0.0))
    return Expectation(
        events, 0.0 if events < FEW_EVENTS else low, max(_events(middle + reach.above * spread), events + 1)
    )
