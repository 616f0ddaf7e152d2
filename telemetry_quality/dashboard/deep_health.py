"""``/healthz?deep=1``: whether days are still being judged, for monitors that have a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from telemetry_quality.dashboard.api_errors import ApiError
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.gaps import gaps_in
from telemetry_quality.dashboard.models import DeepHealth, WatchedSource
from telemetry_quality.errors import StoreError

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.requests import Request

    from telemetry_quality.dashboard.state import DashboardState
    from telemetry_quality.settings import Settings

NOT_WATCHING = "NOT_WATCHING"


async def deep_health(request: Request) -> DeepHealth:
    """How far each source's days have been judged.

    Raises:
        ApiError: If nobody is signed in, or a source's newest day is overdue or lies in the future.
        StoreError: If the store cannot be read or has the schema of another version.
    """
    dashboard = dashboard_of(request)
    if await run_in_threadpool(dashboard.access.user_of, request.headers) is None:
        raise ApiError(
            401,
            "SIGN_IN_REQUIRED",
            "An API token is required for /healthz?deep=1, but none was found, or it has expired; "
            "send Authorization: Bearer with a token from your account's page, or leave deep out.",
            {"WWW-Authenticate": 'Bearer realm="telemetry-quality"'},
        )
    await run_in_threadpool(dashboard.reader.require_schema)
    state = await dashboard.state()
    if state.trouble is not None:
        raise StoreError(state.trouble)
    return watched(state, dashboard.settings, dashboard.clock())


def watched(state: DashboardState, settings: Settings, now: datetime) -> DeepHealth:
    """The newest day of each source.

    Raises:
        ApiError: If one is overdue or lies in the future.
    """
    found = {name: gaps_in(state, settings, name, now) for name in settings.sources}
    wrong = [sentence for gaps in found.values() if gaps.is_overdue or gaps.future for sentence in gaps.sentences()]
    if wrong:
        raise ApiError(503, NOT_WATCHING, " ".join(wrong))
    return DeepHealth(
        sources=tuple(
            WatchedSource(source=name, newest_day=gaps.newest, missing_days=gaps.missing_count)
            for name, gaps in found.items()
        )
    )
