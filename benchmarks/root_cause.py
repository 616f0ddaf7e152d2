"""Root causes: how often the true segment of an injected fault is named first, or among the first three.

Run ``python benchmarks/root_cause.py [CASES] [STREAM ...] [FAULT ...] [-v]``; CASES are per fault and kind of segment.
Streams: four synthetic ones of different shapes, and the flights (without days on which more than 5 % of the planes
are unknown: something else is already wrong there). Each case takes a clean day, breaks a segment of it and searches
its root cause with its reference days. Segments are drawn at random, without those where the fault moves fewer than 20
events or less than 5 standard deviations of the clean days' noise in the segment, and without segments of more than
four fifths of the day. *One cause* says how often verdict, alert, incident and headline name what the first row does.
Another name for the same events counts; ranges of hours count within an hour at each end.
"""

from __future__ import annotations

import sys
import warnings
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from telemetry_quality.core.alerts import Alert
from telemetry_quality.core.events import AggregateRow, DayAggregates, Slice, SliceCounts
from telemetry_quality.core.guardrails.verdicts import Level, Outcome, Segment, Verdict
from telemetry_quality.core.incidents import failures_of, group_incidents
from telemetry_quality.core.incidents.wording import incident_sentence
from telemetry_quality.core.root_cause import DayBreakdown, Measure, explained, find_root_cause, reference_days

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from telemetry_quality.core.guardrails.verdicts import Contributor

    Array = np.ndarray[Any, np.dtype[Any]]

NAME, VERSION, HOURS = "event_name", "service_version", "hours"


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to the events of a segment: to ``share`` of them, above 1 for copies."""

    title: str
    measure: Measure
    share: float


FAULTS = (
    Fault("lost 100 %", Measure.EVENTS, -1.0),
    Fault("lost 50 %", Measure.EVENTS, -0.5),
    Fault("lost 30 %", Measure.EVENTS, -0.3),
    Fault("doubled", Measure.EVENTS, 1.0),
    Fault("errors 100 %", Measure.ERRORS, 1.0),
    Fault("errors 30 %", Measure.ERRORS, 0.3),
    Fault("untagged", Measure.MISSING_VERSION, 1.0),
    Fault("field missing", Measure.MISSING_CRITICAL, 1.0),
    Fault("field missing 30 %", Measure.MISSING_CRITICAL, 0.3),
    Fault("late 50 %", Measure.LATE, 0.5),
)

BASE_RATES = {Measure.ERRORS: 0.01, Measure.MISSING_VERSION: 0.003, Measure.MISSING_CRITICAL: 0.002, Measure.LATE: 0.01}


@dataclass(slots=True)
class Stream:
    """Cells of the finest grain, with their attributes' values, and each day's events in them."""

    title: str
    codes: dict[str, Array]
    labels: dict[str, list[str | None]]
    dimensions: tuple[str, ...]
    days: dict[date, Array]
    rates: dict[Measure, Array]
    parts: dict[tuple[date, Measure], DayBreakdown] = field(default_factory=dict)

    def mask(self, segment: Segment) -> Array:
        """The cells inside a segment."""
        inside = np.ones(len(self.codes["hour"]), dtype=bool)
        for name, value in segment.parts:
            inside &= np.isin(self.codes[name], [i for i, label in enumerate(self.labels[name]) if label == value])
        if segment.hours is not None:
            inside &= (self.codes["hour"] >= segment.hours[0]) & (self.codes["hour"] <= segment.hours[1])
        return inside

    def clean(self, day: date, measure: Measure) -> DayBreakdown:
        """A day without a fault."""
        key = (day, measure)
        if key not in self.parts:
            rng = np.random.default_rng(day.toordinal())
            self.parts[key] = self.break_down(day, self.days[day], self.counted(measure, self.days[day], rng), measure)
        return self.parts[key]

    def counted(self, measure: Measure, events: Array, rng: np.random.Generator) -> Array:
        """How many events of each cell the measure counts on an ordinary day."""
        if measure is Measure.EVENTS:
            return np.zeros_like(events)
        rate = self.rates[measure] * rng.lognormal(0, 0.1)
        return rng.binomial(events, np.minimum(rate, 1.0))

    def break_down(
        self, day: date, events: Array, counted: Array, measure: Measure, codes: dict[str, Array] | None = None
    ) -> DayBreakdown:
        """The breakdown of the day as the store would hold it."""
        codes = codes or self.codes
        rows = []
        names, versions = self.labels[NAME], self.labels[VERSION]
        for (hour, name, version), n, k in self.tally(codes, ("hour", NAME, VERSION), events, counted):
            figures = dict.fromkeys(Measure, 0) | {measure: k}
            rows.append(
                AggregateRow(
                    hour,
                    names[name],
                    versions[version],
                    n,
                    figures[Measure.ERRORS],
                    0,
                    figures[Measure.MISSING_VERSION],
                    (figures[Measure.MISSING_CRITICAL],),
                    figures[Measure.LATE],
                )
            )
        slices = {}
        for dimension in self.dimensions:
            for by in (NAME, VERSION, "hour"):
                for (a, b), n, k in self.tally(codes, (dimension, by), events, counted):
                    value = str(b) if by == "hour" else self.labels[by][b]
                    errors, missing = (k, 0) if measure is Measure.ERRORS else (0, k)
                    slices[Slice(dimension, self.labels[dimension][a], by, value)] = SliceCounts(n, errors, missing)
        return DayBreakdown(day, DayAggregates(tuple(rows), ("field",)), slices)

    def tally(
        self, codes: dict[str, Array], names: tuple[str, ...], events: Array, counted: Array
    ) -> Iterator[tuple[tuple[int, ...], int, int]]:
        """Events and counted events per combination of these attributes."""
        shape = tuple(25 if name == "hour" else len(self.labels[name]) for name in names)
        flat = np.ravel_multi_index(tuple(codes[name] for name in names), shape)
        size = int(np.prod(shape))
        totals = np.bincount(flat, events, size).astype(int)
        counts = np.bincount(flat, counted, size).astype(int)
        where = np.nonzero(totals)[0]
        keys = zip(*(index.tolist() for index in np.unravel_index(where, shape)), strict=True)
        yield from zip(keys, totals[where].tolist(), counts[where].tolist(), strict=True)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a synthetic stream looks like."""

    title: str
    volume: float
    signals: int
    platforms: int
    versions: int
    countries: int
    skew: float
    noise: float
    tiers: int = 0
    seed: int = 0
    rollout: bool = False


