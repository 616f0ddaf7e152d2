"""The hours of many days: what each is compared with, and what is not known of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from telemetry_quality.core.days import Calendar, days_between
from telemetry_quality.core.hours import HourTotals
from telemetry_quality.core.marks import Mark, MarkedDays
from telemetry_quality.dashboard.hours import Column, Hour, Known, LoadedHours, days_by_hour
from telemetry_quality.dashboard.markup.heat_map import Measure, square_of
from telemetry_quality_tests.dashboard.states import (
    TODAY,
    YESTERDAY,
    make_journal_row,
    make_running_hours,
    make_state,
    make_unknown_row,
)

if TYPE_CHECKING:
    from telemetry_quality.dashboard.hours import HoursOfDay

FIRST = YESTERDAY - timedelta(days=42)
UTC_DAYS = Calendar(ZoneInfo("UTC"), FIRST)
FLAT = HourTotals((10,) * 24, (1,) * 24)
NOTHING = HourTotals((0,) * 24, (0,) * 24)
MORNINGS = HourTotals((*[20] * 12, *[0] * 12), (0,) * 24)


def hours_of(first: date, last: date, totals: dict[date, HourTotals | None], **state: Any) -> list[HoursOfDay]:
    rows = state.pop("rows", [make_journal_row(day, number) for number, day in enumerate(totals, 1)])
    made = make_state(*rows, **state)
    return days_by_hour(made, LoadedHours("web", first, last, totals), UTC_DAYS)


def flat_days(last: date = YESTERDAY) -> dict[date, HourTotals | None]:
    return dict.fromkeys(days_between(FIRST, last), FLAT)


def test_an_hour_is_compared_with_its_usual_share_of_the_events_expected_on_its_day() -> None:
    totals = flat_days() | {YESTERDAY: MORNINGS}
    (day,) = hours_of(YESTERDAY, YESTERDAY, totals)
    assert day.kind is Column.READ
    assert [hour.events for hour in day.hours] == [20] * 12 + [0] * 12
    assert [hour.expected for hour in day.hours] == pytest.approx([1000 / 24] * 24)


def test_without_two_weeks_of_earlier_days_nothing_is_expected() -> None:
    days = hours_of(FIRST + timedelta(days=13), FIRST + timedelta(days=14), flat_days())
    assert [day.hours[3].expected is None for day in days] == [True, False]


def test_days_that_people_called_bad_teach_nothing() -> None:
    bad_days = list(days_between(YESTERDAY - timedelta(days=28), YESTERDAY - timedelta(days=1)))
    totals = flat_days() | dict.fromkeys(bad_days, MORNINGS)
    said = MarkedDays("web", bad_days[0], bad_days[-1], Mark.BAD, "ada", "", datetime(2026, 3, 11, tzinfo=UTC))
    (taught,) = hours_of(YESTERDAY, YESTERDAY, totals)
    (untaught,) = hours_of(YESTERDAY, YESTERDAY, totals, marks={"web": dict.fromkeys(bad_days, said)})
    assert taught.hours[20].expected == 0
    assert untaught.hours[20].expected == pytest.approx(1000 / 24)


def test_unreadable_missing_and_empty_hours_are_three_answers() -> None:
    unreadable, empty = YESTERDAY - timedelta(days=2), YESTERDAY
    totals = {unreadable: None, empty: HourTotals((), ())}
    rows = [make_unknown_row(unreadable), make_journal_row(empty, 2, total_events=0)]
    days = hours_of(unreadable, empty, totals, rows=rows)
    assert [day.kind for day in days] == [Column.UNREADABLE, Column.MISSING, Column.READ]
    assert [day.at(3) for day in days[:2]] == [None, None]
    assert days[2].at(3) == (3, Hour(0, 0, 0))


def test_counts_that_a_source_does_not_have_are_not_zero() -> None:
    rows = [make_journal_row(error_events=None, missing_version_events=None)]
    (day,) = hours_of(YESTERDAY, YESTERDAY, {YESTERDAY: FLAT}, rows=rows)
    assert (day.hours[0].events, day.hours[0].errors, day.hours[0].missing_version) == (10, None, None)


def test_missing_versions_are_those_of_their_hour() -> None:
    (day,) = hours_of(YESTERDAY, YESTERDAY, {YESTERDAY: HourTotals((5, 5), (0, 0), (0, 4))})
    assert [hour.missing_version for hour in day.hours[:3]] == [0, 4, 0]


def test_the_hours_of_a_running_day_appear_as_they_are_looked_at() -> None:
    running = {"web": tuple(make_running_hours(8, TODAY))}
    (day,) = hours_of(TODAY, TODAY, {}, rows=[], running=running)
    assert day.kind is Column.RUNNING
    assert day.at(7) == (7, Hour(100, 1, 0, 100))
    assert day.at(8) == (8, Hour(expected=100, known=Known.LATER))
    unread = {"web": tuple(make_running_hours(8, TODAY, counts=None))}
    (day,) = hours_of(TODAY, TODAY, {}, rows=[], running=unread)
    assert day.hours[7].known is Known.UNREADABLE
    skipped = {"web": tuple(make_running_hours(8, TODAY)[4:])}
    (day,) = hours_of(TODAY, TODAY, {}, rows=[], running=skipped)
    assert day.hours[3].known is Known.NOT_LOOKED_AT


@pytest.mark.parametrize(("day", "found"), [(date(2026, 3, 8), None), (date(2026, 11, 1), 2)])
def test_an_hour_that_clocks_skip_is_absent_and_one_that_they_repeat_is_summed(day: date, found: int | None) -> None:
    calendar = Calendar(ZoneInfo("America/New_York"), date(2026, 1, 1))
    state = make_state(make_journal_row(day))
    totals = HourTotals(tuple(range(23 if found is None else 25)), (1,) * 25)
    (of_day,) = days_by_hour(state, LoadedHours("web", day, day, {day: totals}), calendar)
    if found is None:
        assert of_day.at(2) is None
        assert of_day.at(3) == (2, Hour(2, 1, 0))
    else:
        assert of_day.at(1) == (1, Hour(1 + 2, 2, 0))
        assert of_day.at(2) == (3, Hour(3, 1, 0))


@pytest.mark.parametrize(
    ("events", "kind"),
    [
        (0, "far-below"),
        (299, "far-below"),
        (300, "below"),
        (749, "below"),
        (750, "usual"),
        (1330, "usual"),
        (1331, "above"),
        (2000, "above"),
        (2001, "far-above"),
    ],
)
def test_a_square_says_how_far_an_hour_is_from_what_was_expected(events: int, kind: str) -> None:
    assert square_of(Hour(events, 0, 0, 1000.0), Measure.EVENTS, None).kind == kind


@pytest.mark.parametrize(("events", "kind"), [(0, "far-below"), (1, "usual"), (19, "usual"), (20, "above")])
def test_what_chance_explains_is_as_expected(events: int, kind: str) -> None:
    expected = 10.0 if events else 10.9
    assert square_of(Hour(events, 0, 0, expected), Measure.EVENTS, None).kind == kind


@pytest.mark.parametrize(
    ("errors", "kind"), [(0, "within"), (25, "within"), (26, "raised"), (50, "raised"), (51, "beyond")]
)
def test_a_rate_is_compared_with_the_limit_of_its_day(errors: int, kind: str) -> None:
    assert square_of(Hour(1000, errors, 0), Measure.ERRORS, 5.0).kind == kind
    assert square_of(Hour(1000, 0, errors), Measure.VERSIONS, 5.0).kind == kind


@pytest.mark.parametrize(("errors", "kind"), [(2, "within"), (3, "beyond")])
def test_two_errors_of_a_quiet_hour_are_not_beyond_the_limit(errors: int, kind: str) -> None:
    assert square_of(Hour(4, errors, 0), Measure.ERRORS, 5.0).kind == kind


def test_a_day_is_compared_with_the_same_days_on_every_page() -> None:
    """A page that begins earlier has read more days, which must not change what is expected of a later one."""
    long_ago = {FIRST - timedelta(days=back): MORNINGS for back in range(1, 20)}
    gap = dict.fromkeys(days_between(YESTERDAY - timedelta(days=30), YESTERDAY - timedelta(days=1)), NOTHING)
    totals = dict(sorted((long_ago | flat_days() | gap).items()))
    (alone,) = hours_of(YESTERDAY, YESTERDAY, {day: found for day, found in totals.items() if day >= FIRST})
    *_, among_others = hours_of(FIRST, YESTERDAY, totals)
    assert among_others == alone
