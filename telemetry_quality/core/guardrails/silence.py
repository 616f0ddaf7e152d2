"""Silence: a signal, a dimension's value or a signal within one that was there every day and has stopped.

The total need not move: a platform with 3 % of the events can be gone for weeks inside a healthy stream. Versions
are not watched here, since each of them ends one day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.detectors.silence import SilenceSettings, silent_segments
from telemetry_quality.core.detectors.windows import window_of
from telemetry_quality.core.guardrails.guardrail import Failure, Guardrail
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
    """Fails while something regular is silent, from its first day on until it is accepted as the new normal.

    A WARNING: part of the day is missing, the rest can be used; a day without any event is activity's to judge.
    A whole stream that shrinks is the volume's: what is expected of a part shrinks with the others.
    """
    window = window_of(evidence.day, evidence.totals, evidence.slices)
    if not evidence.figures.total_events:
        return _unknown(NO_EVENTS, "Silence cannot be judged: there are no events at all.")
    if not window.slices.get(window.day):
        return _unknown(SLICES_NOT_COUNTED, "Silence cannot be judged: the parts of the day were not counted.")
    if window.known_from is not None:
        sentence = (
            "Silence cannot be judged yet: too few earlier days are known; "
            f"if no day is missing, it will be from {window.known_from}."
        )
        return _unknown(HISTORY_TOO_SHORT, sentence)
    settings = SilenceSettings(policy[MINIMUM_EVENTS], policy[HOLIDAYS])
    silent = silent_segments(window, settings, evidence.figures.completeness_percent)
    sudden = [one for one in silent if not one.has_faded]
    if sudden:
        return _failed(sudden, window.day)
    faded = [one for one in silent if one.since == window.day]
    sentence = "Everything that is regularly there is there."
    if faded:
        sentence = f"Nothing stopped suddenly; {Segment(faded[0].part.parts)} shrank over the last days and is gone."
    return Verdict(NAME, LEVEL, Outcome.PASSED, "NOTHING_SILENT", 0, 0, sentence)


def _failed(silent: Sequence[Silent], day: date) -> Verdict:
    contributors = tuple(
        Contributor(Segment(one.part.parts), one.expected, one.found, since=one.since if one.since < day else None)
        for one in silent
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
    description="Every signal and every dimension value that is regularly there is there.",
    remedy="ask the owners of that platform, even if the total looks healthy",
    judge=judge,
    short_words=_short_words,
    is_segment_in_words=True,
    reads_slices=True,
)
