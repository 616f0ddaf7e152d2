"""What people say about a day: on its page, in the calendar, in the verdict and in the API."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from telemetry_quality.core.marks import LONGEST_NOTE, Mark
from telemetry_quality_tests.dashboard.desk import NOW, YESTERDAY
from telemetry_quality_tests.dashboard.markup import read
from telemetry_quality_tests.dashboard.pages.two_incidents import main_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx2

    from telemetry_quality_tests.dashboard.desk import Desk

DAY = f"/health/snapshots/web/{YESTERDAY}/"
API_DAY = f"/api/health/snapshots/web/{YESTERDAY}/"
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def own(incidents_desk: Desk, tmp_path: Path) -> Iterator[Desk]:
    """A copy for tests that mark days; yesterday of ``web`` is unhealthy."""
    copy = incidents_desk.copy_to(tmp_path)
    yield copy
    copy.close()


def say(desk: Desk, address: str = DAY, **fields: str) -> httpx2.Response:
    """Send the page's own form with these fields; a field ``csrf_token`` replaces the form's token."""
    form = main_of(desk, address).one("form")
    token = form.one("input", name="csrf_token").attributes["value"]
    headers = desk.by_session | {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
    response = desk.ask(form.attributes["action"], "POST", headers, content=urlencode({"csrf_token": token} | fields))
    desk.now = NOW + timedelta(seconds=30)
    return response


@pytest.mark.parametrize("mark", Mark)
def test_a_mark_is_stored_under_the_name_of_the_user_and_shown_on_the_day(own: Desk, mark: Mark) -> None:
    response = say(own, mark=mark, note=" We know. ", by="somebody else")

    assert (response.status_code, response.headers["location"]) == (303, DAY)
    (said,) = own.store.marked_days("web")
    assert (said.day, said.until, said.mark, said.by, said.note, said.marked_at) == (
        YESTERDAY,
        YESTERDAY,
        mark,
        "ada",
        "We know.",
        NOW,
    )
    main = main_of(own, DAY)
    assert f"Marked {mark} by ada on {NOW.date()}: We know." in main.one("section", id="mark").text
    found = own.json(API_DAY)
    assert (found["mark"]["mark"], found["mark"]["by"], found["status"]) == (mark, "ada", "unhealthy")
    assert found["is_trustworthy"] is (mark is Mark.ACCEPTED)


def test_a_mark_can_be_withdrawn(own: Desk) -> None:
    say(own, mark="bad")
    assert say(own, mark="unmark").status_code == 303
    assert "Nobody has marked this day." in main_of(own, DAY).text
    assert own.json(API_DAY)["mark"] is None
    assert len(own.store.marked_days("web")) == 2


@pytest.mark.parametrize(
    ("mark", "words", "is_trusted"),
    [
        ("accepted", f"{YESTERDAY} can be trusted: marked accepted by ada", True),
        ("bad", f"{YESTERDAY} cannot be trusted: marked bad by ada", False),
    ],
)
def test_the_verdict_on_yesterday_is_what_somebody_said(own: Desk, mark: str, words: str, is_trusted: bool) -> None:
    say(own, mark=mark)

    summary = own.json("/api/health/summary/", source="web")

    assert words in summary["sources"][0]["sentence"]
    assert "The guardrails found: " in summary["sources"][0]["sentence"]
    assert summary["is_trustworthy"] is is_trusted
    assert summary["sources"][0]["mark"]["mark"] == mark
    main = main_of(own, "/health/sources/web/")
    assert f"{YESTERDAY} is marked {mark} by ada" in main.text
    assert main.one("span", class_="mark").text == ("✓" if is_trusted else "✗")


def test_an_accepted_day_closes_its_incident(own: Desk) -> None:
    assert own.json("/api/health/incidents/", source="web", is_open="true")["total"] == 1
    say(own, mark="accepted")
    assert own.json("/api/health/incidents/", source="web", is_open="true")["total"] == 0


def test_the_calendar_shows_marks_by_words_and_an_outline(own: Desk) -> None:
    say(own, mark="special")
    square = main_of(own, "/health/sources/web/").one("section", aria_labelledby="year").one("a", href=DAY)
    assert square.attributes["title"] == f"{YESTERDAY} unhealthy, marked special by ada"
    assert "marked" in square.classes


def test_markup_in_a_note_is_shown_inert(own: Desk) -> None:
    say(own, mark="bad", note=EVIL)
    for address in (DAY, "/health/sources/web/"):
        main = main_of(own, address)
        assert EVIL in main.text
        assert not main.all("img")


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({}, 422, "One of bad, special, accepted, unmark is required"),
        ({"mark": "good"}, 422, "but 'good' was found"),
        ({"mark": "bad", "note": "n" * (LONGEST_NOTE + 1)}, 422, "A note of at most 2000 characters is required"),
        ({"mark": "bad", "csrf_token": "another"}, 403, "token of this session's own form is required"),
        ({"mark": "bad", "csrf_token": ""}, 403, "token of this session's own form is required"),
    ],
)
def test_an_invalid_mark_is_refused_and_not_stored(own: Desk, fields: dict[str, str], status: int, words: str) -> None:
    response = say(own, **fields)
    assert response.status_code == status
    assert words in read(response.text).text
    assert not own.store.marked_days("web")


def test_a_token_cannot_mark_and_a_mark_can_only_be_sent_by_a_form(own: Desk) -> None:
    assert own.ask(f"{DAY}marks/", "POST", own.by_token, data={"mark": "bad"}).status_code in {403, 405}
    assert own.ask(f"{DAY}marks/").status_code == 405
    assert not own.store.marked_days("web")
