"""An open page follows the looks at a running day, and everybody can use what it shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.assembly import utc_now
from telemetry_quality.storage.migrations import migrate
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.browser.stage import Stage, serving
from telemetry_quality_tests.browser.test_accessibility import AXE, ONLY_COLOURS, RUN_AXE
from telemetry_quality_tests.browser.visit import DEVICES, sign_in
from telemetry_quality_tests.dashboard.states import HOURS_MISSING, make_running_hours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from telemetry_quality_tests.browser.visit import Visit

pytestmark = pytest.mark.slow

SETTINGS = """
store = "sqlite:///quality.db"
[sources.web]
connector = "parquet"
path = "events"
preset = "opentelemetry"
first_day = 2026-01-01
intraday = true
"""
SECONDS_AFTER_A_LOOK = 10


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, str]]:
    """A server for a source whose day runs, and its address."""
    folder = tmp_path_factory.mktemp("running")
    (folder / "telemetry.toml").write_text(SETTINGS, encoding="utf-8")
    stage = Stage(folder)
    migrate(stage.settings.store)
    stage.add_account("ada")
    with serving(stage) as address:
        yield stage, address


def test_an_open_page_shows_an_hour_within_seconds_of_its_look(
    visit: Callable[..., Visit], running: tuple[Stage, str]
) -> None:
    stage, address = running
    window = visit(base_url=address)
    window.context.add_init_script(AXE)
    page = window.page
    sign_in(page, "ada")
    page.goto("/health/sources/web/")
    page.evaluate("window.isTheSamePage = true")
    page.locator("#live[data-state=live]").wait_for()
    assert "has been looked at yet" in page.locator(".running").inner_text()

    store, day = SqlQualityStore(stage.settings.store), (utc_now() - timedelta(hours=1)).date()
    hours = make_running_hours(6, day)
    hours[3] = replace(hours[3], counts=None, unreadable_reason_code="GONE", unreadable_reason="It is gone.")
    store.append_running_hours(hours)
    page.locator(".hour.is-fine").nth(4).wait_for(timeout=1000 * SECONDS_AFTER_A_LOOK)
    store.append_running_hours(make_running_hours(7, day, verdicts=(HOURS_MISSING,))[-1:])
    page.locator(".hour.is-failed").wait_for(timeout=1000 * SECONDS_AFTER_A_LOOK)
    store.close()
    assert page.evaluate("window.isTheSamePage === true")
    assert HOURS_MISSING.sentence in page.locator(".running").inner_text()
    assert page.locator(".hour .sign").all_inner_texts()[3:7] == ["?", "", "", "✗"]
    _is_usable(window)


def _is_usable(window: Visit) -> None:
    """The page has no serious mistake by axe-core, and fits a phone."""
    page = window.page
    page.get_by_text("The hours in numbers").click()
    page.locator(".running table").wait_for()
    assert page.evaluate(RUN_AXE, {}) == []
    window.shoot("source-running")
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(RUN_AXE, ONLY_COLOURS) == []
    page.set_viewport_size(DEVICES["phone"]["viewport"])
    assert page.locator(".hour").last.bounding_box()["x"] < DEVICES["phone"]["viewport"]["width"]  # type: ignore[index]
    window.shoot("source-running-narrow")
