"""The hours of a source by days, on a page of their own and as a part of other pages."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from pydantic import Field

from telemetry_quality.core.days import days_between
from telemetry_quality.core.guardrails import error_rate, missing_version
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.dashboard import parameters
from telemetry_quality.dashboard.api import address_key, require_watched, this_minute
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.hours import days_by_hour, load_hours
from telemetry_quality.dashboard.markup.heat_map import TITLES, HeatMap, Measure, heat_map, squares_of_day
from telemetry_quality.dashboard.pages.declaration import Page
from telemetry_quality.dashboard.pages.questions import asked_for
from telemetry_quality.dashboard.rendering import page, render
from telemetry_quality.garbage_collection import garbage_collection_paused

if TYPE_CHECKING:
    from datetime import date, datetime

    from markupsafe import Markup
    from starlette.requests import Request
    from starlette.responses import Response

    from telemetry_quality.dashboard.hours import LoadedHours
    from telemetry_quality.dashboard.markup.heat_map import SquaresOfDay
    from telemetry_quality.dashboard.state import DashboardState
    from telemetry_quality.settings import Settings

SPANS = (14, 30, 60, 90)
"""The numbers of days that the page offers."""

MOST_KEPT = 45
"""Columns of a source that are kept in RAM, 5 kB each: those of its page, and of the pages of its days of two weeks."""

LIMITS = {Measure.ERRORS: error_rate.THRESHOLD, Measure.VERSIONS: missing_version.THRESHOLD}


class HoursAsked(parameters.Nothing):
    """What the squares show, of how many days, and up to which day."""

    measure: Measure = Measure.EVENTS
    days: parameters.Number = Field(30, ge=14, le=90)
    last: parameters.Day | None = None


async def hours(request: Request) -> Response:
    """Respond with the hours of a source."""
    dashboard, asked = dashboard_of(request), asked_for(request, HoursAsked)
    source = str(request.path_params["source"])
    require_watched(dashboard, source)
    state, now = await dashboard.state(), this_minute(dashboard)
    newest = newest_day(state, dashboard.settings, source, now)
    last = newest if asked.last is None else min(asked.last, newest)
    first = first_day(state, source, last, asked.days)

    def make(loaded: LoadedHours) -> bytes:
        return hours_main(state, dashboard.settings, loaded, asked, newest).encode()

    load = partial(load_hours, dashboard.reader, source, first, last)
    main = await dashboard.responses.get_or_load((*address_key(request, None), last), state.version, load, make)
    return page(
        request,
        title=f"Hours of {dashboard.settings.title_of(source)}",
        main=main,
        section=PAGE.section,
        version=state.version,
    )


def newest_day(state: DashboardState, settings: Settings, source: str, now: datetime) -> date:
    """The last day of which hours may be known: today if it was looked at, or else the last complete day."""
    calendar, running = settings.sources[source].calendar(), state.running.get(source, ())
    latest = max(calendar.latest_day(now), calendar.first_day)
    return max(latest, running[0].day) if running else latest


def first_day(state: DashboardState, source: str, last: date, days: int) -> date:
    """The first of so many days up to ``last``; not before the first day that has a snapshot."""
    wanted = last - timedelta(days=days - 1)
    return min(max(wanted, state.index.first_day(source) or last), last)


def hours_main(
    state: DashboardState, settings: Settings, loaded: LoadedHours, asked: HoursAsked, newest: date
) -> Markup:
    """The content of the page."""
    source, span = loaded.source, timedelta(days=asked.days)
    return render(
        PAGE.template,
        source=source,
        title=settings.title_of(source),
        time_zone=settings.sources[source].time_zone,
        first=loaded.first,
        last=loaded.last,
        earlier=loaded.first - timedelta(days=1) if (state.index.first_day(source) or newest) < loaded.first else None,
        later=None if loaded.last >= newest else min(loaded.last + span, newest),
        asked=asked,
        titles=TITLES,
        spans=SPANS,
        map=map_of(state, settings, loaded, asked.measure),
        trouble=state.trouble,
    )


def hours_part(
    state: DashboardState,
    settings: Settings,
    loaded: LoadedHours | None,
    source: str,
    last: date,
    *,
    current: date | None = None,
) -> Markup:
    """The part of another page about the hours up to ``last``; without them it says that they cannot be read."""
    measure = Measure.EVENTS if loaded is None else telling_measure(state, settings, loaded, current)
    shown = None if loaded is None else map_of(state, settings, loaded, measure, current)
    return render("hours_part.html", source=source, last=last, map=shown, measure=measure, titles=TITLES)


def telling_measure(
    state: DashboardState, settings: Settings, loaded: LoadedHours, current: date | None = None
) -> Measure:
    """What squares should show: what was beyond its limit on the current day, or on the last day that failed."""
    policy = settings.sources[loaded.source].policy()
    days = (loaded.first, loaded.last) if current is None else (current, current)
    for row in reversed(state.index.window(loaded.source, *days)):
        if row is None or row.status == DayStatus.HEALTHY:
            continue
        rates = {Measure.ERRORS: row.error_rate_percent, Measure.VERSIONS: row.missing_version_percent}
        return next((kind for kind, rate in rates.items() if (rate or 0) > policy[LIMITS[kind]]), Measure.EVENTS)
    return Measure.EVENTS


def expected_by_hour(
    state: DashboardState, settings: Settings, loaded: LoadedHours, day: date
) -> dict[int, float | None]:
    """The events to expect in each hour since a loaded day began; empty if nothing is known of the day."""
    calendar = settings.sources[loaded.source].calendar()
    (of_day,) = days_by_hour(state, loaded._replace(first=day, last=day), calendar)
    return {hour: found.expected for hour, found in enumerate(of_day.hours)}


def map_of(
    state: DashboardState,
    settings: Settings,
    loaded: LoadedHours,
    measure: Measure = Measure.EVENTS,
    current: date | None = None,
) -> Markup:
    """The heat map of the loaded days."""
    return heat_map(HeatMap(loaded.source, _columns(state, settings, loaded, measure), measure, current))


def _columns(state: DashboardState, settings: Settings, loaded: LoadedHours, measure: Measure) -> list[SquaresOfDay]:
    """The columns of the loaded days, which are the same on all pages until the source changes."""
    known = settings.sources[loaded.source]
    limit = known.policy()[LIMITS[measure]] if measure in LIMITS else None
    wanted = list(days_between(loaded.first, loaded.last))
    kept: dict[date, SquaresOfDay] = {}
    if len(wanted) <= MOST_KEPT:
        kept = state.cached(loaded.source, ("columns", measure), dict)
    missing = [day for day in wanted if day not in kept]
    if len(kept) + len(missing) > MOST_KEPT:
        kept.clear()
        missing = wanted
    if missing:
        # Thousands of short-lived objects, which the garbage collector need not look through.
        with garbage_collection_paused():
            days = days_by_hour(state, loaded._replace(first=missing[0], last=missing[-1]), known.calendar())
            kept.update({day.day: squares_of_day(loaded.source, day, measure, limit) for day in days})
    return [kept[day] for day in wanted]


PAGE = Page("/health/sources/{source}/hours/", hours, "hours.html", section="overview")
