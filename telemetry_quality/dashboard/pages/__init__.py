"""The pages for people, one module each.

A module declares its page: its address, its template and its entry in the navigation. Adding a page means adding its
module, its template and a line here. Pages only gather what they show; ``summary``, ``series``, ``day_responses`` and
``incident_responses`` decide what it means, and ``markup`` and the templates decide how it looks.

The sign-in and account pages belong to ``access``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from telemetry_quality.dashboard.pages import (
    day,
    forecast,
    hours,
    incident,
    incidents,
    log,
    messages,
    overview,
    source,
    versions,
)

if TYPE_CHECKING:
    from telemetry_quality.dashboard.pages.declaration import Page

PAGES: tuple[Page, ...] = (
    overview.PAGE,
    source.PAGE,
    log.PAGE,
    day.PAGE,
    hours.PAGE,
    versions.PAGE,
    incidents.PAGE,
    incident.PAGE,
    forecast.PAGE,
    messages.PAGE,
)
"""All pages; the navigation shows those with an entry, in this order."""

NAVIGATION = tuple((page.section, page.path, page.navigation) for page in PAGES if page.navigation)

router = APIRouter()
for _page in PAGES:
    for _route in _page.routes():
        # Plain routes: pages parse their own parameters and need no response model.
        router.add_route(_route.path, _route.endpoint, methods=[_route.method], include_in_schema=False)
