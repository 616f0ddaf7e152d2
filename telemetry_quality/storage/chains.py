"""Appends to the chained tables: each row contains the hash of the row before it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Float, insert, select

from telemetry_quality.storage.engine import database_of
from telemetry_quality.storage.hashing import row_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Column, Connection, Table


def append(connection: Connection, chained: Table, values: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Append a row to a chained table, link it to the row before it, and return it as stored."""
    last = select(chained.c.content_hash).order_by(chained.c.sequence.desc()).limit(1)
    row: dict[str, Any] = {name: None for name in chained.c.keys() if name != "sequence"}  # noqa: SIM118 - not a dict
    row |= {name: _as_stored(chained.c[name], value) for name, value in values.items()}
    row["previous_hash"] = connection.scalar(last)
    row["content_hash"] = row_hash(row)
    connection.execute(insert(chained), {**row, **database_of(connection).next_position(connection, chained)})
    return row


def _as_stored(column: Column[Any], value: Any) -> Any:
    """The value as the database will return it, which is what later hashes are computed from."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return float(value) if isinstance(column.type, Float) and value is not None else value
