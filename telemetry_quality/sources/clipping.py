"""Clipping in SQL: what ``core/clipping.py`` makes of a long text, with the same result on every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from telemetry_quality.core.clipping import ELLIPSIS, HASH_DIGITS, LONGEST_TEXT

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.sql.compiler import SQLCompiler


class clipped_text(FunctionElement[str]):  # noqa: N801 - SQL functions are lower case
    """A text of at most LONGEST_TEXT characters; a longer one is cut and ends in a hash of the whole."""

    type = String()
    inherit_cache = True


class is_clipped_text(FunctionElement[bool]):  # noqa: N801
    """Whether a ``clipped_text`` was cut; null for null."""

    type = Boolean()
    inherit_cache = True


_IS_LONG = f"char_length({{}}) > {LONGEST_TEXT}"
_CUT = f"concat(left({{}}, {LONGEST_TEXT}), '{ELLIPSIS}', left(md5({{}}), {HASH_DIGITS}))"


def _case(is_long: str, cut: str) -> str:
    return f"(CASE WHEN {is_long} THEN {cut} ELSE {{}} END)"


# Bytes are compared before characters, which takes far longer: all texts of as few bytes are short.
_CLIPPED = {
    "default": _case(_IS_LONG, _CUT),
    # A condition that cannot be null, and no CASE: half of what clipping adds to the time of a day's aggregates.
    "clickhousedb": f"if(length(assumeNotNull({{}})) > {LONGEST_TEXT}, if(lengthUTF8({{}}) > {LONGEST_TEXT},"
    f" concat(leftUTF8({{}}, {LONGEST_TEXT}), '{ELLIPSIS}', left(lower(hex(MD5({{}}))), {HASH_DIGITS})), {{}}), {{}})",
    "duckdb": _case(f"strlen({{}}) > {LONGEST_TEXT} AND length({{}}) > {LONGEST_TEXT}", _CUT),
    # An ellipsis among the constants would be refused by a database whose encoding has none.
    "postgresql": _case(
        f"octet_length({{}}) > {LONGEST_TEXT} AND {_IS_LONG}",
        f"left({{}}, {LONGEST_TEXT}) || CASE WHEN getdatabaseencoding() = 'UTF8'"
        f" THEN chr({ord(ELLIPSIS)} + 0 * octet_length({{}})) ELSE '...' END || left(md5({{}}), {HASH_DIGITS})",
    ),
    "snowflake": _case(f"length({{}}) > {LONGEST_TEXT}", _CUT),
    # Characters are counted only up to the first NUL there.
    "sqlite": _case(f"length(CAST({{}} AS BLOB)) > {LONGEST_TEXT}", "telemetry_clipped(CAST({} AS BLOB))"),
    "trino": _case(
        f"length({{}}) > {LONGEST_TEXT}",
        f"concat(substr({{}}, 1, {LONGEST_TEXT}), '{ELLIPSIS}',"
        f" substr(lower(to_hex(md5(to_utf8({{}})))), 1, {HASH_DIGITS}))",
    ),
}

_IS_CLIPPED = {
    "default": f"({_IS_LONG})",
    "clickhousedb": f"(lengthUTF8({{}}) > {LONGEST_TEXT})",
    "duckdb": f"(length({{}}) > {LONGEST_TEXT})",
    "snowflake": f"(length({{}}) > {LONGEST_TEXT})",
    "trino": f"(length({{}}) > {LONGEST_TEXT})",
}


def _compile_templates() -> None:
    def compiled(template: str) -> Callable[..., str]:
        def compile_function(element: FunctionElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
            # Compiled once for each place, because some drivers take a parameter for each.
            places = template.count("{}")
            return template.format(*(compiler.process(element.clauses, **kw) for _ in range(places)))

        return compile_function

    for function, templates in ((clipped_text, _CLIPPED), (is_clipped_text, _IS_CLIPPED)):
        for engine, template in templates.items():
            register = compiles(function) if engine == "default" else compiles(function, engine)
            register(compiled(template))


_compile_templates()
