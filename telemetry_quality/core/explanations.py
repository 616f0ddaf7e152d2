"""Explanations: which part of a day holds how much of what changed.

Here belongs the search for the place; whether something changed at all is for the guardrails to say.

Every place that the stored counts can express is a hypothesis: its events changed by one common ratio, all others
by the day's own. The best one wins, by three things that the literature asks for:

- *explanatory power*: the likelihood ratio of the place against the rest, a scan statistic (Kulldorff, "A spatial
  scan statistic", 1997; explanatory power and succinctness as in Adtributor, Bhagwan et al., NSDI 2014);
- the *ripple effect*: all cells inside have to change alike and none outside may (HotSpot, Sun et al., IEEE Access
  2018; the generalized potential score of Squeeze, Li et al., ISSRE 2019), here as the log-likelihood of all cells
  of each table, in units of the noise which the reference days show;
- *succinctness*: each further condition has to be worth its price.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from heapq import nlargest
from math import exp, log, sqrt
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.events import EVENT_NAME, HOUR, SERVICE_VERSION, hourly_counts
from telemetry_quality.core.guardrails.verdicts import Cause, Place

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date

    from telemetry_quality.core.events import AggregateRow, DayAggregates, HourlyCounts, Slice, SliceCounts

MAXIMUM_CAUSES = 5
REFERENCE_DAYS = 4


class Measure(StrEnum):
    """What changed."""

    EVENTS = "events"
    ERRORS = "errors"
    MISSING_VERSION = "missing_version"
    MISSING_CRITICAL = "missing_critical"
    LATE = "late"


NOUNS = {
    Measure.EVENTS: "events",
    Measure.ERRORS: "errors",
    Measure.MISSING_VERSION: "events without a version",
    Measure.MISSING_CRITICAL: "missing critical values",
    Measure.LATE: "late events",
}


@dataclass(frozen=True, slots=True)
class DayParts:
    """A day as it can be taken apart.

    Attributes:
        aggregates: By hour, event name and version.
        slices: By each dimension of the schema, and by it × event name, × version and × hour.
    """

    day: date
    aggregates: DayAggregates
    slices: Mapping[Slice, SliceCounts] = field(default_factory=dict)


def reference_days(day: date, candidates: Collection[date]) -> tuple[date, ...]:
    """The earlier days to compare ``day`` with: its last same weekdays, topped up by the last other days."""
    earlier = sorted((candidate for candidate in set(candidates) if candidate < day), reverse=True)
    weeks = timedelta(days=7 * 2 * REFERENCE_DAYS)
    same = [past for past in earlier if past.weekday() == day.weekday() and day - past <= weeks][:REFERENCE_DAYS]
    others = [past for past in earlier if past not in same]
    return tuple(sorted(same + others[: REFERENCE_DAYS - len(same)]))


Key = tuple[tuple[tuple[str, str | None], ...], tuple[int, int] | None]
EVERYWHERE: Key = ((), None)
Cell = tuple[str | int | None, str | int | None]


class _Counts(NamedTuple):
    """One table of one day: per cell all events, and those that the measure counts."""

    sizes: dict[Cell, int]
    found: dict[Cell, int]


_Tables = dict[tuple[str, str], _Counts]


SIGNAL_TABLES = ((EVENT_NAME, SERVICE_VERSION), (EVENT_NAME, HOUR), (SERVICE_VERSION, HOUR))


def _signal_tables(rows: Sequence[AggregateRow], measure: Measure) -> _Tables:
    """Signal × version, signal × hour, version × hour: the pairs within the aggregates."""
    pairs = [_Counts(defaultdict(int), defaultdict(int)) for _ in SIGNAL_TABLES]
    sizes, found = [counts.sizes for counts in pairs], [counts.found for counts in pairs]
    for row, spread in zip(rows, hourly_counts(rows), strict=True):
        _count(row, spread, Measure.EVENTS, sizes)
        if measure is not Measure.EVENTS:
            _count(row, spread, measure, found)
    return dict(zip(SIGNAL_TABLES, pairs, strict=True))


def _count(row: AggregateRow, spread: HourlyCounts | None, measure: Measure, pairs: Sequence[dict[Cell, int]]) -> None:
    """Add what the measure counts of a row, where that is anything."""
    total, by_hour = _counted(row, spread, measure)
    if not total:
        return
    signal_version, signal_hour, version_hour = pairs
    name, version = row.event_name, row.service_version
    signal_version[name, version] += total
    for hour, count in by_hour:
        if count:
            signal_hour[name, hour] += count
            version_hour[version, hour] += count


def _counted(row: AggregateRow, spread: HourlyCounts | None, measure: Measure) -> tuple[int, Iterable[tuple[int, int]]]:
    """What the measure counts of a row: all day, and by hour."""
    counts: Sequence[int] = ()
    match measure:
        case Measure.EVENTS:
            total, counts = row.events, spread["events"] if spread else ()
        case Measure.ERRORS:
            total, counts = row.errors, spread.get("errors", ()) if spread else ()
        case Measure.MISSING_VERSION:
            total, counts = row.missing_version, spread["events"] if spread else ()
        case Measure.LATE:
            total, counts = row.late_events, spread.get("late_events", ()) if spread else ()
        case Measure.MISSING_CRITICAL:
            total = sum(row.missing_critical)
            if spread:
                counts = [sum(fields) for fields in zip(*spread.get("missing_critical", {}).values(), strict=True)]
    return total, ((row.hour, total),) if spread is None else zip(spread["hours"], counts, strict=False)


def _slice_count(counts: SliceCounts, measure: Measure) -> int:
    return counts.errors if measure is Measure.ERRORS else counts.missing_version


def _dimension_tables(slices: Mapping[Slice, SliceCounts], measure: Measure) -> _Tables:
    """Each dimension of the schema × signal, × version, × hour."""
    tables: _Tables = {}
    if measure in {Measure.MISSING_CRITICAL, Measure.LATE}:
        return tables  # slices do not count these
    for (dimension, value, by, by_value), counts in slices.items():
        if by is None:
            continue
        table = tables.get((dimension, by))
        if table is None:
            table = tables[dimension, by] = _Counts({}, {})
        cell = (value, int(by_value) if by == HOUR and by_value is not None else by_value)
        table.sizes[cell] = counts[0]
        if measure is not Measure.EVENTS:
            table.found[cell] = _slice_count(counts, measure)
    return tables


def _counts(day: DayParts, measure: Measure) -> _Tables:
    tables = _signal_tables(day.aggregates.rows, measure) | _dimension_tables(day.slices, measure)
    if measure is Measure.MISSING_VERSION:
        # Every missing version lies in the slice of the null version: true, and no explanation.
        return {key: counts for key, counts in tables.items() if SERVICE_VERSION not in key}
    return tables


# ---- what to expect of each cell ----


@dataclass(slots=True)
class _Table:
    """One table of the day beside what the reference suggests.

    A cell that changed by ``q`` holds ``g × mean + q × room``: for events room is the mean itself, for a rate it is
    those events that could still become errors.
    """

    attributes: tuple[str, str]
    found: list[float]
    mean: list[float]
    room: list[float]
    cells: list[Cell]
    index: dict[Cell, int]
    groups: tuple[dict[object, list[int]], dict[object, list[int]]]
    cell_spread: float
    group_spreads: tuple[float, float]
    own_spreads: tuple[dict[object, float], dict[object, float]]
    sampling: float
    dispersion: float = 1.0
    floor_rate: float = 0.0
    total_found: float = 0.0
    total_mean: float = 0.0
    outside: dict[int, tuple[float, list[float]]] = field(default_factory=dict)


CELL_SPREAD, GROUP_SPREAD, DAY_SPREAD = 0.06, 0.05, 0.05
RATE_SPREAD = 0.15


History = tuple[list[list[float]], list[list[float]]]
"""Per cell, what each reference day held and what the others suggest for it."""


def _scatter(history: History) -> list[tuple[float, float]]:
    """Per cell its mean, and its squared deviations over the mean: 1 for Poisson noise."""
    scatter = []
    for found, expected in zip(*history, strict=True):
        mean = sum(expected) / len(expected)
        if len(found) > 1 and mean >= 3:
            squares = sum((a - b) ** 2 for a, b in zip(found, expected, strict=True)) / (len(found) - 1)
            scatter.append((mean, min(squares / mean, mean)))
    return scatter


def _noise(history: History, prior: float) -> tuple[float, float]:
    """Dispersion and squared relative noise of cells: variance = dispersion × mean + noise × mean².

    Aggregation tames noise (Taylor, "Aggregation, variance and the mean", Nature 1961): both parts are needed, so that
    neither busy nor quiet cells look odd. Weighted least squares, ``prior`` counting as some cells.
    """
    weight = mean_sum = mean_square = both = total = 0.0
    for mean, squares in _scatter(history):
        w = (1.0 + prior**2 * mean) ** -2
        weight += w
        mean_sum += w * mean
        mean_square += w * mean * mean
        total += w * squares
        both += w * mean * squares
    # The prior: a dozen cells around the size where both parts of the noise are equal.
    size = prior**-2
    for mean in (0.0, size, size, 2 * size):
        w = 3 * (1.0 + prior**2 * mean) ** -2
        weight += w
        mean_sum += w * mean
        mean_square += w * mean * mean
        total += w * (1.0 + prior**2 * mean)
        both += w * mean * (1.0 + prior**2 * mean)
    spread = (weight * both - mean_sum * total) / (weight * mean_square - mean_sum * mean_sum)
    spread = max(LEAST_SPREAD**2, spread)
    dispersion = max(1.0, (total - spread * mean_sum) / weight)
    return dispersion, spread


LEAST_SPREAD = 0.02


def _group_spread(history: History, prior: float, dispersion: float) -> float:
    """Squared relative noise of whole signals, versions, …: beyond that of their cells."""
    excess, total = 5 * prior**2, 5.0
    scatter = _scatter(history)
    size = sum(mean for mean, _ in scatter) / (len(scatter) or 1)
    for mean, squares in scatter:
        weight = mean / size
        excess += weight * (squares - dispersion) / mean
        total += weight
    return max(LEAST_SPREAD**2, excess / total)


def _own_spreads(history: History, common: float, dispersion: float) -> list[float]:
    """Squared relative noise of each group, drawn towards what is common: some are restless, and new versions grow."""
    spreads = []
    for found, expected in zip(*history, strict=True):
        mean = sum(expected) / len(expected)
        if len(found) < 3 or mean <= 0:
            spreads.append(common)
            continue
        squares = sum((a - b) ** 2 for a, b in zip(found, expected, strict=True)) / (len(found) - 1)
        own = min(1.0, max(0.0, squares / mean - dispersion) / mean)
        telling = len(found) * common * mean / (dispersion + common * mean)  # little, where counts are small anyway
        spreads.append((COMMON_DAYS * common + telling * own) / (COMMON_DAYS + telling))
    return spreads


COMMON_DAYS = 4
"""How many reference days of its own weigh as much as what all values have in common."""


def _center(values: Sequence[float]) -> float:
    """The median, so that one odd reference day does not count; the mean where counts are small."""
    mean = sum(values) / len(values)
    return mean if mean < 20 or len(values) < 3 else median(values)


def _by_group(table: _Table, values: Sequence[Sequence[float]], axis: int) -> list[list[float]]:
    sums: list[list[float]] = []
    for members in table.groups[axis].values():
        columns = [values[position] for position in members]
        sums.append([sum(day) for day in zip(*columns, strict=True)])
    return sums


def _groups(index: Mapping[Cell, int]) -> tuple[dict[object, list[int]], dict[object, list[int]]]:
    first: defaultdict[object, list[int]] = defaultdict(list)
    second: defaultdict[object, list[int]] = defaultdict(list)
    for (a, b), position in index.items():
        first[a].append(position)
        second[b].append(position)
    return dict(first), dict(second)


def _make_table(
    key: tuple[str, str],
    *,
    found: list[float],
    mean: list[float],
    room: list[float],
    index: dict[Cell, int],
    past: tuple[list[list[float]], list[list[float]]],
    priors: tuple[float, float],
    days: int,
) -> _Table:
    table = _Table(key, found, mean, room, list(index), index, _groups(index), 0.0, (0.0, 0.0), ({}, {}), 1 + 1 / days)
    table.total_found, table.total_mean = sum(found), sum(mean)
    table.dispersion, table.cell_spread = _noise(past, priors[0])
    histories = [(_by_group(table, past[0], axis), _by_group(table, past[1], axis)) for axis in (0, 1)]
    spreads = [_group_spread(history, priors[1], table.dispersion) for history in histories]
    table.group_spreads = (spreads[0], spreads[1])
    owns = [
        dict(zip(table.groups[axis], _own_spreads(histories[axis], spreads[axis], table.dispersion), strict=True))
        for axis in (0, 1)
    ]
    table.own_spreads = (owns[0], owns[1])
    return table


def _volume_table(
    key: tuple[str, str], day: _Counts, past: Sequence[_Counts], expected: float, *, hidden: bool = False
) -> _Table:
    """Expected events per cell; ``hidden`` where quiet cells of earlier days are left out, and may not be new."""
    cells = list(dict.fromkeys(cell for counts in (day, *past) for cell in counts.sizes))
    totals = [sum(counts.sizes.values()) for counts in past]
    level = sum(totals) / len(totals) or 1.0
    scales = [total / level or 1.0 for total in totals]
    index = {cell: position for position, cell in enumerate(cells)}
    history = [[float(counts.sizes.get(cell, 0)) for counts in past] for cell in cells]
    centers = [_center([count / scale for count, scale in zip(counts, scales, strict=True)]) for counts in history]
    if hidden:
        least = min((count for counts in past for count in counts.sizes.values()), default=1) - 1.0
        centers = [
            center or min(least, float(day.sizes.get(cell, 0))) for cell, center in zip(cells, centers, strict=True)
        ]
    factor = expected / (sum(centers) or 1.0)
    found = [float(day.sizes.get(cell, 0)) for cell in cells]
    mean = [center * factor for center in centers]
    # A cell that is new has nothing to be multiplied: whatever it holds is its room.
    room = [m or f for m, f in zip(mean, found, strict=True)]
    suggested = [[center * scale for scale in scales] for center in centers]
    return _make_table(
        key,
        found=found,
        mean=mean,
        room=room,
        index=index,
        past=(history, suggested),
        priors=(CELL_SPREAD, GROUP_SPREAD),
        days=len(past),
    )


def _margins(cells: Iterable[Cell], counts: Mapping[Cell, int]) -> tuple[dict[object, int], dict[object, int]]:
    first: defaultdict[object, int] = defaultdict(int)
    second: defaultdict[object, int] = defaultdict(int)
    for cell in cells:
        count = counts.get(cell, 0)
        first[cell[0]] += count
        second[cell[1]] += count
    return first, second


FLOOR_RATE = 0.001
"""All places are compared from the stream's own rate on, at least this: that a place had none before is no merit."""

