"""The verdict: what one guardrail says of one day."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a failure is, by its consequence; named after Python's logging levels."""

    CRITICAL = "CRITICAL"
    """The day must not be used: wake somebody."""
    WARNING = "WARNING"
    """Part of the day is wrong: look today."""
    INFO = "INFO"
    """Worth knowing when something else is odd."""


class Outcome(StrEnum):
    """What a guardrail may say."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Not judged: too little history, or nothing to judge."""


def percent(value: float, threshold: float, digits: int) -> str:
    """``value`` with at least ``digits`` decimals, and as many more as tell it from ``threshold``."""
    while digits < 8 and value != threshold and round(value, digits) == round(threshold, digits):
        digits += 1
    return f"{value:.{digits}f} %"


DAY_UNREADABLE = "DAY_UNREADABLE"
NO_EVENTS = "NO_EVENTS"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One guardrail's answer for one day.

    Attributes:
        reason_code: Stable identifier; pages and alerts group by it.
        value: The number judged, None where there is none.
        sentence: What happened, for a person.
    """

    guardrail: str
    level: Level
    outcome: Outcome
    reason_code: str
    value: float | None
    threshold: float | None
    sentence: str
