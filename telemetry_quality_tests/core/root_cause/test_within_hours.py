"""Which single segment, if any, holds what is missing in some hours, or too many errors."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from telemetry_quality.core.events import DayAggregates, Slice, SliceCounts
from telemetry_quality.core.root_cause import DayBreakdown, Measure, segment_within
from telemetry_quality_tests.builders import make_row, spread

DAY = date(2026, 3, 10)
HOURS = 9, 11


def day_of(day: date, ios: int, web: int, *, ios_errors: int = 0, web_errors: int = 0) -> DayBreakdown:
    """A day of 80 and 20 events an hour on two platforms, apart from these counts in the HOURS."""
    rows, slices = [], {}
    for hour in range(24):
        inside = HOURS[0] <= hour <= HOURS[1]
        counts = {
            "ios": (ios if inside else 80, ios_errors if inside else 0),
            "web": (web if inside else 20, web_errors if inside else 0),
        }
        rows.append(make_row(hour=hour, events=sum(n for n, _ in counts.values()), errors=ios_errors if inside else 0))
        for platform, (events, errors) in counts.items():
            slices[Slice("platform", platform, "hour", str(hour))] = SliceCounts(events, errors, 0)
    return DayBreakdown(day, DayAggregates((spread(*rows),), ("user_id",)), slices)


REFERENCE = [day_of(DAY - timedelta(days=7 * n), 80, 20) for n in (1, 2, 3, 4)]


def test_the_segment_that_lost_all_its_events_is_named_with_its_counts() -> None:
    held = segment_within(HOURS, Measure.EVENTS, day_of(DAY, 0, 20), REFERENCE)
    assert held is not None
    assert (held.part, held.expected, held.found, held.share_percent) == (("platform", "ios"), 240.0, 0, 100.0)


def test_an_outage_of_everything_has_no_segment() -> None:
    assert segment_within(HOURS, Measure.EVENTS, day_of(DAY, 0, 0), REFERENCE) is None


@pytest.mark.parametrize(("web", "is_named"), [(12, True), (11, False)])
def test_a_segment_must_hold_nine_tenths_of_what_is_missing(web: int, is_named: bool) -> None:
    # 80 of 88 missing events an hour are 91 %, 80 of 89 are 89.9 %.
    assert bool(segment_within(HOURS, Measure.EVENTS, day_of(DAY, 0, web), REFERENCE)) is is_named


@pytest.mark.parametrize(("ios", "is_named"), [(90, True), (91, False)])
def test_a_segment_that_is_nearly_everything_is_not_worth_naming(ios: int, is_named: bool) -> None:
    reference = [day_of(DAY - timedelta(days=7 * n), ios, 100 - ios) for n in (1, 2, 3, 4)]
    held = segment_within(HOURS, Measure.EVENTS, day_of(DAY, 0, 100 - ios), reference)
    assert bool(held) is is_named


def test_errors_of_a_segment_are_named_although_its_events_are_all_there() -> None:
    held = segment_within(HOURS, Measure.ERRORS, day_of(DAY, 80, 20, web_errors=15), REFERENCE)
    assert held is not None
    assert (held.part, held.found) == (("platform", "web"), 45)


def test_what_to_expect_follows_the_other_hours_of_the_day() -> None:
    busy = [day_of(DAY - timedelta(days=7 * n), 40, 10) for n in (1, 2, 3, 4)]
    held = segment_within(HOURS, Measure.EVENTS, day_of(DAY, 0, 10), busy)
    assert held is not None
    assert held.expected == 120.0


def test_without_a_reference_or_a_change_no_segment_is_named() -> None:
    assert segment_within(HOURS, Measure.EVENTS, day_of(DAY, 0, 20), []) is None
    assert segment_within(HOURS, Measure.EVENTS, day_of(DAY, 80, 20), REFERENCE) is None
    assert segment_within(HOURS, Measure.EVENTS, day_of(DAY, 0, 20), [DayBreakdown(DAY, DayAggregates())]) is None
