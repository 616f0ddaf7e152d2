"""Error rate: a day on which too many events are errors must not be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.bases import ERROR_STATE
from telemetry_quality.core.guardrails.faults import Fault
from telemetry_quality.core.guardrails.guardrail import Guardrail, RunningView, limit
from telemetry_quality.core.guardrails.lost_bases import ERROR_STATE_LOST, Basis, or_lost
from telemetry_quality.core.guardrails.usual_share import USUAL_SHARE, beyond_words, explained_by_usual_share
from telemetry_quality.core.guardrails.verdicts import (
    NO_ERROR_STATE,
    NO_EVENTS,
    NONE_BY_CHOICE,
    Level,
    Outcome,
    Verdict,
    percent,
)
from telemetry_quality.core.policies import percent_threshold
from telemetry_quality.core.root_cause.tables import Measure

if TYPE_CHECKING:
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.policies import Policy

NAME = "error_rate"
LEVEL = Level.CRITICAL
THRESHOLD = percent_threshold("error_rate_percent", 5.0, "CRITICAL strictly above", proposed=(0.5, 50.0))
BASIS = Basis(ERROR_STATE, ERROR_STATE_LOST, "say whether they are an error")


def judge(evidence: Evidence, policy: Policy) -> Verdict:
    """Fails strictly above the threshold, unless the day has few events and the stream's usual rate explains them.

    Fails too if far fewer events than usual say whether they are an error; unknown if none ever did.
    """
    return or_lost(_judged(evidence, policy), BASIS, evidence)


def _judged(evidence: Evidence, policy: Policy) -> Verdict:
    figures = evidence.figures
    rate, threshold = figures.error_rate_percent, policy[THRESHOLD]
    if figures.total_events and figures.error_events is None:
        outcome, code = Outcome.UNKNOWN, NONE_BY_CHOICE
        sentence = f"The error rate is not judged: {NO_ERROR_STATE}."
    elif rate is None:
        outcome, code = Outcome.UNKNOWN, NO_EVENTS if not figures.total_events else "ERROR_STATE_ABSENT"
        sentence = (
            "The error rate cannot be judged: there are no events."
            if not figures.total_events
            else f"The error rate cannot be judged: none of {figures.total_events:,} events says whether it "
            "is an error."
        )
    elif rate > threshold:
        why = explained_by_usual_share(evidence, "error_rate_percent", rate)
        outcome, code = (Outcome.FAILED, "ERROR_RATE_HIGH") if why is None else (Outcome.PASSED, USUAL_SHARE)
        sentence = (
            f"{percent(rate, threshold, 2)} of {figures.total_events:,} events are errors ({figures.error_events:,}), "
            f"{beyond_words(threshold, why)}."
        )
    else:
        outcome, code = Outcome.PASSED, "ERROR_RATE_OK"
        sentence = (
            f"{percent(rate, threshold, 2)} of {figures.total_events:,} events are errors, within {threshold:g} %."
        )
    return Verdict(NAME, LEVEL, outcome, code, rate, threshold, sentence)


GUARDRAIL = Guardrail(
    name=NAME,
    level=LEVEL,
    description="The share of events that are errors is at most the threshold (5 % unless set).",
    remedy="the alert names the signal, version, dimension and hours",
    judge=judge,
    thresholds=(THRESHOLD,),
    metric="error_rate_percent",
    short_words=lambda failure: f"error rate {percent(failure.value, failure.threshold, 2)} {limit(failure)}",
    measure=Measure.ERRORS,
    measures={ERROR_STATE_LOST: None},
    faults=frozenset({Fault.SPOILED}),
    running_view=RunningView.SO_FAR,
)
