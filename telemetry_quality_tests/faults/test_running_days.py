"""A real Dagster daemon looks at a day that goes on, on a fast clock of its own, and is killed in its middle."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.assembly import open_store
from telemetry_quality_tests.builders import make_events, write_parquet
from telemetry_quality_tests.faults.dagster_dev import DagsterDev, wait_until
from telemetry_quality_tests.orchestration.station import FIRST_DAY, Station, make_station

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.rare]

SPEED = 600
"""An hour takes six seconds."""
HISTORY = 21
TODAY = FIRST_DAY + timedelta(days=HISTORY)
OUTAGE = (9, 10, 11)

DEFINITIONS = """
import time
from datetime import datetime, timedelta
from pathlib import Path

from telemetry_quality.orchestration import running

running.INTERVAL_SECONDS = 2

from telemetry_quality.dagster import build_definitions


def clock():
    begin = datetime.fromisoformat("{begin}")
    return begin + timedelta(seconds={speed} * (time.time() - {began}))


defs = build_definitions(
    Path(__file__).with_name("telemetry.toml"), name_prefix="", clock=clock, automation=None
)
"""
MATERIALIZATIONS = """
{ assetOrError(assetKey: {path: ["web", "current_day"]}) {
    ... on Asset { assetMaterializations { metadataEntries { label ... on IntMetadataEntry { intValue } } } } } }
"""


@dataclass
class Stream:
    """Events that go on being written, an hour at a time, whoever looks."""

    folder: Path
    began: float = field(default_factory=time.time)
    begin: datetime = datetime(TODAY.year, TODAY.month, TODAY.day, 6, tzinfo=UTC)
    written: dict[tuple[date, int], int] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)

    def now(self) -> datetime:
        return self.begin + SPEED * timedelta(seconds=time.time() - self.began)

    def write_on(self) -> None:
        """Write each hour that is over, until the stream ends."""
        while not self._ended.wait(0.2):
            for hour in range(24):
                end = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC) + timedelta(hours=hour + 1)
                if end <= self.now() and (TODAY, hour) not in self.written:
                    self._write(hour)

    def _write(self, hour: int) -> None:
        count = 0 if hour in OUTAGE else 40 + hour
        rows = [
            {**row, "event_id": f"{hour}-{row['event_id']}", "occurred_at": row["occurred_at"].replace(hour=hour)}
            for row in make_events(960, TODAY)[40 * 12 : 40 * 12 + 40]
        ]
        rows += [{**rows[0], "event_id": f"{hour}+{number}"} for number in range(hour)]
        if count:
            unfinished = write_parquet(self.folder / f"hour-{hour}.tmp", rows)
            folder = self.folder / "events" / f"day={TODAY}"
            folder.mkdir(parents=True, exist_ok=True)
            unfinished.rename(folder / f"hour-{hour:02}.parquet")
        self.written[TODAY, hour] = count

    def end(self) -> None:
        self._ended.set()


def _counts(station: Station) -> dict[int, int | None]:
    hours = station.work.store.running_hours("web", TODAY, TODAY).get(TODAY, [])
    return {hour.hour: None if hour.counts is None else hour.counts.events for hour in hours}


def _rows(station: Station, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(station.folder / "quality.db")) as connection:
        return connection.execute(query).fetchall()


def test_a_daemon_that_is_killed_and_started_again_loses_no_hour_and_stores_none_twice(tmp_path: Path) -> None:
    station = make_station(tmp_path, days=0, extra="intraday = true")
    history = [FIRST_DAY + timedelta(days=number) for number in range(HISTORY)]
    for day in history:
        station.write_day(day, events=960)
    list(station.work.read(history, datetime(2026, 6, 1, tzinfo=UTC)))
    list(station.work.judge(history, datetime(2026, 6, 1, tzinfo=UTC)))

    stream, dev = Stream(tmp_path), DagsterDev(tmp_path)
    code = DEFINITIONS.format(begin=stream.begin.isoformat(), speed=SPEED, began=stream.began)
    (tmp_path / "fast.py").write_text(code, encoding="utf-8")
    (tmp_path / "workspace.yaml").write_text("load_from:\n  - python_file: fast.py\n", encoding="utf-8")
    writer = threading.Thread(target=stream.write_on)
    writer.start()
    try:
        dev.start()
        wait_until(lambda: len(_counts(station)) >= 8)
        dev.kill()
        seen = len(_counts(station))
        wait_until(lambda: len(stream.written) >= min(seen + 4, 24))
        dev.start()
        wait_until(lambda: len(_counts(station)) == 24)
        wait_until(lambda: _rows(station, "SELECT guardrail FROM alert"))
        reported = dev.ask(MATERIALIZATIONS)["assetOrError"]["assetMaterializations"]
    finally:
        stream.end()
        writer.join()
        dev.stop()
    assert _counts(station) == {hour: count for (_, hour), count in stream.written.items()}
    assert (
        _rows(station, "SELECT hour FROM running_hour WHERE events IS NOT NULL GROUP BY hour HAVING count(*) > 1") == []
    )
    assert _rows(station, "SELECT guardrail, revision, settlement FROM alert") == [("missing_hours", 0, "dispatched")]
    assert len(reported) >= 2, "every look reports the asset"
    assert open_store(station.settings).verify().findings == ()
