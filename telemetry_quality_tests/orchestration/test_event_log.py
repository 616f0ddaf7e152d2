import multiprocessing
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import dagster as dg
import pytest
from sqlalchemy.exc import OperationalError

from telemetry_quality.errors import SettingsError
from telemetry_quality.orchestration import event_log
from telemetry_quality.orchestration.event_log import GATHERED_EVENTS, KEPT_RUNS, KeptSqliteEventLog

KEPT = """
event_log_storage:
  module: telemetry_quality.orchestration.event_log
  class: KeptSqliteEventLog
telemetry:
  enabled: false
"""

pytestmark = pytest.mark.slow

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
    return [(entry.step_key, entry.message) for entry in instance.all_logs(run_id)]


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
        logged = [seen(instance, run_id) for run_id in (first, second)]
    (home / "dagster.yaml").unlink()
    with dg.DagsterInstance.get() as after:
        assert after.get_materialized_partitions(letters.key) == {"a", "b", "c"}
        assert [seen(after, run_id) for run_id in (first, second)] == logged


@pytest.mark.usefixtures("kept")
def test_what_one_process_writes_another_reads_while_both_are_open() -> None:
    with dg.DagsterInstance.get() as writer, dg.DagsterInstance.get() as reader:
        assert reader.get_materialized_partitions(letters.key) == set()
        run_id = materialize(writer)
        assert reader.get_materialized_partitions(letters.key) == {"a", "b", "c"}
        assert seen(reader, run_id) == seen(writer, run_id)


@pytest.mark.usefixtures("kept")
def test_only_a_few_files_stay_open() -> None:
    with dg.DagsterInstance.get() as instance:
        for _ in range(KEPT_RUNS + 2):
            materialize(instance)
        storage = instance.event_log_storage
        assert isinstance(storage, KeptSqliteEventLog)
        assert len(storage.open_files()) <= 1 + KEPT_RUNS
        instance.dispose()
        assert not storage.open_files()


@pytest.mark.usefixtures("kept")
def test_a_run_can_be_deleted_and_all_events_can_be_wiped() -> None:
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
def test_a_forked_process_uses_no_connection_of_its_parent() -> None:
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


def test_the_folder_can_be_configured(tmp_path: Path) -> None:
    storage = KeptSqliteEventLog.from_config_value(None, {"base_dir": str(tmp_path / "events")})
    assert storage.path_for_shard("index") == str(tmp_path / "events" / "index.db")


with warnings.catch_warnings():
    warnings.simplefilter("ignore", dg.PreviewWarning)
    SPECS = [dg.AssetCheckSpec(name, asset=letters, partitions_def=PARTITIONS) for name in ("a", "b")]


@dg.multi_asset_check(specs=SPECS)
def of_each_letter() -> Iterator[Any]:
    for spec in SPECS:
        for letter in PARTITIONS.get_partition_keys():
            yield dg.AssetCheckEvaluation(
                asset_key=letters.key,
                check_name=spec.name,
                partition=letter,
                passed=letter == spec.name,
                metadata={"letter": letter},
            )
        yield dg.Output(None, output_name=spec.get_python_identifier())


def check(instance: dg.DagsterInstance) -> str:
    """Run the letters and the checks of each letter."""
    selection = dg.AssetSelection.assets(letters) | dg.AssetSelection.checks(of_each_letter)
    job = dg.Definitions(
        [letters], asset_checks=[of_each_letter], jobs=[dg.define_asset_job("all", selection)]
    ).resolve_job_def("all")
    tags = {"dagster/asset_partition_range_start": "a", "dagster/asset_partition_range_end": "c"}
    result = job.execute_in_process(instance=instance, tags=tags)
    assert result.success
    return result.run_id


TABLES = {
    "event_logs": "dagster_event_type, step_key, asset_key, partition",
    "asset_check_executions": "asset_key, check_name, partition, execution_status, evaluation_event_storage_id > 0",
    "asset_keys": "asset_key, last_materialization IS NULL, last_run_id IS NULL, asset_details",
    "asset_event_tags": "asset_key, key",
}


def rows_of(home: Path, run_id: str) -> dict[str, list[tuple[Any, ...]]]:
    """The content of the files for a run, in order, without what differs from run to run."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for file in ("index", run_id):
        with closing(sqlite3.connect(home / "history" / "runs" / f"{file}.db")) as connection:
            for table, columns in TABLES.items():
                query = f"SELECT {columns} FROM {table} ORDER BY rowid"
                found[f"{file if file == 'index' else 'run'}: {table}"] = connection.execute(query).fetchall()
    return found


def test_the_files_contain_what_dagsters_own_storage_would_have_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    for name, settings in (("own", ""), ("kept", KEPT)):
        home = tmp_path / name
        home.mkdir()
        (home / "dagster.yaml").write_text(settings)
        monkeypatch.setenv("DAGSTER_HOME", str(home))
        with dg.DagsterInstance.get() as instance:
            run_id = check(instance)
        written.append(rows_of(home, run_id))
    own, kept = written
    assert own == kept
    assert len(own["index: asset_check_executions"]) == 6
    assert [row[3] for row in own["index: asset_check_executions"]].count("SUCCEEDED") == 2


def entries(storage: KeptSqliteEventLog, like: str, count: int) -> list[dg.EventLogEntry]:
    """Evaluations like those of the run ``like``, distinguished by their time; reading writes all gathered ones."""
    (event, *_) = storage.get_logs_for_run(like, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    return [event._replace(timestamp=float(number)) for number in range(count)]


def numbers(storage: Any, run_id: str) -> list[int]:
    found = storage.get_logs_for_run(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    return [int(event.timestamp) for event in found if event.timestamp < 10_000]


@pytest.fixture
def storage(kept: None) -> Iterator[KeptSqliteEventLog]:
    """The event log of an instance."""
    with dg.DagsterInstance.get() as instance:
        assert isinstance(instance.event_log_storage, KeptSqliteEventLog)
        yield instance.event_log_storage


@pytest.fixture
def run_id(storage: KeptSqliteEventLog) -> str:
    """A run with evaluations."""
    return check(storage._instance)


def committed(home: Path, run_id: str) -> int:
    """How many of the test's events another process can see."""
    with closing(sqlite3.connect(home / "history" / "runs" / f"{run_id}.db")) as connection:
        query = "SELECT count(*) FROM event_logs WHERE substr(timestamp, 1, 4) = '1970'"
        (count,) = connection.execute(query).fetchone()
        return int(count)


