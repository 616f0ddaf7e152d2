"""The database connector for SQLite.

The file is opened read-only and read in batches, each in its own transaction; see ``copying``.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Boolean,
    Connection,
    Float,
    Integer,
    Numeric,
    Text,
    cast,
    create_engine,
    func,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchTableError, SQLAlchemyError
from sqlalchemy.pool import NullPool
from sqlalchemy.types import NullType

from telemetry_quality.core.clipping import clipped
from telemetry_quality.errors import SourceError, SourceUnavailableError
from telemetry_quality.interrupts import postponed_interrupts
from telemetry_quality.sources.columns import Column, ColumnKind, fitted
from telemetry_quality.sources.copying import BatchedTable, Shape
from telemetry_quality.sources.costs import CHEAP_BYTES, cost_of_rows, too_costly
from telemetry_quality.sources.limits import MEMORY_LIMIT_BYTES, TIME_LIMIT, QueryTime, time_limit
from telemetry_quality.sources.query import EventTable, named_table
from telemetry_quality.sources.roles import resolve_roles
from telemetry_quality.sources.scanning import answer_days, schema_of_hours
from telemetry_quality.sources.signals import listed_signals, read_catalogue
from telemetry_quality.sources.soundness import broken, is_damage, require_sound_file, state_of
from telemetry_quality.sources.sql_source import TableSource
from telemetry_quality.sources.transfer import ReceivingClient

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from sqlalchemy import URL, Engine, Executable, Select
    from sqlalchemy.types import TypeEngine

    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.events import UnreadableDay
    from telemetry_quality.core.signals import SignalCatalogue
    from telemetry_quality.sources.query import DayRange


PROBED_ROWS = 1000
"""How many rows are inspected to find out which types a column really holds."""


def _matches(text: Any, pattern: str) -> bool | None:
    return None if text is None else re.search(pattern, str(text)) is not None


def _clipped(text: bytes) -> str:
    """The text that these bytes encode, clipped."""
    return clipped(text.decode(errors="replace"))


def _kind(declared: TypeEngine[Any], held: frozenset[str]) -> ColumnKind:
    """The kind of a SQLite column: its values decide; the declared type only tells booleans from integers."""
    if held == {"integer"}:
        return ColumnKind.BOOLEAN if isinstance(declared, Boolean) else ColumnKind.INTEGER
    if held and held <= {"integer", "real"}:
        return ColumnKind.NUMBER
    if held:
        return ColumnKind.OTHER if held & {"integer", "real"} or "text" not in held else ColumnKind.TEXT
    if isinstance(declared, Boolean):
        return ColumnKind.BOOLEAN
    if isinstance(declared, Integer):
        return ColumnKind.INTEGER
    return ColumnKind.NUMBER if isinstance(declared, (Numeric, Float)) else ColumnKind.TEXT


class _Client:
    """A read-only connection, and the DuckDB into which events are copied.

    Driver errors become SourceErrors, and each query has a time limit.
    """

    def __init__(self, connection: Connection, what: str, seconds: float, memory_limit_bytes: int) -> None:
        self.connection = connection
        self._what = what
        self.time = QueryTime(seconds)
        self._memory_limit_bytes = memory_limit_bytes

    @cached_property
    def duckdb(self) -> ReceivingClient:
        """Opened when the first events are copied."""
        client = ReceivingClient(self._what, self.time.seconds, memory_limit_bytes=self._memory_limit_bytes)
        client.time = self.time
        return client

    def close(self) -> None:
        self.connection.close()
        if "duckdb" in vars(self):
            self.duckdb.connection.close()

    def execute(self, query: Select[Any]) -> Sequence[Sequence[Any]]:
        """All rows of a query of the copy, within the time limit."""
        return self.duckdb.execute(query)

    def stream(self, query: Executable, rows: int) -> Iterator[Sequence[Sequence[Any]]]:
        with self._limited(self.time.left()):
            yield from self.connection.execute(query).partitions(rows)

    def read(self, query: Executable, spent_seconds: float = 0) -> Sequence[Sequence[Any]]:
        with self._limited(self.time.left(spent_seconds)):
            return self.connection.execute(query).all()

    @contextmanager
    def _limited(self, left_seconds: float) -> Iterator[None]:
        driver: Any = self.connection.connection.driver_connection
        if left_seconds <= 0:
            raise self._too_slow()
        with time_limit(left_seconds, driver.interrupt) as deadline:
            try:
                yield
            except DBAPIError as error:
                if deadline.has_passed:
                    raise self._too_slow() from None
                raise _source_error(self._what, error) from error

    def _too_slow(self) -> SourceError:
        return SourceError(
            TIME_LIMIT,
            f"{self._what} must answer within {self.time.seconds:g} s, but did not; "
            "raise time_limit_seconds or index the time column.",
        )

    def columns_of(self, name: str) -> dict[str, Column]:
        try:
            found = inspect(self.connection).get_columns(name)
        except NoSuchTableError:
            raise SourceError(
                "TABLE_MISSING",
                f"{self._what} requires the table {name!r}, but has no table of that name; correct the name.",
            ) from None
        held = self._held_types(name, [item["name"] for item in found])
        return {
            item["name"]: Column(item["name"], str(item["type"]), _kind(item["type"], types))
            for item, types in zip(found, held, strict=True)
        }

    def event_table(self, name: str, schema: EventSchema, salt: str) -> EventTable:
        columns = self.columns_of(name)
        table = named_table(name, *columns)
        schema = fitted(schema, columns)
        roles = resolve_roles(schema, table, columns, self._described, read=self.read)
        return EventTable(table, roles, schema, salt)

    def schema_version(self) -> int:
        """A number that changes whenever a table is altered or rows are renumbered."""
        ((version,),) = self.read(text("PRAGMA schema_version"))
        return int(version)

    def batched(self, name: str, schema: EventSchema, salt: str, pause_seconds: float) -> BatchedTable:
        """The same table as ``event_table``, read in batches."""
        events = self.event_table(name, schema, salt)
        return BatchedTable(self, events, self._shape(name, events.relation.c.keys()), pause_seconds)

    def _shape(self, name: str, columns: Iterable[str]) -> Shape:
        inspector = inspect(self.connection)
        rowid = None if name in inspector.get_view_names() else self._rowid(name, columns)
        indexes = inspector.get_indexes(name)
        whole = [index for index in indexes if "sqlite_where" not in index.get("dialect_options", {})]
        leading = {index["column_names"][0] for index in whole}
        leading.update(inspector.get_pk_constraint(name)["constrained_columns"][:1])
        indexed = frozenset(column for column in leading if column is not None)
        return Shape(named_table(name, *columns, *([rowid] if rowid else [])), rowid, indexed)

    def _rowid(self, name: str, columns: Iterable[str]) -> str | None:
        """The name under which row ids can be selected, given the columns' names; None if there are no row ids."""
        taken = {column.lower() for column in columns}
        for word in ("rowid", "oid", "_rowid_"):
            if word not in taken:
                try:
                    self.read(select(named_table(name, word).c[word]).limit(1))
                except SourceUnavailableError:
                    raise
                except SourceError:
                    # A table WITHOUT ROWID or an unreadable one; if it is unreadable, every day reports so itself.
                    return None
                return word
        return None

    def _held_types(self, name: str, columns: Sequence[str]) -> list[frozenset[str]]:
        """The types found in each column in some rows, since SQLite lets any column hold values of any type."""
        return self._types_in(select(*named_table(name, *columns).c))

    def _described(self, query: Select[Any]) -> list[Column]:
        """The columns that a query returns, by the values that it returns for some rows."""
        held = self._types_in(query)
        kinds = [_kind(NullType(), types) for types in held]
        names = query.selected_columns.keys()
        return [Column(*found) for found in zip(names, map("/".join, map(sorted, held)), kinds, strict=True)]

    def _types_in(self, query: Select[Any]) -> list[frozenset[str]]:
        some = query.limit(PROBED_ROWS).subquery("some_events")
        try:
            rows = self.read(select(*(func.typeof(column) for column in some.c)))
        except SourceUnavailableError:
            raise
        except SourceError:
            # A slow view or a damaged page: fall back to the declared types, and let each day report its own error.
            rows = []
        if not rows:
            return [frozenset()] * len(some.c)
        return [frozenset(types) - {"null"} for types in zip(*rows, strict=True)]


