from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from telemetry_quality.dashboard.access import bodies, headers
from telemetry_quality.dashboard.access.bodies import MOST_BYTES
from telemetry_quality.dashboard.access.cookies import session_cookie
from telemetry_quality.dashboard.access.headers import MOST_ADDRESS_BYTES, MOST_FIELDS, MOST_HEADERS, HostAndHeaders
from telemetry_quality.dashboard.access.permissions import PERMISSIONS, Permission
from telemetry_quality.dashboard.api_errors import ApiError
from telemetry_quality.settings import DashboardSettings
from telemetry_quality_tests.dashboard.access.house import (
    ADDRESS,
    FORM_COOKIE,
    KNOWN_COOKIE,
    SESSION_COOKIE,
    House,
    form_token,
    has_entered,
    http_client,
    serving,
    sign_in,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpx2 import Response
    from starlette.types import Message, Receive, Scope, Send

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


def assert_is_armoured(response: Response, *, is_https: bool = False) -> None:
    """Require every header that keeps a page from being used against its reader."""
    shown = dict(directive.split(" ", 1) for directive in response.headers["content-security-policy"].split("; "))
    assert shown == POLICY
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["referrer-policy"] == "same-origin"
    assert response.headers["cross-origin-opener-policy"] == "same-origin"
    assert response.headers["cross-origin-resource-policy"] == "same-origin"
    assert "camera=()" in response.headers["permissions-policy"]
    assert "cache-control" in response.headers
    assert ("strict-transport-security" in response.headers) is is_https
    for name in ("content-security-policy", "x-content-type-options", "cache-control"):
        assert len(response.headers.get_list(name)) == 1


def test_every_kind_of_response_has_the_protective_headers(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    token, _ = house.add_token()

    monkeypatch.setitem(PERMISSIONS, "/health/broken/", Permission())

    @house.app.get("/health/broken/")
    def broken() -> None:
        raise ZeroDivisionError("secret inside")

    member, stranger, machine = house.member(), house.stranger(), house.machine(token)
    responses = {
        "page": (member.get("/health/account/"), 200),
        "overview": (member.get("/health/"), 200),
        "sign-in": (stranger.get("/health/sign-in/"), 200),
        "style": (stranger.get("/health/sign-in/style.css"), 200),
        "healthz": (stranger.get("/healthz"), 200),
        "api": (machine.get("/api/health/version/"), 200),
        "openapi": (machine.get("/api/health/openapi.json"), 200),
        "feed": (machine.get("/health/incidents.atom"), 200),
        "badge": (machine.get("/health/badge.svg?source=web"), 200),
        "static": (member.get("/health/static/dashboard.css"), 200),
        "redirect": (stranger.get("/health/"), 303),
        "slash": (member.get("/health/account"), 307),
        "unauthorised": (stranger.get("/api/health/version/"), 401),
        "forbidden": (machine.get("/health/"), 403),
        "csrf": (member.post("/health/sign-out/"), 403),
        "missing": (member.get("/health/nothing/"), 404),
        "method": (
            member.delete("/health/", headers={"x-csrf-token": form_token(member.get("/health/account/"))}),
            405,
        ),
        "invalid": (machine.get("/api/health/snapshots/?nonsense=1"), 422),
        "mistake": (member.get("/health/broken/"), 500),
        "host": (stranger.get("/health/", headers={"host": "evil.example"}), 400),
        "long": (stranger.get("/" + "x" * 9000), 414),
        "large": (stranger.post("/health/sign-in/", content=b"x" * 70_000), 413),
        "wrong": (sign_in(stranger, password="wrong"), 403),
    }

    for kind, (response, status_code) in responses.items():
        assert response.status_code == status_code, kind
        assert_is_armoured(response)
        assert "secret inside" not in response.text


def test_pages_and_responses_are_not_stored_by_any_cache(house: House) -> None:
    member = house.member()

    for path in ("/health/account/", "/health/", "/health/sign-in/", "/health/nothing/"):
        assert member.get(path).headers["cache-control"] in {"no-store, private", "no-store"}, path


def test_https_is_enforced_and_its_cookies_are_never_sent_without_it(https_house: House) -> None:
    browser = https_house.stranger()
    page = browser.get("/health/sign-in/")
    response = sign_in(browser)

    assert has_entered(response)
    assert_is_armoured(page, is_https=True)
    cookies = [*page.headers.get_list("set-cookie"), *response.headers.get_list("set-cookie")]
    assert {cookie_text.partition("=")[0] for cookie_text in cookies} == {
        "__Host-tq_session",
        "__Host-tq_sign_in",
        "__Host-tq_known",
    }
    for cookie in cookies:
        flags = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"httponly", "secure", "path=/", "samesite=lax"} <= flags
        assert not any(flag.startswith("domain") for flag in flags)
    assert browser.get("/health/account/").status_code == 200


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://127.0.0.1:3001", "tq_session_3001"),
        ("http://127.0.0.1:4001", "tq_session_4001"),
        ("http://127.0.0.1", "tq_session"),
        ("https://telemetry.example.org", "__Host-tq_session"),
        ("https://telemetry.example.org:8443", "__Host-tq_session_8443"),
    ],
)
def test_two_dashboards_on_one_host_do_not_sign_each_other_out(url: str, name: str) -> None:
    assert session_cookie(DashboardSettings(url=url)).name == name


