"""The list of incidents."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from telemetry_quality.dashboard import parameters
from telemetry_quality.dashboard.api import require_sources, this_minute
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.incident_responses import incidents_response
from telemetry_quality.dashboard.pages.addresses import Address
from telemetry_quality.dashboard.pages.declaration import Page
from telemetry_quality.dashboard.pages.questions import asked_for, kept
from telemetry_quality.dashboard.rendering import page, render

if TYPE_CHECKING:
    from datetime import date

    from markupsafe import Markup
    from starlette.requests import Request
    from starlette.responses import Response

    from telemetry_quality.dashboard.state import DashboardState
    from telemetry_quality.settings import Settings


async def incidents(request: Request) -> Response:
    """Respond with a page of the list of incidents, the worst first."""
    dashboard, asked = dashboard_of(request), asked_for(request, parameters.IncidentParameters)
    state, now = await dashboard.state(), this_minute(dashboard)
    today = now.astimezone(UTC).date()
    require_sources(dashboard, state, [asked.source] if asked.source else [])
    main = await kept(request, state, now, lambda: list_main(state, dashboard.settings, asked, today))
    return page(request, title="Incidents", main=main, section=PAGE.section, version=state.version)


def list_main(state: DashboardState, settings: Settings, asked: parameters.IncidentParameters, today: date) -> Markup:
    """The content of a page of the list."""
    response = incidents_response(
        state,
        today,
        sources=(asked.source,) if asked.source else (),
        is_open=asked.is_open,
        assignee=asked.assignee,
        is_assigned=asked.is_assigned,
        first=asked.first,
        last=asked.last,
        page=asked.page,
        size=asked.page_size,
    )
    return render(
        PAGE.template,
        response=response,
        asked=asked,
        trouble=state.trouble,
        sources=sorted({*settings.sources, *state.index.sources}),
        title_of=settings.title_of,
        people=sorted(
            {who for incident in state.listed_incidents if incident.is_open and (who := incident.who_has_it)}
        ),
        is_filtered=asked.model_copy(update={"page": 1, "page_size": 50}) != parameters.IncidentParameters(),
        address=Address(asked),
    )


PAGE = Page("/health/incidents/", incidents, "incidents.html", section="incidents", navigation="Incidents")
