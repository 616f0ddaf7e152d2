from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dagster as dg
from hypothesis import given
from hypothesis import strategies as st

from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.core.hours import HourTotals
from telemetry_quality.orchestration.rendering import TABLE_ROWS, aggregates_metadata, hour_chart, snapshot_metadata
from telemetry_quality.orchestration.verdict_list import escaped, verdict_list
from telemetry_quality_tests.builders import make_row, make_scan, make_snapshot, make_store, make_verdicts

if TYPE_CHECKING:
    from pathlib import Path

DAGSTER_INLINE_LIMIT = 1000
DASHBOARD = "https://quality.example.org"


COUNTS = st.integers(0, 10**12)


@given(st.lists(st.tuples(COUNTS, st.floats(0, 1)), max_size=25), st.lists(st.tuples(st.integers(0, 24)), max_size=25))
def test_the_picture_is_always_small_enough_to_be_shown_inline(
    hours: list[tuple[int, float]], failed: list[tuple[int]]
) -> None:
    totals = HourTotals(tuple(events for events, _ in hours), tuple(int(events * share) for events, share in hours))
    assert len(hour_chart(totals, [(hour, hour) for (hour,) in failed])) < DAGSTER_INLINE_LIMIT


def test_the_picture_draws_a_bar_per_hour_errors_in_red_and_shades_the_hours_that_failed() -> None:
    chart = hour_chart(HourTotals((10, 0, 20), (0, 0, 10)), [(1, 2)])
    svg = b64decode(chart.split("base64,")[1].rstrip(")")).decode()
    shaded, events, errors = re.findall(r' d="([^"]*)"', svg)
    assert (events, errors) == ("M0 0V-10h1V0h1V-20h1V0", "M0 0V0h1V0h1V-10h1V0")
    assert shaded == "M1 0v-20h1v20M2 0v-20h1v20"


def test_a_day_without_events_has_words_instead_of_a_chart() -> None:
    assert hour_chart(HourTotals((), ())) == "No events."


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
    shown = snapshot_metadata(snapshot, make_verdicts(**figures), None, DASHBOARD)
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
    snapshot = make_snapshot(**figures, completeness_percent=100.0)
    shown = snapshot_metadata(snapshot, make_verdicts(**figures), None, DASHBOARD)
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


def _shown(value: Any, *, hours: HourTotals | None = None, **figures: Any) -> Any:
    """What a verdict list or the metadata says, without the classes of Dagster."""
    metadata = snapshot_metadata(make_snapshot(**figures), make_verdicts(**figures), hours, DASHBOARD)
    return metadata[value].value if hasattr(metadata[value], "value") else metadata[value]


def test_the_metadata_of_a_day_leads_to_its_page_and_begins_with_what_failed() -> None:
    figures: dict[str, Any] = {"error_rate_percent": 18.507462, "missing_version_percent": 1.1}
    assert _shown("dashboard", **figures) == "https://quality.example.org/health/snapshots/web/2026-03-10/"
    first, second, last = _shown("guardrails", **figures).splitlines()
    assert first.startswith("- **error\\_rate** (CRITICAL): 18.51 % of")
    assert second.startswith("- **missing\\_version** (WARNING): 1.10 % of")
    assert re.fullmatch(r"- \d+ passed, \d+ not judged \(HISTORY\\_TOO\\_SHORT, .*\)", last)
    assert list(snapshot_metadata(make_snapshot(), make_verdicts(), None, DASHBOARD))[:3] == [
        "status",
        "guardrails",
        "dashboard",
    ]


def test_numbers_are_rounded_as_on_pages_and_what_hardly_changes_is_no_number() -> None:
    snapshot = replace(make_snapshot(error_rate_percent=18.507462), revision=1)
    shown = snapshot_metadata(snapshot, make_verdicts(), None, DASHBOARD)
    assert (shown["error_rate_percent"], shown["revision"]) == (18.51, "1")


def test_a_day_that_could_not_be_read_says_why_in_a_line() -> None:
    (line,) = _shown("guardrails", unreadable_reason_code="GONE", unreadable_reason="no file").splitlines()
    assert line == "- The day could not be read (GONE): no file"


@given(st.lists(st.text(max_size=700), max_size=20))
def test_a_list_of_verdicts_is_always_short_enough_to_be_shown_inline(sentences: list[str]) -> None:
    verdicts = [replace(make_verdicts()[0], outcome=Outcome.FAILED, sentence=sentence) for sentence in sentences]
    assert len(verdict_list(verdicts)) < DAGSTER_INLINE_LIMIT


def test_a_list_that_is_too_long_says_how_much_was_left_out() -> None:
    verdicts = [replace(make_verdicts()[0], outcome=Outcome.FAILED, sentence="x" * 300)] * 9
    *_, more, passed = verdict_list(verdicts).splitlines()
    assert (more, passed) == ("- and 4 more", "- 0 passed")


def test_what_events_are_called_becomes_no_markup() -> None:
    hostile = "<img src=x> [click](https://evil.example) www.evil.example ![x](y) **bold** &lt; | `code` @all # ~~no~~"
    shown = escaped(hostile)
    assert not re.search(r"(?<!\\)[<\[\]*`|&~#]", shown)
    assert "https://evil" not in shown
    assert "www.evil" not in shown
    assert "@all" not in shown
