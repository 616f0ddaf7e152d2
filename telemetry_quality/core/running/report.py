"""The report on a running day: what ``now``, the API and pages show; it never says that the day is healthy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.running.verdicts import verdicts_of_day

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from telemetry_quality.core.days import Calendar
    from telemetry_quality.core.guardrails.verdicts import Verdict
    from telemetry_quality.core.hours import ExpectedHour
    from telemetry_quality.core.running.model import RunningHour


class RunningState(StrEnum):
    """What is known of a running day. None of it is a status: those are for whole days."""

    FAILING = "failing"
    """A guardrail failed at the end of an hour."""
    UNKNOWN = "unknown"
    """The last hour could not be read."""
    NOTHING_FAILED = "nothing_failed"
    """Nothing failed in the hours that were looked at."""
    NOT_LOOKED_AT = "not_looked_at"
    """No hour of the day has been looked at yet."""


@dataclass(frozen=True)
class RunningDay:
    """A running day as the store holds it.

    Attributes:
        hours: The hours that were looked at, in order.
    """

    source: str
    day: date
    calendar: Calendar
    hours: tuple[RunningHour, ...]

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What failed so far, once per guardrail."""
        return verdicts_of_day(hour.verdicts for hour in self.hours)

    @property
    def state(self) -> RunningState:
        """What is known of the day."""
        if self.verdicts:
            return RunningState.FAILING
        if not self.hours:
            return RunningState.NOT_LOOKED_AT
        return RunningState.NOTHING_FAILED if self.hours[-1].counts is not None else RunningState.UNKNOWN

    @property
    def looked_at(self) -> datetime | None:
        """When something new was last found; None if nothing ever was."""
        return max((hour.looked_at for hour in self.hours), default=None)

    @property
    def events(self) -> int | None:
        """The events of the hours that could be read; None if none could."""
        known = [hour.counts.events for hour in self.hours if hour.counts is not None]
        return sum(known) if known else None

    @property
    def later(self) -> tuple[ExpectedHour, ...]:
        """What to expect in the hours after the last one that was looked at; empty if too little is known."""
        return self.hours[-1].later if self.hours else ()

    def begins_at(self, hour: int) -> datetime:
        """When an hour of the day begins, in the zone of the source."""
        return (self.calendar.window(self.day).start + timedelta(hours=hour)).astimezone(self.calendar.zone)

    def as_json(self) -> dict[str, Any]:
        """All that is known about the day; JSON types only."""
        return {
            "source": self.source,
            "day": self.day.isoformat(),
            "time_zone": self.calendar.zone.key,
            "state": self.state.value,
            "is_provisional": True,
            "looked_at": self.looked_at and self.looked_at.isoformat(),
            "events": self.events,
            "failures": [verdict.as_json() for verdict in self.verdicts],
            "hours": [self._hour(hour) for hour in self.hours],
            "later_hours": self._later(),
        }

    def _hour(self, hour: RunningHour) -> dict[str, Any]:
        counts = hour.counts
        return {
            "hour": hour.hour,
            "begins_at": self.begins_at(hour.hour).isoformat(),
            "revision": hour.revision,
            "looked_at": hour.looked_at.isoformat(),
            "events": counts and counts.events,
            "errors": counts and counts.errors,
            "missing_version_events": counts and counts.missing_version,
            **_expected(hour.expected),
            "failed_guardrails": [verdict.guardrail for verdict in hour.verdicts],
            "unreadable_reason_code": hour.unreadable_reason_code,
            "unreadable_reason": hour.unreadable_reason,
        }

    def _later(self) -> Sequence[dict[str, Any]]:
        first = self.hours[-1].hour + 1 if self.hours else 0
        return [
            {"hour": hour, "begins_at": self.begins_at(hour).isoformat(), **_expected(expected)}
            for hour, expected in enumerate(self.later, start=first)
        ]


def _expected(hour: ExpectedHour | None) -> dict[str, float | None]:
    names = ("expected_events", "expected_low_events", "expected_high_events")
    if hour is None:
        return dict.fromkeys(names)
    return {name: round(number, 1) for name, number in zip(names, hour, strict=True)}
