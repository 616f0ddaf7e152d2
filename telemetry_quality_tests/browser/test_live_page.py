"""An open page stays up to date over its socket or by polling, and says when it cannot."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality_tests.browser.stage import LAST_DAY, free_port, serving
from telemetry_quality_tests.browser.visit import sign_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

    from telemetry_quality_tests.browser.stage import Stage
    from telemetry_quality_tests.browser.visit import Visit

pytestmark = pytest.mark.slow

UNTRUSTED = f"{LAST_DAY} cannot be trusted"


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def changing(untouched: Stage, port: int) -> Iterator[str]:
    """A separate server, with a store to which these tests append."""
    untouched.add_account("eve")
    with serving(untouched, port) as address:
        yield address


@pytest.fixture
def open_page(visit: Callable[..., Visit], changing: str) -> Callable[[], Visit]:
    def start() -> Visit:
        window = visit(base_url=changing)
        sign_in(window.page, "eve")
        window.page.evaluate("window.isTheSamePage = true")
        return window

    return start


def _wait_for_state(page: Page, state: str) -> None:
    page.locator(f"#live[data-state={state}]").wait_for()


def _is_the_same_page(page: Page) -> bool:
    return bool(page.evaluate("window.isTheSamePage === true"))


def test_a_new_revision_appears_on_an_open_page_without_losing_its_readers_state(
    open_page: Callable[[], Visit], untouched: Stage
) -> None:
    window = open_page()
    page = window.page
    page.goto("/health/sources/flights/")
    page.evaluate("window.isTheSamePage = true")
    _wait_for_state(page, "live")
    page.get_by_text("The numbers behind the charts").click()
    page.get_by_role("link", name="All incidents of flights").focus()
    page.evaluate("scrollTo(0, 500)")
    untouched.revise(LAST_DAY, errors=450)
    page.get_by_role("heading", name=UNTRUSTED).wait_for()
    assert f"flights {LAST_DAY} is unhealthy" in page.locator("#live").inner_text()
    assert _is_the_same_page(page)
    assert page.locator("details:has(#daily)").get_attribute("open") is not None
    assert page.evaluate("document.activeElement.textContent") == "All incidents of flights"
    assert page.evaluate("scrollY") == 500
    assert page.evaluate("document.querySelectorAll('figure.chart canvas').length") == 4, "drawn again"
    window.shoot("source-updated-live")


def test_what_somebody_is_typing_is_not_lost_to_an_update(open_page: Callable[[], Visit], untouched: Stage) -> None:
    page = open_page().page
    page.goto("/health/snapshots/")
    _wait_for_state(page, "live")
    page.get_by_label("unknown").check()
    page.get_by_label("First day").fill("2013-02-01")
    version = page.locator("html").get_attribute("data-version")
    untouched.revise(LAST_DAY - timedelta(days=1), errors=450)
    page.wait_for_function("(before) => document.documentElement.dataset.version !== before", arg=version)
    assert page.get_by_label("unknown").is_checked()
    assert page.get_by_label("First day").input_value() == "2013-02-01"
    assert page.evaluate("document.activeElement.id") == "first"


def test_without_websockets_the_page_polls_and_says_so(
    visit: Callable[..., Visit], changing: str, untouched: Stage
) -> None:
    window = visit(base_url=changing)
    window.page.route_web_socket("**/health/live/", lambda socket: socket.close())
    window.page.clock.install()
    sign_in(window.page, "eve")
    _wait_for_state(window.page, "polling")
    untouched.revise(LAST_DAY - timedelta(days=2), errors=450)
    version = window.page.locator("html").get_attribute("data-version")
    window.page.clock.fast_forward("00:40")
    window.page.wait_for_function("(before) => document.documentElement.dataset.version !== before", arg=version)
    assert "Polling every 30 seconds" in window.page.locator("#live").inner_text()
    window.shoot("dashboard-polling")


def test_a_page_whose_session_was_ended_elsewhere_no_longer_shows_anything(
    visit: Callable[..., Visit], changing: str, untouched: Stage
) -> None:
    window = visit(base_url=changing)
    sign_in(window.page, untouched.add_account("gone"))
    _wait_for_state(window.page, "live")
    untouched.disable("gone")
    window.page.wait_for_url("**/health/sign-in/**")
    assert "flights" not in window.page.inner_text("body")


def test_a_page_that_lost_its_server_says_since_when_and_recovers_automatically(
    visit: Callable[..., Visit], untouched: Stage
) -> None:
    port = free_port()
    window = visit("phone", "dark", base_url=f"http://127.0.0.1:{port}")
    page = window.page
    with serving(untouched, port):
        sign_in(page, "eve")
        page.evaluate("window.isTheSamePage = true")
        _wait_for_state(page, "live")
    _wait_for_state(page, "lost")
    assert "Connection lost since" in page.locator("#live").inner_text()
    assert str(LAST_DAY) in window.text, "what was there stays"
    window.shoot("dashboard-connection-lost")
    untouched.revise(LAST_DAY - timedelta(days=3), errors=450)
    with serving(untouched, port):
        _wait_for_state(page, "live")
        page.wait_for_function("() => document.getElementById('live').textContent.includes('updated')")
        assert _is_the_same_page(page)
        page.close()
    window.forgive("ERR_CONNECTION_REFUSED")
    window.problems = [problem for problem in window.problems if "WebSocket connection" not in problem]
