"""The slices of a day: event names and versions from its aggregates, and each dimension from its own query."""

from __future__ import annotations

from collections import defaultdict
from operator import add
from typing import TYPE_CHECKING, Any

from sqlalchemy import String, and_, case, cast, false, func, literal, or_, select, true, union_all

from telemetry_quality.core.events import (
    EVENT_NAME,
    HOUR,
    MAXIMUM_VALUES,
    OTHER_VALUES,
    SERVICE_VERSION,
    Slice,
    SliceCounts,
)
from telemetry_quality.sources.aggregates import busiest
from telemetry_quality.sources.combinations import json_bytes
from telemetry_quality.sources.functions import count_where, exact_text

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import CTE, ColumnElement, Select, Subquery

    from telemetry_quality.core.events import DayAggregates
    from telemetry_quality.sources.combinations import DayCombinations
    from telemetry_quality.sources.query import DayRange, EventTable, Execute

MAXIMUM_SLICE_BYTES = 2_000_000
"""How many bytes of the store the pairs of all dimensions of a day may take, beside those of hours."""

NUMBER_BYTES = 12
"""What the counts of a pair take, about."""


def read_slices(
    execute: Execute, events: EventTable, day_range: DayRange, days: Mapping[int, DayCombinations]
) -> dict[int, dict[Slice, SliceCounts]]:
    """The slices of every day of ``day_range`` that has events, by day index."""
    slices = {index: dict(_singles(day.aggregates)) for index, day in days.items()}
    dimensions = events.schema.dimensions if days else ()
    most_bytes = MAXIMUM_SLICE_BYTES // max(1, len(dimensions))
    for dimension in dimensions:
        rows = execute(slice_query(events, dimension, day_range, days.values()))
        found: defaultdict[int, list[Sequence[Any]]] = defaultdict(list)
        for index, *row in rows:
            found[index].append(row)
        for index, of_day in found.items():
            slices[index].update(_of_dimension(dimension, of_day, slices[index], most_bytes))
    return slices


