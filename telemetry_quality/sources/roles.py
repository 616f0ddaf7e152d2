"""What plays each role in one table: its columns, and expressions over them, whose types the engine knows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, select

from telemetry_quality.errors import SourceError
from telemetry_quality.sources.columns import condition_expressions, missing_columns, role_expressions, wrong_kinds
from telemetry_quality.sources.expressions import build, is_expression

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, FromClause, Select

    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.sources.columns import Column

    Describe = Callable[[Select[Any]], Sequence[Column]]
    """The columns that a query would return, in order; nothing is read but, where values decide, some rows."""


@dataclass(frozen=True, slots=True)
class Roles:
    """The columns of a table, and what is computed of them.

    Attributes:
        columns: The columns by name, and by their text those expressions that are not known to be conditions.
        expressions: Every expression by its text.
    """

    columns: Mapping[str, Column]
    expressions: Mapping[str, ColumnElement[Any]] = field(default_factory=dict)


def resolve_roles(
    schema: EventSchema,
    relation: FromClause,
    columns: Mapping[str, Column],
    describe: Describe,
    types: str | None = None,
) -> Roles:
    """Find out what the texts of ``schema`` mean in a table.

    Args:
        schema: What plays which role.
        relation: The table.
        columns: Its columns.
        describe: Asks the engine for the types of expressions, if there are any.
        types: The dialect of sqlglot in which the columns' types are named; None if types say nothing.

    Raises:
        SourceError: If a column is missing, or cannot play its role; with all other mistakes as ``further``.
    """
    _raise(missing_columns(schema, columns))
    conditions = condition_expressions(schema)
    held = {name: column.type_name for name, column in columns.items()}
    expressions: dict[str, ColumnElement[Any]] = {}
    mistakes: list[SourceError] = []
    for role, text in role_expressions(schema):
        if is_expression(text, columns):
            try:
                expressions[text] = build(text, role, held, types, is_condition=text in conditions)
            except SourceError as error:
                mistakes.append(error)
    _raise(mistakes)
    untyped = [text for text, expression in expressions.items() if not isinstance(expression.type, Boolean)]
    typed = dict(columns)
    if untyped:
        labelled = (expressions[text].label(f"expression_{place}") for place, text in enumerate(untyped))
        found = describe(select(*labelled).select_from(relation))
        typed |= {text: replace(column, name=text) for text, column in zip(untyped, found, strict=True)}
    _raise(wrong_kinds(schema, typed))
    return Roles(typed, expressions)


def _raise(mistakes: Iterable[SourceError]) -> None:
    if found := list(mistakes):
        raise SourceError(found[0].reason_code, str(found[0]), found[1:])
