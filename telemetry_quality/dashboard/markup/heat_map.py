"""Hours by days: a square per hour, whose sign says what its colour says, and which leads to the day at that hour."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from telemetry_quality.core.hours import ALL_HOURS
from telemetry_quality.dashboard.hours import Column, Known
from telemetry_quality.dashboard.markup.calendars import MONTHS
from telemetry_quality.dashboard.rendering import WEEKDAYS, render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from telemetry_quality.dashboard.hours import Hour, HoursOfDay

CHANCE_SIGMAS = 3.0
"""A number of events is as expected if chance alone strays so far (Poisson)."""

BELOW, FAR_BELOW, ABOVE, FAR_ABOVE = 0.75, 0.3, 1.33, 2.0
"""From these ratios of found to expected events on, an hour is below or above what was expected, or far from it."""

LEAST_EVENTS = 3
"""So many errors, or events without a version, must be found before an hour counts as beyond the limit."""

MOST_LABELLED = 31
"""With more days than this, only Mondays are labelled."""

WIDTHS = (14, 31, 60, 90)
"""The stylesheet has a least width for up to so many days; a phone scrolls."""


class Measure(StrEnum):
    """What the squares show."""

    EVENTS = "events"
    ERRORS = "errors"
    VERSIONS = "versions"


TITLES = {
    Measure.EVENTS: "Events against expected",
    Measure.ERRORS: "Error rate",
    Measure.VERSIONS: "Events without a version",
}

KINDS = {
    "far-below": ("▼", "far below expected"),
    "below": ("", "below expected"),
    "usual": ("", "as expected"),
    "above": ("", "above expected"),
    "far-above": ("▲", "far above expected"),
    "beyond": ("✗", "beyond the limit"),
    "raised": ("", "more than half the limit"),
    "within": ("", "well within the limit"),
    "quiet": ("", "no events"),
    "alone": ("", "nothing to compare with yet"),
    "later": ("", "to come"),
    "unreadable": ("?", "could not be read"),
    "skipped": ("–", "not looked at"),
    "missing": ("·", "of days without a snapshot"),
}
"""The sign and the words of each kind of square, in the order of the legend."""


class Square(NamedTuple):
    """An hour of a day: what kind it is, and in words what was found."""

    kind: str
    words: str


@dataclass(frozen=True, slots=True)
class SquaresOfDay:
    """A day's column of a heat map.

    Attributes:
        cells: The cell of each hour of the clock.
        kinds: How many squares there are of each kind.
    """

    day: date
    cells: tuple[str, ...]
    kinds: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """What a heat map is drawn from.

    Attributes:
        columns: A column per day, oldest first.
        current: The day of the page, which is highlighted; None on other pages.
    """

    source: str
    columns: Sequence[SquaresOfDay]
    measure: Measure = Measure.EVENTS
    current: date | None = None


def heat_map(shown: HeatMap) -> Markup:
    """The table of squares with its legend."""
    kinds: Counter[str] = Counter()
    for column in shown.columns:
        kinds.update(column.kinds)
    by_hour = zip(ALL_HOURS, zip(*(column.cells for column in shown.columns), strict=True), strict=True)
    rows = "".join(f'<tr><th scope="row">{hour:02}</th>{"".join(cells)}</tr>' for hour, cells in by_hour)
    width = next(most for most in WIDTHS if len(shown.columns) <= most)
    head = f"<thead>{_months(shown.columns)}{_days(shown)}</thead>"
    table = f'<table class="heat-map of-{width}">{head}<tbody>{rows}</tbody></table>'
    return render(
        "heat_map.html",
        table=Markup(table),  # noqa: S704 - numbers, dates and our own words; the settings hold names to small letters
        title=TITLES[shown.measure],
        legend=[(kind, *said, kinds[kind]) for kind, said in KINDS.items() if kinds[kind]],
        end=f"after-hours-{shown.measure}",
    )


def squares_of_day(source: str, of_day: HoursOfDay, measure: Measure, limit: float | None) -> SquaresOfDay:
    """A day's column.

    Args:
        source: The source, for the links.
        of_day: The day by the hour.
        measure: What the squares show.
        limit: The share in percent that an hour's errors, or events without a version, are compared with.
    """
    kinds: Counter[str] = Counter()
    address = _address(source, of_day.day)
    cells = []
    for hour in ALL_HOURS:
        found = of_day.at(hour)
        if found is None and of_day.clock:
            # On the day on which clocks are put forward there is no such hour.
            cells.append("<td></td>")
            continue
        place, square = hour, _unknown(of_day)
        if found is not None:
            place, square = found[0], square_of(found[1], measure, limit)
        kinds[square.kind] += 1
        words = f"{of_day.day} {hour:02}:00: {square.words}"
        link = f"{address}?hour={place}#aggregates"
        cells.append(f'<td><a class="h-{square.kind}" href="{link}" title="{words}"></a></td>')
    return SquaresOfDay(of_day.day, tuple(cells), kinds)


def _months(days: Sequence[SquaresOfDay]) -> str:
    """The header row of months, each above its days."""
    cells = []
    for (year, month), of_month in groupby(days, key=lambda day: (day.day.year, day.day.month)):
        count = len(list(of_month))
        words = f"{MONTHS[month - 1]} {year}" if count >= 4 else ""
        cells.append(f'<th scope="colgroup" colspan="{count}"><span>{words}</span></th>')
    return f"<tr><td></td>{''.join(cells)}</tr>"


def _days(shown: HeatMap) -> str:
    """The header row of days, each a link to its page."""
    cells = []
    for column in shown.columns:
        day = column.day
        is_labelled = len(shown.columns) <= MOST_LABELLED or day.weekday() == 0
        here = ' aria-current="date"' if day == shown.current else ""
        words = f"{WEEKDAYS[day.weekday()]} {day}"
        text = f'<a href="{_address(shown.source, day)}" title="{words}">{day.day}</a>' if is_labelled else ""
        cells.append(f'<th scope="col"{here}>{text}</th>')
    return f"<tr><td></td>{''.join(cells)}</tr>"


def _address(source: str, day: date) -> str:
    return f"/health/snapshots/{source}/{day}/"


def _unknown(of_day: HoursOfDay) -> Square:
    if of_day.kind is Column.UNREADABLE:
        return Square("unreadable", "the day could not be read")
    return Square("missing", "the day has no snapshot")


def square_of(hour: Hour, measure: Measure, limit: float | None) -> Square:
    """What a square shows of an hour."""
    if hour.events is None:
        return _not_counted(hour)
    if measure is Measure.EVENTS:
        return _against_expected(hour.events, hour.expected)
    part = hour.errors if measure is Measure.ERRORS else hour.missing_version
    return _share(part, hour.events, limit, "errors" if measure is Measure.ERRORS else "without a version")


def _not_counted(hour: Hour) -> Square:
    match hour.known:
        case Known.UNREADABLE:
            return Square("unreadable", "could not be read")
        case Known.LATER:
            expected = "" if hour.expected is None else f", {hour.expected:,.0f} expected"
            return Square("later", f"to come{expected}")
        case _:
            return Square("skipped", "not looked at")


def _against_expected(events: int, expected: float | None) -> Square:
    found = f"{events:,} events"
    if expected is None:
        return Square("alone", f"{found}, nothing to compare with yet")
    words = f"{found}, {expected:,.0f} expected"
    if abs(events - expected) <= CHANCE_SIGMAS * sqrt(expected + 1):
        return Square("quiet" if not events else "usual", words)
    return Square(_distance(events / expected if expected else FAR_ABOVE + 1), words)


def _distance(ratio: float) -> str:
    """How far an hour is from what was expected."""
    if ratio < BELOW:
        return "far-below" if ratio < FAR_BELOW else "below"
    if ratio > ABOVE:
        return "far-above" if ratio > FAR_ABOVE else "above"
    return "usual"


def _share(part: int | None, events: int, limit: float | None, what: str) -> Square:
    if part is None:
        return Square("alone", f"{events:,} events; how many are {what} is not known")
    if not events:
        return Square("quiet", "no events")
    percent = 100 * part / events
    words = f"{part:,} of {events:,} events {what}, {percent:.1f} %"
    if limit is None or percent <= limit / 2 or part < LEAST_EVENTS:
        return Square("within", words)
    return Square("beyond" if percent > limit else "raised", words)
