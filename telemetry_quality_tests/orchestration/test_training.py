"""The asset ``training_days`` writes what the command writes, a file per day, from the store alone."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg
import duckdb
import pytest

from telemetry_quality.core.training import TRAINING_COLUMNS
from telemetry_quality_tests.orchestration.station import FIRST_DAY, make_station

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry_quality_tests.orchestration.station import Station

KEY = dg.AssetKey(["web", "training_days"])


@pytest.fixture
def station(tmp_path: Path) -> Station:
    station = make_station(tmp_path)
    station.settings = station.settings.model_copy(update={"training_folder": str(tmp_path / "training")})
    return station


def test_a_run_writes_a_file_per_day_and_again_from_the_store_alone(
    station: Station, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    last = FIRST_DAY + timedelta(days=2)
    assert station.run(instance, FIRST_DAY, last).success
    files = [tmp_path / "training" / "web" / f"{FIRST_DAY + timedelta(days=offset)}.parquet" for offset in range(3)]
    assert sorted((tmp_path / "training" / "web").iterdir()) == files
    table = duckdb.read_parquet(str(files[0]))
    assert table.columns == [column.name for column in TRAINING_COLUMNS]
    assert table.select("day", "total_events", "is_trusted", "weight").fetchall() == [(FIRST_DAY, 40, True, 1.0)]
    event = instance.get_latest_materialization_event(KEY)
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.metadata["is_trusted"].value is True

    shutil.rmtree(tmp_path / "events")
    shutil.rmtree(tmp_path / "training")
    again = dg.materialize(
        [station.definitions.resolve_assets_def(KEY)],
        instance=instance,
        partition_key=str(FIRST_DAY),
        selection=[KEY],
    )
    assert again.success
    assert [file.name for file in (tmp_path / "training" / "web").iterdir()] == [f"{FIRST_DAY}.parquet"]


def test_a_day_that_was_never_judged_fails_in_a_sentence(station: Station, instance: dg.DagsterInstance) -> None:
    result = dg.materialize(
        [station.definitions.resolve_assets_def(KEY)],
        instance=instance,
        partition_key=str(FIRST_DAY),
        selection=[KEY],
        raise_on_error=False,
    )
    (failure,) = result.get_step_failure_events()
    assert f"{FIRST_DAY} of web was never judged" in str(failure.event_specific_data)


def test_without_a_folder_there_is_no_such_asset(tmp_path: Path) -> None:
    keys = {spec.key for spec in make_station(tmp_path).definitions.resolve_all_asset_specs()}
    assert KEY not in keys
    assert dg.AssetKey(["web", "integrity_snapshot"]) in keys
