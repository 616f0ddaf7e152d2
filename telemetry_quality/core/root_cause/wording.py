"""Wording: how a root cause is described to people, in the same words everywhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails.verdicts import Segment
from telemetry_quality.core.root_cause.tables import Measure, RateMeasure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry_quality.core.guardrails.verdicts import Contributor, Verdict

HELD_PERCENT = 40
"""A segment that holds at least this share of a change is its root cause; below it, no single segment is."""

NOUNS = {
    Measure.EVENTS: "events",
    Measure.ERRORS: "errors",
    Measure.MISSING_VERSION: "events without a version",
    Measure.MISSING_CRITICAL: "missing critical values",
    Measure.LATE: "late events",
}


def noun(measure: Measure | RateMeasure) -> str:
    """What the measure counts, for people."""
    if isinstance(measure, RateMeasure):
        return f"events that {'do not match' if measure.is_of_the_rest else 'match'} the rate {measure.rate}"
    return NOUNS[measure]


@dataclass(frozen=True, slots=True)
class Cause:
    """Where a change lies, as sentences, pages and alerts say it: what the first of its contributors says.

    Attributes:
        segment: The segment that explains the change best.
        share_percent: Its share of the change; None if the change is not shared out.
        named: What the guardrail itself found to be broken, such as a missing field; None if it names nothing.
    """

    segment: Segment
    share_percent: float | None = None
    named: Segment | None = None

    @property
    def is_held(self) -> bool:
        """Whether the segment holds so much of the change that it is its root cause."""
        return self.share_percent is None or self.share_percent >= HELD_PERCENT

    def __str__(self) -> str:
        """The root cause by itself, as in ``root cause: carrier=MQ, between 14:00 and 18:00``."""
        if self.is_held:
            return str(self.segment)
        return f"no single segment, the largest is {self.segment} ({self.share_percent:.0f} %)"

    def clause(self) -> str:
        """The root cause at the end of a sentence: ``98 % of it between 14:00 and 18:00``; empty if all is said."""
        if self.segment == Segment():
            return "" if self.share_percent is None else "spread over the whole stream"
        at = "at " if self.segment.parts else ""
        if self.share_percent is None:
            return f"{at}{self.segment}"
        if not self.is_held:
            return f"no single segment holds it, the largest is {self.segment} with {self.share_percent:.0f} %"
        return f"{self.share_percent:.0f} % of it {at}{self.segment}"


def cause_of(contributors: Sequence[Contributor]) -> Cause | None:
    """The cause that a verdict's contributors show; None without contributors."""
    if not contributors:
        return None
    first = contributors[0]
    named = next((contributor.segment for contributor in contributors if contributor.share_percent is None), None)
    return Cause(first.segment, first.share_percent, named)


def sentence(contributors: Sequence[Contributor], measure: Measure | RateMeasure) -> str:
    """The cause in a sentence of its own, for people."""
    cause = cause_of(contributors)
    if cause is None:
        return "There is nothing to compare the day with."
    first = contributors[0]
    numbers = f"({first.found:,.0f} instead of {first.expected:,.0f})"
    if first.segment == Segment():
        return f"The change is spread over the whole stream {numbers}."
    what = f"{'missing' if first.found < first.expected else 'additional'} {noun(measure)}"
    share = f"{first.share_percent or 0:.0f} %"
    if not cause.is_held:
        return f"No single segment holds the {what}; the largest is {first.segment} with {share} {numbers}."
    return f"{share} of the {what} {'are ' if first.segment.parts else 'fall '}{first.segment} {numbers}."


def explained(verdict: Verdict, contributors: Sequence[Contributor], measure: Measure | RateMeasure) -> Verdict:
    """A failed verdict with its root cause in the sentence, and its contributors before what the guardrail named."""
    text = f"{verdict.sentence} {sentence(contributors, measure)}"
    return replace(verdict, sentence=text, contributors=(*contributors, *verdict.contributors))
