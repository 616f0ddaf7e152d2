"""The DuckDB connector: Parquet files and DuckDB database files, read in process."""

from __future__ import annotations

import os
from abc import abstractmethod
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property, partial
from time import sleep, time_ns
from typing import TYPE_CHECKING, Any, ClassVar, Self

import duckdb
from sqlalchemy import literal_column, select

from telemetry_quality.errors import SourceError, SourceUnavailableError
from telemetry_quality.sources.columns import Column, ColumnKind, fitted
from telemetry_quality.sources.costs import cost_of_rows
from telemetry_quality.sources.duckdb_errors import source_error
from telemetry_quality.sources.duckdb_sql import DuckDBDialect
from telemetry_quality.sources.limits import MEMORY_LIMIT_BYTES, TIME_LIMIT, QueryTime, time_limit
from telemetry_quality.sources.parquet import Footers, files_required, hive_keys, index_files, literal_path
from telemetry_quality.sources.parquet_tables import FileTables, read_settled
from telemetry_quality.sources.query import DayRange, EventTable, named_table
from telemetry_quality.sources.roles import resolve_roles
from telemetry_quality.sources.row_groups import cost_of_parquet, rows_together
from telemetry_quality.sources.sessions import open_session
from telemetry_quality.sources.sql_source import SqlSource, TableSource
from telemetry_quality.sources.stores import open_store, pattern_of
from telemetry_quality.sources.walking import (
    EMPTY,
    NOWHERE,
    PARQUET_NAMES,
    Listing,
    place_of,
    require_file,
    stamp,
    walk,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from zoneinfo import ZoneInfo

    from sqlalchemy import Select

    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.signals import SignalCatalogue
    from telemetry_quality.sources.objects import ObjectFileSystem, ObjectStore
    from telemetry_quality.sources.parquet import ParquetIndex
    from telemetry_quality.sources.scanning import EventTables
    from telemetry_quality.sources.sql_source import Answer
    from telemetry_quality.sources.walking import Places

LATEST_FILES = 3
"""How many files are looked into for recent times."""

_VIEW = "events_of_source"

_TICK_NANOSECONDS = 20_000_000
"""Longer than the time during which a file system gives two changes of a file the same time."""


_DIALECT = DuckDBDialect()

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_KINDS = {
    "VARCHAR": ColumnKind.TEXT,
    "BOOLEAN": ColumnKind.BOOLEAN,
    "FLOAT": ColumnKind.NUMBER,
    "DOUBLE": ColumnKind.NUMBER,
} | dict.fromkeys(_INTEGERS, ColumnKind.INTEGER)


def _kind(type_name: str) -> ColumnKind:
    if type_name.startswith("DECIMAL") and type_name.endswith(")"):
        return ColumnKind.NUMBER
    return ColumnKind.INSTANT if type_name.startswith("TIMESTAMP") else _KINDS.get(type_name, ColumnKind.OTHER)


class DuckDBClient:
    """One DuckDB in this process; its errors become SourceErrors, and each query has a time limit.

    Args:
        what: What is read, for errors.
        seconds: The time limit of one query.
        database: A DuckDB file to read.
        objects: The objects to read, if they are in an object store.
        memory_limit_bytes: How much memory it may take.
        places: The files that it may open; everything else is refused, and so are the network and extensions.
    """

    def __init__(
        self,
        what: str,
        seconds: float,
        database: str | None = None,
        objects: ObjectFileSystem | None = None,
        *,
        memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
        places: Places = NOWHERE,
    ) -> None:
        self.places = places
        self.listing: Listing | None = None
        self.time = QueryTime(seconds)
        self._what = what
        self._objects = objects
        self._database = database
        self._memory_limit_bytes = memory_limit_bytes
        self.open()

    def open(self) -> None:
        """Open a session that may read ``places``, which a session cannot change."""
        with self._translated():
            self.connection = open_session(self._database, self._memory_limit_bytes, self.places, self._objects)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def execute(self, query: Select[Any]) -> list[tuple[Any, ...]]:
        """All rows of a query, within the time limit."""
        text, parameters = compiled(query)
        with self.limited():
            return self.connection.execute(text, parameters).fetchall()

    def event_table(self, relation: str, schema: EventSchema, salt: str) -> EventTable:
        """A table or view whose columns can play their roles."""
        columns = self.columns_of(relation)
        table = named_table(relation, *columns)
        schema = fitted(schema, columns)
        roles = resolve_roles(schema, table, columns, self.described, "duckdb", read=self.execute)
        return EventTable(table, roles, schema, salt, finds_nulls=True, has_grouping_sets=True)

    def columns_of(self, relation: str) -> dict[str, Column]:
        """The columns of a table or view."""
        found = self.described(select(literal_column("*")).select_from(named_table(relation)))
        return {column.name: column for column in found}

    def described(self, query: Select[Any]) -> list[Column]:
        """The columns that a query would return."""
        text, parameters = compiled(query)
        with self.limited():
            shape = self.connection.execute(f"DESCRIBE {text}", parameters).fetchall()
        return [Column(name, type_, _kind(type_)) for name, type_, *_ in shape]

    def show_files(self, paths: Sequence[str], view: str = _VIEW) -> str:
        """Create one view of several Parquet files, with columns matched by name, and return its name."""
        alike: dict[tuple[str, ...], list[str]] = {}
        for path in paths:
            alike.setdefault(hive_keys(path), []).append(literal_path(path))
        names = [view] if len(alike) == 1 else [f"{view}_{number}" for number in range(len(alike))]
        with self.limited():
            for name, group in zip(names, alike.values(), strict=True):
                files = self.connection.read_parquet(group, union_by_name=True, hive_partitioning=True)
                files.create_view(name, replace=True)
            if len(names) > 1:
                # DuckDB reads files below different hive folders only one kind at a time.
                together = self.connection.sql(" UNION ALL BY NAME ".join(f"FROM {name}" for name in names))
                together.create_view(view, replace=True)
        return view

    def index_files(self, schema: EventSchema, zone: ZoneInfo, footers: Footers) -> ParquetIndex:
        """Which of the Parquet files or objects that were listed may hold which events."""
        with self.limited():
            if self._objects is not None:
                return self._objects.index(self.connection, schema, zone)
            return index_files(self.connection, self.listing or EMPTY, schema, zone, footers)

    def list_objects(self, pattern: str) -> None:
        """Let queries see the matching objects, if the files are in an object store."""
        if self._objects is not None:
            with self.limited():
                self._objects.add_matching(pattern)

    def absent_objects(self, paths: Sequence[str]) -> frozenset[str]:
        """Those of ``paths`` that are not in the object store; queries see the others."""
        if self._objects is None:
            return frozenset()
        with self.limited():
            self._objects.add(paths)
        return frozenset(path for path in paths if not self._objects.isfile(path))

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Interrupt the block if it takes too long."""
        if self._objects is not None:
            self._objects.resume()
        with self._translated(), time_limit(self.time.left(), self.interrupt) as deadline:
            try:
                yield
            except Exception as error:
                if deadline.has_passed:
                    raise SourceError(
                        TIME_LIMIT,
                        f"{self._what} must answer within {self.time.seconds:g} s, but did not; "
                        "raise time_limit_seconds.",
                    ) from None
                if isinstance(error, duckdb.InterruptException):
                    raise KeyboardInterrupt from None
                raise

    def forget_files(self) -> None:
        """Forget what was read of any file: it may be another one when it is read next."""
        with self._translated():
            self.connection.execute("SET enable_external_file_cache = false")
            self.connection.execute("SET enable_external_file_cache = true")

    def interrupt(self) -> None:
        """Stop the query that another thread is running."""
        if self._objects is not None:
            self._objects.stop()
        self.connection.interrupt()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except SourceError:
            raise
        except Exception as error:
            if self._objects is not None and (rejection := self._objects.error()) is not None:
                # Drop the store's own error, because it may quote a key.
                raise rejection from None
            if not isinstance(error, duckdb.Error):
                raise
            raise source_error(self._what, error) from error


def compiled(query: Select[Any]) -> tuple[str, list[Any]]:
    """A query as DuckDB's text, and its parameters."""
    found = query.compile(dialect=_DIALECT)
    # Read once: each access computes the values of all parameters.
    values = found.params
    return str(found), [values[name] for name in found.positiontup or ()]


class DuckDBSource(SqlSource[DuckDBClient]):
    """Queries that use this process's cores but not its interpreter, and that another thread can interrupt."""

    can_prefetch = True
    _open: DuckDBClient | None = None

    @abstractmethod
    def new_client(self) -> DuckDBClient:
        """A new DuckDB for one session."""

    @contextmanager
    def _client(self) -> Iterator[DuckDBClient]:
        with self.new_client() as client:
            self._open = client
            try:
                yield client
            finally:
                self._open = None

    def interrupt(self) -> None:
        """Stop what another thread is reading; see EventSource."""
        client = self._open
        if client is not None:
            with suppress(duckdb.ConnectionException):  # already closed
                client.interrupt()


class ParquetSource(DuckDBSource):
    """Events in Parquet files: a file, a folder (hive-partitioned or not) or a glob.

    Args:
        path: A file, a folder or a pattern such as ``events/**/*.parquet``, or the URL of one in an object store.
        schema: Which column plays which role.
        zone: The time zone of the source's days.
        catalogue: The known signals.
        time_limit_seconds: The time limit of one query.
        memory_limit_bytes: How much memory DuckDB may take.
        salt: Mixed into the sample's hash.
    """

    _client_class: ClassVar[type[DuckDBClient]] = DuckDBClient

    def __init__(
        self,
        path: str,
        schema: EventSchema,
        zone: ZoneInfo,
        *,
        catalogue: SignalCatalogue | None = None,
        time_limit_seconds: float = 300,
        memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
        salt: str = "",
    ) -> None:
        super().__init__(schema, catalogue, salt)
        self.path = pattern_of(path)
        self._zone = zone
        self._footers = Footers()
        self._idle: dict[int, list[DuckDBClient]] = {}
        self._seconds = time_limit_seconds
        self._memory_limit_bytes = memory_limit_bytes

    def columns(self) -> dict[str, Column]:
        """The columns of all readable files together, and the expressions that play roles."""
        with self._client() as client:
            files = self._index(client).files
            paths = [file.path for file in files if file.broken is None]
            if not paths:
                raise files[0].unreadable()
            return dict(client.event_table(client.show_files(paths), self.schema, self._salt).columns)

    @cached_property
    def _store(self) -> ObjectStore | None:
        return open_store(self.path) if "://" in self.path else None

    def new_client(self) -> DuckDBClient:
        """A DuckDB that may read the files as they are listed now."""
        listing = None if self._store else self._list()
        client = self._client_class(
            self.path,
            self._seconds,
            objects=self._store.file_system() if self._store else None,
            memory_limit_bytes=self._memory_limit_bytes,
            places=self._places_of(listing),
        )
        client.listing = listing
        return client

    def _list(self) -> Listing:
        return list_files(self.path)

    def _places_of(self, listing: Listing | None) -> Places:
        catalogue = self._catalogue.table if self._catalogue else None
        own = place_of(self.path) if listing is None else listing.places
        return own | place_of(catalogue) if catalogue else own

    def _may_read_what_is_there(self, client: DuckDBClient) -> bool:
        """List the files again; whether the client may read all of them."""
        client.listing = self._list()
        return client.places >= self._places_of(client.listing)

    @contextmanager
    def _client(self) -> Iterator[DuckDBClient]:
        """A DuckDB that is not in use, or a new one: opening it takes as long as counting a small day.

        None is used by two threads, or after a fork or an error, and none remembers what was in a file.
        """
        if self._store is not None:
            with super()._client() as client:
                yield client
            return
        idle = self._idle.setdefault(os.getpid(), [])
        try:
            client = idle.pop()
        except IndexError:
            client = self.new_client()
        else:
            if not self._may_read_what_is_there(client):
                client.connection.close()
                client = self.new_client()
        self._open = client
        try:
            yield client
            client.forget_files()
        except BaseException:
            client.connection.close()
            raise
        finally:
            self._open = None
        idle.append(client)

    def _some_events(self, client: DuckDBClient) -> EventTable:
        index = self._index(client)
        files = [file for file in index.files if file.broken is None]
        if not files:
            raise index.files[0].unreadable()
        beginning = datetime.min.replace(tzinfo=UTC)
        in_order = sorted(files, key=lambda file: (file.rows > 0, file.last or beginning, file.path))
        view = client.show_files([file.path for file in in_order[-LATEST_FILES:]])
        return client.event_table(view, self.schema, self._salt)

    def costly_hours(self, window: DayWindow) -> str | None:
        """Why a look at these hours would read far more than them; see EventSource."""
        with self._client() as client:
            tables = self._tables(client)

            def weigh(day_range: DayRange) -> str | None:
                events = tables.of(day_range)
                if events is None:
                    return None
                paths = [file.path for file in tables.index.split(window)[0]]
                with client.limited():
                    return cost_of_parquet(client.connection, paths, events, window)

            return self._settled(client, tables, weigh, DayRange((window,)))

    def _tables(self, client: DuckDBClient) -> FileTables:
        stamps = client.listing.files if client.listing else {}
        return FileTables(client, self._index(client), self.schema, self._salt, stamps=stamps)

    def _settled(
        self, client: DuckDBClient, tables: EventTables, read: Callable[[DayRange], Answer], day_range: DayRange
    ) -> Answer:
        """What ``read`` answers of files that did not change meanwhile; see read_settled."""
        assert isinstance(tables, FileTables)  # noqa: S101 - see _tables
        return read_settled(tables, read, day_range, partial(self._list_again, client, tables))

    def _list_again(self, client: DuckDBClient, tables: FileTables) -> None:
        client.forget_files()
        if not self._may_read_what_is_there(client):
            raise SourceUnavailableError(
                "SOURCE_CHANGED", f"{self.path} must keep its links while it is read, but they changed; try again."
            )
        tables.stamps = client.listing.files if client.listing else {}
        tables.index = self._index(client)

    def _index(self, client: DuckDBClient) -> ParquetIndex:
        return client.index_files(self.schema, self._zone, self._footers)

    def _catalogue_relation(self, client: DuckDBClient, table: str) -> str:
        if "://" in table:
            client.list_objects(table)
            return client.show_files([table])
        listing = list_files(table)
        for path, problem in listing.unlisted.items():
            raise SourceError(
                problem.reason_code,
                f"The catalogue of signals must be readable, but {path} {problem.found}; {problem.remedy}.",
            )
        return client.show_files(list(listing.files))


def list_files(path: str, names: Sequence[str] = PARQUET_NAMES) -> Listing:
    """The files of a path, listed at least a tick of the clock after the last of them changed."""
    listing = walk(path, names)
    if listing.is_younger_than(time_ns() - _TICK_NANOSECONDS):
        # A second change within a tick of the file system's clock would leave no trace.
        sleep(_TICK_NANOSECONDS / 1e9)
        listing = walk(path, names)
    files_required([*listing.files, *listing.unlisted], path)
    return listing


class DuckDBFileSource(DuckDBSource, TableSource[DuckDBClient]):
    """Events in a table or view of a DuckDB database file, opened read-only."""

    def __init__(
        self,
        path: str,
        table: str,
        schema: EventSchema,
        *,
        catalogue: SignalCatalogue | None = None,
        time_limit_seconds: float = 300,
        memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
        salt: str = "",
    ) -> None:
        super().__init__(table, schema, catalogue, salt)
        self.path = path
        self._seconds = time_limit_seconds
        self._memory_limit_bytes = memory_limit_bytes

    def new_client(self) -> DuckDBClient:
        """The file, opened read-only."""
        opened = require_file(self.path, "A DuckDB file")
        client = DuckDBClient(self.path, self._seconds, self.path, memory_limit_bytes=self._memory_limit_bytes)
        client.listing = Listing({self.path: opened}, {}, NOWHERE)
        return client

    def costly_hours(self, window: DayWindow) -> str | None:
        """Why a look at these hours would read far more than them; see EventSource."""
        with self._client() as client:
            events = client.event_table(self._table, self.schema, self._salt)
            reading = rows_together(client.execute, self._table.rpartition(".")[2], events, window)
        return cost_of_rows(
            reading, self._table, "keep the events in one table, in the order of a column with their time"
        )

    def _settled(
        self, client: DuckDBClient, tables: EventTables, read: Callable[[DayRange], Answer], day_range: DayRange
    ) -> Answer:
        """What ``read`` answers of a file that did not change since it was opened.

        Raises:
            SourceUnavailableError: ``SOURCE_CHANGED`` if it did.
        """
        try:
            answer = super()._settled(client, tables, read, day_range)
        except SourceError as error:
            if error.reason_code != TIME_LIMIT:
                self._require_what_was_opened(client)
            raise
        self._require_what_was_opened(client)
        return answer

    def _require_what_was_opened(self, client: DuckDBClient) -> None:
        if client.listing and stamp(self.path) != client.listing.files[self.path]:
            raise SourceUnavailableError(
                "SOURCE_CHANGED",
                f"{self.path} must keep its content while it is read, but was written to or replaced; try again.",
            )
