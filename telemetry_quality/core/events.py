"""Events: the counts of a day, and the parts of a day that are read beside them."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, NamedTuple, NotRequired, TypedDict, TypeVar

from telemetry_quality.errors import StoreError
from telemetry_quality.garbage_collection import garbage_collection_paused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date

K = TypeVar("K")

OTHER_VALUES = "(other)"
"""What sums the names, versions and values of a day that are not counted individually, because there are too many."""

MAXIMUM_HOURS = 48
"""More hours than any day has: clocks are mostly set back by an hour, and rarely by a few."""


class HourlyCounts(TypedDict):
    """How the counts of an AggregateRow are spread over the hours of its day.

    Attributes:
        hours: The hours with events, in order, counted from the beginning of the day.
        events: Per hour, like all lists that follow; lists of zeros are left out.
        missing_critical: A list per critical field that any event lacks.
        rate_counts: A list per name in the schema's ``rate_counts``.
    """

    hours: list[int]
    events: list[int]
    errors: NotRequired[list[int]]
    error_unknown_events: NotRequired[list[int]]
    late_events: NotRequired[list[int]]
    missing_critical: NotRequired[dict[str, list[int]]]
    rate_counts: NotRequired[dict[str, list[int]]]


class AggregateRow(NamedTuple):
    """Counts of one event name and version on a day; a tuple, because a day may have thousands.

    Attributes:
        hour: The first hour with events, in whole hours since the day began, 0 to 24: a day may have 23 or 25 hours.
        error_unknown_events: Events that do not say whether they are an error (absent severity).
        missing_critical: Events without a value, per critical field, in the schema's order.
        rate_counts: Events per name in the schema's ``rate_counts``, in that order.
        by_hour: The HourlyCounts if events are spread over several hours; None if all fall into ``hour``.
            They stay JSON, as in the store (see ``by_hour_text``), because they are rarely needed.
    """

    hour: int
    event_name: str | None
    service_version: str | None
    events: int
    errors: int
    error_unknown_events: int
    missing_version: int
    missing_critical: tuple[int, ...]
    late_events: int
    rate_counts: tuple[int, ...] = ()
    by_hour: str | None = None


def by_hour_text(columns: Sequence[str], critical_fields: Sequence[str], rate_names: Sequence[str] = ()) -> str:
    """HourlyCounts as JSON, made from columns of numbers in text form; empty columns are left out.

    Args:
        columns: Hours, events, errors, events of unknown error state, late events, then a column per critical field
            and per rate count; each holds whole numbers separated by commas.
        critical_fields: The names of the critical fields.
        rate_names: The names of the rate counts.
    """
    *names, critical, rates = HourlyCounts.__annotations__
    first_rate = len(names) + len(critical_fields)
    counts, missing, rated = columns[: len(names)], columns[len(names) : first_rate], columns[first_rate:]
    lists = [f'"{name}":[{text}]' for name, text in zip(names, counts, strict=True) if text]
    if any(missing):
        lists.append(f'"{critical}":{_named_lists(critical_fields, missing)}')
    if any(rated):
        lists.append(f'"{rates}":{_named_lists(rate_names, rated)}')
    return f"{{{','.join(lists)}}}"


def _named_lists(names: Sequence[str], columns: Sequence[str]) -> str:
    named = zip(names, columns, strict=True)
    return f"{{{','.join(f'{json.dumps(name)}:[{text}]' for name, text in named if text)}}}"


def hourly_counts(rows: Iterable[AggregateRow]) -> list[HourlyCounts | None]:
    """The hourly counts of each row; None for a row whose events all fall into one hour.

    Raises:
        StoreError: If a stored text was not written by ``by_hour_text``.
    """
    try:
        with garbage_collection_paused():
            # Parsed as one text, which takes a third of the time.
            found: list[Any] = json.loads(f"[{','.join(row.by_hour or 'null' for row in rows)}]")
    except ValueError:
        found = [""]
    if not all(
        spread is None or (isinstance(spread, dict) and "hours" in spread and "events" in spread) for spread in found
    ):
        raise StoreError(
            "The hours of aggregates must be lists of whole numbers as they were stored, but some are not; "
            "run telemetry-quality verify to see which, and restore the store from a backup."
        )
    return found


@dataclass(frozen=True, slots=True)
class Counts:
    """The events of a day or of a segment, and what is wrong with them."""

    events: int = 0
    errors: int = 0
    error_unknown_events: int = 0
    missing_version: int = 0

    @property
    def error_rate_percent(self) -> float | None:
        """Share of errors; None if no event says whether it is an error."""
        if self.events == self.error_unknown_events:
            return None
        return 100 * self.errors / self.events

    @property
    def missing_version_percent(self) -> float | None:
        """Share of events without a version; None if there are no events."""
        return 100 * self.missing_version / self.events if self.events else None


@dataclass(frozen=True, slots=True)
class Totals(Counts):
    """Counts summed over any part of a day's aggregates."""

    late_events: int = 0


