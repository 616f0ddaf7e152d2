"""DuckDB's SQL: PostgreSQL's, except for what differs."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects.postgresql.base import PGCompiler, PGDialect


class _DuckDBCompiler(PGCompiler):
    def visit_try_cast(self, cast: Any, **kw: Any) -> str:
        """A cast that is null where a value is none of the type."""
        return f"TRY_CAST({self.process(cast.clause, **kw)} AS {self.process(cast.typeclause, **kw)})"

    def visit_floordiv_binary(self, binary: Any, operator: Any, **kw: Any) -> str:  # noqa: ARG002 - SQLAlchemy's name
        """In DuckDB ``/`` divides floats; ``//`` divides integers."""
        return f"({self.process(binary.left, **kw)} // {self.process(binary.right, **kw)})"


class DuckDBDialect(PGDialect):
    """DuckDB uses PostgreSQL's SQL except for integer division; only compiles queries, never connects."""

    name = "duckdb"
    statement_compiler = _DuckDBCompiler
    supports_statement_cache = False
    _backslash_escapes = False

    def __init__(self) -> None:
        super().__init__(paramstyle="qmark")  # type: ignore[no-untyped-call]
