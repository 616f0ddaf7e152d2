"""Takes the README's pictures of real data: every flight that left New York in 2013, as one source and by airport.

``make pictures`` runs the demo for the whole year, judges the days of each airport, serves the dashboard and Dagster's
UI, and writes docs/images. It takes some minutes and needs Debian's ``chromium``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import duckdb
from playwright.sync_api import sync_playwright

from telemetry_quality import load_settings
from telemetry_quality.assembly import daily_work, utc_now
from telemetry_quality.core.days import days_between
from telemetry_quality_tests.browser.conftest import CHROMIUM_ARGUMENTS
from telemetry_quality_tests.browser.stage import ROOT, STARTER, Stage, serving
from telemetry_quality_tests.browser.visit import sign_in
from telemetry_quality_tests.faults.dagster_dev import running_dagster_dev

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Browser, ViewportSize

IMAGES = ROOT / "docs" / "images"
AIRPORTS = ("EWR", "JFK", "LGA")
BAD_DAY = "2013-12-10"
WINDOW: ViewportSize = {"width": 1440, "height": 900}


@dataclass(frozen=True)
class Picture:
    """A page of the dashboard, or a part of it, and the file that shows it.

    Attributes:
        part: A selector; the whole window if empty.
    """

    file: str
    path: str
    part: str = ""


PICTURES = (
    Picture("overview.png", "/health/"),
    Picture("hours.png", f"/health/snapshots/flights/{BAD_DAY}/", "section:has(table.heat-map)"),
)

DAGSTER_PAGE = "/assets/flights/integrity_snapshot?view=checks&checkDetail=error_rate"


def main() -> None:
    with TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        prepare(folder)
        executable = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)
        IMAGES.mkdir(exist_ok=True)
        take_dashboard(browser, Stage(folder), PICTURES)
        take_dagster(browser, folder)
        browser.close()


def prepare(folder: Path) -> None:
    """The demo's year, and the same flights once more by airport."""
    text = STARTER.read_text(encoding="utf-8")
    head, _, source = text.partition("[sources.flights]")
    airports = (
        f"[sources.{name.lower()}]{source}".replace("sources.flights", f"sources.{name.lower()}").replace(
            "data/flights", f"data/{name}"
        )
        for name in AIRPORTS
    )
    (folder / "telemetry.toml").write_text("\n".join((head, f"[sources.flights]{source}", *airports)), encoding="utf-8")
    command = [sys.executable, "-m", "telemetry_quality", "demo", "--no-serve", "--days", "365"]
    subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    settings = load_settings(folder / "telemetry.toml")
    for name in AIRPORTS:
        write_airport(folder / "data", name)
        work = daily_work(settings, name.lower())
        days = list(days_between(work.calendar.first_day, work.calendar.latest_day(utc_now())))
        list(work.read(days, utc_now()))
        list(work.judge(days, utc_now()))


def write_airport(data: Path, name: str) -> None:
    """The flights that left one airport, a file per day."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        events = connection.read_parquet(str(data / "flights" / "*" / "*.parquet"), hive_partitioning=True)
        is_here = duckdb.ColumnExpression("event_name") == duckdb.ConstantExpression(f"departure.{name}")
        events.filter(is_here).to_parquet(str(data / name), partition_by=["day"], compression="zstd")


def take_dashboard(browser: Browser, stage: Stage, pictures: Sequence[Picture]) -> None:
    """The dashboard's pages, as somebody sees them who has signed in."""
    with serving(stage) as address:
        context = browser.new_context(base_url=address, viewport=WINDOW)
        page = context.new_page()
        sign_in(page, stage.add_account("ada"))
        for picture in pictures:
            page.goto(picture.path)
            page.wait_for_load_state("networkidle")
            shown = page.locator(picture.part).first if picture.part else page
            shown.screenshot(path=IMAGES / picture.file)
        context.close()


def take_dagster(browser: Browser, folder: Path) -> None:
    """Dagster's page of a guardrail."""
    with running_dagster_dev(folder) as server:
        page = browser.new_page(viewport=WINDOW)
        page.goto(f"{server.address}{DAGSTER_PAGE}")
        page.get_by_text("Execution history").wait_for()
        # The asset has a tab of this name too.
        page.get_by_role("tab", name="Partitions").nth(1).click()
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(5000)
        page.screenshot(path=IMAGES / "dagster-checks.png")


if __name__ == "__main__":
    main()