SHAPES = (
    Shape("small", 4_000, 6, 3, 3, 5, 0.8, 0.03, seed=1),
    Shape("shop", 60_000, 15, 4, 4, 8, 1.1, 0.05, seed=2),
    Shape("busy", 2_000_000, 30, 3, 5, 12, 1.3, 0.04, tiers=3, seed=3),
    Shape("restless", 200_000, 12, 5, 3, 6, 1.0, 0.10, seed=4, rollout=True),
)


def zipf(count: int, skew: float, rng: np.random.Generator) -> Array:
    weights = (np.arange(count) + 1.0) ** -skew * rng.lognormal(0, 0.2, count)
    return np.asarray(weights / weights.sum())


def synthetic(shape: Shape, weeks: int = 6) -> Stream:
    """A stream whose signals, versions and countries each prefer some platforms and hours."""
    rng = np.random.default_rng(shape.seed)
    platforms, tagged = shape.platforms, shape.versions
    pairs = [(p, v) for p in range(platforms) for v in range(tagged + 1)]  # the last version is null
    weight = zipf(platforms, shape.skew * 0.7, rng)
    version_weight = np.array(
        [weight[p] * (zipf(tagged, shape.skew, np.random.default_rng(p))[v] if v < tagged else 0.004) for p, v in pairs]
    )
    platform_of = np.array([p for p, _ in pairs])
    tiers = max(1, shape.tiers)
    base = (
        zipf(shape.signals, shape.skew, rng)[:, None]
        * rng.lognormal(0, 0.8, (shape.signals, platforms))[:, platform_of]
    )
    base = base * version_weight[None, :]
    country = (
        zipf(shape.countries, shape.skew, rng)[None, :]
        * rng.lognormal(0, 0.5, (platforms, shape.countries))[platform_of]
    )
    tier = zipf(tiers, 0.5, rng)
    clock = np.arange(24)
    by_country = 1.4 + np.sin((clock[:, None] - rng.integers(0, 24, shape.countries)[None, :]) * np.pi / 12)
    by_signal = 1.5 + np.sin((clock[:, None] - rng.integers(0, 24, shape.signals)[None, :]) * np.pi / 12)
    means = np.einsum("sv,vc,hc,hs,t->hsvct", base, country, by_country, by_signal, tier)
    means *= shape.volume / means.sum()
    grid = np.indices(means.shape).reshape(5, -1)
    names = [f"signal.{i}" for i in range(shape.signals)]
    version_names: list[str | None] = [None, *(f"p{p}-v{v}" for p, v in pairs if v < tagged)]
    version_code = np.array([0 if v == tagged else version_names.index(f"p{p}-v{v}") for p, v in pairs])
    codes = {
        "hour": grid[0],
        NAME: grid[1],
        VERSION: version_code[grid[2]],
        "platform": platform_of[grid[2]],
        "country": grid[3],
        "tier": grid[4],
    }
    labels: dict[str, list[str | None]] = {
        NAME: list(names),
        VERSION: version_names,
        "platform": [f"platform.{i}" for i in range(platforms)],
        "country": [*(f"country.{i}" for i in range(shape.countries - 1)), None],
        "tier": [f"tier.{i}" for i in range(tiers)],
    }
    days = {}
    weekday_of_signal = rng.lognormal(0, 0.15, (7, shape.signals))
    sigma = shape.noise
    for number in range(7 * weeks):
        day = date(2026, 1, 5) + timedelta(days=number)
        level = (1 + 0.002 * number) * (0.6 if number % 7 >= 5 else 1.0) * rng.lognormal(0, sigma * 0.7)
        mean = means * level
        mean = (
            mean * (weekday_of_signal[number % 7] * rng.lognormal(0, sigma, shape.signals))[None, :, None, None, None]
        )
        drift = rng.lognormal(0, sigma, len(pairs))
        if shape.rollout:
            drift = drift * np.array([(1.01 if v == 1 else 0.995) ** number if v < 2 else 1.0 for _, v in pairs])
        mean = mean * drift[None, None, :, None, None]
        mean = mean * rng.lognormal(0, sigma * 0.7, platforms)[platform_of][None, None, :, None, None]
        mean = mean * rng.lognormal(0, sigma, shape.countries)[None, None, None, :, None]
        mean = mean * rng.lognormal(0, sigma, 24)[:, None, None, None, None]
        mean = mean * rng.lognormal(0, sigma, (24, shape.signals))[:, :, None, None, None]
        mean = mean * rng.gamma(4.0, 0.25, mean.shape)
        days[day] = rng.poisson(mean).ravel()
    cells = len(grid[0])
    rates = {}
    for measure, rate in BASE_RATES.items():
        of_signal, of_version = rng.lognormal(0, 1.0, shape.signals), rng.lognormal(0, 0.3, len(pairs))
        rates[measure] = np.minimum(0.5, rate * of_signal[grid[1]] * of_version[grid[2]])
        if measure is Measure.ERRORS and shape.seed % 2:
            rates[measure] = np.where(grid[1] % 2, rates[measure], 0.0)
    rates[Measure.MISSING_VERSION] = np.where(codes[VERSION] == 0, 1.0, 0.0)
    assert cells == len(codes[VERSION])
    dimensions = ("platform", "country", "tier") if shape.tiers else ("platform", "country")
    return Stream(shape.title, codes, labels, dimensions, days, rates)


