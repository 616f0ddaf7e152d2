"""StaffOnly: runs before every route, so that routes added later are guarded too."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response

from telemetry_quality.dashboard.access.bodies import read_body, replayed
from telemetry_quality.dashboard.access.csrf import SAFE_METHODS, is_foreign, require_csrf_token
from telemetry_quality.dashboard.access.paths import API, NAMELESS, is_open, sign_in_path
from telemetry_quality.dashboard.access.permissions import permission_for
from telemetry_quality.dashboard.api_errors import CANNOT_READ, STORE_UNREADABLE, ApiError, of_http, response_for
from telemetry_quality.dashboard.shared_checks import SharedCheck
from telemetry_quality.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Hashable

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
        self._shared_version = SharedCheck(access.staff.version)

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
        permission = permission_for(scope["path"])
        role = None if permission is None else permission.role("GET")
        is_admitted = user is not None and role is not None and not user.is_token and user.role.includes(role)
        if not is_admitted or is_foreign(connection, self._access.settings, must_state=True):
            await receive()
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        else:
            await self._app(scope, receive, send)

    async def _recognise(self, connection: HTTPConnection) -> User | None:
        connection.scope.setdefault("state", {})["user"] = None
        if connection.scope["path"] in NAMELESS:
            return None
        try:
            shown = self._access.shown_session(connection.headers)
            user = None if shown is None else self._access.recalled(shown, await self._version())
            if user is None:
                user = await run_in_threadpool(self._access.user_of, connection.headers)
        except StoreError as error:
            # The message names files, which are none of a stranger's business.
            log.error("The user of a request could not be determined: %s", error)  # noqa: TRY400 - it is one sentence
            raise ApiError(503, STORE_UNREADABLE, CANNOT_READ, {"Retry-After": "10"}) from None
        connection.scope["state"]["user"] = user
        return user

    async def _version(self) -> Hashable:
        """The version of the accounts; looking at a local file takes less time than a thread."""
        staff = self._access.staff
        return staff.version() if staff.is_local else await self._shared_version.answer()

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
            _require_token_scope(request, user)
            return receive
        if not is_safe:
            receive = await _require_form_token(request, user, receive)
        _require_role(request, user)
        return receive


def _refuse_stranger(request: Request) -> Response:
    """Redirect browsers to the sign-in page; machines get an error."""
    path = request.scope["path"]
    permission = permission_for(path)
    is_for_tokens = permission is not None and permission.scope is not None
    if path.startswith(API) or (is_for_tokens and "text/html" not in request.headers.get("accept", "")):
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


def _require_token_scope(request: Request, user: User) -> None:
    if request.method not in {"GET", "HEAD"}:
        raise ApiError(
            405,
            "TOKEN_ONLY_READS",
            "An API token may only read, but something else was asked for; use GET, or sign in.",
            {"Allow": "GET, HEAD"},
        )
    permission = permission_for(request.scope["path"])
    if permission is None:
        raise of_http(HTTPException(404), request)
    if permission.scope is None:
        raise ApiError(
            403, "TOKEN_OUT_OF_SCOPE", "An address for machines is required, but this is a page for people; sign in."
        )
    if permission.scope not in user.scopes:
        raise ApiError(
            403,
            "TOKEN_OUT_OF_SCOPE",
            f"A token with the scope {permission.scope.value} is required, but this one has "
            f"{' and '.join(sorted(user.scopes))}; create another one.",
        )


def _require_role(request: Request, user: User) -> None:
    permission = permission_for(request.scope["path"])
    if permission is None:
        raise of_http(HTTPException(404), request)
    role = permission.role(request.method)
    if role is None:
        raise of_http(HTTPException(405, headers={"Allow": permission.methods}), request)
    if not user.role.includes(role):
        raise ApiError(
            403,
            "ROLE_TOO_LOW",
            f"The role {role.value} is required, but your account has the role {user.role.value}; "
            "ask an administrator of the dashboard.",
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
