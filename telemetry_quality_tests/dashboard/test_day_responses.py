from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.guardrails.verdicts import Contributor, Level, Outcome, Segment, Verdict
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.dashboard.day_responses import dagster_url_of, day_response
from telemetry_quality.dashboard.state import StateKeeper
from telemetry_quality.storage.reader import StoreReader
from telemetry_quality.storage.stored_days import StoredDay
from telemetry_quality_tests.builders import FakeSource, make_row, make_scan, make_snapshot, make_work
from telemetry_quality_tests.dashboard.states import (
    BEFORE,
    DUE_AT,
    MORNING,
    YESTERDAY,
    make_failure,
    make_incidents,
    make_journal_row,
    make_settings,
    make_state,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry_quality.dashboard.models import DayResponse

DAGSTER = {"dagster_url": "https://dagster.example.org"}


@pytest.fixture
def response(tmp_path: Path) -> Iterator[DayResponse]:
    """YESTERDAY, scanned and judged twice: 100 healthy events, then 200, half of them errors."""
    source = FakeSource({YESTERDAY: make_scan(YESTERDAY)})
    work = make_work(tmp_path, source)
    for rows in ((make_row(),), (make_row(), make_row(hour=13, event_name=None, errors=100, service_version=None))):
        source.days[YESTERDAY] = make_scan(YESTERDAY, *rows)
        list(work.read([YESTERDAY], MORNING))
        list(work.judge([YESTERDAY], MORNING, f"run-{len(rows)}"))
    reader = StoreReader(f"sqlite:///{tmp_path / 'quality.db'}")
    state = StateKeeper(reader, lambda: MORNING).state()
    yield day_response(reader.day("web", YESTERDAY), state, make_settings(dashboard=DAGSTER), MORNING)
    reader.close()


def test_a_day_is_shown_by_its_latest_revision(response: DayResponse) -> None:
    assert (response.status, response.is_trustworthy) == (DayStatus.UNHEALTHY, False)
    assert response.sentence.startswith("2026-03-10 cannot be trusted: error rate 50.00 % (limit 5 %)")
    assert response.snapshot == response.revisions[-1].snapshot
    assert response.snapshot is not None
    assert (response.snapshot.revision, response.snapshot.total_events) == (2, 200)
    assert {incident.key for incident in response.incidents} >= {f"web/{YESTERDAY}"}
    assert response.since == YESTERDAY


def test_revisions_are_shown_side_by_side_with_what_each_changed(response: DayResponse) -> None:
    first, second = response.revisions
    assert (first.snapshot.total_events, second.snapshot.total_events) == (100, 200)
    assert first.changes is None
    assert second.changes is not None
    assert second.changes.startswith("Since revision 1: 200 events instead of 100, 50.00 % errors instead of 0.00")
    assert response.changes == (second.changes,)
    assert {verdict.guardrail: verdict.outcome for verdict in first.verdicts}["error_rate"] == "passed"
    assert {verdict.guardrail: verdict.outcome for verdict in second.verdicts}["error_rate"] == "failed"
    assert second.policy["error_rate_percent"] == 5.0
    assert second.content_hash not in {None, first.content_hash}


def test_a_day_is_broken_down_by_signal_version_and_hour_of_its_latest_scan(response: DayResponse) -> None:
    assert {(row.value, row.events, row.errors) for row in response.by_signal.rows} == {
        ("page.view", 100, 0),
        (None, 100, 100),
    }
    assert {row.value for row in response.by_version.rows} == {"1.0", None}
    assert [row.value for row in response.by_hour.rows] == [12, 13]
    assert (response.by_signal.rest, response.by_version.rest, response.by_hour.rest) == (0, 0, 0)
    assert [scan.revision for scan in response.scans] == [1, 2]
    assert [event.event_id for event in response.sample] == [f"s{n}" for n in range(10)]


def test_a_day_names_the_dagster_run_of_each_revision(response: DayResponse) -> None:
    runs = [f"https://dagster.example.org/runs/run-{n}" for n in (1, 2)]
    assert [revision.dagster_run_url for revision in response.revisions] == runs
    assert response.dagster_run_url == runs[-1]


def test_a_segment_is_shown_in_words_with_its_share() -> None:
    contributor = Contributor(Segment((("carrier", "EV"),), (7, 9)), 12.0, 472.0, 88.5, BEFORE)
    verdict = Verdict(
        "error_rate", Level.CRITICAL, Outcome.FAILED, "ERROR_RATE_HIGH", 50.0, 5.0, "Half.", (contributor,)
    )
    snapshot = replace(make_snapshot(YESTERDAY), revision=1)
    stored = StoredDay("web", YESTERDAY, revisions=(snapshot,), verdicts={1: (verdict,)})
    (shown,) = day_response(stored, make_state(), make_settings(), MORNING).revisions[0].verdicts
    assert (shown.guardrail, shown.level, shown.outcome, shown.threshold) == ("error_rate", "CRITICAL", "failed", 5.0)
    assert [listed.model_dump() for listed in shown.contributors] == [
        {
            "segment": "carrier=EV, between 07:00 and 10:00",
            "expected": 12.0,
            "found": 472.0,
            "share_percent": 88.5,
            "since": BEFORE,
        }
    ]


def test_a_day_without_a_snapshot_is_unknown_with_nothing_in_it() -> None:
    state = make_state(make_journal_row(BEFORE))
    response = day_response(StoredDay("web", YESTERDAY), state, make_settings(dashboard=DAGSTER), MORNING)
    assert (response.status, response.is_trustworthy, response.snapshot) == (DayStatus.UNKNOWN, False, None)
    assert not any((response.revisions, response.incidents, response.sample, response.by_hour.rows))
    assert response.sentence.startswith(
        "There is no snapshot of 2026-03-10; the last one is of 2026-03-09, 1 day older."
    )
    assert response.dagster_run_url == (
        "https://dagster.example.org/assets/web/integrity_snapshot?view=partitions&partition=2026-03-10"
    )


@pytest.mark.parametrize(("late", "is_awaited"), [(-1, True), (0, True), (1, False)])
def test_a_day_that_is_not_due_yet_is_awaited(late: int, is_awaited: bool) -> None:
    now = DUE_AT + timedelta(microseconds=late)
    response = day_response(StoredDay("web", YESTERDAY), make_state(), make_settings(), now)
    awaited = "2026-03-10 is not judged yet; it should be by 2026-03-11 03:00 UTC."
    assert (response.sentence == awaited) is is_awaited
    assert response.status is DayStatus.UNKNOWN


def test_a_day_knows_its_neighbours_and_the_store_s_trouble() -> None:
    rows = [make_journal_row(BEFORE, 1), make_journal_row(YESTERDAY + timedelta(days=5), 2)]
    state = make_state(*rows, trouble="The store is gone.")
    response = day_response(StoredDay("web", YESTERDAY), state, make_settings(), MORNING)
    assert (response.previous_day, response.next_day) == (BEFORE, rows[1].day)
    assert response.trouble == "The store is gone."


def test_parts_of_a_breakdown_that_are_left_out_are_counted() -> None:
    stored = StoredDay("web", YESTERDAY, more_signals=3, more_versions=4)
    response = day_response(stored, make_state(), make_settings(), MORNING)
    assert (response.by_signal.rest, response.by_version.rest) == (3, 4)


def test_a_day_lists_only_incidents_that_failed_on_it() -> None:
    (incident,) = make_incidents(make_failure(BEFORE - timedelta(days=1)), make_failure())
    snapshot = replace(make_snapshot(BEFORE), revision=1)
    state = make_state(make_journal_row(BEFORE), incidents=[incident])
    response = day_response(StoredDay("web", BEFORE, revisions=(snapshot,)), state, make_settings(), MORNING)
    assert (response.incidents, response.since, response.is_trustworthy) == ((), None, True)


def test_dagster_is_linked_only_if_its_address_is_known() -> None:
    plain, linked = make_settings(), make_settings(dashboard=DAGSTER)
    assert dagster_url_of(plain, "web", YESTERDAY, "run-1") is None
    assert dagster_url_of(linked, "web", YESTERDAY, "../x") == "https://dagster.example.org/runs/..%2Fx"
