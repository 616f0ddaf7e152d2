"""A verdict as the first lines of a page: its sign, headline and details."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.snapshots import DayStatus

if TYPE_CHECKING:
    from telemetry_quality.dashboard.models import Summary


def sign_of(summary: Summary) -> str:
    """The status whose sign agrees with the verdict: people may have said otherwise than the guardrails."""
    if summary.is_trustworthy:
        return DayStatus.HEALTHY.value
    return DayStatus.UNHEALTHY.value if summary.status is DayStatus.HEALTHY else summary.status.value


def headline_of(sentence: str) -> tuple[str, str]:
    """Split a verdict into headline and details: the headline is what precedes the colon, or else the last sentence."""
    head, colon, rest = sentence.partition(": ")
    if colon:
        return head, rest
    rest, _, head = sentence.removesuffix(".").rpartition(". ")
    return head, f"{rest}." if rest else ""
