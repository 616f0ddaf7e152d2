"""How well made-up series are forecast one day ahead: each constant of the method shows in these figures."""

from __future__ import annotations

from math import log
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

import pytest

from telemetry_quality.core.detectors.weekday_stream import Stream, StreamCalendar
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
    stream = Stream(StreamCalendar(effects))
    steps = []
    for day, count in counts.items():
        if stream.regime is not None:
            forecast = stream.forecast(day)
            steps.append((day in effects, abs(log(max(count, 1)) - forecast.middle), forecast.spread))
        stream.learn(day, count)
    return steps


def figures_of(steps: list[tuple[bool, float, float]], *, of_special_days: bool) -> Figures:
    chosen = [(error, spread) for is_special, error, spread in steps if is_special is of_special_days]
    return Figures(*(100 * fmean(numbers) for numbers in zip(*chosen, strict=True)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("wandering", (7.75023, 10.83016)),
        ("stepping", (13.42783, 8.85857)),
        ("gappy", (6.26426, 8.91432)),
        ("few", (34.56800, 45.72153)),
        ("steady", (0.92409, 2.22691)),
        ("growing", (5.65464, 7.83308)),
    ],
)
def test_ordinary_days_are_forecast_as_well_as_before(name: str, expected: tuple[float, float]) -> None:
    found = figures_of(one_step(SERIES[name](), {}), of_special_days=False)

    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "ordinary", "effect_of_day"),
    [
        ("office", (4.43042, 6.00683), (20.85203, 27.66750)),
        ("restless_saturdays", (9.39417, 9.15706), (40.05655, 47.34291)),
    ],
)
def test_calendar_effects_are_forecast_as_well_as_before_and_disturb_no_other_days(
    name: str, ordinary: tuple[float, float], effect_of_day: tuple[float, float]
) -> None:
    steps = one_step(SERIES[name](), EFFECTS)

    assert figures_of(steps, of_special_days=False) == pytest.approx(ordinary, rel=1e-5)
    assert figures_of(steps, of_special_days=True) == pytest.approx(effect_of_day, rel=1e-5)
