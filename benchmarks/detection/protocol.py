"""The protocol: series of daily counts, faults put into them, and how alarms become figures.

Here belongs what is the same for every method. A method gets ``Days`` and the index of the day to be judged, and
answers with ``Limits``: the counts it would accept, known before the day's own count is. One answer therefore judges
the real count and every fault put into that day, and no fault enters the history of another day. Only the leak
changes the history: there the days that have leaked already are what a method looks back upon.
"""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from math import isfinite, nan
from statistics import fmean, median
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import holidays as calendars
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

WARM_UP_DAYS = 56
SEED = 20_130_101

FAULTS: dict[str, float] = {
    "−20 %": 0.8,
    "−35 %": 0.65,
    "−50 %": 0.5,
    "+50 %": 1.5,
    "doubled": 2.0,
    "zero": 0.0,
}
"""What a one-day fault leaves of the day's count."""

LEAK_PERCENT_PER_DAY = 2.0
LEAK_DAYS = 30
LEAK_STARTS = 20
"""Leaks per series, each in a history of its own, from a sample with a fixed seed."""

COUNTRIES = "series.csv"
"""The file of a folder that says which country each series is from: ``file,country``, the country may be empty."""

REGIONS: dict[str, str] = {"melbourne": "AU-VIC"}
"""Holiday calendar by the beginning of a file's name, for series that COUNTRIES does not list; every other one of these
is taken to be from DEFAULT_REGION."""

DEFAULT_REGION = "US"

LOW_VOLUME = "low_"
"""How the names of series begin that have few events a day: their figures are reported apart."""

ROW_MISSING = "row missing"
"""How the note of a day begins that could not be read: it is absent, whatever its count says."""


class Limits(NamedTuple):
    """The counts a method accepts: an alarm is a count strictly outside.

    Attributes:
        low: Accepts nothing below.
        high: Accepts nothing above.
        interval: What the method itself calls the normal range, where it has one; its coverage is measured.
    """

    low: float
    high: float
    interval: tuple[float, float] | None = None

    def is_alarm(self, count: float) -> bool:
        """Whether ``count`` lies outside."""
        return count < self.low or count > self.high


@dataclass(frozen=True, slots=True, eq=False)
class Days:
    """A series without a gap between its dates, as every method sees it.

    Attributes:
        dates: Consecutive days.
        counts: Events per day, NaN where a day is absent.
        holidays: Whether the calendar of the series' country calls the day a holiday.
        region: That calendar, ``US`` or ``AU-VIC``; None for a series without a country.
    """

    dates: tuple[date, ...]
    counts: Floats
    holidays: Flags
    region: str | None = DEFAULT_REGION

    def with_counts(self, counts: Floats) -> Days:
        """The same calendar with other counts; a new object, so that nothing recorded of this one is used."""
        return Days(self.dates, counts, self.holidays, self.region)


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """A labelled series; ``labels`` are empty, ``incident``, ``holiday`` or ``shift``, one per day."""

    name: str
    days: Days
    labels: tuple[str, ...]

    def judged(self, label: str) -> list[int]:
        """Indices of the days with ``label`` that are judged: after the warm-up, and not absent."""
        counts = self.days.counts
        return [i for i in range(WARM_UP_DAYS, len(counts)) if self.labels[i] == label and isfinite(counts[i])]

    @property
    def is_low_volume(self) -> bool:
        """Whether the name says that there are few events a day."""
        return self.name.startswith(LOW_VOLUME)


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """One way to judge a day.

    Attributes:
        name: Key in the registry and on the command line.
        title: Words for the table.
        limits: From earlier days alone, the counts accepted on a day; None where the method cannot say yet.
        finds: Instead of limits: whether the method raises an alarm on a day, its own count included.
        needs: Libraries it cannot do without.
        sample: Days of each label judged per series at most, drawn with a fixed seed; None judges every one.
        leak_starts: Leaks tried per series at most; 0 where it would take too long.
        label: Words for the picture, if they are not the title.
    """

    name: str
    title: str
    limits: Callable[[Days, int], Limits | None] | None = None
    finds: Callable[[Days, int], bool] | None = None
    needs: tuple[str, ...] = ()
    sample: int | None = None
    leak_starts: int = LEAK_STARTS
    label: str = ""


@dataclass(slots=True)
class Tally:
    """Alarms of one method on one series, counted; the keys of ``judged`` and ``alarms`` are FAULTS and labels."""

    judged: Counter[str] = field(default_factory=Counter)
    alarms: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, is_alarm: bool) -> None:
        """Count one judgement."""
        self.judged[kind] += 1
        self.alarms[kind] += int(is_alarm)  # NumPy's booleans too

    def percent(self, kind: str) -> float:
        """Alarms per 100 judged; NaN where none was judged."""
        return 100 * self.alarms[kind] / self.judged[kind] if self.judged[kind] else nan


NORMAL, HOLIDAY, INCIDENT = "", "holiday", "incident"
OUTSIDE, LEAK, NO_LEAK = "outside the interval", "leak", "no leak"


