"""Events in Parquet files, on disk or in an object store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.connectors import Connector, ConnectorSettings, FileOrObject, Opening, anchored_path

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from telemetry_quality.sources.duckdb import ParquetSource


class ParquetSettings(ConnectorSettings):
    """A file, a folder (hive-partitioned or not) or a glob pattern."""

    path: FileOrObject

    @property
    def location(self) -> str:
        """The path."""
        return self.path

    def anchored(self, folder: Path) -> Self:
        """A relative path is resolved against the settings file's folder."""
        return self.model_copy(update={"path": anchored_path(self.path, folder)})


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