@dataclass(frozen=True, slots=True)
class DayCounts(Counts):
    """The counts of a day alone, which need only a few columns.

    Attributes:
        missing_critical: Events without a value, per critical field.
        rate_counts: Events per name in the schema's ``rate_counts``.
        absent_roles: The roles of the schema that nothing plays in these events, by choice.
    """

    missing_critical: Mapping[str, int] = field(default_factory=dict)
    rate_counts: Mapping[str, int] = field(default_factory=dict)
    absent_roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class DayAggregates:
    """A day's counts at the finest grain; all coarser counts are rolled up from here.

    Attributes:
        rows: A row per event name and version.
        critical_fields: Names for the positions of each row's ``missing_critical``.
        rate_names: Names for the positions of each row's ``rate_counts``.
    """

    rows: tuple[AggregateRow, ...] = ()
    critical_fields: tuple[str, ...] = ()
    rate_names: tuple[str, ...] = ()

    @property
    def hours(self) -> int:
        """Hours summed over event names and versions: a measure of what the day takes in RAM."""
        # The list of hours comes first, and has one comma fewer than numbers.
        return sum(1 + (row.by_hour or "").partition("]")[0].count(",") for row in self.rows)

    def totals(self) -> Totals:
        """The whole day."""
        return _sum(self.rows)

    def signals(self) -> frozenset[str]:
        """The event names of the day, without the null name and what sums other names."""
        return frozenset(row.event_name for row in self.rows if row.event_name not in {None, OTHER_VALUES})

    def by_signal(self) -> dict[str, Totals]:
        """Per event name, the busiest first; a null name reads ``(null)``."""
        return self._by(lambda row: "(null)" if row.event_name is None else row.event_name)

    def by_version(self) -> dict[str, Totals]:
        """Per version, the busiest first; a null version reads ``(null)``."""
        return self._by(lambda row: "(null)" if row.service_version is None else row.service_version)

    def by_hour(self) -> dict[int, Totals]:
        """Per hour since the day began, in order; hours without events are left out."""
        counted = [[0] * MAXIMUM_HOURS for _ in fields(Totals)]
        # Thousands of short-lived lists, which the garbage collector need not look through.
        with garbage_collection_paused():
            for row, spread in zip(self.rows, hourly_counts(self.rows), strict=True):
                if spread is None:
                    totals = (row.events, row.errors, row.error_unknown_events, row.missing_version, row.late_events)
                    for sums, count in zip(counted, totals, strict=True):
                        sums[row.hour] += count
                    continue
                hours, events = spread["hours"], spread["events"]
                lists = (
                    events,
                    spread.get("errors"),
                    spread.get("error_unknown_events"),
                    events if row.missing_version else None,
                    spread.get("late_events"),
                )
                for sums, counts in zip(counted, lists, strict=True):
                    if counts is not None:
                        for hour, count in zip(hours, counts, strict=True):
                            sums[hour] += count
        return {hour: Totals(*counts) for hour, counts in enumerate(zip(*counted, strict=True)) if counts[0]}

    def at_hour(self, hour: int) -> tuple[AggregateRow, ...]:
        """The counts of one hour, without missing fields and rates; rows without events in it are left out."""
        with garbage_collection_paused():
            spreads = zip(self.rows, hourly_counts(self.rows), strict=True)
            return tuple(
                found for row, spread in spreads if (found := _at_hour(row, spread, hour)) is not None and found.events
            )

    def missing_critical(self) -> dict[str, int]:
        """Events without a value, per critical field."""
        fields = enumerate(self.critical_fields)
        return {name: sum(row.missing_critical[position] for row in self.rows) for position, name in fields}

    def rate_counts(self) -> dict[str, int]:
        """Events of the whole day, per rate count."""
        names = enumerate(self.rate_names)
        return {name: sum(row.rate_counts[position] for row in self.rows) for position, name in names}

    def _by(self, key: Callable[[AggregateRow], str]) -> dict[str, Totals]:
        groups = _group(self.rows, key)
        return dict(sorted(groups.items(), key=lambda item: (-item[1].events, item[0])))