PRIOR_EVENTS = 50
"""How many events the rate of a cell's signal, version, … weighs against the cell's own."""


def _rates(cells: Sequence[Cell], sizes: Mapping[Cell, int], found: Mapping[Cell, int]) -> list[float]:
    """The reference rate of each cell, drawn towards what its two margins suggest."""
    all_size, all_found = sum(sizes.values()), sum(found.values())
    whole = (all_found + 0.5) / (all_size + 1)
    size_margins, found_margins = _margins(cells, sizes), _margins(cells, found)

    def margin(axis: int, value: object) -> float:
        size, count = size_margins[axis][value], found_margins[axis][value]
        return (count + PRIOR_EVENTS * whole) / (size + PRIOR_EVENTS)

    rates = []
    for cell in cells:
        suggested = min(1.0, margin(0, cell[0]) * margin(1, cell[1]) / whole)
        rate = (found.get(cell, 0) + PRIOR_EVENTS * suggested) / (sizes.get(cell, 0) + PRIOR_EVENTS)
        rates.append(min(1.0, rate))
    return rates


def _rate_table(key: tuple[str, str], day: _Counts, past: Sequence[_Counts], per_event: int) -> _Table:
    cells = [cell for cell, size in day.sizes.items() if size > 0]
    sizes: defaultdict[Cell, int] = defaultdict(int)
    found: defaultdict[Cell, int] = defaultdict(int)
    for counts in past:
        for cell, size in counts.sizes.items():
            sizes[cell] += size * per_event
        for cell, count in counts.found.items():
            found[cell] += count
    cells += [cell for cell in sizes if day.sizes.get(cell, 0) <= 0]
    rates = _rates(cells, sizes, found)
    index = {cell: position for position, cell in enumerate(cells)}
    history = [[float(counts.found.get(cell, 0)) for counts in past] for cell in cells]
    suggested = [
        [counts.sizes.get(cell, 0) * per_event * rate for counts in past]
        for cell, rate in zip(cells, rates, strict=True)
    ]
    exposure = [day.sizes.get(cell, 0) * per_event for cell in cells]
    mean = [size * rate for size, rate in zip(exposure, rates, strict=True)]
    room = [size * (1 - rate) for size, rate in zip(exposure, rates, strict=True)]
    now = [float(day.found.get(cell, 0)) for cell in cells]
    table = _make_table(
        key,
        found=now,
        mean=mean,
        room=room,
        index=index,
        past=(history, suggested),
        priors=(RATE_SPREAD, RATE_SPREAD),
        days=len(past),
    )
    table.floor_rate = max(FLOOR_RATE, sum(found.values()) / (sum(sizes.values()) or 1))
    return table


