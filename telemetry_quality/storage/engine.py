"""Opens the store's database: SQLite in WAL mode, explicit transactions, and a wait instead of an error when busy."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from telemetry_quality.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

BUSY_SECONDS = 60
"""How long a writer waits for another one: a backfill holds the lock only for milliseconds at a time."""


def open_engine(url: str) -> Engine:
    """An engine for the store at ``url``.

    Raises:
        StoreError: If the URL is not ``sqlite:///FILE``.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.get_backend_name() != "sqlite" or parsed.database in {None, "", ":memory:"}:
        found = "something else" if parsed is None else f"{parsed.get_backend_name()}://…"
        raise StoreError(f"store requires the form sqlite:///FILE, but {found} was found; name a file.")
    engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS}, poolclass=NullPool)

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


@contextmanager
def transaction(engine: Engine, *, writes: bool) -> Iterator[Connection]:
    """One transaction; committed at the end of the block, rolled back when it raises.

    Raises:
        StoreError: If the database says no; its own words are in the sentence.
    """
    try:
        with engine.connect().execution_options(writes=writes) as connection, connection.begin():
            yield connection
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise StoreError(
            f"The store {database_file(engine)} must be a database that can be read and written, "
            f"but it says: {reason}; check the file and its folder, or restore them."
        ) from error


def database_file(engine: Engine) -> Path:
    """The file of a SQLite engine."""
    return Path(str(engine.url.database))
