"""The first page shows the verdict first, and unknown values as unknown."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from telemetry_quality.dashboard.pages import overview, source
from telemetry_quality.dashboard.state import StateKeeper
from telemetry_quality.storage.reader import StoreReader
from telemetry_quality_tests.dashboard.desk import NOW, YESTERDAY, make_settings, open_desk
from telemetry_quality_tests.dashboard.markup import read
from telemetry_quality_tests.dashboard.pages.twelve_days import (
    page_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry_quality_tests.dashboard.desk import Desk


def test_the_bare_address_redirects_to_the_dashboard(desk: Desk) -> None:
    response = desk.ask("/")
    assert (response.status_code, response.headers["location"]) == (303, "/health/")


def test_the_first_page_shows_the_verdict_first_and_names_the_worst_source(desk: Desk) -> None:
    page = page_of(desk, "/health/")
    verdict = page.all("section")[0]
    assert verdict.one("h1").text == f"1 of 2 sources cannot be trusted on {YESTERDAY}"
    assert "is-unhealthy" in verdict.classes
    assert verdict.one("span", class_="mark").text == "✗"
    assert "error rate 12.00 % (limit 5 %)" in verdict.text
    assert verdict.one("a", href="/health/sources/web/").text == "web"


def test_all_sources_are_listed_with_their_last_days(desk: Desk) -> None:
    table = page_of(desk, "/health/").all("table")[0]
    web, app = (row.text for row in table.one("tbody").all("tr"))
    assert "✗ unhealthy" in web
    assert "✓ healthy" in app
    strips = [strip.attributes["aria-label"] for strip in table.all("svg")]
    assert strips[0].startswith("7 healthy, 2 unhealthy, 1 no activity, 1 unknown, ")
    assert strips[1].startswith("12 healthy, ")
    assert web.startswith("web")


def test_a_snapshot_that_is_overdue_is_shown_loudly_before_anything_else(desk: Desk) -> None:
    state = desk.dashboard.keeper.state()
    main = read(overview.overview_main(state, desk.settings, NOW + timedelta(days=1)))
    alarms = main.all(role="alert")
    assert [alarm.text.split()[1] for alarm in alarms] == ["web:", "app:"]
    assert f"There is no snapshot of {YESTERDAY + timedelta(days=1)}; the last one is of {YESTERDAY}" in alarms[0].text
    assert main.children[0] is alarms[0]
    assert "is-unknown" in main.one("section", class_="verdict").classes
    assert "is-healthy" not in [name for section in main.all("section") for name in section.classes]


def test_a_store_without_a_snapshot_says_what_to_do(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    try:
        main = page_of(desk, "/health/sources/web/").one("main")
        assert "No day of web has been judged yet." in main.text
        assert "telemetry-quality backfill" in main.text
        assert "No day has been judged yet." in page_of(desk, "/health/snapshots/").text
        assert "There have been no incidents." in page_of(desk, "/health/incidents/").text
        assert not main.all("figure")
    finally:
        desk.close()


def test_a_store_that_could_never_be_read_is_not_shown_as_empty(tmp_path: Path) -> None:
    reader = StoreReader(f"sqlite:///{tmp_path / 'none.db'}")
    state, settings = StateKeeper(reader, lambda: NOW).state(), make_settings(tmp_path)
    main = read(overview.overview_main(state, settings, NOW))
    assert "What the store holds is not known." in read(source.source_main(state, settings, NOW, "web")).text
    assert main.children[0].attributes["role"] == "alert"
    assert "last known content" not in main.text
    assert "has been judged" not in main.text
    assert "is-unknown" in main.one("section", class_="verdict").classes
