"""DuckDB sessions: bounded in memory and threads, and locked: they read their source and nothing else.

Data of others is read with an engine that can open any file, load extensions and reach the network, and a view in
somebody's database file could ask for that. What such a view read would be stored for good.
"""

from __future__ import annotations

import glob
import os
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import duckdb
from sqlalchemy.dialects.postgresql.base import PGIdentifierPreparer
from sqlalchemy.engine.default import DefaultDialect

from telemetry_quality.sources.scratch import temporary_folder

if TYPE_CHECKING:
    from collections.abc import Collection

    from telemetry_quality.sources.objects import ObjectFileSystem
    from telemetry_quality.sources.walking import Places

_THREAD_BYTES = 128 * 1024**2
"""The memory that DuckDB asks for per thread."""

_QUOTED = PGIdentifierPreparer(DefaultDialect()).quote_identifier


def open_session(
    database: str | None, memory_limit_bytes: int, places: Places, objects: ObjectFileSystem | None = None
) -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory; with a database file, that file is attached read-only and its tables are found by name.

    The file is attached rather than opened, because a process can open a file only with one memory limit.

    Args:
        database: A DuckDB file.
        memory_limit_bytes: How much memory it may take.
        places: The files that it may open; folders and files of an object store begin with its URL.
        objects: What reads an object store.

    Raises:
        duckdb.Error: If the file cannot be opened.
    """
    connection = duckdb.connect(config=_limits(memory_limit_bytes))
    # Text and timestamps without a zone are UTC, whatever the machine's time zone.
    connection.execute("SET TimeZone = 'UTC'")
    if objects is not None:
        connection.register_filesystem(objects)
        # Parts of an object that were read need no second request: a replaced object is refused anyway.
        connection.execute("SET validate_external_file_cache = 'NO_VALIDATION'")
        connection.execute("SET parquet_metadata_cache = true")
    if database is not None:
        _attach(connection, database)
    _lock(connection, places)
    return connection


def _lock(connection: duckdb.DuckDBPyConnection, places: Places) -> None:
    # DuckDB resolves links before it compares, and allows the attached file and the temporary folder by itself.
    connection.execute("SET allowed_directories = ?", [_named(places.folders)])
    connection.execute("SET allowed_paths = ?", [_named(places.files)])
    connection.execute("SET allowed_configs = ['enable_external_file_cache']")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _named(paths: Collection[str]) -> list[str]:
    """Paths, also as they are written where a name holds what would be a wildcard."""
    return sorted({*paths, *map(glob.escape, paths)})


def _limits(memory_limit_bytes: int) -> dict[str, Any]:
    threads = max(1, memory_limit_bytes // _THREAD_BYTES)
    return {
        "memory_limit": f"{memory_limit_bytes} B",
        # By itself DuckDB would write beside the source, or in the folder where the process was started.
        "autoload_known_extensions": False,
        "autoinstall_known_extensions": False,
        "allow_community_extensions": False,
        "allow_persistent_secrets": False,
        # Variables of this process are no tables.
        "python_enable_replacements": False,
        "temp_directory": f"{temporary_folder()}/{token_hex(8)}",
        **({"threads": threads} if threads < (os.cpu_count() or 1) else {}),
    }


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
