"""The pages for people, a file each.

A module declares its page: where it is found, what it is rendered with and where it stands in the navigation. Adding a
page means adding its module, its template, and a line here. Pages only gather what they show; what it means is said in
``summary``, ``series``, ``day_responses`` and ``incident_responses``, and how it looks in ``markup`` and the templates.

Signing in and the page of one's own account belong to ``access``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from telemetry_quality.dashboard.pages import day, incident, incidents, log, overview

if TYPE_CHECKING:
    from telemetry_quality.dashboard.pages.declaration import Page

PAGES: tuple[Page, ...] = (overview.PAGE, log.PAGE, day.PAGE, incidents.PAGE, incident.PAGE)
"""All pages; the navigation has those with an entry in this order."""

NAVIGATION = tuple((page.section, page.path, page.navigation) for page in PAGES if page.navigation)

router = APIRouter()
for _page in PAGES:
    for _route in _page.routes():
        # Plain routes: what a page is asked for is read from its address, and no response model is needed.
        router.add_route(_route.path, _route.endpoint, methods=[_route.method], include_in_schema=False)
