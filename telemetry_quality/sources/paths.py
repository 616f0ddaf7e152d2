"""Values inside columns: a field of a struct, a key of a map, an item of a list, and a path into JSON.

What a step of a path means follows from the type of the value that it is taken from. A value that is not there is null
on every engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlglot
from sqlalchemy import String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlglot import expressions as exp

from telemetry_quality.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.sql.compiler import SQLCompiler

    Step = str | int
    """The name of a field or key, or the place of an item in a list, counted from 0."""

_JSON = {
    exp.DataType.Type.JSON,
    exp.DataType.Type.JSONB,
    exp.DataType.Type.VARIANT,
    exp.DataType.Type.OBJECT,
    *exp.DataType.TEXT_TYPES,
}
"""Types that hold JSON, be it as text."""

_TEXT_FIELDS = ("stringValue", "string_value")
_LISTS = {exp.DataType.Type.ARRAY, exp.DataType.Type.LIST}
_MAPS = {exp.DataType.Type.MAP, exp.DataType.Type.HSTORE}


class _Inside(FunctionElement[Any]):
    """A value inside another one; the name or place is a part of the query's text, as in a column's name."""

    inherit_cache = False

    def __init__(self, value: ColumnElement[Any], step: Step) -> None:
        super().__init__(value)
        self.step = step


class struct_field(_Inside):  # noqa: N801 - SQL functions are lower case
    """A field of a struct."""


class map_value(_Inside):  # noqa: N801
    """The value of a key."""


class list_item(_Inside):  # noqa: N801
    """An item of a list, counted from 0."""


class list_entry(_Inside):  # noqa: N801
    """The value of a key in a list of structs with the fields ``key`` and ``value``; the first, if it has several."""


class json_value(FunctionElement[str]):  # noqa: N801
    """The value at a path into JSON, as text; null if it is null, absent, or if the text is not JSON.

    Attributes:
        steps: The path.
        is_text: Whether the JSON is held as text, which may be anything.
    """

    type = String()
    inherit_cache = False

    def __init__(self, value: ColumnElement[Any], steps: Sequence[Step], *, is_text: bool) -> None:
        super().__init__(value)
        self.steps = tuple(steps)
        self.is_text = is_text


def inside(value: ColumnElement[Any], type_name: str, steps: Sequence[Step], types: str | None) -> ColumnElement[Any]:
    """The value at ``steps`` inside ``value``.

    Args:
        value: A column.
        type_name: Its type by the engine's name.
        steps: At least one step.
        types: The dialect of sqlglot in which the engine names its types; None if types say nothing, as in SQLite.

    Raises:
        SourceError: ``COLUMN_MISSING`` if a struct has no such field; ``COLUMN_TYPE`` if nothing can be inside.
    """
    held = _parsed(type_name, types)
    for position, step in enumerate(steps):
        while held.this is exp.DataType.Type.LOWCARDINALITY:
            held = held.expressions[0]
        if held.this in _JSON:
            is_text = held.this in exp.DataType.TEXT_TYPES
            return json_value(value, _json_steps(steps[position:]), is_text=is_text)
        value, held = _one_step(value, held, step)
    # The entries of OTLP and of Google Analytics hold their value under the name of its type.
    text = next((name for name in _TEXT_FIELDS if isinstance(value, list_entry) and name in _fields(held)), None)
    return value if text is None else struct_field(value, text)


def _parsed(type_name: str, types: str | None) -> exp.DataType:
    if types is None:
        return exp.DataType(this=exp.DataType.Type.TEXT)
    try:
        return exp.DataType.build(type_name, dialect=types)
    except sqlglot.errors.SqlglotError:
        # The type of a composite is a name, whose fields only the server knows.
        return exp.DataType(this=exp.DataType.Type.USERDEFINED)


def _one_step(value: ColumnElement[Any], held: exp.DataType, step: Step) -> tuple[ColumnElement[Any], exp.DataType]:
    if held.this is exp.DataType.Type.USERDEFINED and isinstance(step, str):
        return struct_field(value, step), held
    if held.this is exp.DataType.Type.STRUCT and isinstance(step, str):
        fields = _fields(held)
        if step not in fields:
            raise SourceError(
                "COLUMN_MISSING", f"{step!r} is required, but the struct has only: {', '.join(fields) or 'nothing'}."
            )
        return struct_field(value, step), fields[step]
    if held.this in _MAPS and isinstance(step, str):
        return map_value(value, step), _last(held)
    if held.this in _LISTS and isinstance(step, int):
        return list_item(value, step), _last(held)
    if held.this in _LISTS and {"key", "value"} <= (fields := _fields(_last(held))).keys():
        return list_entry(value, step), fields["value"]
    raise SourceError("COLUMN_TYPE", f"{step!r} is required, but nothing of that name can be inside {held.sql()}.")


def _last(held: exp.DataType) -> exp.DataType:
    """The type of the values of a map, or of the items of a list."""
    inner = held.expressions[-1] if held.expressions else None
    return inner if isinstance(inner, exp.DataType) else exp.DataType(this=exp.DataType.Type.TEXT)


def _fields(held: exp.DataType) -> dict[str, exp.DataType]:
    if held.this is not exp.DataType.Type.STRUCT:
        return {}
    return {field.name: field.args["kind"] for field in held.expressions if isinstance(field, exp.ColumnDef)}


def _json_steps(steps: Sequence[Step]) -> Sequence[Step]:
    for step in steps:
        if isinstance(step, str) and any(letter in step for letter in "\"'\\"):
            # No notation for them means the same on all engines.
            raise SourceError("COLUMN_TYPE", f"{step!r} contains quotes or a backslash, which JSON paths cannot name.")
    return steps


def _text(text: str, compiler: SQLCompiler) -> str:
    """A text of the settings as a literal."""
    return compiler.render_literal_value(text, String())


def _value(element: FunctionElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(element.clauses, **kw)


def json_path(steps: Sequence[Step]) -> str:
    """``$."a"."b"[0]``, the notation of most engines."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f'."{step}"' for step in steps)


