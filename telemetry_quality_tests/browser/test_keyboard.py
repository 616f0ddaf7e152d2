"""From the list of incidents to a decision without a mouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telemetry_quality_tests.browser.stage import BAD_DAY

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page, StorageState

    from telemetry_quality_tests.browser.visit import Visit

pytestmark = pytest.mark.slow

INCIDENTS = "/health/incidents/"


def test_single_keys_lead_from_the_list_of_incidents_to_an_accepted_incident(
    visit: Callable[..., Visit], session: StorageState
) -> None:
    window = visit(storage_state=session)
    page = window.page
    window.go(INCIDENTS)
    links = page.locator("tbody th a").all_inner_texts()
    _press(page, "j", "k", "j")
    assert _focused(page) == links[1], "k stops at the first row"
    _press(page, "a")
    page.wait_for_url(f"**{INCIDENTS}flights/{links[1]}/#accept")
    assert _focused(page) == "Accept"
    assert "accepted it" not in window.text, "Enter accepts, not the key"
    _press(page, "]")
    page.wait_for_url(f"**{INCIDENTS}flights/{links[2]}/")
    _press(page, "[")
    page.wait_for_url(f"**{INCIDENTS}flights/{links[1]}/")
    page.get_by_label("Note").focus()
    page.keyboard.type("ja?/")
    assert page.get_by_label("Note").input_value() == "ja?/", "in a field, keys are letters"
    _press(page, "Escape", "a", "Enter")
    page.get_by_text("accepted it").first.wait_for()
    assert page.locator("blockquote").first.inner_text() == "ja?/", "the newest comes first"


def test_the_keys_are_explained_lead_to_filters_and_other_days_and_can_be_switched_off(
    visit: Callable[..., Visit], session: StorageState
) -> None:
    window = visit(storage_state=session)
    page = window.page
    window.go(f"/health/snapshots/flights/{BAD_DAY}/")
    _press(page, "a")
    assert _focused(page) == "Mark as accepted"
    _press(page, "]")
    page.wait_for_url("**/health/snapshots/flights/2013-02-09/")
    window.go(INCIDENTS)
    _press(page, "/")
    assert page.evaluate("document.activeElement.closest('form').className").startswith("filters")
    _press(page, "Escape", "?")
    dialog = page.get_by_role("dialog", name="Keys")
    assert "the next row" in dialog.inner_text()
    window.shoot("keys")
    _press(page, "j", "Shift+Tab", "Space", "Escape")
    assert dialog.count() == 0
    page.reload()
    _press(page, "?", "j")
    assert dialog.count() == 0
    assert page.evaluate("document.activeElement.localName") == "body", "dictation software types letters"
    page.get_by_role("button", name="Keys").click()
    assert not dialog.get_by_role("checkbox").is_checked(), "the way back"


def _press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def _focused(page: Page) -> str:
    text: str = page.evaluate("document.activeElement.textContent.trim()")
    return text
