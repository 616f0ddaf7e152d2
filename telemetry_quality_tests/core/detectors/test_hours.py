"""Missing hours: how far below a run must be, and what is no outage although hours are empty."""

from __future__ import annotations

from datetime import date, timedelta
from math import exp
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry_quality.core.detectors import hours as detector
from telemetry_quality.core.detectors.hours import MissingHours, missing_hours

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FIRST = date(2026, 1, 5)
"""A Monday."""
BUSINESS = [round(20 + 180 * exp(-(((hour - 13) / 4.5) ** 2))) for hour in range(24)]
COMMUTE = [
    *(20, 10, 10, 10, 20, 80, 300, 900, 800, 300, 150, 120),
    *(120, 130, 150, 200, 400, 800, 900, 500, 200, 120, 80, 40),
]
LEISURE = [30, 20, 15, 10, 10, 10, 20, 40, 80, 150, 220, 280, 310, 320, 310, 300, 270, 240, 200, 160, 120, 90, 60, 40]


def days_of(profile: Callable[[date], Sequence[float]], count: int, noise: float = 0.05) -> dict[date, list[int]]:
    """The counts of consecutive days, each hour with normal noise of this share of it."""
    random = Random(7)
    days = [FIRST + timedelta(days=n) for n in range(count)]
    return {day: [max(0, round(expected * random.gauss(1, noise))) for expected in profile(day)] for day in days}


def judged(
    profile: Callable[[date], Sequence[float]],
    hours: Mapping[int, float] = {},
    *,
    days: int = 42,
    noise: float = 0.05,
    scale: float = 1.0,
) -> list[MissingHours] | None:
    """The runs found on the day after so many ``days``, with each of ``hours`` at this share of its events."""
    known = days_of(profile, days + 1, noise)
    day = max(known)
    counts = [round(count * scale * hours.get(hour, 1.0)) for hour, count in enumerate(known.pop(day))]
    return missing_hours(day, counts, known)


def empty(*hours: int, left: float = 0.0) -> dict[int, float]:
    return dict.fromkeys(hours, left)


def spans(runs: Sequence[MissingHours] | None) -> list[tuple[int, int]]:
    assert runs is not None
    return [(run.first, run.last) for run in runs]


@pytest.mark.parametrize("hours", [(14,), (9, 10, 11), (0, 1, 2), (21, 22, 23), tuple(range(8, 20))])
def test_a_run_of_one_to_twelve_empty_hours_is_found_at_any_time(hours: tuple[int, ...]) -> None:
    assert spans(judged(lambda _: [100.0] * 24, empty(*hours))) == [(hours[0], hours[-1])]


def test_a_run_says_what_was_expected_given_the_rest_of_the_day_and_which_share_of_the_day_is_missing() -> None:
    (run,) = judged(lambda _: [100.0] * 24, empty(9, 10, 11), noise=0.0, scale=0.5) or []
    assert run == MissingHours(9, 11, 150.0, 0, 12.5)


@pytest.mark.parametrize(("left", "is_found"), [(0.29, True), (0.30, True), (0.31, False)])
def test_a_run_far_below_holds_at_most_three_tenths(left: float, is_found: bool) -> None:
    assert bool(judged(lambda _: [1000.0] * 24, empty(9, 10, 11, left=left), noise=0.0)) is is_found


@pytest.mark.parametrize(("count", "is_found"), [(8.9, False), (9.0, True), (9.1, True)])
def test_a_run_with_fewer_than_nine_expected_events_is_not_judged(count: float, is_found: bool) -> None:
    # Nothing varies but by chance, and the threshold of chance is out of the way.
    day = FIRST + timedelta(days=42)
    run = detector._Run(count, 0, 1.0)
    assert detector._is_far_below(run) is is_found
    assert missing_hours(day, [30] * 24, {}) is None


@pytest.mark.parametrize("scale", [0.15, 0.3, 0.5, 2.0])
def test_a_day_that_is_down_evenly_has_no_missing_hours(scale: float) -> None:
    assert judged(lambda _: BUSINESS, scale=scale) == []


