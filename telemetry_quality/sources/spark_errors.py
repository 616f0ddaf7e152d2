"""What Spark's errors mean: each in one sentence, without its stack or values of events."""

from __future__ import annotations

import re

from telemetry_quality.errors import SourceError, SourceUnavailableError


def failures() -> tuple[type[Exception], ...]:
    """The exceptions of Spark, of the gateway to its Java process and of the connection to its server."""
    from grpc import RpcError  # noqa: PLC0415
    from py4j.protocol import Py4JError  # noqa: PLC0415
    from pyspark.errors import PySparkException  # noqa: PLC0415

    return (PySparkException, Py4JError, RpcError, ConnectionError)


_NO_SUCH_TABLE = (
    "TABLE_OR_VIEW_NOT_FOUND",
    "SCHEMA_NOT_FOUND",
    "CATALOG_NOT_FOUND",
    # Spark takes an unknown catalog for a part of the database name.
    "REQUIRES_SINGLE_PART_NAMESPACE",
)

_UNAVAILABLE = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "INVALID_HANDLE", "RETRIES_EXCEEDED", "Connection refused")


_PACKAGES = {"delta": "delta-spark", "iceberg": "iceberg-spark-runtime", "hudi": "hudi-spark-bundle"}
"""The packages that Spark needs for the formats of tables that it does not know by itself."""


def require_package(what: str, relation: str) -> None:
    """Raise ``PACKAGE_MISSING`` if ``relation``, which was not found, is a path in a format that needs a package."""
    table_format = relation.partition(".`")[0].lower()
    if table_format in _PACKAGES:
        raise _package_missing(what, table_format)


def _package_missing(what: str, table_format: str) -> SourceError:
    return SourceError(
        "PACKAGE_MISSING",
        f"{what} requires the package {_PACKAGES.get(table_format, table_format)} to read a table in the format "
        f"{table_format}, but does not have it; add it to spark.jars.packages when Spark is started.",
    )


def source_error(what: str, error: Exception) -> SourceError:  # noqa: PLR0911 - one condition a line
    """What an exception of Spark means for the source."""
    from pyspark.errors import PySparkException  # noqa: PLC0415

    condition = (error.getCondition() if isinstance(error, PySparkException) else None) or type(error).__name__
    text = f"{condition} {error}"
    if condition in _NO_SUCH_TABLE:
        return SourceError(
            "TABLE_MISSING", f"{what} must have the table, but has no table of that name; correct it or its catalog."
        )
    if condition == "PATH_NOT_FOUND" or condition.startswith("UNABLE_TO_INFER_SCHEMA"):
        return SourceError(
            "NO_FILES", f"{what} must find at least one Parquet file, but found none; check the path as it sees it."
        )
    if condition.startswith(("FAILED_READ_FILE", "CANNOT_READ_FILE", "CANNOT_MERGE", "_LEGACY_ERROR_TEMP_1172")):
        return SourceError(
            "SOURCE_UNREADABLE", f"{what} cannot read all files together ({condition}); restore or remove the odd one."
        )
    if condition.startswith("DATA_SOURCE_NOT_FOUND"):
        found = re.search(r"data source: (\w+)", str(error))
        return _package_missing(what, found[1].lower() if found else "of the table")
    if condition.startswith("PARQUET_TYPE_"):
        return SourceError(
            "COLUMN_TYPE",
            f"{what} cannot read column types that only Parquet has, such as UUID, but its files hold one; "
            "write it as text.",
        )
    if any(word in text for word in _UNAVAILABLE):
        return SourceUnavailableError("SOURCE_UNREACHABLE", f"{what} must answer, but does not; try again.")
    return SourceError(
        "QUERY_FAILED",
        f"{what} cannot be queried: its tables or columns do not fit their roles ({condition}); "
        "run telemetry-quality check.",
    )
