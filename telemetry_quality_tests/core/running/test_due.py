"""Due: a look reads what is new, what was missed, and now and then an older hour."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry_quality.core.running.due import due_hours


@pytest.mark.parametrize(
    ("read", "over", "looks_since", "spans"),
    [
        ((), 0, 0, []),
        ((), 1, 0, [range(1)]),
        ((0,), 2, 0, [range(2)]),
        (range(10), 11, 0, [range(9, 11)]),
        (range(10), 11, 2, [range(9, 11)]),
        ((), 9, 0, [range(9)]),
        ((0, 1, 5), 8, 0, [range(2, 5), range(5, 8)]),
        ((0, 2), 3, 0, [range(2)]),
        ((0, 1, 2, 4), 5, 0, [range(2, 4)]),
        (range(11), 11, 0, []),
        (range(11), 11, 1, [range(8, 9)]),
        (range(11), 11, 2, [range(6, 7)]),
        (range(11), 11, 3, [range(2, 3)]),
        (range(11), 11, 4, []),
        (range(5), 5, 3, []),
        (range(3), 3, 1, [range(1)]),
        (range(2), 2, 1, []),
    ],
)
def test_the_hours_that_are_due(read: tuple[int, ...], over: int, looks_since: int, spans: list[range]) -> None:
    assert due_hours(read, over, looks_since) == spans


@given(st.sets(st.integers(0, 24)), st.integers(0, 25), st.integers(0, 10))
def test_every_hour_that_is_over_and_was_not_read_is_due_and_none_that_is_not_over(
    read: set[int], over: int, looks_since: int
) -> None:
    due = [hour for hours in due_hours(read, over, looks_since) for hour in hours]
    assert set(range(over)) - read <= set(due) <= set(range(over))
    assert due == sorted(set(due))
    assert len(set(due) & read) <= 1
