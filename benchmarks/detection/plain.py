"""Textbook baselines and bands, each from earlier days only.

``r30`` accepts what lies within 30 % of the baseline; a band accepts what lies within the method's own interval.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from importlib import import_module
from math import exp, isfinite, log, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from detection.protocol import Days, Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from detection.protocol import Floats

TOLERANCE = 0.30
MAD_TO_SIGMA = 1.4826
BAND_SIGMAS = 3.0
WEEK = 7

PROFILE_DAYS = 56
PROFILE_MINIMUM = 14
SLOPE_DAYS = 28
ERRORS_MINIMUM = 14
SMALLEST_SCALE = 0.03
HOLIDAY_YEAR = 400
HOLIDAY_MINIMUM = 2

MODEL_DAYS = 112
"""What STL and Holt-Winters are fitted on: the last sixteen weeks, at least four."""


def r30(baseline: Callable[[Days, int], float | None]) -> Callable[[Days, int], Limits | None]:
    """Accept what lies within 30 % of ``baseline``."""

    def limits(days: Days, index: int) -> Limits | None:
        expected = baseline(days, index)
        return None if expected is None else around(expected)

    return limits


def around(expected: float, interval: tuple[float, float] | None = None) -> Limits:
    return Limits(expected * (1 - TOLERANCE), expected * (1 + TOLERANCE), interval)


def both(expected: float, low: float, high: float) -> Limits:
    """Alarm only where the deviation and the interval both say so."""
    wide = around(expected)
    return Limits(min(wide.low, low), max(wide.high, high), (low, high))


def either(expected: float, low: float, high: float) -> Limits:
    """Alarm where the deviation or the interval says so."""
    wide = around(expected)
    return Limits(max(wide.low, low), min(wide.high, high), (low, high))


def trailing_mean(days: Days, index: int) -> float | None:
    """Mean of the last seven days, at least four of them known."""
    counts = _known(days.counts[max(0, index - WEEK) : index])
    return float(counts.mean()) if len(counts) >= 4 else None


def weekday_median(days: Days, index: int) -> float | None:
    """Median of the same weekday in the last four weeks, at least three of them known."""
    counts = _same_weekday(days, index, weeks=4)
    return float(np.median(counts)) if len(counts) >= 3 else None


def weekday_mad_band(days: Days, index: int) -> Limits | None:
    """Median of the same weekday in the last eight weeks, give or take three scaled median absolute deviations."""
    counts = _same_weekday(days, index, weeks=8)
    if len(counts) < 4:
        return None
    middle = float(np.median(counts))
    reach = BAND_SIGMAS * MAD_TO_SIGMA * float(np.median(np.abs(counts - middle)))
    return Limits(middle - reach, middle + reach, (middle - reach, middle + reach))


def _same_weekday(days: Days, index: int, weeks: int) -> Floats:
    positions = [index - WEEK * n for n in range(1, weeks + 1) if index >= WEEK * n]
    return _known(days.counts[positions])


def _known(counts: Floats) -> Floats:
    return counts[np.isfinite(counts)]


def stl(days: Days, index: int) -> float | None:
    """Robust STL of the log counts, its last level plus what this weekday added a week ago.

    Source: Cleveland, Cleveland, McRae, Terpenning (1990), as in statsmodels, with its default windows.
    """
    logs = log_history(days, index, MODEL_DAYS)
    if logs is None:
        return None
    parts = library("statsmodels.tsa.seasonal").STL(logs, period=WEEK, robust=True).fit()
    return exp(parts.trend[-1] + parts.seasonal[-WEEK])


def holt_winters(days: Days, index: int) -> float | None:
    """Exponential smoothing with additive error, trend and week (ETS AAA) of the log counts.

    Source: Hyndman and Athanasopoulos, Forecasting, section 8.3, as in statsmodels, starting values estimated.
    """
    logs = log_history(days, index, MODEL_DAYS)
    if logs is None:
        return None
    smoothing = library("statsmodels.tsa.holtwinters").ExponentialSmoothing
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = smoothing(
            logs, trend="add", seasonal="add", seasonal_periods=WEEK, initialization_method="estimated"
        ).fit(use_brute=False)
        return exp(float(model.forecast(1)[0]))


def library(name: str) -> Any:
    """A module that only the benchmark needs, imported when a method that uses it runs."""
    return import_module(name)


def log_history(days: Days, index: int, span: int) -> Floats | None:
    """Logs of the last ``span`` counts, gaps bridged in a straight line; None below four weeks."""
    logs = np.log(np.maximum(days.counts[max(0, index - span) : index], 1))
    known = np.flatnonzero(np.isfinite(logs))
    if len(known) < 4 * WEEK:
        return None
    return np.interp(np.arange(known[0], len(logs)), known, logs[known])


def profile(days: Days, index: int) -> float | None:
    """Log trend and weekday profile; see ``_profile_log``."""
    expected = _profile_log(days, index, False)
    return None if expected is None else exp(expected)


def profile_with_holidays(days: Days, index: int) -> float | None:
    """The same with a holiday calendar."""
    expected = _profile_log(days, index, True)
    return None if expected is None else exp(expected)


def profile_both(days: Days, index: int) -> Limits | None:
    """Alarm where the profile's deviation and its band both say so."""
    return _profile_limits(days, index, False)


