"""Bursts of errors: how many more errors than usual a run of hours must have."""

from __future__ import annotations

from datetime import date, timedelta
from math import log
from random import Random
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.detectors import error_bursts
from telemetry_quality.core.detectors.error_bursts import ErrorBurst, HourErrors, error_burst, is_history_enough

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DAY = date(2026, 3, 2)


def known(errors: Callable[[int, int], int] = lambda _n, _hour: 1, days: int = 42) -> dict[date, HourErrors]:
    """Earlier days of 100 events an hour; ``errors`` gets how many days ago a day was, and the hour."""
    return {
        DAY - timedelta(days=n): HourErrors([100] * 24, [errors(n, hour) for hour in range(24)])
        for n in range(1, days + 1)
    }


def burst(
    found: Mapping[int, int], earlier: Mapping[date, HourErrors], least_percent: float = 10.0, other: int = 1
) -> ErrorBurst | None:
    """The burst of a day of 100 events an hour with these errors in some hours, and ``other`` in the rest."""
    errors = [found.get(hour, other) for hour in range(24)]
    return error_burst(DAY, HourErrors([100] * 24, errors), earlier, least_percent)


def test_a_burst_names_its_hours_and_what_was_usual_in_them() -> None:
    assert burst({9: 30, 10: 40, 11: 30}, known()) == ErrorBurst(9, 11, 3.0, 100, 300)
    assert ErrorBurst(9, 11, 3.0, 100, 300).percent == pytest.approx(100 / 3)


@pytest.mark.parametrize(("errors", "is_found"), [(19, False), (20, False), (21, True)])
def test_the_share_of_errors_must_be_strictly_above_the_least(errors: int, is_found: bool) -> None:
    assert bool(burst({9: errors}, known(), 20.0)) is is_found


@pytest.mark.parametrize(("errors", "is_found"), [(9, False), (10, True), (11, True)])
def test_a_burst_has_at_least_ten_errors(errors: int, is_found: bool) -> None:
    assert bool(burst({9: errors}, known(lambda _n, _hour: 0), 5.0, other=0)) is is_found


@pytest.mark.parametrize(("errors", "is_found"), [(59, False), (60, False), (75, True)])
def test_a_burst_is_more_than_three_times_what_the_rest_of_the_day_has(errors: int, is_found: bool) -> None:
    assert bool(burst({9: errors}, known(), other=20)) is is_found


def test_a_day_with_errors_at_all_hours_has_no_burst() -> None:
    assert burst({}, known(), other=40) is None


def test_errors_that_come_every_night_are_usual() -> None:
    nightly = known(lambda _n, hour: 40 if hour == 2 else 1)
    assert burst({2: 42}, nightly) is None
    assert burst({3: 42}, nightly)


def test_two_bursts_on_earlier_days_teach_nothing_and_frequent_ones_do() -> None:
    assert burst({9: 40}, known(lambda n, _hour: 60 if n in {5, 9} else 1))
    assert burst({9: 40}, known(lambda n, _hour: 60 if n % 4 == 0 else 1)) is None


def test_hours_whose_errors_vary_need_more_errors() -> None:
    random = Random(2)
    varied = known(lambda _n, _hour: random.choice([0, 0, 0, 1, 2, 12]))
    assert burst({9: 13}, known())
    assert burst({9: 13}, varied) is None
    assert burst({9: 90, 10: 90}, varied)


@pytest.mark.parametrize(("days", "is_enough"), [(13, False), (14, True), (15, True)])
def test_two_weeks_show_what_is_usual(days: int, is_enough: bool) -> None:
    assert is_history_enough(known(days=days)) is is_enough
    assert bool(burst({9: 40}, known(days=days))) is is_enough


def test_the_longest_burst_is_half_a_day() -> None:
    found = burst(dict.fromkeys(range(6, 18), 50), known())
    assert found is not None
    assert (found.first, found.last) == (6, 17)


def test_later_days_and_the_day_itself_are_ignored() -> None:
    later = {DAY + timedelta(days=n): HourErrors([100] * 24, [90] * 24) for n in range(40)}
    assert burst({9: 40}, known() | later) == burst({9: 40}, known())


def test_hours_are_compared_by_the_clock() -> None:
    nightly = known(lambda _n, hour: 40 if hour == 2 else 1)
    clock = (0, 1, 1, *range(2, 24))
    errors = [42 if hour == 2 else 1 for hour in clock]
    assert error_burst(DAY, HourErrors([100] * 25, errors), nightly, 10.0, clock) is None


def test_an_hour_that_an_earlier_day_did_not_have_says_nothing_about_that_day() -> None:
    without = {DAY - timedelta(days=1): HourErrors([100, 100, None, *[100] * 21], [1, 1, None, *[1] * 21])}
    assert burst({2: 40}, known() | without) == burst({2: 40}, known())


def test_the_bound_of_chance_agrees_with_chernoffs() -> None:
    steady = [([100.0 * n for n in range(25)], [1.0 * n for n in range(25)]) for _ in range(14)]
    surprise = error_bursts._surprise(ErrorBurst(9, 9, 1.0, 20, 100), steady, range(24))
    mean, k = 1 + 100 / (14 * 2400), 1 / error_bursts.LEAST_DISPERSION
    assert surprise == pytest.approx(20 * log(20 * (k + mean) / (mean * (k + 20))) + k * log((k + mean) / (k + 20)))


@pytest.mark.parametrize("usual", [0, 1])
def test_good_hours_beside_a_burst_do_not_belong_to_it(usual: int) -> None:
    found = burst({9: 15, 10: 15, 11: 15}, known(lambda _n, _hour: usual), other=0)
    assert found is not None
    assert (found.first, found.last) == (9, 11)


@pytest.mark.parametrize(("errors", "last"), [(14, 9), (15, 9), (16, 10)])
def test_an_hour_with_half_the_least_share_is_no_end_of_a_burst(errors: int, last: int) -> None:
    found = burst({9: 90, 10: errors}, known(), 30.0)
    assert found is not None
    assert (found.first, found.last) == (9, last)
