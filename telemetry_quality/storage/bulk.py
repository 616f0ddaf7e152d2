"""Appends many rows to one table in few statements.

SQLAlchemy makes the statements and knows how to store a value, but values are converted column by column: converting
them row by row took twice as long as the database needs to store them.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Column, Connection, Dialect, Table

ROWS_AT_ONCE = (50, 10, 1)
"""Rows in one statement: for each statement, SQLite releases the interpreter and waits for it if a thread is busy.

Fifty rows of the widest table have fewer values than any SQLite accepts.
"""


def append_rows(
    connection: Connection, table: Table, key: Mapping[str, Any], columns: Mapping[str, Sequence[Any]]
) -> None:
    """Append rows that share ``key`` and take their other values from ``columns``, all of equal length."""
    dialect, count = connection.dialect, len(next(iter(columns.values())))
    same = {name: repeat(_ready(table.c[name], [value], dialect)[0], count) for name, value in key.items()}
    ready = same | {name: _ready(table.c[name], values, dialect) for name, values in columns.items()}
    names = tuple(column.name for column in table.c if column.name in ready)
    rows = list(zip(*(ready[name] for name in names), strict=True))
    if not dialect.positional:
        # Such a driver (psycopg) batches them itself.
        connection.exec_driver_sql(
            _statement(table, dialect, names, 1), [dict(zip(names, row, strict=True)) for row in rows]
        )
        return
    first = 0
    for size in ROWS_AT_ONCE:
        last = len(rows) - (len(rows) - first) % size
        if last > first:
            values = [tuple(chain.from_iterable(rows[start : start + size])) for start in range(first, last, size)]
            connection.exec_driver_sql(_statement(table, dialect, names, size), values)
        first = last


@lru_cache(maxsize=64)
def _statement(table: Table, dialect: Dialect, names: tuple[str, ...], rows: int) -> str:
    """The statement that inserts so many rows, with their values one row after another, and returns nothing."""
    inserted = insert(table).inline()
    if rows > 1:
        return str(inserted.values([dict.fromkeys(names)] * rows).compile(dialect=dialect))
    return str(inserted.compile(dialect=dialect, column_keys=names))


def _ready(column: Column[Any], values: Iterable[Any], dialect: Dialect) -> Sequence[Any]:
    """The values as the driver accepts them."""
    listed = list(values)
    process = column.type.dialect_impl(dialect).bind_processor(dialect)
    if process is None:
        return listed
    # Keyed by identity: most rows share one value, and the dictionaries behind JSON cannot be keys.
    processed = {id(value): process(value) for value in {id(value): value for value in listed}.values()}
    return [processed[id(value)] for value in listed]
