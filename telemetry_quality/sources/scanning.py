"""Turns query results into days; shared by every connector, so that a day means the same everywhere."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import partial
from hashlib import sha256
from math import ceil, sqrt
from operator import add, itemgetter
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from telemetry_quality.core.events import (
    DayAggregates,
    DayCounts,
    DayScan,
    Duplicates,
    SampledEvent,
    UnreadableDay,
)
from telemetry_quality.errors import SourceError, SourceUnavailableError
from telemetry_quality.sources.aggregates import version_part_query, version_query
from telemetry_quality.sources.arrivals import read_arrivals
from telemetry_quality.sources.combinations import ROWS_AT_ONCE, DayCombinations, read_combinations
from telemetry_quality.sources.duplicates import halvings_of_all, read_duplicates
from telemetry_quality.sources.functions import HASH_SPACE
from telemetry_quality.sources.identities import identity_query
from telemetry_quality.sources.incomplete import add_unidentified
from telemetry_quality.sources.limits import TIME_LIMIT
from telemetry_quality.sources.query import DayRange, day_ranges_of
from telemetry_quality.sources.slices import read_slices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.events import Arrivals, EventGroup
    from telemetry_quality.sources.query import EventTable, Execute


T = TypeVar("T")

NO_EVENTS = DayCombinations()


class EventTables(Protocol):
    """Which table holds which events of a source; None if there are none, a SourceError if it cannot be read."""

    @property
    def schema(self) -> EventSchema:
        """Which column plays which role."""
        ...

    @property
    def source_version(self) -> str | None:
        """The version of the source that all its tables show; None if it has no versions."""
        ...

    def of(self, day_range: DayRange) -> EventTable | None:
        """The table of the events that happened in ``day_range``."""
        ...

    def observed_in(self, day_range: DayRange) -> EventTable | None:
        """The table of the events that arrived in ``day_range``, whenever they happened."""
        ...


def answer_days(
    windows: Sequence[DayWindow], ask: Callable[[DayRange], Mapping[date, T]], maximum_days: int | None = None
) -> Iterator[tuple[date, T | UnreadableDay]]:
    """Ask per day range and answer per day; where a range fails, ask for each of its days, to isolate a bad one.

    Raises:
        SourceUnavailableError: Immediately, because the whole source may be back in a moment.
    """
    answers: dict[date, T | UnreadableDay] = {}
    for day_range in day_ranges_of(windows, maximum_days):
        answers.update(_answer_day_range(day_range, ask))
    for window in windows:
        skipped = UnreadableDay(window.day, "DAY_SKIPPED", "The time zone skipped this day: it has no instants.")
        yield window.day, answers.get(window.day, skipped)


def _answer_day_range(
    day_range: DayRange, ask: Callable[[DayRange], Mapping[date, T]]
) -> Mapping[date, T | UnreadableDay]:
    try:
        return dict(ask(day_range))
    except SourceUnavailableError:
        raise
    except SourceError as error:
        if len(day_range.windows) == 1:
            day = day_range.windows[0].day
            return {day: UnreadableDay(day, error.reason_code, str(error))}
    return {
        day: answer
        for window in day_range.windows
        for day, answer in _answer_day_range(DayRange((window,)), ask).items()
    }


def scan_day_range(execute: Execute, tables: EventTables, day_range: DayRange, sample_size: int) -> dict[date, DayScan]:
    """Everything that is read of every day of ``day_range``, in a few scans however many days it has."""
    events = tables.of(day_range)
    # Read first: if the table cannot serve all days together, each day is read by itself.
    arrivals = _arrivals_if_possible(execute, tables, events, day_range)
    schema = tables.schema if events is None else events.schema
    days = {} if events is None else read_combinations(execute, events, day_range)
    counts = {index: day.aggregates.totals().events for index, day in days.items()}
    samples, duplicates = _sample_and_duplicates(execute, events, day_range, counts, sample_size)
    slices = {} if events is None else read_slices(execute, events, day_range, days)
    incomplete = {} if events is None else _incomplete(execute, events, day_range, days)
    return {
        window.day: DayScan(
            window.day,
            days.get(index, NO_EVENTS).aggregates,
            samples.get(index, ()),
            slices.get(index, {}),
            duplicates.get(index, Duplicates(0, 0)),
            arrivals.get(index),
            incomplete.get(index, {}),
            days.get(index, NO_EVENTS).cardinality,
            tables.source_version,
            schema.absent_roles,
        )
        for index, window in enumerate(day_range.windows)
    }


def schema_of_hours(schema: EventSchema) -> EventSchema:
    """What is read of the events of some hours: no ids, no critical fields, no arrivals and no dimensions."""
    return replace(schema, event_id=None, critical_fields=(), observed_at=None, dimensions=())


def scan_hour_range(execute: Execute, tables: EventTables, day_range: DayRange) -> dict[date, DayScan]:
    """The aggregates of some hours, by the query that also counts whole days, of no more columns than hours need."""
    (window,), events = day_range.windows, tables.of(day_range)
    if events is None:
        return {window.day: DayScan(window.day, DayAggregates())}
    events = replace(events, schema=schema_of_hours(events.schema))
    found = read_combinations(execute, events, day_range).get(0, NO_EVENTS)
    return {window.day: DayScan(window.day, found.aggregates, incomplete_events=found.incomplete)}


def _incomplete(
    execute: Execute, events: EventTable, day_range: DayRange, days: Mapping[int, DayCombinations]
) -> dict[int, dict[EventGroup, int] | None]:
    """The incomplete events of each day, by day index; None where not all names are counted individually."""
    known = {index: dict(day.incomplete) for index, day in days.items() if day.incomplete is not None}
    add_unidentified(execute, events, day_range, known)
    return {index: known.get(index) for index in days}


def _arrivals_if_possible(
    execute: Execute, tables: EventTables, events: EventTable | None, day_range: DayRange
) -> dict[int, Arrivals]:
    """The arrivals of each day; empty if they are unknown, which makes no day unreadable."""
    if tables.schema.observed_at is None or (events is not None and events.schema.observed_at is None):
        return {}
    try:
        return read_arrivals(execute, events, tables.observed_in(day_range), day_range)
    except SourceUnavailableError:
        raise
    except SourceError as error:
        if len(day_range.windows) > 1 or error.reason_code == TIME_LIMIT:
            raise
        return {}


def count_day_range(execute: Execute, table: EventTable, day_range: DayRange) -> dict[date, int]:
    """The number of events of every day of ``day_range``."""
    counts = dict(map(tuple, execute(table.count_query(day_range))))
    return {window.day: counts.get(index, 0) for index, window in enumerate(day_range.windows)}


def count_versions(execute: Execute, table: EventTable | None, day_range: DayRange, schema: EventSchema) -> DayCounts:
    """The counts of a day range, in one scan of the columns they need; ``table`` is None if no table holds events."""
    schema = schema if table is None else table.schema
    fields, rate_names = schema.critical_fields, schema.rate_counts
    sums, untagged = [0] * (3 + len(fields) + len(rate_names)), 0
    for version, *counts in () if table is None else _versions(execute, table, day_range):
        sums = list(map(add, sums, counts))
        untagged += counts[0] if schema.is_missing_version(version) else 0
    events, errors, unknown, *named = sums
    missing, rated = named[: len(fields)], named[len(fields) :]
    return DayCounts(
        events,
        errors,
        unknown,
        untagged,
        dict(zip(fields, missing, strict=True)),
        dict(zip(rate_names, rated, strict=True)),
        schema.absent_roles,
    )


def _versions(execute: Execute, table: EventTable, day_range: DayRange) -> Iterable[Sequence[Any]]:
    """Every version with its counts; in parts, if there are more than are counted individually."""
    rows = execute(version_query(table, day_range))
    if not rows or rows[0][-1] == len(rows):
        return (row[:-1] for row in rows)
    parts = ceil(rows[0][-1] / ROWS_AT_ONCE)
    queries = (version_part_query(table, day_range, part, parts) for part in range(parts))
    return (row for query in queries for row in execute(query))


def _sample_and_duplicates(
    execute: Execute, table: EventTable | None, day_range: DayRange, events: Mapping[int, int], size: int
) -> tuple[dict[int, tuple[SampledEvent, ...]], dict[int, Duplicates]]:
    """The sample and the duplicates of each day, in one scan of the ids where the engine and the days permit it."""
    if table is None or not events:
        return {}, {}
    halvings = halvings_of_all(len(day_range.windows), events)
    if not table.has_grouping_sets or table.schema.event_id is None or halvings is None:
        samples = read_sample(execute, table, day_range, events, size)
        return samples, read_duplicates(execute, table, day_range, events)
    drawn: defaultdict[int, list[Sequence[Any]]] = defaultdict(list)
    duplicates = {index: Duplicates(0, 0) for index in range(len(day_range.windows))}
    for compared, different, alike, position, index, *values in execute(
        identity_query(table, day_range, _thresholds(events, size), size, halvings)
    ):
        if position is None:
            duplicates[index] = Duplicates(compared, compared - different)
        else:
            drawn[index].append((position, *([values] * min(alike, size))))
    samples = {
        index: tuple(
            _sampled_events(
                [row for _, *alike in sorted(rows, key=itemgetter(0)) for row in alike][:size], table.schema
            )
        )
        for index, rows in drawn.items()
    }
    draw = partial(_below, execute, table, day_range, size)
    return _completed(samples, events, size, draw), duplicates


def read_sample(
    execute: Execute, table: EventTable, day_range: DayRange, events: Mapping[int, int], size: int
) -> dict[int, tuple[SampledEvent, ...]]:
    """The ``size`` events with the lowest hashes of each day; ``events`` are the events of each day."""
    draw = partial(_below, execute, table, day_range, size)
    return _completed(draw(_thresholds(events, size)), events, size, draw)


def _completed(
    samples: dict[int, tuple[SampledEvent, ...]],
    events: Mapping[int, int],
    size: int,
    draw: Callable[[Mapping[int, int]], Mapping[int, tuple[SampledEvent, ...]]],
) -> dict[int, tuple[SampledEvent, ...]]:
    """The samples, drawn again without a threshold where it let through too few events: duplicate ids share a hash."""
    short = {index: HASH_SPACE - 1 for index in events if len(samples.get(index, ())) < min(size, events[index])}
    return samples | dict(draw(short) if short else {})


def _thresholds(events: Mapping[int, int], size: int) -> dict[int, int]:
    """A threshold for each day: hashes are uniform, so little more than is needed is let through and sorted."""
    return {index: _threshold(count, size) for index, count in events.items()}


def _threshold(events: int, size: int) -> int:
    """A hash below which about ``size`` plus ten standard deviations of a day's ``events`` lie."""
    wanted = ceil(size + 10 * sqrt(size) + 10)
    return HASH_SPACE - 1 if events <= wanted else HASH_SPACE * wanted // events


def _below(
    execute: Execute, table: EventTable, day_range: DayRange, size: int, thresholds: Mapping[int, int]
) -> dict[int, tuple[SampledEvent, ...]]:
    drawn: defaultdict[int, list[Sequence[Any]]] = defaultdict(list)
    for day_index, *values in execute(table.sample_query(day_range, thresholds, size)):
        drawn[day_index].append(values)
    return {index: tuple(_sampled_events(rows, table.schema)) for index, rows in drawn.items()}


def _sampled_events(rows: Iterable[Sequence[Any]], schema: EventSchema) -> Iterable[SampledEvent]:
    for event_id, name, version, *missing in rows:
        fields = zip(schema.critical_fields, missing, strict=True)
        known_id = hashed_id(event_id) if schema.hash_event_ids and event_id is not None else event_id
        yield SampledEvent(known_id, name, version, tuple(field for field, is_missing in fields if is_missing))


def hashed_id(event_id: Any) -> str:
    """What is kept of an id where ids are hashed; whoever knows an id can find it by the same hash."""
    return f"sha256:{sha256(str(event_id).encode()).hexdigest()}"
