"""A day by the hour: rows of counts, each with a bar that shows the expected events as a line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from telemetry_quality.core.days import day_window
from telemetry_quality.dashboard.models import BreakdownRowResponse
from telemetry_quality.dashboard.rendering import number, percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date
    from zoneinfo import ZoneInfo


LEAST_DRAWN = 0.5
"""With fewer events expected, no line is drawn: it would say that some are."""


def bar(value: int, largest: float, part: int = 0, expected: float | None = None) -> Markup:
    """Draw ``value`` relative to the largest value, with ``part`` of it highlighted; the table shows the numbers."""
    if not largest:
        return Markup("")
    width, inner = 100 * value / largest, 100 * min(part, value) / largest
    line = ""
    if expected is not None and expected >= LEAST_DRAWN:
        line = f'<path class="expected" d="M{100 * expected / largest:.1f} 0v6"/>'
    return Markup(  # noqa: S704 - numbers only
        '<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{width:.1f}" height="6"/>'
        + (f'<rect class="part" width="{inner:.1f}" height="6"/>' if inner else "")
        + f"{line}</svg>"
    )


class HourRow(NamedTuple):
    """The row of an hour of a day, labelled with the local time at which it begins.

    Attributes:
        hour: Whole hours since the day began; daylight saving makes that differ from the clock.
    """

    hour: int
    begins: str
    counts: BreakdownRowResponse
    expected: float | None
    error_rate: Markup
    bar: Markup

    def cells(self, address: str, *, is_current: bool, has_late: bool) -> str:
        """The HTML of the row, built in one step because a day has many; it leads to the day cut to its hour."""
        counts = self.counts
        cells = [number(counts.events), number(self.expected), number(counts.errors), self.error_rate]
        cells += [number(counts.missing_version), *([number(counts.late_events)] if has_late else [])]
        first, *rest = (f'<td class="number">{cell}</td>' for cell in cells)
        current = ' aria-current="true"' if is_current else ""
        label = f'<tr{current}><th scope="row"><a href="{address}">{self.begins}</a></th>'
        return f"{label}{first}<td>{self.bar}</td>{''.join(rest)}</tr>"


@dataclass(frozen=True, slots=True)
class DayClock:
    """The day whose hours are shown."""

    day: date
    zone: ZoneInfo


def hour_rows(
    parts: Sequence[BreakdownRowResponse], clock: DayClock, expected: Mapping[int, float | None]
) -> list[HourRow]:
    """Every hour of a scanned day, including hours without events."""
    if not parts:
        return []
    window = day_window(clock.day, clock.zone)
    found = {int(part.value or 0): part for part in parts}
    last = max(ceil(window.hours) - 1, *found)
    empty = BreakdownRowResponse(
        value=None, events=0, errors=0, missing_version=0, late_events=0, error_unknown_events=0
    )
    largest = max(_largest(found.values()), _largest_expected(expected.values()))
    return [
        HourRow(
            hour,
            f"{(window.start + timedelta(hours=hour)).astimezone(clock.zone):%H:%M}",
            part := found.get(hour, empty),
            expected.get(hour),
            _error_rate(part),
            bar(part.events, largest, part.errors, expected.get(hour)),
        )
        for hour in range(last + 1)
    ]


def _largest(parts: Iterable[BreakdownRowResponse]) -> float:
    return max((part.events for part in parts), default=0)


def _largest_expected(expected: Iterable[float | None]) -> float:
    return max((events for events in expected if events is not None), default=0)


def _error_rate(part: BreakdownRowResponse) -> Markup:
    """The error rate; not known where no event says whether it is an error."""
    is_known = part.events > part.error_unknown_events
    return percent(100 * part.errors / part.events if is_known else None)
