"""A slow leak shows against an older reference; weekdays, holidays, growth and noise are not leaks."""

from __future__ import annotations

from datetime import date, timedelta
from math import exp, log, pi, sin, sqrt
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry_quality.core.calendar_effects import calendar_effects, holiday_calendar
from telemetry_quality.core.detectors.leak import LeakEvidence, RestSettings
from telemetry_quality.core.detectors.leak import leak as leak_with
from telemetry_quality.core.guardrails import leak as guardrail
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.leak import SIGMAS as LEAK_SIGMAS
from telemetry_quality.core.guardrails.leak import THRESHOLD as LEAK_PERCENT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

DAY = date(2026, 6, 10)
POLICY = policy_of()
HOLIDAYS = "US"


def make_days(last: date, days: int, count: Callable[[date], float]) -> dict[date, int]:
    """``days`` days up to and including ``last``."""
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


def leak(
    day: date, history: dict[date, int], holidays: str | None, new_levels: Collection[date] = ()
) -> LeakEvidence | None:
    return leak_with(day, history, RestSettings(holidays), new_levels)


def is_leak(found: LeakEvidence | None) -> bool:
    return found is not None and guardrail.is_leak(found, POLICY)


@settings(deadline=None)
@given(
    counts=st.lists(st.one_of(st.integers(0, 10**9), st.none()), min_size=20, max_size=120),
    later=st.lists(st.integers(0, 10**9), min_size=1, max_size=5),
    slope=st.floats(0, 0.05),
    level_age=st.integers(0, 120),
)
def test_later_days_are_ignored(counts: list[int | None], later: list[int], slope: float, level_age: int) -> None:
    history = {
        DAY - timedelta(days=n): round(count * exp(slope * n)) for n, count in enumerate(counts) if count is not None
    }
    future = {DAY + timedelta(days=n): count for n, count in enumerate(later, start=1)}
    levels = [DAY - timedelta(days=level_age)]

    assert leak(DAY, history | future, HOLIDAYS, [*levels, *future]) == leak(DAY, history, HOLIDAYS, levels)


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


def test_growth_is_not_a_leak() -> None:
    found = leak(DAY, make_days(DAY, 120, lambda day: 10_000 * 1.01 ** (day - DAY).days), None)

    assert found is not None
    assert found.drop_percent < 0
    assert found.scale < 0


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.05, 0.2, 0.4])
def test_noise_is_not_a_leak(spread: float) -> None:
    days = make_days(DAY, 400, noisy_week(spread))

    alarms = [is_leak(leak(DAY - timedelta(days=n), days, None)) for n in range(300)]

    assert sum(alarms) <= 6


@pytest.mark.parametrize(
    ("lost", "is_found"),
    [(POLICY[LEAK_PERCENT] - 1, False), (POLICY[LEAK_PERCENT], False), (POLICY[LEAK_PERCENT] + 1, True)],
)
def test_a_leak_must_be_strictly_above_the_threshold(lost: float, is_found: bool) -> None:
    # Ten steady years and then one step, so that any loss is many sigmas.
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


def test_the_quiet_days_around_christmas_are_not_a_leak() -> None:
    effects = calendar_effects("US", 2026)

    def quiet_season(day: date) -> float:
        return office_week(day) * (0.4 if day in effects else 1)

    last = date(2026, 1, 9)
    days = make_days(last, 120, quiet_season)

    assert date(2025, 12, 25) in holiday_calendar("US", 2026)
    assert not any(is_leak(leak(last - timedelta(days=n), days, HOLIDAYS)) for n in range(20))


def test_a_season_that_also_fell_last_year_is_not_a_leak() -> None:
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


def test_a_day_that_was_not_read_is_not_judged() -> None:
    days = make_days(DAY - timedelta(days=1), 120, office_week)

    assert leak(DAY, days, None) is None
    assert leak(DAY, {}, None) is None


def test_tiny_counts_fall_by_chance() -> None:
    random = Random(2)
    days = make_days(DAY, 200, lambda _: random.randrange(6))

    assert not any(is_leak(leak(DAY - timedelta(days=n), days, None)) for n in range(100))


def test_empty_days_are_not_judged() -> None:
    assert leak(DAY, make_days(DAY, 100, lambda _: 0), None) is None
    assert leak(DAY, make_days(DAY, 100, lambda _: 10) | {DAY: 0}, None) is None