# ---- how well a place explains the day ----


STEP = 0.01
"""Ratios of the day are rounded to this logarithmic step, so that the cells outside are judged once for each."""

FARTHEST = 3.0
"""How many standard deviations the day as a whole may be off while something else is the cause."""

ODD = 5.0
"""From so many standard deviations on, a cell speaks against a place only linearly (Huber): cells have stories."""


def _badness(off: float) -> float:
    return off * off if off <= ODD else ODD * (2 * off - ODD)


def _log_likelihood(found: float, mean: float, table: _Table) -> float:
    mean = max(mean, 0.0)
    variance = 1.0 + table.sampling * mean * (table.dispersion + table.cell_spread * mean)
    off = abs(found - mean) / sqrt(variance)
    return -0.5 * (_badness(off) + log(variance))


def _outside(table: _Table, step: int) -> tuple[float, list[float]]:
    known = table.outside.get(step)
    if known is None:
        ratio = exp(step * STEP)
        each = [_log_likelihood(f, ratio * m, table) for f, m in zip(table.found, table.mean, strict=True)]
        known = table.outside[step] = sum(each), each
    return known


@dataclass(slots=True)
class _Fit:
    """What a place means in one table: the cells inside, and what follows from them."""

    table: _Table
    inside: list[int]
    found: float
    mean: float
    room: float
    step: int = 0
    penalty: float = 0.0
    gain: float = 0.0


