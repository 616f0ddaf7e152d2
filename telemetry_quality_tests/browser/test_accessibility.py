"""Everybody can use every page: checked with axe-core, by keyboard alone, and with reduced motion."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality_tests.browser.stage import BAD_DAY

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import StorageState

    from telemetry_quality_tests.browser.visit import Visit

pytestmark = pytest.mark.slow

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")

PAGES = {
    "/health/": 200,
    "/health/sources/flights/": 200,
    "/health/sources/flights/hours/?measure=errors": 200,
    "/health/sources/flights/versions/?left=A320-232&right=EMB-145LR": 200,
    "/health/snapshots/": 200,
    "/health/snapshots/?status=unknown": 200,
    f"/health/snapshots/flights/{BAD_DAY}/?hour=15": 200,
    "/health/incidents/": 200,
    f"/health/incidents/flights/{BAD_DAY}/": 200,
    "/health/forecast/": 200,
    "/health/messages/": 200,
    "/health/account/": 200,
    "/health/snapshots/flights/2012-01-01/": 404,
}

# The rows of a table are alike: the first ones are enough, since axe would take seconds for all.
RUN_AXE = """async (rules) => {
  const context = { exclude: ["tbody tr:nth-child(n + 6)", "details code:nth-of-type(n + 6)"] };
  const found = await axe.run(context, { resultTypes: ["violations"], ...rules });
  return found.violations
    .filter((one) => ["serious", "critical"].includes(one.impact))
    .map((one) => [one.id, one.nodes.map((node) => node.target.join(" ")).slice(0, 5), one.nodes[0].failureSummary]);
}"""
ONLY_COLOURS: dict[str, Any] = {"runOnly": ["cat.color"]}

RECORD_FOCUS = """
window.focused = [];
addEventListener("focusin", ({ target }) => {
  const style = getComputedStyle(target);
  const isRinged = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
  const box = target.getBoundingClientRect();
  window.focused.push([target, isRinged || style.boxShadow !== "none", box.width > 0 && box.height > 0]);
});
"""
REACHABLE = """() => [...document.querySelectorAll(
  "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }) && one.tabIndex >= 0 && !one.disabled)"""


@pytest.mark.parametrize("path", PAGES)
def test_axe_core_finds_nothing_serious(visit: Callable[..., Visit], session: StorageState, path: str) -> None:
    window = visit(storage_state=session)
    window.context.add_init_script(AXE)
    _find_nothing(window, path, PAGES[path])


def test_axe_core_finds_nothing_serious_on_the_sign_in_page_nor_on_a_phone(
    visit: Callable[..., Visit], session: StorageState
) -> None:
    stranger, phone = visit("phone"), visit("phone", storage_state=session)
    for window, path in ((stranger, "/health/sign-in/"), (phone, "/health/")):
        window.context.add_init_script(AXE)
        _find_nothing(window, path)


def _find_nothing(window: Visit, path: str, status: int = 200) -> None:
    window.go(path, status)
    for details in window.page.locator("details").all():
        details.evaluate("(one) => { one.open = true; }")
    assert window.page.evaluate(RUN_AXE, {}) == []
    window.page.emulate_media(color_scheme="dark")
    assert window.page.evaluate(RUN_AXE, ONLY_COLOURS) == []


@pytest.mark.parametrize(
    "path", ["/health/sources/flights/", "/health/snapshots/", f"/health/incidents/flights/{BAD_DAY}/"]
)
def test_a_keyboard_reaches_everything_and_shows_where_it_is(
    visit: Callable[..., Visit], session: StorageState, path: str
) -> None:
    window = visit(storage_state=session)
    window.context.add_init_script(RECORD_FOCUS)
    window.go(path)
    count = window.page.evaluate(f"({REACHABLE})().length")
    assert count > 10
    # A date field has several stops.
    for _ in range(count + 20):
        window.page.keyboard.press("Tab")
    found = window.page.evaluate(
        f"""() => {{
          const name = (one) => `${{one.localName}} ${{one.textContent.trim().slice(0, 40)}} ${{one.name ?? ""}}`;
          const reached = new Set(window.focused.map(([one]) => one));
          return {{
            missed: ({REACHABLE})().filter((one) => !reached.has(one)).map(name),
            unseen: window.focused.filter(([, ringed, sized]) => !ringed || !sized).map(([one]) => name(one)),
            first: name(window.focused[0][0]),
          }};
        }}"""
    )
    assert found["missed"] == []
    assert found["unseen"] == []
    assert "Skip to the content" in found["first"]


def test_the_skip_link_leads_past_the_navigation(visit: Callable[..., Visit], session: StorageState) -> None:
    window = visit(storage_state=session)
    window.go("/health/")
    window.page.keyboard.press("Tab")
    assert window.page.get_by_role("link", name="Skip to the content").is_visible()
    window.page.keyboard.press("Enter")
    window.page.keyboard.press("Tab")
    assert window.page.evaluate("document.getElementById('main').contains(document.activeElement)")


def test_nothing_moves_for_people_who_prefer_reduced_motion(visit: Callable[..., Visit], session: StorageState) -> None:
    window = visit(storage_state=session, reduced_motion="reduce")
    for path in ("/health/", "/health/snapshots/"):
        window.go(path)
        moving = window.page.evaluate(
            """() => [...document.querySelectorAll("*")].filter((one) => {
              const style = getComputedStyle(one);
              const seconds = `${style.transitionDuration}, ${style.animationDuration}`.split(", ").map(parseFloat);
              return Math.max(...seconds) > 0.01 || style.scrollBehavior === "smooth";
            }).map((one) => one.outerHTML.slice(0, 80))"""
        )
        assert moving == []
        assert window.page.evaluate("document.getAnimations().length") == 0
