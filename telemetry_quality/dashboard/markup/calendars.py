"""Many days at a glance: a strip of recent days, and the weeks of a year."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from telemetry_quality.core.visible import visible
from telemetry_quality.dashboard.models import CalendarStatus
from telemetry_quality.dashboard.rendering import SIGNS, WEEKDAYS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry_quality.dashboard.models import Week, Year, YearDay

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

CELL_SIGNS = {mark: SIGNS[mark][0] for mark in ("degraded", "unhealthy", "no_activity", "unknown", "missing")} | {
    "healthy": ""
}
"""The sign in a square of the calendar; healthy days are left blank so that the others stand out."""


def strip(marks: Sequence[str]) -> Markup:
    """A row of days, oldest first; screen readers get the count of each status."""
    counts = [f"{marks.count(mark)} {SIGNS[mark][1]}" for mark in SIGNS if marks.count(mark)]
    drawn, at = [], 0
    for mark, days in groupby(marks):
        count = len(list(days))
        # A line for days of the same status side by side, which the dashes of the style cut into squares.
        drawn.append(f'<path class="{mark}" d="M{at * 10} 10h{count * 10 - 1}"/>')
        if sign := CELL_SIGNS.get(mark):
            across = " ".join(f"{place * 10 + 4.5:g}" for place in range(at, at + count))
            drawn.append(f'<text class="{mark}" x="{across}" y="13.5">{sign * count}</text>')
        at += count
    return Markup('<svg class="strip" viewBox="0 0 {} 20" role="img" aria-label="{}">{}</svg>').format(
        max(len(marks), 1) * 10,
        ", ".join(counts),
        Markup("".join(drawn)),  # noqa: S704 - our own marks
    )


def calendar(year: Year) -> Markup:
    """The weeks of a year side by side; each day is a link labelled with its date and status."""
    rows = []
    weeks = _weeks_of(year)
    for weekday, words in enumerate(WEEKDAYS):
        cells = [_square(year.source, week.days[weekday]) for week in weeks]
        rows.append(f'<tr><th scope="row">{words}</th>{"".join(cells)}</tr>')
    return Markup(  # noqa: S704 - dates, our own marks, escaped words, and a name that the settings hold to small letters
        '<div class="scroll calendar" tabindex="0" role="group" aria-label="Calendar"><table><thead><tr><td></td>'
        f"{_month_row(weeks)}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _weeks_of(year: Year) -> Sequence[Week]:
    """The weeks of the year, starting with the one that holds the source's first day."""
    outside = (all(day.status is CalendarStatus.OUTSIDE for day in week.days) for week in year.weeks)
    return year.weeks[next((at for at, is_outside in enumerate(outside) if not is_outside), 0) :]


def _square(source: str, square: YearDay) -> str:
    status = square.status
    if status is CalendarStatus.OUTSIDE:
        return "<td></td>"
    said = "" if square.mark is None else f", {visible(square.mark)}"
    words = escape(f"{square.day} {SIGNS[status.value][1]}{said}")
    kind = f"cell-{status.value}{' marked' if said else ''}"
    return (
        f'<td><a class="{kind}" href="/health/snapshots/{escape(source)}/{square.day}/" aria-label="{words}" '
        f'title="{words}">{CELL_SIGNS[status.value]}</a></td>'
    )


def _month_row(weeks: Sequence[Week]) -> str:
    """The header row: each month's name above the week in which the month begins."""
    months = [week.days[-1].day.month for week in weeks]
    cells = []
    for at, month in enumerate(months):
        is_first = at == 0 or months[at - 1] != month
        # A name is as wide as two weeks.
        has_room = at == len(months) - 1 or months[at + 1] == month
        cells.append(f'<th scope="col">{MONTHS[month - 1]}</th>' if is_first and has_room else "<td></td>")
    return "".join(cells)