@compiles(struct_field)
def _field(element: struct_field, compiler: SQLCompiler, **kw: Any) -> str:
    # Spark's query is translated from DuckDB's SQL.
    return f"struct_extract({_value(element, compiler, **kw)}, {_text(str(element.step), compiler)})"


@compiles(struct_field, "postgresql")
def _field_postgresql(element: struct_field, compiler: SQLCompiler, **kw: Any) -> str:
    return f"({_value(element, compiler, **kw)}).{compiler.preparer.quote_identifier(str(element.step))}"


@compiles(map_value)
def _key(element: map_value, compiler: SQLCompiler, **kw: Any) -> str:
    return f"{_value(element, compiler, **kw)}[{_text(str(element.step), compiler)}]"


@compiles(map_value, "spark")
def _key_spark(element: map_value, compiler: SQLCompiler, **kw: Any) -> str:
    return f"element_at({_value(element, compiler, **kw)}, {_text(str(element.step), compiler)})"


@compiles(map_value, "postgresql")
def _key_postgresql(element: map_value, compiler: SQLCompiler, **kw: Any) -> str:
    return f"({_value(element, compiler, **kw)} -> {_text(str(element.step), compiler)})"


@compiles(list_item)
def _item(element: list_item, compiler: SQLCompiler, **kw: Any) -> str:
    return f"list_extract({_value(element, compiler, **kw)}, {int(element.step) + 1})"


@compiles(list_item, "spark")
def _item_spark(element: list_item, compiler: SQLCompiler, **kw: Any) -> str:
    return f"get({_value(element, compiler, **kw)}, {int(element.step)})"


@compiles(list_item, "postgresql")
def _item_postgresql(element: list_item, compiler: SQLCompiler, **kw: Any) -> str:
    return f"({_value(element, compiler, **kw)})[{int(element.step) + 1}]"


@compiles(list_entry)
def _entry(element: list_entry, compiler: SQLCompiler, **kw: Any) -> str:
    found = _matching(element, compiler, **kw)
    return f"struct_extract(list_extract({found}, 1), 'value')"


@compiles(list_entry, "spark")
def _entry_spark(element: list_entry, compiler: SQLCompiler, **kw: Any) -> str:
    return f"struct_extract(get({_matching(element, compiler, **kw)}, 0), 'value')"


def _matching(element: list_entry, compiler: SQLCompiler, **kw: Any) -> str:
    key = _text(str(element.step), compiler)
    return f"list_filter({_value(element, compiler, **kw)}, lambda entry: entry.key = {key})"


@compiles(json_value, "duckdb")
def _json_duckdb(element: json_value, compiler: SQLCompiler, **kw: Any) -> str:
    found = f"json_extract_string({_value(element, compiler, **kw)}, {_text(json_path(element.steps), compiler)})"
    return f"TRY({found})" if element.is_text else found


@compiles(json_value, "spark")
def _json_spark(element: json_value, compiler: SQLCompiler, **kw: Any) -> str:
    path = "$" + "".join(f"[{step}]" if isinstance(step, int) else f"['{step}']" for step in element.steps)
    found = f"get_json_object({_value(element, compiler, **kw)}, {_text(path, compiler)})"
    # Spark shows the null of a list, but not that of an object, as text.
    return f"nullif({found}, 'null')" if isinstance(element.steps[-1], int) else found


@compiles(json_value, "postgresql")
def _json_postgresql(element: json_value, compiler: SQLCompiler, **kw: Any) -> str:
    path = ",".join(str(step) if isinstance(step, int) else f'"{step}"' for step in element.steps)
    # Text that is not JSON makes the day unreadable: before version 16, PostgreSQL cannot try a cast.
    return f"(CAST({_value(element, compiler, **kw)} AS JSONB) #>> CAST({_text(f'{{{path}}}', compiler)} AS TEXT[]))"


@compiles(json_value, "sqlite")
def _json_sqlite(element: json_value, compiler: SQLCompiler, **kw: Any) -> str:
    value, path = _value(element, compiler, **kw), _text(json_path(element.steps), compiler)
    # SQLite would make numbers of true and false.
    return (
        f"CASE WHEN json_valid({value}) THEN CASE json_type({value}, {path}) WHEN 'true' THEN 'true'"
        f" WHEN 'false' THEN 'false' ELSE CAST(json_extract({value}, {path}) AS TEXT) END END"
    )
