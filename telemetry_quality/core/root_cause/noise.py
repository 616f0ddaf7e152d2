"""Noise: how many events to expect in each cell of a table, and how far off ordinary days are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import repeat
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry_quality.core.root_cause.tables import Cell, Counts


@dataclass(slots=True)
class Table:
    """A table of the day, next to what the reference days suggest.

    A cell that changed by ``q`` holds ``g × mean + q × room``: for events, room is the mean itself; for a rate, it is
    the events that could still become errors.
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


Days = Sequence[Sequence[float]]
"""Per cell, a number for each reference day."""

History = tuple[Days, Days]
"""Per cell, what each reference day held and what all of them together suggest for that day."""

Deviations = list[tuple[float, float]]
"""Per cell, the mean and the squared deviations from what was suggested, which are 0 where they say nothing."""

LEAST_MEAN = 3
"""Cells with fewer events a day do not show how noisy the stream is."""


def _deviations(history: History, least: float) -> Deviations:
    """The deviations of the cells whose mean is at least ``least`` and not 0."""
    found, expected = history
    deviations = []
    for counts, suggested in zip(found, expected, strict=True):
        mean, squares, freedom = sum(suggested) / len(suggested), 0.0, len(counts) - 1
        if mean >= least and mean > 0 and freedom:
            squares = sum([(a - b) ** 2 for a, b in zip(counts, suggested, strict=True)]) / freedom
        deviations.append((mean, squares))
    return deviations


def _scatter(deviations: Deviations, days: int) -> list[tuple[float, float]]:
    """Per cell the mean, and the squared deviations over the mean: 1 for Poisson noise."""
    if days < 2:
        return []
    return [(mean, min(squares / mean, mean)) for mean, squares in deviations if mean >= LEAST_MEAN]


def _noise(scatter: Iterable[tuple[float, float]], prior: float) -> tuple[float, float]:
    """Dispersion and squared relative noise of cells: variance = dispersion × mean + noise × mean².

    Aggregation tames noise (Taylor, "Aggregation, variance and the mean", Nature 1961): both parts are needed, so that
    neither busy nor quiet cells look odd. Weighted least squares, in which ``prior`` counts as some cells.
    """
    weight = mean_sum = mean_square = both = total = 0.0
    for mean, squares in scatter:
        w = (1.0 + prior**2 * mean) ** -2
        weight += w
        mean_sum += w * mean
        mean_square += w * mean * mean
        total += w * squares
        both += w * mean * squares
    # The prior: a dozen cells around the size at which both parts of the noise are equal.
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
"""No noise is taken to be smaller, however alike the few reference days are."""


def _group_spread(scatter: Sequence[tuple[float, float]], prior: float, dispersion: float) -> float:
    """Squared relative noise of whole signals, versions, … beyond the noise of their cells."""
    excess, total = 5 * prior**2, 5.0
    size = sum(mean for mean, _ in scatter) / (len(scatter) or 1)
    for mean, squares in scatter:
        weight = mean / size
        excess += weight * (squares - dispersion) / mean
        total += weight
    return max(LEAST_SPREAD**2, excess / total)


def _own_spreads(deviations: Deviations, days: int, common: float, dispersion: float) -> list[float]:
    """Squared relative noise of each group, drawn towards the common one: some groups vary more, new versions grow."""
    spreads = []
    for mean, squares in deviations:
        if days < 3 or mean <= 0:
            spreads.append(common)
            continue
        own = min(1.0, max(0.0, squares / mean - dispersion) / mean)
        weight_of_own = days * common * mean / (dispersion + common * mean)  # little if counts are small
        spreads.append((COMMON_DAYS * common + weight_of_own * own) / (COMMON_DAYS + weight_of_own))
    return spreads


COMMON_DAYS = 4
"""How many reference days of a value weigh as much as what all values have in common."""


def _center(values: Sequence[float]) -> float:
    """The median, so that one odd reference day does not count; the mean where counts are small."""
    mean = sum(values) / len(values)
    return mean if mean < 20 or len(values) < 3 else median(values)


def _by_group(groups: Iterable[Sequence[int]], values: Days) -> list[Sequence[float]]:
    """Per group of cells, the sum of each day."""
    return [
        list(map(sum, zip(*[values[position] for position in members], strict=True)))
        if len(members) > 1
        else values[members[0]]
        for members in groups
    ]


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
    past: History,
    priors: tuple[float, float],
    days: int,
) -> Table:
    table = Table(key, found, mean, room, list(index), index, _groups(index), 0.0, (0.0, 0.0), ({}, {}), 1 + 1 / days)
    table.total_found, table.total_mean = sum(found), sum(mean)
    table.dispersion, table.cell_spread = _noise(_scatter(_deviations(past, LEAST_MEAN), days), priors[0])
    spreads, owns = [], []
    for groups in table.groups:
        members = groups.values()
        deviations = _deviations((_by_group(members, past[0]), _by_group(members, past[1])), 0.0)
        spread = _group_spread(_scatter(deviations, days), priors[1], table.dispersion)
        spreads.append(spread)
        owns.append(dict(zip(groups, _own_spreads(deviations, days, spread, table.dispersion), strict=True)))
    table.group_spreads = (spreads[0], spreads[1])
    table.own_spreads = (owns[0], owns[1])
    return table