@dataclass(slots=True)
class _Hypothesis:
    """One place that may have changed."""

    parts: tuple[tuple[str, str | None], ...]
    hours: tuple[int, int] | None
    power: float
    fits: list[_Fit] = field(default_factory=list)
    price: float = 0.0
    score: float = 0.0

    @property
    def family(self) -> tuple[str, ...]:
        """What its conditions are about."""
        return (*(name for name, _ in self.parts), *((HOUR,) if self.hours else ()))

    @property
    def key(self) -> Key:
        return self.parts, self.hours

    @property
    def place(self) -> Place:
        return Place(self.parts, self.hours)


def _fit(table: _Table, inside: list[int]) -> _Fit:
    found, mean, room = table.found, table.mean, table.room
    if len(inside) == 1:
        (i,) = inside
        return _Fit(table, inside, found[i], mean[i], room[i])
    return _Fit(
        table, inside, sum([found[i] for i in inside]), sum([mean[i] for i in inside]), sum([room[i] for i in inside])
    )


def _set_day_ratio(fit: _Fit, day_spread: float, spread: float) -> None:
    """Set the ratio by which all cells outside the place differ from what was expected, and what that costs.

    It is drawn towards 1 as far as days like this one are steady and the rest is too little to tell.
    """
    table = fit.table
    rest_found = max(0.0, table.total_found - fit.found) + 0.5
    rest_mean = max(0.0, table.total_mean - fit.mean) + 0.5
    noise = 1 / rest_mean + spread * max(0.0, 1 - rest_mean / (table.total_mean + 0.5))
    off = log(rest_found / rest_mean) * sqrt(day_spread) / (day_spread + noise)
    fit.step = round(max(-FARTHEST, min(FARTHEST, off)) * sqrt(day_spread) / STEP)
    fit.penalty = 0.5 * _badness(abs(off))


