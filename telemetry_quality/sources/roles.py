"""What plays each role in one table: its columns, and expressions over them, whose types the engine knows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, String, cast, select

from telemetry_quality.core.time_forms import AUTO, unit_of_numbers
from telemetry_quality.errors import SourceError
from telemetry_quality.sources.columns import (
    NUMBERS,
    ColumnKind,
    condition_expressions,
    missing_columns,
    role_expressions,
    wrong_kinds,
)
from telemetry_quality.sources.expressions import build, is_expression

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, FromClause, Select

    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.sources.columns import Column

    Describe = Callable[[Select[Any]], Sequence[Column]]
    """The columns that a query would return, in order; nothing is read but, where values decide, some rows."""

    Read = Callable[[Select[Any]], Sequence[Sequence[Any]]]
    """Runs a query."""

PROBED_ROWS = 1000
"""How many numbers must agree on their unit."""

_NUMBER = re.compile(r"-?[0-9]+([.][0-9]*)?([eE][+-]?[0-9]{1,2})?")


@dataclass(frozen=True, slots=True)
class Roles:
    """The columns of a table, and what is computed of them.

    Attributes:
        columns: The columns by name, and by their text those expressions that are not known to be conditions.
        expressions: Every expression by its text.
        units: The unit of each time that is a number, by its text.
    """

    columns: Mapping[str, Column]
    expressions: Mapping[str, ColumnElement[Any]] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)

    def unit_of(self, text: str) -> str:
        """The unit of a time that is a number; any unit where no row says which."""
        return self.units.get(text, "s")


def resolve_roles(
    schema: EventSchema,
    relation: FromClause,
    columns: Mapping[str, Column],
    describe: Describe,
    types: str | None = None,
    *,
    read: Read | None = None,
) -> Roles:
    """Find out what the texts of ``schema`` mean in a table.

    Args:
        schema: What plays which role.
        relation: The table.
        columns: Its columns.
        describe: Asks the engine for the types of expressions, if there are any.
        types: The dialect of sqlglot in which the columns' types are named; None if types say nothing.
        read: Reads some rows, if a unit is to be found out; None if that is not possible.

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
    roles = Roles(typed, expressions)
    return replace(roles, units=dict(_units(schema, relation, roles, read)))


def _units(schema: EventSchema, relation: FromClause, roles: Roles, read: Read | None) -> Iterator[tuple[str, str]]:
    for role in ("observed_at", "occurred_at"):
        text, unit = getattr(schema, role), schema.unit_of(role)
        if text is None or unit is None or roles.columns[text].kind not in {ColumnKind.TEXT, *NUMBERS}:
            continue
        found = unit if unit != AUTO else _found_unit(role, roles.expressions.get(text), text, relation, read)
        if found is not None:
            yield text, found


def _found_unit(
    role: str, expression: ColumnElement[Any] | None, text: str, relation: FromClause, read: Read | None
) -> str | None:
    """The unit that the numbers in some rows show; None if no row holds any."""
    if read is None:
        raise SourceError(
            "TIME_UNIT_AMBIGUOUS",
            f"The time_unit of {role} must be s, ms, us or ns here, but is auto, which this connector does not know; "
            "name the unit.",
        )
    value = relation.c[text] if expression is None else expression
    written = cast(value, String)
    rows = read(select(written).select_from(relation).where(value.is_not(None), written != "0").limit(PROBED_ROWS))
    numbers = [Decimal(number) for (number,) in rows if _NUMBER.fullmatch(number)]
    unit, found = unit_of_numbers(numbers)
    if numbers and unit is None:
        raise SourceError(
            "TIME_UNIT_AMBIGUOUS",
            f"A time_unit of auto requires all numbers of {role} to be times of the years 2001 to 2286 in one unit, "
            f"but {found}; set time_unit to s, ms, us or ns.",
        )
    return unit


def _raise(mistakes: Iterable[SourceError]) -> None:
    if found := list(mistakes):
        raise SourceError(found[0].reason_code, str(found[0]), found[1:])
