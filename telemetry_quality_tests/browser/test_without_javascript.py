"""Every page works without JavaScript, though it is better with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality_tests.browser.stage import BAD_DAY, LAST_DAY, PASSWORD
from telemetry_quality_tests.browser.visit import fill_in_sign_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry_quality_tests.browser.stage import Stage
    from telemetry_quality_tests.browser.visit import Visit

pytestmark = pytest.mark.slow


def test_everything_can_be_seen_and_done_without_javascript(visit: Callable[..., Visit], stage: Stage) -> None:
    window = visit(java_script_enabled=False)
    page = window.page
    page.goto("/health/")
    fill_in_sign_in(page, stage.add_account("noscript"))
    page.wait_for_url("**/health/")
    assert f"{LAST_DAY} can be trusted" in window.text
    page.locator("main").get_by_role("link", name="flights", exact=True).click()
    page.get_by_text("The numbers behind the charts").click()
    assert page.locator("#daily").get_by_role("link", name=str(BAD_DAY)).is_visible()
    window.shoot("source-without-javascript")
    page.locator(f"a.h-beyond[title^='{BAD_DAY} 15:00']").click()
    assert "Breakdown of 15:00 to 16:00" in window.text

    page.get_by_role("link", name="Snapshots").first.click()
    page.get_by_label("degraded").check()
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url("**status=degraded**")
    degraded = [snapshot for snapshot in stage.snapshots().values() if snapshot.status is DayStatus.DEGRADED]
    assert page.locator("tbody tr").count() == len(degraded) > 0
    page.get_by_role("link", name="Errors %").click()
    page.wait_for_url("**sort=error_rate_percent**")
    assert page.locator("tbody tr").count() == len(degraded)

    page.goto(f"/health/snapshots/flights/{BAD_DAY}/")
    assert "50.75 %" in window.text
    page.get_by_label("Note").fill("the storm of that year")
    page.get_by_role("button", name="Special").click()
    page.wait_for_url(f"**/health/snapshots/flights/{BAD_DAY}/")
    assert "Marked special by noscript" in window.text
    page.get_by_role("button", name="Withdraw").click()
    page.wait_for_url(f"**/health/snapshots/flights/{BAD_DAY}/")
    assert "Nobody has marked this day." in window.text
    page.goto(f"/health/incidents/flights/{BAD_DAY}/")
    page.get_by_label("Note").fill("seen without a script")
    page.get_by_role("button", name="Dismiss").click()
    page.wait_for_url(f"**/health/incidents/flights/{BAD_DAY}/")
    assert "seen without a script" in window.text, "immediately: nothing will bring it later"

    page.get_by_role("link", name="noscript").click()
    page.get_by_label("Purpose").fill("a feed reader")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Create a token").click()
    assert page.locator("#new-token").inner_text().startswith("tq_")
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.wait_for_url("**/health/sign-in/")
