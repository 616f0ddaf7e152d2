"""The hourly protocol: outages of a few hours put into series of hourly counts, and which guardrail notices them.

The daily guardrails judge the day's sum, as they do in production; a guardrail of hours sees the 24 counts.
"""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from math import isfinite, nan
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from detection import ours
from detection.protocol import (
    COUNTRIES,
    HOLIDAY,
    NORMAL,
    SEED,
    WARM_UP_DAYS,
    Days,
    Tally,
    load_countries,
    make_days,
    mean_over_groups,
    region_of,
    series_name,
)
from telemetry_quality.core.detectors.expected_volume import Expectation
from telemetry_quality.core.detectors.windows import WINDOW_DAYS
from telemetry_quality.core.evidence import Evidence
from telemetry_quality.core.guardrails import missing_hours
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.core.hours import HOURS, DayHours
from telemetry_quality.core.metrics import DayFigures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from detection.protocol import Floats, Limits

DAYTIME = (8, 20)
"""The first hour of an outage in the daytime at the earliest, and the hour it has ended by."""


class Outage(NamedTuple):
    """A kind of outage: so many hours without an event, within a part of the day."""

    title: str
    hours: int
    earliest: int = 0
    latest_end: int = HOURS


OUTAGES = (
    Outage("3 hours in the daytime", 3, *DAYTIME),
    Outage("3 hours at any time", 3),
    Outage("6 hours in the daytime", 6, *DAYTIME),
    Outage("6 hours at any time", 6),
)


@dataclass(frozen=True, slots=True, eq=False)
class HourlySeries:
    """A series of hourly counts without a gap between its dates.

    Attributes:
        name: That of its file.
        days: The sums of the days.
        hours: Events per day and hour, of the shape (days, 24); NaN on days that are absent.
    """

    name: str
    days: Days
    hours: Floats

    def judged(self) -> Iterator[int]:
        """Indices of the days that are judged: after the warm-up, and not absent."""
        return (i for i in range(WARM_UP_DAYS, len(self.hours)) if isfinite(self.days.counts[i]))


@dataclass(frozen=True, slots=True)
class HourlyMethod:
    """One way to judge a day by its hours.

    Attributes:
        name: Key in the results.
        title: Words for the table.
        is_alarm: Whether a day with these 24 counts raises an alarm, given the days before it.
    """

    name: str
    title: str
    is_alarm: Callable[[HourlySeries, int, Floats], bool]


@dataclass(frozen=True, slots=True)
class HourlyFigures:
    """What the hourly table says about one method; percentages are 0–100, NaN where nothing could be measured."""

    name: str
    title: str
    days: int = 0
    false_alarms_mean: float = nan
    holidays_alarmed_percent: float = nan
    found_percent: Mapping[str, float] = field(default_factory=lambda: {outage.title: nan for outage in OUTAGES})
    milliseconds_per_day: float = nan


def by_sum(
    limits: Callable[[Days, int], Limits | None],
) -> Callable[[HourlySeries, int, Floats], bool]:
    """Judge the sum of the day by daily limits."""

    def is_alarm(series: HourlySeries, index: int, hours: Floats) -> bool:
        accepted = limits(series.days, index)
        return accepted is not None and accepted.is_alarm(float(hours.sum()))

    return is_alarm


def by_hours(*, has_calendar: bool) -> Callable[[HourlySeries, int, Floats], bool]:
    """Judge the hours of the day by the guardrail ``missing_hours``."""

    def is_alarm(series: HourlySeries, index: int, hours: Floats) -> bool:
        dates = series.days.dates
        earlier = (i for i in range(max(0, index - WINDOW_DAYS), index) if isfinite(series.days.counts[i]))
        known = {dates[i]: _day_hours(series.hours[i]) for i in earlier} | {dates[index]: _day_hours(hours)}
        figures = DayFigures(total_events=int(hours.sum()))
        evidence = Evidence(dates[index], figures, Expectation(), hours=known)
        policy = policy_of(holidays=series.days.region if has_calendar else None)
        return missing_hours.judge(evidence, policy).outcome is Outcome.FAILED

    return is_alarm


def _day_hours(counts: Floats) -> DayHours:
    return DayHours(tuple(counts.astype(int).tolist()), (0,) * HOURS)


def by_either(
    *alarms: Callable[[HourlySeries, int, Floats], bool],
) -> Callable[[HourlySeries, int, Floats], bool]:
    """Alarm if any of the ``alarms`` does."""
    return lambda series, index, hours: any(is_alarm(series, index, hours) for is_alarm in alarms)