def _power(fit: _Fit, spread: float) -> float:
    """Log-likelihood ratio of the place having changed, in units of the noise of places of its kind."""
    table = fit.table
    expected, found = exp(fit.step * STEP) * fit.mean, fit.found
    if table.floor_rate:  # all places are compared from one rate on: that a place had none before is no merit
        floor = (fit.mean + fit.room) * table.floor_rate
        expected, found = floor, max(0.0, found - expected + floor)
    expected = expected or 0.5
    ratio = found * log(found / expected) if found > 0 else 0.0
    if not table.floor_rate and found < expected:
        # Volumes sway by factors, which hardly ever leave nothing: negative binomial.
        size = table.dispersion / spread
        ratio -= (found + size) * log((found + size) / (expected + size))
        return ratio / (table.sampling * table.dispersion) - fit.penalty
    noise = table.sampling * (table.dispersion + spread * max(expected, fit.mean))
    return (ratio - found + expected) / noise - fit.penalty


def _judge_cells(fit: _Fit) -> None:
    """Set the fit's gain: the log-likelihood of all cells of its table."""
    table, ratio = fit.table, exp(fit.step * STEP)
    total, each = _outside(table, fit.step)
    change = (fit.found - ratio * fit.mean) / fit.room if fit.room > 0 else 0.0
    found, mean, room = table.found, table.mean, table.room
    inside = sum(_log_likelihood(found[i], ratio * mean[i] + change * room[i], table) - each[i] for i in fit.inside)
    fit.gain = total + inside - fit.penalty


# ---- which places to consider ----

PRICE = 1.0
"""What a place has to explain more for each factor of e in the number of its like, since the best of many is chosen."""


class _Search:
    """All hypotheses about one day, each fitted to every table that can express it."""

    def __init__(self, tables: Sequence[_Table], spread: float) -> None:
        self.tables = tables
        self.spread = spread
        self.ratio = 1.0 if tables[0].floor_rate else _common_ratio(tables[0])
        self.hour_ranges: list[tuple[int, int]] | None = None
        self.hypotheses: dict[Key, _Hypothesis] = {}

    def run(self) -> list[_Hypothesis]:
        """The places that explain anything, the likeliest first."""
        for table in self.tables:
            self._add_places(table)
        return self._ranked()

    def _add(self, table: _Table, key: Key, inside: list[int], spread: float) -> None:
        parts, hours = key
        hypothesis = self.hypotheses.get(key)
        fit = _fit(table, inside)
        if key != ((), None):
            _set_day_ratio(fit, self.spread, spread)
        power = _power(fit, spread)
        if hypothesis is None:
            hypothesis = self.hypotheses[key] = _Hypothesis(parts, hours, power)
        hypothesis.power = min(power, hypothesis.power)
        hypothesis.fits.append(fit)

    def _add_places(self, table: _Table) -> None:
        first, second = table.attributes
        self._add_everywhere(table)
        for value, inside in table.groups[0].items():
            self._add(table, ((_part(first, value),), None), inside, table.own_spreads[0][value])
        if second == HOUR:
            self._add_hours(table)
            return
        for value, inside in table.groups[1].items():
            self._add(table, ((_part(second, value),), None), inside, table.own_spreads[1][value])
        for (a, b), position in table.index.items():
            if _is_ordinary(table, position):
                continue
            spread = max(table.cell_spread, table.own_spreads[0][a], table.own_spreads[1][b])
            self._add(table, ((_part(first, a), _part(second, b)), None), [position], spread)

    def _add_everywhere(self, table: _Table) -> None:
        inside = list(range(len(table.found)))
        fit = _fit(table, inside)
        power = _power(fit, self.spread)
        hypothesis = self.hypotheses.setdefault(EVERYWHERE, _Hypothesis((), None, power))
        hypothesis.fits.append(fit)
        hypothesis.power = min(power, hypothesis.power)

    def _add_hours(self, table: _Table) -> None:
        first = table.attributes[0]
        by_hour = {_hour(hour): inside for hour, inside in table.groups[1].items()}
        if self.hour_ranges is None:
            self.hour_ranges = _ranges({hour: _fit(table, inside) for hour, inside in by_hour.items()}, self.ratio)
        for hours in self.hour_ranges:
            inside = [i for hour, members in by_hour.items() if hours[0] <= hour <= hours[1] for i in members]
            if 0 < len(inside) < len(table.found):
                self._add(table, ((), hours), inside, table.group_spreads[1] / sqrt(hours[1] - hours[0] + 1))
        for value, members in table.groups[0].items():
            hour_of = {_hour(table.cells[position][1]): position for position in members}
            for hours in _ranges({hour: _fit(table, [position]) for hour, position in hour_of.items()}, self.ratio):
                inside = [i for hour, i in hour_of.items() if hours[0] <= hour <= hours[1]]
                spread = max(table.own_spreads[0][value], table.cell_spread / len(inside))
                self._add(table, ((_part(first, value),), hours), inside, spread)

    def _set_prices(self) -> None:
        """A minimum description length: naming one of many costs the logarithm of how many there are."""
        values = {HOUR: HOUR_RANGES}
        for table in self.tables:
            for name, groups in zip(table.attributes, table.groups, strict=True):
                if name != HOUR:
                    values[name] = len(groups) + 1
        for hypothesis in self.hypotheses.values():
            hypothesis.price = PRICE * sum(log(values[name]) for name in hypothesis.family)

    def _ranked(self) -> list[_Hypothesis]:
        """Judge the most powerful places by all cells of their tables, and rank them."""
        self._set_prices()
        screened = self._screened()
        rivals: defaultdict[tuple[str, str], list[_Rival]] = defaultdict(list)
        for hypothesis in screened:
            for fit in hypothesis.fits:
                _judge_cells(fit)
                inside = frozenset(fit.inside)
                rival = _Rival(fit.gain - hypothesis.price, hypothesis.power - hypothesis.price, inside)
                rivals[fit.table.attributes].append(rival)
        for ranked in rivals.values():
            ranked.sort(key=lambda rival: -rival.gain)
        for hypothesis in screened:
            hypothesis.score = self._score(hypothesis, rivals)
        return sorted(screened, key=lambda each: -each.score)

    def _screened(self) -> list[_Hypothesis]:
        """The most powerful hypotheses, with what those of a range of hours are about; the rest cannot win."""
        ranked = sorted(self.hypotheses.values(), key=lambda each: each.price - each.power)[:SCREENED]
        screened = {each.key: each for each in ranked}
        for key in (EVERYWHERE, *((each.parts, None) for each in ranked)):
            if key in self.hypotheses:
                screened[key] = self.hypotheses[key]
        return list(screened.values())

    def _score(self, hypothesis: _Hypothesis, rivals: Mapping[tuple[str, str], Sequence[_Rival]]) -> float:
        """The power of what explains the same cells best, less what this explains worse, where it does worst."""

        def lead(fit: _Fit, price: float) -> tuple[float, float]:
            best = next(rival for rival in rivals[fit.table.attributes] if not rival.inside.isdisjoint(fit.inside))
            return best.power, best.gain - fit.gain + price

        leads = [lead(fit, hypothesis.price) for fit in hypothesis.fits]
        score = min(power - regret for power, regret in leads)
        whole_day = self.hypotheses.get((hypothesis.parts, None))
        if hypothesis.hours is None or not hypothesis.parts or whole_day is None:
            return score
        # Hours do not excuse a value that other tables contradict.
        others = [lead(fit, whole_day.price)[1] for fit in whole_day.fits if HOUR not in fit.table.attributes]
        return score - max(0.0, *others) if others else score


