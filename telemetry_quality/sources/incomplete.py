"""Incomplete events: those without an id or without a critical field, per event name and version.

Together with the names and versions, they say how many of all events of a day would pass the sample's verification.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, func, not_, or_, select

from telemetry_quality.sources.aggregates import busiest

if TYPE_CHECKING:
    from telemetry_quality.core.events import EventGroup
    from telemetry_quality.sources.query import DayRange, EventTable, Execute


def add_unidentified(
    execute: Execute, events: EventTable, day_range: DayRange, incomplete: dict[int, dict[EventGroup, int]]
) -> None:
    """Add the events that only lack an id, where the aggregate query leaves them out.

    Args:
        execute: Runs a query.
        events: The table of the events.
        day_range: The days.
        incomplete: What the aggregate query counted of each day whose names are all counted individually.
    """
    if not events.counts_unidentified_apart or not incomplete:
        return
    for index, name, version, count in execute(unidentified_query(events, day_range)):
        if (of_day := incomplete.get(index)) is not None:
            of_day[name, version] = of_day.get((name, version), 0) + count


def unidentified_query(events: EventTable, day_range: DayRange) -> Select[Any]:
    """One row per day, event name and version, the busiest of each day.

    Columns: day index, name, version, events without an id but complete otherwise.

    An engine with statistics finds out without a scan that there are none, while the ids of all events are most of
    the bytes of a day.
    """
    schema = events.schema
    missing = events.missing_critical().values()
    conditions = [events.column(schema.event_id or "").is_(None), *([not_(or_(*missing))] if missing else [])]
    found = events.events_of(
        day_range,
        *conditions,
        day_index=events.day_index(day_range),
        name=events.clipped(schema.event_name),
        version=events.clipped(schema.service_version),
    )
    keys = (found.c.day_index, found.c.name, found.c.version)
    groups = select(*keys, func.count().label("events")).group_by(*keys).subquery("unidentified")
    # Of a day that has more, not all names are counted individually.
    kept = busiest(groups, ("name", "version")).subquery("kept_unidentified")
    return select(*(kept.c[name] for name in ("day_index", "name", "version", "events")))
