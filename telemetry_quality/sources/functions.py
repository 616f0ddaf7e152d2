"""The functions for which SQL has no common word, each with what an engine calls it.

The queries are made of these and of what every dialect of SQLAlchemy compiles; nothing else differs between engines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import UserDefinedType

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler

HASH_SPACE = 2**63
"""Sample hashes are uniform in ``0 <= hash < HASH_SPACE`` on every engine."""


class epoch_microseconds(FunctionElement[int]):  # noqa: N801 - SQL functions are lower case
    """Microseconds since 1970 of an instant; each engine's connector says how."""

    type = BigInteger()
    inherit_cache = True


class epoch_nanoseconds(FunctionElement[int]):  # noqa: N801
    """Nanoseconds since 1970 of an instant: rounding one to microseconds could move it into the next day."""

    type = BigInteger()
    inherit_cache = True


class epoch_microseconds_of_text(FunctionElement[int]):  # noqa: N801
    """Microseconds since 1970 of ISO 8601 text, null where it is none; without an offset it is UTC."""

    type = BigInteger()
    inherit_cache = True


class sample_hash(FunctionElement[int]):  # noqa: N801
    """A uniform hash of one text in ``0 <= hash < HASH_SPACE``."""

    type = BigInteger()
    inherit_cache = True


class compared_text(FunctionElement[Any]):  # noqa: N801
    """Whatever an engine counts the different ones of most cheaply: two are equal where their texts are."""

    inherit_cache = True


class EngineType(UserDefinedType[Any]):
    """A column type under the engine's own name, for casting bounds to exactly the column's type."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        """The name as the engine itself reported it."""
        return self.name


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


@compiles(epoch_microseconds_of_text, "sqlite")
def _microseconds_of_text_sqlite(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    return f"telemetry_epoch_microseconds({compiler.process(element.clauses, **kw)})"


@compiles(sample_hash, "sqlite")
def _hash_sqlite(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    return f"telemetry_sample_hash({compiler.process(element.clauses, **kw)})"


@compiles(compared_text, "duckdb")
def _compared_duckdb(element: FunctionElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    # Numbers take a quarter of the memory of ids; that two ids of a million share one happens once in 20 million days.
    return compiler.process(sample_hash(*element.clauses), **kw)


@compiles(compared_text, "sqlite")
def _compared_sqlite(element: FunctionElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    # A hash would be a call of Python for each event; SQLite sorts the texts on disk.
    return compiler.process(element.clauses, **kw)


# Spark's are written into DuckDB's SQL, from which the query is translated.


@compiles(epoch_microseconds, "spark")
def _microseconds_spark(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    return f"unix_micros(CAST({compiler.process(element.clauses, **kw)} AS TIMESTAMPTZ))"


@compiles(epoch_microseconds_of_text, "spark")
def _microseconds_of_text_spark(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    text = compiler.process(element.clauses, **kw)
    # Spark alone takes a year or a time of day for an instant.
    return rf"unix_micros(CASE WHEN {text} LIKE '____-__-__%' THEN TRY_CAST({text} AS TIMESTAMPTZ) END)"


@compiles(sample_hash, "spark")
def _hash_spark(element: FunctionElement[int], compiler: SQLCompiler, **kw: Any) -> str:
    return f"shiftrightunsigned(xxhash64({compiler.process(element.clauses, **kw)}), 1)"


@compiles(compared_text, "spark")
def _compared_spark(element: FunctionElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    # As on DuckDB: numbers are what is sent between the workers and kept, not texts.
    return compiler.process(sample_hash(*element.clauses), **kw)
