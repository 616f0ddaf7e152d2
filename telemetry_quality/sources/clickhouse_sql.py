"""What ClickHouse calls the functions of the queries, and where its SQL differs from that of other engines."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from clickhouse_connect.cc_sqlalchemy.dialect import ClickHouseDialect as _DriverDialect
from clickhouse_connect.cc_sqlalchemy.sql.compiler import ChStatementCompiler
from sqlalchemy import BigInteger, Boolean, Double, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import BindParameter, Null

from telemetry_quality.sources.functions import (
    EngineType,
    compared_text,
    count_where,
    epoch_microseconds,
    epoch_microseconds_of_text,
    listed,
    salted_hash,
    sample_hash,
    text_matches,
    whole_hours,
)
from telemetry_quality.sources.paths import json_value, list_entry, list_item, map_value, struct_field
from telemetry_quality.sources.times import is_wholly, whole_number, with_replaced

if TYPE_CHECKING:
    from sqlalchemy import Cast, ColumnElement
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.sql.functions import FunctionElement

LAST_YEAR_OF_DATETIME = 2105
"""``DateTime`` has 32 bits; ``DateTime64`` ends in 2299."""


LAST_START_OF_32_BITS = 2**32 - 400 * 86_400
"""Ranges of days that begin before it end in time for instants to be counted in seconds of 32 bits."""


class PaddedText(String):
    """The type of ``FixedString`` columns, whose texts are padded with zero bytes."""

    cache_ok = True


class Unsigned(BigInteger):
    """The type of ``UInt64`` columns, half of whose numbers do not fit into a signed integer."""

    cache_ok = True


class _Compiler(ChStatementCompiler):
    def visit_floordiv_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        # ``/`` returns fractions.
        del operator
        return f"intDiv({self.process(binary.left, **kw)}, {self.process(binary.right, **kw)})"

    def visit_like_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        del operator
        # A backslash in a pattern is an escape here; elsewhere it is a character.
        pattern = f"replaceAll({self.process(binary.right, **kw)}, '\\\\', '\\\\\\\\')"
        return f"{self.process(binary.left, **kw)} LIKE {pattern}"

    def visit_not_like_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        return f"NOT ({self.visit_like_op_binary(binary, operator, **kw)})"

    def visit_cast(self, cast: Cast[Any], **kw: Any) -> str:
        """A cast whose result can be null exactly if its argument can: ``CAST`` fails on a null by default."""
        value = self.process(cast.clause, **kw)
        if isinstance(cast.type, EngineType):
            return _instant(cast.type, cast.clause, value)
        if isinstance(cast.clause, Null):
            return f"CAST(NULL AS Nullable({'Bool' if isinstance(cast.type, Boolean) else 'String'}))"
        if isinstance(cast.type, String):
            return _unpadded(value) if isinstance(cast.clause.type, PaddedText) else f"toString({value})"
        if isinstance(cast.type, BigInteger | Double):
            return _number(cast, value)
        return super().visit_cast(cast, **kw)  # type: ignore[no-any-return, no-untyped-call]

    def visit_trim_func(self, element: Any, **kw: Any) -> str:
        (clause,) = element.clauses
        value = self.process(clause, **kw)
        return f"trim({_unpadded(value) if isinstance(clause.type, PaddedText) else value})"

    def visit_lower_func(self, element: Any, **kw: Any) -> str:
        # ``lower`` leaves all letters but those of ASCII as they are.
        return f"lowerUTF8{self.function_argspec(element, **kw)}"

    def visit_upper_func(self, element: Any, **kw: Any) -> str:
        return f"upperUTF8{self.function_argspec(element, **kw)}"


def _unpadded(value: str) -> str:
    return f"replaceRegexpOne(toString({value}), '\\\\0+$', '')"


def _number(cast: Cast[Any], value: str) -> str:
    function = "toInt64" if isinstance(cast.type, BigInteger) else "toFloat64"
    if isinstance(cast.clause.type, String):
        return f"{function}OrNull(trim({value}))"
    if isinstance(cast.clause.type, Unsigned) and function == "toInt64":
        return f"toInt64(least({value}, toUInt64(9223372036854775807)))"
    return f"{function}({value})"


def _instant(type_: EngineType, clause: ColumnElement[Any], value: str) -> str:
    """A bound of the time column, of the column's own type where possible, so that parts and granules are skipped."""
    has_32_bits = "DateTime" in type_.name and "DateTime64" not in type_.name
    bound = clause.value if isinstance(clause, BindParameter) else None
    if has_32_bits and bound and 1970 <= datetime.fromisoformat(bound).year <= LAST_YEAR_OF_DATETIME:
        return f"parseDateTimeBestEffort({value}, 'UTC')"
    at = f"parseDateTime64BestEffort({value}, 6, 'UTC')"
    return f"toDate32({at})" if "DateTime" not in type_.name else at


