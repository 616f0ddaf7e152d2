"""The log of messages about incidents: what was sent on which channel, what failed and why, and what was withheld."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool

from telemetry_quality.dashboard import parameters
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.pages.declaration import Page
from telemetry_quality.dashboard.pages.questions import asked_for
from telemetry_quality.dashboard.rendering import page, render
from telemetry_quality.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from markupsafe import Markup
    from starlette.requests import Request
    from starlette.responses import Response

    from telemetry_quality.core.messages.model import Delivery

ROWS_SHOWN = 200

UTC = ZoneInfo("UTC")
"""Messages are about days of many time zones."""


async def messages(request: Request) -> Response:
    """The latest deliveries; read when they are asked for, because nothing else on the dashboard depends on them."""
    dashboard = dashboard_of(request)
    asked_for(request, parameters.Nothing)
    state = await dashboard.state()
    try:
        rows = await run_in_threadpool(dashboard.reader.latest_deliveries, ROWS_SHOWN)
    except StoreError:
        rows = []
    main = messages_main(rows, dashboard.settings.alerts, state.trouble)
    return page(request, title="Messages", main=main, section=PAGE.section, version=state.version)


def messages_main(rows: Sequence[Delivery], channels: Collection[str], trouble: str | None) -> Markup:
    """The content of the page."""
    return render(PAGE.template, rows=rows, channels=channels, trouble=trouble, zone=UTC, rows_shown=ROWS_SHOWN)


PAGE = Page("/health/messages/", messages, "messages.html", section="messages", navigation="Messages")
