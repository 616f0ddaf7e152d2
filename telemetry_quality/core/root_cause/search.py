"""Search: which segments to consider, and which of them explains the day best."""

from __future__ import annotations

from collections import defaultdict
from math import log, sqrt
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.events import HOUR
from telemetry_quality.core.root_cause.likelihood import (
    EVERYWHERE,
    Hypothesis,
    fit_cells,
    judge_cells,
    power_of,
    set_day_ratio,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from telemetry_quality.core.root_cause.likelihood import Fit, Key
    from telemetry_quality.core.root_cause.noise import Table

PRICE = 1.0
"""How much more a segment must explain for each factor of e in the number of its kind, since the best is chosen."""


class Search:
    """All hypotheses about a day, each fitted to every table that can express it."""

    def __init__(self, tables: Sequence[Table], spread: float) -> None:
        self.tables = tables
        self.spread = spread
        self.ratio = 1.0 if tables[0].floor_rate else _common_ratio(tables[0])
        self.hour_ranges: list[tuple[int, int]] | None = None
        self.hypotheses: dict[Key, Hypothesis] = {}

    def run(self) -> list[Hypothesis]:
        """The segments that explain anything, the likeliest first."""
        for table in self.tables:
            self._add_segments(table)
        return self._ranked()

    def _add(self, table: Table, key: Key, inside: list[int], spread: float) -> None:
        parts, hours = key
        hypothesis = self.hypotheses.get(key)
        fit = fit_cells(table, inside)
        if key != ((), None):
            set_day_ratio(fit, self.spread, spread)
        power = power_of(fit, spread)
        if hypothesis is None:
            hypothesis = self.hypotheses[key] = Hypothesis(parts, hours, power)
        hypothesis.power = min(power, hypothesis.power)
        hypothesis.fits.append(fit)

    def _add_segments(self, table: Table) -> None:
        first, second = table.attributes
        self._add_everywhere(table)
        for value, inside in table.groups[0].items():
            self._add(table, ((_condition(first, value),), None), inside, table.own_spreads[0][value])
        if second == HOUR:
            self._add_hours(table)
            return
        for value, inside in table.groups[1].items():
            self._add(table, ((_condition(second, value),), None), inside, table.own_spreads[1][value])
        for (a, b), position in table.index.items():
            if _is_ordinary(table, position):
                continue
            spread = max(table.cell_spread, table.own_spreads[0][a], table.own_spreads[1][b])
            self._add(table, ((_condition(first, a), _condition(second, b)), None), [position], spread)

    def _add_everywhere(self, table: Table) -> None:
        inside = list(range(len(table.found)))
        fit = fit_cells(table, inside)
        power = power_of(fit, self.spread)
        hypothesis = self.hypotheses.setdefault(EVERYWHERE, Hypothesis((), None, power))
        hypothesis.fits.append(fit)
        hypothesis.power = min(power, hypothesis.power)

    def _add_hours(self, table: Table) -> None:
        first = table.attributes[0]
        by_hour = {_hour(hour): inside for hour, inside in table.groups[1].items()}
        if self.hour_ranges is None:
            fits = {hour: fit_cells(table, inside) for hour, inside in by_hour.items()}
            self.hour_ranges = _ranges(
                {hour: _moments(table, self.ratio, fit.found, fit.mean, fit.room) for hour, fit in fits.items()}
            )
        for hours in self.hour_ranges:
            inside = [i for hour, members in by_hour.items() if hours[0] <= hour <= hours[1] for i in members]
            if 0 < len(inside) < len(table.found):
                self._add(table, ((), hours), inside, table.group_spreads[1] / sqrt(hours[1] - hours[0] + 1))
        for value, members in table.groups[0].items():
            if all(_is_ordinary(table, position, QUIET) for position in members):
                continue
            hour_of = {_hour(table.cells[position][1]): position for position in members}
            found, mean, room = table.found, table.mean, table.room
            moments = {hour: _moments(table, self.ratio, found[i], mean[i], room[i]) for hour, i in hour_of.items()}
            for hours in _ranges(moments):
                inside = [i for hour, i in hour_of.items() if hours[0] <= hour <= hours[1]]
                spread = max(table.own_spreads[0][value], table.cell_spread / len(inside))
                self._add(table, ((_condition(first, value),), hours), inside, spread)

    def _set_prices(self) -> None:
        """Minimum description length: naming one of n values costs the logarithm of n."""
        values = {HOUR: HOUR_RANGES}
        for table in self.tables:
            for name, groups in zip(table.attributes, table.groups, strict=True):
                if name != HOUR:
                    values[name] = len(groups) + 1
        for hypothesis in self.hypotheses.values():
            hypothesis.price = PRICE * sum(log(values[name]) for name in hypothesis.family)

    def _ranked(self) -> list[Hypothesis]:
        """Judge the most powerful segments by all cells of their tables, and rank them."""
        self._set_prices()
        screened = self._screened()
        rivals: defaultdict[tuple[str, str], list[_Rival]] = defaultdict(list)
        for hypothesis in screened:
            for fit in hypothesis.fits:
                judge_cells(fit)
                inside = frozenset(fit.inside)
                rival = _Rival(fit.gain - hypothesis.price, hypothesis.power - hypothesis.price, inside)
                rivals[fit.table.attributes].append(rival)
        for ranked in rivals.values():
            ranked.sort(key=lambda rival: -rival.gain)
        for hypothesis in screened:
            hypothesis.score = self._score(hypothesis, rivals)
        return sorted(screened, key=lambda hypothesis: -hypothesis.score)

    def _screened(self) -> list[Hypothesis]:
        """The most powerful hypotheses, those with hours also without them; the rest cannot win."""
        ranked = sorted(self.hypotheses.values(), key=lambda hypothesis: hypothesis.price - hypothesis.power)[:SCREENED]
        screened = {hypothesis.key: hypothesis for hypothesis in ranked}
        for key in (EVERYWHERE, *((hypothesis.parts, None) for hypothesis in ranked)):
            if key in self.hypotheses:
                screened[key] = self.hypotheses[key]
        return list(screened.values())

    def _score(self, hypothesis: Hypothesis, rivals: Mapping[tuple[str, str], Sequence[_Rival]]) -> float:
        """The power of the best rival for the same cells, less the gain lost to it, in the least favourable table."""

        def lead(fit: Fit, price: float) -> tuple[float, float]:
            best = next(rival for rival in rivals[fit.table.attributes] if not rival.inside.isdisjoint(fit.inside))
            return best.power, best.gain - fit.gain + price

        leads = [lead(fit, hypothesis.price) for fit in hypothesis.fits]
        score = min(power - regret for power, regret in leads)
        whole_day = self.hypotheses.get((hypothesis.parts, None))
        if hypothesis.hours is None or not hypothesis.parts or whole_day is None:
            return score
        # A range of hours does not rescue a value that other tables contradict.
        contradictions = [lead(fit, whole_day.price)[1] for fit in whole_day.fits if HOUR not in fit.table.attributes]
        return score - max(0.0, *contradictions) if contradictions else score


class _Rival(NamedTuple):
    """How well a hypothesis explains a table, less its price, and which cells are inside."""

    gain: float
    power: float
    inside: frozenset[int]


QUIET = 0.5
"""A value is not searched for hours if each of its hours is within so many standard deviations of what was expected."""

SCREENED = 60
"""How many of the most powerful segments are judged by all cells: with half as many, some faults are missed."""

HOUR_RANGES = 100
"""How many ranges of hours a day may be said to have: the price of naming hours."""


def _is_ordinary(table: Table, position: int, sigmas: float = 1.0) -> bool:
    """Whether a cell is within a standard deviation of what was expected: alone it explains nothing."""
    mean = table.mean[position]
    variance = 1.0 + table.sampling * mean * (table.dispersion + table.cell_spread * mean)
    return (table.found[position] - mean) ** 2 < sigmas**2 * variance


def _common_ratio(table: Table) -> float:
    """The ratio below which half of the expected events lie: what did not change shows how busy the day is."""
    ratios = sorted((f / m, m) for f, m in zip(table.found, table.mean, strict=True) if m > 0)
    half = sum(m for _, m in ratios) / 2
    for ratio, mean in ratios:
        half -= mean
        if half <= 0:
            return ratio
    return 1.0


def _condition(name: str, value: object) -> tuple[str, str | None]:
    return name, None if value is None else str(value)


def _hour(value: object) -> int:
    return value if isinstance(value, int) else 0


def _ranges(moments: Mapping[int, tuple[float, float]]) -> list[tuple[int, int]]:
    """The ranges of hours that changed most uniformly: two that grew and two that shrank.

    A range gains by a common change of its hours, weighted by their noise: a maximum-likelihood range.
    """
    hours = sorted(moments)
    changes, weights = [moments[hour][0] for hour in hours], [moments[hour][1] for hour in hours]
    up: list[tuple[float, tuple[int, int]]] = []
    down: list[tuple[float, tuple[int, int]]] = []
    count = len(hours)
    for start in range(count):
        change = weight = 0.0
        # All hours are no range.
        for end in range(start, count if start else count - 1):
            change += changes[end]
            weight += weights[end]
            if weight <= 0:
                continue
            ranges, gain = up if change > 0 else down, change * change / weight
            if len(ranges) < RANGES or gain > ranges[-1][0]:
                ranges.append((gain, (hours[start], hours[end])))
                ranges.sort(key=_by_gain, reverse=True)
                del ranges[RANGES:]
    return [hours for ranges in (up, down) for _, hours in ranges]


RANGES = 2
_by_gain = itemgetter(0)


def _moments(table: Table, ratio: float, found: float, mean: float, room: float) -> tuple[float, float]:
    """The change of some cells and its weight."""
    expected = ratio * mean
    variance = 1.0 + table.sampling * expected * (table.dispersion + table.cell_spread * expected)
    return (found - expected) * room / variance, room * room / variance
