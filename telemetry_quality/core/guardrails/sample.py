"""Sample: events drawn at random have a known signal, a version tag and their critical fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails.faults import Fault
from telemetry_quality.core.guardrails.guardrail import Guardrail
from telemetry_quality.core.guardrails.verdicts import NO_EVENTS, Level, Outcome, Verdict, percent
from telemetry_quality.core.policies import Direction, percent_threshold
from telemetry_quality.core.sampling import clopper_pearson_percent

if TYPE_CHECKING:
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.policies import Policy

NAME = "sample"
LEVEL = Level.WARNING
THRESHOLD = percent_threshold(
    "sample_success_percent", 99.0, "WARNING strictly below", proposed=(80.0, 99.5), fails=Direction.BELOW
)


def judge(evidence: Evidence, policy: Policy) -> Verdict:
    """Fails strictly below the threshold; unknown if no event could be drawn."""
    figures = evidence.figures
    rate, threshold = figures.sampling_success_rate_percent, policy[THRESHOLD]
    if rate is None or not figures.sample_size or figures.sample_passed is None:
        sentence = "The sample cannot be judged: no event could be drawn."
        return Verdict(NAME, LEVEL, Outcome.UNKNOWN, NO_EVENTS, None, threshold, sentence)
    lower, upper = clopper_pearson_percent(figures.sample_passed, figures.sample_size)
    facts = (
        f"{figures.sample_passed} of {figures.sample_size} sampled events pass ({percent(rate, threshold, 1)}; "
        f"95 % interval for the whole day {lower:.1f} to {upper:.1f} %)"
    )
    if rate < threshold:
        sentence = f"{facts}, fewer than the {threshold:g} % required."
        return Verdict(NAME, LEVEL, Outcome.FAILED, "SAMPLE_FAILED", rate, threshold, sentence)
    sentence = f"{facts}, at least {threshold:g} %."
    return Verdict(NAME, LEVEL, Outcome.PASSED, "SAMPLE_OK", rate, threshold, sentence)


GUARDRAIL = Guardrail(
    name=NAME,
    level=LEVEL,
    description="Of a random sample of events, at least the threshold (99 % unless set) passes verification.",
    remedy="read the sample's reason codes",
    judge=judge,
    thresholds=(THRESHOLD,),
    metric="sampling_success_rate_percent",
    short_words=lambda failure: (
        f"{percent(failure.value, failure.threshold, 1)} of the sample passed ({failure.threshold:g} % required)"
    ),
    faults=frozenset({Fault.SPOILED}),
)
