"""A slow leak is seen against an older reference, and weekdays, holidays, growth and noise are none."""

from __future__ import annotations

from datetime import date, timedelta
from math import exp, log, pi, sin, sqrt
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry_quality.core.calendar_effects import calendar_effects, holiday_calendar
from telemetry_quality.core.detectors.leak import LeakEvidence, leak
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.leak import SIGMAS as LEAK_SIGMAS
from telemetry_quality.core.guardrails.leak import THRESHOLD as LEAK_PERCENT

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = date(2026, 6, 10)
POLICY = policy_of()
HOLIDAYS = "US"


def make_days(last: date, days: int, count: Callable[[date], float]) -> dict[date, int]:
    """``days`` days up to and with ``last``."""
    return {past: round(count(past)) for n in range(days) if (past := last - timedelta(days=n))}


def office_week(day: date) -> float:
    return 10_000 if day.weekday() < 5 else 4_000


def noisy_week(spread: float, seed: int = 1) -> Callable[[date], float]:
    random = Random(seed)
    return lambda day: office_week(day) * exp(random.gauss(0, spread))


def leaking(days: dict[date, int], start: date, share: float = 0.98) -> dict[date, int]:
    return {
        day: round(count * share ** ((day - start).days + 1)) if day >= start else count for day, count in days.items()
    }


def is_leak(found: LeakEvidence | None) -> bool:
    return found is not None and found.drop_percent > POLICY[LEAK_PERCENT] and found.scale > POLICY[LEAK_SIGMAS]


@settings(deadline=None)
@given(
    counts=st.lists(st.one_of(st.integers(0, 10**9), st.none()), min_size=20, max_size=120),
    later=st.lists(st.integers(0, 10**9), min_size=1, max_size=5),
)
def test_no_later_day_is_looked_at(counts: list[int | None], later: list[int]) -> None:
    history = {DAY - timedelta(days=n): count for n, count in enumerate(counts) if count is not None}
    future = {DAY + timedelta(days=n): count for n, count in enumerate(later, start=1)}

    assert leak(DAY, history | future, HOLIDAYS) == leak(DAY, history, HOLIDAYS)


@pytest.mark.parametrize("spread", [0.0, 0.05, 0.1])
def test_two_percent_a_day_is_found_within_thirty_days(spread: float) -> None:
    start = DAY - timedelta(days=29)
    days = leaking(make_days(DAY, 120, noisy_week(spread)), start)

    found_on = [n for n in range(30) if is_leak(leak(start + timedelta(days=n), days, None))]

    assert found_on
    assert 8 <= found_on[0] <= 29


def test_the_evidence_says_how_much_is_missing_and_since_when() -> None:
    start = DAY - timedelta(days=20)
    days = leaking(make_days(DAY, 120, lambda _: 10_000), start)

    found = leak(DAY, days, None)

    assert found is not None
    assert found.reference_events == pytest.approx(10_000, rel=0.01)
    assert found.recent_events == pytest.approx(10_000 * 0.98**17.5, rel=0.02)
    assert found.drop_percent == pytest.approx(100 * (1 - found.recent_events / found.reference_events))
    assert abs((found.since - start).days) <= 5


def test_a_steady_stream_loses_nothing() -> None:
    found = leak(DAY, make_days(DAY, 120, office_week), None)

    assert found is not None
    assert found.drop_percent == pytest.approx(0)
    assert found.scale == pytest.approx(0)


def test_growth_is_no_leak() -> None:
    found = leak(DAY, make_days(DAY, 120, lambda day: 10_000 * 1.01 ** (day - DAY).days), None)

    assert found is not None
    assert found.drop_percent < 0
    assert found.scale < 0


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.05, 0.2, 0.4])
def test_noise_is_no_leak(spread: float) -> None:
    days = make_days(DAY, 400, noisy_week(spread))

    alarms = [is_leak(leak(DAY - timedelta(days=n), days, None)) for n in range(300)]

    assert sum(alarms) <= 3