def test_a_day_that_is_out_as_a_whole_has_no_missing_hours() -> None:
    assert judged(lambda _: BUSINESS, empty(*range(24))) == []
    assert judged(lambda _: BUSINESS, empty(*range(23))) == []


def test_hours_beside_the_longest_run_belong_to_the_outage() -> None:
    assert spans(judged(lambda _: [100.0] * 24, empty(*range(4, 18)))) == [(4, 17)]


def test_two_outages_of_a_day_are_two_runs_the_larger_first() -> None:
    assert spans(judged(lambda _: [100.0] * 24, empty(3, 4, 12, 13, 14, 15))) == [(12, 15), (3, 4)]


@pytest.mark.parametrize(("days", "is_known"), [(13, False), (14, True)])
def test_two_weeks_of_history_are_needed(days: int, is_known: bool) -> None:
    assert (judged(lambda _: [100.0] * 24, empty(9, 10, 11), days=days) is not None) is is_known


def test_a_weekday_known_twice_is_compared_with_all_working_days() -> None:
    def profile(day: date) -> Sequence[float]:
        return COMMUTE if day.weekday() < 5 else LEISURE

    assert spans(judged(profile, empty(7, 8, 9), days=15)) == [(7, 9)]
    assert judged(profile, days=15) == []


def test_an_outage_of_a_whole_day_in_the_history_does_not_hide_later_ones() -> None:
    days = days_of(lambda _: BUSINESS, 43)
    day = max(days)
    counts = [0 if 9 <= hour <= 11 else count for hour, count in enumerate(days.pop(day))]
    for past in (7, 14):
        days[day - timedelta(days=past)] = [0 if 9 <= hour <= 11 else count for hour, count in enumerate(BUSINESS)]
    days[day - timedelta(days=1)] = [0] * 24
    assert spans(missing_hours(day, counts, days)) == [(9, 11)]


def test_two_outages_at_the_same_hours_do_not_show_that_they_are_usual_but_weekly_ones_do() -> None:
    days = days_of(lambda _: BUSINESS, 43)
    day = max(days)
    counts = [0 if 9 <= hour <= 11 else count for hour, count in enumerate(days.pop(day))]
    weekly = {past: counts if past.weekday() == day.weekday() else known for past, known in days.items()}
    assert missing_hours(day, counts, weekly) == []


def test_a_holiday_that_resembles_a_sunday_has_no_missing_hours() -> None:
    known = days_of(lambda day: COMMUTE if day.weekday() < 5 else LEISURE, 42)
    holiday = max(known) + timedelta(days=1)
    assert missing_hours(holiday, LEISURE, known) == []
    assert missing_hours(holiday, [round(0.6 * count) for count in LEISURE], known) == []
    assert spans(missing_hours(holiday, [0 if hour in {7, 8} else count for hour, count in enumerate(COMMUTE)], known))


def test_a_stream_that_bursts_has_no_missing_hours() -> None:
    random = Random(3)
    known = {FIRST + timedelta(days=n): [random.choice([0, 0, 1, 2, 150]) for _ in range(24)] for n in range(120)}
    days = list(known)
    for index in range(42, 120):
        assert not missing_hours(days[index], known[days[index]], {day: known[day] for day in days[index - 42 : index]})


@pytest.mark.parametrize("total", [3, 20, 60])
def test_few_events_a_day_have_no_missing_hours(total: int) -> None:
    random = Random(5)

    def drawn() -> list[int]:
        counts = [0] * 24
        for _ in range(total):
            counts[random.randrange(24)] += 1
        return counts

    known = {FIRST + timedelta(days=n): drawn() for n in range(142)}
    days = list(known)
    alarms = [
        day
        for index, day in enumerate(days)
        if index >= 42 and missing_hours(day, known[day], {past: known[past] for past in days[index - 42 : index]})
    ]
    assert len(alarms) <= 1


