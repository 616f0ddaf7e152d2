"""Segment volume: sudden changes of a segment are found, and growth, fading, campaigns and holidays are not."""

from __future__ import annotations

from datetime import timedelta
from math import log
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry_quality.core.detectors.segment_volume import BURST, Changed, SegmentVolume, log_chance
from telemetry_quality.core.guardrails.verdicts import Segment
from telemetry_quality_tests.core.detectors.segment_windows import DAY, Cell, Count, age, window

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from telemetry_quality.core.detectors.windows import Window

    Cells = dict[Cell, Count]

LEVELS = {("view", "web"): 6000, ("click", "web"): 3000, ("view", "ios"): 800, ("click", "ios"): 400}


def near(day: date, number: float) -> float:
    """A number within 3 % of 1, the same for the same day and number."""
    return 1 + Random(day.toordinal() * 100 + number).uniform(-0.03, 0.03)


def stream(odd: Callable[[date], float], level: Callable[[date], float] = lambda _: 1.0) -> Callable[[date], Cells]:
    """A stream with the level of each day, and a signal ``odd`` on web."""

    def cells(day: date) -> Cells:
        found: Cells = {
            (*cell, "1.0"): (round(events * level(day) * near(day, n)), 0)
            for n, (cell, events) in enumerate(LEVELS.items())
        }
        return found | {("odd", "web", "1.0"): (round(odd(day) * near(day, 9)), 0)}

    return cells


def changed(
    window: Window, far_percent: float = 33.0, minimum_events: int = 20, *, is_rest: bool = False
) -> list[Changed]:
    return SegmentVolume(window, far_percent, minimum_events, is_rest=is_rest).changed()


def named(found: list[Changed]) -> list[str]:
    return [str(Segment(one.segment.parts)) for one in found]


def is_found(odd: Callable[[date], float], far_percent: float = 33.0, minimum_events: int = 20) -> bool:
    """Whether the odd signal is the segment that changed."""
    names = named(changed(window(stream(odd)), far_percent, minimum_events))
    assert set(names) <= {"event_name=odd"}
    return bool(names)


def from_day(days: int, before: float, after: float) -> Callable[[date], float]:
    """``after`` on the last ``days`` days."""
    return lambda day: after if age(day) < days else before


def test_a_steady_stream_has_no_changed_segment() -> None:
    assert not is_found(lambda _: 500)


@pytest.mark.parametrize(("found", "low", "high"), [(250, -53, -46), (1000, 90, 112)])
def test_a_segment_that_halves_or_doubles_is_named_on_its_first_day(found: int, low: float, high: float) -> None:
    (one,) = changed(window(stream(from_day(1, 500, found))))

    assert named([one]) == ["event_name=odd"]
    assert one.since == DAY
    assert one.expected == pytest.approx(500, rel=0.05)
    assert low < one.deviation_percent < high


