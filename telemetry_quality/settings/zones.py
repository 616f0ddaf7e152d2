"""Time zones in settings."""

from __future__ import annotations

from zoneinfo import ZoneInfo


def known_zone(value: str) -> str:
    """``value``, if it is the name of a time zone.

    Raises:
        ValueError: If it is not.
    """
    try:
        ZoneInfo(value)
    except (KeyError, OSError, ValueError):
        raise ValueError("must be an IANA time zone such as UTC or Europe/Berlin") from None
    return value