@pytest.mark.parametrize(
    ("lost", "is_found"),
    [(POLICY[LEAK_PERCENT] - 1, False), (POLICY[LEAK_PERCENT], False), (POLICY[LEAK_PERCENT] + 1, True)],
)
def test_a_leak_is_strictly_more_than_the_smallest_that_counts(lost: float, is_found: bool) -> None:
    # Ten steady years and then one step, so that any loss is many spreads.
    step = DAY - timedelta(days=9)
    days = make_days(DAY, 400, lambda day: 1_000_000 * (1 - lost / 100 if day >= step else 1))

    found = leak(DAY, days, None)

    assert found is not None
    assert found.scale > POLICY[LEAK_SIGMAS]
    assert round(found.drop_percent, 6) == lost
    assert (round(found.drop_percent, 6) > POLICY[LEAK_PERCENT]) is is_found


def test_a_few_quiet_days_are_not_a_leak() -> None:
    quiet = {DAY - timedelta(days=n): 100 for n in range(3)}

    assert not is_leak(leak(DAY, make_days(DAY, 120, office_week) | quiet, None))


def test_the_quiet_days_around_christmas_are_no_leak() -> None:
    effects = calendar_effects("US", 2026)

    def quiet_season(day: date) -> float:
        return office_week(day) * (0.4 if day in effects else 1)

    last = date(2026, 1, 9)
    days = make_days(last, 120, quiet_season)

    assert date(2025, 12, 25) in holiday_calendar("US", 2026)
    assert not any(is_leak(leak(last - timedelta(days=n), days, HOLIDAYS)) for n in range(20))


def test_a_season_that_also_fell_last_year_is_no_leak() -> None:
    def season(day: date) -> float:
        return 10_000 * exp(0.5 * sin(2 * pi * day.timetuple().tm_yday / 365))

    days = make_days(date(2026, 12, 31), 1000, season)

    assert not any(is_leak(leak(date(2026, 1, 1) + timedelta(days=n), days, None)) for n in range(0, 365, 3))


def test_gaps_are_bridged_by_the_same_weekday_of_other_weeks() -> None:
    start = DAY - timedelta(days=25)
    days = leaking(make_days(DAY, 120, office_week), start)
    gappy = {day: count for day, count in days.items() if day.toordinal() % 5 or day == DAY}

    assert is_leak(leak(DAY, gappy, None))


@pytest.mark.parametrize(("known_days", "is_known"), [(28, False), (32, False), (33, True), (60, True)])
def test_a_leak_needs_a_reference_of_two_weeks_before_the_recent_days(known_days: int, is_known: bool) -> None:
    assert (leak(DAY, make_days(DAY, known_days, office_week), None) is not None) is is_known


def test_a_stream_that_was_not_read_lately_is_not_judged() -> None:
    days = make_days(DAY - timedelta(days=8), 120, office_week)

    assert leak(DAY, days, None) is None
    assert leak(DAY, {}, None) is None


def test_tiny_counts_fall_by_chance() -> None:
    random = Random(2)
    days = make_days(DAY, 200, lambda _: random.randrange(6))

    assert not any(is_leak(leak(DAY - timedelta(days=n), days, None)) for n in range(100))


def test_a_silent_stream_has_nothing_to_lose() -> None:
    found = leak(DAY, make_days(DAY, 100, lambda _: 0), None)

    assert found is not None
    assert found.drop_percent == pytest.approx(0)


MANY = 10**9
"""So many events a day that chance plays no part."""


def fall_of(found: LeakEvidence | None) -> float:
    """The fall of the log count."""
    assert found is not None
    return -log(1 - found.drop_percent / 100)


def spread_of(found: LeakEvidence | None) -> float:
    assert found is not None
    return fall_of(found) / found.scale


def stepping(*steps: tuple[int, float], days: int = 90, level: float = MANY) -> dict[date, int]:
    """A steady level that each step, so many days before DAY, multiplies from that day on."""

    def count(day: date) -> float:
        factor = 1.0
        for age, step in steps:
            factor *= step if (DAY - day).days <= age else 1.0
        return level * factor

    return make_days(DAY, days, count)


@pytest.mark.parametrize(("low_days", "part"), [(3, 0.0), (4, 0.5), (5, 1.0), (8, 1.0)])
def test_the_fall_is_the_median_of_the_last_eight_days(low_days: int, part: float) -> None:
    assert fall_of(leak(DAY, stepping((low_days - 1, 0.7)), None)) == pytest.approx(-log(0.7) * part, abs=1e-6)


