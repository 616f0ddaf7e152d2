"""What really happens to streams: outages and the days after them, batches, holidays nobody named, days of rest."""

from __future__ import annotations

from datetime import date, timedelta
from math import exp, log
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry_quality.core.calendar_effects import calendar_effects
from telemetry_quality.core.detectors.expected_volume import REST, Expectation, expect, is_far, is_steadier_than_chance
from telemetry_quality.core.detectors.kept_holidays import KeptHolidays
from telemetry_quality.core.detectors.level_changes import RETURN_DAYS, SHIFT_DAYS, SURE_SHIFT_DAYS
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.judging import expectation_settings

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST = date(2025, 2, 3)
"""A Monday; until the middle of April few countries have holidays."""


def day_at(n: int) -> date:
    return FIRST + timedelta(days=n)


def made(
    days: int, noise: float = 0.04, seed: int = 1, level: Callable[[int], float] = lambda _: 5000
) -> dict[date, int]:
    random = Random(seed)
    return {day_at(n): round(level(n) * exp(random.gauss(0, noise))) for n in range(days)}


def office(n: int) -> float:
    return 400 if n % 7 < 5 else 0


def expected(day: date, history: dict[date, int], new_levels: tuple[date, ...] = (), **values: Any) -> Expectation:
    return expect(day, history, expectation_settings(policy_of(**values)), new_levels)


def alarms(history: dict[date, int], first: int, **values: Any) -> list[int]:
    """Days from ``first`` on that the default rule ``both`` fails."""
    found = []
    for n in range(first, len(history)):
        count, expectation = history[day_at(n)], expected(day_at(n), history, **values)
        if expectation.events is None or expectation.low is None or expectation.high is None:
            continue
        deviates = abs(count - expectation.events) > 0.3 * expectation.events
        unusual = not expectation.low <= count <= expectation.high
        if max(count, expectation.events) >= 20 and deviates and (unusual or is_far(count, expectation, 35)):
            found.append(n)
    return found


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3])
@pytest.mark.parametrize("length", [1, 3, 4, 5, 8, 16])
def test_an_outage_costs_at_most_one_ordinary_day_after_it(length: int, share: float) -> None:
    history = made(110)
    for n in range(70, 70 + length):
        history[day_at(n)] = round(history[day_at(n)] * share)

    found = alarms(history, 70)

    assert 70 in found
    assert len([n for n in found if n >= 70 + length]) <= 1


def test_an_empty_day_teaches_nothing_at_all() -> None:
    history = made(80)
    day = day_at(80)
    without = {past: count for past, count in history.items() if past != day_at(75)}

    emptied = expected(day, history | {day_at(75): 0})

    assert emptied.events == expected(day, without).events
    assert emptied.low == expected(day, without).low


@pytest.mark.parametrize(("days", "is_accepted"), [(SHIFT_DAYS - 1, False), (SHIFT_DAYS, True)])
def test_four_days_alike_are_a_new_level(days: int, is_accepted: bool) -> None:
    history = made(60 + days, level=lambda n: 5000 if n < 60 else 2000)

    assert expected(day_at(60 + days), history).events == pytest.approx(2000 if is_accepted else 5000, rel=0.15)


@pytest.mark.parametrize(("days", "is_accepted"), [(SURE_SHIFT_DAYS - 1, False), (SURE_SHIFT_DAYS, True)])
def test_days_that_differ_wildly_are_no_level_until_they_last(days: int, is_accepted: bool) -> None:
    wild = [300, 40, 2000, 90, 1100, 30, 700]
    history = made(60) | {day_at(60 + n): wild[n % 7] for n in range(days)}
    events = expected(day_at(60 + days), history).events

    assert events is not None
    assert (events < 2500) is is_accepted


@pytest.mark.parametrize(("away", "returns"), [(RETURN_DAYS - 5, True), (RETURN_DAYS + 10, False)])
def test_the_old_level_is_back_after_one_day_unless_it_is_long_gone(away: int, returns: bool) -> None:
    back = 60 + away
    history = made(back + 1, level=lambda n: 2000 if 60 <= n < back else 5000)

    assert (expected(day_at(back + 1), history).events == pytest.approx(5000, rel=0.1)) is returns


def test_a_weekday_that_is_far_off_twice_alike_has_changed_and_one_that_is_far_off_once_has_not() -> None:
    history = made(80)
    once, twice = day_at(54), day_at(61)
    changed = history | {once: 1200, twice: 1200}

    assert expected(twice, {past: n for past, n in changed.items() if past < twice}).events == pytest.approx(
        5000, rel=0.1
    )
    assert expected(day_at(68), changed).events == pytest.approx(1200, rel=0.2)
    assert expected(day_at(69), changed).events == pytest.approx(5000, rel=0.1)