def flights() -> Stream:
    """The flights of 2013, their cancellations as errors; other measures have made-up rates."""
    from telemetry_quality.demo import flight_events  # noqa: PLC0415 - half a second

    events = flight_events()
    events = events[events["day"] < "2013-07-01"]
    local = events["scheduled_at"].dt.tz_convert("America/New_York")
    columns = {NAME: events["event_name"], VERSION: events["model"], "carrier": events["carrier"]}
    codes: dict[str, Array] = {"hour": local.dt.hour.to_numpy()}
    labels: dict[str, list[str | None]] = {}
    for name, column in columns.items():
        plain = [str(value) if isinstance(value, str) else None for value in column]
        known = sorted(set(plain), key=lambda text: (text is not None, text or ""))
        labels[name], position = known, {value: i for i, value in enumerate(known)}
        codes[name] = np.array([position[value] for value in plain])
    shape = (25, *(len(labels[name]) for name in columns))
    flat = np.ravel_multi_index((codes["hour"], *(codes[name] for name in columns)), shape)
    cells, position_of = np.unique(flat, return_inverse=True)
    unraveled = np.unravel_index(cells, shape)
    codes = dict(zip(("hour", *columns), unraveled, strict=True))
    cancelled = np.bincount(position_of, events["is_cancelled"].to_numpy(dtype=float), len(cells))
    totals = np.bincount(position_of, minlength=len(cells))
    days = {}
    day_of = events["day"].to_numpy()
    unknown = events["model"].isna().groupby(day_of).mean()
    for text in sorted(set(unknown.index[unknown < 0.05])):  # on other days something else is already wrong
        days[date.fromisoformat(text)] = np.bincount(position_of[day_of == text], minlength=len(cells))
    rates = {measure: np.full(len(cells), rate) for measure, rate in BASE_RATES.items()}
    rates[Measure.ERRORS] = np.minimum(cancelled / totals, 0.03)
    rates[Measure.MISSING_VERSION] = np.where(codes[VERSION] == 0, 1.0, 0.0)
    return Stream("flights", codes, labels, ("carrier",), days, rates)


