"""Arrival lag: more events than usual arrive late, so the day's early numbers are too low."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.bases import ARRIVAL_TIME
from telemetry_quality.core.detectors.late_arrivals import known_from, usual_late_shares
from telemetry_quality.core.guardrails.faults import Fault
from telemetry_quality.core.guardrails.guardrail import Guardrail, share_words
from telemetry_quality.core.guardrails.lost_bases import ARRIVAL_TIMES_LOST, Basis, or_lost
from telemetry_quality.core.guardrails.usual_share import USUAL_SHARE, beyond_words, explained_by_usual_share
from telemetry_quality.core.guardrails.verdicts import (
    HISTORY_TOO_SHORT,
    NO_EVENTS,
    Level,
    Outcome,
    Verdict,
    percent,
)
from telemetry_quality.core.policies import percent_threshold
from telemetry_quality.core.root_cause.tables import Measure

if TYPE_CHECKING:
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.metrics import DayFigures
    from telemetry_quality.core.policies import Policy

NAME = "arrival_lag"
LEVEL = Level.WARNING
THRESHOLD = percent_threshold(
    "late_percent",
    5.0,
    "share of late events; WARNING strictly above, if it is also higher than usual",
    proposed=(0.5, 50.0),
)

BASIS = Basis(ARRIVAL_TIME, ARRIVAL_TIMES_LOST, "say when they arrived")


def applies(schema: EventSchema) -> bool:
    """Whether the source records when its events arrived."""
    return schema.observed_at is not None


def judge(evidence: Evidence, policy: Policy) -> Verdict:
    """Fails strictly above the threshold and strictly above what the stream's own days reach.

    Within the threshold a day passes, whatever is known about earlier days, unless far fewer events than usual say when
    they arrived.
    """
    return or_lost(_judged(evidence, policy), BASIS, evidence)


def _judged(evidence: Evidence, policy: Policy) -> Verdict:
    figures = evidence.figures
    share, threshold = figures.late_percent, policy[THRESHOLD]
    if share is None:
        sentence = "Late events cannot be judged: the day has no events, or their arrival times are not known."
        return Verdict(NAME, LEVEL, Outcome.UNKNOWN, NO_EVENTS, None, threshold, sentence)
    facts = f"{percent(share, threshold, 2)} of {figures.total_events:,} events arrived late"
    if share <= threshold:
        sentence = f"{facts}, within {threshold:g} %.{_provisional(figures)}"
        return Verdict(NAME, LEVEL, Outcome.PASSED, "ARRIVALS_OK", share, threshold, sentence)
    history = {day: late for day, late in evidence.late_percents.items() if day < evidence.day}
    if (first_known := known_from(evidence.day, history)) is not None:
        sentence = (
            f"{facts}; it is too early to say whether that is usual: too few earlier days are known; "
            f"if no day is missing, it can be judged from {first_known}."
        )
        return Verdict(NAME, LEVEL, Outcome.UNKNOWN, HISTORY_TOO_SHORT, share, threshold, sentence)
    usual, limit = usual_late_shares(evidence.day, history)
    comparison = f"{usual:.1f} % is usual, and up to {limit:.1f} % is normal here"
    if share > limit and (why := explained_by_usual_share(evidence, "late_percent", share)) is not None:
        sentence = f"{facts}, {beyond_words(threshold, why)}.{_provisional(figures)}"
        return Verdict(NAME, LEVEL, Outcome.PASSED, USUAL_SHARE, share, threshold, sentence)
    if share > limit:
        sentence = f"{facts}, more than the {threshold:g} % allowed; {comparison}.{_provisional(figures)}"
        return Verdict(NAME, LEVEL, Outcome.FAILED, "ARRIVALS_LATE", share, threshold, sentence)
    sentence = f"{facts}, more than {threshold:g} %, but {comparison}.{_provisional(figures)}"
    return Verdict(NAME, LEVEL, Outcome.PASSED, "ARRIVALS_OK", share, threshold, sentence)


def _provisional(figures: DayFigures) -> str:
    if not figures.is_provisional:
        return ""
    if figures.completeness_percent is None:
        return " The day is provisional."
    return f" Provisional: usually {figures.completeness_percent:.0f} % of a day have arrived by now."


GUARDRAIL = Guardrail(
    name=NAME,
    level=LEVEL,
    description="The share of late events is at most the threshold (5 % unless set), or usual for the stream.",
    remedy="expect the day to change; look at the transport",
    judge=judge,
    thresholds=(THRESHOLD,),
    metric="late_percent",
    short_words=share_words("arrived late"),
    knows_usual=True,
    measure=Measure.LATE,
    measures={ARRIVAL_TIMES_LOST: None},
    faults=frozenset({Fault.SPOILED}),
    applies=applies,
)
