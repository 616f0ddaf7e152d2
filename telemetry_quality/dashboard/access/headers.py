"""HostAndHeaders: the outermost layer; refuses malformed requests and sets strict headers on every response."""

from __future__ import annotations

import logging
import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request

from telemetry_quality.dashboard.access.bodies import MOST_BYTES, read_body, replayed, too_large
from telemetry_quality.dashboard.access.identity import address_of
from telemetry_quality.dashboard.access.paths import API, OIDC_CALLBACK
from telemetry_quality.dashboard.api_errors import ApiError, response_for

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from telemetry_quality.settings import DashboardSettings

MOST_ADDRESS_BYTES = 8 * 1024
MOST_HEADER_BYTES = 32 * 1024
MOST_HEADERS = 100
MOST_FIELDS = 100

MOST_REQUESTS = 200
"""Requests and WebSockets of an address at the same time; proxies hold the connections, but pass the address on."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?", re.ASCII)
_TOKEN = re.compile(rb"tq_[A-Za-z0-9_-]{43}")
_FORM = "application/x-www-form-urlencoded"

_SECRET_HEADERS = frozenset({"authorization", "cookie", "set-cookie"})


def _without_secrets(record: logging.LogRecord) -> bool:
    """Drop log records with the headers of a WebSocket, which a server at DEBUG writes."""
    match record.args:
        case (str(name), _) if name.lower() in _SECRET_HEADERS:
            record.args = (name, "...")
    return True


class HostAndHeaders:
    """Refuses foreign hosts and oversized requests, and sets headers on every response, including API errors.

    Args:
        app: The application behind it.
        settings: The dashboard's settings, with its URL.
    """

    def __init__(self, app: ASGIApp, *, settings: DashboardSettings) -> None:
        self._app = app
        self._settings = settings
        self._headers = dict(HEADERS)
        self._in_progress: Counter[str] = Counter()
        logging.getLogger("uvicorn.error").addFilter(_without_secrets)
        if settings.url.startswith("https://"):
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what is not acceptable and pass on the rest."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        send = partial(self._send, scope, send) if scope["type"] == "http" else send
        address = address_of(HTTPConnection(scope))
        self._in_progress[address] += 1
        try:
            await self._pass_on(scope, receive, send, address)
        finally:
            self._in_progress[address] -= 1
            if not self._in_progress[address]:
                del self._in_progress[address]

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send, address: str) -> None:
        is_http = scope["type"] == "http"
        try:
            self._require_turn(scope, address)
            self._require_bearable(scope)
            receive = await _checked_body(scope, receive) if is_http else receive
        except ApiError as api_error:
            await _refuse(scope, receive, send, api_error)
        else:
            await self._app(scope, receive, send)

    async def _send(self, scope: Scope, send: Send, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(self._headers)
            headers.setdefault("Cache-Control", "no-store, private")
            if scope["path"] == OIDC_CALLBACK:
                # The server's log would store the provider's code.
                scope["query_string"] = b"..."
        await send(message)

    def _require_turn(self, scope: Scope, address: str) -> None:
        """Refuse a client that already has many requests in progress; proxies have those of many clients."""
        peer, _ = scope.get("client") or ("unknown", 0)
        if self._in_progress[address] > MOST_REQUESTS and not self._settings.is_trusted(peer):
            raise ApiError(
                429,
                "TOO_MANY_AT_ONCE",
                f"An address may have {MOST_REQUESTS} requests and open pages at once, but this one has more; "
                "close some pages and try again.",
                {"Retry-After": "5"},
            )

    def _require_bearable(self, scope: Scope) -> None:
        """Refuse a request whose address is foreign, oversized, unreadable or contains a secret.

        Raises:
            ApiError: If the request is refused.
        """
        path, query = scope["path"], scope["query_string"]
        if len(scope.get("raw_path") or path.encode()) + len(query) > MOST_ADDRESS_BYTES:
            raise ApiError(
                414,
                "ADDRESS_TOO_LONG",
                f"An address may have at most {MOST_ADDRESS_BYTES} bytes, but this one is longer; use fewer filters.",
            )
        size = sum(len(name) + len(value) for name, value in scope["headers"])
        if size > MOST_HEADER_BYTES or len(scope["headers"]) > MOST_HEADERS:
            raise ApiError(
                431,
                "HEADERS_TOO_LARGE",
                f"At most {MOST_HEADERS} headers with {MOST_HEADER_BYTES} bytes are read, but these are more; "
                "remove cookies.",
            )
        _require_no_token(scope)
        if any(character < " " or character in "\\\x7f" for character in path) or {".", ".."} & set(path.split("/")):
            raise ApiError(
                400,
                "ADDRESS_UNREADABLE",
                "A plain path is required, but this one has dots, backslashes or control characters; correct it.",
            )
        if path != "/healthz":  # Probes use whatever address they know.
            self._require_our_host(Headers(scope=scope).getlist("host"))

    def _require_our_host(self, hosts: list[str]) -> None:
        """Refuse other host names: a foreign page may use them to read the dashboard (DNS rebinding)."""
        found = _HOST.fullmatch(hosts[0].lower()) if len(hosts) == 1 else None
        if found is None or not self._is_ours(found[1], found[2]):
            raise ApiError(
                400,
                "FOREIGN_HOST",
                "The host of the setting dashboard.url is required, but the request names another host; "
                "use that address, or correct the setting.",
            )

    def _is_ours(self, name: str, port: str | None) -> bool:
        if self._settings.is_loopback and name in LOOPBACK_NAMES:
            return True
        ours = urlsplit(self._settings.url)
        its_name = f"[{ours.hostname}]" if ":" in (ours.hostname or "") else ours.hostname
        its_ports = {None, str(ours.port or (443 if ours.scheme == "https" else 80))}
        return name == its_name and port in its_ports


def _require_no_token(scope: Scope) -> None:
    """Refuse a token in the address: addresses are logged, stored in histories and passed on."""
    path, query = scope["path"].encode("utf-8", "replace"), unquote_to_bytes(scope["query_string"])
    if _TOKEN.search(path) or _TOKEN.search(query):
        # The server's log takes the request's address from here.
        plain = f"{API if scope['path'].startswith(API) else '/'}..."
        scope.update(path=plain, raw_path=plain.encode(), query_string=b"")
        raise ApiError(
            400,
            "TOKEN_IN_ADDRESS",
            "An API token belongs in the header Authorization, but it was found in the address, which logs store; "
            "revoke it, create a new one and send Authorization: Bearer.",
        )


async def _checked_body(scope: Scope, receive: Receive) -> Receive:
    """The channel of a request whose body, if any, is a small form.

    Raises:
        ApiError: If the body is anything else.
    """
    headers = Headers(scope=scope)
    length = headers.get("content-length", "")
    if scope["method"] in {"GET", "HEAD"} and length in {"", "0"} and "transfer-encoding" not in headers:
        return receive
    if length.isdigit() and int(length) > MOST_BYTES:
        raise too_large()
    body = await read_body(receive)
    if body:
        _require_form(headers.get("content-type", ""), body)
    return replayed(body, receive)


def _require_form(content_type: str, body: bytes) -> None:
    if content_type.partition(";")[0].strip().lower() != _FORM:
        raise ApiError(
            415, "NOT_A_FORM", f"A body of type {_FORM} is required, but another type was found; send a plain form."
        )
    if body.count(b"&") >= MOST_FIELDS:
        raise ApiError(
            413,
            "TOO_MANY_FIELDS",
            f"A form may have at most {MOST_FIELDS} fields, but this one has more; send fewer.",
        )


async def _refuse(scope: Scope, receive: Receive, send: Send, api_error: ApiError) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    # The response is built from the request; the refused parts must not get into it.
    plain = [(name, value) for name, value in scope["headers"] if name == b"accept"]
    request = Request({**scope, "headers": plain, "query_string": b""})
    await response_for(request, api_error)(scope, receive, send)
