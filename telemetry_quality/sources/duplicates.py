"""How many events of a day repeat another one: all ids are compared, or only a fraction of them on a large day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, String, case, cast, func, select

from telemetry_quality.core.events import Duplicates
from telemetry_quality.sources.functions import HASH_SPACE, compared_text, sample_hash
from telemetry_quality.sources.query import DayRange, joined

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import ColumnElement

    from telemetry_quality.sources.query import EventTable, Execute

MAXIMUM_COMPARED_EVENTS = 1_000_000
"""A day with more events is compared in a hash slice of its ids: all of them, half, a quarter, …

Duplicates of an id share its slice, so the slice's percentage of duplicates is the day's, apart from chance.
"""

EVENTS_AT_ONCE = 2_000_000
"""How many events the days compared in one query may have together.

A query keeps one number per event: twice as many take a fifth longer, because they no longer fit into a processor's
cache; half as many take as long, and need more scans where a scan cannot skip other days.
"""


def read_duplicates(
    execute: Execute, events: EventTable, day_range: DayRange, counts: Mapping[int, int]
) -> dict[int, Duplicates]:
    """The duplicates of every day of ``day_range``, by day index; ``counts`` are the events of each day."""
    found = {index: Duplicates(0, 0) for index in range(len(day_range.windows))}
    for first, last, halvings in _batches(len(day_range.windows), counts):
        part = DayRange(day_range.windows[first : last + 1])
        for index, compared, different in execute(duplicate_query(events, part, halvings)):
            found[first + index] = Duplicates(compared, compared - different)
    return found


def halvings_of_all(days: int, counts: Mapping[int, int]) -> int | None:
    """How often all ids are halved where the days are compared in a single query; None where they are not."""
    batches = list(_batches(days, counts))
    return batches[0][2] if len(batches) == 1 else None


def _batches(days: int, counts: Mapping[int, int]) -> Iterator[tuple[int, int, int]]:
    """First and last day compared in one query, and how often all ids are halved; days without events are skipped."""
    first, total = 0, 0
    for index in range(days):
        events = counts.get(index, 0)
        halvings = _halvings(events)
        if total and (halvings or total + events > EVENTS_AT_ONCE):
            yield first, index - 1, 0
            total = 0
        if halvings:
            yield index, index, halvings
        elif events:
            first = first if total else index
            total += events
    if total:
        yield first, days - 1, 0


def _halvings(events: int) -> int:
    """How often a day's ids must be halved so that at most MAXIMUM_COMPARED_EVENTS are expected."""
    return max(0, (events - 1) // MAXIMUM_COMPARED_EVENTS).bit_length()


def duplicate_query(events: EventTable, day_range: DayRange, halvings: int) -> Select[Any]:
    """One row per day: day index, events compared, and how many distinct ones they are."""
    text, conditions = _identity(events)
    if halvings:
        # Hashed without the salt: this slice is independent of which events are drawn for the sample.
        conditions.append(sample_hash(text) < HASH_SPACE >> halvings)
    each = events.events_of(day_range, *conditions, day_index=events.day_index(day_range), compared=compared_text(text))
    different = func.count(each.c.compared.distinct())
    return select(each.c.day_index, func.count(), different).group_by(each.c.day_index)


def _identity(events: EventTable) -> tuple[ColumnElement[str], list[ColumnElement[bool]]]:
    """The text that is the same for an event and its duplicates, and the conditions under which an event has one."""
    schema = events.schema
    if schema.event_id is not None:
        return events.text(schema.event_id), [events.column(schema.event_id).is_not(None)]
    further = map(schema.expression_of, (*schema.critical_fields, *schema.dimensions))
    names = dict.fromkeys((schema.event_name, schema.service_version, *further))
    times = (events.ticks(name)[0] for name in (schema.occurred_at, schema.observed_at) if name is not None)
    is_error = events.is_error()
    texts = [
        *(events.text(name) for name in names),
        *(cast(ticks, String) for ticks in times),
        case((is_error, "1"), (is_error.is_(None), None), else_="0"),
    ]
    return joined(*(func.coalesce("=" + text, "", type_=String) for text in texts)), []
