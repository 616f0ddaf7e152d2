"""Usual share: the one place in which guardrails of shares ask whether chance explains a number beyond a threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.detectors.small_counts import USUAL_WEEKS, is_explained, usual_share
from telemetry_quality.core.shares import ShareCount

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from telemetry_quality.core.evidence import Evidence

USUAL_SHARE = "USUAL_SHARE"
"""Why a number beyond its threshold passes: the day has few events, and the stream's usual share explains it."""


def explained_by_usual_share(evidence: Evidence, name: str, percent: float, *, is_low: bool = False) -> str | None:
    """Why a share beyond its threshold says nothing: the end of a sentence; None if the threshold decides.

    Args:
        evidence: The day, and the counts behind its shares if it has few events.
        name: The share, as ``share_counts`` names it.
        percent: The share of the day that is beyond its threshold.
        is_low: Whether it is below the threshold: then too few events count, rather than too many.
    """
    counts = evidence.small_shares.get(name, {})
    if evidence.day not in counts:
        return None
    whole = counts[evidence.day].whole
    count = ShareCount(round(percent * whole / 100), whole)
    usual = usual_share(evidence.day, _rests(counts) if is_low else counts)
    if usual is None or not is_explained(_rest(count) if is_low else count, usual):
        return None
    part = usual.whole - usual.part if is_low else usual.part
    return (
        f"but {count.part:,} of {count.whole:,} events are too few to show that the share is "
        f"{'below' if is_low else 'above'} the usual {100 * part / usual.whole:.1f} % "
        f"({part:,} of {usual.whole:,} events of the last {USUAL_WEEKS} weeks)"
    )


def _rests(counts: Mapping[date, ShareCount]) -> dict[date, ShareCount]:
    return {day: _rest(count) for day, count in counts.items()}


def _rest(count: ShareCount) -> ShareCount:
    """The events that do not count."""
    return ShareCount(count.whole - count.part, count.whole)


def beyond_words(threshold: float, why: str | None, *, is_low: bool = False) -> str:
    """The end of a sentence about a share strictly beyond its threshold, which passes if there is a reason ``why``."""
    than, demanded = ("less", "required") if is_low else ("more", "allowed")
    return f"{than} than the {threshold:g} % {demanded}" if why is None else f"{than} than {threshold:g} %, {why}"
