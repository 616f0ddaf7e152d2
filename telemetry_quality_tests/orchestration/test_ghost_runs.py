"""Runs whose process was killed, on Dagster instances that hold what a real killed process left behind."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from telemetry_quality.dagster import build_definitions
from telemetry_quality.orchestration.ghost_runs import (
    LAUNCHER_TAG,
    WORKER_TAG,
    build_ghost_run_sensor,
    end_ghost_runs,
)
from telemetry_quality.orchestration.names import Names
from telemetry_quality_tests.builders import NOW
from telemetry_quality_tests.orchestration.station import make_station

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.slow

KILLED_IN_MID_RUN = """
import os, signal
import dagster as dg
from telemetry_quality.dagster import build_definitions
from telemetry_quality.settings import load_settings

kill = lambda _: os.kill(os.getpid(), signal.SIGKILL)
definitions = build_definitions(load_settings(), name_prefix="", on_progress=kill)
with dg.DagsterInstance.local_temp("home") as instance:
    definitions.resolve_job_def("web_materialize_day").execute_in_process(
        instance=instance, partition_key="2026-02-01", tags={"kind": "killed"}
    )
"""

WEB = [Names().of("web")]
STARTED_HERE = {LAUNCHER_TAG: json.dumps({"host": "localhost"})}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Dagster home with one run that a process left behind when it was killed."""
    folder = tmp_path_factory.mktemp("killed")
    make_station(folder)
    (folder / "home").mkdir()
    run = subprocess.run([sys.executable, "-c", KILLED_IN_MID_RUN], cwd=folder, capture_output=True, check=False)
    assert run.returncode == -9, run.stderr.decode()
    return folder / "home"


@contextmanager
def _ghost(home: Path, folder: Path) -> Iterator[tuple[dg.DagsterInstance, dg.DagsterRun]]:
    """A copy of the home, and its run."""
    copied = shutil.copytree(home, folder / "copied")
    with dg.DagsterInstance.local_temp(str(copied)) as instance:
        (record,) = instance.get_run_records()
        assert record.dagster_run.status is dg.DagsterRunStatus.STARTED
        yield instance, record.dagster_run


