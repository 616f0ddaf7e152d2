"""The first page shows the verdict first, and unknown values as unknown."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.core.incidents import Action
from telemetry_quality.dashboard.pages import overview, source
from telemetry_quality.dashboard.state import StateKeeper
from telemetry_quality.storage.reader import StoreReader
from telemetry_quality_tests.dashboard.desk import NOW, YESTERDAY, keep, make_settings, open_desk
from telemetry_quality_tests.dashboard.markup import read
from telemetry_quality_tests.dashboard.pages.twelve_days import page_of, web_day
from telemetry_quality_tests.storage.examples import make_action

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry_quality_tests.dashboard.desk import Desk
    from telemetry_quality_tests.dashboard.markup import Element


def test_the_bare_address_redirects_to_the_dashboard(desk: Desk) -> None:
    response = desk.ask("/")
    assert (response.status_code, response.headers["location"]) == (303, "/health/")


def test_the_first_page_shows_the_verdict_first_and_names_the_worst_source(desk: Desk) -> None:
    page = page_of(desk, "/health/")
    verdict = page.all("section")[0]
    assert verdict.one("h1").text == f"1 of 2 sources cannot be trusted on {YESTERDAY}"
    assert "is-unhealthy" in verdict.classes
    assert verdict.one("span", class_="mark").text == "✗"
    assert page.one("title").text.startswith(f"✗ 1 of 2 sources cannot be trusted on {YESTERDAY}")


def test_each_source_has_a_row_that_leads_to_its_page_and_its_day_the_worst_first(desk: Desk) -> None:
    web, app = source_rows(page_of(desk, "/health/"))
    assert [link.attributes["href"] for link in web.all("a")] == ["/health/sources/web/", web_day(YESTERDAY)]
    name, status, days, events, errors, why, since, owners, who = (cell.text for cell in web.children)
    assert (name, status) == ("web", "✗ unhealthy")
    assert (events, errors) == ("0.0 %", "12.00 %")
    assert why.startswith("error rate 12.00 % (limit 5 %)")
    assert (since, owners, who) == (str(YESTERDAY), "", "")
    (label,) = (strip.attributes["aria-label"] for strip in web.all("svg", role="img"))
    assert label.startswith("7 healthy, 2 unhealthy, 1 no activity, 1 unknown, ")
    assert days.count("✗") == 2
    assert app.children[0].text == "app"
    assert "✓ healthy" in app.text
    assert [cell.text for cell in app.children[5:]] == ["", "", "", ""]


def source_rows(page: Element) -> list[Element]:
    """The rows of the sources, without the headings of groups."""
    return [row for row in page.one("table", class_="sources").all("tr") if len(row.children) > 1][1:]


def test_all_open_incidents_are_listed_beneath_the_sources(desk: Desk, tmp_path: Path) -> None:
    page = page_of(desk, "/health/")
    (incident,) = page.one("section", aria_labelledby="incidents").one("tbody").all("tr")
    assert incident.one("a").attributes["href"] == f"/health/incidents/web/{YESTERDAY}/"
    calm = page_of(desk, "/health/?q=app").one("section", aria_labelledby="incidents")
    assert "No incidents are open." in calm.text
    copy = desk.copy_to(tmp_path)
    found = copy.dashboard.keeper.state().incidents["web"][-1]
    copy.store.append_incident_action(
        make_action(
            day=YESTERDAY, root_cause=found.root_cause, action=Action.ACKNOWLEDGE, by="ada", until=None, acted_at=NOW
        )
    )
    copy.now = NOW + timedelta(minutes=2)
    assert source_rows(page_of(copy, "/health/"))[0].children[-1].text == "ada"
    copy.close()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Four sources: two of the team web, one bad and one with a title; one of growth; and one of nobody, late."""
    desk = open_desk(tmp_path_factory.mktemp("shop"), "clicks", "orders", "mails", "other")
    given: dict[str, dict[str, Any]] = {
        "clicks": {"owners": ("team:web",), "group": "Shop"},
        "orders": {"owners": ("team:web",), "title": "Ordres & <b>заказы</b>"},
        "mails": {"owners": ("team:growth",), "group": "Shop"},
    }
    for name, found in given.items():
        desk.settings.sources[name] = desk.settings.sources[name].model_copy(update=found)
        keep(desk.store, YESTERDAY, name, **({"error_rate_percent": 12.0} if name == "clicks" else {}))
    keep(desk.store, YESTERDAY - timedelta(days=1), "other")
    yield desk
    desk.close()


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["clicks", "other", "Ordres & <b>заказы</b> orders", "mails"]),
        ("q=web", ["clicks", "Ordres & <b>заказы</b> orders"]),
        ("q=WEB+healthy", ["clicks", "Ordres & <b>заказы</b> orders"]),
        ("q=ЗАКАЗЫ", ["Ordres & <b>заказы</b> orders"]),
        ("q=shop+growth", ["mails"]),
        ("q=stale", ["other"]),
        ("q=unhealthy", ["clicks"]),
    ],
)
def test_the_filter_finds_sources_by_title_owner_group_and_state(shop: Desk, query: str, names: list[str]) -> None:
    page = page_of(shop, f"/health/?{query}")
    assert [row.children[0].text for row in source_rows(page)] == names
    assert page.one("input", name="q").attributes["value"] == query.removeprefix("q=").replace("+", " ")


