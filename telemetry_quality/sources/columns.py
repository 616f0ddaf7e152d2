"""The columns of a source as the queries see them, and whether they can play their roles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.event_schema import OPTIONAL_ROLES
from telemetry_quality.errors import SourceError
from telemetry_quality.sources.expressions import columns_named, only_column

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from telemetry_quality.core.event_schema import EventSchema


class ColumnKind(StrEnum):
    """The kinds of column that the queries distinguish."""

    INSTANT = "instant"
    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    """With fractions: floating point or decimal."""
    BOOLEAN = "boolean"
    OTHER = "other"


NUMBERS = {ColumnKind.INTEGER, ColumnKind.NUMBER}
"""The kinds that are times only in a unit."""

_TRUTH = {ColumnKind.BOOLEAN, ColumnKind.INTEGER}


@dataclass(frozen=True, slots=True)
class Column:
    """One column, or one expression by its text: the engine's name of its type, and the kind of that type.

    Attributes:
        is_exact: Whether two texts in it are equal only if all their characters are.
        is_clipped: Whether its texts were clipped before.
    """

    name: str
    type_name: str
    kind: ColumnKind
    is_exact: bool = True
    is_clipped: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether values have nothing inside."""
        return self.kind is not ColumnKind.OTHER


_SINGLE_ROLES = ("event_id", "occurred_at", "event_name", "service_version", "observed_at")


def fitted(schema: EventSchema, names: Mapping[str, Any]) -> EventSchema:
    """The schema for a table with the columns ``names``: by columns where columns play roles, without absent roles.

    An expression such as ``FIRST_PRESENT(received_at, sent_at, NULL)`` is a column in one table and another in the
    next, which statistics and indexes are known of, or nothing at all.

    Raises:
        SourceError: ``EXPRESSION_INVALID`` if the time or the name is nothing at all.
    """
    changed: dict[str, Any] = {}
    for role in (*_SINGLE_ROLES, "is_error"):
        text = getattr(schema, role)
        if text is None or (found := only_column(text, names)) == text:
            continue
        if found is None and role not in OPTIONAL_ROLES:
            raise SourceError(
                "EXPRESSION_INVALID", f"{role} requires a column or an expression, but {text!r} is null; name a column."
            )
        changed[role] = found
    return replace(schema, **changed) if changed else schema


def column_roles(schema: EventSchema, names: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Role and column of every column that the schema needs, including those inside expressions.

    Args:
        schema: What plays which role.
        names: The columns of the source by name; those that are needed but are not among them are missing.
    """
    for role, text in role_expressions(schema):
        yield from ((role, name) for name in columns_named(text, role, names))


def role_expressions(schema: EventSchema) -> Iterator[tuple[str, str]]:
    """Role and text of everything that is read of an event."""
    for role in _SINGLE_ROLES:
        text = getattr(schema, role)
        if text is not None:
            yield role, text
    if schema.is_error is not None:
        yield "is_error", schema.is_error
    for role in ("critical_fields", "dimensions"):
        yield from ((role, schema.expression_of(name)) for name in getattr(schema, role))
    yield from _rate_conditions(schema)
    if schema.where is not None:
        yield "where", schema.where


def condition_expressions(schema: EventSchema) -> dict[str, str]:
    """The texts that say what holds of an event, each with its role."""
    conditions = (("is_error", schema.is_error), *_rate_conditions(schema), ("where", schema.where))
    return {text: role for role, text in conditions if text is not None}


def _rate_conditions(schema: EventSchema) -> Iterator[tuple[str, str]]:
    """The conditions of the rates, each with its role, which is the setting that it comes from."""
    for rate in schema.rates:
        yield f"rates.{rate.name}.where", rate.where
        if rate.of is not None:
            yield f"rates.{rate.name}.of", rate.of


def missing_columns(schema: EventSchema, columns: Mapping[str, Column]) -> Iterator[SourceError]:
    """An error for every column that the schema needs and that does not exist, and for every text that is none."""
    found = ", ".join(sorted(columns)) or "none"
    for role, text in role_expressions(schema):
        try:
            needed = columns_named(text, role, columns)
        except SourceError as error:
            yield error
            continue
        for name in needed:
            if name not in columns:
                yield SourceError(
                    "COLUMN_MISSING", f"{role} requires the column {name!r}, but the events have only: {found}."
                )


def wrong_kinds(schema: EventSchema, columns: Mapping[str, Column]) -> Iterator[SourceError]:
    """An error for everything that is of no kind that can play its role; ``columns`` holds expressions too."""
    for role, text in role_expressions(schema):
        if text in columns:
            yield from _wrong_kind(role, columns[text], schema)
    for text, role in condition_expressions(schema).items():
        # Of the other conditions it is known that they hold or do not.
        if text in columns and columns[text].kind not in _TRUTH:
            yield SourceError(
                "COLUMN_TYPE",
                f"{role} requires a boolean or an integer column, but {text!r} is {columns[text].type_name}; "
                f"write a predicate instead, such as {text} = 'ERROR'.",
            )


def _wrong_kind(role: str, column: Column, schema: EventSchema) -> Iterator[SourceError]:
    if role in {"occurred_at", "observed_at"}:
        if column.kind in NUMBERS and schema.unit_of(role) is None:
            yield SourceError(
                "COLUMN_TYPE",
                f"{role} requires an instant, but {column.name!r} is {column.type_name}; "
                "set time_unit to s, ms, us or ns if it counts from 1970.",
            )
        elif column.kind not in {ColumnKind.INSTANT, ColumnKind.TEXT, *NUMBERS}:
            yield SourceError(
                "COLUMN_TYPE",
                f"{role} requires a timestamp, text or a number, "
                f"but {column.name!r} is {column.type_name}; name another column.",
            )
