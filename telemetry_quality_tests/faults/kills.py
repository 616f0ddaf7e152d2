"""Kills processes at random moments, runs them again, and counts what was lost or came twice.

Run it for long: ``python -m telemetry_quality_tests.faults.kills --kills 25 --store sqlite --store postgresql``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from sqlalchemy import make_url

from telemetry_quality.assembly import utc_now
from telemetry_quality.commands.options import EXIT_NOT_HEALTHY
from telemetry_quality.storage.migrations import migrate
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.faults.kill_hooks import LEASE_SECONDS, MARKER, WEBHOOK
from telemetry_quality_tests.faults.nursery import Nursery, running_nursery
from telemetry_quality_tests.orchestration.station import SETTINGS, Station, make_station
from telemetry_quality_tests.servers import running_postgresql
from telemetry_quality_tests.storage.examples import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

FIRST = date(2026, 2, 1)
DAYS_PER_KILL = 4
BAD = (1, 2)
"""Which of these days have errors."""
LEASE = 2.0
PATIENCE_SECONDS = 300.0
SQLITE = "sqlite:///quality.db"
LINE = re.compile(r"\b(?:CRITICAL|WARNING|INFO) (web) (\d{4}-\d\d-\d\d) (\w+) \[.*?\(revision (\d+)(, attempt \d+)?")
TICK = """
import dagster as dg
from telemetry_quality.definitions import defs
sensor = defs.resolve_sensor_def("alert_sensor")
with dg.DagsterInstance.get() as instance:
    with dg.build_sensor_context(instance=instance, resources=dict(defs.resources)) as context:
        sensor.evaluate_tick(context)
