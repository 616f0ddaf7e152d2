"""What charts show besides snapshots is of the latest scan of each day, and a version that is missing has no name."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from telemetry_quality.core.events import Slice, SliceCounts
from telemetry_quality.core.forecasts.model import DayForecast, Forecast
from telemetry_quality.storage.reader import StoreReader
from telemetry_quality_tests.builders import DAY, NOW, make_scan, make_store

if TYPE_CHECKING:
    from pathlib import Path

NEXT_DAY = DAY + timedelta(days=1)


def test_the_events_of_each_version_are_those_of_the_latest_scan(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    for source, day, versions in (
        ("web", DAY, {"0.9": (100, 0)}),
        ("web", DAY, {"1.0": (15, 0), None: (3, 3), "unknown": (4, 4)}),
        ("web", NEXT_DAY, {"1.0": (10, 0)}),
        ("app", DAY, {"7": (10, 0)}),
    ):
        slices = {
            Slice("service_version", version): SliceCounts(events, 0, missing)
            for version, (events, missing) in versions.items()
        }
        store.append_scan(source, make_scan(day, slices=slices), (), NOW)
    reader = StoreReader(f"sqlite:///{tmp_path / 'quality.db'}")
    assert reader.charted_days("web", DAY, DAY).versions == {DAY: {"1.0": 15, None: 7}}
    assert set(reader.charted_days("web", DAY, NEXT_DAY).versions) == {DAY, NEXT_DAY}
    reader.close()
    store.close()


def test_the_forecast_is_the_latest_that_was_made_by_then(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    for day, events in ((DAY, 1.0), (DAY, 2.0), (NEXT_DAY, 3.0)):
        coming = (DayForecast(day + timedelta(days=1), events, 0.0, 9.0),)
        store.append_forecast(Forecast("web", day, NOW, "weekday stream, 1", 90.0, coming))
    reader = StoreReader(f"sqlite:///{tmp_path / 'quality.db'}")
    found = [reader.charted_days("web", DAY, last).forecast for last in (DAY - timedelta(days=1), DAY, NEXT_DAY)]
    assert [forecast and forecast.coming[0].events for forecast in found] == [None, 2.0, 3.0]
    reader.close()
    store.close()
