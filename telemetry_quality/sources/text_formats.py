"""JSON lines and CSV as DuckDB reads them: the columns of a file, the kinds of their values, and its rows."""

from __future__ import annotations

import csv
import glob
import re
import zlib
from abc import ABC, abstractmethod
from collections import defaultdict
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import duckdb
from duckdb import ColumnExpression, ConstantExpression
from sqlalchemy import BigInteger, Double, String, and_, func, literal, or_, try_cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from duckdb import DuckDBPyConnection, DuckDBPyRelation
    from sqlalchemy import ColumnElement
    from sqlalchemy.types import TypeEngine

    JsonLayout = Literal["auto", "unstructured", "newline_delimited", "array"]
    Condition = Callable[[ColumnElement[Any]], ColumnElement[bool]]

NOTHING = "NULL"
"""The type of a column without any value, which fits wherever a value of another type does."""

FILE = "file of the event"
"""The column with the path of each row's file."""

_FIRST_ROWS = 1000
"""How many rows of a JSON file are looked at for names of columns that play no role."""

_MOST_NAMES = 10_000
_BEGINNING_BYTES = 256
_LINE = re.compile(r"\b(?:[Ll]ine:? ?|record/value )(\d+)")


def line_of(error: duckdb.Error) -> str:
    """What is wrong with a file, without the values of events that DuckDB quotes."""
    text = str(error)
    line = _LINE.search(text)
    # DuckDB has already counted a line that is no JSON.
    ahead = text.partition(": ")[2].startswith("Malformed JSON")
    return (
        f"line {int(line[1]) - ahead:,} cannot be read"
        if line
        else f"its content cannot be read ({type(error).__name__})"
    )


class TextFormat(ABC):
    """A format of files whose values have no types of their own, or not the same in every file.

    Attributes:
        names: Patterns of the names of files in a folder.
        has_header: Whether a file says which columns it has; otherwise one that it does not have is null.
        kinds: What a value may be, each as a condition on a raw column.
    """

    names: ClassVar[tuple[str, ...]]
    has_header: ClassVar[bool]
    kinds: ClassVar[Mapping[str, Condition]]

    @abstractmethod
    def columns(self, connection: DuckDBPyConnection, path: str) -> tuple[str, ...]:
        """The columns of a file, as far as its beginning shows them."""

    @abstractmethod
    def raw(self, connection: DuckDBPyConnection, paths: Sequence[str], columns: Iterable[str]) -> DuckDBPyRelation:
        """The rows of files with their FILE, values as they are written."""

    @abstractmethod
    def typed(self, connection: DuckDBPyConnection, paths: Sequence[str], types: Mapping[str, str]) -> DuckDBPyRelation:
        """The rows of files with their FILE, values of these types."""

    @abstractmethod
    def kinds_of(self, counts: Mapping[str, int]) -> frozenset[str]:
        """What is remembered of the kinds of a column's values in a file, by how many there are of each."""

    @abstractmethod
    def type_of(self, name: str, kinds: Sequence[frozenset[str]]) -> str:
        """The type of a column by the kinds that were remembered of each file."""


def _type_is(*names: str) -> Condition:
    return lambda value: or_(*(func.json_type(value) == name for name in names))


def _is_beyond_bigint(value: ColumnElement[Any]) -> ColumnElement[bool]:
    return and_(
        func.json_type(value) == "UBIGINT", try_cast(func.json_extract_string(value, "$"), BigInteger).is_(None)
    )


