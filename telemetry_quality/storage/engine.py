"""Opens the store's database: SQLite in WAL mode, explicit transactions, and a wait instead of an error when busy.

Writers and readers open it differently. A reader's connections are kept, cannot write, and hold no lock between two
questions; in WAL mode they never make a writer wait.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError, SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool

from telemetry_quality.errors import StoreError
from telemetry_quality.interrupts import postponed_interrupts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL, Connection, Engine

    Identity = tuple[int, int]
    """Which file it is, whatever its name."""

BUSY_SECONDS = 60
"""How long a writer waits for another one: a backfill holds the lock only for milliseconds at a time."""

READER_BUSY_SECONDS = 5
"""How long a reader waits: only while the database is recovered after a crash, and somebody looks at a page."""

KEPT_CONNECTIONS = 8
"""A reader's connections that are kept; more are opened while more threads ask at once."""


def open_engine(url: str) -> Engine:
    """An engine for the store at ``url``.

    Raises:
        StoreError: If the URL is not ``sqlite:///FILE``.
    """
    engine = create_engine(_parsed(url), connect_args={"timeout": BUSY_SECONDS}, poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        # The driver must not begin transactions by itself: a reader that turns writer cannot wait for the lock.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def open_reading_engine(url: str) -> Engine:
    """An engine for the store at ``url`` that the database itself keeps from writing; safe from many threads.

    Raises:
        StoreError: If the URL is not ``sqlite:///FILE``.
    """
    parsed = _parsed(url)
    file = Path(str(parsed.database)).absolute()
    engine = create_engine(
        parsed,
        creator=lambda: ReadingConnection.to(file),
        poolclass=QueuePool,
        pool_size=KEPT_CONNECTIONS,
        max_overflow=-1,
        pool_use_lifo=True,
        execution_options={"is_read_only": True},
    )

    @event.listens_for(engine, "checkout")
    def require_same_file(connection: ReadingConnection, _: Any, __: Any) -> None:
        if connection.identity != identity_of(file):
            raise DisconnectionError(f"{file} is another file than when this connection was opened.")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


class ReadingConnection(sqlite3.Connection):
    """A connection that cannot write, and knows which file it was opened on.

    Attributes:
        identity: Of the file before it was opened, so that one put in its place meanwhile is noticed next time.
    """

    identity: Identity

    @classmethod
    def to(cls, file: Path) -> ReadingConnection:
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
    """Which file stands under this name now."""
    status = file.stat()
    return status.st_dev, status.st_ino


class CommitWatch:
    """Notices that anybody committed to the store, or put another file in its place; safe from many threads.

    Args:
        url: ``sqlite:///FILE``.

    Raises:
        StoreError: If the URL is wrong.
    """

    def __init__(self, url: str) -> None:
        self._file = Path(str(_parsed(url).database)).absolute()
        self._lock = Lock()
        self._connection: ReadingConnection | None = None
        self._opened = 0

    def version(self) -> tuple[int, int]:
        """Another value than ever before, if anything was committed since the last call.

        Raises:
            StoreError: If the file is gone or is no database.
        """
        with self._lock:
            try:
                # What SQLite counts is only comparable on one connection, hence the number of the connection.
                connection = self._current()
                (version,) = connection.execute("PRAGMA data_version").fetchone()
            except FileNotFoundError as error:
                raise missing(self._file) from error
            except (OSError, sqlite3.Error) as error:
                self._forget()
                raise unusable(self._file, error, is_read_only=True) from error
            return self._opened, version

    def close(self) -> None:
        """Close the connection; the watch can be used again afterwards."""
        with self._lock:
            self._forget()

    def _current(self) -> ReadingConnection:
        if self._connection is None or self._connection.identity != identity_of(self._file):
            self._forget()
            self._connection = ReadingConnection.to(self._file)
            self._opened += 1
        return self._connection

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@contextmanager
def transaction(engine: Engine, *, writes: bool) -> Iterator[Connection]:
    """One transaction; committed at the end of the block, rolled back when it raises.

    Ctrl-C waits until it is over.

    Raises:
        StoreError: If the database says no; its own words are in the sentence.
    """
    try:
        with (
            postponed_interrupts(),
            engine.connect().execution_options(writes=writes) as connection,
            connection.begin(),
        ):
            yield connection
    except SQLAlchemyError as error:
        is_read_only = engine.get_execution_options().get("is_read_only", False)
        raise unusable(database_file(engine), error, is_read_only=is_read_only) from error


def missing(file: Path) -> StoreError:
    """What to say of a store that is not there."""
    return StoreError(f"The store {file} must exist, but does not; run telemetry-quality migrate.")


def unusable(file: Path, error: Exception, *, is_read_only: bool) -> StoreError:
    """What to say of a store whose database says no, in the database's words."""
    reason = str(getattr(error, "orig", None) or error).splitlines()[0]
    return StoreError(
        f"The store {file} must be a database that can be {'read' if is_read_only else 'read and written'}, "
        f"but it says: {reason}; check the file and its folder, or restore them."
    )


def database_file(engine: Engine) -> Path:
    """The file of a SQLite engine."""
    return Path(str(engine.url.database))


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.get_backend_name() != "sqlite" or parsed.database in {None, "", ":memory:"}:
        found = "something else" if parsed is None else f"{parsed.get_backend_name()}://…"
        raise StoreError(f"store requires the form sqlite:///FILE, but {found} was found; name a file.")
    return parsed
