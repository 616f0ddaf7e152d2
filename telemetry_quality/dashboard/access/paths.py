"""Which paths are open to everybody, and where a user may be sent after signing in."""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode

HEALTH = "/health/"
SIGN_IN = "/health/sign-in/"
STYLE = "/health/sign-in/style.css"
OIDC_START = "/health/sign-in/oidc/"
OIDC_CALLBACK = "/health/sign-in/oidc/callback/"
SIGN_OUT = "/health/sign-out/"
ACCOUNT = "/health/account/"
ACCOUNTS = "/health/accounts/"
API = "/api/"

OPEN = frozenset({"/healthz", SIGN_IN, STYLE, OIDC_START, OIDC_CALLBACK})
"""All paths open to strangers; whole paths, so that nothing added below them is open by accident."""

NAMELESS = frozenset({"/healthz", STYLE})
"""The open paths that need no user and therefore work even if the accounts cannot be read."""

# The characters of the dashboard's own addresses: no scheme, host, backslash or control character matches.
_RETURN_PATH = re.compile(r"/(?:health|api)/[A-Za-z0-9._~/?=&%+:,@-]{0,2000}", re.ASCII)


def is_open(path: str) -> bool:
    """Whether the path is open to everybody."""
    return path in OPEN


def return_path(wanted: str) -> str:
    """Where to go after signing in: ``wanted`` if it is a path of the dashboard, otherwise the first page."""
    return wanted if _RETURN_PATH.fullmatch(wanted) and not wanted.startswith(SIGN_IN) else HEALTH


def sign_in_path(path: str = "", query: bytes = b"") -> str:
    """The address of the sign-in page that leads back to ``path``, which is decoded, as in ASGI."""
    address = quote(path, safe="/:,@") + (f"?{query.decode('latin-1')}" if query else "")
    wanted = return_path(address)
    return SIGN_IN if wanted == HEALTH else f"{SIGN_IN}?{urlencode({'next': wanted}, safe='/')}"
