"""The gate in words: whether those who build on a day may use it, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.marks import Mark, is_trustworthy
from telemetry_quality.core.snapshots import DayStatus

if TYPE_CHECKING:
    from telemetry_quality.core.marks import Gate, MarkedDays
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot

CHECK = "trustworthy"
"""The name of the check that stands for the whole day."""


class Trust(NamedTuple):
    """Whether a judged day may be used, and why."""

    is_trusted: bool
    reason_code: str
    sentence: str


def trust_in(snapshot: TelemetryIntegritySnapshot, marked: MarkedDays | None, gate: Gate) -> Trust:
    """Whether a judged day may be used, by what its settings let through and what somebody said."""
    is_trusted = is_trustworthy(marked, snapshot.status, gate, is_provisional=bool(snapshot.is_provisional))
    can = "can be trusted" if is_trusted else "cannot be trusted"
    if snapshot.status is not DayStatus.UNKNOWN and marked is not None and marked.mark in {Mark.BAD, Mark.ACCEPTED}:
        return Trust(is_trusted, f"MARKED_{marked.mark.name}", f"The day {can}: {marked.words}.")
    found = snapshot.status.value
    code = snapshot.status.name
    if snapshot.is_provisional:
        found += ", and provisional: late events may still change it"
        code = "PROVISIONAL" if snapshot.status is DayStatus.HEALTHY else code
    return Trust(is_trusted, code, f'The day {can} by gate = "{gate.value}": it is {found}.')
