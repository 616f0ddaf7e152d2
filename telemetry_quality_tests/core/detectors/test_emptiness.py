"""Which empty days are ordinary: weekends of a business stream, chance where few are expected, and no outage."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.detectors.emptiness import is_empty_usual, same_day_of_months

if TYPE_CHECKING:
    from collections.abc import Callable

SATURDAY = date(2026, 3, 14)
MANY = 1000.0


def before(day: date, days: int, count: Callable[[date], int]) -> dict[date, int]:
    return {past: count(past) for n in range(1, days + 1) if (past := day - timedelta(days=n))}


def office(day: date) -> int:
    return 400 if day.weekday() < 5 else 0


@pytest.mark.parametrize(("weeks", "usual"), [(1, False), (2, True), (8, True)])
def test_a_weekday_must_have_been_empty_twice(weeks: int, usual: bool) -> None:
    assert is_empty_usual(SATURDAY, before(SATURDAY, 7 * weeks, office), MANY) is usual


def test_a_working_day_of_the_same_stream_is_not_usually_empty() -> None:
    monday = SATURDAY + timedelta(days=2)

    assert not is_empty_usual(monday, before(monday, 56, office), MANY)


@pytest.mark.parametrize(("busy", "usual"), [(0, True), (1, True), (2, True), (3, False)])
def test_half_of_the_last_four_must_have_been_empty(busy: int, usual: bool) -> None:
    exceptions = {SATURDAY - timedelta(weeks=n): 300 for n in range(1, busy + 1)}

    assert is_empty_usual(SATURDAY, before(SATURDAY, 56, office) | exceptions, MANY) is usual


@pytest.mark.parametrize("days", [1, 7, 14, 30])
def test_an_outage_however_long_never_becomes_usual(days: int) -> None:
    history = before(SATURDAY, 90, lambda _: 1000)
    outage = before(SATURDAY, days, lambda _: 0)

    assert not is_empty_usual(SATURDAY, history | outage, MANY)


def test_weekends_within_a_week_off_do_not_count_as_empty_saturdays() -> None:
    daily = before(SATURDAY, 90, lambda _: 1000)
    weeks_off = {SATURDAY - timedelta(days=n): 0 for n in range(1, 22)}

    assert not is_empty_usual(SATURDAY, daily | weeks_off, MANY)


def test_a_stream_of_every_other_friday_may_be_empty_only_on_the_others() -> None:
    friday = date(2026, 3, 13)
    paydays = before(friday, 90, lambda past: 500 if (friday - past).days % 14 == 0 else 0)
    daily = before(friday, 90, lambda past: 0 if past.weekday() == 4 and (friday - past).days % 14 else 500)

    assert not is_empty_usual(friday, daily, MANY)
    assert is_empty_usual(
        friday + timedelta(days=7), daily | {friday: 500} | before(friday + timedelta(days=7), 6, lambda _: 500), MANY
    )
    assert not is_empty_usual(friday, paydays, MANY)


def test_a_monthly_batch_is_missed_on_its_day_and_not_on_others() -> None:
    first = date(2026, 6, 1)
    monthly = before(first, 120, lambda past: 900 if past.day == 1 else 1 if past.day % 9 == 0 else 0)

    assert not is_empty_usual(first, monthly, MANY)
    assert is_empty_usual(first + timedelta(days=1), monthly | {first: 900}, MANY)


@pytest.mark.parametrize(("expected", "usual"), [(5.2, True), (5.4, False)])
def test_chance_empties_a_day_where_few_events_are_expected(expected: float, usual: bool) -> None:
    assert is_empty_usual(SATURDAY, before(SATURDAY, 56, lambda _: 5), expected) is usual


@pytest.mark.parametrize(("empty_before", "usual"), [(0, True), (1, False)])
def test_chance_empties_few_days_in_a_row(empty_before: int, usual: bool) -> None:
    three_a_day = before(SATURDAY, 56, lambda _: 3) | before(SATURDAY, empty_before, lambda _: 0)

    assert is_empty_usual(SATURDAY, three_a_day, 3.0) is usual


@pytest.mark.parametrize(("expected", "usual"), [(19.9, True), (20.0, False)])
def test_a_small_stream_that_is_often_empty_may_be(expected: float, usual: bool) -> None:
    # Empty on every tenth day, whatever the weekday.
    bursty = before(SATURDAY, 56, lambda past: 0 if past.toordinal() % 10 == 0 else 12)

    assert is_empty_usual(SATURDAY, bursty, expected) is usual


@pytest.mark.parametrize(("times", "usual"), [(2, False), (3, True)])
def test_being_often_empty_takes_three_days(times: int, usual: bool) -> None:
    gone = {SATURDAY - timedelta(days=3 + 10 * n): 0 for n in range(times)}

    assert is_empty_usual(SATURDAY, before(SATURDAY, 56, lambda _: 12) | gone, 12.0) is usual


def test_no_later_day_and_not_the_day_itself_matters() -> None:
    history = before(SATURDAY, 56, office)
    future = {SATURDAY + timedelta(days=n): 700 for n in range(30)}

    assert is_empty_usual(SATURDAY, history | future, MANY)


def test_the_same_day_of_a_shorter_month_is_its_last() -> None:
    assert list(same_day_of_months(date(2026, 3, 31), 3)) == [date(2026, 2, 28), date(2026, 1, 31), date(2025, 12, 31)]
