"""The JSON API: the same content as the pages, for machines, and ``/healthz`` for supervisors that restart processes.

Responses are rendered once and cached as bytes until the store's content changes. They are not validated again before
they are sent: the response models serve the OpenAPI document, and a test checks real responses against them.
"""

from __future__ import annotations

import hashlib
from datetime import UTC
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import PlainTextResponse, Response

from telemetry_quality.dashboard.api_errors import ApiError, shown
from telemetry_quality.dashboard.as_of import log_as_of, source_as_of
from telemetry_quality.dashboard.compression import compressed, response_of
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.day_responses import day_response
from telemetry_quality.dashboard.deep_health import deep_health
from telemetry_quality.dashboard.forecasts import ForecastsResponse, forecasts_response
from telemetry_quality.dashboard.incident_responses import incidents_response
from telemetry_quality.dashboard.models import (
    DayResponse,
    DeepHealth,
    IncidentsResponse,
    LogResponse,
    Summary,
    VersionResponse,
)
from telemetry_quality.dashboard.parameters import (
    ANYWHERE,
    INSIDE,
    JSON,
    NO_PARAMETERS,
    NOT_MODIFIED,
    ONE_EACH,
    ONE_EACH_BUT_FILTERS,
    STAFF,
    AsOf,
    Day,
    Depth,
    IncidentParameters,
    LogParametersAsOf,
    OneSource,
    SourceName,
    SummaryParameters,
    answers,
    refused_beside,
    refused_with,
)
from telemetry_quality.dashboard.ranges import about_range
from telemetry_quality.dashboard.running import running_response
from telemetry_quality.dashboard.running_models import RunningResponse
from telemetry_quality.dashboard.series import log_response
from telemetry_quality.dashboard.summary import summarize
from telemetry_quality.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import date, datetime

    from pydantic import BaseModel

    from telemetry_quality.dashboard.compression import Part
    from telemetry_quality.dashboard.context import Dashboard
    from telemetry_quality.dashboard.state import DashboardState
    from telemetry_quality.storage.stored_days import StoredDay

UNKNOWN_SOURCE = "UNKNOWN_SOURCE"
NO_SUCH_DAY = "NO_SUCH_DAY"

router = APIRouter(tags=["health"])
staff = APIRouter(prefix="/api/health", dependencies=STAFF, responses=refused_with(*INSIDE) | NOT_MODIFIED)


@answers(
    router,
    "/healthz",
    responses=refused_beside(*ANYWHERE, 401, 422, 503)
    | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "model": DeepHealth}},
    dependencies=[ONE_EACH],
)
async def healthz(request: Request, asked: Annotated[Depth, Query()]) -> Response:
    """Show that the process responds, and nothing else.

    With ``deep=1`` and a token: whether the store can be read and the days of every source are being judged.
    """
    if asked.deep is None:
        return PlainTextResponse("ok\n")
    return Response(as_bytes(await deep_health(request)), media_type=JSON)


@answers(staff, "/summary/", response_model=Summary, responses=refused_with(404), dependencies=[ONE_EACH])
async def summary(request: Request, asked: Annotated[SummaryParameters, Query()]) -> Response:
    """Whether the latest complete day of each source can be trusted, in words and numbers.

    With ``first`` and ``last``: whether every day of that range can.
    """
    dashboard = dashboard_of(request)
    state, now = await dashboard.state(), this_minute(dashboard)
    require_watched(dashboard, asked.source)
    days = (asked.first, asked.last) if asked.first and asked.last else None

    def make() -> bytes:
        found = summarize(state, dashboard.settings, now, asked.source)
        return as_bytes(found if days is None else about_range(found, state, dashboard.settings, days))

    return await kept(request, state, now, JSON, make)


@answers(staff, "/live/", response_model=RunningResponse, responses=refused_with(404), dependencies=[ONE_EACH])
async def live(request: Request, asked: Annotated[OneSource, Query()]) -> Response:
    """What is known of the running day of each source with ``intraday = true``: provisional, and never healthy."""
    dashboard = dashboard_of(request)
    state, now = await dashboard.state(), this_minute(dashboard)
    require_watched(dashboard, asked.source)
    make = partial(running_response, state, dashboard.settings, now, asked.source)
    return await kept(request, state, now, JSON, lambda: as_bytes(make()))


@answers(
    staff, "/snapshots/", response_model=LogResponse, responses=refused_with(404), dependencies=[ONE_EACH_BUT_FILTERS]
)
async def snapshots(request: Request, asked: Annotated[LogParametersAsOf, Query()]) -> Response:
    """The log of snapshots, the latest revision of each day: filtered, sorted and paged."""
    dashboard = dashboard_of(request)
    state = await dashboard.state()
    require_sources(dashboard, state, asked.source)
    if asked.as_of is None:
        return await kept(request, state, None, JSON, lambda: as_bytes(log_response(state, asked.query())))
    load = partial(log_as_of, dashboard.reader, asked.as_of, asked.source)
    body = await dashboard.responses.get_or_load(
        address_key(request, None), state.version, load, lambda known: as_bytes(log_response(known, asked.query()))
    )
    return conditional(request, body, JSON)


