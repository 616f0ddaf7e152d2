"""The promises about backfills and alerts, kept by a real web server, code server and daemon."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from telemetry_quality_tests.orchestration.station import FIRST_DAY, SNAPSHOT_KEY, make_station

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
DAYS = 30
PATIENCE_SECONDS = 240

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


@contextmanager
def _dagster_dev(folder: Path) -> Iterator[Callable[[str, dict[str, Any]], Any]]:
    """``dagster dev`` as the README starts it; yields a function that queries its GraphQL API."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = folder / ".dagster"
    home.mkdir()
    shutil.copyfile(ROOT / "dagster.yaml", home / "dagster.yaml")
    shutil.copyfile(ROOT / "workspace.yaml", folder / "workspace.yaml")
    environment = {**os.environ, "DAGSTER_HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "dagster", "dev", "--port", str(port)]
    with (folder / "dev.log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )

    def ask(query: str, variables: dict[str, Any]) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = Request(f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"})
        with urlopen(request, timeout=60) as answer:
            document = json.load(answer)
        assert "errors" not in document, document
        return document["data"]

    def is_up() -> bool:
        try:
            return bool(ask("{ version }", {}))
        except (URLError, ConnectionError, TimeoutError):
            return False

    try:
        _wait_until(is_up)
        yield ask
    finally:
        os.killpg(server.pid, signal.SIGINT)
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"still waiting after {PATIENCE_SECONDS} s"
        time.sleep(1)


@pytest.mark.slow
def test_a_thirty_day_backfill_through_the_daemon_is_right_in_the_grid_and_shows_each_alert_once(
    tmp_path: Path,
) -> None:
    station = make_station(tmp_path, days=DAYS)
    bad, unreadable = FIRST_DAY + timedelta(days=3), FIRST_DAY + timedelta(days=25)
    station.write_day(bad, errors=20)
    station.file(unreadable).write_bytes(b"PAR1 half a file")
    days = [(FIRST_DAY + timedelta(days=offset)).isoformat() for offset in range(DAYS)]
    with _dagster_dev(tmp_path) as ask:
        names = ("event_aggregates", "event_sample", "integrity_snapshot")
        parameters = {"assetSelection": [{"path": ["web", name]} for name in names], "partitionNames": days}
        launched = ask(LAUNCH, {"parameters": parameters})["launchPartitionBackfill"]
        backfill: dict[str, Any] = {}

        def is_over() -> bool:
            backfill.update(ask(STATUS, {"id": launched["backfillId"]})["partitionBackfillOrError"])
            return backfill["status"] not in {"REQUESTED", "CANCELING"}

        _wait_until(is_over)
        assert backfill["status"] == "COMPLETED_SUCCESS"
        assert [run["status"] for run in backfill["runs"]] == ["FAILURE"], "one run, red for the day it could not read"

        for name in station.guardrails:
            key = {"path": SNAPSHOT_KEY.path}
            executions = ask(GRID, {"key": key, "name": name})["assetCheckExecutions"]
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
            found: list[dict[str, Any]] = ask(TICKS, {"sensor": sensor})["sensorOrError"]["sensorState"]["ticks"]
            return found

        _wait_until(lambda: any("1 finished run" in str(tick["skipReason"]) for tick in ticks()))
        seen = len(ticks())
        _wait_until(lambda: len(ticks()) > seen)
        assert not [tick["error"] for tick in ticks() if tick["error"]]

    log = (tmp_path / "dev.log").read_text()
    for line in (f"CRITICAL web {bad} error_rate", f"CRITICAL web {unreadable} activity [DAY_UNREADABLE]"):
        assert log.count(f"alert_sensor - {line}") == 1, line
