"""The hourly curve: what an hour of a day is expected to hold, and how far it may stray."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry_quality.core.days import Calendar
from telemetry_quality.core.detectors.expected_volume import Expectation
from telemetry_quality.core.detectors.hourly_curve import expected_hours, usual_shares
from telemetry_quality.core.hours import HourTotals, clock_of, day_hours

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from telemetry_quality.core.hours import ClockCounts, ExpectedHour

FIRST = date(2026, 1, 5)
"""A Monday."""
OFFICE = [*[10] * 8, *[200] * 10, *[20] * 6]
LEISURE = [*[20] * 12, *[120] * 12]


def working_or_weekend(day: date) -> Sequence[float]:
    return OFFICE if day.weekday() < 5 else LEISURE


def days_of(
    profile: Callable[[date], Sequence[float]], count: int = 42, *, noise: float = 0.1, seed: int = 7
) -> dict[date, ClockCounts]:
    random = Random(seed)
    days = [FIRST + timedelta(days=n) for n in range(count)]
    return {day: tuple(max(0, round(usual * random.gauss(1, noise))) for usual in profile(day)) for day in days}


def total(events: float, share: float = 0.1) -> Expectation:
    return Expectation(events, events * (1 - share), events * (1 + share))


def curve(
    earlier: dict[date, ClockCounts], expected: Expectation, day: date | None = None, percent: float = 90.0
) -> tuple[ExpectedHour, ...]:
    hours = expected_hours(day or max(earlier) + timedelta(days=1), expected, earlier, percent)
    assert hours is not None
    return hours


def test_each_hour_has_its_usual_share_of_the_expected_day() -> None:
    hours = curve(days_of(lambda _: OFFICE), total(2 * sum(OFFICE)))
    assert [hour.events for hour in hours] == pytest.approx([2 * usual for usual in OFFICE], rel=0.1)
    assert sum(hour.events for hour in hours) == pytest.approx(2 * sum(OFFICE))


def test_saturday_follows_saturdays_and_monday_mondays() -> None:
    earlier = days_of(working_or_weekend)
    monday, saturday = FIRST + timedelta(weeks=6), FIRST + timedelta(weeks=6, days=5)
    assert curve(earlier, total(2000), monday)[10].events > 5 * curve(earlier, total(2000), monday)[20].events
    assert curve(earlier, total(2000), saturday)[20].events > 5 * curve(earlier, total(2000), saturday)[10].events


def test_while_a_weekday_is_hardly_known_working_days_stand_for_it() -> None:
    """Two weeks have two Mondays, one of them with an outage."""
    earlier = days_of(working_or_weekend, 14)
    monday = FIRST + timedelta(weeks=1)
    earlier[monday] = (*earlier[monday][:8], *[0] * 10, *earlier[monday][18:])
    hours = curve(earlier, total(sum(OFFICE)), FIRST + timedelta(weeks=2))
    assert hours[10].events == pytest.approx(200, rel=0.1)


def test_fourteen_days_with_events_must_be_known() -> None:
    earlier = days_of(working_or_weekend, 14)
    day = FIRST + timedelta(days=20)
    assert expected_hours(day, total(1000), earlier, 90) is not None
    earlier[FIRST] = (0,) * 24
    assert expected_hours(day, total(1000), earlier, 90) is None


def test_without_an_expected_day_there_are_no_expected_hours() -> None:
    earlier = days_of(working_or_weekend)
    assert expected_hours(FIRST + timedelta(days=50), Expectation(), earlier, 90) is None


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 1_000), st.floats(0, 1e6), st.floats(0, 1), st.sampled_from([50.0, 90.0, 99.0]))
def test_an_interval_holds_its_hour_and_grows_with_the_level(
    seed: int, events: float, share: float, level: float
) -> None:
    earlier = days_of(working_or_weekend, 20, noise=0.5, seed=seed)
    expected = total(events, share)
    for hour, wider in zip(
        curve(earlier, expected, percent=level), curve(earlier, expected, percent=99.5), strict=True
    ):
        assert 0 <= wider.low <= hour.low <= hour.events <= hour.high <= wider.high
        assert hour.high >= hour.events + 1


def test_usual_shares_are_those_of_the_expected_hours() -> None:
    earlier = days_of(working_or_weekend)
    for day in (FIRST + timedelta(weeks=6), FIRST + timedelta(weeks=6, days=5)):
        shares = usual_shares(day, earlier)
        assert shares is not None
        expected = curve(earlier, total(2000), day)
        assert [2000 * share for share in shares] == pytest.approx([hour.events for hour in expected])
    few = {day: hours for day, hours in earlier.items() if day < FIRST + timedelta(days=13)}
    assert usual_shares(FIRST + timedelta(days=13), few) is None


def test_the_day_itself_and_later_days_change_nothing() -> None:
    earlier = days_of(working_or_weekend)
    day = max(earlier) + timedelta(days=1)
    before = curve(earlier, total(2000), day)
    later = {day + timedelta(days=n): tuple(range(24)) for n in range(20)}
    assert curve({**earlier, **later}, total(2000), day) == before


def test_a_day_that_may_be_larger_widens_its_hours() -> None:
    earlier = days_of(lambda _: OFFICE)
    sure, unsure = curve(earlier, total(2000, 0.02))[10], curve(earlier, total(2000, 0.5))[10]
    assert unsure.high > 1.2 * sure.high
    assert unsure.low < 0.8 * sure.low


def test_an_hour_that_varies_is_given_a_wider_interval() -> None:
    random = Random(3)
    earlier = days_of(lambda _: OFFICE, noise=0.02)
    earlier = {day: (*hours[:12], round(200 * random.uniform(0.4, 1.6)), *hours[13:]) for day, hours in earlier.items()}
    hours = curve(earlier, total(2200, 0.02))
    assert hours[12].low < 0.7 * hours[12].events
    assert hours[11].low > 0.7 * hours[11].events


def test_one_outage_in_six_weeks_is_not_expected_again() -> None:
    earlier = days_of(lambda _: OFFICE, noise=0.02)
    usual = curve(earlier, total(2200, 0.02))
    gone = FIRST + timedelta(days=28)
    earlier[gone] = (*earlier[gone][:8], *[0] * 6, *earlier[gone][14:])
    for hour, before in zip(curve(earlier, total(2200, 0.02)), usual, strict=True):
        assert hour.events == pytest.approx(before.events, rel=0.03)
        assert hour.low > 0.8 * before.low - 2


def test_a_batch_at_odd_hours_makes_every_of_these_hours_possible() -> None:
    random = Random(5)
    batches = [random.choice((3, 4, 5)) for _ in range(42)]
    earlier: dict[date, ClockCounts] = {
        FIRST + timedelta(days=n): tuple(1000 * (hour == batch) for hour in range(24))
        for n, batch in enumerate(batches)
    }
    for hour in curve(earlier, total(1000))[3:6]:
        assert hour.low < 1
        assert hour.high > 500


def test_a_day_that_is_usually_empty_has_hours_that_may_be_empty() -> None:
    hours = curve(days_of(lambda _: OFFICE), Expectation(2000, 0.0, 2500, is_empty_usual=True))
    assert all(hour.low == 0 for hour in hours)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 3, 28), 24), (date(2026, 10, 25), 25)])
def test_the_days_on_which_the_clocks_change_have_23_and_25_hours(day: date, hours: int) -> None:
    calendar = Calendar(ZoneInfo("Europe/Berlin"), date(2026, 1, 1))
    earlier = {
        past: day_hours(HourTotals(tuple(OFFICE), ()), past, calendar).events_by_clock()
        for past in (day - timedelta(days=n) for n in range(1, 43))
    }
    found = expected_hours(day, total(sum(OFFICE)), earlier, 90, clock_of(day, calendar))
    assert found is not None
    assert len(found) == hours
    # Office hours begin at eight by the clock, whichever hour since midnight that is.
    assert [round(hour.events, -1) for hour in found].index(200) == 8 + hours - 24
