from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.core.guardrails.verdicts import Level, Segment
from telemetry_quality.core.incidents import Action, group_incidents
from telemetry_quality.dashboard.incident_responses import (
    find_incident,
    incident_line,
    incident_response,
    incidents_response,
)
from telemetry_quality_tests.dashboard.states import (
    BEFORE,
    MORNING,
    TODAY,
    YESTERDAY,
    because,
    make_failure,
    make_incidents,
    make_state,
)

if TYPE_CHECKING:
    from telemetry_quality.core.incidents import Incident
    from telemetry_quality.dashboard.state import DashboardState

MARCH = [date(2026, 3, number) for number in range(1, 11)]
AT_EV: dict[str, Any] = {
    "root_cause": "carrier=EV",
    "foremost": "carrier=EV",
    "is_confined": True,
    "contributors": because(Segment((("carrier", "EV"),)), 81.4),
}


@pytest.fixture
def state() -> DashboardState:
    """``web`` has incidents on the 2nd, on the 4th and 5th, and an open one; ``shop`` has one on the 5th."""
    failures = [make_failure(date(2026, 3, number)) for number in (2, 4, 5, 10)]
    web = group_incidents("web", failures, MARCH)
    shop = group_incidents("shop", [make_failure(date(2026, 3, 5))], MARCH)
    return make_state(incidents=[*web, *shop])


def keys(state: DashboardState, **query: Any) -> list[str]:
    return [line.key for line in incidents_response(state, TODAY, **query).incidents]


def test_closed_incidents_of_one_level_are_listed_newest_first(state: DashboardState) -> None:
    assert keys(state) == ["web/2026-03-10", "shop/2026-03-05", "web/2026-03-04", "web/2026-03-02"]


def test_open_incidents_come_first_then_the_worst_level_then_the_newest() -> None:
    def incidents(source: str, level: Level, *days: int) -> list[Incident]:
        failures = [make_failure(date(2026, 3, number), level=level) for number in days]
        return group_incidents(source, failures, MARCH)

    warnings = incidents("web", Level.WARNING, 2, 4, 10)
    critical = incidents("shop", Level.CRITICAL, 1, 3, 9)
    late = incidents("app", Level.CRITICAL, 8, 9, 10)
    assert keys(make_state(incidents=[*warnings, *critical, *late])) == [
        "app/2026-03-08",
        "web/2026-03-10",
        "shop/2026-03-09",
        "shop/2026-03-03",
        "shop/2026-03-01",
        "web/2026-03-04",
        "web/2026-03-02",
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"sources": ("shop",)}, ["shop/2026-03-05"]),
        ({"sources": ("shop", "shop", "nobody")}, ["shop/2026-03-05"]),
        ({"is_open": True}, ["web/2026-03-10"]),
        ({"is_open": False}, ["shop/2026-03-05", "web/2026-03-04", "web/2026-03-02"]),
        ({"first": date(2026, 3, 5)}, ["web/2026-03-10", "shop/2026-03-05", "web/2026-03-04"]),
        ({"first": date(2026, 3, 6)}, ["web/2026-03-10"]),
        ({"last": date(2026, 3, 4)}, ["web/2026-03-04", "web/2026-03-02"]),
        ({"last": date(2026, 3, 3)}, ["web/2026-03-02"]),
        ({"first": date(2026, 3, 3), "last": date(2026, 3, 3)}, []),
    ],
)
def test_incidents_are_filtered_by_source_state_and_days(
    state: DashboardState, query: dict[str, Any], expected: list[str]
) -> None:
    assert keys(state, **query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"assignee": "grace"}, ["web/2026-03-10"]),
        ({"assignee": "ada"}, ["shop/2026-03-05"]),
        ({"assignee": "gra"}, []),
        ({"is_assigned": True}, ["web/2026-03-10", "shop/2026-03-05"]),
        ({"is_assigned": False}, ["web/2026-03-04", "web/2026-03-02"]),
    ],
)
def test_incidents_are_filtered_by_who_has_them(
    state: DashboardState, query: dict[str, Any], expected: list[str]
) -> None:
    (*earlier, last), (shop,) = state.incidents["web"], state.incidents["shop"]
    assigned = [
        last.decide(Action.ACKNOWLEDGE, "ada", MORNING),
        last.decide(Action.ASSIGN, "ada", MORNING, assignee="grace"),
    ]
    taken = [
        replace(last, actions=tuple(assigned)),
        replace(shop, actions=(shop.decide(Action.ACKNOWLEDGE, "ada", MORNING),)),
    ]
    assert keys(make_state(incidents=[*earlier, *taken]), **query) == expected