def test_a_filter_that_finds_nothing_says_so_below_the_verdict_on_all_sources(shop: Desk) -> None:
    page = page_of(shop, "/health/?q=nobody")
    assert "No source matches." in page.text
    assert page.one("h1").text.startswith("1 of 4 sources cannot be trusted")


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("owner", ["team:web 1 of 2 can be trusted", "no owner 0 of 1 can be trusted", "team:growth 1 of 1 can be"]),
        ("group", ["Shop 1 of 2 can be trusted", "no group 1 of 2 can be trusted"]),
    ],
)
def test_sources_can_be_grouped_and_the_group_with_the_worst_comes_first(
    shop: Desk, by: str, groups: list[str]
) -> None:
    headings = page_of(shop, f"/health/?by={by}").all("th", scope="rowgroup")
    assert [heading.text.removesuffix(" trusted") for heading in headings] == [
        words.removesuffix(" trusted") for words in groups
    ]


def test_a_stale_source_says_so_in_its_row_and_in_one_line(shop: Desk) -> None:
    page = page_of(shop, "/health/")
    verdict = page.one("section", class_="verdict")
    assert "The snapshot of other is overdue." in verdict.text
    assert verdict.one("span", class_="mark").text == "✗", "what is bad comes before what is late"
    assert not page.all(role="alert")
    row = next(row for row in source_rows(page) if row.children[0].text == "other")
    assert row.children[1].text == "? unknown stale"
    assert f"There is no snapshot of {YESTERDAY}" in row.children[5].text


def test_a_wall_shows_every_source_without_a_header_and_is_loaded_again_without_a_script(shop: Desk) -> None:
    page = page_of(shop, "/health/?wall=1&by=owner")
    assert not page.all("header")
    assert page.one("noscript").one("meta", http_equiv="refresh").attributes["content"] == "60"
    assert page.one(id="live")
    tiles = page.all("li", class_="tile")
    assert [tile.one("h2").text for tile in tiles] == ["clicks", "Ordres & <b>заказы</b>", "other", "mails"]
    assert "is-unhealthy" in tiles[0].classes
    assert "error rate 12.00 %" in tiles[0].text
    assert not page_of(shop, "/health/").all("noscript")


def test_a_row_of_a_healthy_source_takes_about_a_kilobyte(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    for back in range(30):
        keep(desk.store, YESTERDAY - timedelta(days=back), total_events=1000 + 37 * back % 90)
    (row,) = re.findall(r'<tr><th scope="row">.*?</tr>', desk.ask("/health/").text, re.DOTALL)
    assert len(row) < 1500
    desk.close()


def test_only_the_rows_of_sources_that_changed_are_rendered_again(shop: Desk, tmp_path: Path) -> None:
    copy = shop.copy_to(tmp_path)

    def kept() -> dict[str, Any]:
        overview.overview_main(state := copy.dashboard.keeper.state(), copy.settings, copy.now)
        return {name: [row for row in state.cache[name].values() if "<tr" in str(row)] for name in given}

    given = ("clicks", "orders", "mails", "other")
    before = kept()
    keep(copy.store, YESTERDAY, "mails", total_events=2000)
    copy.now = NOW + timedelta(minutes=2)
    after = kept()
    assert [name for name in given if after[name][0] is not before[name][0]] == ["mails"]
    copy.close()


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
