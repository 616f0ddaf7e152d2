"""Pages of a day that is not over: its strip, its own page, and its incident."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality_tests.dashboard.desk import NOW, YESTERDAY, keep, open_desk
from telemetry_quality_tests.dashboard.pages.twelve_days import page_of
from telemetry_quality_tests.dashboard.states import HOURS_MISSING, make_running_hours

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry_quality_tests.dashboard.desk import Desk
    from telemetry_quality_tests.dashboard.markup import Element

TODAY = NOW.date()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk at noon: web fails since the tenth hour, app was not looked at, batch is judged when it is over."""
    desk = open_desk(tmp_path_factory.mktemp("desk"), "web", "app", "batch")
    for name in ("web", "app"):
        desk.settings.sources[name] = desk.settings.sources[name].model_copy(update={"intraday": True})
    for name in desk.settings.sources:
        keep(desk.store, YESTERDAY, name)
    desk.store.append_running_hours(make_running_hours(10, TODAY, verdicts=(HOURS_MISSING,)))
    yield desk
    desk.close()


def test_the_first_page_shows_today_so_far_of_a_source_that_is_looked_at(desk: Desk) -> None:
    part = page_of(desk, "/health/?source=web").one("section", class_="running")
    assert len(part.all(class_="hour")) == 24
    assert HOURS_MISSING.sentence in part.text
    assert "none after 10:00 was" in part.one(class_="banner").text
    other = page_of(desk, "/health/?source=app").one("section", class_="running")
    assert "No hour of 2026-03-12 has been looked at yet." in other.text
    assert page_of(desk, "/health/?source=batch").all("section", class_="running") == []


def test_the_strip_follows_a_look_and_the_clock(desk: Desk, tmp_path: Path) -> None:
    copy = desk.copy_to(tmp_path)

    def part() -> Element:
        return page_of(copy, "/health/?source=web").one("section", class_="running")

    copy.now = NOW - timedelta(minutes=30)
    assert part().all(class_="banner") == []
    copy.now = NOW
    assert "none after 10:00 was" in part().one(class_="banner").text
    copy.store.append_running_hours(make_running_hours(11, TODAY))
    assert "Until 11:00" in part().text
    assert part().all(class_="banner") == []
    copy.close()
