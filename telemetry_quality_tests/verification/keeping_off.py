"""What a snapshot does to the events, to those who write them, and to pipelines: nothing."""

from __future__ import annotations

import multiprocessing
import sqlite3
from contextlib import closing
from datetime import date
from statistics import quantiles
from time import perf_counter, sleep
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from telemetry_quality.assembly import open_source
from telemetry_quality.core.days import day_window
from telemetry_quality.dagster import build_definitions
from telemetry_quality.settings import SourceSettings
from telemetry_quality_tests.verification.criterion import Finding

if TYPE_CHECKING:
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Event

    from telemetry_quality_tests.verification.stage import Stage

DAY = date(2026, 3, 10)
SECONDS, BATCH, EVENTS_PER_SECOND = 6, 80, 4_000
LEAST_RATE_RATIO = 0.98
Times = list[float]


def never_blocks(stage: Stage) -> Finding:
    """Whether no asset check of the settings blocks a pipeline."""
    definitions = build_definitions(stage.folder / "telemetry.toml" if stage.settings else stage.folder)
    checks = [spec for checks in definitions.asset_checks or () for spec in checks.check_specs]
    blocking = [spec.name for spec in checks if spec.blocking]
    return Finding(f"{len(blocking)} of {len(checks)} asset checks block", len(checks) >= 10 and not blocking)


def never_mutates(stage: Stage) -> Finding:
    """Whether every file of events is the same after a year was read, and so is a database."""
    stage.prepare()
    changed = [file for file, digest in stage.digests().items() if stage.digests_before.get(file) != digest]
    files = len(stage.digests_before)
    return Finding(f"{files - len(changed)} of {files} files have the same SHA-256", files == 365 and not changed)


def never_slows_inserts(stage: Stage) -> Finding:
    """A writer into SQLite beside nothing, and beside snapshots of the same table that never pause."""
    file = stage.folder / "inserts.db"
    _fill(str(file))
    rates, tails = [], []
    for is_beside in (False, True):
        taken = _insert_beside(str(file), is_beside=is_beside)
        rates.append(len(taken) * BATCH / SECONDS)
        tails.append(quantiles(taken, n=100)[98])
    ratio = rates[1] / rates[0]
    figure = (
        f"{rates[1]:,.0f} events/s beside snapshots that never pause, {rates[0]:,.0f} beside nothing ({ratio:.2f} ×); "
        f"p99 of a transaction {tails[1]:.2f} ms instead of {tails[0]:.2f} ms"
    )
    return Finding(figure, ratio >= LEAST_RATE_RATIO)


def _fill(file: str, events: int = 200_000) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("DROP TABLE IF EXISTS events")
        connection.execute(
            "CREATE TABLE events (event_id TEXT, occurred_at TEXT, event_name TEXT, version TEXT, failed INT)"
        )
        connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", (_row(number) for number in range(events)))
        connection.commit()


def _row(number: int) -> tuple[str, str, str, str, int]:
    at = f"{DAY} {number % 24:02}:{number % 60:02}:{number % 59:02}"
    return f"e{number}", at, f"signal.{number % 50}", "1.0", int(number % 50 == 0)


def _insert_beside(file: str, *, is_beside: bool) -> Times:
    context = multiprocessing.get_context("spawn")
    is_over, answer = context.Event(), context.Queue()
    reader = context.Process(target=_scan, args=(file, is_over, answer))
    if is_beside:
        reader.start()
        answer.get(timeout=120)
    writer = context.Process(target=_insert, args=(file, answer))
    writer.start()
    taken: Times = answer.get(timeout=120)
    writer.join()
    is_over.set()
    if is_beside:
        reader.join()
    return taken


def _scan(file: str, is_over: Event, ready: Queue[Times]) -> None:
    """Scan the day again and again, as ``telemetry-quality snapshot`` does."""
    roles = {"event_id": "event_id", "occurred_at": "occurred_at", "event_name": "event_name"}
    settings = {
        "connector": "database", "url": f"sqlite:///{file}", "table": "events", "first_day": DAY,
        "roles": roles | {"service_version": "version", "is_error": "failed = 1"},
    }  # fmt: skip
    source = open_source("web", SourceSettings.model_validate(settings))
    ready.put([])
    while not is_over.is_set():
        list(source.scan_days([day_window(DAY, ZoneInfo("UTC"))], 100))


def _insert(file: str, answer: Queue[Times]) -> None:
    """Insert at a fixed rate for some seconds; how many milliseconds each transaction took."""
    taken: Times = []
    connection = sqlite3.connect(file, isolation_level=None, timeout=30)
    connection.execute("PRAGMA synchronous = NORMAL")
    began = perf_counter()
    while perf_counter() - began < SECONDS:
        sleep(max(0.0, began + len(taken) * BATCH / EVENTS_PER_SECOND - perf_counter()))
        rows = [_row(10_000_000 + len(taken) * BATCH + number) for number in range(BATCH)]
        before = perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
        connection.execute("COMMIT")
        taken.append(1000 * (perf_counter() - before))
    connection.close()
    answer.put(taken)
