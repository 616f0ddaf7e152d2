"""Every error has the same shape, one sentence and no internals."""

from __future__ import annotations

import logging
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.dashboard.access.permissions import PERMISSIONS, Permission
from telemetry_quality.dashboard.api_errors import CANNOT_READ, shown
from telemetry_quality.dashboard.models import ErrorResponse
from telemetry_quality.storage.staff.tokens import Scope
from telemetry_quality_tests.dashboard.desk import YESTERDAY, keep, open_desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx2

    from telemetry_quality_tests.dashboard.desk import Desk

SNAPSHOTS = "/api/health/snapshots/"
DAY = f"{SNAPSHOTS}web/{YESTERDAY}/"
A_PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desk = open_desk(tmp_path_factory.mktemp("desk"))
    keep(desk.store, YESTERDAY)
    yield desk
    desk.close()


@pytest.fixture
def own_desk(desk: Desk, tmp_path: Path) -> Iterator[Desk]:
    """A copy of the desk for a test that breaks it."""
    copy = desk.copy_to(tmp_path)
    yield copy
    copy.close()


def break_store(desk: Desk) -> None:
    """Make the snapshots unreadable, but not the accounts."""
    with sqlite3.connect(desk.folder / "quality.db") as connection:
        connection.execute("DROP VIEW current_snapshot")
        connection.execute("ALTER TABLE integrity_snapshot RENAME TO elsewhere")
    connection.close()