class _Rival(NamedTuple):
    """How well one hypothesis explains a table, price deducted, and which cells it is about."""

    gain: float
    power: float
    inside: frozenset[int]


SCREENED = 60
HOUR_RANGES = 100


def _is_ordinary(table: _Table, position: int) -> bool:
    """Whether a cell holds what was expected of it, within a standard deviation: it alone explains nothing."""
    mean = table.mean[position]
    variance = 1.0 + table.sampling * mean * (table.dispersion + table.cell_spread * mean)
    return (table.found[position] - mean) ** 2 < variance


def _common_ratio(table: _Table) -> float:
    """The ratio that half of the expected events stay below: what did not change says how busy the day is."""
    ratios = sorted((f / m, m) for f, m in zip(table.found, table.mean, strict=True) if m > 0)
    half = sum(m for _, m in ratios) / 2
    for ratio, mean in ratios:
        half -= mean
        if half <= 0:
            return ratio
    return 1.0


def _part(name: str, value: object) -> tuple[str, str | None]:
    return name, None if value is None else str(value)


def _hour(value: object) -> int:
    return value if isinstance(value, int) else 0


def _ranges(fits: Mapping[int, _Fit], ratio: float) -> list[tuple[int, int]]:
    """The ranges of hours that changed most alike: two that grew and two that shrank.

    A range's gain is that of one common change of its hours, weighted by their noise: a maximum-likelihood segment.
    """
    hours = sorted(fits)
    if len(hours) < 2:
        return []
    moments = [_moments(fits[hour], ratio) for hour in hours]
    up: list[tuple[float, tuple[int, int]]] = []
    down: list[tuple[float, tuple[int, int]]] = []
    for start in range(len(hours)):
        change = weight = 0.0
        for end in range(start, len(hours)):
            change += moments[end][0]
            weight += moments[end][1]
            if weight <= 0 or end - start + 1 == len(hours):
                continue
            kept = up if change > 0 else down
            kept.append((change * change / weight, (hours[start], hours[end])))
    return [hours for kept in (up, down) for _, hours in nlargest(RANGES, kept)]


RANGES = 2


def _moments(fit: _Fit, ratio: float) -> tuple[float, float]:
    expected = ratio * fit.mean
    variance = 1.0 + fit.table.sampling * expected * (fit.table.dispersion + fit.table.cell_spread * expected)
    return (fit.found - expected) * fit.room / variance, fit.room * fit.room / variance


