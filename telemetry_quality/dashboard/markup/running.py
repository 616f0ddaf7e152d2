"""The running day as a strip that fills hour by hour, and as a table that says the same in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING

from markupsafe import Markup

from telemetry_quality.dashboard.rendering import SIGNS, number, render

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from telemetry_quality.core.days import Calendar
    from telemetry_quality.dashboard.running_models import LaterHourResponse, RunningDayResponse, RunningHourResponse

HEIGHT = 48
"""The units that a bar of the strip can be high."""

USUAL_HOURS = 24

TODAY, EARLIER = "Today so far, provisional", "As it ran, provisional"


@dataclass(frozen=True, slots=True)
class HourCell:
    """An hour of the strip and of the table.

    Attributes:
        clock: When it begins, by the clock; with the zone where an hour of the clock may come twice.
        is_labelled: Whether a narrow strip has room for its label.
        kind: failed, unreadable, quiet, fine, not_looked_at or later.
        sign: Stands above the bar, since colour alone must not carry meaning.
        words: What is known of it.
        bar: The events against the band.
    """

    clock: str
    is_labelled: bool
    kind: str
    sign: str
    words: str
    found: RunningHourResponse | None
    expected: LaterHourResponse | None
    bar: Markup


KIND_SIGNS = {"failed": SIGNS["failed"][0], "unreadable": SIGNS["unknown"][0], "quiet": "0", "not_looked_at": "–"}


def running_part(day: RunningDayResponse, calendar: Calendar, *, is_over: bool, is_linked: bool) -> Markup:
    """The part of a page about a day as it runs or, if it ``is_over``, as it ran; ``is_linked`` to the day's page."""
    cells = tuple(hour_cells(day, calendar))
    return render(
        "running.html",
        running=day,
        heading=EARLIER if is_over else TODAY,
        is_linked=is_linked,
        cells=cells,
        zone=calendar.zone,
        label=_label(day, cells),
        kinds={cell.kind for cell in cells},
    )


def hour_cells(day: RunningDayResponse, calendar: Calendar) -> Iterator[HourCell]:
    """Every hour of the day, in order; 23 or 25 of them when clocks change."""
    window = calendar.window(day.day)
    hours = {hour.hour: hour for hour in day.hours}
    later = {hour.hour: hour for hour in day.later_hours}
    highest = max((_highest(hour) for hour in (*day.hours, *day.later_hours)), default=0) or 1
    for place in range(ceil(window.hours)):
        begin = (window.start + timedelta(hours=place)).astimezone(calendar.zone)
        found, expected = hours.get(place), hours.get(place) or later.get(place)
        kind = _kind(found, is_due=place < day.due_hours or (bool(hours) and place < max(hours)))
        yield HourCell(
            _clock(begin, is_usual=window.hours == USUAL_HOURS),
            place % 6 == 0,
            kind,
            KIND_SIGNS.get(kind, ""),
            _words(kind, found),
            found,
            expected,
            _bar(found, expected, highest),
        )


def _clock(begin: datetime, *, is_usual: bool) -> str:
    return f"{begin:%H:%M}" if is_usual else f"{begin:%H:%M %Z}"


def _highest(hour: LaterHourResponse) -> float:
    return max(getattr(hour, "events", None) or 0, hour.expected_high_events or 0)


def _kind(found: RunningHourResponse | None, *, is_due: bool) -> str:
    if found is None:
        return "not_looked_at" if is_due else "later"
    if found.failed_guardrails:
        return "failed"
    if found.events is None:
        return "unreadable"
    return "fine" if found.events else "quiet"


def _words(kind: str, found: RunningHourResponse | None) -> str:
    match kind:
        case "failed" if found is not None:
            return f"failed: {', '.join(found.failed_guardrails)}"
        case "unreadable" if found is not None:
            return f"could not be read ({found.unreadable_reason_code}): {found.unreadable_reason}"
        case "later":
            return "to come"
        case "not_looked_at":
            return "not looked at"
        case _:
            return "nothing failed"


def _bar(found: RunningHourResponse | None, expected: LaterHourResponse | None, highest: float) -> Markup:
    """The band of normal hours and, before it, the events."""
    drawn = []
    if expected is not None and expected.expected_low_events is not None and expected.expected_high_events is not None:
        low, high = (_up(value, highest) for value in (expected.expected_low_events, expected.expected_high_events))
        # A band without a height, as at night, is still there.
        drawn.append(f'<rect class="band" x="0" y="{HEIGHT - high:g}" width="10" height="{max(high - low, 1):g}"/>')
    if found is not None and found.events:
        height = max(_up(found.events, highest), 1)
        drawn.append(f'<rect class="found" x="2" y="{HEIGHT - height:g}" width="6" height="{height:g}"/>')
    return Markup(  # noqa: S704 - numbers only
        f'<svg viewBox="0 0 10 {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">{"".join(drawn)}</svg>'
    )


def _up(value: float, highest: float) -> float:
    return round(HEIGHT * max(value, 0) / highest, 1)


def _label(day: RunningDayResponse, cells: tuple[HourCell, ...]) -> str:
    """The strip in one sentence, for people who do not see it."""
    words = {
        "failed": "failed",
        "unreadable": "could not be read",
        "not_looked_at": "not looked at",
        "later": "to come",
    }
    counts = [(sum(cell.kind == kind for cell in cells), said) for kind, said in words.items()]
    over = f"{len(day.hours)} of {len(cells)} hours looked at, {number(day.events)} events" if day.events else None
    said = [over or f"{len(day.hours)} of {len(cells)} hours looked at"]
    said += [f"{count} {what}" for count, what in counts if count]
    return f"{', '.join(said)}; the hours are in the table below"
