"""The account page: a user's own sessions, tokens and password.

The guard has already checked that a form of this session sent each request.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request  # noqa: TC002 - read by the framework
from starlette.responses import RedirectResponse, Response

from telemetry_quality.dashboard.access.forms import form_fields
from telemetry_quality.dashboard.access.identity import actor_of, address_of
from telemetry_quality.dashboard.access.passwords import MINIMUM_LENGTH, require_good_password
from telemetry_quality.dashboard.access.paths import ACCOUNT, SIGN_IN
from telemetry_quality.dashboard.api_errors import ApiError
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.rendering import page, render
from telemetry_quality.errors import RequestError
from telemetry_quality.storage.staff.tokens import MOST_TOKEN_DAYS, Scope, fingerprint, new_token

if TYPE_CHECKING:
    from telemetry_quality.dashboard.access.users import Access
    from telemetry_quality.storage.staff.lookup import Account
    from telemetry_quality.storage.staff.sessions import Session

router = APIRouter()

UTC_ZONE = ZoneInfo("UTC")

FRESH = timedelta(minutes=10)
"""How long after a sign-in at the provider an account without a password may create tokens."""

DONE = {
    "password": "Your password has been changed, and all your other sessions have ended.",
    "revoked": "The token has been revoked; requests that use it are refused from now on.",
}
"""The confirmations a page may show, by the ``done`` parameter of its address."""


@router.api_route(ACCOUNT, methods=["GET", "HEAD"])
async def show_account(request: Request) -> Response:
    """Show the user's own sessions, tokens and password form."""
    return await _page(request, done=DONE.get(request.query_params.get("done", ""), ""))


@router.post(f"{ACCOUNT}tokens/")
async def add_token(request: Request) -> Response:
    """Create a token and show it once."""
    access, session = _who(request)
    fields = await form_fields(request)
    text = new_token()
    try:
        await _require_presence(request, access, session, fields.get("current", ""))
        scopes = [scope for scope in Scope if f"scope_{scope.value}" in fields]
        days = _number(fields.get("days", ""))
        arguments = (session.account.id, fields.get("label", ""), fingerprint(text), access.clock(), days)
        await run_in_threadpool(access.staff.add_token, *arguments, scopes=scopes, actor=actor_of(request))
    except (RequestError, ApiError) as error:
        status_code = error.status_code if isinstance(error, ApiError) else 422
        return await _page(request, wrong=str(error), wrong_in="token", status_code=status_code)
    return await _page(request, new_token=text)


@router.post(f"{ACCOUNT}tokens/{{token_id}}/revoke/")
async def revoke_token(request: Request, token_id: int) -> Response:
    """Revoke one of the user's own tokens."""
    access, session = _who(request)
    arguments = (token_id, session.account.id, access.clock())
    is_done = await run_in_threadpool(access.staff.revoke_token, *arguments, actor=actor_of(request))
    if not is_done:
        raise ApiError(
            404,
            "NO_SUCH_TOKEN",
            f"An unrevoked token of your account is required, but there is no such token with number {token_id}; "
            "see your account's page.",
        )
    return RedirectResponse(f"{ACCOUNT}?done=revoked", 303)


@router.post(f"{ACCOUNT}password/")
async def change_password(request: Request) -> Response:
    """Change the password of a user who knows the current one; all sessions end, and this browser gets a new one."""
    access, session = _who(request)
    name, address = session.account.name, address_of(request)
    fields = await form_fields(request)
    try:
        _require_new_password(fields, name)
        account = await _try_password(request, access, name, fields.get("current", ""))
        hashed = await run_in_threadpool(access.hashed, fields["new"])
        await run_in_threadpool(access.staff.set_password, name, hashed, access.clock(), actor=actor_of(request))
        value = await run_in_threadpool(access.open_session, account, address, session.method)
    except (RequestError, ApiError) as error:
        status_code = error.status_code if isinstance(error, ApiError) else 422
        return await _page(request, wrong=str(error), wrong_in="password", status_code=status_code)
    response = RedirectResponse(f"{ACCOUNT}?done=password", 303)
    access.session_cookie.put(response, value)
    return response


@router.post(f"{ACCOUNT}sign-out-everywhere/")
async def sign_out_everywhere(request: Request) -> Response:
    """End all sessions of the user, including this one."""
    access, session = _who(request)
    await run_in_threadpool(access.end_session, session, address_of(request))
    await run_in_threadpool(access.staff.end_sessions, session.account.id, access.clock())
    response = RedirectResponse(SIGN_IN, 303)
    access.session_cookie.remove(response)
    return response


def _who(request: Request) -> tuple[Access, Session]:
    """The session of the request, which may have ended since the guard checked it.

    Raises:
        ApiError: If it has.
    """
    access = dashboard_of(request).access
    session = access.session_of(request.headers)
    if session is None:
        raise ApiError(401, "SIGN_IN_REQUIRED", f"A session is required, but yours has ended; sign in at {SIGN_IN}.")
    return access, session


async def _try_password(request: Request, access: Access, name: str, password: str) -> Account:
    method = await run_in_threadpool(access.password_method, request.headers, name)
    return await run_in_threadpool(access.try_password, name, password, address_of(request), method)


async def _require_presence(request: Request, access: Access, session: Session, password: str) -> None:
    """Require that the account's owner sits at the browser: a token outlives the session that creates it.

    Raises:
        ApiError: If the password is wrong, or, without one, the sign-in at the provider is not fresh.
    """
    if session.account.password_hash is not None:
        await _try_password(request, access, session.account.name, password)
    elif access.clock() - session.created_at > FRESH:
        minutes = FRESH // timedelta(minutes=1)
        raise ApiError(
            403,
            "SIGN_IN_NOT_FRESH",
            f"A sign-in of the last {minutes} minutes is required to create a token, but yours is older; "
            "sign out and in again.",
        )


def _number(text: str) -> int:
    """The number of days in a form; what is no number is 0, which no token may have."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0


def _require_new_password(fields: dict[str, str], name: str) -> None:
    if fields.get("new", "") != fields.get("again", ""):
        raise RequestError("The new password must be entered twice, but the two entries differ; enter it again.")
    require_good_password(fields.get("new", ""), name)


async def _page(
    request: Request,
    *,
    done: str = "",
    wrong: str = "",
    wrong_in: str = "",
    new_token: str = "",
    status_code: int = 200,
) -> Response:
    access, session = _who(request)
    now = access.clock()
    main = render(
        "account.html",
        account=session.account,
        session=session,
        sessions=await run_in_threadpool(access.sessions_of, session.account),
        tokens=[
            token for token in await run_in_threadpool(access.staff.tokens, session.account.id) if not token.revoked_at
        ],
        csrf_token=request.state.user.csrf_token,
        now=now,
        zone=UTC_ZONE,
        done=done,
        wrong=wrong,
        wrong_in=wrong_in,
        new_token=new_token,
        most_days=MOST_TOKEN_DAYS,
        minimum_length=MINIMUM_LENGTH,
        url=access.settings.url,
    )
    return page(request, title="Your account", main=main, status_code=status_code, section="account")
