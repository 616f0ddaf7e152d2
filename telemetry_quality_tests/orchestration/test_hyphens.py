"""A source whose name has a hyphen, from the run of a day in Dagster to its pages on the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from telemetry_quality import load_settings
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import migrated_store
from telemetry_quality_tests.dashboard.desk import Desk
from telemetry_quality_tests.orchestration.station import FIRST_DAY, SETTINGS, Station

if TYPE_CHECKING:
    from pathlib import Path

NAME = "web-events"


def test_a_source_with_a_hyphen_is_judged_by_dagster_and_shown_by_the_dashboard(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    file = tmp_path / "telemetry.toml"
    extra = "intraday = true\ntitle = 'Web events'"
    file.write_text(SETTINGS.format(extra=extra).replace("sources.web", f"sources.{NAME}"), encoding="utf-8")
    migrated_store(tmp_path / "quality.db")
    station = Station(tmp_path, load_settings(file))
    station.write_day(FIRST_DAY, events=200, errors=30)

    station.definitions.resolve_job_def("web_events_materialize_day").execute_in_process(
        instance=instance, partition_key=str(FIRST_DAY), raise_on_error=False
    )

    snapshot = dg.AssetKey([NAME, "integrity_snapshot"])
    assert instance.get_latest_materialization_event(snapshot) is not None
    desk = Desk(tmp_path, station.settings, SqlQualityStore(station.settings.store))
    incident = f"/health/incidents/{NAME}/{FIRST_DAY}/"
    for address in (
        "/health/",
        f"/health/sources/{NAME}/",
        f"/health/snapshots/{NAME}/{FIRST_DAY}/",
        f"/health/snapshots/?source={NAME}",
        f"/health/incidents/?source={NAME}",
        incident,
        f"/api/health/summary/?source={NAME}",
    ):
        response = desk.ask(address)
        assert response.status_code == 200, address
        assert NAME in response.text, address
    desk.close()
