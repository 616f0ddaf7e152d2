"""Baselines expect a day within an honest interval from earlier days alone, on weekdays, Sundays and holidays."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from math import exp, isfinite
from random import Random
from statistics import fmean
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry_quality.core.calendar_effects import calendar_effects, holiday_calendar, is_holiday_country
from telemetry_quality.core.detectors.expected_volume import (
    ERRORS_MINIMUM,
    FEW_EVENTS,
    HISTORY_DAYS,
    PROFILE_DAYS,
    TRAILING_DAYS,
    TRAILING_MINIMUM,
    Expectation,
    ExpectationSettings,
    expect,
    is_far,
    surprise,
)
from telemetry_quality.core.detectors.level_changes import SHIFT_DAYS
from telemetry_quality.core.detectors.weekday_stream import PROFILE_MINIMUM
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.judging import expectation_settings
from telemetry_quality.core.policies import BASELINES
from telemetry_quality.errors import SettingsError
from telemetry_quality_tests.builders import SHARED_DATA
from telemetry_quality_tests.core.detectors.made_series import SERIES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

MONDAY = date(2026, 3, 9)
MEMORIAL_DAY = date(2026, 5, 25)


def settings_with(**values: Any) -> ExpectationSettings:
    return expectation_settings(policy_of(**values))


WEEKDAY = settings_with()
TRAILING = settings_with(baseline="trailing_mean")
HOLIDAYS = settings_with(holidays="US")

counts = st.one_of(st.integers(0, 10**12), st.sampled_from([0, 1, 2, 10**12]))
histories = st.lists(st.one_of(counts, counts, counts, st.none()), min_size=20, max_size=70)
"""Counts of the days before a day, the latest first; None for a day that could not be read."""
policies = st.sampled_from([WEEKDAY, TRAILING, HOLIDAYS])


def expected_events(day: date, history: Mapping[date, int], choices: ExpectationSettings) -> float | None:
    return expect(day, history, choices).events


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
    choices=policies,
)
def test_no_baseline_looks_at_the_day_itself_or_at_later_days(
    day: date, earlier: list[int | None], later: list[int], choices: ExpectationSettings
) -> None:
    history = known(day, earlier)
    future = {day + timedelta(days=n): count for n, count in enumerate(later)}

    assert expect(day, {**future, **history}, choices) == expect(day, history, choices)


@settings(deadline=None)
@given(
    day=st.dates(date(2025, 1, 1), date(2026, 12, 31)),
    earlier=histories,
    choices=policies,
)
def test_an_expectation_is_always_a_finite_number_of_events(
    day: date, earlier: list[int | None], choices: ExpectationSettings
) -> None:
    found = expect(day, known(day, earlier), choices)

    if found.events is not None:
        assert isfinite(found.events)
        # Only a mean of zeros alone is zero; the guardrail then says that nothing was expected.
        assert found.events > 0 or (choices is TRAILING and found.events == 0)
    if found.low is not None:
        assert found.events is not None
        assert found.high is not None
        assert 0 <= found.low < found.high < float("inf")
        assert found.low < found.events < found.high or found.calendar_effect is not None
    assert (found.known_from is None) == (found.events is not None)


@pytest.mark.parametrize("choices", [WEEKDAY, TRAILING, HOLIDAYS])
@pytest.mark.parametrize("count", [0, 10**12])
def test_an_extreme_count_on_the_day_itself_or_the_next_changes_no_expectation(
    choices: ExpectationSettings, count: int
) -> None:
    for n in range(28):
        day = MONDAY + timedelta(days=n)
        history = make_history(day, 56, lambda past: 1000 + past.toordinal() * 37 % 100)

        assert expected_events(day, history | {day: count}, choices) == expected_events(day, history, choices)
        assert expected_events(day, history | {day + timedelta(days=1): count}, choices) == expected_events(
            day, history, choices
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
    assert TRAILING_DAYS == 7
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
    assert PROFILE_DAYS == 7 * 8
    history = make_history(MONDAY, PROFILE_MINIMUM - 1, steady)
    oldest = MONDAY - timedelta(days=PROFILE_DAYS)

    assert expected_events(MONDAY, {**history, oldest - timedelta(days=1): 1000}, WEEKDAY) is None
    assert expected_events(MONDAY, {**history, oldest: 1000}, WEEKDAY) == pytest.approx(1000)


@pytest.mark.parametrize("choices", [WEEKDAY, TRAILING])
def test_nothing_is_expected_without_a_history(choices: ExpectationSettings) -> None:
    assert expected_events(MONDAY, {}, choices) is None


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

    assert expected_events(MONDAY, history, WEEKDAY) == pytest.approx(1000, rel=0.03)
    assert expected_events(MONDAY, history, TRAILING) == pytest.approx((6 * 1000 + 100_000) / 7)


def test_days_without_events_count_as_days_and_do_not_break_the_logarithm() -> None:
    history = make_history(MONDAY, 56, steady) | {MONDAY - timedelta(days=n): 0 for n in (1, 9, 20)}

    assert expected_events(MONDAY, history, WEEKDAY) == pytest.approx(1000, rel=0.03)
    assert expected_events(MONDAY, history, TRAILING) == pytest.approx(6 * 1000 / 7)


def test_a_stream_that_was_always_silent_has_not_begun_and_its_emptiness_is_never_usual() -> None:
    silent = make_history(MONDAY, 56, lambda _: 0)

    assert expect(MONDAY, silent, WEEKDAY) == Expectation(known_from=MONDAY + timedelta(days=14))
    assert expected_events(MONDAY, silent, TRAILING) == 0


def test_days_before_the_first_event_are_not_days_of_the_stream() -> None:
    began = make_history(MONDAY, PROFILE_MINIMUM, steady)
    earlier = make_history(MONDAY - timedelta(days=PROFILE_MINIMUM), 30, lambda _: 0)

    assert expect(MONDAY, earlier | began, WEEKDAY) == expect(MONDAY, began, WEEKDAY)


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


def test_an_ordinary_day_is_expected_as_if_there_had_been_no_holidays() -> None:
    # Sixteen days with one holiday on the same weekday: half of what is known about that weekday.
    presidents_day = date(2026, 2, 16)
    day = presidents_day + timedelta(days=7)
    history = make_history(day, 16, count_with_quiet_holidays)

    assert presidents_day in history
    assert expected_events(day, history, HOLIDAYS) == pytest.approx(1000)
    # Without a calendar the quiet day is one of two on its weekday that contradict each other.
    assert expected_events(day, history, WEEKDAY) == pytest.approx(1000, rel=0.1)


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
    assert expected_events(MEMORIAL_DAY, history, WEEKDAY) == pytest.approx(1000, rel=0.01)


def test_two_earlier_holidays_are_enough_to_learn_from_and_one_is_not() -> None:
    def count_with_busy_holidays(day: date) -> int:
        return 3000 if day in holiday_calendar("US", day.year) else 1000

    # Before Memorial Day: Presidents' Day (98 days) and Martin Luther King's (126 days).
    one_holiday = make_history(MEMORIAL_DAY, 110, count_with_busy_holidays)
    two = make_history(MEMORIAL_DAY, 140, count_with_busy_holidays)

    assert expected_events(MEMORIAL_DAY, one_holiday, HOLIDAYS) == pytest.approx(1000)
    assert expected_events(MEMORIAL_DAY, two, HOLIDAYS) == pytest.approx(3000)


def test_the_first_holiday_is_unusual_neither_when_ordinary_nor_when_as_quiet_as_a_weekend() -> None:
    def calm_week(day: date) -> int:
        return 1000 if day.weekday() < 5 else 600

    found = expect(MEMORIAL_DAY, make_history(MEMORIAL_DAY, 56, calm_week), HOLIDAYS)

    assert found.low is not None
    assert found.high is not None
    assert found.low < 600
    assert found.high > 1000
    assert expected_events(MEMORIAL_DAY, make_history(MEMORIAL_DAY, 56, calm_week), WEEKDAY) == pytest.approx(1000)


def test_the_days_around_christmas_are_calendar_effects_and_teach_nothing_about_ordinary_days() -> None:
    effects = calendar_effects("US", 2025)

    assert {effects[date(2025, 12, n)].kind for n in (24, 26, 31)} == {"near a holiday"}
    assert {effects[date(2025, 12, n)].kind for n in range(27, 31)} == {"between the years"}
    assert effects[date(2025, 12, 25)].kind == "holiday"
    assert effects[date(2025, 11, 28)].kind == "near a holiday"  # the Friday after Thanksgiving
    assert date(2025, 12, 23) not in effects
    assert calendar_effects(None, 2025) == {}

    def quiet_season(day: date) -> int:
        return 400 if day in effects else 1000

    after = date(2026, 1, 2)
    history = make_history(after, 100, quiet_season) | {date(2026, 1, 1): 400}
    assert expected_events(date(2026, 1, 6), history, HOLIDAYS) == pytest.approx(1000)


def test_holidays_more_than_four_hundred_days_ago_do_not_count() -> None:
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
        expected_events(MONDAY, make_history(MONDAY, 56, steady), settings_with(holidays=region))


def read_series(file: Path) -> list[tuple[date, int, str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return [
            (date.fromisoformat(row["date"]), round(float(row["count"])), row["label"]) for row in csv.DictReader(text)
        ]


def false_alarms_percent(series: list[tuple[date, int, str]], choices: ExpectationSettings) -> float:
    """False alarms per 100 unlabelled days, one step ahead, in the 400 days after eight weeks of warm-up."""
    alarms = []
    for position in range(56, min(len(series), 456)):
        day, count, label = series[position]
        if not label:
            history = {past: known for past, known, _ in series[position - 56 : position]}
            expected = expected_events(day, history, choices)
            assert expected is not None
            alarms.append(abs(count - expected) > 0.3 * expected)
    return 100 * fmean(alarms)


@pytest.mark.slow
def test_on_real_series_the_weekday_baseline_raises_at_most_a_third_of_the_false_alarms() -> None:
    files = sorted((SHARED_DATA / "daily").glob("*.csv"))
    if not files:
        pytest.skip(f"no real daily series at {SHARED_DATA / 'daily'}")
    series = [read_series(file) for file in files]

    weekday = fmean(false_alarms_percent(history, WEEKDAY) for history in series)
    trailing = fmean(false_alarms_percent(history, TRAILING) for history in series)

    assert weekday <= trailing / 3


@pytest.mark.parametrize("weekend", [200, 500, 1000])
def test_a_holiday_that_is_always_the_same_is_expected_to_be_the_same_again(weekend: int) -> None:
    calendar = {day for year in (2024, 2025) for day in holiday_calendar("US", year)}
    days = [date(2024, 12, 1) + timedelta(days=n) for n in range(390)]
    history = {day: 300 if day in calendar else weekend if day.weekday() >= 5 else 1000 for day in days}
    for holiday in (date(2025, 7, 4), date(2025, 11, 27), date(2025, 12, 25)):
        assert expected_events(holiday, history, settings_with(holidays="US")) == pytest.approx(300, rel=0.02)


@pytest.mark.parametrize("count", [1, 7, 1000, 12_345, 10**9])
@pytest.mark.parametrize("baseline", BASELINES)
def test_a_steady_stream_is_expected_to_the_event(count: int, baseline: str) -> None:
    day = date(2026, 3, 10)
    history = {day - timedelta(days=n): count for n in range(1, 57)}
    assert expected_events(day, history, settings_with(baseline=baseline)) == count


@pytest.mark.parametrize(("known_days", "waits"), [(0, 14), (1, 13), (12, 2), (13, 1)])
def test_a_new_stream_says_from_which_day_an_expectation_will_be_known(known_days: int, waits: int) -> None:
    history = make_history(MONDAY, known_days, steady)

    found = expect(MONDAY, history, WEEKDAY)

    assert found == Expectation(known_from=MONDAY + timedelta(days=waits))
    day, found_events = MONDAY, None
    while found_events is None:
        history[day] = 1000
        day += timedelta(days=1)
        found_events = expect(day, history, WEEKDAY).events
    assert day == found.known_from


def test_a_trailing_mean_says_so_too() -> None:
    assert expect(MONDAY, make_history(MONDAY, 2, steady), TRAILING).known_from == MONDAY + timedelta(days=2)
    assert expect(MONDAY, {}, TRAILING).known_from == MONDAY + timedelta(days=4)


def test_days_too_long_ago_to_count_do_not_bring_that_day_forward() -> None:
    leaving = make_history(MONDAY - timedelta(days=PROFILE_DAYS - 5), 8, steady)

    found = expect(MONDAY, leaving, WEEKDAY)

    assert found.known_from == MONDAY + timedelta(days=14)


@pytest.mark.parametrize(("errors", "has_interval"), [(-1, False), (0, True), (1, True)])
def test_an_interval_needs_a_week_of_the_streams_own_errors(errors: int, has_interval: bool) -> None:
    assert ERRORS_MINIMUM == 7
    found = expect(MONDAY, make_history(MONDAY, PROFILE_MINIMUM + ERRORS_MINIMUM + errors, steady), WEEKDAY)

    assert found.events == 1000
    assert (found.low is not None) is has_interval
    assert (found.high is not None) is has_interval


def test_a_wider_level_of_the_interval_holds_a_narrower_one() -> None:
    history = noisy_history(MONDAY, 200, spread=0.1)
    ends = []
    for percent in (90.0, 95.0, 99.0, 99.9):
        found = expect(MONDAY, history, settings_with(interval_percent=percent))
        assert found.low is not None
        assert found.high is not None
        ends.append((found.low, found.high))

    assert [low for low, _ in ends] == sorted((low for low, _ in ends), reverse=True)
    assert [high for _, high in ends] == sorted(high for _, high in ends)


def noisy_history(day: date, days: int, *, spread: float, seed: int = 7) -> dict[date, int]:
    random = Random(seed)
    return make_history(day, days, lambda past: round(office_week(past) * 20 * exp(random.gauss(0, spread))))


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.05, 0.15, 0.3])
def test_the_interval_holds_about_ninety_nine_of_a_hundred_days_of_a_noisy_stream(spread: float) -> None:
    last = date(2026, 11, 30)
    history = noisy_history(last, 460, spread=spread)
    inside = []
    for n in range(1, 400):
        day = last - timedelta(days=n)
        found = expect(day, history, WEEKDAY)
        if found.low is not None and found.high is not None:
            inside.append(found.low <= history[day] <= found.high)

    assert len(inside) > 390
    assert 0.98 <= fmean(inside) <= 0.999


def test_small_counts_differ_by_chance_and_the_interval_knows() -> None:
    random = Random(3)
    history = make_history(MONDAY, 100, lambda _: 1 + random.randrange(4))

    found = expect(MONDAY, history, WEEKDAY)

    assert found.events is not None
    assert found.events < FEW_EVENTS
    assert found.low == 0
    assert found.high is not None
    assert found.high > 8


def test_a_day_without_events_is_always_unusual_where_events_are_expected() -> None:
    for count in (6, 20, 1000, 10**9):
        found = expect(MONDAY, make_history(MONDAY, 56, lambda _, count=count: count), WEEKDAY)  # type: ignore[misc]
        assert found.low is not None
        assert found.low > 0
        assert surprise(0, found) == float("inf")


@pytest.mark.parametrize(("count", "low"), [(5, 0.0), (6, 1.0)])
def test_no_events_are_a_surprise_if_six_are_expected_but_not_if_five_are(count: int, low: float) -> None:
    found = expect(MONDAY, make_history(MONDAY, 56, lambda _: count), WEEKDAY)

    assert found.low is not None
    assert (found.low > 0) is (low > 0)


@pytest.mark.parametrize(("count", "expected"), [(590, True), (610, False), (1840, False), (1850, True)])
def test_a_day_is_far_off_if_more_is_lost_than_allowed_or_as_much_gained(count: int, expected: bool) -> None:
    # A gain like a loss of 40 %: 1 / 0.6 ** 1.2 = 1.846.
    assert is_far(count, Expectation(1000, 500, 2000), 40) is expected


@pytest.mark.parametrize(("count", "expected"), [(350, True), (360, False), (3150, False), (3170, True)])
def test_a_noisy_stream_must_be_some_way_to_the_end_of_its_interval(count: int, expected: bool) -> None:
    # 1000 * 0.1 ** 0.45 = 355, and 1000 * 10 ** 0.5 = 3162.
    assert is_far(count, Expectation(1000, 100, 10_000), 40) is expected


def test_a_day_is_not_far_off_while_the_interval_is_unknown() -> None:
    assert not is_far(1, Expectation(1000), 40)
    assert not is_far(1, Expectation(), 40)


def test_however_wild_a_stream_and_however_wide_the_interval_its_ends_are_finite() -> None:
    history = make_history(MONDAY, 300, lambda past: 10 ** (past.toordinal() * 7 % 13))

    found = expect(MONDAY, history, settings_with(interval_percent=99.999_999_9))

    assert found.high is not None
    assert isfinite(found.high)
    assert found.high > 10**100


@pytest.mark.parametrize(
    ("name", "known_days", "choices", "expected"),
    [
        ("growing", 21, WEEKDAY, (1158.6616, 919.40905, 1459.0052)),
        ("growing", 63, WEEKDAY, (1766.2489, 1429.9328, 2233.3205)),
        ("growing", 64, WEEKDAY, (2041.5952, 1637.0373, 2608.4253)),
        ("growing", 213, WEEKDAY, (8222.5085, 6929.129, 10177.582)),
        ("growing", 299, WEEKDAY, (8437.6444, 6832.8024, 11041.524)),
        ("wandering", 299, WEEKDAY, (24162.561, 18756.727, 31526.818)),
        ("restless_saturdays", 845, HOLIDAYS, (8629.8368, 5352.6809, 14682.749)),
        ("office", 787, HOLIDAYS, (4394.2079, 2246.6744, 8583.2818)),
        ("office", 238, HOLIDAYS, (3780.2343, 1509.8234, 9230.3614)),
        ("office", 840, HOLIDAYS, (4053.3332, 1901.3936, 8408.2297)),
        ("steady", 40, WEEKDAY, (1000635.6, 693525.31, 1446810.1)),
        ("stepping", 499, WEEKDAY, (12177.888, 8127.9537, 18361.472)),
        ("few", 250, WEEKDAY, (3.9837235, 0, 23.871593)),
        ("office", 300, TRAILING, (8485, 2013.6202, 19597.043)),
        ("few", 250, TRAILING, (8.2857143, 0.74476311, 39.869036)),
        ("steady", 299, TRAILING, (1002837.3, 927711.85, 1046410.8)),
        ("office", 843, settings_with(interval_percent=90), (10134.376, 8806.4851, 11588.007)),
        ("office", 843, settings_with(interval_percent=99.9), (10134.376, 6278.8684, 16003.946)),
    ],
)
def test_made_series_are_expected_within_the_same_intervals_as_before(
    name: str, known_days: int, choices: ExpectationSettings, expected: tuple[float, float, float]
) -> None:
    """Events, low and high; each constant behind an interval changes some of these."""
    counts = SERIES[name]()
    found = expect(sorted(counts)[known_days], counts, choices)

    assert (found.events, found.low, found.high) == pytest.approx(expected, rel=1e-6)


def test_a_surprise_is_one_at_either_end_of_the_interval() -> None:
    found = Expectation(1000, 500, 2000)

    assert surprise(1000, found) == 0
    assert surprise(500, found) == pytest.approx(1)
    assert surprise(2000, found) == pytest.approx(1)
    assert surprise(707, found) == pytest.approx(0.5, abs=0.001)
    assert surprise(499, found) > 1 > surprise(501, found)  # type: ignore[operator]
    assert surprise(0, Expectation(3, 0, 9)) == 0
    assert surprise(5, Expectation()) is None
    assert surprise(5, Expectation(1000)) is None


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_new_level_is_expected_within_a_week(factor: float) -> None:
    change = MONDAY - timedelta(days=7)
    history = make_history(MONDAY, 100, lambda past: round(office_week(past) * (factor if past >= change else 1)))

    assert expected_events(MONDAY, history, WEEKDAY) == pytest.approx(1000 * factor, rel=0.15)


def test_a_level_is_not_new_before_four_days_show_it() -> None:
    change = MONDAY - timedelta(days=SHIFT_DAYS - 1)
    history = make_history(MONDAY, 100, lambda past: 500 if past >= change else 1000)

    assert expected_events(MONDAY, history, WEEKDAY) == pytest.approx(1000, rel=0.25)


def test_an_incident_that_remains_in_the_history_neither_moves_nor_blinds_the_expectation() -> None:
    history = noisy_history(MONDAY, 150, spread=0.05)
    incident = {MONDAY - timedelta(days=n): 0 for n in (15, 16, 60)}

    clean, marked = expect(MONDAY, history, WEEKDAY), expect(MONDAY, history | incident, WEEKDAY)

    assert marked.events == pytest.approx(clean.events, rel=0.05)
    assert marked.low is not None
    assert marked.low > 10_000


def test_yesterdays_surprise_is_partly_expected_again() -> None:
    history = noisy_history(MONDAY, 150, spread=0.05)
    yesterday = MONDAY - timedelta(days=1)
    usual = expected_events(MONDAY, history, WEEKDAY)

    more = expected_events(MONDAY, history | {yesterday: round(history[yesterday] * 1.1)}, WEEKDAY)

    assert usual is not None
    assert more is not None
    assert usual < more < 1.1 * usual


def test_a_noisier_weekday_has_a_wider_interval() -> None:
    random = Random(5)
    history = make_history(
        MONDAY, 200, lambda past: round(10_000 * exp(random.gauss(0, 0.3 if past.weekday() == 5 else 0.05)))
    )
    saturday, sunday = (expect(MONDAY - timedelta(days=n), history, WEEKDAY) for n in (2, 1))

    assert saturday.low is not None
    assert sunday.low is not None
    assert saturday.low / saturday.events < 0.8 * sunday.low / sunday.events  # type: ignore[operator]


def test_holidays_ahead_count_when_a_stream_says_from_which_day_an_expectation_will_be_known() -> None:
    christmas = date(2025, 12, 20)
    history = make_history(christmas, 10, steady)

    # 20 to 23 December are ordinary, so the fourteenth day is the 23rd; with two days fewer it is 4 January,
    # since the 2nd is a Friday after a holiday.
    assert expect(christmas, history, HOLIDAYS).known_from == date(2025, 12, 24)
    del history[date(2025, 12, 11)], history[date(2025, 12, 12)]
    assert expect(christmas, history, HOLIDAYS).known_from == date(2026, 1, 5)


def test_a_trailing_mean_has_an_interval_of_its_own_errors_and_so_a_wide_one_where_weekdays_matter() -> None:
    found, flat = (expect(MONDAY, make_history(MONDAY, 56, count), TRAILING) for count in (office_week, steady))

    assert found.low is not None
    assert found.high is not None
    assert flat.low is not None
    assert found.low < 500
    assert found.high > 1000
    assert 900 < flat.low < 1000
    assert expect(MONDAY, make_history(MONDAY, 56, lambda _: 0), TRAILING) == Expectation(0)
