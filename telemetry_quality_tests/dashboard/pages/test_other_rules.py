"""Days that were counted by other settings: a banner on the pages of source and day, and the same in the API."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from telemetry_quality.core.counting import counting_rules
from telemetry_quality_tests.builders import make_scan
from telemetry_quality_tests.dashboard.desk import NOW, YESTERDAY, Desk, keep, open_desk
from telemetry_quality_tests.dashboard.pages.two_incidents import main_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BEFORE = YESTERDAY - timedelta(days=1)
DAY = f"/health/snapshots/web/{BEFORE}/"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Desk]:
    """The day before yesterday was counted in another time zone, yesterday as the settings say."""
    desk = open_desk(tmp_path)
    now = desk.settings.sources["web"].counting_rules()
    then = counting_rules(desk.settings.sources["web"].event_schema(), ZoneInfo("Asia/Tokyo"))
    for day, rules in ((BEFORE, then), (YESTERDAY, now)):
        desk.store.append_scan("web", make_scan(day), (), NOW, counting_rules=rules)
        keep(desk.store, day)
    yield desk
    desk.close()


def test_the_pages_of_the_source_and_of_the_day_say_so_with_the_command(own: Desk) -> None:
    sentence = (
        f"1 stored day was counted by other settings (web, {BEFORE}): time_zone was Asia/Tokyo and is UTC. "
        "It is not compared with other days; scan it again with "
        f"telemetry-quality backfill {BEFORE} {BEFORE} --source web."
    )
    assert sentence in main_of(own, "/health/sources/web/").text
    found = own.json("/api/health/summary/")["sources"][0]["other_rules"]
    assert (found["sentence"], found["days"], found["changed"]) == (sentence, 1, ["time_zone"])

    assert "counted by other settings than those of now (time_zone)" in main_of(own, DAY).text
    assert own.json(f"/api{DAY}")["other_rules"] == ["time_zone"]


def test_nothing_is_said_once_the_day_was_scanned_again(own: Desk) -> None:
    own.store.append_scan(
        "web", make_scan(BEFORE), (), NOW, counting_rules=own.settings.sources["web"].counting_rules()
    )
    keep(own.store, BEFORE, error_events=1)
    own.now = NOW + timedelta(minutes=2)
    assert own.json("/api/health/summary/")["sources"][0]["other_rules"] is None
    assert "other settings" not in main_of(own, "/health/sources/web/").text
    assert "other settings" not in main_of(own, DAY).text
    assert own.json(f"/api{DAY}")["other_rules"] == []
