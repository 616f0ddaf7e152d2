"""Signing in by password or at the provider, and signing out."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request  # noqa: TC002 - read by the framework
from starlette.responses import FileResponse, RedirectResponse, Response

from telemetry_quality.dashboard.access import account, accounts
from telemetry_quality.dashboard.access.csrf import require_csrf_token
from telemetry_quality.dashboard.access.forms import form_fields
from telemetry_quality.dashboard.access.identity import address_of
from telemetry_quality.dashboard.access.paths import (
    HEALTH,
    OIDC_CALLBACK,
    OIDC_START,
    SIGN_IN,
    SIGN_OUT,
    STYLE,
    return_path,
)
from telemetry_quality.dashboard.access.signers import csrf_token
from telemetry_quality.dashboard.api_errors import ApiError
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.rendering import TEMPLATES, page, render

if TYPE_CHECKING:
    from telemetry_quality.dashboard.access.oidc import Provider
    from telemetry_quality.dashboard.access.users import Access
    from telemetry_quality.storage.staff.lookup import Account

router = APIRouter(include_in_schema=False)
router.include_router(account.router)
router.include_router(accounts.router)

STYLESHEET = TEMPLATES.with_name("static") / "dashboard.css"


@router.get(SIGN_IN)
async def show_sign_in(request: Request) -> Response:
    """Show the sign-in form; a user who is already signed in is redirected."""
    wanted = return_path(request.query_params.get("next", ""))
    user = request.state.user
    if user is not None and not user.is_token:
        return RedirectResponse(wanted, 303)
    return await _form(request, wanted)


@router.post(SIGN_IN)
async def sign_in(request: Request) -> Response:
    """Sign in with a name and a password."""
    access = dashboard_of(request).access
    fields = await form_fields(request)
    name, wanted = fields.get("name", ""), return_path(fields.get("next", ""))
    try:
        require_csrf_token(_form_token(access, request) or "", fields.get("csrf_token", ""))
        method = await run_in_threadpool(access.password_method, request.headers, name)
        arguments = (name, fields.get("password", ""), address_of(request), method)
        found = await run_in_threadpool(access.try_password, *arguments)
        return await enter(request, found, "password", wanted)
    except ApiError as api_error:
        return await refused(request, api_error, wanted, name)


@router.get(STYLE)
def show_style() -> Response:
    """The stylesheet, at a path that is open to strangers."""
    return FileResponse(STYLESHEET, media_type="text/css", headers={"Cache-Control": "max-age=300"})


@router.get(OIDC_START)
async def start_oidc(request: Request) -> Response:
    """Send the browser to the provider."""
    wanted = return_path(request.query_params.get("next", ""))
    try:
        return await _provider(request).start(request, wanted)
    except ApiError as api_error:
        return await refused(request, api_error, wanted)


@router.get(OIDC_CALLBACK)
async def finish_oidc(request: Request) -> Response:
    """Complete a sign-in when the browser comes back from the provider."""
    provider, access = _provider(request), dashboard_of(request).access
    try:
        found, wanted = await provider.finish(request)
        response = await enter(request, found, "oidc", wanted)
    except ApiError as api_error:
        response = await refused(request, api_error, HEALTH)
    access.oidc_cookie.remove(response)
    return response


@router.post(SIGN_OUT)
async def sign_out(request: Request) -> Response:
    """End this session; the guard has checked that its own form sent the request."""
    access = dashboard_of(request).access
    response = RedirectResponse(SIGN_IN, 303)
    await _end_session(request)
    access.session_cookie.remove(response)
    return response


async def enter(request: Request, found: Account, method: str, wanted: str) -> Response:
    """Start a session for the account ``found`` with a new id, and end the browser's previous session."""
    access = dashboard_of(request).access
    await _end_session(request)
    value = await run_in_threadpool(access.open_session, found, address_of(request), method)
    response = RedirectResponse(wanted, 303)
    access.session_cookie.put(response, value)
    access.known_cookie.put(response, access.remembering(found.name))
    access.form_cookie.remove(response)
    return response


async def refused(request: Request, api_error: ApiError, wanted: str, name: str = "") -> Response:
    """The sign-in form with what was wrong; machines get the common error shape."""
    if "text/html" not in request.headers.get("accept", ""):
        raise api_error
    response = await _form(request, wanted, api_error.sentence, name, api_error.status_code)
    response.headers.update(api_error.headers)
    return response


async def _end_session(request: Request) -> None:
    access = dashboard_of(request).access
    session = await run_in_threadpool(access.session_of, request.headers)
    if session is not None:
        await run_in_threadpool(access.end_session, session, address_of(request))


async def _form(request: Request, wanted: str, wrong: str = "", name: str = "", status_code: int = 200) -> Response:
    access = dashboard_of(request).access
    signed = access.form_cookie.read(request.headers)
    nonce = _form_nonce(access, request)
    if signed is None or nonce is None:
        nonce = secrets.token_urlsafe(32)
        signed = access.signer("form").close(nonce, access.clock() + timedelta(seconds=access.form_cookie.seconds))
    main = render(
        "sign_in.html",
        csrf_token=csrf_token(access.secret, f"form {nonce}"),
        wanted=wanted,
        wrong=wrong,
        account_name=name[:200],
        oidc_button=access.settings.oidc.button if access.settings.oidc else "",
        oidc_path=f"{OIDC_START}?{urlencode({'next': wanted}, safe='/')}",
    )
    response = page(request, title="Sign in", main=main, status_code=status_code)
    access.form_cookie.put(response, signed)
    return response


def _form_nonce(access: Access, request: Request) -> str | None:
    signed = access.form_cookie.read(request.headers)
    return None if signed is None else access.signer("form").open(signed, access.clock())


def _form_token(access: Access, request: Request) -> str | None:
    nonce = _form_nonce(access, request)
    return None if nonce is None else csrf_token(access.secret, f"form {nonce}")


def _provider(request: Request) -> Provider:
    provider = dashboard_of(request).provider
    if provider is None:
        raise ApiError(
            404,
            "NO_PROVIDER",
            "An OpenID Connect provider is required for this, but none is set; sign in with a password.",
        )
    return provider
