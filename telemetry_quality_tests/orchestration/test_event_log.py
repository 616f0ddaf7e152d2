import multiprocessing
import sqlite3
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest

from telemetry_quality.errors import SettingsError
from telemetry_quality.orchestration.event_log import KEPT_RUNS, KeptSqliteEventLog

KEPT = """
event_log_storage:
  module: telemetry_quality.orchestration.event_log
  class: KeptSqliteEventLog
telemetry:
  enabled: false
"""

PARTITIONS = dg.StaticPartitionsDefinition(["a", "b", "c"])


@dg.asset(partitions_def=PARTITIONS)
def letters() -> None:
    pass


def materialize(instance: dg.DagsterInstance, first: str = "a", last: str = "c") -> str:
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    job = dg.Definitions([letters], jobs=[dg.define_asset_job("all", [letters])]).resolve_job_def("all")
    result = job.execute_in_process(instance=instance, tags=tags)
    assert result.success
    return result.run_id


def seen(instance: dg.DagsterInstance, run_id: str) -> list[tuple[str | None, str]]:
    return [(one.step_key, one.message) for one in instance.all_logs(run_id)]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def kept(home: Path) -> None:
    (home / "dagster.yaml").write_text(KEPT)


def test_an_instance_can_be_switched_over_and_back_and_knows_all_its_runs(home: Path) -> None:
    with dg.DagsterInstance.get() as before:
        first = materialize(before, "a", "a")
    (home / "dagster.yaml").write_text(KEPT)
    with dg.DagsterInstance.get() as instance:
        assert isinstance(instance.event_log_storage, KeptSqliteEventLog)
        second = materialize(instance, "b", "c")
        assert instance.get_materialized_partitions(letters.key) == {"a", "b", "c"}
        said = [seen(instance, run_id) for run_id in (first, second)]
    (home / "dagster.yaml").unlink()
    with dg.DagsterInstance.get() as after:
        assert after.get_materialized_partitions(letters.key) == {"a", "b", "c"}
        assert [seen(after, run_id) for run_id in (first, second)] == said


@pytest.mark.usefixtures("kept")
def test_what_one_process_writes_another_reads_while_both_are_open() -> None:
    with dg.DagsterInstance.get() as writer, dg.DagsterInstance.get() as reader:
        assert reader.get_materialized_partitions(letters.key) == set()
        run_id = materialize(writer)
        assert reader.get_materialized_partitions(letters.key) == {"a", "b", "c"}
        assert seen(reader, run_id) == seen(writer, run_id)


@pytest.mark.usefixtures("kept")
def test_no_more_files_stay_open_than_a_few() -> None:
    with dg.DagsterInstance.get() as instance:
        for _ in range(KEPT_RUNS + 2):
            materialize(instance)
        storage = instance.event_log_storage
        assert isinstance(storage, KeptSqliteEventLog)
        assert len(storage.open_files()) <= 1 + KEPT_RUNS
        instance.dispose()
        assert not storage.open_files()


@pytest.mark.usefixtures("kept")
def test_a_run_can_be_deleted_and_everything_wiped() -> None:
    with dg.DagsterInstance.get() as instance:
        first, second = materialize(instance), materialize(instance)
        instance.delete_run(first)
        assert not instance.all_logs(first)
        assert instance.all_logs(second)
        instance.wipe()
        assert instance.get_materialized_partitions(letters.key) == set()
        third = materialize(instance)
        assert instance.all_logs(third)


@pytest.mark.usefixtures("kept")
def test_a_process_that_was_forked_uses_no_connection_of_its_parent() -> None:
    with dg.DagsterInstance.get() as instance:
        first = materialize(instance)
        child = multiprocessing.get_context("fork").Process(target=materialize, args=(instance, "a", "a"))
        child.start()
        child.join(60)
        assert child.exitcode == 0
        storage = instance.event_log_storage
        assert isinstance(storage, KeptSqliteEventLog)
        assert len(instance.get_run_records()) == 2
        assert instance.all_logs(first)
        with closing(sqlite3.connect(storage.path_for_shard("index"))) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_without_a_folder_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with pytest.raises(SettingsError, match=r"base_dir in dagster\.yaml nor DAGSTER_HOME"):
        KeptSqliteEventLog.from_config_value(None, {})


def test_a_folder_of_ones_own_can_be_named(tmp_path: Path) -> None:
    storage = KeptSqliteEventLog.from_config_value(None, {"base_dir": str(tmp_path / "events")})
    assert storage.path_for_shard("index") == str(tmp_path / "events" / "index.db")
