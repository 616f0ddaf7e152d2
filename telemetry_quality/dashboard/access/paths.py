"""Which paths are open to everybody, which to tokens, and where somebody who signed in may be sent back to."""

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
API = "/api/"

OPEN = frozenset({"/healthz", SIGN_IN, STYLE, OIDC_START, OIDC_CALLBACK})
"""All that a stranger is answered; whole paths, so that nothing opens by being added below one of them."""

NAMELESS = frozenset({"/healthz", STYLE})
"""Of these, what is answered without asking who it is: they work though the accounts cannot be read."""

FOR_TOKENS = frozenset({"/health/incidents.atom", "/health/badge.svg"})
"""What machines may read beside the API."""

# The characters that our own addresses are made of: no scheme, host, backslash or control character fits in.
_RETURN_PATH = re.compile(r"/(?:health|api)/[A-Za-z0-9._~/?=&%+:,@-]{0,2000}", re.ASCII)


def is_open(path: str) -> bool:
    """Whether anybody is answered there."""
    return path in OPEN


def is_for_tokens(path: str) -> bool:
    """Whether a token opens it."""
    return path.startswith(API) or path in FOR_TOKENS


def return_path(wanted: str) -> str:
    """Where to go after signing in: ``wanted`` if it is one of our own paths, else the first page."""
    return wanted if _RETURN_PATH.fullmatch(wanted) and not wanted.startswith(SIGN_IN) else HEALTH


def sign_in_path(path: str = "", query: bytes = b"") -> str:
    """The sign-in page that leads back to ``path``, a decoded one as ASGI shows it."""
    whole = quote(path, safe="/:,@") + (f"?{query.decode('latin-1')}" if query else "")
    wanted = return_path(whole)
    return SIGN_IN if wanted == HEALTH else f"{SIGN_IN}?{urlencode({'next': wanted}, safe='/')}"
