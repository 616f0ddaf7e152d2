"""The cookies: their names, and flags that keep scripts, other sites and unencrypted ways from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypedDict

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
    """One cookie as it is set, read and removed.

    Attributes:
        is_secure: Whether it travels encrypted only. Browsers then let no other host set a ``__Host-`` one.
        seconds: How long the browser keeps it.
    """

    name: str
    is_secure: bool
    seconds: int

    def read(self, headers: Headers) -> str | None:
        """Its value, None where it is missing or stands there twice: one of the two is somebody else's."""
        values = [value for header in headers.getlist("cookie") for value in _values(header, self.name)]
        return values[0] if len(values) == 1 else None

    def put(self, response: Response, value: str) -> None:
        """Let the browser keep ``value``."""
        response.set_cookie(self.name, value, max_age=self.seconds, **self._flags())

    def remove(self, response: Response) -> None:
        """Let the browser forget it."""
        response.delete_cookie(self.name, **self._flags())

    def _flags(self) -> _Flags:
        # Lax, not Strict: whoever follows a link in an alert is still signed in.
        return {"path": "/", "secure": self.is_secure, "httponly": True, "samesite": "lax"}


def _values(header: str, name: str) -> list[str]:
    pairs = (part.partition("=") for part in header.split(";"))
    return [value.strip() for found, _, value in pairs if found.strip() == name]


def session_cookie(settings: DashboardSettings) -> Cookie:
    """Who is signed in."""
    return _cookie("tq_session", settings, int(settings.session_hours * 3600))


def form_cookie(settings: DashboardSettings) -> Cookie:
    """Which browser was shown a sign-in form: before there is a session, the form's token belongs to this."""
    return _cookie("tq_sign_in", settings, 24 * 3600)


def oidc_cookie(settings: DashboardSettings) -> Cookie:
    """What a sign-in at the provider must come back to."""
    return _cookie("tq_oidc", settings, 600)


def _cookie(name: str, settings: DashboardSettings, seconds: int) -> Cookie:
    is_secure = settings.url.startswith("https://")
    return Cookie(f"__Host-{name}" if is_secure else name, is_secure, seconds)
