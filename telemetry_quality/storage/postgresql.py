"""The store in a PostgreSQL database: one writer at a time, readers that see one moment, and no password in any text.

Sessions are read-only and see one moment unless they say otherwise, which only writers' transactions do.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import (
    JSON,
    URL,
    BigInteger,
    Column,
    Date,
    MetaData,
    Table,
    Text,
    cast,
    column,
    event,
    func,
    select,
    table,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool
from sqlalchemy.types import NullType

from telemetry_quality.errors import StoreError
from telemetry_quality.storage.column_types import StoredText, UtcDateTime
from telemetry_quality.storage.tables import CHAINED, MUTABLE, metadata
from telemetry_quality.storage.triggers import REFUSING_BODY, expected_triggers
from telemetry_quality.storage.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    from sqlalchemy import ColumnElement, Connection, Engine
    from sqlalchemy.engine.interfaces import ExceptionContext
    from sqlalchemy.pool import Pool

BUSY_SECONDS = 60
"""How long a writer waits for another writer, or for a table lock."""

READER_BUSY_SECONDS = 5
"""How long a reader waits for a table lock, which only a migration takes; somebody is waiting for a page."""

ANSWER_SECONDS = 60
"""How long a reader's query may take."""

IDLE_SECONDS = 600
"""After so long, an idle transaction is ended, so that a process that hangs does not block all other writers."""

KEPT_CONNECTIONS = 8
"""Pooled connections of a reader; more are opened while more threads ask at once."""

RECYCLE_SECONDS = 1800
"""A pooled connection is replaced after this time, because network devices may drop it silently."""

CLIENT_SECONDS = 75
"""How long a process waits for any statement, in case nothing that the server says arrives."""

CONNECTION_SETTINGS: Mapping[str, str] = {
    "default_transaction_isolation": "repeatable read",
    "default_transaction_read_only": "on",
    "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
    "timezone": "UTC",
    "datestyle": "ISO",
}

_AS_TEXT = (Date, UtcDateTime, JSON)

WRITERS_LOCK = 0x7E1E
"""The first half of the number that writers lock; the second half is the schema, so that each store has its own."""

chain_length = Table(
    "chain_length",
    MetaData(naming_convention={"pk": "pk_%(table_name)s"}),
    Column("chain", StoredText, primary_key=True),
    Column("rows_written", BigInteger, nullable=False),
)
"""How many rows were ever appended to each chained table.

A sequence would leave a gap when a transaction is rolled back, and the gap would look like a deleted row.
"""