# ---- cases ----


def kinds(stream: Stream, measure: Measure) -> list[tuple[str, ...]]:
    """The kinds of segment that the stored pairs can express for the measure."""
    dimensions = () if measure in {Measure.MISSING_CRITICAL, Measure.LATE} else stream.dimensions
    singles = (NAME, VERSION, *dimensions)
    found: list[tuple[str, ...]] = [(), (HOURS,)]
    for name in singles:
        found += [(name,), (name, HOURS)]
    found.append((NAME, VERSION))
    for dimension in dimensions:
        found += [(NAME, dimension), (VERSION, dimension)]
    return found


def draw_segment(stream: Stream, kind: tuple[str, ...], events: Array, rng: np.random.Generator) -> Segment:
    """A segment of this kind around a random event or a random cell, so that both busy and quiet segments occur."""
    weights = events ** rng.choice([0.3, 1.0])
    cell = rng.choice(len(events), p=weights / weights.sum())
    parts = tuple((name, stream.labels[name][stream.codes[name][cell]]) for name in kind if name != HOURS)
    if HOURS not in kind:
        return Segment(parts)
    length, hour = int(rng.integers(3, 13)), int(stream.codes["hour"][cell])
    first = max(0, min(23 - length + 1, hour - int(rng.integers(0, length))))
    last = 23 if rng.random() < 0.3 and first >= 8 else first + length - 1
    return Segment(parts, (first, last))


def is_large_enough(stream: Stream, day: date, segment: Segment, fault: Fault) -> bool:
    """Whether the fault moves the segment by at least 20 events and 5 standard deviations of clean days' noise."""
    inside, now = stream.mask(segment), stream.days[day]
    size, whole = float(now[inside].sum()), float(now.sum())
    change = abs(fault.share) * size
    if segment.parts + ((segment.hours,) if segment.hours else ()) and size > 0.8 * whole:
        return False
    if fault.measure is not Measure.EVENTS:
        rate = (
            float(stream.rates[fault.measure][inside].mean()) if fault.measure is not Measure.MISSING_VERSION else 0.01
        )
        return change >= 20 and change >= 5 * (size * rate + (0.3 * size * rate) ** 2) ** 0.5
    spread = noise(stream, segment, inside) * size
    return change >= 20 and change >= 5 * max(spread, (1.25 * size) ** 0.5)


