"""The store in a SQLite file: WAL mode, explicit transactions, and waiting instead of an error when it is busy."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import MetaData, column, create_engine, delete, event, insert, select, table, type_coerce
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import NullPool, QueuePool
from sqlalchemy.types import NullType

from telemetry_quality.errors import StoreError
from telemetry_quality.storage.triggers import expected_triggers
from telemetry_quality.storage.views import view_statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import URL, Column, ColumnElement, Connection, Engine, Table

    Identity = tuple[int, int]
    """Identifies the file, whatever its name."""

BUSY_SECONDS = 60
"""How long a writer waits for another writer: a backfill holds the lock only for milliseconds at a time."""

WAKE_SECONDS = 0.2
"""How often a writer that waits looks for Ctrl-C, to which SQLite itself is deaf while it waits."""

READER_BUSY_SECONDS = 5
"""How long a reader waits, which it does only during recovery after a crash; somebody is waiting for a page."""

KEPT_CONNECTIONS = 8
"""Pooled connections of a reader; more are opened while more threads ask at once."""


def _begin_writing(connection: Connection) -> None:
    """Begin a writer's transaction, after that of any other writer."""
    driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
    deadline = monotonic() + BUSY_SECONDS
    driver.execute(f"PRAGMA busy_timeout = {round(WAKE_SECONDS * 1000)}")
    while not driver.in_transaction:
        try:
            driver.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            is_busy = getattr(error, "sqlite_errorcode", None) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
            if not is_busy or monotonic() > deadline:
                # Raised again by SQLAlchemy, in its own words.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
    driver.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")


class SqliteDatabase:
    """See ``engine.Database``.

    Args:
        url: ``sqlite:///FILE``.
    """

    is_local: ClassVar[bool] = True
    more_tables: ClassVar[MetaData] = MetaData()

    def __init__(self, url: URL) -> None:
        self._url = url
        self.file = Path(str(url.database))
        self.label = str(self.file)

    def open_engine(self) -> Engine:
        """Writers open a connection per transaction, so that nothing is held in between."""
        engine = create_engine(self._url, connect_args={"timeout": BUSY_SECONDS}, poolclass=NullPool)

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, _: Any) -> None:
            # The driver must not begin transactions itself: a reader that becomes a writer cannot wait for the lock.
            connection.isolation_level = None
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            if connection.get_execution_options().get("writes", False):
                _begin_writing(connection)
            else:
                connection.exec_driver_sql("BEGIN")

        return engine

    def open_read_only_engine(self) -> Engine:
        """In WAL mode readers never make a writer wait; each connection knows which file it was opened on."""
        file = self.file.absolute()
        engine = create_engine(
            self._url,
            creator=lambda: ReadOnlyConnection.to(file),
            poolclass=QueuePool,
            pool_size=KEPT_CONNECTIONS,
            max_overflow=-1,
            pool_use_lifo=True,
            execution_options={"is_read_only": True},
        )

        @event.listens_for(engine, "checkout")
        def require_same_file(connection: ReadOnlyConnection, _: Any, __: Any) -> None:
            if connection.identity != identity_of(file):
                raise DisconnectionError(f"{file} is another file than when this connection was opened.")

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN")

        return engine

    def commit_watch(self) -> SqliteCommitWatch:
        """Watches SQLite's own change counter."""
        return SqliteCommitWatch(self)

    def require_presence(self) -> None:
        """Opening a missing file would create it."""
        if not self.file.is_file():
            raise missing(self.file)

    def prepare_location(self) -> None:
        """Create the folder, which SQLite does not do, and the file; nobody but its owner may read a new store.

        SQLite gives the files beside it the same rights.
        """
        folder = self.file.absolute().parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.file, os.O_CREAT, 0o600))
        except OSError as error:
            raise StoreError(f"The folder of the store, {folder}, must be writable, but: {error}.") from error

    def unusable(self, error: Exception, *, is_read_only: bool) -> StoreError:
        """The file is damaged, in use or protected."""
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        return StoreError(
            f"The store {self.file} must be a database that can be {'read' if is_read_only else 'read and written'}, "
            f"but it says: {reason}; check the file and its folder, or restore them."
        )

    def next_position(self, connection: Connection, chained: Table) -> Mapping[str, int]:  # noqa: ARG002
        """AUTOINCREMENT counts, and reuses the number of a row that was rolled back."""
        return {}

    def rows_written(self, connection: Connection, chained: Table) -> int:
        """AUTOINCREMENT records this, even if the rows are gone."""
        sequences = table("sqlite_sequence", column("name"), column("seq"))
        return connection.scalar(select(sequences.c.seq).where(sequences.c.name == chained.name)) or 0

    def count_on(self, connection: Connection, written: Mapping[str, int]) -> None:
        """AUTOINCREMENT knows the numbers of rows, but not those of rows that were gone when they were copied."""
        sequences = table("sqlite_sequence", column("name"), column("seq"))
        connection.execute(delete(sequences).where(sequences.c.name.in_(written)))
        connection.execute(insert(sequences), [{"name": name, "seq": rows} for name, rows in written.items()])

    def as_stored(self, column: Column[Any]) -> ColumnElement[Any]:
        """As the driver returns it."""
        return type_coerce(column, NullType())

    @contextmanager
    def any_text(self, connection: Connection) -> Iterator[None]:
        """Bytes that are no UTF-8 become surrogates, which no text of this program has."""
        driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
        strict, driver.text_factory = driver.text_factory, partial(str, encoding="utf-8", errors="surrogateescape")
        try:
            yield
        finally:
            driver.text_factory = strict

    def guards(self, connection: Connection) -> Mapping[str, str]:
        """SQLite keeps their texts as they were written."""
        schema = table("sqlite_master", column("type"), column("name"), column("sql"))
        query = select(schema.c.name, schema.c.sql).where(schema.c.type.in_(("trigger", "view")))
        return dict(connection.execute(query).all())

    def expected_guards(self, stored: Table) -> Mapping[str, str]:
        """As the migrations wrote them."""
        return expected_triggers("sqlite", stored)

    def expected_view(self, name: str) -> str:
        """As the migrations wrote it."""
        return view_statement(name)


