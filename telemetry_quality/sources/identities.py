"""The sample and the duplicates of a day range in one pass over the ids, which are most of the bytes of a day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, case, cast, func, literal, null, or_, select, union_all

from telemetry_quality.sources.functions import HASH_SPACE, compared_text, sample_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import CTE, ColumnElement, Select

    from telemetry_quality.sources.query import DayRange, EventTable


def identity_query(
    events: EventTable, day_range: DayRange, thresholds: Mapping[int, int], size: int, halvings: int
) -> Select[Any]:
    """What ``EventTable.sample_query`` and ``duplicates.duplicate_query`` return, for events with ids.

    Columns: events compared and how many distinct ones they are, null for a row of the sample; position in the sample,
    null for a row of the duplicates; then day index, id, name, version, and whether each critical field is missing.
    """
    found = _identities(events, day_range, max(thresholds.values()), halvings)
    drawn = events.ranked(found, thresholds)
    fields = [column for name, column in drawn.c.items() if name not in {"drawn", "compared", "position"}]
    number = cast(null(), BigInteger)
    sample = select(number.label("compared"), number.label("different"), drawn.c.position, *fields)
    is_compared: list[ColumnElement[bool]] = [found.c.compared.is_not(None)]
    if halvings:
        is_compared.append(found.c.compared < HASH_SPACE >> halvings)
    # The day index is the first of the fields; a day's duplicates have no others.
    nothing = (cast(null(), column.type).label(column.name) for column in fields[1:])
    duplicates = select(
        func.count(), func.count(found.c.compared.distinct()), number, found.c.day_index, *nothing
    ).where(*is_compared)
    return select(
        *union_all(sample.where(drawn.c.position <= size), duplicates.group_by(found.c.day_index))
        .subquery("sample_and_duplicates")
        .c
    )


def _identities(events: EventTable, day_range: DayRange, limit: int, halvings: int) -> CTE:
    """The events that may be drawn or are compared; only those that may be drawn have their fields."""
    within = events.within(day_range, events.schema.occurred_at)
    event_id, text = events.column(events.schema.event_id or ""), events.text(events.schema.event_id)
    day, *fields = events.sample_fields(day_range).items()
    drawn = events.drawn_hash(text)
    is_drawn = drawn <= literal(limit, BigInteger)
    # Compared by the same part of all ids as in ``duplicates``.
    conditions = [or_(is_drawn, sample_hash(text) < HASH_SPACE >> halvings)] if halvings else []
    identified = events.events_where(
        within,
        event_id.is_not(None),
        *conditions,
        drawn=drawn,
        compared=compared_text(text),
        **dict([day, *((name, case((is_drawn, value))) for name, value in fields)]),
    )
    drawn_without_id = events.drawn_hash(events.text_without_id())
    unidentified = events.events_where(
        within,
        event_id.is_(None),
        drawn_without_id <= literal(limit, BigInteger),
        drawn=drawn_without_id,
        compared=cast(null(), BigInteger),
        **dict([day, *fields]),
    )
    return union_all(identified, unidentified).cte("identities").prefix_with("MATERIALIZED", dialect="duckdb")
