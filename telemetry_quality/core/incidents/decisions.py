"""Decisions: which incident an action applies to, and which days people confirmed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from telemetry_quality.core.incidents.segments import EVERYWHERE, UNREADABLE, is_same_segment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from telemetry_quality.core.incidents.model import Incident, IncidentAction


def confirmed_days(incidents: Iterable[Incident]) -> frozenset[date]:
    """The days that people confirmed, which are left out of what later days are compared with."""
    return frozenset(chain.from_iterable(incident.confirmed_days for incident in incidents))


def with_actions(incidents: Sequence[Incident], actions: Iterable[IncidentAction]) -> list[Incident]:
    """The incidents, each with the actions that apply to it, in their order; settled ones are closed."""
    found: dict[str, list[IncidentAction]] = defaultdict(list)
    for action in actions:
        for incident in _meant(action, incidents):
            found[incident.key].append(action)
    decided = [replace(incident, actions=tuple(found[incident.key])) for incident in incidents]
    return [replace(incident, is_open=incident.is_open and not incident.is_settled) for incident in decided]


def _meant(action: IncidentAction, incidents: Iterable[Incident]) -> list[Incident]:
    """The incident that an action applies to; all its pieces if a healed day has split it."""
    candidates = [incident for incident in incidents if action.speaks_of(incident.first_day, incident.last_day)]
    candidates.sort(key=lambda incident: _fit(action, incident), reverse=True)
    meant: list[Incident] = []
    for incident in candidates:
        is_beside = any(
            incident.first_day <= chosen.last_day and chosen.first_day <= incident.last_day for chosen in meant
        )
        if _is_root_cause_of(action.root_cause, incident) and not is_beside:
            meant.append(incident)
    # What was found everywhere may later be found in a segment, and vice versa, but never one segment in another.
    return meant or [incident for incident in candidates if _may_be_root_cause_of(action.root_cause, incident)][:1]


def _fit(action: IncidentAction, incident: Incident) -> tuple[bool, bool]:
    return (
        incident.root_cause == action.root_cause,
        incident.first_day == action.day or incident.last_day == action.last_seen,
    )


def _is_root_cause_of(root_cause: str, incident: Incident) -> bool:
    root_causes = {failure.root_cause for failure in incident.failures}
    return any(is_same_segment(root_cause, candidate) for candidate in root_causes)


def _may_be_root_cause_of(root_cause: str, incident: Incident) -> bool:
    root_causes = {root_cause, *(failure.root_cause for failure in incident.failures)}
    return EVERYWHERE in root_causes and UNREADABLE not in root_causes
