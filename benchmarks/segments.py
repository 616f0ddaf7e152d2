"""Segments: how often a failing, halved or doubled segment is named on its first day, and how often one is by chance.

Run ``python benchmarks/segments.py [STREAMS] [--first SEED] [--days DAYS] [--flights] [-v]``. Each stream is made from
its seed: 1,000 to 500,000 events a day, 3 to 60 signals, 2 to 8 versions that are released and retired, up to two
dimensions, a weekday profile and noise per signal, campaigns, growth, holidays, new and retired signals, and error
rates that differ by segment and vary by day, with bursts. Every day after the warm-up is judged as it is (false
alarms) and, on a few of them, with a fault in one segment. A fault is named if a contributor is the segment, or holds
the same events. ``--flights`` judges the year of flights, which has no labels: ``-v`` shows each alarm.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from time import process_time
from typing import TYPE_CHECKING, Any

import numpy as np

from telemetry_quality.core.detectors.expected_volume import Expectation, expect
from telemetry_quality.core.events import EVENT_NAME, SERVICE_VERSION, Slice, SliceCounts
from telemetry_quality.core.evidence import Evidence
from telemetry_quality.core.guardrails import segment_errors, segment_volume, silence, version_drift
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.core.judging import SMALL_SLICE, expectation_settings
from telemetry_quality.core.metrics import DayFigures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from telemetry_quality.core.policies import Policy

    Array = np.ndarray[Any, np.dtype[Any]]

START = date(2026, 1, 5)
WARM_UP_DAYS = 42
FAULT_DAYS = 6
LOW_RATE = 0.1
"""What usually fails more often than this is not broken by faults."""
TOTAL_FAILS = 5.0
"""The error rate above which the whole day fails, in percent."""
SAME_RATIO = 0.9
"""Two segments are the same if they share this much of the events of both."""
RULES = (segment_errors, segment_volume, silence, version_drift)


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to the events of a segment of about ``share_percent`` of the day."""

    title: str
    rule: str
    share_percent: float
    failing: float = 0.0
    kept: float = 1.0


FAULTS = (
    Fault("4 % of the stream, all errors", "segment_errors", 4.0, failing=1.0),
    Fault("2 % of the stream, half errors", "segment_errors", 2.0, failing=0.5),
    Fault("10 % of the stream, a quarter errors", "segment_errors", 10.0, failing=0.25),
    Fault("4 % of the stream, halved", "segment_volume", 4.0, kept=0.5),
    Fault("4 % of the stream, doubled", "segment_volume", 4.0, kept=2.0),
    Fault("12 % of the stream, halved", "segment_volume", 12.0, kept=0.5),
)


