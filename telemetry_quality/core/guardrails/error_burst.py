"""Error burst: some hours of the day have far more errors than usual, although the day may be within its limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.detectors.error_bursts import HourErrors, error_burst, is_history_enough
from telemetry_quality.core.guardrails.faults import Fault
from telemetry_quality.core.guardrails.guardrail import Failure, Guardrail, RunningView, limit
from telemetry_quality.core.guardrails.verdicts import (
    HISTORY_TOO_SHORT,
    HOURS_NOT_COUNTED,
    NO_ERROR_STATE,
    NO_EVENTS,
    NONE_BY_CHOICE,
    Contributor,
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

NAME = "error_burst"
LEVEL = Level.WARNING
THRESHOLD = percent_threshold(
    "error_burst_percent",
    5.0,
    "share of errors among the events of some hours; WARNING strictly above, if these hours usually have far fewer",
    proposed=(2.0, 90.0),
)


def judge(evidence: Evidence, policy: Policy) -> Verdict:
    """Fails if some hours have a share of errors above ``error_burst_percent`` that their history does not explain.

    A day with errors at all hours alike passes: that is for ``error_rate``.
    """
    day, hours, threshold = evidence.day, evidence.hours.get(evidence.day), policy[THRESHOLD]
    if evidence.figures.total_events and evidence.figures.error_events is None:
        return _unknown(threshold, NONE_BY_CHOICE, f"Bursts of errors are not judged: {NO_ERROR_STATE}.")
    if not evidence.figures.total_events or evidence.figures.error_rate_percent is None:
        return _unknown(
            threshold, NO_EVENTS, "Bursts of errors cannot be judged: no event says whether it is an error."
        )
    if hours is None:
        return _unknown(threshold, HOURS_NOT_COUNTED, "Bursts of errors cannot be judged: the hours were not counted.")
    earlier = {
        past: HourErrors(counted.events_by_clock(), counted.errors_by_clock())
        for past, counted in evidence.hours.items()
        if past < day and any(counted.events)
    }
    if not is_history_enough(earlier):
        sentence = "Bursts of errors cannot be judged yet: too few earlier days are known."
        return _unknown(threshold, HISTORY_TOO_SHORT, sentence)
    counts = HourErrors(hours.events, hours.errors)
    burst = error_burst(day, counts, earlier, threshold, hours.clock, begins_at=evidence.begins_at)
    if burst is None:
        sentence = "No hours have far more errors than usual."
        return Verdict(NAME, LEVEL, Outcome.PASSED, "ERRORS_STEADY", None, threshold, sentence)
    contributor = Contributor(evidence.segment_of_hours(burst.first, burst.last), burst.expected, burst.errors)
    sentence = (
        f"{percent(burst.percent, threshold, 1)} of the {burst.events:,} events {contributor.segment.hours_text} are "
        f"errors ({burst.errors:,}, about {burst.expected:,.0f} are usual)."
    )
    return Verdict(NAME, LEVEL, Outcome.FAILED, "ERROR_BURST", burst.percent, threshold, sentence, (contributor,))


def _unknown(threshold: float, code: str, sentence: str) -> Verdict:
    return Verdict(NAME, LEVEL, Outcome.UNKNOWN, code, None, threshold, sentence)


def _short_words(failure: Failure) -> str:
    return f"{percent(failure.value, failure.threshold, 1)} errors in some hours {limit(failure)}"


GUARDRAIL = Guardrail(
    name=NAME,
    level=LEVEL,
    description="No hours have far more errors than the same hours usually have, given the rest of the day.",
    remedy="look for a release or an outage of a service behind it in these hours",
    judge=judge,
    thresholds=(THRESHOLD,),
    short_words=_short_words,
    measure_within=Measure.ERRORS,
    faults=frozenset({Fault.BURST}),
    needs_ordinary_days=True,
    reads_slices=True,
    running_view=RunningView.LAST_HOURS,
)
