"""The model: an hour of the running day as one look found it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from telemetry_quality.core.guardrails.verdicts import Verdict
    from telemetry_quality.core.hours import ExpectedHour

MOST_SIGNALS = 50
"""Event names of an hour that are kept individually, the busiest first."""


RUNNING = 0
"""The revision of what is said about a day that has no snapshot yet; those of snapshots count from 1."""


@dataclass(frozen=True, slots=True)
class HourCounts:
    """The events of one hour, and what is wrong with them.

    Attributes:
        errors: None if no event says whether it is an error, by choice.
        missing_version: None if events have no version, by choice.
        rate_counts: Events per rate count of the schema.
        signals: Events and errors per event name, of the MOST_SIGNALS busiest; names are clipped.
    """

    events: int
    errors: int | None
    error_unknown_events: int
    missing_version: int | None
    rate_counts: Mapping[str, int] = field(default_factory=dict)
    signals: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunningHour:
    """An hour of a day that was not over, as a look found it; an hour that changes later gets another revision.

    Attributes:
        hour: Whole hours since the day began: 0 to 22, 23 or 24.
        revision: Counts from 1 for each hour.
        counts: None if the hour could not be read.
        expected: None if too little is known about the stream.
        later: What to expect in the hours of the day after this one; empty if too little is known.
        verdicts: What failed at the end of the hour, by the hours up to it and no later ones.
        unreadable_reason_code: Why the hour could not be read; None if it could.
    """

    source: str
    day: date
    hour: int
    revision: int
    looked_at: datetime
    counts: HourCounts | None
    expected: ExpectedHour | None = None
    verdicts: tuple[Verdict, ...] = ()
    unreadable_reason_code: str | None = None
    unreadable_reason: str | None = None
    later: tuple[ExpectedHour, ...] = ()