def test_on_loopback_cookies_are_sent_over_plain_http(house: House) -> None:
    browser = house.stranger()
    page = browser.get("/health/sign-in/")
    response = sign_in(browser)

    cookies = [*page.headers.get_list("set-cookie"), *response.headers.get_list("set-cookie")]
    assert {cookie_text.partition("=")[0] for cookie_text in cookies} == {SESSION_COOKIE, FORM_COOKIE, KNOWN_COOKIE}
    for cookie in cookies:
        flags = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"httponly", "path=/", "samesite=lax"} <= flags
        assert "secure" not in flags


# Host


def test_on_loopback_all_of_its_host_names_are_accepted(house: House) -> None:
    for host in ("127.0.0.1:3001", "127.0.0.1", "localhost:3001", "localhost:80", "[::1]:3001", "LOCALHOST"):
        assert house.stranger().get("/health/sign-in/", headers={"host": host}).status_code == 200, host


def test_elsewhere_only_the_host_of_the_setting_is_accepted(https_house: House) -> None:
    for host in ("telemetry.example.org", "telemetry.example.org:443", "Telemetry.Example.ORG"):
        assert https_house.stranger().get("/health/sign-in/", headers={"host": host}).status_code == 200, host


FOREIGN_HOSTS = (
    "evil.example",
    "telemetry.example.org.evil.example",
    "evil.example:443",
    "telemetry.example.org:8443",
    "telemetry.example.org:443:443",
    "telemetry.example.org@evil.example",
    "telemetry.example.org/",
    "telemetry.example.org\\evil",
    "127.0.0.1",
    "localhost",
    "",
    " ",
    "[::1",
    "é.example",
    "telemetry.example.org\r\nX: y",
    "telemetry.example.org\x00",
)


def test_foreign_hosts_are_refused(https_house: House) -> None:
    for host in FOREIGN_HOSTS:
        response = https_house.stranger().get("/health/sign-in/", headers={b"host": host.encode()})

        assert response.status_code == 400, host
        assert "FOREIGN_HOST" in response.text
        assert "evil" not in response.text + str(response.headers), host


def test_two_host_headers_are_refused(house: House) -> None:
    hosts = [("host", "127.0.0.1:3001"), ("host", "evil.example"), ("accept", "text/html")]

    assert house.stranger().get("/health/sign-in/", headers=hosts).status_code == 400


def test_probes_may_ask_healthz_by_any_name(https_house: House) -> None:
    assert https_house.stranger().get("/healthz", headers={"host": "10.0.0.12:3001"}).text.strip() == "ok"


def test_forwarded_hosts_and_schemes_reach_no_response(house: House) -> None:
    forwarded = {
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "evil",
        "x-forwarded-prefix": "/evil",
        "x-original-url": "/evil",
        "x-rewrite-url": "/healthz",
        "forwarded": "host=evil.example",
    }
    for path in ("/health/sign-in/", "/health/", "/health/sign-in"):
        response = house.stranger().get(path, headers=forwarded)
        assert "evil" not in response.text
        assert "evil" not in str(response.headers)


def test_no_header_can_be_smuggled_in_through_an_address(house: House) -> None:
    stranger, member = house.stranger(), house.member()
    responses = [stranger.get("/health/%0d%0aSet-Cookie:%20a=b"), stranger.get("/health/?x=%0d%0aSet-Cookie:%20a=b")]
    for wanted in (
        "/health/%0d%0aSet-Cookie:%20a=b",
        "/health/\r\nSet-Cookie: a=b",
        "/health/%E5%98%8A%E5%98%8DSet-Cookie:a=b",
    ):
        responses += [client.get("/health/sign-in/", params={"next": wanted}) for client in (stranger, member)]

    for response in responses:
        assert "a=b" not in response.headers.get("set-cookie", "")
        assert all("\r" not in value and "\n" not in value for value in response.headers.values())


# Size


