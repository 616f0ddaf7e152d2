"""The page of the coming days, as viewers see it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.forecasts.model import DayForecast
from telemetry_quality_tests.dashboard.desk import YESTERDAY, keep, open_desk
from telemetry_quality_tests.dashboard.test_error_shape import break_store
from telemetry_quality_tests.storage.examples import make_forecast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry_quality_tests.dashboard.desk import Desk

ADDRESS = "/health/forecast/"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A source with a forecast whose first day has come, and a source without one."""
    desk = open_desk(tmp_path, "web", "app")
    keep(desk.store, YESTERDAY, total_events=1250)
    for back in (1, 0):
        day = YESTERDAY - timedelta(days=back)
        coming = (DayForecast(day + timedelta(days=1), 1000.0, 900.0, 1300.0, "<i>Saint</i> Patrick"),)
        desk.store.append_forecast(make_forecast(day=day, coming=coming))
    yield desk
    desk.close()


def test_the_coming_days_are_shown_with_their_interval_and_the_score(desk: Desk) -> None:
    shown = desk.ask(ADDRESS).text
    assert "100 % of 1 forecast days lay within their interval; they were off by 20.0 % of the events" in shown
    for number in ("1,000", "900", "1,300"):
        assert f'<td class="number">{number}</td>' in shown
    assert "&lt;i&gt;Saint&lt;/i&gt; Patrick" in shown
    assert "No forecast of app has been stored yet." in shown


def test_one_source_may_be_chosen_and_must_be_one_of_the_settings(desk: Desk) -> None:
    assert "No forecast of app" not in desk.ask(f"{ADDRESS}?source=web").text
    assert desk.ask(f"{ADDRESS}?source=nobody").status_code == 404


def test_the_navigation_leads_to_the_page(desk: Desk) -> None:
    assert f'href="{ADDRESS}"' in desk.ask("/health/").text


def test_without_a_store_the_page_says_so(desk: Desk) -> None:
    desk.ask(ADDRESS)
    break_store(desk)
    response = desk.ask(ADDRESS)
    assert response.status_code == 200
    assert "1,300" not in response.text
