"""The verdict: what one guardrail says about one day."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Level(StrEnum):
    """How bad a failure is, defined by its consequence; named after Python's logging levels."""

    CRITICAL = "CRITICAL"
    """The day must not be used; somebody must act at once."""
    WARNING = "WARNING"
    """Part of the day is wrong; somebody should look today."""
    INFO = "INFO"
    """Worth knowing when something else is odd."""


class Outcome(StrEnum):
    """The possible results of a guardrail."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Not judged: too little history, or nothing to judge."""


def percent(value: float, threshold: float, digits: int) -> str:
    """``value`` with at least ``digits`` decimals, and as many more as distinguish it from ``threshold``."""
    while digits < 8 and value != threshold and round(value, digits) == round(threshold, digits):
        digits += 1
    return f"{value:.{digits}f} %"


@dataclass(frozen=True, slots=True)
class Segment:
    """The events of a day for which all ``parts`` hold, such as platform is ios and event_name is page.view.

    Attributes:
        parts: Names and values; an empty tuple means everywhere.
        hours: First and last whole hour since the day began; None for the whole day.
        clock: When these hours begin and end by the clock, where a change of the clock moves them; otherwise None.
    """

    parts: tuple[tuple[str, str | None], ...] = ()
    hours: tuple[int, int] | None = None
    clock: tuple[str, str] | None = field(default=None, compare=False)

    def __str__(self) -> str:
        """``carrier=MQ, between 14:00 and 18:00``; ``everywhere`` for all events."""
        if self.hours is None:
            return self.name
        return f"{self.name}, {self.hours_text}" if self.parts else self.hours_text

    @property
    def name(self) -> str:
        """The segment without its hours: ``carrier=MQ``, or ``everywhere``."""
        words = [f"{name}={'(null)' if value is None else value}" for name, value in self.parts]
        return " × ".join(words) or "everywhere"

    @property
    def hours_text(self) -> str:
        """``between 14:00 and 18:00``, by the clock and without the end; ``all day`` for the whole day."""
        if self.hours is None:
            return "all day"
        begin, end = self.clock or (f"{self.hours[0]:02}:00", f"{self.hours[1] + 1:02}:00")
        return f"between {begin} and {end}"


@dataclass(frozen=True, slots=True)
class Contributor:
    """A segment that changed, and its share of the change.

    Attributes:
        expected: What earlier days suggest for the segment, in the unit of what changed (events, errors, percent).
        found: What the day holds in the segment.
        share_percent: The segment's share of the whole day's change; None if the change is not shared out.
        since: The first day of the change; None if that is the judged day or not known.
    """

    segment: Segment
    expected: float
    found: float
    share_percent: float | None = None
    since: date | None = None

    def as_json(self) -> dict[str, Any]:
        """Every field under its own name, the segment as its parts and hours; JSON types only."""
        return {
            "parts": [list(part) for part in self.segment.parts],
            "hours": None if self.segment.hours is None else list(self.segment.hours),
            **({} if self.segment.clock is None else {"clock": list(self.segment.clock)}),
            "expected": self.expected,
            "found": self.found,
            "share_percent": self.share_percent,
            "since": None if self.since is None else self.since.isoformat(),
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Contributor:
        """The contributor whose ``as_json`` this is."""
        hours, clock, since = row["hours"], row.get("clock"), row["since"]
        return cls(
            segment=Segment(
                tuple(map(tuple, row["parts"])), None if hours is None else tuple(hours), clock and tuple(clock)
            ),
            expected=row["expected"],
            found=row["found"],
            share_percent=row["share_percent"],
            since=None if since is None else date.fromisoformat(since),
        )


ACCEPTED = "ACCEPTED"
"""Why a day passes that would fail: somebody accepted what is found as intended."""
MARKED_SPECIAL = "MARKED_SPECIAL"
"""Why a day passes that would fail: somebody marked it as special, so it is not compared with ordinary days."""
NONE_BY_CHOICE = "NONE_BY_CHOICE"
"""Why a day is unknown: by its settings, the source has none of what would be judged."""
NO_VERSIONS = "this source has no versions by choice (service_version is NULL)"
NO_ERROR_STATE = "this source has no error state by choice (is_error is NULL)"
DAY_UNREADABLE = "DAY_UNREADABLE"
NO_EVENTS = "NO_EVENTS"
HISTORY_TOO_SHORT = "HISTORY_TOO_SHORT"
SLICES_NOT_COUNTED = "SLICES_NOT_COUNTED"
"""Why a day is unknown: its scan has no slices."""
HOURS_NOT_COUNTED = "HOURS_NOT_COUNTED"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one guardrail says about one day.

    Attributes:
        reason_code: Stable identifier; pages and alerts group by it.
        value: The judged number, None if there is none.
        sentence: What happened, for a person.
        contributors: The segments where it happened, the most significant first.
    """

    guardrail: str
    level: Level
    outcome: Outcome
    reason_code: str
    value: float | None
    threshold: float | None
    sentence: str
    contributors: tuple[Contributor, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Every field under its own name; JSON types only."""
        return {
            "guardrail": self.guardrail,
            "level": self.level.value,
            "outcome": self.outcome.value,
            "reason_code": self.reason_code,
            "value": self.value,
            "threshold": self.threshold,
            "sentence": self.sentence,
            "contributors": [contributor.as_json() for contributor in self.contributors],
        }