@pytest.mark.parametrize(("size", "is_refused"), [(-1, False), (0, False), (1, True)])
def test_bodies_are_refused_above_their_limit(house: House, size: int, is_refused: bool) -> None:
    body = b"name=" + b"x" * (MOST_BYTES + size - 5)
    form = {"content-type": "application/x-www-form-urlencoded"}

    def in_parts() -> Iterator[bytes]:
        yield body[:1000]
        yield body[1000:]

    whole = house.stranger().post("/health/sign-in/", content=body, headers=form)
    chunked = house.stranger().post("/health/sign-in/", content=in_parts(), headers=form)

    assert (whole.status_code == 413) is is_refused
    assert (chunked.status_code == 413) is is_refused


@pytest.mark.parametrize(("size", "is_refused"), [(-1, False), (0, False), (1, True)])
def test_addresses_are_refused_above_their_limit(house: House, size: int, is_refused: bool) -> None:
    path = "/health/sign-in/"
    query = "next=" + "x" * (MOST_ADDRESS_BYTES + size - len(path) - 5)

    assert (house.stranger().get(f"{path}?{query}").status_code == 414) is is_refused


@pytest.mark.parametrize(("count", "is_refused"), [(99, False), (100, False), (101, True)])
def test_forms_are_refused_above_their_limit(house: House, count: int, is_refused: bool) -> None:
    assert MOST_FIELDS == 100

    response = house.stranger().post("/health/sign-in/", data={f"field{number}": "x" for number in range(count)})

    assert (response.status_code == 413) is is_refused


def test_headers_are_refused_above_their_limit(house: House) -> None:
    assert house.stranger().get("/health/sign-in/", headers={"cookie": "x" * 33_000}).status_code == 431


def test_only_plain_forms_are_read(house: House) -> None:
    for kind in ("multipart/form-data; boundary=x", "application/json", "text/xml", ""):
        response = house.stranger().post("/health/sign-in/", content=b"{}", headers={"content-type": kind})
        assert response.status_code == 415, kind


async def never() -> Message:
    """The channel of a client that sends nothing more."""
    await anyio.sleep(60)
    return {"type": "http.request"}


def test_a_client_that_never_finishes_sending_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MOST_SECONDS", 0.01)
    with pytest.raises(ApiError) as refused:
        anyio.run(bodies.read_body, never)

    assert refused.value.status_code == 408


@pytest.mark.slow
def test_oversized_requests_are_refused_over_real_http_and_the_server_goes_on(house: House) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}

    def endless() -> Iterator[bytes]:
        for _ in range(3):
            yield b"x" * 40_000

    with serving(house.app) as url, http_client(url) as client:
        assert client.post("/health/sign-in/", content=b"x" * 200_000, headers=form).status_code == 413
        assert client.post("/health/sign-in/", content=endless(), headers=form).status_code == 413
        assert client.get("/" + "x" * 9000).status_code == 414
        response = client.get("/health/sign-in/")
        assert response.status_code == 200
        assert_is_armoured(response)
        assert "server" not in response.headers


@pytest.mark.parametrize(
    ("address", "status_codes"), [(ADDRESS, {200, 429}), ("127.0.0.1", {200})], ids=["stranger", "trusted proxy"]
)
def test_an_address_has_only_so_many_requests_in_progress(
    monkeypatch: pytest.MonkeyPatch, address: str, status_codes: set[int]
) -> None:
    monkeypatch.setattr(headers, "MOST_REQUESTS", 2)
    found: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await anyio.wait_all_tasks_blocked()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def ask_together(client: str, count: int) -> None:
        async def ask() -> None:
            scope = {
                "type": "http", "method": "GET", "path": "/healthz", "query_string": b"", "headers": [],
                "client": (client, 1), "scheme": "http", "server": ("127.0.0.1", 3001),
            }  # fmt: skip

            async def send(message: Message) -> None:
                if "status" in message:
                    found.append(message["status"])

            await guarded(scope, never, send)

        async with anyio.create_task_group() as group:
            for _ in range(count):
                group.start_soon(ask)

    async def main() -> None:
        await ask_together(address, 2)
        assert set(found) == {200}
        await ask_together(address, 3)
        assert set(found) == status_codes
        found.clear()
        await ask_together(address, 2)
        assert set(found) == {200}, "requests that are over are not counted"

    guarded = HostAndHeaders(app, settings=DashboardSettings())
    anyio.run(main)


@pytest.mark.parametrize(("count", "is_refused"), [(99, False), (100, False), (101, True)])
def test_more_headers_than_any_client_sends_are_refused(house: House, count: int, is_refused: bool) -> None:
    assert MOST_HEADERS == 100
    sent = [("host", "127.0.0.1:3001"), *((f"x-{number}", "y") for number in range(count - 1))]
    client = house.stranger()
    client.headers.clear()

    assert (client.get("/healthz", headers=sent).status_code == 431) is is_refused
