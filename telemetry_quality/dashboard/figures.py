"""What pages draw of days: numbers beside their thresholds, strips, calendars and bars, as markup without any style.

Long tables are written here and not by templates: a template's call per cell costs more than the cell.
"""

from __future__ import annotations

from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup, escape

from telemetry_quality.core.days import day_window
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.dashboard.models import DayMark, PartAnswer
from telemetry_quality.dashboard.rendering import (
    NO_BREAK,
    SIGNS,
    WEEKDAYS,
    day,
    instant,
    name,
    number,
    percent,
    signed,
    status,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

    from telemetry_quality.core.policies import Policy
    from telemetry_quality.dashboard.models import DailyPoint, RevisionAnswer, SnapshotLine, Week, Window, Year
    from telemetry_quality.storage.reader import JournalRow

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

CELL_SIGNS = {mark: SIGNS[mark][0] for mark in ("degraded", "unhealthy", "no_activity", "unknown", "missing")} | {
    "healthy": ""
}
"""What stands in a square of a calendar; only the usual is left blank, so that the rest is seen."""

VOLUME_LIMITS = {
    "deviation": "± {} %",
    "unusual": "outside the normal interval",
    "both": "± {} %, and outside the normal interval",
    "either": "± {} %, or outside the normal interval",
}


class Cell(NamedTuple):
    """One number as it is shown, and whether it is beyond its threshold."""

    text: Markup
    is_beyond: bool = False


class Figure(NamedTuple):
    """A row of numbers of one kind, and what they are held against."""

    words: str
    cells: tuple[Cell, ...]
    limit: str = ""


def window_figures(latest: SnapshotLine | None, windows: Sequence[Window], policy: Policy) -> list[Figure]:
    """A day and the last days taken together, one row per kind of number.

    The volume is never marked: whether it fails also depends on what is usual, which only its guardrail knows.
    """
    columns = [latest, *windows]

    def limited(words: str, name: str, threshold: float, limit: str) -> Figure:
        return Figure(words, tuple(_limited(getattr(one, name, None), name, threshold) for one in columns), limit)

    return [
        Figure("Events", tuple(Cell(number(one.total_events if one else None)) for one in columns)),
        Figure("Expected", tuple(Cell(number(one.expected_events if one else None)) for one in columns)),
        Figure(
            "Against expected",
            tuple(Cell(signed(one.volume_deviation_percent if one else None)) for one in columns),
            VOLUME_LIMITS[policy.volume_rule].format(f"{policy.volume_deviation_percent:g}"),
        ),
        limited("Errors", "error_rate_percent", policy.error_rate_percent, f"> {policy.error_rate_percent:g} %"),
        limited(
            "No version",
            "missing_version_percent",
            policy.missing_version_percent,
            f"> {policy.missing_version_percent:g} %",
        ),
        limited(
            "Sample passed",
            "sampling_success_rate_percent",
            policy.sample_success_percent,
            f"< {policy.sample_success_percent:g} %",
        ),
        Figure("Days", (Cell(Markup("")), *(Cell(_days_of(one)) for one in windows))),
    ]


def _limited(value: float | None, name: str, threshold: float) -> Cell:
    if value is None:
        return Cell(percent(None))
    is_beyond = value < threshold if name == "sampling_success_rate_percent" else value > threshold
    return Cell(percent(value, 2, threshold), is_beyond)


def _days_of(window: Window) -> Markup:
    """How many of its days are what, zeros left out."""
    counts = (
        (window.healthy_days, "healthy"),
        (window.failed_days, "failed"),
        (window.unknown_days, "unknown"),
        (window.missing_days, "without a snapshot"),
    )
    return Markup(", ").join(f"{count} {words}" for count, words in counts if count)


class ChartRow(NamedTuple):
    """One day of the charts: each number as the drawing reads it and as people do."""

    day: date
    status: str
    values: tuple[tuple[str, Markup], ...]


def chart_rows(points: Iterable[DailyPoint]) -> list[ChartRow]:
    """The table that the charts are drawn from."""
    return [
        ChartRow(
            one.day,
            one.status.value,
            (
                *(
                    (_plain(value), number(value))
                    for value in (
                        one.total_events,
                        one.expected_events,
                        one.expected_low_events,
                        one.expected_high_events,
                    )
                ),
                *(
                    (_plain(value), number(value, 2))
                    for value in (
                        one.error_rate_percent,
                        one.error_rate_threshold_percent,
                        one.missing_version_percent,
                        one.missing_version_threshold_percent,
                        one.sampling_success_rate_percent,
                        one.sample_success_threshold_percent,
                    )
                ),
            ),
        )
        for one in points
    ]


def _plain(value: float | None) -> str:
    return "" if value is None else repr(value)


def strip(marks: Sequence[str]) -> Markup:
    """A row of days, oldest first, told as a whole to those who cannot see it."""
    counts = [f"{marks.count(mark)} {SIGNS[mark][1]}" for mark in SIGNS if marks.count(mark)]
    drawn = []
    for position, mark in enumerate(marks):
        drawn.append(f'<rect class="{mark}" x="{position * 10}" y="0" width="9" height="20" rx="1"/>')
        if sign := CELL_SIGNS.get(mark):
            drawn.append(f'<text class="{mark}" x="{position * 10 + 4.5}" y="13.5">{sign}</text>')
    return Markup('<svg class="strip" viewBox="0 0 {} 20" role="img" aria-label="{}">{}</svg>').format(
        max(len(marks), 1) * 10,
        ", ".join(counts),
        Markup("".join(drawn)),  # noqa: S704 - our own marks
    )


def calendar(year: Year) -> Markup:
    """The weeks of a year side by side, each day a link that says its date and its status."""
    rows = []
    weeks = _weeks_of(year)
    for weekday, words in enumerate(WEEKDAYS):
        cells = [_square(year.source, week.days[weekday].day, week.days[weekday].status) for week in weeks]
        rows.append(f'<tr><th scope="row">{words}</th>{"".join(cells)}</tr>')
    return Markup(  # noqa: S704 - dates, our own marks, and a name that the settings hold to small letters
        '<div class="scroll calendar" tabindex="0" role="group" aria-label="Calendar"><table><thead><tr><td></td>'
        f"{_month_row(weeks)}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _weeks_of(year: Year) -> Sequence[Week]:
    """Without those before the source's first day."""
    outside = (all(one.status is DayMark.OUTSIDE for one in week.days) for week in year.weeks)
    return year.weeks[next((at for at, is_outside in enumerate(outside) if not is_outside), 0) :]


def _square(source: str, square: date, mark: DayMark) -> str:
    if mark is DayMark.OUTSIDE:
        return "<td></td>"
    words = f"{square} {SIGNS[mark.value][1]}"
    return (
        f'<td><a class="cell-{mark.value}" href="/health/snapshots/{escape(source)}/{square}/" aria-label="{words}" '
        f'title="{words}">{CELL_SIGNS[mark.value]}</a></td>'
    )


def _month_row(weeks: Sequence[Week]) -> str:
    """The name of a month above the week in which it begins."""
    months = [week.days[-1].day.month for week in weeks]
    cells = []
    for at, month in enumerate(months):
        is_first = at == 0 or months[at - 1] != month
        # A name needs the width of two weeks.
        has_room = at == len(months) - 1 or months[at + 1] == month
        cells.append(f'<th scope="col">{MONTHS[month - 1]}</th>' if is_first and has_room else "<td></td>")
    return "".join(cells)


def bar(value: int, largest: int, part: int = 0) -> Markup:
    """How much ``value`` is of the largest one, and how much of it is ``part``; the numbers stand beside it."""
    if not largest:
        return Markup("")
    width, inner = 100 * value / largest, 100 * min(part, value) / largest
    return Markup(  # noqa: S704 - numbers only
        '<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{width:.1f}" height="6"/>'
        + (f'<rect class="part" width="{inner:.1f}" height="6"/>' if inner else "")
        + "</svg>"
    )


class PartRow(NamedTuple):
    """One signal, version or hour of a day as a row."""

    value: object
    events: int
    share: Markup
    errors: int
    error_rate: Markup
    missing_version: int
    late_events: int
    bar: Markup

    def cells(self, *, has_late: bool) -> str:
        """The row as a table has it; in one go, for a day has hundreds."""
        counts = [number(self.events), self.share, number(self.errors), self.error_rate, number(self.missing_version)]
        counts += [number(self.late_events)] if has_late else []
        first, *others = (f'<td class="number">{one}</td>' for one in counts)
        label = f'<tr><th scope="row"><div class="stored">{name(self.value)}</div></th>'
        return f"{label}{first}<td>{self.bar}</td>{''.join(others)}</tr>"


def table_rows(rows: Iterable[PartRow], *, has_late: bool) -> Markup:
    """Parts of a day as rows of a table."""
    return Markup("\n".join(row.cells(has_late=has_late) for row in rows))  # noqa: S704 - escaped one by one


def event_list(ids: Iterable[str | None]) -> Markup:
    """Ids of events, one after the other."""
    return Markup(", ").join(Markup(f"<code>{name(one)}</code>") for one in ids)  # noqa: S704 - escaped by name


def part_rows(parts: Sequence[PartAnswer], total: int | None) -> list[PartRow]:
    """Parts of a day with their shares; ``total`` counts the whole day."""
    largest = max((one.events for one in parts), default=0)
    return [
        PartRow(
            one.value,
            one.events,
            percent(100 * one.events / total if total else None, 1),
            one.errors,
            _error_rate(one),
            one.missing_version,
            one.late_events,
            bar(one.events, largest, one.errors),
        )
        for one in parts
    ]


def _error_rate(part: PartAnswer) -> Markup:
    """Not known where no event says whether it is one."""
    is_known = part.events > part.error_unknown_events
    return percent(100 * part.errors / part.events if is_known else None)


def hour_rows(parts: Sequence[PartAnswer], total: int | None, of_day: date, zone: ZoneInfo) -> list[PartRow]:
    """Every hour of a day that was read, also those without events, under what the clock says when it begins.

    Daylight saving lets that differ from the number of hours since the day began.
    """
    if not parts:
        return []
    window = day_window(of_day, zone)
    found = {one.value: one for one in parts}
    last = max(ceil(window.hours) - 1, *(int(one.value or 0) for one in parts))
    empty = PartAnswer(value=None, events=0, errors=0, missing_version=0, late_events=0, error_unknown_events=0)
    rows = part_rows([found.get(hour, empty) for hour in range(last + 1)], total)
    clock = [(window.start + timedelta(hours=hour)).astimezone(zone) for hour in range(last + 1)]
    return [row._replace(value=f"{begins:%H:%M}") for row, begins in zip(rows, clock, strict=True)]


class Fact(NamedTuple):
    """One number of a day and what it is held against."""

    words: str
    text: Markup
    limit: str
    is_beyond: bool = False


def day_facts(revision: RevisionAnswer) -> list[Fact]:
    """A day's numbers with their limits; those that its source cannot have are left out."""
    its, policy = revision.snapshot, revision.policy
    facts = [
        Fact("Events", number(its.total_events), _expectation(its)),
        _rate("Errors", its.error_rate_percent, policy.get("error_rate_percent"), its.error_events),
        _rate(
            "No version", its.missing_version_percent, policy.get("missing_version_percent"), its.missing_version_events
        ),
        _sample(its, policy.get("sample_success_percent")),
    ]
    others = (
        ("Repeated", revision.duplicate_percent, policy.get("duplicate_percent"), revision.repeated_events),
        ("Critical field missing", revision.critical_missing_percent, policy.get("critical_missing_percent"), None),
        ("Late", revision.late_percent, None, None),
        ("Impossible time", revision.misdated_percent, policy.get("misdated_percent"), None),
    )
    facts += [_rate(words, value, limit, events) for words, value, limit, events in others if value is not None]
    if revision.completeness_percent is not None:
        words = "usual share of a day by then" + (", provisional" if its.is_provisional else "")
        facts.append(Fact("Arrived", percent(revision.completeness_percent, 1), words))
    return facts


def _expectation(its: SnapshotLine) -> str:
    if its.expected_events is None:
        return "nothing to compare with yet"
    interval = ""
    if its.expected_low_events is not None and its.expected_high_events is not None:
        interval = f"; normal {number(its.expected_low_events)} to {number(its.expected_high_events)}"
    return f"{signed(its.volume_deviation_percent)} against {number(its.expected_events)} expected{interval}"


def _rate(words: str, value: float | None, limit: float | None, events: int | None) -> Fact:
    told = [] if events is None else [f"{number(events)} events"]
    told += [] if limit is None else [f"limit {limit:g}{NO_BREAK}%"]
    is_beyond = value is not None and limit is not None and value > limit
    return Fact(words, percent(value, 2, limit), ", ".join(told), is_beyond)


def _sample(its: SnapshotLine, least: float | None) -> Fact:
    told = [] if its.sample_passed is None else [f"{its.sample_passed} of {its.sample_size}"]
    told += [] if least is None else [f"at least {least:g}{NO_BREAK}%"]
    value = its.sampling_success_rate_percent
    is_beyond = value is not None and least is not None and value < least
    return Fact("Sample passed", percent(value, 1, least), ", ".join(told), is_beyond)


class Compared(NamedTuple):
    """One number over all revisions of a day, each with whether it differs from the one before."""

    words: str
    cells: tuple[tuple[Markup, bool], ...]


def compared(revisions: Sequence[RevisionAnswer], zone: ZoneInfo) -> list[Compared]:
    """The revisions of a day side by side."""
    rows: tuple[tuple[str, Callable[[RevisionAnswer], Markup]], ...] = (
        ("Status", lambda one: status(one.snapshot.status.value)),
        ("Events", lambda one: number(one.snapshot.total_events)),
        ("Expected", lambda one: number(one.snapshot.expected_events)),
        ("Against expected", lambda one: signed(one.snapshot.volume_deviation_percent)),
        ("Errors", lambda one: percent(one.snapshot.error_rate_percent)),
        ("No version", lambda one: percent(one.snapshot.missing_version_percent)),
        ("Sample passed", lambda one: percent(one.snapshot.sampling_success_rate_percent, 1)),
        ("Repeated", lambda one: percent(one.duplicate_percent)),
        ("Late", lambda one: percent(one.late_percent)),
        ("Failed guardrails", lambda one: escape(", ".join(_failed(one)) or "none")),
        ("Made from reading", lambda one: number(one.reading_revision)),
        ("Judged", lambda one: instant(one.snapshot.computed_at, zone)),
    )
    table = []
    for words, write in rows:
        texts = [write(one) for one in revisions]
        is_told = words != "Judged"
        cells = [(text, is_told and at > 0 and text != texts[at - 1]) for at, text in enumerate(texts)]
        table.append(Compared(words, tuple(cells)))
    table.insert(-2, Compared("Thresholds", tuple(_thresholds(one, before) for before, one in _pairs(revisions))))
    return table


def _pairs(revisions: Sequence[RevisionAnswer]) -> Iterable[tuple[RevisionAnswer | None, RevisionAnswer]]:
    """Each revision with the one before it."""
    return zip([None, *revisions[:-1]], revisions, strict=True)


def _failed(revision: RevisionAnswer) -> list[str]:
    return [one.guardrail for one in revision.verdicts if one.outcome is Outcome.FAILED]


def _thresholds(revision: RevisionAnswer, before: RevisionAnswer | None) -> tuple[Markup, bool]:
    """Those that are others than before."""
    if before is None:
        return Markup("see below"), False
    policy, earlier = revision.policy, before.policy
    told = [
        f"{name} {policy.get(name)}" for name in sorted({*policy, *earlier}) if policy.get(name) != earlier.get(name)
    ]
    return escape(", ".join(told) or "the same"), bool(told)


def log_rows(rows: Iterable[JournalRow], zones: Mapping[str, ZoneInfo]) -> Markup:
    """Rows of the log, its columns in the order of the page's headings."""
    return Markup("\n".join(_log_row(row, zones[row.source]) for row in rows))  # noqa: S704 - escaped one by one


def _log_row(row: JournalRow, zone: ZoneInfo) -> str:
    source = escape(row.source)
    address = f"/health/snapshots/{source}/{row.day}/"
    revisions = str(row.revision)
    if row.revision > 1:
        revisions = f'<a href="{address}#revisions" aria-label="Compare {row.revision} revisions">{row.revision}</a>'
    numbers = (
        number(row.total_events),
        number(row.expected_events),
        signed(row.volume_deviation_percent),
        number(row.error_rate_percent, 2),
        number(row.missing_version_percent, 2),
        number(row.sampling_success_rate_percent, 1),
        revisions,
    )
    return (
        f'<tr><th scope="row" class="line"><a href="{address}">{day(row.day, with_weekday=True)}</a></th>'
        f"<td>{source}</td><td>{status(row.status)}</td>"
        + "".join(f'<td class="number">{one}</td>' for one in numbers)
        + f"<td>{instant(row.computed_at, zone)}</td></tr>"
    )
