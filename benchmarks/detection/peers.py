"""Formulas that other open-source projects publish, written anew from reading their code, with their defaults.

Each is judged on the morning after the day, once, on one count per day; what the projects build around the formula
(warehouses, schedules, feedback from users) is not here. Commits name the state of the file that was read.
"""

from __future__ import annotations

import logging
import warnings
from datetime import timedelta
from math import ceil, exp, floor, inf, isfinite, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from detection.plain import WEEK, library
from detection.protocol import Limits

if TYPE_CHECKING:
    from detection.protocol import Days, Floats

ELEMENTARY_DAYS = 14
ELEMENTARY_SENSITIVITY = 3.0
ELEMENTARY_MINIMUM = 7

DBT_TREND_DAYS = 7
DBT_SIGMAS = 3.0

DEEQU_SIGMAS = 1.96
DEEQU_START = (0.3, 0.1, 0.1)

TESTGEN_MINIMUM = 30
TESTGEN_MEDIUM = 2.5
SATURDAY = 5

SODA_WINDOW = 1000
SODA_SMALLEST_RATIO = 0.001


def elementary(days: Days, index: int) -> Limits | None:
    """Elementary's volume anomalies: a z-score over 14 days that include the tested day.

    With n days, of which the n − 1 earlier ones have the mean m and the sum of squares s around it, a count at
    distance d from m has |z| = d (n − 1) / n : √((s + d² (n − 1) / n) / (n − 1)); solved for |z| = 3.

    Source: elementary-data/dbt-data-reliability, ``get_anomaly_scores_query.sql`` (commit c5c689c) and
    ``get_config_var.sql`` (57a8101): days_back 14, anomaly_sensitivity 3, min_training_set_size 7, no seasonality.
    The documentation of ``training_period`` says that it includes the detection period.
    """
    earlier = _known_before(days, index, ELEMENTARY_DAYS - 1)
    n = len(earlier) + 1
    if n < ELEMENTARY_MINIMUM:
        return None
    mean = float(earlier.mean())
    squares = float(((earlier - mean) ** 2).sum())
    room = ((n - 1) / n) ** 2 - ELEMENTARY_SENSITIVITY**2 / n
    if room <= 0:
        return Limits(-inf, inf, (-inf, inf))
    reach = ELEMENTARY_SENSITIVITY * sqrt(squares / (n - 1) / room)
    return _interval(mean - reach, mean + reach)


def dbt_expectations(days: Days, index: int) -> Limits | None:
    """dbt-expectations' moving sigma: the log change to the day before, against the seven changes before it.

    Source: metaplane/dbt-expectations (after calogica's), ``expect_column_values_to_be_within_n_moving_stdevs.sql``
    (commit c99eb44): lookback_periods 1, trend_periods 7, sigma_threshold 3, take_diffs and take_logs true; the log
    of zero counts as 0, and a standard deviation of zero lets everything pass.
    """
    earlier = _known_before(days, index, 3 * WEEK)[-DBT_TREND_DAYS - 1 :]
    if len(earlier) <= DBT_TREND_DAYS:
        return None
    logs = np.log(np.maximum(earlier, 1))
    changes = np.diff(logs)
    reach = DBT_SIGMAS * float(changes.std(ddof=1))
    if reach == 0:
        return None
    middle = float(logs[-1] + changes.mean())
    low = exp(middle - reach)
    return _interval(low if low > 1 else 0.0, exp(middle + reach))


def deequ(days: Days, index: int) -> Limits | None:
    """Deequ's weekly Holt-Winters: 1.96 standard deviations of the absolute residuals around the forecast.

    Source: awslabs/deequ, ``anomalydetection/seasonal/HoltWinters.scala`` (commit 99cea4c): the three smoothing
    parameters minimise the squared residuals within [0, 1] from (0.3, 0.1, 0.1) on all earlier days. As published,
    the smoothed signal of a day is compared with the season of the week before, and the deviation is that of
    absolute values, which is narrower than that of the residuals.
    """
    counts = _bridged(days, index)
    if len(counts) < 2 * WEEK:
        return None
    values = counts.tolist()

    def squares(parameters: Floats) -> float:
        residuals, _ = _deequ_smooth(values, *parameters)
        return float((residuals**2).sum())

    best = library("scipy.optimize").minimize(
        squares, DEEQU_START, method="L-BFGS-B", bounds=[(0, 1)] * 3, options={"eps": 1e-5}
    )
    residuals, forecast = _deequ_smooth(values, *best.x)
    reach = DEEQU_SIGMAS * float(np.abs(residuals).std(ddof=1))
    return _interval(forecast - reach, forecast + reach)


