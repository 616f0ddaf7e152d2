"""Compare the forecast with others from rolling origins: ``python benchmarks/forecast.py [--data FOLDER …] [--made]``.

Each series is forecast for 14 days from up to 16 days, by what was known on that day. A folder holds series as
``date,count,label,note`` and may say in ``series.csv`` which country each is from; days with the label ``incident`` are
not scored. ``--made`` adds ten series that are made here. The other methods run with their defaults and need
``statsforecast`` and ``prophet``, best in an environment of their own; ``--methods`` chooses among them.
"""

from __future__ import annotations

import argparse
import logging
import sys
import warnings
from dataclasses import dataclass, field
from datetime import date, timedelta
from importlib import import_module
from math import exp, isfinite, pi, sin
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from detection.protocol import Series, load_folder, make_days, public_holidays

from telemetry_quality.core.detectors.coming_days import coming_days
from telemetry_quality.core.detectors.expected_volume import ExpectationSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from detection.protocol import Days, Floats

DAYS_AHEAD, WEEK = 14, 7
ORIGINS, FIRST_ORIGIN = 16, 112
"""Origins per series, evenly spread from the day with so many days before it."""

MOST_HISTORY_DAYS = 1096
"""The others may learn from three years, which shows Prophet the seasons of the year."""

LEVEL = 90
STEADY_PERCENT = 15.0
"""A series is steady if the seasonal naive is off by at most so much: one week resembles the next."""

GOAL = (85.0, 95.0)


class Ahead(NamedTuple):
    """What a method expects of the days ahead."""

    events: Floats
    low: Floats
    high: Floats


def ours(days: Days, origin: int) -> Ahead | None:
    """Our forecast, which looks back 400 days."""
    known = {
        day: int(count) for day, count in zip(days.dates[: origin + 1], days.counts, strict=False) if isfinite(count)
    }
    settings = ExpectationSettings("weekday", 99.0, days.region)
    found = coming_days(days.dates[origin] + timedelta(days=1), DAYS_AHEAD, known, settings)
    if found is None:
        return None
    return Ahead(
        *(np.array(column) for column in zip(*((day.events, day.low, day.high) for day in found), strict=True))
    )


def seasonal_naive(days: Days, origin: int) -> Ahead:
    """The same weekday of last week; its interval is that of its own errors one and two weeks ahead."""
    counts = _filled(days, origin)
    ahead = np.resize(counts[-WEEK:], DAYS_AHEAD)
    reach = [np.quantile(np.abs(counts[n:] - counts[:-n]), LEVEL / 100) for n in (WEEK, 2 * WEEK)]
    wide = np.repeat(reach, WEEK)
    return Ahead(ahead, ahead - wide, ahead + wide)


def ets(days: Days, origin: int) -> Ahead:
    """AutoETS of statsforecast: exponential smoothing, its form chosen by AICc."""
    model = import_module("statsforecast.models").AutoETS(season_length=WEEK)
    found = model.forecast(y=_filled(days, origin), h=DAYS_AHEAD, level=[LEVEL])
    return Ahead(found["mean"], found[f"lo-{LEVEL}"], found[f"hi-{LEVEL}"])


def prophet(days: Days, origin: int) -> Ahead:
    """Prophet with the holidays of the series' country."""
    pandas, library = import_module("pandas"), import_module("prophet")
    model = library.Prophet(interval_width=LEVEL / 100, uncertainty_samples=300)
    if days.region:
        model.add_country_holidays(country_name=days.region.partition("-")[0])
    start = max(0, origin + 1 - MOST_HISTORY_DAYS)
    model.fit(pandas.DataFrame({"ds": days.dates[start : origin + 1], "y": days.counts[start : origin + 1]}))
    coming = [days.dates[origin] + timedelta(days=n) for n in range(1, DAYS_AHEAD + 1)]
    found = model.predict(pandas.DataFrame({"ds": pandas.to_datetime(coming)}))
    return Ahead(*(found[name].to_numpy() for name in ("yhat", "yhat_lower", "yhat_upper")))


