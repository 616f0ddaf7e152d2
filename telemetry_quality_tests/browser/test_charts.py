"""Charts lead to their days, and say what their axis is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telemetry_quality_tests.browser.stage import LAST_DAY

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page, StorageState

    from telemetry_quality_tests.browser.visit import Visit

pytestmark = pytest.mark.slow

EVENTS = "figure[data-chart=events]"
ALL_SHOW_THE_LAST_DAY = """(day) => {
  const legends = [...document.querySelectorAll(".u-legend")].map((legend) => legend.textContent);
  return legends.length === 4 && legends.every((text) => text.includes(day) && !text.includes("–"));
}"""
SMALL_COUNT = """() => {
  const row = document.querySelector("#daily tbody").rows[3];
  row.cells[2].textContent = "4";
  document.dispatchEvent(new Event("health:replaced"));
}"""


def test_a_point_opens_its_day_and_counts_of_very_different_size_get_a_logarithmic_axis(
    visit: Callable[..., Visit], session: StorageState
) -> None:
    window = visit(storage_state=session)
    page = window.page
    window.go("/health/sources/flights/?days=7")
    page.locator(f"{EVENTS} canvas").wait_for()
    assert not page.locator(f"{EVENTS}[data-log]").count()
    page.evaluate(SMALL_COUNT)
    assert page.locator(f"{EVENTS}[data-log]").count()
    assert not page.locator("figure[data-chart=errors][data-log]").count()
    page.get_by_role("link", name="30 days").click()
    page.wait_for_url("**?days=30#charts")
    page.locator(f"{EVENTS} canvas").wait_for()
    window.shoot("charts")
    _click_at(page, 0.999, is_clicked=False)
    page.mouse.move(1, 1)
    page.wait_for_function(ALL_SHOW_THE_LAST_DAY, arg=str(LAST_DAY))
    _click_at(page, 0.999)
    page.wait_for_url(f"**/health/snapshots/flights/{LAST_DAY}/")


def _click_at(page: Page, part: float, *, is_clicked: bool = True) -> None:
    """Point at, or click, this far from the left edge of the chart of events."""
    over = page.locator(f"{EVENTS} .u-over")
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * part / 2, box["y"] + 20)
    page.mouse.move(box["x"] + box["width"] * part, box["y"] + 20)
    if is_clicked:
        page.mouse.down()
        page.mouse.up()
