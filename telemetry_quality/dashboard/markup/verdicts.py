"""A verdict as the first lines of a page: its sign, headline and details."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.dashboard.rendering import SIGNS
from telemetry_quality.dashboard.summary import badness

if TYPE_CHECKING:
    from telemetry_quality.dashboard.models import SourceSummary, Summary


def sign_of(summary: Summary) -> str:
    """The status whose sign agrees with the verdict: that of the worst source, whatever else is not known.

    People may have said otherwise than the guardrails.
    """
    if summary.is_trustworthy:
        return DayStatus.HEALTHY.value
    if summary.trouble is not None:
        return DayStatus.UNKNOWN.value
    worst = min(summary.sources, key=badness).status
    return DayStatus.UNHEALTHY.value if worst is DayStatus.HEALTHY else worst.value


def title_of(status: str, words: str) -> str:
    """The title of a browser's window: the state first, since a tab shows only the beginning."""
    return f"{SIGNS[status][0]} {words}"


def headline_of(sentence: str) -> tuple[str, str]:
    """Split a verdict into headline and details: the headline is what precedes the colon, or else the last sentence."""
    head, colon, rest = sentence.partition(": ")
    if colon:
        return head, rest
    rest, _, head = sentence.removesuffix(".").rpartition(". ")
    return head, f"{rest}." if rest else ""


def reason_of(found: SourceSummary) -> str:
    """Why a source cannot be trusted, in a few words; nothing if it can."""
    if found.is_trustworthy:
        return ""
    _, details = headline_of(found.sentence)
    reason = details.partition(". ")[0].partition("; also ")[0].removesuffix(".")
    return reason.replace(f", since {found.since}", "")
