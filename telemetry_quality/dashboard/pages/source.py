"""The page of a source: its verdict, today so far, its windows, charts, year and open incidents.

A section is a template of its own, which ``source.html`` includes, and what it shows is an entry of ``_sections``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from pydantic import Field
from starlette.responses import RedirectResponse

from telemetry_quality.core.guardrails.catalogue import guardrails_of
from telemetry_quality.core.new_versions import BEFORE_DAYS, new_versions
from telemetry_quality.dashboard import parameters
from telemetry_quality.dashboard.api import address_key, require_sources, this_minute
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.daily_points import daily_series
from telemetry_quality.dashboard.hours import load_hours
from telemetry_quality.dashboard.markup.calendars import CELL_SIGNS, calendar
from telemetry_quality.dashboard.markup.charts import SPANS, chart_rows, charts_of
from telemetry_quality.dashboard.markup.running import running_part
from telemetry_quality.dashboard.markup.verdicts import headline_of, sign_of, title_of
from telemetry_quality.dashboard.markup.windows import window_figures
from telemetry_quality.dashboard.pages.declaration import Page
from telemetry_quality.dashboard.pages.hours import first_day, hours_part, newest_day
from telemetry_quality.dashboard.pages.questions import asked_for
from telemetry_quality.dashboard.rendering import SIGNS, page, render
from telemetry_quality.dashboard.running import running_day
from telemetry_quality.dashboard.sentences import wrong_on
from telemetry_quality.dashboard.series import year_of
from telemetry_quality.dashboard.summary import summarize
from telemetry_quality.errors import StoreError

if TYPE_CHECKING:
    from datetime import date, datetime

    from markupsafe import Markup
    from starlette.requests import Request
    from starlette.responses import Response

    from telemetry_quality.core.forecasts.model import DayForecast
    from telemetry_quality.dashboard.hours import LoadedHours
    from telemetry_quality.dashboard.models import SourceSummary
    from telemetry_quality.dashboard.state import DashboardState
    from telemetry_quality.settings import Settings
    from telemetry_quality.storage.charted_days import ChartedDays

HEAT_MAP_DAYS = 30
WINDOWS = ("7", "30")


class SourceAsked(parameters.Nothing):
    """Of how many days the charts are."""

    days: parameters.Number = Field(30, ge=min(SPANS), le=max(SPANS))


async def one_source(request: Request) -> Response:
    """Respond with the page of a source; one that the settings no longer name has only its log."""
    dashboard, source = dashboard_of(request), str(request.path_params["source"])
    asked = asked_for(request, SourceAsked)
    state, now = await dashboard.state(), this_minute(dashboard)
    if source not in dashboard.settings.sources:
        require_sources(dashboard, state, [source])
        return RedirectResponse(f"/health/snapshots/?source={source}", 303)
    last = newest_day(state, dashboard.settings, source, now)
    first = first_day(state, source, last, HEAT_MAP_DAYS)

    def load() -> tuple[LoadedHours, ChartedDays] | None:
        begin = last - timedelta(days=asked.days + BEFORE_DAYS)
        try:
            with dashboard.reader.one_moment():
                hours = load_hours(dashboard.reader, source, first, last)
                return hours, dashboard.reader.charted_days(source, begin, last)
        except StoreError:
            return None

    def make(loaded: tuple[LoadedHours, ChartedDays] | None) -> bytes:
        hours, charted = loaded or (None, None)
        part = hours_part(state, dashboard.settings, hours, source, last)
        shown = Shown(asked.days, part, *_besides(charted))
        return source_main(state, dashboard.settings, now, source, shown).encode()

    main = await dashboard.responses.get_or_load(address_key(request, now), state.version, load, make)
    title = title_of(sign_of(summarize(state, dashboard.settings, now, source)), dashboard.settings.title_of(source))
    return page(request, title=title, main=main, section=PAGE.section, version=state.version, has_charts=True)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows that the state alone does not say.

    Attributes:
        span: Of how many days the charts are.
        hours: The part about the hours by days.
        versions: The new versions of each day that has any.
        coming: The days that are forecast.
    """

    span: int = 30
    hours: Markup | None = None
    versions: tuple[tuple[date, tuple[str, ...]], ...] = ()
    coming: tuple[DayForecast, ...] = ()


def _besides(charted: ChartedDays | None) -> tuple[tuple[tuple[date, tuple[str, ...]], ...], tuple[DayForecast, ...]]:
    """The new versions and the days that are forecast."""
    if charted is None:
        return (), ()
    coming = () if charted.forecast is None else charted.forecast.coming
    return tuple(new_versions(charted.versions).items()), coming


def source_main(
    state: DashboardState, settings: Settings, now: datetime, source: str, shown: Shown = Shown()
) -> Markup:
    """The content of the page."""
    summary = summarize(state, settings, now, source)
    (chosen,) = summary.sources
    headline, details = headline_of(summary.sentence)
    return render(
        PAGE.template,
        summary=summary,
        chosen=chosen,
        title=settings.title_of(source),
        status=sign_of(summary),
        signs=SIGNS,
        headline=headline,
        details=f"{details[:1].upper()}{details[1:]}",
        zone=ZoneInfo(chosen.time_zone),
        has_been_read=state.has_been_read,
        sections=_sections_part(state, settings, now, chosen, shown),
    )


def _sections_part(
    state: DashboardState, settings: Settings, now: datetime, chosen: SourceSummary, shown: Shown
) -> Markup:
    running, days = running_day(state, settings, now, chosen.source), settings.sources[chosen.source].calendar()
    is_over = running is not None and now >= days.window(running.day).end
    last = chosen.day or chosen.last_snapshot_day
    sections = _sections(state, settings, chosen, last, shown) if last and chosen.last_snapshot_day else {}
    strip = "" if running is None else running_part(running, days, is_over=is_over, is_linked=True)
    return render(
        "source_sections.html",
        **sections,
        chosen=chosen,
        hours=shown.hours or "",
        running=strip,
        has_been_read=state.has_been_read,
        signs=SIGNS,
    )


def _sections(
    state: DashboardState, settings: Settings, chosen: SourceSummary, last: date, shown: Shown
) -> dict[str, Any]:
    """What the sections show, by the names in their templates."""
    points = daily_series(state, chosen.source, last, shown.span, chosen.first_day)
    coming = [day for day in shown.coming if last < day.day <= last + timedelta(days=shown.span)]
    year = year_of(state, chosen.source, last, chosen.first_day)
    known = settings.sources[chosen.source]
    rules, policy = guardrails_of(known.event_schema()), known.policy()
    windows = [chosen.windows[name] for name in WINDOWS]
    failed = {wrong.failure.guardrail for wrong in wrong_on(last, state.incidents.get(chosen.source, ()))}
    return {
        "figures": window_figures(chosen.snapshot, windows, rules, policy, failed),
        "points": points,
        "rows": chart_rows(points, dict(shown.versions), coming),
        "charts": charts_of(policy),
        "span": shown.span,
        "spans": SPANS,
        "coming": coming,
        "calendar": calendar(year),
        "legend": [(mark, year.counts.get(mark, 0)) for mark in CELL_SIGNS if year.counts.get(mark)],  # type: ignore[call-overload]
        "cell_signs": CELL_SIGNS,
    }


PAGE = Page("/health/sources/{source}/", one_source, "source.html", section="overview")
