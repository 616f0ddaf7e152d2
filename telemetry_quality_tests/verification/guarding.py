"""Who may see and change what is stored, and what is stored of people."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from telemetry_quality.assembly import open_store, utc_now
from telemetry_quality.core.incidents.loading import incidents_of
from telemetry_quality.storage.tables import APPEND_ONLY
from telemetry_quality_tests.verification.criterion import Finding
from telemetry_quality_tests.verification.stage import LAST, SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry_quality_tests.verification.stage import Stage

TESTS = Path(__file__).parents[1]
STAFF_ONLY = "dashboard/access/test_guard.py"
PERSONAL = "test_privacy.py"
LOCKS = "sources/test_inserts.py"


def append_only(stage: Stage) -> Finding:
    """Whether the database itself refuses to change or delete a row of every table that is append-only."""
    stage.prepare()
    refused, accepted = 0, []
    with closing(sqlite3.connect(stage.store_file)) as connection:
        for table in APPEND_ONLY:
            column = next(iter(table.columns)).name
            for statement in (f'UPDATE "{table.name}" SET "{column}" = "{column}"', f'DELETE FROM "{table.name}"'):
                try:
                    changed = connection.execute(statement).rowcount
                except sqlite3.DatabaseError:
                    refused += 1
                else:
                    # A trigger speaks for each row: a table without rows has nothing to refuse.
                    accepted += [table.name] if changed else []
        connection.rollback()
    figure = f"{refused} changes of {len(APPEND_ONLY)} tables refused, {len(accepted)} accepted"
    return Finding(f"{figure}{': ' if accepted else ''}{', '.join(accepted)}", refused >= 10 and not accepted)


def indexed_queries(stage: Stage) -> Finding:
    """Whether each query about a day, its incidents and its alerts finds its rows by an index."""
    stage.prepare()
    service, store = stage.service, open_store(stage.settings)
    with _statements() as seen:
        service.detect_anomaly_spikes(LAST)
        service.detect_version_mismatch(LAST)
        service.detect_zero_activity(utc_now())
        service.stored_integrity(LAST)
        incidents_of(store, SOURCE, LAST, LAST)
        store.snapshots(SOURCE, LAST, LAST)
        store.verdicts(SOURCE, LAST, LAST)
    growing = {table.name for table in APPEND_ONLY} - {"schema_migration"}
    scanned = {}
    with closing(sqlite3.connect(stage.store_file)) as connection:
        for statement, parameters in seen.items():
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            full = [line for line in plan if re.fullmatch(r"SCAN (\w+)", line) and line.split()[1] in growing]
            if full:
                scanned[statement] = full
    figure = f"{len(seen) - len(scanned)} of {len(seen)} different queries of a store of 365 days use an index"
    return Finding(figure + "".join(f"; {full[0]}" for full in scanned.values()), len(seen) >= 5 and not scanned)


@contextmanager
def _statements() -> Iterator[dict[str, Any]]:
    """The queries that are sent meanwhile, with their parameters."""
    seen: dict[str, Any] = {}

    def remember(*sent: Any) -> None:
        _, _, statement, parameters, *_ = sent
        if statement.lstrip().startswith(("SELECT", "WITH")):
            seen[statement] = parameters

    event.listen(Engine, "before_cursor_execute", remember)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", remember)


def staff_only(stage: Stage) -> Finding:
    """Every address of the dashboard is asked for by a stranger, with every method."""
    return _tests(stage, STAFF_ONLY, "stranger")


def no_personal_data(stage: Stage) -> Finding:
    """Events with names, addresses and secrets in them are judged; no stored byte and no page contains them."""
    return _tests(stage, PERSONAL)


def no_lock(stage: Stage) -> Finding:
    """Writers that wait for no lock at all insert while snapshots are taken, on SQLite and PostgreSQL."""
    return _tests(stage, LOCKS)


def _tests(stage: Stage, file: str, words: str = "") -> Finding:
    """Run the tests of a file, all of them or those whose names contain ``words``; skipped ones prove nothing."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(TESTS / file)]
    command += ["-k", words] if words else []
    variables = os.environ | {"PYTEST_ADDOPTS": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables, cwd=TESTS.parent)
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr[-200:]
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped|error)", last)}
    figure = ", ".join(f"{number} {word}" for word, number in counts.items()) + f" of `{file}`"
    return Finding(figure, done.returncode == 0 and counts.get("passed", 0) > 0 and not counts.get("skipped"))
