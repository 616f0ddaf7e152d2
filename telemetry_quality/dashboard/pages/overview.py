"""The first page: which sources can be trusted, what is wrong, and since when."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from starlette.responses import RedirectResponse

from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.dashboard import parameters
from telemetry_quality.dashboard.api import this_minute
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.markup.calendars import strip
from telemetry_quality.dashboard.markup.verdicts import headline_of, sign_of
from telemetry_quality.dashboard.pages.declaration import Page, Route
from telemetry_quality.dashboard.pages.questions import asked_for, kept
from telemetry_quality.dashboard.rendering import SIGNS, page, render
from telemetry_quality.dashboard.running import running_day, running_moment
from telemetry_quality.dashboard.summary import moment, summarize

if TYPE_CHECKING:
    from datetime import date, datetime

    from markupsafe import Markup
    from starlette.requests import Request
    from starlette.responses import Response

    from telemetry_quality.dashboard.models import SourceSummary
    from telemetry_quality.dashboard.running_models import RunningDayResponse
    from telemetry_quality.dashboard.state import DashboardState
    from telemetry_quality.settings import Settings

STRIP_DAYS = 30
MOST_SHOWN = 3
"""The number of untrusted sources described at the top; the table below lists all of them."""


async def front_door(_: Request) -> Response:
    """Redirect the bare address to the dashboard."""
    return RedirectResponse("/health/", 303)


async def overview(request: Request) -> Response:
    """Respond with the first page."""
    dashboard = dashboard_of(request)
    asked_for(request, parameters.Nothing)
    state, now = await dashboard.state(), this_minute(dashboard)
    main = await kept(request, state, now, lambda: overview_main(state, dashboard.settings, now))
    return page(request, title="Health", main=main, section=PAGE.section, version=state.version)


def overview_main(state: DashboardState, settings: Settings, now: datetime) -> Markup:
    """The content of the first page."""
    summary = summarize(state, settings, now)
    several = len(summary.sources) > 1
    troubled = sorted(
        (source_summary for source_summary in summary.sources if not source_summary.is_trustworthy), key=_severity
    )
    headline, details = headline_of(summary.sentence)
    stale = [source_summary for source_summary in troubled if source_summary.is_stale][:MOST_SHOWN]
    shown = [source_summary for source_summary in troubled if source_summary not in stale]
    running = {name: running_day(state, settings, now, name) for name in settings.sources}
    has_running = any(running.values())
    return render(
        PAGE.template,
        summary=summary,
        headline=headline,
        details=details if several else f"{details[:1].upper()}{details[1:]}",
        has_been_read=state.has_been_read,
        status=sign_of(summary),
        has_running=has_running,
        troubled=shown[:MOST_SHOWN] if several else [],
        not_shown=max(0, len(shown) - MOST_SHOWN) if several else 0,
        stale_sentences=[
            f"{source_summary.source}: {source_summary.stale_sentence}" if several else source_summary.stale_sentence
            for source_summary in stale
        ],
        rows=[
            _source_row(state, source_summary, running[source_summary.source], has_running=has_running)
            for source_summary in summary.sources
        ],
        zone=ZoneInfo(summary.sources[0].time_zone) if not several else UTC,
        signs=SIGNS,
    )


def _source_row(
    state: DashboardState, source_summary: SourceSummary, running: RunningDayResponse | None, *, has_running: bool
) -> Markup:
    """The row of a source in the table of sources."""

    def make() -> Markup:
        last = source_summary.day or source_summary.last_snapshot_day
        drawn = strip([] if last is None else _marks(state, source_summary, last))
        return render(
            "source_row.html",
            summary=source_summary,
            snapshot=source_summary.snapshot,
            strip=drawn,
            running=running,
            has_running=has_running,
        )

    key = ("row", *moment(source_summary), running and running_moment(running), has_running)
    return state.cached(source_summary.source, key, make)


def _severity(source_summary: SourceSummary) -> int:
    return list(DayStatus).index(source_summary.status)


def _marks(state: DashboardState, source_summary: SourceSummary, last: date) -> list[str]:
    first = max(source_summary.first_day, last.fromordinal(last.toordinal() - STRIP_DAYS + 1))
    return ["missing" if row is None else row.status for row in state.index.window(source_summary.source, first, last)]


PAGE = Page(
    "/health/",
    overview,
    "overview.html",
    section="overview",
    navigation="Health",
    more=(Route("/", front_door),),
)
