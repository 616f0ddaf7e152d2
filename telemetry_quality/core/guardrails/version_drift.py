"""Version drift: events lose their version or fall back to an old one, in the stream or in a segment.

A release moves events to a version that is new here, or newer than the one they leave; that is never drift,
however fast it goes. A fault moves events to no version at all, or to a version that has been known for weeks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.detectors.version_drift import version_shifts
from telemetry_quality.core.detectors.version_shares import VersionShares
from telemetry_quality.core.detectors.windows import window_of
from telemetry_quality.core.events import SERVICE_VERSION
from telemetry_quality.core.guardrails.faults import Fault
from telemetry_quality.core.guardrails.guardrail import Guardrail
from telemetry_quality.core.guardrails.verdicts import (
    HISTORY_TOO_SHORT,
    NO_EVENTS,
    NO_VERSIONS,
    NONE_BY_CHOICE,
    SLICES_NOT_COUNTED,
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

    from telemetry_quality.core.detectors.version_drift import Shift
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.policies import Policy

NAME = "version_drift"
LEVEL = Level.WARNING
THRESHOLD = percent_threshold(
    "version_drift_percent",
    10.0,
    "percentage points that a version's share may always move; beyond them WARNING, unless its history explains it",
    proposed=(2.0, 50.0),
)

CONTRIBUTORS_SHOWN = 3


def judge(evidence: Evidence, policy: Policy) -> Verdict:
    """Fails if a share moved by more than ``version_drift_percent`` points and by more than its history explains.

    Shares are judged among all events and within each dimension value; a version's share is its share of the
    events that have a version.
    """
    window = window_of(evidence.day, evidence.totals, evidence.slices)
    if not evidence.figures.total_events:
        return _unknown(policy, NO_EVENTS, "Version drift cannot be judged: there are no events.")
    if evidence.figures.missing_version_events is None:
        return _unknown(policy, NONE_BY_CHOICE, f"Version drift is not judged: {NO_VERSIONS}.")
    if not window.slices.get(window.day):
        return _unknown(policy, SLICES_NOT_COUNTED, "Version drift cannot be judged: versions were not counted.")
    if window.known_from is not None:
        sentence = (
            "Version drift cannot be judged yet: too few earlier days are known; "
            f"if no day is missing, it can be judged from {window.known_from}."
        )
        return _unknown(policy, HISTORY_TOO_SHORT, sentence)
    completeness = evidence.figures.completeness_percent
    shares = VersionShares(window, policy[THRESHOLD], policy[MINIMUM_EVENTS], completeness)
    shifts = version_shifts(shares)
    if shifts:
        return _failed(shifts, policy, window.day)
    sentence = f"No version's share moved by more than {policy[THRESHOLD]:g} points, except for releases."
    threshold = policy[THRESHOLD]
    return Verdict(NAME, LEVEL, Outcome.PASSED, "VERSIONS_STEADY", None, threshold, sentence)


def _failed(shifts: Sequence[Shift], policy: Policy, day: date) -> Verdict:
    contributors = tuple(
        Contributor(
            Segment((*shift.scope.parts, (SERVICE_VERSION, shift.version))),
            100 * shift.usual,
            100 * shift.found,
            since=shift.since if shift.since < day else None,
        )
        for shift in shifts
    )
    code = "VERSIONS_LOST" if shifts[0].version is None else "VERSION_FELL_BACK"
    facts = [_fact(shift, day) for shift in shifts[:CONTRIBUTORS_SHOWN]]
    rest = len(shifts) - CONTRIBUTORS_SHOWN
    sentence = "; ".join(facts) + (f"; and {rest} more." if rest > 0 else ".")
    value = max(shift.points for shift in shifts)
    return Verdict(NAME, LEVEL, Outcome.FAILED, code, value, policy[THRESHOLD], sentence, contributors)


def _fact(shift: Shift, day: date) -> str:
    where = f"{Segment(shift.scope.parts)}: " if shift.scope.parts else ""
    since = f" since {shift.since}" if shift.since < day else ""
    if shift.version is None:
        return (
            f"{where}{100 * shift.found:.1f} % of {shift.events:,} events carry no version{since}, "
            f"{100 * shift.usual:.1f} % is usual"
        )
    return (
        f"{where}version {shift.version} has {100 * shift.found:.1f} % of the events with a version{since}, "
        f"{100 * shift.usual:.1f} % before; they came from {shift.loser}, and {shift.version} is not a new release"
    )


def _unknown(policy: Policy, code: str, sentence: str) -> Verdict:
    return Verdict(NAME, LEVEL, Outcome.UNKNOWN, code, None, policy[THRESHOLD], sentence)


GUARDRAIL = Guardrail(
    name=NAME,
    level=LEVEL,
    description="No segment suddenly loses its versions or falls back to an old one; releases do not count as drift.",
    remedy="look at the release of that segment",
    judge=judge,
    thresholds=(THRESHOLD,),
    short_words=lambda failure: f"versions shifted by {failure.value:.1f} points (limit {failure.threshold:g})",
    faults=frozenset({Fault.TAGS}),
    reads_slices=True,
    needs_ordinary_days=True,
)
