"""StaffOnly: runs before every route, so that routes added later are guarded too."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response

from telemetry_quality.dashboard.access.bodies import read_body, replayed
from telemetry_quality.dashboard.access.csrf import SAFE_METHODS, is_foreign, require_csrf_token
from telemetry_quality.dashboard.access.paths import API, FOR_TOKENS, NAMELESS, is_for_tokens, is_open, sign_in_path
from telemetry_quality.dashboard.api_errors import CANNOT_READ, STORE_UNREADABLE, ApiError, response_for
from telemetry_quality.errors import StoreError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from telemetry_quality.dashboard.access.identity import User
    from telemetry_quality.dashboard.access.users import Access

log = logging.getLogger(__name__)

POLICY_VIOLATION = 1008
"""The code with which a refused WebSocket is closed (RFC 6455, 7.4.1)."""


class StaffOnly:
    """Lets only users through; ``request.state.user`` then holds the user.

    Args:
        app: The guarded application.
        access: Identifies the user of a request.
    """

    def __init__(self, app: ASGIApp, *, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse strangers and pass on users."""
        if scope["type"] == "http":
            await self._guard(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._guard_socket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        try:
            user = await self._recognise(request)
            admitted = await self._admit(request, user, receive)
        except ApiError as api_error:
            await response_for(request, api_error)(scope, receive, send)
            return
        if isinstance(admitted, Response):
            await admitted(scope, receive, send)
        else:
            await self._app(scope, admitted, send)

    async def _guard_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse tokens, since sockets are for people, and foreign pages, which must not open one in a user's name."""
        connection = HTTPConnection(scope)
        try:
            user = await self._recognise(connection)
        except ApiError:
            user = None
        if user is None or user.is_token or is_foreign(connection, self._access.settings, must_state=True):
            await receive()
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        else:
            await self._app(scope, receive, send)

    async def _recognise(self, connection: HTTPConnection) -> User | None:
        connection.scope.setdefault("state", {})["user"] = None
        if connection.scope["path"] in NAMELESS:
            return None
        try:
            # A database may make us wait; the cache does not, as long as checking it takes only a local file.
            is_quick = self._access.staff.is_local
            user = self._access.recalled(connection.headers) if is_quick else None
            if user is None:
                user = await run_in_threadpool(self._access.user_of, connection.headers)
        except StoreError as error:
            # The message names files, which are none of a stranger's business.
            log.error("The user of a request could not be determined: %s", error)  # noqa: TRY400 - it is one sentence
            raise ApiError(503, STORE_UNREADABLE, CANNOT_READ, {"Retry-After": "10"}) from None
        connection.scope["state"]["user"] = user
        return user

    async def _admit(self, request: Request, user: User | None, receive: Receive) -> Receive | Response:
        """The channel from which the application may read the request, or the redirect for a stranger.

        Raises:
            ApiError: If the request is refused.
        """
        path = request.scope["path"]
        is_safe = request.method in SAFE_METHODS
        if not is_safe and is_foreign(request, self._access.settings):
            raise ApiError(
                403,
                "FOREIGN_ORIGIN",
                "Only a page of this dashboard may do this, but another site sent the request; open the page itself.",
            )
        if is_open(path):
            return receive
        if user is None:
            return _refuse_stranger(request)
        if user.is_token:
            _require_token_scope(request)
        elif not is_safe:
            return await _require_form_token(request, user, receive)
        return receive


def _refuse_stranger(request: Request) -> Response:
    """Redirect browsers to the sign-in page; machines get an error."""
    path = request.scope["path"]
    if path.startswith(API) or (path in FOR_TOKENS and "text/html" not in request.headers.get("accept", "")):
        scheme = "Bearer" if path.startswith(API) else "Basic"
        raise ApiError(
            401,
            "SIGN_IN_REQUIRED",
            "A session or an API token is required, but none was found, or it has expired; "
            f"sign in at {sign_in_path()} or send Authorization: Bearer with a token from your account's page.",
            {"WWW-Authenticate": f'{scheme} realm="telemetry-quality"'},
        )
    is_read_only = request.method in SAFE_METHODS
    back = sign_in_path(path, request.scope["query_string"]) if is_read_only else sign_in_path()
    return RedirectResponse(back, 303)


def _require_token_scope(request: Request) -> None:
    if request.method not in {"GET", "HEAD"}:
        raise ApiError(
            405,
            "TOKEN_ONLY_READS",
            "An API token may only read, but something else was asked for; use GET, or sign in.",
            {"Allow": "GET, HEAD"},
        )
    if not is_for_tokens(request.scope["path"]):
        raise ApiError(
            403,
            "TOKEN_OUT_OF_SCOPE",
            f"An API token gives access to {API} and {' and '.join(sorted(FOR_TOKENS))}, but this is a page "
            "for people; sign in.",
        )


async def _require_form_token(request: Request, user: User, receive: Receive) -> Receive:
    """The request's channel, once its form or header has proved that a page of this session sent it."""
    found = request.headers.get("x-csrf-token")
    if found is None:
        body = await read_body(receive)
        receive = replayed(body, receive)
        fields = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
        found = next((value for name, value in fields if name == "csrf_token"), "")
    require_csrf_token(user.csrf_token, found)
    return receive
