"""Unreadable times: events that arrive without a readable time belong to no day, and would be missing in silence.

Sources without arrival times are not judged: of files, a day with more than 1 % such events is unknown instead.
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
    from telemetry_quality.core.metrics import DayFigures
    from telemetry_quality.core.policies import Policy

NAME = "unreadable_times"
LEVEL = Level.WARNING
THRESHOLD = percent_threshold(
    "unreadable_time_percent",
    1.0,
    "share of the events arriving on a day whose time is missing or cannot be read; WARNING strictly above",
    proposed=(0.1, 50.0),
)
REMEDY = "check time_unit and time_format, then look at the client"


def applies(schema: EventSchema) -> bool:
    """Whether the source records when its events arrived: nothing else dates an event without a readable time."""
    return schema.observed_at is not None


def judge(evidence: Evidence, policy: Policy) -> Verdict:
    """Fails strictly above the threshold; unknown if nothing arrived or arrivals were not counted."""
    share, threshold = evidence.figures.unreadable_time_percent, policy[THRESHOLD]
    if share is None:
        outcome, code = Outcome.UNKNOWN, NO_EVENTS
        sentence = "Unreadable times cannot be judged: it is not known which events arrived on the day."
    elif share <= threshold:
        outcome, code = Outcome.PASSED, "TIMES_READABLE"
        sentence = f"{_facts(evidence.figures, share, threshold)}, within {threshold:g} %."
    elif why := explained_by_usual_share(evidence, "unreadable_time_percent", share):
        outcome, code = Outcome.PASSED, USUAL_SHARE
        sentence = f"{_facts(evidence.figures, share, threshold)}, {beyond_words(threshold, why)}."
    else:
        outcome, code = Outcome.FAILED, "TIMES_LOST"
        sentence = f"{_facts(evidence.figures, share, threshold)}, {beyond_words(threshold, None)}: {REMEDY}."
    return Verdict(NAME, LEVEL, outcome, code, share, threshold, sentence)


def _facts(figures: DayFigures, share: float, threshold: float) -> str:
    return (
        f"{figures.unreadable_time_events or 0:,} of {figures.arrived_events or 0:,} events that arrived on the day "
        f"({percent(share, threshold, 2)}) have no readable time"
    )


GUARDRAIL = Guardrail(
    name=NAME,
    level=LEVEL,
    description="Of the events that arrived on the day, at most the threshold (1 % unless set) have no readable time.",
    remedy=REMEDY,
    judge=judge,
    thresholds=(THRESHOLD,),
    metric="unreadable_time_percent",
    short_words=share_words("have no readable time"),
    faults=frozenset({Fault.SPOILED}),
    applies=applies,
)
