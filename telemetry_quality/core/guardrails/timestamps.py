"""Timestamps: events dated in the future or far in the past are missing from the day on which they happened.

Events without a readable time are no part of the share: ``unreadable_times`` judges them, so that one cause fails one
guardrail. The number ``invalid_timestamp_percent`` counts both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails.faults import Fault
from telemetry_quality.core.guardrails.guardrail import Guardrail, share_words
from telemetry_quality.core.guardrails.usual_share import USUAL_SHARE, beyond_words, explained_by_usual_share
from telemetry_quality.core.guardrails.verdicts import NO_EVENTS, Level, Outcome, Verdict, percent
from telemetry_quality.core.policies import percent_threshold

if TYPE_CHECKING:
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.policies import Policy

NAME = "timestamps"
LEVEL = Level.WARNING
THRESHOLD = percent_threshold(
    "invalid_timestamp_percent",
    1.0,
    "share of the events arriving on a day whose timestamp is in the future or far in the past; WARNING strictly above",
    proposed=(0.1, 50.0),
)


def applies(schema: EventSchema) -> bool:
    """Whether the source records when its events arrived, which timestamps are compared with."""
    return schema.observed_at is not None


def judge(evidence: Evidence, policy: Policy) -> Verdict:
    """Fails strictly above the threshold; unknown if nothing arrived or arrivals were not counted."""
    share, threshold = evidence.figures.impossible_timestamp_percent, policy[THRESHOLD]
    if share is None:
        outcome, code = Outcome.UNKNOWN, NO_EVENTS
        sentence = "Timestamps cannot be judged: it is not known which events arrived on the day."
    elif share > threshold:
        why = explained_by_usual_share(evidence, "impossible_timestamp_percent", share)
        outcome, code = (Outcome.FAILED, "TIMESTAMPS_IMPOSSIBLE") if why is None else (Outcome.PASSED, USUAL_SHARE)
        sentence = f"{_facts(share, threshold)}, {beyond_words(threshold, why)}."
    else:
        outcome, code, sentence = (
            Outcome.PASSED,
            "TIMESTAMPS_OK",
            f"{_facts(share, threshold)}, within {threshold:g} %.",
        )
    return Verdict(NAME, LEVEL, outcome, code, share, threshold, sentence)


def _facts(share: float, threshold: float) -> str:
    return (
        f"{percent(share, threshold, 2)} of the events that arrived on the day have an impossible timestamp "
        "(in the future or far in the past)"
    )


GUARDRAIL = Guardrail(
    name=NAME,
    level=LEVEL,
    description=(
        "Of the events that arrived on the day, at most the threshold (1 % unless set) are dated in the future or far "
        "in the past."
    ),
    remedy="look for a broken clock or a replay",
    judge=judge,
    thresholds=(THRESHOLD,),
    metric="impossible_timestamp_percent",
    short_words=share_words("have an impossible timestamp"),
    faults=frozenset({Fault.SPOILED}),
    applies=applies,
)
