"""Made-up attacks on a store whose triggers somebody dropped: each is found, and none hides another one.

Each number is the seed of one attack. The gate tries some; ``TAMPERINGS=400`` tries the 600 that
docs/explanation/reliability.md reports on.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from telemetry_quality.storage.column_types import StoredText
from telemetry_quality.storage.engine import open_engine, transaction
from telemetry_quality.storage.hashing import row_hash
from telemetry_quality.storage.staff.store import StaffStore
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality.storage.tables import APPEND_ONLY, CHAINED, PARTS
from telemetry_quality.storage.triggers import expected_triggers
from telemetry_quality_tests.builders import NOW, dispatch_alerts, make_snapshot
from telemetry_quality_tests.storage.examples import (
    VERDICTS,
    make_action,
    make_full_scan,
    make_mark,
    make_running_hour,
    make_sign_in,
)
from telemetry_quality_tests.storage.test_verification import (
    SURROGATE_KEYS,
    behind_the_back_of,
    written_store,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["written_store"]

TRIED = int(os.environ.get("TAMPERINGS", "40"))

ANYTHING: list[Any] = [
    None,
    0,
    -1,
    2**62,
    0.1,
    9e999,
    "",
    "nobody",
    "x\x00y",
    "\x1b[2J",
    "2026-02-30",
    "2026-03-10T12:00:00Z",
    "0001-01-01 00:00:00.000000",
    "{",
    "[1,2]",
    '{"a": 1, "a": 2}',
    "[" * 100_000,
    "1e400",
    "9" * 5000,
    b"\xff\xfe",
    b"",
    "\ud83d".encode("utf-8", "surrogatepass"),
]
"""What an attacker writes: values of the right type and of every wrong one."""


def edit(random: Random, folder: Path) -> str:
    """Write anything into any column of any row."""
    table = random.choice(APPEND_ONLY)
    names = [column.name for column in table.columns if (table.name, column.name) not in SURROGATE_KEYS]
    column = random.choice(names)
    with without_constraints(folder) as connection:
        (row,) = random.choice(connection.execute(f"SELECT rowid FROM {table.name}").fetchall())
        stored = f"SELECT typeof({column}), hex({column}) FROM {table.name} WHERE rowid = {row}"
        before = connection.execute(stored).fetchall()
        for value in random.sample(ANYTHING, len(ANYTHING)):
            place = random.choice(["?", "CAST(? AS TEXT)"]) if isinstance(value, bytes) else "?"
            is_written = write(connection, f"UPDATE {table.name} SET {column} = {place} WHERE rowid = {row}", value)
            if is_written and connection.execute(stored).fetchall() != before:
                return table.name
    raise AssertionError(f"Nothing else can be written into {table.name}.{column}.")


def write(connection: sqlite3.Connection, statement: str, *values: Any) -> bool:
    """Whether SQLite accepts it: row numbers must be whole, and keys unique."""
    try:
        connection.execute(statement, values)
    except (sqlite3.IntegrityError, sqlite3.DataError):
        return False
    return True


def delete(random: Random, folder: Path) -> str:
    """Delete one row of any table."""
    table = random.choice(APPEND_ONLY).name
    with behind_the_back_of(folder) as connection:
        row = random.choice(connection.execute(f"SELECT rowid FROM {table}").fetchall())
        connection.execute(f"DELETE FROM {table} WHERE rowid = ?", row)
    return table


def insert(random: Random, folder: Path) -> str:
    """Add a row like one that is there."""
    table = random.choice(APPEND_ONLY)
    names = [name for name in table.columns.keys() if name not in {"id", "sequence"}]  # noqa: SIM118
    chosen = ", ".join({"revision": "revision + 7", "position": "position + 7"}.get(name, name) for name in names)
    with behind_the_back_of(folder) as connection:
        row = random.choice(connection.execute(f"SELECT rowid FROM {table.name}").fetchall())
        inserted = f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {chosen} FROM {table.name} WHERE rowid = ?"
        connection.execute(inserted, row)
    return table.name


def swap(random: Random, folder: Path) -> str:
    """Exchange two rows of a chain."""
    table = random.choice(list(CHAINED)).name
    with behind_the_back_of(folder) as connection:
        last = connection.execute(f"SELECT max(sequence) FROM {table}").fetchone()[0]
        first, second = random.sample(range(1, last + 1), 2)
        for old, new in ((first, 999), (second, first), (999, second)):
            connection.execute(f"UPDATE {table} SET sequence = {new} WHERE sequence = {old}")
    return table


def schema(random: Random, folder: Path) -> str:
    """Remove a table, a column or a trigger."""
    table = random.choice(APPEND_ONLY)
    with closing(sqlite3.connect(folder / "quality.db")) as connection, connection:
        match random.choice(["table", "column", "trigger"]):
            case "table":
                connection.execute("DROP VIEW current_snapshot")
                connection.execute(f"DROP TABLE {table.name}")
            case "column":
                name = random.choice(table.columns.keys())
                connection.execute(f"ALTER TABLE {table.name} RENAME COLUMN {name} TO stray")
            case "trigger":
                triggers = connection.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", [table.name]
                ).fetchall()
                connection.execute(f"DROP TRIGGER {random.choice(triggers)[0]}")
    return table.name


def cut(random: Random, folder: Path) -> str:
    """Remove the last rows of a chain with their parts, and set the counter back, as if they had never been."""
    chained = random.choice(list(CHAINED))
    with behind_the_back_of(folder) as connection:
        last = connection.execute(f"SELECT max(sequence) FROM {chained.name}").fetchone()[0]
        end = random.randrange(last)
        for part, head in PARTS.items():
            if head is chained:
                same = " AND ".join(f"h.{name} = {part.name}.{name}" for name in ("source", "day", "revision"))
                gone = f"SELECT 1 FROM {head.name} h WHERE {same} AND h.sequence > {end}"
                connection.execute(f"DELETE FROM {part.name} WHERE EXISTS ({gone})")
        connection.execute(f"DELETE FROM {chained.name} WHERE sequence > {end}")
        connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", [end, chained.name])
    return chained.name


def rewrite(random: Random, folder: Path) -> str:
    """Change a text of a row and make every hash from there on fit."""
    chained = random.choice(list(CHAINED))
    texts = [column.name for column in chained.columns if isinstance(column.type, StoredText)]
    name = random.choice([name for name in texts if not name.endswith("_hash") and name != "source"])
    drop_triggers(folder)
    engine = open_engine(f"sqlite:///{folder / 'quality.db'}")
    with transaction(engine, writes=True) as connection:
        rows = connection.execute(select(chained).order_by(chained.c.sequence)).mappings().all()
        edited, previous = random.randrange(len(rows)), None
        for number, found in enumerate(rows):
            row = {key: value for key, value in found.items() if key != "sequence"}
            row["previous_hash"] = previous
            if number == edited:
                row[name] = f"{row[name]}x"
            previous = row["content_hash"] = row_hash(row)
            connection.execute(update(chained).where(chained.c.sequence == found["sequence"]).values(row))
    engine.dispose()
    return "anchor"


def rollback(random: Random, folder: Path) -> str:
    """Put an older copy of the store in its place."""
    shutil.copyfile(folder / "older.db", folder / "quality.db")
    return ""


@contextmanager
def without_constraints(folder: Path) -> Iterator[sqlite3.Connection]:
    """A plain connection with triggers dropped and no column required; both are restored afterwards."""
    with closing(sqlite3.connect(folder / "quality.db")) as connection:
        tables = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall())
    set_schema(folder, {name: str(text).replace(" NOT NULL", "") for name, text in tables.items()})
    with behind_the_back_of(folder) as connection:
        yield connection
    set_schema(folder, tables)


def set_schema(folder: Path, tables: dict[str, str]) -> None:
    with closing(sqlite3.connect(folder / "quality.db")) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        for name, text in tables.items():
            connection.execute("UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = ?", [text, name])


def drop_triggers(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "quality.db")) as connection, connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")


@pytest.fixture
def store(tmp_path: Path, written_store: Path) -> SqlQualityStore:
    """A copy of ``written_store`` to attack."""
    shutil.copyfile(written_store, tmp_path / "quality.db")
    return SqlQualityStore(f"sqlite:///{tmp_path / 'quality.db'}")


def grow(random: Random, url: str) -> None:
    """Append some rows to one or more chains, as the program does."""
    store, staff = SqlQualityStore(url), StaffStore(url)
    appends: list[Callable[[], object]] = [
        lambda: store.append_incident_action(make_action()),
        lambda: store.append_marked_days(make_mark()),
        lambda: store.append_running_hours([make_running_hour(hour=random.randrange(24), looked_at=NOW)]),
        lambda: staff.record(make_sign_in()),
        lambda: staff.add_account(f"ada{random.random()}", None, NOW),
        lambda: dispatch_alerts(store, replace(make_snapshot(), revision=1), VERDICTS[:2], "mail"),
        lambda: store.append_scan("app", make_full_scan(), (), NOW),
    ]
    for append in random.sample(appends, random.randint(1, len(appends))):
        append()
    staff.close()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(TRIED))
def test_an_attack_is_found_and_so_is_another_one_in_a_table_that_is_checked_later(
    tmp_path: Path, store: SqlQualityStore, seed: int
) -> None:
    random = Random(seed)
    attacked = random.choice([edit, edit, edit, delete, insert, swap, schema])(random, tmp_path)
    other = "day_mark" if attacked == "sign_in" else "sign_in"
    with behind_the_back_of(tmp_path) as connection:
        connection.execute(f"UPDATE {other} SET content_hash = 'x' WHERE sequence = 3")
    found = {finding.table for finding in store.verify().findings}
    heads = {part.name: head.name for part, head in PARTS.items()}
    assert {attacked, heads.get(attacked, attacked)} & found
    assert other in found


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(TRIED // 2))
def test_a_cut_end_a_rewritten_chain_and_an_older_copy_are_found_by_an_anchor(
    tmp_path: Path, store: SqlQualityStore, seed: int
) -> None:
    random = Random(seed)
    shutil.copyfile(tmp_path / "quality.db", tmp_path / "older.db")
    older = store.anchor()
    grow(random, f"sqlite:///{tmp_path / 'quality.db'}")
    newer = store.anchor()
    assert store.verify([older, newer]).findings == ()
    attack = random.choice([cut, rewrite, rollback])
    attacked = attack(random, tmp_path)
    found = {finding.table for finding in {*store.verify([newer]).findings} - {*store.verify().findings}}
    assert found
    assert attack is rollback or attacked in found


@pytest.mark.parametrize("attack", [cut, rewrite, rollback])
def test_without_an_anchor_what_fits_together_is_believed(tmp_path: Path, store: SqlQualityStore, attack: Any) -> None:
    """The docs say so: who can write the file and knows the program can leave no trace in it."""
    shutil.copyfile(tmp_path / "quality.db", tmp_path / "older.db")
    store.append_marked_days(make_mark())
    attack(Random(8), tmp_path)
    with closing(sqlite3.connect(tmp_path / "quality.db")) as connection, connection:
        for table in APPEND_ONLY:
            for name, text in expected_triggers("sqlite", table).items():
                connection.execute(f"DROP TRIGGER IF EXISTS {name}")
                connection.execute(text)
    assert store.verify().findings == ()


def test_every_table_that_is_append_only_is_in_a_chain_or_covered_by_one() -> None:
    assert {*CHAINED, *PARTS} == set(APPEND_ONLY)
    assert set(PARTS.values()) <= CHAINED.keys()
    assert CHAINED.keys().isdisjoint(PARTS)