MANY = 10**9
"""So many events a day that chance does not matter."""


def fall_of(found: LeakEvidence | None) -> float:
    """The fall of the log count."""
    assert found is not None
    return -log(1 - found.drop_percent / 100)


def spread_of(found: LeakEvidence | None) -> float:
    assert found is not None
    return fall_of(found) / found.scale


def stepping(*steps: tuple[int, float], days: int = 90, level: float = MANY) -> dict[date, int]:
    """A steady level, multiplied by each step from so many days before DAY on."""

    def count(day: date) -> float:
        factor = 1.0
        for age, step in steps:
            factor *= step if (DAY - day).days <= age else 1.0
        return level * factor

    return make_days(DAY, days, count)


@pytest.mark.parametrize(("low_days", "part"), [(3, 0.0), (4, 0.5), (5, 1.0), (8, 1.0)])
def test_the_fall_is_the_median_of_the_last_eight_days(low_days: int, part: float) -> None:
    assert fall_of(leak(DAY, stepping((low_days - 1, 0.7)), None)) == pytest.approx(-log(0.7) * part, abs=1e-6)


def test_a_young_steady_stream_is_assumed_to_vary_by_eight_percent_and_by_less_as_more_is_known() -> None:
    # Of 90 days the first 32 have no fall yet and the last 28 are not settled: 30 show that nothing ever fell.
    assert spread_of(leak(DAY, stepping((9, 0.7)), None)) == pytest.approx(0.08 * sqrt(30 / 60), rel=1e-6)
    assert spread_of(leak(DAY, stepping((9, 0.7), days=100), None)) == pytest.approx(0.08 * sqrt(30 / 70), rel=1e-6)


def test_no_stream_varies_by_less_than_three_percent() -> None:
    assert spread_of(leak(DAY, stepping((9, 0.7), days=400), None)) == pytest.approx(0.03)


def test_small_counts_vary_by_chance() -> None:
    found = leak(DAY, stepping((9, 0.5), level=200), None)

    assert spread_of(found) == pytest.approx(0.6 / sqrt(100), rel=1e-6)


def swinging(fall: float, share: float, days: int = 400) -> dict[date, int]:
    """A level that is so far down for a share of each 100 days, and 30 % down for the last ten."""

    def count(day: date) -> float:
        age = (DAY - day).days
        return MANY * exp(-fall * (age % 100 >= 100 - 100 * share)) * (0.7 if age < 10 else 1)

    return make_days(DAY, days, count)


def test_the_spread_is_what_four_of_five_earlier_falls_do_not_exceed() -> None:
    # The median of five references moves half-way through their weeks: each level shows as a fall, and as a rise later.
    rarely, often = (spread_of(leak(DAY, swinging(0.3, share), None)) for share in (0.12, 0.4))

    known = 400 - 32 - 28
    assert rarely == pytest.approx(0.03)
    assert often == pytest.approx(sqrt((known * (0.3 / 1.28) ** 2 + 30 * 0.08**2) / (known + 30)), rel=0.01)


@pytest.mark.parametrize(("fall", "body"), [(0.4, 0.4), (0.5, 0.5), (0.6, 0.5), (3.0, 0.5)])
def test_falls_are_clipped_where_they_would_hide_any_leak(fall: float, body: float) -> None:
    spread = spread_of(leak(DAY, swinging(fall, 0.4), None))

    known = 400 - 32 - 28
    assert spread == pytest.approx(sqrt((known * (body / 1.28) ** 2 + 30 * 0.08**2) / (known + 30)), rel=0.01)


def test_noise_from_day_to_day_is_spread_however_few_falls_are_known() -> None:
    random = Random(4)
    noise = [random.gauss(0, 0.3) for _ in range(90)]
    days = {day: round(n * exp(noise[(DAY - day).days])) for day, n in stepping((9, 0.5)).items()}

    # A day less the median of five others; 0.44 of that is the noise of a median of eight.
    single = 0.3 * sqrt(1 + pi / 2 / 5)
    assert spread_of(leak(DAY, days, None)) >= 0.44 * single


