"""Running days: how soon outages and bursts of errors are found hour by hour, and how often something is by chance.

Run ``python benchmarks/running_day.py [FOLDER ...] [--days DAYS] [-v]``. A folder holds hourly series, files of
``hour,count``. Without one, made series are judged. Days are replayed hour by hour: as they are (false alarms), with
outages of two, three, four and six hours, empty or at a fifth of their events, and with bursts of errors. An outage is
found if ``missing_hours`` fails by the end of its second hour, a burst likewise by ``error_burst``. It is confirmed if
the same guardrail fails when the day is over.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, NamedTuple, cast
from zoneinfo import ZoneInfo

import numpy as np
from detection.hours import load_hourly_folder

from telemetry_quality.core.days import Calendar
from telemetry_quality.core.event_schema import EventSchema
from telemetry_quality.core.evidence import Evidence
from telemetry_quality.core.guardrails import error_burst, missing_hours
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.core.hours import HourTotals, clock_of, day_hours
from telemetry_quality.core.judging import HistoricalContext, expectation_of
from telemetry_quality.core.metrics import DayFigures
from telemetry_quality.core.running.judging import judge_running_day
from telemetry_quality.core.running.model import HourCounts
from telemetry_quality.core.scans import StoredScan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from telemetry_quality.core.policies import Policy
    from telemetry_quality.core.ports import QualityStore

SEED = 7
WARM_UP_DAYS = 50
FIRST = date(2026, 1, 5)
"""A Monday."""
ERROR_SHARE, BURST_SHARE = 0.01, 0.1
"""The usual share of errors, and the share of a burst's events that fail."""
LEAST_BURST_EVENTS = 200
"""A burst is put into two hours with at least so many events."""
DAYTIME, ANY_TIME = "day", "any"
SPANS = {DAYTIME: (8, 20), ANY_TIME: (0, 24)}
LENGTHS = (2, 3, 4, 6)
LEFT = {"empty": 0.0, "a fifth": 0.2}
SCHEMA = EventSchema("event_id", "occurred_at", "event_name", "service_version", "is_error")
BUSY = (20, 15, 12, 12, 15, 30, 60, 110, 160, 190, 200, 205, 210, 205, 200, 195, 190, 180, 160, 130, 100, 70, 45, 30)


class Hours(NamedTuple):
    """The events and errors of each hour since a day began."""

    events: list[int]
    errors: list[int]


@dataclass(frozen=True)
class Series:
    """A stream's days, some of which may be absent."""

    name: str
    days: Mapping[date, Hours]
    calendar: Calendar
    region: str | None = None

    @property
    def context(self) -> HistoricalContext:
        """What a store would know about these days."""
        scans = {day: [_scan(self.name, day, hours)] for day, hours in self.days.items()}
        return HistoricalContext(cast("QualityStore", None), self.name, scans, {}, {}, frozenset())


def _scan(source: str, day: date, hours: Hours) -> StoredScan:
    counts = (sum(hours.events), sum(hours.errors), 0, 0, 0, 0, 0)
    totals = HourTotals(tuple(hours.events), tuple(hours.errors))
    unknown = (None,) * 7
    return StoredScan(
        source, day, 1, datetime(2026, 1, 1, tzinfo=UTC), "", *counts, *unknown, is_new=False, hours=totals
    )


@dataclass
class Score:
    """What was found in a series.

    Attributes:
        found: Found and all cases, by kind.
        confirmed: Confirmed and all found cases.
        alarms: False alarms, with their day and sentence.
        milliseconds: Processor time of a look at a whole day.
    """

    name: str
    days: int = 0
    found: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    confirmed: list[int] = field(default_factory=lambda: [0, 0])
    alarms: list[str] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)

    def percent(self, *kinds: tuple[str, str]) -> float:
        """The share of these kinds that was found."""
        hits, cases = (sum(self.found[kind][n] for kind in kinds) for n in (0, 1))
        return 100 * hits / cases if cases else float("nan")

    @property
    def row(self) -> str:
        """A row of the table."""
        parts = [self.percent((when, left)) for when in SPANS for left in LEFT]
        bursts = self.percent(("burst", "added"))
        confirmed = 100 * self.confirmed[0] / self.confirmed[1] if self.confirmed[1] else float("nan")
        found = " | ".join("–" if np.isnan(part) else f"{part:.0f}" for part in (*parts, bursts, confirmed))
        rate = 30 * len(self.alarms) / self.days if self.days else float("nan")
        return f"| {self.name} | {self.days} | {rate:.1f} | {found} | {max(self.milliseconds, default=0):.0f} |"