def test_a_platform_that_halves_is_named_without_its_signals() -> None:
    def cells(day: date) -> Cells:
        return {
            cell: (events // 2 if day == DAY and cell[1] == "ios" else events, 0)
            for cell, (events, _) in stream(lambda _: 500)(day).items()
        }

    assert named(changed(window(cells))) == ["platform=ios"]


def test_the_most_events_come_first() -> None:
    def cells(day: date) -> Cells:
        factor = 0.5 if day == DAY else 1.0
        return stream(lambda _: 300 * factor)(day) | {("more", "web", "1.0"): (round(800 * factor), 0)}

    assert named(changed(window(cells))) == ["event_name=more", "event_name=odd"]


# ---- how far ----


@pytest.mark.parametrize(("kept", "is_far"), [(0.69, False), (0.65, True)])
def test_a_segment_must_lose_more_than_the_setting(kept: float, is_far: bool) -> None:
    assert is_found(from_day(1, 5000, 5000 * kept)) is is_far


@pytest.mark.parametrize(("times", "is_far"), [(1.44, False), (1.55, True)])
def test_a_gain_must_be_as_many_times_more(times: float, is_far: bool) -> None:
    assert is_found(from_day(1, 5000, 5000 * times)) is is_far


def test_how_far_is_a_setting() -> None:
    assert is_found(from_day(1, 5000, 3500), far_percent=15.0)
    assert not is_found(from_day(1, 5000, 2000), far_percent=70.0)


@pytest.mark.parametrize(("usual", "is_watched"), [(90, False), (110, True)])
def test_segments_below_the_least_number_of_events_are_not_watched(usual: int, is_watched: bool) -> None:
    assert is_found(from_day(1, usual, 2 * usual + 20), minimum_events=100) is is_watched


@pytest.mark.parametrize(("found", "is_changed"), [(0, False), (90, False), (120, True)])
def test_silence_is_not_judged_twice(found: int, is_changed: bool) -> None:
    assert is_found(from_day(1, 5000, found)) is is_changed


def test_versions_are_not_watched() -> None:
    def cells(day: date) -> Cells:
        share = 0.4 if day == DAY else 0.9
        return {
            (signal, platform, version): (round(events * part), 0)
            for (signal, platform, _), (events, _) in stream(lambda _: 500)(day).items()
            for version, part in (("1.0", share), ("2.0", 1 - share))
        }

    assert changed(window(cells)) == []


# ---- the rest of the stream ----


@pytest.mark.parametrize("factor", [0.4, 2.5])
def test_when_the_whole_stream_changes_no_segment_is_named(factor: float) -> None:
    levels = from_day(1, 1.0, factor)

    assert changed(window(stream(lambda day: 500 * levels(day), levels))) == []


def test_a_new_signal_that_doubles_the_stream_makes_no_other_segment_look_small() -> None:
    def cells(day: date) -> Cells:
        return stream(lambda _: 500)(day) | ({("new", "web", "1.0"): (12_000, 0)} if day == DAY else {})

    names = named(changed(window(cells)))
    # The platform that sends it has doubled indeed.
    assert names == ["platform=web"]


@pytest.mark.parametrize(("others", "is_judged"), [(190, False), (230, True)])
def test_a_segment_that_is_the_stream_is_not_judged_beside_it(others: int, is_judged: bool) -> None:
    def cells(day: date) -> Cells:
        return {
            ("only", "web", "1.0"): (round((5000 if day == DAY else 10_000) * near(day, 1)), 0),
            ("other", "tv", "1.0"): (others, 0),
        }

    assert bool(changed(window(cells))) is is_judged


# ---- what comes slowly, and what comes back ----


def test_growth_is_followed() -> None:
    assert not is_found(lambda day: 500 * 1.04 ** (60 - age(day)))


@pytest.mark.parametrize("days", [8, 12, 20])
def test_a_segment_that_fades_away_is_not_named(days: int) -> None:
    for judged in range(1, days):

        def odd(day: date, judged: int = judged) -> float:
            return 1000 * (1 - max(judged - age(day), 0) / days)

        assert not is_found(odd), judged


@pytest.mark.parametrize(("before", "is_sudden"), [(0.88, True), (0.75, False)])
def test_a_change_that_had_gone_a_quarter_of_the_way_came_slowly(before: float, is_sudden: bool) -> None:
    # 0.88 and 0.75 are 18 and 42 % of the way to a half, in logs.
    assert is_found(lambda day: 5000 * (0.5 if day == DAY else before if age(day) <= 2 else 1.0)) is is_sudden


@pytest.mark.parametrize(("days", "is_named"), [(2, True), (3, True), (4, False)])
def test_a_change_is_named_on_three_days(days: int, is_named: bool) -> None:
    found = changed(window(stream(from_day(days, 500, 250))))

    assert [age(one.since) for one in found] == ([days - 1] if is_named else [])


@pytest.mark.parametrize("days", [1, 3, 6, 10])
def test_the_day_after_a_change_is_no_change(days: int) -> None:
    assert not is_found(lambda day: 200 if 1 <= age(day) <= days else 500)


@pytest.mark.parametrize("days", [1, 2])
def test_an_earlier_change_does_not_hide_the_next(days: int) -> None:
    assert is_found(lambda day: 200 if day == DAY or 15 <= age(day) < 15 + days else 500)


def test_campaigns_that_come_again_are_no_change() -> None:
    assert not is_found(lambda day: 1500 if age(day) % 9 == 0 else 500)


@pytest.mark.parametrize(("known", "is_judged"), [(13, False), (14, True)])
def test_a_young_segment_is_judged_after_two_weeks(known: int, is_judged: bool) -> None:
    assert is_found(lambda day: 0 if age(day) > known else 3000 if day == DAY else 500) is is_judged


# ---- days of another kind ----


def weekly(weekend: float) -> Callable[[date], float]:
    return lambda day: weekend if day.weekday() >= 5 else 1.0


def test_on_a_holiday_a_segment_may_have_as_few_events_as_on_a_weekend() -> None:
    def rests(factor: float) -> Callable[[date], float]:
        return lambda day: 1000 * (factor if day == DAY else weekly(0.3)(day))

    quiet = from_day(1, 1.0, 0.7)
    assert changed(window(stream(rests(0.3)))) != []
    assert changed(window(stream(rests(0.3))), is_rest=True) == []
    assert changed(window(stream(rests(0.3), quiet))) == []
    assert named(changed(window(stream(rests(0.1), quiet)))) == ["event_name=odd"]


def test_on_a_holiday_a_segment_may_have_as_many_events_as_on_a_weekend() -> None:
    def plays(factor: float) -> Callable[[date], float]:
        return lambda day: 1000 * (factor if day == DAY else weekly(2.0)(day))

    assert changed(window(stream(plays(2.0)))) != []
    assert changed(window(stream(plays(2.0))), is_rest=True) == []
    assert named(changed(window(stream(plays(4.5))), is_rest=True)) == ["event_name=odd"]


@pytest.mark.parametrize(("level", "is_found"), [(0.80, True), (0.70, False), (1.05, True), (1.45, False)])
def test_a_day_is_odd_with_three_quarters_of_its_events_or_the_inverse(level: float, is_found: bool) -> None:
    # The segment changes as on a weekend, beyond what the stream does.
    weekend = 0.3 if level < 1 else 3.0

    def odd(day: date) -> float:
        return 1000 * (weekend if day == DAY else weekly(weekend)(day))

    assert bool(changed(window(stream(odd, from_day(1, 1.0, level))))) is is_found


# ---- chance ----


def test_a_change_must_be_farther_than_any_earlier_change() -> None:
    steps = [0.1, -0.1] * 15

    for record, is_unlikely in ((0.40, True), (0.48, False)):
        # The farthest change is left out, the second farthest counts.
        chance = log_chance(2000, 1000, [*steps, 0.9, -0.1, min(record, 0.40), -0.1, record])
        assert (chance < 0) is is_unlikely


@pytest.mark.parametrize(("second", "is_unlikely"), [(BURST - 0.01, True), (BURST + 0.01, False)])
def test_what_happened_twice_by_itself_is_usual_however_far_the_day_is(second: float, is_unlikely: bool) -> None:
    steps = [0.05, -0.05] * 15

    assert (log_chance(50_000, 1000, [*steps, 0.9, -0.1, second, -0.1]) < 0) is is_unlikely


def test_a_stretch_of_far_days_is_one_change() -> None:
    steps = [0.05, -0.05] * 15

    assert log_chance(500, 1000, [*steps, -0.7, -0.7, -0.6, 0.1]) < 0
    assert log_chance(500, 1000, [*steps, -0.7, 0.1, -0.6, 0.1]) == 0


def test_the_chance_is_that_of_a_t_distribution_with_the_variance_of_the_steps() -> None:
    # 40 steps of 0.2 remain of 42: the exact tail of t = 5, doubled density, is a factor of a few below.
    steps = [0.2, -0.2] * 21

    assert log_chance(2718, 1000, steps) == pytest.approx(-41 / 2 * log(1 + 1 / 0.04 / 40), rel=0.01)


def test_counts_vary_by_chance_even_if_nothing_else_does() -> None:
    calm = [0.001, -0.001] * 20

    assert log_chance(10, 20, calm) > -5
    assert log_chance(1000, 2000, calm) < -30


def test_without_earlier_changes_nothing_is_unlikely() -> None:
    assert log_chance(10, 1000, []) == 0


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), ahead=st.integers(1, 30), factor=st.sampled_from([0.3, 1.0, 2.5]))
def test_later_days_change_nothing(seed: int, ahead: int, factor: float) -> None:
    def cells(day: date) -> Cells:
        random = Random(seed + day.toordinal())
        odd = 800 * (factor if day >= DAY else 1.0) * random.uniform(0.8, 1.2)
        return stream(lambda _: odd)(day)

    assert changed(window(cells)) == changed(window(cells, ahead=ahead))


def test_unknown_days_change_nothing() -> None:
    gone = tuple(DAY - timedelta(days=n) for n in (1, 2, 9, 20))
    cells = stream(from_day(1, 500, 250))

    assert named(changed(window(cells, without=gone))) == ["event_name=odd"]
    assert changed(window(stream(lambda _: 500), without=gone)) == []
