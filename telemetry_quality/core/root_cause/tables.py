"""Tables: the counts of a day by every two attributes, and the days it is compared with."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.events import EVENT_NAME, HOUR, SERVICE_VERSION, hourly_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
    from datetime import date

    from telemetry_quality.core.events import AggregateRow, DayAggregates, HourlyCounts, Slice, SliceCounts

REFERENCE_DAYS = 4


class Measure(StrEnum):
    """What changed."""

    EVENTS = "events"
    ERRORS = "errors"
    MISSING_VERSION = "missing_version"
    MISSING_CRITICAL = "missing_critical"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class RateMeasure:
    """What changed, if that is a rate: how many of certain events match it, or do not match it.

    Attributes:
        rate: The name of the rate and of the count of events that match it.
        base: The name of the count of events that the rate is a share of; None for all events.
        is_of_the_rest: Whether to count the events that do not match, because too few match.
    """

    rate: str
    base: str | None = None
    is_of_the_rest: bool = False

    def is_counted(self, names: Container[str]) -> bool:
        """Whether counts with these names show the change."""
        return self.rate in names and (self.base is None or self.base in names)


@dataclass(frozen=True, slots=True)
class DayBreakdown:
    """A day with all its breakdowns.

    Attributes:
        aggregates: By hour, event name and version.
        slices: By each dimension of the schema, and by it × event name, × version and × hour.
        tables: What ``day_tables`` made of it so far: guardrails that fail together are compared with the same days.
    """

    day: date
    aggregates: DayAggregates
    slices: Mapping[Slice, SliceCounts] = field(default_factory=dict)
    tables: dict[Measure | RateMeasure, Tables] = field(default_factory=dict, init=False, repr=False, compare=False)
    _hours: list[HourlyCounts | None] = field(default_factory=list, init=False, repr=False, compare=False)

    def hours(self) -> list[HourlyCounts | None]:
        """The hourly counts of each row of the aggregates."""
        if not self._hours:
            self._hours.extend(hourly_counts(self.aggregates.rows))
        return self._hours


def reference_days(day: date, candidates: Collection[date]) -> tuple[date, ...]:
    """The earlier days to compare ``day`` with: the last same weekdays, topped up with the last other days."""
    earlier = sorted((candidate for candidate in set(candidates) if candidate < day), reverse=True)
    weeks = timedelta(days=7 * 2 * REFERENCE_DAYS)
    same = [past for past in earlier if past.weekday() == day.weekday() and day - past <= weeks][:REFERENCE_DAYS]
    other_days = [past for past in earlier if past not in same]
    return tuple(sorted(same + other_days[: REFERENCE_DAYS - len(same)]))


Cell = tuple[str | int | None, str | int | None]


class Counts(NamedTuple):
    """A table of a day: per cell all events, and the events that the measure counts."""

    sizes: dict[Cell, int]
    found: dict[Cell, int]


Tables = dict[tuple[str, str], Counts]


SIGNAL_TABLES = ((EVENT_NAME, SERVICE_VERSION), (EVENT_NAME, HOUR), (SERVICE_VERSION, HOUR))


def _signal_tables(day: DayBreakdown, measure: Measure | RateMeasure) -> Tables:
    """Signal × version, signal × hour, version × hour: the pairs that the aggregates hold."""
    sizes, found = _empty_pairs(), _empty_pairs()
    if isinstance(measure, RateMeasure):
        counts_of = _rate_counts(measure, day.aggregates.rate_names)
        for row, spread in zip(day.aggregates.rows, day.hours(), strict=True):
            base, matching = counts_of(row, spread)
            _count(row, *matching, found)
            if measure.base is not None:
                _count(row, *base, sizes)
    else:
        total_of, pairs = _TOTALS[measure], sizes if measure is Measure.EVENTS else found
        for row, spread in zip(day.aggregates.rows, day.hours(), strict=True):
            if total := total_of(row):
                _count(row, total, _by_hour(row, total, spread, measure), pairs)
    if not _has_own_sizes(measure):
        sizes = [day_tables(day, Measure.EVENTS)[key].sizes for key in SIGNAL_TABLES]
    return {key: Counts(*pair) for key, pair in zip(SIGNAL_TABLES, zip(sizes, found, strict=True), strict=True)}


def _has_own_sizes(measure: Measure | RateMeasure) -> bool:
    """Whether the measure counts other events than all of the day's."""
    return measure is Measure.EVENTS or (isinstance(measure, RateMeasure) and measure.base is not None)


def _empty_pairs() -> list[dict[Cell, int]]:
    return [defaultdict(int) for _ in SIGNAL_TABLES]


_Counted = tuple[int, "Iterable[tuple[int, int]]"]
"""What a measure counts in a row: in the whole day, and by hour."""


def _count(row: AggregateRow, total: int, by_hour: Iterable[tuple[int, int]], pairs: Sequence[dict[Cell, int]]) -> None:
    """Add what the measure counts in a row, if that is anything."""
    if not total:
        return
    signal_version, signal_hour, version_hour = pairs
    name, version = row.event_name, row.service_version
    signal_version[name, version] += total
    for hour, count in by_hour:
        if count:
            signal_hour[name, hour] += count
            version_hour[version, hour] += count