@dataclass(frozen=True, slots=True)
class Figures:
    """What the table says about one method; percentages are 0–100, NaN where nothing could be measured."""

    name: str
    title: str
    normal_days: int
    false_alarms_mean: float
    false_alarms_median: float
    holidays_alarmed_percent: float
    incident_days: int
    incident_days_hit: int
    recall_percent: Mapping[str, float]
    coverage_percent: float
    leaks_found_percent: float
    leaks_imagined_percent: float
    milliseconds_per_day: float


def load_folder(folder: Path) -> list[Series]:
    """Every ``*.csv`` of ``folder`` except COUNTRIES, by name.

    Raises:
        SystemExit: In one sentence, if the folder is absent or holds no series, or if COUNTRIES cannot be understood.
    """
    files = sorted(file for file in folder.glob("*.csv") if file.name != COUNTRIES)
    if not files:
        raise SystemExit(
            f"A folder with daily series (*.csv with date,count,label,note) is required, but {folder} "
            f"{'holds none' if folder.is_dir() else 'does not exist'}; pass --data FOLDER."
        )
    known = load_countries(folder)
    return [load_series(file, known.get(file.stem, region_of(file.stem))) for file in files]


def load_countries(folder: Path) -> dict[str, str | None]:
    """The region of each series that COUNTRIES lists, None if it has no country; empty without such a file.

    Raises:
        SystemExit: In one sentence, if the file lacks a column or names a country without a calendar.
    """
    file = folder / COUNTRIES
    if not file.is_file():
        return {}
    with file.open(newline="", encoding="utf-8") as lines:
        rows = csv.DictReader(lines)
        if not {"file", "country"} <= set(rows.fieldnames or ()):
            raise SystemExit(f"{file} requires the columns file,country, but has {','.join(rows.fieldnames or ())}.")
        regions = {series_name(row["file"] or ""): (row["country"] or "").strip() or None for row in rows}
    for name, region in regions.items():
        if region is not None and not _has_calendar(region):
            raise SystemExit(f"{file}: {name} requires a country that has a calendar, but {region!r} was found.")
    return regions


def series_name(file_name: str) -> str:
    """The name of a series: that of its file, with or without ``.csv`` or ``.csv.gz``."""
    return file_name.strip().removesuffix(".gz").removesuffix(".csv")


def _has_calendar(region: str) -> bool:
    try:
        public_holidays(region, 2000, 2000)
    except NotImplementedError:
        return False
    return True


def load_series(file: Path, region: str | None) -> Series:
    """One series; days between the first and the last that have no row, or no count, are absent."""
    with file.open(newline="", encoding="utf-8") as lines:
        rows = {date.fromisoformat(row["date"]): row for row in csv.DictReader(lines)}
    first, last = min(rows), max(rows)
    dates = tuple(first + timedelta(days=n) for n in range((last - first).days + 1))
    counts = np.array([_count(rows.get(day, {})) for day in dates])
    labels = tuple(rows.get(day, {}).get("label") or "" for day in dates)
    return Series(series_name(file.name), make_days(dates, counts, region), labels)


def _count(row: Mapping[str, str]) -> float:
    is_absent = not row.get("count") or (row.get("note") or "").startswith(ROW_MISSING)
    return nan if is_absent else float(row["count"])


def make_days(dates: tuple[date, ...], counts: Floats, region: str | None = DEFAULT_REGION) -> Days:
    """Days with the public holidays of ``region``, if there is one."""
    known = public_holidays(region, dates[0].year, dates[-1].year)
    return Days(dates, counts, np.array([day in known for day in dates]), region)


@lru_cache
def public_holidays(region: str | None, first_year: int, last_year: int) -> frozenset[date]:
    if region is None:
        return frozenset()
    country, _, subdivision = region.partition("-")
    years = range(first_year, last_year + 1)
    return frozenset(calendars.country_holidays(country, subdiv=subdivision or None, years=years))


def region_of(name: str) -> str:
    return next((region for start, region in REGIONS.items() if name.startswith(start)), DEFAULT_REGION)


def groups(names: Iterable[str]) -> dict[str, str]:
    """Group per series: its name up to the first underscore where others share it, its whole name otherwise."""
    prefixes = {name: name.partition("_")[0] for name in names}
    sizes = Counter(prefixes.values())
    return {name: prefix if sizes[prefix] > 1 else name for name, prefix in prefixes.items()}


def draw(indices: Sequence[int], at_most: int | None) -> list[int]:
    """A sample in order, always the same for the same indices; all of them without a limit."""
    if at_most is None or len(indices) <= at_most:
        return list(indices)
    chosen = np.random.default_rng(SEED).choice(len(indices), size=at_most, replace=False)
    return [indices[i] for i in sorted(chosen)]


def faulty_counts(count: float) -> Iterator[tuple[str, float]]:
    """The count of a normal day under each fault."""
    for fault, factor in FAULTS.items():
        yield fault, float(round(count * factor))


