"""The functions for which SQL has no common word, each with what an engine calls it.

The queries are made of these and of what every dialect of SQLAlchemy compiles; nothing else differs between engines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Boolean, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import UserDefinedType

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Dialect
    from sqlalchemy.sql.compiler import SQLCompiler

HASH_SPACE = 2**63
"""Sample hashes are uniform in ``0 <= hash < HASH_SPACE`` on every engine."""


class epoch_microseconds(FunctionElement[int]):  # noqa: N801 - SQL functions are lower case
    """Microseconds since 1970 of an instant; compiled differently for each engine."""

    type = BigInteger()
    inherit_cache = True


class epoch_nanoseconds(FunctionElement[int]):  # noqa: N801
    """Nanoseconds since 1970 of an instant; rounding to microseconds could move the instant into the next day."""

    type = BigInteger()
    inherit_cache = True


class epoch_microseconds_of_text(FunctionElement[int]):  # noqa: N801
    """Microseconds since 1970 of what ``core.time_forms.ISO_8601`` matches, or null of null; see ``times``.

    Without an offset it is UTC. Digits beyond microseconds are cut: rounding could move the instant into the next day.
    """

    type = BigInteger()
    inherit_cache = True


class sample_hash(FunctionElement[int]):  # noqa: N801
    """A uniform hash of a text in ``0 <= hash < HASH_SPACE``."""

    type = BigInteger()
    inherit_cache = True


class salted_hash(FunctionElement[int]):  # noqa: N801
    """A ``sample_hash`` of a text that is independent of the hash under any other salt.

    Arguments: the text, then the salt as a text to append and as a number, for engines that hash numbers faster.
    """

    type = BigInteger()
    inherit_cache = True


class compared_text(FunctionElement[Any]):  # noqa: N801
    """What an engine counts distinct values of most cheaply; two are equal if their texts are equal."""

    inherit_cache = True


class whole_hours(FunctionElement[int]):  # noqa: N801
    """Whole hours since a start; the instant and the start follow the expression, for engines with a faster way."""

    type = BigInteger()
    inherit_cache = True


class count_where(FunctionElement[int]):  # noqa: N801
    """How many rows meet a condition; a count is cheaper than a sum and never null."""

    type = BigInteger()
    inherit_cache = True


class exact_text(FunctionElement[str]):  # noqa: N801
    """A value as text that is compared and ordered by code point, whatever the column's collation."""

    type = String()
    inherit_cache = True


class text_matches(FunctionElement[bool]):  # noqa: N801
    """Whether a text matches a regular expression, which uses no more than all engines understand."""

    type = Boolean()
    inherit_cache = False

    def __init__(self, text: ColumnElement[str], pattern: str) -> None:
        super().__init__(text)
        self.pattern = pattern


class listed(FunctionElement[str]):  # noqa: N801
    """The texts of a group joined with commas, in any order."""

    type = String()
    inherit_cache = True


class EngineType(UserDefinedType[Any]):
    """A column type by the engine's own name, for casting bounds to exactly the column's type."""

    cache_ok = True
    render_bind_cast = True
    """A parameter sent as text and cast in the query would not be a constant to PostgreSQL's planner."""

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        """The type name as the engine reported it."""
        return self.name

    def literal_processor(self, dialect: Dialect) -> Any:
        """Bounds are rendered as text."""
        return String().literal_processor(dialect)  # type: ignore[no-untyped-call]


