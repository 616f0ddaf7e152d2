"""Forecasts in the store: appended only when they say something new, and read back as they were made."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from telemetry_quality.storage.forecasts import forecasts
from telemetry_quality.storage.reader import StoreReader
from telemetry_quality_tests.builders import DAY, NOW, make_store
from telemetry_quality_tests.storage.examples import make_forecast

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry_quality.core.forecasts.model import Forecast

NEXT_DAY = DAY + timedelta(days=1)


def without_hours(forecast: Forecast) -> Forecast:
    return replace(forecast, coming=tuple(replace(day, hours=None) for day in forecast.coming))


def test_a_forecast_is_read_back_as_it_was_made(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    made = make_forecast()
    stored, is_new = store.append_forecast(made)
    assert (stored, is_new) == (replace(made, revision=1), True)
    read = [without_hours(stored)]
    assert store.forecasts("web", DAY, DAY) == read
    assert StoreReader(f"sqlite:///{tmp_path / 'quality.db'}").forecasts("web", DAY, DAY) == read
    with store._read_only() as connection:
        assert forecasts(connection, "web", DAY, DAY, with_hours=True) == [stored]
    assert store.forecasts("other", DAY, DAY) == store.forecasts("web", NEXT_DAY, NEXT_DAY) == []


def test_the_same_forecast_made_later_adds_nothing(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    first, _ = store.append_forecast(make_forecast())
    again = store.append_forecast(make_forecast(made_at=NOW + timedelta(hours=6)))
    assert again == (first, False)


def test_another_forecast_of_the_day_is_another_revision_and_the_latest_is_read(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.append_forecast(make_forecast())
    fewer, is_new = store.append_forecast(make_forecast(coming=make_forecast().coming[:1]))
    tomorrow, _ = store.append_forecast(make_forecast(day=NEXT_DAY))
    assert (fewer.revision, is_new, tomorrow.revision) == (2, True, 1)
    assert store.forecasts("web", DAY, NEXT_DAY) == [without_hours(fewer), without_hours(tomorrow)]
    assert store.append_forecast(make_forecast())[0].revision == 3


def test_a_forecast_with_other_hours_is_another_revision(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.append_forecast(make_forecast())
    assert store.append_forecast(without_hours(make_forecast()))[1]


def test_a_forecast_by_another_model_is_another_revision(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.append_forecast(make_forecast())
    assert store.append_forecast(make_forecast(model_version="weekday stream, 2"))[1]
