"""The versions of a source over time, and two of them side by side."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pydantic import Field, model_validator

from telemetry_quality.core.events import SERVICE_VERSION
from telemetry_quality.dashboard import parameters
from telemetry_quality.dashboard.api import address_key, require_watched, this_minute
from telemetry_quality.dashboard.api_errors import ApiError, shown
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.markup.segments import LONGEST_LINKED, cut_address, shares_picture
from telemetry_quality.dashboard.pages.declaration import Page
from telemetry_quality.dashboard.pages.hours import first_day, newest_day
from telemetry_quality.dashboard.pages.questions import asked_for
from telemetry_quality.dashboard.rendering import page, render
from telemetry_quality.dashboard.versions import MOST_SIGNALS, MOST_VERSIONS, signals_of_two, versions_in_use

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from typing import Self

    from markupsafe import Markup
    from starlette.requests import Request
    from starlette.responses import Response

    from telemetry_quality.dashboard.state import DashboardState
    from telemetry_quality.dashboard.versions import VersionUse
    from telemetry_quality.settings import Settings
    from telemetry_quality.storage.compared_days import SegmentCounts
    from telemetry_quality.storage.reader import StoreReader

SPANS = (14, 30, 90, 365)

COMPARED_DAYS = 28
"""Two versions are compared by the signals of at most the last so many days."""


class VersionsAsked(parameters.Nothing):
    """Of how many days, and which two versions are compared."""

    days: parameters.Number = Field(30, ge=7, le=365)
    left: str | None = Field(None, max_length=LONGEST_LINKED)
    right: str | None = Field(None, max_length=LONGEST_LINKED)

    @model_validator(mode="after")
    def _are_two(self) -> Self:
        if (self.left is None) != (self.right is None):
            raise ValueError("left and right are required together; choose two versions, or none")
        return self

    @property
    def pair(self) -> tuple[str, str] | None:
        """The two versions to compare."""
        return None if self.left is None or self.right is None else (self.left, self.right)


class Loaded(NamedTuple):
    """What the page reads from the store."""

    by_day: Mapping[date, Mapping[str | None, SegmentCounts]]
    by_signal: Mapping[tuple[str | None, str], tuple[int, int]]


async def versions(request: Request) -> Response:
    """Respond with the versions of a source."""
    dashboard, asked = dashboard_of(request), asked_for(request, VersionsAsked)
    source = str(request.path_params["source"])
    require_watched(dashboard, source)
    state, now = await dashboard.state(), this_minute(dashboard)
    last = min(newest_day(state, dashboard.settings, source, now), _last_judged(state, source) or now.date())
    span = Span(source, first_day(state, source, last, asked.days), last)

    def make(loaded: Loaded) -> bytes:
        return versions_main(state, dashboard.settings, loaded, span, asked).encode()

    key = (*address_key(request, None), last)
    load = partial(_load, dashboard.reader, span, asked.pair)
    main = await dashboard.responses.get_or_load(key, state.version, load, make)
    return page(
        request,
        title=f"Versions of {dashboard.settings.title_of(source)}",
        main=main,
        section=PAGE.section,
        version=state.version,
    )


def _last_judged(state: DashboardState, source: str) -> date | None:
    latest = state.index.latest(source)
    return None if latest is None else latest.day


class Span(NamedTuple):
    """The days of a source that are shown."""

    source: str
    first: date
    last: date

    @property
    def compared(self) -> tuple[date, date]:
        """The days by which two versions are compared."""
        return max(self.first, self.last - timedelta(days=COMPARED_DAYS - 1)), self.last


def _load(reader: StoreReader, span: Span, pair: tuple[str, str] | None) -> Loaded:
    by_day = reader.versions_by_day(span.source, span.first, span.last)
    return Loaded(by_day, {} if pair is None else reader.signals_of_versions(span.source, span.compared, pair))


def versions_main(
    state: DashboardState, settings: Settings, loaded: Loaded, span: Span, asked: VersionsAsked
) -> Markup:
    """The content of the page.

    Raises:
        ApiError: If a version that was asked for was not seen on these days.
    """
    used = versions_in_use(loaded.by_day, span.first, span.last)
    by_name = {use.version: use for use in used}
    latest = state.index.latest(span.source)
    pair = asked.pair
    compared = None if pair is None else tuple(_required(by_name, version, span) for version in pair)
    signals = [] if pair is None else signals_of_two(loaded.by_signal, pair)
    return render(
        PAGE.template,
        span=span,
        title=settings.title_of(span.source),
        asked=asked,
        spans=SPANS,
        used=[(use, shares_picture(use.shares), _days_of(span.source, use)) for use in used[:MOST_VERSIONS]],
        rest=max(0, len(used) - MOST_VERSIONS),
        has_errors=latest is None or latest.error_events is not None,
        choices=[use.version for use in used[:MOST_VERSIONS] if use.version and len(use.version) <= LONGEST_LINKED],
        compared=compared,
        signals=signals[:MOST_SIGNALS],
        rest_of_signals=max(0, len(signals) - MOST_SIGNALS),
        trouble=state.trouble,
    )


def _required(by_name: Mapping[str | None, VersionUse], version: str, span: Span) -> VersionUse:
    if version in by_name:
        return by_name[version]
    known = ", ".join(name for name in list(by_name)[:3] if name) or "none"
    raise ApiError(
        404,
        "NO_SUCH_VERSION",
        f"A version that was seen from {span.first} to {span.last} is required (such as {shown(known)}), but "
        f"{shown(version)} was requested; choose another, or more days.",
    )


def _days_of(source: str, use: VersionUse) -> tuple[str, str]:
    """The addresses of the first and the last day of a version, cut to it."""
    cut = cut_address(SERVICE_VERSION, use.version, None)
    return f"/health/snapshots/{source}/{use.first_seen}/{cut}", f"/health/snapshots/{source}/{use.last_seen}/{cut}"


PAGE = Page("/health/sources/{source}/versions/", versions, "versions.html", section="overview")
