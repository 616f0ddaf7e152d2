"""The page of an incident, and decisions, which are stored for ever under the user's name."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from telemetry_quality.core.guardrails.catalogue import judge_day, policy_of
from telemetry_quality.core.guardrails.verdicts import Outcome, Segment
from telemetry_quality.core.incidents import LONGEST_NAME, Action
from telemetry_quality.core.marks import LONGEST_NOTE, Mark
from telemetry_quality_tests.builders import SCHEMA, make_evidence, make_figures, make_snapshot
from telemetry_quality_tests.dashboard.desk import NOW, YESTERDAY, keep
from telemetry_quality_tests.dashboard.markup import read
from telemetry_quality_tests.dashboard.pages.two_incidents import CLOSED, FIRST, LIST, OLD, OPEN, main_of
from telemetry_quality_tests.dashboard.states import because

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx2

    from telemetry_quality_tests.dashboard.desk import Desk

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def own(incidents_desk: Desk, tmp_path: Path) -> Iterator[Desk]:
    """A copy for tests that make decisions."""
    copy = incidents_desk.copy_to(tmp_path)
    yield copy
    copy.close()


def decide(desk: Desk, address: str = OPEN, **fields: str) -> httpx2.Response:
    """Send the page's own form with these fields; a field ``csrf_token`` replaces the form's token."""
    form = main_of(desk, address).one("form")
    token = form.one("input", name="csrf_token").attributes["value"]
    headers = desk.by_session | {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
    body = urlencode({"csrf_token": token} | fields)
    return desk.ask(form.attributes["action"], "POST", headers, content=body)


def test_an_incident_shows_its_days_and_what_failed(incidents_desk: Desk) -> None:
    main = main_of(incidents_desk, OPEN)
    assert main.one("h1").text == f"web: open since Tue {FIRST}"
    assert "is-critical" in main.one("section", class_="verdict").classes
    rows = main.one("table").rows()[1:]
    assert [row[0] for row in rows] == [f"Tue {FIRST}", f"Wed {YESTERDAY}"]
    assert rows[0][1:5] == ["✗ critical", "error_rate", "12.00", "5.00"]
    assert main.one("a", href=f"/health/snapshots/web/{FIRST}/")
    assert "Nobody has decided anything yet." in main.text


@pytest.mark.parametrize(
    ("segment", "cut"),
    [
        (Segment(hours=(13, 15)), "?hour=13#aggregates"),
        (Segment((("event_name", "<page>"),), hours=(13, 15)), "?hour=13&by=event_name&value=%3Cpage%3E#aggregates"),
        (Segment((("app", "1"), ("service_version", None))), "?by=service_version#aggregates"),
        (Segment((("platform", "ios"),), hours=(13, 15)), "?hour=13#aggregates"),
        (Segment((("event_name", "x" * 1000),)), None),
        (Segment(), None),
    ],
    ids=["hours", "signal and hours", "no version", "unknown dimension", "too long", "everywhere"],
)
def test_a_root_cause_leads_to_the_day_cut_to_its_hour_and_value(own: Desk, segment: Segment, cut: str | None) -> None:
    figures: dict[str, Any] = {"error_events": 130, "error_rate_percent": 13.0}
    judged = judge_day(make_evidence(make_figures(**figures), FIRST), policy_of(), SCHEMA)
    verdicts = [
        replace(verdict, contributors=because(segment, 90.0)) if verdict.outcome is Outcome.FAILED else verdict
        for verdict in judged
    ]
    own.store.append_snapshot(make_snapshot(FIRST, source="web", **figures), verdicts)
    own.now = NOW + timedelta(seconds=30)
    links = main_of(own, OPEN).one("tbody").all("tr")[0].all("a")[1:]
    assert [link.attributes["href"] for link in links] == ([f"/health/snapshots/web/{FIRST}/{cut}"] if cut else [])
    for link in links:
        assert own.ask(link.attributes["href"].partition("#")[0]).status_code == 200


def test_a_closed_incident_is_not_shown_as_an_open_one(incidents_desk: Desk) -> None:
    main = main_of(incidents_desk, CLOSED)
    assert main.one("h1").text == f"web: closed after Thu {OLD}"
    assert f"1 day, the last of which ended at {FIRST - timedelta(days=4)} 00:00 UTC" in main.text
    assert "is-closed" in main.one("section", class_="verdict").classes
    assert main.one("span", class_="mark").text == "✓"


@pytest.mark.parametrize(
    ("action", "words", "state"),
    [
        ("acknowledge", "acknowledged it", "acknowledged by ada"),
        ("confirm", "confirmed it", "confirmed"),
        ("dismiss", "dismissed it", "dismissed"),
        ("accept", "accepted it", "accepted by ada"),
        ("comment", "commented", "2 days · open · root cause"),
    ],
)
def test_a_decision_is_stored_under_the_name_of_the_user(own: Desk, action: str, words: str, state: str) -> None:
    response = decide(own, action=action, note=" We know. ", by="somebody else")
    assert (response.status_code, response.headers["location"]) == (303, OPEN)
    (kept,) = own.store.incident_actions("web")
    assert (kept.action, kept.by, kept.note, kept.acted_at) == (Action(action), "ada", "We know.", NOW)
    own.now = NOW + timedelta(seconds=30)
    main = main_of(own, OPEN)
    assert f"ada {words}" in main.one("ol", class_="actions").text
    assert main.one("blockquote").text == "We know."
    assert state in main.one("section", class_="verdict").text


def test_an_incident_is_assigned_to_whom_the_user_names_and_the_page_says_who_has_it(own: Desk) -> None:
    assert "has it" not in main_of(own, OPEN).one("section", class_="verdict").text
    assert decide(own, action="assign", assignee=" grace ").status_code == 303
    assert decide(own, action="assign", assignee=EVIL).status_code == 303
    assert [(kept.by, kept.assignee) for kept in own.store.incident_actions("web")] == [("ada", "grace"), ("ada", EVIL)]
    own.now = NOW + timedelta(seconds=30)
    main = main_of(own, OPEN)
    assert f"{EVIL} has it" in main.one("section", class_="verdict").text
    assert "ada assigned it to grace" in main.one("ol", class_="actions").text
    (line,) = own.json("/api/health/incidents/", is_open=True)["incidents"]
    assert (line["assignee"], line["state"][1]) == (EVIL, f"assigned to {EVIL}")
    assert "assigned to" in own.ask("/health/incidents.atom", headers=own.by_token).text


@pytest.mark.parametrize(("length", "status"), [(0, 400), (1, 303), (LONGEST_NAME, 303), (LONGEST_NAME + 1, 400)])
def test_an_incident_is_assigned_to_somebody_with_a_name(own: Desk, length: int, status: int) -> None:
    response = decide(own, action="assign", assignee="n" * length)
    assert (response.status_code == 303) is (status == 303)
    assert len(own.store.incident_actions("web")) == (status == 303)


def test_the_owners_of_the_source_are_named(own: Desk) -> None:
    source = own.settings.sources["web"].model_copy(update={"owners": ("team:web",)})
    own.settings.sources["web"] = source
    own.dashboard.settings.sources["web"] = source
    assert "Nobody has it yet · owners of web: team:web" in main_of(own, OPEN).one("section", class_="verdict").text
    closed = main_of(own, CLOSED).one("section", class_="verdict").text
    assert closed.endswith("everywhere owners of web: team:web"), "what is over needs nobody"
    (summary,) = [found for found in own.json("/api/health/summary/")["sources"] if found["source"] == "web"]
    assert summary["owners"] == ["team:web"]


def test_a_mute_needs_a_day_that_is_not_over(own: Desk) -> None:
    today = NOW.date()
    for until in ("", str(today - timedelta(days=1))):
        response = decide(own, action="mute", until=until)
        assert response.status_code == 422
        assert (
            f"A day from {today} (today in UTC) to {today + timedelta(days=90)} is required" in read(response.text).text
        )
    assert not own.store.incident_actions("web")
    assert decide(own, action="mute", until=str(today)).status_code == 303
    own.now = NOW + timedelta(seconds=30)
    assert f"muted until {today}" in main_of(own, OPEN).one("section", class_="verdict").text


@pytest.mark.parametrize(
    ("length", "status"),
    [(LONGEST_NOTE - 1, 303), (LONGEST_NOTE, 303), (LONGEST_NOTE + 1, 422)],
)
def test_a_note_has_a_longest_length(own: Desk, length: int, status: int) -> None:
    assert decide(own, action="acknowledge", note="n" * length).status_code == status
    assert len(own.store.incident_actions("web")) == (status == 303)


def test_markup_in_a_note_is_shown_inert(own: Desk) -> None:
    decide(own, action="acknowledge", note=EVIL)
    own.now = NOW + timedelta(seconds=30)
    main = main_of(own, OPEN)
    assert main.one("blockquote").text == EVIL
    assert not main.all("img")


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({}, 422, "One of acknowledge, assign, comment, mute, confirm, dismiss, accept is required"),
        ({"action": "delete"}, 422, "but 'delete' was found"),
        (
            {"action": "comment", "note": " "},
            422,
            f"Words are required to comment on web/{FIRST}, but the note is empty",
        ),
        ({"mark": "ugly"}, 422, "One of bad, special, accepted, unmark is required, but 'ugly' was found"),
        ({"action": "mute", "until": "soon"}, 422, "A day such as 2026-03-10 is required, but 'soon' was found"),
        ({"action": "acknowledge", "csrf_token": "another"}, 403, "token of this session's own form is required"),
        ({"action": "acknowledge", "csrf_token": ""}, 403, "token of this session's own form is required"),
    ],
)
def test_an_invalid_decision_is_refused_and_not_stored(
    own: Desk, fields: dict[str, str], status: int, words: str
) -> None:
    response = decide(own, **fields)
    assert response.status_code == status
    assert words in read(response.text).text
    assert not own.store.incident_actions("web")
    assert not own.store.marked_days("web")


def test_all_days_of_an_incident_are_marked_at_once_and_the_page_says_so(own: Desk) -> None:
    response = decide(own, mark="bad", note="The loader ran twice.")
    assert (response.status_code, response.headers["location"]) == (303, OPEN)
    own.now = NOW + timedelta(seconds=30)
    said = main_of(own, OPEN).all("section")[2].text
    assert "Marked bad by ada on 2026-03-12: The loader ran twice." in said
    assert said.count("Marked") == 1, "one statement about two days"
    assert f"Said about {FIRST} to {YESTERDAY}." in said
    assert decide(own, mark="unmark").status_code == 303
    assert [(kept.day, kept.until, kept.mark) for kept in own.store.marked_days("web")] == [
        (FIRST, YESTERDAY, Mark.BAD),
        (FIRST, YESTERDAY, None),
    ]


def test_an_incident_leads_to_those_beside_it_in_the_list(incidents_desk: Desk) -> None:
    first, last = main_of(incidents_desk, OPEN), main_of(incidents_desk, CLOSED)
    assert (first.all("a", rel="prev"), first.one("a", rel="next").attributes["href"]) == ([], CLOSED)
    assert (last.one("a", rel="prev").attributes["href"], last.all("a", rel="next")) == (OPEN, [])


def test_a_token_can_neither_see_nor_decide(own: Desk) -> None:
    response = own.ask(f"{OPEN}actions/", "POST", own.by_token, data={"action": "acknowledge"})
    assert response.status_code in {403, 405}
    assert own.ask(OPEN, headers=own.by_token).status_code == 403
    assert not own.store.incident_actions("web")


def test_a_decision_can_only_be_sent_by_a_form(incidents_desk: Desk) -> None:
    assert incidents_desk.ask(f"{OPEN}actions/").status_code == 405


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (f"{LIST}web/2026-03-01/", "An incident of web is required, but '2026-03-01' is not one"),
        (f"{LIST}web/{FIRST}.2/", "is not one"),
        (f"{LIST}app/{FIRST}/", "An incident of app is required"),
        (f"{LIST}nobody/{FIRST}/", "One of the sources app, web is required"),
    ],
)
def test_an_incident_that_does_not_exist_is_not_found(incidents_desk: Desk, address: str, words: str) -> None:
    response = incidents_desk.ask(address, headers=incidents_desk.by_session | {"Accept": "text/html"})
    assert response.status_code == 404
    assert words in read(response.text).text


def test_an_incident_that_no_longer_exists_cannot_be_decided_on(own: Desk) -> None:
    token = main_of(own, CLOSED).one("input", name="csrf_token").attributes["value"]
    keep(own.store, OLD, "web")
    own.now = NOW + timedelta(seconds=30)
    headers = own.by_session | {"Content-Type": "application/x-www-form-urlencoded"}
    body = urlencode({"action": "confirm", "csrf_token": token})
    assert own.ask(f"{CLOSED}actions/", "POST", headers, content=body).status_code == 404
    assert not own.store.incident_actions("web")
