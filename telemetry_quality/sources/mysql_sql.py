"""What MariaDB and MySQL call the functions of the queries, and where their SQL differs from that of other engines."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, DateTime, Double, String, literal
from sqlalchemy.dialects.mysql.mysqldb import MySQLCompiler_mysqldb
from sqlalchemy.dialects.mysql.pymysql import MySQLDialect_pymysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import Null
from sqlalchemy.sql.functions import FunctionElement

from telemetry_quality.sources.functions import (
    EngineType,
    compared_text,
    epoch_microseconds,
    epoch_microseconds_of_text,
    listed,
    sample_hash,
    text_matches,
)
from telemetry_quality.sources.paths import json_path, json_value
from telemetry_quality.sources.times import is_wholly, read_text, text_microseconds, whole_number, with_replaced

if TYPE_CHECKING:
    from sqlalchemy import Cast
    from sqlalchemy.sql.compiler import SQLCompiler

COLLATION = "utf8mb4_nopad_bin"
"""Compares texts by their characters alone; others ignore case, accents or trailing blanks, or all of these."""


class Binary(String):
    """The type of columns of bytes, which are shown as hexadecimal digits."""

    cache_ok = True


class exact_column(FunctionElement[str]):  # noqa: N801 - SQL functions are lower case
    """A column as text that is compared by its characters."""

    type = String()
    inherit_cache = True


class _Compiler(MySQLCompiler_mysqldb):
    def visit_floordiv_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        # ``/`` returns fractions.
        del operator
        return f"({self.process(binary.left, **kw)} DIV {self.process(binary.right, **kw)})"

    def visit_nulls_first_op_unary_modifier(self, unary: Any, operator: Any, **kw: Any) -> str:
        # There is no word for it, because nulls are first anyway.
        del operator
        return self.process(unary.element, **kw)

    def visit_like_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        del operator
        # A backslash in a pattern is an escape here; elsewhere it is a character.
        pattern = f"REPLACE({self.process(binary.right, **kw)}, '\\\\', '\\\\\\\\')"
        return f"{self.process(binary.left, **kw)} LIKE {pattern}"

    def visit_not_like_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        return f"NOT ({self.visit_like_op_binary(binary, operator, **kw)})"

    def visit_cast(self, cast: Cast[Any], **kw: Any) -> str:
        if isinstance(cast.type, EngineType):
            return self._instant(cast, **kw)
        value = self.process(cast.clause, **kw)
        if isinstance(cast.clause, Null):
            return value
        if isinstance(cast.type, String):
            return self.exact(value)
        if isinstance(cast.type, BigInteger):
            # Half of the unsigned numbers would become negative ones; a text is one that looks like a number.
            is_text = isinstance(cast.clause.type, String)
            return f"CAST({value if is_text else f'LEAST({value}, 9223372036854775807)'} AS SIGNED)"
        if isinstance(cast.type, Double):
            return f"CAST({value} AS DOUBLE)"
        return super().visit_cast(cast, **kw)

    def _instant(self, cast: Cast[Any], **kw: Any) -> str:
        """A bound of the time column, without an offset, which the engine does not read; the session is in UTC."""
        at = datetime.fromisoformat(cast.clause.value)
        return self.process(literal(at.astimezone(UTC).replace(tzinfo=None), DateTime()), **kw)

    def exact(self, value: str) -> str:
        """``value`` as text that is compared by its characters."""
        return f"CONVERT({value} USING utf8mb4) COLLATE {COLLATION}"


class MySQLDialect(MySQLDialect_pymysql):
    """PyMySQL's dialect with integer division and exact texts; compiles only, never connects."""

    name = "mysql"
    statement_compiler = _Compiler
    supports_statement_cache = False

    def __init__(self) -> None:
        super().__init__(paramstyle="pyformat")


_ENGINE = MySQLDialect.name


