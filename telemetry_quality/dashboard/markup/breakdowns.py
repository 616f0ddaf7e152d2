"""A day by signal, version or hour: rows of counts and shares, each with a bar."""

from __future__ import annotations

from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from telemetry_quality.core.days import day_window
from telemetry_quality.dashboard.models import BreakdownRowResponse
from telemetry_quality.dashboard.rendering import name, number, percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from zoneinfo import ZoneInfo


def bar(value: int, largest: int, part: int = 0) -> Markup:
    """Draw ``value`` relative to the largest value, with ``part`` of it highlighted; the table shows the numbers."""
    if not largest:
        return Markup("")
    width, inner = 100 * value / largest, 100 * min(part, value) / largest
    return Markup(  # noqa: S704 - numbers only
        '<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{width:.1f}" height="6"/>'
        + (f'<rect class="part" width="{inner:.1f}" height="6"/>' if inner else "")
        + "</svg>"
    )


class TableRow(NamedTuple):
    """The row of a signal, version or hour of a day."""

    value: object
    events: int
    share: Markup
    errors: int
    error_rate: Markup
    missing_version: int
    late_events: int
    bar: Markup
    is_current: bool = False

    def cells(self, *, has_late: bool) -> str:
        """The HTML of the row, built in one step because a day has hundreds of rows."""
        counts = [number(self.events), self.share, number(self.errors), self.error_rate, number(self.missing_version)]
        counts += [number(self.late_events)] if has_late else []
        first, *rest = (f'<td class="number">{cell}</td>' for cell in counts)
        current = ' aria-current="true"' if self.is_current else ""
        label = f'<tr{current}><th scope="row"><div class="stored">{name(self.value)}</div></th>'
        return f"{label}{first}<td>{self.bar}</td>{''.join(rest)}</tr>"


def table_rows(rows: Iterable[TableRow], *, has_late: bool) -> Markup:
    """Parts of a day as HTML table rows."""
    return Markup("\n".join(row.cells(has_late=has_late) for row in rows))  # noqa: S704 - escaped one by one


def breakdown_rows(parts: Sequence[BreakdownRowResponse], total: int | None) -> list[TableRow]:
    """Parts of a day with their shares of ``total``, the events of the whole day."""
    largest = max((part.events for part in parts), default=0)
    return [
        TableRow(
            part.value,
            part.events,
            percent(100 * part.events / total if total else None, 1),
            part.errors,
            _error_rate(part),
            part.missing_version,
            part.late_events,
            bar(part.events, largest, part.errors),
        )
        for part in parts
    ]


def _error_rate(part: BreakdownRowResponse) -> Markup:
    """The error rate; not known where no event says whether it is an error."""
    is_known = part.events > part.error_unknown_events
    return percent(100 * part.errors / part.events if is_known else None)


def hour_rows(
    parts: Sequence[BreakdownRowResponse], total: int | None, of_day: date, zone: ZoneInfo, current: int | None = None
) -> list[TableRow]:
    """Every hour of a scanned day, including hours without events, labelled with the local time at which it begins.

    Daylight saving makes that differ from the number of hours since the day began.
    """
    if not parts:
        return []
    window = day_window(of_day, zone)
    found = {part.value: part for part in parts}
    last = max(ceil(window.hours) - 1, *(int(part.value or 0) for part in parts))
    empty = BreakdownRowResponse(
        value=None, events=0, errors=0, missing_version=0, late_events=0, error_unknown_events=0
    )
    rows = breakdown_rows([found.get(hour, empty) for hour in range(last + 1)], total)
    clock = [(window.start + timedelta(hours=hour)).astimezone(zone) for hour in range(last + 1)]
    return [
        row._replace(value=f"{begins:%H:%M}", is_current=hour == current)
        for hour, (row, begins) in enumerate(zip(rows, clock, strict=True))
    ]
