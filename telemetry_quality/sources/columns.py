"""The columns of a source as the queries see them, and whether they can play their roles."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from telemetry_quality.errors import SourceError
from telemetry_quality.sources.predicates import columns_named, is_column

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from telemetry_quality.core.event_schema import EventSchema


class ColumnKind(StrEnum):
    """The kinds of column that the queries distinguish."""

    INSTANT = "instant"
    TEXT = "text"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    OTHER = "other"


_TRUTH = {ColumnKind.BOOLEAN, ColumnKind.INTEGER}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, the engine's name of its type, and the kind of that type.

    Attributes:
        is_exact: Whether two texts in it are equal only if all their characters are.
    """

    name: str
    type_name: str
    kind: ColumnKind
    is_exact: bool = True


def column_roles(schema: EventSchema) -> Iterator[tuple[str, str]]:
    """Role and column name of every column that the schema names, including those inside predicates."""
    for role in ("event_id", "occurred_at", "event_name", "service_version", "observed_at"):
        name = getattr(schema, role)
        if name is not None:
            yield role, name
    yield from (("is_error", name) for name in columns_named(schema.is_error))
    yield from (("critical_fields", name) for name in schema.critical_fields)
    yield from (("dimensions", name) for name in schema.dimensions)
    for role, text in _rate_predicates(schema):
        yield from ((role, name) for name in columns_named(text, role))


def _rate_predicates(schema: EventSchema) -> Iterator[tuple[str, str]]:
    """The predicates of the rates, each with its role, which is the setting that it comes from."""
    for rate in schema.rates:
        yield f"rates.{rate.name}.where", rate.where
        if rate.of is not None:
            yield f"rates.{rate.name}.of", rate.of


def require_roles(schema: EventSchema, columns: Mapping[str, Column]) -> None:
    """Raise SourceError unless every role has a column of a kind that can play it."""
    for role, name in column_roles(schema):
        if name not in columns:
            found = ", ".join(sorted(columns)) or "none"
            raise SourceError(
                "COLUMN_MISSING", f"{role} requires the column {name!r}, but the events have only: {found}."
            )
        _require_kind(role, columns[name], schema)
    for role, text in (("is_error", schema.is_error), *_rate_predicates(schema)):
        if is_column(text) and columns[text].kind not in _TRUTH:
            raise SourceError(
                "COLUMN_TYPE",
                f"{role} requires a boolean or an integer column, but {text!r} is {columns[text].type_name}; "
                f"write a predicate instead, such as {text} = 'ERROR'.",
            )


def _require_kind(role: str, column: Column, schema: EventSchema) -> None:
    if role in {"occurred_at", "observed_at"}:
        if column.kind is ColumnKind.INTEGER and schema.time_unit is None:
            raise SourceError(
                "COLUMN_TYPE",
                f"{role} requires an instant, but {column.name!r} is {column.type_name}; "
                "set time_unit to s, ms, us or ns if it counts from 1970.",
            )
        if column.kind not in {ColumnKind.INSTANT, ColumnKind.TEXT, ColumnKind.INTEGER}:
            raise SourceError(
                "COLUMN_TYPE",
                f"{role} requires a timestamp, ISO 8601 text or an integer, "
                f"but {column.name!r} is {column.type_name}; name another column.",
            )
