"""The event names × versions of a day: the busiest are counted individually, and the rest is summed.

Whoever can send an event can send a million different names. So the query returns the busiest, and of these as many are
kept as the store should hold of any day. What the rest has in common, the counts of each hour with and without a
version, is what the whole day has less what was kept: both are exact.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import groupby
from math import ceil
from operator import add, itemgetter, sub
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.events import (
    MAXIMUM_COMBINATIONS,
    OTHER_VALUES,
    AggregateRow,
    Cardinality,
    DayAggregates,
    by_hour_text,
)
from telemetry_quality.garbage_collection import garbage_collection_paused
from telemetry_quality.sources.aggregates import aggregate_query, version_hours_count_query, version_hours_query

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.events import EventGroup
    from telemetry_quality.sources.query import DayRange, EventTable, Execute

MAXIMUM_TEXT_BYTES = 600_000
"""How many bytes the names and versions of a day may take as JSON; 10,000 of ordinary length take half of it."""

ROWS_AT_ONCE = 200_000
"""How many rows of versions Python holds at once."""

_FIRST_COUNT = 3
"""The place of the first count in a row of the aggregate query, after day, name and version."""


@dataclass(frozen=True)
class DayCombinations:
    """What the aggregate query says of a day.

    Attributes:
        incomplete: The incomplete events per event name and version; None if not all of them are counted individually.
        missing_versions: The versions that count as missing, as far as they are needed to recognize them.
        versions: All versions of the day; None if not all of them are counted individually.
    """

    aggregates: DayAggregates = field(default_factory=DayAggregates)
    cardinality: Cardinality = field(default_factory=lambda: Cardinality(0, 0, 0))
    incomplete: Mapping[EventGroup, int] | None = field(default_factory=dict)
    missing_versions: frozenset[str] = frozenset()
    versions: frozenset[str] | None = frozenset()


Hours = dict[tuple[bool, int], list[int]]
"""Counts by whether the version is missing, and by hour."""


@dataclass(frozen=True)
class _Whole:
    """All events of a day, whatever their names."""

    hours: Hours = field(default_factory=dict)
    missing_versions: set[str] = field(default_factory=set)

    def add(self, hour: int, version: str | None, counts: Iterable[int], *, is_missing: bool) -> None:
        key = is_missing, hour
        self.hours[key] = list(map(add, self.hours[key], counts)) if key in self.hours else list(counts)
        if is_missing and version is not None and len(self.missing_versions) < MAXIMUM_COMBINATIONS:
            self.missing_versions.add(version)


def read_combinations(execute: Execute, events: EventTable, day_range: DayRange) -> dict[int, DayCombinations]:
    """The event names × versions of every day of ``day_range`` that has events, by day index."""
    rows = execute(aggregate_query(events, day_range))
    days = {index: list(found) for index, found in groupby(rows, key=itemgetter(0))}
    whole: Mapping[int, _Whole] = {}
    if any(found[0][-2] > len(found) for found in days.values()):
        whole = _whole_days(execute, events, day_range)
    with garbage_collection_paused():
        return {index: _combined(found, whole.get(index), events.schema) for index, found in days.items()}


def _whole_days(execute: Execute, events: EventTable, day_range: DayRange) -> dict[int, _Whole]:
    """All events of every day, read in parts, because there may be as many versions as events."""
    ((count,),) = execute(version_hours_count_query(events, day_range))
    parts, days = ceil(count / ROWS_AT_ONCE), defaultdict[int, _Whole](_Whole)
    for part in range(parts):
        for index, hour, version, *counts in execute(version_hours_query(events, day_range, part, parts)):
            days[index].add(hour, version, counts, is_missing=events.schema.is_missing_version(version))
    return days


def _combined(rows: Sequence[Sequence[Any]], whole: _Whole | None, schema: EventSchema) -> DayCombinations:
    """A day from its rows of the aggregate query.

    Args:
        rows: The busiest names × versions, in the order in which they are stored.
        whole: All events of the day; None if ``rows`` hold them all.
        schema: Which versions count as missing.
    """
    *_, combinations, clipped_events = rows[0]
    # Version is a grouping key, so SQL need not judge it: the core applies its one rule once per version.
    is_missing = {version: schema.is_missing_version(version) for version in {row[2] for row in rows}}
    if whole is None and (few := _few_enough(rows)) is not rows:
        whole, rows = _summed(rows, is_missing), few
    elif whole is not None:
        rows = _few_enough(rows)
    fields, rate_names = schema.critical_fields, schema.rate_counts
    aggregates = [
        _aggregate_row(
            name,
            version,
            counts,
            numbers.split(","),
            critical_fields=fields,
            rate_names=rate_names,
            is_missing=is_missing[version],
        )
        for _, name, version, *counts, numbers, _, _, _ in rows
    ]
    rest = [] if whole is None else list(_rest(whole, rows, is_missing, schema))
    missing = {version for version, missing in is_missing.items() if missing and version is not None}
    return DayCombinations(
        DayAggregates((*aggregates, *rest), fields, rate_names),
        Cardinality(combinations, sum(row.events for row in rest), clipped_events),
        {(row[1], row[2]): row[-3] for row in rows if row[-3]} if whole is None else None,
        frozenset(missing if whole is None else missing | whole.missing_versions),
        frozenset(version for version in is_missing if version is not None) if whole is None else None,
    )


def _few_enough(rows: Sequence[Sequence[Any]]) -> Sequence[Sequence[Any]]:
    """The busiest of ``rows`` whose texts are not too long together, in the same order; usually all of them."""
    # No character takes more than twelve bytes.
    if 12 * sum(len(text or "") for row in rows for text in row[1:3]) <= MAXIMUM_TEXT_BYTES:
        return rows
    left, kept = MAXIMUM_TEXT_BYTES, set()
    for place in sorted(range(len(rows)), key=lambda place: -rows[place][_FIRST_COUNT]):
        left -= sum(json_bytes(text) for text in rows[place][1:3])
        if left < 0:
            break
        kept.add(place)
    return rows if len(kept) == len(rows) else [row for place, row in enumerate(rows) if place in kept]


def json_bytes(text: str | None) -> int:
    """How many bytes a text takes as JSON, as the store holds it in lists."""
    return len(json.dumps(text))


def _summed(rows: Iterable[Sequence[Any]], is_missing: Mapping[str | None, bool]) -> _Whole:
    whole = _Whole()
    for row in rows:
        for hour, counts in _hours(row):
            whole.add(hour, row[2], counts, is_missing=is_missing[row[2]])
    return whole


def _hours(row: Sequence[Any]) -> Iterator[tuple[int, list[int]]]:
    """The counts of each hour of a row of the aggregate query."""
    counts, numbers = row[_FIRST_COUNT:-4], list(map(int, row[-4].split(",")))
    width = 1 + len(counts)
    return ((numbers[place], numbers[place + 1 : place + width]) for place in range(0, len(numbers), width))


def _rest(
    whole: _Whole, kept: Iterable[Sequence[Any]], is_missing: Mapping[str | None, bool], schema: EventSchema
) -> Iterator[AggregateRow]:
    """All that was not kept: a row of what has a version, and one of what has none."""
    left = dict(whole.hours)
    for row in kept:
        for hour, counts in _hours(row):
            key = is_missing[row[2]], hour
            left[key] = list(map(sub, left[key], counts))
    for missing in (False, True):
        hours = {
            hour: counts for (without, hour), counts in sorted(left.items()) if without is missing and counts[0] > 0
        }
        if hours:
            yield _aggregate_row(
                OTHER_VALUES,
                OTHER_VALUES,
                [sum(counts) for counts in zip(*hours.values(), strict=True)],
                [str(number) for hour, counts in hours.items() for number in (hour, *counts)],
                critical_fields=schema.critical_fields,
                rate_names=schema.rate_counts,
                is_missing=missing,
            )


def _aggregate_row(
    name: str | None,
    version: str | None,
    counts: Sequence[int],
    numbers: Sequence[str],
    *,
    critical_fields: Sequence[str],
    rate_names: Sequence[str],
    is_missing: bool,
) -> AggregateRow:
    """One row of the aggregate query; ``numbers`` holds the numbers of each hour, one hour after another."""
    width = 1 + len(counts)
    hours = list(map(int, numbers[::width]))
    by_hour = None
    if len(hours) > 1:
        # They stay text, because they are stored as text and rarely looked into.
        in_order = itemgetter(*sorted(range(len(hours)), key=hours.__getitem__))
        columns = [
            ",".join(in_order(numbers[place::width])) if place == 0 or counts[place - 1] else ""
            for place in range(width)
        ]
        by_hour = by_hour_text(columns, critical_fields, rate_names)
    events, errors, unknown, late, *named = counts
    untagged = events if is_missing else 0
    missing, rated = tuple(named[: len(critical_fields)]), tuple(named[len(critical_fields) :])
    return AggregateRow(min(hours), name, version, events, errors, unknown, untagged, missing, late, rated, by_hour)
