"""Clipping: texts of events come from whoever can send one, so none is kept longer than anybody would read.

A longer text becomes its first characters and a hash of the whole, so that different texts stay different. Sources clip
in SQL (``sources/clipping.py``), before they group, so that a long text is never sorted, returned or stored.
"""

from __future__ import annotations

from hashlib import md5

LONGEST_TEXT = 200
"""Characters of a name, version, id or dimension value that are kept."""

ELLIPSIS = "…"

HASH_DIGITS = 16


def clipped(text: str) -> str:
    """``text``, or what every engine makes of it if it is too long."""
    if len(text) <= LONGEST_TEXT:
        return text
    # MD5 tells texts apart on every engine; nothing is protected by it.
    whole = md5(text.encode(errors="surrogatepass"), usedforsecurity=False).hexdigest()
    return f"{text[:LONGEST_TEXT]}{ELLIPSIS}{whole[:HASH_DIGITS]}"


def is_clipped(text: str | None) -> bool:
    """Whether a text that a source returned was clipped."""
    return text is not None and len(text) > LONGEST_TEXT