def error_of(response: httpx2.Response, status: int, reason_code: str) -> str:
    """The sentence of an API error, which must have the common shape."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    error = ErrorResponse.model_validate_json(response.content, strict=True).error
    assert (error.status, error.reason_code) == (status, reason_code)
    assert error.sentence.endswith(".")
    assert "\n" not in error.sentence
    return error.sentence


@pytest.mark.parametrize(
    ("query", "reason_code", "words"),
    [
        ("page=0", "INVALID_PARAMETER", "page: should be greater than or equal to 1, but '0' was found"),
        ("page=-1", "INVALID_PARAMETER", "page: must be a whole number in digits, but '-1' was found"),
        ("page=1.0", "INVALID_PARAMETER", "page: must be a whole number"),
        ("page=1_0", "INVALID_PARAMETER", "page: must be a whole number"),
        ("page=%D9%A1", "INVALID_PARAMETER", "page: must be a whole number"),
        ("page=" + "9" * 5000, "INVALID_PARAMETER", "page: must be a whole number"),
        ("page=1000001", "INVALID_PARAMETER", "page: should be less than or equal to 1000000"),
        ("page_size=0", "INVALID_PARAMETER", "page_size: should be greater than or equal to 1"),
        ("page_size=501", "INVALID_PARAMETER", "page_size: should be less than or equal to 500"),
        ("first=2026-02-30", "INVALID_PARAMETER", "first: must be a day that exists"),
        ("first=20260210", "INVALID_PARAMETER", "first: must be a day such as 2026-03-10, but '20260210' was found"),
        ("first=2026-W10-1", "INVALID_PARAMETER", "first: must be a day such as"),
        ("first=1772000000", "INVALID_PARAMETER", "first: must be a day such as"),
        ("last=2026-03-10T00:00:00", "INVALID_PARAMETER", "last: must be a day such as"),
        ("last=", "INVALID_PARAMETER", "last: must be a day such as"),
        ("first=2026-03-02&last=2026-03-01", "INVALID_PARAMETER", "2026-03-02 is after 2026-03-01; swap them"),
        ("sort=policy", "INVALID_PARAMETER", "sort: must be one of day, computed_at,"),
        ("descending=1", "INVALID_PARAMETER", "descending: must be true or false, but '1' was found"),
        ("status=fine", "INVALID_PARAMETER", "status: should be 'unknown', 'no_activity'"),
        ("source=web%00", "INVALID_PARAMETER", r"source: must be a lower-case word such as web_events"),
        ("source=" + "a" * 201, "INVALID_PARAMETER", "of at most 200 characters"),
        ("source=Web", "INVALID_PARAMETER", "source: must be a lower-case word"),
        ("source=web%0A", "INVALID_PARAMETER", "source: must be a lower-case word"),
        ("&".join(["source=web"] * 51), "INVALID_PARAMETER", "source: list should have at most 50 items"),
        (
            "page=1&page=2",
            "REPEATED_PARAMETER",
            "'page' may be given at most once, but it was given 2 times; keep one.",
        ),
        ("pge=1", "UNKNOWN_PARAMETER", "'pge' is not a parameter of this address; leave it out."),
        ("page=0&pge=1", "UNKNOWN_PARAMETER", "'pge' is not a parameter"),
    ],
)
def test_a_wrong_parameter_is_refused_in_a_sentence_that_names_it(
    desk: Desk, query: str, reason_code: str, words: str
) -> None:
    assert words in error_of(desk.ask(f"{SNAPSHOTS}?{query}"), 422, reason_code)


@pytest.mark.parametrize(
    "query",
    [
        "page=1",
        "page=1000000",
        "page_size=1",
        "page_size=500",
        "source=" + "a" * 200,
        "first=2026-03-01&last=2026-03-01",
    ],
)
def test_a_parameter_at_its_limit_is_accepted(desk: Desk, query: str) -> None:
    assert desk.ask(f"{SNAPSHOTS}?{query}").status_code in {200, 404}


def test_no_address_accepts_an_unknown_or_repeated_parameter(desk: Desk) -> None:
    paths = desk.json("/api/health/openapi.json")["paths"]
    asked = [path.format(source="web", day=YESTERDAY) for path in paths if path != "/healthz"]

    assert len(asked) == 14
    for path in asked:
        error_of(desk.ask(f"{path}?made_up=1"), 422, "UNKNOWN_PARAMETER")
        response = desk.ask(f"{path}?is_open=true&is_open=true&first=2026-01-01&first=2026-01-01")
        assert response.json()["error"]["reason_code"] in {"REPEATED_PARAMETER", "UNKNOWN_PARAMETER"}, path


@pytest.mark.parametrize(
    "path", [f"{SNAPSHOTS}web/2026-02-30/", f"{SNAPSHOTS}web/today/", f"{SNAPSHOTS}Web/2026-03-01/"]
)
def test_an_invalid_part_of_the_path_is_refused(desk: Desk, path: str) -> None:
    error_of(desk.ask(path), 422, "INVALID_PARAMETER")


@pytest.mark.parametrize(
    ("path", "reason_code"),
    [
        ("/api/nothing/", "NOT_FOUND"),
        ("/nothing", "NOT_FOUND"),
        (f"{SNAPSHOTS}nobody/{YESTERDAY}/", "UNKNOWN_SOURCE"),
        (f"{SNAPSHOTS}?source=nobody", "UNKNOWN_SOURCE"),
        ("/api/health/summary/?source=nobody", "UNKNOWN_SOURCE"),
        ("/api/health/incidents/?source=nobody", "UNKNOWN_SOURCE"),
        ("/health/incidents.atom?source=nobody", "UNKNOWN_SOURCE"),
        ("/health/badge.svg?source=nobody", "UNKNOWN_SOURCE"),
        ("/health/snapshots.csv?source=nobody", "UNKNOWN_SOURCE"),
        ("/health/snapshots.parquet?source=nobody", "UNKNOWN_SOURCE"),
        (f"{SNAPSHOTS}web/2026-01-31/", "NO_SUCH_DAY"),
        (f"{SNAPSHOTS}web/2026-03-12/", "NO_SUCH_DAY"),
        (f"{SNAPSHOTS}web/0001-01-01/", "NO_SUCH_DAY"),
        (f"{SNAPSHOTS}web/9999-12-31/", "NO_SUCH_DAY"),
    ],
)
def test_what_does_not_exist_is_not_found(desk: Desk, path: str, reason_code: str) -> None:
    error_of(desk.ask(path), 404, reason_code)


def test_a_stranger_is_asked_to_sign_in(desk: Desk) -> None:
    response = desk.ask(SNAPSHOTS, headers={})

    assert "sign in" in error_of(response, 401, "SIGN_IN_REQUIRED")
    assert "Bearer" in response.headers["www-authenticate"]


def test_an_unsupported_method_is_named_and_the_supported_ones_are_listed(desk: Desk) -> None:
    response = desk.ask(SNAPSHOTS, "OPTIONS")

    assert "'OPTIONS'" in error_of(response, 405, "METHOD_NOT_ALLOWED")
    assert "GET" in response.headers["allow"]


def test_a_body_that_nothing_reads_is_refused_by_its_size(desk: Desk) -> None:
    error_of(desk.ask(SNAPSHOTS, content=b"x" * 70_000), 413, "BODY_TOO_LARGE")


def test_a_store_that_cannot_be_read_is_reported_without_its_path_or_query(
    own_desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    own_desk.json(SNAPSHOTS)
    break_store(own_desk)

    for path in (DAY, "/health/snapshots.csv", "/health/snapshots.parquet"):
        response = own_desk.ask(path)
        assert error_of(response, 503, "STORE_UNREADABLE") == CANNOT_READ
        assert response.headers["retry-after"] == "10"
    assert "integrity_snapshot" in caplog.text


def test_an_internal_error_is_logged_and_not_shown(
    own_desk: Desk, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("a secret of /srv/quality.db")

    monkeypatch.setitem(PERMISSIONS, "/api/fails/", Permission(scope=Scope.JSON))
    own_desk.app.add_api_route("/api/fails/", fail)
    response = own_desk.ask("/api/fails/")

    assert "secret" not in error_of(response, 500, "INTERNAL_ERROR")
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert [record.levelno for record in caplog.records if record.exc_info] == [logging.ERROR]
    assert "a secret of" in caplog.text


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/nothing/", 404, "there is nothing at this one"),
        ("/health/snapshots.csv?page=1", 422, "is not a parameter of this address"),
        ("/health/badge.svg?source=nobody", 404, "is required, but"),
    ],
)
def test_a_browser_gets_a_page_that_says_the_same(desk: Desk, path: str, status: int, words: str) -> None:
    response = desk.ask(path, headers=desk.by_session | A_PAGE)

    assert response.status_code == status
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert words in response.text
    assert "<main" in response.text


def test_below_the_api_a_browser_gets_json_too(desk: Desk) -> None:
    error_of(desk.ask("/api/nothing/", headers=desk.by_session | A_PAGE), 404, "NOT_FOUND")


def test_what_somebody_sent_is_repeated_inert(desk: Desk) -> None:
    response = desk.ask("/health/badge.svg?%3Cscript%3Ealert(1)%3C/script%3E=1", headers=desk.by_session | A_PAGE)

    assert response.status_code == 422
    assert "<script>alert" not in response.text
    assert "&lt;script&gt;alert" in response.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" * 80, repr("a" * 80)),
        ("a" * 81, repr("a" * 80) + "…"),
        ("line\nbreak\x1b[31m\u202e", r"'line\nbreak\x1b[31m\u202e'"),
    ],
)
def test_what_is_repeated_is_short_and_has_no_control_characters(text: str, expected: str) -> None:
    assert shown(text) == expected


def documented(desk: Desk) -> dict[str, Any]:
    paths: dict[str, Any] = desk.json("/api/health/openapi.json")["paths"]
    return paths


def test_every_address_documents_its_api_errors_in_the_common_shape(desk: Desk) -> None:
    for path, operations in documented(desk).items():
        refused = {status: response for status, response in operations["get"]["responses"].items() if status[0] in "45"}
        expected = {"400", "401", "405", "413", "422", "500", "503"}
        assert expected <= set(refused), path
        for error in refused.values():
            schema = error["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ErrorResponse"}, path
