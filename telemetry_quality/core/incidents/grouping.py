"""Grouping: which failures share a root cause, and which days make up an incident."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.guardrails.activity import NAME as ACTIVITY
from telemetry_quality.core.guardrails.verdicts import DAY_UNREADABLE, Outcome
from telemetry_quality.core.incidents.decisions import with_actions
from telemetry_quality.core.incidents.failures import FailedGuardrail
from telemetry_quality.core.incidents.model import Incident, severity
from telemetry_quality.core.incidents.segments import EVERYWHERE, UNREADABLE, is_same_segment
from telemetry_quality.core.root_cause import cause_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import date

    from telemetry_quality.core.guardrails.verdicts import Verdict
    from telemetry_quality.core.incidents.model import IncidentAction
    from telemetry_quality.core.root_cause import Cause

CONFINED_PERCENT = 80
"""A segment that holds at least this share leaves too little for another segment to have the same root cause."""


_Group = list[FailedGuardrail]
"""The failures of one day that share a root cause."""


@dataclass(eq=False, slots=True)
class _Strand:
    """An incident in the making: its failures day by day."""

    days: list[_Group]

    @property
    def last_day(self) -> date:
        return self.days[-1][0].day


def failures_of(day: date, revision: int, verdicts: Iterable[Verdict]) -> list[FailedGuardrail]:
    """The failures of a day; a single failure if it could not be read."""
    failures = []
    for verdict in verdicts:
        is_unreadable = verdict.reason_code == DAY_UNREADABLE and verdict.guardrail == ACTIVITY
        if verdict.outcome is Outcome.FAILED or is_unreadable:
            cause = None if is_unreadable else cause_of(verdict.contributors)
            root_cause, foremost, is_confined = (UNREADABLE, "", False) if is_unreadable else _places(cause)
            failures.append(
                FailedGuardrail(
                    day,
                    verdict.guardrail,
                    verdict.level,
                    verdict.reason_code,
                    verdict.value,
                    verdict.threshold,
                    verdict.sentence,
                    root_cause,
                    foremost,
                    is_confined,
                    revision,
                    verdict.contributors,
                )
            )
    return failures


def group_incidents(
    source: str,
    failures: Iterable[FailedGuardrail],
    judged_days: Collection[date],
    actions: Iterable[IncidentAction] = (),
    accepted_days: Collection[date] = (),
    *,
    running_days: Collection[date] = (),
) -> list[Incident]:
    """The incidents that ``failures`` make up, oldest first.

    Args:
        source: Its name.
        failures: In any order.
        judged_days: All days that were judged, whether they failed or not.
        actions: What was decided about the incidents, oldest first.
        accepted_days: Days that somebody marked as accepted.
        running_days: Days that are not over: they may go on with an incident, but close none.
    """
    by_day: dict[date, list[FailedGuardrail]] = defaultdict(list)
    for failure in failures:
        by_day[failure.day].append(failure)
    strands: list[_Strand] = []
    alive: list[_Strand] = []
    for day in sorted({*judged_days, *by_day}):
        if day not in by_day and not alive:
            # Nearly all days: nothing fails, and nothing is open.
            continue
        groups = _groups_of_day(by_day.get(day, ()))
        begun = _go_on(alive, groups)
        is_readable = not any(_is_unreadable(group) for group in groups)
        if day not in running_days:
            alive = [
                strand
                for strand in alive
                if strand.last_day == day or not (is_readable or _is_unreadable(strand.days[-1]))
            ]
        alive += begun
        strands += begun
    incidents = [
        replace(incident, accepted_days=tuple(day for day in incident.days if day in accepted_days))
        for incident in _named(source, strands, alive)
    ]
    return with_actions(incidents, actions)


def _places(cause: Cause | None) -> tuple[str, str, bool]:
    """Root cause, foremost segment, and whether nearly all lies there; hours differ day by day and do not count."""
    if cause is None:
        return EVERYWHERE, "", False
    place = cause.segment.name
    if cause.share_percent is None:
        is_named = place != EVERYWHERE
        return place, place if is_named else "", is_named
    return (place if cause.is_held else EVERYWHERE), place, cause.share_percent >= CONFINED_PERCENT


def _meet(group: _Group, other_group: _Group) -> bool:
    return any(
        is_same_segment(failure.foremost, other_failure.foremost) for failure in group for other_failure in other_group
    )


def _is_unreadable(group: _Group) -> bool:
    return any(failure.root_cause == UNREADABLE for failure in group)


def _order(failure: FailedGuardrail) -> tuple[Any, ...]:
    return (
        failure.day,
        severity(failure.level),
        failure.guardrail,
        failure.root_cause,
        failure.foremost,
        failure.is_confined,
        failure.sentence,
    )


def _groups_of_day(failures: Iterable[FailedGuardrail]) -> list[_Group]:
    """The failures of one day, grouped by root cause, the worst group first."""
    failures = sorted(failures, key=_order)
    groups = [[failure for failure in failures if failure.root_cause == UNREADABLE]]
    readable = [failure for failure in failures if failure.root_cause != UNREADABLE]
    if any(failure.guardrail == ACTIVITY for failure in readable):
        groups.append(readable)
    else:
        groups += _by_root_cause(
            [failure for failure in readable if failure.is_confined],
            [failure for failure in readable if not failure.is_confined],
        )
    return sorted((sorted(group, key=_order) for group in groups if group), key=_group_order)


def _by_root_cause(confined: Iterable[FailedGuardrail], loose: Iterable[FailedGuardrail]) -> list[_Group]:
    segments: list[_Group] = []
    for failure in confined:
        kin = [group for group in segments if _meet([failure], group)]
        segments = [group for group in segments if group not in kin]
        segments.append([failure, *chain.from_iterable(kin)])
    joining: list[tuple[_Group, FailedGuardrail]] = []
    nowhere: _Group = []
    for failure in loose:
        named = [group for group in segments if _meet([failure], group)]
        homes = (
            segments
            if len(segments) == 1
            else named or [group for group in segments if group[0].root_cause == EVERYWHERE]
        )
        # Joined afterwards, so that one failure that joins does not attract the next.
        joining.append((homes[0] if len(homes) == 1 else nowhere, failure))
    for group, failure in joining:
        group.append(failure)
    return [*segments, nowhere]


def _group_order(group: _Group) -> tuple[Any, ...]:
    """Sort key: older before younger, higher level before lower, more guardrails before fewer."""
    return (
        group[0].day,
        min(severity(failure.level) for failure in group),
        -len(group),
        [_order(failure) for failure in group],
    )


def _go_on(alive: Sequence[_Strand], groups: Iterable[_Group]) -> list[_Strand]:
    """Add each group of a new day to the strand it continues best; returns the strands that the other groups begin.

    A strand may take several groups: an incident of yesterday is not two because its segments moved apart.
    """
    yesterday = [(strand, strand.days[-1]) for strand in alive]
    begun = []
    for group in groups:
        links = [(_link(earlier, group), strand) for strand, earlier in yesterday]
        best, strand = max(links, key=lambda link: link[0], default=(_NO_LINK, None))
        if strand is None or best == _NO_LINK:
            begun.append(_Strand([group]))
        elif strand.last_day == group[0].day:
            strand.days[-1] = sorted(strand.days[-1] + group, key=_order)
        else:
            strand.days.append(group)
    return begun


_NO_LINK = (False, 0, False)


def _link(earlier: _Group, later: _Group) -> tuple[bool, int, bool]:
    """How well a day's failures continue an earlier day's: by a segment, by guardrails, by any root cause in common."""
    if _is_unreadable(earlier) != _is_unreadable(later):
        return _NO_LINK
    common = {failure.guardrail for failure in earlier} & {failure.guardrail for failure in later}
    same_root_cause = {failure.root_cause for failure in earlier} & {failure.root_cause for failure in later}
    return _meet(earlier, later), len(common), bool(same_root_cause)


def _named(source: str, strands: Iterable[_Strand], alive: Sequence[_Strand]) -> list[Incident]:
    """The incidents, oldest first; only their first day decides their number, so that no later day changes a key."""
    seen: Counter[date] = Counter()
    incidents = []
    for strand in sorted(strands, key=lambda strand: _group_order(strand.days[0])):
        first_day = strand.days[0][0].day
        seen[first_day] += 1
        number = "" if seen[first_day] == 1 else f".{seen[first_day]}"
        failures = tuple(chain.from_iterable(strand.days))
        incidents.append(Incident(f"{source}/{first_day}{number}", source, failures, strand in alive))
    return incidents
