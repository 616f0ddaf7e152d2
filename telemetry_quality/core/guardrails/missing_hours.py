"""Missing hours: some hours of the day are empty, or far below the same hours of the same weekdays.

The day's total need not show it: three dead hours are an eighth of a steady day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.calendar_effects import calendar_effects
from telemetry_quality.core.detectors.hours import missing_hours
from telemetry_quality.core.guardrails.faults import Fault
from telemetry_quality.core.guardrails.guardrail import Failure, Guardrail, RunningView, limit
from telemetry_quality.core.guardrails.verdicts import (
    HISTORY_TOO_SHORT,
    HOURS_NOT_COUNTED,
    NO_EVENTS,
    Contributor,
    Level,
    Outcome,
    Verdict,
    percent,
)
from telemetry_quality.core.policies import HOLIDAYS, percent_threshold
from telemetry_quality.core.root_cause.tables import Measure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from telemetry_quality.core.detectors.hours import MissingHours
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.hours import ClockCounts
    from telemetry_quality.core.policies import Policy

NAME = "missing_hours"
LEVEL = Level.WARNING
THRESHOLD = percent_threshold(
    "missing_hours_percent",
    2.0,
    "share of the day's events missing in hours that are far below the same hours of the same weekdays; WARNING "
    "strictly above",
    proposed=(0.5, 25.0),
)


def judge(evidence: Evidence, policy: Policy) -> Verdict:
    """Fails if more than ``missing_hours_percent`` of the day's events are missing in hours that are far below.

    How many events to expect in an hour follows the rest of the day, so that a day that is down evenly passes: that
    is for ``volume``. The hours of holidays, of the days beside them, and of days that are usually empty follow no
    profile that earlier days could show, and pass.
    """
    hours = evidence.hours.get(evidence.day)
    if evidence.figures.is_provisional:
        return _unknown(policy, "DAY_PROVISIONAL", "Missing hours cannot be judged yet: the day is provisional.")
    if not evidence.figures.total_events:
        return _unknown(policy, NO_EVENTS, "Missing hours cannot be judged: there are no events.")
    if hours is None:
        return _unknown(policy, HOURS_NOT_COUNTED, "Missing hours cannot be judged: the hours were not counted.")
    if why := _why_odd(evidence, policy):
        return _passed(policy, "HOURS_OF_AN_ODD_DAY", 0.0, f"The hours of {why} need not be as usual.")
    earlier = _earlier(evidence, policy)
    runs = missing_hours(evidence.day, hours.events, earlier, hours.clock, begins_at=evidence.begins_at)
    return _judged(runs, evidence, policy)


def _why_odd(evidence: Evidence, policy: Policy) -> str | None:
    """Why the day's hours may be unlike those of other days; None if nothing says so."""
    effect = calendar_effects(policy[HOLIDAYS], evidence.day.year).get(evidence.day)
    if effect is not None:
        return effect.name
    return "a day that is usually empty" if evidence.expectation.is_empty_usual else None


def _earlier(evidence: Evidence, policy: Policy) -> dict[date, ClockCounts]:
    effects = calendar_effects(policy[HOLIDAYS], evidence.day.year)
    return {
        past: counted.events_by_clock()
        for past, counted in evidence.hours.items()
        if past < evidence.day and past not in effects
    }


def _judged(runs: Sequence[MissingHours] | None, evidence: Evidence, policy: Policy) -> Verdict:
    if runs is None:
        sentence = "Missing hours cannot be judged yet: too few earlier days are known."
        return _unknown(policy, HISTORY_TOO_SHORT, sentence)
    missing = sum(run.missing_percent for run in runs)
    if missing > policy[THRESHOLD]:
        return _failed(runs, missing, evidence, policy)
    sentence = "No hours are far below what the rest of the day suggests."
    if runs:
        share = percent(missing, policy[THRESHOLD], 1)
        segment = evidence.segment_of_hours(runs[0].first, runs[0].last)
        sentence = f"Events are missing {segment.hours_text}, but only {share} of the day's."
    return _passed(policy, "HOURS_PRESENT", missing, sentence)


def _failed(runs: Sequence[MissingHours], missing: float, evidence: Evidence, policy: Policy) -> Verdict:
    contributors = tuple(
        Contributor(evidence.segment_of_hours(run.first, run.last), run.expected, run.found) for run in runs
    )
    facts = [
        f"{contributor.found:,.0f} events {contributor.segment.hours_text}, about {contributor.expected:,.0f} are usual"
        for contributor in contributors
    ]
    sentence = f"{'; '.join(facts)}: {percent(missing, policy[THRESHOLD], 1)} of the day's events are missing."
    return Verdict(NAME, LEVEL, Outcome.FAILED, "HOURS_MISSING", missing, policy[THRESHOLD], sentence, contributors)


def _passed(policy: Policy, code: str, missing: float, sentence: str) -> Verdict:
    return Verdict(NAME, LEVEL, Outcome.PASSED, code, missing, policy[THRESHOLD], sentence)


def _unknown(policy: Policy, code: str, sentence: str) -> Verdict:
    return Verdict(NAME, LEVEL, Outcome.UNKNOWN, code, None, policy[THRESHOLD], sentence)


def _short_words(failure: Failure) -> str:
    return f"{percent(failure.value, failure.threshold, 1)} of the day's events missing in some hours {limit(failure)}"


GUARDRAIL = Guardrail(
    name=NAME,
    level=LEVEL,
    description="No hours are far below the same hours of the same weekdays, given the rest of the day.",
    remedy="look for an outage of the pipeline or of the product in these hours",
    judge=judge,
    thresholds=(THRESHOLD,),
    short_words=_short_words,
    measure_within=Measure.EVENTS,
    faults=frozenset({Fault.DEAD_HOURS}),
    needs_ordinary_days=True,
    reads_slices=True,
    running_view=RunningView.LAST_HOURS,
)
