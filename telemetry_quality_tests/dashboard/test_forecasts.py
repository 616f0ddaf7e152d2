"""``/api/health/forecast/``: the forecast that was stored last, and the score of earlier ones."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.forecasts.model import MODEL_VERSION, DayForecast
from telemetry_quality.core.marks import Mark
from telemetry_quality_tests.dashboard.desk import NOW, YESTERDAY, keep, open_desk
from telemetry_quality_tests.storage.examples import make_forecast, make_mark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry_quality.core.forecasts.model import Forecast
    from telemetry_quality_tests.dashboard.desk import Desk

PATH = "/api/health/forecast/"


def made(back: int, source: str = "web") -> Forecast:
    """A forecast of 1,000 events, a hundred up or down, on each of three days."""
    day = YESTERDAY - timedelta(days=back)
    coming = tuple(DayForecast(day + timedelta(days=n), 1000.0, 900.0, 1100.0) for n in (1, 2, 3))
    return make_forecast(source=source, day=day, made_at=NOW - timedelta(days=back), coming=coming)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """The last days of ``web`` had 1,000, 1,000 and 2,000 events."""
    desk = open_desk(tmp_path, "web", "app")
    for back, events in ((2, 1000), (1, 1000), (0, 2000)):
        keep(desk.store, YESTERDAY - timedelta(days=back), total_events=events)
    yield desk
    desk.close()


def test_a_source_without_a_forecast_says_nothing_of_the_coming_days(desk: Desk) -> None:
    (web, app) = desk.json(PATH)["sources"]
    assert (web["source"], app["source"]) == ("web", "app")
    for source in (web, app):
        assert (source["made_on"], source["coming"], source["score"], source["by_days_ahead"]) == (None, [], None, [])


def test_the_latest_forecast_is_shown_with_the_score_of_earlier_ones(desk: Desk) -> None:
    for back in (3, 0):
        desk.store.append_forecast(made(back))
    (web,) = desk.json(PATH, source="web")["sources"]
    assert (web["made_on"], web["model_version"], web["interval_percent"]) == (str(YESTERDAY), MODEL_VERSION, 90.0)
    assert web["coming"][0] == {
        "day": str(YESTERDAY + timedelta(days=1)),
        "events": 1000.0,
        "low": 900.0,
        "high": 1100.0,
        "why": None,
    }
    assert (web["score"]["days"], web["score"]["error_percent"]) == (3, 25.0)
    assert web["score"]["coverage_percent"] == pytest.approx(200 / 3)
    assert [(ahead["days_ahead"], ahead["coverage_percent"]) for ahead in web["by_days_ahead"]] == [
        (1, 100.0),
        (2, 100.0),
        (3, 0.0),
    ]


def test_days_that_are_bad_or_provisional_are_not_scored(desk: Desk) -> None:
    desk.store.append_forecast(made(3))
    desk.store.append_marked_days(make_mark(day=YESTERDAY, until=YESTERDAY, mark=Mark.BAD))
    (web,) = desk.json(PATH, source="web")["sources"]
    assert (web["score"]["days"], web["score"]["coverage_percent"]) == (2, 100.0)
    keep(desk.store, YESTERDAY - timedelta(days=1), total_events=10, is_provisional=True)
    desk.now += timedelta(minutes=1)
    (web,) = desk.json(PATH, source="web")["sources"]
    assert web["score"]["days"] == 1


def test_a_forecast_that_is_stored_appears_within_a_minute(desk: Desk) -> None:
    assert desk.json(PATH, source="web")["sources"][0]["made_on"] is None
    desk.store.append_forecast(made(0))
    desk.now += timedelta(minutes=1)
    assert desk.json(PATH, source="web")["sources"][0]["made_on"] == str(YESTERDAY)
