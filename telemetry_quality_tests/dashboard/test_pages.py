"""Pages say what the store says, in words and numbers, without a script, and nothing stored can do anything there."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, event

from telemetry_quality.core.events import SampledEvent
from telemetry_quality.core.guardrails.catalogue import judge_day, policy_of
from telemetry_quality.core.guardrails.verdicts import Cause, Outcome, Place
from telemetry_quality.core.sampling import SampleVerdict
from telemetry_quality.dashboard import figures, incidents, pages, parameters
from telemetry_quality.dashboard.board import BoardKeeper
from telemetry_quality.dashboard.models import PartAnswer
from telemetry_quality.dashboard.rendering import percent
from telemetry_quality.dashboard.summary import summarize
from telemetry_quality.storage.reader import StoreReader
from telemetry_quality_tests.builders import (
    NEW_YORK,
    SCHEMA,
    make_evidence,
    make_figures,
    make_reading,
    make_row,
    make_snapshot,
)
from telemetry_quality_tests.dashboard.desk import NOW, YESTERDAY, keep, make_settings, open_desk
from telemetry_quality_tests.dashboard.markup import read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry_quality_tests.dashboard.desk import Desk
    from telemetry_quality_tests.dashboard.markup import Element

EVIL = "<img src=x onerror=alert(1)>"
LONG = "💥" * 10_000
UNREADABLE: dict[str, Any] = dict.fromkeys(
    (
        *("total_events", "error_events", "error_rate_percent", "missing_version_events", "missing_version_percent"),
        *("sample_size", "sample_passed", "sampling_success_rate_percent", "expected_events", "expected_low_events"),
        *("expected_high_events", "volume_deviation_percent", "is_volume_unusual", "compared_events"),
        *("repeated_events", "duplicate_percent", "is_provisional"),
    )
) | {"unreadable_reason_code": "FILE_CORRUPT", "unreadable_reason": f"The file {EVIL} cannot be read."}
BAD: dict[str, Any] = {"error_events": 120, "error_rate_percent": 12.0}

BAD_DAY = YESTERDAY - timedelta(days=2)
UNREADABLE_DAY = YESTERDAY - timedelta(days=3)
MISSING_DAY = YESTERDAY - timedelta(days=4)
EMPTY_DAY = YESTERDAY - timedelta(days=5)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Twelve days of ``web``, of ``app`` and of ``old``, which the settings no longer name."""
    one = open_desk(tmp_path_factory.mktemp("desk"), "web", "app", dagster_url="http://127.0.0.1:3000")
    special: dict[date, dict[str, Any]] = {BAD_DAY: BAD, UNREADABLE_DAY: UNREADABLE, EMPTY_DAY: {"total_events": 0}}
    for back in range(11, -1, -1):
        day = YESTERDAY - timedelta(days=back)
        if day != MISSING_DAY:
            keep(one.store, day, "web", **special.get(day, {"total_events": 1000 + back}))
        keep(one.store, day, "app")
        keep(one.store, day, "old")
    _keep_evil(one)
    yield one
    one.close()


def _keep_evil(desk: Desk) -> None:
    """Yesterday's ``web``: bad in places and of events whose names are markup, read once and judged three times."""
    rows = [
        make_row(hour=hour, event_name=name, service_version=LONG, events=10, errors=1)
        for hour in (3, 4)
        for name in (EVIL, "page.view", "", None, LONG)
    ]
    sample = [SampledEvent(f"e{number}", EVIL, "1.0") for number in range(4)]
    verdicts = [SampleVerdict(EVIL, ("SIGNAL_UNKNOWN",)), *(SampleVerdict(f"e{number}") for number in range(3))]
    desk.store.append_reading("web", make_reading(YESTERDAY, *rows, sample=sample), verdicts, NOW)
    place = Place((("platform", EVIL), ("event_name", LONG)))
    for rate in (9.0, 12.0):
        bad: dict[str, Any] = {"error_events": int(10 * rate), "error_rate_percent": rate}
        judged = judge_day(make_evidence(make_figures(**bad), YESTERDAY), policy_of(), SCHEMA)
        blamed = [
            replace(one, causes=(Cause(place, 3.0, 90.0, 88.0, BAD_DAY),)) if one.outcome is Outcome.FAILED else one
            for one in judged
        ]
        desk.store.append_snapshot(make_snapshot(YESTERDAY, **bad), blamed)


