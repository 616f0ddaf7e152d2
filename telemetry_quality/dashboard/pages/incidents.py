"""The list of incidents."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from telemetry_quality.dashboard import parameters
from telemetry_quality.dashboard.api import require_sources, this_minute
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.incident_answers import incidents_answer
from telemetry_quality.dashboard.pages.addresses import Address
from telemetry_quality.dashboard.pages.declaration import Page
from telemetry_quality.dashboard.pages.questions import asked_for, kept
from telemetry_quality.dashboard.rendering import page, render

if TYPE_CHECKING:
    from datetime import date

    from markupsafe import Markup
    from starlette.requests import Request
    from starlette.responses import Response

    from telemetry_quality.dashboard.board import Board
    from telemetry_quality.settings import Settings


async def incidents(request: Request) -> Response:
    """All incidents, the newest first."""
    dashboard, asked = dashboard_of(request), asked_for(request, parameters.IncidentParameters)
    board, now = await dashboard.board(), this_minute(dashboard)
    today = now.astimezone(UTC).date()
    require_sources(dashboard, board, [asked.source] if asked.source else [])
    main = await kept(request, board, now, lambda: list_main(board, dashboard.settings, asked, today))
    return page(request, title="Incidents", main=main, section=PAGE.section, version=board.version)


def list_main(board: Board, settings: Settings, asked: parameters.IncidentParameters, today: date) -> Markup:
    """One page of the list."""
    answer = incidents_answer(
        board,
        today,
        sources=(asked.source,) if asked.source else (),
        is_open=asked.is_open,
        first=asked.first,
        last=asked.last,
        page=asked.page,
        size=asked.page_size,
    )
    return render(
        PAGE.template,
        answer=answer,
        asked=asked,
        trouble=board.trouble,
        sources=sorted({*settings.sources, *board.ledger.sources}),
        is_filtered=bool(asked.source or asked.is_open is not None or asked.first or asked.last),
        address=Address(asked),
    )


PAGE = Page("/health/incidents/", incidents, "incidents.html", section="incidents", navigation="Incidents")
