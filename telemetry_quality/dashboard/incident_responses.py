"""Incidents as the pages and the API show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails.verdicts import Level
from telemetry_quality.core.incidents import is_muted
from telemetry_quality.dashboard.models import (
    ActionResponse,
    FailureResponse,
    IncidentLine,
    IncidentResponse,
    IncidentsResponse,
)
from telemetry_quality.dashboard.sentences import incident_sentence

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from telemetry_quality.core.incidents import FailedGuardrail, Incident, IncidentAction
    from telemetry_quality.dashboard.state import DashboardState


def incident_line(incident: Incident, today: date) -> IncidentLine:
    """An incident in a list; ``today``, in UTC, decides whether it is muted."""
    return IncidentLine(
        source=incident.source,
        key=incident.key,
        first_day=incident.first_day,
        last_day=incident.last_day,
        days=len(incident.days),
        is_open=incident.is_open,
        level=incident.level,
        root_cause=incident.root_cause,
        guardrails=tuple(incident.guardrails),
        sentence=incident_sentence(incident),
        state=incident.state_words(today),
        acknowledged_by=incident.acknowledged_by,
        is_muted=is_muted(incident, today),
        muted_until=incident.muted_until,
        is_confirmed=incident.is_confirmed,
        is_dismissed=incident.is_dismissed,
    )


def incident_response(incident: Incident, today: date) -> IncidentResponse:
    """All that is known of an incident."""
    return IncidentResponse(
        incident=incident_line(incident, today),
        peak=_failure(incident.peak),
        failed_days=incident.days,
        confirmed_days=incident.confirmed_days,
        failures=tuple(_failure(one) for one in incident.failures),
        actions=tuple(_action(one) for one in incident.actions),
    )


def _failure(one: FailedGuardrail) -> FailureResponse:
    return FailureResponse.model_validate({name: getattr(one, name) for name in FailureResponse.model_fields})


def _action(one: IncidentAction) -> ActionResponse:
    return ActionResponse.model_validate({name: getattr(one, name) for name in ActionResponse.model_fields})


def find_incident(state: DashboardState, key: str) -> Incident | None:
    """The incident called ``key``, source/first-day or source/first-day.2; None where there is none."""
    source = key.partition("/")[0]
    return next((one for one in state.incidents.get(source, ()) if one.key == key), None)


def worst_first(incidents: Iterable[Incident]) -> list[Incident]:
    """By level, then the younger one first."""
    levels = list(Level)
    return sorted(incidents, key=lambda one: (levels.index(one.level), -one.first_day.toordinal(), one.key))


def incidents_response(
    state: DashboardState,
    today: date,
    *,
    sources: tuple[str, ...] = (),
    is_open: bool | None = None,
    first: date | None = None,
    last: date | None = None,
    page: int = 1,
    size: int = 50,
) -> IncidentsResponse:
    """One page of the incidents that touch the days from ``first`` to ``last``, newest first.

    Of all sources where none is named; open and closed ones where ``is_open`` is None. ``today`` is in UTC.
    """
    found = [
        one
        for one in state.newest_incidents
        if (not sources or one.source in sources)
        and (is_open is None or one.is_open is is_open)
        and (first is None or one.last_day >= first)
        and (last is None or one.first_day <= last)
    ]
    chosen = found[(page - 1) * size : page * size]
    return IncidentsResponse(
        incidents=tuple(incident_line(one, today) for one in chosen),
        total=len(found),
        page=page,
        pages=max(-(-len(found) // size), 1),
        page_size=size,
        trouble=state.trouble,
    )
