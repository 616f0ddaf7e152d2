"""From a check on Dagster's own pages to the hour that broke: three clicks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from telemetry_quality.dagster import build_definitions
from telemetry_quality.orchestration.schedules import RANGE_END_TAG, RANGE_START_TAG
from telemetry_quality.settings import CONFIG_VARIABLE
from telemetry_quality_tests.browser.stage import BAD_DAY, ROOT, free_port, wait_for
from telemetry_quality_tests.browser.visit import DEVICES, SCREENSHOTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, StorageState

    from telemetry_quality_tests.browser.stage import Stage

pytestmark = [pytest.mark.slow, pytest.mark.rare]


def _check(stage: Stage, dashboard: str) -> None:
    """Run the guardrails on the stored snapshot of BAD_DAY, as Dagster does."""
    address = stage.settings.dashboard.model_copy(update={"url": dashboard})
    settings = stage.settings.model_copy(update={"dashboard": address})
    job = build_definitions(settings, name_prefix="").resolve_job_def("flights_recheck_day")
    with dg.DagsterInstance.get() as instance:
        assert job.execute_in_process(
            instance=instance,
            tags={RANGE_START_TAG: BAD_DAY.isoformat(), RANGE_END_TAG: BAD_DAY.isoformat()},
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        ).success


@contextmanager
def _dagster(home: Path, stage: Stage) -> Iterator[str]:
    """Dagster's web server on that home; yields its address."""
    port = free_port()
    command = [sys.executable, "-m", "dagster_webserver", "-m", "telemetry_quality.definitions", "-p", str(port)]
    file = str(stage.folder / "telemetry.toml")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), CONFIG_VARIABLE: file}
    log = home / "webserver.log"
    with log.open("ab") as output:
        server = subprocess.Popen([*command, "--read-only"], cwd=home, env=environment, stdout=output, stderr=output)
    try:
        wait_for(f"http://127.0.0.1:{port}/server_info", server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Dagster's home."""
    shutil.copyfile(ROOT / "dagster.yaml", tmp_path / "dagster.yaml")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    return tmp_path


def test_three_clicks_lead_from_a_check_in_dagster_to_the_hour_that_broke(
    browser: Browser, stage: Stage, server: str, session: StorageState, home: Path
) -> None:
    # Dagster runs an event loop, and Playwright has one in this thread.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(_check, stage, server).result()
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with browser.new_context(storage_state=session, **DEVICES["wide"]) as context, _dagster(home, stage) as address:
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.goto(f"{address}/assets/flights/integrity_snapshot?view=checks")
        page.get_by_text("error_rate", exact=True).first.click()
        link = page.get_by_role("link", name=f"{server}/health/snapshots/flights/{BAD_DAY}/")
        link.wait_for()
        page.screenshot(path=SCREENSHOTS / "dagster-check.png")
        with context.expect_page() as opened:
            link.click()
        day = opened.value
        day.locator(f"a.h-beyond[href*='{BAD_DAY}/?hour=16']").click()
        day.get_by_role("heading", name="Breakdown of 16:00 to 17:00").wait_for()
        day.screenshot(path=SCREENSHOTS / "dagster-hour.png", full_page=True)
