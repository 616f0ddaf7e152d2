"""Lost bases: what a stream always said and no longer says, below, at and above each bound."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry_quality.core.detectors.lost_bases import ACCEPTED_AFTER_DAYS, lost_basis
from telemetry_quality.core.detectors.windows import WINDOW_DAYS, WINDOW_MINIMUM
from telemetry_quality.core.shares import ShareCount

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY = date(2026, 3, 10)
"""A Tuesday."""

ALL, NONE, HALF = (1000, 1000), (0, 1000), (500, 1000)


def counts(*days: tuple[int, int]) -> dict[date, ShareCount]:
    """Consecutive days, the last of them DAY."""
    first = DAY - timedelta(days=len(days) - 1)
    return {first + timedelta(days=n): ShareCount(*day) for n, day in enumerate(days)}


def is_lost(*days: tuple[int, int], is_partly: bool = True) -> bool:
    return lost_basis(DAY, counts(*days), is_partly=is_partly) is not None


def test_what_all_events_of_earlier_days_had_and_none_has_now_is_lost() -> None:
    loss = lost_basis(DAY, counts(*[ALL] * 39, NONE))

    assert loss is not None
    assert (loss.usual, loss.found, loss.events, loss.since, loss.lost_percent) == (1.0, 0.0, 1000, DAY, 100.0)


@pytest.mark.parametrize("days", [1, 3, 13, 14, 60])
def test_a_stream_that_never_had_it_has_lost_nothing(days: int) -> None:
    assert not is_lost(*[NONE] * days)


def test_a_first_day_and_a_day_without_events_cannot_know() -> None:
    assert not is_lost(NONE)
    assert not is_lost(*[ALL] * 30, (0, 0))
    assert not is_lost(*[(0, 0)] * 30, NONE)
    assert lost_basis(DAY, {}) is None


@pytest.mark.parametrize("days", [1, 6, 30])
def test_one_day_on_which_most_events_had_it_is_enough_to_miss_all_of_it(days: int) -> None:
    assert is_lost(*[ALL] * days, NONE)


@pytest.mark.parametrize(("usual", "is_missed"), [(499, False), (500, True), (501, True)])
def test_while_the_weekdays_are_not_known_only_what_most_events_say_is_missed(usual: int, is_missed: bool) -> None:
    assert is_lost(*[(usual, 1000)] * (WINDOW_MINIMUM - 1), NONE, is_partly=False) is is_missed
    assert is_lost(*[(usual, 1000)] * WINDOW_MINIMUM, NONE, is_partly=False)


@pytest.mark.parametrize(("events", "is_missed"), [(1, False), (2, True), (1000, True)])
def test_chance_is_considered_where_a_day_has_few_events(events: int, is_missed: bool) -> None:
    assert is_lost(*[(5, 5)] * 40, (0, events)) is is_missed


@pytest.mark.parametrize(("left", "is_missed"), [(19, True), (20, True), (21, False)])
def test_stragglers_of_the_writers_before_do_not_hide_that_all_of_it_is_lost(left: int, is_missed: bool) -> None:
    assert is_lost(*[ALL] * 6, (left, 1000)) is is_missed


@pytest.mark.parametrize(("left", "is_missed"), [(899, True), (900, False), (901, False)])
def test_a_part_is_lost_strictly_above_ten_percent_of_the_usual_share(left: int, is_missed: bool) -> None:
    assert is_lost(*[ALL] * 20, (left, 1000)) is is_missed
    assert is_lost(*[(500, 1000)] * 20, (round(left * 50), 100_000)) is is_missed


@pytest.mark.parametrize(("days", "is_missed"), [(6, False), (7, True), (8, True)])
def test_a_part_is_missed_once_seven_days_show_how_much_it_varies(days: int, is_missed: bool) -> None:
    assert is_lost(*[ALL] * days, HALF) is is_missed


def test_a_part_is_not_asked_for_where_it_cannot_be_measured() -> None:
    assert not is_lost(*[ALL] * 30, HALF, is_partly=False)
    assert is_lost(*[ALL] * 30, NONE, is_partly=False)


def test_a_share_that_varies_as_much_by_itself_is_usual() -> None:
    random = Random(1)
    days = [(random.randint(300, 900), 1000) for _ in range(40)]

    assert not is_lost(*days, (310, 1000))
    assert is_lost(*days, NONE)


@pytest.mark.parametrize(("events", "is_missed"), [(60, False), (600, True)])
def test_noise_of_few_events_is_no_loss_of_a_part(events: int, is_missed: bool) -> None:
    assert is_lost(*[(events // 2, events)] * 40, (events // 5, events)) is is_missed


def test_fewer_events_that_have_it_are_silence_of_their_senders_and_no_loss() -> None:
    usual = [(8000, 10_000)] * 30

    assert not is_lost(*usual, (2000, 4000))
    assert is_lost(*usual, (4000, 10_000))


def test_a_weekday_on_which_it_is_never_there_is_no_loss_and_another_one_is() -> None:
    week = [NONE if (DAY - timedelta(days=n)).weekday() == 6 else ALL for n in range(42, 0, -1)]
    sunday = DAY + timedelta(days=5)
    later = {DAY + timedelta(days=n): ShareCount(*ALL) for n in range(5)}

    assert is_lost(*week, NONE)
    assert lost_basis(sunday, counts(*week, ALL) | later | {sunday: ShareCount(*NONE)}) is None


def test_what_comes_and_goes_is_not_missed_but_one_outage_long_ago_is_no_excuse() -> None:
    some_days = [NONE if n % 4 == 1 else (20, 1000) for n in range(40)]

    assert not is_lost(*some_days, NONE)
    assert is_lost(*[ALL] * 10, NONE, NONE, *[ALL] * 20, NONE)


@pytest.mark.parametrize(
    ("age", "is_missed"), [(ACCEPTED_AFTER_DAYS - 1, True), (ACCEPTED_AFTER_DAYS, False), (WINDOW_DAYS, False)]
)
@pytest.mark.parametrize("left", [NONE, HALF])
def test_a_loss_is_one_from_its_first_day_until_three_weeks_later(
    age: int, is_missed: bool, left: tuple[int, int]
) -> None:
    loss = lost_basis(DAY, counts(*[ALL] * 20, *[left] * (age + 1)))

    assert (loss is not None) is is_missed
    if loss is not None:
        assert loss.since == DAY - timedelta(days=age)


def test_a_young_stream_does_not_get_used_to_a_loss_sooner() -> None:
    assert is_lost(*[ALL] * 4, *[NONE] * 15)


DAYS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)).map(lambda n: (min(n), max(n))), max_size=60)


@given(days=DAYS, later=DAYS, is_partly=st.booleans())
def test_no_later_day_and_no_day_before_the_window_changes_anything(
    days: Sequence[tuple[int, int]], later: Sequence[tuple[int, int]], is_partly: bool
) -> None:
    known = counts(*days)
    after = {DAY + timedelta(days=n): ShareCount(*day) for n, day in enumerate(later, 1)}
    recent = {day: count for day, count in known.items() if (DAY - day).days <= WINDOW_DAYS}

    assert lost_basis(DAY, known | after, is_partly=is_partly) == lost_basis(DAY, recent, is_partly=is_partly)


@given(days=DAYS)
def test_whatever_was_seen_a_loss_is_a_share_below_the_usual_one(days: Sequence[tuple[int, int]]) -> None:
    loss = lost_basis(DAY, counts(*days))

    assert loss is None or (0 <= loss.found < loss.usual <= 1 and 0 < loss.lost_percent <= 100 and loss.since <= DAY)