def profile_with_holidays_both(days: Days, index: int) -> Limits | None:
    """The same with a holiday calendar."""
    return _profile_limits(days, index, True)


def _profile_limits(days: Days, index: int, knows_holidays: bool) -> Limits | None:
    expected, scale = _profile_log(days, index, knows_holidays), _profile_scale(days, index, knows_holidays)
    if expected is None or scale is None:
        return None
    scale = max(scale, SMALLEST_SCALE, 1 / sqrt(max(exp(expected), 1)))
    return both(exp(expected), exp(expected - BAND_SIGMAS * scale), exp(expected + BAND_SIGMAS * scale))


def _profile_scale(days: Days, index: int, knows_holidays: bool) -> float | None:
    """Scaled median absolute deviation of the profile's own last 56 one-step errors, in logs."""
    errors = []
    for past in range(max(0, index - PROFILE_DAYS), index):
        expected = _profile_log(days, past, knows_holidays)
        if expected is not None and isfinite(days.counts[past]):
            errors.append(log(max(days.counts[past], 1)) - expected)
    if len(errors) < ERRORS_MINIMUM:
        return None
    return MAD_TO_SIGMA * float(np.median(np.abs(np.array(errors) - np.median(errors))))


@lru_cache(maxsize=20_000)
def _profile_log(days: Days, index: int, knows_holidays: bool) -> float | None:
    """The log count a weekday profile with a damped trend expects.

    Logs of the last 56 counts; level = centred 7-day median; offset of a weekday = median of what is left, summing to
    zero over the week; slope = median of pairwise slopes at least 7 days apart over the last 28 days; forecast =
    median of the last 7 points, plus half the slope for 4 days, plus the day's offset. With a calendar, holidays stay
    out of this, and a holiday's offset is the median effect of those before it (two are needed, otherwise it lies
    between the weekday's own and that of the quietest weekday).
    """
    first = max(0, index - PROFILE_DAYS)
    logs = np.log(np.maximum(days.counts[first:index], 1))
    if knows_holidays:
        logs = np.where(days.holidays[first:index], np.nan, logs)
    if np.isfinite(logs).sum() < PROFILE_MINIMUM:
        return None
    weekdays = (days.dates[first].weekday() + np.arange(len(logs))) % WEEK
    offsets = _weekday_offsets(logs, weekdays)
    flat = logs - offsets[weekdays]
    known = np.flatnonzero(np.isfinite(flat))
    trend = float(np.median(flat[known[-WEEK:]])) + _slope_per_day(flat) / 2 * 4
    weekday = days.dates[index].weekday()
    if knows_holidays and days.holidays[index]:
        return trend + _holiday_offset(days, index, offsets, weekday)
    return trend + float(offsets[weekday])


def _weekday_offsets(logs: Floats, weekdays: NDArray[np.signedinteger]) -> Floats:
    rests = logs - level(logs)
    raw = np.nan_to_num([median_known(rests[weekdays == weekday]) for weekday in range(WEEK)])
    offsets: Floats = raw - raw.mean()
    return offsets


def level(logs: Floats) -> Floats:
    """Centred 7-day median, of fewer days at the edges and around gaps."""
    padded = np.pad(logs, 3, constant_values=np.nan)
    windows = np.sort(np.lib.stride_tricks.sliding_window_view(padded, WEEK), axis=1)
    sizes = np.isfinite(windows).sum(axis=1)
    rows = np.arange(len(logs))
    middles: Floats = (windows[rows, np.maximum(sizes - 1, 0) // 2] + windows[rows, sizes // 2]) / 2
    return middles


def median_known(values: Floats) -> float:
    """Median without gaps; NaN where nothing is known."""
    known = _known(values)
    return float(np.median(known)) if len(known) else np.nan


def _slope_per_day(flat: Floats) -> float:
    """Median of the slopes between points at least a week apart (after Theil and Sen)."""
    recent = flat[-SLOPE_DAYS:]
    later, earlier = np.tril_indices(len(recent), -WEEK)
    slope = median_known((recent[later] - recent[earlier]) / (later - earlier))
    return slope if isfinite(slope) else 0.0


def _holiday_offset(days: Days, index: int, offsets: Floats, weekday: int) -> float:
    first = max(0, index - HOLIDAY_YEAR)
    logs = np.log(np.maximum(days.counts[first:index], 1))
    is_holiday = days.holidays[first:index]
    weekdays = (days.dates[first].weekday() + np.arange(len(logs))) % WEEK
    ordinary = level(np.where(is_holiday, np.nan, logs - offsets[weekdays]))
    effects = _known((logs - ordinary)[is_holiday])
    if len(effects) >= HOLIDAY_MINIMUM:
        return float(np.median(effects))
    return float(offsets[weekday] + offsets.min()) / 2
