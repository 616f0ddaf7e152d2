"""The segments of a day as tables: what was found and expected, the last days as a small picture, and what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from markupsafe import Markup

from telemetry_quality.core.clipping import LONGEST_TEXT
from telemetry_quality.core.events import EVENT_NAME, OTHER_VALUES, SERVICE_VERSION
from telemetry_quality.core.visible import visible
from telemetry_quality.dashboard.hours import Hour
from telemetry_quality.dashboard.markup.breakdowns import bar
from telemetry_quality.dashboard.markup.heat_map import KINDS, Measure, square_of
from telemetry_quality.dashboard.rendering import NOT_KNOWN, name, number, percent, signed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry_quality.dashboard.segments import Counts, Cut, SegmentRow, SegmentTable

HEADINGS = {EVENT_NAME: "Signal", SERVICE_VERSION: "Version"}

LONGEST_LINKED = 2 * LONGEST_TEXT
"""No stored name is longer, unless another program wrote it."""

NEGLIGIBLE, MANIFOLD = 0.05, 10
"""With fewer events expected, a segment is new; with so many times as many found, a percentage is hard to read."""

STEP, HEIGHT = 4, 20
"""The units from a day to the next in a small picture, and the units that it is high."""


class CountedBy(NamedTuple):
    """What the source of a day counts.

    Attributes:
        total: The events that the shares are of.
        error_limit: The error rate in percent beyond which a segment is marked.
    """

    total: int
    has_errors: bool = True
    has_versions: bool = True
    error_limit: float | None = None


class ShownTable(NamedTuple):
    """A table of segments as the template shows it."""

    heading: str
    caption: str
    rows: Markup
    rest: int
    has_days: bool
    has_late: bool


def shown_table(table: SegmentTable, cut: Cut, counted: CountedBy) -> ShownTable:
    """A table with its rows as HTML, built in one step because a day has hundreds of rows."""
    has_late = any(row.counts.late_events for row in table.rows)
    largest = max((row.counts.events for row in table.rows), default=0)
    rows = []
    for row in table.rows:
        picture = days_picture(row.daily) if cut.is_whole else bar(row.counts.events, largest, row.counts.errors)
        rows.append(_row(_label(table.dimension, row.value, cut), row, picture, _wrong(row.counts, counted, has_late)))
    heading = HEADINGS.get(table.dimension, visible(table.dimension))
    return ShownTable(
        heading,
        f"By {heading.lower() if table.dimension in HEADINGS else heading}",
        Markup("\n".join(rows)),  # noqa: S704 - escaped cell by cell
        table.rest,
        cut.is_whole,
        has_late,
    )


def _row(label: Markup, row: SegmentRow, picture: Markup, wrong: Sequence[Markup]) -> str:
    expected = number(row.expected, 0 if row.expected is None or row.expected >= 10 else 1)
    found = _cells((number(row.counts.events), expected, _change(row.counts.events, row.expected)))
    silent = "" if row.counts.events else ' class="silent"'
    head = f'<tr{silent}><th scope="row"><div class="stored">{label}</div></th>'
    return f"{head}{found}<td>{picture}</td>{_cells(wrong)}</tr>"


def _cells(cells: Sequence[Markup]) -> str:
    return "".join(f'<td class="number">{cell}</td>' for cell in cells)


def _wrong(counts: Counts, counted: CountedBy, has_late: bool) -> list[Markup]:
    """The share of a segment and what is wrong with its events; a dash where that is not counted."""
    is_rate_known = counted.has_errors and counts.events > counts.error_unknown_events
    return [
        percent(100 * counts.events / counted.total if counted.total else None, 1),
        number(counts.errors if counted.has_errors else None),
        _rate(counts, counted) if is_rate_known else NOT_KNOWN,
        number(counts.missing_version if counted.has_versions else None),
        *([number(counts.late_events)] if has_late else []),
    ]


def _rate(counts: Counts, counted: CountedBy) -> Markup:
    """The error rate; a sign marks one beyond the limit, by the same rule as the squares of hours."""
    square = square_of(Hour(counts.events, counts.errors), Measure.ERRORS, counted.error_limit)
    rate = percent(100 * counts.errors / counts.events)
    if square.kind != "beyond":
        return rate
    return Markup('<span class="sign" title="{}">✗</span> {}').format(KINDS["beyond"][1], rate)


def _label(dimension: str, value: str | None, cut: Cut) -> Markup:
    """The value, which leads to the day cut to it; what sums other values is no segment."""
    if not is_linked(value):
        return name(value)
    return Markup('<a href="{}">{}</a>').format(cut_address(dimension, value, _hour_of(dimension, cut)), name(value))


def is_linked(value: str | None) -> bool:
    """Whether a day can be cut to this value."""
    return value != OTHER_VALUES and len(value or "") <= LONGEST_LINKED


def _hour_of(dimension: str, cut: Cut) -> int | None:
    """The hour that remains when the day is cut to a value: only names and versions are counted by hour and value."""
    return cut.hour if dimension in HEADINGS else None


def cut_address(by: str | None, value: str | None, hour: int | None) -> str:
    """The address of a day's page cut to an hour, to a value, or both; without a value it is the missing one."""
    pieces = [] if hour is None else [f"hour={hour}"]
    pieces += [] if by is None else [f"by={quote(by, safe='')}"]
    pieces += [] if by is None or value is None else [f"value={quote(value, safe='')}"]
    return f"?{'&'.join(pieces)}#aggregates"


def _change(events: int, expected: float | None) -> Markup:
    """By how much a segment deviates; a sign marks what chance does not explain."""
    if expected is None:
        return NOT_KNOWN
    if expected < NEGLIGIBLE:
        return Markup("new") if events else Markup("")
    kind = square_of(Hour(events, expected=expected), Measure.EVENTS, None).kind
    sign = {"below": "▼", "above": "▲"}.get(kind.removeprefix("far-"), "")
    words = Markup('<span class="sign" title="{}">{}</span> ').format(KINDS[kind][1], sign) if sign else ""
    if events >= MANIFOLD * expected:
        return words + Markup("× {}").format(number(events / expected))
    return words + signed(100 * (events / expected - 1), 0)


def days_picture(daily: Sequence[int | None]) -> Markup:
    """A bar per day; a day without events is a stub, and a day that is not known is a gap."""
    most = max((events for events in daily if events), default=0) or 1
    bars = "".join(
        f"M{STEP * place + 2} {HEIGHT}v-{max(round((HEIGHT - 1) * events / most), 1)}"
        for place, events in enumerate(daily)
        if events is not None
    )
    known = [events for events in daily if events is not None]
    words = f"{len(known)} of {len(daily)} days known, {min(known, default=0):,} to {max(known, default=0):,} events"
    return Markup(  # noqa: S704 - numbers only
        f'<svg class="days" viewBox="0 0 {STEP * len(daily)} {HEIGHT}" role="img" aria-label="{words}">'
        f'<path d="{bars}"/></svg>'
    )


def shares_picture(shares: Sequence[float | None]) -> Markup:
    """A share per day as an area as high as the largest of them; a day that is not known is a gap."""
    most = max((share for share in shares if share), default=1.0)
    bars = "".join(
        f"M{place} {HEIGHT}v-{HEIGHT * share / most:.1f}" for place, share in enumerate(shares, start=1) if share
    )
    return Markup(  # noqa: S704 - numbers only
        f'<svg class="shares" viewBox="0.5 0 {len(shares)} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f'<path d="{bars}"/></svg>'
    )
