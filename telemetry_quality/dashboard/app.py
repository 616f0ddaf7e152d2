"""create_app: wires the parts of the dashboard into an ASGI application; nothing is decided here."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.middleware import Middleware

from telemetry_quality import __version__
from telemetry_quality.assembly import open_store, utc_now
from telemetry_quality.dashboard import api, api_errors, day_exports, exports, feeds, files, live, metrics, pages
from telemetry_quality.dashboard.access import routes as access_routes
from telemetry_quality.dashboard.access.guard import StaffOnly
from telemetry_quality.dashboard.access.headers import HostAndHeaders
from telemetry_quality.dashboard.access.users import Access
from telemetry_quality.dashboard.cache import ResponseCache
from telemetry_quality.dashboard.context import Dashboard
from telemetry_quality.dashboard.durations import RequestDurations, Timed
from telemetry_quality.dashboard.hub import Hub
from telemetry_quality.dashboard.preparing import preparing
from telemetry_quality.dashboard.state import StateKeeper
from telemetry_quality.storage.reader import StoreReader
from telemetry_quality.storage.staff.store import StaffStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from telemetry_quality.settings import Settings


ROUTERS = (
    api.router,
    feeds.router,
    metrics.router,
    exports.router,
    day_exports.router,
    pages.router,
    files.router,
    access_routes.router,
    live.router,
)


def create_app(settings: Settings, *, clock: Callable[[], datetime] = utc_now) -> FastAPI:
    """The dashboard of ``settings`` as an ASGI application.

    Raises:
        StoreError: If the store's URL is wrong. A store that cannot be read is shown on the pages instead.
    """
    dashboard = _open_dashboard(settings, clock)
    app = FastAPI(
        title="telemetry-quality",
        summary="Whether a day of telemetry can be trusted.",
        version=__version__,
        lifespan=_lifespan,
        openapi_url="/api/health/openapi.json",
        # Their pages load scripts from other hosts.
        docs_url=None,
        redoc_url=None,
        middleware=[
            Middleware(Timed, durations=dashboard.durations),
            Middleware(HostAndHeaders, settings=settings.dashboard),
            Middleware(StaffOnly, access=dashboard.access),
        ],
    )
    app.state.dashboard = dashboard
    app.state.navigation = pages.NAVIGATION
    api_errors.install(app)
    for router in ROUTERS:
        app.include_router(router)
    return app


def _open_dashboard(settings: Settings, clock: Callable[[], datetime]) -> Dashboard:
    reader = StoreReader(settings.store)
    return Dashboard(
        settings=settings,
        clock=clock,
        reader=reader,
        action_store=open_store(settings),
        keeper=StateKeeper(reader, clock),
        responses=ResponseCache(),
        access=Access(StaffStore(settings.store), settings.dashboard, clock),
        hub=Hub(),
        durations=RequestDurations(),
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    dashboard: Dashboard = app.state.dashboard
    async with live.watching(dashboard), preparing(dashboard):
        yield
    dashboard.reader.close()
    dashboard.action_store.close()
    dashboard.access.close()
