"""What Snowflake, Trino and Redshift call the functions of the queries, as their documentation says.

Nothing here has been run on a server of theirs; the texts are pinned, so that a change is noticed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import String
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.ext.compiler import compiles

from telemetry_quality.errors import SourceError
from telemetry_quality.sources.functions import (
    compared_text,
    epoch_microseconds,
    epoch_microseconds_of_text,
    exact_text,
    listed,
    sample_hash,
    text_matches,
)
from telemetry_quality.sources.paths import json_path, json_value, list_item, map_value, struct_field
from telemetry_quality.sources.times import text_microseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Dialect
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.sql.functions import FunctionElement


@dataclass(frozen=True, slots=True)
class Driver:
    """How SQLAlchemy reaches an engine.

    Attributes:
        drivername: The first part of the URL.
        package: What has to be installed.
        sqlglot: The engine's name in sqlglot.
        limits: The driver's arguments for the seconds to connect in and to answer in.
        arguments: Further arguments of the driver.
    """

    drivername: str
    package: str
    sqlglot: str
    limits: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def connect_arguments(self, connect_seconds: float, answer_seconds: float) -> dict[str, Any]:
        """The driver's arguments."""
        limits = zip(self.limits, (int(connect_seconds), int(answer_seconds)), strict=False)
        return {**self.arguments, **dict(limits)}


class RedshiftDialect(PGDialect_psycopg):
    """Redshift speaks PostgreSQL's protocol, and an older dialect of its own."""

    name = "redshift"
    supports_statement_cache = False


registry.register("redshift.psycopg", __name__, "RedshiftDialect")

DRIVERS = {
    "snowflake": Driver(
        "snowflake",
        "snowflake-sqlalchemy",
        "snowflake",
        ("login_timeout", "network_timeout"),
        {"session_parameters": {"TIMEZONE": "UTC", "QUERY_TAG": "telemetry-quality"}},
    ),
    "trino": Driver("trino", "trino[sqlalchemy]", "trino", (), {"timezone": "UTC", "source": "telemetry-quality"}),
    "redshift": Driver("redshift+psycopg", "psycopg[binary]", "redshift", ("connect_timeout",)),
}
"""The engines, by the backend of their URL."""


def sqlglot_dialect(name: str) -> str:
    """What sqlglot calls the dialect ``name`` of SQLAlchemy."""
    return DRIVERS[name].sqlglot


class _ExactDivision:
    """Snowflake rounds the sixth digit of a quotient, which could move an instant into the next hour."""

    def visit_floordiv_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        del operator
        left, right = (self.process(part, **kw) for part in (binary.left, binary.right))  # type: ignore[attr-defined]
        again = self.process(binary.left, **kw), self.process(binary.right, **kw)  # type: ignore[attr-defined]
        return f"CAST(({left} - MOD({again[0]}, {right})) / {again[1]} AS BIGINT)"


def use_exact_division(dialect: Dialect) -> None:
    """Divide whole numbers exactly, where the engine does not."""
    if dialect.name == "snowflake":
        compiler = dialect.statement_compiler
        dialect.statement_compiler = type("ExactCompiler", (_ExactDivision, compiler), {})


_TEMPLATES: dict[str, dict[type[FunctionElement[Any]], str]] = {
    "snowflake": {
        epoch_microseconds: "DATE_PART(epoch_microsecond, {})",
        epoch_microseconds_of_text: "DATE_PART(epoch_microsecond, TRY_TO_TIMESTAMP_TZ({}))",
        sample_hash: "BITAND(HASH({}), 9223372036854775807)",
        compared_text: "HASH({})",
        listed: "LISTAGG({}, ',')",
    },
    "trino": {
        epoch_microseconds: "CAST(round(to_unixtime({}) * 1e6) AS BIGINT)",
        epoch_microseconds_of_text: "CAST(round(to_unixtime(try(from_iso8601_timestamp_nanos({}))) * 1e6) AS BIGINT)",
        sample_hash: "bitwise_and(from_big_endian_64(xxhash64(to_utf8({}))), 9223372036854775807)",
        compared_text: "xxhash64(to_utf8({}))",
        listed: "array_join(array_agg({}), ',')",
    },
    "redshift": {
        epoch_microseconds: "DATEDIFF(microsecond, '1970-01-01', {})",
        epoch_microseconds_of_text: "DATEDIFF(microsecond, '1970-01-01', TRY_CAST({} AS TIMESTAMPTZ))",
        sample_hash: "(FNV_HASH({}) & 9223372036854775807)",
        compared_text: "FNV_HASH({})",
        listed: "LISTAGG({}, ',')",
        exact_text: "CAST({} AS VARCHAR)",
    },
}


