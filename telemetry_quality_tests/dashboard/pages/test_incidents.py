"""The page with the list of incidents."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.incidents import Action
from telemetry_quality_tests.dashboard.desk import NOW, YESTERDAY
from telemetry_quality_tests.dashboard.pages.two_incidents import FIRST, LIST, OLD, OPEN, main_of

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry_quality_tests.dashboard.desk import Desk


def test_the_list_shows_state_level_days_who_has_it_and_what_happened(incidents_desk: Desk) -> None:
    heading, *rows = main_of(incidents_desk, LIST).one("table").rows()
    assert heading[4] == "Closed after", "the last failed day, not the day that passed"
    assert [row[:7] for row in rows] == [
        [f"web/{FIRST}", "✗ open", "✗ critical", str(FIRST), "ongoing", "2", "nobody"],
        [f"web/{OLD}", "✓ closed", "✗ critical", str(OLD), str(OLD), "1", ""],
    ]
    assert "error rate 12.00 % (limit 5 %)" in rows[0][7]
    assert main_of(incidents_desk, LIST).one("a", href=OPEN)


def test_the_list_says_once_who_has_an_incident(incidents_desk: Desk, tmp_path: Path) -> None:
    desk = incidents_desk.copy_to(tmp_path)
    (incident,) = [found for found in desk.dashboard.keeper.state().incidents["web"] if found.is_open]
    for action in (
        incident.decide(Action.ACKNOWLEDGE, "ada", NOW),
        incident.decide(Action.ASSIGN, "ada", NOW, assignee="grace"),
        incident.decide(Action.CONFIRM, "ada", NOW),
    ):
        desk.store.append_incident_action(action)
    desk.now = NOW + timedelta(seconds=30)
    row = main_of(desk, LIST).one("table").rows()[1]
    assert (row[1], row[6]) == ("✗ openconfirmed", "graceacknowledged by ada")
    main = main_of(desk, f"{LIST}?assignee=grace&page_size=1")
    assert [row[0] for row in main.one("table").rows()[1:]] == [f"web/{FIRST}"]
    assert main.one("datalist").one("option").attributes["value"] == "grace"
    assert "No incidents match." in main_of(desk, f"{LIST}?assignee=ada").text
    desk.close()


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("?is_open=true", [f"web/{FIRST}"]),
        ("?is_open=false", [f"web/{OLD}"]),
        ("?is_open=&first=&last=", [f"web/{FIRST}", f"web/{OLD}"]),
        ("?is_assigned=false", [f"web/{FIRST}", f"web/{OLD}"]),
        ("?assignee=&is_assigned=", [f"web/{FIRST}", f"web/{OLD}"]),
        (f"?last={OLD}", [f"web/{OLD}"]),
        (f"?first={YESTERDAY}", [f"web/{FIRST}"]),
        ("?page_size=1&page=2", [f"web/{OLD}"]),
    ],
)
def test_the_list_is_filtered_by_its_form(incidents_desk: Desk, query: str, keys: list[str]) -> None:
    assert [row[0] for row in main_of(incidents_desk, LIST + query).one("table").rows()[1:]] == keys


def test_the_pages_of_the_list_keep_the_filters(incidents_desk: Desk) -> None:
    link = main_of(incidents_desk, f"{LIST}?source=web&page_size=1").one("a", rel="next")
    assert link.attributes["href"] == "?source=web&page_size=1&page=2"


def test_a_source_with_a_title_is_called_by_it(
    incidents_desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = incidents_desk.copy_to(tmp_path)
    titled = desk.settings.sources["web"].model_copy(update={"title": "The <b>shop</b>"})
    monkeypatch.setitem(desk.dashboard.settings.sources, "web", titled)
    assert main_of(desk, LIST).one("table").rows()[1][0] == f"web/{FIRST}The <b>shop</b>"
    assert main_of(desk, OPEN).one("h1").text == f"The <b>shop</b>: open since Tue {FIRST}"
    desk.close()


def test_filters_that_match_nothing_say_so(incidents_desk: Desk) -> None:
    main = main_of(incidents_desk, f"{LIST}?source=app")
    assert "No incidents match." in main.text
    assert not main.all("table")
