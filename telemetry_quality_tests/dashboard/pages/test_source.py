"""The page of a source shows its verdict first, and unknown values as unknown."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.events import Slice, SliceCounts
from telemetry_quality.core.forecasts.model import DayForecast
from telemetry_quality.core.guardrails.catalogue import BUILT_IN, policy_of
from telemetry_quality.dashboard import parameters
from telemetry_quality.dashboard.markup.verdicts import headline_of
from telemetry_quality.dashboard.markup.windows import window_figures
from telemetry_quality.dashboard.pages import incidents, log, overview, source
from telemetry_quality.dashboard.summary import summarize
from telemetry_quality_tests.builders import make_row, make_scan
from telemetry_quality_tests.dashboard.desk import NOW, YESTERDAY
from telemetry_quality_tests.dashboard.markup import read
from telemetry_quality_tests.dashboard.pages.twelve_days import (
    BAD_DAY,
    EMPTY_DAY,
    MISSING_DAY,
    UNREADABLE_DAY,
    api_error_of,
    page_of,
    web_day,
)
from telemetry_quality_tests.storage.examples import make_forecast

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry_quality_tests.dashboard.desk import Desk


def test_a_source_has_a_page_of_its_own_with_its_verdict_first(desk: Desk) -> None:
    page = page_of(desk, "/health/sources/web/")
    verdict = page.all("section")[0]
    assert verdict.one("h1").text == f"web: {YESTERDAY} cannot be trusted"
    assert "is-unhealthy" in verdict.classes
    assert "rror rate 12.00 % (limit 5 %)" in verdict.text
    healthy = page_of(desk, "/health/sources/app/")
    assert healthy.one("h1").text == f"app: {YESTERDAY} can be trusted"
    assert "No incidents are open." in healthy.text


def test_only_the_day_is_marked_and_by_more_than_colour(desk: Desk) -> None:
    rows = {row[0]: row[1:] for row in page_of(desk, "/health/sources/web/").one("table", class_="windows").rows()}
    assert rows["Errors"][0] == "✗failed: 12.00\N{NO-BREAK SPACE}%".replace("\N{NO-BREAK SPACE}", " ")
    assert rows["Errors"][-1] == "> 5 %"
    assert rows["No version"][0] == "0.00 %"
    assert rows["Against expected"][-1] == "± 30 %, and outside the normal interval"
    assert rows["Days"][1] == "2 healthy, 3 failed, 1 unknown, 1 without a snapshot"


@pytest.mark.parametrize(
    ("failed", "marked"),
    [(set(), []), ({"error_rate"}, ["Errors"]), ({"error_rate", "sample"}, ["Errors", "Sample passed"])],
)
def test_a_number_is_marked_if_its_guardrail_failed_and_never_over_a_week(
    desk: Desk, failed: set[str], marked: list[str]
) -> None:
    """A guardrail passes what is usual, however far beyond its threshold, and a threshold is one of days."""
    source_summary = summarize(desk.dashboard.keeper.state(), desk.settings, NOW, "app").sources[0]
    beyond = {"error_rate_percent": 50.0, "sampling_success_rate_percent": 50.0}
    assert source_summary.snapshot is not None
    day = source_summary.snapshot.model_copy(update=beyond)
    week = source_summary.windows["7"].model_copy(update=beyond)
    shown = window_figures(day, [week], BUILT_IN, policy_of(), failed)
    assert [figure.words for figure in shown if figure.cells[0].is_beyond] == marked
    assert not [figure.words for figure in shown if figure.cells[1].is_beyond]


def test_the_titles_of_windows_begin_with_the_state(desk: Desk) -> None:
    titles = {
        address: page_of(desk, address).one("title").text.removesuffix(" · telemetry-quality")
        for address in ("/health/sources/web/", "/health/sources/app/", web_day(BAD_DAY), web_day(MISSING_DAY))
    }
    assert list(titles.values()) == ["✗ web", "✓ app", f"✗ web {BAD_DAY}", f"· web {MISSING_DAY}"]


def test_charts_are_drawn_from_a_table_in_which_unknown_values_are_empty_and_not_zero(desk: Desk) -> None:
    page = page_of(desk, "/health/sources/web/")
    table = page.one("table", id="daily")
    assert {figure.attributes["data-table"] for figure in page.all("figure")} == {"daily"}
    names = [
        heading.attributes.get("data-name") for heading in table.all("th") if heading.attributes.get("scope") == "col"
    ]
    rows = {row.attributes["data-day"]: row for row in table.one("tbody").all("tr")}
    for day, status in ((UNREADABLE_DAY, "unknown"), (MISSING_DAY, "missing")):
        cells = dict(zip(names, rows[str(day)].children, strict=True))
        assert rows[str(day)].attributes["data-status"] == status
        assert cells["total"].text == "–", "which the script draws as a gap"
    cells = dict(zip(names, rows[str(YESTERDAY)].children, strict=True))
    assert (cells["errors"].text, cells["errors_limit"].text) == ("12.00", "5.00")
    assert cells["errors"].attributes["data-mark"] == "failed"
    assert rows[str(EMPTY_DAY)].children[2].text == "0"


def test_a_day_in_the_table_of_the_charts_leads_to_its_page_and_to_its_incidents(desk: Desk) -> None:
    table = page_of(desk, "/health/sources/web/").one("table", id="daily")
    row = table.one("tr", data_day=str(YESTERDAY))
    assert [link.attributes["href"] for link in row.all("a")] == [
        web_day(YESTERDAY),
        f"/health/incidents/web/{YESTERDAY}/",
    ]
    assert "data-incident" in row.attributes


@pytest.mark.parametrize(("days", "count"), [(7, 7), (30, 30), (90, 39), (365, 39)])
def test_charts_are_of_as_many_days_as_asked_for_but_not_from_before_the_source(
    desk: Desk, days: int, count: int
) -> None:
    page = page_of(desk, f"/health/sources/web/?days={days}")
    assert len(page.one("table", id="daily").one("tbody").all("tr")) == count
    assert page.one("a", aria_current="true").text == f"{days} days"


def test_the_charts_say_which_versions_are_new_and_what_comes(desk: Desk, tmp_path: Path) -> None:
    copy = desk.copy_to(tmp_path)
    for back in range(9):
        version = "2.0" if back == 0 else "1.0"
        slices = {Slice("service_version", version): SliceCounts(1000, 0, 0)}
        scan = make_scan(YESTERDAY - timedelta(days=back), make_row(service_version=version), slices=slices)
        copy.store.append_scan("web", scan, (), NOW)
    coming = tuple(DayForecast(YESTERDAY + timedelta(days=n), 1000.0, 900.0, 1300.0) for n in range(1, 15))
    copy.store.append_forecast(make_forecast(day=YESTERDAY, coming=coming))
    rows = page_of(copy, "/health/sources/web/").one("table", id="daily").one("tbody").all("tr")
    named = {row.attributes["data-day"]: row.attributes.get("data-versions") for row in rows}
    assert {day: words for day, words in named.items() if words} == {str(YESTERDAY): "new version 2.0"}
    forecast = [row for row in rows if row.attributes["data-status"] == "coming"]
    assert [row.attributes["data-day"] for row in forecast] == [str(day.day) for day in coming]
    assert [cell.text for cell in forecast[0].children[1:6]] == ["forecast", "–", "1,000", "900", "1,300"]
    assert forecast[0].one("a").attributes["href"] == "/health/forecast/?source=web"
    short = page_of(copy, "/health/sources/web/?days=7").one("table", id="daily").one("tbody").all("tr")
    assert len(short) == 14, "no more days to come than there are others"
    copy.close()


@pytest.mark.parametrize("days", ["6", "366", "many"])
def test_charts_of_too_few_or_too_many_days_are_refused(desk: Desk, days: str) -> None:
    assert "days" in api_error_of(desk, f"/health/sources/web/?days={days}", 422)


def test_the_calendar_links_every_day_under_its_date_and_status(desk: Desk) -> None:
    calendar = page_of(desk, "/health/sources/web/").one("div", class_="calendar")
    squares = {link.attributes["aria-label"]: link for link in calendar.all("a")}
    assert len(squares) == (YESTERDAY - date(2026, 2, 1)).days + 1
    assert squares[f"{YESTERDAY} unhealthy"].attributes["href"] == web_day(YESTERDAY)
    shown = {f"{BAD_DAY} unhealthy": "✗", f"{UNREADABLE_DAY} unknown": "?", f"{MISSING_DAY} no snapshot": "·"}
    for label, sign in shown.items():
        assert squares[label].text == sign
    assert squares[f"{EMPTY_DAY} no activity"].text == "∅"
    assert len(calendar.rows()) == 8


def test_the_legend_counts_the_year_with_signs(desk: Desk) -> None:
    words = [
        item.text
        for item in page_of(desk, "/health/sources/web/").one("section", aria_labelledby="year").one("ul").all("li")
    ]
    assert "✗ 2 unhealthy" in words
    assert "∅ 1 no activity" in words


def test_a_source_that_the_settings_no_longer_name_still_has_its_log(desk: Desk) -> None:
    response = desk.ask("/health/sources/old/")
    assert (response.status_code, response.headers["location"]) == (303, "/health/snapshots/?source=old")
    assert "12 snapshots" in page_of(desk, "/health/snapshots/?source=old").text


def test_a_source_that_does_not_exist_is_not_found(desk: Desk) -> None:
    assert "One of the sources app, old, web is required" in api_error_of(desk, "/health/sources/nobody/", 404)


def test_a_store_that_can_no_longer_be_read_is_reported_above_its_last_known_content(
    desk: Desk, tmp_path: Path
) -> None:
    copy = desk.copy_to(tmp_path)
    keeper, settings = copy.dashboard.keeper, copy.settings
    before = read(source.source_main(keeper.state(), settings, NOW, "web"))
    (tmp_path / "quality.db").unlink()
    copy.now = NOW + timedelta(minutes=2)
    state = keeper.state()
    copy.close()
    after = [
        read(source.source_main(state, settings, NOW, "web")),
        read(overview.overview_main(state, settings, NOW)),
        read(log.log_main(state, settings, parameters.LogParameters())),
        read(incidents.list_main(state, settings, parameters.IncidentParameters(), NOW.date())),
    ]
    for main in after:
        assert main.children[0].attributes["role"] == "alert"
        assert "The store cannot be read now: this page shows its last known content." in main.children[0].text
    assert after[0].one("table", id="daily").rows() == before.one("table", id="daily").rows()
    assert all("is-unknown" in main.one("section", class_="verdict").classes for main in after[:2])


@pytest.mark.parametrize(
    ("sentence", "head", "rest"),
    [
        ("2026-03-11 can be trusted: 1,000 events.", "2026-03-11 can be trusted", "1,000 events."),
        ("There is none. It is not known.", "It is not known", "There is none."),
        ("It is not judged yet.", "It is not judged yet", ""),
    ],
)
def test_a_verdict_is_split_into_headline_and_details(sentence: str, head: str, rest: str) -> None:
    assert headline_of(sentence) == (head, rest)