HEAD = (
    "| series | days | false alarms in 30 days | daytime, empty | a fifth left | any time, empty | a fifth left "
    "| bursts | confirmed | ms a look |\n|---|---|---|---|---|---|---|---|---|---|"
)


def measure(series: Series, days: int) -> Score:
    """Replay up to ``days`` days of a series, evenly spread."""
    random = np.random.default_rng([SEED, *series.name.encode()])
    context, policy = series.context, policy_of(holidays=series.region)
    known = [day for n, day in enumerate(sorted(series.days)) if n >= WARM_UP_DAYS]
    judged = [day for day in known if day - timedelta(days=1) in series.days]
    score = Score(series.name)
    for day in judged[:: max(1, len(judged) // days)][:days]:
        judge = _Judge(series, context, policy, day)
        _false_alarms(judge, score)
        for kind, first, hours in _faults(series.days[day], random):
            rule = "error_burst" if kind[0] == "burst" else "missing_hours"
            is_found = any(rule in judge.failed(hours, first + 2)[end] for end in (first, first + 1))
            score.found[kind][0] += is_found
            score.found[kind][1] += 1
            if is_found:
                score.confirmed[0] += judge.is_confirmed(hours, rule)
                score.confirmed[1] += 1
    return score


@dataclass(frozen=True)
class _Judge:
    """A day of a series, to be judged with other hours than it had."""

    series: Series
    context: HistoricalContext
    policy: Policy
    day: date

    def failed(self, hours: Hours, known: int) -> list[dict[str, str]]:
        """The guardrails that fail at the end of each of the first hours, with their sentences."""
        counts = [HourCounts(events, errors, 0, 0) for events, errors in zip(*hours, strict=True)][:known]
        found = judge_running_day(
            self.day, counts, None, self.context, policy=self.policy, calendar=self.series.calendar, schema=SCHEMA
        )
        return [{verdict.guardrail: verdict.sentence for verdict in verdicts} for verdicts in found]

    def is_confirmed(self, hours: Hours, rule: str) -> bool:
        """Whether the guardrail fails when a day with these hours is over."""
        calendar = self.series.calendar
        known = self.context.hours(self.context.before(self.day, 42), calendar)
        own = day_hours(HourTotals(tuple(hours.events), tuple(hours.errors)), self.day, calendar)
        total, errors = sum(hours.events), sum(hours.errors)
        figures = DayFigures(
            total_events=total, error_events=errors, error_rate_percent=100 * errors / total if total else None
        )
        expectation = expectation_of(self.day, self.context, self.policy)
        evidence = Evidence(self.day, figures, expectation, hours={**known, self.day: own})
        judge = missing_hours.judge if rule == missing_hours.NAME else error_burst.judge
        return judge(evidence, self.policy).outcome is Outcome.FAILED


def _false_alarms(judge: _Judge, score: Score) -> None:
    """One per guardrail and day."""
    hours = judge.series.days[judge.day]
    began = process_time()
    found = judge.failed(hours, len(hours.events))
    score.milliseconds.append(1000 * (process_time() - began))
    score.days += 1
    sentences: dict[str, str] = {}
    for verdicts in found:
        sentences |= verdicts
    score.alarms += [f"{score.name} {judge.day} {rule}: {sentence}" for rule, sentence in sentences.items()]


def _faults(hours: Hours, random: np.random.Generator) -> Iterator[tuple[tuple[str, str], int, Hours]]:
    """The day with an outage of each kind, and with a burst of errors, at a start drawn among those with events."""
    for length in LENGTHS:
        for left, ratio in LEFT.items():
            for when, (earliest, end) in SPANS.items():
                first = int(random.integers(earliest, end - length + 1))
                if sum(hours.events[first : first + 2]):
                    lost = range(first, first + length)
                    yield (when, left), first, _thinned(hours, lost, ratio, random)
    first = int(random.integers(0, 23))
    if sum(hours.events[first : first + 2]) >= LEAST_BURST_EVENTS:
        errors = list(hours.errors)
        for hour in (first, first + 1):
            errors[hour] += int(random.binomial(hours.events[hour] - errors[hour], BURST_SHARE))
        yield ("burst", "added"), first, Hours(hours.events, errors)


def _thinned(hours: Hours, lost: range, ratio: float, random: np.random.Generator) -> Hours:
    events, errors = list(hours.events), list(hours.errors)
    for hour in lost:
        errors[hour] = int(random.binomial(errors[hour], ratio))
        events[hour] = errors[hour] + int(random.binomial(hours.events[hour] - hours.errors[hour], ratio))
    return Hours(events, errors)


def with_errors(events: Sequence[int], random: np.random.Generator) -> Hours:
    """The hours with the usual share of errors."""
    return Hours(list(events), [int(random.binomial(count, ERROR_SHARE)) for count in events])


def read(folder: Path) -> list[Series]:
    """The hourly series of a folder, without days that are absent."""
    found = []
    for hourly in load_hourly_folder(folder):
        random = np.random.default_rng([SEED, *hourly.name.encode()])
        days = {
            day: with_errors(counts.astype(int).tolist(), random)
            for day, counts in zip(hourly.days.dates, hourly.hours, strict=True)
            if np.isfinite(counts).all()
        }
        found.append(Series(hourly.name, days, Calendar(ZoneInfo("UTC"), min(days)), hourly.days.region))
    return found


def _closed_weekends(day: date, hour: int) -> float:
    return BUSY[hour] if day.weekday() < 5 else 0.0


MADE: Mapping[str, Callable[[date, int], float]] = {
    "steady": lambda _, __: 300.0,
    "by weekday": lambda day, hour: 4 * BUSY[hour] * (0.5 if day.weekday() >= 5 else 1.0),
    "closed weekends": _closed_weekends,
    "closed nights": lambda _, hour: 400.0 if 8 <= hour < 20 else 0.0,
    "daily batch": lambda _, hour: 20_000.0 if hour == 3 else 0.0,
    "batch and trickle": lambda _, hour: 5_000.0 if hour == 3 else 200.0,
    "few events": lambda _, hour: BUSY[hour] / 10,
    "growing": lambda day, hour: BUSY[hour] * 1.01 ** (day - FIRST).days,
    "noisy": lambda _, hour: 3.0 * BUSY[hour],
}
"""Expected events of made series; the last one varies by more than chance."""


def made(name: str, zone: str = "America/New_York", days: int = 330) -> Series:
    """A made series through both changes of the clock."""
    random = np.random.default_rng([SEED, *name.encode()])
    calendar = Calendar(ZoneInfo(zone), FIRST)
    found: dict[date, Hours] = {}
    for day in (FIRST + timedelta(days=n) for n in range(days)):
        level = random.lognormal(0, 0.08)
        spread = 10 if name == "noisy" else 400
        means = [level * MADE[name](day, hour) * random.gamma(spread, 1 / spread) for hour in clock_of(day, calendar)]
        found[day] = with_errors([int(random.poisson(mean)) for mean in means], random)
    return Series(name, found, calendar)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("-v", action="store_true", help="show each false alarm")
    options = parser.parse_args()
    series = [one for folder in options.folders for one in read(folder)] or [made(name) for name in MADE]
    print(HEAD)
    for stream in series:
        score = measure(stream, options.days)
        print(score.row, flush=True)
        if options.v:
            print(*score.alarms, sep="\n")


if __name__ == "__main__":
    main()
