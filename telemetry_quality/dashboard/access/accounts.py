"""The page of all accounts: administrators see who may do what and what changed, change roles and disable accounts.

The guard has already checked that an administrator's own form sent each request. Accounts are created, and passwords
are reset, by ``telemetry-quality staff`` only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request  # noqa: TC002 - read by the framework
from starlette.responses import RedirectResponse, Response

from telemetry_quality.dashboard.access.forms import form_fields
from telemetry_quality.dashboard.access.identity import actor_of
from telemetry_quality.dashboard.access.paths import ACCOUNTS
from telemetry_quality.dashboard.api_errors import ApiError, shown
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.rendering import page, render
from telemetry_quality.storage.staff.lookup import Role, account_key

if TYPE_CHECKING:
    from telemetry_quality.dashboard.access.identity import User

router = APIRouter()

UTC_ZONE = ZoneInfo("UTC")


@router.api_route(ACCOUNTS, methods=["GET", "HEAD"])
async def show_accounts(request: Request) -> Response:
    """Show all accounts, including disabled ones, and the last changes."""
    access, user = dashboard_of(request).access, cast("User", request.state.user)
    main = render(
        "accounts.html",
        accounts=await run_in_threadpool(access.staff.accounts),
        last_signed_in=await run_in_threadpool(access.staff.last_signed_in),
        changes=await run_in_threadpool(access.staff.account_changes),
        roles=list(Role),
        own_name=user.account_name,
        csrf_token=user.csrf_token,
        zone=UTC_ZONE,
    )
    return page(request, title="Accounts", main=main, section="accounts")


@router.post(f"{ACCOUNTS}role/")
async def change_role(request: Request) -> Response:
    """Give somebody else another role; it applies to the next request."""
    access, fields = dashboard_of(request).access, await form_fields(request)
    name = _require_other(request, fields)
    role, actor = _role_of(fields.get("role", "")), actor_of(request)
    await run_in_threadpool(access.staff.set_role, name, role, access.clock(), actor=actor)
    return RedirectResponse(ACCOUNTS, 303)


@router.post(f"{ACCOUNTS}disable/")
async def disable_account(request: Request) -> Response:
    """Disable the account of somebody else at once."""
    access, fields = dashboard_of(request).access, await form_fields(request)
    name = _require_other(request, fields)
    await run_in_threadpool(access.staff.disable, name, access.clock(), actor=actor_of(request))
    return RedirectResponse(ACCOUNTS, 303)


def _require_other(request: Request, fields: dict[str, str]) -> str:
    """The account in a form, which must not be the administrator's own: nobody would be left to undo it."""
    name = fields.get("name", "")
    if account_key(name) == request.state.user.account_name:
        raise ApiError(
            422,
            "OWN_ACCOUNT",
            "The account of somebody else is required, but this is your own; ask another administrator, "
            "or use telemetry-quality staff.",
        )
    return name


def _role_of(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        known = ", ".join(Role)
        raise ApiError(
            422, "INVALID_ROLE", f"One of {known} is required, but {shown(text)} was found; choose one."
        ) from None
