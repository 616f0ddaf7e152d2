"""The segments of a day against what was to be expected of them, for the whole day or for a part that was cut out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.days import days_between
from telemetry_quality.core.detectors.windows import WINDOW_DAYS, days_like
from telemetry_quality.core.events import EVENT_NAME, HOUR, OTHER_VALUES, SERVICE_VERSION
from telemetry_quality.core.incidents.decisions import confirmed_days
from telemetry_quality.core.marks import Mark, days_marked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from telemetry_quality.core.events import AggregateRow
    from telemetry_quality.dashboard.models import BreakdownResponse, DayResponse
    from telemetry_quality.dashboard.state import DashboardState
    from telemetry_quality.storage.compared_days import StoredSegments, Within
    from telemetry_quality.storage.reader import StoreReader

SPARK_DAYS = 14
"""The days of the small picture of a segment, up to the day itself."""

MOST_PEERS = 4
"""A segment is compared with the last so many days that are like its day: more would take long to read."""

MOST_ROWS = 100
"""How many segments of a dimension are listed."""

LEAST_EXPECTED = 1.0
"""A segment without events is listed if so many were to be expected, or if it was there on half of the days."""


class Cut(NamedTuple):
    """The part of a day that is looked at: an hour since it began, the events with one value, both, or all of it."""

    hour: int | None = None
    by: str | None = None
    value: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole day."""
        return self == Cut()

    @property
    def within(self) -> Within | None:
        """The value that slices are crossed with."""
        if self.by is not None:
            return self.by, self.value
        return None if self.hour is None else (HOUR, str(self.hour))

    @property
    def is_by_name(self) -> bool:
        """Whether events are counted by name, version and hour in it, not only by pairs of dimensions."""
        return self.by in {None, EVENT_NAME, SERVICE_VERSION}


class Counts(NamedTuple):
    """The events of a segment, and what is wrong with them; None where it was not counted."""

    events: int = 0
    errors: int = 0
    missing_version: int = 0
    late_events: int | None = None
    error_unknown_events: int = 0

    def plus(self, other: Counts) -> Counts:
        """The sum of both."""
        late = None if self.late_events is None or other.late_events is None else self.late_events + other.late_events
        return Counts(
            self.events + other.events,
            self.errors + other.errors,
            self.missing_version + other.missing_version,
            late,
            self.error_unknown_events + other.error_unknown_events,
        )


Segments = dict[str | None, Counts]
"""Segments of one dimension by value."""


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """A segment of the day.

    Attributes:
        expected: None if too little is known about the stream.
        daily: Its events on the last SPARK_DAYS days, None where they are not known; empty if only a part was cut out.
    """

    value: str | None
    counts: Counts
    expected: float | None
    daily: tuple[int | None, ...] = ()


@dataclass(frozen=True, slots=True)
class SegmentTable:
    """The segments of one dimension, the busiest first; ``rest`` further ones are left out."""

    dimension: str
    rows: tuple[SegmentRow, ...]
    rest: int = 0


@dataclass(frozen=True)
class ComparedDays:
    """Which days the segments of a day are compared with.

    Attributes:
        peers: Days that are like the day, with events that nobody called bad.
        totals: The events of each known day of the window.
        expected: The events to expect on the day; None if too little is known.
    """

    day: date
    peers: tuple[date, ...] = ()
    totals: Mapping[date, int] = field(default_factory=dict)
    expected: float | None = None

    @property
    def recent(self) -> list[date]:
        """The last SPARK_DAYS days, up to the day itself."""
        return list(days_between(self.day - timedelta(days=SPARK_DAYS - 1), self.day))

    def to_read(self, cut: Cut) -> list[date]:
        """The days of which segments must be read."""
        return sorted({self.day, *self.peers, *(self.recent if cut.is_whole else ())})


def compared_days(state: DashboardState, source: str, day: date) -> ComparedDays:
    """The days that ``day`` is compared with."""
    rows = state.index.window(source, day - timedelta(days=WINDOW_DAYS), day)
    totals = {row.day: row.total_events for row in rows if row is not None and row.total_events is not None}
    left_out = days_marked(state.marks.get(source, {}), {Mark.BAD, Mark.SPECIAL})
    left_out |= confirmed_days(state.incidents.get(source, ()))
    known = [past for past, events in totals.items() if past != day and events and past not in left_out]
    expected = rows[-1].expected_events if rows[-1] is not None else None
    return ComparedDays(day, tuple(days_like(day, known)[-MOST_PEERS:]), totals, expected)


def load_segments(reader: StoreReader, source: str, compared: ComparedDays, cut: Cut) -> StoredSegments:
    """Read the segments that ``segment_tables`` needs.

    Raises:
        StoreError: If the store cannot be read.
    """
    has_aggregates = not cut.is_whole and cut.is_by_name
    return reader.segments_by_day(source, compared.to_read(cut), cut.within, has_aggregates=has_aggregates)


