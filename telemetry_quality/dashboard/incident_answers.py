"""Incidents as the pages and the API tell them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails.verdicts import Level
from telemetry_quality.core.incidents import is_muted
from telemetry_quality.dashboard.models import ActAnswer, FailureAnswer, IncidentAnswer, IncidentLine, IncidentsAnswer
from telemetry_quality.dashboard.sentences import incident_sentence

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from telemetry_quality.core.incidents import FailedGuardrail, Incident, IncidentAct
    from telemetry_quality.dashboard.board import Board


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
        cause=incident.cause,
        guardrails=tuple(incident.guardrails),
        sentence=incident_sentence(incident),
        state=incident.state_words(today),
        acknowledged_by=incident.acknowledged_by,
        is_muted=is_muted(incident, today),
        muted_until=incident.muted_until,
        is_confirmed=incident.is_confirmed,
        is_dismissed=incident.is_dismissed,
    )


def incident_answer(incident: Incident, today: date) -> IncidentAnswer:
    """All that is known of an incident."""
    return IncidentAnswer(
        incident=incident_line(incident, today),
        peak=_failure(incident.peak),
        failed_days=incident.days,
        confirmed_days=incident.confirmed_days,
        failures=tuple(_failure(one) for one in incident.failures),
        acts=tuple(_act(one) for one in incident.acts),
    )


def _failure(one: FailedGuardrail) -> FailureAnswer:
    return FailureAnswer.model_validate({name: getattr(one, name) for name in FailureAnswer.model_fields})


def _act(one: IncidentAct) -> ActAnswer:
    return ActAnswer.model_validate({name: getattr(one, name) for name in ActAnswer.model_fields})


def find_incident(board: Board, key: str) -> Incident | None:
    """The incident called ``key``, source/first-day or source/first-day.2; None where there is none."""
    source = key.partition("/")[0]
    return next((one for one in board.incidents.get(source, ()) if one.key == key), None)


def worst_first(incidents: Iterable[Incident]) -> list[Incident]:
    """By level, then the younger one first."""
    levels = list(Level)
    return sorted(incidents, key=lambda one: (levels.index(one.level), -one.first_day.toordinal(), one.key))


def incidents_answer(
    board: Board,
    today: date,
    *,
    sources: tuple[str, ...] = (),
    is_open: bool | None = None,
    first: date | None = None,
    last: date | None = None,
    page: int = 1,
    size: int = 50,
) -> IncidentsAnswer:
    """One page of the incidents that touch the days from ``first`` to ``last``, newest first.

    Of all sources where none is named; open and closed ones where ``is_open`` is None. ``today`` is in UTC.
    """
    found = [
        one
        for one in board.newest_incidents
        if (not sources or one.source in sources)
        and (is_open is None or one.is_open is is_open)
        and (first is None or one.last_day >= first)
        and (last is None or one.first_day <= last)
    ]
    chosen = found[(page - 1) * size : page * size]
    return IncidentsAnswer(
        incidents=tuple(incident_line(one, today) for one in chosen),
        total=len(found),
        page=page,
        pages=max(-(-len(found) // size), 1),
        page_size=size,
        trouble=board.trouble,
    )
