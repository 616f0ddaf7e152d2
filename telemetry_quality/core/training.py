"""Training days: a row of features and labels per judged day, for machine learning.

Everything in a row comes from one revision of the day, from the scan that it was made from, and from what people had
said by then. All of these are never changed, so that no feature depends on what came later.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from telemetry_quality.core.events import EVENT_NAME, SERVICE_VERSION
from telemetry_quality.core.hours import DayHours, HourTotals, day_hours
from telemetry_quality.core.known_days import (
    KEY_COLUMNS,
    NUMBER_COLUMNS,
    POLICY_COLUMN,
    STATE_COLUMNS,
    Column,
    KnownDay,
)
from telemetry_quality.core.marks import Gate
from telemetry_quality.core.metrics import percent_of
from telemetry_quality.core.snapshots import DayStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry_quality.core.days import Calendar

MOST_VALUES = 20
"""How many values of each dimension a row holds, the busiest first: whoever sends events chooses how many there are."""

LONGEST_DAY_HOURS = 25


class DimensionCounts(NamedTuple):
    """How the events of a day are spread over the values of a dimension.

    Attributes:
        values: How many values there are; what is summed as ``(other)`` is one of them.
        busiest: The busiest values with their events, at most MOST_VALUES; None is a missing value.
    """

    dimension: str
    values: int
    busiest: tuple[tuple[str | None, int], ...]


class JudgedScan(NamedTuple):
    """What a snapshot was made from, as far as training needs it; ``hours`` is None if the day could not be read."""

    hours: HourTotals | None
    dimensions: tuple[DimensionCounts, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingDay(KnownDay):
    """A known day with what its scan says beyond the numbers of the day.

    Attributes:
        hours: None if the day could not be read.
        dimensions: By name; empty if the day has no events or its slices were not counted.
    """

    hours: DayHours | None = None
    dimensions: tuple[DimensionCounts, ...] = ()

    @property
    def is_healthy(self) -> bool | None:
        """Whether the status is healthy; None if nobody knows."""
        return None if self.snapshot.status is DayStatus.UNKNOWN else self.snapshot.is_healthy()

    @property
    def weight(self) -> float:
        """How much the day should count: 0 if it cannot be trusted, less than 1 while events are still expected."""
        completeness = self.snapshot.completeness_percent
        if not self.is_trusted:
            return 0.0
        return 1.0 if completeness is None else min(completeness / 100, 1.0)

    @property
    def segments(self) -> list[dict[str, Any]] | None:
        """The share of each busy value of each dimension; None if slices were not counted."""
        if not self.dimensions:
            return [] if self.snapshot.total_events == 0 else None
        return [
            {"dimension": counts.dimension, "value": value, "percent": percent_of(events, self.snapshot.total_events)}
            for counts in self.dimensions
            for value, events in counts.busiest
        ]

    def events_in(self, hour: int) -> int | None:
        """The events of an hour since the day began; None if it is not known or the day has no such hour."""
        events = () if self.hours is None else self.hours.events
        return events[hour] if hour < len(events) else None

    def values_of(self, dimension: str) -> int | None:
        """How many different values a dimension has; None if they were not counted."""
        counts = self._counts(dimension)
        if counts is None:
            return 0 if self.snapshot.total_events == 0 else None
        return counts.values

    def top_percent(self, dimension: str) -> float | None:
        """The share of the busiest value of a dimension."""
        counts = self._counts(dimension)
        if counts is None or not counts.busiest:
            return None
        return percent_of(counts.busiest[0][1], self.snapshot.total_events)

    def _counts(self, dimension: str) -> DimensionCounts | None:
        return next((counts for counts in self.dimensions if counts.dimension == dimension), None)


def training_days(
    found: Iterable[tuple[KnownDay, JudgedScan | None]], calendar: Calendar, gate: Gate = Gate.HEALTHY
) -> list[TrainingDay]:
    """Training days from known days with their scans; the calendar says which hours a day has."""
    return [_training_day(replace(known, gate=gate), scan, calendar) for known, scan in found]


def _training_day(known: KnownDay, scan: JudgedScan | None, calendar: Calendar) -> TrainingDay:
    parts = {field.name: getattr(known, field.name) for field in fields(KnownDay)}
    if scan is None or scan.hours is None:
        return TrainingDay(**parts)
    return TrainingDay(**parts, hours=day_hours(scan.hours, known.snapshot.day, calendar), dimensions=scan.dimensions)


def _hour_column(hour: int) -> Column:
    description = f"Events of the hour that begins {hour} hours after the day began."
    return Column(f"hour_{hour:02}_events", int, description, lambda day: day.events_in(hour))


def _of_dimension(name: str, kind: type, description: str, how: str, dimension: str) -> Column:
    def value(day: TrainingDay) -> Any:
        return getattr(day, how)(dimension)

    return Column(name, kind, description, value)


FEATURE_COLUMNS = (
    Column("weekday", int, "The day of the week, 1 for Monday.", lambda day: day.snapshot.day.isoweekday()),
    *NUMBER_COLUMNS,
    *map(_hour_column, range(LONGEST_DAY_HOURS)),
    _of_dimension("event_names", int, "How many different event names there are.", "values_of", EVENT_NAME),
    _of_dimension("top_event_name_percent", float, "Share of the busiest event name.", "top_percent", EVENT_NAME),
    _of_dimension("versions", int, "How many different versions there are.", "values_of", SERVICE_VERSION),
    _of_dimension("top_version_percent", float, "Share of the busiest version.", "top_percent", SERVICE_VERSION),
    Column(
        "segments",
        list,
        "Share of each of the 20 busiest event names, versions and values of each dimension: "
        "objects of `dimension`, `value` and `percent`.",
        attrgetter("segments"),
    ),
)
LABEL_COLUMNS = (
    Column("is_healthy", bool, "Whether no guardrail failed.", attrgetter("is_healthy")),
    *STATE_COLUMNS,
    Column(
        "weight",
        float,
        "How much the day should count in training: 0 if it cannot be trusted, otherwise the share of its events that "
        "had arrived.",
        attrgetter("weight"),
    ),
    POLICY_COLUMN,
)
TRAINING_COLUMNS = (*KEY_COLUMNS, *FEATURE_COLUMNS, *LABEL_COLUMNS)
"""The columns of a table of training days."""