@compiles(exact_column, _ENGINE)
def _exact(element: FunctionElement[str], compiler: _Compiler, **kw: Any) -> str:
    (clause,) = element.clauses
    value = compiler.process(clause, **kw)
    return compiler.exact(f"LOWER(HEX({value}))" if isinstance(clause.type, Binary) else value)


@compiles(epoch_microseconds, _ENGINE)
def _microseconds(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    return _since_1970(compiler.process(element.clauses, **kw))


def _since_1970(instant: str) -> str:
    return f"TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {instant})"


@compiles(epoch_microseconds_of_text, _ENGINE)
def _microseconds_of_text(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    text = compiler.process(element.clauses, **kw)
    rest = f"SUBSTR({text}, 12)"
    time = f"REGEXP_SUBSTR({rest}, '^[0-9:]{{8}}([.][0-9]{{1,6}})?')"
    offset = f"COALESCE(REGEXP_SUBSTR({rest}, '[+-][0-9]{{2}}(:?[0-9]{{2}})?$'), '')"
    at = f"CAST(CONCAT(LEFT({text}, 10), ' ', {time}) AS DATETIME(6))"
    minutes = f"IF(LENGTH({offset}) > 3, CAST(RIGHT({offset}, 2) AS SIGNED), 0)"
    east = f"(CAST(SUBSTR({offset}, 2, 2) AS SIGNED) * 60 + {minutes}) * IF(LEFT({offset}, 1) = '-', -1, 1)"
    return f"({_since_1970(at)} - IF({offset} = '', 0, {east}) * 60000000)"


@compiles(text_microseconds, _ENGINE)
def _text(element: text_microseconds, compiler: SQLCompiler, **kw: Any) -> str:
    # Every mention of a text costs all that is computed of it again.
    return compiler.process(read_text(element, is_apart=True), **kw)


@compiles(is_wholly, _ENGINE)
def _is_wholly(element: is_wholly, compiler: SQLCompiler, **kw: Any) -> str:
    # Where the column ignores case, expressions would too; and ``$`` also stands before a line's end.
    pattern = compiler.render_literal_value(f"(?-i)^(?:{element.pattern})(?![^a]|a)", String())
    return f"({compiler.process(element.clauses, **kw)} REGEXP {pattern})"


@compiles(with_replaced, _ENGINE)
def _with_replaced(element: with_replaced, compiler: SQLCompiler, **kw: Any) -> str:
    pattern, replacement = (
        compiler.render_literal_value(text, String()) for text in (f"(?-i){element.pattern}", element.replacement)
    )
    return f"REGEXP_REPLACE({compiler.process(element.clauses, **kw)}, {pattern}, {replacement})"


@compiles(whole_number, _ENGINE)
def _whole_number(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **kw)} AS SIGNED)"


@compiles(sample_hash, _ENGINE)
def _hash(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    digits = f"LEFT(MD5({compiler.process(element.clauses, **kw)}), 16)"
    return f"CAST(CAST(CONV({digits}, 16, 10) AS UNSIGNED) >> 1 AS SIGNED)"


@compiles(compared_text, _ENGINE)
def _compared(element: FunctionElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(sample_hash(*element.clauses), **kw)


@compiles(listed, _ENGINE)
def _listed(element: FunctionElement[str], compiler: SQLCompiler, **kw: Any) -> str:
    return f"GROUP_CONCAT({compiler.process(element.clauses, **kw)} SEPARATOR ',')"


@compiles(text_matches, _ENGINE)
def _matches(element: text_matches, compiler: SQLCompiler, **kw: Any) -> str:
    pattern = compiler.render_literal_value(element.pattern, String())
    return f"({compiler.process(element.clauses, **kw)} REGEXP {pattern})"


@compiles(json_value, _ENGINE)
def _json(element: json_value, compiler: _Compiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    found = f"JSON_EXTRACT({value}, {compiler.render_literal_value(json_path(element.steps), String())})"
    text = compiler.exact(f"JSON_UNQUOTE({found})")
    return f"CASE WHEN JSON_VALID({value}) AND JSON_TYPE({found}) <> 'NULL' THEN {text} END"
