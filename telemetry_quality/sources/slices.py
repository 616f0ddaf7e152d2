"""The slices of a day: event names and versions from its aggregates, and the dimensions from a query of their own."""

from __future__ import annotations

from collections import defaultdict
from operator import add
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, String, and_, case, cast, false, func, literal, or_, select, true, tuple_, union_all

from telemetry_quality.core.events import (
    EVENT_NAME,
    HOUR,
    MAXIMUM_COMBINATIONS,
    MAXIMUM_VALUES,
    OTHER_VALUES,
    SERVICE_VERSION,
    Slice,
    SliceCounts,
)
from telemetry_quality.sources.aggregates import position_by_events
from telemetry_quality.sources.combinations import json_bytes
from telemetry_quality.sources.functions import count_where

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, FromClause, Select

    from telemetry_quality.core.events import DayAggregates
    from telemetry_quality.sources.combinations import DayCombinations
    from telemetry_quality.sources.query import DayRange, EventTable, Execute

MAXIMUM_SLICE_BYTES = 2_000_000
"""How many bytes of the store the pairs of all dimensions of a day may take, beside those of hours."""

NUMBER_BYTES = 12
"""What the counts of a pair take, about."""

_SECOND_KEYS = (EVENT_NAME, SERVICE_VERSION, HOUR)
"""What each dimension is combined with."""


def read_slices(
    execute: Execute, events: EventTable, day_range: DayRange, days: Mapping[int, DayCombinations]
) -> dict[int, dict[Slice, SliceCounts]]:
    """The slices of every day of ``day_range`` that has events, by day index."""
    slices = {index: dict(_singles(day.aggregates)) for index, day in days.items()}
    dimensions = events.schema.dimensions if days else ()
    most_bytes = MAXIMUM_SLICE_BYTES // max(1, len(dimensions))
    for together in [dimensions] if events.has_grouping_sets and dimensions else [(name,) for name in dimensions]:
        busiest = busiest_values(execute(value_query(events, together, day_range)))
        found: defaultdict[tuple[int, int], list[Sequence[Any]]] = defaultdict(list)
        for index, position, *row in execute(slice_query(events, together, day_range, days.values(), busiest)):
            found[index, position].append(row)
        for (index, position), rows in found.items():
            slices[index].update(_of_dimension(together[position], rows, slices[index], most_bytes))
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


def value_query(events: EventTable, dimensions: Sequence[str], day_range: DayRange) -> Select[Any]:
    """The most frequent values of each day and of each of the ``dimensions``: one more than are distinguished.

    Columns: day index, position of the dimension, value, place of the value among those of its day.
    """
    each = events.events_where(
        events.within(day_range, events.schema.occurred_at),
        day_index=events.day_index(day_range),
        **_values(events, dimensions),
    )
    values = _grouped(events, each, len(dimensions), ()).subquery("values_of_dimensions")
    place = position_by_events(values, ("day_index", "dimension"), ("value",))
    ranked = select(values.c.day_index, values.c.dimension, values.c.value, place).subquery("ranked_values")
    return select(*ranked.c).where(ranked.c.position <= MAXIMUM_VALUES + 1)


def _values(events: EventTable, dimensions: Iterable[str]) -> dict[str, ColumnElement[str]]:
    """The values of the dimensions, named by position: a dimension may have the name of another column of a query."""
    expressions = map(events.schema.expression_of, dimensions)
    return {_name_of_values(position): events.clipped(text) for position, text in enumerate(expressions)}


def _name_of_values(position: int) -> str:
    return f"value_{position}"


Busiest = dict[int, dict[int, list[str | None]]]
"""The values that are distinguished, by position of the dimension and day index, where a day has others too."""


def busiest_values(rows: Iterable[Sequence[Any]]) -> Busiest:
    """What the rows of ``value_query`` say."""
    found: defaultdict[tuple[int, int], list[tuple[int, str | None]]] = defaultdict(list)
    for index, position, value, place in rows:
        found[position, index].append((place, value))
    busiest: Busiest = {}
    for (position, index), values in found.items():
        if len(values) > MAXIMUM_VALUES:
            busiest.setdefault(position, {})[index] = [value for place, value in values if place <= MAXIMUM_VALUES]
    return busiest


def _shown(
    value: ColumnElement[str], day_index: ColumnElement[int], busiest: Mapping[int, Collection[str | None]]
) -> ColumnElement[str]:
    """A value, or what stands for all that are not distinguished on their day."""
    if not busiest:
        return value
    distinguished: list[ColumnElement[bool]] = [day_index.not_in([literal(index, BigInteger) for index in busiest])]
    for index, values in busiest.items():
        texts = value.in_([literal(text) for text in values if text is not None])
        is_busy = or_(value.is_(None), texts) if None in values else texts
        distinguished.append(and_(day_index == literal(index, BigInteger), is_busy))
    return case((or_(*distinguished), value), else_=OTHER_VALUES)


