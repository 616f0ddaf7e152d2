"""Incidents as pages and API show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.incidents import is_muted
from telemetry_quality.core.incidents.wording import incident_sentence
from telemetry_quality.dashboard.models import (
    ActionResponse,
    FailureResponse,
    IncidentLine,
    IncidentResponse,
    IncidentsResponse,
    MarkResponse,
)

if TYPE_CHECKING:
    from datetime import date

    from telemetry_quality.core.incidents import FailedGuardrail, Incident, IncidentAction
    from telemetry_quality.core.marks import MarkedDays
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
        root_cause=incident.where,
        guardrails=tuple(incident.guardrails),
        sentence=incident_sentence(incident),
        state=incident.state_words(today),
        assignee=incident.assignee,
        acknowledged_by=incident.acknowledged_by,
        is_muted=is_muted(incident, today),
        muted_until=incident.muted_until,
        is_confirmed=incident.is_confirmed,
        is_dismissed=incident.is_dismissed,
        is_accepted=incident.is_accepted,
        accepted_by=incident.accepted_by,
    )


def incident_response(incident: Incident, today: date) -> IncidentResponse:
    """Everything that is known about an incident."""
    return IncidentResponse(
        incident=incident_line(incident, today),
        peak=_failure(incident.peak),
        failed_days=incident.days,
        confirmed_days=incident.confirmed_days,
        failures=tuple(_failure(failure) for failure in incident.failures),
        actions=tuple(_action(action) for action in incident.actions),
    )


def mark_response(marked: MarkedDays | None) -> MarkResponse | None:
    """What somebody said about a day; None if nobody said anything."""
    if marked is None:
        return None
    return MarkResponse.model_validate({name: getattr(marked, name) for name in MarkResponse.model_fields})


def _failure(failure: FailedGuardrail) -> FailureResponse:
    fields = {name: getattr(failure, name) for name in FailureResponse.model_fields}
    return FailureResponse.model_validate(fields | {"root_cause": failure.where})


def _action(action: IncidentAction) -> ActionResponse:
    return ActionResponse.model_validate({name: getattr(action, name) for name in ActionResponse.model_fields})


def find_incident(state: DashboardState, key: str) -> Incident | None:
    """The incident with this key, source/first-day or source/first-day.2; None if there is none."""
    source = key.partition("/")[0]
    return next((incident for incident in state.incidents.get(source, ()) if incident.key == key), None)


def incidents_response(
    state: DashboardState,
    today: date,
    *,
    sources: tuple[str, ...] = (),
    is_open: bool | None = None,
    assignee: str | None = None,
    is_assigned: bool | None = None,
    first: date | None = None,
    last: date | None = None,
    page: int = 1,
    size: int = 50,
) -> IncidentsResponse:
    """One page of the incidents that include days from ``first`` to ``last``, the worst first.

    Without ``sources`` it lists all sources; with ``is_open`` None, both open and closed, and so with ``assignee`` and
    ``is_assigned``. ``today`` is in UTC.
    """
    found = [
        incident
        for incident in state.listed_incidents
        if (not sources or incident.source in sources)
        and (is_open is None or incident.is_open is is_open)
        and (assignee is None or incident.who_has_it == assignee)
        and (is_assigned is None or (incident.who_has_it is not None) is is_assigned)
        and (first is None or incident.last_day >= first)
        and (last is None or incident.first_day <= last)
    ]
    chosen = found[(page - 1) * size : page * size]
    return IncidentsResponse(
        incidents=tuple(incident_line(incident, today) for incident in chosen),
        total=len(found),
        page=page,
        pages=max(-(-len(found) // size), 1),
        page_size=size,
        trouble=state.trouble,
    )
