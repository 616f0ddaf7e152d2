"""Small counts: what chance explains at the stream's usual share, and from when on that share is known."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry_quality.core.detectors.small_counts import (
    KNOWN_DAYS,
    KNOWN_EVENTS,
    LEVEL,
    ODD_WEEK,
    USUAL_DAYS,
    UsualShare,
    chance_of,
    is_empty_by_chance,
    is_explained,
    usual_share,
)
from telemetry_quality.core.shares import ShareCount
from telemetry_quality_tests.builders import DAY

if TYPE_CHECKING:
    from datetime import date


def make_history(*counts: tuple[int, int]) -> dict[date, ShareCount]:
    """The counts of the days before DAY, the latest last."""
    return {DAY - timedelta(days=n): ShareCount(*count) for n, count in enumerate(reversed(counts), start=1)}


def test_a_usual_share_is_known_from_four_days_with_twelve_events_on() -> None:
    assert (KNOWN_DAYS, KNOWN_EVENTS) == (4, 12)
    assert usual_share(DAY, make_history(*[(0, 3)] * 4)) == UsualShare(0, 12)
    assert usual_share(DAY, make_history(*[(0, 3)] * 3, (0, 2))) is None
    assert usual_share(DAY, make_history(*[(0, 30)] * 3)) is None
    assert usual_share(DAY, make_history(*[(0, 30)] * 3, (0, 0))) is None
    assert usual_share(DAY, make_history(*[(1, 3)] * 5)) == UsualShare(5, 15)


def test_the_usual_share_is_that_of_the_last_eight_weeks_before_the_day() -> None:
    outside = {DAY - timedelta(days=USUAL_DAYS + 1): ShareCount(3, 3), DAY: ShareCount(3, 3)}
    future = {DAY + timedelta(days=1): ShareCount(3, 3)}
    inside = {DAY - timedelta(days=n): ShareCount(0, 3) for n in (1, 2, 3, USUAL_DAYS)}

    assert USUAL_DAYS == 56
    assert usual_share(DAY, inside | outside | future) == UsualShare(0, 12)


@pytest.mark.parametrize("bad_weeks", [1, 2, 3])
def test_weeks_of_an_incident_are_no_part_of_what_is_usual(bad_weeks: int) -> None:
    ordinary = [*[(0, 3)] * 6, (1, 3)]
    incident = [(3, 3), (2, 3)] * 3 + [(2, 3)]
    history = make_history(*ordinary * (7 - bad_weeks), *incident * bad_weeks, *ordinary)

    assert usual_share(DAY, history) == UsualShare(8 - bad_weeks, 21 * (8 - bad_weeks))


def test_a_week_is_odd_only_if_the_others_reach_it_in_fewer_than_one_of_a_thousand_cases() -> None:
    def share_with(errors: int) -> UsualShare | None:
        return usual_share(DAY, make_history(*[(0, 100)] * 20, (errors, 100)))

    others = UsualShare(0, 1400)
    assert chance_of(UsualShare(3, 700), others) > ODD_WEEK > chance_of(UsualShare(4, 700), others)
    assert share_with(3) == UsualShare(3, 2100)
    assert share_with(4) == others


def test_of_two_weeks_nobody_can_tell_which_one_is_odd() -> None:
    assert usual_share(DAY, make_history(*[(0, 3)] * 7, *[(3, 3)] * 7)) == UsualShare(21, 42)


USUAL_TWO_PERCENT = UsualShare(4, 200)


@pytest.mark.parametrize(
    ("bad", "events", "passes"),
    [
        (1, 1, True),
        (1, 3, True),
        (2, 3, False),
        (3, 3, False),
        (2, 6, True),
        (3, 6, False),
        (7, 99, True),
        (8, 99, False),
        (99, 99, False),
    ],
)
def test_a_usual_share_of_two_percent_explains_an_error_but_not_several(bad: int, events: int, passes: bool) -> None:
    assert is_explained(ShareCount(bad, events), USUAL_TWO_PERCENT) is passes


@pytest.mark.parametrize("earlier_errors", [0, 1])
def test_three_bad_events_of_three_fail_from_the_first_day_on_which_the_usual_share_is_known(
    earlier_errors: int,
) -> None:
    usual = UsualShare(earlier_errors, KNOWN_EVENTS)

    assert is_explained(ShareCount(1, 3), usual)
    assert not is_explained(ShareCount(3, 3), usual)


def test_exactly_the_level_is_explained() -> None:
    usual = UsualShare(0, 249)

    assert usual.ratio == pytest.approx(LEVEL)
    assert is_explained(ShareCount(1, 1), usual) is (chance_of(ShareCount(1, 1), usual) >= LEVEL)
    assert is_explained(ShareCount(1, 1), UsualShare(0, 240))
    assert not is_explained(ShareCount(1, 1), UsualShare(0, 260))


counts = st.integers(0, 99).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole)))


@settings(deadline=None)
@given(
    st.lists(counts.map(lambda count: ShareCount(*count)), max_size=80),
    st.dictionaries(st.integers(0, 30), counts, max_size=8),
)
def test_no_later_day_changes_the_usual_share(earlier: list[ShareCount], later: dict[int, tuple[int, int]]) -> None:
    history = make_history(*earlier)
    later_days = {DAY + timedelta(days=n): ShareCount(*count) for n, count in later.items()}

    assert usual_share(DAY, history | later_days) == usual_share(DAY, history)


@settings(deadline=None)
@given(counts.filter(lambda count: count[0] > 0), st.integers(0, 500), st.integers(0, 500))
def test_more_bad_events_are_never_explained_better(count: tuple[int, int], part: int, rest: int) -> None:
    bad, events = count
    usual = UsualShare(part, part + rest)

    assert chance_of(ShareCount(bad, events), usual) <= chance_of(ShareCount(bad - 1, events), usual) * (1 + 1e-9)


def make_totals(*totals: int) -> dict[date, int]:
    """The events of the days before DAY, the latest last."""
    return {DAY - timedelta(days=n): total for n, total in enumerate(reversed(totals), start=1)}


@pytest.mark.parametrize(
    ("totals", "by_chance"),
    [
        ((), False),
        ((3, 3, 3), False),
        ((3, 3, 3, 3), True),
        ((5, 5, 5, 5), True),
        ((6, 6, 6, 5), True),
        ((6, 6, 6, 6), False),
        ((2000, 2000, 2000, 2000, 2000), False),
        ((3, 2, 1, 4, 0), True),
        ((3, 2, 1, 4, 0, 0), False),
        ((0, 0, 0, 0, 0), False),
        ((5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5), True),
        ((6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6), False),
    ],
)
def test_the_first_days_of_a_stream_of_few_events_may_be_empty_by_chance(
    totals: tuple[int, ...], by_chance: bool
) -> None:
    assert is_empty_by_chance(DAY, make_totals(*totals)) is by_chance


def test_only_the_last_two_weeks_before_the_day_say_how_many_events_are_few() -> None:
    assert is_empty_by_chance(DAY, make_totals(*[500] * 5, *[3] * 14))
    assert not is_empty_by_chance(DAY, make_totals(*[500] * 5, *[3] * 13))
    assert is_empty_by_chance(DAY, make_totals(*[3] * 5) | {DAY: 500, DAY + timedelta(days=1): 500})
