"""The JSON API: the shape of responses, how often they are made, and what happens if the store cannot be read."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from telemetry_quality.core.incidents import Action
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.dashboard.forecasts import ForecastsResponse
from telemetry_quality.dashboard.index import SORTABLE
from telemetry_quality.dashboard.models import DayResponse, IncidentsResponse, LogResponse, Summary, VersionResponse
from telemetry_quality.dashboard.running_models import RunningResponse
from telemetry_quality.dashboard.summary import summarize
from telemetry_quality_tests.dashboard.desk import NOW, YESTERDAY, keep, open_desk
from telemetry_quality_tests.dashboard.test_error_shape import break_store, error_of
from telemetry_quality_tests.storage.examples import make_forecast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic import BaseModel

    from telemetry_quality_tests.dashboard.desk import Desk

SUMMARY = "/api/health/summary/"
LIVE = "/api/health/live/"
LOG = "/api/health/snapshots/"
DAY = f"{LOG}web/{YESTERDAY}/"
INCIDENTS = "/api/health/incidents/"
FORECAST = "/api/health/forecast/"
VERSION = "/api/health/version/"
MODELS: dict[str, type[BaseModel]] = {
    SUMMARY: Summary,
    LIVE: RunningResponse,
    LOG: LogResponse,
    DAY: DayResponse,
    f"{LOG}web/2026-02-02/": DayResponse,
    INCIDENTS: IncidentsResponse,
    FORECAST: ForecastsResponse,
    VERSION: VersionResponse,
}
BAD: dict[str, Any] = {"error_events": 90, "error_rate_percent": 9.0}


def fill(desk: Desk) -> None:
    """Ten days of two sources; ``web`` has an earlier bad day, and yesterday is bad in its second revision."""
    for source in ("web", "app"):
        for back in range(10):
            bad = BAD if source == "web" and back == 5 else {}
            keep(desk.store, YESTERDAY - timedelta(days=back), source, total_events=1000 + back, **bad)
    keep(desk.store, YESTERDAY, **BAD)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desk = open_desk(tmp_path_factory.mktemp("desk"), "web", "app")
    fill(desk)
    yield desk
    desk.close()


@pytest.fixture
def own_desk(desk: Desk, tmp_path: Path) -> Iterator[Desk]:
    """A copy of the desk for a test that changes something."""
    copy = desk.copy_to(tmp_path)
    yield copy
    copy.close()


@pytest.mark.parametrize("path", MODELS)
def test_every_response_is_what_the_openapi_document_promises(desk: Desk, path: str) -> None:
    response = desk.ask(path)

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    model = MODELS[path].model_validate_json(response.content)
    assert model.model_dump_json().encode() == response.content


def test_the_summary_says_the_same_as_the_pages(desk: Desk) -> None:
    minute = NOW.replace(second=0, microsecond=0)
    shown = Summary.model_validate_json(desk.ask(SUMMARY).content)

    assert shown == summarize(desk.dashboard.keeper.state(), desk.settings, minute)
    assert [(source.source, source.status) for source in shown.sources] == [("web", "unhealthy"), ("app", "healthy")]
    assert [source["source"] for source in desk.json(SUMMARY, source="app")["sources"]] == ["app"]


def test_a_token_reads_what_a_session_reads(desk: Desk) -> None:
    for path in MODELS:
        assert desk.ask(path, headers=desk.by_token).content == desk.ask(path).content


def keys(response: dict[str, Any]) -> list[str]:
    return [f"{snapshot['source']} {snapshot['day']}" for snapshot in response["snapshots"]]


def test_the_log_lists_the_latest_revision_of_each_day_newest_first(desk: Desk) -> None:
    response = desk.json(LOG)

    assert (response["total"], response["page"], response["pages"], response["page_size"]) == (20, 1, 1, 50)
    assert [snapshot["day"] for snapshot in response["snapshots"]] == sorted(
        (snapshot["day"] for snapshot in response["snapshots"]), reverse=True
    )
    newest = next(snapshot for snapshot in response["snapshots"] if snapshot["source"] == "web")
    assert (newest["day"], newest["revision"], newest["status"]) == (str(YESTERDAY), 2, "unhealthy")


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"source": "web"}, 10),
        ({"source": ["web", "app"]}, 20),
        ({"status": "unhealthy"}, 2),
        ({"status": ["unhealthy", "healthy"]}, 20),
        ({"status": "unknown"}, 0),
        ({"first": "2026-03-08"}, 8),
        ({"last": "2026-03-03"}, 4),
        ({"first": "2026-03-05", "last": "2026-03-05", "source": "app"}, 1),
        ({"first": "2027-01-01"}, 0),
    ],
)
def test_the_log_is_filtered(desk: Desk, parameters: dict[str, Any], expected: int) -> None:
    response = desk.json(LOG, **parameters)

    assert response["total"] == len(response["snapshots"]) == expected


@pytest.mark.parametrize("column", SORTABLE)
def test_the_log_is_sorted_both_ways_by_every_sortable_column(desk: Desk, column: str) -> None:
    # The worst status counts as the largest.
    order = [status.value for status in reversed(DayStatus)]

    def values(*, descending: bool) -> list[Any]:
        rows = desk.json(LOG, sort=column, descending=str(descending).lower())["snapshots"]
        return [order.index(row[column]) if column == "status" else row[column] for row in rows]

    assert values(descending=False) == sorted(values(descending=False))
    assert values(descending=True) == sorted(values(descending=True), reverse=True)


def test_the_log_is_paged_and_a_page_beyond_the_last_is_empty(desk: Desk) -> None:
    pages = [desk.json(LOG, page=page, page_size=7) for page in (1, 2, 3, 4)]

    assert [len(page["snapshots"]) for page in pages] == [7, 7, 6, 0]
    assert [page["pages"] for page in pages] == [3] * 4
    assert [*chain.from_iterable(map(keys, pages))] == keys(desk.json(LOG))


def test_a_day_shows_all_its_revisions_and_what_changed(desk: Desk) -> None:
    response = desk.json(DAY)

    assert [revision["snapshot"]["revision"] for revision in response["revisions"]] == [1, 2]
    assert (response["status"], response["is_trustworthy"]) == ("unhealthy", False)
    assert len(response["changes"]) == 1
    assert any(verdict["outcome"] == "failed" for verdict in response["revisions"][1]["verdicts"])
    assert [incident["key"] for incident in response["incidents"]] == [f"web/{YESTERDAY}"]


def test_a_day_without_a_snapshot_is_unknown_and_not_zero(desk: Desk) -> None:
    response = desk.json(f"{LOG}web/2026-02-02/")

    assert (response["status"], response["is_trustworthy"], response["snapshot"]) == ("unknown", False, None)
    assert response["revisions"] == []


def test_the_first_and_the_last_day_of_the_calendar_exist_and_days_beyond_do_not(desk: Desk) -> None:
    asked = ("2026-01-31", "2026-02-01", "2026-03-11", "2026-03-12")

    assert [desk.ask(f"{LOG}app/{day}/").status_code for day in asked] == [404, 200, 200, 404]


def test_a_snapshot_of_a_day_that_the_settings_no_longer_have_is_still_shown(own_desk: Desk) -> None:
    keep(own_desk.store, date(2026, 1, 15))

    assert own_desk.json(f"{LOG}web/2026-01-15/")["status"] == "healthy"


def test_a_source_that_the_settings_no_longer_have_stays_in_the_log_but_has_no_days(own_desk: Desk) -> None:
    keep(own_desk.store, YESTERDAY, "old")

    assert own_desk.json(LOG, source="old")["total"] == 1
    assert own_desk.json(INCIDENTS, source="old")["total"] == 0
    for path in (f"{LOG}old/{YESTERDAY}/", f"{SUMMARY}?source=old", "/health/badge.svg?source=old"):
        error_of(own_desk.ask(path), 404, "UNKNOWN_SOURCE")


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, ["2026-03-11", "2026-03-06"]),
        ({"source": "web"}, ["2026-03-11", "2026-03-06"]),
        ({"source": "app"}, []),
        ({"is_open": "true"}, ["2026-03-11"]),
        ({"is_open": "false"}, ["2026-03-06"]),
        ({"first": "2026-03-06"}, ["2026-03-11", "2026-03-06"]),
        ({"first": "2026-03-07"}, ["2026-03-11"]),
        ({"last": "2026-03-06"}, ["2026-03-06"]),
        ({"last": "2026-03-05"}, []),
        ({"page": 2, "page_size": 1}, ["2026-03-06"]),
        ({"page": 3, "page_size": 1}, []),
    ],
)
def test_incidents_are_filtered_and_paged_newest_first(
    desk: Desk, parameters: dict[str, Any], expected: list[str]
) -> None:
    assert [incident["first_day"] for incident in desk.json(INCIDENTS, **parameters)["incidents"]] == expected


@pytest.mark.parametrize("path", MODELS)
def test_a_client_that_already_has_a_response_is_not_sent_it_again(desk: Desk, path: str) -> None:
    tag = desk.ask(path).headers["etag"]

    for known in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        again = desk.ask(path, headers=desk.by_session | {"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    for known in ('"other"', tag.strip('"'), ""):
        assert desk.ask(path, headers=desk.by_session | {"If-None-Match": known}).status_code == 200


def test_a_response_changes_when_the_store_changes(own_desk: Desk) -> None:
    before = {path: own_desk.ask(path).headers["etag"] for path in MODELS}
    keep(own_desk.store, YESTERDAY, total_events=1200, volume_deviation_percent=20.0)
    keep(own_desk.store, date(2026, 2, 2), error_events=300, error_rate_percent=30.0)
    own_desk.store.append_forecast(make_forecast(day=YESTERDAY))

    for path, tag in before.items():
        after = own_desk.ask(path, headers=own_desk.by_session | {"If-None-Match": tag})
        assert after.status_code == 200, path
        assert after.headers["etag"] != tag, path


@pytest.mark.parametrize("path", MODELS)
def test_head_shows_the_same_headers_and_nothing_else(desk: Desk, path: str) -> None:
    got, head = desk.ask(path), desk.ask(path, "HEAD")

    assert head.status_code == 200
    assert head.headers == got.headers


def queries(desk: Desk) -> list[str]:
    """The statements that the reader sends from now on."""
    sent: list[str] = []
    event.listen(desk.dashboard.reader._engine, "before_cursor_execute", lambda *call: sent.append(call[2]))
    return sent


@pytest.mark.parametrize("path", MODELS)
def test_a_cached_response_costs_no_query(desk: Desk, path: str) -> None:
    desk.ask(path)
    sent = queries(desk)

    assert desk.ask(path).status_code == 200
    assert sent == []


def test_no_response_needs_more_queries_for_more_data(own_desk: Desk) -> None:
    own_desk.ask(VERSION)
    sent = queries(own_desk)

    def cost(path: str) -> int:
        sent.clear()
        assert own_desk.ask(path).status_code == 200
        return len([statement for statement in sent if not statement.startswith(("BEGIN", "PRAGMA"))])

    few = [cost(f"{path}?") for path in (SUMMARY, LOG, INCIDENTS)]
    few_of_a_day = cost(DAY)
    for back in range(10, 30):
        keep(own_desk.store, YESTERDAY - timedelta(days=back), **BAD)
    for rate in range(10, 20):
        keep(own_desk.store, YESTERDAY, error_events=rate * 10, error_rate_percent=float(rate))
    own_desk.ask(VERSION)

    assert few == [cost(f"{path}?") for path in (SUMMARY, LOG, INCIDENTS)] == [0, 0, 0]
    assert few_of_a_day == cost(DAY) <= 8


def test_a_response_that_shows_the_time_is_updated_every_minute(own_desk: Desk) -> None:
    own_desk.now = NOW.replace(second=59)
    first = own_desk.json(SUMMARY)["as_of"]
    own_desk.now += timedelta(seconds=1)

    assert (first, own_desk.json(SUMMARY)["as_of"]) == ("2026-03-12T12:30:00Z", "2026-03-12T12:31:00Z")


def test_when_the_store_cannot_be_read_the_last_known_responses_remain_and_say_so(own_desk: Desk) -> None:
    before = {path: own_desk.json(path) for path in (SUMMARY, LOG, INCIDENTS)}
    break_store(own_desk)
    after = {path: own_desk.json(path) for path in (SUMMARY, LOG, INCIDENTS)}

    assert [response["trouble"] for response in before.values()] == [None] * 3
    assert all(response["trouble"] for response in after.values())
    assert (after[SUMMARY]["status"], after[SUMMARY]["is_trustworthy"]) == ("unknown", False)
    assert after[LOG]["snapshots"] == before[LOG]["snapshots"]
    assert after[INCIDENTS]["incidents"] == before[INCIDENTS]["incidents"]
    error_of(own_desk.ask(DAY), 503, "STORE_UNREADABLE")


def test_a_store_that_could_never_be_read_is_not_shown_as_empty(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    break_store(desk)

    for path in (SUMMARY, LOG, INCIDENTS):
        assert desk.json(path)["trouble"]
    assert desk.json(SUMMARY)["status"] == "unknown"
    desk.close()


def test_no_response_shows_where_the_store_is(own_desk: Desk) -> None:
    break_store(own_desk)
    for path in (SUMMARY, LOG, INCIDENTS, DAY, "/health/badge.svg", "/health/incidents.atom", "/health/snapshots.csv"):
        text = own_desk.ask(path).text
        assert str(own_desk.folder) not in text, path
        assert "integrity_snapshot" not in text, path


def test_the_version_changes_when_somebody_decides_about_an_incident(own_desk: Desk) -> None:
    before = own_desk.json(VERSION)
    incident = own_desk.dashboard.keeper.state().incidents["web"][0]
    own_desk.dashboard.action_store.append_incident_action(incident.decide(Action.ACKNOWLEDGE, "ada", NOW))

    assert own_desk.json(VERSION) != before
    assert own_desk.json(VERSION) == own_desk.json(VERSION)
    assert own_desk.json(INCIDENTS, last="2026-03-06")["incidents"][0]["acknowledged_by"] == "ada"


def test_a_supervisor_sees_ok_and_needs_no_account(desk: Desk) -> None:
    response = desk.ask("/healthz", headers={})

    assert (response.status_code, response.text) == (200, "ok\n")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"


def test_the_openapi_document_says_how_to_authenticate_and_lists_what_is_for_machines(desk: Desk) -> None:
    document = desk.json("/api/health/openapi.json")
    schemes = document["components"]["securitySchemes"]
    security = {path: operations["get"].get("security") for path, operations in document["paths"].items()}

    assert (schemes["token"]["type"], schemes["token"]["scheme"]) == ("http", "bearer")
    assert (schemes["session"]["type"], schemes["session"]["in"]) == ("apiKey", "cookie")
    assert schemes["token_as_password"]["scheme"] == "basic"
    either: list[dict[str, list[str]]] = [{"token": []}, {"session": []}]
    assert security == {
        "/healthz": None,
        SUMMARY: either,
        LIVE: either,
        LOG: either,
        "/api/health/snapshots/{source}/{day}/": either,
        INCIDENTS: either,
        FORECAST: either,
        VERSION: either,
        "/health/incidents.atom": [*either, {"token_as_password": []}],
        "/health/badge.svg": [*either, {"token_as_password": []}],
        "/metrics": [*either, {"token_as_password": []}],
        "/health/days.csv": either,
        "/health/days.parquet": either,
        "/health/snapshots.csv": either,
        "/health/snapshots.parquet": either,
    }
    assert all(set(operations) == {"get"} for operations in document["paths"].values())


def test_every_parameter_and_every_field_is_described(desk: Desk) -> None:
    document = desk.json("/api/health/openapi.json")
    for path, operations in document["paths"].items():
        assert operations["get"]["description"], path
        assert all(parameter["description"] for parameter in operations["get"].get("parameters", ())), path
