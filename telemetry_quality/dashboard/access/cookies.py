"""The cookies: their names, and flags that protect them from scripts, other sites and unencrypted connections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypedDict
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.responses import Response

    from telemetry_quality.settings import DashboardSettings


class _Flags(TypedDict):
    path: str
    secure: bool
    httponly: bool
    samesite: Literal["lax"]


@dataclass(frozen=True)
class Cookie:
    """A cookie that can be set, read and removed.

    Attributes:
        is_secure: Whether it is sent over HTTPS only. Browsers then let no other host set a ``__Host-`` cookie.
        seconds: How long the browser keeps it.
    """

    name: str
    is_secure: bool
    seconds: int

    def read(self, headers: Headers) -> str | None:
        """The cookie's value; None if it is missing or appears twice, since somebody else set one of the two."""
        values = [value for header in headers.getlist("cookie") for value in _values(header, self.name)]
        return values[0] if len(values) == 1 else None

    def put(self, response: Response, value: str) -> None:
        """Set the cookie to ``value``."""
        response.set_cookie(self.name, value, max_age=self.seconds, **self._flags())

    def remove(self, response: Response) -> None:
        """Delete the cookie."""
        response.delete_cookie(self.name, **self._flags())

    def _flags(self) -> _Flags:
        # Lax, not Strict: somebody who follows a link in an alert must still be signed in.
        return {"path": "/", "secure": self.is_secure, "httponly": True, "samesite": "lax"}


def _values(header: str, name: str) -> list[str]:
    pairs = (part.partition("=") for part in header.split(";"))
    return [value.strip() for found, _, value in pairs if found.strip() == name]


def session_cookie(settings: DashboardSettings) -> Cookie:
    """The cookie that holds the session."""
    return _cookie("tq_session", settings, int(settings.session_hours * 3600))


def form_cookie(settings: DashboardSettings) -> Cookie:
    """The cookie of a browser that was shown a sign-in form: without a session, the form's token is bound to it."""
    return _cookie("tq_sign_in", settings, 24 * 3600)


def oidc_cookie(settings: DashboardSettings) -> Cookie:
    """The cookie that a sign-in at the provider must bring back."""
    return _cookie("tq_oidc", settings, 600)


def known_cookie(settings: DashboardSettings) -> Cookie:
    """The cookie of a browser in which an account has signed in before; the last one, if several have."""
    return _cookie("tq_known", settings, 365 * 24 * 3600)


def _cookie(name: str, settings: DashboardSettings, seconds: int) -> Cookie:
    parts = urlsplit(settings.url)
    is_secure = parts.scheme == "https"
    # Browsers send the cookies of a host to all its ports: two dashboards there must not overwrite each other's.
    own = f"{name}_{parts.port}" if parts.port else name
    return Cookie(f"__Host-{own}" if is_secure else own, is_secure, seconds)
