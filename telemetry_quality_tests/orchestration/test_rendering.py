from __future__ import annotations

import re
from base64 import b64decode
from typing import TYPE_CHECKING

import dagster as dg
from hypothesis import given
from hypothesis import strategies as st

from telemetry_quality.core.events import DayAggregates
from telemetry_quality.core.guardrails import judge_day
from telemetry_quality.core.policies import Policy
from telemetry_quality.orchestration.rendering import TABLE_ROWS, aggregates_metadata, hour_chart, snapshot_metadata
from telemetry_quality_tests.builders import make_reading, make_row, make_snapshot, make_store

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


def test_numbers_that_are_not_known_are_left_out_rather_than_plotted_as_zero() -> None:
    snapshot = make_snapshot(expected_events=None, volume_deviation_percent=None)
    shown = snapshot_metadata(snapshot, judge_day(snapshot, Policy()))
    assert not {"expected_events", "volume_deviation_percent"} & shown.keys()
    assert shown["error_rate_percent"] == 0.0


def test_tables_show_the_busiest_first_and_stay_short(tmp_path: Path) -> None:
    rows = tuple(make_row(event_name=f"signal.{n:03}", events=n + 1) for n in range(100))
    reading = make_reading(make_snapshot().day, *rows)
    stored = make_store(tmp_path).append_reading("web", reading, (), make_snapshot().computed_at)
    table = aggregates_metadata(stored, reading.aggregates)["by_signal"]
    assert isinstance(table, dg.TableMetadataValue)
    assert len(table.records) == TABLE_ROWS
    assert table.records[0].data["event_name"] == "signal.099"
