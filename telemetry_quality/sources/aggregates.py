"""The aggregate query: what is counted of each event name and version of a day, by hour.

However many names and versions the events of a day have, only the busiest are returned; see ``combinations``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, String, case, cast, func, literal, or_, select

from telemetry_quality.core.events import MAXIMUM_COMBINATIONS
from telemetry_quality.sources.clipping import is_clipped_text
from telemetry_quality.sources.functions import HASH_SPACE, count_where, exact_text, listed, sample_hash
from telemetry_quality.sources.query import joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import CTE, ColumnElement, Select, Subquery

    from telemetry_quality.sources.query import DayRange, EventTable

_NAMES = ("name", "version")


def aggregate_query(events: EventTable, day_range: DayRange) -> Select[Any]:
    """One row per day, event name and version, in this order, for the busiest of each day.

    Columns: day index, name, version and the ``_counts``. Then, per hour that has events, the hour and the same counts
    as one text with commas between the numbers, which takes engine, driver and Python less time than 24 rows. Last, the
    incomplete events, see ``incomplete``, and two numbers of the day: how many names × versions it has, and how many
    events have a name or version that was clipped.
    """
    # A single day needs no day index: one key less saves a twentieth of the time.
    days = () if len(day_range.windows) == 1 else ("day_index",)
    counts = _counts(events)
    groups = _event_groups(events, day_range, (*days, "hour", *_NAMES))
    whole_numbers = (cast(groups.c[name], String) for name in ("hour", *counts))
    hours = select(
        *(groups.c[name] for name in (*days, *_NAMES, *counts, "incomplete_events")),
        joined(*whole_numbers, by=",").label("numbers"),
    ).subquery("hours")
    keys = [hours.c[name] for name in (*days, *_NAMES)]
    *sums, incomplete = (
        cast(func.sum(hours.c[name]), BigInteger).label(name) for name in (*counts, "incomplete_events")
    )
    columns = (*keys[-2:], *sums, listed(hours.c.numbers).label("numbers"), incomplete)
    found = select(*(keys[:-2] or [literal(0, BigInteger).label("day_index")]), *columns).group_by(*keys)
    kept = busiest(found.subquery("combinations"), _NAMES).subquery("kept_combinations")
    order = (exact_text(kept.c[name]).nulls_first() for name in _NAMES)
    return select(*kept.c).order_by(kept.c.day_index, *order)


def _counts(events: EventTable) -> tuple[str, ...]:
    """Events, errors, events of unknown error state, late events, missing values per critical field, and the rates."""
    return ("events", "errors", "error_unknown_events", "late_events", *events.named_conditions())


def busiest(groups: Subquery, texts: Sequence[str]) -> Select[Any]:
    """The MAXIMUM_COMBINATIONS groups of each day that have the most events, in the columns of ``groups``.

    Two further columns say how many groups the day has, and how many events are in groups with a clipped text.

    Args:
        groups: One row per day and value of the ``texts``, with its ``events``.
        texts: The names of the other keys of ``groups``.
    """
    day = groups.c.day_index
    clipped_events = case((or_(*(is_clipped_text(groups.c[name]) for name in texts)), groups.c.events), else_=0)
    ranked = select(
        *groups.c,
        func.count().over(partition_by=day).label("groups_of_day"),
        cast(func.sum(clipped_events).over(partition_by=day), BigInteger).label("clipped_events"),
        position_by_events(groups, ("day_index",), texts),
    ).subquery(f"ranked_{groups.name}")
    *columns, position = ranked.c
    return select(*columns).where(position <= MAXIMUM_COMBINATIONS)


def position_by_events(groups: Subquery, within: Sequence[str], texts: Sequence[str]) -> ColumnElement[int]:
    """The ``position`` of each group among those that have the columns ``within`` in common, the busiest first."""
    keys = [groups.c[name] for name in texts]
    # Nulls sort before all texts on every engine.
    order = (groups.c.events.desc(), *(part for key in keys for part in (key.is_not(None), exact_text(key))))
    parts = [groups.c[name] for name in within]
    return func.row_number().over(partition_by=parts, order_by=order).label("position")


def _event_groups(
    events: EventTable, day_range: DayRange, keys: Sequence[str], *conditions: ColumnElement[bool]
) -> CTE:
    """The counts of each group of events; ``keys`` are the names of the grouping columns."""
    named = events.named_conditions()
    found = events.events_of(
        day_range,
        *conditions,
        day_index=events.day_index(day_range),
        hour=events.hour(day_range),
        name=events.clipped(events.schema.event_name),
        version=events.clipped(events.schema.service_version),
        is_error=events.is_error(),
        is_late=events.is_late(),
        is_unidentified=events.is_unidentified(),
        **named,
    )
    is_incomplete = or_(found.c.is_unidentified, *(found.c[name] for name in events.missing_critical()))
    grouped = [found.c[key] for key in keys]
    counts = (
        func.count().label("events"),
        count_where(found.c.is_error).label("errors"),
        count_where(found.c.is_error.is_(None)).label("error_unknown_events"),
        count_where(found.c.is_late).label("late_events"),
        *(count_where(found.c[name]).label(name) for name in named),
        count_where(is_incomplete).label("incomplete_events"),
    )
    groups = select(*grouped, *counts).group_by(*grouped).cte("event_groups")
    # PostgreSQL cannot know how few groups there are, and would sort the events to get the groups in order.
    return groups.prefix_with("MATERIALIZED", dialect="postgresql")


_VERSION_HOURS = ("day_index", "hour", "version")


def version_hours_query(events: EventTable, day_range: DayRange, part: int, parts: int) -> Select[Any]:
    """One row per day, hour and version of a part of all versions: these, then the ``_counts``."""
    groups = _event_groups(events, day_range, _VERSION_HOURS, _is_in_part(events, part, parts))
    return select(*(groups.c[name] for name in (*_VERSION_HOURS, *_counts(events))))


def version_hours_count_query(events: EventTable, day_range: DayRange) -> Select[Any]:
    """How many rows all parts of ``version_hours_query`` have together."""
    return select(func.count()).select_from(_event_groups(events, day_range, _VERSION_HOURS))


def version_query(events: EventTable, day_range: DayRange) -> Select[Any]:
    """One row per version, the busiest: version, the counts of ``version_part_query``, how many there are."""
    kept = busiest(_versions(events, day_range).subquery("versions"), ("version",)).subquery("kept_versions")
    return select(*(column for name, column in kept.c.items() if name not in {"day_index", "clipped_events"}))


def version_part_query(events: EventTable, day_range: DayRange, part: int, parts: int) -> Select[Any]:
    """One row per version of a part of all versions.

    Columns: version, events, errors, events of unknown error state, missing critical fields, rates. Grouped by version,
    because only the core knows which versions count as missing.
    """
    found = _versions(events, day_range, _is_in_part(events, part, parts)).subquery("versions")
    return select(*(column for name, column in found.c.items() if name != "day_index"))


def _versions(events: EventTable, day_range: DayRange, *conditions: ColumnElement[bool]) -> Select[Any]:
    named = events.named_conditions()
    found = events.events_of(
        day_range,
        *conditions,
        version=events.clipped(events.schema.service_version),
        is_error=events.is_error(),
        **named,
    )
    counted = {"errors": found.c.is_error, "error_unknown_events": found.c.is_error.is_(None)}
    counted |= {name: found.c[name] for name in named}
    return select(
        literal(0, BigInteger).label("day_index"),
        found.c.version,
        func.count().label("events"),
        *(count_where(condition).label(name) for name, condition in counted.items()),
    ).group_by(found.c.version)


def _is_in_part(events: EventTable, part: int, parts: int) -> ColumnElement[bool]:
    """Whether the version of an event belongs to a part of all versions."""
    version = func.coalesce(events.clipped(events.schema.service_version), "", type_=String)
    size = HASH_SPACE // parts
    number = sample_hash(version)
    within = number >= literal(part * size, BigInteger)
    return within if part == parts - 1 else within & (number < literal((part + 1) * size, BigInteger))