def _at_hour(row: AggregateRow, spread: HourlyCounts | None, hour: int) -> AggregateRow | None:
    if spread is None:
        return row if row.hour == hour else None
    if hour not in spread["hours"]:
        return None
    place = spread["hours"].index(hour)
    events = spread["events"][place]
    return AggregateRow(
        hour,
        row.event_name,
        row.service_version,
        events,
        spread["errors"][place] if "errors" in spread else 0,
        spread["error_unknown_events"][place] if "error_unknown_events" in spread else 0,
        events if row.missing_version else 0,
        (),
        spread["late_events"][place] if "late_events" in spread else 0,
    )


def _group(rows: Iterable[AggregateRow], key: Callable[[AggregateRow], K]) -> dict[K, Totals]:
    groups: defaultdict[K, list[AggregateRow]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return {name: _sum(members) for name, members in groups.items()}


def _sum(rows: Iterable[AggregateRow]) -> Totals:
    events = errors = unknown = missing = late = 0
    for row in rows:
        events += row.events
        errors += row.errors
        unknown += row.error_unknown_events
        missing += row.missing_version
        late += row.late_events
    return Totals(events, errors, unknown, missing, late)


EVENT_NAME, SERVICE_VERSION, HOUR = "event_name", "service_version", "hour"
"""The attributes that every source has; a source's own dimensions are named after their columns."""


class Slice(NamedTuple):
    """A slice of a day: the events whose ``dimension`` is ``value``, and whose ``by``, if any, is ``by_value``.

    For event names and versions, a scan has the slices of each alone; for each dimension of the schema, it has the
    slices of the dimension alone and by event name, by version and by hour (``"7"``).
    """

    dimension: str
    value: str | None
    by: str | None = None
    by_value: str | None = None

    @property
    def parts(self) -> tuple[tuple[str, str | None], ...]:
        """The conditions, such as ``(("platform", "ios"), ("event_name", "page.view"))``."""
        first = (self.dimension, self.value)
        return (first,) if self.by is None else (first, (self.by, self.by_value))

    @property
    def parents(self) -> tuple[Slice, ...]:
        """The two slices whose intersection this is; none for a slice of one condition."""
        if self.by is None:
            return ()
        return Slice(self.dimension, self.value), Slice(self.by, self.by_value)

    @property
    def order(self) -> tuple[str, ...]:
        """A sort key that orders all slices, null before empty."""
        return tuple(text for name, value in self.parts for text in (name, "" if value is None else f"={value}"))


class SliceCounts(NamedTuple):
    """The counts of a slice of a day.

    Attributes:
        rate_counts: Events per name in the schema's ``rate_counts``, in that order.
    """

    events: int
    errors: int
    missing_version: int
    rate_counts: tuple[int, ...] = ()

    def plus(self, other: SliceCounts) -> SliceCounts:
        """The sum of both counts."""
        return SliceCounts(
            self.events + other.events,
            self.errors + other.errors,
            self.missing_version + other.missing_version,
            tuple(count + other_count for count, other_count in zip(self.rate_counts, other.rate_counts, strict=True)),
        )

    def minus(self, other: SliceCounts) -> SliceCounts:
        """What is left of these counts without the others."""
        return self.plus(other.scaled(-1))

    def scaled(self, factor: float) -> SliceCounts:
        """Every count times ``factor``, rounded."""
        events, errors, missing_version = (round(count * factor) for count in self[:3])
        rate_counts = tuple(round(count * factor) for count in self.rate_counts)
        return SliceCounts(events, errors, missing_version, rate_counts)


MAXIMUM_VALUES = 100

MAXIMUM_COMBINATIONS = 10_000
"""How many event names × versions of a day, and values of a dimension × names or versions, are counted individually."""


@dataclass(frozen=True, slots=True)
class Duplicates:
    """How many of a day's events repeat another event.

    Attributes:
        compared_events: Events compared: all with an id, or on a large day those in a subset of ids chosen by hash.
        duplicate_events: Compared events beyond the first of their id.
    """

    compared_events: int
    duplicate_events: int


@dataclass(frozen=True, slots=True)
class Cardinality:
    """How many different names and versions the events of a day have.

    Attributes:
        combinations: Event names × versions that occur.
        other_events: Events of those that are not counted individually but summed as ``(other)``.
        clipped_events: Events whose name or version was clipped.
    """

    combinations: int
    other_events: int
    clipped_events: int


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When a day's events arrived, and which events arrived on that day with an invalid timestamp.

    Attributes:
        by_hour: Events of the day by arrival: first those before the day's end, then those within each whole
            hour after it; the last of at most MAXIMUM_ARRIVAL_HOURS + 1 also counts all later events. Trailing zeros
            are left out.
        observed_events: Events that arrived on the day, whatever their timestamp.
        future_events: Observed events in the future, beyond the schema's tolerance.
        stale_events: Observed events older than the schema's ``stale_after_days``.
        undated_events: Observed events without a readable timestamp, which belong to no day.
    """

    by_hour: tuple[int, ...]
    observed_events: int
    future_events: int
    stale_events: int
    undated_events: int


MAXIMUM_ARRIVAL_HOURS = 168


@dataclass(frozen=True, slots=True)
class SampledEvent:
    """What the verifier looks at in an event; it is read and judged, but never stored."""

    event_id: str | None
    event_name: str | None
    service_version: str | None
    missing_critical_fields: tuple[str, ...] = ()


EventGroup = tuple[str | None, str | None]
"""An event name and a version."""


@dataclass(frozen=True, slots=True)
class DayScan:
    """A day that could be read.

    Attributes:
        slices: The slices that ``Slice`` describes.
        duplicates: None if they could not be counted.
        arrivals: None if the schema has no ``observed_at`` or they could not be counted.
        incomplete_events: Events without an id or without a critical field, per event name and version that has any;
            None if they were not counted, or not all names are counted individually.
        cardinality: None if it was not counted.
        source_version: The version of the table that was read, if the source has versions; it changes nothing that
            was counted, so that two scans may be equal without it.
        absent_roles: The roles of the schema that nothing plays in the events of the day, by choice.
    """

    day: date
    aggregates: DayAggregates
    sample: tuple[SampledEvent, ...] = ()
    slices: Mapping[Slice, SliceCounts] = field(default_factory=dict)
    duplicates: Duplicates | None = None
    arrivals: Arrivals | None = None
    incomplete_events: Mapping[EventGroup, int] | None = None
    cardinality: Cardinality | None = None
    source_version: str | None = field(default=None, compare=False)
    absent_roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class UnreadableDay:
    """A day that could not be read, which is neither empty nor zero, and never healthy."""

    day: date
    reason_code: str
    reason: str
    source_version: str | None = field(default=None, compare=False)
