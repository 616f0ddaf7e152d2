"""Runs everything for long on days that take seconds, breaks something now and then, and measures what grows.

Run it with ``make soak MINUTES=10``. Dagster's web server is asked what the schedule of late days would run at the
simulated time, and launches that, since Dagster's own schedules follow the real clock. So does the dashboard, whose
sessions would last for seconds otherwise. Processes are killed in the first half only, so that those of the second
half live long enough to show whether they grow.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from socket import create_connection
from typing import TYPE_CHECKING, Any

from telemetry_quality.commands.options import EXIT_HEALTHY, EXIT_NOT_HEALTHY, EXIT_UNKNOWN
from telemetry_quality.settings import load_settings
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import migrated_store
from telemetry_quality_tests.faults.dagster_dev import PATIENCE_SECONDS, ROOT, DagsterDev
from telemetry_quality_tests.faults.soak_dashboard import SoakedDashboard
from telemetry_quality_tests.faults.soak_measures import Limits, Measures, report_of_responses, size_of
from telemetry_quality_tests.faults.soak_outcome import Written, what_went_wrong
from telemetry_quality_tests.orchestration.station import SETTINGS, Station

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from socket import socket

CLOCK = Path(__file__).with_name("soak_clock")
DAY = timedelta(days=1)
EXTRA = "last_day = {last}\nlate_days = 60"
DAYS_AHEAD = 3
EVENTS, ERRORS = 200, 40
BAD_EVERY = 3
"""Every third day has many errors."""
LOCK_SECONDS = 4.0
SILENT_SOCKETS, SILENT_SECONDS = 300, 12.0
STRANGER = "127.0.0.2"
"""An address of this machine that is no trusted proxy."""
REPAIR_AFTER_DAYS = 2
TICK_SECONDS = 4.0
COMMANDS = 0.3
"""The share of ticks at which ``backfill --missing`` does the work instead of Dagster."""
MOST_RUNS = 2

TICK = """
mutation ($schedule: ScheduleSelector!, $at: Float!) {
  scheduleDryRun(selectorData: $schedule, timestamp: $at) {
    ... on DryRunInstigationTick {
      evaluationResult { skipReason error { message } runRequests { tags { key value } } }
    }
    ... on PythonError { message }
  }
}
"""
LAUNCH = """
mutation ($run: ExecutionParams!) { launchRun(executionParams: $run) { __typename ... on PythonError { message } } }
"""
UNFINISHED = """
{ runsOrError(filter: { statuses: [QUEUED, NOT_STARTED, STARTING, STARTED, CANCELING] }) {
  ... on Runs { results { id } }
} }
"""
LOCATION = {"repositoryLocationName": "telemetry_quality", "repositoryName": "__repository__"}


@dataclass(frozen=True)
class Plan:
    """How long and how hard."""

    seconds: float
    day_seconds: float
    readers: int
    sockets: int
    fault_seconds: float
    faults: Sequence[str]
    seed: int
    sample_seconds: float

    @property
    def days(self) -> int:
        return max(int(self.seconds / self.day_seconds) - 1, 1)


class Soak:
    """Dagster, the dashboard, its clients and the events in a folder."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder, self.plan = folder, plan
        self.random = random.Random(plan.seed)
        self.first = datetime.now(UTC).date() - (plan.days + 1) * DAY
        self.started = self.began = time.time()
        text = SETTINGS.format(extra=EXTRA.format(last=self.days[-1])).replace("2026-02-01", self.first.isoformat())
        (folder / "telemetry.toml").write_text(text, encoding="utf-8")
        self.station = Station(folder, load_settings(folder / "telemetry.toml"))
        self.url = migrated_store(folder / "quality.db")
        self.environment = {
            "PYTHONPATH": os.pathsep.join((str(CLOCK), str(ROOT))),
            "SOAK_BEGAN": f"{self.first}T00:00:00+00:00",
            "SOAK_STARTED": str(self.started),
            "SOAK_SPEED": str(DAY.total_seconds() / plan.day_seconds),
        }
        self.dev = DagsterDev(folder, self.environment)
        self.dashboard = SoakedDashboard(folder, self.url)
        self.measures = Measures(self._processes, self._sizes, plan.sample_seconds)
        self.written = 0
        self.damaged: dict[date, bool] = {}
        """Whether the file of each day that was damaged has been repaired."""
        self.is_next_damaged = "damage_file" in plan.faults
        self.commands: list[subprocess.Popen[bytes]] = []
        self.killed_commands: set[int] = set()
        self.faults_done: list[str] = []
        self.complaints: list[str] = []
        self._lock: tuple[float, sqlite3.Connection] | None = None
        self._silent: tuple[float, list[socket]] | None = None

    @property
    def days(self) -> list[date]:
        return [self.first + number * DAY for number in range(self.plan.days)]

    @property
    def bad(self) -> list[date]:
        return self.days[BAD_EVERY - 1 :: BAD_EVERY]

    @cached_property
    def store(self) -> SqlQualityStore:
        return SqlQualityStore(self.url)

    @property
    def now(self) -> datetime:
        """The simulated time."""
        began = datetime(self.first.year, self.first.month, self.first.day, tzinfo=UTC)
        return began + (time.time() - self.started) / self.plan.day_seconds * DAY

    @property
    def is_second_half(self) -> bool:
        return time.time() > self.began + self.plan.seconds / 2

    def run(self) -> None:
        """Soak everything for as long as the plan says, and wait until nothing is left to do."""
        with ExitStack() as stack:
            stack.callback(self.dashboard.stop)
            stack.callback(self.dev.stop)
            stack.callback(self._let_go, at=float("inf"))
            self.write_days()
            self.dev.start()
            self.dashboard.start()
            self.dashboard.invite(self.plan.readers, self.plan.sockets)
            self.measures.start()
            self.began = time.time()
            next_tick = next_fault = 0.0
            while time.time() < self.began + self.plan.seconds:
                self.write_days()
                self.repair()
                self._let_go(at=time.time())
                if time.time() >= next_tick:
                    self.tick()
                    next_tick = time.time() + TICK_SECONDS
                if time.time() >= next_fault and self.plan.faults:
                    if next_fault:
                        self.break_something()
                    next_fault = time.time() + self.random.uniform(0.5, 1.5) * self.plan.fault_seconds
                time.sleep(0.2)
            self._let_go(at=float("inf"))
            self.measures.stop()
            self.reports = self.dashboard.dismiss()
            self.settle()

    def write_days(self) -> None:
        """Write the events of the days to come."""
        until = min((self.now.date() - self.first).days + DAYS_AHEAD, self.plan.days)
        for day in self.days[self.written : until]:
            if self.is_next_damaged:
                self.is_next_damaged, self.damaged[day] = False, False
                self.station.file(day).parent.mkdir(parents=True)
                self.station.file(day).write_bytes(b"PAR1 half a file")
            else:
                self._write(day, self.station)
        self.written = max(self.written, until)

    def repair(self, *, is_last: bool = False) -> None:
        """Repair damaged files some days later, once somebody has found them unreadable."""
        broken = [day for day, is_repaired in self.damaged.items() if not is_repaired]
        judged = {judged.day for judged in self.store.judged_days("web")} if broken else set()
        for day in broken:
            if is_last or (day in judged and self.now.date() > day + REPAIR_AFTER_DAYS * DAY):
                beside = Station(self.folder / "repaired", self.station.settings)
                self._write(day, beside)
                beside.file(day).replace(self.station.file(day))
                self.damaged[day] = True

    def _write(self, day: date, station: Station) -> None:
        station.write_day(day, events=EVENTS, errors=ERRORS if day in self.bad else 0)

    def tick(self) -> bool:
        """Let Dagster or a command do what is due; whether nothing is."""
        self._reap_commands()
        if self.commands or len(self._unfinished()) >= MOST_RUNS:
            return False
        if self.random.random() < COMMANDS:
            self._command("backfill", "--missing")
            return False
        schedule = {**LOCATION, "scheduleName": "web_late_days"}
        (answer,) = self.dev.ask(TICK, {"schedule": schedule, "at": self.now.timestamp()}).values()
        evaluated = answer.get("evaluationResult") or {}
        if evaluated.get("error") or not evaluated:
            self.complaints.append(f"the schedule failed: {answer}")
            return False
        for request in evaluated["runRequests"] or ():
            self._launch(request["tags"])
        return not evaluated["runRequests"] and "No day is missing" in (evaluated["skipReason"] or "")

    def _launch(self, tags: list[dict[str, str]]) -> None:
        run = {
            "selector": {**LOCATION, "jobName": "web_materialize_day"},
            "runConfigData": {},
            "executionMetadata": {"tags": tags},
        }
        launched = self.dev.ask(LAUNCH, {"run": run})["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched

    def _unfinished(self) -> list[Any]:
        found: list[Any] = self.dev.ask(UNFINISHED)["runsOrError"]["results"]
        return found

    def _command(self, *arguments: str) -> None:
        with (self.folder / "commands.log").open("ab") as log:
            self.commands.append(
                subprocess.Popen(
                    [sys.executable, "-m", "telemetry_quality", *arguments],
                    cwd=self.folder,
                    env={**os.environ, **self.environment},
                    stdout=log,
                    stderr=log,
                )
            )

    def _reap_commands(self) -> None:
        for command in self.commands:
            allowed = {EXIT_HEALTHY, EXIT_NOT_HEALTHY, EXIT_UNKNOWN} | (
                {-signal.SIGKILL} if command.pid in self.killed_commands else set()
            )
            if command.poll() is not None and command.returncode not in allowed:
                self.complaints.append(f"a command ended with {command.returncode}; see commands.log")
        self.commands = [command for command in self.commands if command.poll() is None]

    def break_something(self) -> None:
        """A random fault; kills only in the first half."""
        possible = [name for name in self.plan.faults if not (self.is_second_half and name in KILLS)]
        if not possible:
            return
        name = self.random.choice(possible)
        if FAULTS[name](self):
            self.faults_done.append(name)
            say(f"{time.time() - self.began:6.0f} s: {name.replace('_', ' ')}")

    def kill_run(self) -> bool:
        workers = self.dev.workers()
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        return bool(workers)

    def kill_command(self) -> bool:
        for command in self.commands:
            command.kill()
            self.killed_commands.add(command.pid)
        return bool(self.commands)

    def kill_dagster(self) -> bool:
        self.dev.kill()
        self.dev.start()
        return True

    def kill_dashboard(self) -> bool:
        self.dashboard.kill()
        self.dashboard.start()
        return True

    def damage_file(self) -> bool:
        if self.is_next_damaged or self.written == self.plan.days:
            return False
        self.is_next_damaged = True
        return True

    def lock_store(self) -> bool:
        if self._lock is not None:
            return False
        connection = sqlite3.connect(self.folder / "quality.db", timeout=30, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        self._lock = time.time() + LOCK_SECONDS, connection
        return True

    def open_silent_sockets(self) -> bool:
        if self._silent is not None:
            return False
        place, sockets = ("127.0.0.1", self.dashboard.port), []
        for _ in range(SILENT_SOCKETS):
            with suppress(OSError):
                sockets.append(create_connection(place, 5, (STRANGER, 0)))
        self._silent = time.time() + SILENT_SECONDS, sockets
        return True

    def _let_go(self, at: float) -> None:
        """Unlock the store and close the silent sockets whose time is over."""
        if self._lock is not None and at >= self._lock[0]:
            self._lock[1].close()
            self._lock = None
        if self._silent is not None and at >= self._silent[0]:
            for each in self._silent[1]:
                each.close()
            self._silent = None

    def settle(self) -> None:
        """Repair everything, and wait until every day is there and every alert was dispatched."""
        self.write_days()
        self.repair(is_last=True)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (self.tick() and not self._unfinished() and not self.store.undispatched_verdicts("web", "log")):
            if time.monotonic() > deadline:
                self.complaints.append(f"something was still to be done after {PATIENCE_SECONDS} s")
                return
            time.sleep(1)

    def _processes(self) -> dict[int, str]:
        return {**self.dev.processes(), **self.dashboard.processes()}

    def _sizes(self) -> dict[str, float]:
        return {
            "store, MiB": sum(file.stat().st_size for file in self.folder.glob("quality.db*")) / 2**20,
            "Dagster's home, MiB": size_of(self.folder / ".dagster"),
            "days judged": float(len(self.store.judged_days("web"))),
        }


FAULTS: dict[str, Callable[[Soak], bool]] = {
    "kill_run": Soak.kill_run,
    "kill_command": Soak.kill_command,
    "kill_dagster": Soak.kill_dagster,
    "kill_dashboard": Soak.kill_dashboard,
    "damage_file": Soak.damage_file,
    "lock_store": Soak.lock_store,
    "open_silent_sockets": Soak.open_silent_sockets,
}
KILLS = frozenset(name for name in FAULTS if name.startswith("kill_"))


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def soak(folder: Path, plan: Plan, limits: Limits) -> bool:
    """Soak, print what was measured, and return whether everything stayed right and flat."""
    it = Soak(folder, plan)
    it.run()
    logs = [file for file in (folder / "dev.log", folder / "commands.log") if file.exists()]
    parts = (
        it.measures.report(limits),
        report_of_responses(it.reports, limits),
        what_went_wrong(it.store, it.url, Written(it.days, it.bad, it.damaged.keys()), logs),
    )
    say(f"\n{'medians':32}{'first third':>12}{'last third':>12}{'growth':>11}")
    for lines, _ in parts:
        say("\n".join(lines))
    complaints = it.complaints + [each for _, found in parts for each in found]
    say("\n".join(f"FAILED: {each}" for each in complaints) or "Everything stayed right and flat.")
    return not complaints


def main() -> None:
    """Soak for some minutes; exit code 1 if something was lost, doubled, grew or became slow."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--day-seconds", type=float, default=6)
    parser.add_argument("--readers", type=int, default=20)
    parser.add_argument("--sockets", type=int, default=200)
    parser.add_argument("--fault-seconds", type=float, default=25, help="how often something is broken, on average")
    parser.add_argument("--fault", action="append", choices=tuple(FAULTS), help="only these faults (default: all)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--sample-seconds", type=float, default=3)
    parser.add_argument("--warm-up-seconds", type=float, default=60)
    parser.add_argument("--growth-percent", type=float, default=15)
    parser.add_argument("--p99-milliseconds", type=float, default=1000)
    parser.add_argument("--folder", type=Path, help="an empty folder that is kept (default: a temporary one)")
    asked = parser.parse_args()
    # A shell may ignore Ctrl-C for what runs in the background, but the processes that are started must receive it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    plan = Plan(
        seconds=asked.minutes * 60,
        day_seconds=asked.day_seconds,
        readers=asked.readers,
        sockets=asked.sockets,
        fault_seconds=asked.fault_seconds,
        faults=asked.fault or tuple(FAULTS),
        seed=asked.seed,
        sample_seconds=asked.sample_seconds,
    )
    limits = Limits(asked.warm_up_seconds, asked.growth_percent, asked.p99_milliseconds)
    say(f"seed {plan.seed}, {plan.days} days, load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    with ExitStack() as stack:
        folder = asked.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        is_right = soak(folder, plan, limits)
    sys.exit(0 if is_right else 1)


if __name__ == "__main__":
    main()