def _filled(days: Days, origin: int) -> Floats:
    """The counts up to ``origin``; absent days are interpolated."""
    counts = days.counts[max(0, origin + 1 - MOST_HISTORY_DAYS) : origin + 1]
    known = np.isfinite(counts)
    return np.interp(np.arange(len(counts)), np.flatnonzero(known), counts[known])


METHODS: Mapping[str, tuple[str, Callable[[Days, int], Ahead | None]]] = {
    "ours": ("telemetry-quality", ours),
    "naive": ("seasonal naive", seasonal_naive),
    "ets": ("ETS (`AutoETS`)", ets),
    "prophet": ("Prophet", prophet),
}


@dataclass(slots=True)
class Tally:
    """What one method achieved on one series."""

    events: float = 0.0
    error: float = 0.0
    days: int = 0
    covered: int = 0
    by_days_ahead: list[list[bool]] = field(default_factory=lambda: [[] for _ in range(DAYS_AHEAD)])

    def add(self, ahead: Ahead, came: Floats, counted: Sequence[int]) -> None:
        """Add the days ``counted`` of one forecast."""
        for n in counted:
            is_covered = bool(ahead.low[n] <= came[n] <= ahead.high[n])
            self.events += float(came[n])
            self.error += abs(float(ahead.events[n] - came[n]))
            self.days += 1
            self.covered += is_covered
            self.by_days_ahead[n].append(is_covered)

    @property
    def error_percent(self) -> float:
        """The weighted absolute percentage error."""
        return 100 * self.error / self.events

    @property
    def coverage_percent(self) -> float:
        """The share of days within their interval."""
        return 100 * self.covered / self.days


def compare(series: Series, methods: Sequence[str]) -> dict[str, Tally]:
    """Forecast one series by all methods from the same origins; empty if it is too short."""
    tallies = {method: Tally() for method in methods}
    days, last = series.days, len(series.days.dates) - DAYS_AHEAD - 1
    first = min(FIRST_ORIGIN, max(last, 0))
    for origin in sorted({int(n) for n in np.linspace(first, last, ORIGINS)}) if last >= 10 * WEEK else []:
        found = {method: METHODS[method][1](days, origin) for method in methods}
        came = days.counts[origin + 1 : origin + 1 + DAYS_AHEAD]
        counted = [n for n in range(DAYS_AHEAD) if isfinite(came[n]) and series.labels[origin + 1 + n] != "incident"]
        if None in found.values():
            continue
        for method, ahead in found.items():
            if ahead is not None:
                tallies[method].add(ahead, came, counted)
    return tallies if all(tally.events for tally in tallies.values()) else {}


class Made(NamedTuple):
    """How a series is made: level, week, noise of which a share stays the next day, growth, seasons and holidays."""

    level: float
    week: tuple[float, ...]
    noise: float
    stays: float
    growth: float
    season: float
    holiday: float | None


OFFICE, LEISURE, FLAT, CLOSED = (
    (1.0, 1.03, 1.05, 1.02, 0.95, 0.55, 0.5),
    (0.9, 0.9, 0.9, 0.95, 1.1, 1.3, 1.2),
    (1.0, 1.01, 1.0, 1.02, 0.99, 0.9, 0.88),
    (1.0, 1.0, 1.0, 1.0, 1.0, 0.1, 0.08),
)
MADE = (
    Made(200_000, OFFICE, 0.03, 0.5, 0.1, 0.05, 0.6),
    Made(50_000, LEISURE, 0.05, 0.3, 0.0, 0.1, 1.2),
    Made(8_000, FLAT, 0.04, 0.7, 0.3, 0.0, None),
    Made(1_200, OFFICE, 0.06, 0.4, -0.1, 0.1, 0.5),
    Made(300, FLAT, 0.05, 0.2, 0.0, 0.1, 0.8),
    Made(40, LEISURE, 0.1, 0.3, 0.2, 0.0, None),
    Made(1_000_000, FLAT, 0.02, 0.8, 0.5, 0.03, 0.9),
    Made(15_000, CLOSED, 0.05, 0.4, 0.2, 0.05, 0.1),
    Made(90_000, LEISURE, 0.07, 0.6, -0.2, 0.15, 1.1),
    Made(5_000, OFFICE, 0.08, 0.0, 0.0, 0.0, 0.5),
)
MADE_FIRST, MADE_DAYS = date(2024, 1, 1), 500


