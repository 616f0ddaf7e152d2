"""The log of snapshots: filtered, sorted and paged."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality_tests.dashboard.desk import YESTERDAY
from telemetry_quality_tests.dashboard.pages.twelve_days import (
    EMPTY_DAY,
    MISSING_DAY,
    UNREADABLE_DAY,
    api_error_of,
    page_of,
    web_day,
)

if TYPE_CHECKING:
    from telemetry_quality_tests.dashboard.desk import Desk
    from telemetry_quality_tests.dashboard.markup import Element


def log_rows(page: Element) -> list[list[str]]:
    return [row[:3] for row in page.one("main").one("table").rows()[1:]]


def test_the_log_lists_current_snapshots_newest_first_and_shows_unknown_values_as_dashes(desk: Desk) -> None:
    page = page_of(desk, "/health/snapshots/?source=web")
    assert [row[0][-10:] for row in log_rows(page)][:2] == [str(YESTERDAY), str(YESTERDAY - timedelta(days=1))]
    table = {row[0][-10:]: row for row in page.one("main").one("table").rows()[1:]}
    assert table[str(UNREADABLE_DAY)][2:9] == ["? unknown", "–", "–", "–", "–", "–", "–"]
    assert table[str(EMPTY_DAY)][3] == "0"
    assert len(table) == 11


def test_the_log_links_a_day_with_several_revisions_to_their_comparison(desk: Desk) -> None:
    row = page_of(desk, "/health/snapshots/?source=web").one("tbody").all("tr")[0]
    link = row.one("a", href=f"{web_day(YESTERDAY)}#revisions")
    assert (link.text, link.attributes["aria-label"]) == ("3", "Compare 3 revisions")


def test_the_log_is_filtered_by_its_form_whose_empty_fields_are_ignored(desk: Desk) -> None:
    page = page_of(desk, "/health/snapshots/?source=web&status=unhealthy&status=unknown&first=&last=&page_size=50")
    assert {row[2] for row in log_rows(page)} == {"✗ unhealthy", "? unknown"}
    form = page.one("form", class_="filters")
    assert form.attributes["method"] == "get"
    checked = [
        field.attributes["value"] for field in form.all("input", type="checkbox") if "checked" in field.attributes
    ]
    assert checked == ["unknown", "unhealthy"]
    assert [option.text for option in form.all("option") if "selected" in option.attributes] == ["web", "50"]
    assert form.one("a", href="/health/snapshots/").text == "Clear"


def test_headings_sort_the_log_and_show_how_it_is_sorted(desk: Desk) -> None:
    page = page_of(desk, "/health/snapshots/?source=web&sort=total_events&descending=false")
    (heading,) = [cell for cell in page.all("th") if "aria-sort" in cell.attributes]
    assert heading.attributes["aria-sort"] == "ascending"
    assert heading.text.startswith("Events")
    assert heading.one("a").attributes["href"] == "?source=web&sort=total_events&descending=true"
    links = {cell.text: cell.one("a").attributes["href"] for cell in page.all("th") if cell.all("a", class_="sort")}
    assert links["Source"] == "?source=web&sort=source&descending=false"
    assert links["Errors %"] == "?source=web&sort=error_rate_percent&descending=true"
    assert log_rows(page)[0][0].endswith(str(EMPTY_DAY))
    assert log_rows(page)[-1][0].endswith(str(UNREADABLE_DAY))


def test_pages_of_the_log_and_its_exports_keep_the_filters(desk: Desk) -> None:
    page = page_of(desk, f"/health/snapshots/?source=web&first={MISSING_DAY}&sort=source&page_size=2&page=1")
    paging = page.one("nav", class_="paging")
    kept = f"source=web&first={MISSING_DAY}"
    assert paging.one("a", rel="next").attributes["href"] == f"?{kept}&sort=source&page_size=2&page=2"
    assert paging.one("span", aria_current="page").text == "1"
    assert "4 snapshots, page 1 of 2" in paging.text
    exports = [link.attributes["href"] for link in page.all("a") if "download" in link.attributes]
    assert exports == [f"/health/snapshots.csv?{kept}", f"/health/snapshots.parquet?{kept}"]
    for address in exports:
        assert desk.ask(address).status_code == 200


def test_filters_that_match_nothing_say_so(desk: Desk) -> None:
    text = page_of(desk, "/health/snapshots/?source=app&status=degraded").one("main").text
    assert "No snapshots match these filters." in text
    assert "Page 9 is beyond the last page." in page_of(desk, "/health/snapshots/?page=9").text


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("first=2026-02-30", "first: must be a day that exists"),
        ("sort=nothing", "sort: must be one of day"),
        ("status=fine", "status"),
        ("page=0", "page"),
        ("nonsense=1", "'nonsense' is not a parameter of this address"),
        ("first=2026-03-02&last=2026-03-01", "first must not be after last"),
    ],
)
def test_an_invalid_parameter_is_refused_with_a_sentence(desk: Desk, query: str, words: str) -> None:
    assert words in api_error_of(desk, f"/health/snapshots/?{query}", 422)
