"""The page of messages: what was sent, what failed and why, and what to do where there is nothing yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.messages.model import DeliveryOutcome
from telemetry_quality.settings import AlertSettings
from telemetry_quality_tests.dashboard.desk import open_desk
from telemetry_quality_tests.dashboard.pages.twelve_days import page_of
from telemetry_quality_tests.storage.examples import make_delivery

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry_quality_tests.dashboard.desk import Desk

ADDRESS = "/health/messages/"


def test_every_attempt_is_listed_newest_first_with_what_became_of_it_and_why(desk: Desk, tmp_path: Path) -> None:
    own = desk.copy_to(tmp_path)
    try:
        own.store.append_delivery(make_delivery())
        own.store.append_delivery(make_delivery(outcome=DeliveryOutcome.FOLLOWED, title="goes on"))
        own.store.append_delivery(
            make_delivery(outcome=DeliveryOutcome.SENT, attempt=2, reason=None, title="<b>web</b>")
        )
        rows = page_of(own, ADDRESS).one("table").rows()[1:]
    finally:
        own.close()
    assert [row[1:] for row in rows] == [
        ["team", "opened", "✓ sent", "2", "<b>web</b>"],
        ["team", "opened", "✗ failed", "1", "CRITICAL: web fails since 2026-03-10No answer came."],
    ]


def test_where_nothing_was_sent_the_page_says_how_to_begin(tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    try:
        assert "There are no channels." in page_of(desk, ADDRESS).text
        channel = AlertSettings.model_validate({"url": "json://example.org"})
        desk.settings.alerts["team"] = channel
        assert "telemetry-quality alerts test team" in page_of(desk, ADDRESS).text
    finally:
        desk.close()