def test_the_oldest_of_the_eight_days_may_be_four_weeks_old() -> None:
    def is_known(*ages: int) -> bool:
        days = {day: n for day, n in stepping().items() if (DAY - day).days > 29 or (DAY - day).days in ages}
        return leak(DAY, days, None) is not None

    assert is_known(0, 1, 2, 3, 4, 5, 6, 28)
    assert not is_known(0, 1, 2, 3, 4, 5, 6)  # the eighth is 30 days old


def test_neither_holidays_nor_days_of_rest_are_judged_or_teach() -> None:
    rest = RestSettings("US", {5, 6}, {DAY - timedelta(days=3)})
    quiet = [DAY - timedelta(days=n) for n in range(120) if not rest.is_ordinary(DAY - timedelta(days=n))]
    days = leaking(make_days(DAY, 120, office_week), DAY - timedelta(days=25))

    assert date(2026, 5, 25) in quiet, "Memorial Day"
    assert {day.weekday() for day in quiet} >= {5, 6}
    assert all(leak_with(day, days, rest) is None for day in quiet)
    with_quiet = leak_with(DAY, days | dict.fromkeys(quiet, 1), rest)
    assert with_quiet == leak_with(DAY, days, rest)
    assert is_leak(with_quiet)


def test_days_on_which_the_stream_is_usually_empty_neither_teach_nor_are_judged() -> None:
    # Now and then somebody works on a Saturday.
    def count(day: date) -> float:
        return 0 if day.weekday() >= 5 and day.toordinal() % 21 != 6 else 5 if day.weekday() >= 5 else 10_000

    days = leaking(make_days(DAY, 150, count), DAY - timedelta(days=25))
    working = {day: n for day, n in days.items() if n > 5}
    saturdays = [day for day, n in days.items() if 0 < n <= 5]

    assert len(saturdays) >= 5
    assert all(leak(day, days, None) is None for day in saturdays)
    assert leak(DAY, days, None) == leak(DAY, working, None)
    assert is_leak(leak(DAY, days, None))


def test_nothing_is_compared_across_a_level_that_somebody_accepted() -> None:
    start = DAY - timedelta(days=59)
    days = {day: round(n * (0.4 if day >= start else 1)) for day, n in make_days(DAY, 150, lambda _: MANY).items()}

    def fall_after(age: int) -> float | None:
        found = leak(start + timedelta(days=age), days, None, [start])
        return None if found is None else fall_of(found)

    assert [fall_after(age) for age in (0, 10, 34)] == [None] * 3
    assert [fall_after(age) for age in (39, 50)] == pytest.approx([0, 0])
    before = leak(start - timedelta(days=1), days, None, [start])
    assert before is not None
    assert leak(start + timedelta(days=24), days, None) is not None


def test_a_leak_after_an_accepted_level_is_found() -> None:
    start = DAY - timedelta(days=89)
    days = {day: round(n * (0.4 if day >= start else 1)) for day, n in make_days(DAY, 200, office_week).items()}

    assert is_leak(leak(DAY, leaking(days, DAY - timedelta(days=25)), None, [start]))


@pytest.mark.parametrize("left", [0.2, 0.4, 0.7, 0.8])
@pytest.mark.parametrize("step_days", [1, 2, 3])
@pytest.mark.parametrize("spread", [0.0, 0.03])
def test_a_step_is_not_a_leak(left: float, step_days: int, spread: float) -> None:
    start = DAY - timedelta(days=40)

    def share(day: date) -> float:
        return float(left ** min(max((day - start).days + 1, 0) / step_days, 1))

    week = noisy_week(spread)
    days = make_days(DAY, 160, lambda day: week(day) * share(day))

    assert [n for n in range(41) if is_leak(leak(start + timedelta(days=n), days, None))] == []


@pytest.mark.parametrize("left", [0.0, 0.01, 0.1, 0.3])
@pytest.mark.parametrize("outage_days", [1, 4, 7, 16])
def test_no_day_after_an_outage_is_a_leak(left: float, outage_days: int) -> None:
    start = DAY - timedelta(days=75)
    days = make_days(DAY, 160, noisy_week(0.05))
    days |= {day: round(days[day] * left) for n in range(outage_days) if (day := start + timedelta(days=n))}

    after = [start + timedelta(days=n) for n in range(outage_days, 76)]
    assert [day for day in after if is_leak(leak(day, days, None))] == []


