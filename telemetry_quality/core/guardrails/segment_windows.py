"""Segment windows: what the guardrails of segments compare a day with, or why they cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.detectors.windows import Window, window_of
from telemetry_quality.core.guardrails.verdicts import HISTORY_TOO_SHORT, NO_EVENTS, SLICES_NOT_COUNTED

if TYPE_CHECKING:
    from telemetry_quality.core.evidence import Evidence


def window_or_reason(evidence: Evidence, what: str) -> Window | tuple[str, str]:
    """The window of the day, or the reason code and the sentence that say why ``what`` cannot be judged.

    Args:
        evidence: The day.
        what: The subject of the sentence, in the plural: ``The errors of segments``.
    """
    if not evidence.figures.total_events:
        return NO_EVENTS, f"{what} cannot be judged: there are no events."
    if not evidence.slices.get(evidence.day):
        return SLICES_NOT_COUNTED, f"{what} cannot be judged: the day's segments were not counted."
    window = window_of(evidence.day, evidence.totals, evidence.slices)
    if window.known_from is None:
        return window
    sentence = (
        f"{what} cannot be judged yet: too few earlier days are known; "
        f"if no day is missing, they can be judged from {window.known_from}."
    )
    return HISTORY_TOO_SHORT, sentence
