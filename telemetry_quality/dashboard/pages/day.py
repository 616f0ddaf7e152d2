"""The page of a day of a source, with everything that is known about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import Field

from telemetry_quality.core.guardrails.catalogue import guardrails_of
from telemetry_quality.core.guardrails.said_once import said_once
from telemetry_quality.core.guardrails.sample import NAME as SAMPLE
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.core.running.report import RunningDay
from telemetry_quality.dashboard import parameters  # noqa: TC001 - pydantic evaluates the annotation
from telemetry_quality.dashboard.api import address_key, require_day, this_minute
from telemetry_quality.dashboard.api_errors import ApiError
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.day_responses import day_response
from telemetry_quality.dashboard.hours import load_hours
from telemetry_quality.dashboard.markup.day_facts import day_facts
from telemetry_quality.dashboard.markup.revisions import compared
from telemetry_quality.dashboard.markup.running import running_part
from telemetry_quality.dashboard.markup.sample import event_list
from telemetry_quality.dashboard.markup.verdicts import title_of
from telemetry_quality.dashboard.pages.breakdown import CutAsked, Segmented, breakdown_part, cut_of
from telemetry_quality.dashboard.pages.declaration import Page, Route
from telemetry_quality.dashboard.pages.hours import expected_by_hour, first_day, hours_part, newest_day
from telemetry_quality.dashboard.pages.marking import mark, mark_section
from telemetry_quality.dashboard.pages.questions import asked_for, source_and_day
from telemetry_quality.dashboard.rendering import SIGNS, page, render, user_of
from telemetry_quality.dashboard.running import as_it_ran
from telemetry_quality.dashboard.segments import compared_days, load_segments

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from markupsafe import Markup
    from starlette.requests import Request
    from starlette.responses import Response

    from telemetry_quality.core.guardrails.guardrail import Guardrail
    from telemetry_quality.dashboard.hours import LoadedHours
    from telemetry_quality.dashboard.models import DayResponse, RevisionResponse
    from telemetry_quality.dashboard.state import DashboardState
    from telemetry_quality.settings import Settings
    from telemetry_quality.storage.compared_days import StoredSegments
    from telemetry_quality.storage.stored_days import StoredDay


DAYS_AFTER = 3
HEAT_MAP_DAYS = 14
"""Two weeks of hours are shown around a day, with a few days after it where there are any."""


class Loaded(NamedTuple):
    """What the page reads from the store."""

    stored: StoredDay
    running: RunningDay | None
    hours: LoadedHours
    segments: StoredSegments


class DayAsked(CutAsked):
    """An optional revision of a day, and the part of it to look at."""

    revision: parameters.Number | None = Field(None, ge=1)


async def one_day(request: Request) -> Response:
    """Respond with the page of a day."""
    dashboard, asked = dashboard_of(request), asked_for(request, DayAsked)
    state, now = await dashboard.state(), this_minute(dashboard)
    source, day = source_and_day(request)
    require_day(dashboard, state, source, day, now)

    schema = dashboard.settings.sources[source].event_schema()
    cut, compared = cut_of(request, asked, schema.dimensions), compared_days(state, source, day)
    last = min(day + timedelta(days=DAYS_AFTER), max(day, newest_day(state, dashboard.settings, source, now)))
    first = first_day(state, source, last, HEAT_MAP_DAYS)

    def load() -> Loaded:
        with dashboard.reader.one_moment():
            stored = dashboard.reader.day(source, day)
            by_day = load_hours(dashboard.reader, source, first, last)
            hours = () if stored.revisions else dashboard.reader.running_hours(source, day)
            segments = load_segments(dashboard.reader, source, compared, cut)
        calendar = dashboard.settings.sources[source].calendar()
        return Loaded(stored, RunningDay(source, day, calendar, hours) if hours else None, by_day, segments)

    def make(loaded: Loaded) -> bytes:
        ran = Ran() if loaded.running is None else _ran(state, dashboard.settings, now, loaded.running)
        response = day_response(loaded.stored, state, dashboard.settings, now)
        expected = expected_by_hour(state, dashboard.settings, loaded.hours, day)
        parts = Parts(
            hours_part(state, dashboard.settings, loaded.hours, source, last, current=day),
            breakdown_part(response, Segmented(loaded.segments, compared, cut, expected)),
        )
        return day_main(response, guardrails_of(schema), asked, ran, parts).encode()

    main = await dashboard.responses.get_or_load(address_key(request, now), state.version, load, make)
    current = state.index.current(source, day)
    status = "missing" if current is None else current.status
    said = mark_section(state, source, day, user_of(request))
    return page(
        request,
        title=title_of(status, f"{dashboard.settings.title_of(source)} {day}"),
        main=main,
        of_the_reader=said,
        section=PAGE.section,
        version=state.version,
    )


class Parts(NamedTuple):
    """The parts of the page about hours by days and about the segments of the day."""

    hours_by_day: Markup
    breakdown: Markup


@dataclass(frozen=True, slots=True)
class Ran:
    """What is known of a day without a snapshot because it was looked at while it ran.

    Attributes:
        part: The part of the page about it.
        state: What the page says of the day.
    """

    part: str = ""
    state: str = "missing"
    is_over: bool = True


def _ran(state: DashboardState, settings: Settings, now: datetime, running: RunningDay) -> Ran:
    response = as_it_ran(state, settings, now, running)
    is_over = now >= running.calendar.window(running.day).end
    part = running_part(response, running.calendar, is_over=is_over, is_linked=False)
    return Ran(part, "missing" if is_over else response.state.value, is_over)


def day_main(
    response: DayResponse,
    rules: Sequence[Guardrail],
    asked: DayAsked,
    ran: Ran,
    parts: Parts,
) -> Markup:
    """The page of a day at the revision that was asked for, or at its latest revision.

    Raises:
        ApiError: If the day has no such revision.
    """
    shown = _revision(response, asked.revision)
    zone = ZoneInfo(response.time_zone)
    verdicts = sorted(shown.verdicts, key=_outcome_order) if shown else []
    return render(
        PAGE.template,
        response=response,
        shown=shown,
        latest=response.revisions[-1] if response.revisions else None,
        source_version=_source_version(response, shown) if shown else None,
        status=(shown.snapshot.status.value if shown else ran.state),
        ran=ran,
        signs=SIGNS,
        zone=zone,
        facts=day_facts(shown, rules) if shown else [],
        verdicts=said_once(verdicts),
        explained=[verdict for verdict in verdicts if verdict.contributors],
        sample_verdict=next((verdict for verdict in verdicts if verdict.guardrail == SAMPLE), None),
        failed_events=[event for event in response.sample if not event.passed],
        passed_events=event_list(event.event_id for event in response.sample if event.passed),
        **parts._asdict(),
        compared=compared(response.revisions, rules, zone) if len(response.revisions) > 1 else [],
    )


def _revision(response: DayResponse, revision: int | None) -> RevisionResponse | None:
    if revision is None:
        return response.revisions[-1] if response.revisions else None
    for shown in response.revisions:
        if shown.snapshot.revision == revision:
            return shown
    known = ", ".join(str(shown.snapshot.revision) for shown in response.revisions) or "none"
    raise ApiError(
        404,
        "NO_SUCH_REVISION",
        f"A revision of {response.day} is required ({known}), but {revision} was requested; choose one of them.",
    )


def _source_version(response: DayResponse, shown: RevisionResponse) -> str | None:
    """The version of the table that the scan of a revision read."""
    return next((scan.source_version for scan in response.scans if scan.revision == shown.scan_revision), None)


def _outcome_order(verdict: Any) -> int:
    return [Outcome.FAILED, Outcome.UNKNOWN, Outcome.PASSED].index(verdict.outcome)


PAGE = Page(
    "/health/snapshots/{source}/{day}/",
    one_day,
    "day.html",
    section="snapshots",
    more=(Route("/health/snapshots/{source}/{day}/marks/", mark, "POST"),),
)
