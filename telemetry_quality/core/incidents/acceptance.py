"""Acceptance: what somebody accepted as intended, and whether a later failure is still only that.

What was accepted is stored with the decision itself: the accepted days pass when they are judged again, so that it
could not be derived from their verdicts afterwards.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date
from math import isfinite
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.guardrails.verdicts import Contributor
from telemetry_quality.core.incidents.segments import EVERYWHERE, is_kindred_segment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from telemetry_quality.core.incidents.failures import FailedGuardrail

MARKEDLY = 1.25
"""A failure up to this many times as far beyond its threshold as the worst accepted one is no worse: days differ."""

HOURS_APART = 1
"""A run of hours may begin this much earlier and end this much later than an accepted one."""

MOST_SEGMENTS = 50
"""How many segments of a guardrail are stored with an acceptance, those that changed most."""


@dataclass(frozen=True, slots=True)
class AcceptedFailure:
    """How a guardrail had failed in an incident when somebody accepted it.

    Attributes:
        days: The failed days, oldest first.
        times_threshold: How many times its threshold the worst value was; None if there was nothing to divide by.
        value: The worst value.
        segments: All root causes of the failed days and all segments that they named first, as text.
        is_confined: Whether on some day nearly all of it lay in one segment.
        contributors: The segments that changed, each as far as it had changed at most.
    """

    guardrail: str
    reason_code: str
    days: tuple[date, ...]
    times_threshold: float | None
    value: float | None
    segments: tuple[str, ...]
    is_confined: bool
    contributors: tuple[Contributor, ...] = ()

    def covers(self, failure: FailedGuardrail) -> bool:
        """Whether a later failure is what was accepted: the same, in the same or a kindred segment, and no worse."""
        if (failure.guardrail, failure.reason_code) != (self.guardrail, self.reason_code):
            return False
        if any(contributor.share_percent is None for contributor in failure.contributors):
            # Hours of a weekday hold more events than those of a Sunday: the guardrail's number is a share.
            has_hours = any(contributor.segment.hours is not None for contributor in failure.contributors)
            return not self.rest_of(failure.contributors) and (not has_hours or self._is_no_worse(failure))
        return self._is_no_worse(failure) and self._is_there(failure)

    def rest_of(self, contributors: Iterable[Contributor]) -> tuple[Contributor, ...]:
        """Those of ``contributors``, segments that changed each for itself, that were not accepted as they are now."""
        return tuple(
            found
            for found in contributors
            if not any(_is_within(found, accepted) for accepted in self.contributors if accepted.share_percent is None)
        )

    def _is_no_worse(self, failure: FailedGuardrail) -> bool:
        if self.times_threshold is not None:
            return failure.times_threshold() <= MARKEDLY * self.times_threshold
        return self.value is None or (failure.value is not None and abs(failure.value) <= MARKEDLY * abs(self.value))

    def _is_there(self, failure: FailedGuardrail) -> bool:
        named = [segment for segment in (failure.root_cause, failure.foremost) if segment]
        if any(is_kindred_segment(segment, accepted) for segment in named for accepted in self.segments):
            return True
        # What was found in a segment may be found everywhere on another day, but not in another segment.
        return failure.root_cause == EVERYWHERE and not failure.is_confined

    def as_json(self) -> dict[str, Any]:
        """Every field under its own name; JSON types only."""
        return {
            "guardrail": self.guardrail,
            "reason_code": self.reason_code,
            "days": [day.isoformat() for day in self.days],
            "times_threshold": self.times_threshold,
            "value": self.value,
            "segments": list(self.segments),
            "is_confined": self.is_confined,
            "contributors": [contributor.as_json() for contributor in self.contributors],
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> AcceptedFailure:
        """The failure whose ``as_json`` this is."""
        return cls(
            row["guardrail"],
            row["reason_code"],
            tuple(map(date.fromisoformat, row["days"])),
            row["times_threshold"],
            row["value"],
            tuple(row["segments"]),
            row["is_confined"],
            tuple(map(Contributor.from_json, row["contributors"])),
        )


def accepted_failures(failures: Iterable[FailedGuardrail]) -> tuple[AcceptedFailure, ...]:
    """What is accepted with an incident of these failures: one entry per guardrail and reason code."""
    found: dict[tuple[str, str], list[FailedGuardrail]] = defaultdict(list)
    for failure in failures:
        found[failure.guardrail, failure.reason_code].append(failure)
    return tuple(_accepted(alike) for alike in found.values())


def _accepted(alike: Sequence[FailedGuardrail]) -> AcceptedFailure:
    worst = max(alike, key=lambda failure: (failure.times_threshold(), abs(failure.value or 0)))
    times = worst.times_threshold()
    named = dict.fromkeys(segment for failure in alike for segment in (failure.root_cause, failure.foremost) if segment)
    return AcceptedFailure(
        worst.guardrail,
        worst.reason_code,
        tuple(failure.day for failure in alike),
        times if isfinite(times) else None,
        worst.value,
        tuple(named),
        any(failure.is_confined for failure in alike),
        _most_changed(contributor for failure in alike for contributor in failure.contributors),
    )


def _most_changed(contributors: Iterable[Contributor]) -> tuple[Contributor, ...]:
    """Each segment as far as it changed at most, those that changed most first."""
    most: dict[Any, Contributor] = {}
    for contributor in contributors:
        key = contributor.segment.parts, contributor.segment.hours
        known = most.get(key)
        if known is None or abs(_change(contributor)) > abs(_change(known)):
            most[key] = replace(contributor, since=None)
    return tuple(sorted(most.values(), key=lambda contributor: -abs(_change(contributor)))[:MOST_SEGMENTS])


def _change(contributor: Contributor) -> float:
    return contributor.found - contributor.expected


def _is_within(found: Contributor, accepted: Contributor) -> bool:
    """Whether a segment's change goes no farther than an accepted change of the same or a wider segment."""
    if not _are_parts_within(found, accepted):
        return False
    change, side = _change(accepted), 1 if _change(accepted) > 0 else -1
    if None not in {found.segment.hours, accepted.segment.hours}:
        return _change(found) * side >= 0 and _are_hours_within(found, accepted)
    is_no_worse = (found.found - accepted.found) * side <= (MARKEDLY - 1) * abs(change)
    return is_no_worse and _change(found) * side >= 0 and _are_hours_within(found, accepted)


def _are_parts_within(found: Contributor, accepted: Contributor) -> bool:
    if not accepted.segment.parts or not found.segment.parts:
        # Whether a single segment holds what is wrong in some hours differs from day to day.
        return accepted.segment.parts == found.segment.parts or None not in {
            found.segment.hours,
            accepted.segment.hours,
        }
    return set(accepted.segment.parts) <= set(found.segment.parts)


def _are_hours_within(found: Contributor, accepted: Contributor) -> bool:
    hours, known = found.segment.hours, accepted.segment.hours
    if known is None or hours is None:
        return known == hours
    return known[0] - HOURS_APART <= hours[0] and hours[1] <= known[1] + HOURS_APART
