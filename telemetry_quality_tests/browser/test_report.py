"""The report as a browser shows it to somebody without network, scripts or an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from telemetry_quality.assembly import make_report, open_store, utc_now
from telemetry_quality_tests.browser.test_accessibility import AXE, ONLY_COLOURS, RUN_AXE
from telemetry_quality_tests.browser.visit import DEVICES, SCREENSHOTS

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

    from telemetry_quality_tests.browser.stage import Stage

pytestmark = pytest.mark.slow


def test_a_report_is_read_offline_without_scripts_on_every_width_and_on_paper(
    browser: Browser, untouched: Stage, tmp_path: Path
) -> None:
    settings = untouched.settings
    long = settings.sources["flights"].model_copy(update={"title": f"flights{'_' * 120}"})
    settings = settings.model_copy(update={"sources": {"flights": long}})
    store = open_store(settings)
    text, _ = make_report(settings, store, list(settings.sources), 30, utc_now())
    store.close()
    file = tmp_path / "report.html"
    file.write_text(text, encoding="utf-8")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    _read_offline(browser, file.as_uri(), "wide", "light")
    _read_offline(browser, file.as_uri(), "phone", "dark")
    context = browser.new_context(viewport={"width": 390, "height": 800})
    context.add_init_script(AXE)
    page = context.new_page()
    page.goto(file.as_uri())
    wide = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    found, window = page.evaluate(wide)
    assert found <= window
    assert page.evaluate(RUN_AXE, {}) == []
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(RUN_AXE, ONLY_COLOURS) == []
    page.set_viewport_size({"width": 700, "height": 1000})
    page.emulate_media(media="print", color_scheme="light")
    found, window = page.evaluate(wide)
    assert found <= window, "wider than a sheet of paper"
    context.close()


def _read_offline(browser: Browser, address: str, device: str, scheme: Literal["light", "dark"]) -> None:
    context = browser.new_context(offline=True, java_script_enabled=False, color_scheme=scheme, **DEVICES[device])
    asked: list[str] = []
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    assert asked == [address]
    assert page.get_by_role("heading", name="Can the telemetry be trusted?").is_visible()
    page.get_by_role("link", name="flights").click()
    assert page.get_by_role("img", name="Errors, percent, 2013-01-22 to 2013-02-20").is_visible()
    page.screenshot(path=SCREENSHOTS / f"report-{device}-{scheme}.png", full_page=True)
    context.close()
