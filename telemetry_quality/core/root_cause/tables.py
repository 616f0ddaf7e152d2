"""Tables: the counts of a day by every two attributes, and the days it is compared with."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
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
    rows, sizes, found = day.aggregates.rows, _empty_pairs(), _empty_pairs()
    has_base = isinstance(measure, RateMeasure) and measure.base is not None
    counts_of = _rate_counts(measure, day.aggregates.rate_names) if isinstance(measure, RateMeasure) else None
    for row, spread in zip(rows, day.hours(), strict=True):
        if counts_of is not None:
            base, matching = counts_of(row, spread)
            _count(row, matching, found)
            if has_base:
                _count(row, base, sizes)
        elif measure is Measure.EVENTS:
            _count(row, _counted(row, spread, Measure.EVENTS), sizes)
        elif isinstance(measure, Measure):
            _count(row, _counted(row, spread, measure), found)
    if measure is not Measure.EVENTS and not has_base:
        sizes = [day_tables(day, Measure.EVENTS)[key].sizes for key in SIGNAL_TABLES]
    return {key: Counts(*pair) for key, pair in zip(SIGNAL_TABLES, zip(sizes, found, strict=True), strict=True)}


def _empty_pairs() -> list[dict[Cell, int]]:
    return [defaultdict(int) for _ in SIGNAL_TABLES]


_Counted = tuple[int, "Iterable[tuple[int, int]]"]
"""What a measure counts in a row: in the whole day, and by hour."""


def _count(row: AggregateRow, counted: _Counted, pairs: Sequence[dict[Cell, int]]) -> None:
    """Add what the measure counts in a row, if that is anything."""
    total, by_hour = counted
    if not total:
        return
    signal_version, signal_hour, version_hour = pairs
    name, version = row.event_name, row.service_version
    signal_version[name, version] += total
    for hour, count in by_hour:
        if count:
            signal_hour[name, hour] += count
            version_hour[version, hour] += count


def _counted(row: AggregateRow, spread: HourlyCounts | None, measure: Measure) -> _Counted:
    counts: Sequence[int] = ()
    match measure:
        case Measure.EVENTS:
            total, counts = row.events, spread["events"] if spread else ()
        case Measure.ERRORS:
            total, counts = row.errors, spread.get("errors", ()) if spread else ()
        case Measure.MISSING_VERSION:
            total, counts = row.missing_version, spread["events"] if spread else ()
        case Measure.LATE:
            total, counts = row.late_events, spread.get("late_events", ()) if spread else ()
        case Measure.MISSING_CRITICAL:
            total = sum(row.missing_critical)
            if spread:
                counts = [sum(fields) for fields in zip(*spread.get("missing_critical", {}).values(), strict=True)]
    return total, ((row.hour, total),) if spread is None else zip(spread["hours"], counts, strict=False)


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
        total, hours = _counted(row, spread, Measure.EVENTS) if base is None else named(row, spread, base)
        matching, matching_hours = named(row, spread, measure.rate)
        by_hour = tuple(hours)
        if not measure.is_of_the_rest:
            return (total, by_hour), (matching, matching_hours)
        less = dict(matching_hours)
        return (total, by_hour), (total - matching, [(hour, count - less.get(hour, 0)) for hour, count in by_hour])

    return counts


def _slice_counts(measure: Measure | RateMeasure, names: Sequence[str]) -> Callable[[SliceCounts], tuple[int, int]]:
    """A function that returns the events of a slice that the measure could count, and those that it counts."""
    if not isinstance(measure, RateMeasure):
        if measure is Measure.ERRORS:
            return lambda counts: (counts.events, counts.errors)
        return lambda counts: (counts.events, counts.missing_version)
    rate, base = names.index(measure.rate), None if measure.base is None else names.index(measure.base)

    def rate_counts(counts: SliceCounts) -> tuple[int, int]:
        size, matching = counts.events if base is None else counts.rate_counts[base], counts.rate_counts[rate]
        return size, size - matching if measure.is_of_the_rest else matching

    return rate_counts


def _dimension_tables(day: DayBreakdown, measure: Measure | RateMeasure) -> Tables:
    """Each dimension of the schema × signal, × version, × hour."""
    tables: Tables = {}
    if measure in {Measure.MISSING_CRITICAL, Measure.LATE}:
        return tables  # slices do not count these
    counted = _slice_counts(measure, day.aggregates.rate_names)
    for (dimension, value, by, by_value), counts in day.slices.items():
        if by is None:
            continue
        table = tables.get((dimension, by))
        if table is None:
            table = tables[dimension, by] = Counts({}, {})
        cell = (value, int(by_value) if by == HOUR and by_value is not None else by_value)
        size, found = counted(counts)
        table.sizes[cell] = size
        if found and measure is not Measure.EVENTS:
            table.found[cell] = found
    return tables


def day_tables(day: DayBreakdown, measure: Measure | RateMeasure) -> Tables:
    """All tables of a day that can show where a change of ``measure`` happened."""
    if measure not in day.tables:
        tables = _signal_tables(day, measure) | _dimension_tables(day, measure)
        if measure is Measure.MISSING_VERSION:
            # Every missing version lies in the slice of the null version, which is true but not a root cause.
            tables = {key: counts for key, counts in tables.items() if SERVICE_VERSION not in key}
        day.tables[measure] = tables
    return day.tables[measure]
