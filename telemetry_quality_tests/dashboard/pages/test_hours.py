"""The hours of a source by days."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.sampling import SampleVerdict
from telemetry_quality.dashboard.markup.heat_map import Measure
from telemetry_quality.dashboard.pages import hours
from telemetry_quality_tests.builders import make_row, make_scan, spread
from telemetry_quality_tests.dashboard.desk import NOW, YESTERDAY, keep
from telemetry_quality_tests.dashboard.pages.twelve_days import (
    BAD_DAY,
    MISSING_DAY,
    UNREADABLE_DAY,
    api_error_of,
    page_of,
    web_day,
)

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry_quality_tests.dashboard.desk import Desk
    from telemetry_quality_tests.dashboard.markup import Element

HOURS = "/health/sources/app/hours/"


def squares(page: Element) -> dict[str, str]:
    """The kind of each square by its words."""
    links = [link for cell in page.one("table", class_="heat-map").all("td") for link in cell.all("a")]
    return {link.attributes["title"]: link.attributes["class"] for link in links}


def test_a_square_says_what_its_hour_held_and_leads_to_the_day_cut_to_that_hour(desk: Desk, tmp_path: Path) -> None:
    copy = desk.copy_to(tmp_path)
    row = spread(make_row(hour=3, events=6, errors=0), make_row(hour=4, events=100, errors=40))
    copy.store.append_scan("app", make_scan(BAD_DAY, row), [SampleVerdict("e1")], NOW)
    page = page_of(copy, f"{HOURS}?measure=errors&days=14")
    found = squares(page)
    assert found[f"{BAD_DAY} 04:00: 40 of 100 events errors, 40.0 %"] == "h-beyond"
    assert found[f"{BAD_DAY} 03:00: 0 of 6 events errors, 0.0 %"] == "h-within"
    links = {link.attributes["title"][:16]: link.attributes["href"] for link in page.all("a", class_="h-beyond")}
    assert links == {f"{BAD_DAY} 04:00": f"/health/snapshots/app/{BAD_DAY}/?hour=4#aggregates"}
    assert "1 beyond the limit" in page.one("ul", class_="legend").text
    copy.close()


def test_days_that_could_not_be_read_and_days_without_a_snapshot_say_so(desk: Desk) -> None:
    kinds = squares(page_of(desk, "/health/sources/web/hours/"))
    assert kinds[f"{UNREADABLE_DAY} 13:00: the day could not be read"] == "h-unreadable"
    assert kinds[f"{MISSING_DAY} 13:00: the day has no snapshot"] == "h-missing"


def test_the_page_ends_where_it_is_asked_to_and_begins_with_the_first_day_of_the_source(desk: Desk) -> None:
    page = page_of(desk, f"{HOURS}?last={YESTERDAY - timedelta(days=1)}&days=14")
    days = [cell.text for cell in page.one("table").all("tr")[1].all("th")]
    first = YESTERDAY - timedelta(days=11)
    assert days == [str((first + timedelta(days=n)).day) for n in range(11)]
    assert not page.all("a", rel="prev")
    assert f"last={YESTERDAY}" in page.one("a", rel="next").attributes["href"]


def test_with_many_days_only_mondays_are_labelled(desk: Desk, tmp_path: Path) -> None:
    copy = desk.copy_to(tmp_path)
    keep(copy.store, YESTERDAY - timedelta(days=36), "app")
    page = page_of(copy, f"{HOURS}?days=60")
    titles = [link.attributes["title"] for link in page.one("table").all("tr")[1].all("a")]
    assert len(titles) == 5
    assert all(title.startswith("Mon ") for title in titles)
    copy.close()


@pytest.mark.parametrize(("days", "status"), [(13, 422), (14, 200), (90, 200), (91, 422)])
def test_fourteen_to_ninety_days_are_shown(desk: Desk, days: int, status: int) -> None:
    assert desk.ask(f"{HOURS}?days={days}").status_code == status


def test_a_source_that_the_settings_do_not_name_is_not_found(desk: Desk) -> None:
    assert "One of the sources app, web is required" in api_error_of(desk, "/health/sources/old/hours/", 404)


def test_the_day_of_each_column_is_a_link(desk: Desk) -> None:
    page = page_of(desk, "/health/sources/web/hours/")
    assert page.all("a", href=web_day(BAD_DAY))


def test_the_squares_of_a_page_show_what_failed_last(desk: Desk) -> None:
    headings = {
        address: page_of(desk, address).one("h2", id="hours").text
        for address in ("/health/sources/app/", "/health/sources/web/", web_day(BAD_DAY))
    }
    assert headings == {
        "/health/sources/app/": "Hours by days: events against expected",
        "/health/sources/web/": "Hours by days: error rate",
        web_day(BAD_DAY): "Hours by days: error rate",
    }


def test_columns_are_the_same_whichever_page_was_opened_first_and_change_with_the_source(
    desk: Desk, tmp_path: Path
) -> None:
    copy = desk.copy_to(tmp_path)
    day_page = f"/health/snapshots/app/{BAD_DAY}/"
    alone = squares(page_of(copy, f"{HOURS}?measure=errors&days=14"))
    page_of(copy, day_page)
    assert squares(page_of(copy, f"{HOURS}?measure=errors&days=30")).items() >= alone.items()
    row = spread(make_row(hour=4, events=100, errors=40))
    copy.store.append_scan("app", make_scan(BAD_DAY, row), [SampleVerdict("e1")], NOW)
    keep(copy.store, BAD_DAY, "app", total_events=100, error_events=40, error_rate_percent=40.0)
    assert squares(page_of(copy, day_page))[f"{BAD_DAY} 04:00: 40 of 100 events errors, 40.0 %"] == "h-beyond"
    copy.close()


def test_no_more_columns_are_kept_than_a_limit(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hours, "MOST_KEPT", 12)
    copy = desk.copy_to(tmp_path)
    for back in (0, 14):
        page_of(copy, f"{HOURS}?days=14&last={YESTERDAY - timedelta(days=back)}")
    (kept,) = (
        value for key, value in copy.dashboard.keeper.shown.cache["app"].items() if key == ("columns", Measure.EVENTS)
    )
    assert 0 < len(kept) <= 12
    copy.close()
