"""The first page: which sources can be trusted, what is wrong and since when, and who has it.

A row is rendered again only if its source, or the day that is due, has changed: there may be hundreds.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from starlette.responses import RedirectResponse

from telemetry_quality.core.guardrails import error_rate
from telemetry_quality.core.running.report import RunningState
from telemetry_quality.dashboard import parameters
from telemetry_quality.dashboard.api import this_minute
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.incident_responses import incidents_response
from telemetry_quality.dashboard.markup.calendars import strip
from telemetry_quality.dashboard.markup.sparklines import error_sparkline, volume_sparkline
from telemetry_quality.dashboard.markup.verdicts import headline_of, reason_of, sign_of, title_of
from telemetry_quality.dashboard.pages.declaration import Page, Route
from telemetry_quality.dashboard.pages.questions import asked_for, kept, kept_title
from telemetry_quality.dashboard.rendering import SIGNS, page, render
from telemetry_quality.dashboard.running import running_day, running_moment
from telemetry_quality.dashboard.summary import badness, moment, summarize, summarize_source

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from markupsafe import Markup
    from starlette.requests import Request
    from starlette.responses import Response

    from telemetry_quality.dashboard.models import IncidentsResponse, SourceSummary, Summary
    from telemetry_quality.dashboard.state import DashboardState
    from telemetry_quality.settings import Settings
    from telemetry_quality.settings.sources import SourceSettings
    from telemetry_quality.storage.reader import JournalRow

STRIP_DAYS = 30
MOST_NAMED = 3
"""How many overdue sources are named in one line; each says so in its row."""

MOST_INCIDENTS = 100
"""How many open incidents are listed beneath the sources; the page of incidents has the rest."""

ROW, TILE = "source_row.html", "source_tile.html"
"""How a source is shown in the table, and on the wall."""

ALL = parameters.OverviewParameters.model_validate({})


async def front_door(_: Request) -> Response:
    """Redirect the bare address to the dashboard."""
    return RedirectResponse("/health/", 303)


async def overview(request: Request) -> Response:
    """Respond with the first page, or with what fills a screen on a wall."""
    dashboard, asked = dashboard_of(request), asked_for(request, parameters.OverviewParameters)
    state, now = await dashboard.state(), this_minute(dashboard)
    settings = dashboard.settings
    return page(
        request,
        title=await kept_title(request, state, now, lambda: overview_title(summarize(state, settings, now))),
        main=await kept(request, state, now, lambda: overview_main(state, settings, now, asked)),
        section=PAGE.section,
        version=state.version,
        is_wall=asked.wall is not None,
    )


def overview_title(summary: Summary) -> str:
    """The headline, and before it the worst state."""
    return title_of(sign_of(summary), headline_of(summary.sentence)[0])


def overview_main(
    state: DashboardState, settings: Settings, now: datetime, asked: parameters.OverviewParameters = ALL
) -> Markup:
    """The content of the first page: the verdict on all sources, those that were asked for, and their incidents."""
    summary = summarize(state, settings, now)
    several = len(summary.sources) > 1
    headline, details = headline_of(summary.sentence)
    failing = {name for name in settings.sources if _is_failing(state, settings, now, name)}
    shown = sorted(
        (found for found in summary.sources if _is_asked_for(settings, found, asked.q)),
        key=lambda found: _order(found, is_failing=found.source in failing),
    )
    return render(
        "wall.html" if asked.wall else PAGE.template,
        summary=summary,
        asked=asked,
        headline=headline,
        details=details if several else f"{details[:1].upper()}{details[1:]}",
        has_been_read=state.has_been_read,
        status=sign_of(summary),
        overdue=_overdue_words(settings, summary) if several else "",
        groups=_groups(state, settings, now, shown, asked),
        shown=len(shown),
        title_of=settings.title_of,
        has_groups=any(known.group for known in settings.sources.values()),
        incidents=None if asked.wall else _open_incidents(state, now, shown),
        zone=UTC if several else ZoneInfo(summary.sources[0].time_zone),
        signs=SIGNS,
    )


def _is_asked_for(settings: Settings, found: SourceSummary, words: str) -> bool:
    """Whether all words occur in what a row says of the source."""
    if not words:
        return True
    known, state = settings.sources[found.source], SIGNS[found.status.value][1]
    stale = "stale" if found.is_stale else ""
    said = " ".join((found.source, known.title or "", known.group or "", *known.owners, state, stale)).casefold()
    return all(word in said for word in words.casefold().split())


def _order(found: SourceSummary, *, is_failing: bool) -> tuple[float, ...]:
    """By how bad sources are; among equals those come first of which the day that runs is failing."""
    group, *others = badness(found)
    return group, not is_failing, *others


def _is_failing(state: DashboardState, settings: Settings, now: datetime, source: str) -> bool:
    """Whether a guardrail has failed on the day that runs, whatever is known of the day before."""
    running = running_day(state, settings, now, source)
    return running is not None and running.state is RunningState.FAILING


def _overdue_words(settings: Settings, summary: Summary) -> str:
    """One line about all sources whose snapshot is overdue."""
    names = [settings.title_of(found.source) for found in summary.sources if found.is_stale]
    if not names:
        return ""
    rest = len(names) - MOST_NAMED
    named = ", ".join(names[:MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")
    return f"The snapshots of {named} are overdue." if len(names) > 1 else f"The snapshot of {named} is overdue."


@dataclass(frozen=True, slots=True)
class Group:
    """Sources that are shown together, the worst first.

    Attributes:
        words: Whose they are; empty if all sources are in one list.
        untrusted: How many of them cannot be trusted.
    """

    words: str
    rows: Sequence[Markup]
    untrusted: int


def _groups(
    state: DashboardState,
    settings: Settings,
    now: datetime,
    shown: Sequence[SourceSummary],
    asked: parameters.OverviewParameters,
) -> list[Group]:
    """The sources by owner or group; the group with the worst source first."""
    members: dict[str, list[SourceSummary]] = defaultdict(list)
    for found in shown:
        members[_words_of(settings.sources[found.source], asked.by)].append(found)
    template = TILE if asked.wall else ROW
    return [
        Group(
            words,
            [_source_row(state, settings, now, found, template) for found in found_here],
            sum(not found.is_trustworthy for found in found_here),
        )
        for words, found_here in members.items()
    ]


def _words_of(known: SourceSettings, by: str | None) -> str:
    match by:
        case "owner":
            return ", ".join(known.owners) or "no owner"
        case "group":
            return known.group or "no group"
        case _:
            return ""


def _source_row(
    state: DashboardState, settings: Settings, now: datetime, found: SourceSummary, template: str
) -> Markup:
    """A source in the table, or on the wall."""
    running = running_day(state, settings, now, found.source)

    def make() -> Markup:
        days = _last_days(state, found)
        known = settings.sources[found.source]
        (limit,) = (known.policy()[threshold] for threshold in error_rate.GUARDRAIL.thresholds)
        return render(
            template,
            summary=found,
            title=settings.title_of(found.source),
            group=known.group,
            reason=reason_of(found),
            running=running,
            strip=strip(["missing" if row is None else row.status for row in days]),
            volume=volume_sparkline(
                _column(days, "total_events"),
                _column(days, "expected_low_events"),
                _column(days, "expected_high_events"),
            ),
            errors=error_sparkline(_column(days, "error_rate_percent"), limit),
            who=_who_has_it(found),
        )

    key = (template, found.sentence, *moment(found), running and running_moment(running))
    return state.cached(found.source, key, make)


def prepare_source(state: DashboardState, settings: Settings, now: datetime, source: str) -> None:
    """Render the source's row and tile, unless they are cached."""
    found = summarize_source(state, settings, now, source)
    for template in (ROW, TILE):
        _source_row(state, settings, now, found, template)


