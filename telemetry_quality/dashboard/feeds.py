"""What other programs show: an Atom feed of incidents (RFC 4287) and a badge with the status of the last day."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote, urlsplit
from xml.etree.ElementTree import Element, SubElement, tostring

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from telemetry_quality.core.links import incident_link
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.dashboard.api import kept, require_sources, require_watched, this_minute
from telemetry_quality.dashboard.api_errors import CANNOT_READ, STORE_UNREADABLE, ApiError
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.incident_responses import incident_line
from telemetry_quality.dashboard.parameters import (
    INSIDE,
    NOT_MODIFIED,
    ONE_EACH,
    STAFF_AND_FEED_READERS,
    TO_SIGN_IN,
    OneSource,
    answers,
    refused_beside,
)
from telemetry_quality.dashboard.rendering import SIGNS
from telemetry_quality.dashboard.summary import summarize

if TYPE_CHECKING:
    from datetime import date

    from telemetry_quality.core.incidents import Incident
    from telemetry_quality.dashboard.models import SourceSummary, Summary
    from telemetry_quality.dashboard.state import DashboardState

ATOM = "application/atom+xml"
SVG = "image/svg+xml"

MOST_ENTRIES = 100
"""The most recently updated incidents in the feed; readers that poll once a day miss none."""

CLOSING_DAYS = 31
"""How many days after an incident's last day to look for the day that closed it."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped."""

_COLOURS = {
    DayStatus.HEALTHY: "#1a7037",
    DayStatus.DEGRADED: "#8a5a00",
    DayStatus.UNHEALTHY: "#b3261e",
    DayStatus.NO_ACTIVITY: "#6b3fa0",
    DayStatus.UNKNOWN: "#545b64",
}
_WORST_FIRST = list(DayStatus)
_LONGEST_LABEL = 40
_CHARACTER_WIDTH = 7
_GAP = 10

router = APIRouter(
    tags=["feeds"],
    dependencies=[*STAFF_AND_FEED_READERS, ONE_EACH],
    responses=refused_beside(*INSIDE, 404) | NOT_MODIFIED | TO_SIGN_IN,
)


class AtomResponse(Response):
    """An Atom feed."""

    media_type = ATOM


class SvgResponse(Response):
    """An SVG image."""

    media_type = SVG


@answers(router, "/health/incidents.atom", response_class=AtomResponse)
async def feed(request: Request, asked: Annotated[OneSource, Query()]) -> Response:
    """An Atom feed of the most recently updated incidents of all sources or of one source."""
    dashboard = dashboard_of(request)
    state, today = await dashboard.state(), dashboard.clock().astimezone(UTC).date()
    require_sources(dashboard, state, [asked.source] if asked.source else [])
    if not state.has_been_read:
        # An empty feed would say that there are no incidents.
        raise ApiError(503, STORE_UNREADABLE, CANNOT_READ, {"Retry-After": "10"})
    url = dashboard.settings.dashboard.url
    return await kept(request, state, today, ATOM, lambda: feed_of(state, url, today, asked.source))


@answers(router, "/health/badge.svg", response_class=SvgResponse)
async def badge(request: Request, asked: Annotated[OneSource, Query()]) -> Response:
    """A badge with the latest complete day and its status, for one source or the source in the worst state."""
    dashboard = dashboard_of(request)
    state, now = await dashboard.state(), this_minute(dashboard)
    require_watched(dashboard, asked.source)
    return await kept(
        request,
        state,
        now,
        SVG,
        lambda: badge_of(summarize(state, dashboard.settings, now, asked.source), asked.source),
    )


def feed_of(state: DashboardState, url: str, today: date, source: str | None = None) -> bytes:
    """The feed's XML; ``url`` is the dashboard's external URL.

    An entry's id consists of host, source and the incident's key, so it is stable as long as they are.
    """
    here = f"{url}/health/incidents.atom" + (f"?source={quote(source)}" if source else "")
    incidents = _latest_updated(state, source)
    entries = sorted(
        ((_updated(state, incident), incident) for incident in incidents),
        key=lambda entry: (entry[0], entry[1].key),
        reverse=True,
    )
    root = Element("feed", {"xmlns": "http://www.w3.org/2005/Atom"})
    _add(root, "id", _tag(url, f"incidents/{source}" if source else "incidents"))
    _add(root, "title", f"Incidents of {source}" if source else "Incidents")
    _add(root, "subtitle", "Days of telemetry that cannot be trusted, grouped by root cause.")
    _add(root, "updated", _instant(entries[0][0] if entries else _newest(state)))
    _add(SubElement(root, "author"), "name", "telemetry-quality")
    SubElement(root, "link", {"rel": "self", "type": ATOM, "href": here})
    SubElement(root, "link", {"rel": "alternate", "type": "text/html", "href": f"{url}/health/incidents/"})
    for updated, incident in entries:
        root.append(_entry(incident, url, updated, today))
    return _document(root)


