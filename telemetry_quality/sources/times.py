"""Times as the queries read them: whole ticks since 1970 of instants, numbers and texts, the same on every engine.

What texts mean is defined in ``core/time_forms.py``; here it is said in SQL. Every engine needs only to match and
replace with regular expressions, and to read strict ISO 8601 (``functions.epoch_microseconds_of_text``).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Boolean, Double, String, and_, case, cast, func, literal, or_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from telemetry_quality.core.time_forms import (
    FIRST_SECOND,
    FORMS,
    ISO_8601,
    LAST_SECOND,
    UNITS_PER_SECOND,
    named_form,
    text_number,
)
from telemetry_quality.sources.functions import epoch_microseconds_of_text

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.sql.compiler import SQLCompiler

    from telemetry_quality.core.time_forms import TextForm

_WEEKDAYS = ("Fri", "Wee")
"""The names of weekdays sort from the first to before the second."""

_LARGEST = 9_200_000_000_000_000_000
"""No number beyond it is a time: 64 bits would not hold its ticks."""


class text_microseconds(FunctionElement[int]):  # noqa: N801 - SQL functions are lower case
    """Microseconds since 1970 of a time as text; null for every text that is none."""

    type = BigInteger()
    inherit_cache = False

    def __init__(self, text: ColumnElement[str], unit: str | None, form: str | None) -> None:
        super().__init__(text)
        self.unit = unit
        self.form = form


class number_ticks(FunctionElement[int]):  # noqa: N801
    """Ticks since 1970 of a number with fractions; null for those that are no time."""

    type = BigInteger()
    inherit_cache = False

    def __init__(self, number: ColumnElement[Any], unit: str) -> None:
        super().__init__(number)
        self.unit = unit


class is_wholly(FunctionElement[bool]):  # noqa: N801
    """Whether a regular expression matches a text from its first to its last character."""

    type = Boolean()
    inherit_cache = False

    def __init__(self, text: ColumnElement[str], pattern: str) -> None:
        super().__init__(text)
        self.pattern = pattern


class with_replaced(FunctionElement[str]):  # noqa: N801
    """A text with what a regular expression first matches replaced, with the groups that it names."""

    type = String()
    inherit_cache = False

    def __init__(self, text: ColumnElement[str], pattern: str, replacement: str) -> None:
        super().__init__(text)
        self.pattern = pattern
        self.replacement = replacement


class whole_number(FunctionElement[int]):  # noqa: N801
    """The number that a text of digits holds."""

    type = BigInteger()
    inherit_cache = True


def near_text(text: ColumnElement[str], start: datetime, end: datetime) -> ColumnElement[bool]:
    """What ISO 8601 texts from ``start`` to ``end`` meet, whatever their offset, and all that begin with a weekday.

    Only the former sort by time, so this only narrows the search; the comparison of ticks decides.
    """
    near, far = (start - timedelta(days=1)).date(), (end + timedelta(days=2)).date()
    spans = [(near.isoformat(), far.isoformat()), (f"{near:%Y%m%d}", f"{far:%Y%m%d}"), _WEEKDAYS]
    return or_(*(and_(text >= first, text < end_) for first, end_ in spans))


def ticks_of_number(number: ColumnElement[Any], unit: str) -> tuple[ColumnElement[int], int]:
    """A number with fractions as an integer since 1970, and how many of its units make a second."""
    return number_ticks(number, unit), max(UNITS_PER_SECOND[unit], UNITS_PER_SECOND["us"])


def _first(unit: str) -> int:
    return max(FIRST_SECOND * UNITS_PER_SECOND[unit], -_LARGEST)


def _end(unit: str) -> int:
    return min((LAST_SECOND + 1) * UNITS_PER_SECOND[unit], _LARGEST)


@compiles(number_ticks)
def _ticks(element: number_ticks, compiler: SQLCompiler, **kw: Any) -> str:
    (number,) = element.clauses
    unit = element.unit
    whole = cast(func.floor(number), BigInteger)
    per_unit = 10**6 // UNITS_PER_SECOND[unit]
    ticks: ColumnElement[int] = whole
    if per_unit > 1:
        # Rounded, since a float rarely holds exactly the microseconds that were meant, but never into the next unit:
        # that could be the next day.
        part = cast(number - func.floor(number), Double) * per_unit
        ticks = whole * per_unit + case(
            (part >= per_unit - 1, per_unit - 1), else_=cast(func.floor(part + 0.5), BigInteger)
        )
    is_time = and_(number >= literal(_first(unit), BigInteger), number < literal(_end(unit), BigInteger))
    return compiler.process(case((is_time, ticks)), **kw)


def read_text(element: text_microseconds, *, is_apart: bool = False) -> ColumnElement[int]:
    """A time as text by what every engine has.

    Args:
        element: The text, and how times are written in it.
        is_apart: Whether texts that are ISO 8601 already are read apart from those that have to be rewritten: faster
            on engines that compute an expression again wherever it is mentioned, slower on others.
    """
    (text,) = element.clauses
    forms = FORMS if element.form is None else (named_form(element.form),)
    iso: ColumnElement[str] = case(*((is_wholly(text, form.pattern), _as_iso(form, text)) for form in forms))
    if not forms[0].is_certain:
        iso = case((is_wholly(iso, ISO_8601), iso))
    # Most texts are ISO 8601 already, which costs one match.
    is_iso = is_wholly(text, ISO_8601)
    read: ColumnElement[int]
    if element.form is not None:
        read = epoch_microseconds_of_text(iso)
    elif is_apart:
        read = case((is_iso, epoch_microseconds_of_text(text)), else_=epoch_microseconds_of_text(iso))
    else:
        read = epoch_microseconds_of_text(case((is_iso, text), else_=iso))
    return read if element.unit is None else _number_or(text, element.unit, read)


@compiles(text_microseconds)
def _text(element: text_microseconds, compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(read_text(element), **kw)


def _as_iso(form: TextForm, text: ColumnElement[str]) -> ColumnElement[str]:
    for pattern, replacement in form.steps:
        text = with_replaced(text, pattern, replacement)
    for old, new in form.texts:
        text = func.replace(text, old, new, type_=String)
    return text


def _number_or(text: ColumnElement[str], unit: str, otherwise: ColumnElement[int]) -> ColumnElement[int]:
    number = text_number(unit)
    whole = whole_number(with_replaced(text, "[.].*$", ""))
    ticks: ColumnElement[int] = whole // 1000 if not number.per_unit else whole * number.per_unit
    if number.digits:
        fraction = with_replaced(text, "^[0-9]+[.]?", "") + "0" * number.digits
        ticks = ticks + whole_number(func.substr(fraction, 1, number.digits, type_=String))
    is_number = is_wholly(text, number.pattern)
    return case((is_number, case((whole <= literal(number.most, BigInteger), ticks))), else_=otherwise)


def _literal(compiler: SQLCompiler, text: str) -> str:
    return compiler.render_literal_value(text, String())


_END = "(?![^a]|a)"
"""The end of a text where ``$`` may also stand before a line's end."""