def _deequ_smooth(values: list[float], alpha: float, beta: float, gamma: float) -> tuple[Floats, float]:
    """Residuals of additive Holt-Winters as Deequ writes it, and the forecast of the next day."""
    level = sum(values[:WEEK]) / WEEK
    trend = (sum(values[WEEK : 2 * WEEK]) - sum(values[:WEEK])) / WEEK**2
    seasons = [value - level for value in values[:WEEK]]
    fitted = [level + trend + seasons[0]]
    for day, value in enumerate(values):
        season = seasons[day]
        before = level + trend
        seasons.append(gamma * (value - before) + (1 - gamma) * season)
        new_level = alpha * (value - season) + (1 - alpha) * before
        trend = beta * (new_level - level) + (1 - beta) * trend
        level = new_level
        fitted.append(level + trend + seasons[day + 1])
    return np.array(values) - np.array(fitted[:-1]), level + trend + seasons[-WEEK]


def testgen(days: Days, index: int) -> Limits | None:
    """DataKitchen TestGen's volume prediction: SARIMAX(1, 1, 1) with a weekend flag, 2.5 standard errors.

    Source: DataKitchen/dataops-testgen 4.x, ``testgen/common/time_series_service.py`` (commit cc8f4b6) and
    ``testgen/commands/test_thresholds_prediction.py`` (064ad0c): medium sensitivity, ``exclude_weekends`` switched
    on, no holiday codes, all earlier days, at least 30.
    """
    counts = _bridged(days, index)
    if len(counts) < TESTGEN_MINIMUM:
        return None
    first = days.dates[index] - timedelta(days=len(counts))
    weekdays = (first.weekday() + np.arange(len(counts) + 1)) % WEEK
    is_weekend = (weekdays >= SATURDAY).astype(float)
    sarimax = library("statsmodels.tsa.statespace.sarimax").SARIMAX
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = sarimax(
            counts, exog=is_weekend[:-1], order=(1, 1, 1), enforce_stationarity=False, enforce_invertibility=False
        ).fit(disp=False)
        forecast = model.get_forecast(1, exog=is_weekend[-1:])
    mean, error = float(forecast.predicted_mean[0]), float(forecast.var_pred_mean[0]) ** 0.5
    return _interval(mean - TESTGEN_MEDIUM * error, mean + TESTGEN_MEDIUM * error) if isfinite(error) else None


def soda(days: Days, index: int) -> Limits | None:
    """Soda v3's anomaly detection: Prophet with the profile "coverage", an interval of 99.9 %.

    Source: sodadata/soda-core 3.x, ``anomaly_detection_v2/models/prophet_model.py`` (commit 9854660) and
    ``sodacl/anomaly_detection_metric_check_cfg.py`` (022754b): multiplicative seasonality with prior scale 0.01,
    changepoint prior scale 0.001, window_length 1000, bounds rounded outwards and at least 0.1 % wide, no holiday
    country, random seed 0.
    """
    prophet = _quiet_prophet()
    pandas = library("pandas")
    first = max(0, index - SODA_WINDOW)
    table = pandas.DataFrame({"ds": pandas.to_datetime(list(days.dates[first:index])), "y": days.counts[first:index]})
    future = pandas.DataFrame({"ds": pandas.to_datetime([days.dates[index]])})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = prophet.Prophet(
            seasonality_mode="multiplicative",
            seasonality_prior_scale=0.01,
            changepoint_prior_scale=0.001,
            interval_width=0.999,
        )
        np.random.seed(0)  # Prophet draws from the global generator
        (row,) = model.fit(table.dropna(), seed=0).predict(future).to_dict("records")
    low = min(row["yhat_lower"], row["yhat"] * (1 - SODA_SMALLEST_RATIO))
    high = max(row["yhat_upper"], row["yhat"] * (1 + SODA_SMALLEST_RATIO))
    return _interval(floor(low), ceil(high))


def _quiet_prophet() -> Any:
    for name in ("cmdstanpy", "prophet", "prophet.models", "prophet.plot"):
        logging.getLogger(name).disabled = True
    return library("prophet")


def _interval(low: float, high: float) -> Limits:
    return Limits(low, high, (low, high))


def _known_before(days: Days, index: int, span: int) -> Floats:
    counts = days.counts[max(0, index - span) : index]
    return counts[np.isfinite(counts)]


def _bridged(days: Days, index: int) -> Floats:
    """All earlier counts, gaps bridged in a straight line."""
    counts = days.counts[:index]
    known = np.flatnonzero(np.isfinite(counts))
    return np.interp(np.arange(known[0], index), known, counts[known]) if len(known) else counts[:0]
