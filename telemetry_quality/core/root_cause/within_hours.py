"""Within hours: whether what is missing, or too many errors, in some hours of a day lies in a single segment."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.events import HOUR
from telemetry_quality.core.root_cause.tables import Measure, day_tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from telemetry_quality.core.root_cause.tables import Cell, DayBreakdown

Values = Counter["str | int | None"]
"""Counts per value of an attribute."""

HELD_SHARE = 0.9
"""A segment is named if it holds at least this share of the change …"""
OUTSTANDING_SHARE = 0.1
"""… and its share of the change is at least this much larger than its share of the events."""


class Held(NamedTuple):
    """A segment that holds a change within some hours; counts are those of these hours."""

    part: tuple[str, str | None]
    expected: float
    found: int
    share_percent: float


def segment_within(
    hours: tuple[int, int], measure: Measure, day: DayBreakdown, reference: Sequence[DayBreakdown]
) -> Held | None:
    """The value of an attribute that holds nearly all of the change in ``hours``; None if no single one does.

    Args:
        hours: First and last whole hour since the day began.
        measure: EVENTS, of which some are missing, or ERRORS, of which there are too many.
        day: The day.
        reference: Days to compare it with, as ``reference_days`` suggests.
    """
    past = [day_tables(breakdown, measure) for breakdown in reference if breakdown.aggregates.rows]
    held: list[Held] = []
    for key, counts in day_tables(day, measure).items():
        attribute, by = key
        if by != HOUR or not past or not all(key in tables for tables in past):
            continue
        earlier = [tables[key] for tables in past]
        usual_events = _sum([_within(table.sizes, hours) for table in earlier])
        scale = _scale(counts.sizes, [table.sizes for table in earlier], hours)
        if measure is Measure.EVENTS:
            held += _held(attribute, _within(counts.sizes, hours), usual_events, scale, usual_events)
        else:
            usual_errors = _sum([_within(table.found, hours) for table in earlier])
            events = _within(counts.sizes, hours)
            held += _held(attribute, _within(counts.found, hours), usual_errors, scale, events)
    return max(held, key=lambda found: found.share_percent, default=None)


def _within(cells: Mapping[Cell, int], hours: tuple[int, int]) -> Values:
    """Counts per value in these hours."""
    counts: Values = Counter()
    for (value, hour), count in cells.items():
        if hours[0] <= int(hour or 0) <= hours[1]:
            counts[value] += count
    return counts


def _scale(own: Mapping[Cell, int], past: Sequence[Mapping[Cell, int]], hours: tuple[int, int]) -> float:
    """How busy the other hours of the day are, compared with all of ``past`` together."""
    usual = sum(sum(cells.values()) - _within(cells, hours).total() for cells in past)
    return (sum(own.values()) - _within(own, hours).total()) / usual if usual else 0.0


def _sum(counts: Sequence[Values]) -> Values:
    return sum(counts, Counter())


def _held(attribute: str, found: Values, usual: Values, scale: float, events: Values) -> list[Held]:
    """The values that hold the change from ``scale`` × ``usual`` to ``found`` and are not most of ``events`` anyway."""
    change = found.total() - scale * usual.total()
    held = []
    for value in {*found, *usual} if change else ():
        expected = scale * usual[value]
        share = (found[value] - expected) / change
        share_of_events = events[value] / events.total() if events.total() else 0.0
        if share >= HELD_SHARE and round(share - share_of_events, 9) >= OUTSTANDING_SHARE:
            text = None if value is None else str(value)
            held.append(Held((attribute, text), expected, found[value], 100 * min(1.0, share)))
    return held
