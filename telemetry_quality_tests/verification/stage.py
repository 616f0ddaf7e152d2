"""The stage of all measurements: a year of real flights, read, judged and stored, and how time is taken."""

from __future__ import annotations

import shutil
from contextlib import chdir
from datetime import date, timedelta
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from telemetry_quality.assembly import daily_work, utc_now
from telemetry_quality.core.health import TelemetryHealthService
from telemetry_quality.demo import STARTER, write_flights
from telemetry_quality.settings import load_settings
from telemetry_quality.storage.migrations import migrate

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry_quality.core.daily import DailyWork
    from telemetry_quality.settings import Settings

FIRST, LAST = date(2013, 1, 1), date(2013, 12, 31)
SOURCE = "flights"


class Stage:
    """A folder with a year of flights: 336,776 departures in 365 Parquet files, and a store in SQLite.

    The year is read and judged when something first needs it.
    """

    def __init__(self, folder: Path, first: date = FIRST) -> None:
        """Use ``folder``, which is empty; days before ``first`` are not judged."""
        self.folder = folder
        self.first = first

    @cached_property
    def settings(self) -> Settings:
        """The demo's settings, with their files written."""
        file = self.folder / "telemetry.toml"
        shutil.copyfile(STARTER / "demo.toml", file)
        settings = load_settings(file)
        write_flights(Path(settings.sources[SOURCE].location))
        migrate(settings.store)
        return settings

    def prepare(self) -> None:
        """Have the year read and judged."""
        assert self.work

    @cached_property
    def work(self) -> DailyWork:
        """The daily work of the flights, with the whole year done."""
        work = daily_work(self.settings, SOURCE)
        self.digests_before = self.digests()
        now = utc_now()
        for _ in work.read(self.days, now):
            pass
        for _ in work.judge(self.days, now):
            pass
        return work

    @property
    def days(self) -> list[date]:
        """Every day of the year, from the first on."""
        return [self.first + timedelta(days=number) for number in range((LAST - self.first).days + 1)]

    @property
    def service(self) -> TelemetryHealthService:
        """The health service of the flights."""
        return TelemetryHealthService(self.work, utc_now)

    @property
    def store_file(self) -> Path:
        """The file of the store."""
        return Path(self.settings.store.removeprefix("sqlite:///"))

    def digests(self) -> dict[str, str]:
        """The SHA-256 of every file of events."""
        files = Path(self.settings.sources[SOURCE].location).rglob("*.parquet")
        return {str(file): sha256(file.read_bytes()).hexdigest() for file in files}


def times_of(days: list[date], act: Callable[[date], object], folder: Path) -> list[float]:
    """How many milliseconds of real time an action takes for each day, warm."""
    found = []
    with chdir(folder):
        act(days[0])
        for day in days:
            began = perf_counter()
            act(day)
            found.append(1000 * (perf_counter() - began))
    return found