@dataclass(frozen=True)
class JsonLines(TextFormat):
    """One JSON object per line, or one array of objects per file."""

    has_header = False
    names = tuple(f"*.{name}{end}" for name in ("json", "jsonl", "ndjson") for end in ("", ".gz", ".zst"))
    kinds: ClassVar[Mapping[str, Condition]] = {
        "text": _type_is("VARCHAR"),
        "truth": _type_is("BOOLEAN"),
        "integer": _type_is("UBIGINT", "BIGINT"),
        "large": _is_beyond_bigint,
        "number": _type_is("DOUBLE"),
        "nested": _type_is("OBJECT", "ARRAY"),
    }

    def columns(self, connection: DuckDBPyConnection, path: str) -> tuple[str, ...]:
        """The keys of the first objects."""
        lines = connection.read_json(
            glob.escape(path),
            columns={"json": "JSON"},
            records="false",
            format=layout_of(path),
            hive_partitioning=False,
        )
        keys = lines.limit(_FIRST_ROWS).select("unnest(json_keys(json)) AS key").distinct().limit(_MOST_NAMES)
        return tuple(sorted(key for (key,) in keys.fetchall()))

    def raw(self, connection: DuckDBPyConnection, paths: Sequence[str], columns: Iterable[str]) -> DuckDBPyRelation:
        """Values as JSON."""
        return self.typed(connection, paths, dict.fromkeys(columns, "JSON"))

    def typed(self, connection: DuckDBPyConnection, paths: Sequence[str], types: Mapping[str, str]) -> DuckDBPyRelation:
        """A key that an object does not have is null."""
        alike: defaultdict[JsonLayout, list[str]] = defaultdict(list)
        for path in paths:
            alike[layout_of(path)].append(glob.escape(path))
        parts = [rows_of_json(connection, group, layout, types) for layout, group in alike.items()]
        return reduce(duckdb.DuckDBPyRelation.union, parts)

    def kinds_of(self, counts: Mapping[str, int]) -> frozenset[str]:
        """All that there are."""
        return frozenset(kind for kind, count in counts.items() if count)

    def type_of(self, name: str, kinds: Sequence[frozenset[str]]) -> str:
        """Text where the kinds differ; JSON for what is nested."""
        del name
        found = frozenset[str]().union(*kinds)
        is_numeric = found <= {"integer", "large", "number"}
        return _JSON_TYPES.get(found) or ("DOUBLE" if is_numeric else "VARCHAR")


_JSON_TYPES = {
    frozenset[str](): NOTHING,
    frozenset({"truth"}): "BOOLEAN",
    frozenset({"integer"}): "BIGINT",
    frozenset({"integer", "large"}): "HUGEINT",
    frozenset({"nested"}): "JSON",
}


def rows_of_json(
    connection: DuckDBPyConnection, patterns: Sequence[str], layout: JsonLayout, types: Mapping[str, str]
) -> DuckDBPyRelation:
    """The objects in files as rows, with FILE last; what is no object is an error."""
    return connection.read_json(
        cast("Any", patterns),  # a list, which the stubs do not know
        columns=dict(types),
        format=layout,
        filename=FILE,
        records="true",
        hive_partitioning=False,
    ).select(*map(ColumnExpression, (*types, FILE)))


def layout_of(path: str) -> JsonLayout:
    """DuckDB's name of how a file lays out its objects."""
    if path.endswith(".zst"):
        return "auto"
    with open(path, "rb") as file:  # noqa: PTH123 - a path of DuckDB, not of the project
        beginning = file.read(_BEGINNING_BYTES)
    if path.endswith(".gz"):
        beginning = zlib.decompressobj(wbits=31).decompress(beginning, _BEGINNING_BYTES)
    if beginning.startswith(b"\xef\xbb\xbf"):
        return "unstructured"  # DuckDB skips the mark of UTF-8 only here
    return "array" if beginning.lstrip().startswith(b"[") else "newline_delimited"


def _is_written_like(type_: type[TypeEngine[Any]]) -> Condition:
    """Whether a text is exactly how a number would be written: ``1.10`` and ``007`` are none."""
    return lambda value: try_cast(try_cast(value, type_), String) == value


def _is_truth(value: ColumnElement[Any]) -> ColumnElement[bool]:
    return or_(value == literal("true"), value == literal("false"))


_DELIMITERS = (",", ";", "\t", "|")
_NO_DELIMITER = "\x1e"


