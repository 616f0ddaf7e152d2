"""Tables of days in the types of pandas, CSV and Parquet; what is not known is missing in each, never zero."""

from __future__ import annotations

import csv
import io
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.snapshots import DayStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from duckdb import DuckDBPyConnection
    from pandas import DataFrame

DTYPES: Mapping[str, str] = {
    "int": "Int64",
    "float": "Float64",
    "bool": "boolean",
    "str": "string",
    "date": "datetime64[s]",
    "datetime": "datetime64[us, UTC]",
    "dict": "string",
    "list": "string",
}
"""The pandas type of a column by its kind; all of these types allow missing values, and JSON is text."""

PARQUET_TYPES: Mapping[str, str] = {
    "int": "BIGINT",
    "float": "DOUBLE",
    "bool": "BOOLEAN",
    "date": "DATE",
    "datetime": "TIMESTAMP WITH TIME ZONE",
}
"""The DuckDB type of a column by its kind; all others are text."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""The prefixes that make a spreadsheet evaluate a text instead of showing it (OWASP, CSV injection)."""


def plain(value: Any) -> Any:
    """Mappings and lists as JSON: what they hold differs from day to day, but columns must not."""
    return json.dumps(value, sort_keys=True) if isinstance(value, (dict, list)) else value


def frame_of_rows(kinds: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> DataFrame:
    """A frame with a column for each name in ``kinds``, always of the same type."""
    import pandas as pd  # noqa: PLC0415 - takes half a second

    columns = zip(*rows, strict=True) if rows else ((),) * len(kinds)
    dtypes: dict[str, Any] = {**DTYPES, "DayStatus": pd.CategoricalDtype([status.value for status in DayStatus])}
    return pd.DataFrame(
        {
            name: pd.Series(list(map(plain, values)), dtype=dtypes[kind])
            for (name, kind), values in zip(kinds.items(), columns, strict=True)
        }
    )


def csv_lines(rows: Iterable[Iterable[Any]]) -> bytes:
    """Rows as CSV (RFC 4180, UTF-8); what a spreadsheet would take for a formula is prefixed with an apostrophe."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(map(_cell, row) for row in rows)
    return text.getvalue().encode("utf-8", errors="replace")


def _cell(value: Any) -> Any:
    value = plain(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else str(value)
    return value.isoformat() if hasattr(value, "isoformat") else value


@contextmanager
def parquet_writer(folder: Path) -> Iterator[DuckDBPyConnection]:
    """A DuckDB that opens files in ``folder`` and nothing else."""
    # The import takes a third of a second, for which only Parquet files should wait.
    import duckdb  # noqa: PLC0415

    limits: dict[str, Any] = {"threads": 1, "memory_limit": "512MB", "temp_directory": str(folder)}
    no_extensions = {"autoload_known_extensions": False, "autoinstall_known_extensions": False}
    with duckdb.connect(config=limits | no_extensions) as connection:
        connection.execute("SET allowed_directories = ?", [[str(folder.resolve())]])
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection


def write_frame(connection: DuckDBPyConnection, frame: DataFrame, types: Mapping[str, str], file: Path) -> None:
    """Write a frame as Parquet with these DuckDB types of its columns."""
    import duckdb  # noqa: PLC0415

    columns = [duckdb.ColumnExpression(name).cast(kind).alias(name) for name, kind in types.items()]
    connection.from_df(frame).select(*columns).to_parquet(str(file))