class ReadOnlyConnection(sqlite3.Connection):
    """A connection that cannot write, and knows which file it was opened on.

    Attributes:
        identity: Of the file before it was opened, so that a file that replaced it meanwhile is noticed next time.
    """

    identity: Identity

    @classmethod
    def to(cls, file: Path) -> ReadOnlyConnection:
        """A new connection to ``file``, which is not created."""
        identity = identity_of(file)
        connection = sqlite3.connect(
            f"{file.as_uri()}?mode=ro",
            uri=True,
            timeout=READER_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            factory=cls,
        )
        connection.identity = identity
        connection.execute("PRAGMA query_only = ON")
        return connection


def identity_of(file: Path) -> Identity:
    """Which file has this name now.

    Raises:
        StoreError: If there is no such file.
    """
    try:
        status = file.stat()
    except FileNotFoundError as error:
        raise missing(file) from error
    return status.st_dev, status.st_ino


def missing(file: Path) -> StoreError:
    """The error for a store that does not exist."""
    return StoreError(f"The store {file} must exist, but does not; run telemetry-quality migrate.")


class SqliteCommitWatch:
    """See ``engine.CommitWatch``; a version never recurs once it has changed."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._file = database.file.absolute()
        self._lock = Lock()
        self._connection: ReadOnlyConnection | None = None
        self._opened = 0

    def version(self) -> tuple[int, int]:
        """SQLite's counter is only comparable on one connection, so the version includes the connection's number."""
        with self._lock:
            try:
                connection = self._current()
                (version,) = connection.execute("PRAGMA data_version").fetchone()
            except (OSError, sqlite3.Error) as error:
                self._forget()
                raise self._database.unusable(error, is_read_only=True) from error
            return self._opened, version

    def close(self) -> None:
        """Close the connection; the next version will differ."""
        with self._lock:
            self._forget()

    def _current(self) -> ReadOnlyConnection:
        if self._connection is None or self._connection.identity != identity_of(self._file):
            self._forget()
            self._connection = ReadOnlyConnection.to(self._file)
            self._opened += 1
        return self._connection

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
