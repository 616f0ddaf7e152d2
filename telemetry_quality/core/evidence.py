"""Evidence: all that guardrails may look at when they judge a day.

Nothing in it is younger than the day, so no verdict can depend on a later day.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry_quality.core.days import clock_times
from telemetry_quality.core.guardrails.verdicts import Segment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from zoneinfo import ZoneInfo

    from telemetry_quality.core.detectors.expected_volume import Expectation
    from telemetry_quality.core.events import Cardinality, Slice, SliceCounts
    from telemetry_quality.core.hours import DayHours
    from telemetry_quality.core.metrics import DayFigures
    from telemetry_quality.core.shares import ShareCount


@dataclass(frozen=True, slots=True)
class Evidence:
    """A day and what is known about the days before it, without days of confirmed incidents.

    Attributes:
        figures: The day's own numbers.
        expectation: The volume to expect, with its interval.
        totals: Events of each readable day among the last HISTORY_DAYS days, including the day itself.
        slices: The slices of the day and of a window of days before it, per day; slices with few events may be left
            out of earlier days.
        hours: The hours of the day and of a window of days before it.
        missing_critical: Events of the day without a value, per critical field.
        rate_counts: Events of the day per rate count of the schema, as far as they were counted.
        running_hours: Of a running day, whose ``hours``, like those of earlier days, are the last 24 up to the same
            time of the clock: which whole hour since the day began each of them is, negative on the day before. None
            for a day that is over.
        zone: The time zone of the day, by whose clock hours are described; None for hours since the day began.
        cardinalities: How many names and versions the day has, and earlier days, where it is known.
        late_percents: Share of late events of each earlier readable day, where it is known.
        small_shares: The counts behind each share that is of few events on the day: on the day itself and on earlier
            days, by the name of the share (see ``share_counts``).
        bases: How many events say what guardrails judge by, on the day and on earlier days, by name (see ``bases_of``).
        new_levels: Earlier days whose level of the whole stream somebody accepted as normal.
        new_rates: Segments whose error rates somebody accepted as normal, and the first earlier day of these.
    """

    day: date
    figures: DayFigures
    expectation: Expectation
    totals: Mapping[date, int] = field(default_factory=dict)
    slices: Mapping[date, Mapping[Slice, SliceCounts]] = field(default_factory=dict)
    hours: Mapping[date, DayHours] = field(default_factory=dict)
    missing_critical: Mapping[str, int] = field(default_factory=dict)
    rate_counts: Mapping[str, int] = field(default_factory=dict)
    cardinalities: Mapping[date, Cardinality] = field(default_factory=dict)
    late_percents: Mapping[date, float] = field(default_factory=dict)
    small_shares: Mapping[str, Mapping[date, ShareCount]] = field(default_factory=dict)
    bases: Mapping[str, Mapping[date, ShareCount]] = field(default_factory=dict)
    new_levels: frozenset[date] = frozenset()
    new_rates: Mapping[Slice, date] = field(default_factory=dict)
    running_hours: tuple[int, ...] | None = None
    zone: ZoneInfo | None = None

    @property
    def begins_at(self) -> int | None:
        """The position in its ``hours`` of the first hour of a running day; None for a day that is over."""
        return None if self.running_hours is None else sum(hour < 0 for hour in self.running_hours)

    def segment_of_hours(self, first: int, last: int) -> Segment:
        """All events of the day in these of its ``hours``, described by the clock."""
        hours = (first, last) if self.running_hours is None else (self.running_hours[first], self.running_hours[last])
        return Segment(hours=hours, clock=None if self.zone is None else clock_times(self.day, hours, self.zone))
