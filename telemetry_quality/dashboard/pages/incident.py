"""The page of an incident and the actions on it, which are all that the dashboard writes about telemetry."""

from __future__ import annotations

from datetime import UTC, date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from telemetry_quality.core.incidents import LONGEST_MUTE, LONGEST_NAME, Action
from telemetry_quality.core.incidents.wording import PAST_TENSE
from telemetry_quality.core.marks import LONGEST_NOTE, Mark
from telemetry_quality.core.running.model import RUNNING
from telemetry_quality.dashboard.api import require_sources
from telemetry_quality.dashboard.api_errors import ApiError, shown
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.incident_responses import find_incident, incident_response
from telemetry_quality.dashboard.markup.segments import HEADINGS, cut_address, is_linked
from telemetry_quality.dashboard.markup.verdicts import title_of
from telemetry_quality.dashboard.pages.declaration import Page, Route
from telemetry_quality.dashboard.pages.marking import store_mark
from telemetry_quality.dashboard.pages.questions import note_of
from telemetry_quality.dashboard.rendering import SIGNS, page, render, user_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from markupsafe import Markup
    from starlette.requests import Request
    from starlette.responses import Response

    from telemetry_quality.core.incidents import FailedGuardrail, Incident
    from telemetry_quality.core.marks import MarkedDays
    from telemetry_quality.dashboard.access.identity import User
    from telemetry_quality.dashboard.context import Dashboard
    from telemetry_quality.dashboard.state import DashboardState
    from telemetry_quality.settings import Settings


async def one_incident(request: Request) -> Response:
    """Respond with the page of an incident: its failed days, its failures and the decisions about it."""
    dashboard = dashboard_of(request)
    state, now = await dashboard.state(), dashboard.clock()
    incident = _incident(dashboard, state, request)
    main = incident_main(state, dashboard.settings, incident, _today(now), user_of(request))
    status = "open" if incident.is_open else "closed"
    title = title_of(status, f"{incident.key} {status}")
    return page(request, title=title, main=main, section=PAGE.section, version=state.version)


def incident_main(
    state: DashboardState, settings: Settings, incident: Incident, today: date, user: User | None
) -> Markup:
    """The page of an incident, rendered for each user because its forms belong to one user."""
    source = settings.sources.get(incident.source)
    previous, following = _beside(state, incident)
    return render(
        PAGE.template,
        response=incident_response(incident, today),
        cuts=[_cut(failure, source.event_schema().dimensions) if source else "" for failure in incident.failures],
        previous=previous,
        following=following,
        marks=list(Mark) if source else [],
        marked=_marked(state, incident),
        trouble=state.trouble,
        title=settings.title_of(incident.source),
        zone=ZoneInfo(source.time_zone if source else "UTC"),
        ended_at=source.calendar().window(incident.last_day).end if source and not incident.is_open else None,
        owners=settings.owners_of(incident.source),
        today=today,
        running=RUNNING,
        last_mute=today + LONGEST_MUTE,
        signs=SIGNS,
        user=user,
        past_tense={action.value: words for action, words in PAST_TENSE.items()},
        longest_note=LONGEST_NOTE,
        longest_name=LONGEST_NAME,
    )


def _cut(failure: FailedGuardrail, dimensions: Collection[str]) -> str:
    """What cuts the page of the failed day to the hour or value, or both, that the failure is about; empty if to none.

    The page knows the hours of signals and versions alone, and one value at a time.
    """
    if failure.cause is None or failure.revision == RUNNING:
        return ""
    segment = failure.cause.segment
    parts = [part for part in segment.parts if part[0] in {*HEADINGS, *dimensions} and is_linked(part[1])]
    by, value = next((part for part in parts if part[0] in HEADINGS), parts[0] if parts else (None, None))
    hour = segment.hours[0] if segment.hours is not None and (by is None or by in HEADINGS) else None
    return "" if by is None and hour is None else cut_address(by, value, hour)


def _beside(state: DashboardState, incident: Incident) -> tuple[Incident | None, Incident | None]:
    """The incidents before and after this one in the list of all."""
    listed = state.listed_incidents
    at = listed.index(incident)
    return listed[at - 1] if at else None, next(iter(listed[at + 1 : at + 2]), None)


def _marked(state: DashboardState, incident: Incident) -> list[MarkedDays]:
    """What was said about its days, each statement once."""
    said = (state.mark(incident.source, day) for day in incident.days)
    return list(dict.fromkeys(marked for marked in said if marked is not None))


async def action(request: Request) -> Response:
    """Store a decision and redirect to the incident."""
    form = await request.form()
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    return await run_in_threadpool(_decide, request, fields)


def _decide(request: Request, fields: dict[str, str]) -> Response:
    dashboard = dashboard_of(request)
    user = user_of(request)
    if user is None or user.is_token:
        raise ApiError(403, "SIGN_IN_REQUIRED", "Only somebody who is signed in can decide this; sign in.")
    incident = _incident(dashboard, dashboard.keeper.state(), request)
    if "mark" in fields:
        store_mark(dashboard, user, incident.source, (incident.first_day, incident.last_day), fields)
    else:
        _store_action(dashboard, user, incident, fields)
    dashboard.keeper.expect_update()
    return RedirectResponse(f"/health/incidents/{incident.key}/", 303)


def _store_action(dashboard: Dashboard, user: User, incident: Incident, fields: dict[str, str]) -> None:
    decided = incident.decide(
        _action_of(fields.get("action", "")),
        user.account_name,
        dashboard.clock(),
        note=note_of(fields.get("note", "")),
        muted_until=_until_of(fields.get("until", "")),
        assignee=fields.get("assignee", ""),
    )
    dashboard.action_store.append_incident_action(decided)


def _incident(dashboard: Dashboard, state: DashboardState, request: Request) -> Incident:
    source, name = request.path_params["source"], request.path_params["name"]
    require_sources(dashboard, state, [source])
    incident = find_incident(state, f"{source}/{name}")
    if incident is None:
        raise ApiError(
            404,
            "NO_SUCH_INCIDENT",
            f"An incident of {source} is required, but {shown(name)} is not one: a new judgement of its days may have "
            "removed it; choose one from the list at /health/incidents/.",
        )
    return incident


def _action_of(text: str) -> Action:
    try:
        return Action(text)
    except ValueError:
        known = ", ".join(Action)
        raise ApiError(
            422, "INVALID_ACTION", f"One of {known} is required, but {shown(text)} was found; choose one."
        ) from None


def _until_of(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ApiError(
            422, "INVALID_DAY", f"A day such as 2026-03-10 is required, but {shown(text)} was found; correct it."
        ) from None


def _today(now: datetime) -> date:
    return now.astimezone(UTC).date()


PAGE = Page(
    "/health/incidents/{source}/{name}/",
    one_incident,
    "incident.html",
    section="incidents",
    more=(Route("/health/incidents/{source}/{name}/actions/", action, "POST"),),
)
