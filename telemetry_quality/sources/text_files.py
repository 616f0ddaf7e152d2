"""Events in files of JSON lines or CSV, for who has no Parquet.

A file has no footer: it is read from beginning to end when it is first seen, which tells whether it is whole, what
kinds of values its columns hold and which time its events span. That is remembered for as long as the file does not
change. The columns that play a role are copied out of the files that may hold the requested days, so that the queries
of a day parse no text again.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import duckdb
from duckdb import ConstantExpression, StarExpression
from sqlalchemy import func, select

from telemetry_quality.errors import SourceError
from telemetry_quality.sources.columns import column_roles, condition_expressions, fitted
from telemetry_quality.sources.compressed import damage
from telemetry_quality.sources.costs import Reading, cost_of_bytes
from telemetry_quality.sources.duckdb import DuckDBClient, ParquetSource, compiled, list_files
from telemetry_quality.sources.expressions import columns_named
from telemetry_quality.sources.functions import count_where
from telemetry_quality.sources.lake_files import Field, show_nothing
from telemetry_quality.sources.lakes import instant
from telemetry_quality.sources.parquet import ParquetFile, ParquetIndex, literal_path
from telemetry_quality.sources.query import named_table
from telemetry_quality.sources.text_formats import FILE, NOTHING, line_of
from telemetry_quality.sources.walking import EMPTY, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from duckdb import DuckDBPyConnection, DuckDBPyRelation
    from sqlalchemy import Select

    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.sources.columns import Column
    from telemetry_quality.sources.parquet_tables import FileTables
    from telemetry_quality.sources.text_formats import TextFormat
    from telemetry_quality.sources.walking import Listing, Problem, Stamp

    _Read = Callable[[DuckDBClient, dict[str, "_Seen"], Sequence[str]], None]

_SHOWN, _OBSERVED, _CATALOGUE = "events_of_source", "observed_events_of_source", "known_signals"
_RAW, _TYPED, _EMPTY = "values_as_written", "values_of_files", "files_without_events"
_NUMBERS = {"BIGINT", "HUGEINT", "DOUBLE"}


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is remembered of a file.

    Attributes:
        columns: Its columns as far as its beginning shows them.
        kinds: The kinds of the values of each column that plays a role.
        times: The first and the last instant of each time; None if it is out of range, or there is none.
        broken: Why it cannot be read; None if it can.
        problem: The same for what is worse off than a broken file.
    """

    stamp: Stamp
    rows: int = 0
    columns: tuple[str, ...] = ()
    kinds: Mapping[str, frozenset[str]] = field(default_factory=dict)
    times: Mapping[str, tuple[datetime | None, datetime | None]] = field(default_factory=dict)
    broken: str | None = None
    problem: Problem | None = None


class TextClient(DuckDBClient):
    """A DuckDB session that copies what it shows of files."""

    files: TextFiles

    def show_files(self, paths: Sequence[str], view: str = _SHOWN) -> str:
        """Create one table with the columns of several files that play a role, and return its name."""
        types = self.files.needed_types(paths)
        with self.limited(), _without_values(self._what):
            self.show(self.files.typed(self.connection, paths, types), types, view)
        return view

    def show(self, rows: DuckDBPyRelation, types: Mapping[str, str], view: str) -> None:
        """Copy rows; columns of the type NOTHING are added to the copy, because no table has such."""
        self.drop(view)
        rows.to_table(f"{view}_copied")
        nothing = (ConstantExpression(None).alias(name) for name, type_ in types.items() if type_ == NOTHING)
        self.connection.table(f"{view}_copied").select(StarExpression(), *nothing).create_view(view)

    def drop(self, view: str) -> None:
        """Forget a copy."""
        with self.limited():
            self.connection.execute(f"DROP VIEW IF EXISTS {view}")
            self.connection.execute(f"DROP TABLE IF EXISTS {view}_copied")

    def forget_files(self) -> None:
        """Forget what was copied of any file: it may be another one when it is read next."""
        for table in (_SHOWN, _OBSERVED, _EMPTY):
            self.drop(table)
        super().forget_files()


