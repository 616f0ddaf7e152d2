"""Sample: events drawn at random have a known signal, a version tag and their critical fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails.faults import Fault
from telemetry_quality.core.guardrails.guardrail import Guardrail
from telemetry_quality.core.guardrails.usual_share import USUAL_SHARE, beyond_words, explained_by_usual_share
from telemetry_quality.core.guardrails.verdicts import NO_EVENTS, Level, Outcome, Verdict, percent
from telemetry_quality.core.policies import Direction, Setting, one_of, percent_threshold
from telemetry_quality.core.sampling import clopper_pearson_percent

if TYPE_CHECKING:
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.metrics import DayFigures
    from telemetry_quality.core.policies import Policy

NAME = "sample"
LEVEL = Level.WARNING
THRESHOLD = percent_threshold(
    "sample_success_percent", 99.0, "WARNING strictly below", proposed=(80.0, 99.5), fails=Direction.BELOW
)


SAMPLE_REFUTED = "SAMPLE_REFUTED"
"""Why a sample below the threshold passes: of all events enough would pass."""

RULES = ("confirmed", "threshold")
RULE = Setting(
    "sample_rule",
    "confirmed",
    "when a sample below `sample_success_percent` fails: `confirmed` unless all events of the day, counted, reach that "
    "share, so that the draw was bad luck; `threshold` always",
    complaint=one_of(*RULES),
)


def judge(evidence: Evidence, policy: Policy) -> Verdict:
    """Fails strictly below the threshold, unless the count of all events refutes the sample; unknown without events.

    At a true 0.5 % of bad events, 9 samples of 100 in a hundred have two or more of them and would fail for nothing.
    """
    figures, threshold = evidence.figures, policy[THRESHOLD]
    rate = figures.sampling_success_rate_percent
    if rate is None or not figures.sample_size or figures.sample_passed is None:
        sentence = "The sample cannot be judged: no event could be drawn."
        return Verdict(NAME, LEVEL, Outcome.UNKNOWN, NO_EVENTS, None, threshold, sentence)
    lower, upper = clopper_pearson_percent(figures.sample_passed, figures.sample_size)
    facts = (
        f"{figures.sample_passed} of {figures.sample_size} sampled events pass ({percent(rate, threshold, 1)}; "
        f"95 % interval for the whole day {lower:.1f} to {upper:.1f} %)"
    )
    outcome, code, words = Outcome.PASSED, "SAMPLE_OK", f"at least {threshold:g} %{_all_words(figures, threshold)}"
    if rate < threshold:
        outcome, code, words = _below(evidence, policy, rate)
    return Verdict(NAME, LEVEL, outcome, code, rate, threshold, f"{facts}, {words}.")


def _below(evidence: Evidence, policy: Policy, rate: float) -> tuple[Outcome, str, str]:
    """What a sample below the threshold means: outcome, reason code and the end of the sentence."""
    figures, threshold = evidence.figures, policy[THRESHOLD]
    if policy[RULE] == "confirmed":
        if figures.verified_percent is not None and figures.verified_percent >= threshold:
            words = f"less than {threshold:g} %{_all_words(figures, threshold)}: the draw was bad luck"
            return Outcome.PASSED, SAMPLE_REFUTED, words
        if (why := explained_by_usual_share(evidence, "verified_percent", rate, is_low=True)) is not None:
            return Outcome.PASSED, USUAL_SHARE, beyond_words(threshold, why, is_low=True)
    return Outcome.FAILED, "SAMPLE_FAILED", f"fewer than the {threshold:g} % required{_all_words(figures, threshold)}"


def _all_words(figures: DayFigures, threshold: float) -> str:
    """How many of all events would pass, if they were counted."""
    if figures.verified_percent is None:
        return ""
    return f"; of all {figures.total_events:,} events {percent(figures.verified_percent, threshold, 2)} would pass"


GUARDRAIL = Guardrail(
    name=NAME,
    level=LEVEL,
    description=(
        "Of a random sample of events, or of all events, at least the threshold (99 % unless set) passes verification."
    ),
    remedy="read the sample's reason codes",
    judge=judge,
    thresholds=(THRESHOLD,),
    settings=(RULE,),
    metric="sampling_success_rate_percent",
    short_words=lambda failure: (
        f"{percent(failure.value, failure.threshold, 1)} of the sample passed ({failure.threshold:g} % required)"
    ),
    faults=frozenset({Fault.SPOILED}),
)