"""
CLI = ("-m", "telemetry_quality")


@dataclass
class Receiver:
    """A webhook that counts what it receives, by path and key."""

    received: Counter[tuple[str, str]] = field(default_factory=Counter)
    url: str = ""

    def at(self, path: str) -> Counter[str]:
        """How often each key was received at a path."""
        return Counter({key: number for (where, key), number in self.received.items() if where == path})

    @contextmanager
    def serving(self) -> Iterator[Receiver]:
        received = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                received[self.path, self.headers["Idempotency-Key"]] += 1
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Log nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            Thread(target=server.serve_forever, daemon=True).start()
            self.url = f"http://127.0.0.1:{server.server_port}/"
            yield self
            server.shutdown()


@dataclass
class Tally:
    """What became of the days and alerts of one store.

    Attributes:
        finished: Processes that ended before they could be killed.
        repeated: Alerts that a channel received again, in a later attempt that says so.
        twice: Alerts that the log holds twice without saying so.
    """

    entrance: str
    store: str
    kills: int = 0
    finished: int = 0
    days: int = 0
    lost_days: int = 0
    doubled_days: int = 0
    alerts: int = 0
    lost_alerts: int = 0
    twice: int = 0
    repeated_in_log: int = 0
    repeated_to_webhook: int = 0
    findings: int = 0

    @property
    def is_right(self) -> bool:
        return not (self.lost_days or self.doubled_days or self.lost_alerts or self.twice or self.findings)


def write_days(station: Station, start: int, count: int) -> list[date]:
    """Write the events of so many days, of which half are bad."""
    days = [FIRST + timedelta(days=start + offset) for offset in range(count)]
    for offset, day in enumerate(days):
        station.write_day(day, errors=20 if offset % DAYS_PER_KILL in BAD else 0)
    return days


class Yard:
    """A stream with bad days, its store, and processes that work on it and are killed."""

    def __init__(  # noqa: PLR0917
        self, folder: Path, store_url: str, receiver: Receiver, nursery: Nursery, seed: int = 0, path: str = ""
    ) -> None:
        self.folder = folder
        self.nursery = nursery
        self.path = path
        self.receiver = receiver
        self.random = random.Random(seed)
        self.station: Station = make_station(folder, days=0)
        (folder / "telemetry.toml").write_text(SETTINGS.format(extra="").replace(SQLITE, store_url), encoding="utf-8")
        self.store_url = self.station.settings.store if store_url == SQLITE else store_url
        self.marker = folder / "at-work"
        self.log = folder / "all.log"
        self.usual_seconds = 1.0
        self.kills = self.finished = self.number = 0
        home = folder / ".dagster"
        home.mkdir(exist_ok=True)
        (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
        self.environment = {
            WEBHOOK: receiver.url + path,
            LEASE_SECONDS: str(LEASE),
            MARKER: str(self.marker),
            "DAGSTER_HOME": str(home),
        }

    @cached_property
    def store(self) -> SqlQualityStore:
        return SqlQualityStore(self.store_url)

    def add_days(self, count: int = DAYS_PER_KILL) -> list[date]:
        days = write_days(self.station, self.number, count)
        self.number += count
        return days

    def judge(self, days: Sequence[date]) -> None:
        """Read and judge days in this process, which dispatches nothing."""
        work = replace(self.station.work, store=self.store)
        list(work.read(days, utc_now()))
        list(work.judge(days, utc_now()))

    @property
    def days(self) -> list[date]:
        return [FIRST + timedelta(days=number) for number in range(self.number)]

    def first_missing(self) -> date:
        known = {snapshot.day for snapshot in self.store.snapshots("web", self.days[0], self.days[-1])}
        return min((day for day in self.days if day not in known), default=self.days[-1])

    def start(self, command: Sequence[str], number: int = 1, **asked_for: str) -> list[int]:
        """Start a command, so many times at once, and wait until it is at work; returns the ids of its processes."""
        self.marker.unlink(missing_ok=True)
        return self.nursery.start(self.folder, command, {**self.environment, **asked_for}, number)

    def finish(self, command: Sequence[str], number: int = 1, **asked_for: str) -> None:
        """Run a command to its end, so many times at once, and notice how long it is at work."""
        self.start(command, number, **asked_for)
        self._wait_for_work()
        began = time.monotonic()
        codes = self.nursery.exit_codes()
        self.usual_seconds = time.monotonic() - began
        assert set(codes) <= {0, EXIT_NOT_HEALTHY if command[: len(CLI)] == CLI else 0}, self.said()

    def kill(self, command: Sequence[str]) -> None:
        """Run a command, and kill it at a random moment of its work."""
        (process,) = self.start(command)
        self._wait_for_work()
        if not self.nursery.has_ended(self.random.uniform(0, self.usual_seconds)):
            os.kill(process, signal.SIGKILL)
        (code,) = self.nursery.exit_codes()
        assert code in {-signal.SIGKILL, 0, EXIT_NOT_HEALTHY}, self.said()
        self.kills += code == -signal.SIGKILL
        self.finished += code != -signal.SIGKILL

    def _wait_for_work(self) -> None:
        while not self.marker.exists():
            assert not self.nursery.has_ended(0.001) or self.marker.exists(), self.said()

    def said(self) -> str:
        """The end of what the processes printed."""
        return self.log.read_text(errors="replace")[-3000:]

    def tally(self, entrance: str) -> Tally:
        """What the store, the log and the receiver hold."""
        doubled = {
            day
            for table in ("day_scan", "integrity_snapshot")
            for day, number in run(self.store_url, f"SELECT day, count(*) FROM {table} GROUP BY day")
            if number > 1
        }
        judged = {snapshot.day for snapshot in self.store.snapshots("web", self.days[0], self.days[-1])}
        failed = self.store.failed_verdicts("web", self.days[0], self.days[-1])
        due = {
            f"web/{day}/{verdict.guardrail}/{revision}"
            for day, revisions in failed.items()
            for revision, verdicts in revisions.items()
            for verdict in verdicts
        }
        assert len({key.split("/")[1] for key in due if "/error_rate/" in key}) >= len(self.days) // 2
        lines = LINE.findall(self.log.read_text(errors="replace"))
        logged = Counter("/".join(parts[:4]) for parts in lines)
        marked = Counter("/".join(parts[:4]) for parts in lines if parts[4])
        received = self.receiver.at(f"/{self.path}")
        return Tally(
            entrance=entrance,
            store=make_url(self.store_url).get_backend_name(),
            kills=self.kills,
            finished=self.finished,
            days=len(self.days),
            lost_days=len(set(self.days) - judged),
            doubled_days=len(doubled),
            alerts=len(due),
            lost_alerts=len(due - logged.keys()) + len(due - received.keys()),
            twice=sum((logged - marked - Counter(due)).values())
            + len(logged.keys() - due)
            + len(received.keys() - due),
            repeated_in_log=logged.total() - len(due),
            repeated_to_webhook=received.total() - len(due),
            findings=len(self.store.verify().findings),
        )


def snapshot(yard: Yard, kills: int) -> None:
    """``snapshot DAY``, killed and run again, for one day after the other."""
    yard.add_days()
    for day in yard.days:
        yard.finish((*CLI, "snapshot", str(day)))
    while yard.kills < kills:
        for day in yard.add_days():
            command = (*CLI, "snapshot", str(day))
            yard.kill(command)
            yard.finish(command)


def backfill(yard: Yard, kills: int) -> None:
    """``backfill FIRST LAST``, killed on a growing range, and run again at the end."""
    _ranges(yard, kills, lambda first, last: (*CLI, "backfill", str(first), str(last)))


def dagster(yard: Yard, kills: int) -> None:
    """A Dagster run over a range of days, killed and run again; then a tick of the sensor."""
    _ranges(yard, kills, _job)
    yard.finish(("-c", TICK))


def dispatch(yard: Yard, kills: int) -> None:
    """A tick of the sensor and ``alerts dispatch`` by turns, on days that nobody dispatched; killed and run again."""
    ways = ((*CLI, "alerts", "dispatch"), ("-c", TICK))
    number = 0
    while yard.kills < kills:
        days = yard.add_days()
        yard.judge(days)
        if number < len(ways):
            yard.finish(ways[number])
        else:
            yard.kill(ways[number % len(ways)])
        number += 1
    time.sleep(LEASE)
    yard.finish(ways[number % len(ways)])


ENTRANCES: dict[str, Callable[[Yard, int], None]] = {
    "snapshot": snapshot,
    "backfill": backfill,
    "dagster": dagster,
    "dispatch": dispatch,
}


WITH_DAGSTER = ("dagster", "dispatch")


def _job(first: date, last: date) -> tuple[str, ...]:
    tags = {
        "dagster/asset_partition_range_start": first.isoformat(),
        "dagster/asset_partition_range_end": last.isoformat(),
    }
    job = ("job", "execute", "-m", "telemetry_quality.definitions", "-j", "web_materialize_day")
    return ("-m", "dagster", *job, "--tags", json.dumps(tags))


def _ranges(yard: Yard, kills: int, command: Callable[[date, date], Sequence[str]]) -> None:
    yard.add_days()
    yard.finish(command(yard.days[0], yard.days[-1]))
    while yard.kills < kills:
        yard.add_days()
        yard.kill(command(yard.first_missing(), yard.days[-1]))
    yard.finish(command(yard.days[0], yard.days[-1]))


def try_kills(entrance: str, store_url: str, kills: int, folder: Path, seed: int) -> Tally:
    """Kill the processes of an entrance so often, and count."""
    with Receiver().serving() as receiver, running_nursery(with_dagster=entrance in WITH_DAGSTER) as nursery:
        yard = Yard(folder, store_url, receiver, nursery, seed)
        ENTRANCES[entrance](yard, kills)
        return yard.tally(entrance)


def main() -> None:
    """Kill for long, and print a line for each entrance and store."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--store", action="append", choices=("sqlite", "postgresql"), required=True)
    parser.add_argument("--entrance", action="append", choices=tuple(ENTRANCES))
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    asked = parser.parse_args()
    sys.stdout.write(f"seed {asked.seed}\n")
    for store in asked.store:
        for entrance in asked.entrance or ENTRANCES:
            with tempfile.TemporaryDirectory() as folder, _new_store(store) as url:
                tally = try_kills(entrance, url, asked.kills, Path(folder), asked.seed)
                sys.stdout.write(json.dumps(asdict(tally)) + "\n")
                sys.stdout.flush()


@contextmanager
def _new_store(kind: str) -> Iterator[str]:
    if kind == "sqlite":
        yield SQLITE
        return
    with running_postgresql() as server:
        url = server.new_database()
        migrate(url)
        yield url


if __name__ == "__main__":
    main()
