"""Backups: one SQLite file with everything in a store, whatever database the store is in.

A row has the same hash in every database, so a backup is a store that ``verify`` can read, and it can be restored into
either kind of database without a server's own tools. A store in SQLite is copied page by page, one in PostgreSQL row by
row in one transaction that sees one moment; others may write meanwhile. Restoring creates the tables and inserts the
rows, so that triggers or views that somebody put into a file are not taken over.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING

from sqlalchemy import URL, exists, insert, inspect, select

from telemetry_quality.errors import StoreError
from telemetry_quality.storage.anchors import Anchor, anchor_of
from telemetry_quality.storage.engine import database_at, database_of, transaction
from telemetry_quality.storage.migrations import migrate
from telemetry_quality.storage.schema import require_schema, require_schema_of
from telemetry_quality.storage.tables import CHAINED, MUTABLE, metadata
from telemetry_quality.storage.verification import verify_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

ROWS_AT_ONCE = 1000
"""How many rows are copied at a time."""

SEAL = "backup_seal"
"""The table that a finished backup has: a hash over the tables that no chain covers, such as accounts."""


def back_up(url: str, file: Path) -> Anchor:
    """Write a backup of the store at ``url`` to ``file``, readable by its owner only; returns the anchor of the copy.

    Raises:
        StoreError: If the file exists or cannot be written, or the store cannot be read.
    """
    with _in_a_sentence(file), _opened(database_at(url).open_engine()) as engine:
        if file.exists():
            raise StoreError(f"The backup {file} must be a new file, but exists; choose another name or move it away.")
        require_schema(engine)
        descriptor, name = mkstemp(prefix=f".{file.name}.", dir=file.absolute().parent)
        os.close(descriptor)
        part = Path(name)
        try:
            anchor = _write(engine, part)
            part.rename(file)
        finally:
            part.unlink(missing_ok=True)
    return anchor


def _write(engine: Engine, part: Path) -> Anchor:
    with transaction(engine, writes=False) as source:
        driver = source.connection.driver_connection
        if isinstance(driver, sqlite3.Connection):
            with closing(sqlite3.connect(part)) as target:
                driver.backup(target)
        else:
            url = _url_of(part)
            migrate(url.render_as_string())
            with _opened(database_at(url).open_engine()) as written:
                _copy(source, written)
    with closing(sqlite3.connect(part)) as target, target:
        # One file: a copy of a store in WAL mode would need a second one.
        target.execute("PRAGMA journal_mode = DELETE")
        target.execute(f"CREATE TABLE {SEAL} (digest TEXT NOT NULL)")
        target.execute(f"INSERT INTO {SEAL} VALUES (?)", [_digest(target)])  # noqa: S608 - our own table
    with _backup(part) as copied:
        return anchor_of(copied)


def restore(file: Path, url: str) -> Anchor:
    """Put a backup into the empty or missing store at ``url``, after verifying it; returns the anchor of the store.

    Raises:
        StoreError: If the backup is damaged, unfinished or of another version, or if the store is not empty.
    """
    with _in_a_sentence(file):
        if not file.is_file():
            raise StoreError(
                f"The backup {file} must exist, but does not; name a file that telemetry-quality backup wrote."
            )
        # Unlike is_file, this says so if a folder may not be entered.
        file.stat()
    with _in_a_sentence(file), _backup(file) as source:
        _require_intact(source, file)
        database = database_at(url)
        with _opened(database.open_engine()) as engine:
            _require_empty(engine)
            migrate(url)
            return _copy(source, engine)


def _require_intact(source: Connection, file: Path) -> None:
    require_schema_of(source)
    driver = source.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - _backup opens nothing else
    found = None
    if not inspect(source).has_table(SEAL):
        found = "it is no backup, or its writing was interrupted"
    elif driver.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
        found = "its pages are damaged"
    elif driver.execute(f"SELECT digest FROM {SEAL}").fetchall() != [(_digest(driver),)]:  # noqa: S608 - our own table
        found = "accounts, sessions, tokens or the key of cookies were changed"
    elif findings := verify_store(source).findings:
        found = f"{len(findings)} things were changed, first: {findings[0].sentence}"
    if found is not None:
        raise StoreError(f"The backup {file} must be intact, but {found.rstrip('.')}; use another backup.")


def _require_empty(engine: Engine) -> None:
    database = database_of(engine)
    try:
        database.require_presence()
    except StoreError:
        return
    with transaction(engine, writes=False) as connection:
        present = set(inspect(connection).get_table_names())
        for stored in metadata.sorted_tables:
            if stored.name in present and connection.scalar(select(exists(select(1).select_from(stored)))):
                raise StoreError(
                    f"The store {database.label} must be empty or missing, but {stored.name} has rows; "
                    "set store to another place, or move the old store away."
                )


def _copy(source: Connection, engine: Engine) -> Anchor:
    """Copy all rows into an empty store, in one transaction."""
    written = {chained.name: database_of(source).rows_written(source, chained) for chained in CHAINED}
    with transaction(engine, writes=True) as target:
        for stored in metadata.sorted_tables:
            query = select(stored).order_by(*stored.primary_key.columns)
            found = source.execute(query, execution_options={"yield_per": ROWS_AT_ONCE})
            for rows in found.mappings().partitions():
                target.execute(insert(stored), [dict(row) for row in rows])
        database_of(target).count_on(target, written)
        anchor = anchor_of(target)
        if anchor != anchor_of(source):
            raise StoreError(
                f"The copy in {database_of(target).label} must have the anchor of its source, but differs."
            )
        return anchor


def _digest(driver: sqlite3.Connection) -> str:
    digest = sha256()
    for stored in MUTABLE:
        for row in driver.execute(f"SELECT * FROM {stored.name} ORDER BY rowid"):  # noqa: S608 - names of our own tables
            digest.update(repr((stored.name, row)).encode())
    return digest.hexdigest()


@contextmanager
def _backup(file: Path) -> Iterator[Connection]:
    with (
        _opened(database_at(_url_of(file)).open_read_only_engine()) as engine,
        transaction(engine, writes=False) as connection,
    ):
        yield connection


def _url_of(file: Path) -> URL:
    """The URL of a SQLite file, whatever its name contains."""
    return URL.create("sqlite", database=str(file))


@contextmanager
def _in_a_sentence(file: Path) -> Iterator[None]:
    """Raise a StoreError if a file cannot be read or written."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"The backup {file} must be readable and writable, but: {error}; check the file, its folder and the disk."
        ) from error


@contextmanager
def _opened(engine: Engine) -> Iterator[Engine]:
    try:
        yield engine
    finally:
        engine.dispose()
