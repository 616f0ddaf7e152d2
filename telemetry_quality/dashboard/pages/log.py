"""The log of snapshots: the latest revision of each day, filtered, sorted and paged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from telemetry_quality.core.metrics import MAIN
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.dashboard import parameters
from telemetry_quality.dashboard.api import require_sources
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.markup.log_rows import log_rows
from telemetry_quality.dashboard.pages.addresses import Address
from telemetry_quality.dashboard.pages.declaration import Page
from telemetry_quality.dashboard.pages.questions import asked_for, kept
from telemetry_quality.dashboard.rendering import SIGNS, page, render

if TYPE_CHECKING:
    from markupsafe import Markup
    from starlette.requests import Request
    from starlette.responses import Response

    from telemetry_quality.dashboard.state import DashboardState
    from telemetry_quality.settings import Settings

LOG_COLUMNS = (
    ("day", "Day"),
    ("source", "Source"),
    ("status", "Status"),
    *((metric.name, f"{metric.label} %" if metric.is_share else metric.label) for metric in MAIN),
    (None, "Revisions"),
    ("computed_at", "Judged"),
)
"""The columns of the log: the parameter they are sorted by, and their headings."""

SIZES = (50, 100, 250)


async def log(request: Request) -> Response:
    """Respond with a page of the log."""
    dashboard, asked = dashboard_of(request), asked_for(request, parameters.LogParameters)
    state = await dashboard.state()
    require_sources(dashboard, state, asked.source)
    main = await kept(request, state, None, lambda: log_main(state, dashboard.settings, asked))
    return page(request, title="Snapshots", main=main, section=PAGE.section, version=state.version)


def log_main(state: DashboardState, settings: Settings, asked: parameters.LogParameters) -> Markup:
    """The content of a page of the log."""
    found = state.index.page(asked.query())
    sources = sorted({*settings.sources, *state.index.sources})
    address = Address(asked)
    zones = {source: _zone(settings, source) for source in sources}
    return render(
        PAGE.template,
        trouble=state.trouble,
        rows=found.rows,
        body=log_rows(found.rows, zones),
        found=found,
        asked=asked,
        sources=sources,
        statuses=[status.value for status in DayStatus],
        signs=SIGNS,
        columns=[_column(asked, address, name, words) for name, words in LOG_COLUMNS],
        address=address,
        sizes=SIZES,
        is_filtered=bool(asked.source or asked.status or asked.first or asked.last),
        has_any=bool(state.index.sources),
        exports=address.filters(),
    )


@dataclass(frozen=True, slots=True)
class Column:
    """A column heading of the log.

    Attributes:
        link: The address that sorts by the column or reverses its order; None if it cannot be sorted.
        order: The column's current order: ascending, descending or none.
    """

    words: str
    link: str | None
    order: str | None
    is_number: bool


def _column(asked: parameters.LogParameters, address: Address, name: str | None, words: str) -> Column:
    is_number = words not in {"Day", "Source", "Status", "Judged"}
    if name is None:
        return Column(words, None, None, is_number)
    is_current = asked.sort == name
    is_descending = not asked.descending if is_current else name not in {"source", "status"}
    order = ("descending" if asked.descending else "ascending") if is_current else None
    return Column(words, address(sort=name, descending=is_descending), order, is_number)


def _zone(settings: Settings, source: str) -> ZoneInfo:
    known = settings.sources.get(source)
    return ZoneInfo(known.time_zone if known else "UTC")


PAGE = Page("/health/snapshots/", log, "log.html", section="snapshots", navigation="Snapshots")
