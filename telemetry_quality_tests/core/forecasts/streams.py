"""A stored stream of whole days with hours, for tests of forecasts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from telemetry_quality.core.days import Calendar
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import make_row, make_scan, make_store, spread

FIRST = date(2026, 1, 5)
"""A Monday."""
BERLIN = ZoneInfo("Europe/Berlin")
CALENDAR = Calendar(BERLIN, FIRST)
WEEK = (1.0, 1.0, 1.1, 1.0, 0.9, 0.5, 0.5)
HOURS = (*[10] * 8, *[80] * 10, *[30] * 6)


def events_of(day: date) -> int:
    """The events of a day, always the same."""
    return sum(hours_of(day))


def hours_of(day: date) -> list[int]:
    """The events of each hour of a day."""
    noise = Random(day.toordinal()).gauss(1, 0.02)
    return [round(events * WEEK[day.weekday()] * noise) for events in HOURS]


def append_day(store: SqlQualityStore, day: date, factor: float = 1.0) -> None:
    """Store the scan of a day, two days after it."""
    rows = [make_row(hour=hour, events=round(factor * events)) for hour, events in enumerate(hours_of(day))]
    aggregated = spread(*rows, critical_fields=()) if factor else make_row(events=0)
    store.append_scan("web", make_scan(day, aggregated), (), now_after(day + timedelta(days=1)))


def stored_stream(folder: Path, days: int) -> SqlQualityStore:
    """A store with so many days of the stream ``web`` from FIRST on: a copy, because appending takes seconds."""
    (folder / "quality.db").write_bytes(_stored_bytes(days))
    return SqlQualityStore(f"sqlite:///{folder / 'quality.db'}")


@cache
def _stored_bytes(days: int) -> bytes:
    with TemporaryDirectory() as folder:
        store = make_store(Path(folder))
        with store.kept_open():
            for n in range(days):
                append_day(store, FIRST + timedelta(days=n))
        store.close()
        return Path(folder, "quality.db").read_bytes()


def now_after(day: date) -> datetime:
    """An instant at which ``day`` is the latest complete one."""
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC) + timedelta(days=1)