def _status(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    current = instance.get_run_by_id(run.run_id)
    assert current is not None
    return current.status


def _change_worker(instance: dg.DagsterInstance, run: dg.DagsterRun, **changed: str | float) -> None:
    told = {**json.loads(run.tags[WORKER_TAG]), **changed}
    instance.add_run_tags(run.run_id, {WORKER_TAG: json.dumps(told)})


def _add_run(
    instance: dg.DagsterInstance,
    like: dg.DagsterRun,
    job: str,
    tags: Mapping[str, str],
    *,
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED,
    assets: frozenset[dg.AssetKey] | None = None,
) -> dg.DagsterRun:
    """Another run of the same dead process, which recorded nothing."""
    run = instance.add_run(dg.DagsterRun(job, status=status, tags=tags, asset_selection=assets))
    for entry in instance.all_logs(like.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        assert entry.dagster_event is not None
        instance.report_engine_event("Started process", run, entry.dagster_event.engine_event_data)
    return run


def test_a_run_whose_process_was_killed_fails_on_the_next_tick_and_is_named(home: Path, tmp_path: Path) -> None:
    with _ghost(home, tmp_path) as (instance, run):
        with dg.build_sensor_context(instance=instance) as context:
            ticked = build_ghost_run_sensor(Names(), WEB).evaluate_tick(context)
        assert ticked.skip_message == "1 run without a process ended."
        assert _status(instance, run) is dg.DagsterRunStatus.FAILURE
        assert end_ghost_runs(instance, WEB) == []


def test_a_run_that_was_being_cancelled_when_its_process_died_is_cancelled(home: Path, tmp_path: Path) -> None:
    with _ghost(home, tmp_path) as (instance, run):
        instance.report_run_canceling(run)
        assert end_ghost_runs(instance, WEB) == [run.run_id]
        assert _status(instance, run) is dg.DagsterRunStatus.CANCELED


def test_a_run_on_another_machine_is_left_alone(home: Path, tmp_path: Path) -> None:
    with _ghost(home, tmp_path) as (instance, run):
        _change_worker(instance, run, host="another")
        assert end_ghost_runs(instance, WEB) == []


def test_a_run_of_another_project_is_left_alone(home: Path, tmp_path: Path) -> None:
    with _ghost(home, tmp_path) as (instance, run):
        assert end_ghost_runs(instance, [Names().of("app")]) == []
        assert _status(instance, run) is dg.DagsterRunStatus.STARTED


def test_a_run_whose_process_lives_is_left_alone(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    station, ended = make_station(tmp_path), []

    def look(_: int) -> None:
        (record,) = instance.get_run_records()
        assert record.dagster_run.status is dg.DagsterRunStatus.STARTED
        ended.extend(end_ghost_runs(instance, WEB))

    definitions = build_definitions(station.settings, name_prefix="", clock=lambda: NOW, on_progress=look)
    job = definitions.resolve_job_def("web_materialize_day")
    assert job.execute_in_process(instance=instance, partition_key="2026-02-01").success
    assert ended == []


def test_a_retry_is_not_taken_for_the_run_whose_tags_it_copied(home: Path, tmp_path: Path) -> None:
    with _ghost(home, tmp_path) as (instance, run):
        retry = _add_run(instance, run, run.job_name, {WORKER_TAG: run.tags[WORKER_TAG]})
        assert end_ghost_runs(instance, WEB) == [run.run_id]
        assert _status(instance, retry) is dg.DagsterRunStatus.STARTED


@pytest.mark.parametrize(
    ("host", "status", "is_ended"),
    [
        ("localhost", dg.DagsterRunStatus.STARTING, True),
        ("127.0.0.1", dg.DagsterRunStatus.STARTED, True),
        (socket.gethostname(), dg.DagsterRunStatus.STARTED, True),
        ("10.0.0.1", dg.DagsterRunStatus.STARTED, False),
        ("code.example.org", dg.DagsterRunStatus.STARTING, False),
    ],
)
def test_a_run_that_died_before_its_first_step_is_ended_if_it_was_started_on_this_machine(
    home: Path, tmp_path: Path, host: str, status: dg.DagsterRunStatus, is_ended: bool
) -> None:
    with _ghost(home, tmp_path) as (instance, run):
        started = _add_run(instance, run, "web_recheck_day", {LAUNCHER_TAG: json.dumps({"host": host})}, status=status)
        assert (started.run_id in end_ghost_runs(instance, WEB)) is is_ended


def test_a_started_run_that_does_not_say_who_started_it_is_left_alone(home: Path, tmp_path: Path) -> None:
    with _ghost(home, tmp_path) as (instance, run):
        started = _add_run(instance, run, run.job_name, {})
        assert started.run_id not in end_ghost_runs(instance, WEB)


@pytest.mark.parametrize(
    ("assets", "is_ended"),
    [
        (["web/integrity_snapshot"], True),
        (["web/event_aggregates", "web/event_sample", "web/integrity_snapshot", "web/training_days"], True),
        (["app/integrity_snapshot"], False),
        (["web/events"], False),
        (["web/integrity_snapshot", "report"], False),
    ],
)
def test_a_run_that_was_started_from_an_asset_s_page_is_ours_if_all_its_assets_are(
    home: Path, tmp_path: Path, assets: list[str], is_ended: bool
) -> None:
    with _ghost(home, tmp_path) as (instance, run):
        selected = frozenset(map(dg.AssetKey.from_user_string, assets))
        started = _add_run(instance, run, "__ASSET_JOB", STARTED_HERE, assets=selected)
        assert (started.run_id in end_ghost_runs(instance, WEB)) is is_ended
