"""How columns of SQLite reach DuckDB: in a few long texts, because a Python object for each value would cost more.

SQLite joins the values of some thousand rows into one text per column, and DuckDB splits them.
"""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, Boolean, ColumnElement, String, bindparam, cast, func, select

from telemetry_quality.sources.copied import TYPES
from telemetry_quality.sources.duckdb import DuckDBClient
from telemetry_quality.sources.duckdb_sql import DuckDBDialect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import FromClause, Insert, Select, Subquery
    from sqlalchemy.schema import DDLElement

    from telemetry_quality.sources.columns import Column

_DIALECT = DuckDBDialect()

# Nobody can send a value that contains them, because they are drawn when the process starts.
_SEPARATOR, _NULL = f"\x1f{token_hex(6)}\x1f", f"\x1e{token_hex(6)}\x1e"

PACKED_ROWS = 2_000
"""How many rows share a text; DuckDB splits long texts slowly."""


class ReceivingClient(DuckDBClient):
    """A DuckDB with tables of its own."""

    def run(self, statement: DDLElement) -> None:
        """Create or drop a table."""
        with self.limited():
            self.connection.execute(str(statement.compile(dialect=_DIALECT)))

    def prepared(self, statement: Select[Any] | Insert) -> Callable[[Mapping[str, Any]], list[tuple[Any, ...]]]:
        """A function that runs a statement with the values of its parameters, as ``execute`` does without any."""
        compiled = statement.compile(dialect=_DIALECT)
        text, names = str(compiled), compiled.positiontup or ()

        def run(values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
            places = [values[name] if name in values else compiled.params[name] for name in names]
            with self.limited():
                return self.connection.execute(text, places).fetchall()

        return run


def packing_query(rows: Select[Any]) -> Select[Any]:
    """The number of rows, and the values of each column of ``rows``, all texts, in one text."""
    packed = rows.subquery("rows_to_copy")
    texts = (func.group_concat(func.coalesce(column, _NULL), _SEPARATOR) for column in packed.c)
    return select(func.count(), *texts)


def pack(rows: Sequence[Sequence[str | None]]) -> list[str]:
    """Rows that were read one by one, in the same form."""
    columns = zip(*rows, strict=True)
    return [_SEPARATOR.join(_NULL if value is None else value for value in column) for column in columns]


def parameters(columns: Iterable[str], packed: Sequence[Sequence[str]]) -> dict[str, Any]:
    """The parameters of ``unpacked`` for a batch; each of ``packed`` holds one text per column."""
    return {_parameter(name): list(texts) for name, texts in zip(columns, zip(*packed, strict=True), strict=True)}


def unpacked(columns: Mapping[str, Column]) -> Subquery:
    """The rows of a batch in DuckDB, whose texts are parameters."""
    lists = ((name, cast(bindparam(_parameter(name), type_=ARRAY(String)), ARRAY(String))) for name in columns)
    joined = select(*(func.unnest(each).label(name) for name, each in lists)).subquery("packed_rows")
    values = select(*(_split(joined, name) for name in columns)).subquery("texts_of_events")
    return select(*(_typed(values.c[name], column).label(name) for name, column in columns.items())).subquery("batch")


def _parameter(name: str) -> str:
    return f"packed {name}"


def _split(joined: FromClause, name: str) -> ColumnElement[str]:
    value = func.unnest(func.string_split(joined.c[name], _SEPARATOR, type_=ARRAY(String)), type_=String)
    return func.nullif(value, _NULL, type_=String).label(name)


def _typed(value: ColumnElement[str], column: Column) -> ColumnElement[Any]:
    wanted = TYPES.get(column.kind)
    if isinstance(wanted, Boolean):
        return value == "1"
    return value if wanted is None else cast(value, wanted)