def segments_on(stored: StoredSegments, day: date, cut: Cut) -> dict[str, Segments]:
    """The segments of a day within the cut, by dimension."""
    found: dict[str, Segments] = {}
    # Dimensions are counted by hour or by value, not by both.
    if cut.hour is None or cut.by is None:
        for dimension, segments in stored.by_dimension.get(day, {}).items():
            found[dimension] = {value: Counts(*counts) for value, counts in segments.items()}
    aggregates = stored.aggregates.get(day)
    if aggregates is not None:
        rows = aggregates.rows if cut.hour is None else aggregates.at_hour(cut.hour)
        found |= _by_name(rows, cut)
    return found


def _by_name(rows: Iterable[AggregateRow], cut: Cut) -> dict[str, Segments]:
    """The event names and versions within the cut."""
    found: dict[str, Segments] = {name: {} for name in (EVENT_NAME, SERVICE_VERSION) if name != cut.by}
    for row in rows:
        values = {EVENT_NAME: row.event_name, SERVICE_VERSION: row.service_version}
        if cut.by is not None and values[cut.by] != cut.value:
            continue
        counts = Counts(row.events, row.errors, row.missing_version, row.late_events, row.error_unknown_events)
        for name, segments in found.items():
            before = segments.get(values[name])
            segments[values[name]] = counts if before is None else before.plus(counts)
    return found


def segment_tables(
    response: DayResponse, stored: StoredSegments, compared: ComparedDays, cut: Cut
) -> tuple[SegmentTable, ...]:
    """A table per dimension: event names and versions first, then the source's own."""
    by_day = {day: segments_on(stored, day, cut) for day in compared.to_read(cut)}
    rest: dict[str, int] = {}
    if cut.is_whole:
        # Slices hold at most a hundred values, and do not count late events.
        for name, breakdown in ((EVENT_NAME, response.by_signal), (SERVICE_VERSION, response.by_version)):
            by_day[compared.day][name], rest[name] = _listed(breakdown), breakdown.rest
    found_names = {name for found in by_day.values() for name, segments in found.items() if segments}
    own = sorted(found_names - {EVENT_NAME, SERVICE_VERSION, HOUR})
    return tuple(
        _table(name, {day: found.get(name, {}) for day, found in by_day.items()}, compared, cut, rest.get(name, 0))
        for name in (EVENT_NAME, SERVICE_VERSION, *own)
        if name in found_names
    )


def _listed(breakdown: BreakdownResponse) -> Segments:
    return {
        None if row.value is None else str(row.value): Counts(
            row.events, row.errors, row.missing_version, row.late_events, row.error_unknown_events
        )
        for row in breakdown.rows
    }


def _table(
    dimension: str, by_day: Mapping[date, Segments], compared: ComparedDays, cut: Cut, rest: int
) -> SegmentTable:
    today = by_day[compared.day]
    recent = compared.recent if cut.is_whole else []
    values = dict.fromkeys(value for segments in by_day.values() for value in segments)
    rows = []
    for value in values:
        expected = expected_of([by_day[peer].get(value, Counts()).events for peer in compared.peers], compared)
        daily = tuple(_events_on(day, value, by_day, compared) for day in recent)
        if value in today or _is_usual(value, expected, daily):
            rows.append(SegmentRow(value, today.get(value, Counts()), expected, daily))
    rows.sort(key=lambda row: (-row.counts.events, -(row.expected or 0), row.value or ""))
    return SegmentTable(dimension, tuple(rows[:MOST_ROWS]), rest + max(0, len(rows) - MOST_ROWS))


def expected_of(on_peers: Sequence[int], compared: ComparedDays) -> float | None:
    """The usual share of a segment, the median of those on the peers, in the events that were to be expected."""
    if compared.expected is None or not compared.peers:
        return None
    shares = [events / compared.totals[peer] for events, peer in zip(on_peers, compared.peers, strict=True)]
    return compared.expected * median(shares)


def _events_on(day: date, value: str | None, by_day: Mapping[date, Segments], compared: ComparedDays) -> int | None:
    """The events of a segment on a day; None if the day is not known."""
    segments = by_day.get(day, {})
    if value in segments:
        return segments[value].events
    return 0 if day in compared.totals else None


def _is_usual(value: str | None, expected: float | None, daily: Sequence[int | None]) -> bool:
    """Whether a segment that has no events is missed."""
    if value == OTHER_VALUES:
        return False
    return (expected or 0) >= LEAST_EXPECTED or 2 * sum(bool(events) for events in daily) >= SPARK_DAYS


def hours_within(stored: StoredSegments, day: date, cut: Cut) -> dict[int, Counts]:
    """The events within the cut by hour since the day began; hours without events are left out."""
    if cut.is_by_name:
        aggregates = stored.aggregates.get(day)
        if aggregates is None:
            return {}
        name = "event_name" if cut.by == EVENT_NAME else "service_version"
        rows = tuple(row for row in aggregates.rows if getattr(row, name) == cut.value)
        found = type(aggregates)(rows, aggregates.critical_fields, aggregates.rate_names).by_hour()
        return {
            hour: Counts(each.events, each.errors, each.missing_version, each.late_events, each.error_unknown_events)
            for hour, each in found.items()
        }
    return {int(hour): counts for hour, counts in segments_on(stored, day, cut).get(HOUR, {}).items() if hour}