def _compile_templates() -> None:
    def compiled(template: str) -> Callable[..., str]:
        def compile_function(element: FunctionElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
            return template.format(compiler.process(element.clauses, **kw))

        return compile_function

    for engine, functions in _TEMPLATES.items():
        for function, template in functions.items():
            compiles(function, engine)(compiled(template))


_compile_templates()


def _parts(element: Any, compiler: SQLCompiler, **kw: Any) -> tuple[str, str]:
    """The value, and the step of the path as a literal."""
    return compiler.process(element.clauses, **kw), _literal(str(element.step), compiler)


def _literal(text: str, compiler: SQLCompiler) -> str:
    return compiler.render_literal_value(text, String())


@compiles(text_matches, "snowflake")
@compiles(text_matches, "trino")
def _matches(element: text_matches, compiler: SQLCompiler, **kw: Any) -> str:
    return f"REGEXP_LIKE({compiler.process(element.clauses, **kw)}, {_literal(element.pattern, compiler)})"


@compiles(text_microseconds, "redshift")
def _text_redshift(element: text_microseconds, compiler: SQLCompiler, **kw: Any) -> str:
    if element.unit is not None or element.form is not None:
        raise SourceError(
            "TIME_FORM_UNSUPPORTED",
            "Times in text must be ISO 8601 on Redshift, but time_unit or time_format is set; name a typed column.",
        )
    return compiler.process(epoch_microseconds_of_text(*element.clauses), **kw)


@compiles(text_matches, "redshift")
def _matches_redshift(element: text_matches, compiler: SQLCompiler, **kw: Any) -> str:
    return f"({compiler.process(element.clauses, **kw)} ~ {_literal(element.pattern, compiler)})"


@compiles(map_value, "trino")
def _key_trino(element: map_value, compiler: SQLCompiler, **kw: Any) -> str:
    value, key = _parts(element, compiler, **kw)
    return f"element_at({value}, {key})"


@compiles(list_item, "trino")
def _item_trino(element: list_item, compiler: SQLCompiler, **kw: Any) -> str:
    return f"element_at({compiler.process(element.clauses, **kw)}, {int(element.step) + 1})"


@compiles(struct_field, "trino")
def _field_trino(element: struct_field, compiler: SQLCompiler, **kw: Any) -> str:
    return f"{compiler.process(element.clauses, **kw)}.{compiler.preparer.quote_identifier(str(element.step))}"


@compiles(json_value, "trino")
def _json_trino(element: json_value, compiler: SQLCompiler, **kw: Any) -> str:
    path = "$" + "".join(f"[{step}]" if isinstance(step, int) else f'["{step}"]' for step in element.steps)
    return f"json_extract_scalar({compiler.process(element.clauses, **kw)}, {_literal(path, compiler)})"


@compiles(json_value, "snowflake")
def _json_snowflake(element: json_value, compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    path = json_path(element.steps).removeprefix("$").removeprefix(".")
    json = f"TRY_PARSE_JSON({value})" if element.is_text else value
    return f"CAST(GET_PATH({json}, {_literal(path, compiler)}) AS VARCHAR)"


@compiles(json_value, "redshift")
def _json_redshift(element: json_value, compiler: SQLCompiler, **kw: Any) -> str:
    value, steps = compiler.process(element.clauses, **kw), ", ".join(_literal(str(s), compiler) for s in element.steps)
    return f"NULLIF(JSON_EXTRACT_PATH_TEXT({value}, {steps}, TRUE), '')"
