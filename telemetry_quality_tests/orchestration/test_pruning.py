"""Old runs go, except those that Dagster shows a day from; a store that is too new fails a run in a sentence."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from dagster import AssetCheckKey

from telemetry_quality import cli
from telemetry_quality.assembly import utc_now
from telemetry_quality.orchestration.pruning import prune
from telemetry_quality_tests.orchestration.station import FIRST_DAY, SNAPSHOT_KEY, make_station

if TYPE_CHECKING:
    from pathlib import Path

    import dagster as dg


def test_a_run_goes_once_newer_ones_show_all_of_its_days(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    station = make_station(tmp_path, days=2)
    both = station.run(instance, FIRST_DAY, FIRST_DAY + timedelta(days=1)).run_id
    first = station.run(instance, FIRST_DAY).run_id
    later = utc_now() + timedelta(minutes=1)
    assert prune(instance, utc_now() - timedelta(days=1)) == (0, 0), "none is old enough"
    assert prune(instance, later) == (0, 2), "the second day is shown from the older run"

    last = station.run(instance, FIRST_DAY + timedelta(days=1)).run_id
    rechecked = station.run(instance, FIRST_DAY, job="recheck_day").run_id
    assert prune(instance, later + timedelta(minutes=1)) == (2, 2)
    assert {run for run in (both, first, last, rechecked) if instance.has_run(run)} == {first, last}
    assert instance.get_materialized_partitions(SNAPSHOT_KEY) == {"2026-02-01", "2026-02-02"}
    newest = instance.get_latest_asset_check_evaluation_record(AssetCheckKey(SNAPSHOT_KEY, "activity"))
    assert newest is not None
    assert newest.run_id == rechecked, "the result of the check outlives its run"


def test_a_run_on_a_store_that_is_too_new_fails_in_a_sentence(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    station = make_station(tmp_path, days=1)
    with closing(sqlite3.connect(tmp_path / "quality.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    run = station.run(instance, FIRST_DAY)
    assert not run.success
    failures = [entry for entry in instance.all_logs(run.run_id) if entry.is_dagster_event and "9999" in str(entry)]
    assert "install the telemetry-quality version that made it" in str(failures)


def test_without_a_home_the_command_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["prune-dagster"])
    err = capsys.readouterr().err
    assert (stop.value.code, err.count("\n"), "DAGSTER_HOME must name" in err) == (2, 1, True)