@pytest.mark.parametrize("background", [0, 5, 50])
def test_a_daily_batch_that_comes_at_another_hour_is_not_missing(background: int) -> None:
    random = Random(9)

    def day_of(hour: int) -> list[int]:
        counts = [random.randint(background * 9 // 10, background * 11 // 10) for _ in range(24)]
        counts[hour] += 1000
        return counts

    known = {FIRST + timedelta(days=n): day_of(2) for n in range(42)}
    assert missing_hours(max(known) + timedelta(days=1), day_of(2), known) == []
    assert missing_hours(max(known) + timedelta(days=1), day_of(4), known) == []


def test_hours_that_vary_much_must_be_emptier_than_hours_that_do_not() -> None:
    third = empty(9, 10, 11, left=0.25)
    assert judged(lambda _: [100.0] * 24, third, noise=0.1)
    random = Random(1)
    rainy = days_of(lambda _: [100.0 * min(1.0, random.lognormvariate(0, 0.7))] * 24, 43)
    day = max(rainy)
    counts = [25 if 9 <= hour <= 11 else 100 for hour in range(24)]
    known = {
        past: [round(count * (random.uniform(0.3, 1) if 8 <= hour <= 12 else 1)) for hour, count in enumerate(hours)]
        for past, hours in rainy.items()
        if past < day
    }
    assert missing_hours(day, counts, known) == []


def test_bad_weather_at_any_hour_shows_how_far_a_run_may_fall() -> None:
    known = days_of(lambda _: [100.0] * 24, 42)
    day = max(known) + timedelta(days=1)
    counts = [28 if 14 <= hour <= 16 else 100 for hour in range(24)]
    assert missing_hours(day, counts, known)
    rainy = {
        past: [30 if n % 3 == 0 and n % 20 <= hour <= n % 20 + 2 else count for hour, count in enumerate(hours)]
        for n, (past, hours) in enumerate(known.items())
    }
    assert missing_hours(day, counts, rainy) == []
    assert spans(missing_hours(day, [0 if 14 <= hour <= 16 else 100 for hour in range(24)], rainy)) == [(14, 16)]


def test_the_day_that_clocks_are_set_forward_or_back_has_no_missing_hours() -> None:
    known = days_of(lambda _: [100.0] * 24, 42)
    day = max(known) + timedelta(days=1)
    spring, autumn = (0, 1, *range(3, 24)), (0, 1, 1, *range(2, 24))
    assert missing_hours(day, [100] * 23, known, spring) == []
    assert missing_hours(day, [100] * 25, known, autumn) == []
    assert spans(missing_hours(day, [0 if n in {8, 9, 10} else 100 for n in range(25)], known, autumn)) == [(8, 10)]
    profile = days_of(lambda _: BUSINESS, 42)
    assert missing_hours(day, [BUSINESS[hour] for hour in autumn], profile, autumn) == []
    assert missing_hours(day, [BUSINESS[hour] for hour in spring], profile, spring) == []


def test_an_hour_that_earlier_days_did_not_have_teaches_nothing() -> None:
    known: dict[date, Sequence[float | None]] = dict(days_of(lambda _: [100.0] * 24, 42))
    day = max(known) + timedelta(days=1)
    for week in (1, 2, 3, 4):
        past = day - timedelta(days=7 * week)
        known[past] = [None if hour == 2 else count for hour, count in enumerate(known[past])]
    assert missing_hours(day, [100] * 24, known) == []
    assert spans(missing_hours(day, [0 if hour == 2 else 100 for hour in range(24)], known)) == [(2, 2)]


@given(st.dictionaries(st.integers(0, 30), st.lists(st.integers(0, 10**6), min_size=24, max_size=24), max_size=5))
def test_no_later_day_changes_what_is_found(later: Mapping[int, Sequence[int]]) -> None:
    known = days_of(lambda _: BUSINESS, 21)
    day = max(known) + timedelta(days=1)
    counts = [0 if 9 <= hour <= 11 else count for hour, count in enumerate(BUSINESS)]
    disturbed = known | {day + timedelta(days=n): list(hours) for n, hours in later.items()}
    assert missing_hours(day, counts, disturbed) == missing_hours(day, counts, known)


@given(
    st.lists(st.lists(st.integers(0, 10**9), min_size=24, max_size=24), min_size=14, max_size=21),
    st.lists(st.integers(0, 10**9), min_size=24, max_size=24),
)
def test_any_counts_can_be_judged(earlier: list[list[int]], counts: list[int]) -> None:
    known = {FIRST + timedelta(days=n): hours for n, hours in enumerate(earlier)}
    for run in missing_hours(FIRST + timedelta(days=30), counts, known) or []:
        assert 0 <= run.first <= run.last <= 23
        assert run.found == sum(counts[run.first : run.last + 1])
        assert run.found <= detector.FAR_RATIO * run.expected + 1
        assert 0 < run.missing_percent <= 100


@pytest.mark.parametrize(("beside", "is_judged"), [(14, False), (15, True), (16, True)])
def test_a_run_that_usually_holds_more_than_85_percent_of_the_day_leaves_too_little_to_compare(
    beside: int, is_judged: bool
) -> None:
    sums = detector._Sums([0.0, 0.0, float(beside)], [0.0, 100.0 - beside, 100.0])
    assert (detector._run(sums, 0, 0) is not None) is is_judged


@pytest.mark.parametrize(("ratio", "is_judged"), [(0.09, False), (0.1, False), (0.11, True)])
def test_with_a_tenth_of_the_usual_events_in_the_other_hours_the_whole_day_is_out(
    ratio: float, is_judged: bool
) -> None:
    sums = detector._Sums([0.0, 0.0, 50 * ratio], [0.0, 50.0, 100.0])
    assert (detector._run(sums, 0, 0) is not None) is is_judged


@pytest.mark.parametrize(("weeks", "count"), [(3, 15), (4, 4), (5, 5)])
def test_four_days_of_the_weekday_are_enough_peers(weeks: int, count: int) -> None:
    past = detector._Past({FIRST + timedelta(days=n): [100] * 24 for n in range(7 * weeks)})
    assert len(past.peers(0)) == count


def test_days_without_events_are_not_learnt_from() -> None:
    known = days_of(lambda _: BUSINESS, 42)
    day = max(known) + timedelta(days=1)
    counts = [0 if 9 <= hour <= 11 else count for hour, count in enumerate(BUSINESS)]
    out = {past: [0] * 24 if (day - past).days in {7, 14, 21, 28} else hours for past, hours in known.items()}
    assert spans(missing_hours(day, counts, out)) == [(9, 11)]


def test_a_weekday_that_fits_the_rest_of_the_day_badly_excuses_nothing() -> None:
    known = days_of(lambda day: COMMUTE if day.weekday() < 5 else LEISURE, 42)
    day = max(known) + timedelta(days=1)
    counts = [count // 5 if hour in {7, 8} else count for hour, count in enumerate(COMMUTE)]
    assert spans(missing_hours(day, counts, known)) == [(7, 8)]


@pytest.mark.parametrize(("share", "is_found"), [(0.15, True), (0.3, False)])
def test_only_a_weekday_of_similar_volume_shows_what_a_day_may_resemble(share: float, is_found: bool) -> None:
    # At weekends the same hours, but none in the morning, which half of the other hours cannot tell.
    weekend = [0 if 9 <= hour <= 11 else round(100 * share) for hour in range(24)]
    known = {FIRST + timedelta(days=n): weekend if n % 7 > 4 else [100] * 24 for n in range(42)}
    day = FIRST + timedelta(days=42)
    assert bool(missing_hours(day, [0 if 9 <= hour <= 11 else 100 for hour in range(24)], known)) is is_found


def test_a_run_that_never_varied_is_still_taken_to_vary_by_six_percent() -> None:
    past = detector._Past({FIRST + timedelta(days=n): [100] * 24 for n in range(42)})
    assert past.variance(9, 11) == pytest.approx(0.06**2)


def test_few_days_widen_the_variance_of_a_run() -> None:
    def past_of(days: int) -> detector._Past:
        return detector._Past(
            {
                FIRST + timedelta(days=n): [10_000 * (2 if hour == 9 and n % 2 else 1) for hour in range(24)]
                for n in range(days)
            }
        )

    few, many = past_of(14).variance(9, 9), past_of(210).variance(9, 9)
    assert few is not None
    assert many is not None
    assert few > 1.5 * many
