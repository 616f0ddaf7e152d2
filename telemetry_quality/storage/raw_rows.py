"""Reads rows as they are, whatever somebody wrote into them: what cannot be read is a value and not an error.

SQLAlchemy's types raise an error for the whole query at the first date that is none. Somebody who changes rows behind
the program's back may leave anything there, so ``verify`` reads with these readers, each of one value.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, Boolean, Date, Float, Integer

from telemetry_quality.core.clipping import clipped
from telemetry_quality.core.visible import visible
from telemetry_quality.storage.column_types import StoredText, UtcDateTime
from telemetry_quality.storage.engine import database_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Column, ColumnElement, Connection, Dialect, Select

    Reader = Callable[[Any], Any]

ROWS_AT_ONCE = 1000
"""How many rows are fetched at a time, because a table may not fit into memory."""

SHORT_TEXT = 200
"""JSON texts up to this length recur, and are parsed once."""

_MISREAD = (ValueError, TypeError, KeyError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A value that its column cannot hold, as text for people; it has no hash."""

    text: str

    def __str__(self) -> str:
        return self.text


class RowReader:
    """Makes rows of some columns from what the database returns for ``selected``."""

    def __init__(self, connection: Connection, columns: Sequence[Column[Any]]) -> None:
        database = database_of(connection)
        self.selected: list[ColumnElement[Any]] = [database.as_stored(column) for column in columns]
        self._connection = connection
        self._readers = [(column.name, _reader(column, connection.dialect)) for column in columns]

    def rows(self, query: Select[Any], first: int = 0) -> Iterator[tuple[Sequence[Any], dict[str, Any]]]:
        """The rows of a query that returns ``selected`` from its column ``first`` on, and the columns before it."""
        for values in self._connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE}):
            yield values[:first], self._row(values[first:])

    def _row(self, values: Sequence[Any]) -> dict[str, Any]:
        pairs = zip(self._readers, values, strict=True)
        try:
            return {name: None if value is None else read(value) for (name, read), value in pairs}
        except _MISREAD:
            return {
                name: _or_unreadable(read, value) for (name, read), value in zip(self._readers, values, strict=True)
            }


def _or_unreadable(read: Reader, value: Any) -> Any:
    try:
        return None if value is None else read(value)
    except _MISREAD:
        return Unreadable(clipped(visible(repr(value))))


def _reader(column: Column[Any], dialect: Dialect) -> Reader:
    """What makes a value of a column from what ``as_stored`` returns; raises one of ``_MISREAD`` if it is none."""
    text = column.type
    if isinstance(text, StoredText):
        return lambda value: text.process_result_value(_of_type(value, str), dialect)
    for kind, read in _READERS.items():
        if isinstance(column.type, kind):
            return read
    raise NotImplementedError(f"{column} must have one of the types in _READERS, but has {column.type!r}; add it.")


def _of_type(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError
    return value


def _instant(value: Any) -> datetime:
    """SQLite keeps instants as text in one form; PostgreSQL prints them with their zone, shortened."""
    read = datetime.fromisoformat(value)
    if read.tzinfo is not None:
        return read.astimezone(UTC)
    if read.isoformat(" ", "microseconds") != value:
        raise ValueError
    return read.replace(tzinfo=UTC)


def _day(value: Any) -> date:
    read = date.fromisoformat(value)
    if read.isoformat() != value:
        raise ValueError
    return read


def _document(value: Any) -> Any:
    """JSON as this program writes it; any other wording of the same may say something else to other readers."""
    if isinstance(value, int | float):
        return value  # SQLite converts a text that is a number
    return _parsed_once(value) if len(value) <= SHORT_TEXT else _parsed(value)


def _parsed(text: str) -> Any:
    document = json.loads(text)
    if document is None or json.dumps(document) != text:
        raise ValueError
    return document


_parsed_once = lru_cache(maxsize=10_000)(_parsed)

_READERS: dict[type, Reader] = {
    UtcDateTime: _instant,
    Date: _day,
    JSON: _document,
    Boolean: {0: False, 1: True}.__getitem__,
    Integer: lambda value: _of_type(value, int),
    Float: lambda value: _of_type(value, float),
}
"""How a value of each type of column is read."""
