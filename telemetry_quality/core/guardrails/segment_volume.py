"""Segment volume: a signal, a dimension value or a signal within one suddenly shrinks or grows inside a steady total.

``silence`` judges what stops, ``volume`` the whole stream. Versions are not watched, since releases move them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.calendar_effects import holiday_calendar
from telemetry_quality.core.detectors.segment_volume import SegmentVolume
from telemetry_quality.core.detectors.windows import Window
from telemetry_quality.core.guardrails import volume
from telemetry_quality.core.guardrails.faults import Fault
from telemetry_quality.core.guardrails.guardrail import AcceptedAs, Failure, Guardrail
from telemetry_quality.core.guardrails.segment_windows import window_or_reason
from telemetry_quality.core.guardrails.verdicts import (
    Contributor,
    Level,
    Outcome,
    Segment,
    Verdict,
    percent,
)
from telemetry_quality.core.policies import (
    HOLIDAYS,
    MINIMUM_EVENTS,
    REST,
    REST_DAYS,
    WEEKDAYS,
    Direction,
    Threshold,
    rest_dates,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from telemetry_quality.core.detectors.segment_volume import Changed
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.policies import Policy

NAME = "segment_volume"
LEVEL = Level.WARNING
THRESHOLD = Threshold(
    "segment_volume_percent",
    33.0,
    "how many percent fewer events than expected a segment may have, or as many times more (33 % fewer, 49 % more); "
    "WARNING strictly beyond, if its history does not explain it",
    minimum=0,
    maximum=100,
    is_below_maximum=True,
    fails=Direction.EITHER,
    proposed=(10.0, 80.0),
)

CONTRIBUTORS_SHOWN = 3
MOST_CONTRIBUTORS = 20


def judge(evidence: Evidence, policy: Policy) -> Verdict:
    """Fails if a segment's events deviate beyond ``segment_volume_percent`` and beyond what its history explains.

    A day passes on which the volume of the whole stream fails: its root cause names the segments. A provisional day
    is not judged, since the events of some segments arrive later than those of others.
    """
    if evidence.figures.is_provisional:
        sentence = "The volumes of segments cannot be judged yet: the day is provisional."
        return _verdict(policy, Outcome.UNKNOWN, "DAY_PROVISIONAL", sentence)
    window = window_or_reason(evidence, "The volumes of segments")
    if not isinstance(window, Window):
        return _verdict(policy, Outcome.UNKNOWN, *window)
    if volume.judge(evidence, policy).outcome is Outcome.FAILED:
        sentence = "The volume of the whole stream has changed, and its root cause names the segments."
        return _verdict(policy, Outcome.PASSED, "VOLUME_NOT_HIDDEN", sentence)
    segments = SegmentVolume(
        window, policy[THRESHOLD], policy[MINIMUM_EVENTS], evidence.new_levels, is_rest=is_rest(evidence.day, policy)
    )
    changed = segments.changed()
    if changed:
        return _failed(changed, policy, window.day)
    sentence = "No segment has suddenly far more or far fewer events than its history suggests."
    return _verdict(policy, Outcome.PASSED, "SEGMENT_VOLUME_OK", sentence)


def is_rest(day: date, policy: Policy) -> bool:
    """Whether the stream may rest on the day, by the settings or by the calendar."""
    return (
        WEEKDAYS[day.weekday()] in policy[REST]
        or day in rest_dates(policy[REST_DAYS])
        or day in holiday_calendar(policy[HOLIDAYS], day.year)
    )


def _failed(changed: Sequence[Changed], policy: Policy, day: date) -> Verdict:
    contributors = tuple(
        Contributor(Segment(one.segment.parts), one.expected, one.found, since=one.since if one.since < day else None)
        for one in changed[:MOST_CONTRIBUTORS]
    )
    facts = [_fact(one, policy, day) for one in changed[:CONTRIBUTORS_SHOWN]]
    rest = len(changed) - CONTRIBUTORS_SHOWN
    sentence = "; ".join(facts) + (f"; and {rest} more." if rest > 0 else ".")
    value = changed[0].deviation_percent
    return Verdict(
        NAME, LEVEL, Outcome.FAILED, "SEGMENT_VOLUME_CHANGED", value, policy[THRESHOLD], sentence, contributors
    )


def _fact(changed: Changed, policy: Policy, day: date) -> str:
    """One segment in words: ``event_name=checkout: 210 events, 50.0 % fewer than the 420 expected``."""
    since = f" since {changed.since}" if changed.since < day else ""
    deviation = changed.deviation_percent
    return (
        f"{Segment(changed.segment.parts)}: {changed.found:,} events{since}, "
        f"{percent(abs(deviation), policy[THRESHOLD], 1)} {'more' if deviation > 0 else 'fewer'} "
        f"than the {changed.expected:,.0f} expected"
    )


def _verdict(policy: Policy, outcome: Outcome, code: str, sentence: str) -> Verdict:
    return Verdict(NAME, LEVEL, outcome, code, None, policy[THRESHOLD], sentence)


def _short_words(failure: Failure) -> str:
    where = failure.segment or "a segment"
    return f"{where}: {abs(failure.value):.1f} % {'more' if failure.value > 0 else 'fewer'} events than expected"


GUARDRAIL = Guardrail(
    name=NAME,
    level=LEVEL,
    description="No segment suddenly shrinks or grows while the total hides it.",
    remedy="ask the owners of that segment; look for double deliveries and lost clients",
    judge=judge,
    thresholds=(THRESHOLD,),
    short_words=_short_words,
    is_segment_in_words=True,
    faults=frozenset({Fault.SIGNAL_HALVED}),
    reads_slices=True,
    accepted_as=AcceptedAs.LEVEL,
    needs_ordinary_days=True,
)