_TOTALS: Mapping[Measure, Callable[[AggregateRow], int]] = {
    Measure.EVENTS: attrgetter("events"),
    Measure.ERRORS: attrgetter("errors"),
    Measure.MISSING_VERSION: attrgetter("missing_version"),
    Measure.MISSING_CRITICAL: lambda row: sum(row.missing_critical),
    Measure.LATE: attrgetter("late_events"),
}
"""What each measure counts in a row in the whole day."""


def _by_hour(row: AggregateRow, total: int, spread: HourlyCounts | None, measure: Measure) -> Iterable[tuple[int, int]]:
    """What the measure counts in a row by hour, of ``total`` in the whole day."""
    if spread is None:
        return ((row.hour, total),)
    counts: Sequence[int] = ()
    match measure:
        case Measure.EVENTS | Measure.MISSING_VERSION:
            counts = spread["events"]
        case Measure.ERRORS:
            counts = spread.get("errors", ())
        case Measure.LATE:
            counts = spread.get("late_events", ())
        case Measure.MISSING_CRITICAL:
            counts = [sum(fields) for fields in zip(*spread.get("missing_critical", {}).values(), strict=True)]
    return zip(spread["hours"], counts, strict=False)


def _rate_counts(
    measure: RateMeasure, names: Sequence[str]
) -> Callable[[AggregateRow, HourlyCounts | None], tuple[_Counted, _Counted]]:
    """A function that returns the events of a row that the rate is a share of, and those that the measure counts."""
    positions = {name: position for position, name in enumerate(names)}

    def named(row: AggregateRow, spread: HourlyCounts | None, name: str) -> _Counted:
        total = row.rate_counts[positions[name]]
        if spread is None:
            return total, ((row.hour, total),)
        return total, zip(spread["hours"], spread.get("rate_counts", {}).get(name, ()), strict=False)

    def counts(row: AggregateRow, spread: HourlyCounts | None) -> tuple[_Counted, _Counted]:
        base = measure.base
        events = row.events
        total, hours = (
            (events, _by_hour(row, events, spread, Measure.EVENTS)) if base is None else named(row, spread, base)
        )
        matching, matching_hours = named(row, spread, measure.rate)
        by_hour = tuple(hours)
        if not measure.is_of_the_rest:
            return (total, by_hour), (matching, matching_hours)
        less = dict(matching_hours)
        return (total, by_hour), (total - matching, [(hour, count - less.get(hour, 0)) for hour, count in by_hour])

    return counts


def _slice_sizes(measure: Measure | RateMeasure, names: Sequence[str]) -> Callable[[SliceCounts], int]:
    """A function that returns the events of a slice that the measure could count."""
    if not isinstance(measure, RateMeasure) or measure.base is None:
        return attrgetter("events")
    base = names.index(measure.base)
    return lambda counts: counts.rate_counts[base]


def _slice_counts(measure: Measure | RateMeasure, names: Sequence[str]) -> Callable[[SliceCounts], int]:
    """A function that returns the events of a slice that the measure counts."""
    if not isinstance(measure, RateMeasure):
        return attrgetter("errors" if measure is Measure.ERRORS else "missing_version")
    rate, size_of = names.index(measure.rate), _slice_sizes(measure, names)
    if measure.is_of_the_rest:
        return lambda counts: size_of(counts) - counts.rate_counts[rate]
    return lambda counts: counts.rate_counts[rate]


def _dimension_tables(day: DayBreakdown, measure: Measure | RateMeasure) -> Tables:
    """Each dimension of the schema × signal, × version, × hour."""
    if measure in {Measure.MISSING_CRITICAL, Measure.LATE}:
        return {}  # slices do not count these
    names = day.aggregates.rate_names
    if _has_own_sizes(measure):
        tables = _by_pair(day.slices, _slice_sizes(measure, names))
    else:
        tables = {
            key: counts.sizes for key, counts in day_tables(day, Measure.EVENTS).items() if key not in SIGNAL_TABLES
        }
    if measure is Measure.EVENTS:
        return {key: Counts(sizes, {}) for key, sizes in tables.items()}
    counted = _slice_counts(measure, names)
    found = _by_pair({part: counts for part, counts in day.slices.items() if counted(counts)}, counted)
    return {key: Counts(sizes, found.get(key, {})) for key, sizes in tables.items()}


def _by_pair(
    slices: Mapping[Slice, SliceCounts], counted: Callable[[SliceCounts], int]
) -> dict[tuple[str, str], dict[Cell, int]]:
    """Counts of those slices that have two conditions, by their attributes and values."""
    tables: defaultdict[tuple[str, str], dict[Cell, int]] = defaultdict(dict)
    for (dimension, value, by, by_value), counts in slices.items():
        if by is not None:
            cell = (value, int(by_value) if by == HOUR and by_value is not None else by_value)
            tables[dimension, by][cell] = counted(counts)
    return dict(tables)


def day_tables(day: DayBreakdown, measure: Measure | RateMeasure) -> Tables:
    """All tables of a day that can show where a change of ``measure`` happened."""
    if measure not in day.tables:
        tables = _signal_tables(day, measure) | _dimension_tables(day, measure)
        if measure is Measure.MISSING_VERSION:
            # Every missing version lies in the slice of the null version, which is true but not a root cause.
            tables = {key: counts for key, counts in tables.items() if SERVICE_VERSION not in key}
        day.tables[measure] = tables
    return day.tables[measure]
