"""The dashboard for browser tests: a store of 51 real days of flights, served by the command that users type."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

from telemetry_quality import load_settings
from telemetry_quality.assembly import daily_work, utc_now
from telemetry_quality.core.events import SampledEvent
from telemetry_quality.dashboard.access.passwords import hash_password
from telemetry_quality.storage.migrations import migrate
from telemetry_quality.storage.staff.lookup import Role
from telemetry_quality.storage.staff.store import StaffStore
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import FakeSource, make_row, make_scan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry_quality import Settings
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot

ROOT = Path(__file__).parents[2]
STARTER = ROOT / "telemetry_quality" / "starter" / "demo.toml"
FIRST_DAY, LAST_DAY = date(2013, 1, 1), date(2013, 2, 20)
BAD_DAY = date(2013, 2, 8)
"""The blizzard of February 2013: more than half of the flights were cancelled."""

PASSWORD = "a broad river, slowly"
PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Stage:
    """A folder as ``telemetry-quality demo`` leaves it, with a calendar that ends on LAST_DAY."""

    folder: Path

    @property
    def settings(self) -> Settings:
        return load_settings(self.folder / "telemetry.toml")

    def snapshots(self) -> dict[date, TelemetryIntegritySnapshot]:
        """The snapshot of every day; which events were sampled, and how many passed, depends on chance."""
        store = SqlQualityStore(self.settings.store)
        try:
            return {snapshot.day: snapshot for snapshot in store.snapshots("flights", FIRST_DAY, LAST_DAY)}
        finally:
            store.close()

    def add_account(self, name: str) -> str:
        """Create an account for ``name`` with PASSWORD."""
        staff = StaffStore(self.settings.store)
        staff.add_account(name, _password_hash(), utc_now(), Role.OPERATOR)
        staff.close()
        return name

    def disable(self, name: str) -> None:
        staff = StaffStore(self.settings.store)
        staff.disable(name, utc_now())
        staff.close()

    def revise(self, day: date, *, events: int = 900, errors: int = 0) -> None:
        """Judge ``day`` again after its events have changed."""
        row = make_row(event_name="departure.JFK", service_version="A320-232", events=events, errors=errors)
        sample = [SampledEvent(str(number), row.event_name, row.service_version) for number in range(100)]
        scan = make_scan(day, row, sample=sample)
        work = replace(daily_work(self.settings, "flights"), source=FakeSource({day: scan}))
        list(work.read([day], utc_now()))
        assert all(judgement.is_new for judgement in work.judge([day], utc_now()))

    def copy_to(self, folder: Path) -> Stage:
        """Copy the store to another folder, to be changed freely; it must not be open."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return Stage(folder)


@cache
def _password_hash() -> str:
    return hash_password(PASSWORD)


def prepare(folder: Path) -> Stage:
    """Read and judge the days, then delete the event files: pages must need neither them nor Dagster."""
    from telemetry_quality.demo import write_flights  # noqa: PLC0415 - imports Dagster

    text = STARTER.read_text(encoding="utf-8")
    assert "last_day = 2013-12-31" in text
    text = text.replace("last_day = 2013-12-31", f"last_day = {LAST_DAY}")
    (folder / "telemetry.toml").write_text(text, encoding="utf-8")
    stage = Stage(folder)
    write_flights(Path(stage.settings.sources["flights"].location))
    migrate(stage.settings.store)
    work = daily_work(stage.settings, "flights")
    days = [FIRST_DAY + timedelta(days=number) for number in range((LAST_DAY - FIRST_DAY).days + 1)]
    list(work.read(days, utc_now()))
    list(work.judge(days, utc_now()))
    shutil.rmtree(folder / "data")
    return stage


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(stage: Stage, port: int | None = None) -> Iterator[str]:
    """Serve the dashboard of ``stage`` in its own process; yields its address."""
    port = port or free_port()
    command = [sys.executable, "-m", "telemetry_quality", "dashboard", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    log = stage.folder / "dashboard.log"
    with log.open("ab") as output:
        server = subprocess.Popen(command, cwd=stage.folder, env=environment, stdout=output, stderr=output)
    try:
        wait_for(f"http://127.0.0.1:{port}/healthz", server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a server answers at ``address``; shows its log if it does not."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urlopen(address, timeout=5):
                return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise AssertionError(f"The server did not start:\n{log.read_text()}")
