"""Grouping: which failures share a cause, and which days make one incident."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.guardrails.activity import NAME as ACTIVITY
from telemetry_quality.core.guardrails.verdicts import DAY_UNREADABLE, Outcome, Segment
from telemetry_quality.core.incidents.decisions import with_actions
from telemetry_quality.core.incidents.model import (
    EVERYWHERE,
    UNREADABLE,
    FailedGuardrail,
    Incident,
    is_same_segment,
    severity,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import date

    from telemetry_quality.core.guardrails.verdicts import Verdict
    from telemetry_quality.core.incidents.model import IncidentAction

MOST_PERCENT = 50
"""A place that holds at least this share of a change is its cause."""

CONFINED_PERCENT = 80
"""A place that holds at least this share leaves too little for another one to have the same cause."""


_Group = list[FailedGuardrail]
"""The failures of one day that share a cause."""


@dataclass(eq=False, slots=True)
class _Strand:
    """An incident while it is being put together: its failures day by day."""

    days: list[_Group]

    @property
    def last_day(self) -> date:
        return self.days[-1][0].day


def failures_of(day: date, revision: int, verdicts: Iterable[Verdict]) -> list[FailedGuardrail]:
    """What failed on a day; one failure alone where it could not be read."""
    failures = []
    for one in verdicts:
        is_unreadable = one.reason_code == DAY_UNREADABLE and one.guardrail == ACTIVITY
        if one.outcome is Outcome.FAILED or is_unreadable:
            root_cause, foremost, is_confined = (UNREADABLE, "", False) if is_unreadable else _segments(one)
            failures.append(
                FailedGuardrail(
                    day,
                    one.guardrail,
                    one.level,
                    one.reason_code,
                    one.value,
                    one.threshold,
                    one.sentence,
                    root_cause,
                    foremost,
                    is_confined,
                    revision,
                )
            )
    return failures


def group_incidents(
    source: str,
    failures: Iterable[FailedGuardrail],
    judged_days: Collection[date],
    actions: Iterable[IncidentAction] = (),
) -> list[Incident]:
    """The incidents that ``failures`` make up, oldest first, with their actions, which are given oldest first."""
    by_day: dict[date, list[FailedGuardrail]] = defaultdict(list)
    for one in failures:
        by_day[one.day].append(one)
    strands: list[_Strand] = []
    alive: list[_Strand] = []
    for day in sorted({*judged_days, *by_day}):
        if day not in by_day and not alive:
            # Nearly all days of years: nothing fails, and nothing is open.
            continue
        groups = _groups_of_day(by_day.get(day, ()))
        begun = _go_on(alive, groups)
        is_readable = not any(_is_unreadable(group) for group in groups)
        alive = [one for one in alive if one.last_day == day or not (is_readable or _is_unreadable(one.days[-1]))]
        alive += begun
        strands += begun
    incidents = _named(source, strands, alive)
    return with_actions(incidents, actions)


def _segments(verdict: Verdict) -> tuple[str, str, bool]:
    """Cause, foremost place, and whether all lies there; hours do not count, for they differ day by day."""
    if not verdict.contributors:
        return EVERYWHERE, "", False
    first = verdict.contributors[0]
    # What is missing is named before where it is missing, and the latter is what other guardrails have in common.
    where = next((one for one in verdict.contributors if one.share_percent is not None), first)
    segment, foremost = str(Segment(first.segment.parts)), str(Segment(where.segment.parts))
    explains_most = first.share_percent is None or first.share_percent >= MOST_PERCENT
    if where.share_percent is None:
        is_named = foremost != EVERYWHERE
        return segment, foremost if is_named else "", is_named
    return (segment if explains_most else EVERYWHERE), foremost, where.share_percent >= CONFINED_PERCENT


def _meet(group: _Group, others: _Group) -> bool:
    return any(is_same_segment(one.foremost, other.foremost) for one in group for other in others)


def _is_unreadable(group: _Group) -> bool:
    return any(one.root_cause == UNREADABLE for one in group)


def _order(one: FailedGuardrail) -> tuple[Any, ...]:
    return (one.day, severity(one.level), one.guardrail, one.root_cause, one.foremost, one.is_confined, one.sentence)


def _groups_of_day(failures: Iterable[FailedGuardrail]) -> list[_Group]:
    """The failures of one day, those that share a cause together, the worst group first."""
    failures = sorted(failures, key=_order)
    groups = [[one for one in failures if one.root_cause == UNREADABLE]]
    readable = [one for one in failures if one.root_cause != UNREADABLE]
    if any(one.guardrail == ACTIVITY for one in readable):
        groups.append(readable)
    else:
        groups += _by_root_cause(
            [one for one in readable if one.is_confined], [one for one in readable if not one.is_confined]
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
        # Joined afterwards: what one brings along must not be what draws the next.
        joining.append((homes[0] if len(homes) == 1 else nowhere, failure))
    for group, failure in joining:
        group.append(failure)
    return [*segments, nowhere]


def _group_order(group: _Group) -> tuple[Any, ...]:
    """Older before younger, higher level before lower, more guardrails before fewer."""
    return group[0].day, min(severity(one.level) for one in group), -len(group), [_order(one) for one in group]


def _go_on(alive: Sequence[_Strand], groups: Iterable[_Group]) -> list[_Strand]:
    """Let each group of a new day join the strand that it goes on best; the strands that the others begin.

    A strand may take in several: what was one incident yesterday is not two because its parts moved apart.
    """
    yesterday = [(strand, strand.days[-1]) for strand in alive]
    begun = []
    for group in groups:
        links = [(_link(earlier, group), strand) for strand, earlier in yesterday]
        best, strand = max(links, key=lambda one: one[0], default=(_NO_LINK, None))
        if strand is None or best == _NO_LINK:
            begun.append(_Strand([group]))
        elif strand.last_day == group[0].day:
            strand.days[-1] = sorted(strand.days[-1] + group, key=_order)
        else:
            strand.days.append(group)
    return begun


_NO_LINK = (False, 0, False)


def _link(earlier: _Group, later: _Group) -> tuple[bool, int, bool]:
    """How well a day's failures go on an earlier day's: the same named place, the same guardrails, any same cause."""
    if _is_unreadable(earlier) != _is_unreadable(later):
        return _NO_LINK
    common = {one.guardrail for one in earlier} & {one.guardrail for one in later}
    same_root_cause = {one.root_cause for one in earlier} & {one.root_cause for one in later}
    return _meet(earlier, later), len(common), bool(same_root_cause)


def _named(source: str, strands: Iterable[_Strand], alive: Sequence[_Strand]) -> list[Incident]:
    """Oldest first. What numbers them is what their first day says, so that no later day changes a key."""
    seen: Counter[date] = Counter()
    incidents = []
    for strand in sorted(strands, key=lambda one: _group_order(one.days[0])):
        first_day = strand.days[0][0].day
        seen[first_day] += 1
        number = "" if seen[first_day] == 1 else f".{seen[first_day]}"
        failures = tuple(chain.from_iterable(strand.days))
        incidents.append(Incident(f"{source}/{first_day}{number}", source, failures, strand in alive))
    return incidents
