"""The daily walk through the dashboard, on a desktop and on a phone, in light and dark mode."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from telemetry_quality_tests.browser.stage import BAD_DAY, LAST_DAY
from telemetry_quality_tests.browser.visit import DEVICES, SCHEMES, fill_in_sign_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from playwright.sync_api import StorageState

    from telemetry_quality_tests.browser.stage import Stage
    from telemetry_quality_tests.browser.visit import Visit

pytestmark = pytest.mark.slow

LOG_OF_UNHEALTHY_DAYS = "/health/snapshots/?status=unhealthy"


RARE_WALKS = {("wide", "dark"), ("phone", "light")}
"""What the other two walks show too: each device and each scheme."""


@pytest.mark.parametrize(
    ("device", "scheme"),
    [pytest.param(*walk, marks=[pytest.mark.rare] * (walk in RARE_WALKS)) for walk in product(DEVICES, SCHEMES)],
)
def test_staff_sign_in_see_which_day_cannot_be_trusted_and_why_decide_and_sign_out(
    visit: Callable[..., Visit], stage: Stage, device: str, scheme: str
) -> None:
    window = visit(device, scheme)
    name = stage.add_account(f"{device}.{scheme}")
    _sign_in(window, name)
    _find_the_bad_day(window)
    _read_the_bad_day(window, stage)
    _decide(window, name)
    _look_at_the_dashboard(window)
    _find_the_hour_and_the_segment(window)
    window.page.get_by_role("link", name=name).click()
    window.page.get_by_role("heading", name="Where you are signed in").wait_for()
    window.shoot("account")
    _sign_out(window)


def _sign_in(window: Visit, name: str) -> None:
    window.go(LOG_OF_UNHEALTHY_DAYS)
    assert urlsplit(window.page.url).path == "/health/sign-in/"
    window.shoot("sign-in")
    fill_in_sign_in(window.page, name, "a narrow river, quickly")
    window.page.get_by_role("alert").wait_for()
    window.forgive("403 ")
    window.shoot("sign-in-refused")
    fill_in_sign_in(window.page, name)
    window.page.wait_for_url(f"**{LOG_OF_UNHEALTHY_DAYS}")


def _find_the_bad_day(window: Visit) -> None:
    """Filter the log, sort it, and follow the worst day."""
    page = window.page
    page.get_by_role("link", name="Clear").click()
    page.wait_for_url("**/health/snapshots/")
    window.shoot("snapshots")
    page.get_by_label("unhealthy").check()
    page.get_by_label("First day").fill("2013-02-01")
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url("**status=unhealthy**")
    page.get_by_role("link", name="Errors %").click()
    page.wait_for_url("**sort=error_rate_percent**")
    asked = parse_qs(urlsplit(page.url).query)
    assert (asked["status"], asked["first"]) == (["unhealthy"], ["2013-02-01"]), "sorting keeps the filter"
    rows = page.locator("tbody tr").all_inner_texts()
    assert [row.split()[1] for row in rows] == ["2013-02-09", "2013-02-08", "2013-02-11"]
    assert all("unhealthy" in row for row in rows)
    window.shoot("snapshots-filtered")
    page.get_by_role("link", name=str(BAD_DAY)).click()
    page.wait_for_url(f"**/health/snapshots/flights/{BAD_DAY}/")


def _read_the_bad_day(window: Visit, stage: Stage) -> None:
    passed = stage.snapshots()[BAD_DAY].sampling_success_rate_percent
    assert "50.75 %" in window.page.locator("section.verdict").inner_text(), "first of all, what is wrong"
    for words in (
        "50.75 % of 930 events are errors (472), more than the 5 % allowed.",
        "17.31 % of 930 events carry no version (161), more than the 1 % allowed.",
        "between 14:00 and 24:00",
        f"{passed:.0f} of 100 sampled events pass",
    ):
        assert words in window.text, words
    window.shoot("day-2013-02-08")


def _decide(window: Visit, name: str) -> None:
    page = window.page
    page.locator("main").get_by_role("link", name=str(BAD_DAY), exact=True).click()
    page.wait_for_url(f"**/health/incidents/flights/{BAD_DAY}/")
    page.get_by_label("Note").fill(f"Nemo, the blizzard <b>{name}</b>")
    page.get_by_role("button", name="Acknowledge").click()
    page.get_by_text(f"Nemo, the blizzard <b>{name}</b>").wait_for()
    assert f"{name} acknowledged it" in window.text
    window.shoot("incident")
    page.get_by_role("link", name="Incidents").first.click()
    page.wait_for_url("**/health/incidents/")
    assert "2013-02-08" in window.text
    window.shoot("incidents")


def _look_at_the_dashboard(window: Visit) -> None:
    page = window.page
    page.get_by_role("link", name="Health").first.click()
    page.wait_for_url("**/health/")
    assert str(LAST_DAY) in page.locator("h1").inner_text()
    page.locator("#live[data-state=live]").wait_for()
    window.shoot("dashboard")
    page.locator("main").get_by_role("link", name="flights", exact=True).click()
    page.wait_for_url("**/health/sources/flights/")
    page.wait_for_function("() => document.querySelectorAll('figure.chart canvas').length === 4")
    window.shoot("source")


def _find_the_hour_and_the_segment(window: Visit) -> None:
    """From the page of a source in two clicks: the square of an hour, then the segment."""
    page = window.page
    page.locator(f"a.h-beyond[title^='{BAD_DAY} 15:00']").click()
    page.wait_for_url(f"**/health/snapshots/flights/{BAD_DAY}/?hour=15#aggregates")
    heading = page.locator("#aggregates")
    assert heading.inner_text() == "Breakdown of 15:00 to 16:00"
    assert heading.bounding_box() is not None
    page.get_by_role("link", name="departure.EWR").click()
    page.wait_for_url("**?hour=15&by=event_name&value=departure.EWR#aggregates")
    assert heading.inner_text() == "Breakdown of signal departure.EWR, 15:00 to 16:00"
    window.shoot("day-cut-to-an-hour-and-a-signal")


def _sign_out(window: Visit) -> None:
    page = window.page
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.wait_for_url("**/health/sign-in/")
    page.go_back()
    page.get_by_label("Password").wait_for()
    assert "signed in" not in page.inner_text("body"), "the account page does not come back"


def test_every_other_page_has_a_screenshot_and_no_problems(visit: Callable[..., Visit], session: StorageState) -> None:
    for device in DEVICES:
        window = visit(device, storage_state=session)
        for name, path, status in (
            ("day-healthy", f"/health/snapshots/flights/{LAST_DAY}/", 200),
            ("snapshots-none", "/health/snapshots/?first=2013-02-19&status=unknown", 200),
            ("incidents-none", "/health/incidents/?is_open=true", 200),
            ("no-such-day", "/health/snapshots/flights/2012-01-01/", 404),
            ("wrong-parameter", "/health/snapshots/?sort=colour", 422),
        ):
            window.go(path, status)
            window.shoot(name)


CUT = """() => [...document.querySelectorAll(".scroll")].filter((box) => box.scrollWidth > box.clientWidth)
  .map((box) => `${box.getAttribute("aria-label")}: ${box.scrollWidth} of ${box.clientWidth}`)"""


@pytest.mark.parametrize("width", [1280, 1440, 1920])
@pytest.mark.parametrize("day", [BAD_DAY, LAST_DAY])
def test_no_number_of_a_day_is_cut_on_a_desk(
    visit: Callable[..., Visit], session: StorageState, day: date, width: int
) -> None:
    window = visit(storage_state=session)
    window.page.set_viewport_size({"width": width, "height": 900})
    window.go(f"/health/snapshots/flights/{day}/")
    assert window.page.evaluate(CUT) == []


def test_pages_show_the_store_without_event_files_and_without_dagster(
    visit: Callable[..., Visit], stage: Stage, session: StorageState
) -> None:
    """The whole walk relies on it; this test says so."""
    assert sorted(path.name for path in stage.folder.iterdir() if path.is_dir()) == []
    window = visit(storage_state=session)
    window.go("/health/")
    assert f"{LAST_DAY} can be trusted" in window.text
    window.go(f"/health/snapshots/flights/{BAD_DAY}/")
    assert "50.75 %" in window.text
