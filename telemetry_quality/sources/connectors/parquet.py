"""Events in Parquet files, on disk or in an object store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.connectors import Connector, Opening, PathSettings

if TYPE_CHECKING:
    from telemetry_quality.sources.duckdb import ParquetSource


class ParquetSettings(PathSettings):
    """A file, a folder (hive-partitioned or not) or a glob pattern."""


def _open(settings: ParquetSettings, opening: Opening) -> ParquetSource:
    from telemetry_quality.sources.duckdb import ParquetSource  # noqa: PLC0415 - loads DuckDB

    return ParquetSource(
        settings.path,
        opening.schema,
        opening.zone,
        catalogue=opening.catalogue,
        time_limit_seconds=opening.time_limit_seconds,
        memory_limit_bytes=opening.memory_limit_bytes,
        salt=opening.salt,
    )


CONNECTOR = Connector(ParquetSettings, "duckdb", _open, kind="parquet", has_signal_files=True)
