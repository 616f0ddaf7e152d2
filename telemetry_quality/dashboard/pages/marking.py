"""Marking a day: the part of its page that shows what people say about it, and the form to say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from telemetry_quality.core.marks import LONGEST_NOTE, Mark, mark_days
from telemetry_quality.dashboard.api import require_watched
from telemetry_quality.dashboard.api_errors import ApiError, shown
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.pages.questions import note_of, source_and_day
from telemetry_quality.dashboard.rendering import render, user_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from markupsafe import Markup
    from starlette.requests import Request
    from starlette.responses import Response

    from telemetry_quality.dashboard.access.identity import User
    from telemetry_quality.dashboard.context import Dashboard
    from telemetry_quality.dashboard.state import DashboardState

UNMARK = "unmark"
"""What the form sends to withdraw a mark."""


def mark_section(state: DashboardState, source: str, day: date, user: User | None) -> Markup:
    """What somebody said about the day, and the form to say it, rendered for each user because it belongs to one."""
    return render(
        "mark.html",
        source=source,
        day=day,
        marked=state.mark(source, day),
        marks=list(Mark),
        user=user,
        longest_note=LONGEST_NOTE,
    )


async def mark(request: Request) -> Response:
    """Store what somebody says about the day, and redirect to it."""
    form = await request.form()
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    return await run_in_threadpool(_mark, request, fields)


def _mark(request: Request, fields: dict[str, str]) -> Response:
    dashboard, user = dashboard_of(request), user_of(request)
    if user is None or user.is_token:
        raise ApiError(403, "SIGN_IN_REQUIRED", "Only somebody who is signed in can mark a day; sign in.")
    source, day = source_and_day(request)
    store_mark(dashboard, user, source, (day, day), fields)
    dashboard.keeper.expect_update()
    return RedirectResponse(f"/health/snapshots/{source}/{day}/", 303)


def store_mark(
    dashboard: Dashboard, user: User, source: str, days: tuple[date, date], fields: Mapping[str, str]
) -> None:
    """Store what the user says about the days, from the first to the last, in a form's fields ``mark`` and ``note``."""
    require_watched(dashboard, source)
    said = mark_days(
        source,
        days,
        _mark_of(fields.get("mark", "")),
        user.account_name,
        dashboard.clock(),
        note=note_of(fields.get("note", "")),
    )
    dashboard.action_store.append_marked_days(said)


def _mark_of(text: str) -> Mark | None:
    if text == UNMARK:
        return None
    try:
        return Mark(text)
    except ValueError:
        known = ", ".join([*Mark, UNMARK])
        raise ApiError(
            422, "INVALID_MARK", f"One of {known} is required, but {shown(text)} was found; choose one."
        ) from None
