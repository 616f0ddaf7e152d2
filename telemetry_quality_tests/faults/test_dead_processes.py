"""What real Dagster processes do after they were killed, or after the disk below Dagster's home was full."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality_tests.faults.dagster_dev import DagsterDev, wait_until
from telemetry_quality_tests.faults.small_disks import fill, small_disk
from telemetry_quality_tests.orchestration.station import FIRST_DAY, Station, make_station

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.rare]

DAYS = 10
REPOSITORY = {"repositoryLocationName": "telemetry_quality", "repositoryName": "__repository__"}

TICK = """
mutation ($schedule: ScheduleSelector!, $at: Float!) {
  scheduleDryRun(selectorData: $schedule, timestamp: $at) {
    __typename
    ... on DryRunInstigationTick { evaluationResult { runRequests { tags { key value } } error { message } } }
  }
}
"""
LAUNCH = """
mutation ($run: ExecutionParams!) {
  launchRun(executionParams: $run) { __typename ... on PythonError { message } }
}
"""
RUNS = "{ runsOrError { ... on Runs { results { runId status tags { key value } } } } }"


def _request_missing_days(dev: DagsterDev) -> None:
    """What the daemon does at half past six: evaluate the schedule's tick and launch what it requests."""
    schedule = {**REPOSITORY, "scheduleName": "web_late_days"}
    end = datetime.combine(FIRST_DAY, datetime.min.time(), UTC) + timedelta(days=DAYS, hours=6)
    found = dev.ask(TICK, {"schedule": schedule, "at": end.timestamp()})["scheduleDryRun"]["evaluationResult"]
    assert found["error"] is None
    for request in found["runRequests"] or ():
        metadata = {"tags": [tag for tag in request["tags"] if tag["key"] != "dagster/run_key"]}
        run = {"selector": {**REPOSITORY, "jobName": "web_materialize_day"}, "executionMetadata": metadata}
        assert dev.ask(LAUNCH, {"run": run})["launchRun"]["__typename"] == "LaunchRunSuccess"


def _statuses(dev: DagsterDev) -> list[str]:
    """The status of each run; a run is WORKING once its own process has come to its first step."""
    found: list[dict[str, Any]] = dev.ask(RUNS)["runsOrError"]["results"]
    recorded = {run["runId"] for run in found for tag in run["tags"] if run["runId"] in tag["value"]}
    return sorted(
        "WORKING" if run["status"] == "STARTED" and run["runId"] in recorded else run["status"] for run in found
    )


@contextmanager
def _store_held(station: Station) -> Iterator[None]:
    """Another writer holds the store, so that a run stops in its middle."""
    with closing(sqlite3.connect(station.folder / "quality.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        yield


def _judged_days(station: Station) -> int:
    return len(station.work.store.judged_days("web"))


def test_everything_is_caught_up_without_a_hand_after_all_processes_were_killed_twice_in_mid_run(
    tmp_path: Path,
) -> None:
    """The run, its retry, and the retry of the retry: the first two have no process after the kill."""
    station = make_station(tmp_path, days=DAYS)
    dev = DagsterDev(tmp_path)
    try:
        for expected in (["WORKING"], ["FAILURE", "WORKING"]):
            with _store_held(station):
                dev.start()
                if len(expected) == 1:
                    _request_missing_days(dev)
                wait_until(lambda: _statuses(dev) == expected)  # noqa: B023 - called in this round
                dev.kill()
        assert _judged_days(station) < DAYS
        dev.start()
        wait_until(lambda: _statuses(dev) == ["FAILURE", "FAILURE", "SUCCESS"])
    finally:
        dev.stop()
    assert _judged_days(station) == DAYS


def test_a_full_disk_below_dagster_s_home_leaves_no_run_behind_once_there_is_space_again(tmp_path: Path) -> None:
    """As a supervisor does, Dagster is started again if it gave up."""
    station = make_station(tmp_path, days=DAYS)
    with small_disk(tmp_path / ".dagster") as disk:
        dev = DagsterDev(tmp_path)
        try:
            with _store_held(station):
                dev.start()
                _request_missing_days(dev)
                wait_until(lambda: _statuses(dev) == ["WORKING"])
                ballast = fill(disk)
            wait_until(lambda: dev.has_ended or not dev.workers())
            ballast.unlink()
            if dev.has_ended:
                dev.start()
            wait_until(lambda: not {"STARTED", "WORKING", "STARTING", "QUEUED"} & set(_statuses(dev)))
            _request_missing_days(dev)
            wait_until(lambda: _judged_days(station) == DAYS)
        finally:
            dev.stop()
