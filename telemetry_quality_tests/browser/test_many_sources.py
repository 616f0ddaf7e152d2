"""The first page with several sources: filter, groups and wall, on a desk, on a phone and without JavaScript."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.assembly import utc_now
from telemetry_quality.storage.migrations import migrate
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.browser.stage import Stage, serving
from telemetry_quality_tests.browser.test_accessibility import AXE, ONLY_COLOURS, RUN_AXE
from telemetry_quality_tests.browser.visit import DEVICES, sign_in
from telemetry_quality_tests.dashboard.desk import keep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

    from telemetry_quality_tests.browser.visit import Visit

pytestmark = pytest.mark.slow

SOURCE = """
[sources.{name}]
connector = "parquet"
path = "events"
preset = "opentelemetry"
first_day = 2026-01-01
owners = ["team:{team}"]
{more}
"""
SOURCES = {
    "clicks": ("web", 'group = "Shop"'),
    "mobile-app": ("mobile", 'title = "Mobile app for Android and iOS, every screen and gesture of the second one"'),
    "orders": ("web", 'title = "Заказы & <b>orders</b>"'),
    "payments-with-a-name-that-is-as-long-as-names-can-reasonably-be": ("payments", 'group = "Shop"'),
    "late": ("web", ""),
}
SECONDS_AFTER_A_SNAPSHOT = 10
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, str]]:
    """A server for five sources, of which one is bad and one is late, and its address."""
    folder = tmp_path_factory.mktemp("many")
    sources = (SOURCE.format(name=name, team=team, more=more) for name, (team, more) in SOURCES.items())
    (folder / "telemetry.toml").write_text('store = "sqlite:///quality.db"\n' + "".join(sources), encoding="utf-8")
    stage = Stage(folder)
    migrate(stage.settings.store)
    stage.add_account("ada")
    store, yesterday = SqlQualityStore(stage.settings.store), utc_now().date() - timedelta(days=1)
    for name in SOURCES:
        for back in range(3 if name == "late" else 0, 8):
            bad = {"error_events": 120, "error_rate_percent": 12.0} if (name, back) == ("clicks", 0) else {}
            keep(store, yesterday - timedelta(days=back), name, **bad)
    store.close()
    with serving(stage) as address:
        yield stage, address


def names(page: Page) -> list[str]:
    """The sources that can be seen, by the addresses of their pages."""
    links = page.locator('.sources th[scope="row"] a:visible').all()
    return [str(link.get_attribute("href")).split("/")[3] for link in links]


def test_one_look_finds_the_bad_source_and_a_wall_follows_the_store(
    visit: Callable[..., Visit], many: tuple[Stage, str]
) -> None:
    stage, address = many
    window = visit(base_url=address)
    window.context.add_init_script(AXE)
    page = window.page
    sign_in(page, "ada")
    page.locator("#live[data-state=live]").wait_for()
    assert names(page)[:2] == ["clicks", "late"]
    _is_usable(window, "overview")
    page.keyboard.press("/")
    page.keyboard.type("team:WEB healthy ЗАКАЗЫ")
    assert names(page) == ["orders"]
    assert page.locator("#shown").inner_text() == "1 of 5 sources"
    page.keyboard.press("Enter")
    page.wait_for_url("**q=team*")
    assert names(page) == ["orders"]

    page.goto("/health/?by=group&wall=1")
    page.evaluate("window.isTheSamePage = true")
    page.locator("#live[data-state=live]").wait_for()
    assert page.locator("header").count() == 0
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight"), "it fits the screen"
    _is_usable(window, "wall")
    store = SqlQualityStore(stage.settings.store)
    keep(store, utc_now().date() - timedelta(days=1), "orders", error_events=500, error_rate_percent=50.0)
    store.close()
    page.get_by_text("2 of 5 sources cannot be trusted").wait_for(timeout=1000 * SECONDS_AFTER_A_SNAPSHOT)
    assert page.evaluate("window.isTheSamePage === true")


def _is_usable(window: Visit, name: str) -> None:
    """The page has no serious mistake by axe-core, and nothing beside the screen, be it narrow or twice as large."""
    page = window.page
    for scheme, rules in (("light", {}), ("dark", ONLY_COLOURS)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert page.evaluate(RUN_AXE, rules) == []
        window.shoot(f"{name}-many-{scheme}")
    wide = page.viewport_size
    for size in ({"width": 1280, "height": 800}, {"width": 640, "height": 400}, DEVICES["phone"]["viewport"]):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        assert page.evaluate(OVERFLOW) <= 0, size
    window.shoot(f"{name}-many-narrow")
    assert wide
    page.set_viewport_size(wide)


def test_without_javascript_the_form_filters_and_a_wall_loads_itself_again(
    visit: Callable[..., Visit], many: tuple[Stage, str]
) -> None:
    window = visit(base_url=many[1], java_script_enabled=False)
    page = window.page
    sign_in(page, "ada")
    page.get_by_label("Title, owner, group or state").fill("shop unhealthy")
    page.get_by_label("Group by").select_option("owner")
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url("**q=shop*")
    assert names(page) == ["clicks"]
    assert page.get_by_role("rowheader", name="team:web 0 of 1 can be trusted").is_visible()
    page.get_by_role("button", name="On a wall").click()
    page.wait_for_url("**wall=1*")
    assert page.locator(".tile").count() == 1
    assert page.locator("meta[http-equiv=refresh]").get_attribute("content") == "60"
