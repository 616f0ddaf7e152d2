"""Pages of a day that is not over: its strip, its own page, and its incident."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.dashboard.pages.source import source_main
from telemetry_quality_tests.dashboard.desk import NOW, YESTERDAY, keep, open_desk
from telemetry_quality_tests.dashboard.markup import read
from telemetry_quality_tests.dashboard.pages.twelve_days import api_error_of, page_of, web_day
from telemetry_quality_tests.dashboard.states import HOURS_MISSING, MORNING, make_running_hours

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


def test_the_page_of_a_source_shows_today_so_far_if_it_is_looked_at(desk: Desk) -> None:
    part = page_of(desk, "/health/sources/web/").one("section", class_="running")
    assert len(part.all(class_="hour")) == 24
    assert HOURS_MISSING.sentence in part.text
    assert "none after 10:00 was" in part.one(class_="banner").text
    other = page_of(desk, "/health/sources/app/").one("section", class_="running")
    assert "No hour of 2026-03-12 has been looked at yet." in other.text
    assert page_of(desk, "/health/sources/batch/").all("section", class_="running") == []


def test_the_table_of_sources_says_what_is_known_of_today(desk: Desk) -> None:
    table = page_of(desk, "/health/").one("section", aria_labelledby="sources").one("table").rows()
    assert [(row[0], row[1].partition("today: ")[2]) for row in table[1:]] == [
        ("web", "✗ failing stale"),
        ("app", "· not looked at stale"),
        ("batch", ""),
    ]


def test_the_strip_follows_a_look_and_the_clock(desk: Desk, tmp_path: Path) -> None:
    copy = desk.copy_to(tmp_path)

    def part() -> Element:
        return page_of(copy, "/health/sources/web/").one("section", class_="running")

    def row() -> str:
        return (
            page_of(copy, "/health/")
            .one("section", aria_labelledby="sources")
            .one("table")
            .rows()[1][1]
            .partition("today: ")[2]
        )

    copy.now = NOW - timedelta(minutes=30)
    assert part().all(class_="banner") == []
    assert row() == "✗ failing"
    copy.now = NOW
    assert row() == "✗ failing stale"
    assert "none after 10:00 was" in part().one(class_="banner").text
    copy.store.append_running_hours(make_running_hours(11, TODAY))
    assert "Until 11:00" in part().text
    assert part().all(class_="banner") == []
    assert part().one("h2").text == "Today so far, provisional"
    copy.close()


def test_until_its_last_hour_has_been_looked_at_the_day_before_is_the_running_day(desk: Desk) -> None:
    midnight = datetime.combine(TODAY + timedelta(days=1), time.min, UTC)
    found = {}
    for minutes in (-1, 0, 59, 60):
        main = source_main(desk.dashboard.keeper.state(), desk.settings, midnight + timedelta(minutes=minutes), "web")
        part = read(main).one("section", class_="running")
        found[minutes] = part.one("h2").text, part.all("time")[0].attributes["datetime"]
    today, ran = (f"{words}, provisional" for words in ("Today so far", "As it ran"))
    tomorrow = TODAY + timedelta(days=1)
    assert found == {-1: (today, str(TODAY)), 0: (ran, str(TODAY)), 59: (ran, str(TODAY)), 60: (today, str(tomorrow))}


def test_the_page_of_a_running_day_shows_its_hours_and_its_incident(desk: Desk) -> None:
    main = page_of(desk, web_day(TODAY)).one("main")
    assert main.one("h1").text == f"web, Thu {TODAY}: failing so far"
    assert main.one("section", class_="running").one("h2").text == "Today so far, provisional"
    assert f"{TODAY} is not judged yet; it should be by" in main.text
    assert "There is no snapshot of this day." not in main.text
    later = [link.attributes["title"] for link in main.one("table", class_="heat-map").all("a", class_="h-later")]
    assert [title[:16] for title in later][-1] == f"{TODAY} 23:00"
    assert f"{TODAY} 00:00" not in [title[:16] for title in later]
    (link,) = [link for link in main.all("a") if "/health/incidents/" in link.attributes["href"]]
    incident = page_of(desk, link.attributes["href"]).one("main")
    (failure,) = incident.one("table").rows()[1:]
    assert failure[0] == f"Thu {TODAY} so far, provisional"
    assert incident.one("table").one("a").attributes["href"] == web_day(TODAY)
    assert "no incidents" not in page_of(desk, "/health/sources/web/").text


def test_a_day_that_is_over_and_not_judged_yet_shows_how_it_ran(desk: Desk, tmp_path: Path) -> None:
    copy = desk.copy_to(tmp_path)
    keep(copy.store, YESTERDAY - timedelta(days=1), "app")
    two_days_ago = YESTERDAY - timedelta(days=2)
    copy.store.append_running_hours(make_running_hours(24, two_days_ago, "app"))
    main = page_of(copy, f"/health/snapshots/app/{two_days_ago}/").one("main")
    assert "no snapshot" in main.one("h1").text
    assert main.one("section", class_="running").one("h2").text == "As it ran, provisional"
    assert "There is no snapshot of this day." in main.text
    keep(copy.store, two_days_ago, "app")
    assert page_of(copy, f"/health/snapshots/app/{two_days_ago}/").all("section", class_="running") == []
    copy.close()


def test_a_day_that_runs_and_was_not_looked_at_has_no_page(desk: Desk) -> None:
    assert "A complete day" in api_error_of(desk, f"/health/snapshots/app/{TODAY}/", 404)


def test_the_api_has_the_running_day_as_a_day_of_which_the_status_is_unknown(desk: Desk) -> None:
    day = desk.json(f"/api/health/snapshots/web/{TODAY}/")
    assert (day["status"], day["is_trustworthy"], day["snapshot"]) == ("unknown", False, None)
    assert [incident["key"] for incident in day["incidents"]] == [f"web/{TODAY}"]
    (incident,) = desk.json("/api/health/incidents/", source="web")["incidents"]
    assert incident["is_open"]


def test_the_feed_says_when_a_look_found_an_incident(desk: Desk) -> None:
    feed = desk.ask("/health/incidents.atom", params={"source": "web"}).text
    assert f"<updated>{MORNING:%Y-%m-%dT%H:%M:%SZ}</updated>" in feed