def page_of(desk: Desk, address: str) -> Element:
    answer = desk.ask(address, headers=desk.by_session | {"Accept": "text/html"})
    assert answer.status_code == 200, answer.text
    return read(answer.text)


def refusal_of(desk: Desk, address: str, status: int) -> str:
    answer = desk.ask(address, headers=desk.by_session | {"Accept": "text/html"})
    assert answer.status_code == status
    return read(answer.text).one("main").text


def web_day(day: date) -> str:
    return f"/health/snapshots/web/{day}/"


ADDRESSES = (
    "/health/",
    "/health/?source=app",
    "/health/snapshots/",
    "/health/snapshots/?status=unhealthy&sort=source",
    *(web_day(day) for day in (YESTERDAY, BAD_DAY, UNREADABLE_DAY, MISSING_DAY, EMPTY_DAY)),
    "/health/incidents/",
    f"/health/incidents/web/{YESTERDAY}/",
    "/nowhere/",
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_stored_markup_is_inert_and_no_page_styles_or_scripts_inline(desk: Desk, address: str) -> None:
    answer = desk.ask(address, headers=desk.by_session | {"Accept": "text/html"})
    page = read(answer.text)
    for element in page.all():
        assert not [name for name in element.attributes if name == "style" or name.startswith("on")]
        assert element.tag not in {"img", "style", "iframe", "object"}
    assert all("src" in one.attributes and not one.text for one in page.all("script"))
    assert "💥" * 1000 not in answer.text


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_page_has_one_main_heading_and_labels_its_tables(desk: Desk, address: str) -> None:
    page = page_of(desk, address) if address != "/nowhere/" else None
    if page is None:
        return
    assert len(page.all("h1")) == 1
    for table in page.all("table"):
        assert [one for one in table.all("th") if one.attributes.get("scope")]
    ids = [one.attributes["id"] for one in page.all() if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    named = [one.attributes["aria-labelledby"] for one in page.all() if "aria-labelledby" in one.attributes]
    assert set(named) <= set(ids)


# ---- the first page ----


def test_the_bare_address_leads_to_the_dashboard(desk: Desk) -> None:
    answer = desk.ask("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/health/")


def test_the_first_page_tells_the_verdict_first_and_shows_the_worst_source(desk: Desk) -> None:
    page = page_of(desk, "/health/")
    verdict = page.all("section")[0]
    assert verdict.one("h1").text == f"1 of 2 sources cannot be trusted on {YESTERDAY}"
    assert "is-unhealthy" in verdict.classes
    assert verdict.one("span", class_="mark").text == "✗"
    assert "error rate 12.00 % (limit 5 %)" in verdict.text
    assert page.one(id="chosen").text == "web"


def test_all_sources_are_listed_with_their_last_days(desk: Desk) -> None:
    table = page_of(desk, "/health/?source=app").all("table")[0]
    web, app = (row.text for row in table.one("tbody").all("tr"))
    assert "✗ unhealthy" in web
    assert "✓ healthy" in app
    strips = [one.attributes["aria-label"] for one in table.all("svg")]
    assert strips[0].startswith("7 healthy, 2 unhealthy, 1 no activity, 1 unknown, ")
    assert strips[1].startswith("12 healthy, ")
    assert table.one("tr", aria_current="true").text.startswith("app")


def test_another_source_can_be_chosen(desk: Desk) -> None:
    page = page_of(desk, "/health/?source=app")
    assert page.one(id="chosen").text == "app"
    assert "No incident is open." in page.text


def test_windows_mark_what_is_beyond_its_threshold_by_more_than_colour(desk: Desk) -> None:
    rows = {row[0]: row[1:] for row in page_of(desk, "/health/?source=web").one("table", class_="windows").rows()}
    assert rows["Errors"][0] == "✗beyond the threshold: 12.00\N{NO-BREAK SPACE}%".replace("\N{NO-BREAK SPACE}", " ")
    assert rows["Errors"][-1] == "> 5 %"
    assert rows["No version"][0] == "0.00 %"
    assert rows["Against expected"][-1] == "± 30 %, and outside the normal interval"
    assert rows["Days"][1] == "2 healthy, 3 failed, 1 unknown, 1 without a snapshot"


@pytest.mark.parametrize(
    ("value", "is_beyond"),
    [(4.99, False), (5.0, False), (5.01, True), (None, False)],
    ids=["below", "at", "above", "-"],
)
def test_a_rate_is_beyond_only_above_its_threshold(desk: Desk, value: float | None, is_beyond: bool) -> None:
    windows = summarize(desk.dashboard.keeper.board(), desk.settings, NOW, "app").sources[0].windows
    shown = figures.window_figures(None, [windows["7"].model_copy(update={"error_rate_percent": value})], policy_of())
    (errors,) = [one for one in shown if one.words == "Errors"]
    assert [one.is_beyond for one in errors.cells] == [False, is_beyond]


@pytest.mark.parametrize(("value", "is_beyond"), [(98.9, True), (99.0, False), (99.1, False)])
def test_a_sample_is_beyond_only_below_its_threshold(desk: Desk, value: float, is_beyond: bool) -> None:
    windows = summarize(desk.dashboard.keeper.board(), desk.settings, NOW, "app").sources[0].windows
    window = windows["7"].model_copy(update={"sampling_success_rate_percent": value})
    (sample,) = [one for one in figures.window_figures(None, [window], policy_of()) if one.words == "Sample passed"]
    assert [one.is_beyond for one in sample.cells] == [False, is_beyond]


def test_charts_are_drawn_from_a_table_in_which_the_unknown_is_empty_and_not_zero(desk: Desk) -> None:
    page = page_of(desk, "/health/?source=web")
    table = page.one("table", id="daily")
    assert {one.attributes["data-table"] for one in page.all("figure")} == {"daily"}
    names = [one.attributes.get("data-name") for one in table.all("th") if one.attributes.get("scope") == "col"]
    rows = {one.attributes["data-day"]: one for one in table.one("tbody").all("tr")}
    for day, status in ((UNREADABLE_DAY, "unknown"), (MISSING_DAY, "missing")):
        cells = dict(zip(names, rows[str(day)].children, strict=True))
        assert rows[str(day)].attributes["data-status"] == status
        assert cells["total"].attributes["data-value"] == ""
        assert cells["total"].text == "–"
    cells = dict(zip(names, rows[str(YESTERDAY)].children, strict=True))
    assert (cells["errors"].attributes["data-value"], cells["errors_limit"].attributes["data-value"]) == ("12.0", "5.0")
    assert rows[str(EMPTY_DAY)].children[2].attributes["data-value"] == "0"


def test_the_calendar_links_every_day_under_its_date_and_status(desk: Desk) -> None:
    calendar = page_of(desk, "/health/?source=web").one("div", class_="calendar")
    squares = {one.attributes["aria-label"]: one for one in calendar.all("a")}
    assert len(squares) == (YESTERDAY - date(2026, 2, 1)).days + 1
    assert squares[f"{YESTERDAY} unhealthy"].attributes["href"] == web_day(YESTERDAY)
    shown = {f"{BAD_DAY} unhealthy": "✗", f"{UNREADABLE_DAY} unknown": "?", f"{MISSING_DAY} no snapshot": "·"}
    for label, sign in shown.items():
        assert squares[label].text == sign
    assert squares[f"{EMPTY_DAY} no activity"].text == "∅"
    assert len(calendar.rows()) == 8


def test_the_legend_counts_the_year_with_signs(desk: Desk) -> None:
    words = [one.text for one in page_of(desk, "/health/?source=web").one("ul", class_="legend").all("li")]
    assert "✗ 2 unhealthy" in words
    assert "∅ 1 no activity" in words


def test_a_source_that_the_settings_no_longer_name_still_has_its_log(desk: Desk) -> None:
    answer = desk.ask("/health/?source=old")
    assert (answer.status_code, answer.headers["location"]) == (303, "/health/snapshots/?source=old")
    assert "12 snapshots" in page_of(desk, "/health/snapshots/?source=old").text


def test_a_source_that_nobody_has_is_not_found(desk: Desk) -> None:
    assert "One of the sources app, old, web is required" in refusal_of(desk, "/health/?source=nobody", 404)


def test_a_snapshot_that_is_overdue_is_told_loudly_before_anything_else(desk: Desk) -> None:
    board = desk.dashboard.keeper.board()
    main = read(pages.overview_main(board, desk.settings, NOW + timedelta(days=1), "web"))
    loud = main.all(role="alert")
    assert [one.text.split()[1] for one in loud] == ["web:", "app:"]
    assert f"There is no snapshot of {YESTERDAY + timedelta(days=1)}; the last one is of {YESTERDAY}" in loud[0].text
    assert main.children[0] is loud[0]
    assert "is-unknown" in main.one("section", class_="verdict").classes
    assert "is-healthy" not in [name for one in main.all("section") for name in one.classes]


def test_a_store_without_a_snapshot_says_what_to_do(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    try:
        main = page_of(desk, "/health/").one("main")
        assert "No day of web has been judged yet." in main.text
        assert "telemetry-quality backfill" in main.text
        assert "No day has been judged yet." in page_of(desk, "/health/snapshots/").text
        assert "There has been no incident." in page_of(desk, "/health/incidents/").text
        assert not main.all("figure")
    finally:
        desk.close()


def test_a_store_that_cannot_be_read_any_more_is_told_loudly_above_what_it_said_last(
    desk: Desk, tmp_path: Path
) -> None:
    copy = desk.copy_to(tmp_path)
    keeper, settings = copy.dashboard.keeper, copy.settings
    before = read(pages.overview_main(keeper.board(), settings, NOW, "web"))
    (tmp_path / "quality.db").unlink()
    copy.now = NOW + timedelta(minutes=2)
    board = keeper.board()
    copy.close()
    after = [
        read(pages.overview_main(board, settings, NOW, "web")),
        read(pages.log_main(board, settings, parameters.LogParameters())),
        read(incidents.list_main(board, settings, parameters.IncidentParameters(), NOW.date())),
    ]
    for main in after:
        assert main.children[0].attributes["role"] == "alert"
        assert "The store cannot be read now: this page shows what it said last." in main.children[0].text
    assert after[0].one("table", id="daily").rows() == before.one("table", id="daily").rows()
    assert "is-unknown" in after[0].one("section", class_="verdict").classes


def test_a_store_that_could_never_be_read_is_not_one_without_snapshots(tmp_path: Path) -> None:
    reader = StoreReader(f"sqlite:///{tmp_path / 'none.db'}")
    main = read(pages.overview_main(BoardKeeper(reader, lambda: NOW).board(), make_settings(tmp_path), NOW, None))
    assert main.children[0].attributes["role"] == "alert"
    assert "what it said last" not in main.text
    assert "What the store holds is not known." in main.text
    assert "has been judged" not in main.text
    assert "is-unknown" in main.one("section", class_="verdict").classes


@pytest.mark.parametrize(
    ("sentence", "head", "rest"),
    [
        ("2026-03-11 can be trusted: 1,000 events.", "2026-03-11 can be trusted", "1,000 events."),
        ("There is none. It is not known.", "It is not known", "There is none."),
        ("It is not judged yet.", "It is not judged yet", ""),
    ],
)
def test_a_verdict_is_split_into_what_is_read_from_afar_and_the_rest(sentence: str, head: str, rest: str) -> None:
    assert pages.headline_of(sentence) == (head, rest)


# ---- the log ----


def log_rows(page: Element) -> list[list[str]]:
    return [row[:3] for row in page.one("main").one("table").rows()[1:]]


def test_the_log_lists_current_snapshots_newest_first_and_leaves_the_unknown_unknown(desk: Desk) -> None:
    page = page_of(desk, "/health/snapshots/?source=web")
    assert [row[0][-10:] for row in log_rows(page)][:2] == [str(YESTERDAY), str(YESTERDAY - timedelta(days=1))]
    table = {row[0][-10:]: row for row in page.one("main").one("table").rows()[1:]}
    assert table[str(UNREADABLE_DAY)][2:9] == ["? unknown", "–", "–", "–", "–", "–", "–"]
    assert table[str(EMPTY_DAY)][3] == "0"
    assert len(table) == 11


def test_the_log_links_a_day_with_revisions_to_their_comparison(desk: Desk) -> None:
    row = page_of(desk, "/health/snapshots/?source=web").one("tbody").all("tr")[0]
    link = row.one("a", href=f"{web_day(YESTERDAY)}#revisions")
    assert (link.text, link.attributes["aria-label"]) == ("3", "Compare 3 revisions")


def test_the_log_is_filtered_by_its_form_whose_empty_fields_ask_for_nothing(desk: Desk) -> None:
    page = page_of(desk, "/health/snapshots/?source=web&status=unhealthy&status=unknown&first=&last=&page_size=50")
    assert {row[2] for row in log_rows(page)} == {"✗ unhealthy", "? unknown"}
    form = page.one("form", class_="filters")
    assert form.attributes["method"] == "get"
    checked = [one.attributes["value"] for one in form.all("input", type="checkbox") if "checked" in one.attributes]
    assert checked == ["unknown", "unhealthy"]
    assert [one.text for one in form.all("option") if "selected" in one.attributes] == ["web", "50"]
    assert form.one("a", href="/health/snapshots/").text == "Clear"


def test_headings_sort_and_say_how_the_log_is_sorted(desk: Desk) -> None:
    page = page_of(desk, "/health/snapshots/?source=web&sort=total_events&descending=false")
    (heading,) = [one for one in page.all("th") if "aria-sort" in one.attributes]
    assert heading.attributes["aria-sort"] == "ascending"
    assert heading.text.startswith("Events")
    assert heading.one("a").attributes["href"] == "?source=web&sort=total_events&descending=true"
    links = {one.text: one.one("a").attributes["href"] for one in page.all("th") if one.all("a", class_="sort")}
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
    exports = [one.attributes["href"] for one in page.all("a") if "download" in one.attributes]
    assert exports == [f"/health/snapshots.csv?{kept}", f"/health/snapshots.parquet?{kept}"]
    for address in exports:
        assert desk.ask(address).status_code == 200


def test_filters_that_match_nothing_say_so(desk: Desk) -> None:
    text = page_of(desk, "/health/snapshots/?source=app&status=degraded").one("main").text
    assert "No snapshot matches these filters." in text
    assert "Page 9 is beyond the last one." in page_of(desk, "/health/snapshots/?page=9").text


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("first=2026-02-30", "first: must be a day that the calendar has"),
        ("sort=nothing", "sort: must be one of day"),
        ("status=fine", "status"),
        ("page=0", "page"),
        ("nonsense=1", "'nonsense' is no parameter of this address"),
        ("first=2026-03-02&last=2026-03-01", "first must be a day up to last"),
    ],
)
def test_a_wrong_question_is_refused_with_a_sentence(desk: Desk, query: str, words: str) -> None:
    assert words in refusal_of(desk, f"/health/snapshots/?{query}", 422)


# ---- one day ----


def test_a_bad_day_tells_what_failed_first(desk: Desk) -> None:
    page = page_of(desk, web_day(BAD_DAY))
    assert page.one("h1").text == f"web, Mon {BAD_DAY}: unhealthy"
    (table,) = [one for one in page.all("table") if one.rows()[0][0] == "Outcome"]
    outcomes = [row[0].split()[-1] for row in table.rows()[1:]]
    assert outcomes == sorted(outcomes, key=["failed", "unknown", "passed"].index)
    assert outcomes[0] == "failed"
    assert table.rows()[1][1:5] == ["error_rate", "✗ critical", "12.00", "5.00"]


def test_a_day_shows_its_numbers_with_their_limits(desk: Desk) -> None:
    facts = {
        one.one("dt").text: one.one("dd").text
        for one in page_of(desk, web_day(BAD_DAY)).one("dl", class_="facts").all("div")
    }
    assert facts["Errors"] == "✗beyond its limit: 12.00 %120 events, limit 5 %"
    assert facts["Events"] == "1,0000.0 % against 1,000 expected; normal 900 to 1,100"
    assert facts["Sample passed"] == "100.0 %100 of 100, at least 99 %"
    assert "Late" not in facts


def test_a_day_that_could_not_be_read_says_why_and_shows_no_zero(desk: Desk) -> None:
    main = page_of(desk, web_day(UNREADABLE_DAY)).one("main")
    assert "is-unknown" in main.one("section", class_="verdict").classes
    assert f"Why it could not be read: The file {EVIL} cannot be read. FILE_CORRUPT" in main.text
    facts = [one.one("dd").text for one in main.one("dl", class_="facts").all("div")]
    assert all(one.startswith("–") for one in facts)


def test_a_day_without_events_is_not_a_day_that_could_not_be_read(desk: Desk) -> None:
    main = page_of(desk, web_day(EMPTY_DAY)).one("main")
    assert "is-no_activity" in main.one("section", class_="verdict").classes
    assert main.one("dl", class_="facts").all("dd")[0].text.startswith("0")


def test_a_day_without_a_snapshot_is_neither_healthy_nor_empty(desk: Desk) -> None:
    main = page_of(desk, web_day(MISSING_DAY)).one("main")
    assert main.one("h1").text.endswith(": no snapshot")
    assert "Nobody has judged it" in main.text
    assert f"telemetry-quality snapshot {MISSING_DAY} --source web" in main.text
    assert not main.all("table")
    assert main.one(
        "a", href=f"http://127.0.0.1:3000/assets/web/integrity_snapshot?view=partitions&partition={MISSING_DAY}"
    )


def test_a_day_leads_to_its_neighbours_that_have_a_snapshot(desk: Desk) -> None:
    steps = page_of(desk, web_day(UNREADABLE_DAY)).one("nav", class_="steps")
    assert steps.one("a", rel="prev").attributes["href"] == web_day(EMPTY_DAY)
    assert steps.one("a", rel="next").attributes["href"] == web_day(BAD_DAY)


def test_an_explanation_names_places_shares_and_since_when(desk: Desk) -> None:
    section = page_of(desk, web_day(YESTERDAY)).one("section", aria_labelledby="explanation")
    place, *rest = section.one("table").rows()[1]
    assert place.startswith(f"platform={EVIL} × event_name=💥")
    assert rest == ["3.0", "90", "88 %", f"Mon {BAD_DAY}"]


def test_a_day_is_cut_by_hour_signal_and_version(desk: Desk) -> None:
    section = page_of(desk, web_day(YESTERDAY)).one("section", aria_labelledby="aggregates")
    hours, signals, versions = (one.rows() for one in section.all("table"))
    assert len(hours) == 25
    assert hours[4][0:2] + hours[4][3:6] == ["03:00", "50", "50.0 %", "5", "10.00 %"]
    assert hours[1][0:2] + hours[1][3:6] == ["00:00", "0", "0.0 %", "0", "–"]
    assert {row[0][:40] for row in signals[1:]} == {EVIL, "page.view", "(empty)", "(null)", "💥" * 40}
    assert versions[1][0] == "💥" * 120 + "…"


def test_the_sample_shows_what_failed_and_why(desk: Desk) -> None:
    section = page_of(desk, web_day(YESTERDAY)).one("section", aria_labelledby="sample")
    assert section.one("table").rows()[1] == ["0", EVIL, "✗ failed", "SIGNAL_UNKNOWN"]
    assert section.one("details").text == "The 3 that passed e0, e1, e2"


def test_revisions_stand_side_by_side_and_what_changed_is_marked(desk: Desk) -> None:
    section = page_of(desk, web_day(YESTERDAY)).one("section", id="revisions")
    rows = {row[0]: row[1:] for row in section.one("table").rows()}
    assert rows[""] == ["Revision 1", "Revision 2", "Revision 3 (shown)"]
    assert rows["Status"] == ["✓ healthy", "≠ ✗ unhealthy", "✗ unhealthy"]
    assert rows["Errors"] == ["0.00 %", "≠ 9.00 %", "≠ 12.00 %"]
    assert rows["Events"] == ["1,000", "1,000", "1,000"]
    assert rows["Thresholds"] == ["see below", "the same", "the same"]
    assert "Since revision 2: 12.00 % errors instead of 9.00." in section.text


def test_an_earlier_revision_is_shown_as_what_it_is(desk: Desk) -> None:
    main = page_of(desk, f"{web_day(YESTERDAY)}?revision=1").one("main")
    assert "This is revision 1; revision 3 is the current one." in main.text
    assert main.one("dl", class_="facts").all("dd")[1].text.startswith("0.00 %")
    assert "✗ failed" not in [row[0] for table in main.all("table")[:2] for row in table.rows()]
    assert "is-healthy" in main.one("section", class_="verdict").classes


@pytest.mark.parametrize("revision", ["4", "999999999"])
def test_a_revision_that_a_day_does_not_have_is_not_found(desk: Desk, revision: str) -> None:
    text = refusal_of(desk, f"{web_day(YESTERDAY)}?revision={revision}", 404)
    assert f"A revision that {YESTERDAY} has is required (1, 2, 3), but {revision} was asked for" in text


@pytest.mark.parametrize(
    "address",
    [
        "/health/snapshots/nobody/2026-03-11/",
        "/health/snapshots/web/2026-02-30/",
        "/health/snapshots/web/yesterday/",
        "/health/snapshots/web/2026-01-31/",
        "/health/snapshots/web/2026-03-12/",
        "/health/snapshots/old/2026-02-27/",
    ],
    ids=[
        "no such source",
        "not in the calendar",
        "not a day",
        "before the first",
        "not complete",
        "source of the past",
    ],
)
def test_a_day_that_nobody_has_is_not_found(desk: Desk, address: str) -> None:
    assert " is required" in refusal_of(desk, address, 404) or "must be a day" in refusal_of(desk, address, 404)


@pytest.mark.parametrize(
    ("day", "hours", "third"),
    [(date(2026, 3, 8), 23, "03:00"), (date(2026, 11, 1), 25, "01:00"), (date(2026, 3, 10), 24, "02:00")],
)
def test_hours_are_named_by_the_clock_also_where_it_is_changed(day: date, hours: int, third: str) -> None:
    part = PartAnswer(value=5, events=1, errors=0, missing_version=0, late_events=0, error_unknown_events=0)
    rows = figures.hour_rows([part], 1, day, NEW_YORK)
    assert len(rows) == hours
    assert rows[2].value == third
    assert [row.events for row in rows][5] == 1


def test_a_part_whose_events_do_not_say_whether_they_are_errors_has_no_rate() -> None:
    part = PartAnswer(value="x", events=5, errors=0, missing_version=0, late_events=0, error_unknown_events=5)
    other = part.model_copy(update={"error_unknown_events": 4})
    assert [row.error_rate for row in figures.part_rows([part, other], 10)] == [
        percent(None),
        percent(0.0),
    ]


# ---- what is kept ----


def test_a_page_is_made_once_as_long_as_the_store_says_the_same(desk: Desk, tmp_path: Path) -> None:
    copy = desk.copy_to(tmp_path)
    asked: list[str] = []

    def watch(*seen: object) -> None:
        asked.append(str(seen[2]))

    event.listen(Engine, "before_cursor_execute", watch)
    try:
        first = page_of(copy, web_day(BAD_DAY))
        assert [one for one in asked if "guardrail_verdict" in one]
        asked.clear()
        again = page_of(copy, web_day(BAD_DAY))
        assert not [one for one in asked if "guardrail_verdict" in one]
        assert first.one("main").text == again.one("main").text
        keep(copy.store, BAD_DAY, "web", total_events=4321)
        copy.now = NOW + timedelta(seconds=30)
        assert "4,321" in page_of(copy, web_day(BAD_DAY)).one("main").text
    finally:
        event.remove(Engine, "before_cursor_execute", watch)
        copy.close()


# ---- files ----


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("dashboard.css", "text/css; charset=utf-8"),
        ("charts.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
        ("vendor/uplot/uPlot.min.css", "text/css; charset=utf-8"),
        ("vendor/uplot/uPlot.iife.min.js", "text/javascript; charset=utf-8"),
    ],
)
def test_files_are_sent_once_and_then_only_compared(desk: Desk, path: str, media_type: str) -> None:
    first = desk.ask(f"/health/static/{path}")
    assert (first.status_code, first.headers["content-type"]) == (200, media_type)
    assert first.headers["cache-control"] == "private, no-cache"
    again = desk.ask(f"/health/static/{path}", headers=desk.by_session | {"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = desk.ask(f"/health/static/{path}", headers=desk.by_session | {"If-None-Match": '"other"'})
    assert other.content == first.content


@pytest.mark.parametrize("path", ["", "nothing.css", "../pages.py", "%2e%2e/pages.py", "/etc/passwd", "vendor"])
def test_no_path_leads_out_of_the_files(desk: Desk, path: str) -> None:
    answer = desk.ask(f"/health/static/{path}")
    assert answer.status_code in {400, 404}
    assert "def " not in answer.text


def test_every_file_that_a_page_names_exists(desk: Desk) -> None:
    for address in ("/health/", "/health/snapshots/"):
        html = desk.ask(address).text
        for path in re.findall(r'(?:href|src)="(/health/static/[^"]+)"', html):
            assert desk.ask(path).status_code == 200, path


def test_nobody_sees_a_page_or_a_file_without_signing_in(desk: Desk) -> None:
    for address in (*ADDRESSES[:4], "/health/static/dashboard.css"):
        answer = desk.ask(address, headers={"Accept": "text/html"})
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/health/sign-in/")


def test_days_are_told_in_the_zone_of_their_source(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    web = desk.settings.sources["web"].model_copy(update={"time_zone": "America/New_York"})
    desk.dashboard.settings.sources["web"] = web
    try:
        keep(desk.store, YESTERDAY)
        time = page_of(desk, web_day(YESTERDAY)).one("section", class_="verdict").all("time")[-1]
        judged = datetime.fromisoformat(time.attributes["datetime"])
        local = judged.astimezone(ZoneInfo("America/New_York"))
        assert time.text == f"{local:%Y-%m-%d %H:%M %Z}"
        assert time.attributes["title"].endswith(" UTC")
    finally:
        desk.close()
