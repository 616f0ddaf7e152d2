"""Segment errors: what fails is named on its first day, and what the whole stream, a mix or a release does is not."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry_quality.core.detectors.segment_errors import Failing, SegmentErrors
from telemetry_quality.core.events import OTHER_VALUES
from telemetry_quality.core.guardrails.verdicts import Segment
from telemetry_quality_tests.core.detectors.segment_windows import DAY, Cell, Count, age, window

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    Cells = dict[Cell, Count]

PLATFORMS = ("web", "ios", "android")
SIGNALS = {"view": 5000, "click": 3000, "search": 1500, "checkout": 400, "refund": 100}


def rate_of(events: int, rate: float) -> Count:
    return events, round(events * rate)


def ordinary(day: date, rate: float = 0.01) -> Cells:
    """Signals on three platforms, of which ios has a tenth of the events; 1 % are errors."""
    shares = {"web": 0.6, "ios": 0.1, "android": 0.3}
    version = "2.0"
    return {
        (signal, platform, version): rate_of(round(events * shares[platform]), rate)
        for signal, events in SIGNALS.items()
        for platform in PLATFORMS
    }


def breaking(fails: Callable[[Cell], bool], share: float = 1.0, days: int = 1) -> Callable[[date], Cells]:
    """``share`` of the events of the matching cells are errors on the last ``days`` days."""

    def cells(day: date) -> Cells:
        return {
            cell: rate_of(events, share) if age(day) < days and fails(cell) else (events, errors)
            for cell, (events, errors) in ordinary(day).items()
        }

    return cells


def failing(
    cells: Callable[[date], Cells], known: int = 42, points: float = 5.0, without: tuple[date, ...] = ()
) -> list[Failing]:
    return SegmentErrors(window(cells, known, without), points, 20).failing()


def named(found: list[Failing]) -> list[str]:
    return [str(Segment(one.segment.parts)) for one in found]


def of(count: Callable[[date], Count], version: str | None = "2.0") -> Callable[[date], Cells]:
    """The ordinary stream, and a signal ``odd`` of its own."""
    return lambda day: ordinary(day) | {("odd", "web", version): count(day)}


def test_an_ordinary_stream_has_no_failing_segment() -> None:
    assert failing(ordinary) == []


@pytest.mark.parametrize("signal", ["checkout", "refund"])
def test_a_small_signal_that_fails_is_named_on_its_first_day(signal: str) -> None:
    (found,) = failing(breaking(lambda cell: cell[0] == signal))

    assert named([found]) == [f"event_name={signal}"]
    assert found.since == DAY
    assert found.counts.errors == found.counts.events == SIGNALS[signal]
    assert found.usual == pytest.approx(0.01, abs=0.003)
    assert found.points == pytest.approx(99, abs=0.3)
    assert found.excess_errors == pytest.approx(0.99 * SIGNALS[signal], rel=0.01)


def test_a_signal_that_fails_by_half_is_named() -> None:
    assert named(failing(breaking(lambda cell: cell[0] == "refund", 0.5))) == ["event_name=refund"]


def test_a_platform_that_fails_is_named_and_none_of_its_signals() -> None:
    assert named(failing(breaking(lambda cell: cell[1] == "ios"))) == ["platform=ios"]


def test_a_signal_that_fails_on_one_platform_is_named_with_it() -> None:
    broken = breaking(lambda cell: cell[:2] == ("checkout", "ios"))

    assert named(failing(broken)) == ["platform=ios × event_name=checkout"]


def test_independent_failures_are_all_named_the_most_errors_first() -> None:
    broken = breaking(lambda cell: cell[0] == "refund" or cell[:2] == ("search", "ios"))

    assert named(failing(broken)) == ["platform=ios × event_name=search", "event_name=refund"]


def test_a_platform_that_consists_of_a_failing_signal_does_not_fail_itself() -> None:
    def cells(day: date) -> Cells:
        # Most of the kiosk's events are refunds; its clicks go well.
        kiosk = {("refund", "kiosk", "2.0"): (300, 3), ("click", "kiosk", "2.0"): (100, 1)}
        broken = {cell: rate_of(n, 1.0) if cell[0] == "refund" else (n, k) for cell, (n, k) in kiosk.items()}
        return breaking(lambda cell: cell[0] == "refund")(day) | (broken if day == DAY else kiosk)

    assert named(failing(cells)) == ["event_name=refund"]


@pytest.mark.parametrize(("left", "name"), [(29, "platform=kiosk"), (31, "platform=kiosk × event_name=refund")])
def test_a_tenth_of_a_segment_must_be_left_to_show_that_the_segment_is_well(left: int, name: str) -> None:
    def cells(day: date) -> Cells:
        kiosk = {("refund", "kiosk", "2.0"): (300 - left, 300 - left if day == DAY else 3)}
        return ordinary(day) | kiosk | {("click", "kiosk", "2.0"): (left, 0)}

    assert named(failing(cells)) == [name]


# ---- how far ----


@pytest.mark.parametrize(("errors", "is_named"), [(599, False), (600, False), (601, True)])
def test_a_rate_must_rise_by_more_than_the_points(errors: int, is_named: bool) -> None:
    # 1 % of the odd signal's events are usual, by the prior as well.
    assert bool(failing(of(lambda day: (10_000, errors if day == DAY else 100)))) is is_named


def test_the_points_are_a_setting() -> None:
    broken = of(lambda day: (10_000, 400 if day == DAY else 100))

    assert failing(broken) == []
    assert named(failing(broken, points=1.0)) == ["event_name=odd"]


@pytest.mark.parametrize(("errors", "is_named"), [(4, False), (5, False), (6, True)])
def test_a_handful_of_errors_may_be_a_single_client(errors: int, is_named: bool) -> None:
    # 0.1 or so of them are usual, so that five errors are fewer than five beyond the usual.
    assert bool(failing(of(lambda day: (10, errors if day == DAY else 0)))) is is_named


def test_a_rate_that_varies_must_rise_farther() -> None:
    def steady(day: date) -> Count:
        return 1000, 80 if day == DAY else 10

    def restless(day: date) -> Count:
        return 1000, 80 if day == DAY else (0, 5, 10, 40)[age(day) % 4]

    assert named(failing(of(steady))) == ["event_name=odd"]
    assert failing(of(restless)) == []


def test_few_events_show_little() -> None:
    def rising(events: int) -> Callable[[date], Count]:
        return lambda day: rate_of(events, 0.12 if day == DAY else 0.02)

    assert failing(of(rising(50))) == []
    assert named(failing(of(rising(5000)))) == ["event_name=odd"]


def test_what_always_fails_may_go_on_failing_and_is_judged_near_100_percent_as_near_0() -> None:
    assert failing(of(lambda _: (1000, 900))) == []
    assert named(failing(of(lambda day: (1000, 990 if day == DAY else 700)))) == ["event_name=odd"]


def test_an_earlier_failure_of_any_length_does_not_hide_the_next() -> None:
    def failed_before(day: date) -> Count:
        return 500, 500 if day == DAY or 10 <= age(day) < 14 else 5

    assert named(failing(of(failed_before))) == ["event_name=odd"]


def test_what_fails_again_and_again_is_usual() -> None:
    assert failing(of(lambda day: (500, 500 if age(day) % 5 == 0 else 5))) == []


# ---- since when, and how long ----


@pytest.mark.parametrize(("days", "is_named"), [(2, True), (21, True), (22, False)])
def test_a_failure_lasts_until_it_is_three_weeks_old(days: int, is_named: bool) -> None:
    found = failing(breaking(lambda cell: cell[0] == "refund", days=days))

    assert [age(one.since) for one in found] == ([days - 1] if is_named else [])


@pytest.mark.parametrize(("share", "since"), [(0.49, 0), (0.52, 1)])
def test_a_day_that_failed_half_as_much_was_part_of_the_failure(share: float, since: int) -> None:
    def cells(day: date) -> Count:
        return rate_of(1000, 1.0 if day == DAY else share if age(day) == 1 else 0.01)

    (found,) = failing(of(cells))
    assert age(found.since) == since


@pytest.mark.parametrize(("known", "is_named"), [(6, False), (7, True)])
def test_a_new_signal_is_judged_once_it_was_known_for_a_week(known: int, is_named: bool) -> None:
    def cells(day: date) -> Cells:
        young = {("new", "web", "2.0"): rate_of(500, 1.0 if day == DAY else 0.01)}
        return ordinary(day) | (young if age(day) <= known else {})

    # The pair with its platform is as young as the signal.
    assert named(failing(cells)) == (["event_name=new"] if is_named else [])


def test_a_new_signal_that_always_fails_says_nothing_about_itself_its_platform_or_its_version() -> None:
    def cells(day: date) -> Cells:
        return ordinary(day) | ({("payment.failed", "ios", "2.0"): (2000, 2000)} if day == DAY else {})

    assert failing(cells) == []


# ---- the whole stream ----


@pytest.mark.parametrize("rate", [0.03, 0.08, 0.3])
def test_when_the_errors_of_the_whole_stream_rise_evenly_no_segment_is_named(rate: float) -> None:
    assert failing(lambda day: ordinary(day, rate if day == DAY else 0.01)) == []


def test_a_segment_is_named_if_it_goes_beyond_the_rise_of_the_stream() -> None:
    def cells(day: date) -> Cells:
        rising = ordinary(day, 0.03 if day == DAY else 0.01)
        return {
            cell: rate_of(n, 0.9) if day == DAY and cell[0] == "refund" else (n, k) for cell, (n, k) in rising.items()
        }

    (found,) = failing(cells)
    assert named([found]) == ["event_name=refund"]
    assert 0.025 < found.usual < 0.04


@pytest.mark.parametrize(("others", "name"), [(203, []), (205, ["event_name=main"])])
def test_a_segment_that_is_the_stream_is_not_judged_beside_it(others: int, name: list[str]) -> None:
    def cells(day: date) -> Cells:
        rate = 0.2 if day == DAY else 0.01
        return {("main", "web", "1.0"): rate_of(10_000, rate), ("other", "web", "1.0"): (others, 2)}

    assert named(failing(cells)) == name


# ---- versions ----


def released(share: Callable[[date], float], rate: float, old_rate: float = 0.01) -> Callable[[date], Cells]:
    """Version 3.0 has a share of each cell, and its own error rate."""

    def cells(day: date) -> Cells:
        found: Cells = {}
        for (signal, platform, _), (events, _) in ordinary(day).items():
            new = round(events * share(day))
            found[signal, platform, "2.0"] = rate_of(events - new, old_rate)
            if new:
                found[signal, platform, "3.0"] = rate_of(new, rate)
        return found

    return cells


@pytest.mark.parametrize("days", [1, 3, 6, 12])
def test_a_rollout_to_60_percent_raises_nothing(days: int) -> None:
    for judged in range(days + 8):

        def share(day: date, judged: int = judged) -> float:
            return 0.6 * min(max((judged - age(day)) / days, 0.0), 1.0)

        assert failing(released(share, 0.02)) == []


@pytest.mark.parametrize("share", [0.04, 0.3])
def test_a_new_version_that_fails_is_named_on_its_first_day_by_what_other_versions_show(share: float) -> None:
    (found,) = failing(released(lambda day: share if day == DAY else 0.0, 1.0))

    assert named([found]) == ["service_version=3.0"]


def test_a_new_version_that_fails_a_little_more_than_others_is_not_named() -> None:
    assert failing(released(lambda day: 0.1 if day == DAY else 0.0, 0.06)) == []


@pytest.mark.parametrize(("events", "is_named"), [(19, False), (20, True)])
def test_a_new_version_is_compared_with_others_once_it_has_the_least_number_of_events(
    events: int, is_named: bool
) -> None:
    def cells(day: date) -> Cells:
        return ordinary(day) | ({("view", "web", "3.0"): (events, events)} if day == DAY else {})

    assert named(failing(cells)) == (["service_version=3.0"] if is_named else [])


def test_versions_that_differ_by_nature_let_a_new_one_differ() -> None:
    def cells(day: date) -> Cells:
        others: Cells = {("view", "web", f"1.{n}"): rate_of(500, (0.0, 0.6, 0.0, 0.5)[n]) for n in range(4)}
        return ordinary(day) | others | ({("view", "web", "3.0"): (100, 50)} if day == DAY else {})

    assert failing(cells) == []


def test_events_without_a_version_may_fail_since_they_fail_early() -> None:
    def cells(day: date) -> Cells:
        return ordinary(day) | {("view", "web", None): (100, 100 if day == DAY else 1)}

    assert "service_version=(null)" not in named(failing(cells))


def test_other_values_are_no_segment() -> None:
    def cells(day: date) -> Cells:
        return ordinary(day) | {
            (signal, OTHER_VALUES, "2.0"): (20, 20 if day == DAY else 0) for signal in ("view", "click", "search")
        }

    assert failing(cells) == []


# ---- chance ----


def test_noise_of_many_segments_is_corrected_for() -> None:
    random = Random(7)
    alarms = 0
    for _ in range(20):
        counts: dict[Cell, int] = {(f"s{n}", "web", "1.0"): 40 + n for n in range(40)}

        def cells(_: date, counts: dict[Cell, int] = counts) -> Cells:
            return {
                cell: (events, sum(random.random() < 0.03 for _ in range(events))) for cell, events in counts.items()
            }

        alarms += bool(failing(cells, known=28))
    assert alarms == 0


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), ahead=st.integers(1, 30))
def test_later_days_change_nothing(seed: int, ahead: int) -> None:
    def cells(day: date) -> Cells:
        random = Random(seed + day.toordinal())
        return {
            (signal, platform, "1.0"): rate_of(random.randint(20, 400), random.choice((0.0, 0.01, 0.02, 0.5)))
            for signal in SIGNALS
            for platform in PLATFORMS
        }

    later = SegmentErrors(window(cells, ahead=ahead), 5.0, 20).failing()
    assert SegmentErrors(window(cells), 5.0, 20).failing() == later
