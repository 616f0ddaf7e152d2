"""The page of a day, with its numbers, verdicts, root causes, breakdowns, sample and revisions."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from telemetry_quality_tests.dashboard.desk import YESTERDAY, keep, open_desk
from telemetry_quality_tests.dashboard.pages.twelve_days import (
    BAD_DAY,
    EMPTY_DAY,
    EVIL,
    MISSING_DAY,
    UNREADABLE_DAY,
    api_error_of,
    page_of,
    web_day,
)

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry_quality_tests.dashboard.desk import Desk


def test_a_bad_day_shows_what_failed_first(desk: Desk) -> None:
    page = page_of(desk, web_day(BAD_DAY))
    assert page.one("h1").text == f"web, Mon {BAD_DAY}: unhealthy"
    (table,) = [candidate for candidate in page.all("table") if candidate.rows()[0][0] == "Outcome"]
    outcomes = [row[0].split()[-1] for row in table.rows()[1:]]
    assert outcomes == sorted(outcomes, key=["failed", "unknown", "passed"].index)
    assert outcomes[0] == "failed"
    assert table.rows()[1][1:5] == ["error_rate", "✗ critical", "12.00", "5.00"]


def test_a_day_shows_its_numbers_with_their_limits(desk: Desk) -> None:
    facts = {
        row.one("dt").text: row.one("dd").text
        for row in page_of(desk, web_day(BAD_DAY)).one("dl", class_="facts").all("div")
    }
    assert facts["Errors"] == "✗beyond its limit: 12.00 %120 events, limit 5 %"
    assert facts["Events"] == "1,0000.0 % against 1,000 expected; normal 900 to 1,100"
    assert facts["Sample passed"] == "100.0 %100 of 100, at least 99 %"
    assert "Late" not in facts


def test_a_day_that_could_not_be_read_says_why_and_shows_no_zero(desk: Desk) -> None:
    main = page_of(desk, web_day(UNREADABLE_DAY)).one("main")
    assert "is-unknown" in main.one("section", class_="verdict").classes
    assert f"Why it could not be read: The file {EVIL} cannot be read. FILE_CORRUPT" in main.text
    facts = [row.one("dd").text for row in main.one("dl", class_="facts").all("div")]
    assert all(fact.startswith("–") for fact in facts)


def test_a_day_without_events_is_not_a_day_that_could_not_be_read(desk: Desk) -> None:
    main = page_of(desk, web_day(EMPTY_DAY)).one("main")
    assert "is-no_activity" in main.one("section", class_="verdict").classes
    assert main.one("dl", class_="facts").all("dd")[0].text.startswith("0")


def test_a_day_without_a_snapshot_is_neither_healthy_nor_empty(desk: Desk) -> None:
    main = page_of(desk, web_day(MISSING_DAY)).one("main")
    assert main.one("h1").text.endswith(": no snapshot")
    assert "It has not been judged" in main.text
    assert f"telemetry-quality snapshot {MISSING_DAY} --source web" in main.text
    assert not main.all("table")
    assert main.one(
        "a", href=f"http://127.0.0.1:3000/assets/web/integrity_snapshot?view=partitions&partition={MISSING_DAY}"
    )


def test_a_day_links_to_its_neighbours_with_a_snapshot(desk: Desk) -> None:
    steps = page_of(desk, web_day(UNREADABLE_DAY)).one("nav", class_="steps")
    assert steps.one("a", rel="prev").attributes["href"] == web_day(EMPTY_DAY)
    assert steps.one("a", rel="next").attributes["href"] == web_day(BAD_DAY)


def test_a_root_cause_names_segments_shares_and_since_when(desk: Desk) -> None:
    section = page_of(desk, web_day(YESTERDAY)).one("section", aria_labelledby="explanation")
    place, *rest = section.one("table").rows()[1]
    assert place.startswith(f"platform={EVIL} × event_name=💥")
    assert rest == ["3.0", "90", "88 %", f"Mon {BAD_DAY}"]


def test_a_day_is_broken_down_by_hour_signal_and_version(desk: Desk) -> None:
    section = page_of(desk, web_day(YESTERDAY)).one("section", aria_labelledby="aggregates")
    hours, signals, versions = (table.rows() for table in section.all("table"))
    assert len(hours) == 25
    assert hours[4][0:2] + hours[4][3:6] == ["03:00", "50", "–", "5", "10.00 %"]
    assert hours[1][0:2] + hours[1][3:6] == ["00:00", "0", "–", "0", "–"]
    assert {row[5] for row in signals[1:]} == {"20.0 %"}
    assert {row[0][:40] for row in signals[1:]} == {EVIL, "page.view", "(empty)", "(null)", "💥" * 40}
    assert versions[1][0] == "💥" * 120 + "…"


def test_the_sample_shows_what_failed_and_why(desk: Desk) -> None:
    section = page_of(desk, web_day(YESTERDAY)).one("section", aria_labelledby="sample")
    assert section.one("table").rows()[1] == ["0", EVIL, "✗ failed", "SIGNAL_UNKNOWN"]
    assert section.one("details").text == "The 3 events that passed e0, e1, e2"


def test_revisions_are_shown_side_by_side_and_changes_are_marked(desk: Desk) -> None:
    section = page_of(desk, web_day(YESTERDAY)).one("section", id="revisions")
    rows = {row[0]: row[1:] for row in section.one("table").rows()}
    assert rows[""] == ["Revision 1", "Revision 2", "Revision 3 (shown)"]
    assert rows["Status"] == ["✓ healthy", "≠ ✗ unhealthy", "✗ unhealthy"]
    assert rows["Errors"] == ["0.00 %", "≠ 9.00 %", "≠ 12.00 %"]
    assert rows["Events"] == ["1,000", "1,000", "1,000"]
    assert rows["Thresholds"] == ["see below", "the same", "the same"]
    assert "Since revision 2: 12.00 % errors instead of 9.00." in section.text


def test_an_earlier_revision_is_shown_as_such(desk: Desk) -> None:
    main = page_of(desk, f"{web_day(YESTERDAY)}?revision=1").one("main")
    assert "This is revision 1; revision 3 is the current one." in main.text
    assert main.one("dl", class_="facts").all("dd")[1].text.startswith("0.00 %")
    assert "✗ failed" not in [row[0] for table in main.all("table")[:2] for row in table.rows()]
    assert "is-healthy" in main.one("section", class_="verdict").classes


@pytest.mark.parametrize("revision", ["4", "999999999"])
def test_a_revision_that_a_day_does_not_have_is_not_found(desk: Desk, revision: str) -> None:
    text = api_error_of(desk, f"{web_day(YESTERDAY)}?revision={revision}", 404)
    assert f"A revision of {YESTERDAY} is required (1, 2, 3), but {revision} was requested" in text


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
def test_a_day_that_does_not_exist_is_not_found(desk: Desk, address: str) -> None:
    assert " is required" in api_error_of(desk, address, 404) or "must be a day" in api_error_of(desk, address, 404)


def test_days_are_shown_in_the_zone_of_their_source(tmp_path: Path) -> None:
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