@pytest.mark.parametrize("outage_days", [4, 16])
def test_an_outage_in_the_history_hides_no_leak(outage_days: int) -> None:
    start = DAY - timedelta(days=29)
    days = make_days(DAY, 120, noisy_week(0.05))
    days |= {day: round(days[day] * 0.1) for n in range(outage_days) if (day := start - timedelta(days=20 + n))}

    leaked = leaking(days, start)
    assert any(is_leak(leak(start + timedelta(days=n), leaked, None)) for n in range(30))


@pytest.mark.parametrize(
    ("left", "outage_days", "is_forgotten"),
    [
        (0.1, 2, False),
        (0.1, 3, True),
        (0.1, 21, True),
        (0.1, 22, False),
        (exp(-0.6), 5, False),
        (exp(-0.8), 5, True),
        (exp(0.8), 5, True),
    ],
)
def test_an_outage_that_has_ended_is_as_if_its_days_were_not_known(
    left: float, outage_days: int, is_forgotten: bool
) -> None:
    days = make_days(DAY, 160, noisy_week(0.02))
    outage = {day: round(days[day] * left) for n in range(outage_days) if (day := DAY - timedelta(days=50 - n))}
    unknown = {day: count for day, count in days.items() if day not in outage}

    assert (leak(DAY, days | outage, None) == leak(DAY, unknown, None)) is is_forgotten


def test_days_of_few_events_that_are_low_by_chance_are_no_outage() -> None:
    days = make_days(DAY, 160, lambda day: 8 + day.toordinal() % 3)
    few = {DAY - timedelta(days=50 - n): 4 for n in range(14)}
    unknown = {day: count for day, count in days.items() if day not in few}

    assert leak(DAY, days | few, None) != leak(DAY, unknown, None)


@pytest.mark.parametrize(("flat_days", "goes_on"), [(5, True), (7, True), (8, False), (12, False)])
def test_a_fall_must_have_grown_within_the_last_week(flat_days: int, goes_on: bool) -> None:
    assert is_slow(*RAMP, *[RAMP[-1]] * flat_days) is goes_on


def test_a_loss_that_has_come_to_its_end_is_not_a_leak_any_more() -> None:
    start = DAY - timedelta(days=60)
    days = make_days(DAY, 200, lambda day: MANY * 0.98 ** min(max((day - start).days + 1, 0), 25))

    found = [n for n in range(61) if is_leak(leak(start + timedelta(days=n), days, None))]

    assert found
    assert 9 <= found[0] <= 20
    assert 24 <= found[-1] <= 40


def shaped(*falls: float, days: int = 150) -> dict[date, int]:
    """A steady level, and at its end a day per fall of the log count."""
    last = {DAY - timedelta(days=n): round(MANY * exp(-fall)) for n, fall in enumerate(reversed(falls))}
    return make_days(DAY, days, lambda _: MANY) | last


RAMP = [0.02 * n for n in range(1, 22)]


def is_slow(*falls: float) -> bool:
    found = leak(DAY, shaped(*falls), None)
    assert found is not None
    return found.is_slow


@pytest.mark.parametrize(("own", "goes_on"), [(0.164, False), (0.166, True)])
def test_the_day_itself_must_show_half_of_the_fall(own: float, goes_on: bool) -> None:
    assert is_slow(*RAMP)
    # The median of the last eight, this one the lowest, is 0.33.
    assert is_slow(*RAMP[:-1], own) is goes_on


@pytest.mark.parametrize(("latest", "goes_on"), [(0.279, False), (0.281, True)])
def test_the_last_four_days_must_be_no_better_than_the_last_eight(latest: float, goes_on: bool) -> None:
    # The four before them are 0.28 and more.
    assert is_slow(*RAMP[:-4], *[latest] * 4) is goes_on


def weeks(*ages: int, days: int = 7) -> dict[date, int]:
    """The last ``days`` days, and the days so many weeks before each of them."""
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

    # A fall below the spread of 3 % before it does not count; a fall above does, though it is less than twice as large.
    below, above = (leak(DAY, stepping((19, exp(-fall)), (9, 0.7), days=400), None) for fall in (0.028, 0.045))
    assert below is not None
    assert above is not None
    assert below.since == DAY - timedelta(days=10)
    assert above.since == DAY - timedelta(days=19 - 4 + 4)
