"""Secrets of people, browsers and machines never appear in a log, however much is logged."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from telemetry_quality.dashboard.access.permissions import PERMISSIONS, Permission
from telemetry_quality_tests.dashboard.access.house import (
    FORM_COOKIE,
    NAME,
    PASSWORD,
    SESSION_COOKIE,
    House,
    form_token,
    hash_of,
    http_client,
    serving,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpx2 import Client, Response

WRONG = "three green kettles snore"
NEW = "four blue kettles whistle"


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """Every line that any logger writes at its most verbose level."""
    written: list[str] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name.startswith(("httpx", "httpcore", "websockets.client")):
                return  # these are the attacker's
            written.append(f"{self.format(record)} {record.args!r} {record.__dict__!r}")

    root, handler = logging.getLogger(), Keeping(logging.DEBUG)
    talkative = [
        root,
        logging.getLogger("sqlalchemy"),
        *(logging.getLogger(f"uvicorn{suffix}") for suffix in ("", ".error", ".access")),
    ]
    before = [logger.level for logger in talkative]
    root.addHandler(handler)
    for logger in talkative:
        logger.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    for logger, level in zip(talkative, before, strict=True):
        logger.setLevel(level)


def _sign_in(client: Client, password: str) -> Response:
    token = form_token(client.get("/health/sign-in/"))
    return client.post("/health/sign-in/", data={"csrf_token": token, "name": NAME, "password": password})


def _socket(url: str, session: str, origin: str) -> ClientConnection:
    return connect(
        f"{url.replace('http', 'ws')}/health/live/",
        origin=Origin(origin),
        additional_headers={"Cookie": f"{SESSION_COOKIE}={session}"},
        proxy=None,
    )


@pytest.mark.slow
def test_no_log_line_and_no_error_page_shows_a_secret(
    house: House, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    token, _ = house.add_token()
    access = house.dashboard.access
    pages: list[str] = []

    monkeypatch.setitem(PERMISSIONS, "/health/broken/", Permission())

    @house.app.get("/health/broken/")
    def broken(csrf_token: str = "") -> None:
        raise ZeroDivisionError

    with serving(house.app, access_log=True, log_level="trace") as url, http_client(url) as client:
        pages.append(_sign_in(client, WRONG).text)
        form = client.cookies[FORM_COOKIE]
        _sign_in(client, PASSWORD)
        first = client.cookies[SESSION_COOKIE]
        csrf = form_token(client.get("/health/account/"))
        pages.append(client.get("/health/broken/").text)
        pages.append(client.get(f"/health/?token={token}").text)
        pages.append(client.get(f"/health/{token}").text)
        pages.append(client.post("/health/sign-out/", data={"csrf_token": csrf[::-1]}).text)
        with http_client(url, authorization=f"Bearer {token}") as machine:
            assert machine.get("/api/health/version/").status_code == 200
            pages.append(machine.get("/health/").text)
        with http_client(url) as reader:
            pages.append(reader.get("/api/health/version/", auth=("x", f"{token}x")).text)
        with _socket(url, first, origin=url):
            pass
        with pytest.raises(InvalidStatus):
            _socket(url, first, origin="https://evil.example")
        made = client.post(
            "/health/account/tokens/",
            data={"csrf_token": csrf, "label": "x", "days": "1", "scope_json": "on", "current": PASSWORD},
        ).text
        fields = {"csrf_token": csrf, "current": PASSWORD, "new": NEW, "again": NEW}
        assert client.post("/health/account/password/", data=fields).status_code == 303
        second = client.cookies[SESSION_COOKIE]

    new_token = made.partition('id="new-token">')[2].partition("<")[0]
    session_ids = [access.signer("session").open(cookie_value, house.clock()) for cookie_value in (first, second)]
    stored = house.staff.account(NAME)
    assert stored is not None
    secrets = {
        "password": PASSWORD,
        "wrong password": WRONG,
        "new password": NEW,
        "password in a form": PASSWORD.replace(" ", "+"),
        "password hash": hash_of(PASSWORD),
        "new password hash": stored.password_hash,
        "token": token[3:],
        "new token": new_token[3:],
        "cookie": first,
        "new cookie": second,
        "session": session_ids[0],
        "new session": session_ids[1],
        "form cookie": form,
        "form token": csrf,
        "secret": repr(access.secret)[2:-1],
        "secret in hex": access.secret.hex(),
    }
    text = "\n".join(lines)
    assert '"GET /health/account/ HTTP/1.1" 200' in text
    assert "GET /health/broken/" in text
    for what, secret in secrets.items():
        assert secret
        assert len(secret) > 10
        found = next((line for line in lines if secret in line), "")
        assert not found, f"the {what} is in the log: {found[:500]}"
        if what != "form token":
            assert not any(secret in page for page in pages), f"the {what} is on an error page"
