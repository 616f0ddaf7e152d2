"""Events that a Spark cluster reads: a table of its catalogs, or Parquet files as it sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import field_validator, model_validator

from telemetry_quality.connectors import (
    Connector,
    ConnectorSettings,
    Name,
    Opening,
    Secret,
    anchored_path,
    without_credentials,
)
from telemetry_quality.datasets import Dataset, files_at, table_at

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from telemetry_quality.sources.spark import SparkSource


class SparkSettings(ConnectorSettings):
    """A Spark Connect server or a master, and either a table or a path."""

    url: Secret
    path: Name | None = None
    table: Name | None = None

    @field_validator("path")
    @classmethod
    def _holds_no_credentials(cls, value: str | None) -> str | None:
        # A cluster may support more kinds of object stores than this process does.
        return value and without_credentials(value)

    @model_validator(mode="after")
    def _names_one_relation(self) -> Self:
        if (self.path is None) == (self.table is None):
            verb = "requires" if self.path is None else "does not take"
            raise ValueError(f"connector 'spark' {verb} table")
        return self

    @property
    def location(self) -> str:
        """The path or the table."""
        return self.path or self.table or ""

    @property
    def dataset(self) -> Dataset:
        """The files at the path, or the table as the cluster knows it."""
        return files_at(self.path) if self.path else table_at(self.url, str(self.table))

    def anchored(self, folder: Path) -> Self:
        """A relative path is resolved against the settings file's folder."""
        return self.model_copy(update={"path": self.path and anchored_path(self.path, folder)})


def _open(settings: SparkSettings, opening: Opening) -> SparkSource:
    from telemetry_quality.sources.spark import SparkSource  # noqa: PLC0415 - loads SQLAlchemy

    return SparkSource(
        settings.url,
        settings.location,
        opening.schema,
        reads_files=settings.path is not None,
        catalogue=opening.catalogue,
        time_limit_seconds=opening.time_limit_seconds,
        salt=opening.salt,
    )


CONNECTOR = Connector(SparkSettings, "spark", _open)
