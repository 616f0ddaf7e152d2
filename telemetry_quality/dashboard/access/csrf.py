"""Keeps other sites from acting in a user's name: checks a request's origin and the token of the dashboard's forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.dashboard.access.signers import is_same
from telemetry_quality.dashboard.api_errors import ApiError

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

    from telemetry_quality.settings import DashboardSettings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def is_foreign(connection: HTTPConnection, settings: DashboardSettings, *, must_state: bool = False) -> bool:
    """Whether a page of another site sent the request, by headers that browsers set and scripts cannot change.

    Args:
        connection: The request; its ``Host`` has already been checked.
        settings: The dashboard's settings, with its URL.
        must_state: Whether a request that does not state its origin counts as foreign.
    """
    if connection.headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        return True
    origin = connection.headers.get("origin")
    if origin is None:
        return must_state
    scheme = settings.url.partition(":")[0]
    return origin.lower() not in {settings.url.lower(), f"{scheme}://{connection.headers.get('host', '')}".lower()}


def require_csrf_token(expected: str, found: str) -> None:
    """Require the token of the session's own form.

    Raises:
        ApiError: If the token is missing or wrong.
    """
    if not expected or not is_same(expected, found):
        raise ApiError(
            403,
            "CSRF_TOKEN_WRONG",
            "The token of this session's own form is required, but it is missing or wrong; "
            "go back, reload the page and try again.",
        )
