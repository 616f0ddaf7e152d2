"""The first page: whether yesterday can be trusted, what is wrong, and since when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from starlette.responses import RedirectResponse

from telemetry_quality.core.guardrails import error_rate, missing_version, sample
from telemetry_quality.core.guardrails.catalogue import guardrails_of
from telemetry_quality.core.policies import INTERVAL_PERCENT
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.dashboard import parameters
from telemetry_quality.dashboard.api import require_sources, this_minute
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.markup.calendars import CELL_SIGNS, calendar, strip
from telemetry_quality.dashboard.markup.charts import chart_rows
from telemetry_quality.dashboard.markup.running import running_part
from telemetry_quality.dashboard.markup.windows import window_figures
from telemetry_quality.dashboard.pages.declaration import Page, Route
from telemetry_quality.dashboard.pages.questions import asked_for, kept
from telemetry_quality.dashboard.rendering import SIGNS, page, render
from telemetry_quality.dashboard.running import running_day
from telemetry_quality.dashboard.series import daily_series, year_of
from telemetry_quality.dashboard.summary import summarize

if TYPE_CHECKING:
    from datetime import date, datetime

    from markupsafe import Markup
    from starlette.requests import Request
    from starlette.responses import Response

    from telemetry_quality.core.guardrails.guardrail import Guardrail
    from telemetry_quality.core.policies import Policy
    from telemetry_quality.dashboard.models import SourceSummary, Summary
    from telemetry_quality.dashboard.running_models import RunningDayResponse
    from telemetry_quality.dashboard.state import DashboardState
    from telemetry_quality.settings import Settings

CHART_DAYS = 30
WINDOWS = ("7", "30")
MOST_SHOWN = 3
"""The number of untrusted sources described at the top; the table below lists all of them."""


async def front_door(_: Request) -> Response:
    """Redirect the bare address to the dashboard."""
    return RedirectResponse("/health/", 303)


async def overview(request: Request) -> Response:
    """Respond with the first page."""
    dashboard, asked = dashboard_of(request), asked_for(request, parameters.OneSource)
    state, now = await dashboard.state(), this_minute(dashboard)
    if asked.source and asked.source not in dashboard.settings.sources:
        require_sources(dashboard, state, [asked.source])
        return RedirectResponse(f"/health/snapshots/?source={asked.source}", 303)
    main = await kept(request, state, now, lambda: overview_main(state, dashboard.settings, now, asked.source))
    return page(request, title="Health", main=main, section=PAGE.section, version=state.version, has_charts=True)


def overview_main(state: DashboardState, settings: Settings, now: datetime, source: str | None) -> Markup:
    """The first page for ``source``, or for the source in the worst state."""
    summary = summarize(state, settings, now)
    chosen = next(
        (source_summary for source_summary in summary.sources if source_summary.source == source), None
    ) or _worst(summary.sources)
    several = len(summary.sources) > 1
    troubled = sorted(
        (source_summary for source_summary in summary.sources if not source_summary.is_trustworthy), key=_severity
    )
    headline, details = headline_of(summary.sentence)
    stale = [source_summary for source_summary in troubled if source_summary.is_stale][:MOST_SHOWN]
    shown = [source_summary for source_summary in troubled if source_summary not in stale]
    running = {name: running_day(state, settings, now, name) for name in settings.sources} if several else {}
    has_running = any(running.values())
    return render(
        PAGE.template,
        summary=summary,
        headline=headline,
        details=details if several else f"{details[:1].upper()}{details[1:]}",
        has_been_read=state.has_been_read,
        chosen=chosen,
        status=_sign_of(summary),
        several=several,
        has_running=has_running,
        troubled=shown[:MOST_SHOWN] if several else [],
        not_shown=max(0, len(shown) - MOST_SHOWN) if several else 0,
        stale_sentences=[
            f"{source_summary.source}: {source_summary.stale_sentence}" if several else source_summary.stale_sentence
            for source_summary in stale
        ],
        rows=[
            _source_row(
                state,
                source_summary,
                running[source_summary.source],
                has_running=has_running,
                is_chosen=source_summary is chosen,
            )
            for source_summary in summary.sources
        ]
        if several
        else [],
        source=_source_part(state, settings, now, chosen),
        zone=ZoneInfo(chosen.time_zone),
        signs=SIGNS,
    )


def _sign_of(summary: Summary) -> str:
    """The status whose sign agrees with the verdict: people may have said otherwise than the guardrails."""
    if summary.is_trustworthy:
        return DayStatus.HEALTHY.value
    return DayStatus.UNHEALTHY.value if summary.status is DayStatus.HEALTHY else summary.status.value


def _source_row(
    state: DashboardState,
    source_summary: SourceSummary,
    running: RunningDayResponse | None,
    *,
    has_running: bool,
    is_chosen: bool,
) -> Markup:
    """The row of a source in the table of sources."""

    def make() -> Markup:
        last = source_summary.day or source_summary.last_snapshot_day
        drawn = strip([] if last is None else _marks(state, source_summary, last))
        return render(
            "source_row.html",
            summary=source_summary,
            snapshot=source_summary.snapshot,
            is_chosen=is_chosen,
            strip=drawn,
            running=running,
            has_running=has_running,
        )

    key = ("row", *_moment(source_summary), running and _running_moment(running), has_running, is_chosen)
    return state.cached(source_summary.source, key, make)


def _source_part(state: DashboardState, settings: Settings, now: datetime, chosen: SourceSummary) -> Markup:
    """The part about the chosen source: the running day, windows, charts, calendar, open incidents."""
    running, calendar = running_day(state, settings, now, chosen.source), settings.sources[chosen.source].calendar()
    is_over = running is not None and now >= calendar.window(running.day).end

    def make() -> Markup:
        last = chosen.day or chosen.last_snapshot_day
        parts = _parts_of(state, settings, chosen, last) if last and chosen.last_snapshot_day else {}
        strip = "" if running is None else running_part(running, calendar, is_over=is_over, level=3)
        return render(
            "source.html", **parts, chosen=chosen, running=strip, has_been_read=state.has_been_read, signs=SIGNS
        )

    today = now.astimezone(UTC).date()
    key = ("part", *_moment(chosen), today, state.has_been_read, running and _running_moment(running))
    return state.cached(chosen.source, key, make)


def _running_moment(running: RunningDayResponse) -> tuple[Any, ...]:
    """What the clock and a store that cannot be read can change about a running day."""
    return running.day, running.sentence, running.stale_sentence


def _moment(source_summary: SourceSummary) -> tuple[Any, ...]:
    """What the clock alone can change about how a source is shown."""
    return source_summary.day, source_summary.awaited_day, source_summary.status


def headline_of(sentence: str) -> tuple[str, str]:
    """Split a verdict into headline and details: the headline is what precedes the colon, or else the last sentence."""
    head, colon, rest = sentence.partition(": ")
    if colon:
        return head, rest
    rest, _, head = sentence.removesuffix(".").rpartition(". ")
    return head, f"{rest}." if rest else ""


def _parts_of(state: DashboardState, settings: Settings, chosen: SourceSummary, last: date) -> dict[str, Any]:
    points = daily_series(state, chosen.source, last, CHART_DAYS, chosen.first_day)
    year = year_of(state, chosen.source, last, chosen.first_day)
    known = settings.sources[chosen.source]
    rules, policy = guardrails_of(known.event_schema()), known.policy()
    windows = [chosen.windows[name] for name in WINDOWS]
    return {
        "figures": window_figures(chosen.snapshot, windows, rules, policy),
        "points": points,
        "rows": chart_rows(points),
        "charts": _charts(policy),
        "calendar": calendar(year),
        "legend": [(mark, year.counts.get(mark, 0)) for mark in CELL_SIGNS if year.counts.get(mark)],  # type: ignore[call-overload]
        "cell_signs": CELL_SIGNS,
    }


@dataclass(frozen=True, slots=True)
class Chart:
    """The kind of a chart and its caption."""

    kind: str
    words: str
    note: str


def _charts(policy: Policy) -> tuple[Chart, ...]:
    return (
        Chart("events", "Events against expected", f"{policy[INTERVAL_PERCENT]:g} % of normal days lie in the band"),
        Chart("errors", "Error rate", _note(error_rate.GUARDRAIL, policy)),
        Chart("versions", "Missing version", _note(missing_version.GUARDRAIL, policy)),
        Chart("sampling", "Sample passed", _note(sample.GUARDRAIL, policy)),
    )


def _note(rule: Guardrail, policy: Policy) -> str:
    (threshold,) = rule.thresholds
    return f"{rule.level.value.lower()} {threshold.fails} {policy[threshold]:g} %"


def _severity(source_summary: SourceSummary) -> int:
    return list(DayStatus).index(source_summary.status)


def _worst(sources: tuple[SourceSummary, ...]) -> SourceSummary:
    return min(sources, key=_severity)


def _marks(state: DashboardState, source_summary: SourceSummary, last: date) -> list[str]:
    first = max(source_summary.first_day, last.fromordinal(last.toordinal() - CHART_DAYS + 1))
    return ["missing" if row is None else row.status for row in state.index.window(source_summary.source, first, last)]


PAGE = Page(
    "/health/",
    overview,
    "overview.html",
    section="overview",
    navigation="Health",
    more=(Route("/", front_door),),
)
