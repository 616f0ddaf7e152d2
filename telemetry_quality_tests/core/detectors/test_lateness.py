"""Completeness curves: what earlier days show about how much of a day is still to come."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry_quality.core.detectors.lateness import completeness_curve, usual_completeness_percent
from telemetry_quality.core.events import MAXIMUM_ARRIVAL_HOURS, Arrivals
from telemetry_quality.core.scans import StoredScan

if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST = date(2026, 3, 1)


def end_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)


def make_stored(
    day: date, hours_after_end: float, total: int, by_hour: Sequence[int] | None = None, revision: int = 1
) -> StoredScan:
    arrivals = None if by_hour is None else Arrivals(tuple(by_hour), sum(by_hour), 0, 0, 0)
    return StoredScan(
        source="web",
        day=day,
        revision=revision,
        scanned_at=end_of(day) + timedelta(hours=hours_after_end),
        figures_hash="0" * 64,
        total_events=total,
        error_events=0,
        error_unknown_events=0,
        missing_version_events=0,
        late_events=0,
        sample_size=0,
        sample_passed=0,
        verified_events=None,
        unreadable_reason_code=None,
        unreadable_reason=None,
        missing_critical=None,
        rate_counts=None,
        duplicates=None,
        arrivals=arrivals,
        is_new=True,
    )


def curve_of(scans: Sequence[StoredScan]) -> tuple[float, ...] | None:
    return completeness_curve(scans, {scan.day: end_of(scan.day) for scan in scans})


def days(count: int) -> list[date]:
    return [FIRST + timedelta(days=n) for n in range(count)]


def test_the_curve_is_the_median_share_that_had_arrived_by_each_hour() -> None:
    curve = curve_of([make_stored(day, 200, 1000, (800, 100, 0, 100)) for day in days(7)])

    assert curve is not None
    assert curve[:5] == (80.0, 90.0, 90.0, 100.0, 100.0)
    assert len(curve) == MAXIMUM_ARRIVAL_HOURS + 1 == 7 * 24 + 1


@pytest.mark.parametrize(("count", "is_known"), [(0, False), (6, False), (7, True)])
def test_seven_days_make_a_curve(count: int, is_known: bool) -> None:
    assert (curve_of([make_stored(day, 200, 10, (10,)) for day in days(count)]) is not None) is is_known


def test_a_few_strange_days_do_not_bend_the_curve() -> None:
    usual = [make_stored(day, 200, 100, (90, 10)) for day in days(8)]
    outage = [make_stored(FIRST + timedelta(days=10 + n), 200, 100, (0, 0, 100)) for n in range(3)]
    curve = curve_of([*usual, *outage])

    assert curve is not None
    assert curve[:2] == (90.0, 100.0)


def test_only_the_last_days_count() -> None:
    slow = [make_stored(day, 200, 100, (10, 90)) for day in days(40)]
    fast = [make_stored(FIRST + timedelta(days=40 + n), 200, 100, (100,)) for n in range(28)]
    curve = curve_of([*slow, *fast])

    assert curve is not None
    assert curve[0] == 100.0


def test_exactly_four_weeks_count() -> None:
    fast, slow = (100,), (10, 90)
    last = FIRST + timedelta(days=50)
    shapes = [fast] * 14 + [slow] * 14 + [fast] * 22
    curve = curve_of([make_stored(last - timedelta(days=n), 200, 100, shape) for n, shape in enumerate(shapes)])

    assert curve is not None
    assert curve[0] == 55.0  # half-way: as many fast days as slow ones


@pytest.mark.parametrize(("hours", "counts"), [(23.5, False), (24.0, True), (30.0, True)])
def test_a_day_counts_once_it_was_read_a_day_after_its_end(hours: float, counts: bool) -> None:
    assert (curve_of([make_stored(day, hours, 100, (90, 10)) for day in days(7)]) is not None) is counts


@pytest.mark.parametrize(("first_hours", "counts"), [(1.0, True), (23.5, True), (24.0, False)])
def test_revisions_count_if_the_first_was_made_within_a_day_of_the_end(first_hours: float, counts: bool) -> None:
    scans = [
        make_stored(day, hours, total, revision=revision)
        for day in days(9)
        for revision, (hours, total) in enumerate(((first_hours, 900), (72, 1000)), start=1)
    ]

    assert (curve_of(scans) is not None) is counts


def test_days_read_before_their_tail_arrived_do_not_count() -> None:
    early = [make_stored(day, 2, 80, (80,)) for day in days(20)]

    assert curve_of(early) is None
    settled = [make_stored(FIRST + timedelta(days=30 + n), 200, 100, (80, 0, 0, 20)) for n in range(7)]
    curve = curve_of([*early, *settled])
    assert curve is not None
    assert curve[2] == 80.0


def test_the_curve_is_as_long_as_enough_days_reach() -> None:
    curve = curve_of([make_stored(day, 30 if n < 5 else 48.5, 100, (90, 10)) for n, day in enumerate(days(12))])

    assert curve is not None
    assert len(curve) == 49
    assert curve[-1] == 100.0


def test_without_counted_arrivals_the_revisions_count() -> None:
    scans = [
        make_stored(day, hours, total, revision=revision)
        for day in days(9)
        for revision, (hours, total) in enumerate(((1, 900), (25, 990), (72, 1000)), start=1)
    ]
    curve = curve_of(scans)

    assert curve is not None
    assert (curve[0], curve[1], curve[24], curve[25], curve[72]) == (90.0, 90.0, 90.0, 99.0, 100.0)


def test_days_that_were_never_scanned_again_do_not_count() -> None:
    assert curve_of([make_stored(day, 1, 900) for day in days(20)]) is None


def test_a_revision_that_lost_events_does_not_make_a_share_above_a_hundred() -> None:
    scans = [
        make_stored(day, hours, total, revision=revision)
        for day in days(9)
        for revision, (hours, total) in enumerate(((1, 900), (2, 1200), (30, 1000)), start=1)
    ]
    curve = curve_of(scans)

    assert curve is not None
    assert max(curve) == 100.0


@given(st.lists(st.lists(st.integers(0, 500), min_size=1, max_size=60), min_size=7, max_size=40), st.data())
def test_a_curve_never_falls_and_ends_at_a_hundred(hours: list[list[int]], data: st.DataObject) -> None:
    ages = data.draw(st.lists(st.integers(0, 300), min_size=len(hours), max_size=len(hours)))
    curve = curve_of(
        [
            make_stored(FIRST + timedelta(days=n), age, sum(arrived), arrived)
            for n, (arrived, age) in enumerate(zip(hours, ages, strict=True))
        ]
    )

    if curve is not None:
        assert all(before <= after for before, after in pairwise(curve))
        assert curve[-1] == 100.0
        assert curve[0] >= 0.0


@pytest.mark.parametrize(
    ("hours", "expected"),
    [(-0.1, None), (0.0, 80.0), (0.5, 85.0), (1.0, 90.0), (1.5, 95.0), (2.0, 100.0), (9.0, 100.0)],
)
def test_completeness_lies_on_the_curve(hours: float, expected: float | None) -> None:
    assert usual_completeness_percent((80.0, 90.0, 100.0), hours) == expected