def _latest_updated(state: DashboardState, source: str | None) -> list[Incident]:
    sources = [source] if source else sorted(state.incidents)
    every = [incident for name in sources for incident in state.incidents.get(name, ())]
    every.sort(
        key=lambda incident: (
            max([incident.last_day, *(action.acted_at.date() for action in incident.actions)]),
            incident.key,
        ),
        reverse=True,
    )
    return every[:MOST_ENTRIES]


def _entry(incident: Incident, url: str, updated: datetime, today: date) -> Element:
    line = incident_line(incident, today)
    entry = Element("entry")
    _add(entry, "id", _tag(url, f"incident/{incident.key}"))
    _add(
        entry,
        "title",
        f"{incident.source}: {line.level.value}, {'open' if line.is_open else 'closed'}, since {line.first_day}",
    )
    _add(entry, "updated", _instant(updated))
    SubElement(entry, "link", {"rel": "alternate", "type": "text/html", "href": incident_link(url, incident.key)})
    SubElement(entry, "category", {"term": line.level.value})
    SubElement(entry, "category", {"term": _clean(incident.source)})
    _add(entry, "summary", f"{line.sentence} State: {', '.join(line.state)}.")
    return entry


def _updated(state: DashboardState, incident: Incident) -> datetime:
    """When an incident last changed: by a failed day, a look, the day that closed it, or an action."""
    rows = [state.index.current(incident.source, day) for day in incident.days]
    if not incident.is_open:
        after = state.index.window(
            incident.source, incident.last_day + timedelta(days=1), incident.last_day + timedelta(days=CLOSING_DAYS)
        )
        rows.append(next((row for row in after if row is not None and row.status != DayStatus.UNKNOWN), None))
    moments = [row.computed_at for row in rows if row is not None] + [action.acted_at for action in incident.actions]
    running = state.running.get(incident.source, ())
    moments += [hour.looked_at for hour in running if hour.day in incident.days and hour.verdicts]
    return max(moments) if moments else _newest(state)


def _newest(state: DashboardState) -> datetime:
    """When the last snapshot was made; 1970 if there is none, so that nothing seems new."""
    rows = [state.index.latest(source) for source in state.index.sources]
    return max((row.computed_at for row in rows if row is not None), default=datetime(1970, 1, 1, tzinfo=UTC))


def _tag(url: str, specific: str) -> str:
    """A tag URI (RFC 4151), a name that is not an address and survives changes of port, path and software."""
    host = (urlsplit(url).hostname or "localhost").replace(":", "-")
    return f"tag:{host},2026:{quote(specific)}"


def _instant(value: datetime) -> str:
    """An instant as in RFC 3339."""
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def badge_of(summary: Summary, source: str | None) -> bytes:
    """The badge as SVG: words and a sign, readable without colour and in any font."""
    shown = min(summary.sources, key=lambda source_summary: _WORST_FIRST.index(source_summary.status), default=None)
    status = DayStatus.UNKNOWN if shown is None or summary.trouble else shown.status
    only = summary.sources[0].source if len(summary.sources) == 1 else None
    label, words = _cut(source or only or "telemetry"), _words(shown, status, has_trouble=bool(summary.trouble))
    return _picture(label, words, f"{label}: {_sentence(shown, has_trouble=bool(summary.trouble))}", _COLOURS[status])


def _sentence(shown: SourceSummary | None, *, has_trouble: bool) -> str:
    return CANNOT_READ if shown is None or has_trouble else shown.sentence


def _words(shown: SourceSummary | None, status: DayStatus, *, has_trouble: bool) -> str:
    sign, word = SIGNS[status]
    if shown is None or has_trouble:
        return f"{sign} {word}"
    if shown.is_stale:
        return f"{sign} stale, last {shown.last_snapshot_day}" if shown.last_snapshot_day else f"{sign} no snapshot yet"
    return f"{sign} {word}" if shown.day is None else f"{sign} {word} {shown.day}"


def _picture(label: str, words: str, sentence: str, colour: str) -> bytes:
    left, right = (len(text) * _CHARACTER_WIDTH + _GAP for text in (label, words))
    root = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "width": str(left + right),
            "height": "20",
            "role": "img",
            "aria-label": _clean(f"{label}: {words}"),
        },
    )
    _add(root, "title", sentence)
    for x, width, fill in ((0, left, "#333a42"), (left, right, colour)):
        SubElement(root, "rect", {"x": str(x), "width": str(width), "height": "20", "fill": fill})
    letters = SubElement(
        root, "g", {"fill": "#ffffff", "font-family": "Verdana,DejaVu Sans,sans-serif", "font-size": "11"}
    )
    for x, width, text in ((0, left, label), (left, right, words)):
        place = {
            "x": str(x + _GAP // 2),
            "y": "14",
            "textLength": str(width - _GAP),
            "lengthAdjust": "spacingAndGlyphs",
        }
        _add(letters, "text", text, place)
    return _document(root)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 1]}…"


def _add(parent: Element, name: str, text: str, attributes: dict[str, str] | None = None) -> None:
    SubElement(parent, name, attributes or {}).text = _clean(text)


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def _document(root: Element) -> bytes:
    written: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return written