def test_peaks_do_not_widen_the_interval_downwards() -> None:
    history = made(200, noise=0.1)
    viral = history | {day_at(n): 4 * history[day_at(n)] for n in range(60, 200, 9)}

    calm, restless = expected(day_at(200), history), expected(day_at(200), viral)

    assert calm.low is not None
    assert restless.low is not None
    assert restless.high is not None
    assert calm.high is not None
    assert restless.low > 0.75 * calm.low
    assert restless.high > 1.1 * calm.high


def test_a_monthly_batch_is_expected_from_the_third_month_on() -> None:
    history = {day: count * (4 if day.day == 1 else 1) for day, count in made(160).items()}
    batch = date(2025, 6, 1)
    found = expected(batch, history)

    assert found.events == pytest.approx(20_000, rel=0.3)
    assert found.low is not None
    assert found.low < 5000
    assert expected(date(2025, 4, 1), history).events == pytest.approx(5000, rel=0.1)
    assert expected(date(2025, 6, 2), history).events == pytest.approx(5000, rel=0.1)


def test_every_second_friday_is_expected_after_three_of_them() -> None:
    history = made(120, level=lambda n: 12_000 if n % 14 == 4 else 5000)

    assert expected(day_at(14 * 8 + 4), history).events == pytest.approx(12_000, rel=0.15)
    assert expected(day_at(14 * 7 + 11), history).events == pytest.approx(5000, rel=0.15)


def test_chance_in_small_streams_recurs_no_day() -> None:
    random = Random(4)
    history = {day_at(n): sum(random.random() < 0.01 for _ in range(600)) for n in range(200)}

    for n in range(150, 200):
        events = expected(day_at(n), history).events
        assert events is not None
        assert 2 < events < 10


def test_a_weekday_only_stream_is_usually_empty_at_weekends_and_on_no_working_day() -> None:
    history = made(60, level=office)

    assert [expected(day_at(n), history).is_empty_usual for n in range(56, 63)] == [False] * 5 + [True] * 2
    assert not alarms(history, 21)


def test_a_holiday_nobody_named_passes_once_the_stream_showed_that_it_keeps_such_holidays() -> None:
    keeps = {day for day, effect in calendar_effects("US", 2025).items() if effect.kind == "holiday"}
    history = made(330, level=lambda n: 2500 if day_at(n) in keeps else 5000 if n % 7 < 5 else 3000)

    found = expected(date(2025, 9, 1), history)

    assert found.calendar_effect == "perhaps Labor Day"
    assert found.low is not None
    assert found.low < 2500
    assert found.events == pytest.approx(5000, rel=0.1)
    assert expected(date(2025, 9, 2), history).calendar_effect is None


def test_a_stream_that_works_through_holidays_soon_has_none() -> None:
    history = made(330, level=lambda n: 5000 if n % 7 < 5 else 3000)
    found = expected(date(2025, 12, 25), history)

    assert found.calendar_effect is None
    assert found.low is not None
    assert found.low > 4000


def test_an_untold_calendar_is_learnt_by_bayes_rule() -> None:
    kept = KeptHolidays()
    showa_day, new_year = date(2026, 4, 29), date(2026, 1, 1)  # the first in Japan alone

    assert kept.possible(showa_day) is None
    assert kept.possible(new_year) is not None
    kept.learn(date(2025, 11, 3), is_quiet=True)  # Culture Day
    assert kept.possible(showa_day) is not None
    for day in (date(2025, 11, 24), date(2026, 1, 12), date(2026, 2, 11), date(2026, 2, 23), date(2026, 3, 20)):
        kept.learn(day, is_quiet=False)
    assert kept.possible(showa_day) is None


@pytest.mark.parametrize("year", [1970, 2000, 2036, 2100])
def test_holidays_of_any_year_may_be_kept_without_a_warning(year: int) -> None:
    # Warnings fail tests; a library's warning would reach everybody who judges old days.
    assert KeptHolidays().possible(date(year, 12, 25)) is not None


def test_a_set_calendar_is_believed_and_no_other_is_tried() -> None:
    history = made(330, level=lambda n: 5000 if n % 7 < 5 else 3000)

    assert expected(date(2025, 12, 25), history, holidays="US").calendar_effect == "Christmas Day"
    assert expected(date(2025, 10, 3), history, holidays="US").calendar_effect is None


def test_one_black_friday_does_not_teach_that_christmas_eve_is_busy() -> None:
    peaks = {date(2025, 11, 28): 3.0, date(2025, 12, 1): 2.5}
    history = made(330, level=lambda n: 5000 * peaks.get(day_at(n), 1.0))
    twice = made(
        330, level=lambda n: 5000 * (3.0 if day_at(n) in {date(2025, 7, 3), *peaks, date(2025, 12, 24)} else 1)
    )

    assert expected(date(2025, 12, 24), history, holidays="US").events == pytest.approx(5000, rel=0.1)
    assert expected(date(2025, 12, 26), twice, holidays="US").events > 7000  # type: ignore[operator]


