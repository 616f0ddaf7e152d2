"""What DuckDB's errors mean: each as a SourceError that quotes no value of an event."""

from __future__ import annotations

import duckdb

from telemetry_quality.errors import SourceError, SourceUnavailableError


def source_error(what: str, error: duckdb.Error) -> SourceError:
    """An error of DuckDB as one of ``what``, the source."""
    first_line = str(error).splitlines()[0]
    is_locked = isinstance(error, duckdb.IOException) and "Could not set lock on file" in first_line
    if is_locked or isinstance(error, duckdb.ResourceInUseException):
        return SourceUnavailableError(
            "SOURCE_LOCKED",
            f"{what} must not be open for writing elsewhere, but it is; close it or read a copy.",
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        return SourceError(
            "MEMORY_LIMIT",
            f"{what} must be read within memory_limit, but its values are too long or too many; "
            "raise memory_limit, or write long values in smaller row groups.",
        )
    if isinstance(error, (duckdb.IOException, duckdb.InvalidInputException, duckdb.SerializationException)):
        return SourceError("SOURCE_UNREADABLE", f"{what} cannot be read: {first_line}; restore or remove the file.")
    is_extension = isinstance(error, duckdb.CatalogException) and "exists in the" in first_line
    if is_extension or isinstance(error, duckdb.PermissionException):
        return SourceError(
            "EXTERNAL_ACCESS",
            f"{what} must hold its events itself, but a view in it reads other files, the network or an extension; "
            "copy its rows into a table, or read the files themselves with connector parquet, json or csv.",
        )
    if isinstance(error, duckdb.CatalogException):
        return SourceError("TABLE_MISSING", f"{what} cannot be read: {first_line}; correct the table.")
    # Other messages may quote values of events, and no event data may reach the store.
    return SourceError(
        "QUERY_FAILED",
        f"{what} cannot be queried: its files do not fit together, or its columns do not fit their roles "
        f"({type(error).__name__}); run telemetry-quality check.",
    )
