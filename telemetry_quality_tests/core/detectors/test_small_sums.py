"""Small sums: a stream of a few events a day is judged by the sum of its last days."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry_quality.core.detectors.small_sums import (
    FALLEN,
    FEWEST_SUMS,
    LONGEST_DAYS,
    MOST_SUMS,
    RECENT_EVENTS,
    RISEN,
    WEEK_DAYS,
    SumOfDays,
    sum_of_days,
)
from telemetry_quality_tests.builders import DAY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

THREE = (2, 3, 4, 3, 1, 5, 3)
"""A week of a stream of three events a day, 21 in all."""


def make_counts(*counts: int) -> dict[date, int]:
    """The counts of consecutive days, DAY last."""
    return {DAY - timedelta(days=n): count for n, count in enumerate(reversed(counts))}


def sum_after(*latest: int, weeks: int = 10, week: Sequence[int] = THREE, least: float = 20) -> SumOfDays | None:
    """The sum on DAY, after whole usual weeks and then the ``latest`` days."""
    return sum_of_days(DAY, make_counts(*list(week) * weeks, *latest), least)


def is_unusual(*latest: int, weeks: int = 10, week: Sequence[int] = THREE, least: float = 20) -> bool:
    found = sum_after(*latest, weeks=weeks, week=week, least=least)
    assert found is not None
    return found.is_unusual


def test_so_many_days_are_summed_that_the_wanted_number_of_events_is_usual() -> None:
    assert sum_after() == SumOfDays(7, 21, 21.0, is_unusual=False)
    assert sum_after(least=21) == SumOfDays(7, 21, 21.0, is_unusual=False)
    assert sum_after(least=22) == SumOfDays(8, 24, 24.0, is_unusual=False)
    found = sum_after(week=(12,) * 7)
    assert found == SumOfDays(2, 24, 24.0, is_unusual=False)


def test_days_that_are_usually_large_enough_belong_to_no_sum() -> None:
    assert sum_after(week=(20,) * 7) is None
    assert sum_after(week=(19,) * 7) == SumOfDays(2, 38, 38.0, is_unusual=False)

    weekend_after_large_days = sum_after(week=(400, 400, 400, 400, 400, 7, 7))
    assert weekend_after_large_days == SumOfDays(3, 21, 21.0, is_unusual=False)
    assert sum_after(week=(400, 400, 400, 400, 400, 2, 2)) is None


def test_a_sum_reaches_back_four_weeks_at_most() -> None:
    assert LONGEST_DAYS == 28
    enough, too_few = (3, 0, 0, 2, 0, 0, 0), (3, 0, 0, 1, 0, 0, 0)

    found = sum_after(week=enough, weeks=30)
    assert found is not None
    assert (found.days, found.events) == (28, 20)
    assert sum_after(week=too_few, weeks=30) is None


def test_four_earlier_sums_must_be_known_and_eight_are_looked_at() -> None:
    assert (FEWEST_SUMS, MOST_SUMS, WEEK_DAYS) == (4, 8, 7)
    assert sum_after(weeks=4) is None
    assert sum_after(weeks=5) == SumOfDays(7, 21, 21.0, is_unusual=False)

    older = make_counts(*[9] * 70, *list(THREE) * 9)
    assert sum_of_days(DAY, older, 20) == SumOfDays(7, 21, 21.0, is_unusual=False)


def test_a_week_with_an_unknown_day_is_no_earlier_sum() -> None:
    counts = make_counts(*list(THREE) * 5)
    del counts[DAY - timedelta(days=10)]

    assert sum_of_days(DAY, counts, 20) is None


def test_an_unknown_day_is_no_part_of_the_sum() -> None:
    counts = make_counts(*list(THREE) * 12)
    del counts[DAY - timedelta(days=1)]

    found = sum_of_days(DAY, counts, 20)
    assert found is not None
    assert found.days == 8
    del counts[DAY]
    assert sum_of_days(DAY, counts, 20) is None


@pytest.mark.parametrize(
    ("latest", "unusual"),
    [
        ((0,), False),
        ((0, 0), False),
        ((0, 0, 0), False),
        ((0, 0, 0, 0, 0), True),
        ((1, 1, 1, 1, 1, 1, 1), True),
        ((1, 2, 2, 2, 2, 2, 2), False),
        ((6, 6, 6, 6, 6, 6, 6), True),
        ((4, 4, 4, 4, 4, 4, 4), False),
        ((19,), True),
    ],
)
def test_a_stream_that_stops_falls_to_a_third_or_doubles_is_found_within_days(
    latest: tuple[int, ...], unusual: bool
) -> None:
    assert is_unusual(*latest) is unusual


def test_the_deviation_is_that_of_the_sum() -> None:
    found = sum_after(1, 1, 1, 1, 1, 1, 1)

    assert found is not None
    assert (found.days, found.events, found.usual_events) == (7, 7, 21.0)
    assert found.deviation_percent == pytest.approx(-100 * 14 / 21)


def test_ordinary_days_after_an_outage_pass_although_the_sum_still_contains_it() -> None:
    assert is_unusual(0, 0, 0, 0, 0)
    assert not is_unusual(0, 0, 0, 0, 0, 3)
    assert is_unusual(0, 0, 0, 0, 0, 1)


@pytest.mark.parametrize(("last", "unusual"), [(11, True), (12, False), (13, False)])
def test_the_latest_day_agrees_with_a_fall_strictly_below_six_tenths_of_the_usual(last: int, unusual: bool) -> None:
    assert (FALLEN, RECENT_EVENTS) == (0.6, 3.0)
    week = (20,) * 7
    assert is_unusual(1, last, week=week, least=30) is unusual


@pytest.mark.parametrize(("last", "unusual"), [(28, False), (29, False), (30, True)])
def test_the_latest_day_agrees_with_a_rise_strictly_above_145_percent(last: int, unusual: bool) -> None:
    assert RISEN == 1.45
    assert is_unusual(60, last, week=(20,) * 7, least=30) is unusual


def test_the_latest_days_on_which_three_events_are_expected_must_agree() -> None:
    """Of a stream of one event a day, the last three days: one event among them agrees with a fall, two do not."""
    ones = (1,) * 7
    empty = (0,) * 14
    assert is_unusual(*empty, 0, 0, 1, week=ones, weeks=20)
    assert is_unusual(*empty, 1, 0, 0, week=ones, weeks=20)
    assert not is_unusual(*empty, 1, 1, 0, week=ones, weeks=20)
    assert not is_unusual(*empty, 1, 0, 1, week=ones, weeks=20)


def test_a_level_that_two_earlier_sums_had_is_usual_unless_it_is_nothing() -> None:
    low, none = (1,) * 7, (0,) * 7

    assert is_unusual(*low)
    assert is_unusual(*low, *low)
    assert not is_unusual(*low, *low, *low)
    assert is_unusual(*none, *none, *none)


def test_an_outage_in_the_history_does_not_hide_the_next_one() -> None:
    counts = [*list(THREE) * 5, *[0] * 7, *list(THREE) * 5]

    assert is_unusual(*counts, 0, 0, 0, 0, 0, weeks=0)


def test_a_restless_stream_is_allowed_more() -> None:
    random = Random(2)
    restless = [random.choice((0, 0, 1, 1, 2, 3, 4, 13)) for _ in range(70)]

    assert is_unusual(0, 0, 0, 0, 0)
    assert not is_unusual(*restless, 0, 0, 0, 0, 0, weeks=0)


def poisson(mean: float, random: Random) -> int:
    """A Poisson count, from the waiting times between events."""
    count, time = 0, random.expovariate(mean)
    while time < 1:
        count, time = count + 1, time + random.expovariate(mean)
    return count


@pytest.mark.slow
@pytest.mark.parametrize("mean", [1, 3, 9])
def test_a_stream_on_which_nothing_is_wrong_fails_on_fewer_than_one_day_in_a_hundred(mean: float) -> None:
    random = Random(7)
    failed = judged = 0
    for _ in range(5):
        counts = make_counts(*(poisson(mean, random) for _ in range(330)))
        for back in range(200):
            day = DAY - timedelta(days=back)
            if (found := sum_of_days(day, counts, 20)) is not None:
                judged += 1
                failed += found.is_unusual
    assert judged > 500
    assert 100 * failed < judged


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 12), min_size=60, max_size=120),
    st.dictionaries(st.integers(1, 30), st.integers(0, 500), max_size=8),
)
def test_no_later_day_changes_a_sum(counts: list[int], later: dict[int, int]) -> None:
    known = make_counts(*counts)

    assert sum_of_days(DAY, known | {DAY + timedelta(days=n): count for n, count in later.items()}, 20) == sum_of_days(
        DAY, known, 20
    )
