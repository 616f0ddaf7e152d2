"""When the events of a day arrived, and which events arrived on that day with an invalid timestamp."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, select

from telemetry_quality.core.events import MAXIMUM_ARRIVAL_HOURS, Arrivals
from telemetry_quality.sources.columns import ColumnKind
from telemetry_quality.sources.functions import count_where

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Select

    from telemetry_quality.sources.query import DayRange, EventTable, Execute


def read_arrivals(
    execute: Execute, events: EventTable | None, observed: EventTable | None, day_range: DayRange
) -> dict[int, Arrivals]:
    """The arrivals of every day of ``day_range``, by day index.

    Args:
        execute: Runs a query.
        events: The table of the events of the day range; None if there are none.
        observed: The table of the events that arrived in the day range, whenever they happened; None if there are none.
        day_range: The days.
    """
    by_hour: defaultdict[int, dict[int, int]] = defaultdict(dict)
    if events is not None and (column := events.schema.observed_at) is not None:
        for index, hour, count in execute(arrival_query(events, day_range, column)):
            by_hour[index][hour] = count
    counts: dict[int, Sequence[int]] = {}
    if observed is not None and (column := observed.schema.observed_at) is not None:
        counts = {row[0]: row[1:] for row in execute(invalid_timestamp_query(observed, day_range, column))}
    return {
        index: Arrivals(_series(by_hour[index]), *map(int, counts.get(index, (0, 0, 0, 0))))
        for index in range(len(day_range.windows))
    }


def _series(by_hour: Mapping[int, int]) -> tuple[int, ...]:
    return tuple(by_hour.get(hour, 0) for hour in range(max(by_hour, default=-1) + 1))


def arrival_query(events: EventTable, day_range: DayRange, column: str) -> Select[Any]:
    """One row per day and hour of arrival: day index, hours from the day's end rounded up, events.

    Events that arrived before the day's end are in hour 0; hour 1 begins at the end. Events without an arrival time
    are left out.
    """
    arrived, per_second = events.ticks(column)
    each = events.events_of(
        day_range, events.column(column).is_not(None), day_index=events.day_index(day_range), arrived=arrived
    )
    hour_ticks = 3600 * per_second
    day_end = (each.c.day_index + 1) * (day_range.day_seconds * per_second) + int(
        day_range.start.timestamp()
    ) * per_second
    # The bounds are compared before the subtraction, so that no instant is too distant for an integer.
    hours = case(
        (each.c.arrived < day_end, 0),
        (each.c.arrived < day_end + hour_ticks, 1),
        (each.c.arrived > day_end + (MAXIMUM_ARRIVAL_HOURS - 1) * hour_ticks, MAXIMUM_ARRIVAL_HOURS),
        else_=(each.c.arrived - day_end - 1) // hour_ticks + 1,
    )
    timed = select(each.c.day_index, hours.label("hour")).where(each.c.arrived.is_not(None)).subquery("arrivals")
    return select(timed.c.day_index, timed.c.hour, func.count()).group_by(timed.c.day_index, timed.c.hour)


def invalid_timestamp_query(events: EventTable, day_range: DayRange, column: str) -> Select[Any]:
    """One row per day of arrival: day index, events, and those from the future, the far past and without a time."""
    schema = events.schema
    arrived, arrived_per_second = events.ticks(column)
    occurred, per_second = _ticks_of_any_time(events, schema.occurred_at)
    each = events.events_where(
        events.within(day_range, column),
        day_index=events.day_index(day_range, column),
        since_start=arrived - int(day_range.start.timestamp()) * arrived_per_second,
        occurred=occurred,
    ).subquery("arrivals")
    # Both are in the unit of occurred_at, rounded so that exactly the tolerance is tolerated.
    earlier, later = _converted(each.c.since_start, arrived_per_second, per_second)
    start = int(day_range.start.timestamp()) * per_second
    latest = earlier + (start + schema.future_tolerance_minutes * 60 * per_second)
    earliest = later + (start - schema.stale_after_days * 86_400 * per_second)
    return select(
        each.c.day_index,
        func.count(),
        count_where(each.c.occurred > latest),
        count_where(each.c.occurred < earliest),
        count_where(each.c.occurred.is_(None)),
    ).group_by(each.c.day_index)


def _ticks_of_any_time(events: EventTable, column: str) -> tuple[ColumnElement[int], int]:
    """Like ``EventTable.ticks``, but an integer stays unconverted: a wrong one may not fit into 64 bits."""
    ticks, per_second = events.ticks(column)
    is_number = events.columns[column].kind is ColumnKind.INTEGER
    return (events.column(column) if is_number else ticks), per_second


def _converted(ticks: ColumnElement[int], unit: int, wanted: int) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """Nonnegative ticks converted to another unit, rounded down and rounded up."""
    if wanted >= unit:
        return ticks * (wanted // unit), ticks * (wanted // unit)
    return ticks // (unit // wanted), (ticks + (unit // wanted - 1)) // (unit // wanted)
