"""Silence: how regular a segment must have been, and how surely it must be gone."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.detectors.silence import SilenceSettings, Silent, silent_segments
from telemetry_quality.core.detectors.windows import window_of
from telemetry_quality_tests.core.guardrails.streams import DAY, FIRST, cut

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from telemetry_quality_tests.core.guardrails.streams import Cell

SUNDAY = 6


def age(day: date) -> int:
    return (DAY - day).days


def silent(
    part: Callable[[date], float],
    rest: Callable[[date], float] = lambda _: 10_000,
    *,
    found: int = 0,
    minimum_events: int = 1,
    unreadable: Collection[date] = (),
) -> list[Silent]:
    """The silence of a platform with ``part`` events on earlier days and ``found`` on the day, next to the ``rest``."""
    days = [FIRST + timedelta(days=n) for n in range(43) if FIRST + timedelta(days=n) not in unreadable]
    cells: dict[date, dict[Cell, int]] = {
        day: {
            ("web", "page.view", "1.0"): round(rest(day)),
            ("tv", "page.view", "1.0"): found if day == DAY else round(part(day)),
        }
        for day in days
    }
    totals = {day: sum(counts.values()) for day, counts in cells.items()}
    window = window_of(DAY, totals, {day: cut(counts) for day, counts in cells.items()})
    return silent_segments(window, SilenceSettings(minimum_events), None)


def steady(count: float) -> Callable[[date], float]:
    return lambda _: count


@pytest.mark.parametrize(("found", "is_silent"), [(0, True), (19, True), (20, True), (21, False)])
def test_two_in_a_hundred_are_stragglers(found: int, is_silent: bool) -> None:
    assert bool(silent(steady(1000), found=found)) is is_silent


@pytest.mark.parametrize(("days", "is_silent"), [(1, True), (20, True), (21, False)])
def test_after_three_weeks_silence_is_the_new_normal(days: int, is_silent: bool) -> None:
    assert bool(silent(lambda day: 1000 if age(day) > days else 0)) is is_silent


@pytest.mark.parametrize(
    ("events", "rest", "is_silent"), [(11, 10_000, False), (12, 9_633, False), (12, 9_667, True), (12, 10_000, True)]
)
def test_so_few_events_must_be_less_likely_than_one_in_a_hundred_thousand(
    events: int, rest: int, is_silent: bool
) -> None:
    # For a Poisson count, that is e^-11.51; a steady stream is assumed to vary a little more.
    found = silent(steady(events), lambda day: rest if day == DAY else 10_000)

    assert bool(found) is is_silent


@pytest.mark.parametrize(("days", "is_silent"), [(4, False), (5, True)])
def test_a_segment_of_one_weekday_must_have_been_there_five_times(days: int, is_silent: bool) -> None:
    found = silent(lambda day: 1000 if day.weekday() == DAY.weekday() and age(day) <= 7 * days else 0)

    assert bool(found) is is_silent


@pytest.mark.parametrize(("weeks", "is_silent"), [(3, False), (4, True), (5, True)])
def test_one_exception_in_four_weeks_may_have_been_a_silence_but_not_in_three(weeks: int, is_silent: bool) -> None:
    found = silent(lambda day: 1000 if age(day) <= 7 * weeks and age(day) != 14 else 0)

    assert bool(found) is is_silent


def test_a_weekday_that_is_known_once_is_not_regular() -> None:
    same_weekdays = {DAY - timedelta(weeks=n) for n in range(1, 7)}

    assert silent(steady(1000), unreadable=same_weekdays - {DAY - timedelta(weeks=1), DAY - timedelta(weeks=2)})
    assert not silent(steady(1000), unreadable=same_weekdays - {DAY - timedelta(weeks=1)})


@pytest.mark.parametrize(
    ("low_ages", "ratio", "has_faded"),
    [((3, 4), 0.49, True), ((3, 4), 0.51, False), ((1, 5), 0.49, False), ((1, 4), 0.49, True), ((1,), 0.1, False)],
)
def test_a_segment_below_half_on_two_of_its_last_four_days_has_faded(
    low_ages: tuple[int, ...], ratio: float, has_faded: bool
) -> None:
    (found,) = silent(lambda day: 1000 * ratio if age(day) in low_ages else 1000)

    assert found.has_faded is has_faded


@pytest.mark.parametrize(("rest", "expected"), [(210, 9_790), (190, 190 / 10_000 * 9_810)])
def test_a_rest_of_less_than_two_in_a_hundred_cannot_show_what_kind_of_day_it_is(rest: int, expected: float) -> None:
    (found,) = silent(steady(10_000 - rest), steady(rest))

    assert found.expected == pytest.approx(expected)


@pytest.mark.parametrize(("rest", "is_silent"), [(7_100, True), (6_900, False)])
def test_on_a_day_as_quiet_as_a_sunday_a_segment_may_rest_as_on_sundays(rest: int, is_silent: bool) -> None:
    found = silent(lambda day: 0 if day.weekday() == SUNDAY else 1000, lambda day: rest if day == DAY else 10_000)

    assert bool(found) is is_silent


@pytest.mark.parametrize(("ages", "is_silent"), [({10}, True), ({10, 20}, True), ({10, 20, 30}, False)])
def test_two_bursts_say_nothing_about_silence_and_three_do(ages: set[int], is_silent: bool) -> None:
    assert bool(silent(lambda day: 500 if age(day) in ages else 100)) is is_silent


@pytest.mark.parametrize(("swing", "is_silent"), [(49, True), (50, False)])
def test_the_variation_of_a_noisy_segment_is_widened_since_few_days_show_little(swing: int, is_silent: bool) -> None:
    # Days alternately far above and far below: by variance alone, or widened half as much, either would be silent.
    found = silent(lambda day: 100 + swing * (1 if day.toordinal() % 2 else -1))

    assert bool(found) is is_silent


@pytest.mark.parametrize(("events", "is_silent"), [(19, False), (20, True)])
def test_segments_with_fewer_events_than_the_minimum_are_not_watched(events: int, is_silent: bool) -> None:
    assert bool(silent(steady(events), minimum_events=20)) is is_silent
