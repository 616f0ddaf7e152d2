"""Decisions: which incident an action speaks of, and which days people confirmed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from telemetry_quality.core.incidents.model import EVERYWHERE, UNREADABLE, is_same_segment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from telemetry_quality.core.incidents.model import Incident, IncidentAction


def confirmed_days(incidents: Iterable[Incident]) -> frozenset[date]:
    """The days to leave out of what later days are compared with: those that people confirmed, no others."""
    return frozenset(chain.from_iterable(incident.confirmed_days for incident in incidents))


def with_actions(incidents: Sequence[Incident], actions: Iterable[IncidentAction]) -> list[Incident]:
    """The incidents, each with the actions that speak of it, in their order."""
    found: dict[str, list[IncidentAction]] = defaultdict(list)
    for action in actions:
        for one in _meant(action, incidents):
            found[one.key].append(action)
    return [replace(one, actions=tuple(found[one.key])) for one in incidents]


def _meant(action: IncidentAction, incidents: Iterable[Incident]) -> list[Incident]:
    """The incident that an action speaks of; all parts of it where a healed day has split it."""
    candidates = [one for one in incidents if action.speaks_of(one.first_day, one.last_day)]
    candidates.sort(key=lambda one: _fit(action, one), reverse=True)
    meant: list[Incident] = []
    for one in candidates:
        is_beside = any(one.first_day <= other.last_day and other.first_day <= one.last_day for other in meant)
        if _is_root_cause_of(action.root_cause, one) and not is_beside:
            meant.append(one)
    # What was found everywhere may be found in a place later, and the other way round; never one place in another.
    return meant or [one for one in candidates if _may_be_root_cause_of(action.root_cause, one)][:1]


def _fit(action: IncidentAction, incident: Incident) -> tuple[bool, bool]:
    return (
        incident.root_cause == action.root_cause,
        incident.first_day == action.day or incident.last_day == action.last_seen,
    )


def _is_root_cause_of(root_cause: str, incident: Incident) -> bool:
    root_causes = {one.root_cause for one in incident.failures}
    return any(is_same_segment(root_cause, one) for one in root_causes)


def _may_be_root_cause_of(root_cause: str, incident: Incident) -> bool:
    root_causes = {root_cause, *(one.root_cause for one in incident.failures)}
    return EVERYWHERE in root_causes and UNREADABLE not in root_causes
