"""Keeps other sites from acting in a user's name: where a request comes from, and the token of our own forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.dashboard.access.signers import is_same
from telemetry_quality.dashboard.api_errors import ApiError

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

    from telemetry_quality.settings import DashboardSettings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def is_foreign(connection: HTTPConnection, settings: DashboardSettings, *, must_state: bool = False) -> bool:
    """Whether a page of another site sent this, by what browsers say and scripts cannot change.

    Args:
        connection: The request; its ``Host`` was found to be ours before.
        settings: Where the dashboard is.
        must_state: Whether one that does not say where it comes from is foreign too.
    """
    if connection.headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        return True
    origin = connection.headers.get("origin")
    if origin is None:
        return must_state
    scheme = settings.url.partition(":")[0]
    return origin.lower() not in {settings.url.lower(), f"{scheme}://{connection.headers.get('host', '')}".lower()}


def require_csrf_token(expected: str, found: str) -> None:
    """Let only our own forms act.

    Raises:
        ApiError: If the token is missing or another one.
    """
    if not expected or not is_same(expected, found):
        raise ApiError(
            403,
            "CSRF_TOKEN_WRONG",
            "The token of this session's own form is required, but it is missing or another one; "
            "go back, reload the page and try again.",
        )
