"""Versions over time: shares, adoption, and two error rates that differ or do not."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from telemetry_quality.dashboard.versions import signals_of_two, versions_in_use, worse_of
from telemetry_quality.storage.compared_days import SegmentCounts

FIRST = date(2026, 3, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(5)]
BY_DAY: dict[date, dict[str | None, SegmentCounts]] = {
    DAYS[0]: {"1.0": SegmentCounts(100, 1, 0)},
    DAYS[1]: {"1.0": SegmentCounts(60, 0, 0), "2.0": SegmentCounts(40, 4, 0)},
    DAYS[2]: {"1.0": SegmentCounts(50, 0, 0), "2.0": SegmentCounts(50, 5, 0)},
    DAYS[4]: {"2.0": SegmentCounts(90, 9, 0), None: SegmentCounts(10, 0, 10), "(other)": SegmentCounts(100, 0, 0)},
}


def test_each_version_has_its_shares_and_the_days_on_which_it_was_seen() -> None:
    used = {use.version: use for use in versions_in_use(BY_DAY, DAYS[0], DAYS[4])}
    assert list(used) == ["2.0", None, "1.0"]
    old, new = used["1.0"], used["2.0"]
    assert old.shares == (100.0, 60.0, 50.0, None, 0.0)
    assert new.shares == (0.0, 40.0, 50.0, None, 45.0)
    assert (new.first_seen, new.last_seen, new.peak, new.error_rate_percent) == (DAYS[1], DAYS[4], 50.0, 10.0)
    assert (old.was_there_before, new.was_there_before) == (True, False)
    assert new.share_percent == pytest.approx(100 * 180 / 500)
    assert used[None].missing_version == 10


def test_a_version_takes_over_with_half_of_the_events() -> None:
    used = {use.version: use.took_over for use in versions_in_use(BY_DAY, DAYS[0], DAYS[4])}
    assert used == {"1.0": DAYS[0], "2.0": DAYS[2], None: None}
    almost: dict[date, dict[str | None, SegmentCounts]] = {
        DAYS[0]: {"1.0": SegmentCounts(51, 0, 0), "2.0": SegmentCounts(49, 0, 0)}
    }
    assert {use.version: use.took_over for use in versions_in_use(almost, FIRST, FIRST)}["2.0"] is None


def test_days_without_events_show_no_version() -> None:
    assert versions_in_use({}, DAYS[0], DAYS[4]) == []
    assert versions_in_use({DAYS[0]: {"1.0": SegmentCounts(0, 0, 0)}}, DAYS[0], DAYS[4]) == []


@pytest.mark.parametrize(
    ("errors", "worse"), [((50, 50), None), ((50, 78), None), ((50, 85), 1), ((85, 50), 0), ((0, 0), None)]
)
def test_a_rate_is_higher_if_chance_does_not_explain_it(errors: tuple[int, int], worse: int | None) -> None:
    assert worse_of((1000, 1000), errors) == worse


def test_a_version_without_events_is_not_compared() -> None:
    assert worse_of((0, 1000), (0, 900)) is None


def test_signals_whose_rates_differ_come_first() -> None:
    counts: dict[tuple[str | None, str], tuple[int, int]] = {
        ("busy", "1.0"): (5000, 0),
        ("busy", "2.0"): (5000, 1),
        ("rare", "1.0"): (100, 50),
        ("rare", "2.0"): (90, 1),
    }
    first, second = signals_of_two(counts, ("1.0", "2.0"))
    assert (first.signal, first.worse, first.rate(0)) == ("rare", 0, 50.0)
    assert (second.signal, second.worse) == ("busy", None)
    only: dict[tuple[str | None, str], tuple[int, int]] = {("new", "2.0"): (5, 1)}
    (alone,) = signals_of_two(only, ("1.0", "2.0"))
    assert (alone.events, alone.rate(0), alone.worse) == ((0, 5), None, None)
