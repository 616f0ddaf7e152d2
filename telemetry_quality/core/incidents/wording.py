"""Incidents and failures in words: what happened, since when and where.

A guardrail's own sentence has every detail; these sentences have what somebody in a hurry needs to know.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails.catalogue import guardrail_named
from telemetry_quality.core.guardrails.guardrail import Failure
from telemetry_quality.core.guardrails.lost_bases import LOST
from telemetry_quality.core.incidents.model import Action
from telemetry_quality.core.incidents.segments import UNREADABLE
from telemetry_quality.core.visible import visible

if TYPE_CHECKING:
    from telemetry_quality.core.guardrails.verdicts import Segment
    from telemetry_quality.core.incidents.failures import FailedGuardrail
    from telemetry_quality.core.incidents.model import Incident

PAST_TENSE = {
    Action.ACKNOWLEDGE: "acknowledged it",
    Action.ASSIGN: "assigned it",
    Action.COMMENT: "commented",
    Action.MUTE: "muted it",
    Action.CONFIRM: "confirmed it",
    Action.DISMISS: "dismissed it",
    Action.ACCEPT: "accepted it",
}
"""What somebody did, after the name."""

LONGEST_VALUE = 60
"""The characters shown of each value of a segment: values may be long, and a sentence has to stay readable."""


def failure_words(failure: FailedGuardrail) -> str:
    """A failure in a few words, such as ``error rate 50.75 % (limit 5 %)``, or else the guardrail's own sentence."""
    value, threshold, rule = failure.value, failure.threshold, guardrail_named(failure.guardrail)
    if (
        failure.root_cause == UNREADABLE
        or failure.reason_code in LOST
        or rule is None
        or rule.short_words is None
        or value is None
        or threshold is None
    ):
        return _clause(failure.sentence)
    named = None if failure.cause is None else failure.cause.named
    return rule.short_words(Failure(value, threshold, str(_shown(named)) if named and named.parts else None))


def incident_sentence(incident: Incident) -> str:
    """What happened in an incident, since when and where."""
    peak, count = incident.peak, len(incident.days)
    worst = ", ".join([failure_words(peak), *where_words(peak)])
    if count == 1:
        return f"{peak.day}: {worst}."
    when = f"Since {incident.first_day}" if incident.is_open else f"{incident.first_day} to {incident.last_day}"
    return f"{when} ({count} failed days), at its worst on {peak.day}: {worst}."


def where_words(failure: FailedGuardrail) -> list[str]:
    """Where the change lies; empty if that is not known, or is said by the short words."""
    if failure.cause is None:
        return []
    rule = guardrail_named(failure.guardrail)
    if failure.cause.share_percent is None and rule is not None and rule.is_segment_in_words:
        return []
    clause = replace(failure.cause, segment=_shown(failure.cause.segment)).clause()
    return [clause] if clause else []


def _shown(segment: Segment) -> Segment:
    """A segment for a sentence: long values shortened, without invisible characters."""
    return replace(
        segment, parts=tuple((name, None if value is None else _short(value)) for name, value in segment.parts)
    )


def _short(value: str) -> str:
    return visible(value if len(value) <= LONGEST_VALUE else f"{value[:LONGEST_VALUE]}…")


def _clause(sentence: str) -> str:
    """A sentence as a clause of another sentence."""
    text = visible(sentence).rstrip(".")
    starts_a_word = text[:2].istitle() or text.startswith("A ")
    return f"{text[:1].lower()}{text[1:]}" if starts_a_word else text
