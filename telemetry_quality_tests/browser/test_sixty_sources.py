"""Sixty sources with odd names, titles, states and lengths, on every screen and in both colour schemes.

The screenshots are in artifacts/screenshots.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality import load_settings
from telemetry_quality.assembly import open_store, utc_now
from telemetry_quality.core.metrics import DayFigures
from telemetry_quality.storage.migrations import migrate
from telemetry_quality_tests.browser.stage import Stage, serving
from telemetry_quality_tests.browser.test_accessibility import AXE, RUN_AXE
from telemetry_quality_tests.browser.visit import DEVICES, Visit, sign_in
from telemetry_quality_tests.dashboard.desk import keep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, StorageState

pytestmark = pytest.mark.slow

SOURCES = 60
NAMES = ("x", "web", "a" * 60, "checkout_payments_eu_west_1_kafka_mirror_of_the_mirror", "l2")
TITLES = (
    None,
    "Checkout",
    "Mobile app, every screen and gesture of the second generation, staging",
    "<script>alert(1)</script> & Co",
    "Ереван · продажи",
    "שלום עולם",
    "A_very_long_word_without_any_break_that_nobody_should_ever_use_as_a_title",
)
OWNERS: tuple[list[str], ...] = ([], ["team:data-platform"], ["ada@example.org", "grace@example.org", "team:growth"])
GROUPS = (None, "Web", "Payments and everything that has to do with money")
STATES: tuple[dict[str, Any] | None, ...] = (
    {},
    {},
    {"total_events": 1000, "error_events": 300, "error_rate_percent": 30.0},
    {},
    {"missing_version_events": 30, "missing_version_percent": 3.0},
    {"total_events": 0, "error_events": 0},
    dict.fromkeys(DayFigures.__dataclass_fields__)
    | {"unreadable_reason_code": "FILE_CORRUPT", "unreadable_reason": "The file is cut off."},
    {"total_events": 999_999_999_999},
    None,
)
"""What the last day of a source is like; None for a source that was never judged."""

SOURCE = """
[sources.{name}]
connector = "parquet"
path = "events"
preset = "opentelemetry"
first_day = {first}
owners = {owners}
"""

SCREENS: dict[str, dict[str, Any]] = {
    **DEVICES,
    "1280": {"viewport": {"width": 1280, "height": 800}},
    # A browser zooms to 200 % by halving the width that the page sees.
    "200-percent": {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2},
}


@pytest.fixture(scope="module")
def sixty(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    folder = tmp_path_factory.mktemp("sixty")
    yesterday = utc_now().date() - timedelta(days=1)
    titles, owners, groups, states = cycle(TITLES), cycle(OWNERS), cycle(GROUPS), cycle(STATES)
    tables = ['store = "sqlite:///quality.db"\n']
    last_days = {}
    for number in range(SOURCES):
        name = NAMES[number] if number < len(NAMES) else f"stream_{number}"
        tables.append(SOURCE.format(name=name, first=yesterday - timedelta(days=40), owners=next(owners)))
        for setting, value in (("title", next(titles)), ("group", next(groups))):
            if value is not None:
                tables.append(f"{setting} = '{value}'\n")
        last_days[name] = next(states)
    (folder / "telemetry.toml").write_text("".join(tables), encoding="utf-8")
    settings = load_settings(folder / "telemetry.toml")
    migrate(settings.store)
    store = open_store(settings)
    for number, (name, last) in enumerate(last_days.items()):
        for back in range(6, 0, -1) if last is not None else ():
            keep(store, yesterday - timedelta(days=back), name)
        # Every tenth source is overdue.
        if last is not None and number % 10:
            keep(store, yesterday, name, **last)
    store.close()
    return Stage(folder)


@pytest.fixture(scope="module")
def address(sixty: Stage) -> Iterator[str]:
    with serving(sixty) as found:
        yield found


@pytest.fixture(scope="module")
def signed_in(browser: Browser, address: str, sixty: Stage) -> StorageState:
    context = browser.new_context(base_url=address)
    sign_in(context.new_page(), sixty.add_account("ada"))
    state = context.storage_state()
    context.close()
    return state


def look(window: Visit, name: str) -> None:
    """Look at the overview, filtered and grouped, at the wall, and at the page of the worst source."""
    window.go("/health/")
    assert window.page.locator("tbody th[scope=row]").count() >= SOURCES
    window.shoot(f"sixty-{name}")
    window.go("/health/?q=unhealthy&by=owner")
    assert 0 < window.page.locator(".sources tbody th[scope=row]").count() < SOURCES
    window.shoot(f"sixty-{name}-unhealthy-by-owner")
    window.go("/health/?wall=1")
    window.shoot(f"sixty-{name}-wall")
    window.go("/health/")
    window.page.locator(".sources tbody th[scope=row] a").first.click()
    window.page.wait_for_url("**/health/sources/**")
    window.shoot(f"sixty-{name}-source")


@pytest.mark.rare
@pytest.mark.parametrize(
    ("screen", "scheme"), [("wide", "light"), ("phone", "dark"), ("1280", "dark"), ("200-percent", "light")]
)
def test_sixty_odd_sources_fit_every_screen(
    browser: Browser, address: str, signed_in: StorageState, screen: str, scheme: str
) -> None:
    options: dict[str, Any] = {"base_url": address, "color_scheme": scheme, "storage_state": signed_in}
    window = Visit(browser.new_context(**options, **SCREENS[screen]), f"{screen}-{scheme}")
    look(window, "sources")
    window.go("/health/")
    window.page.evaluate(AXE)
    assert window.page.evaluate(RUN_AXE, {}) == []
    window.context.close()
    assert window.problems == []