# ---- the answer ----


def explain(
    measure: Measure, day: DayParts, reference: Sequence[DayParts], expected_events: float | None
) -> tuple[Cause, ...]:
    """The places that explain the day's change best, the likeliest first.

    None without a reference, and none where errors and the like are nowhere more than usual: a day can be above a
    threshold because all days are.

    Args:
        measure: What changed.
        day: The day to be explained.
        reference: Days to compare it with, such as reference_days suggests.
        expected_events: The volume to expect of the day, None to take that of the reference.
    """
    past = [parts for parts in reference if parts.aggregates.rows]
    if not past:
        return ()
    tables, spread = _tables(measure, day, past, expected_events)
    if not tables:
        return ()
    causes = list(_causes(_Search(tables, spread).run(), measure))
    if measure is Measure.MISSING_VERSION and causes:
        place = _untagged(causes[0], day, past)
        if place is not None:
            causes = [replace(causes[0], place=place), *causes][:MAXIMUM_CAUSES]
    return tuple(causes)


def _tables(
    measure: Measure, day: DayParts, past: Sequence[DayParts], expected_events: float | None
) -> tuple[list[_Table], float]:
    now, earlier = _counts(day, measure), [_counts(parts, measure) for parts in past]
    keys = [key for key in now if all(key in counts for counts in earlier)]
    totals = [sum(counts[EVENT_NAME, HOUR].sizes.values()) for counts in earlier]
    expected = expected_events if expected_events and expected_events > 0 else float(median(totals))
    per_event = len(day.aggregates.critical_fields) or 1 if measure is Measure.MISSING_CRITICAL else 1
    tables = []
    for key in keys:
        history = [counts[key] for counts in earlier]
        if measure is Measure.EVENTS:
            hidden = any(sum(each.sizes.values()) < total for each, total in zip(history, totals, strict=True))
            tables.append(_volume_table(key, now[key], history, expected, hidden=hidden))
        else:
            tables.append(_rate_table(key, now[key], history, per_event))
    return [table for table in tables if table.found], _day_spread(measure, totals)


def _day_spread(measure: Measure, totals: Sequence[int]) -> float:
    if measure is not Measure.EVENTS:
        return RATE_SPREAD**2
    level = sum(totals) / len(totals) or 1.0
    squares = sum((total / level - 1) ** 2 for total in totals)
    return min(0.15**2, (squares + 3 * DAY_SPREAD**2) / (len(totals) + 2))


def _causes(ranked: Sequence[_Hypothesis], measure: Measure) -> Iterable[Cause]:
    """The best and what else explains something, without other names of the same events.

    Fewer events may be what is wrong; fewer errors, or fewer missing versions, never are.
    """
    if not ranked:
        return
    seen: set[tuple[float, float]] = set()
    for position, hypothesis in enumerate(ranked):
        fit = hypothesis.fits[0]
        same = (round(fit.found, 6), round(fit.mean, 6))
        if measure is not Measure.EVENTS and fit.found <= fit.mean:
            continue
        if same in seen or (position and hypothesis.score <= 0 and hypothesis.key != EVERYWHERE):
            continue
        seen.add(same)
        yield Cause(hypothesis.place, fit.mean, fit.found, _share_percent(fit))
        if len(seen) == MAXIMUM_CAUSES:
            return


def _share_percent(fit: _Fit) -> float:
    """Share of the whole change; all of it where the rest moved the other way."""
    change, whole = fit.found - fit.mean, fit.table.total_found - fit.table.total_mean
    if change == 0:
        return 0.0
    return min(100.0, 100 * abs(change) / abs(whole)) if change * whole > 0 else 100.0


# ---- which version lost its tag: its events are gone, and as many are missing one ----

CONVINCED = 6.0
"""By how much more likely, in logarithms, a version has to be before it is named."""


def _untagged(cause: Cause, day: DayParts, past: Sequence[DayParts]) -> Place | None:
    """The one version whose events lost their tag, where the day's versions say that it was one.

    An untagged event is in the slice of no version: the place where tags are missing is found without versions, and
    the version by having lost as many events, while others kept theirs.
    """
    now = _counts(day, Measure.EVENTS)
    earlier = [_counts(parts, Measure.EVENTS) for parts in past]
    tables = {
        key: _volume_table(key, counts, [each[key] for each in earlier], float(sum(counts.sizes.values())))
        for key, counts in now.items()
        if SERVICE_VERSION in key and all(key in each for each in earlier)
    }
    moved = cause.found - cause.expected
    if moved <= 0 or (EVENT_NAME, SERVICE_VERSION) not in tables:
        return None
    version, gain = max(_suspects(cause.place, tables, moved), key=lambda suspect: suspect[1])
    return _narrowed(cause.place, version, tables, moved) if gain > CONVINCED else None