@dataclass(frozen=True)
class _Dialect:
    delimiter: str
    header: tuple[str, ...]


@dataclass(frozen=True)
class Csv(TextFormat):
    """Comma-separated values with a header.

    Attributes:
        delimiter: What separates values; None to find out for each file.
    """

    has_header = True
    names = tuple(f"*.{name}{end}" for name in ("csv", "tsv") for end in ("", ".gz", ".zst"))
    kinds: ClassVar[Mapping[str, Condition]] = {
        "integer": _is_written_like(BigInteger),
        "number": _is_written_like(Double),
        "truth": _is_truth,
        "text": lambda value: value.is_not(None),
    }
    delimiter: str | None = None
    _dialects: dict[str, _Dialect] = field(default_factory=dict, compare=False)

    def columns(self, connection: DuckDBPyConnection, path: str) -> tuple[str, ...]:
        """The header; where the delimiter is not given, it is the one that separates most names."""
        first = connection.read_csv(
            glob.escape(path),
            auto_detect=False,
            header=False,
            delimiter=_NO_DELIMITER,
            quotechar="",
            escapechar="",
            columns={"line": "VARCHAR"},
            hive_partitioning=False,
        ).limit(1)
        line = next((line for (line,) in first.fetchall() if line), "")
        delimiters = _DELIMITERS if self.delimiter is None else (self.delimiter,)
        parsed = {delimiter: next(csv.reader([line], delimiter=delimiter), []) for delimiter in delimiters}
        delimiter = max(delimiters, key=lambda each: len(parsed[each]))
        self._dialects[path] = _Dialect(delimiter, tuple(parsed[delimiter]))
        return self._dialects[path].header

    def raw(self, connection: DuckDBPyConnection, paths: Sequence[str], columns: Iterable[str]) -> DuckDBPyRelation:
        """Values as text; an empty one is null unless it is quoted."""
        return self.typed(connection, paths, dict.fromkeys(columns, "VARCHAR"))

    def typed(self, connection: DuckDBPyConnection, paths: Sequence[str], types: Mapping[str, str]) -> DuckDBPyRelation:
        """A column that a file does not have is null."""
        alike: defaultdict[_Dialect, list[str]] = defaultdict(list)
        for path in paths:
            alike[self._dialects[path]].append(glob.escape(path))
        parts = [self._part(connection, group, dialect, types) for dialect, group in alike.items()]
        return reduce(duckdb.DuckDBPyRelation.union, parts)

    def _part(
        self, connection: DuckDBPyConnection, paths: list[str], dialect: _Dialect, types: Mapping[str, str]
    ) -> DuckDBPyRelation:
        rows = connection.read_csv(
            cast("Any", paths),  # a list, which the stubs do not know
            header=True,
            auto_detect=False,
            delimiter=dialect.delimiter,
            quotechar='"',
            escapechar='"',
            columns=dict.fromkeys(dialect.header, "VARCHAR"),
            allow_quoted_nulls=False,
            filename=FILE,
            hive_partitioning=False,
        )
        found = set(dialect.header)
        columns = (
            (ColumnExpression(name) if name in found else ConstantExpression(None)).cast(type_).alias(name)
            for name, type_ in types.items()
        )
        return rows.select(*columns, ColumnExpression(FILE))

    def kinds_of(self, counts: Mapping[str, int]) -> frozenset[str]:
        """Those that all values have: every value is text."""
        return frozenset(kind for kind, count in counts.items() if count and count == counts["text"])

    def type_of(self, name: str, kinds: Sequence[frozenset[str]]) -> str:
        """The type as which all values would be written as they are; text if there is none."""
        del name
        known = [found for found in kinds if found]
        if not known:
            return NOTHING
        common = frozenset[str].intersection(*known)
        for kind, type_ in (("truth", "BOOLEAN"), ("integer", "BIGINT"), ("number", "DOUBLE")):
            if kind in common:
                return type_
        return "VARCHAR"
