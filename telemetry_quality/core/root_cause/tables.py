"""Tables: what is counted of a day, by every two attributes, and which days it is compared with."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.events import EVENT_NAME, HOUR, SERVICE_VERSION, hourly_counts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
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
class DayBreakdown:
    """A day as it can be taken apart.

    Attributes:
        aggregates: By hour, event name and version.
        slices: By each dimension of the schema, and by it × event name, × version and × hour.
    """

    day: date
    aggregates: DayAggregates
    slices: Mapping[Slice, SliceCounts] = field(default_factory=dict)


def reference_days(day: date, candidates: Collection[date]) -> tuple[date, ...]:
    """The earlier days to compare ``day`` with: its last same weekdays, topped up by the last other days."""
    earlier = sorted((candidate for candidate in set(candidates) if candidate < day), reverse=True)
    weeks = timedelta(days=7 * 2 * REFERENCE_DAYS)
    same = [past for past in earlier if past.weekday() == day.weekday() and day - past <= weeks][:REFERENCE_DAYS]
    others = [past for past in earlier if past not in same]
    return tuple(sorted(same + others[: REFERENCE_DAYS - len(same)]))


Cell = tuple[str | int | None, str | int | None]


class Counts(NamedTuple):
    """One table of one day: per cell all events, and those that the measure counts."""

    sizes: dict[Cell, int]
    found: dict[Cell, int]


Tables = dict[tuple[str, str], Counts]


SIGNAL_TABLES = ((EVENT_NAME, SERVICE_VERSION), (EVENT_NAME, HOUR), (SERVICE_VERSION, HOUR))


def _signal_tables(rows: Sequence[AggregateRow], measure: Measure) -> Tables:
    """Signal × version, signal × hour, version × hour: the pairs within the aggregates."""
    pairs = [Counts(defaultdict(int), defaultdict(int)) for _ in SIGNAL_TABLES]
    sizes, found = [counts.sizes for counts in pairs], [counts.found for counts in pairs]
    for row, spread in zip(rows, hourly_counts(rows), strict=True):
        _count(row, spread, Measure.EVENTS, sizes)
        if measure is not Measure.EVENTS:
            _count(row, spread, measure, found)
    return dict(zip(SIGNAL_TABLES, pairs, strict=True))


def _count(row: AggregateRow, spread: HourlyCounts | None, measure: Measure, pairs: Sequence[dict[Cell, int]]) -> None:
    """Add what the measure counts of a row, where that is anything."""
    total, by_hour = _counted(row, spread, measure)
    if not total:
        return
    signal_version, signal_hour, version_hour = pairs
    name, version = row.event_name, row.service_version
    signal_version[name, version] += total
    for hour, count in by_hour:
        if count:
            signal_hour[name, hour] += count
            version_hour[version, hour] += count


def _counted(row: AggregateRow, spread: HourlyCounts | None, measure: Measure) -> tuple[int, Iterable[tuple[int, int]]]:
    """What the measure counts of a row: all day, and by hour."""
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


def _slice_count(counts: SliceCounts, measure: Measure) -> int:
    return counts.errors if measure is Measure.ERRORS else counts.missing_version


def _dimension_tables(slices: Mapping[Slice, SliceCounts], measure: Measure) -> Tables:
    """Each dimension of the schema × signal, × version, × hour."""
    tables: Tables = {}
    if measure in {Measure.MISSING_CRITICAL, Measure.LATE}:
        return tables  # slices do not count these
    for (dimension, value, by, by_value), counts in slices.items():
        if by is None:
            continue
        table = tables.get((dimension, by))
        if table is None:
            table = tables[dimension, by] = Counts({}, {})
        cell = (value, int(by_value) if by == HOUR and by_value is not None else by_value)
        table.sizes[cell] = counts[0]
        if measure is not Measure.EVENTS:
            table.found[cell] = _slice_count(counts, measure)
    return tables


def day_tables(day: DayBreakdown, measure: Measure) -> Tables:
    """All tables of a day that can show where a change of ``measure`` happened."""
    tables = _signal_tables(day.aggregates.rows, measure) | _dimension_tables(day.slices, measure)
    if measure is Measure.MISSING_VERSION:
        # Every missing version lies in the slice of the null version: true, and no explanation.
        return {key: counts for key, counts in tables.items() if SERVICE_VERSION not in key}
    return tables
