"""The promises about backfills and alerts, kept by a real web server, code server and daemon."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.core.dispatch import log_channel, pending_alerts
from telemetry_quality_tests.faults.dagster_dev import running_dagster_dev, wait_until
from telemetry_quality_tests.orchestration.station import FIRST_DAY, SNAPSHOT_KEY, make_station

if TYPE_CHECKING:
    from pathlib import Path

DAYS = 30

LAUNCH = """
mutation ($parameters: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $parameters) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
STATUS = """
query ($id: String!) {
  partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status runs(limit: 10) { id status } } }
}
"""
GRID = """
query ($key: AssetKeyInput!, $name: String!) {
  assetCheckExecutions(assetKey: $key, checkName: $name, limit: 1000) { status partition }
}
"""
TICKS = """
query ($sensor: SensorSelector!) {
  sensorOrError(sensorSelector: $sensor) {
    ... on Sensor { sensorState { ticks(limit: 50) { status skipReason error { message } } } }
  }
}
"""


@pytest.mark.slow
def test_a_thirty_day_backfill_through_the_daemon_is_right_in_the_grid_and_shows_each_alert_once(
    tmp_path: Path,
) -> None:
    station = make_station(tmp_path, days=DAYS)
    bad, unreadable = FIRST_DAY + timedelta(days=3), FIRST_DAY + timedelta(days=25)
    station.write_day(bad, errors=20)
    station.file(unreadable).write_bytes(b"PAR1 half a file")
    days = [(FIRST_DAY + timedelta(days=offset)).isoformat() for offset in range(DAYS)]
    with running_dagster_dev(tmp_path) as dev:
        names = ("event_aggregates", "event_sample", "integrity_snapshot")
        parameters = {"assetSelection": [{"path": ["web", name]} for name in names], "partitionNames": days}
        launched = dev.ask(LAUNCH, {"parameters": parameters})["launchPartitionBackfill"]
        backfill: dict[str, Any] = {}

        def is_over() -> bool:
            backfill.update(dev.ask(STATUS, {"id": launched["backfillId"]})["partitionBackfillOrError"])
            return backfill["status"] not in {"REQUESTED", "CANCELING"}

        wait_until(is_over)
        assert backfill["status"] == "COMPLETED_SUCCESS"
        assert [run["status"] for run in backfill["runs"]] == ["FAILURE"], "one run, red for the day it could not read"

        for name in station.guardrails:
            key = {"path": SNAPSHOT_KEY.path}
            executions = dev.ask(GRID, {"key": key, "name": name})["assetCheckExecutions"]
            assert Counter(execution["partition"] for execution in executions) == dict.fromkeys(days, 1), name
            assert {execution["status"] for execution in executions} <= {"SUCCEEDED", "FAILED"}, name
            failed = {execution["partition"] for execution in executions if execution["status"] == "FAILED"}
            assert unreadable.isoformat() in failed
            assert (bad.isoformat() in failed) == (name == "error_rate")

        sensor = {
            "repositoryLocationName": "telemetry_quality",
            "repositoryName": "__repository__",
            "sensorName": "alert_sensor",
        }

        def ticks() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = dev.ask(TICKS, {"sensor": sensor})["sensorOrError"]["sensorState"]["ticks"]
            return found

        store = station.work.store
        wait_until(lambda: not pending_alerts(store, "web", log_channel(print)))
        seen = len(ticks())
        wait_until(lambda: len(ticks()) > seen)
        assert not [tick["error"] for tick in ticks() if tick["error"]]

    log = (tmp_path / "dev.log").read_text()
    for line in (f"CRITICAL web {bad} error_rate", f"CRITICAL web {unreadable} activity [DAY_UNREADABLE]"):
        assert log.count(f"alert_sensor - {line}") == 1, line