@contextmanager
def _without_values(what: str) -> Iterator[None]:
    """DuckDB's messages about texts quote values of events."""
    try:
        yield
    except duckdb.InterruptException:
        raise
    except duckdb.Error as error:
        raise SourceError(
            "FILE_BROKEN", f"{what} must be readable, but of one of its files {line_of(error)}; restore the file."
        ) from None


class TextFiles:
    """The files of a source; an unchanged file is read from beginning to end only once."""

    def __init__(self, layout: TextFormat, schema: EventSchema, zone: ZoneInfo) -> None:
        self._layout = layout
        self._schema = schema
        self._zone = zone
        self._seen: dict[str, _Seen] = {}

    def _fitted(self, seen: Mapping[str, _Seen]) -> EventSchema:
        """What plays which role, by the columns that there are."""
        return fitted(self._schema, self._names(seen))

    def _names(self, seen: Mapping[str, _Seen]) -> dict[str, None]:
        """All columns that were seen: at the beginning of a file or, if they play a role, anywhere in one."""
        first = dict.fromkeys(name for file in seen.values() for name in file.columns)
        return first | dict.fromkeys(name for file in seen.values() for name, kinds in file.kinds.items() if kinds)

    def _needed(self, seen: Mapping[str, _Seen]) -> list[str]:
        names = self._names(seen)
        return list(dict.fromkeys(name for _, name in column_roles(fitted(self._schema, names), names)))

    def types(self, seen: Mapping[str, _Seen] | None = None, paths: Iterable[str] | None = None) -> dict[str, str]:
        """The types of all columns, by the values in all files; those of times by the values in ``paths`` alone."""
        seen = self._seen if seen is None else seen
        of_times = seen if paths is None else {path: seen[path] for path in paths}
        schema = self._fitted(seen)
        times = _times(schema)
        types = {
            name: self._layout.type_of(
                name,
                [file.kinds.get(name, frozenset()) for file in (of_times if name in times else seen).values()],
            )
            for name in self._names(seen)
        }
        # What plays a role by itself has to be of a kind that can, even where it has no value anywhere.
        needed = dict.fromkeys(condition_expressions(schema), "BOOLEAN") | dict.fromkeys(times, "VARCHAR")
        return {name: needed.get(name, type_) if type_ == NOTHING else type_ for name, type_ in types.items()}

    def needed_types(self, paths: Sequence[str], seen: Mapping[str, _Seen] | None = None) -> dict[str, str]:
        """The types of the columns that play a role."""
        seen = self._seen if seen is None else seen
        types = self.types(seen, paths)
        return {name: types[name] for name in self._needed(seen) if name in types}

    def typed(self, connection: DuckDBPyConnection, paths: Sequence[str], types: Mapping[str, str]) -> DuckDBPyRelation:
        """The rows of files, in all columns but those of the type NOTHING."""
        return self._layout.typed(connection, paths, {name: found for name, found in types.items() if found != NOTHING})

    def index(self, client: DuckDBClient, listing: Listing) -> ParquetIndex:
        """The files as they are now; those that are new or have changed are read."""
        seen = {
            path: file
            for path, file in self._seen.items()
            if file.stamp == listing.files.get(path) and file.broken is None  # it may only have lacked permissions
        }
        unknown = [path for path in listing.files if path not in seen]
        for path in unknown:
            seen[path] = self._begin(client, path, listing.files[path])
        for read in (self._count, self._span):
            self._read(client, seen, [path for path in unknown if seen[path].rows >= 0 and not seen[path].broken], read)
        self._seen = seen
        unlisted = (
            ParquetFile(path, broken=problem.found, problem=problem) for path, problem in listing.unlisted.items()
        )
        return ParquetIndex((*(self._described(path, seen) for path in listing.files), *unlisted), self._zone)

    def _begin(self, client: DuckDBClient, path: str, stamp: Stamp) -> _Seen:
        """A file by its beginning."""
        with client.limited():
            try:
                if broken := damage(path):
                    return _Seen(stamp, broken=broken)
                # A log that was rotated before anything happened is empty.
                return _Seen(stamp, columns=self._layout.columns(client.connection, path) if stamp[2] else ())
            except OSError as error:
                problem = unreadable(error, "FILE_UNREADABLE")
                return _Seen(stamp, broken=problem.found, problem=problem)
            except duckdb.InterruptException:
                raise
            except duckdb.Error as error:
                return _Seen(stamp, broken=line_of(error))

    def _read(self, client: DuckDBClient, seen: dict[str, _Seen], paths: Sequence[str], read: _Read) -> None:
        """Read files together; where that fails, halves of them, to find out which are broken."""
        if not paths:
            return
        with client.limited():
            try:
                read(client, seen, paths)
            except duckdb.InterruptException:
                raise
            except duckdb.Error as error:
                failure = error
            else:
                return
        if len(paths) == 1:
            seen[paths[0]] = replace(seen[paths[0]], broken=line_of(failure))
            return
        for half in (paths[: len(paths) // 2], paths[len(paths) // 2 :]):
            self._read(client, seen, half, read)

    def _count(self, client: DuckDBClient, seen: dict[str, _Seen], paths: Sequence[str]) -> None:
        """Count the rows, and the values of each kind in the columns that play a role."""
        kinds, needed = self._layout.kinds, self._needed(seen)
        self._layout.raw(client.connection, paths, needed).create_view(_RAW, replace=True)
        rows = named_table(_RAW, FILE, *needed)
        counts = (count_where(holds(rows.c[name])) for name in needed for holds in kinds.values())
        query = select(rows.c[FILE], func.count(), *counts).group_by(rows.c[FILE])
        for path, events, *found in fetched(client, query):
            by_column = {name: found[n * len(kinds) :][: len(kinds)] for n, name in enumerate(needed)}
            seen[path] = replace(
                seen[path],
                rows=events,
                kinds={
                    name: self._layout.kinds_of(dict(zip(kinds, of, strict=True))) for name, of in by_column.items()
                },
            )

    def _span(self, client: DuckDBClient, seen: dict[str, _Seen], paths: Sequence[str]) -> None:
        """Find the first and the last time."""
        types = self.needed_types(paths, seen)
        nothing = (ConstantExpression(None).alias(name) for name, type_ in types.items() if type_ == NOTHING)
        rows = self.typed(client.connection, paths, types)
        rows.select(StarExpression(), *nothing).create_view(_TYPED, replace=True)
        events = client.event_table(_TYPED, self._schema, "")
        file, texts = events.relation.c[FILE], _times(events.schema)
        ticks = [events.ticks(text) for text in texts]
        ends = (end(tick) for tick, _ in ticks for end in (func.min, func.max))
        for path, *found in fetched(client, select(file, *ends).select_from(events.relation).group_by(file)):
            spans = zip(texts, ticks, found[::2], found[1::2], strict=True)
            times = {text: (_instant(first, per), _instant(last, per)) for text, (_, per), first, last in spans}
            seen[path] = replace(seen[path], times=times)

    def _described(self, path: str, seen: Mapping[str, _Seen]) -> ParquetFile:
        file, schema = seen[path], self._fitted(seen)
        none = (None, None)
        first, last = file.times.get(schema.occurred_at, none)
        observed = file.times.get(schema.observed_at or "", none)
        names = file.columns if self._layout.has_header else tuple(self._names(seen))
        broken = file.broken or (_undated(file, schema) if file.rows else None)
        return ParquetFile(
            path,
            file.rows,
            first,
            last,
            first_observed=observed[0],
            last_observed=observed[1],
            columns={name: self._kind_of(name, file, schema) for name in names},
            broken=broken,
            problem=file.problem,
        )

    def _kind_of(self, name: str, file: _Seen, schema: EventSchema) -> str:
        """What days must have in common: times are all numbers or all texts, of other columns all files are alike."""
        if name not in _times(schema):
            return "value"
        return "INT64" if self._layout.type_of(name, [file.kinds.get(name, frozenset())]) in _NUMBERS else "BYTE_ARRAY"


def _times(schema: EventSchema) -> list[str]:
    return [text for text in (schema.occurred_at, schema.observed_at) if text is not None]


def _undated(file: _Seen, schema: EventSchema) -> str | None:
    """Which column of the time has no value in any row of a file; its events would belong to no day."""
    needed = columns_named(schema.occurred_at, "occurred_at", file.kinds)
    return next((f"it has no value of {name!r}" for name in needed if not file.kinds.get(name)), None)


def fetched(client: DuckDBClient, query: Select[Any]) -> list[tuple[Any, ...]]:
    """All rows of a query, with DuckDB's own errors."""
    text, parameters = compiled(query)
    return client.connection.execute(text, parameters).fetchall()


def _unpacked(path: str) -> int:
    """How many bytes of text a byte of a file holds, about."""
    return 8 if path.endswith((".gz", ".zst")) else 1


def _instant(ticks: int | None, per_second: int) -> datetime | None:
    return None if ticks is None else instant(ticks * 10**6 // per_second)


class TextSource(ParquetSource):
    """Events in files of JSON lines or CSV: a file, a folder or a pattern.

    Args:
        path: Where the files are.
        layout: How they are written.
        schema: Which column plays which role.
        zone: The time zone of the source's days.
        more: As for ParquetSource.
    """

    _client_class = TextClient

    def __init__(self, path: str, layout: TextFormat, schema: EventSchema, zone: ZoneInfo, **more: Any) -> None:
        super().__init__(path, schema, zone, **more)
        self._layout = layout
        self._files = TextFiles(layout, schema, zone)

    def _list(self) -> Listing:
        return list_files(self.path, self._layout.names)

    def new_client(self) -> DuckDBClient:
        """A DuckDB that may read the files as they are listed now."""
        client = super().new_client()
        assert isinstance(client, TextClient)  # noqa: S101 - see _client_class
        client.files = self._files
        return client

    def costly_hours(self, window: DayWindow) -> str | None:
        """Why a look would read far more than some hours: a new process reads all files; see EventSource."""
        del window
        sizes = self._list().files
        read = Reading(sum(size * _unpacked(path) for path, (_, _, size, *_) in sizes.items()))
        remedy = "write Parquet, or let path name the files of the last days only"
        return cost_of_bytes(read, "text from end to end", remedy)

    def columns(self) -> dict[str, Column]:
        """The columns of all readable files together, and the expressions that play roles."""
        with self._client() as client:
            self._index(client)
            return dict(client.event_table(self._show_nothing(client), self.schema, self._salt).columns)

    def _show_nothing(self, client: DuckDBClient) -> str:
        assert isinstance(client, TextClient)  # noqa: S101 - see _client_class
        types = self._files.types()
        fields = [Field(name, type_, ()) for name, type_ in types.items() if type_ != NOTHING]
        with client.limited():
            client.show(show_nothing(client.connection, fields), types, _EMPTY)
        return _EMPTY

    def _tables(self, client: DuckDBClient) -> FileTables:
        tables = super()._tables(client)
        if any(file.broken is None for file in tables.index.files):
            # A day without files must not hide that a role has no column.
            client.event_table(self._show_nothing(client), self.schema, self._salt)
        return tables

    def _index(self, client: DuckDBClient) -> ParquetIndex:
        return self._files.index(client, client.listing or EMPTY)

    def _catalogue_relation(self, client: DuckDBClient, table: str) -> str:
        with client.limited():
            client.connection.read_parquet(literal_path(table)).create_view(_CATALOGUE, replace=True)
        return _CATALOGUE
