"""The aggregates of some hours become the counts of each of them."""

from __future__ import annotations

from dataclasses import replace

from telemetry_quality.core.event_schema import Rate
from telemetry_quality.core.events import DayAggregates
from telemetry_quality.core.running.counting import hour_counts
from telemetry_quality.core.running.model import MOST_SIGNALS, HourCounts
from telemetry_quality_tests.builders import SCHEMA, make_row, spread

RATED = replace(SCHEMA, rates=(Rate("slow", "duration > 9"), Rate("failed", "is_error", of="is_tried")))
NAMES = RATED.rate_counts


def test_every_hour_has_its_own_counts_and_an_hour_without_events_has_zeros() -> None:
    views = spread(
        make_row(hour=0, events=10, errors=1, error_unknown_events=2, rate_counts=(3, 0, 4)),
        make_row(hour=2, events=20, rate_counts=(0, 0, 5)),
        rate_names=NAMES,
    )
    sales = make_row(hour=2, event_name="sale", events=7, errors=7, rate_counts=(1, 1, 1))
    first, second, third = hour_counts(DayAggregates((views, sales), rate_names=NAMES), RATED, 3)

    assert first == HourCounts(10, 1, 2, 0, {"slow": 3, "failed": 0, "failed.of": 4}, signals={"page.view": (10, 1)})
    assert second == HourCounts(0, 0, 0, 0, dict.fromkeys(NAMES, 0))
    assert third == HourCounts(
        27, 7, 0, 0, {"slow": 1, "failed": 1, "failed.of": 6}, signals={"page.view": (20, 0), "sale": (7, 7)}
    )


def test_missing_versions_are_counted_in_the_hours_of_their_events() -> None:
    rows = spread(
        make_row(hour=0, service_version=None, events=5, missing_version=5),
        make_row(hour=1, service_version=None, events=6, missing_version=6),
    )
    counts = hour_counts(DayAggregates((rows, make_row(hour=1, events=100))), SCHEMA, 2)
    assert [hour.missing_version for hour in counts] == [5, 6]


def test_versions_of_a_signal_are_counted_together() -> None:
    rows = [
        make_row(hour=0, service_version=version, events=events, errors=1) for version, events in (("1", 3), ("2", 4))
    ]
    (counts,) = hour_counts(DayAggregates(tuple(rows)), SCHEMA, 1)
    assert counts.signals == {"page.view": (7, 2)}


def test_what_nothing_says_of_events_is_none_instead_of_zero() -> None:
    row = make_row(hour=0, error_unknown_events=100)
    (counts,) = hour_counts(DayAggregates((row,)), SCHEMA.without({"is_error", "service_version"}), 1)
    assert (counts.errors, counts.missing_version) == (None, None)
    assert counts.error_unknown_events == 100


def test_the_busiest_signals_are_kept_and_all_events_are_counted() -> None:
    busy = [make_row(hour=0, event_name=f"n{n:03}", events=1000 - n) for n in range(MOST_SIGNALS + 1)]
    others = [make_row(hour=0, event_name=name, events=9000) for name in (None, "(other)")]
    (counts,) = hour_counts(DayAggregates((*reversed(busy), *others)), SCHEMA, 1)
    assert list(counts.signals) == [f"n{n:03}" for n in range(MOST_SIGNALS)]
    assert counts.events == 18_000 + sum(row.events for row in busy)


def test_hours_without_any_events_are_empty_and_not_left_out() -> None:
    assert hour_counts(DayAggregates(), RATED, 2) == [HourCounts(0, 0, 0, 0, dict.fromkeys(NAMES, 0))] * 2
