"""Lost bases: what guardrails say on a day whose events have lost what they judge by.

Such a day must not look healthy only because nothing is left that could be wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.detectors.lost_bases import LEAST_LOSS_PERCENT, lost_basis
from telemetry_quality.core.guardrails.verdicts import Level, Outcome, Verdict

if TYPE_CHECKING:
    from telemetry_quality.core.detectors.lost_bases import Loss
    from telemetry_quality.core.evidence import Evidence

LEVEL = Level.WARNING
"""Part of the day is wrong, the rest can be used, whatever the usual level of the guardrail."""


class Basis(NamedTuple):
    """What a guardrail judges by.

    Attributes:
        name: The name, see ``core.bases``.
        reason_code: Why a day fails on which it is lost.
        words: What events do that have it, such as ``say when they arrived``.
        is_partly: Whether the loss of a part counts too.
    """

    name: str
    reason_code: str
    words: str
    is_partly: bool = True


ERROR_STATE_LOST = "ERROR_STATE_LOST"
ARRIVAL_TIMES_LOST = "ARRIVAL_TIMES_LOST"
EVENT_IDS_LOST = "EVENT_IDS_LOST"
VERSIONS_LOST = "VERSIONS_ABSENT"
RATE_BASE_LOST = "RATE_BASE_LOST"
DIMENSION_LOST = "DIMENSION_LOST"

LOST = frozenset({ERROR_STATE_LOST, VERSIONS_LOST, ARRIVAL_TIMES_LOST, EVENT_IDS_LOST, RATE_BASE_LOST, DIMENSION_LOST})
"""The reason codes of failures in which the numbers of the guardrail itself say nothing."""


def or_lost(verdict: Verdict, basis: Basis, evidence: Evidence) -> Verdict:
    """``verdict``, or the failure that its basis is lost; what the rest of the events shows to be wrong is worse."""
    if verdict.outcome is Outcome.FAILED:
        return verdict
    loss = lost_basis(evidence.day, evidence.bases.get(basis.name, {}), is_partly=basis.is_partly)
    if loss is None:
        return verdict
    return Verdict(
        verdict.guardrail,
        LEVEL,
        Outcome.FAILED,
        basis.reason_code,
        loss.lost_percent,
        LEAST_LOSS_PERCENT,
        f"{loss_words(loss, basis.words, evidence)}.",
    )


def loss_words(loss: Loss, words: str, evidence: Evidence) -> str:
    """``None of 2,000 events say when they arrived since 2025-03-10, 99.8 % is usual``."""
    found = f"Only {100 * loss.found:.1f} %" if loss.found else "None"
    since = f" since {loss.since}" if loss.since < evidence.day else ""
    return f"{found} of {loss.events:,} events {words}{since}, {100 * loss.usual:.1f} % is usual"
