"""Sequences of days: the lines of the log, windows, and the calendar."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.days import days_between
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.dashboard.models import (
    CalendarStatus,
    LogResponse,
    SnapshotLine,
    Week,
    Window,
    Year,
    YearDay,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from telemetry_quality.dashboard.index import LogQuery
    from telemetry_quality.dashboard.sentences import Figures
    from telemetry_quality.dashboard.state import DashboardState
    from telemetry_quality.storage.reader import JournalRow

YEAR_DAYS = 365

FAILED = frozenset({DayStatus.NO_ACTIVITY, DayStatus.UNHEALTHY, DayStatus.DEGRADED})
"""The statuses of days that could be read but are not healthy."""

LINE_FIELDS = tuple(SnapshotLine.model_fields)


def snapshot_line(figures: Figures) -> SnapshotLine:
    """A snapshot as the log lists it."""
    return SnapshotLine.model_validate({name: getattr(figures, name) for name in LINE_FIELDS})


def log_response(state: DashboardState, query: LogQuery) -> LogResponse:
    """One page of the log."""
    page = state.index.page(query)
    return LogResponse(
        snapshots=tuple(snapshot_line(row) for row in page.rows),
        total=page.total,
        page=page.page,
        pages=page.pages,
        page_size=query.size,
        trouble=state.trouble,
    )


def window_of(state: DashboardState, source: str, last: date, days: int, first: date | None = None) -> Window:
    """The window of ``days`` up to ``last``, without days before ``first``, the source's first day."""
    return windows_of(state, source, last, (days,), first)[str(days)]


def windows_of(
    state: DashboardState, source: str, last: date, sizes: Sequence[int], first: date | None = None
) -> dict[str, Window]:
    """Windows of each size up to ``last``, by their number of days; the rows are looked up once."""
    begin = last - timedelta(days=max(sizes) - 1)
    begin = begin if first is None else min(max(begin, first), last)
    rows = state.index.window(source, begin, last)
    return {str(days): _window(state, last, rows[-days:]) for days in sizes}


def _window(state: DashboardState, last: date, rows: Sequence[JournalRow | None]) -> Window:
    begin = last - timedelta(days=len(rows) - 1)
    found = [row for row in rows if row is not None]
    known = [row for row in found if row.total_events is not None]
    compared = [row for row in known if row.expected_events is not None]
    statuses = Counter(DayStatus(row.status) for row in found)
    without = len(rows) - len(found)
    events, expected = (_sum(compared, name) for name in ("total_events", "expected_events"))
    return Window(
        days=len(rows),
        first=begin,
        last=last,
        known_days=len(known),
        healthy_days=statuses[DayStatus.HEALTHY],
        failed_days=sum(statuses[status] for status in FAILED),
        # Until the store has been read, nobody knows whether a snapshot is missing.
        unknown_days=statuses[DayStatus.UNKNOWN] + (0 if state.has_been_read else without),
        missing_days=without if state.has_been_read else 0,
        total_events=_sum(known, "total_events"),
        compared_days=len(compared),
        compared_events=events,
        expected_events=expected,
        volume_deviation_percent=100 * (events - expected) / expected if events is not None and expected else None,
        error_rate_percent=_pooled(found, "error_events", "total_events", "error_rate_percent"),
        missing_version_percent=_pooled(found, "missing_version_events", "total_events", "missing_version_percent"),
        sampling_success_rate_percent=_pooled(found, "sample_passed", "sample_size", "sampling_success_rate_percent"),
    )


def _sum(rows: Sequence[JournalRow], name: str) -> Any:
    """The sum over the days; None without days, which is not zero."""
    return sum(getattr(row, name) for row in rows) if rows else None


def _pooled(rows: Iterable[JournalRow], part: str, whole: str, percent: str) -> float | None:
    """The pooled share over the days whose own share is known."""
    known = [row for row in rows if getattr(row, percent) is not None]
    all_events = _sum(known, whole)
    return 100 * _sum(known, part) / all_events if all_events else None


def calendar_status(state: DashboardState, row: JournalRow | None) -> CalendarStatus:
    """The status of a day with this snapshot, or without one."""
    if row is not None:
        return CalendarStatus(row.status)
    return CalendarStatus.MISSING if state.has_been_read else CalendarStatus.UNKNOWN


def year_of(state: DashboardState, source: str, last: date, first: date | None = None) -> Year:
    """The weeks, Monday to Sunday, that contain the year up to ``last``.

    ``first`` is the source's first day; by default, its first day with a snapshot.
    """
    begin = last - timedelta(days=YEAR_DAYS - 1)
    monday = begin - timedelta(days=begin.weekday())
    sunday = last + timedelta(days=6 - last.weekday())
    earliest = first or state.index.first_day(source) or last
    rows = state.index.window(source, monday, sunday)
    days = [
        YearDay(
            day=day,
            status=calendar_status(state, row) if earliest <= day <= last else CalendarStatus.OUTSIDE,
            total_events=row.total_events if row and earliest <= day <= last else None,
            mark=marked.words if (marked := state.mark(source, day)) else None,
        )
        for day, row in zip(days_between(monday, sunday), rows, strict=True)
    ]
    weeks = [days[start : start + 7] for start in range(0, len(days), 7)]
    counts = Counter(day.status for day in days if day.status is not CalendarStatus.OUTSIDE)
    return Year(
        source=source,
        first=begin,
        last=last,
        weeks=tuple(Week(first=week[0].day, days=tuple(week)) for week in weeks),
        counts={mark: counts[mark] for mark in CalendarStatus if mark is not CalendarStatus.OUTSIDE},
    )