@answers(
    staff,
    "/snapshots/{source}/{day}/",
    response_model=DayResponse,
    responses=refused_with(404),
    dependencies=[ONE_EACH],
)
async def one_day(
    request: Request,
    source: Annotated[SourceName, Path(description="The source.")],
    day: Annotated[Day, Path(description="The day, such as 2026-03-10.")],
    asked: Annotated[AsOf, Query()],
) -> Response:
    """Everything that is stored about a day; the status of a day without a snapshot, or that runs, is unknown."""
    dashboard = dashboard_of(request)
    state, now = await dashboard.state(), this_minute(dashboard)
    require_day(dashboard, state, source, day, now)
    moment = asked.as_of or now

    def load() -> tuple[StoredDay, DashboardState]:
        known = state if asked.as_of is None else source_as_of(dashboard.reader, asked.as_of, source)
        return dashboard.reader.day(source, day, asked.as_of), known

    def make(loaded: tuple[StoredDay, DashboardState]) -> bytes:
        return as_bytes(day_response(*loaded, dashboard.settings, moment))

    body = await dashboard.responses.get_or_load(address_key(request, moment), state.version, load, make)
    return conditional(request, body, JSON)


@answers(staff, "/incidents/", response_model=IncidentsResponse, responses=refused_with(404), dependencies=[ONE_EACH])
async def incidents(request: Request, asked: Annotated[IncidentParameters, Query()]) -> Response:
    """The incidents that include any of the requested days: open ones first, then by level, then the newest."""
    dashboard = dashboard_of(request)
    state, now = await dashboard.state(), this_minute(dashboard)
    sources = (asked.source,) if asked.source else ()
    require_sources(dashboard, state, sources)

    def make() -> bytes:
        response = incidents_response(
            state,
            now.astimezone(UTC).date(),
            sources=sources,
            is_open=asked.is_open,
            assignee=asked.assignee,
            is_assigned=asked.is_assigned,
            first=asked.first,
            last=asked.last,
            page=asked.page,
            size=asked.page_size,
        )
        return as_bytes(response)

    return await kept(request, state, now, JSON, make)


@answers(staff, "/forecast/", response_model=ForecastsResponse, responses=refused_with(404), dependencies=[ONE_EACH])
async def forecast(request: Request, asked: Annotated[OneSource, Query()]) -> Response:
    """The events to expect on the coming days of each source, as stored last, and how right earlier forecasts were."""
    dashboard = dashboard_of(request)
    state, now = await dashboard.state(), this_minute(dashboard)
    require_watched(dashboard, asked.source)
    names = [asked.source] if asked.source else list(dashboard.settings.sources)
    load = partial(forecasts_response, dashboard.reader, dashboard.settings, names, now)
    body = await dashboard.responses.get_or_load(address_key(request, now), state.version, load, as_bytes)
    return conditional(request, body, JSON)


@answers(staff, "/version/", response_model=VersionResponse, dependencies=[NO_PARAMETERS])
async def version(request: Request) -> Response:
    """The version of the store's content, which stays the same until the content changes."""
    return conditional(
        request, compressed(as_bytes(VersionResponse(version=(await dashboard_of(request).state()).version))), JSON
    )


def this_minute(dashboard: Dashboard) -> datetime:
    """The current time, to the minute: responses that show the time can be shared within the minute."""
    return dashboard.clock().replace(second=0, microsecond=0)


def require_sources(dashboard: Dashboard, state: DashboardState, names: Collection[str]) -> None:
    """Refuse names of sources that are neither in the settings nor in the store."""
    known = {*dashboard.settings.sources, *state.index.sources}
    for name in names:
        _require_among(known, name)


def require_watched(dashboard: Dashboard, name: str | None) -> None:
    """Refuse a source that is not in the settings: without them nobody knows which days it should have."""
    if name is not None:
        _require_among(dashboard.settings.sources, name)


def _require_among(known: Collection[str], name: str) -> None:
    if name not in known:
        raise ApiError(
            404,
            UNKNOWN_SOURCE,
            f"One of the sources {', '.join(sorted(known))} is required, but {shown(name)} was requested; "
            "choose one of them.",
        )


def require_day(dashboard: Dashboard, state: DashboardState, source: str, day: date, now: datetime) -> None:
    """Refuse a day that the source does not have."""
    require_watched(dashboard, source)
    looked_at = state.running.get(source, ())
    if state.index.current(source, day) is not None or (looked_at and looked_at[0].day == day):
        return
    try:
        dashboard.settings.sources[source].calendar().require(day, now)
    except RequestError as error:
        raise ApiError(404, NO_SUCH_DAY, str(error)) from None


def as_bytes(response: BaseModel) -> bytes:
    """The response as JSON in UTF-8."""
    return response.model_dump_json().encode()


async def kept(
    request: Request, state: DashboardState, moment: date | None, media_type: str, make: Callable[[], bytes]
) -> Response:
    """The response for this address, rendered once per version of the state and per ``moment``, if it shows one."""
    made = await dashboard_of(request).responses.get_or_make(address_key(request, moment), state.version, make)
    return conditional(request, made, media_type)


def address_key(request: Request, moment: date | None) -> tuple[Any, ...]:
    """What a response depends on in addition to the state: the request, and ``moment`` if it shows one."""
    return request.scope["path"], request.scope["query_string"], moment


def conditional(request: Request, body: Part, media_type: str) -> Response:
    """``body``, or 304 without a body if the client already has it (RFC 9110, 13.1.2)."""
    # Weak, because it is the same whether the body is sent compressed or not.
    tag = f'W/"{hashlib.blake2b(body.blocks, digest_size=16).hexdigest()}"'
    known = {tag_text.strip() for tag_text in request.headers.get("if-none-match", "").split(",")}
    if known & {tag, tag.removeprefix("W/"), "*"}:
        return Response(status_code=304, headers={"ETag": tag, "Vary": "Accept-Encoding"})
    return response_of(request, [body], media_type, headers={"ETag": tag})


router.include_router(staff)
