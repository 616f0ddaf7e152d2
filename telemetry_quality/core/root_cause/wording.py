"""Wording: what a root cause says to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails.verdicts import Place
from telemetry_quality.core.root_cause.tables import Measure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry_quality.core.guardrails.verdicts import Cause

NOUNS = {
    Measure.EVENTS: "events",
    Measure.ERRORS: "errors",
    Measure.MISSING_VERSION: "events without a version",
    Measure.MISSING_CRITICAL: "missing critical values",
    Measure.LATE: "late events",
}


def sentence(causes: Sequence[Cause], measure: Measure) -> str:
    """What the first cause says, for people."""
    if not causes:
        return "There is nothing to compare the day with."
    cause = causes[0]
    numbers = f"({cause.found:,.0f} instead of {cause.expected:,.0f})"
    if cause.place == Place():
        return f"The change is spread over the whole stream {numbers}."
    kind = "missing" if cause.found < cause.expected else "additional"
    where = f"are {cause.place}" if cause.place.parts else f"fall into {cause.place.hours_text}"
    return f"{cause.share_percent or 0:.0f} % of the {kind} {NOUNS[measure]} {where} {numbers}."