def noise(stream: Stream, segment: Segment, inside: Array) -> float:
    """Relative standard deviation over the clean days of a segment, compared with the mean of its reference days."""
    sums = {day: float(events[inside].sum()) for day, events in stream.days.items()}
    if segment != Segment():
        sums = {day: count / float(stream.days[day].sum()) for day, count in sums.items()}
    judged = sorted(sums)[28:]
    means = [np.mean([sums[past] for past in reference_days(day, sums)]) for day in judged[-28:]]
    return float(np.std([sums[day] / mean - 1 for day, mean in zip(judged[-28:], means, strict=True) if mean > 0]))


def broken(stream: Stream, day: date, segment: Segment, fault: Fault, rng: np.random.Generator) -> DayBreakdown:
    inside, events = stream.mask(segment), stream.days[day]
    if fault.measure is Measure.EVENTS:
        moved = rng.binomial(events, abs(fault.share)) * (1 if fault.share > 0 else -1)
        return stream.break_down(day, np.where(inside, events + moved, events), np.zeros_like(events), fault.measure)
    counted = stream.counted(fault.measure, events, np.random.default_rng(day.toordinal()))
    more = counted + rng.binomial(events - counted, fault.share)
    counted = np.where(inside, more, counted)
    codes = stream.codes
    if fault.measure is Measure.MISSING_VERSION:
        null = stream.labels[VERSION].index(None)
        codes = codes | {VERSION: np.where(inside, null, codes[VERSION])}
    return stream.break_down(day, events, counted, fault.measure, codes)


def is_same(stream: Stream, true: Segment, named: Segment, days: tuple[date, ...]) -> bool:
    """Whether both segments hold the same events, with ranges of hours within an hour at each end."""
    events = sum(stream.days[day] for day in days) > 0
    if true.hours is not None and named.hours is None:
        return False
    hours = named.hours
    if true.hours is not None and hours is not None:
        busy = stream.codes["hour"][stream.mask(Segment(true.parts)) & events]
        wanted = (busy[busy >= true.hours[0]].min(), busy[busy <= true.hours[1]].max())
        if all(abs(int(a) - b) <= 1 for a, b in zip(wanted, hours, strict=True)):
            hours = true.hours
    return bool(np.array_equal(stream.mask(true) & events, stream.mask(Segment(named.parts, hours)) & events))


@dataclass(slots=True)
class Score:
    """How often the true segment was named."""

    cases: int = 0
    first: int = 0
    third: int = 0
    consistent: int = 0
    milliseconds: list[float] = field(default_factory=list)

    def add(self, other: Score) -> None:
        """Add the cases of another score."""
        self.cases += other.cases
        self.first += other.first
        self.third += other.third
        self.consistent += other.consistent
        self.milliseconds += other.milliseconds


def run_case(
    stream: Stream, kind: tuple[str, ...], fault: Fault, rng: np.random.Generator, score: Score, *, verbose: bool
) -> bool:
    candidates = sorted(stream.days)
    day = candidates[int(rng.integers(28, len(candidates)))]
    past = reference_days(day, candidates)
    segment = draw_segment(stream, kind, stream.days[day], rng)
    if fault.measure is Measure.MISSING_VERSION and VERSION in kind and dict(segment.parts)[VERSION] is None:
        return False
    if not is_large_enough(stream, day, segment, fault):
        return False
    breakdown = broken(stream, day, segment, fault, rng)
    reference = [stream.clean(reference_day, fault.measure) for reference_day in past]
    expected = float(stream.days[day].sum()) * float(rng.lognormal(0, 0.04)) if rng.random() < 0.7 else None
    started = perf_counter()
    contributors = find_root_cause(fault.measure, breakdown, reference, expected)
    score.milliseconds.append(1000 * (perf_counter() - started))
    score.consistent += is_one_cause(contributors, fault.measure, day)
    hits = [is_same(stream, segment, contributor.segment, (*past, day)) for contributor in contributors]
    score.cases += 1
    score.first += any(hits[:1])
    score.third += any(hits[:3])
    if verbose and not any(hits[:1]):
        named = "; ".join(
            f"{contributor.segment} {contributor.found:.0f}/{contributor.expected:.0f}"
            for contributor in contributors[:3]
        )
        print(f"  MISS {fault.title}: {segment} but {named}")
    return True


