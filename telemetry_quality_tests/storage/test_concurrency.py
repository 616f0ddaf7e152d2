"""Several processes append at once, and one of them is killed: nothing is lost, doubled or half-written."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import DAY, make_row, make_scan, make_snapshot, make_store
from telemetry_quality_tests.storage.examples import SLICES, VERDICTS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

PROCESSES = 4
CUTS = len({(part.dimension, part.by) for part in SLICES})
APPEND = """
import sys
from datetime import timedelta
from telemetry_quality.core.sampling import SampleVerdict
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import DAY, NOW, make_row, make_snapshot
from telemetry_quality_tests.storage.examples import VERDICTS, make_full_scan
from telemetry_quality.core.events import DayAggregates

url, first, days = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
store = SqlQualityStore(url)
aggregates = DayAggregates(tuple(make_row(event_name=f"name {n}", events=n) for n in range(50)))
sample = [SampleVerdict(f"s{n}") for n in range(100)]
print("ready", flush=True)
sys.stdin.readline()
for number in range(first, first + days):
    day = DAY + timedelta(days=number)
    store.append_scan("web", make_full_scan(day, aggregates=aggregates), sample, NOW)
    store.append_snapshot(make_snapshot(day), VERDICTS)
    print(number, flush=True)
"""


class Appender:
    """A process that appends ``days`` days from ``first`` on, as soon as it is asked to."""

    def __init__(self, store_url: str, first: int, days: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", APPEND, store_url, str(first), str(days)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        """The next line it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def finish(self) -> str:
        """Its standard error output."""
        _, errors = self.process.communicate(timeout=60)
        return errors


def append_at_once(store_url: str, ranges: list[tuple[int, int]]) -> None:
    appenders = [Appender(store_url, first, days) for first, days in ranges]
    assert [appender.line() for appender in appenders] == ["ready"] * len(appenders)
    for appender in appenders:
        appender.go()
    assert [appender.finish() for appender in appenders] == [""] * len(appenders)
    assert [appender.process.returncode for appender in appenders] == [0] * len(appenders)


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'quality.db'}"


def test_the_same_day_appended_by_four_processes_at_once_has_one_revision(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    append_at_once(url_of(tmp_path), [(0, 10)] * PROCESSES)
    days = [DAY + timedelta(days=n) for n in range(10)]
    assert {scan.revision for scan in store.latest_scans("web", days).values()} == {1}
    assert [(snapshot.day, snapshot.revision) for snapshot in store.snapshots("web", days[0], days[-1])] == [
        (day, 1) for day in days
    ]
    assert store.slices("web", days[0], days[-1]) == dict.fromkeys(days, SLICES)
    assert store.verdicts("web", days[0], days[-1]) == {day: {1: VERDICTS} for day in days}
    verification = store.verify()
    assert verification.rows == 10 * (1 + 50 + 100 + CUTS + 1 + len(VERDICTS))
    assert not tampering(store)


def test_different_days_appended_by_four_processes_at_once_are_all_there(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    append_at_once(url_of(tmp_path), [(10 * n, 10) for n in range(PROCESSES)])
    days = [DAY + timedelta(days=n) for n in range(10 * PROCESSES)]
    scans = store.scans("web", days[0], days[-1])
    assert [(scan.day, scan.revision, scan.total_events) for scan in scans] == [
        (day, 1, sum(range(50))) for day in days
    ]
    assert store.slices("web", days[0], days[-1]) == dict.fromkeys(days, SLICES)
    assert store.verdicts("web", days[0], days[-1]) == {day: {1: VERDICTS} for day in days}
    assert [snapshot.day for snapshot in store.snapshots("web", days[0], days[-1])] == days
    assert not tampering(store)


def tampering(store: SqlQualityStore) -> list[str]:
    """Findings, except those about the snapshots' made-up scan hash."""
    return [
        finding.sentence for finding in store.verify().findings if not finding.sentence.startswith("The scan behind")
    ]


def test_a_process_killed_while_appending_leaves_a_whole_store_that_can_go_on(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    appender = Appender(url_of(tmp_path), 0, 100_000)
    assert appender.line() == "ready"
    appender.go()
    seen = [appender.line() for _ in range(5)]
    appender.process.send_signal(signal.SIGKILL)
    appender.finish()
    assert appender.process.returncode == -signal.SIGKILL

    assert seen == ["0", "1", "2", "3", "4"]
    assert not tampering(store)
    first_days = [DAY + timedelta(days=n) for n in range(5)]
    assert store.latest_scans("web", first_days).keys() == set(first_days), "what was reported is kept"
    after = DAY - timedelta(days=1)
    assert store.append_scan("web", make_scan(after, make_row()), (), make_snapshot().computed_at).is_new
    assert not tampering(SqlQualityStore(url_of(tmp_path)))
