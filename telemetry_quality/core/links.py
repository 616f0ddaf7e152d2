"""Links to the dashboard's pages, for messages, feeds and Dagster, which lead there from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from datetime import date


def day_link(dashboard: str, source: str, day: date) -> str:
    """The page of a day.

    Args:
        dashboard: The dashboard's address, without a path.
        source: The source's name.
        day: The day.
    """
    return f"{dashboard}/health/snapshots/{quote(source)}/{day}/"


def incident_link(dashboard: str, key: str) -> str:
    """The page of the incident with this key, ``web/2026-03-10``."""
    return f"{dashboard}/health/incidents/{quote(key)}/"