@dataclass(slots=True)
class Stream:
    """Cells of the finest grain: their attributes, and each day's events and errors in them."""

    title: str
    codes: dict[str, Array]
    labels: dict[str, list[str]]
    events: list[Array]
    errors: list[Array]
    first: date = START
    slices: dict[date, dict[Slice, SliceCounts]] = field(default_factory=dict)

    def day(self, number: int) -> date:
        """The date of the day with this number."""
        return self.first + timedelta(days=number)

    @property
    def pairs(self) -> list[tuple[str, str | None]]:
        """The attributes and pairs of attributes that a scan counts, without hours."""
        dimensions = [name for name in self.codes if name not in {EVENT_NAME, SERVICE_VERSION}]
        alone: list[tuple[str, str | None]] = [(name, None) for name in self.codes]
        return [*alone, *((name, by) for name in dimensions for by in (EVENT_NAME, SERVICE_VERSION))]

    def cut(self, events: Array, errors: Array) -> dict[Slice, SliceCounts]:
        """A day's cells as the slices of a scan."""
        slices = {}
        for name, by in self.pairs:
            width = 1 if by is None else len(self.labels[by])
            flat = self.codes[name] * width + (0 if by is None else self.codes[by])
            size = len(self.labels[name]) * width
            totals = np.bincount(flat, events, size).astype(int).tolist()
            failed = np.bincount(flat, errors, size).astype(int).tolist()
            for index, (n, k) in enumerate(zip(totals, failed, strict=True)):
                if n:
                    value, by_value = (
                        self.labels[name][index // width],
                        None if by is None else self.labels[by][index % width],
                    )
                    slices[Slice(name, value, by, by_value)] = SliceCounts(n, k, 0)
        return slices

    def cut_all(self) -> None:
        """Fill ``slices``."""
        for number, (events, errors) in enumerate(zip(self.events, self.errors, strict=True)):
            self.slices[self.day(number)] = self.cut(events, errors)

    def mask(self, parts: Sequence[tuple[str, str | None]]) -> Array:
        """The cells inside a segment."""
        inside = np.ones(len(self.codes[EVENT_NAME]), dtype=bool)
        for name, value in parts:
            wanted = [code for code, label in enumerate(self.labels[name]) if label == value]
            inside &= np.isin(self.codes[name], wanted)
        return inside


def zipf(count: int, skew: float, rng: np.random.Generator) -> Array:
    weights = (np.arange(count) + 1.0) ** -skew * rng.lognormal(0, 0.2, count)
    return np.asarray(weights / weights.sum())


def made(seed: int, days: int = 160) -> Stream:
    """A stream of its own shape; the same for the same seed."""
    rng = np.random.default_rng(seed)
    volume = float(np.exp(rng.uniform(np.log(1_000), np.log(500_000))))
    counts = {EVENT_NAME: int(rng.integers(3, 61)), SERVICE_VERSION: int(rng.integers(2, 9))}
    counts |= {f"dimension_{n}": int(rng.integers(2, 13)) for n in range(int(rng.integers(0, 3)))}
    shape = tuple(counts.values())
    grid = [index.ravel() for index in np.indices(shape)]
    codes = dict(zip(counts, grid, strict=True))
    labels = {name: [f"{name[0]}{n}" for n in range(count)] for name, count in counts.items()}
    share = np.ones(len(grid[0]))
    for name, count in counts.items():
        if name != SERVICE_VERSION:
            share *= zipf(count, float(rng.uniform(0.4, 1.6)), rng)[codes[name]]
    if len(counts) > 2:  # signals prefer some values of the first dimension
        share *= rng.lognormal(0, 0.6, (shape[0], shape[2]))[grid[0], grid[2]]
    version_of = versions(days, shape[1], rng)
    signal_of = signals(days, shape[0], rng)
    value_of = {
        name: np.exp(noise(days, count, float(rng.uniform(0.01, 0.08)), rng))
        for name, count in counts.items()
        if name.startswith("dimension")
    }
    affinity = np.ones(len(grid[0]))
    if len(counts) > 2 and rng.random() < 0.5:  # a version belongs to some values, as a release for iOS does
        affinity = np.where((grid[1] + grid[2]) % 2, 1.0, 0.02)
    others = np.ravel_multi_index(tuple(grid[:1] + grid[2:]), shape[:1] + shape[2:])
    stream_level = levels(days, rng)
    errors = error_odds(days, counts, codes, rng)
    cluster = float(rng.choice([4.0, 20.0, 100.0]))
    stream = Stream(f"seed {seed}", codes, labels, [], [])
    for number in range(days):
        # The versions of a day share out its events: a release moves events, and adds none.
        weight = affinity * version_of[number][grid[1]]
        weight /= np.maximum(np.bincount(others, weight), 1e-12)[others]
        mean = share * weight * signal_of[number][grid[0]]
        for name, by_day in value_of.items():
            mean *= by_day[number][codes[name]]
        mean *= volume * stream_level[number] * shape[1] / share.sum()
        events = rng.poisson(mean * rng.gamma(80.0, 1 / 80, len(mean)))
        odds = errors[number] * rng.gamma(cluster, 1 / cluster, len(mean))
        rate = odds / (1 + odds)
        stream.events.append(events)
        stream.errors.append(rng.binomial(events, rate))
    stream.cut_all()
    return stream


def noise(days: int, count: int, sigma: float, rng: np.random.Generator) -> Array:
    """Logs of factors per day and value: half of their variance persists from day to day."""
    found = rng.normal(0, sigma * 0.7, (days, count))
    walk = np.zeros(count)
    for number in range(days):
        walk = 0.8 * walk + rng.normal(0, sigma * 0.42, count)
        found[number] += walk
    return found


def versions(days: int, count: int, rng: np.random.Generator) -> Array:
    """The share of each version on each day: each rolls out over 1 to 14 days to 60 or 100 %, over its predecessors."""
    shares = np.zeros((days, count))
    shares[:, 0] = 1.0
    releases = np.sort(rng.choice(np.arange(5, days), count - 1, replace=False))
    for version, release in enumerate(releases, start=1):
        length, most = int(rng.integers(1, 15)), float(rng.choice([0.6, 0.95, 0.999]))
        for day in range(int(release), days):
            done = min(1.0, (day - release + 1) / length) ** 2
            tail = 1 - np.exp(-(day - release) / 20)
            now = most * done + (1 - most) * tail * 0.8
            shares[day, :version] *= 1 - now
            shares[day, version] = now
    return shares


def signals(days: int, count: int, rng: np.random.Generator) -> Array:
    """The level of each signal on each day: weekdays, noise, growth, campaigns; some begin, fade or stop."""
    number = np.arange(days)[:, None]
    weekend = rng.choice([1.0, 0.8, 0.4, 1.5, 0.1], count, p=[0.5, 0.2, 0.15, 0.1, 0.05])
    profile = rng.lognormal(0, 0.08, (7, count))
    profile[5:] *= weekend
    found = profile[number[:, 0] % 7] * np.exp(rng.normal(0, 0.002, count) * number)
    sigma = rng.choice([0.02, 0.05, 0.1, 0.2], count, p=[0.2, 0.4, 0.3, 0.1])
    found *= np.exp(noise(days, count, 1.0, rng) * sigma)
    for signal in range(count):
        kind, when = rng.random(), int(rng.integers(20, days - 10))
        if kind < 0.06:
            ramp = int(rng.integers(1, 21))
            found[:, signal] *= np.clip((np.arange(days) - when) / ramp, 0, 1)
        elif kind < 0.10:
            fade = int(rng.integers(5, 40))
            found[:, signal] *= np.clip(1 - (np.arange(days) - when) / fade, 0, 1)
        elif kind < 0.14:
            found[:, signal] *= np.where(rng.random(days) < rng.uniform(0.15, 0.3), rng.uniform(1.5, 4, days), 1.0)
    return np.asarray(found)


def levels(days: int, rng: np.random.Generator) -> Array:
    """The level of the whole stream: growth, noise, weekends and holidays."""
    number = np.arange(days)
    level = np.exp(rng.choice([0, 0, 0.002, -0.001, 0.008]) * number + rng.normal(0, rng.uniform(0.01, 0.1), days))
    level[number % 7 >= 5] *= rng.choice([1.0, 0.9, 0.6, 0.3])
    holidays = rng.random(days) < 0.03
    level[holidays] *= rng.uniform(0.3, 0.9)
    return np.asarray(level)


def error_odds(days: int, counts: Mapping[str, int], codes: Mapping[str, Array], rng: np.random.Generator) -> Array:
    """The odds of an error in each cell on each day: by segment and day, with bursts of the stream and of signals."""
    rate = np.full(len(codes[EVENT_NAME]), np.exp(rng.uniform(np.log(0.001), np.log(0.03))))
    for name, count in counts.items():
        rate = rate * rng.lognormal(0, 0.8 if name == EVENT_NAME else 0.3, count)[codes[name]]
    odd = rng.random(counts[EVENT_NAME]) < 0.04  # such as payment.failed
    rate = np.where(odd[codes[EVENT_NAME]], rng.uniform(0.2, 0.999), np.minimum(rate, 0.2))
    daily = rng.normal(0, rng.uniform(0.1, 0.4), days) + np.where(rng.random(days) < 0.03, rng.uniform(0.5, 1.5), 0.0)
    by_signal = rng.normal(0, rng.uniform(0.1, 0.4), (days, counts[EVENT_NAME]))
    by_signal += np.where(rng.random(by_signal.shape) < 0.01, rng.uniform(0.3, 1.2, by_signal.shape), 0.0)
    # Odds, so that what always fails hardly varies.
    return np.asarray(rate / (1 - rate) * np.exp(daily[:, None] + by_signal[:, codes[EVENT_NAME]]))


def flights() -> Stream:
    """The flights of 2013, their cancellations as errors."""
    from telemetry_quality.demo import flight_events  # noqa: PLC0415 - half a second

    found = flight_events()
    columns = {EVENT_NAME: found["event_name"], SERVICE_VERSION: found["model"], "carrier": found["carrier"]}
    codes: dict[str, Array] = {}
    labels: dict[str, list[Any]] = {}
    for name, column in columns.items():
        plain = [str(value) if isinstance(value, str) else None for value in column]
        labels[name] = sorted(set(plain), key=lambda text: (text is not None, text or ""))
        position = {value: code for code, value in enumerate(labels[name])}
        codes[name] = np.array([position[value] for value in plain])
    shape = tuple(len(values) for values in labels.values())
    cells, cell_of = np.unique(np.ravel_multi_index(tuple(codes.values()), shape), return_inverse=True)
    stream = Stream(
        "flights", dict(zip(codes, np.unravel_index(cells, shape), strict=True)), labels, [], [], date(2013, 1, 1)
    )
    days = found["day"].to_numpy()
    cancelled = found["is_cancelled"].to_numpy(dtype=float)
    for text in sorted(set(days)):
        inside = days == text
        stream.events.append(np.bincount(cell_of[inside], minlength=len(cells)))
        stream.errors.append(np.bincount(cell_of[inside], cancelled[inside], len(cells)).astype(int))
    stream.cut_all()
    return stream


@dataclass(slots=True)
class Judging:
    """A stream as the product sees it: what is small is left out of earlier days."""

    stream: Stream
    policy: Policy
    large: dict[date, dict[Slice, SliceCounts]] = field(default_factory=dict)
    totals: dict[date, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, (day, slices) in enumerate(self.stream.slices.items()):
            self.large[day] = {segment: counts for segment, counts in slices.items() if counts.events >= SMALL_SLICE}
            self.totals[day] = int(self.stream.events[number].sum())

    def evidence(self, number: int, broken: tuple[Array, Array] | None = None) -> Evidence:
        """The evidence of a day, as it is or with other events and errors."""
        day = self.stream.day(number)
        events, errors = broken or (self.stream.events[number], self.stream.errors[number])
        earlier = [self.stream.day(past) for past in range(number)]
        history = {past: self.totals[past] for past in earlier}
        own = self.stream.cut(events, errors) if broken else self.stream.slices[day]
        expectation = expect(day, history, expectation_settings(self.policy))
        return Evidence(
            day,
            figures(int(events.sum()), int(errors.sum()), expectation),
            expectation,
            totals=history | {day: int(events.sum())},
            slices={past: self.large[past] for past in earlier[-WARM_UP_DAYS:]} | {day: own},
        )


def figures(total: int, failed: int, expectation: Expectation) -> DayFigures:
    """The numbers of the day that the guardrails look at."""
    expected, low, high = expectation.events, expectation.low, expectation.high
    return DayFigures(
        total_events=total,
        error_events=failed,
        error_rate_percent=100 * failed / total if total else None,
        missing_version_events=0,
        expected_events=expected,
        expected_low_events=low,
        expected_high_events=high,
        volume_deviation_percent=None if not expected else 100 * (total / expected - 1),
        is_volume_unusual=None if low is None or high is None else not low <= total <= high,
        is_provisional=False,
    )


@dataclass(slots=True)
class Score:
    """How often faults were named, and how often something was named without one."""

    named: defaultdict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    alarms: defaultdict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    milliseconds: list[float] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)


def draw_segment(stream: Stream, number: int, fault: Fault, rng: np.random.Generator) -> Slice | None:
    """A regular segment of about the fault's share of the day; None if the stream has none."""
    today, whole = stream.slices[stream.day(number)], stream.events[number].sum()
    before = [stream.slices[stream.day(past)] for past in range(number - 14, number)]
    near = [
        segment
        for segment, counts in today.items()
        if segment.by != SERVICE_VERSION
        and counts.errors < LOW_RATE * counts.events
        and not (segment.dimension == SERVICE_VERSION and fault.rule == "segment_volume")
        and 0.7 < 100 * counts.events / whole / fault.share_percent < 1.4
        and (segment.dimension == SERVICE_VERSION or all(segment in past for past in before))
    ]
    return near[int(rng.integers(len(near)))] if near else None


def is_same(stream: Stream, number: int, left: Slice, parts: Sequence[tuple[str, str | None]]) -> bool:
    """Whether both name the same events."""
    a, b, events = stream.mask(left.parts), stream.mask(parts), stream.events[number]
    both = events[a & b].sum()
    return bool(both >= SAME_RATIO * max(events[a].sum(), events[b].sum()))


def broken(stream: Stream, number: int, segment: Slice, fault: Fault, rng: np.random.Generator) -> tuple[Array, Array]:
    """The events and errors of a day with the fault."""
    inside = stream.mask(segment.parts)
    events, errors = stream.events[number].copy(), stream.errors[number].copy()
    if fault.kept > 1:
        return np.where(inside, 2 * events, events), np.where(inside, 2 * errors, errors)
    if fault.kept < 1:
        kept = rng.binomial(events, fault.kept)
        events = np.where(inside, kept, events)
        return events, np.minimum(errors, events)
    return events, np.where(inside, np.maximum(errors, rng.binomial(events, fault.failing)), errors)


def measure(stream: Stream, policy: Policy, seed: int, *, with_faults: bool = True) -> Score:
    """Judge every day after the warm-up, and some of them with faults."""
    judging, score = Judging(stream, policy), Score()
    for number in range(WARM_UP_DAYS, len(stream.events)):
        judge_as_it_is(judging, number, score)
    rng = np.random.default_rng(seed)
    for fault in FAULTS if with_faults else ():
        days = rng.choice(np.arange(WARM_UP_DAYS, len(stream.events)), FAULT_DAYS, replace=False)
        for number in days.tolist():
            segment = draw_segment(stream, number, fault, rng)
            if segment is not None:
                judge_broken(judging, number, segment, fault, broken(stream, number, segment, fault, rng), score)
    return score


def judge_as_it_is(judging: Judging, number: int, score: Score) -> None:
    """Count what fails without a fault; errors of segments only on days on which the total passes."""
    evidence = judging.evidence(number)
    has_failed = (evidence.figures.error_rate_percent or 0.0) > TOTAL_FAILS
    for rule in RULES:
        started = process_time()
        verdict = rule.judge(evidence, judging.policy)
        if rule.NAME.startswith("segment"):
            score.milliseconds.append(1000 * (process_time() - started))
        failed = verdict.outcome is Outcome.FAILED
        if not (rule is segment_errors and has_failed):
            score.alarms[rule.NAME].append(failed)
        if failed:
            total = "the total failed: " if has_failed else ""
            score.sentences.append(f"{judging.stream.title} {evidence.day} {rule.NAME}: {total}{verdict.sentence}")


def judge_broken(  # noqa: PLR0917
    judging: Judging, number: int, segment: Slice, fault: Fault, counts: tuple[Array, Array], score: Score
) -> None:
    """Count whether the fault is named."""
    rule = next(rule for rule in RULES if fault.rule == rule.NAME)
    verdict = rule.judge(judging.evidence(number, counts), judging.policy)
    named = any(is_same(judging.stream, number, segment, one.segment.parts) for one in verdict.contributors)
    score.named[fault.title].append(named)
    if not named:
        where = f"{judging.stream.title} {judging.stream.day(number)}"
        score.sentences.append(f"  missed on {where}: {fault.title}: {segment.parts}: {verdict.sentence}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("streams", type=int, nargs="?", default=50)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--days", type=int, default=160)
    parser.add_argument("--flights", action="store_true", help="judge the year of flights instead")
    parser.add_argument("-v", action="store_true", help="show each alarm and each miss")
    options = parser.parse_args()
    policy = policy_of()
    scores: list[Score] = []
    seeds = [0] if options.flights else range(options.first, options.first + options.streams)
    for seed in seeds:
        stream = flights() if options.flights else made(seed, options.days)
        scores.append(measure(stream, policy, seed, with_faults=not options.flights))
        if options.v:
            print(*scores[-1].sentences, sep="\n")
    show(scores)


def show(scores: Sequence[Score]) -> None:
    """Print how often faults were named, how often something was without one, and how long a verdict took."""
    for fault in FAULTS:
        found = [named for score in scores for named in score.named[fault.title]]
        if found:
            streams = sum(bool(score.named[fault.title]) for score in scores)
            print(f"{fault.title:40} named {100 * np.mean(found):5.1f} % of {len(found)} in {streams} streams")
    for rule in RULES:
        rates = [100 * float(np.mean(score.alarms[rule.NAME])) for score in scores if score.alarms[rule.NAME]]
        days = sum(len(score.alarms[rule.NAME]) for score in scores)
        print(f"{rule.NAME:40} {np.mean(rates):5.2f} alarms in 100 of {days} days, at most 1 in", end=" ")
        print(f"{sum(rate <= 1 for rate in rates)} of {len(rates)} streams, worst {max(rates):.1f}")
    taken = [ms for score in scores for ms in score.milliseconds]
    print(f"{'processor time of a verdict':40} {np.median(taken):.1f} ms, 99 %: {np.quantile(taken, 0.99):.1f} ms")


if __name__ == "__main__":
    main()