def test_incidents_come_in_pages(state: DashboardState) -> None:
    response = incidents_response(state, TODAY, page=2, size=3)
    assert [line.key for line in response.incidents] == ["web/2026-03-02"]
    assert (response.total, response.page, response.pages, response.page_size) == (4, 2, 2, 3)
    assert incidents_response(make_state(), TODAY).pages == 1


def test_an_incident_is_found_by_its_key(state: DashboardState) -> None:
    found = find_incident(state, "web/2026-03-04")
    assert found is not None
    assert found.days == (date(2026, 3, 4), date(2026, 3, 5))
    for key in ("web/2026-03-05", "nobody/2026-03-04", "", "web"):
        assert find_incident(state, key) is None


def test_a_line_shows_what_happened_and_the_incidents_state() -> None:
    failures = [make_failure(BEFORE, **AT_EV), make_failure(guardrail="duplicates", level=Level.WARNING, **AT_EV)]
    (incident,) = make_incidents(*failures, make_failure(value=90.0, **AT_EV))
    line = incident_line(incident, TODAY)
    assert (line.key, line.first_day, line.last_day, line.days) == (f"web/{BEFORE}", BEFORE, YESTERDAY, 2)
    assert (line.level, line.root_cause, line.guardrails) == (
        Level.CRITICAL,
        "carrier=EV",
        ("error_rate", "duplicates"),
    )
    assert line.state == ("open",)
    assert line.sentence.startswith("Since 2026-03-09 (2 failed days), at its worst on 2026-03-10: error rate 90.00 %")


@pytest.mark.parametrize(("days", "is_muted"), [(-1, True), (0, True), (1, False)])
def test_an_incident_is_muted_up_to_and_including_its_day(days: int, is_muted: bool) -> None:
    (open_one,) = make_incidents(make_failure())
    action = open_one.decide(Action.MUTE, "ada", MORNING, muted_until=TODAY)
    (incident,) = group_incidents("web", open_one.failures, [], [action])
    line = incident_line(incident, TODAY + timedelta(days=days))
    assert (line.is_muted, line.muted_until) == (is_muted, TODAY)


def test_an_incident_is_shown_with_all_its_failures_and_actions() -> None:
    (before,) = make_incidents(make_failure(BEFORE), make_failure(value=90.0))
    actions = [
        before.decide(Action.ACKNOWLEDGE, "ada", MORNING),
        before.decide(Action.CONFIRM, "bob", MORNING, note="A storm."),
    ]
    (incident,) = group_incidents("web", before.failures, [], actions)
    response = incident_response(incident, TODAY)
    assert response.peak.value == 90.0
    assert response.failed_days == response.confirmed_days == (BEFORE, YESTERDAY)
    assert [(failure.day, failure.guardrail) for failure in response.failures] == [
        (BEFORE, "error_rate"),
        (YESTERDAY, "error_rate"),
    ]
    assert [(action.action, action.by, action.note) for action in response.actions] == [
        ("acknowledge", "ada", ""),
        ("confirm", "bob", "A storm."),
    ]
    assert (response.incident.acknowledged_by, response.incident.is_confirmed) == ("ada", True)
