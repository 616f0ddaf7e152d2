"""One incident, and what somebody decides on it: all that the dashboard ever writes about telemetry."""

from __future__ import annotations

from datetime import UTC, date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from telemetry_quality.core.incidents import Act
from telemetry_quality.dashboard.api import require_sources
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.incident_answers import find_incident, incident_answer
from telemetry_quality.dashboard.pages.declaration import Page, Route
from telemetry_quality.dashboard.refusals import Refusal, shown
from telemetry_quality.dashboard.rendering import SIGNS, page, render, visitor_of

if TYPE_CHECKING:
    from datetime import datetime

    from markupsafe import Markup
    from starlette.requests import Request
    from starlette.responses import Response

    from telemetry_quality.core.incidents import Incident
    from telemetry_quality.dashboard.board import Board
    from telemetry_quality.dashboard.context import Dashboard
    from telemetry_quality.settings import Settings

LONGEST_NOTE = 2_000

PAST_TENSE = {
    Act.ACKNOWLEDGE: "acknowledged it",
    Act.MUTE: "muted it",
    Act.CONFIRM: "confirmed it",
    Act.DISMISS: "dismissed it",
}


async def one_incident(request: Request) -> Response:
    """One incident with its days, what failed on each, and what was decided."""
    dashboard = dashboard_of(request)
    board, now = await dashboard.board(), dashboard.clock()
    incident = _incident(dashboard, board, request)
    visitor = visitor_of(request)
    main = incident_main(board, dashboard.settings, incident, _today(now), visitor.csrf_token if visitor else "")
    return page(request, title=f"Incident {incident.key}", main=main, section=PAGE.section, version=board.version)


def incident_main(board: Board, settings: Settings, incident: Incident, today: date, csrf_token: str) -> Markup:
    """The page of one incident; its forms belong to one visitor, so it is made for each."""
    source = settings.sources.get(incident.source)
    return render(
        PAGE.template,
        answer=incident_answer(incident, today),
        trouble=board.trouble,
        zone=ZoneInfo(source.time_zone if source else "UTC"),
        today=today,
        signs=SIGNS,
        csrf_token=csrf_token,
        past_tense={act.value: words for act, words in PAST_TENSE.items()},
        longest_note=LONGEST_NOTE,
    )


async def act(request: Request) -> Response:
    """Keep what somebody decided, and show the incident as it is now."""
    form = await request.form()
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    return await run_in_threadpool(_decide, request, fields)


def _decide(request: Request, fields: dict[str, str]) -> Response:
    dashboard = dashboard_of(request)
    visitor = visitor_of(request)
    if visitor is None or visitor.is_token:
        raise Refusal(403, "SIGN_IN_REQUIRED", "Somebody who is signed in is required to decide this; sign in.")
    incident = _incident(dashboard, dashboard.keeper.board(), request)
    decided = incident.decide(
        _act_of(fields.get("act", "")),
        visitor.account_name,
        dashboard.clock(),
        note=_note_of(fields.get("note", "")),
        muted_until=_until_of(fields.get("until", "")),
    )
    dashboard.acts.append_act(decided)
    dashboard.keeper.expect_news()
    return RedirectResponse(f"/health/incidents/{incident.key}/", 303)


def _incident(dashboard: Dashboard, board: Board, request: Request) -> Incident:
    source, name = request.path_params["source"], request.path_params["name"]
    require_sources(dashboard, board, [source])
    incident = find_incident(board, f"{source}/{name}")
    if incident is None:
        raise Refusal(
            404,
            "NO_SUCH_INCIDENT",
            f"An incident that {source} has is required, but {shown(name)} names none: a day that was judged again "
            "may have healed; choose one from the list at /health/incidents/.",
        )
    return incident


def _act_of(text: str) -> Act:
    try:
        return Act(text)
    except ValueError:
        known = ", ".join(Act)
        raise Refusal(
            422, "INVALID_ACT", f"One of {known} is required, but {shown(text)} was found; choose one."
        ) from None


def _note_of(text: str) -> str:
    if len(text) > LONGEST_NOTE:
        raise Refusal(
            422,
            "NOTE_TOO_LONG",
            f"A note of at most {LONGEST_NOTE} characters is required, but {len(text)} were found; shorten it.",
        )
    return text


def _until_of(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refusal(
            422, "INVALID_DAY", f"A day such as 2026-03-10 is required, but {shown(text)} was found; correct it."
        ) from None


def _today(now: datetime) -> date:
    return now.astimezone(UTC).date()


PAGE = Page(
    "/health/incidents/{source}/{name}/",
    one_incident,
    "incident.html",
    section="incidents",
    more=(Route("/health/incidents/{source}/{name}/acts/", act, "POST"),),
)
