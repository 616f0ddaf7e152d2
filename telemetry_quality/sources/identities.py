"""The sample and the duplicates of a day range in one pass over the ids, which are most of the bytes of a day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, and_, case, cast, false, func, literal, null, or_, select, tuple_, union_all

from telemetry_quality.sources.functions import HASH_SPACE, compared_text, sample_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, CompoundSelect, Select

    from telemetry_quality.sources.query import DayRange, EventTable

_ORDER = ("drawn", "id", "name", "version")
"""By what the events of a sample are ordered."""


def identity_query(
    events: EventTable, day_range: DayRange, thresholds: Mapping[int, int], size: int, halvings: int
) -> Select[Any]:
    """What ``EventTable.sample_query`` and ``duplicates.duplicate_query`` return, for events with ids.

    Columns: events compared and how many distinct ones they are, null for a row of the sample; how many events a row of
    the sample stands for and its position, null for a row of the duplicates; then day index, id, name, version, and
    whether each critical field is missing.
    """
    each = _identities(events, day_range, thresholds, halvings).subquery("identities")
    day, compared = each.c.day_index, each.c.compared
    drawn = [column for column in each.c if column.name not in {"day_index", "compared"}]
    sets = func.grouping_sets(tuple_(day, compared), tuple_(day, *drawn))
    is_drawn = func.grouping(compared).label("is_drawn")
    groups = select(day, compared, *drawn, is_drawn, func.count().label("events")).group_by(sets).subquery("groups")
    is_row = case((groups.c.is_drawn == 0, groups.c.compared.is_not(None)), else_=groups.c.drawn.is_not(None))
    keys = [groups.c[column.name] for column in (*drawn, is_drawn)]
    # Of the compared events, this leaves one row per day.
    summed = (
        select(
            groups.c.day_index,
            *keys,
            cast(func.sum(groups.c.events), BigInteger).label("events"),
            func.count().label("different"),
        )
        .where(is_row)
        .group_by(groups.c.day_index, *keys)
        .subquery("sums")
    )
    order = [summed.c[name] for name in _ORDER]
    position = func.row_number().over(partition_by=(summed.c.day_index, summed.c.is_drawn), order_by=order)
    found = select(*summed.c, position.label("position")).subquery("sample_and_duplicates")
    is_compared = found.c.is_drawn == 0
    return select(
        case((is_compared, found.c.events)).label("compared"),
        case((is_compared, found.c.different)).label("different"),
        case((is_compared, null()), else_=found.c.events).label("alike"),
        case((is_compared, null()), else_=found.c.position).label("position"),
        found.c.day_index,
        *(found.c[column.name] for column in drawn if column.name != "drawn"),
    ).where(found.c.position <= size)


def _identities(
    events: EventTable, day_range: DayRange, thresholds: Mapping[int, int], halvings: int
) -> Select[Any] | CompoundSelect[Any]:
    """The events that may be drawn or are compared; only those that may be drawn have their fields."""
    schema = events.schema
    within = events.within(day_range, schema.occurred_at)
    event_id, text = events.column(schema.event_id or ""), events.text(schema.event_id)
    day, *fields = events.sample_fields(day_range).items()
    has_id = event_id.is_not(None)
    # The same part of all ids as in ``duplicates``.
    is_compared = and_(has_id, sample_hash(text) < HASH_SPACE >> halvings) if halvings else has_id

    def read(
        drawn: ColumnElement[int], is_compared: ColumnElement[bool], *conditions: ColumnElement[bool]
    ) -> Select[Any]:
        is_drawn = _is_drawn(drawn, day[1], thresholds)
        shown = ((name, case((is_drawn, value))) for name, value in (("drawn", drawn), *fields))
        return events.events_where(
            within,
            or_(is_drawn, is_compared),
            *conditions,
            compared=case((is_compared, compared_text(text))),
            **dict([day, *shown]),
        )

    if not events.finds_nulls:
        return read(events.drawn_hash(events.drawn_text()), is_compared)
    # Read apart, events that have an id are drawn without reading the columns that replace an id.
    identified = read(events.drawn_hash(text), is_compared, has_id)
    unidentified = read(events.drawn_hash(events.text_without_id()), false(), event_id.is_(None))
    return union_all(identified, unidentified)


def _is_drawn(
    drawn: ColumnElement[int], day_index: ColumnElement[int], thresholds: Mapping[int, int]
) -> ColumnElement[bool]:
    limits = {index: literal(limit, BigInteger) for index, limit in thresholds.items()}
    if len(limits) == 1:
        (limit,) = limits.values()
        return drawn <= limit
    return drawn <= case(*((day_index == index, limit) for index, limit in limits.items()))
