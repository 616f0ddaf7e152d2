"""The points of charts: unknown is not zero, and what failed is what the verdicts say."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.core.forecasts.model import DayForecast
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.verdicts import Level
from telemetry_quality.dashboard.daily_points import daily_series
from telemetry_quality.dashboard.markup.charts import chart_rows
from telemetry_quality.dashboard.rendering import number
from telemetry_quality_tests.dashboard.states import (
    BEFORE,
    TODAY,
    YESTERDAY,
    make_failure,
    make_incidents,
    make_journal_row,
    make_state,
    make_unknown_row,
)

if TYPE_CHECKING:
    from telemetry_quality.core.incidents import FailedGuardrail

TOTAL, ERRORS, SAMPLE = 0, 4, 8
"""Where these numbers are in a row of the table."""


def marks_of(row: dict[str, Any], *failures: FailedGuardrail) -> list[str]:
    """The marks of total, errors and sample of yesterday."""
    state = make_state(make_journal_row(**row), incidents=make_incidents(*failures) if failures else ())
    (shown,) = chart_rows(daily_series(state, "web", YESTERDAY, 1), {})
    return [shown.cells[at].mark for at in (TOTAL, ERRORS, SAMPLE)]


def test_a_chart_has_one_point_per_day_with_none_for_unknown_values() -> None:
    state = make_state(make_journal_row(BEFORE), make_unknown_row(YESTERDAY, sequence=2))
    points = daily_series(state, "web", YESTERDAY, 3)
    assert [point.day for point in points] == [date(2026, 3, 8), BEFORE, YESTERDAY]
    assert [point.status for point in points] == ["missing", "healthy", "unknown"]
    assert [point.found("total_events") for point in points] == [None, 1000, None]
    assert [chart_row.cells[5].text == "5.00" for chart_row in chart_rows(points, {})] == [False, True, True]


def test_a_point_has_the_thresholds_of_its_own_day() -> None:
    strict = policy_of(error_rate_percent=1.0, missing_version_percent=2.0, sample_success_percent=94.0)
    state = make_state(make_journal_row(BEFORE, policy=strict.text()), make_journal_row(YESTERDAY, 2, policy="{}"))
    first, second = chart_rows(daily_series(state, "web", YESTERDAY, 2), {})
    assert [first.cells[at].text for at in (5, 7, 9)] == ["1.00", "2.00", "94.00"]
    assert "not known" in second.cells[5].text, "a policy from before the threshold"


def test_a_chart_begins_with_the_source() -> None:
    assert [point.day for point in daily_series(make_state(), "web", YESTERDAY, 30, BEFORE)] == [BEFORE, YESTERDAY]


def test_until_the_store_has_been_read_no_day_of_a_chart_is_called_missing() -> None:
    state = make_state(trouble="The store is gone.", has_been_read=False)
    assert {point.status for point in daily_series(state, "web", YESTERDAY, 5)} == {"unknown"}


@pytest.mark.parametrize(
    ("events", "mark"), [(899, "unusual"), (900, ""), (1100, ""), (1101, "unusual"), (None, "")], ids=str
)
def test_a_volume_outside_its_band_is_unusual_as_long_as_no_guardrail_failed(events: int | None, mark: str) -> None:
    assert marks_of({"total_events": events})[0] == mark


@pytest.mark.parametrize(("percent", "mark"), [(4.99, ""), (5.0, ""), (5.01, "unusual")])
def test_a_rate_above_its_threshold_that_passed_is_unusual(percent: float, mark: str) -> None:
    assert marks_of({"error_rate_percent": percent})[1] == mark


@pytest.mark.parametrize(("percent", "mark"), [(98.99, "unusual"), (99.0, ""), (99.01, "")])
def test_a_sample_below_its_threshold_that_passed_is_unusual(percent: float, mark: str) -> None:
    assert marks_of({"sampling_success_rate_percent": percent})[2] == mark


@pytest.mark.parametrize(
    ("guardrail", "marks"),
    [
        ("volume", ["failed", "", ""]),
        ("activity", ["failed", "", ""]),
        ("error_rate", ["", "failed", ""]),
        ("sample", ["", "", "failed"]),
        ("duplicates", ["", "", ""]),
    ],
)
def test_a_number_has_failed_if_its_own_guardrail_did(guardrail: str, marks: list[str]) -> None:
    assert marks_of({}, make_failure(guardrail=guardrail)) == marks


def test_an_incident_lasts_from_its_first_failed_day_to_its_last() -> None:
    days = [BEFORE - timedelta(days=1), YESTERDAY]
    (incident,) = make_incidents(*(make_failure(day, level=Level.WARNING) for day in days))
    rows = [make_journal_row(TODAY - timedelta(days=age), age + 1) for age in range(6)]
    points = daily_series(make_state(*rows, incidents=[incident]), "web", TODAY, 5)
    assert [bool(point.incidents) for point in points] == [False, True, True, True, False]
    assert [bool(point.failed) for point in points] == [False, True, False, True, False]


def test_a_change_of_settings_is_named_on_the_first_day_that_was_judged_by_it() -> None:
    rows = (
        make_journal_row(BEFORE, 1),
        make_journal_row(YESTERDAY, 2, policy=policy_of(error_rate_percent=2.5).text()),
        make_journal_row(TODAY, 3, policy=policy_of(error_rate_percent=2.5).text()),
    )
    points = daily_series(make_state(*rows), "web", TODAY, 2)
    assert [point.changes for point in points] == [("error_rate_percent 5 → 2.5",), ()]


def test_many_changes_of_settings_are_counted_and_words_are_not_repeated() -> None:
    after = {
        "critical_missing_percent": 2.0,
        "duplicate_percent": 2.0,
        "error_rate_percent": 2.0,
        "late_percent": 2.0,
        "leak_percent": 2.0,
    }
    rows = make_journal_row(YESTERDAY, 1), make_journal_row(TODAY, 2, policy=policy_of(**after).text())
    assert daily_series(make_state(*rows), "web", TODAY, 1)[0].changes == (
        "critical_missing_percent 1 → 2",
        "duplicate_percent 10 → 2",
        "error_rate_percent 5 → 2",
        "2 more",
    )


def test_a_setting_that_came_with_another_version_is_no_change() -> None:
    rows = make_journal_row(YESTERDAY, 1, policy='{"error_rate_percent": 5.0}'), make_journal_row(TODAY, 2)
    assert daily_series(make_state(*rows), "web", TODAY, 1)[0].changes == ()


def test_the_table_names_new_versions_without_what_commands_a_terminal_and_counts_the_rest() -> None:
    names = ("2.0\u202e", "x" * 50, "2.2", "2.3", "2.4")
    state = make_state(make_journal_row(BEFORE, 1), make_journal_row(YESTERDAY, 2))
    before, row = chart_rows(daily_series(state, "web", YESTERDAY, 2), {YESTERDAY: names})
    assert before.versions == ""
    assert row.versions == f"new versions 2.0�, {'x' * 40}…, 2.2 and 2 more"


def test_a_coming_day_has_what_is_expected_and_nothing_that_was_found() -> None:
    (row,) = chart_rows([], {}, [DayForecast(TODAY, 1234.4, 1000.0, 1500.0)])
    assert (row.day, row.status) == (TODAY, "coming")
    assert [cell.text for cell in row.cells[1:4]] == ["1,234", "1,000", "1,500"]
    assert {cell.text for cell in (row.cells[0], *row.cells[4:])} == {number(None)}
