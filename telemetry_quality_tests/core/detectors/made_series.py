"""Made-up series of daily counts, each with something that real streams do; the same on every run."""

from __future__ import annotations

from datetime import date, timedelta
from math import exp
from random import Random
from typing import TYPE_CHECKING

from telemetry_quality.core.calendar_effects import BETWEEN, NEAR, calendar_effects

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from telemetry_quality.core.calendar_effects import CalendarEffect

FIRST = date(2023, 10, 2)
"""A Monday; Thanksgiving and Christmas are seen three times."""
DAYS = 850

OFFICE_WEEK = (1.0, 1.1, 1.05, 1.0, 0.9, 0.45, 0.35)

EFFECTS: Mapping[date, CalendarEffect] = {**calendar_effects("US", 2024), **calendar_effects("US", 2026)}

Counts = dict[date, int]


def _series(seed: int, level: Callable[[int, Random], float], *, days: int = DAYS) -> Counts:
    random = Random(seed)
    return {FIRST + timedelta(days=n): max(0, round(level(n, random))) for n in range(days)}


def _weekday(n: int) -> float:
    return OFFICE_WEEK[n % 7]


def _holiday(n: int) -> float:
    effect_of_day = EFFECTS.get(FIRST + timedelta(days=n))
    if effect_of_day is None:
        return 1.0
    return 0.85 if effect_of_day.kind == BETWEEN else 0.7 if effect_of_day.kind == NEAR else 0.4


def office() -> Counts:
    """Weekdays, holidays, and surprises of which a share remains the day after."""
    state = [0.0]

    def level(n: int, random: Random) -> float:
        state[0] = 0.5 * state[0] + random.gauss(0, 0.05)
        return 10_000 * _weekday(n) * _holiday(n) * exp(state[0])

    return _series(1, level)


def wandering() -> Counts:
    """A level that drifts freely and never reverts."""
    state = [0.0]

    def level(_: int, random: Random) -> float:
        state[0] += random.gauss(0, 0.08)
        return 50_000 * exp(state[0])

    return _series(2, level, days=300)


def restless_saturdays() -> Counts:
    """Saturdays vary far more than other days, and no two holidays agree."""

    def level(n: int, random: Random) -> float:
        spread = 0.4 if n % 7 == 5 else 0.05
        strange = random.gauss(0, 0.3) if _holiday(n) < 1 else 0.0
        return 20_000 * _weekday(n) * exp(random.gauss(0, spread) + strange)

    return _series(3, level)


def stepping() -> Counts:
    """An occasional new level, and an occasional day on which everything is lost or doubled."""

    def level(n: int, random: Random) -> float:
        step = (1.0, 2.2, 1.3, 0.6)[n // 90 % 4]
        odd = {40: 0.0, 130: 2.0, 131: 2.0, 260: 0.1, 261: 0.1, 262: 0.1}.get(n % 360, 1.0)
        return 5_000 * _weekday(n) * step * odd * exp(random.gauss(0, 0.06))

    return _series(4, level, days=500)


def gappy() -> Counts:
    """Days that could not be read: single ones, some in a row, and once three weeks."""
    gone = {
        n
        for start, length in ((30, 1), (60, 3), (90, 9), (120, 13), (160, 14), (200, 15), (250, 30))
        for n in range(start, start + length)
    }
    known = _series(5, lambda n, random: 8_000 * _weekday(n) * exp(random.gauss(0, 0.07)), days=320)
    return {day: count for n, (day, count) in enumerate(known.items()) if n not in gone}


def few() -> Counts:
    """So few events that chance decides most."""
    return _series(6, lambda n, random: sum(random.random() < 0.02 * _weekday(n) for _ in range(500)), days=300)


def steady() -> Counts:
    """Nearly constant counts, except for a few days."""
    return _series(
        7, lambda n, random: 1_000_000 * (1 + random.gauss(0, 0.004) + (0.3 if n % 50 == 49 else 0.0)), days=300
    )


def growing() -> Counts:
    """One percent more every day, on quiet weekends too."""
    return _series(8, lambda n, random: 1_000 * _weekday(n) * 1.01**n * exp(random.gauss(0, 0.05)), days=300)


SERIES: Mapping[str, Callable[[], Counts]] = {
    made.__name__: made for made in (office, wandering, restless_saturdays, stepping, gappy, few, steady, growing)
}
