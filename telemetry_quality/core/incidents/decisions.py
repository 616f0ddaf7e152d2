"""Decisions: which incident an act speaks of, and which days people confirmed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from telemetry_quality.core.incidents.model import EVERYWHERE, UNREADABLE, is_same_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from telemetry_quality.core.incidents.model import Incident, IncidentAct


def confirmed_days(incidents: Iterable[Incident]) -> frozenset[date]:
    """The days to leave out of what later days are compared with: those that people confirmed, no others."""
    return frozenset(chain.from_iterable(incident.confirmed_days for incident in incidents))


def with_acts(incidents: Sequence[Incident], acts: Iterable[IncidentAct]) -> list[Incident]:
    """The incidents, each with the acts that speak of it, in their order."""
    found: dict[str, list[IncidentAct]] = defaultdict(list)
    for act in acts:
        for one in _meant(act, incidents):
            found[one.key].append(act)
    return [replace(one, acts=tuple(found[one.key])) for one in incidents]


def _meant(act: IncidentAct, incidents: Iterable[Incident]) -> list[Incident]:
    """The incident that an act speaks of; all parts of it where a healed day has split it."""
    candidates = [one for one in incidents if act.speaks_of(one.first_day, one.last_day)]
    candidates.sort(key=lambda one: _fit(act, one), reverse=True)
    meant: list[Incident] = []
    for one in candidates:
        is_beside = any(one.first_day <= other.last_day and other.first_day <= one.last_day for other in meant)
        if _is_cause_of(act.cause, one) and not is_beside:
            meant.append(one)
    # What was found everywhere may be found in a place later, and the other way round; never one place in another.
    return meant or [one for one in candidates if _may_be_cause_of(act.cause, one)][:1]


def _fit(act: IncidentAct, incident: Incident) -> tuple[bool, bool]:
    return incident.cause == act.cause, incident.first_day == act.day or incident.last_day == act.last_seen


def _is_cause_of(cause: str, incident: Incident) -> bool:
    causes = {one.cause for one in incident.failures}
    return any(is_same_place(cause, one) for one in causes)


def _may_be_cause_of(cause: str, incident: Incident) -> bool:
    causes = {cause, *(one.cause for one in incident.failures)}
    return EVERYWHERE in causes and UNREADABLE not in causes
