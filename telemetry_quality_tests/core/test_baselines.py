"""Baselines expect a day from earlier days only, and rightly on Mondays, Sundays and holidays."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from math import isfinite
from statistics import fmean
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry_quality.core.baselines import (
    HISTORY_DAYS,
    PROFILE_DAYS,
    PROFILE_MINIMUM,
    TRAILING_DAYS,
    TRAILING_MINIMUM,
    expected_events,
    holiday_calendar,
    is_holiday_country,
)
from telemetry_quality.core.policies import BASELINES, Policy
from telemetry_quality.errors import SettingsError
from telemetry_quality_tests.builders import SHARED_DATA

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MONDAY = date(2026, 3, 9)
MEMORIAL_DAY = date(2026, 5, 25)

WEEKDAY = Policy()
TRAILING = Policy(baseline="trailing_mean")
HOLIDAYS = Policy(holidays="US")

counts = st.one_of(st.integers(0, 10**12), st.sampled_from([0, 1, 2, 10**12]))
histories = st.lists(st.one_of(counts, counts, counts, st.none()), min_size=20, max_size=70)
"""Counts of the days before a day, the last one first; None is a day that could not be read."""
policies = st.sampled_from([WEEKDAY, TRAILING, HOLIDAYS])


def make_history(day: date, days: int, count: Callable[[date], int]) -> dict[date, int]:
    """The ``days`` days before ``day``."""
    return {past: count(past) for n in range(1, days + 1) if (past := day - timedelta(days=n))}


def known(day: date, earlier: list[int | None]) -> dict[date, int]:
    return {day - timedelta(days=n): count for n, count in enumerate(earlier, start=1) if count is not None}


def steady(day: date) -> int:
    return 1000


def office_week(day: date) -> int:
    return 1000 if day.weekday() < 5 else 500


@settings(deadline=None)
@given(
    day=st.dates(date(2025, 1, 1), date(2026, 12, 31)),
    earlier=histories,
    later=st.lists(counts, min_size=1, max_size=10),
    policy=policies,
)
def test_no_baseline_looks_at_the_day_itself_or_at_later_ones(
    day: date, earlier: list[int | None], later: list[int], policy: Policy
) -> None:
    history = known(day, earlier)
    future = {day + timedelta(days=n): count for n, count in enumerate(later)}

    assert expected_events(day, {**future, **history}, policy) == expected_events(day, history, policy)


@settings(deadline=None)
@given(
    day=st.dates(date(2025, 1, 1), date(2026, 12, 31)),
    earlier=histories,
    policy=policies,
)
def test_an_expectation_is_always_a_finite_number_of_events(
    day: date, earlier: list[int | None], policy: Policy
) -> None:
    expected = expected_events(day, known(day, earlier), policy)

    if expected is not None:
        assert isfinite(expected)
        # Only a mean of nothing but zeros is zero; the guardrail then says that nothing was expected.
        assert expected > 0 or (policy is TRAILING and expected == 0)


@pytest.mark.parametrize("policy", [WEEKDAY, TRAILING, HOLIDAYS])
@pytest.mark.parametrize("count", [0, 10**12])
def test_an_extreme_count_on_the_day_itself_or_the_next_changes_no_expectation(policy: Policy, count: int) -> None:
    for n in range(28):
        day = MONDAY + timedelta(days=n)
        history = make_history(day, 56, lambda past: 1000 + past.toordinal() * 37 % 100)

        assert expected_events(day, history | {day: count}, policy) == expected_events(day, history, policy)
        assert expected_events(day, history | {day + timedelta(days=1): count}, policy) == expected_events(
            day, history, policy
        )


def test_a_trailing_mean_is_the_mean_of_the_last_week() -> None:
    history = make_history(MONDAY, 7, lambda past: 100 * (MONDAY - past).days)

    assert expected_events(MONDAY, history, TRAILING) == 400


@pytest.mark.parametrize(
    ("known_days", "expected"),
    [(TRAILING_MINIMUM - 1, None), (TRAILING_MINIMUM, 1000), (TRAILING_MINIMUM + 1, 1000)],
)
def test_a_trailing_mean_needs_four_of_the_last_seven_days(known_days: int, expected: float | None) -> None:
    assert TRAILING_MINIMUM == 4
    assert expected_events(MONDAY, make_history(MONDAY, known_days, steady), TRAILING) == expected


def test_a_trailing_mean_looks_back_exactly_seven_days() -> None:
    beyond = MONDAY - timedelta(days=TRAILING_DAYS + 1)
    history = make_history(MONDAY, TRAILING_MINIMUM - 1, steady)

    assert expected_events(MONDAY, {**history, beyond: 1000}, TRAILING) is None
    assert expected_events(MONDAY, {**history, beyond + timedelta(days=1): 1000}, TRAILING) == 1000


@pytest.mark.parametrize(
    ("known_days", "is_known"), [(PROFILE_MINIMUM - 1, False), (PROFILE_MINIMUM, True), (PROFILE_MINIMUM + 1, True)]
)
def test_a_weekday_profile_needs_two_weeks(known_days: int, is_known: bool) -> None:
    assert PROFILE_MINIMUM == 14
    expected = expected_events(MONDAY, make_history(MONDAY, known_days, steady), WEEKDAY)

    assert expected == (pytest.approx(1000) if is_known else None)


def test_a_weekday_profile_looks_back_exactly_eight_weeks() -> None:
    history = make_history(MONDAY, PROFILE_MINIMUM - 1, steady)
    oldest = MONDAY - timedelta(days=PROFILE_DAYS)

    assert expected_events(MONDAY, {**history, oldest - timedelta(days=1): 1000}, WEEKDAY) is None
    assert expected_events(MONDAY, {**history, oldest: 1000}, WEEKDAY) == pytest.approx(1000)


@pytest.mark.parametrize("policy", [WEEKDAY, TRAILING])
def test_nothing_is_expected_without_a_history(policy: Policy) -> None:
    assert expected_events(MONDAY, {}, policy) is None


@pytest.mark.parametrize("history_days", [21, 28, 56, 100])
@pytest.mark.parametrize("weekday", range(7))
def test_a_strong_weekday_pattern_is_expected_exactly_on_every_weekday(weekday: int, history_days: int) -> None:
    day = MONDAY + timedelta(days=weekday)

    expected = expected_events(day, make_history(day, history_days, office_week), WEEKDAY)

    assert expected == pytest.approx(office_week(day))


@pytest.mark.parametrize("weekday", range(7))
def test_a_strong_weekday_pattern_raises_no_false_alarm_even_at_the_minimum_of_two_weeks(weekday: int) -> None:
    day = MONDAY + timedelta(days=weekday)

    expected = expected_events(day, make_history(day, PROFILE_MINIMUM, office_week), WEEKDAY)

    assert expected is not None
    assert abs(office_week(day) - expected) <= 0.3 * expected


@pytest.mark.parametrize("weekend_day", [MONDAY + timedelta(days=5), MONDAY + timedelta(days=6)])
def test_a_trailing_mean_would_alarm_on_every_normal_weekend(weekend_day: date) -> None:
    expected = expected_events(weekend_day, make_history(weekend_day, 56, office_week), TRAILING)

    assert expected is not None
    assert abs(office_week(weekend_day) - expected) > 0.3 * expected


def test_growth_is_followed_more_closely_than_by_a_trailing_mean() -> None:
    def growing(day: date) -> int:
        return round(1000 * 1.02 ** (day - date(2026, 1, 1)).days)

    history = make_history(MONDAY, 56, growing)
    expected, lagging = expected_events(MONDAY, history, WEEKDAY), expected_events(MONDAY, history, TRAILING)

    assert expected == pytest.approx(growing(MONDAY), rel=0.05)
    assert lagging is not None
    assert expected is not None
    assert lagging < expected < growing(MONDAY)


def test_decline_is_followed_more_closely_than_by_a_trailing_mean() -> None:
    def shrinking(day: date) -> int:
        return round(100_000 * 0.98 ** (day - date(2026, 1, 1)).days)

    history = make_history(MONDAY, 56, shrinking)
    expected, lagging = expected_events(MONDAY, history, WEEKDAY), expected_events(MONDAY, history, TRAILING)

    assert expected == pytest.approx(shrinking(MONDAY), rel=0.05)
    assert lagging is not None
    assert expected is not None
    assert shrinking(MONDAY) < expected < lagging


def test_a_single_bad_day_moves_a_trailing_mean_but_not_the_weekday_profile() -> None:
    history = make_history(MONDAY, 56, steady) | {MONDAY - timedelta(days=1): 100_000}

    assert expected_events(MONDAY, history, WEEKDAY) == pytest.approx(1000)
    assert expected_events(MONDAY, history, TRAILING) == pytest.approx((6 * 1000 + 100_000) / 7)


def test_days_without_events_count_as_days_and_do_not_break_the_logarithm() -> None:
    history = make_history(MONDAY, 56, steady) | {MONDAY - timedelta(days=n): 0 for n in (1, 9, 20)}

    assert expected_events(MONDAY, history, WEEKDAY) == pytest.approx(1000)
    assert expected_events(MONDAY, history, TRAILING) == pytest.approx(6 * 1000 / 7)


def test_a_stream_that_was_always_silent_is_expected_to_stay_nearly_so() -> None:
    silent = make_history(MONDAY, 56, lambda _: 0)

    assert expected_events(MONDAY, silent, WEEKDAY) == pytest.approx(1)
    assert expected_events(MONDAY, silent, TRAILING) == 0


def test_a_stream_silent_on_weekends_is_expected_to_be_silent_on_weekends() -> None:
    saturday = MONDAY + timedelta(days=5)
    history = make_history(saturday, 56, lambda past: 1000 if past.weekday() < 5 else 0)

    assert expected_events(saturday, history, WEEKDAY) == pytest.approx(1)


def test_days_that_could_not_be_read_leave_a_gap_not_a_zero() -> None:
    gaps = {MONDAY - timedelta(days=n) for n in (1, 2, 10, 11, 12, 13, 14, 15, 16, 30)}
    history = {past: count for past, count in make_history(MONDAY, 56, office_week).items() if past not in gaps}

    assert expected_events(MONDAY, history, WEEKDAY) == pytest.approx(1000)
    assert expected_events(MONDAY, history, TRAILING) == 1000


def test_a_weekday_never_seen_is_expected_between_those_that_were() -> None:
    history = {past: count for past, count in make_history(MONDAY, 56, office_week).items() if past.weekday()}

    expected = expected_events(MONDAY, history, WEEKDAY)

    assert expected is not None
    assert 500 <= expected <= 1000


def count_with_quiet_holidays(day: date) -> int:
    return 300 if day in holiday_calendar("US", day.year) else 1000


def test_an_ordinary_day_is_expected_as_if_holidays_had_never_been() -> None:
    # Sixteen days with one holiday on the same weekday: half of what is known of that weekday.
    presidents_day = date(2026, 2, 16)
    day = presidents_day + timedelta(days=7)
    history = make_history(day, 16, count_with_quiet_holidays)

    assert presidents_day in history
    assert expected_events(day, history, HOLIDAYS) == pytest.approx(1000)
    assert expected_events(day, history, WEEKDAY) != pytest.approx(1000, rel=0.1)


def test_holidays_do_not_count_towards_the_two_weeks_a_profile_needs() -> None:
    day = date(2026, 2, 23)
    too_short = make_history(day, PROFILE_MINIMUM, count_with_quiet_holidays)
    long_enough = make_history(day, PROFILE_MINIMUM + 1, count_with_quiet_holidays)

    assert expected_events(day, too_short, WEEKDAY) is not None
    assert expected_events(day, too_short, HOLIDAYS) is None
    assert expected_events(day, long_enough, HOLIDAYS) == pytest.approx(1000)


def test_a_holiday_is_expected_to_be_like_earlier_holidays() -> None:
    history = make_history(MEMORIAL_DAY, HISTORY_DAYS, count_with_quiet_holidays)

    assert expected_events(MEMORIAL_DAY, history, HOLIDAYS) == pytest.approx(300)
    assert expected_events(MEMORIAL_DAY, history, WEEKDAY) == pytest.approx(1000)


def test_two_earlier_holidays_are_enough_to_learn_from_and_one_is_not() -> None:
    def count_with_busy_holidays(day: date) -> int:
        return 3000 if day in holiday_calendar("US", day.year) else 1000

    # Before Memorial Day: Presidents' Day (98 days) and Martin Luther King's (126 days).
    one = make_history(MEMORIAL_DAY, 110, count_with_busy_holidays)
    two = make_history(MEMORIAL_DAY, 140, count_with_busy_holidays)

    assert expected_events(MEMORIAL_DAY, one, HOLIDAYS) == pytest.approx(1000)
    assert expected_events(MEMORIAL_DAY, two, HOLIDAYS) == pytest.approx(3000)


def test_the_first_holiday_alarms_neither_when_ordinary_nor_when_as_quiet_as_a_weekend() -> None:
    def calm_week(day: date) -> int:
        return 1000 if day.weekday() < 5 else 600

    history = make_history(MEMORIAL_DAY, 56, calm_week)
    expected = expected_events(MEMORIAL_DAY, history, HOLIDAYS)

    assert expected is not None
    assert abs(1000 - expected) <= 0.3 * expected
    assert abs(600 - expected) <= 0.3 * expected
    assert expected_events(MEMORIAL_DAY, history, WEEKDAY) == pytest.approx(1000)


def test_holidays_of_more_than_four_hundred_days_ago_are_forgotten() -> None:
    history = make_history(MEMORIAL_DAY, 56, office_week)
    long_ago = make_history(MEMORIAL_DAY - timedelta(days=400), 100, count_with_quiet_holidays)

    assert {date(2025, 1, 20), date(2025, 2, 17)} <= long_ago.keys()
    assert expected_events(MEMORIAL_DAY, long_ago | history, HOLIDAYS) == expected_events(
        MEMORIAL_DAY, history, HOLIDAYS
    )


def test_a_calendar_knows_its_region_and_the_year_before() -> None:
    assert {date(2026, 7, 3), date(2025, 12, 25)} <= holiday_calendar("US", 2026)
    assert date(2026, 1, 6) in holiday_calendar("DE-BY", 2026)
    assert date(2026, 1, 6) not in holiday_calendar("DE", 2026)
    assert holiday_calendar(None, 2026) == frozenset()


@pytest.mark.parametrize(
    ("region", "is_known"),
    [("US", True), ("US-NY", True), ("DE-BY", True), ("Atlantis", False), ("us", False), ("XX-NY", False), ("", False)],
)
def test_a_country_is_known_without_loading_its_calendar(region: str, is_known: bool) -> None:
    assert is_holiday_country(region) is is_known


@pytest.mark.parametrize("region", ["Atlantis", "US-XX", "us", ""])
def test_an_unknown_region_is_refused_with_examples_of_known_ones(region: str) -> None:
    with pytest.raises(SettingsError, match=f"such as US or US-NY, but '{region}' was found"):
        expected_events(MONDAY, make_history(MONDAY, 56, steady), Policy(holidays=region))


def read_series(file: Path) -> list[tuple[date, int, str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return [
            (date.fromisoformat(row["date"]), round(float(row["count"])), row["label"]) for row in csv.DictReader(text)
        ]


def false_alarms_percent(series: list[tuple[date, int, str]], policy: Policy) -> float:
    """False alarms per 100 unlabelled days, one step ahead, in the 400 days after eight weeks of warm-up."""
    alarms = []
    for position in range(56, min(len(series), 456)):
        day, count, label = series[position]
        if not label:
            history = {past: known for past, known, _ in series[position - 56 : position]}
            expected = expected_events(day, history, policy)
            assert expected is not None
            alarms.append(abs(count - expected) > 0.3 * expected)
    return 100 * fmean(alarms)


def test_on_real_series_the_weekday_baseline_raises_at_most_a_third_of_the_false_alarms() -> None:
    files = sorted((SHARED_DATA / "daily").glob("*.csv"))
    if not files:
        pytest.skip(f"no real daily series at {SHARED_DATA / 'daily'}")
    series = [read_series(file) for file in files]

    weekday = fmean(false_alarms_percent(one, WEEKDAY) for one in series)
    trailing = fmean(false_alarms_percent(one, TRAILING) for one in series)

    assert weekday <= trailing / 3


@pytest.mark.parametrize("weekend", [200, 500, 1000])
def test_a_holiday_that_is_always_the_same_is_expected_to_be_the_same_again(weekend: int) -> None:
    calendar = {day for year in (2024, 2025) for day in holiday_calendar("US", year)}
    days = [date(2024, 12, 1) + timedelta(days=n) for n in range(390)]
    history = {day: 300 if day in calendar else weekend if day.weekday() >= 5 else 1000 for day in days}
    for holiday in (date(2025, 7, 4), date(2025, 11, 27), date(2025, 12, 25)):
        assert expected_events(holiday, history, Policy(holidays="US")) == pytest.approx(300, rel=0.02)


@pytest.mark.parametrize("count", [1, 7, 1000, 12_345, 10**9])
@pytest.mark.parametrize("baseline", BASELINES)
def test_a_steady_stream_is_expected_to_the_event(count: int, baseline: str) -> None:
    day = date(2026, 3, 10)
    history = {day - timedelta(days=n): count for n in range(1, 57)}
    assert expected_events(day, history, Policy(baseline=baseline)) == count