def slice_query(
    events: EventTable,
    dimensions: Sequence[str],
    day_range: DayRange,
    days: Collection[DayCombinations],
    busiest: Mapping[int, Mapping[int, Collection[str | None]]],
) -> Select[Any]:
    """One row per day, value of one of the ``dimensions`` and event name, version or hour, the busiest of each day.

    Columns: day index, position of the dimension, kind of the second key, value, second key, events, errors, events
    without a version, and one per rate count. Values that are not distinguished are summed before they are grouped, so
    that an ill-chosen dimension, such as a user id, makes no more groups than any other.

    Args:
        events: The table of the events.
        dimensions: Dimensions of the schema, counted in one scan where the engine can.
        day_range: The days.
        days: The versions of the days' events; the core decided which of them count as missing.
        busiest: See ``busiest_values``.
    """
    rates = events.rate_conditions()
    day_index = events.day_index(day_range)
    values = {
        name: _shown(value, day_index, busiest.get(position, {}))
        for position, (name, value) in enumerate(_values(events, dimensions).items())
    }
    each = events.events_where(
        events.within(day_range, events.schema.occurred_at),
        day_index=day_index,
        **values,
        event_name=events.clipped(events.schema.event_name),
        service_version=events.clipped(events.schema.service_version),
        hour=events.hour(day_range),
        is_error=events.is_error(),
        is_missing=_is_missing_version(events, days),
        **rates,
    )
    slices = _grouped(events, each, len(dimensions), _SECOND_KEYS, rates).subquery("slices")
    # A value has at most 25 hours, but may have any number of names and versions.
    place = position_by_events(slices, ("day_index", "dimension", "by"), ("value", "by_value"))
    *columns, position = select(*slices.c, place).subquery("ranked_slices").c
    return select(*columns).where(position <= MAXIMUM_COMBINATIONS)


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


def _grouped(
    events: EventTable,
    each: Select[Any],
    dimensions: int,
    second_keys: Sequence[str],
    rates: Iterable[str] | None = None,
) -> Select[Any]:
    """The events of each value of each dimension, or of each pair of a value and one of the ``second_keys``.

    Columns: day index, position of the dimension, kind of the second key, value, second key, and the ``_counts``.

    One GROUP BY over all keys takes eight times as long: it has hardly fewer groups than there are events.
    """
    values = [_name_of_values(position) for position in range(dimensions)]
    kinds: list[tuple[str, ...]] = [(key,) for key in second_keys] or [()]
    groupings = [(name, *by) for name in values for by in kinds]
    grouped = _grouped_in_one_pass if events.has_grouping_sets else _grouped_one_by_one
    return grouped(each, values, groupings, rates)


def _grouped_one_by_one(
    each: Select[Any], values: Sequence[str], groupings: Iterable[Sequence[str]], rates: Iterable[str] | None
) -> Select[Any]:
    found = each.cte("events_in_range")
    groups = (
        select(
            found.c.day_index,
            literal(values.index(name), BigInteger).label("dimension"),
            *(literal(key).label("by") for key in by),
            found.c[name].label("value"),
            *(cast(found.c[key], String).label("by_value") for key in by),
            *_counts(found, rates),
        ).group_by(found.c.day_index, found.c[name], *(found.c[key] for key in by))
        for name, *by in groupings
    )
    return select(*union_all(*groups).subquery("groups_of_all").c)


def _grouped_in_one_pass(
    each: Select[Any], values: Sequence[str], groupings: Sequence[Sequence[str]], rates: Iterable[str] | None
) -> Select[Any]:
    found = each.subquery("events_in_range")
    keys = [found.c[name] for name in dict.fromkeys(name for names in groupings for name in names)]
    second_keys = [key.name for key in keys if key.name not in values]
    lacks = [func.grouping(key).label(f"lacks_{key.name}") for key in keys]
    sets = (tuple_(found.c.day_index, *(found.c[name] for name in names)) for names in groupings)
    grouped = select(found.c.day_index, *keys, *lacks, *_counts(found, rates)).group_by(func.grouping_sets(*sets))
    groups = grouped.subquery("groups_of_all")

    def of_set(results: Mapping[str, ColumnElement[Any]]) -> ColumnElement[Any]:
        return case(*((groups.c[f"lacks_{name}"] == 0, result) for name, result in results.items()))

    def key_of_set(names: Iterable[str]) -> ColumnElement[str]:
        # Keys that are not of a row's set are null.
        return func.coalesce(*(cast(groups.c[name], String) for name in names), type_=String)

    counts = list(groups.c)[1 + 2 * len(keys) :]
    return select(
        groups.c.day_index,
        of_set({name: literal(position, BigInteger) for position, name in enumerate(values)}).label("dimension"),
        *([of_set({name: literal(name) for name in second_keys}).label("by")] if second_keys else []),
        key_of_set(values).label("value"),
        *([key_of_set(second_keys).label("by_value")] if second_keys else []),
        *counts,
    )


def _counts(found: FromClause, rates: Iterable[str] | None) -> Iterator[ColumnElement[int]]:
    """Events and, unless ``rates`` is None, errors, events without a version and one per rate."""
    yield func.count().label("events")
    if rates is not None:
        yield count_where(found.c.is_error).label("errors")
        yield count_where(found.c.is_missing).label("missing_version")
        yield from (count_where(found.c[name]).label(name) for name in rates)