def _suspects(place: Place, tables: Mapping[tuple[str, str], _Table], moved: float) -> Iterable[tuple[str, float]]:
    """The likeliest version among all events, and among those of each condition of the place."""
    yield "", 0.0
    conditions = _conditions(place)
    for attribute, allowed in [(EVENT_NAME, None), *conditions]:
        table = _table_of(tables, attribute)
        if table is None:
            continue
        lost = {}
        axis = table.attributes.index(SERVICE_VERSION)
        for version in table.groups[axis]:
            inside = [i for value, i in _row(table, version, attribute).items() if allowed is None or value in allowed]
            if version is not None and inside:
                spread = table.own_spreads[axis][version] + table.cell_spread / len(inside)
                lost[version] = _Loss.of(table, inside, spread)
        if not lost:
            continue
        shares = _shares([each for each in conditions if each[0] != attribute or allowed is None], lost, tables)
        doubts = {version: _disbelief(lost, {version: 1.0}, moved) for version in lost}
        version = min(doubts, key=lambda name: doubts[name])
        yield str(version), _disbelief(lost, shares, moved) - doubts[version] - log(len(lost))


class _Loss(NamedTuple):
    """How many events some cells lack, and how uncertain that is."""

    mean: float
    lacking: float
    variance: float

    @classmethod
    def of(cls, table: _Table, inside: Sequence[int], spread: float) -> _Loss:
        mean = sum(table.mean[i] for i in inside)
        found = sum(table.found[i] for i in inside)
        return cls(mean, mean - found, 1.0 + table.sampling * mean * (table.dispersion + spread * mean))


def _disbelief(lost: Mapping[object, _Loss], shares: Mapping[object, float], moved: float) -> float:
    """How badly the losses fit: each value is to lack its share of ``moved``."""
    total = 0.0
    for value, loss in lost.items():
        off = abs(loss.lacking - moved * shares.get(value, 0.0)) / sqrt(loss.variance)
        total += 0.5 * _badness(off)
    return total


def _row(table: _Table, version: object, attribute: str) -> dict[object, int]:
    """The cells of one version by the value of the table's other attribute."""
    other = table.attributes.index(attribute)
    inside = table.groups[1 - other].get(version, [])
    return {table.cells[position][other]: position for position in inside}


def _table_of(tables: Mapping[tuple[str, str], _Table], attribute: str) -> _Table | None:
    return tables.get((attribute, SERVICE_VERSION)) or tables.get((SERVICE_VERSION, attribute))


def _conditions(place: Place) -> list[tuple[str, frozenset[object]]]:
    """Each condition of a place as an attribute and the values it allows."""
    conditions: list[tuple[str, frozenset[object]]] = [(name, frozenset({value})) for name, value in place.parts]
    if place.hours is not None:
        conditions.append((HOUR, frozenset(range(place.hours[0], place.hours[1] + 1))))
    return conditions


def _shares(
    conditions: Sequence[tuple[str, frozenset[object]]],
    lost: Mapping[object, _Loss],
    tables: Mapping[tuple[str, str], _Table],
) -> dict[object, float]:
    """The share each version has of a place: conditions are taken as independent within a version."""
    weights = {value: loss.mean for value, loss in lost.items()}
    for attribute, allowed in conditions:
        table = _table_of(tables, attribute)
        if table is None:
            continue
        for version in weights:
            cells = _row(table, version, attribute)
            whole = sum(table.mean[i] for i in cells.values())
            part = sum(table.mean[i] for value, i in cells.items() if value in allowed)
            weights[version] *= part / whole if whole else 0.0
    total = sum(weights.values())
    return {version: weight / total for version, weight in weights.items()} if total else {}


def _narrowed(place: Place, version: str, tables: Mapping[tuple[str, str], _Table], moved: float) -> Place:
    """The version, with those conditions of the place that its own losses confirm."""
    kept: list[str] = []
    for attribute, allowed in _conditions(place):
        table = _table_of(tables, attribute)
        cells = _row(table, version, attribute) if table is not None else {}
        if table is None or all(value in allowed for value in cells):
            continue
        lost = {value: _Loss.of(table, [i], table.cell_spread) for value, i in cells.items()}
        whole = sum(loss.mean for loss in lost.values()) or 1.0
        inside = sum(loss.mean for value, loss in lost.items() if value in allowed) or 1.0
        even = {value: loss.mean / whole for value, loss in lost.items()}
        confined = {value: loss.mean / inside for value, loss in lost.items() if value in allowed}
        if _disbelief(lost, even, moved) - _disbelief(lost, confined, moved) > CONVINCED:
            kept.append(attribute)
    parts = tuple((name, value) for name, value in place.parts if name in kept)
    return Place((*parts, (SERVICE_VERSION, version)), place.hours if HOUR in kept else None)


def sentence(causes: Sequence[Cause], measure: Measure) -> str:
    """What the first cause says, for people."""
    if not causes:
        return "There is nothing to compare the day with."
    cause = causes[0]
    numbers = f"({cause.found:,.0f} instead of {cause.expected:,.0f})"
    if cause.place == Place():
        return f"The change is spread over the whole stream {numbers}."
    kind = "missing" if cause.found < cause.expected else "additional"
    where = f"are {cause.place}" if cause.place.parts else f"fall into {cause.place.hours_text}"
    return f"{cause.share_percent or 0:.0f} % of the {kind} {NOUNS[measure]} {where} {numbers}."
