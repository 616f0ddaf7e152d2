"""What comes: the events to expect on the coming days of each source, and how right earlier forecasts were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from telemetry_quality.dashboard import parameters
from telemetry_quality.dashboard.api import require_watched, this_minute
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.forecasts import forecasts_response
from telemetry_quality.dashboard.pages.declaration import Page
from telemetry_quality.dashboard.pages.questions import asked_for
from telemetry_quality.dashboard.rendering import page, render
from telemetry_quality.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup
    from starlette.requests import Request
    from starlette.responses import Response

    from telemetry_quality.dashboard.forecasts import ForecastResponse


async def forecast(request: Request) -> Response:
    """The latest forecasts; read when they are asked for, because nothing else on the dashboard depends on them."""
    dashboard, asked = dashboard_of(request), asked_for(request, parameters.OneSource)
    require_watched(dashboard, asked.source)
    state, now = await dashboard.state(), this_minute(dashboard)
    names = [asked.source] if asked.source else list(dashboard.settings.sources)
    try:
        found = await run_in_threadpool(forecasts_response, dashboard.reader, dashboard.settings, names, now)
        sources = found.sources
    except StoreError:
        sources = ()
    main = forecast_main(sources, state.trouble)
    return page(request, title="Forecast", main=main, section=PAGE.section, version=state.version)


def forecast_main(sources: Sequence[ForecastResponse], trouble: str | None) -> Markup:
    """The content of the page."""
    return render(PAGE.template, sources=sources, trouble=trouble)


PAGE = Page("/health/forecast/", forecast, "forecast.html", section="forecast", navigation="Forecast")
