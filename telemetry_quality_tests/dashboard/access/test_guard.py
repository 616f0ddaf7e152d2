from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from starlette.datastructures import Headers
from starlette.routing import Mount
from starlette.websockets import WebSocket, WebSocketDisconnect

from telemetry_quality.dashboard.access.permissions import PERMISSIONS, Permission
from telemetry_quality.errors import StoreError
from telemetry_quality.storage.staff.lookup import Role
from telemetry_quality.storage.staff.tokens import Scope, fingerprint
from telemetry_quality_tests.dashboard.access.house import (
    NAME,
    SESSION_COOKIE,
    URL,
    House,
    form_token,
    give,
    house_of,
    http_client,
    is_refused,
    make_settings,
    serving,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from httpx2 import Response
    from starlette.routing import BaseRoute
    from starlette.testclient import TestClient

    from telemetry_quality.storage.staff.sessions import Session

OPEN = {
    "/healthz",
    "/health/sign-in/",
    "/health/sign-in/style.css",
    "/health/sign-in/oidc/",
    "/health/sign-in/oidc/callback/",
}
"""Repeated here on purpose, so that these tests find anything else that the guard opens."""

PARAMETERS = {
    "source": "web",
    "day": "2026-03-10",
    "name": "2026-03-10",
    "token_id": "1",
    "path": "dashboard.css",
}
"""A value for every parameter of a path, so that every route can be requested."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def _walk(routes: Iterable[BaseRoute], prefix: str = "") -> Iterator[tuple[str, bool]]:
    """Every path of an application, with a value for each parameter, and whether it is a socket."""
    for route in routes:
        included: Any = getattr(route, "original_router", None)
        path = prefix + getattr(route, "path", "")
        if included is not None:
            yield from _walk(included.routes, prefix)
        elif isinstance(route, Mount):
            yield f"{path}/dashboard.css", False
            yield from _walk(route.routes, path)
        else:
            filled = path
            for name, text in PARAMETERS.items():
                filled = re.sub(rf"{{{name}(:\w+)?}}", text, filled)
            assert "{" not in filled, f"the test needs something for the parameter of {path}"
            yield filled, type(route).__name__.endswith("WebSocketRoute")


def _opens(browser: TestClient, path: str, **headers: str) -> bool:
    try:
        with browser.websocket_connect(f"{URL.replace('http', 'ws')}{path}", headers=headers):
            return True
    except WebSocketDisconnect:
        return False


@pytest.mark.slow
def test_every_route_refuses_strangers_except_those_that_are_open_on_purpose(house: House) -> None:
    walked = dict(_walk(house.app.routes))
    browser, machine = house.stranger(), house.stranger(accept="application/json")

    assert {*house.app.openapi()["paths"], "/api/health/openapi.json"} - {
        "/api/health/snapshots/{source}/{day}/"
    } <= walked.keys()
    assert OPEN | {"/health/live/", "/health/", "/health/static/dashboard.css"} <= walked.keys()
    assert len(walked) > 20
    for path, is_socket in walked.items():
        if is_socket:
            assert not _opens(browser, path, origin=URL), path
        for method in METHODS:
            for client in (browser, machine):
                response = client.request(method, path)
                assert (path in OPEN) or is_refused(response), f"{method} {path} answers {response.status_code}"


def test_a_route_that_is_added_later_is_closed_until_somebody_decides_who_may_use_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    @house.app.get("/health/sign-in/secret/")
    @house.app.get("/health/tomorrow/")
    def tomorrow() -> str:
        return "all the numbers"

    house.add_account("eve", role=Role.ADMIN)
    for path in ("/health/tomorrow/", "/health/sign-in/secret/"):
        assert is_refused(house.stranger().get(path))
        assert house.member("eve").get(path).status_code == 404

    monkeypatch.setitem(PERMISSIONS, "/health/tomorrow/", Permission())
    assert house.member().get("/health/tomorrow/").text == '"all the numbers"'
    assert is_refused(house.stranger().get("/health/tomorrow/"))


OPERATORS = {"/health/snapshots/web/2026-03-10/marks/", "/health/incidents/web/2026-03-10/actions/"}
ADMINS = {"/health/accounts/", "/health/accounts/role/", "/health/accounts/disable/"}
FORMS = (OPERATORS | ADMINS - {"/health/accounts/"}) | {
    "/health/sign-out/",
    "/health/account/password/",
    "/health/account/tokens/",
    "/health/account/tokens/1/revoke/",
    "/health/account/sign-out-everywhere/",
}
EXPORTS = {f"/health/{name}.{kind}" for name in ("snapshots", "days") for kind in ("csv", "parquet")}
METRICS = {"/metrics"}
"""Repeated here on purpose, so that these tests find any role or scope that is too generous."""


def _expected(role: Role, path: str, method: str) -> str:
    """How the guard treats a request of somebody with this role: it passes it on, or names why it does not."""
    if method not in ({"POST"} if path in FORMS else {"GET", "HEAD"}):
        return "METHOD_NOT_ALLOWED"
    least = Role.ADMIN if path in ADMINS else Role.OPERATOR if path in OPERATORS else Role.VIEWER
    return "passed" if list(Role).index(role) >= list(Role).index(least) else "ROLE_TOO_LOW"


@pytest.mark.slow
@pytest.mark.parametrize("role", Role)
def test_every_route_takes_exactly_the_methods_and_roles_that_are_declared_for_it(house: House, role: Role) -> None:
    walked = {path for path, is_socket in _walk(house.app.routes) if path not in OPEN and not is_socket}
    assert walked >= FORMS | ADMINS | OPERATORS | EXPORTS | METRICS
    house.add_account("eve", role=role)
    browser, found = house.member("eve", accept="application/json"), {}
    for path in sorted(walked):
        for method in METHODS:
            token = form_token(browser.get("/health/account/", headers={"accept": "text/html"}))
            response = browser.request(method, path, headers={"x-csrf-token": token})
            found[path, method] = _treatment(response)
            if path in FORMS and "sign-out" in path and method == "POST":
                browser = house.member("eve", accept="application/json")
    assert found == {(path, method): _expected(role, path, method) for path in walked for method in METHODS}


def _treatment(response: Response) -> str:
    if response.status_code == 405:
        return "METHOD_NOT_ALLOWED"
    if response.status_code == 403 and "name and password do not match" not in response.text:
        assert response.request.method == "HEAD" or "ROLE_TOO_LOW" in response.text
        return "ROLE_TOO_LOW"
    return "passed"


@pytest.mark.slow
def test_a_token_reads_exactly_what_its_scope_says_on_every_route(house: House) -> None:
    walked = {path for path, is_socket in _walk(house.app.routes) if path not in OPEN and not is_socket}
    machines = {scope: house.machine(house.add_token(scopes=[scope])[0]) for scope in Scope}
    json = {path for path in walked if path.startswith("/api/")} | {"/health/incidents.atom", "/health/badge.svg"}
    for path in walked:
        for scope, readable in {Scope.JSON: json, Scope.EXPORTS: EXPORTS, Scope.METRICS: METRICS}.items():
            status_code = machines[scope].get(path).status_code
            assert (status_code == 403) is (path not in readable), (scope, path, status_code)


def test_a_role_that_is_taken_away_is_gone_at_the_next_request(house: House) -> None:
    house.add_account("eve", role=Role.ADMIN)
    browser = house.member("eve")
    assert browser.get("/health/accounts/").status_code == 200

    house.staff.set_role("eve", Role.VIEWER, house.clock())

    assert browser.get("/health/accounts/").status_code == 403


def test_healthz_says_ok_and_nothing_else_even_when_the_accounts_cannot_be_read(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: object) -> None:
        raise StoreError("The store /srv/secret/place.db must be readable.")

    browser = house.member()
    monkeypatch.setattr(house.dashboard.access.staff, "version", unreadable)
    monkeypatch.setattr(house.dashboard.access.staff, "session", unreadable)

    response, refused = browser.get("/healthz"), browser.get("/health/")

    assert (response.status_code, response.text.strip()) == (200, "ok")
    assert refused.status_code == 503
    assert "/srv/secret" not in refused.text


def test_pages_send_strangers_to_the_sign_in_page_and_back(house: House) -> None:
    response = house.stranger().get("/health/snapshots/?source=web&page=2")

    assert response.status_code == 303
    assert response.headers["location"] == "/health/sign-in/?next=/health/snapshots/%3Fsource%3Dweb%26page%3D2"


def test_the_api_shows_strangers_what_is_required(house: House) -> None:
    response = house.stranger().get("/api/health/summary/")

    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert response.json()["error"]["reason_code"] == "SIGN_IN_REQUIRED"


def test_feed_readers_are_asked_for_a_password_and_browsers_sent_to_sign_in(house: House) -> None:
    path = "/health/incidents.atom"

    assert house.stranger(accept="*/*").get(path).headers["www-authenticate"].startswith("Basic")
    assert house.stranger().get(path).status_code == 303


TRICKS = (
    "/health/static/../",
    "/health/static/../../app.py",
    "/health/static/%2e%2e/app.py",
    "/health/static/..%2fapp.py",
    "/health/static/%2e%2e%5capp.py",
    "//health/",
    "/health//",
    "///health/",
    "/healthz/",
    "/healthz/../health/",
    "/healthz/%2e%2e/health/",
    "/healthz%2f..%2fhealth/",
    "/healthz%00/health/",
    "/healthz%0a",
    "/healthz;/health/",
    "/healthz?/health/",
    "/HEALTH/",
    "/Health/Sign-In/",
    "/health%2f",
    "/health/sign-in/../",
    "/health/sign-in/..;/",
    "/health/sign-in/%2e%2e/snapshots/",
    "/health/sign-in/style.css/../../snapshots/",
    "/health/sign-in/style.css%00",
    "/api/health/summary/%00",
    "/API/health/summary/",
    "/health/static/%00",
    "http://127.0.0.1:3001/health/",
)


def test_no_trick_with_the_path_opens_anything(house: House) -> None:
    browser = house.stranger()

    for path in TRICKS:
        response = browser.get(path)
        # The query does not count, so this path is healthz, which says ok.
        assert is_refused(response) or response.text.strip() == "ok", path


@pytest.mark.slow
def test_no_trick_with_the_path_opens_anything_over_a_real_connection(house: House) -> None:
    """Over a raw socket, since HTTP clients normalize such paths before they send them."""
    import socket  # noqa: PLC0415 - one test only

    tricks = [
        b"/health/static/../../app.py",
        b"/healthz/../health/",
        b"/health/sign-in/../snapshots/",
        b"/health/sign-in/%2e%2e/snapshots/",
        b"//health/",
        b"/healthz%00/../health/",
        b"http://127.0.0.1/health/",
        b"/HEALTHZ/../health/",
        b"/health/sign-in/\\..\\snapshots/",
        b"*",
        b"health/",
    ]
    with serving(house.app) as url:
        for path in tricks:
            with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=10) as connection:
                connection.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                response = b""
                while part := connection.recv(65536):
                    response += part
            status = int(response.split(b" ", 2)[1])
            assert status in {400, 401, 303}, path
            assert status != 303 or b"\r\nlocation: /health/sign-in/" in response.lower(), path


def test_static_files_stay_within_their_folder_for_staff_too(house: House) -> None:
    browser = house.member()

    assert browser.get("/health/static/dashboard.css").status_code == 200
    for path in ("..%2fapp.py", "%2e%2e/app.py", "..%5capp.py", "%2fetc%2fpasswd", "%00", "vendor"):
        assert browser.get(f"/health/static/{path}").status_code in {400, 404}, path


def test_a_socket_opens_only_for_a_session_on_the_dashboards_own_page(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    @house.app.websocket("/health/tomorrow/")
    async def tomorrow(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    token, _ = house.add_token()
    path = "/health/tomorrow/"
    assert not _opens(house.member(), path, origin=URL), "nobody may open it before it is declared"
    monkeypatch.setitem(PERMISSIONS, path, Permission())

    assert _opens(house.member(), path, origin=URL)
    assert not _opens(house.stranger(), path, origin=URL)
    assert not _opens(house.machine(token), path, origin=URL)
    for origin in ("https://evil.example", "http://127.0.0.1:9999", "null", "https://127.0.0.1:3001"):
        assert not _opens(house.member(), path, origin=origin), origin
    assert not _opens(house.member(), path)


# Sessions


def test_a_disabled_account_loses_access_immediately_even_if_another_process_disables_it(house: House) -> None:
    token, _ = house.add_token()
    browser, machine = house.member(), house.machine(token)
    assert browser.get("/health/account/").status_code == 200
    assert machine.get("/api/health/version/").status_code == 200

    house.staff.disable(NAME, house.clock())

    assert is_refused(browser.get("/health/account/"))
    assert machine.get("/api/health/version/").status_code == 401
    assert not _opens(browser, "/health/live/", origin=URL)


def test_a_session_that_another_process_ends_is_refused_immediately(house: House) -> None:
    browser = house.member()
    account = house.staff.account(NAME)
    assert account is not None
    assert browser.get("/health/account/").status_code == 200

    house.staff.end_sessions(account.id, house.clock())

    assert is_refused(browser.get("/health/account/"))


@pytest.mark.parametrize(("hours", "is_in"), [(11.999, True), (12, False), (12.001, False)])
def test_a_session_is_valid_for_its_hours(house: House, hours: float, is_in: bool) -> None:
    browser, until = house.member(), house.clock.now + timedelta(hours=hours)
    while house.clock.now < until:
        assert browser.get("/health/account/").status_code == 200
        house.clock.now = min(until, house.clock.now + timedelta(minutes=29))

    assert (browser.get("/health/account/").status_code == 200) is is_in


@pytest.mark.parametrize(("minutes", "is_in"), [(29.99, True), (30, False), (30.01, False)])
def test_a_session_that_nobody_uses_for_half_an_hour_is_refused(house: House, minutes: float, is_in: bool) -> None:
    browser, other = house.member(), house.member()
    house.clock.move(minutes=minutes)
    is_listed_twice = other.get("/health/account/").text.count("another browser") == 1
    assert (browser.get("/health/account/").status_code == 200, is_listed_twice) == (is_in, is_in)
    house.clock.move(minutes=29.99)
    assert (browser.get("/health/account/").status_code == 200) is is_in


def test_the_use_of_a_session_is_recorded_at_most_once_a_minute_by_all_workers_together(
    house: House, tmp_path: Path
) -> None:
    browser, opened_at, account = house.member(), house.clock.now, house.staff.require_account(NAME)
    found = []
    with house_of(make_settings(tmp_path), house.clock) as worker:
        headers = Headers({"Cookie": f"{SESSION_COOKIE}={browser.cookies[SESSION_COOKIE]}"})
        for seconds, asked in ((0, house), (59, worker), (60, house), (60, worker), (119, worker), (120, house)):
            house.clock.now = opened_at + timedelta(seconds=seconds)
            assert asked.dashboard.access.user_of(headers) is not None
            (session,) = house.staff.sessions(account.id, house.clock.now)
            found.append((session.last_used_at - opened_at).total_seconds())
    assert found == [0, 0, 60, 60, 60, 120]


def test_pages_are_read_while_no_use_can_be_recorded(
    house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    browser, machine = house.member(), house.machine(house.add_token()[0])
    with closing(sqlite3.connect(tmp_path / "quality.db")) as connection, connection:
        for table in ("staff_session", "staff_token"):
            refuse = "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
            connection.execute(f"CREATE TRIGGER {table}_full BEFORE UPDATE ON {table} {refuse}")
    house.clock.move(minutes=2)
    for minutes, times in ((0, 1), (0.99, 1), (0.01, 2)):
        house.clock.move(minutes=minutes)
        assert browser.get("/health/account/").status_code == 200
        assert machine.get("/api/health/version/").status_code == 200
        assert caplog.text.count("USE_NOT_RECORDED") == times, "a store that takes no writes makes one request wait"


def test_the_day_on_which_a_token_was_last_used_is_written_once_and_shown(house: House) -> None:
    token, number = house.add_token()
    machine, browser = house.machine(token), house.member()
    assert ">never<" in browser.get("/health/account/").text
    seen = []
    for hours in (0, 1, 11.99, 12):
        house.clock.now = datetime(2026, 6, 1, 12, tzinfo=UTC) + timedelta(hours=hours)
        assert machine.get("/api/health/version/").status_code == 200
        (kept,) = house.staff.tokens()
        seen.append((kept.id, str(kept.last_used_date), house.staff.version()))
        assert machine.get("/api/health/version/").status_code == 200
    assert [shown[:2] for shown in seen] == [(number, "2026-06-01")] * 3 + [(number, "2026-06-02")]
    assert len({version for *_, version in seen}) == 2
    assert ">2026-06-02<" in house.member().get("/health/account/").text


def test_a_session_ends_when_the_store_says_so_whatever_its_cookie_says(house: House) -> None:
    browser, access = house.stranger(), house.dashboard.access
    account, now = house.staff.account(NAME), house.clock()
    assert account is not None
    house.staff.open_session(account.id, fingerprint("an id"), "password", now, now + timedelta(minutes=20))
    give(browser, SESSION_COOKIE, access.signer("session").close("an id", now + timedelta(hours=12)))
    assert browser.get("/health/account/").status_code == 200

    house.clock.move(minutes=20)

    assert is_refused(browser.get("/health/account/"))


def test_a_session_is_looked_up_once_for_two_requests_in_a_row(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    browser, staff = house.member(), house.dashboard.access.staff
    asked: list[str] = []
    ask = staff.session

    def counted(id_hash: str, now: datetime) -> Session | None:
        asked.append(id_hash)
        return ask(id_hash, now)

    monkeypatch.setattr(staff, "session", counted)

    for _ in range(5):
        browser.head("/health/nothing/")

    assert len(asked) == 1


def test_a_changed_cookie_is_refused(house: House) -> None:
    browser = house.member()
    value = browser.cookies[SESSION_COOKIE]
    assert browser.get("/health/account/").status_code == 200
    browser.cookies.clear()
    body, until, signature = value.split(".")

    for changed in (
        value[:-2] + ("AA" if value[-2:] != "AA" else "BB"),
        f"A{value[1:]}" if value[0] != "A" else f"B{value[1:]}",
        body,
        f"{body}.9999999999.{signature}",
        f"{body}.{until}.",
        f"{body}.{until}",
        "",
        "é" * 40,
        "." * 40,
        f"{value}; {SESSION_COOKIE}={value}x",
    ):
        response = browser.get("/health/account/", headers={b"cookie": f"{SESSION_COOKIE}={changed}".encode()})
        assert is_refused(response), changed


def test_a_cookie_signed_for_another_purpose_is_not_a_session(house: House) -> None:
    browser, access = house.member(), house.dashboard.access
    account = house.staff.account(NAME)
    assert account is not None
    (session,) = house.staff.sessions(account.id, house.clock())
    session_id = access.signer("session").open(browser.cookies[SESSION_COOKIE], house.clock())
    assert session_id is not None
    browser.cookies.clear()

    forged = access.signer("form").close(session_id, session.expires_at)
    give(browser, SESSION_COOKIE, forged)

    assert is_refused(browser.get("/health/account/"))


# Tokens


def test_a_token_reads_the_api_the_feed_and_the_badge_and_nothing_else(house: House) -> None:
    token, _ = house.add_token()
    machine = house.machine(token)

    for path in ("/api/health/version/", "/health/incidents.atom", "/health/badge.svg?source=web"):
        assert machine.get(path).status_code == 200, path
    for path in ("/health/", "/health/account/", "/health/snapshots.csv", "/health/static/dashboard.css"):
        assert machine.get(path).status_code == 403, path
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        for path in ("/api/health/version/", "/health/account/tokens/", "/health/sign-out/"):
            assert machine.request(method, path).status_code == 405, (method, path)


def test_feed_readers_show_a_token_as_a_password(house: House) -> None:
    token, _ = house.add_token()
    reader = house.stranger(accept="application/atom+xml")

    assert reader.get("/health/incidents.atom", auth=("anything", token)).status_code == 200
    assert reader.get("/health/incidents.atom", auth=("anything", f"{token}x")).status_code == 401
    assert reader.get("/health/incidents.atom", auth=(token, "anything")).status_code == 401


def test_a_token_is_refused_immediately_after_it_is_revoked(house: House) -> None:
    token, number = house.add_token()
    machine = house.machine(token)
    assert machine.get("/api/health/version/").status_code == 200

    assert house.staff.revoke_token(number, None, house.clock())

    assert machine.get("/api/health/version/").status_code == 401


@pytest.mark.parametrize(("days", "status_code"), [(29.999, 200), (30, 401), (30.001, 401)])
def test_a_token_is_refused_after_it_expires(house: House, days: float, status_code: int) -> None:
    token, _ = house.add_token(days=30)

    house.clock.move(days=days)

    assert house.machine(token).get("/api/health/version/").status_code == status_code


def test_anything_but_a_whole_token_is_refused(house: House) -> None:
    token, _ = house.add_token()
    machine = house.stranger(accept="application/json")

    for header in (
        "Bearer",
        "Bearer ",
        "Bearer tq_",
        f"Bearer {token}x",
        f"Bearer {token[:-1]}",
        f"Bearer {token} {token}",
        token,
        f"Token {token}",
        f"Basic {token}",
        "Basic !!!!",
        "Basic /////w==",
        "Bearer tq_' OR 1=1 --",
        f"Digest username={token}",
    ):
        response = machine.get("/api/health/version/", headers={"authorization": header})
        assert response.status_code == 401, header


def test_a_token_in_an_address_is_refused_even_for_a_user_who_is_signed_in(house: House) -> None:
    token, _ = house.add_token()
    browser = house.member()

    for address in (f"?token={token}", f"?access_token={token}", f"?x=%74q_{token[3:]}", token, f"?{token}"):
        response = browser.get(f"/api/health/version/{address}")
        assert response.status_code == 400, address
        assert response.json()["error"]["reason_code"] == "TOKEN_IN_ADDRESS"
        assert token[3:] not in response.text


@pytest.mark.slow
def test_sessions_and_tokens_work_over_real_http(house: House) -> None:
    token, _ = house.add_token()
    cookies = dict(house.member().cookies)
    with serving(house.app) as url:
        with http_client(url) as client:
            assert client.get("/healthz").text.strip() == "ok"
            assert client.get("/health/").status_code == 303
            client.cookies.update(cookies)
            assert client.get("/health/account/").status_code == 200
        with http_client(url, authorization=f"Bearer {token}") as client:
            assert client.get("/api/health/version/").status_code == 200
            assert client.get("/health/account/").status_code == 403
