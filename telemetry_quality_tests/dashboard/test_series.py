from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.dashboard.index import LogQuery
from telemetry_quality.dashboard.models import CalendarStatus
from telemetry_quality.dashboard.series import log_response, snapshot_line, window_of, year_of
from telemetry_quality_tests.builders import make_snapshot
from telemetry_quality_tests.dashboard.states import (
    BEFORE,
    TODAY,
    YESTERDAY,
    make_journal_row,
    make_state,
    make_unknown_row,
)


def test_a_line_of_the_log_equals_the_row_of_the_journal() -> None:
    row = make_journal_row(total_events=None, is_provisional=None)
    line = snapshot_line(row)
    assert line.model_dump() == {name: getattr(row, name) for name in type(line).model_fields}


def test_a_whole_snapshot_gives_the_same_line() -> None:
    line = snapshot_line(replace(make_snapshot(YESTERDAY), revision=2))
    assert (line.revision, line.status, line.total_events) == (2, DayStatus.HEALTHY, 1000)


def test_a_page_of_the_log_knows_its_position() -> None:
    rows = [make_journal_row(YESTERDAY - timedelta(days=age), age + 1) for age in range(7)]
    response = log_response(make_state(*rows, trouble="The store is gone."), LogQuery(page=4, size=2))
    assert [snapshot.day for snapshot in response.snapshots] == [YESTERDAY - timedelta(days=6)]
    assert (response.total, response.page, response.pages, response.page_size) == (7, 4, 4, 2)
    assert response.trouble == "The store is gone."


def test_a_window_counts_healthy_failed_unknown_and_missing_days_apart() -> None:
    statuses = ["healthy", "degraded", "unhealthy", "no_activity"]
    rows = [make_journal_row(BEFORE - timedelta(days=n), n + 1, status=status) for n, status in enumerate(statuses)]
    window = window_of(make_state(*rows, make_unknown_row(YESTERDAY, sequence=9)), "web", YESTERDAY, 7)
    assert (window.days, window.first, window.last) == (7, date(2026, 3, 4), YESTERDAY)
    assert (window.healthy_days, window.failed_days, window.unknown_days, window.missing_days) == (1, 3, 1, 2)
    assert window.known_days == 4


def test_a_window_pools_counts_so_that_a_quiet_day_weighs_little() -> None:
    busy = make_journal_row(
        BEFORE,
        total_events=9900,
        error_events=99,
        error_rate_percent=1.0,
        missing_version_events=0,
        expected_events=9000.0,
        sample_passed=100,
    )
    quiet = make_journal_row(
        YESTERDAY,
        2,
        total_events=100,
        error_events=100,
        error_rate_percent=100.0,
        missing_version_events=50,
        missing_version_percent=50.0,
        expected_events=1000.0,
        sample_passed=50,
        sampling_success_rate_percent=50.0,
    )
    window = window_of(make_state(busy, quiet), "web", YESTERDAY, 2)
    assert (window.total_events, window.compared_events, window.expected_events) == (10_000, 10_000, 10_000.0)
    assert window.volume_deviation_percent == 0
    assert window.error_rate_percent == pytest.approx(1.99)
    assert window.missing_version_percent == pytest.approx(0.5)
    assert window.sampling_success_rate_percent == pytest.approx(75)


def test_a_day_without_a_baseline_or_a_rate_does_not_count_as_zero() -> None:
    plain = make_journal_row(BEFORE, total_events=900, error_events=9, expected_events=1000.0)
    other = make_journal_row(YESTERDAY, 2, error_rate_percent=None, error_events=0, expected_events=None)
    window = window_of(make_state(plain, other, make_unknown_row(TODAY, sequence=3)), "web", TODAY, 3)
    assert (window.known_days, window.total_events) == (2, 1900)
    assert (window.compared_days, window.compared_events, window.expected_events) == (1, 900, 1000.0)
    assert window.volume_deviation_percent == -10
    assert window.error_rate_percent == 1


def test_a_window_with_nothing_known_shows_none_and_not_zero() -> None:
    for state in (make_state(), make_state(make_unknown_row())):
        numbers = window_of(state, "web", YESTERDAY, 7).model_dump()
        for name in ("total_events", "compared_events", "expected_events", "volume_deviation_percent"):
            assert numbers[name] is None
        for name in ("error_rate_percent", "missing_version_percent", "sampling_success_rate_percent"):
            assert numbers[name] is None
        assert (numbers["known_days"], numbers["compared_days"]) == (0, 0)


def test_a_baseline_of_zero_gives_no_deviation() -> None:
    state = make_state(make_journal_row(total_events=0, expected_events=0.0, volume_deviation_percent=None))
    assert window_of(state, "web", YESTERDAY, 1).volume_deviation_percent is None


@pytest.mark.parametrize(("first", "days"), [(date(2026, 3, 8), 3), (YESTERDAY, 1), (date(2025, 1, 1), 7), (None, 7)])
def test_days_before_the_source_s_first_are_not_missing(first: date | None, days: int) -> None:
    window = window_of(make_state(), "web", YESTERDAY, 7, first)
    assert (window.days, window.missing_days) == (days, days)


def test_a_year_is_whole_weeks_from_monday_to_sunday() -> None:
    year = year_of(make_state(make_journal_row()), "web", YESTERDAY, date(2020, 1, 1))
    assert (year.first, year.last) == (date(2025, 3, 11), YESTERDAY)
    assert all(len(week.days) == 7 and week.first.weekday() == 0 for week in year.weeks)
    days = [day.day for week in year.weeks for day in week.days]
    assert days == [days[0] + timedelta(days=n) for n in range(len(days))]
    assert days[0] <= year.first
    assert days[-1] >= year.last
    assert len(year.weeks) == 53


def test_a_calendar_distinguishes_missing_days_from_days_outside() -> None:
    rows = [make_journal_row(BEFORE, 1, status="unhealthy"), make_journal_row(TODAY, 2)]
    year = year_of(make_state(*rows), "web", YESTERDAY, date(2026, 3, 8))
    marks = {day.day: day.status for week in year.weeks for day in week.days}
    assert marks[date(2026, 3, 7)] is CalendarStatus.OUTSIDE
    assert marks[date(2026, 3, 8)] is CalendarStatus.MISSING
    assert marks[BEFORE] is CalendarStatus.UNHEALTHY
    assert marks[YESTERDAY] is CalendarStatus.MISSING
    assert marks[TODAY] is CalendarStatus.OUTSIDE
    assert year.counts == {
        **dict.fromkeys((mark for mark in CalendarStatus if mark is not CalendarStatus.OUTSIDE), 0),
        CalendarStatus.MISSING: 2,
        CalendarStatus.UNHEALTHY: 1,
    }


def test_a_calendar_without_a_first_day_begins_with_the_first_snapshot() -> None:
    year = year_of(make_state(make_journal_row(BEFORE)), "web", YESTERDAY)
    assert year.counts[CalendarStatus.MISSING] == 1


def test_until_the_store_has_been_read_no_day_is_called_missing() -> None:
    state = make_state(trouble="The store is gone.", has_been_read=False)
    assert year_of(state, "web", YESTERDAY, BEFORE).counts[CalendarStatus.UNKNOWN] == 2
    window = window_of(state, "web", YESTERDAY, 7)
    assert (window.unknown_days, window.missing_days) == (7, 0)
