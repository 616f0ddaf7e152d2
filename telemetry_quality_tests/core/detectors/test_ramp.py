"""A ramp is told from a step, from noise and from a loss long ago."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry_quality.core.detectors.ramp import is_ramp


def ramp(length: int, slope: float = 0.02, flat: int = 20) -> list[float]:
    return [0.0] * flat + [slope * n for n in range(1, length + 1)]


def stairs(days: int, age: int) -> list[float]:
    """42 days, of which the one ``age`` days ago began a rise of so many equal stairs."""
    return [min(max(n + 1 - (42 - age), 0) / days, 1.0) for n in range(42)]


@pytest.mark.parametrize(("length", "expected"), [(5, False), (9, False), (10, True), (20, True), (35, True)])
def test_a_ramp_of_ten_days_up_to_the_last_value_is_one(length: int, expected: bool) -> None:
    assert is_ramp(ramp(length)) is expected


@pytest.mark.parametrize("age", range(3, 31))
@pytest.mark.parametrize("days", [1, 2, 3, 7])
def test_what_rose_within_a_week_is_no_ramp_however_long_ago(days: int, age: int) -> None:
    assert not is_ramp(stairs(days, age))


@pytest.mark.parametrize(("days", "ages"), [(9, (10, 16)), (12, (10, 23)), (15, (10, 29))])
def test_what_took_longer_is_a_ramp_until_it_has_long_ended(days: int, ages: tuple[int, int]) -> None:
    assert [age for age in range(3, 42) if is_ramp(stairs(days, age))] == list(range(ages[0], ages[1] + 1))


def test_values_that_stay_or_fall_are_no_ramp() -> None:
    assert not is_ramp([1.0] * 30)
    assert not is_ramp([-value for value in ramp(20)])


@pytest.mark.parametrize("place", [1, 10, 30])
def test_an_odd_value_in_between_makes_no_difference(place: int) -> None:
    values = ramp(20)
    values[place] += 5.0
    assert is_ramp(values)


def count_ramps(values: list[float], noise: float) -> int:
    """How many of a thousand noisy copies are called ramps."""
    random = Random(1)
    return sum(is_ramp([value + random.gauss(0, noise) for value in values]) for _ in range(1000))


def test_noise_is_seldom_a_ramp() -> None:
    # 21 where a ramp must explain a quarter of the squares, 52 where it must explain 15 %.
    assert 25 <= count_ramps([0.0] * 42, noise=0.1) <= 45


def test_in_noise_a_step_is_seldom_a_ramp_and_a_ramp_mostly_is() -> None:
    assert count_ramps(stairs(1, 12), noise=0.1) == 0
    assert count_ramps(ramp(24), noise=0.1) > 950
    # Of the noisy steps 53 if the step need not leave less than nine tenths, and 152 if it must leave less than eight.
    assert 60 <= count_ramps(stairs(1, 12), noise=0.3) <= 110
    assert count_ramps(ramp(24), noise=0.3) > 500


@given(st.lists(st.floats(-10, 10), min_size=12, max_size=42), st.floats(0.1, 10), st.floats(-5, 5))
def test_neither_level_nor_scale_matters(values: list[float], scale: float, level: float) -> None:
    rounded = [round(value, 1) for value in values]
    moved = [scale * value + level for value in rounded]
    # At a tie rounding decides.
    assert is_ramp(moved) == is_ramp(rounded) or len(set(rounded)) < 3
