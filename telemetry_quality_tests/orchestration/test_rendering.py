from __future__ import annotations

import re
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import dagster as dg
from hypothesis import given
from hypothesis import strategies as st

from telemetry_quality.core.events import DayAggregates
from telemetry_quality.orchestration.rendering import TABLE_ROWS, aggregates_metadata, hour_chart, snapshot_metadata
from telemetry_quality_tests.builders import make_row, make_scan, make_snapshot, make_store, make_verdicts

if TYPE_CHECKING:
    from pathlib import Path

DAGSTER_INLINE_LIMIT = 1000


@given(st.lists(st.tuples(st.integers(1, 10**12), st.floats(0, 1)), min_size=1, max_size=25))
def test_the_chart_is_always_small_enough_to_be_shown_inline(hours: list[tuple[int, float]]) -> None:
    rows = tuple(
        make_row(hour=hour, events=events, errors=int(events * share)) for hour, (events, share) in enumerate(hours)
    )
    assert len(hour_chart(DayAggregates(rows))) < DAGSTER_INLINE_LIMIT


def test_the_chart_draws_a_bar_per_hour_and_errors_in_red() -> None:
    chart = hour_chart(DayAggregates((make_row(hour=0, events=10), make_row(hour=5, events=20, errors=10))))
    svg = b64decode(chart.split("base64,")[1].rstrip(")")).decode()
    events, errors = re.findall(r' d="([^"]*)"', svg)
    assert (events, errors) == ("M1 20v-10M11 20v-20", "M11 20v-10")


def test_a_day_without_events_has_words_instead_of_a_chart() -> None:
    assert hour_chart(DayAggregates()) == "No events."


def test_unknown_numbers_are_left_out_and_not_plotted_as_zero() -> None:
    names = {
        "expected_events",
        "expected_low_events",
        "expected_high_events",
        "volume_deviation_percent",
        "duplicate_percent",
        "critical_missing_percent",
        "late_percent",
        "impossible_timestamp_percent",
        "unreadable_time_percent",
        "invalid_timestamp_percent",
        "completeness_percent",
    }
    figures: dict[str, Any] = dict.fromkeys(names)
    snapshot = make_snapshot(**figures)
    shown = snapshot_metadata(snapshot, make_verdicts(**figures))
    assert not shown.keys() & names
    assert shown["error_rate_percent"] == 0.0


def test_every_number_of_a_snapshot_that_is_known_can_be_plotted() -> None:
    figures: dict[str, Any] = {
        "late_percent": 1.5,
        "impossible_timestamp_percent": 0.25,
        "unreadable_time_percent": 0.25,
        "invalid_timestamp_percent": 0.5,
        "critical_missing_percent": 2.0,
    }
    shown = snapshot_metadata(make_snapshot(**figures, completeness_percent=100.0), make_verdicts(**figures))
    assert {name: shown[name] for name in figures} == figures
    assert (shown["expected_low_events"], shown["expected_high_events"]) == (900.0, 1100.0)
    assert (shown["duplicate_percent"], shown["completeness_percent"]) == (0.0, 100.0)


def test_tables_show_the_busiest_first_and_stay_short(tmp_path: Path) -> None:
    rows = tuple(make_row(event_name=f"signal.{n:03}", events=n + 1) for n in range(100))
    scan = make_scan(make_snapshot().day, *rows)
    stored = make_store(tmp_path).append_scan("web", scan, (), make_snapshot().computed_at)
    table = aggregates_metadata(stored, scan.aggregates)["by_signal"]
    assert isinstance(table, dg.TableMetadataValue)
    assert len(table.records) == TABLE_ROWS
    assert table.records[0].data["event_name"] == "signal.099"
