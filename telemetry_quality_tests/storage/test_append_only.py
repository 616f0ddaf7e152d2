"""The database itself refuses to change, delete or replace a row, whoever tries."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.sampling import SampleVerdict
from telemetry_quality.storage.staff.store import StaffStore
from telemetry_quality.storage.tables import APPEND_ONLY, MUTABLE, metadata
from telemetry_quality_tests.builders import NOW, dispatch_alerts, make_snapshot, make_store
from telemetry_quality_tests.storage.examples import (
    VERDICTS,
    make_action,
    make_delivery,
    make_forecast,
    make_full_scan,
    make_mark,
    make_running_hour,
    make_sign_in,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEYS = {
    "day_scan": ("sequence", "source, day, revision"),
    "event_aggregate": ("id", "id"),
    "event_sample": ("id", "source, day, revision, position"),
    "event_slice": ("id", "source, day, revision, position"),
    "integrity_snapshot": ("sequence", "source, day, revision"),
    "guardrail_verdict": ("id", "source, day, revision, position"),
    "alert": ("sequence", "source, day, guardrail, revision, channel"),
    "alert_claim": ("sequence", "source, day, guardrail, revision, channel, attempt"),
    "delivery": ("sequence", "sequence"),
    "incident_action": ("sequence", "sequence"),
    "day_mark": ("sequence", "sequence"),
    "forecast": ("sequence", "source, day, revision"),
    "running_hour": ("sequence", "source, day, hour, revision"),
    "sign_in": ("sequence", "sequence"),
    "account_change": ("sequence", "sequence"),
}
TEXT = dict.fromkeys(KEYS, "source") | {
    "delivery": "channel",
    "sign_in": "account_name",
    "account_change": "account_name",
}
"""A column of each table that somebody might want to change."""
every_table = pytest.mark.parametrize("table", KEYS)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A plain connection to a store with rows in each table; at the end the store must be unchanged."""
    store = make_store(tmp_path)
    store.append_scan("web", make_full_scan(), (SampleVerdict("s1"), SampleVerdict("s2")), NOW)
    snapshot, _ = store.append_snapshot(make_snapshot(), VERDICTS)
    dispatch_alerts(store, snapshot, VERDICTS)
    store.append_delivery(make_delivery())
    store.append_incident_action(make_action())
    store.append_marked_days(make_mark())
    store.append_forecast(make_forecast())
    store.append_running_hours([make_running_hour()])
    staff = StaffStore(f"sqlite:///{tmp_path / 'quality.db'}")
    staff.record(make_sign_in())
    staff.add_account("ada", None, NOW)
    staff.close()
    connection = sqlite3.connect(tmp_path / "quality.db")
    before = content(connection)
    assert all(before.values())
    yield connection
    connection.rollback()
    assert content(connection) == before
    connection.close()


def content(connection: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in KEYS}


def refused(database: sqlite3.Connection, table: str, statement: str) -> None:
    with pytest.raises(sqlite3.DatabaseError, match=f"^{table} is append-only$"):
        database.execute(statement)


def columns(table: str, *, without: str = "") -> str:
    return ", ".join(name for name in metadata.tables[table].columns.keys() if name != without)  # noqa: SIM118


def test_every_table_of_the_store_is_append_only_except_those_of_staff() -> None:
    assert KEYS.keys() == {table.name for table in APPEND_ONLY}
    free = {"staff_account", "staff_session", "staff_token", "staff_secret"}
    assert metadata.tables.keys() - KEYS.keys() == {table.name for table in MUTABLE} == free


@every_table
def test_an_update_is_refused(database: sqlite3.Connection, table: str) -> None:
    refused(database, table, f"UPDATE {table} SET {TEXT[table]} = {TEXT[table]}")
    refused(database, table, f"UPDATE OR IGNORE {table} SET {TEXT[table]} = 'x'")
    refused(database, table, f"UPDATE OR REPLACE {table} SET {KEYS[table][0]} = 1")


@every_table
def test_a_delete_is_refused(database: sqlite3.Connection, table: str) -> None:
    refused(database, table, f"DELETE FROM {table}")
    refused(database, table, f"DELETE FROM {table} WHERE {KEYS[table][0]} = 1")


@every_table
def test_replacing_a_row_by_its_number_is_refused(database: sqlite3.Connection, table: str) -> None:
    refused(database, table, f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
    refused(database, table, f"REPLACE INTO {table} SELECT * FROM {table} WHERE {KEYS[table][0]} = 1")


@pytest.mark.parametrize("table", [table for table, (number, key) in KEYS.items() if key != number])
def test_replacing_a_row_by_its_natural_key_is_refused(database: sqlite3.Connection, table: str) -> None:
    names = columns(table, without=KEYS[table][0])
    refused(database, table, f"INSERT OR REPLACE INTO {table} ({names}) SELECT {names} FROM {table}")


@every_table
def test_an_upsert_is_refused(database: sqlite3.Connection, table: str) -> None:
    number, key = KEYS[table]
    copied = f"INSERT INTO {table} SELECT * FROM {table} WHERE TRUE"
    refused(database, table, f"{copied} ON CONFLICT ({number}) DO UPDATE SET {TEXT[table]} = 'x'")
    refused(database, table, f"{copied} ON CONFLICT ({key}) DO UPDATE SET {TEXT[table]} = 'x'")
    refused(database, table, f"{copied} ON CONFLICT DO UPDATE SET {TEXT[table]} = 'x'")


@every_table
def test_triggers_refuse_for_every_connection_whatever_its_pragmas(database: sqlite3.Connection, table: str) -> None:
    for pragma in (
        "recursive_triggers = ON",
        "recursive_triggers = OFF",
        "foreign_keys = ON",
        "legacy_alter_table = ON",
    ):
        database.execute(f"PRAGMA {pragma}")
        refused(database, table, f"UPDATE {table} SET {TEXT[table]} = 'x'")
        refused(database, table, f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")


def test_the_view_of_current_snapshots_cannot_be_written(database: sqlite3.Connection) -> None:
    for statement in ("UPDATE current_snapshot SET status = 'healthy'", "DELETE FROM current_snapshot"):
        with pytest.raises(sqlite3.OperationalError, match="it is a view"):
            database.execute(statement)


@every_table
def test_a_new_row_is_accepted(database: sqlite3.Connection, table: str) -> None:
    names = columns(table, without=KEYS[table][0])
    chosen = names.replace("revision", "revision + 100", 1)
    inserted = database.execute(f"INSERT INTO {table} ({names}) SELECT {chosen} FROM {table}")
    assert inserted.rowcount > 0