@lru_cache(maxsize=4_000)
def leaking(days: Days, start: int) -> Days:
    """``days`` with a leak from ``start`` on, two percent more of each day's events missing than the day before.

    The same object every time, so that what methods remember of it is used again.
    """
    counts = days.counts.copy()
    stop = min(start + LEAK_DAYS, len(counts))
    kept = (1 - LEAK_PERCENT_PER_DAY / 100) ** np.arange(1, stop - start + 1)
    counts[start:stop] = np.round(counts[start:stop] * kept)
    return days.with_counts(counts)


def leak_starts(series: Series, at_most: int) -> list[int]:
    """Normal days that are followed by enough others for a whole leak."""
    last = len(series.labels) - LEAK_DAYS
    return draw([i for i in series.judged(NORMAL) if i <= last], at_most) if at_most else []


def judge_series(method: Method, series: Series) -> Tally:
    """Judge the days of one series by one method, and the faults put into its normal days."""
    tally = Tally()
    for index in draw(series.judged(NORMAL), method.sample):
        _judge_normal_day(tally, method, series.days, index)
    for label in (HOLIDAY, INCIDENT):
        for index in draw(series.judged(label), method.sample):
            tally.add(label, _is_alarm(method, series.days, index))
    for start in leak_starts(series, method.leak_starts):
        tally.add(LEAK, _is_leak_found(method, series, leaking(series.days, start), start))
        tally.add(NO_LEAK, _is_leak_found(method, series, series.days, start))
    return tally


def _judge_normal_day(tally: Tally, method: Method, days: Days, index: int) -> None:
    if method.limits is None:
        tally.add(NORMAL, _is_alarm(method, days, index))
        return
    count = float(days.counts[index])
    limits = method.limits(days, index)
    tally.add(NORMAL, limits is not None and limits.is_alarm(count))
    if limits is not None and limits.interval is not None:
        low, high = limits.interval
        tally.add(OUTSIDE, not low <= count <= high)
    if count > 0:
        for fault, faulty in faulty_counts(count):
            tally.add(fault, limits is not None and limits.is_alarm(faulty))


def _is_alarm(method: Method, days: Days, index: int) -> bool:
    if method.finds is not None:
        return method.finds(days, index)
    limits = method.limits(days, index) if method.limits else None
    return limits is not None and limits.is_alarm(float(days.counts[index]))


def _is_leak_found(method: Method, series: Series, days: Days, start: int) -> bool:
    """Whether some normal day of the leak is called too low; a holiday or an incident proves nothing."""
    window = [i for i in series.judged(NORMAL) if start <= i < start + LEAK_DAYS]
    return any(_is_too_low(method, days, index) for index in window)


def _is_too_low(method: Method, days: Days, index: int) -> bool:
    if method.finds is not None:
        return method.finds(days, index)
    limits = method.limits(days, index) if method.limits else None
    return limits is not None and days.counts[index] < limits.low


def judge(method: Method, folder: Sequence[Series]) -> Figures:
    """Judge every series by one method."""
    start = perf_counter()
    tallies = {series.name: judge_series(method, series) for series in folder}
    return summarize(method, tallies, perf_counter() - start)


def summarize(method: Method, tallies: Mapping[str, Tally], seconds: float = nan) -> Figures:
    """Figures from alarms.

    False alarms, recalls, leaks and the coverage are rates of series, averaged first within a group and then over
    groups, so that thirteen sites of one government do not outvote the rest; holidays and incidents are few and pooled.
    """
    pooled = Tally()
    for tally in tallies.values():
        pooled.judged.update(tally.judged)
        pooled.alarms.update(tally.alarms)
    rates = [rate for tally in tallies.values() if isfinite(rate := tally.percent(NORMAL))]
    days = sum(pooled.judged[label] for label in (NORMAL, HOLIDAY, INCIDENT))
    days += LEAK_DAYS * (pooled.judged[LEAK] + pooled.judged[NO_LEAK])
    return Figures(
        name=method.name,
        title=method.title,
        normal_days=pooled.judged[NORMAL],
        false_alarms_mean=mean_over_groups(tallies, NORMAL),
        false_alarms_median=median(rates) if rates else nan,
        holidays_alarmed_percent=pooled.percent(HOLIDAY),
        incident_days=pooled.judged[INCIDENT],
        incident_days_hit=pooled.alarms[INCIDENT],
        recall_percent={fault: mean_over_groups(tallies, fault) for fault in FAULTS},
        coverage_percent=100 - mean_over_groups(tallies, OUTSIDE),
        leaks_found_percent=mean_over_groups(tallies, LEAK),
        leaks_imagined_percent=mean_over_groups(tallies, NO_LEAK),
        milliseconds_per_day=1000 * seconds / days if days else nan,
    )


def mean_over_groups(tallies: Mapping[str, Tally], kind: str) -> float:
    """Alarms per 100 of ``kind``, averaged within each group of series and then over the groups."""
    group_of = groups(tallies)
    rates: dict[str, list[float]] = {}
    for name, tally in tallies.items():
        if isfinite(rate := tally.percent(kind)):
            rates.setdefault(group_of[name], []).append(rate)
    return fmean(fmean(group) for group in rates.values()) if rates else nan