def made_series() -> Iterator[Series]:
    """The series of MADE, the same on every run."""
    dates = tuple(MADE_FIRST + timedelta(days=n) for n in range(MADE_DAYS))
    for number, made in enumerate(MADE, 1):
        region = "US" if made.holiday else None
        holidays = public_holidays(region, dates[0].year, dates[-1].year)
        random, state, counts = np.random.default_rng(number), 0.0, []
        for n, day in enumerate(dates):
            state = made.stays * state + random.normal(0, made.noise * (1 - made.stays**2) ** 0.5)
            level = made.level * made.week[day.weekday()] * (1 + made.growth) ** (n / 365) * exp(state)
            level *= 1 + made.season * sin(2 * pi * (n + 30 * number) / 365)
            counts.append(float(random.poisson(level * (made.holiday or 1.0 if day in holidays else 1.0))))
        yield Series(f"made_{number}", make_days(dates, np.array(counts), region), ("",) * MADE_DAYS)


def report(tallies: Mapping[str, Mapping[str, Tally]], methods: Sequence[str]) -> Iterator[str]:
    """The tables, as Markdown."""
    steady = {name for name, found in tallies.items() if found["naive"].error_percent <= STEADY_PERCENT}
    for title, names in (("steady series", steady), ("other series", tallies.keys() - steady)):
        if not names:
            continue
        yield f"\n{len(names)} {title}: {', '.join(sorted(names))}\n"
        yield "| method | error, mean | error, median | covered, mean | covered, median | series with 85–95 % |"
        yield "|---|---|---|---|---|---|"
        for method in methods:
            errors = [tallies[name][method].error_percent for name in names]
            covered = [tallies[name][method].coverage_percent for name in names]
            good = sum(GOAL[0] <= share <= GOAL[1] for share in covered)
            cells = (fmean(errors), median(errors), fmean(covered), median(covered))
            yield f"| {METHODS[method][0]} | {' | '.join(f'{cell:.1f} %' for cell in cells)} | {good} of {len(names)} |"
    shown = [
        100 * fmean(is_covered for name in steady for is_covered in tallies[name][methods[0]].by_days_ahead[n])
        for n in range(DAYS_AHEAD)
    ]
    by_days_ahead = " ".join(f"{share:.0f}" for share in shown)
    yield f"\nSteady series covered by {METHODS[methods[0]][0]}, 1 to 14 days ahead: {by_days_ahead}"
    yield "\n| series | " + " | ".join(METHODS[method][0] for method in methods) + " |"
    yield "|---" * (len(methods) + 1) + "|"
    for name, found in sorted(tallies.items()):
        pairs = (f"{found[method].error_percent:.1f} ({found[method].coverage_percent:.0f})" for method in methods)
        yield f"| {name} | {' | '.join(pairs)} |"


def main(arguments: Sequence[str]) -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", default=[], help="a folder of series; may be repeated")
    parser.add_argument("--made", action="store_true", help="the series that are made here")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    asked: Any = parser.parse_args(arguments)
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    methods = list(dict.fromkeys(["ours", "naive", *asked.methods]))
    every = [series for folder in asked.data for series in load_folder(folder)]
    every += made_series() if asked.made else []
    tallies = {}
    for series in every:
        if found := compare(series, methods):
            tallies[series.name] = found
            print(series.name, file=sys.stderr, flush=True)
    print("\n".join(report(tallies, methods)))


if __name__ == "__main__":
    main(sys.argv[1:])