@pytest.mark.parametrize(("count", "is_far_off"), [(460, False), (430, True)])
def test_on_a_holiday_a_day_is_far_off_later_than_on_an_ordinary_day(count: int, is_far_off: bool) -> None:
    assert is_far(count, Expectation(1000, 300, 3000, calendar_effect="Labor Day"), 35) is is_far_off
    assert is_far(count, Expectation(1000, 300, 3000), 35)


def test_nine_jobs_a_day_are_steadier_than_chance_and_nine_users_a_day_are_not() -> None:
    random = Random(6)
    jobs = {day_at(n): 8 if n % 15 == 7 else 9 for n in range(120)}
    users = {day_at(n): sum(random.random() < 0.01 for _ in range(900)) for n in range(120)}
    steady, chance = expected(day_at(120), jobs), expected(day_at(120), users)

    assert is_steadier_than_chance(steady)
    assert steady.low is not None
    assert 5 < steady.low <= 8
    assert not is_steadier_than_chance(chance)
    assert chance.low is not None
    assert chance.low < 5


@pytest.mark.parametrize(("low", "is_steady"), [(5.64, False), (5.66, True)])
def test_a_stream_is_steady_if_its_interval_is_clearly_shorter_than_that_of_chance(low: float, is_steady: bool) -> None:
    # 0.7 x 2.58 / sqrt(10) = 0.571 in logs.
    assert is_steadier_than_chance(Expectation(10, low, 20)) is is_steady


def test_one_event_more_or_less_is_never_unusual() -> None:
    always = {day_at(n): 9 for n in range(200)}
    found = expected(day_at(200), always)

    assert found.low == 8
    assert found.high is not None
    assert 10 <= found.high < 11


def test_on_days_of_rest_nothing_is_missed_and_rest_days_are_not_learnt_from() -> None:
    week_off = {day_at(n): 3 for n in range(70, 75)}
    history = made(80) | week_off
    week_of_rest = (f"{day_at(70)}...{day_at(74)}",)
    found = expected(day_at(72), history, rest_days=week_of_rest)
    without = {past: count for past, count in history.items() if past not in week_off}

    assert (found.low, found.is_empty_usual, found.calendar_effect) == (0, True, REST)
    assert expected(day_at(80), history, rest_days=week_of_rest) == expected(day_at(80), without)
    assert expected(day_at(10), made(10), rest=("thu",)).is_empty_usual
    assert not expected(day_at(11), made(11), rest=("thu",)).is_empty_usual


def test_an_empty_weekday_of_rest_is_learnt_as_empty_from_the_start() -> None:
    history = made(40, level=office)

    assert expected(day_at(40), history, rest=("sat", "sun")).events == pytest.approx(1, abs=0.5)


def test_an_accepted_level_is_normal_from_its_day_on() -> None:
    history = made(61, level=lambda n: 5000 if n < 60 else 2000)

    assert expected(day_at(61), history).events == pytest.approx(5000, rel=0.1)
    assert expected(day_at(61), history, (day_at(60),)).events == pytest.approx(2000, rel=0.15)


def test_the_first_days_of_an_accepted_level_decide_together() -> None:
    # The change came in the afternoon of the first day.
    history = made(66, level=lambda n: 5000 if n < 60 else 3900 if n == 60 else 2000)

    assert expected(day_at(64), history, (day_at(60),)).events == pytest.approx(2000, rel=0.1)


def test_an_accepted_level_ends_the_way_back() -> None:
    history = made(80, level=lambda n: 5000 if n < 60 else 2000)
    returned = history | {day_at(80): 5000}

    assert expected(day_at(81), returned).events == pytest.approx(5000, rel=0.1)
    assert expected(day_at(81), returned, (day_at(60),)).events == pytest.approx(2000, rel=0.2)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.integers(0, 5000), min_size=30, max_size=120),
    st.lists(st.integers(0, 10**6), min_size=1, max_size=20),
    st.sets(st.integers(0, 140), max_size=3),
)
def test_no_later_day_matters_whatever_was_accepted(counts: list[int], later: list[int], accepted: set[int]) -> None:
    history = {day_at(n): count for n, count in enumerate(counts)}
    day = day_at(len(counts))
    future = {day + timedelta(days=n): count for n, count in enumerate(later)}
    levels = tuple(day_at(n) for n in accepted)

    found = expected(day, history, levels, rest=("sun",))

    assert found == expected(day, history | future, levels, rest=("sun",))
    if found.low is not None and found.high is not None:
        assert 0 <= found.low <= found.high < exp(log(10) * 300)
