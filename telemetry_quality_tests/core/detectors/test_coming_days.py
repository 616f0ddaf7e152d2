"""Coming days: what is forecast, how wide the interval is, and what must not be learnt from."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry_quality.core.detectors.coming_days import LEAST_DAYS, coming_days, first_forecast
from telemetry_quality.core.detectors.expected_volume import REST, ExpectationSettings
from telemetry_quality_tests.core.detectors import made_series

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from telemetry_quality.core.detectors.coming_days import ComingDay

FIRST = date(2024, 1, 1)
"""A Monday."""
WEEK = (1.0, 1.02, 1.05, 1.0, 0.95, 0.5, 0.4)
PLAIN = ExpectationSettings("weekday", 99.0, None)
US = ExpectationSettings("weekday", 99.0, "US")


def stream(days: int, level: Callable[[int], float] = lambda _: 10_000, *, noise: float = 0.03) -> dict[date, int]:
    random = Random(5)
    return {FIRST + timedelta(n): round(level(n) * WEEK[n % 7] * (1 + random.gauss(0, noise))) for n in range(days)}


def after(history: Mapping[date, int], settings: ExpectationSettings = PLAIN, days: int = 14) -> list[ComingDay]:
    found = coming_days(max(history) + timedelta(days=1), days, history, settings)
    assert found is not None
    return found


def test_each_coming_day_is_like_its_weekday() -> None:
    coming = after(stream(120))
    assert [found.day for found in coming] == [FIRST + timedelta(120 + n) for n in range(14)]
    for found in coming:
        assert found.events == pytest.approx(10_000 * WEEK[found.day.weekday()], rel=0.05)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 5_000), min_size=28, max_size=60), st.integers(1, 28))
def test_an_interval_holds_what_is_expected_whatever_the_history(counts: list[int], days: int) -> None:
    history = {FIRST + timedelta(n): count for n, count in enumerate(counts)}
    for found in coming_days(FIRST + timedelta(len(counts)), days, history, PLAIN) or ():
        assert 0 <= found.low <= found.events <= found.high


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.integers(40, 100), st.lists(st.integers(0, 10**6), min_size=14, max_size=14))
def test_nothing_after_the_first_day_changes_a_forecast(origin: int, later: list[int]) -> None:
    history = stream(origin)
    first = FIRST + timedelta(origin)
    future = {first + timedelta(n): count for n, count in enumerate(later)}
    assert coming_days(first, 14, history | future, US) == coming_days(first, 14, history, US)


def test_the_interval_widens_with_the_days_ahead_as_the_stream_itself_wanders() -> None:
    wandering, steady = after(made_series.wandering()), after(stream(300))
    widths = [(found.high - found.low) / found.events for found in wandering]
    assert widths[13] > 1.5 * widths[0]
    widths = [(found.high - found.low) / found.events for found in steady]
    assert widths[13] < 1.5 * widths[0]


def test_nine_in_ten_days_of_an_ordinary_stream_lie_within_their_interval() -> None:
    history = made_series.office()
    covered = []
    for origin in range(200, 800, 75):
        first = made_series.FIRST + timedelta(origin)
        found = coming_days(first, 14, {day: n for day, n in history.items() if day < first}, US) or ()
        covered += [coming.low <= history[coming.day] <= coming.high for coming in found]
    assert len(covered) == 8 * 14
    assert 0.85 <= sum(covered) / len(covered) <= 0.95


def test_a_holiday_is_forecast_as_one_and_says_so() -> None:
    history = {day: count for day, count in made_series.office().items() if day < date(2025, 12, 15)}
    christmas = next(found for found in after(history, US) if found.day == date(2025, 12, 25))
    ordinary = next(found for found in after(history, US) if found.day == date(2025, 12, 18))
    assert christmas.why == "Christmas Day"
    assert christmas.high < 0.7 * ordinary.events


def test_without_a_calendar_a_possible_holiday_widens_its_day_downwards() -> None:
    history = {day: count for day, count in made_series.office().items() if day < date(2025, 12, 15)}
    coming = {found.day: found for found in after(history)}
    christmas, week_before = coming[date(2025, 12, 25)], coming[date(2025, 12, 18)]
    assert christmas.why == "perhaps Christmas Day"
    assert christmas.low < 0.7 * week_before.low


def test_days_that_are_usually_empty_are_forecast_as_none() -> None:
    history = {day: 0 if day.weekday() > 4 else count for day, count in stream(90).items()}
    for found in after(history):
        assert (found.events == 0) is (found.day.weekday() > 4)
        assert found.low == 0 or found.day.weekday() < 5


def test_a_stream_of_every_other_week_keeps_its_rhythm() -> None:
    history = stream(140)
    history |= {FIRST + timedelta(n): 0 for n in range(4, 140, 14)}
    fridays = [found.events for found in after(history) if found.day.weekday() == 4]
    assert fridays[0] == 0
    assert fridays[1] > 5_000


def test_chance_does_not_make_a_small_stream_usually_empty() -> None:
    random = Random(2)
    history = {FIRST + timedelta(n): random.choice((0, 1, 2, 2, 3, 4)) for n in range(90)}
    assert all(found.events > 0.5 and found.low == 0 for found in after(history))


def test_days_of_rest_in_the_settings_may_be_empty_and_teach_nothing() -> None:
    history = stream(90)
    rest_days = frozenset(FIRST + timedelta(n) for n in (40, 41, 42, 43, 93))
    resting = ExpectationSettings("weekday", 99.0, None, rest=frozenset({6}), rest_days=rest_days)
    halved = history | {day: 5 for day in rest_days if day in history}
    assert after(halved, resting) == after(history, resting)
    for found in after(history, resting):
        if found.day.weekday() == 6 or found.day in rest_days:
            assert (found.low, found.why) == (0.0, REST)
        else:
            assert found.low > 0


def test_what_is_accepted_as_a_new_level_is_forecast_at_once() -> None:
    history = stream(92, lambda n: 10_000 if n < 90 else 25_000)
    first, changed = FIRST + timedelta(92), FIRST + timedelta(90)
    accepted = coming_days(first, 7, history, PLAIN, {changed})
    unexplained = coming_days(first, 7, history, PLAIN)
    assert accepted is not None
    assert unexplained is not None
    assert accepted[0].events > 1.5 * unexplained[0].events


@pytest.mark.parametrize("days", [LEAST_DAYS - 1, LEAST_DAYS, LEAST_DAYS + 1])
def test_four_weeks_must_be_known(days: int) -> None:
    history = {FIRST - timedelta(n): 0 for n in range(1, 10)} | stream(days)
    found = coming_days(FIRST + timedelta(days), 14, history, PLAIN)
    assert (found is None) is (days < LEAST_DAYS)


def test_the_day_from_which_there_will_be_a_forecast_is_known() -> None:
    history = stream(20)
    promised = first_forecast(FIRST + timedelta(20), history, PLAIN)
    assert promised == FIRST + timedelta(LEAST_DAYS)
    assert coming_days(promised, 1, stream(LEAST_DAYS), PLAIN) is not None
    assert first_forecast(FIRST, {}, PLAIN) == FIRST + timedelta(LEAST_DAYS)


def test_days_missing_before_the_first_are_bridged_with_a_wider_interval() -> None:
    history = stream(120)
    first = FIRST + timedelta(120)
    known = {day: count for day, count in history.items() if (first - day).days > 5}
    bridged, direct = coming_days(first, 1, known, PLAIN), coming_days(first, 1, history, PLAIN)
    assert bridged is not None
    assert direct is not None
    assert bridged[0].events == pytest.approx(direct[0].events, rel=0.05)
    assert bridged[0].high - bridged[0].low > direct[0].high - direct[0].low
