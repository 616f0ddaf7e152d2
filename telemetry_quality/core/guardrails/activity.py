"""Activity: a day without a single event where events are usual, or a day that could not be read at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.detectors.expected_volume import FEW_EVENTS
from telemetry_quality.core.guardrails.faults import Fault
from telemetry_quality.core.guardrails.guardrail import Guardrail
from telemetry_quality.core.guardrails.verdicts import Level, Outcome, Verdict
from telemetry_quality.core.policies import is_day_of_rest

if TYPE_CHECKING:
    from datetime import date

    from telemetry_quality.core.detectors.expected_volume import Expectation
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.policies import Policy

NAME = "activity"
LEVEL = Level.CRITICAL

USUALLY_EMPTY = "USUALLY_EMPTY"
"""Why a day without events passes: the stream is usually empty on such days, or the settings say that it rests."""


def judge(evidence: Evidence, policy: Policy) -> Verdict:
    """Fails on zero events unless that is usual; a day that could not be read never gets here (see ``judge_day``)."""
    total = evidence.figures.total_events
    if total:
        return Verdict(NAME, LEVEL, Outcome.PASSED, "ACTIVE", total, 0, f"{total:,} events were seen.")
    if evidence.expectation.is_empty_usual:
        why = why_empty_is_usual(evidence.day, evidence.expectation, policy)
        sentence = f"Not a single event was seen, which is usual: {why}."
        return Verdict(NAME, LEVEL, Outcome.PASSED, USUALLY_EMPTY, total, 0, sentence)
    return Verdict(NAME, LEVEL, Outcome.FAILED, "ZERO_ACTIVITY", total, 0, "Not a single event was seen.")


def why_empty_is_usual(day: date, expectation: Expectation, policy: Policy) -> str:
    """Why an empty ``day`` is usual, where ``expectation`` says that it is."""
    if is_day_of_rest(day, policy):
        return "the settings name it as a day of rest"
    if expectation.events is None:
        return "so few events were seen on earlier days that chance explains it"
    if 0.5 < expectation.events < FEW_EVENTS:
        return f"only about {expectation.events:.0f} a day are expected"
    return "earlier days like it were often empty"


GUARDRAIL = Guardrail(
    name=NAME,
    level=LEVEL,
    description="The day could be read and holds at least one event, unless the stream is usually empty on such a day.",
    remedy="check whether the pipeline ran at all; the alert names the file or table",
    judge=judge,
    short_words=lambda _: "not a single event was seen",
    knows_usual=True,
    faults=frozenset({Fault.ZERO}),
    needs_ordinary_days=True,
)