class ClickHouseDialect(_DriverDialect):
    """The driver's dialect with integer division and casts that keep nulls; compiles only, never connects."""

    statement_compiler = _Compiler
    supports_statement_cache = False

    def __init__(self) -> None:
        super().__init__(paramstyle="pyformat")


_ENGINE = ClickHouseDialect.name


@compiles(epoch_microseconds, _ENGINE)
def _microseconds(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    return f"toUnixTimestamp64Micro(toDateTime64({compiler.process(element.clauses, **kw)}, 6, 'UTC'))"


@compiles(whole_hours, _ENGINE)
def _hours(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    expression, instant, start = element.clauses
    first = start.value if isinstance(start, BindParameter) else None
    if first is not None and 0 <= first < LAST_START_OF_32_BITS:
        # Half of the bits take a tenth off the time of a day's aggregates.
        seconds = f"toUnixTimestamp({compiler.process(instant, **kw)}) - {compiler.process(start, **kw)}"
        return f"intDiv(toUInt32({seconds}), 3600)"
    return f"({compiler.process(expression, **kw)})"


_CALENDAR_YEARS = 400
"""After so many years the calendar repeats."""

_CALENDAR_MICROSECONDS = 146_097 * 86_400 * 1_000_000


@compiles(epoch_microseconds_of_text, _ENGINE)
def _microseconds_of_text(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    whole = compiler.process(element.clauses, **kw)
    # Given a name, since it is used several times, and a query may only be so long; the digest keeps names apart.
    text = f"time_{sha256(whole.encode()).hexdigest()[:16]}"
    cut = f"(replaceRegexpOne({whole}, '[.]([0-9]{{1,6}})[0-9]*', '.\\\\1') AS {text})"
    year = f"toInt64OrNull(substring({text}, 1, 4))"
    # The engine's calendar has the years from 1900 to 2299, and its offsets may lead out of them.
    shift = f"intDiv({year} + {6 * _CALENDAR_YEARS - 1950}, {_CALENDAR_YEARS}) - 6"
    moved = f"concat(toString({year} - {_CALENDAR_YEARS} * ({shift})), substring({text}, 5))"
    return (
        f"if({cut} >= '1901' AND {text} < '2299',"
        f" toUnixTimestamp64Micro(parseDateTime64BestEffortOrNull({text}, 6, 'UTC')),"
        f" toUnixTimestamp64Micro(parseDateTime64BestEffortOrNull({moved}, 6, 'UTC'))"
        f" + {_CALENDAR_MICROSECONDS} * ({shift}))"
    )


@compiles(is_wholly, _ENGINE)
def _is_wholly(element: is_wholly, compiler: SQLCompiler, **kw: Any) -> str:
    pattern = compiler.render_literal_value(f"^(?:{element.pattern})$", String())
    return f"match({compiler.process(element.clauses, **kw)}, {pattern})"


@compiles(with_replaced, _ENGINE)
def _with_replaced(element: with_replaced, compiler: SQLCompiler, **kw: Any) -> str:
    pattern, replacement = (
        compiler.render_literal_value(text, String()) for text in (element.pattern, element.replacement)
    )
    return f"replaceRegexpOne({compiler.process(element.clauses, **kw)}, {pattern}, {replacement})"


@compiles(whole_number, _ENGINE)
def _whole_number(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    return f"toInt64OrNull({compiler.process(element.clauses, **kw)})"


@compiles(sample_hash, _ENGINE)
def _hash(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    return f"toInt64(bitShiftRight(sipHash64({compiler.process(element.clauses, **kw)}), 1))"


@compiles(salted_hash, _ENGINE)
def _salted(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    text, _, number = (compiler.process(part, **kw) for part in element.clauses)
    return f"toInt64(bitShiftRight(sipHash64Keyed((toUInt64({number}), toUInt64(1)), {text}), 1))"


@compiles(compared_text, _ENGINE)
def _compared(element: FunctionElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    return f"sipHash64({compiler.process(element.clauses, **kw)})"


@compiles(count_where, _ENGINE)
def _count(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    return f"countIf({compiler.process(element.clauses, **kw)})"


@compiles(listed, _ENGINE)
def _listed(element: FunctionElement[str], compiler: SQLCompiler, **kw: Any) -> str:
    return f"arrayStringConcat(groupArray({compiler.process(element.clauses, **kw)}), ',')"


@compiles(text_matches, _ENGINE)
def _matches(element: text_matches, compiler: SQLCompiler, **kw: Any) -> str:
    return f"match({compiler.process(element.clauses, **kw)}, {_literal(element.pattern, compiler)})"


def _literal(text: str, compiler: SQLCompiler) -> str:
    return compiler.render_literal_value(text, String())


@compiles(struct_field, _ENGINE)
def _field(element: struct_field, compiler: SQLCompiler, **kw: Any) -> str:
    return f"tupleElement({compiler.process(element.clauses, **kw)}, {_literal(str(element.step), compiler)})"


@compiles(map_value, _ENGINE)
def _key(element: map_value, compiler: SQLCompiler, **kw: Any) -> str:
    value, key = compiler.process(element.clauses, **kw), _literal(str(element.step), compiler)
    # The value of a key that is not there is an empty text, or 0.
    return f"if(mapContains({value}, {key}), {value}[{key}], NULL)"


@compiles(list_item, _ENGINE)
def _item(element: list_item, compiler: SQLCompiler, **kw: Any) -> str:
    value, place = compiler.process(element.clauses, **kw), int(element.step)
    return f"if(length({value}) > {place}, {value}[{place + 1}], NULL)"


@compiles(list_entry, _ENGINE)
def _entry(element: list_entry, compiler: SQLCompiler, **kw: Any) -> str:
    value, key = compiler.process(element.clauses, **kw), _literal(str(element.step), compiler)
    place = f"arrayFirstIndex(entry -> tupleElement(entry, 'key') = {key}, {value})"
    return f"if({place} > 0, tupleElement({value}[{place}], 'value'), NULL)"


@compiles(json_value, _ENGINE)
def _json(element: json_value, compiler: SQLCompiler, **kw: Any) -> str:
    value, steps = compiler.process(element.clauses, **kw), list(element.steps)
    if not element.is_text:
        names: list[str] = []
        while steps and isinstance(steps[0], str):
            names.append(f".{compiler.preparer.quote_identifier(str(steps.pop(0)))}")
        value += "".join(names)
        if not steps:
            return f"CAST({value} AS Nullable(String))"
        value = f"toJSONString({value})"
    keys = [_literal(step, compiler) if isinstance(step, str) else str(step + 1) for step in steps]
    found = f"JSONExtract({', '.join([value, *keys])}, 'Nullable(String)')"
    # A place would also find a member of an object.
    lists = [place for place, step in enumerate(steps) if isinstance(step, int)]
    are_lists = (f"JSONType({', '.join([value, *keys[:place]])}) = 'Array'" for place in lists)
    return f"if({' AND '.join(are_lists)}, {found}, NULL)" if lists else found
