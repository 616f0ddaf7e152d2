"""Cardinality: far more different event names and versions than usual, as when an id gets into a name."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from telemetry_quality.core.clipping import LONGEST_TEXT
from telemetry_quality.core.guardrails.guardrail import ExtraNumber, Guardrail
from telemetry_quality.core.guardrails.verdicts import HISTORY_TOO_SHORT, NO_EVENTS, Level, Outcome, Verdict
from telemetry_quality.core.metrics import Unit, extra_metric
from telemetry_quality.core.policies import Setting

if TYPE_CHECKING:
    from telemetry_quality.core.events import Cardinality
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.guardrails.guardrail import Failure
    from telemetry_quality.core.policies import Policy

NAME = "cardinality"
LEVEL = Level.WARNING
FACTOR = Setting(
    "combinations_factor",
    5.0,
    "how many times as many event names × versions as usual; WARNING strictly above",
    minimum=1,
)

FEW_COMBINATIONS = 500
"""So many names × versions are never too many: a release of a small stream easily makes five times as many."""

LEAST_DAYS = 7
"""Earlier days that say what is usual."""

COMBINATIONS = extra_metric(
    "combinations",
    "Names × versions",
    "How many different event names × versions the events of the day have.",
    Unit.COMBINATIONS,
)
OTHER_EVENTS = extra_metric(
    "other_events",
    "Summed as (other)",
    "Events whose name × version is not among the busiest that are counted individually.",
    Unit.EVENTS,
)
CLIPPED_EVENTS = extra_metric(
    "clipped_events",
    "Clipped",
    f"Events whose name or version has more than {LONGEST_TEXT} characters and was clipped.",
    Unit.EVENTS,
)


def judge(evidence: Evidence, policy: Policy) -> Verdict:
    """Fails strictly above the factor times the median of earlier days.

    While that is not known, it fails if not all names × versions of the day could be counted individually.
    """
    found, threshold = evidence.cardinalities.get(evidence.day), policy[FACTOR]
    if not evidence.figures.total_events or found is None:
        is_empty = not evidence.figures.total_events
        code, why = (NO_EVENTS, "there are no events") if is_empty else ("NOT_COUNTED", "they were not counted")
        sentence = f"Names and versions cannot be judged: {why}."
        return Verdict(NAME, LEVEL, Outcome.UNKNOWN, code, None, threshold, sentence)
    facts, usual = _facts(found), _usual(evidence)
    if found.combinations <= FEW_COMBINATIONS:
        code = "TEXTS_CLIPPED" if found.clipped_events else "CARDINALITY_OK"
        return Verdict(NAME, LEVEL, Outcome.PASSED, code, None, threshold, f"{facts}.")
    if usual is None and found.other_events:
        return Verdict(NAME, LEVEL, Outcome.FAILED, "TOO_MANY_COMBINATIONS", None, threshold, f"{facts}.")
    if usual is None:
        sentence = f"{facts}; what is usual can be said from {LEAST_DAYS} earlier days."
        return Verdict(NAME, LEVEL, Outcome.UNKNOWN, HISTORY_TOO_SHORT, None, threshold, sentence)
    factor = found.combinations / usual
    comparison = f"{factor:.1f} times as many as usual ({usual:,.0f})"
    if factor > threshold:
        code = "TOO_MANY_COMBINATIONS" if found.other_events else "CARDINALITY_HIGH"
        sentence = f"{facts}; they are {comparison}, more than {threshold:g} times."
        return Verdict(NAME, LEVEL, Outcome.FAILED, code, factor, threshold, sentence)
    code = "TEXTS_CLIPPED" if found.clipped_events else "CARDINALITY_OK"
    return Verdict(NAME, LEVEL, Outcome.PASSED, code, factor, threshold, f"{facts}; they are {comparison}.")


def _facts(found: Cardinality) -> str:
    facts = f"Events have {found.combinations:,} different names × versions"
    if found.other_events:
        facts += f"; the busiest are counted individually, {found.other_events:,} events are summed as (other)"
    if found.clipped_events:
        facts += f"; {found.clipped_events:,} events have one of more than {LONGEST_TEXT} characters, which was clipped"
    return facts


def _usual(evidence: Evidence) -> float | None:
    """The median of earlier days; None if too few are known."""
    earlier = [found.combinations for day, found in evidence.cardinalities.items() if day < evidence.day]
    return max(1.0, median(earlier)) if len(earlier) >= LEAST_DAYS else None


def _number(name: str) -> ExtraNumber:
    metric = {"combinations": COMBINATIONS, "other_events": OTHER_EVENTS, "clipped_events": CLIPPED_EVENTS}[name]
    return ExtraNumber(
        metric,
        lambda evidence: None if (found := evidence.cardinalities.get(evidence.day)) is None else getattr(found, name),
    )


def _short_words(failure: Failure) -> str:
    return f"{failure.value:.1f} times as many names × versions as usual (limit {failure.threshold:g})"


GUARDRAIL = Guardrail(
    name=NAME,
    level=LEVEL,
    description="The events have at most five times as many (`combinations_factor`) names × versions as usual.",
    remedy="look for a client that puts ids into names or versions",
    judge=judge,
    settings=(FACTOR,),
    short_words=_short_words,
    numbers=tuple(map(_number, ("combinations", "other_events", "clipped_events"))),
)
