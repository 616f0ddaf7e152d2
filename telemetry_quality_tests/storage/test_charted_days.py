"""What charts show besides snapshots is of the latest scan of each day, and a version that is missing has no name."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from telemetry_quality.core.forecasts.model import DayForecast, Forecast
from telemetry_quality.storage.reader import StoreReader
from telemetry_quality_tests.builders import DAY, NOW, make_row, make_scan, make_store

if TYPE_CHECKING:
    from pathlib import Path

NEXT_DAY = DAY + timedelta(days=1)


def test_the_events_of_each_version_are_those_of_the_latest_scan(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.append_scan("web", make_scan(DAY, make_row(service_version="0.9")), (), NOW)
    rows = (
        make_row(events=10),
        make_row(events=5, event_name="purchase"),
        make_row(events=3, service_version=None, missing_version=3),
        make_row(events=4, service_version="unknown", missing_version=4),
    )
    store.append_scan("web", make_scan(DAY, *rows), (), NOW)
    store.append_scan("web", make_scan(NEXT_DAY), (), NOW)
    store.append_scan("app", make_scan(DAY, make_row(service_version="7")), (), NOW)
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