GUARDRAILS = {
    Measure.EVENTS: "volume",
    Measure.ERRORS: "error_rate",
    Measure.MISSING_VERSION: "missing_version",
    Measure.MISSING_CRITICAL: "critical_fields",
    Measure.LATE: "arrival_lag",
}


def is_one_cause(contributors: Sequence[Contributor], measure: Measure, day: date) -> bool:
    """Whether verdict, alert, incident and headline name the segment and the hours of the first row of the table."""
    if not contributors:
        return True
    failed = Verdict(GUARDRAILS[measure], Level.WARNING, Outcome.FAILED, "MADE", 31.0, 5.0, "It failed.")
    verdict = explained(failed, contributors, measure)
    (incident,) = group_incidents("web", failures_of(day, 1, [verdict]), [day])
    alert = Alert("web", day, verdict.guardrail, 1, verdict.level, verdict.reason_code, verdict.sentence)
    segment = contributors[0].segment
    named = "spread over the whole stream" if segment == Segment() else str(segment)
    texts = (verdict.sentence, alert.line(), incident_sentence(incident))
    return all(named in text for text in texts) and (segment == Segment() or named in incident.where)


def judge(
    stream: Stream, faults: tuple[Fault, ...], cases: int, *, verbose: bool
) -> tuple[dict[str, Score], dict[str, Score]]:
    """Scores by fault and by kind of segment."""
    by_fault: defaultdict[str, Score] = defaultdict(Score)
    by_kind: defaultdict[str, Score] = defaultdict(Score)
    for fault in faults:
        for kind in kinds(stream, fault.measure):
            score = Score()
            rng = np.random.default_rng([len(stream.title), FAULTS.index(fault), len(kind)])
            for _ in range(10 * cases):
                if score.cases < cases:
                    run_case(stream, kind, fault, rng, score, verbose=verbose)
            for total in (by_fault[fault.title], by_kind[" × ".join(kind) or "everywhere"]):
                total.add(score)
    return by_fault, by_kind


def show(title: str, scores: dict[str, Score]) -> None:
    for name, score in scores.items():
        if score.cases:
            first, third = 100 * score.first / score.cases, 100 * score.third / score.cases
            consistent = 100 * score.consistent / score.cases
            print(
                f"  {name:30} {score.cases:6} cases  first {first:5.1f} %  top three {third:5.1f} %"
                f"  one cause {consistent:5.1f} %"
                f"  {median(score.milliseconds):6.1f} ms   {title}"
            )


def main() -> None:
    warnings.simplefilter("ignore")
    arguments = [argument for argument in sys.argv[1:] if argument != "-v"]
    cases = int(arguments[0]) if arguments else 10
    faults = tuple(fault for fault in FAULTS if fault.title in arguments) or FAULTS
    builders: dict[str, Callable[[], Stream]] = {shape.title: partial(synthetic, shape) for shape in SHAPES}
    builders["flights"] = flights
    for title in [title for title in builders if title in arguments] or list(builders):
        stream = builders[title]()
        by_fault, by_kind = judge(stream, faults, cases, verbose="-v" in sys.argv)
        whole = Score()
        for score in by_fault.values():
            whole.add(score)
        print(f"\n{title}: {median(float(day.sum()) for day in stream.days.values()):,.0f} events a day")
        for scores in (by_fault, by_kind, {"all": whole}):
            show(title, scores)


if __name__ == "__main__":
    main()
