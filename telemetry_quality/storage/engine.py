"""Opens the store's database and runs transactions on it; ``sqlite`` and ``postgresql`` contain the differences.

Writers and readers open it differently. Writers run one after another, so that every chain has one end. A reader's
connections are pooled, cannot write, and never make a writer wait.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from sqlalchemy import Engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from telemetry_quality.errors import StoreError
from telemetry_quality.interrupts import postponed_interrupts
from telemetry_quality.storage.postgresql import PostgresqlDatabase
from telemetry_quality.storage.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from sqlalchemy import URL, Column, ColumnElement, Connection, MetaData, Table


class CommitWatch(Protocol):
    """Notices that anybody committed to the store or replaced it with another; thread-safe."""

    def version(self) -> Hashable:
        """A value that changes if anything was committed since the last call.

        Raises:
            StoreError: If the store cannot be read.
        """

    def close(self) -> None:
        """Close the connection; the watch can be used again afterwards."""


class Database(Protocol):
    """The store's database.

    Attributes:
        label: What error sentences call it; never contains a password.
        is_local: Whether it responds in microseconds, so that an event loop may ask for its version.
        more_tables: Tables that the store needs only in this kind of database.
    """

    label: str
    is_local: ClassVar[bool]
    more_tables: ClassVar[MetaData]

    def open_engine(self) -> Engine:
        """An engine for writers; its transactions with the option ``writes`` run one after another."""

    def open_read_only_engine(self) -> Engine:
        """An engine that the database itself prevents from writing; thread-safe."""

    def commit_watch(self) -> CommitWatch:
        """A watch that notices commits; nothing is opened yet."""

    def require_presence(self) -> None:
        """Raise a StoreError if the database is known to be missing before anything is asked of it."""

    def prepare_location(self) -> None:
        """Create what must exist before the database can be created or migrated."""

    def unusable(self, error: Exception, *, is_read_only: bool) -> StoreError:
        """The error for what the database refused, in the database's words."""

    def next_position(self, connection: Connection, chained: Table) -> Mapping[str, int]:
        """The number of a row to append to a chained table; empty if the database counts by itself."""

    def rows_written(self, connection: Connection, chained: Table) -> int:
        """How many rows were ever appended to a chained table."""

    def count_on(self, connection: Connection, written: Mapping[str, int]) -> None:
        """After rows were copied with their numbers: count on from them; ``written`` is what ``rows_written`` said."""

    def as_stored(self, column: Column[Any]) -> ColumnElement[Any]:
        """What to select for the value of a column as it is stored: no value raises an error when it is fetched."""

    def any_text(self, connection: Connection) -> AbstractContextManager[None]:
        """In the block, a text that is no text does not raise an error either."""

    def guards(self, connection: Connection) -> Mapping[str, str]:
        """The triggers that keep the tables append-only, and the views: name and text, as found."""

    def expected_guards(self, stored: Table) -> Mapping[str, str]:
        """Name and text of the triggers that keep ``stored`` append-only."""

    def expected_view(self, name: str) -> str:
        """The text of the view with this name, as ``guards`` returns it."""


def database_at(url: str | URL) -> Database:
    """The database of the store at ``url``; nothing is opened yet.

    Raises:
        StoreError: If the URL is neither ``sqlite:///FILE`` nor ``postgresql://USER@HOST/DATABASE``.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is not None and parsed.drivername in PostgresqlDatabase.DRIVERS and parsed.database:
        return PostgresqlDatabase(parsed)
    # In SQLite, names that begin with a colon are databases without a file.
    if parsed is not None and parsed.get_backend_name() == "sqlite" and (parsed.database or ":")[0] != ":":
        return SqliteDatabase(parsed)
    found = "something else" if parsed is None else f"{parsed.drivername}://…"
    raise StoreError(
        "store requires the form sqlite:///FILE or postgresql://USER@HOST/DATABASE, "
        f"but {found} was found; name a file or a database."
    )


def database_of(connected: Engine | Connection) -> Database:
    """The database that an engine or a connection belongs to."""
    return database_at(connected.engine.url)


def open_engine(url: str) -> Engine:
    """An engine for writing to the store at ``url``.

    Raises:
        StoreError: If the URL is wrong.
    """
    return database_at(url).open_engine()


def open_read_only_engine(url: str) -> Engine:
    """An engine for reading from the store at ``url``.

    Raises:
        StoreError: If the URL is wrong.
    """
    return database_at(url).open_read_only_engine()


@contextmanager
def transaction(on: Engine | Connection, *, writes: bool) -> Iterator[Connection]:
    """One transaction, committed at the end of the block and rolled back if the block raises.

    It runs on the given connection, or on a new connection of the given engine. Ctrl-C waits until it is over.

    Raises:
        StoreError: If the database refuses; the sentence contains the database's words.
    """
    with says_no_in_a_sentence(on), postponed_interrupts():
        connected = on.connect() if isinstance(on, Engine) else nullcontext(on)
        with connected as connection, connection.execution_options(writes=writes).begin():
            yield connection


@contextmanager
def says_no_in_a_sentence(on: Engine | Connection) -> Iterator[None]:
    """Raise a StoreError if the database refuses."""
    try:
        yield
    except SQLAlchemyError as error:
        is_read_only = on.get_execution_options().get("is_read_only", False)
        raise database_of(on).unusable(error, is_read_only=is_read_only) from error
