"""Segment errors: a signal, a version, a dimension value or a signal within one fails, although the total may be low.

A segment with 4 % of the events can fail completely, and the error rate of the day stays below its limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.detectors.segment_errors import SegmentErrors
from telemetry_quality.core.detectors.windows import Window
from telemetry_quality.core.guardrails.faults import Fault
from telemetry_quality.core.guardrails.guardrail import AcceptedAs, Failure, Guardrail
from telemetry_quality.core.guardrails.segment_windows import window_or_reason
from telemetry_quality.core.guardrails.verdicts import (
    NO_ERROR_STATE,
    NONE_BY_CHOICE,
    Contributor,
    Level,
    Outcome,
    Segment,
    Verdict,
)
from telemetry_quality.core.policies import MINIMUM_EVENTS, percent_threshold

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from telemetry_quality.core.detectors.segment_errors import Failing
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.policies import Policy

NAME = "segment_errors"
LEVEL = Level.WARNING
THRESHOLD = percent_threshold(
    "segment_error_percent",
    5.0,
    "percentage points that a segment's error rate may always be above what is usual for it; WARNING strictly above, "
    "if its history does not explain it",
    proposed=(1.0, 50.0),
)

CONTRIBUTORS_SHOWN = 3
MOST_CONTRIBUTORS = 20


def judge(evidence: Evidence, policy: Policy) -> Verdict:
    """Fails if a segment's error rate rose by more points than ``segment_error_percent`` and than history explains.

    What the whole stream does is expected of each segment too: ``error_rate`` judges it.
    """
    if evidence.figures.total_events and evidence.figures.error_events is None:
        sentence = f"The errors of segments are not judged: {NO_ERROR_STATE}."
        return _verdict(policy, Outcome.UNKNOWN, NONE_BY_CHOICE, sentence)
    if evidence.figures.total_events and evidence.figures.error_rate_percent is None:
        sentence = "The errors of segments cannot be judged: no event says whether it is an error."
        return _verdict(policy, Outcome.UNKNOWN, "ERROR_STATE_ABSENT", sentence)
    window = window_or_reason(evidence, "The errors of segments")
    if not isinstance(window, Window):
        return _verdict(policy, Outcome.UNKNOWN, *window)
    failing = SegmentErrors(window, policy[THRESHOLD], policy[MINIMUM_EVENTS], evidence.new_rates).failing()
    if failing:
        return _failed(failing, policy, window.day)
    sentence = f"No segment's error rate rose by more than {policy[THRESHOLD]:g} points beyond what is usual for it."
    return _verdict(policy, Outcome.PASSED, "SEGMENT_ERRORS_OK", sentence)


def _failed(failing: Sequence[Failing], policy: Policy, day: date) -> Verdict:
    contributors = tuple(
        Contributor(
            Segment(one.segment.parts),
            100 * one.usual,
            100 * one.counts.errors / one.counts.events,
            since=one.since if one.since < day else None,
        )
        for one in failing[:MOST_CONTRIBUTORS]
    )
    facts = [_fact(one, day) for one in failing[:CONTRIBUTORS_SHOWN]]
    rest = len(failing) - CONTRIBUTORS_SHOWN
    sentence = "; ".join(facts) + (f"; and {rest} more." if rest > 0 else ".")
    value = max(one.points for one in failing)
    return Verdict(NAME, LEVEL, Outcome.FAILED, "SEGMENT_FAILING", value, policy[THRESHOLD], sentence, contributors)


def _fact(failing: Failing, day: date) -> str:
    """One segment in words: ``event_name=checkout: 100.00 % of 412 events are errors, 0.80 % are usual``."""
    since = f" since {failing.since}" if failing.since < day else ""
    rate, usual = 100 * failing.counts.errors / failing.counts.events, 100 * failing.usual
    return (
        f"{Segment(failing.segment.parts)}: {rate:.2f} % of {failing.counts.events:,} events are errors{since}, "
        f"{usual:.2f} % are usual"
    )


def _verdict(policy: Policy, outcome: Outcome, code: str, sentence: str) -> Verdict:
    return Verdict(NAME, LEVEL, outcome, code, None, policy[THRESHOLD], sentence)


def _short_words(failure: Failure) -> str:
    words = f"error rate {failure.value:.1f} points above the usual (limit {failure.threshold:g})"
    return f"{failure.segment}: {words}" if failure.segment else f"a segment's {words}"


GUARDRAIL = Guardrail(
    name=NAME,
    level=LEVEL,
    description="No segment has far more errors than usual, even where the error rate of the day hides it.",
    remedy="look at the release, the service or the vendor behind that segment",
    judge=judge,
    thresholds=(THRESHOLD,),
    short_words=_short_words,
    is_segment_in_words=True,
    faults=frozenset({Fault.SIGNAL_FAILS}),
    reads_slices=True,
    accepted_as=AcceptedAs.RATE,
    needs_ordinary_days=True,
)
