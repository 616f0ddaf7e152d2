"""The first fortnight: one bad day in it is no part of the profile, and a weekday is not learnt from chance."""

from __future__ import annotations

from datetime import date, timedelta
from math import exp, log

import pytest

from telemetry_quality.core.detectors.first_profile import DISAGREEMENT, FAR_OFF, first_profile

MONDAY = date(2026, 3, 2)
WEEK = (1000, 1050, 1020, 1000, 950, 600, 500)


def fortnight(**changed: int) -> list[tuple[date, int]]:
    """Two weeks of ``WEEK``, the second of them 2 % busier; ``d3=0`` changes the count of the day at index 3."""
    counts = [round(count * (1.02 if n >= 7 else 1)) for n, count in enumerate(2 * WEEK)]
    for name, count in changed.items():
        counts[int(name[1:])] = count
    return [(MONDAY + timedelta(days=n), count) for n, count in enumerate(counts)]


def expected(profile_of: list[tuple[date, int]], weekday: int) -> float:
    profile = first_profile(profile_of)
    return exp(profile.level + profile.offsets[weekday])


@pytest.mark.parametrize("index", range(14))
@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 4.0])
def test_one_bad_day_is_left_out(index: int, share: float) -> None:
    bad = fortnight(**{f"d{index}": round(WEEK[index % 7] * share)})

    assert expected(bad, index % 7) == pytest.approx(expected(fortnight(), index % 7), rel=0.08)
    for weekday in range(7):
        assert expected(bad, weekday) == pytest.approx(expected(fortnight(), weekday), rel=0.08)


def test_weekends_that_are_empty_twice_are_believed() -> None:
    quiet = fortnight(d5=0, d6=0, d12=0, d13=0)

    assert expected(quiet, 5) == pytest.approx(1, abs=0.2)
    assert expected(quiet, 0) == pytest.approx(1010, rel=0.03)
    assert first_profile(quiet).weekday_days == [2, 2, 2, 2, 2, 2, 2]


def test_a_weekday_that_is_empty_once_was_seen_once() -> None:
    assert first_profile(fortnight(d12=0)).weekday_days == [2, 2, 2, 2, 2, 1, 2]


@pytest.mark.parametrize(("factor", "days"), [(0.95, 2), (1.05, 1)])
def test_two_days_of_a_weekday_contradict_each_other_beyond_a_factor(factor: float, days: int) -> None:
    other = round(1020 * exp(-DISAGREEMENT * factor))

    assert first_profile(fortnight(d0=other)).weekday_days[0] == days


@pytest.mark.parametrize(("factor", "days"), [(0.95, 1), (1.05, 0)])
def test_a_weekday_seen_once_is_believed_only_near_the_rest_of_the_week(factor: float, days: int) -> None:
    seen = [
        (day, count)
        for day, count in fortnight(d5=round(1010 * exp(-FAR_OFF * factor)))
        if day != MONDAY + 12 * timedelta(days=1)
    ]

    assert first_profile(seen).weekday_days[5] == days


def test_a_weekday_is_shrunk_to_the_week_as_far_as_its_distance_may_be_chance() -> None:
    noisy = [1000, 1300, 900, 1200, 800, 1100, 1250, 1250, 950, 1200, 900, 1150, 850, 1000]
    profile = first_profile([(MONDAY + timedelta(days=n), count) for n, count in enumerate(noisy)])
    own = (log(1300) + log(950)) / 2 - profile.level

    assert abs(profile.offsets[1]) < 0.5 * abs(own) + 0.02


def test_growth_between_the_two_weeks_moves_the_level_to_the_last_day() -> None:
    growing = [(MONDAY + timedelta(days=n), round(10_000 * 1.01**n)) for n in range(14)]
    profile = first_profile(growing)

    assert exp(profile.level) == pytest.approx(10_000 * 1.01**13, rel=0.01)
    assert max(map(abs, profile.offsets)) < 0.01
    assert sum(profile.offsets) == pytest.approx(0)
