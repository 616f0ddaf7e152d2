"""Failures: what incidents are made of, failed verdicts of days as they stand now."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.guardrails.rates import RATE_LOW
from telemetry_quality.core.guardrails.sample import NAME as SAMPLE
from telemetry_quality.core.incidents.segments import UNREADABLE
from telemetry_quality.core.root_cause import cause_of

if TYPE_CHECKING:
    from datetime import date

    from telemetry_quality.core.guardrails.verdicts import Contributor, Level
    from telemetry_quality.core.root_cause import Cause


@dataclass(frozen=True, slots=True)
class FailedGuardrail:
    """A failed verdict of a day as it stands now, or the verdict that the day could not be read.

    Attributes:
        root_cause: The segment that holds the change, EVERYWHERE if none does, or UNREADABLE; always without hours,
            because failures of several days are compared by it.
        foremost: The segment named first, even if it holds little of the change; empty if none is named.
        is_confined: Whether nearly all of it lies there, so that a failure elsewhere has another root cause.
        contributors: The segments that changed, as the verdict names them.
    """

    day: date
    guardrail: str
    level: Level
    reason_code: str
    value: float | None
    threshold: float | None
    sentence: str
    root_cause: str
    foremost: str
    is_confined: bool
    revision: int
    contributors: tuple[Contributor, ...] = ()

    @property
    def cause(self) -> Cause | None:
        """What people are told about it; None if nothing is known."""
        return cause_of(self.contributors)

    @property
    def where(self) -> str:
        """The root cause for people, with its hours."""
        cause = None if self.root_cause == UNREADABLE else self.cause
        return self.root_cause if cause is None else str(cause)

    def times_threshold(self) -> float:
        """How many times its threshold the value is; infinite if there is nothing to divide by.

        A share that must not fall below its threshold is measured by its distance from 100 %.
        """
        if self.value is None or not self.threshold:
            return inf
        if self.guardrail != SAMPLE and self.reason_code != RATE_LOW:
            return abs(self.value) / self.threshold
        return (100 - self.value) / (100 - self.threshold) if self.threshold < 100 else inf

    def as_json(self) -> dict[str, Any]:
        """Every field under its own name; JSON types only."""
        return {
            "day": self.day.isoformat(),
            "guardrail": self.guardrail,
            "level": self.level.value,
            "reason_code": self.reason_code,
            "value": self.value,
            "threshold": self.threshold,
            "sentence": self.sentence,
            "root_cause": self.where,
            "foremost": self.foremost,
            "is_confined": self.is_confined,
            "revision": self.revision,
        }
