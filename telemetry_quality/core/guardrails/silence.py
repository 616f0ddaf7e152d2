"""Silence: a signal, a dimension value, or a signal within a dimension value was there every day and has stopped.

The total need not move: a platform with 3 % of the events can be gone for weeks inside a healthy stream. Versions
are not watched here, since every version ends some day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.detectors.silence import SilenceSettings, silent_segments
from telemetry_quality.core.detectors.windows import window_of
from telemetry_quality.core.guardrails.guardrail import AcceptedAs, Failure, Guardrail
from telemetry_quality.core.guardrails.verdicts import (
    HISTORY_TOO_SHORT,
    NO_EVENTS,
    SLICES_NOT_COUNTED,
    Contributor,
    Level,
    Outcome,
    Segment,
    Verdict,
)
from telemetry_quality.core.policies import HOLIDAYS, MINIMUM_EVENTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from telemetry_quality.core.detectors.silence import Silent
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.policies import Policy

NAME = "silence"
LEVEL = Level.WARNING


CONTRIBUTORS_SHOWN = 3


def judge(evidence: Evidence, policy: Policy) -> Verdict:
    """Fails while a regular segment is silent, from its first silent day until that is accepted as the new normal.

    The level is WARNING: part of the day is missing, the rest can be used. ``activity`` judges a day without events.
    ``volume`` judges a whole stream that shrinks: what is expected of a segment shrinks with all others.
    """
    window = window_of(evidence.day, evidence.totals, evidence.slices)
    if not evidence.figures.total_events:
        return _unknown(NO_EVENTS, "Silence cannot be judged: there are no events.")
    if not window.slices.get(window.day):
        return _unknown(SLICES_NOT_COUNTED, "Silence cannot be judged: the day's segments were not counted.")
    if window.known_from is not None:
        sentence = (
            "Silence cannot be judged yet: too few earlier days are known; "
            f"if no day is missing, it can be judged from {window.known_from}."
        )
        return _unknown(HISTORY_TOO_SHORT, sentence)
    settings = SilenceSettings(policy[MINIMUM_EVENTS], policy[HOLIDAYS])
    silent = silent_segments(window, settings, evidence.figures.completeness_percent)
    sudden = [silence for silence in silent if not silence.has_faded]
    if sudden:
        return _failed(sudden, window.day)
    faded = [silence for silence in silent if silence.since == window.day]
    sentence = "Every regular segment is present."
    if faded:
        sentence = f"Nothing stopped suddenly; {Segment(faded[0].segment.parts)} shrank over the last days and is gone."
    return Verdict(NAME, LEVEL, Outcome.PASSED, "NOTHING_SILENT", 0, 0, sentence)


def _failed(silent: Sequence[Silent], day: date) -> Verdict:
    contributors = tuple(
        Contributor(
            Segment(silence.segment.parts),
            silence.expected,
            silence.found,
            since=silence.since if silence.since < day else None,
        )
        for silence in silent
    )
    facts = [
        f"{contributor.segment} is silent{f' since {contributor.since}' if contributor.since else ''} "
        f"({contributor.found:,.0f} events, about {contributor.expected:,.0f} are usual)"
        for contributor in contributors[:CONTRIBUTORS_SHOWN]
    ]
    rest = len(contributors) - CONTRIBUTORS_SHOWN
    sentence = "; ".join(facts) + (f"; and {rest} more." if rest > 0 else ".")
    return Verdict(NAME, LEVEL, Outcome.FAILED, "SEGMENT_SILENT", len(contributors), 0, sentence, contributors)


def _unknown(code: str, sentence: str) -> Verdict:
    return Verdict(NAME, LEVEL, Outcome.UNKNOWN, code, None, 0, sentence)


def _short_words(failure: Failure) -> str:
    count = int(failure.value)
    if failure.segment is None:
        return f"{count} segment{'' if count == 1 else 's'} of the stream silent"
    rest = f" and {count - 1} more segment{'' if count == 2 else 's'}" if count > 1 else ""
    return f"{failure.segment}{rest} silent"


GUARDRAIL = Guardrail(
    name=NAME,
    level=LEVEL,
    description="Every signal and every dimension value that is regularly present is present.",
    remedy="ask the owners of that platform, even if the total looks healthy",
    judge=judge,
    short_words=_short_words,
    is_segment_in_words=True,
    reads_slices=True,
    accepted_as=AcceptedAs.SEGMENT,
    needs_ordinary_days=True,
)
