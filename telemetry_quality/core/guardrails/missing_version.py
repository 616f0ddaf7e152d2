"""Missing version: events nobody can assign to a release cannot be compared between releases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails.verdicts import NO_EVENTS, Level, Outcome, Verdict, percent

if TYPE_CHECKING:
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.policies import Policy

NAME = "missing_version"
LEVEL = Level.WARNING
DESCRIPTION = "The share of events without a version tag is at most the threshold (1 % unless set)."


def judge(evidence: Evidence, policy: Policy) -> Verdict:
    """Fails strictly above the threshold; unknown on a day without events."""
    figures = evidence.figures
    share, threshold = figures.missing_version_percent, policy.missing_version_percent
    if share is None:
        outcome, code = Outcome.UNKNOWN, NO_EVENTS
        sentence = "Version tags cannot be judged: there are no events."
    elif share > threshold:
        outcome, code = Outcome.FAILED, "VERSION_MISSING"
        sentence = (
            f"{percent(share, threshold, 2)} of {figures.total_events:,} events carry no version "
            f"({figures.missing_version_events:,}), more than the {threshold:g} % allowed."
        )
    else:
        outcome, code = Outcome.PASSED, "VERSION_PRESENT"
        sentence = (
            f"{percent(share, threshold, 2)} of {figures.total_events:,} events carry no version, "
            f"within {threshold:g} %."
        )
    return Verdict(NAME, LEVEL, outcome, code, share, threshold, sentence)
