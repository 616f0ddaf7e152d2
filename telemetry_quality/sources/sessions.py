"""DuckDB sessions: bounded in memory and threads, with what does not fit in a private temporary folder."""

from __future__ import annotations

import os
from functools import cache
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
from sqlalchemy.dialects.postgresql.base import PGIdentifierPreparer
from sqlalchemy.engine.default import DefaultDialect

_THREAD_BYTES = 128 * 1024**2
"""The memory that DuckDB asks for per thread."""

_QUOTED = PGIdentifierPreparer(DefaultDialect()).quote_identifier


def open_session(database: str | None, memory_limit_bytes: int) -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory; with a database file, that file is attached read-only and its tables are found by name.

    The file is attached rather than opened, because a process can open a file only with one memory limit.

    Raises:
        duckdb.Error: If the file cannot be opened.
    """
    connection = duckdb.connect(config=_limits(memory_limit_bytes))
    # Text and timestamps without a zone are UTC, whatever the machine's time zone.
    connection.execute("SET TimeZone = 'UTC'")
    if database is not None:
        _attach(connection, database)
    return connection


def _limits(memory_limit_bytes: int) -> dict[str, Any]:
    threads = max(1, memory_limit_bytes // _THREAD_BYTES)
    return {
        "memory_limit": f"{memory_limit_bytes} B",
        # By itself DuckDB would write beside the source, or in the folder where the process was started.
        "temp_directory": f"{_temporary_folder(os.getpid())}/{token_hex(8)}",
        **({"threads": threads} if threads < (os.cpu_count() or 1) else {}),
    }


@cache
def _temporary_folder(process: int) -> str:
    """A folder that only this user may read, as event data may be in it; removed when the process ends."""
    _temporary_folders[process] = TemporaryDirectory(prefix="telemetry-quality-", ignore_cleanup_errors=True)
    return _temporary_folders[process].name


_temporary_folders: dict[int, TemporaryDirectory[str]] = {}


def _attach(connection: duckdb.DuckDBPyConnection, database: str) -> None:
    try:
        connection.execute("ATTACH ? (READ_ONLY, TYPE duckdb)", [database])
    except duckdb.BinderException:
        # A file called memory.duckdb.
        connection.execute("ATTACH ? AS source (READ_ONLY, TYPE duckdb)", [database])
    ((name,),) = connection.execute(
        "SELECT database_name FROM duckdb_databases() WHERE NOT internal AND path IS NOT NULL"
    ).fetchall()
    connection.execute(f"USE {_QUOTED(name)}")
