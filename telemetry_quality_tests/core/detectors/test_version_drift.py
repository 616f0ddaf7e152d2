"""Version shares: which moves are far beyond what their history explains."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.detectors.version_drift import Shift, is_newer, version_shifts
from telemetry_quality.core.detectors.version_shares import VersionShares
from telemetry_quality.core.detectors.windows import window_of
from telemetry_quality_tests.core.guardrails.streams import DAY, FIRST, cut

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from telemetry_quality_tests.core.guardrails.streams import Cell

Versions = dict[str | None, float]


def age(day: date) -> int:
    return (DAY - day).days


def shifts_of(cells: Callable[[date], Mapping[Cell, int]], unreadable: Collection[date] = ()) -> list[Shift]:
    """What moved by more than ten points on DAY."""
    days = [FIRST + timedelta(days=n) for n in range(43) if FIRST + timedelta(days=n) not in unreadable]
    known = {day: cells(day) for day in days}
    totals = {day: sum(counts.values()) for day, counts in known.items()}
    window = window_of(DAY, totals, {day: cut(counts) for day, counts in known.items()})
    return version_shifts(VersionShares(window, 10.0, 20, None))


def web(mix: Callable[[int], Versions], events: int = 10_000) -> Callable[[date], Mapping[Cell, int]]:
    """One platform whose versions have the shares that ``mix`` gives for a day's age; 0 is DAY."""
    return lambda day: {
        ("web", "page.view", version): round(events * share) for version, share in mix(age(day)).items()
    }


def lost(share: float) -> Versions:
    return {"2.0": 1 - share, None: share}


@pytest.mark.parametrize(("lost_events", "has_moved"), [(5, False), (6, True)])
def test_of_a_few_events_more_must_lose_their_version_than_five_times_chance(lost_events: int, has_moved: bool) -> None:
    # A share of 1 in 25 has a standard deviation of four points here.
    found = shifts_of(web(lambda back: lost(lost_events / 25) if back == 0 else lost(0), events=25))

    assert bool(found) is has_moved


@pytest.mark.parametrize(("share", "has_moved"), [(0.29, False), (0.305, True)])
def test_a_noisy_share_must_move_by_six_of_its_standard_deviations(share: float, has_moved: bool) -> None:
    usual = (0.10, 0.14)
    found = shifts_of(web(lambda back: lost(share if back == 0 else usual[back % 2])))

    assert pytest.approx(0.2979, abs=1e-4) == 0.12 + 6 * 1.4826 * 0.02
    assert bool(found) is has_moved


@pytest.mark.parametrize(("bad_days", "has_moved"), [(4, True), (5, False)])
def test_a_tenth_of_the_earlier_days_may_have_been_as_bad_before_it_is_usual(bad_days: int, has_moved: bool) -> None:
    bad = {3, 9, 17, 25, 34} if bad_days == 5 else {3, 9, 17, 25}
    found = shifts_of(web(lambda back: lost(0.5 if back == 0 or back in bad else 0.0)))

    assert bool(found) is has_moved


@pytest.mark.parametrize(("same_weekdays", "has_moved"), [(2, True), (3, False)])
def test_three_days_of_the_same_weekday_say_what_is_usual_on_it(same_weekdays: int, has_moved: bool) -> None:
    unreadable = {DAY - timedelta(weeks=n) for n in range(same_weekdays + 1, 7)}
    found = shifts_of(web(lambda back: lost(0.35 if back == 0 else 0.3 if back % 7 == 0 else 0.0)), unreadable)

    assert bool(found) is has_moved


@pytest.mark.parametrize(("since", "has_moved"), [(20, True), (21, False), (22, False)])
def test_versions_lost_three_weeks_ago_are_the_new_normal_though_few_days_of_it_are_known(
    since: int, has_moved: bool
) -> None:
    unreadable = {DAY - timedelta(days=n) for n in range(3, 17)}
    found = shifts_of(web(lambda back: lost(0.5 if back <= since else 0.0)), unreadable)

    assert bool(found) is has_moved


@pytest.mark.parametrize(("first_seen", "has_moved"), [(20, False), (21, False), (22, True)])
def test_a_version_first_seen_three_weeks_ago_may_still_be_on_its_way(first_seen: int, has_moved: bool) -> None:
    def mix(back: int) -> Versions:
        share = 0.6 if back == 0 else 0.01 if back <= first_seen else 0.0
        return {"b": share, "a": 1 - share}

    assert bool(shifts_of(web(mix))) is has_moved


