"""Exports of days: which can be trusted, with their numbers, as known now or at an instant.

They hold what ``telemetry-quality days`` writes, source by source, and are read some years at a time.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from telemetry_quality.core.known_days import DAY_COLUMNS, rows_of
from telemetry_quality.core.marks import Gate
from telemetry_quality.dashboard.api import require_sources
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.exports import (
    BINARY,
    CSV,
    PARQUET,
    CsvResponse,
    ParquetResponse,
    parquet_file,
    parquet_response,
    saved_as,
)
from telemetry_quality.dashboard.parameters import (
    INSIDE,
    ONE_EACH_BUT_FILTERS,
    STAFF,
    TO_SIGN_IN,
    DayExportParameters,
    answers,
    refused_beside,
)
from telemetry_quality.frames.days import frame_of_days, parquet_types
from telemetry_quality.frames.tables import csv_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from telemetry_quality.core.known_days import KnownDay
    from telemetry_quality.dashboard.context import Dashboard
    from telemetry_quality.dashboard.state import DashboardState

CHUNK_DAYS = 1_000
"""The days of a source that are in RAM at a time."""

router = APIRouter(
    tags=["exports"], dependencies=[*STAFF, ONE_EACH_BUT_FILTERS], responses=refused_beside(*INSIDE, 404) | TO_SIGN_IN
)


@answers(router, "/health/days.csv", response_class=CsvResponse)
def days_as_csv(request: Request, asked: Annotated[DayExportParameters, Query()]) -> Response:
    """Judged days as CSV, each with whether it can be trusted and why not, as known now or at ``as_of``."""
    chunks, headers = _asked_for(request, asked), saved_as("days.csv")
    if request.method == "HEAD":
        return Response(headers=headers, media_type=CSV)
    names = csv_lines([[column.name for column in DAY_COLUMNS]])
    return CsvResponse(chain([names], (csv_lines(rows_of(DAY_COLUMNS, chunk)) for chunk in chunks)), headers=headers)


@answers(router, "/health/days.parquet", response_class=ParquetResponse, responses=BINARY)
def days_as_parquet(request: Request, asked: Annotated[DayExportParameters, Query()]) -> Response:
    """The same as Parquet with dates, UTC timestamps and doubles."""
    chunks, headers = _asked_for(request, asked), saved_as("days.parquet")
    if request.method == "HEAD":
        return Response(headers=headers, media_type=PARQUET)
    frames = (frame_of_days(DAY_COLUMNS, chunk) for chunk in chunks)
    return parquet_response(*parquet_file(frames, frame_of_days(DAY_COLUMNS, []), parquet_types(DAY_COLUMNS)), headers)


def _asked_for(request: Request, asked: DayExportParameters) -> Iterator[list[KnownDay]]:
    """The days in chunks; the first is read immediately, so that an unreadable store is reported before it begins."""
    dashboard = dashboard_of(request)
    state = dashboard.keeper.state()
    require_sources(dashboard, state, asked.source)
    chunks = _chunks(dashboard, state, asked)
    return chain([next(chunks, [])], chunks)


def _chunks(dashboard: Dashboard, state: DashboardState, asked: DayExportParameters) -> Iterator[list[KnownDay]]:
    """The days of each source, in the order of the settings; sources that were removed from these come last."""
    settings = dashboard.settings.sources
    for source in asked.source or dict.fromkeys((*settings, *state.index.sources)):
        gate = settings[source].gate if source in settings else Gate.HEALTHY
        for first, last in _spans(state, source, asked):
            found = dashboard.reader.known_days(source, first, last, asked.as_of)
            days = [replace(day, gate=gate) for day in found if not asked.status or day.snapshot.status in asked.status]
            yield [day for day in days if day.is_trusted or not asked.trusted]


def _spans(state: DashboardState, source: str, asked: DayExportParameters) -> Iterator[tuple[date, date]]:
    """The range that was asked for, as far as the source was judged, in parts of CHUNK_DAYS."""
    earliest, newest = state.index.first_day(source), state.index.latest(source)
    if earliest is None or newest is None:
        return
    first, last = max(asked.first or earliest, earliest), min(asked.last or newest.day, newest.day)
    for start in range(0, (last - first).days + 1, CHUNK_DAYS):
        begin = first + timedelta(days=start)
        yield begin, min(begin + timedelta(days=CHUNK_DAYS - 1), last)
