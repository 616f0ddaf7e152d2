"""Untagged events: which version lost its tag, since its events are gone and as many lack a version."""

from __future__ import annotations

from math import log, sqrt
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.events import EVENT_NAME, HOUR, SERVICE_VERSION
from telemetry_quality.core.guardrails.verdicts import Segment
from telemetry_quality.core.root_cause.likelihood import badness
from telemetry_quality.core.root_cause.noise import volume_table
from telemetry_quality.core.root_cause.tables import Measure, day_tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from telemetry_quality.core.guardrails.verdicts import Contributor
    from telemetry_quality.core.root_cause.noise import Table
    from telemetry_quality.core.root_cause.tables import DayBreakdown

CONVINCED = 6.0
"""How much more likely, in logarithms, a version must be before it is named."""


def untagged_segment(contributor: Contributor, day: DayBreakdown, past: Sequence[DayBreakdown]) -> Segment | None:
    """The version whose events lost their tag, if the day's versions show that it was a single version.

    An untagged event is in the slice of no version: the segment where tags are missing is found without versions, and
    the version by having lost as many events while others lost none.
    """
    moved = contributor.found - contributor.expected
    now = day_tables(day, Measure.EVENTS)
    earlier = [day_tables(breakdown, Measure.EVENTS) for breakdown in past]
    attributes = {EVENT_NAME, *(attribute for attribute, _ in _conditions(contributor.segment))}
    tables = {
        key: volume_table(key, counts, [day_counts[key] for day_counts in earlier], float(sum(counts.sizes.values())))
        for key, counts in now.items()
        if SERVICE_VERSION in key
        and not attributes.isdisjoint(key)
        and all(key in day_counts for day_counts in earlier)
    }
    if moved <= 0 or (EVENT_NAME, SERVICE_VERSION) not in tables:
        return None
    version, gain = max(_suspects(contributor.segment, tables, moved), key=lambda suspect: suspect[1])
    return _narrowed(contributor.segment, version, tables, moved) if gain > CONVINCED else None


def _suspects(segment: Segment, tables: Mapping[tuple[str, str], Table], moved: float) -> Iterable[tuple[str, float]]:
    """The likeliest version among all events, and among the events of each condition of the segment."""
    yield "", 0.0
    conditions = _conditions(segment)
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
        shares = _shares(
            [condition for condition in conditions if condition[0] != attribute or allowed is None], lost, tables
        )
        doubts = _disbelief_in_one(lost, moved)
        version = min(doubts, key=lambda name: doubts[name])
        yield str(version), _disbelief(lost, shares, moved) - doubts[version] - log(len(lost))


class _Loss(NamedTuple):
    """How many events some cells lack, and how uncertain that number is."""

    mean: float
    lacking: float
    variance: float

    @classmethod
    def of(cls, table: Table, inside: Sequence[int], spread: float) -> _Loss:
        mean = sum(table.mean[i] for i in inside)
        found = sum(table.found[i] for i in inside)
        return cls(mean, mean - found, 1.0 + table.sampling * mean * (table.dispersion + spread * mean))


def _disbelief(lost: Mapping[object, _Loss], shares: Mapping[object, float], moved: float) -> float:
    """How badly the losses fit: each value should lack its share of ``moved``."""
    total = 0.0
    for value, loss in lost.items():
        off = abs(loss.lacking - moved * shares.get(value, 0.0)) / sqrt(loss.variance)
        total += 0.5 * badness(off)
    return total


def _disbelief_in_one(lost: Mapping[object, _Loss], moved: float) -> dict[object, float]:
    """How badly the losses fit if a single value lost everything, for each value."""
    without = {value: _disbelief({value: loss}, {}, moved) for value, loss in lost.items()}
    all_others = sum(without.values())
    return {
        value: all_others - without[value] + _disbelief({value: loss}, {value: 1.0}, moved)
        for value, loss in lost.items()
    }


def _row(table: Table, version: object, attribute: str) -> dict[object, int]:
    """The cells of a version by the value of the table's other attribute."""
    axis = table.attributes.index(attribute)
    inside = table.groups[1 - axis].get(version, [])
    return {table.cells[position][axis]: position for position in inside}


def _table_of(tables: Mapping[tuple[str, str], Table], attribute: str) -> Table | None:
    return tables.get((attribute, SERVICE_VERSION)) or tables.get((SERVICE_VERSION, attribute))


def _conditions(segment: Segment) -> list[tuple[str, frozenset[object]]]:
    """Each condition of a segment as an attribute and the values it allows."""
    conditions: list[tuple[str, frozenset[object]]] = [(name, frozenset({value})) for name, value in segment.parts]
    if segment.hours is not None:
        conditions.append((HOUR, frozenset(range(segment.hours[0], segment.hours[1] + 1))))
    return conditions


def _shares(
    conditions: Sequence[tuple[str, frozenset[object]]],
    lost: Mapping[object, _Loss],
    tables: Mapping[tuple[str, str], Table],
) -> dict[object, float]:
    """Each version's share of a segment; conditions are assumed to be independent within a version."""
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


def _narrowed(segment: Segment, version: str, tables: Mapping[tuple[str, str], Table], moved: float) -> Segment:
    """The version, with the conditions of the segment that its own losses confirm."""
    confirmed: list[str] = []
    for attribute, allowed in _conditions(segment):
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
            confirmed.append(attribute)
    parts = tuple((name, value) for name, value in segment.parts if name in confirmed)
    return Segment((*parts, (SERVICE_VERSION, version)), segment.hours if HOUR in confirmed else None)
