"""How well made-up series are forecast one day ahead: each constant of the method shows in these figures."""

from __future__ import annotations

from math import log
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

import pytest

from telemetry_quality.core.detectors.weekday_stream import PROFILE_MINIMUM, Stream
from telemetry_quality_tests.core.detectors.made_series import EFFECTS, SERIES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from telemetry_quality.core.calendar_effects import CalendarEffect


class Figures(NamedTuple):
    """Mean errors of the log counts, in percent: how far off the middle was, and how far off it was expected to be."""

    error: float
    spread: float


def one_step(counts: Mapping[date, int], effects: Mapping[date, CalendarEffect]) -> list[tuple[bool, float, float]]:
    """Per day, whether it has a calendar effect, its distance from its forecast, and the spread of the forecast."""
    logs = [(day, log(max(count, 1))) for day, count in counts.items()]
    first = [point for point in logs if point[0] not in effects][:PROFILE_MINIMUM]
    stream = Stream(first)
    steps = []
    for day, value in logs:
        if day > first[-1][0]:
            forecast = stream.forecast(day, effects.get(day))
            steps.append((day in effects, abs(value - forecast.middle), forecast.spread))
            stream.learn(day, value, effects.get(day))
    return steps


def figures_of(steps: list[tuple[bool, float, float]], *, of_special_days: bool) -> Figures:
    chosen = [(error, spread) for is_special, error, spread in steps if is_special is of_special_days]
    return Figures(*(100 * fmean(numbers) for numbers in zip(*chosen, strict=True)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("wandering", (7.82780, 10.96577)),
        ("stepping", (13.68804, 11.18404)),
        ("gappy", (6.29664, 8.97519)),
        ("few", (34.55119, 45.85548)),
        ("steady", (0.92447, 2.22693)),
        ("growing", (5.64383, 7.82205)),
    ],
)
def test_ordinary_days_are_forecast_as_well_as_before(name: str, expected: tuple[float, float]) -> None:
    found = figures_of(one_step(SERIES[name](), {}), of_special_days=False)

    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "ordinary", "effect_of_day"),
    [
        ("office", (4.43203, 6.00925), (21.35664, 28.48498)),
        ("restless_saturdays", (8.97518, 9.85342), (38.59746, 45.58840)),
    ],
)
def test_calendar_effects_are_forecast_as_well_as_before_and_disturb_no_other_days(
    name: str, ordinary: tuple[float, float], effect_of_day: tuple[float, float]
) -> None:
    steps = one_step(SERIES[name](), EFFECTS)

    assert figures_of(steps, of_special_days=False) == pytest.approx(ordinary, rel=1e-5)
    assert figures_of(steps, of_special_days=True) == pytest.approx(effect_of_day, rel=1e-5)
