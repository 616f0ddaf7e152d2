"""Events in an Iceberg table: of a catalog, or by its metadata on disk or in an object store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from telemetry_quality.connectors import Connector, ConnectorSettings, FileOrObject, Name, Opening, anchored_path
from telemetry_quality.datasets import Dataset, files_at
from telemetry_quality.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from telemetry_quality.sources.iceberg import IcebergSource


class IcebergSettings(ConnectorSettings):
    """The folder of a table or its metadata file, or the name of a table in a catalog."""

    path: FileOrObject | None = None
    catalog: Name | None = None
    table: Name | None = None
    properties: dict[str, str] = Field(default_factory=dict, repr=False)

    @model_validator(mode="after")
    def _names_one_table(self) -> Self:
        if (self.path is None) == (self.table is None) or (self.catalog is None) != (self.table is None):
            raise ValueError("connector 'iceberg' requires either path, or catalog and table")
        return self

    @property
    def location(self) -> str:
        """The path, or the table's name in its catalog."""
        return self.path or f"{self.catalog}.{self.table}"

    @property
    def dataset(self) -> Dataset:
        """The files at the path, or the table in its catalog."""
        return files_at(self.path) if self.path else Dataset(f"iceberg://{self.catalog}", str(self.table))

    def anchored(self, folder: Path) -> Self:
        """A relative path is resolved against the settings file's folder."""
        return self.model_copy(update={"path": self.path and anchored_path(self.path, folder)})


def _open(settings: IcebergSettings, opening: Opening) -> IcebergSource:
    try:
        from telemetry_quality.sources.iceberg import IcebergSource  # noqa: PLC0415 - loads DuckDB and an extra
        from telemetry_quality.sources.iceberg_tables import TableAddress  # noqa: PLC0415
    except ImportError as error:
        raise SourceError(
            "PACKAGE_MISSING",
            f"connector 'iceberg' requires a package that is not installed ({error.name}); "
            "run pip install 'telemetry-quality[iceberg]'.",
        ) from None
    return IcebergSource(
        TableAddress(settings.path, settings.catalog, settings.table, settings.properties),
        opening.schema,
        catalogue=opening.catalogue,
        time_limit_seconds=opening.time_limit_seconds,
        memory_limit_bytes=opening.memory_limit_bytes,
        salt=opening.salt,
    )


CONNECTOR = Connector(IcebergSettings, "duckdb", _open, kind="iceberg", has_signal_files=True)
