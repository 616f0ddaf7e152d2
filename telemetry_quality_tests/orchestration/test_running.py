"""The running day in Dagster: one sensor looks at all sources, and no slow one holds up the others."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from telemetry_quality.core.days import Calendar
from telemetry_quality.core.running.report import RunningDay
from telemetry_quality.errors import StoreError
from telemetry_quality.orchestration.names import Names
from telemetry_quality.orchestration.resources import TelemetryResource
from telemetry_quality.orchestration.running import Lookout, build_running_sensors
from telemetry_quality_tests.builders import NOW
from telemetry_quality_tests.orchestration.station import FIRST_DAY, Station, make_station

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

TODAY = NOW.date()
CURRENT_DAY = dg.AssetKey(["web", "current_day"])
QUARTER = timedelta(minutes=15)


@pytest.fixture
def station(tmp_path: Path) -> Station:
    """A station whose running day has twenty events an hour."""
    station = make_station(tmp_path, days=1, extra="intraday = true")
    station.write_day(TODAY, events=480)
    return station


class Ticks:
    """Ticks of one sensor, at times that are set by hand."""

    def __init__(self, station: Station, names: Names | None = None) -> None:
        self.now = NOW
        self._resource = TelemetryResource(station.settings, clock=lambda: self.now)
        (self._sensor,) = build_running_sensors(names or Names(), station.settings)

    def tick(self, at: datetime = NOW) -> tuple[str, list[dg.AssetMaterialization]]:
        """What a tick says it did, and what it reports."""
        self.now = at
        with dg.build_sensor_context(resources={"telemetry": self._resource}) as context:
            found = self._sensor.evaluate_tick(context)
        events = [event for event in found.asset_events if isinstance(event, dg.AssetMaterialization)]
        return str(found.skip_message), events


def test_a_tick_looks_at_the_running_day_and_reports_the_asset(station: Station) -> None:
    ticks = Ticks(station)
    said, (event,) = ticks.tick()
    assert said == "1 running day looked at."
    assert event.asset_key == CURRENT_DAY
    assert {name: value.value for name, value in event.metadata.items()} == {
        "day": "2026-06-01",
        "state": "nothing_failed",
        "is_provisional": True,
        "events": 220,
        "hours": 11,
    }
    assert list(station.work.store.running_hours("web", TODAY, TODAY)) == [TODAY]


def test_a_source_is_looked_at_every_intraday_minutes_and_no_more_often(station: Station) -> None:
    ticks = Ticks(station)
    ticks.tick()
    assert ticks.tick(NOW + QUARTER - timedelta(seconds=1))[0] == "0 running days looked at."
    assert ticks.tick(NOW + QUARTER)[0] == "1 running day looked at."
    assert ticks.tick(NOW - timedelta(days=1))[0] == "1 running day looked at.", "the clock was set back"


def test_a_store_that_fails_is_said_and_looked_at_again(station: Station) -> None:
    ticks, file = Ticks(station), station.folder / "quality.db"
    away = file.rename(file.with_name("away.db"))
    assert ticks.tick()[0] == "0 running days looked at; 1 could not be looked at."
    away.rename(file)
    assert ticks.tick(NOW + QUARTER)[0] == "1 running day looked at."


def test_the_sensor_exists_only_for_sources_that_want_it(tmp_path: Path) -> None:
    station = make_station(tmp_path, days=1)
    assert build_running_sensors(Names(), station.settings) == []
    assert CURRENT_DAY not in {key for asset in station.definitions.assets or () for key in getattr(asset, "keys", ())}


def test_materializing_the_asset_by_hand_looks_once(station: Station) -> None:
    repository = station.definitions.get_repository_def()
    with dg.instance_for_test() as instance:
        job = station.definitions.resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(instance=instance, asset_selection=[CURRENT_DAY])
        assert result.success
        (event,) = result.asset_materializations_for_node(result.get_asset_materialization_events()[0].node_name)
    assert event.metadata["hours"].value == 11
    assert repository.has_sensor_def("running_day_sensor")
    assert station.work.store.judged_days("web") == [], "a look is no snapshot"


def test_a_slow_source_holds_up_neither_the_tick_nor_the_others(station: Station) -> None:
    day = RunningDay("web", FIRST_DAY, Calendar(NOW.tzinfo, FIRST_DAY), ())  # type: ignore[arg-type]
    lookout, go_on, looks = Lookout(), threading.Event(), []

    def slow() -> RunningDay:
        looks.append("slow")
        go_on.wait(60)
        return replace(day, source="slow")

    lookout.begin("slow", slow, NOW, QUARTER)
    lookout.begin("web", lambda: day, NOW, QUARTER)
    assert lookout.wait(0.2) == ["slow"]
    assert lookout.collect() == {"web": day}
    lookout.begin("slow", slow, NOW + QUARTER, QUARTER)
    assert looks == ["slow"], "a source is never looked at twice at a time"
    go_on.set()
    assert lookout.wait(60) == []
    assert list(lookout.collect()) == ["slow"]
    assert lookout.collect() == {}


def test_an_error_in_a_look_is_kept_for_the_tick() -> None:
    lookout = Lookout()

    def fail() -> RunningDay:
        raise StoreError("The store is away.")

    lookout.begin("web", fail, NOW, QUARTER)
    assert lookout.wait(60) == []
    (outcome,) = lookout.collect().values()
    assert isinstance(outcome, StoreError)