def test_a_young_steady_stream_is_taken_to_vary_by_eight_percent_and_the_more_is_known_the_less() -> None:
    # Of 90 days the first 32 have no fall yet and the last 28 are not settled: 30 show that nothing ever fell.
    assert spread_of(leak(DAY, stepping((9, 0.7)), None)) == pytest.approx(0.08 * sqrt(30 / 60), rel=1e-6)
    assert spread_of(leak(DAY, stepping((9, 0.7), days=100), None)) == pytest.approx(0.08 * sqrt(30 / 70), rel=1e-6)


def test_no_stream_varies_by_less_than_three_percent() -> None:
    assert spread_of(leak(DAY, stepping((9, 0.7), days=400), None)) == pytest.approx(0.03)


def test_small_counts_vary_by_chance() -> None:
    found = leak(DAY, stepping((9, 0.5), level=200), None)

    assert spread_of(found) == pytest.approx(0.6 / sqrt(100), rel=1e-6)


def test_an_outage_in_the_history_widens_the_spread_only_so_far() -> None:
    def spread_after(rest: float) -> float:
        outage = {DAY - timedelta(days=age): round(MANY * rest) for age in range(60, 70)}
        return spread_of(leak(DAY, stepping((9, 0.7), days=150) | outage, None))

    # At its edges the median of eight days holds half of the fall.
    assert spread_after(exp(-1.2)) == pytest.approx(spread_after(exp(-3.0)))
    assert spread_after(exp(-0.8)) < 0.99 * spread_after(exp(-1.2))


def test_the_latest_day_may_be_a_week_old_and_the_oldest_of_the_eight_four_weeks() -> None:
    def known(*ages: int) -> bool:
        days = {day: n for day, n in stepping().items() if (DAY - day).days > 28 or (DAY - day).days in ages}
        return leak(DAY, days, None) is not None

    assert known(*range(7, 29))
    assert not known(*range(8, 29))
    assert known(0, 1, 2, 3, 4, 5, 6, 28)
    kept = {day: n for day, n in stepping().items() if (DAY - day).days not in {*range(7, 29)}}
    assert leak(DAY, kept, None) is None  # the eighth is 29 days old


def weeks(*ages: int, days: int = 7) -> dict[date, int]:
    """The last ``days`` days, and those so many weeks before each of them."""
    return {DAY - timedelta(days=n, weeks=age): 1000 for age in (0, *ages) for n in range(days)}


@pytest.mark.parametrize(
    ("reference", "is_known"),
    [
        ((3,), False),
        ((2, 3), False),
        ((7, 8), False),
        ((3, 4), True),
        ((4, 5), True),
        ((5, 6), True),
        ((6, 7), True),
        ((3, 7), True),
    ],
)
def test_two_of_the_weeks_three_to_seven_before_must_be_known(reference: tuple[int, ...], is_known: bool) -> None:
    assert (leak(DAY, weeks(*reference), None) is not None) is is_known


@pytest.mark.parametrize(("days", "is_known"), [(4, False), (5, True)])
def test_five_days_make_a_recent_level(days: int, is_known: bool) -> None:
    assert (leak(DAY, weeks(3, 4, days=days), None) is not None) is is_known


@pytest.mark.parametrize(("age", "part"), [(366, 0.0), (367, 0.5), (368, 1.0)])
def test_four_fifths_of_what_the_same_day_fell_last_year_is_the_season(age: int, part: float) -> None:
    # 364 days before DAY, the median then held three, four or five days after the step.
    found = leak(DAY, stepping((age, 0.8), (9, 0.7), days=420), None)

    assert fall_of(found) == pytest.approx(-log(0.7) + 0.8 * log(0.8) * part, abs=1e-6)


def test_a_leak_began_where_the_falls_first_exceeded_the_spread() -> None:
    found = leak(DAY, stepping((9, 0.7), days=400), None)
    assert found is not None
    # Four days of eight move the median half-way, and it lags four days behind.
    assert found.since == DAY - timedelta(days=9 - 3 + 4)

    # A fall below the spread of 3 % before it does not count, one above does, though it is less than twice as much.
    below, above = (leak(DAY, stepping((19, exp(-fall)), (9, 0.7), days=400), None) for fall in (0.028, 0.045))
    assert below is not None
    assert above is not None
    assert below.since == DAY - timedelta(days=10)
    assert above.since == DAY - timedelta(days=19 - 4 + 4)
