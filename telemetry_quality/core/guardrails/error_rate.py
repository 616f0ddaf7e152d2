"""Error rate: a day on which too many events are errors is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails.verdicts import NO_EVENTS, Level, Outcome, Verdict, percent

if TYPE_CHECKING:
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.policies import Policy

NAME = "error_rate"
LEVEL = Level.CRITICAL
DESCRIPTION = "The share of events that are errors is at most the threshold (5 % unless set)."


def judge(evidence: Evidence, policy: Policy) -> Verdict:
    """Fails strictly above the threshold; unknown on a day without events that say whether they are errors."""
    figures = evidence.figures
    rate, threshold = figures.error_rate_percent, policy.error_rate_percent
    if rate is None:
        outcome, code = Outcome.UNKNOWN, NO_EVENTS if not figures.total_events else "ERROR_STATE_ABSENT"
        sentence = (
            "The error rate cannot be judged: there are no events."
            if not figures.total_events
            else f"The error rate cannot be judged: none of {figures.total_events:,} events says whether it is one."
        )
    elif rate > threshold:
        outcome, code = Outcome.FAILED, "ERROR_RATE_HIGH"
        sentence = (
            f"{percent(rate, threshold, 2)} of {figures.total_events:,} events are errors ({figures.error_events:,}), "
            f"more than the {threshold:g} % allowed."
        )
    else:
        outcome, code = Outcome.PASSED, "ERROR_RATE_OK"
        sentence = (
            f"{percent(rate, threshold, 2)} of {figures.total_events:,} events are errors, within {threshold:g} %."
        )
    return Verdict(NAME, LEVEL, outcome, code, rate, threshold, sentence)
