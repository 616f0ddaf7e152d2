"""A source with two incidents, and another source without any."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from telemetry_quality_tests.dashboard.desk import YESTERDAY, keep, open_desk
from telemetry_quality_tests.dashboard.markup import read

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry_quality_tests.dashboard.desk import Desk
    from telemetry_quality_tests.dashboard.markup import Element

BAD: dict[str, Any] = {"error_events": 120, "error_rate_percent": 12.0}
FIRST = YESTERDAY - timedelta(days=1)
OLD = YESTERDAY - timedelta(days=6)

LIST = "/health/incidents/"
OPEN = f"{LIST}web/{FIRST}/"
CLOSED = f"{LIST}web/{OLD}/"


def open_two_incidents(folder: Path) -> Desk:
    """``web`` with a closed incident of one day and an open incident of two; ``app`` without incidents."""
    desk = open_desk(folder, "web", "app")
    for back in range(9, -1, -1):
        day = YESTERDAY - timedelta(days=back)
        keep(desk.store, day, "web", **(BAD if day in {OLD, FIRST, YESTERDAY} else {}))
        keep(desk.store, day, "app")
    return desk


def main_of(desk: Desk, address: str) -> Element:
    response = desk.ask(address, headers=desk.by_session | {"Accept": "text/html"})
    assert response.status_code == 200, response.text
    return read(response.text).one("main")
