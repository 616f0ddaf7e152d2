"""Timestamps: events whose time cannot be true, which put them into a wrong day or into none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails.verdicts import NO_EVENTS, Level, Outcome, Verdict, percent

if TYPE_CHECKING:
    from telemetry_quality.core.events import EventSchema
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.policies import Policy

NAME = "timestamps"
LEVEL = Level.WARNING
DESCRIPTION = "Of the events that arrived on the day, at most the threshold (1 % unless set) bear an impossible time."


def applies(schema: EventSchema) -> bool:
    """Only a source that says when its events arrived: other times have nothing to be compared with."""
    return schema.observed_at is not None


def judge(evidence: Evidence, policy: Policy) -> Verdict:
    """Fails strictly above the threshold; unknown where nothing arrived or arrivals were not counted."""
    share, threshold = evidence.figures.misdated_percent, policy.misdated_percent
    if share is None:
        outcome, code = Outcome.UNKNOWN, NO_EVENTS
        sentence = "Timestamps cannot be judged: it is not known which events arrived on the day."
    elif share > threshold:
        outcome, code = Outcome.FAILED, "TIMESTAMPS_IMPOSSIBLE"
        sentence = f"{_facts(share, threshold)}, more than the {threshold:g} % allowed."
    else:
        outcome, code, sentence = (
            Outcome.PASSED,
            "TIMESTAMPS_OK",
            f"{_facts(share, threshold)}, within {threshold:g} %.",
        )
    return Verdict(NAME, LEVEL, outcome, code, share, threshold, sentence)


def _facts(share: float, threshold: float) -> str:
    return (
        f"{percent(share, threshold, 2)} of the events that arrived on the day bear a time that is in the future, "
        "in the far past or unreadable"
    )