@compiles(epoch_microseconds, "duckdb")
def _microseconds_duckdb(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    return f"epoch_us(CAST({compiler.process(element.clauses, **kw)} AS TIMESTAMPTZ))"


@compiles(epoch_nanoseconds, "duckdb")
def _nanoseconds_duckdb(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    return f"epoch_ns({compiler.process(element.clauses, **kw)})"


@compiles(epoch_microseconds_of_text, "duckdb")
def _microseconds_of_text_duckdb(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    return f"epoch_us(TRY_CAST({compiler.process(element.clauses, **kw)} AS TIMESTAMPTZ))"


@compiles(sample_hash, "duckdb")
def _hash_duckdb(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    return f"CAST(hash({compiler.process(element.clauses, **kw)}) >> 1 AS BIGINT)"


@compiles(salted_hash)
def _salted(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    text, salt, _ = element.clauses
    return compiler.process(sample_hash(text + salt), **kw)


@compiles(salted_hash, "duckdb")
def _salted_duckdb(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    text, _, number = (compiler.process(part, **kw) for part in element.clauses)
    # Building a salted text per id took a third of the sample's time. The result is hashed again, because samples whose
    # salts are only XORed in overlap more than chance allows.
    return f"CAST(hash(xor(hash({text}), CAST({number} AS UBIGINT))) >> 1 AS BIGINT)"


@compiles(compared_text, "duckdb")
def _compared_duckdb(element: FunctionElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    # Hashes take a quarter of the RAM of ids; two of a million ids share a hash once in 20 million days.
    return compiler.process(sample_hash(*element.clauses), **kw)


@compiles(whole_hours)
def _hours(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    expression, *_ = element.clauses
    return f"({compiler.process(expression, **kw)})"


@compiles(whole_hours, "postgresql")
def _hours_postgresql(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    _, instant, start = (compiler.process(part, **kw) for part in element.clauses)
    # A float holds microseconds exactly until the year 2255, so its whole seconds are exact; an exact decimal
    # would double the time of a day's aggregates.
    return f"((CAST(floor(date_part('epoch', {instant})) AS BIGINT) - {start}) / 3600)"


@compiles(count_where)
def _count(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    return f"count(CASE WHEN {compiler.process(element.clauses, **kw)} THEN 1 END)"


@compiles(count_where, "duckdb")
def _count_duckdb(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    # Saves a tenth of the time of a day's aggregates; not every engine supports it.
    return f"count(*) FILTER (WHERE {compiler.process(element.clauses, **kw)})"


@compiles(listed)
def _listed(element: FunctionElement[str], compiler: SQLCompiler, **kw: Any) -> str:
    return f"string_agg({compiler.process(element.clauses, **kw)}, ',')"


def _matching(element: text_matches, compiler: SQLCompiler, **kw: Any) -> tuple[str, str]:
    return compiler.process(element.clauses, **kw), compiler.render_literal_value(element.pattern, String())


@compiles(text_matches)
def _matches(element: text_matches, compiler: SQLCompiler, **kw: Any) -> str:
    text, pattern = _matching(element, compiler, **kw)
    return f"regexp_matches({text}, {pattern})"


@compiles(text_matches, "postgresql")
def _matches_postgresql(element: text_matches, compiler: SQLCompiler, **kw: Any) -> str:
    text, pattern = _matching(element, compiler, **kw)
    return f"({text} ~ {pattern})"


@compiles(text_matches, "sqlite")
def _matches_sqlite(element: text_matches, compiler: SQLCompiler, **kw: Any) -> str:
    text, pattern = _matching(element, compiler, **kw)
    return f"telemetry_matches({text}, {pattern})"


@compiles(exact_text)
def _exact_text(element: FunctionElement[str], compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(element.clauses, **kw)


@compiles(exact_text, "postgresql")
def _exact_text_postgresql(element: FunctionElement[str], compiler: SQLCompiler, **kw: Any) -> str:
    # The cast does nothing to text, strips the blanks that pad CHAR(n), and makes citext case-sensitive.
    return f'(CAST({compiler.process(element.clauses, **kw)} AS TEXT) COLLATE "C")'


@compiles(epoch_microseconds, "postgresql")
def _microseconds_postgresql(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    # EXTRACT returns an exact decimal since PostgreSQL 14. Instants beyond 64 bits, including infinite ones,
    # become the outermost numbers; null stays null.
    return (
        f"(CASE WHEN {value} >= '200000-01-01' THEN 9223372036854775807"
        f" WHEN {value} = '-infinity' THEN -9223372036854775807"
        f" ELSE CAST(EXTRACT(epoch FROM {value}) * 1000000 AS BIGINT) END)"
    )


@compiles(epoch_microseconds_of_text, "postgresql")
def _microseconds_of_text_postgresql(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    value = compiler.process(element.clauses, **kw)
    cut = rf"regexp_replace({value}, '[.]([0-9]{{1,6}})[0-9]*', '.\1')"
    return f"CAST(EXTRACT(epoch FROM CAST({cut} AS TIMESTAMP WITH TIME ZONE)) * 1000000 AS BIGINT)"


@compiles(sample_hash, "postgresql")
def _hash_postgresql(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    return f"(hashtextextended({compiler.process(element.clauses, **kw)}, 0) & 9223372036854775807)"


@compiles(compared_text, "postgresql")
def _compared_postgresql(element: FunctionElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    # PostgreSQL sorts to find distinct values: hashes take a third of the time and space of ids.
    return compiler.process(sample_hash(*element.clauses), **kw)


# Spark's functions are inserted into DuckDB's SQL, from which the query is translated.


@compiles(epoch_microseconds, "spark")
def _microseconds_spark(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    return f"unix_micros(CAST({compiler.process(element.clauses, **kw)} AS TIMESTAMPTZ))"


@compiles(epoch_microseconds_of_text, "spark")
def _microseconds_of_text_spark(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    return f"unix_micros(CAST({compiler.process(element.clauses, **kw)} AS TIMESTAMPTZ))"


@compiles(sample_hash, "spark")
def _hash_spark(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    return f"shiftrightunsigned(xxhash64({compiler.process(element.clauses, **kw)}), 1)"


@compiles(compared_text, "spark")
def _compared_spark(element: FunctionElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    # As on DuckDB: workers exchange and keep hashes, not texts.
    return compiler.process(sample_hash(*element.clauses), **kw)
