"""A ramp is told from a step, from noise and from a loss long ago."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry_quality.core.detectors.ramp import is_ramp


def ramp(length: int, slope: float = 0.02, flat: int = 20) -> list[float]:
    return [0.0] * flat + [slope * n for n in range(1, length + 1)]


@pytest.mark.parametrize("length", [8, 12, 20, 35])
def test_a_ramp_up_to_the_last_value_is_one(length: int) -> None:
    assert is_ramp(ramp(length))


@pytest.mark.parametrize("age", [3, 5, 10, 20, 30])
@pytest.mark.parametrize("step_days", [1, 2, 3])
def test_a_step_is_no_ramp(age: int, step_days: int) -> None:
    steps = [(n + 1) / step_days for n in range(step_days)]
    assert not is_ramp([*[0.0] * (42 - age), *steps, *[1.0] * (age - step_days)])


def test_values_that_stay_or_fall_are_no_ramp() -> None:
    assert not is_ramp([1.0] * 30)
    assert not is_ramp([-value for value in ramp(20)])


@pytest.mark.parametrize("place", [1, 10, 30])
def test_an_odd_value_in_between_makes_no_difference(place: int) -> None:
    values = ramp(20)
    values[place] += 5.0
    assert is_ramp(values)


def test_noise_is_seldom_a_ramp_and_a_ramp_in_noise_mostly_is() -> None:
    random = Random(1)
    noise = [[random.gauss(0, 0.1) for _ in range(42)] for _ in range(200)]
    noisy_ramps = [[a + b for a, b in zip(values, ramp(22), strict=True)] for values in noise]

    assert sum(map(is_ramp, noise)) < 20
    assert sum(map(is_ramp, noisy_ramps)) > 170


@given(st.lists(st.floats(-10, 10), min_size=12, max_size=42), st.floats(0.1, 10), st.floats(-5, 5))
def test_neither_level_nor_scale_matters(values: list[float], scale: float, level: float) -> None:
    rounded = [round(value, 1) for value in values]
    moved = [scale * value + level for value in rounded]
    # At a tie rounding decides.
    assert is_ramp(moved) == is_ramp(rounded) or len(set(rounded)) < 3