HOURLY_METHODS = (
    HourlyMethod("ours_both", "telemetry-quality, both (default)", by_sum(ours.as_shipped(ours.deviation_and_unusual))),
    HourlyMethod("ours_both_calendar", "… with the country's calendar", by_sum(ours.deviation_and_unusual)),
    HourlyMethod(
        "ours_either",
        "telemetry-quality, deviation or unusual",
        by_sum(ours.as_shipped(ours.deviation_or_unusual)),
    ),
    HourlyMethod("ours_either_calendar", "… with the country's calendar", by_sum(ours.deviation_or_unusual)),
    HourlyMethod("ours_missing_hours", "telemetry-quality, missing hours", by_hours(has_calendar=False)),
    HourlyMethod("ours_missing_hours_calendar", "… with the country's calendar", by_hours(has_calendar=True)),
    HourlyMethod(
        "ours_both_and_hours",
        "telemetry-quality, default and missing hours together",
        by_either(by_sum(ours.as_shipped(ours.deviation_and_unusual)), by_hours(has_calendar=False)),
    ),
)


def load_hourly_folder(folder: Path) -> list[HourlySeries]:
    """Every ``*.csv`` and ``*.csv.gz`` of ``folder`` except COUNTRIES, by name.

    Raises:
        SystemExit: In one sentence, if the folder is absent or holds no series, or if COUNTRIES cannot be understood.
    """
    files = sorted(file for pattern in ("*.csv", "*.csv.gz") for file in folder.glob(pattern) if file.name != COUNTRIES)
    if not files:
        raise SystemExit(
            f"A folder with hourly series (*.csv or *.csv.gz with hour,count) is required, but {folder} "
            f"{'holds none' if folder.is_dir() else 'does not exist'}; pass --hourly FOLDER."
        )
    known = load_countries(folder)
    return [load_hourly_series(file, known.get(name := series_name(file.name), region_of(name))) for file in files]


def load_hourly_series(file: Path, region: str | None) -> HourlySeries:
    """One series. An hour without a row has no events; a day without a single row is absent.

    The hour that comes twice when clocks are set back is one with all its events.
    """
    counts: dict[date, Floats] = {}
    with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            hour = datetime.fromisoformat(row["hour"])
            counts.setdefault(hour.date(), np.zeros(HOURS))[hour.hour] += float(row["count"] or 0)
    first, last = min(counts), max(counts)
    dates = tuple(first + timedelta(days=n) for n in range((last - first).days + 1))
    absent = np.full(HOURS, nan)
    return make_hourly_series(
        series_name(file.name), dates, np.array([counts.get(day, absent) for day in dates]), region
    )


def make_hourly_series(name: str, dates: tuple[date, ...], hours: Floats, region: str | None = None) -> HourlySeries:
    return HourlySeries(name, make_days(dates, hours.sum(axis=1), region), hours)


def outages(hours: Floats, seed: Sequence[int]) -> Iterator[tuple[str, Floats]]:
    """The 24 counts of a day under one outage of each kind, at a start drawn among those at which events are lost.

    Args:
        hours: The counts of the day.
        seed: Says which start is drawn, always the same for the same day of the same series.
    """
    random = np.random.default_rng(seed)
    for title, length, earliest, latest_end in OUTAGES:
        starts = [start for start in range(earliest, latest_end - length + 1) if hours[start : start + length].any()]
        if starts:
            start = int(random.choice(starts))
            left = hours.copy()
            left[start : start + length] = 0
            yield title, left


def judge_hourly(method: HourlyMethod, folder: Sequence[HourlySeries]) -> HourlyFigures:
    """Judge every series by one method; no outage enters the history of another day."""
    began = perf_counter()
    tallies = {series.name: _judge_series(method.is_alarm, series) for series in folder}
    judgements = sum(sum(tally.judged.values()) for tally in tallies.values())
    holidays = Tally()
    for tally in tallies.values():
        holidays.judged[HOLIDAY] += tally.judged[HOLIDAY]
        holidays.alarms[HOLIDAY] += tally.alarms[HOLIDAY]
    return HourlyFigures(
        method.name,
        method.title,
        sum(tally.judged[NORMAL] for tally in tallies.values()),
        mean_over_groups(tallies, NORMAL),
        holidays.percent(HOLIDAY),
        {outage.title: mean_over_groups(tallies, outage.title) for outage in OUTAGES},
        1000 * (perf_counter() - began) / judgements if judgements else nan,
    )


def _judge_series(is_alarm: Callable[[HourlySeries, int, Floats], bool], series: HourlySeries) -> Tally:
    tally = Tally()
    for index in series.judged():
        hours = series.hours[index]
        if series.days.holidays[index]:
            tally.add(HOLIDAY, is_alarm(series, index, hours))
            continue
        tally.add(NORMAL, is_alarm(series, index, hours))
        for title, left in outages(hours, (SEED, series.days.dates[index].toordinal())):
            tally.add(title, is_alarm(series, index, left))
    return tally
