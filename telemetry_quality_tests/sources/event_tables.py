"""Tables of events for tests of queries that no engine runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import column, table

from telemetry_quality.sources.query import EventTable
from telemetry_quality.sources.roles import resolve_roles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Select

    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.sources.columns import Column


def table_of(
    name: str, columns: Mapping[str, Column], schema: EventSchema, salt: str = "", **traits: Any
) -> EventTable:
    """A table whose roles are columns and conditions, so that no engine is asked for types."""

    def nothing(query: Select[Any]) -> list[Column]:
        raise AssertionError(f"no type should be asked for, but was: {query}")

    relation = table(name, *map(column, columns))
    return EventTable(relation, resolve_roles(schema, relation, columns, nothing), schema, salt, **traits)
