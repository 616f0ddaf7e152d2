"""Reads what pages compare over many days of a source: hours and segments of the latest scan of each day."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, func, or_, select

from telemetry_quality.core.events import SERVICE_VERSION
from telemetry_quality.core.hours import HourTotals
from telemetry_quality.garbage_collection import garbage_collection_paused
from telemetry_quality.storage.rows import AGGREGATE_COLUMNS, SLICE_COLUMNS, SliceReader, aggregates_of, as_text
from telemetry_quality.storage.tables import day_scan, event_aggregate, event_slice

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date

    from sqlalchemy import ColumnElement, Connection, Select, Table

    from telemetry_quality.core.events import DayAggregates, Slice, SliceCounts


class StoredSegments(NamedTuple):
    """Segments of days: what was counted by event name and version, and slices; days without any are left out."""

    aggregates: Mapping[date, DayAggregates]
    slices: Mapping[date, Mapping[Slice, SliceCounts]]


def hours_by_day(connection: Connection, source: str, first: date, last: date) -> dict[date, HourTotals | None]:
    """The hours of the latest scan of each day from ``first`` to ``last``; None for a day that could not be read."""
    kept = day_scan.c
    query = _of_latest_scans(day_scan, source, kept.day.between(first, last)).add_columns(kept.totals_by_hour)
    found = connection.execute(query.order_by(kept.day))
    return {day: None if hours is None else HourTotals.from_json(hours) for day, hours in found}


def slices_by_day(
    connection: Connection, source: str, days: Collection[date], by: str | None = None
) -> dict[date, dict[Slice, SliceCounts]]:
    """The slices of these days by one dimension alone or, with ``by``, those that cross another dimension with it."""
    kept = event_slice.c
    is_wanted = kept.by_dimension.is_(None) if by is None else or_(kept.dimension == by, kept.by_dimension == by)
    query = _of_latest_scans(event_slice, source, kept.day.in_(days)).where(is_wanted)
    with garbage_collection_paused():
        rows = connection.execute(query.add_columns(*as_text(event_slice, SLICE_COLUMNS))).all()
        return SliceReader().slices_by_day(rows, 0)


def aggregates_by_day(connection: Connection, source: str, days: Collection[date]) -> dict[date, DayAggregates]:
    """What was counted by event name and version on each of these days."""
    query = _of_latest_scans(event_aggregate, source, event_aggregate.c.day.in_(days))
    rows: defaultdict[date, list[tuple[object, ...]]] = defaultdict(list)
    with garbage_collection_paused():
        for day, *row in connection.execute(query.add_columns(*AGGREGATE_COLUMNS)):
            rows[day].append(tuple(row))
        return {day: aggregates_of(of_day) for day, of_day in rows.items()}


def _of_latest_scans(stored: Table, source: str, are_wanted: ColumnElement[bool]) -> Select[tuple[date]]:
    """The days of the rows that belong to the latest scan of each wanted day."""
    scan = day_scan.alias("scan").c
    latest = (
        select(func.max(scan.revision))
        .where(scan.source == stored.c.source, scan.day == stored.c.day)
        .correlate(stored)
        .scalar_subquery()
    )
    return select(stored.c.day).where(and_(stored.c.source == source, are_wanted, stored.c.revision == latest))


class VersionCounts(NamedTuple):
    """The events of a version, and those that are errors or count as having none."""

    events: int
    errors: int
    missing_version: int


def versions_by_day(
    connection: Connection, source: str, first: date, last: date
) -> dict[date, dict[str | None, VersionCounts]]:
    """The events of each version by day, of the busiest versions of each day; days without events are left out."""
    kept = event_slice.c
    is_alone = and_(kept.dimension == SERVICE_VERSION, kept.by_dimension.is_(None))
    query = _of_latest_scans(event_slice, source, kept.day.between(first, last)).where(is_alone)
    lists = ("value", "events", "errors", "missing_version")
    with garbage_collection_paused():
        rows = connection.execute(query.add_columns(*(kept[name] for name in lists)).order_by(kept.day))
        return {day: dict(zip(values, map(VersionCounts, *counts), strict=True)) for day, values, *counts in rows}


def signals_of_versions(
    connection: Connection, source: str, days: tuple[date, date], versions: Collection[str]
) -> dict[tuple[str | None, str], tuple[int, int]]:
    """Events and errors by signal and version, summed over the latest scans of the days."""
    kept = event_aggregate.c
    query = _of_latest_scans(event_aggregate, source, kept.day.between(*days)).where(kept.service_version.in_(versions))
    counted = query.with_only_columns(
        kept.event_name, kept.service_version, func.sum(kept.events), func.sum(kept.errors)
    ).group_by(kept.event_name, kept.service_version)
    rows = connection.execute(counted)
    return {(name, version): (int(events), int(errors)) for name, version, events, errors in rows}