def test_consecutive_events_are_committed_together_and_seen_by_every_reader(
    home: Path, storage: KeptSqliteEventLog, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "GATHERED_SECONDS", 3600)
    events = entries(storage, run_id, GATHERED_EVENTS + 2)
    for event in events[: GATHERED_EVENTS - 1]:
        storage.store_event(event)
    assert committed(home, run_id) == 0
    storage.store_event(events[GATHERED_EVENTS - 1])
    assert committed(home, run_id) == GATHERED_EVENTS
    storage.store_event(events[GATHERED_EVENTS])
    assert committed(home, run_id) == GATHERED_EVENTS
    assert numbers(storage, run_id) == list(range(GATHERED_EVENTS + 1))
    storage.store_event(events[GATHERED_EVENTS + 1])
    storage.dispose()
    assert committed(home, run_id) == GATHERED_EVENTS + 2


def test_the_last_of_consecutive_events_is_not_held_back(home: Path, storage: KeptSqliteEventLog, run_id: str) -> None:
    storage.store_event(entries(storage, run_id, 1)[0])
    until = monotonic() + 30
    while not committed(home, run_id) and monotonic() < until:
        sleep(0.05)
    assert committed(home, run_id) == 1


def test_each_event_is_held_back_for_its_own_time(
    home: Path, storage: KeptSqliteEventLog, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = entries(storage, run_id, 2)
    monkeypatch.setattr(event_log, "GATHERED_SECONDS", 0.2)
    storage.store_event(first)
    assert numbers(storage, run_id) == [0]
    monkeypatch.setattr(event_log, "GATHERED_SECONDS", 3600)
    storage.store_event(second)
    sleep(1)
    assert committed(home, run_id) == 1


def test_an_event_of_another_type_or_run_is_written_after_those_before_it(
    home: Path, storage: KeptSqliteEventLog, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "GATHERED_SECONDS", 3600)
    other = check(storage._instance)
    first, second = entries(storage, run_id, 2)
    storage.store_event(first)
    storage.store_event(second._replace(run_id=other))
    assert (committed(home, run_id), committed(home, other)) == (1, 0)
    storage._instance.report_engine_event("Something else.", storage._instance.get_run_by_id(other))
    assert committed(home, other) == 1


def test_an_event_without_a_run_is_written_at_once(
    home: Path, storage: KeptSqliteEventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "GATHERED_SECONDS", 3600)
    storage._instance.report_runless_asset_event(dg.AssetMaterialization("elsewhere"))
    with closing(sqlite3.connect(home / "history" / "runs" / "index.db")) as connection:
        assert connection.execute("SELECT asset_key FROM asset_keys").fetchall() == [('["elsewhere"]',)]


def test_events_that_cannot_be_written_now_are_written_once_when_they_can(
    home: Path, storage: KeptSqliteEventLog, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "BUSY_SECONDS", 0.1)
    monkeypatch.setattr(event_log, "GATHERED_SECONDS", 0.1)
    events = entries(storage, run_id, 4)
    storage.close()
    with closing(sqlite3.connect(home / "history" / "runs" / "index.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for event in events[:3]:
            storage.store_event(event)
        sleep(1)
        with pytest.raises(OperationalError, match="locked"):
            storage.get_asset_records()
        other.execute("ROLLBACK")
    storage.store_event(events[3])
    assert sorted(numbers(storage, run_id)) == [0, 1, 2, 3]


@pytest.mark.parametrize("seconds", [3600, 0.5], ids=["in time", "held back too long"])
def test_a_refused_event_does_not_lose_its_neighbours(
    storage: KeptSqliteEventLog, run_id: str, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr(event_log, "GATHERED_SECONDS", seconds)

    def refuse(event: dg.EventLogEntry, event_id: int) -> None:
        if event.timestamp == 1:
            raise dg.DagsterInvariantViolationError("Refused.")

    for event in entries(storage, run_id, 3):
        storage.store_event(event)
    monkeypatch.setattr(storage, "store_asset_check_event", refuse)
    sleep(0 if seconds > 1 else 4 * seconds)
    with pytest.raises(dg.DagsterInvariantViolationError, match="Refused"):
        storage.close()
    assert numbers(storage, run_id) == [0, 2]


def test_a_forked_process_writes_none_of_what_its_parent_gathered(
    home: Path, storage: KeptSqliteEventLog, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "GATHERED_SECONDS", 3600)
    storage.store_event(entries(storage, run_id, 1)[0])
    child = multiprocessing.get_context("fork").Process(target=storage.get_logs_for_run, args=(run_id,))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert committed(home, run_id) == 0
    assert numbers(storage, run_id) == [0]
