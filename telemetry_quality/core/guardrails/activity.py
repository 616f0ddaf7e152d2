"""Activity: a day without a single event, or a day that could not be read at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails.faults import Fault
from telemetry_quality.core.guardrails.guardrail import Guardrail
from telemetry_quality.core.guardrails.verdicts import Level, Outcome, Verdict

if TYPE_CHECKING:
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.policies import Policy

NAME = "activity"
LEVEL = Level.CRITICAL


def judge(evidence: Evidence, policy: Policy) -> Verdict:  # noqa: ARG001 - guardrails share one signature
    """Fails on zero events; a day that could not be read never gets here (see ``judge_day``)."""
    total = evidence.figures.total_events
    if total:
        return Verdict(NAME, LEVEL, Outcome.PASSED, "ACTIVE", total, 0, f"{total:,} events were seen.")
    return Verdict(NAME, LEVEL, Outcome.FAILED, "ZERO_ACTIVITY", total, 0, "Not a single event was seen.")


GUARDRAIL = Guardrail(
    name=NAME,
    level=LEVEL,
    description="The day could be read and holds at least one event.",
    remedy="check whether the pipeline ran at all; the alert names the file or table",
    judge=judge,
    short_words=lambda _: "not a single event was seen",
    faults=frozenset({Fault.ZERO}),
)