@pytest.mark.parametrize(
    ("back_then", "has_moved"), [(6, False), (7, False), (8, True), (13, True), (14, False), (15, True), (21, True)]
)
def test_a_share_is_compared_with_the_last_week_and_with_the_same_day_a_fortnight_before(
    back_then: int, has_moved: bool
) -> None:
    found = shifts_of(web(lambda back: {"b": 0.6, "a": 0.4} if back in {0, back_then} else {"b": 0.05, "a": 0.95}))

    assert bool(found) is has_moved


@pytest.mark.parametrize(
    ("old", "has_moved"),
    [
        pytest.param((0.1, 0.5, 1.0), True, id="twice as much as the day before yesterday"),
        pytest.param((0.1, 0.95, 1.0), False, id="what it had the day before yesterday"),
    ],
)
def test_after_a_rollback_the_last_two_days_show_the_share_of_the_old_version(
    old: tuple[float, ...], has_moved: bool
) -> None:
    def mix(back: int) -> Versions:
        share = (1.0, *old, 1.0)[min(back, 4)]
        return {"a": share, "b": 1 - share}

    assert bool(shifts_of(web(mix))) is has_moved


@pytest.mark.parametrize(("jump", "has_moved"), [(0.28, False), (0.32, True)])
def test_a_share_must_jump_more_than_twice_as_far_as_it_does_now_and_then(jump: float, has_moved: bool) -> None:
    def mix(back: int) -> Versions:
        rise = jump if back == 0 else 0.15 if back in {11, 25} else 0.0
        return {"a": 0.4 - rise, "b": 0.1 + rise, "c": 0.5}

    assert bool(shifts_of(web(mix))) is has_moved


@pytest.mark.parametrize(("left", "has_moved"), [(0.21, False), (0.19, True)])
def test_a_version_with_half_of_its_share_left_was_not_replaced(left: float, has_moved: bool) -> None:
    found = shifts_of(web(lambda back: {"a": left if back == 0 else 0.4, "b": 0.1 + (0.4 - left if back == 0 else 0)}))

    assert bool(found) is has_moved


@pytest.mark.parametrize(("more", "has_moved"), [(740, False), (760, True)])
def test_half_of_a_larger_share_must_be_more_events_rather_than_fewer_others(more: int, has_moved: bool) -> None:
    def cells(day: date) -> Mapping[Cell, int]:
        old, new = (1000 + more, 1500 - more) if day == DAY else (1000, 9000)
        return {("web", "page.view", "b"): old, ("web", "page.view", "a"): new}

    assert bool(shifts_of(cells)) is has_moved


def two_platforms(size: float, first: float, second: float) -> list[Shift]:
    """The first platform has ``size`` of all events; these shares of the two platforms lose their version on DAY."""

    def cells(day: date) -> Mapping[Cell, int]:
        events = {"ios": round(10_000 * size), "web": round(10_000 * (1 - size))}
        shares = {"ios": first, "web": second} if day == DAY else {"ios": 0.0, "web": 0.0}
        return {
            (platform, "page.view", version): round(n * share)
            for platform, n in events.items()
            for version, share in lost(shares[platform]).items()
        }

    return shifts_of(cells)


@pytest.mark.parametrize(("size", "parts"), [(0.94, (("platform", "ios"),)), (0.96, ())])
def test_a_value_that_has_nearly_all_events_is_the_whole_stream(
    size: float, parts: tuple[tuple[str, str], ...]
) -> None:
    assert [shift.scope.parts for shift in two_platforms(size, 0.5, 0.0)] == [parts]


@pytest.mark.parametrize(("second", "parts"), [(0.04, (("platform", "ios"),)), (0.06, ())])
def test_a_value_is_named_if_it_explains_four_fifths_of_the_move(
    second: float, parts: tuple[tuple[str, str], ...]
) -> None:
    assert [shift.scope.parts for shift in two_platforms(0.5, 0.2, second)] == [parts]


@pytest.mark.parametrize(
    ("version", "other", "expected"),
    [
        ("2.10.0", "2.9", True),
        ("2.9", "2.10.0", False),
        ("2.0", "2.0", False),
        ("v3", "v2", True),
        ("web@5.1.0", "web@5.0.9", True),
        ("ios-2.0", "web-1.0", False),
        ("3f2a9", "2b1c8", False),
        ("2.1.0-rc.1", "2.0.0", True),
        ("A320-232", "737-824", False),
    ],
)
def test_versions_are_ordered_by_their_numbers(version: str, other: str, expected: bool) -> None:
    assert is_newer(version, other) is expected