def _source_error(what: str, error: SQLAlchemyError) -> SourceError:
    reason = str(getattr(error, "orig", None) or error).splitlines()[0]
    if "locked" in reason or "busy" in reason:
        return SourceUnavailableError("SOURCE_LOCKED", f"{what} must be free to read, but it is locked; try again.")
    if is_damage(getattr(error, "orig", None)):
        return broken(what, reason)
    return SourceError("SOURCE_UNREADABLE", f"{what} cannot be read: {reason}; check the file and its table.")


SEEN_ROWS = 10_000
"""How many events are copied to look at their times."""


class SqliteSource(TableSource[_Client]):
    """Events in a table or view of a SQLite file.

    Args:
        url: ``sqlite:///FILE``.
        table: Table or view of events.
        schema: Which column plays which role.
        catalogue: The known signals.
        time_limit_seconds: The time limit of one query, or of all batches together.
        memory_limit_bytes: How much memory the DuckDB that holds the copy may take.
        pause_seconds: How long to pause after a batch; short batches share a pause.
        salt: Mixed into the sample's hash.

    Raises:
        SourceError: If the URL has another form.
    """

    def __init__(
        self,
        url: str,
        table: str,
        schema: EventSchema,
        *,
        catalogue: SignalCatalogue | None = None,
        time_limit_seconds: float = 300,
        memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
        pause_seconds: float = 0,
        salt: str = "",
    ) -> None:
        super().__init__(table, schema, catalogue, salt)
        self._url = _sqlite_url(url)
        self._seconds = time_limit_seconds
        self._memory_limit_bytes = memory_limit_bytes
        self._pause_seconds = pause_seconds
        self._sound: Hashable = None

    def count_days(self, windows: Sequence[DayWindow]) -> dict[date, int | UnreadableDay]:
        """Events per day; see EventSource."""
        with self._client() as client:
            table = self._tables(client)

            def ask(day_range: DayRange) -> Mapping[date, int]:
                counts = table.counts(day_range)
                return {window.day: counts.get(index, 0) for index, window in enumerate(day_range.windows)}

            return dict(answer_days(windows, ask))

    def read_signals(self) -> frozenset[str] | None:
        """The signal catalogue, which is not copied; see EventSource."""
        if self._catalogue is None or self._catalogue.table is None:
            return listed_signals(self._catalogue)
        with self._client() as client:
            return read_catalogue(client.read, self._catalogue.table, self._catalogue)

    def look_at_values(self, rows: int) -> tuple[list[Column], Sequence[Sequence[str | None]]]:
        """The columns, and some of their values, none of which is copied; see SqlSource."""
        with self._client() as client:
            columns = client.columns_of(self._table)
            names = named_table(self._table, *columns).c
            found = client.read(select(*(cast(name, Text) for name in names)).limit(rows))
            texts = [tuple(None if text is None else clipped(str(text)) for text in row) for row in found]
            return list(columns.values()), texts

    def table_names(self) -> list[str]:
        """The tables and views of the file."""
        with self._client() as client:
            found = client.read(text("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name"))
            return [name for (name,) in found if not name.startswith("sqlite_")]

    def _some_events(self, client: _Client) -> EventTable:
        return self._tables(client).some(SEEN_ROWS)

    def holds_up_writers(self) -> str | None:
        """Why reading makes writers wait: there is no write-ahead log, or there are no row ids to batch by."""
        with self._client() as client:
            ((journal,),) = client.read(text("PRAGMA journal_mode"))
            if journal != "wal":
                return f"Nobody can commit during a batch ({journal} journal); run PRAGMA journal_mode = WAL once."
            if not self._tables(client).is_batched:
                return "A view or a table WITHOUT ROWID is read in one piece while the log grows; name another table."
        return None

    def costly_hours(self, window: DayWindow) -> str | None:
        """Why a look at these hours would read far more than them; see EventSource."""
        with self._client() as client:
            ((pages,),), ((page_bytes,),) = (client.read(text(f"PRAGMA {of}")) for of in ("page_count", "page_size"))
            if pages * page_bytes <= CHEAP_BYTES:
                return None
            table = self._tables_of_hours(client)
            reading = table.reading(window)
        if not table.is_batched:
            return too_costly("a view or a table WITHOUT ROWID in one piece", "name a table that has row ids")
        remedy = f"store {self.schema.occurred_at} as a number, index it, and insert events about when they happen"
        return cost_of_rows(reading, self._table, remedy)

    def _tables(self, client: _Client) -> BatchedTable:
        self._require_sound_file()
        return client.batched(self._table, self.schema, self._salt, self._pause_seconds)

    def _tables_of_hours(self, client: _Client) -> BatchedTable:
        self._require_sound_file()
        return client.batched(self._table, schema_of_hours(self.schema), self._salt, self._pause_seconds)

    def _require_sound_file(self) -> None:
        path = str(self._url.database)
        state = state_of(path)
        if state != self._sound:
            require_sound_file(path)
            self._sound = state

    @contextmanager
    def _client(self) -> Iterator[_Client]:
        what = str(self._url.database)
        if not Path(what).is_file():
            raise SourceError("FILE_MISSING", f"A SQLite file is required, but {what} is not a file; check the url.")
        engine = _read_only_engine(what)
        try:
            client = _Client(engine.connect(), what, self._seconds, self._memory_limit_bytes)
            try:
                yield client
            finally:
                with postponed_interrupts():
                    client.close()
        except SQLAlchemyError as error:
            raise _source_error(what, error) from error


def _sqlite_url(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() != "sqlite" or not url.database:
        # The URL itself is not repeated, because it may contain a password.
        found = "something else" if url is None else f"{url.get_backend_name()}://…"
        raise SourceError(
            "URL_INVALID",
            f"url requires the form sqlite:///FILE, but {found} was found; point it at a SQLite file.",
        )
    return url


def _read_only_engine(path: str) -> Engine:
    def connect() -> sqlite3.Connection:
        # No transaction outlives its statement.
        connection = sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        # Invalid bytes become replacement characters; an error would quote the value.
        connection.text_factory = lambda raw: raw.decode(errors="replace")
        connection.execute("PRAGMA case_sensitive_like = ON")
        connection.create_function("telemetry_matches", 2, _matches, deterministic=True)
        connection.create_function("telemetry_clipped", 1, _clipped, deterministic=True)
        return connection

    return create_engine("sqlite://", creator=connect, poolclass=NullPool)