def volume_table(
    key: tuple[str, str], day: Counts, past: Sequence[Counts], expected: float, *, hidden: bool = False
) -> Table:
    """Expected events per cell; ``hidden`` if earlier days leave out quiet cells, which need not be new then."""
    cells = list(dict.fromkeys(cell for counts in (day, *past) for cell in counts.sizes))
    totals = [sum(counts.sizes.values()) for counts in past]
    level = sum(totals) / len(totals) or 1.0
    scales = [total / level or 1.0 for total in totals]
    index = {cell: position for position, cell in enumerate(cells)}
    history = _by_day(cells, [counts.sizes for counts in past])
    centers = [_center([count / scale for count, scale in zip(counts, scales, strict=True)]) for counts in history]
    if hidden:
        least = min((count for counts in past for count in counts.sizes.values()), default=1) - 1.0
        centers = [
            center or min(least, float(day.sizes.get(cell, 0))) for cell, center in zip(cells, centers, strict=True)
        ]
    factor = expected / (sum(centers) or 1.0)
    found = [float(day.sizes.get(cell, 0)) for cell in cells]
    mean = [center * factor for center in centers]
    # A new cell has no mean to be multiplied: what it holds is its room.
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


def _by_day(cells: Sequence[Cell], days: Iterable[Mapping[Cell, int]]) -> list[tuple[int, ...]]:
    """Per cell, the count of each day."""
    return list(zip(*[map(counts.get, cells, repeat(0)) for counts in days], strict=True))


def _margins(cells: Iterable[Cell], counts: Mapping[Cell, int]) -> tuple[dict[object, int], dict[object, int]]:
    first: defaultdict[object, int] = defaultdict(int)
    second: defaultdict[object, int] = defaultdict(int)
    for cell in cells:
        count = counts.get(cell, 0)
        first[cell[0]] += count
        second[cell[1]] += count
    return first, second


HALF_AN_EVENT = 0.5
"""Added to counts before a ratio is formed (Haldane and Anscombe), so that nothing at all still has a logarithm."""


FLOOR_RATE = 0.001
"""All segments are compared above the stream's own rate, or at least this: having had nothing before earns no bonus."""

PRIOR_EVENTS = 50
"""How many events of the cell the rate of its signal, version, … is worth."""


def _rates(cells: Sequence[Cell], sizes: Mapping[Cell, int], found: Mapping[Cell, int]) -> list[float]:
    """The reference rate of each cell, drawn towards the rate that its two margins suggest."""
    all_size, all_found = sum(sizes.values()), sum(found.values())
    whole = (all_found + HALF_AN_EVENT) / (all_size + 1)
    margins = [
        {value: (counts[value] + PRIOR_EVENTS * whole) / (size + PRIOR_EVENTS) for value, size in of_axis.items()}
        for of_axis, counts in zip(_margins(cells, sizes), _margins(cells, found), strict=True)
    ]
    rates = []
    for cell in cells:
        suggested = min(1.0, margins[0][cell[0]] * margins[1][cell[1]] / whole)
        rate = (found.get(cell, 0) + PRIOR_EVENTS * suggested) / (sizes.get(cell, 0) + PRIOR_EVENTS)
        rates.append(min(1.0, rate))
    return rates


def rate_table(
    key: tuple[str, str], day: Counts, past: Sequence[Counts], per_event: int, spread: float = RATE_SPREAD
) -> Table:
    """Expected errors and the like per cell.

    Args:
        key: The attributes of the table.
        day: What the day holds.
        past: What the reference days hold.
        per_event: How many errors and the like an event may have.
        spread: How much cells vary from day to day, relative to what is expected.
    """
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
    history = _by_day(cells, [counts.found for counts in past])
    suggested = [
        [size * per_event * rate for size in by_day]
        for by_day, rate in zip(_by_day(cells, [counts.sizes for counts in past]), rates, strict=True)
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
        priors=(spread, spread),
        days=len(past),
    )
    table.floor_rate = max(FLOOR_RATE, sum(found.values()) / (sum(sizes.values()) or 1))
    return table
