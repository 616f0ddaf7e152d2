"""Reads what pages compare over many days of a source: hours and segments of the latest scan of each day."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, bindparam, func, or_, select

from telemetry_quality.core.events import SERVICE_VERSION
from telemetry_quality.core.hours import HourTotals
from telemetry_quality.garbage_collection import garbage_collection_paused
from telemetry_quality.storage.rows import AGGREGATE_COLUMNS, aggregates_of, as_text
from telemetry_quality.storage.tables import day_scan, event_aggregate, event_slice

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date

    from sqlalchemy import ColumnElement, Connection, Select, Table

    from telemetry_quality.core.events import DayAggregates


class SegmentCounts(NamedTuple):
    """The events of a segment, and those that are errors or count as having no version."""

    events: int
    errors: int
    missing_version: int


Within = tuple[str, str | None]
"""A dimension and a value: only the events that have it."""

Segments = dict[str | None, SegmentCounts]
"""The segments of a dimension by value."""


class StoredSegments(NamedTuple):
    """Segments of days: what was counted by event name and version, and slices; days without any are left out."""

    aggregates: Mapping[date, DayAggregates]
    by_dimension: Mapping[date, Mapping[str, Segments]]


def hours_by_day(connection: Connection, source: str, first: date, last: date) -> dict[date, HourTotals | None]:
    """The hours of the latest scan of each day from ``first`` to ``last``; None for a day that could not be read."""
    found = connection.execute(_HOURS, {"source": source, "first": first, "last": last})
    return {day: None if hours is None else HourTotals.from_json(hours) for day, hours in found}


def segments_by_day(
    connection: Connection, source: str, days: Collection[date], within: Within | None
) -> dict[date, dict[str, Segments]]:
    """The segments of each day by dimension: of the whole day, or of the events that have a value."""
    query, wanted = _WHOLE_SEGMENTS, {"source": source, "days": list(days)}
    if within is not None:
        query, wanted = _SEGMENTS_WITHIN, wanted | {"dimension": within[0]}
    found: defaultdict[date, dict[str, Segments]] = defaultdict(dict)
    with garbage_collection_paused():
        for day, *row in connection.execute(query, wanted):
            dimension, segments = _segments(row) if within is None else _segments_within(row, within)
            found[day][dimension] = segments
    return dict(found)


_SLICE_COLUMNS = ("dimension", "by_dimension", "value", "by_value", "events", "errors", "missing_version")


def _segments(row: Sequence[str]) -> tuple[str, Segments]:
    dimension, _, values, _, *counts = row
    return dimension, dict(zip(json.loads(values), map(SegmentCounts, *map(json.loads, counts)), strict=True))


def _segments_within(row: Sequence[str], within: Within) -> tuple[str, Segments]:
    """The other dimension of a row, and its segments among the events that have the value; others are not made."""
    dimension, by, values, by_values, *counts = row
    wanted, others, name = (by_values, values, dimension) if by == within[0] else (values, by_values, by)
    places = [place for place, value in enumerate(json.loads(wanted)) if value == within[1]]
    if not places:
        return name, {}
    labels, *lists = map(json.loads, (others, *counts))
    return name, {labels[place]: SegmentCounts(*(counted[place] for counted in lists)) for place in places}


def aggregates_by_day(
    connection: Connection, source: str, days: Collection[date], within: Within | None = None
) -> dict[date, DayAggregates]:
    """What was counted by event name and version on each of these days, of all events or of those with a value."""
    query = _AGGREGATES
    if within is not None:
        query = query.where(event_aggregate.c[within[0]].is_not_distinct_from(within[1]))
    rows: defaultdict[date, list[tuple[object, ...]]] = defaultdict(list)
    with garbage_collection_paused():
        for day, *row in connection.execute(query, {"source": source, "days": list(days)}):
            rows[day].append(tuple(row))
        return {day: aggregates_of(of_day) for day, of_day in rows.items()}


def versions_by_day(connection: Connection, source: str, first: date, last: date) -> dict[date, Segments]:
    """The events of each version by day, of the busiest versions of each day; days without events are left out."""
    with garbage_collection_paused():
        rows = connection.execute(_VERSIONS, {"source": source, "first": first, "last": last})
        return {day: dict(zip(values, map(SegmentCounts, *counts), strict=True)) for day, values, *counts in rows}


def signals_of_versions(
    connection: Connection, source: str, days: tuple[date, date], versions: Collection[str]
) -> dict[tuple[str | None, str], tuple[int, int]]:
    """Events and errors by signal and version, summed over the latest scans of the days."""
    kept = event_aggregate.c
    query = _of_latest_scans(event_aggregate, _is_between(event_aggregate)).where(kept.service_version.in_(versions))
    counted = query.with_only_columns(
        kept.event_name, kept.service_version, func.sum(kept.events), func.sum(kept.errors)
    ).group_by(kept.event_name, kept.service_version)
    rows = connection.execute(counted, {"source": source, "first": days[0], "last": days[1]})
    return {(name, version): (int(events), int(errors)) for name, version, events, errors in rows}


def _of_latest_scans(stored: Table, are_wanted: ColumnElement[bool]) -> Select[tuple[date]]:
    """The days of a source's rows that belong to the latest scan of each wanted day."""
    scan = day_scan.alias("scan").c
    latest = (
        select(func.max(scan.revision))
        .where(scan.source == stored.c.source, scan.day == stored.c.day)
        .correlate(stored)
        .scalar_subquery()
    )
    is_of_source = stored.c.source == bindparam("source")
    return select(stored.c.day).where(and_(is_of_source, are_wanted, stored.c.revision == latest))


def _is_between(stored: Table) -> ColumnElement[bool]:
    return stored.c.day.between(bindparam("first"), bindparam("last"))


def _is_among(stored: Table) -> ColumnElement[bool]:
    return stored.c.day.in_(bindparam("days", expanding=True))


# Built once: building a statement takes longer than the database takes for most of them.
_HOURS = (
    _of_latest_scans(day_scan, _is_between(day_scan)).add_columns(day_scan.c.totals_by_hour).order_by(day_scan.c.day)
)
_SEGMENTS = _of_latest_scans(event_slice, _is_among(event_slice)).add_columns(*as_text(event_slice, _SLICE_COLUMNS))
_WHOLE_SEGMENTS = _SEGMENTS.where(event_slice.c.by_dimension.is_(None))
_SEGMENTS_WITHIN = _SEGMENTS.where(
    event_slice.c.by_dimension.is_not(None),
    or_(
        event_slice.c.dimension == bindparam("dimension"),
        event_slice.c.by_dimension == bindparam("dimension"),
    ),
)
_VERSIONS = (
    _of_latest_scans(event_slice, _is_between(event_slice))
    .where(event_slice.c.dimension == SERVICE_VERSION, event_slice.c.by_dimension.is_(None))
    .add_columns(*(event_slice.c[name] for name in ("value", "events", "errors", "missing_version")))
    .order_by(event_slice.c.day)
)
_AGGREGATES = _of_latest_scans(event_aggregate, _is_among(event_aggregate)).add_columns(*AGGREGATE_COLUMNS)
