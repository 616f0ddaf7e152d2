"""Addresses of the pages that messages refer to: whoever installed a package has no folder docs."""

from __future__ import annotations

SITE = "https://telemetry-quality.github.io/telemetry-quality/"


def page(name: str) -> str:
    """The address of a page of the documentation.

    Args:
        name: its path below ``docs/`` without ``.md``, such as ``reference/settings``.
    """
    return f"{SITE}{name}.html"