@compiles(is_wholly)
def _wholly(element: is_wholly, compiler: SQLCompiler, **kw: Any) -> str:
    text = compiler.process(element.clauses, **kw)
    return f"regexp_matches({text}, {_literal(compiler, f'^(?:{element.pattern}){_END}')})"


@compiles(is_wholly, "duckdb")
def _wholly_duckdb(element: is_wholly, compiler: SQLCompiler, **kw: Any) -> str:
    return f"regexp_full_match({compiler.process(element.clauses, **kw)}, {_literal(compiler, element.pattern)})"


@compiles(is_wholly, "postgresql")
def _wholly_postgresql(element: is_wholly, compiler: SQLCompiler, **kw: Any) -> str:
    return f"({compiler.process(element.clauses, **kw)} ~ {_literal(compiler, f'^(?:{element.pattern})$')})"


@compiles(is_wholly, "snowflake")
@compiles(is_wholly, "trino")
def _wholly_unproven(element: is_wholly, compiler: SQLCompiler, **kw: Any) -> str:
    text = compiler.process(element.clauses, **kw)
    return f"regexp_like({text}, {_literal(compiler, f'^(?:{element.pattern})$')})"


@compiles(with_replaced)
def _replaced(element: with_replaced, compiler: SQLCompiler, **kw: Any) -> str:
    text = compiler.process(element.clauses, **kw)
    return f"regexp_replace({text}, {_literal(compiler, element.pattern)}, {_literal(compiler, element.replacement)})"


@compiles(with_replaced, "spark")
@compiles(with_replaced, "trino")
def _replaced_with_dollars(element: with_replaced, compiler: SQLCompiler, **kw: Any) -> str:
    replacement = element.replacement.replace("\\", "$")
    (text,) = element.clauses
    return _replaced(with_replaced(text, element.pattern, replacement), compiler, **kw)


@compiles(whole_number)
def _whole(element: whole_number, compiler: SQLCompiler, **kw: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **kw)} AS BIGINT)"


@compiles(whole_number, "duckdb")
@compiles(whole_number, "spark")
def _whole_tried(element: whole_number, compiler: SQLCompiler, **kw: Any) -> str:
    return f"TRY_CAST({compiler.process(element.clauses, **kw)} AS BIGINT)"
