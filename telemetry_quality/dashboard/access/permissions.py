"""Who may do what: every address that takes a session or a token.

What is not declared here is refused to everybody, so that an address that is added later is closed until somebody
decides who may use it. ``paths.OPEN`` lists what is open to strangers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from telemetry_quality.storage.staff.lookup import Role
from telemetry_quality.storage.staff.tokens import Scope


@dataclass(frozen=True, slots=True)
class Permission:
    """Who may use an address.

    Attributes:
        get: The least role that may read it; None if it cannot be read.
        post: The least role that may send a form to it; None if it takes none.
        scope: The scope with which a token may read it; None if it is for people only.
    """

    get: Role | None = Role.VIEWER
    post: Role | None = None
    scope: Scope | None = None

    def role(self, method: str) -> Role | None:
        """The least role for a method; None if nobody may use it."""
        return {"GET": self.get, "HEAD": self.get, "POST": self.post}.get(method)

    @property
    def methods(self) -> str:
        """The methods that somebody may use, as in the header ``Allow``."""
        return ", ".join(method for method in ("GET", "HEAD", "POST") if self.role(method) is not None)


_PEOPLE = Permission()
_OWN_FORM = Permission(get=None, post=Role.VIEWER)
_DECISION = Permission(get=None, post=Role.OPERATOR)
_ACCOUNTS_FORM = Permission(get=None, post=Role.ADMIN)
_JSON = Permission(scope=Scope.JSON)
_EXPORT = Permission(scope=Scope.EXPORTS)
_METRICS = Permission(scope=Scope.METRICS)

PERMISSIONS = {
    "/": _PEOPLE,
    "/health/": _PEOPLE,
    "/health/sources/{source}/": _PEOPLE,
    "/health/snapshots/": _PEOPLE,
    "/health/snapshots/{source}/{day}/": _PEOPLE,
    "/health/snapshots/{source}/{day}/marks/": _DECISION,
    "/health/snapshots.csv": _EXPORT,
    "/health/snapshots.parquet": _EXPORT,
    "/health/days.csv": _EXPORT,
    "/health/days.parquet": _EXPORT,
    "/health/sources/{source}/hours/": _PEOPLE,
    "/health/sources/{source}/versions/": _PEOPLE,
    "/health/incidents/": _PEOPLE,
    "/health/incidents/{source}/{name}/": _PEOPLE,
    "/health/incidents/{source}/{name}/actions/": _DECISION,
    "/health/forecast/": _PEOPLE,
    "/health/messages/": _PEOPLE,
    "/health/incidents.atom": _JSON,
    "/health/badge.svg": _JSON,
    "/health/live/": _PEOPLE,
    "/health/static/{path}": _PEOPLE,
    "/health/account/": _PEOPLE,
    "/health/account/password/": _OWN_FORM,
    "/health/account/tokens/": _OWN_FORM,
    "/health/account/tokens/{token_id}/revoke/": _OWN_FORM,
    "/health/account/sign-out-everywhere/": _OWN_FORM,
    "/health/accounts/": Permission(get=Role.ADMIN),
    "/health/accounts/role/": _ACCOUNTS_FORM,
    "/health/accounts/disable/": _ACCOUNTS_FORM,
    "/health/sign-out/": _OWN_FORM,
    "/api/health/summary/": _JSON,
    "/api/health/live/": _JSON,
    "/api/health/snapshots/": _JSON,
    "/api/health/snapshots/{source}/{day}/": _JSON,
    "/api/health/incidents/": _JSON,
    "/api/health/forecast/": _JSON,
    "/api/health/version/": _JSON,
    "/api/health/openapi.json": _JSON,
    "/metrics": _METRICS,
}
"""The permission of each address; braces stand for one part of a path, and at its end for all the rest."""


def _pattern(template: str) -> re.Pattern[str]:
    whole = template.replace("{path}", "(.+)")
    return re.compile(re.sub(r"{\w+}", "[^/]+", whole))


_PATTERNS = tuple((_pattern(path), path) for path in PERMISSIONS if "{" in path)


def address_of_path(path: str) -> str | None:
    """The address in PERMISSIONS that a path belongs to, also if it only lacks the slash at its end."""
    for wanted in (path, f"{path}/"):
        if wanted in PERMISSIONS:
            return wanted
        for pattern, address in _PATTERNS:
            if pattern.fullmatch(wanted):
                return address
    return None


def permission_for(path: str) -> Permission | None:
    """The permission of a path; None if nobody may use it."""
    address = address_of_path(path)
    return None if address is None else PERMISSIONS[address]
