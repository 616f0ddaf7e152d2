"""Wording: how a root cause is described to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails.verdicts import Segment
from telemetry_quality.core.root_cause.tables import Measure, RateMeasure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry_quality.core.guardrails.verdicts import Contributor

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


def sentence(contributors: Sequence[Contributor], measure: Measure | RateMeasure) -> str:
    """The first contributor in a sentence, for people."""
    if not contributors:
        return "There is nothing to compare the day with."
    contributor = contributors[0]
    numbers = f"({contributor.found:,.0f} instead of {contributor.expected:,.0f})"
    if contributor.segment == Segment():
        return f"The change is spread over the whole stream {numbers}."
    kind = "missing" if contributor.found < contributor.expected else "additional"
    where = f"are {contributor.segment}" if contributor.segment.parts else f"fall into {contributor.segment.hours_text}"
    return f"{contributor.share_percent or 0:.0f} % of the {kind} {noun(measure)} {where} {numbers}."