def _last_days(state: DashboardState, found: SourceSummary) -> Sequence[JournalRow | None]:
    last = found.day or found.last_snapshot_day
    if last is None:
        return []
    first = max(found.first_day, last.fromordinal(last.toordinal() - STRIP_DAYS + 1))
    return state.index.window(found.source, first, last)


def _column(days: Sequence[JournalRow | None], name: str) -> list[float | None]:
    return [None if row is None else getattr(row, name) for row in days]


def _who_has_it(found: SourceSummary) -> str:
    """Everybody to whom an open incident was assigned, or who acknowledged it."""
    people = [incident.assignee or incident.acknowledged_by for incident in found.open_incidents]
    return ", ".join(dict.fromkeys(person for person in people if person))


def _open_incidents(state: DashboardState, now: datetime, shown: Sequence[SourceSummary]) -> IncidentsResponse:
    """The open incidents of the sources that are shown, the worst first."""
    sources = tuple(found.source for found in shown if found.open_incidents)
    today = now.astimezone(UTC).date()
    # Without any source, there would be no filter.
    return incidents_response(state, today, sources=sources or ("",), is_open=True, size=MOST_INCIDENTS)


PAGE = Page(
    "/health/",
    overview,
    "overview.html",
    section="overview",
    navigation="Health",
    more=(Route("/", front_door),),
)