class PostgresqlDatabase:
    """See ``engine.Database``.

    Args:
        url: ``postgresql://USER@HOST/DATABASE``; without a password libpq looks for one, for example in ``.pgpass``.
    """

    DRIVERS = frozenset({"postgresql", "postgresql+psycopg"})

    is_local: ClassVar[bool] = False
    more_tables: ClassVar[MetaData] = chain_length.metadata

    def __init__(self, url: URL) -> None:
        self._url = url
        # The query may contain a password too.
        place = URL.create("postgresql", url.username, None, url.host, url.port, url.database)
        self.label = place.render_as_string()

    def open_engine(self) -> Engine:
        """Writers open a connection per transaction, so that nothing is held in between or shared with a fork."""
        engine = self._engine({"lock_timeout": f"{BUSY_SECONDS}s"}, poolclass=NullPool)

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            if connection.get_execution_options().get("writes", False):
                # Not one moment: a writer that waited for the lock must see what was committed meanwhile.
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE")
                store = func.hashtext(func.current_schema())
                connection.execute(select(cast(func.pg_advisory_xact_lock(WRITERS_LOCK, store), Text)))

        return engine

    def open_read_only_engine(self) -> Engine:
        """Connections are pooled and tested before each use, because the server may have restarted."""
        return self._engine(
            {"lock_timeout": f"{READER_BUSY_SECONDS}s", "statement_timeout": f"{ANSWER_SECONDS}s"},
            poolclass=QueuePool,
            pool_size=KEPT_CONNECTIONS,
            max_overflow=-1,
            pool_use_lifo=True,
            pool_pre_ping=True,
            pool_recycle=RECYCLE_SECONDS,
            execution_options={"is_read_only": True},
        )

    def commit_watch(self) -> PostgresqlCommitWatch:
        """Watches the ends of all chains and all staff rows."""
        return PostgresqlCommitWatch(self)

    def require_presence(self) -> None:
        """The server reports this itself."""

    def prepare_location(self) -> None:
        """Databases are created by the server's administrator."""

    def unusable(self, error: Exception, *, is_read_only: bool) -> StoreError:
        """The server is unreachable, refuses the connection, or lacks what was asked for."""
        return StoreError(
            f"The store {self.label} must be a database that can be {'read' if is_read_only else 'read and written'}, "
            f"but it says: {_first_line(getattr(error, 'orig', None) or error)}; "
            "check the server, the database and the rights of the user."
        )

    def next_position(self, connection: Connection, chained: Table) -> Mapping[str, int]:
        """Counted in the same transaction."""
        count = insert(chain_length).values(chain=chained.name, rows_written=1)
        more = {"rows_written": chain_length.c.rows_written + 1}
        counted = count.on_conflict_do_update(index_elements=["chain"], set_=more).returning(
            chain_length.c.rows_written
        )
        return {"sequence": connection.execute(counted).scalar_one()}

    def rows_written(self, connection: Connection, chained: Table) -> int:
        """As counted."""
        written = chain_length.c.rows_written
        return connection.scalar(select(written).where(chain_length.c.chain == chained.name)) or 0

    def count_on(self, connection: Connection, written: Mapping[str, int]) -> None:
        """Chains are counted in a table, and rows of other tables by the sequences of their ids."""
        connection.execute(
            insert(chain_length), [{"chain": name, "rows_written": rows} for name, rows in written.items()]
        )
        for stored in metadata.sorted_tables:
            if "id" in stored.columns and stored.c.id.autoincrement is not False:
                sequence = func.pg_get_serial_sequence(stored.name, "id")
                last = select(func.max(stored.c.id)).scalar_subquery()
                connection.execute(select(func.setval(sequence, func.coalesce(last, 1), last.is_not(None))))

    def as_stored(self, column: Column[Any]) -> ColumnElement[Any]:
        """Dates, instants and JSON as text, because the driver raises an error at an infinite date."""
        return cast(column, Text) if isinstance(column.type, _AS_TEXT) else type_coerce(column, NullType())

    @contextmanager
    def any_text(self, connection: Connection) -> Iterator[None]:  # noqa: ARG002
        """The server stores no text that is none."""
        yield

    def guards(self, connection: Connection) -> Mapping[str, str]:
        """As PostgreSQL prints them; a trigger that is disabled or does something else guards nothing."""
        schema = func.current_schema()
        classes = table("pg_class", column("oid"), column("relname"), column("relkind"), column("relnamespace"))
        spaces = table("pg_namespace", column("oid"), column("nspname"))
        triggers = table(
            "pg_trigger", column("oid"), column("tgname"), column("tgrelid"), column("tgfoid"), column("tgenabled")
        )
        functions = table("pg_proc", column("oid"), column("prosrc"))
        trigger = triggers.c
        query = (
            select(trigger.tgname, func.pg_get_triggerdef(trigger.oid, True))
            .join(classes, classes.c.oid == trigger.tgrelid)
            .join(spaces, spaces.c.oid == classes.c.relnamespace)
            .join(functions, functions.c.oid == trigger.tgfoid)
            .where(
                spaces.c.nspname == schema, cast(trigger.tgenabled, Text) == "A", functions.c.prosrc == REFUSING_BODY
            )
        )
        views = (
            select(classes.c.relname, func.pg_get_viewdef(classes.c.oid, True))
            .join(spaces, spaces.c.oid == classes.c.relnamespace)
            .where(spaces.c.nspname == schema, cast(classes.c.relkind, Text) == "v")
        )
        found = dict(connection.execute(query).all())
        return found | {name: _plain(text) for name, text in connection.execute(views).all()}

    def expected_guards(self, stored: Table) -> Mapping[str, str]:
        """As PostgreSQL prints what the migrations created."""
        return expected_triggers("postgresql", stored)

    def expected_view(self, name: str) -> str:
        """As PostgreSQL prints what the migrations created."""
        return _plain(VIEWS[name])

    def _engine(self, settings: Mapping[str, str], poolclass: type[Pool], **options: Any) -> Engine:
        try:
            from telemetry_quality.bounded_connections import bounded_engine  # noqa: PLC0415 - needs the driver

            engine = bounded_engine(self._url, CLIENT_SECONDS, {}, poolclass=poolclass, **options)
        except ImportError as error:
            raise StoreError(
                f"The store {self.label} requires the driver psycopg, but it cannot be loaded ({error}); "
                "run pip install 'telemetry-quality[postgresql]'."
            ) from error

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, _: Any) -> None:
            wanted = {**CONNECTION_SETTINGS, **settings}
            connection.autocommit = True
            calls = ", ".join(["set_config(%s, %s, false)"] * len(wanted))
            connection.execute(f"SELECT {calls}", [part for pair in wanted.items() for part in pair])
            connection.autocommit = False

        @event.listens_for(engine, "handle_error")
        def hide_values(context: ExceptionContext) -> None:
            # The lines below the first one repeat the values of a row.
            for error in (context.original_exception, context.sqlalchemy_exception):
                if error is not None and error.args:
                    error.args = (_first_line(error.args[0]), *error.args[1:])

        return engine


def _first_line(text: object) -> str:
    return (str(text).splitlines() or ["nothing"])[0].strip()


def _plain(view: str) -> str:
    """A view's text without what PostgreSQL adds, and without the qualifiers that PostgreSQL 16 omits."""
    return re.sub(r"\bas\b|::text|[\s();]|\b(snapshot|known)\.", "", view.lower())


def _newest(chained: Table) -> Any:
    return select(chained.c.content_hash).order_by(chained.c.sequence.desc()).limit(1).scalar_subquery()


def _rows_of(changing: Table) -> Any:
    """A number that changes whenever any of a few rows is added, changed or deleted, by their ctid and xmin."""
    place = func.concat(cast(column("ctid"), Text), cast(column("xmin"), Text))
    return select(func.sum(func.hashtextextended(place, 0))).select_from(changing).scalar_subquery()


class PostgresqlCommitWatch:
    """See ``engine.CommitWatch``; other activity on the same server does not change the version."""

    _HEADS = select(*map(_newest, CHAINED), *map(_rows_of, MUTABLE))
    """Everything stored hangs on the chains, except accounts and the like. Each chain's end is one index lookup."""

    def __init__(self, database: PostgresqlDatabase) -> None:
        self._database = database
        # A single statement sees one moment anyway.
        self._engine = database.open_read_only_engine().execution_options(isolation_level="AUTOCOMMIT")

    def version(self) -> Hashable:
        """The same content has the same version."""
        try:
            with self._engine.connect() as connection:
                return tuple(connection.execute(self._HEADS).one())
        except SQLAlchemyError as error:
            raise self._database.unusable(error, is_read_only=True) from error

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()