def _of_dimension(
    dimension: str, rows: Iterable[Sequence[Any]], singles: Container[Slice], most_bytes: int
) -> dict[Slice, SliceCounts]:
    """The slices of a dimension; the rest of a value is its total less the slices that are counted individually."""
    slices: dict[Slice, SliceCounts] = {}
    pairs: dict[str, list[tuple[Slice, SliceCounts]]] = {EVENT_NAME: [], SERVICE_VERSION: []}
    for by, value, by_value, *counts in rows:
        part, counted = Slice(dimension, value, by, by_value), _counted(map(int, counts))
        if by != HOUR:
            pairs[by].append((part, counted))
            continue
        slices[part] = counted
        _add(slices, Slice(dimension, value), counted)
    for by, found in pairs.items():
        known = [pair for pair in found if Slice(by, pair[0].by_value) in singles]
        kept = list(_few_enough(known, most_bytes // len(pairs)))
        rest = list(_rest(by, kept, slices))
        slices.update(kept)
        for part, counted in rest:
            _add(slices, part, counted)
    return slices


def _few_enough(pairs: list[tuple[Slice, SliceCounts]], most_bytes: int) -> Iterator[tuple[Slice, SliceCounts]]:
    """The busiest pairs that fit into so many bytes of the store; usually all of them."""
    for part, counts in sorted(pairs, key=lambda pair: (-pair[1].events, pair[0].order)):
        most_bytes -= NUMBER_BYTES + json_bytes(part.value) + json_bytes(part.by_value)
        if most_bytes < 0:
            return
        yield part, counts


def _rest(
    by: str, pairs: Iterable[tuple[Slice, SliceCounts]], values: Mapping[Slice, SliceCounts]
) -> Iterator[tuple[Slice, SliceCounts]]:
    """What each value has beyond ``pairs``, if anything."""
    left = {part: counts for part, counts in values.items() if part.by is None}
    for pair, counts in pairs:
        single = Slice(pair.dimension, pair.value)
        left[single] = left[single].minus(counts)
    for (dimension, value, _, _), counts in left.items():
        if counts.events > 0:
            yield Slice(dimension, value, by, OTHER_VALUES), counts


def _counted(counts: Iterable[int]) -> SliceCounts:
    """Events, errors, events without a version, and the counts of the rates."""
    events, errors, missing_version, *rate_counts = counts
    return SliceCounts(events, errors, missing_version, tuple(rate_counts))


def _singles(day: DayAggregates) -> Iterator[tuple[Slice, SliceCounts]]:
    """The slices of each event name and each version."""
    for dimension, position in ((EVENT_NAME, 1), (SERVICE_VERSION, 2)):
        sums: defaultdict[str | None, list[int]] = defaultdict(lambda: [0] * (3 + len(day.rate_names)))
        for row in day.rows:
            counts = sums[row[position]]  # type: ignore[index]
            counts[:] = map(add, counts, (row.events, row.errors, row.missing_version, *row.rate_counts))
        for value, counts in sums.items():
            yield Slice(dimension, value), _counted(counts)


def _add(slices: dict[Slice, SliceCounts], part: Slice, counts: SliceCounts) -> None:
    before = slices.get(part)
    slices[part] = counts if before is None else before.plus(counts)


def slice_query(
    events: EventTable, dimension: str, day_range: DayRange, days: Collection[DayCombinations]
) -> Select[Any]:
    """One row per day, value of ``dimension`` and event name, version or hour.

    Columns: day index, kind of the second key, value, second key, events, errors, events without a version, and one per
    rate count. Only the day's most frequent values are distinguished, so that an ill-chosen dimension, such as a user
    id, adds no more rows than any other.

    Args:
        events: The table of the events.
        dimension: One of the schema's dimensions.
        day_range: The days.
        days: The versions of the days' events; the core decided which of them count as missing.
    """
    rates = events.rate_conditions()
    each = (
        events.events_where(
            events.within(day_range, events.schema.occurred_at),
            day_index=events.day_index(day_range),
            value=events.clipped(events.schema.expression_of(dimension)),
            event_name=events.clipped(events.schema.event_name),
            service_version=events.clipped(events.schema.service_version),
            hour=events.hour(day_range),
            is_error=events.is_error(),
            is_missing=_is_missing_version(events, days),
            **rates,
        )
        .cte("events_in_range")
        # DuckDB rescans narrow columns faster than it could materialize the events of a whole day range.
        .prefix_with("NOT MATERIALIZED", dialect="duckdb")
    )
    # One GROUP BY over all five keys takes eight times as long: it has hardly fewer groups than there are events.
    parts = {by: _grouped(each, by, rates).cte(f"by_{by}") for by in (EVENT_NAME, SERVICE_VERSION, HOUR)}
    kept = _busiest(parts[HOUR])
    return select(*union_all(*(_folded(by, part, kept, rates) for by, part in parts.items())).subquery("slices").c)


def _is_missing_version(events: EventTable, days: Collection[DayCombinations]) -> ColumnElement[bool]:
    """Whether the core counts an event's version as missing: its rule, expressed as a list of versions."""
    if events.schema.service_version is None:
        return false()
    missing = frozenset[str]().union(*(day.missing_versions for day in days))
    named = [day.versions for day in days]
    present = frozenset[str]().union(*(found or () for found in named)) - missing
    version = events.clipped(events.schema.service_version)
    # Lists whichever is shorter: there may be thousands of build numbers or of unknown services, but hardly of both.
    if None in named or len(missing) <= len(present):
        return or_(version.is_(None), *([version.in_(map(literal, sorted(missing)))] if missing else []))
    return or_(version.is_(None), version.not_in(map(literal, sorted(present))) if present else true())


def _grouped(each: CTE, by: str, rates: Iterable[str]) -> Select[Any]:
    keys = (each.c.day_index, each.c.value, each.c[by])
    return select(
        each.c.day_index,
        each.c.value,
        cast(each.c[by], String).label("by_value"),
        func.count().label("events"),
        count_where(each.c.is_error).label("errors"),
        count_where(each.c.is_missing).label("missing_version"),
        *(count_where(each.c[name]).label(name) for name in rates),
    ).group_by(*keys)


def _busiest(by_hour: CTE) -> Subquery:
    """Day index and value of the values that are distinguished."""
    keys = (by_hour.c.day_index, by_hour.c.value)
    sums = select(*keys, func.sum(by_hour.c.events).label("events")).group_by(*keys).subquery("value_sums")
    # Nulls sort before all texts on every engine.
    order = (sums.c.events.desc(), sums.c.value.is_not(None), exact_text(sums.c.value))
    position = func.row_number().over(partition_by=sums.c.day_index, order_by=order).label("position")
    ranked = select(sums.c.day_index, sums.c.value, position).subquery("ranked_values")
    return select(ranked.c.day_index, ranked.c.value).where(ranked.c.position <= MAXIMUM_VALUES).subquery("kept_values")


def _folded(by: str, part: CTE, kept: Subquery, rates: Iterable[str]) -> Select[Any]:
    """The counts of ``part``, with all values that are not ``kept`` summed."""
    same = and_(kept.c.day_index == part.c.day_index, kept.c.value.is_not_distinct_from(part.c.value))
    shown = case((kept.c.day_index.is_not(None), part.c.value), else_=OTHER_VALUES).label("value")
    counts = [part.c[name] for name in ("events", "errors", "missing_version", *rates)]
    rows = select(part.c.day_index, shown, part.c.by_value, *counts).select_from(part.outerjoin(kept, same)).subquery()
    keys = (rows.c.day_index, rows.c.value, rows.c.by_value)
    sums = (func.sum(rows.c[count.name]).label(count.name) for count in counts)
    folded = select(*keys, *sums).group_by(*keys).subquery(f"values_by_{by}")
    # A value has at most 25 hours, but may have any number of names and versions.
    kept_rows = folded if by == HOUR else busiest(folded, ("value", "by_value")).subquery(f"kept_by_{by}")
    names = ("value", "by_value", *(count.name for count in counts))
    return select(kept_rows.c.day_index, literal(by).label("by"), *(kept_rows.c[name] for name in names))
