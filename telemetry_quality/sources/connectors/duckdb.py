"""Events in a table or view of a DuckDB database file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import model_validator

from telemetry_quality.connectors import (
    Connector,
    ConnectorSettings,
    FileOrObject,
    Name,
    Opening,
    anchored_path,
    protocol_of,
)

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from telemetry_quality.sources.duckdb import DuckDBFileSource


class DuckDBSettings(ConnectorSettings):
    """A database file on this machine, and a table in it."""

    path: FileOrObject
    table: Name

    @model_validator(mode="after")
    def _is_on_this_machine(self) -> Self:
        if protocol_of(self.path):
            raise ValueError("connector 'duckdb' requires path to be a file on this machine")
        return self

    @property
    def location(self) -> str:
        """The file."""
        return self.path

    def anchored(self, folder: Path) -> Self:
        """A relative path is resolved against the settings file's folder."""
        return self.model_copy(update={"path": anchored_path(self.path, folder)})


def _open(settings: DuckDBSettings, opening: Opening) -> DuckDBFileSource:
    from telemetry_quality.sources.duckdb import DuckDBFileSource  # noqa: PLC0415 - loads DuckDB

    return DuckDBFileSource(
        settings.path,
        settings.table,
        opening.schema,
        catalogue=opening.catalogue,
        time_limit_seconds=opening.time_limit_seconds,
        memory_limit_bytes=opening.memory_limit_bytes,
        salt=opening.salt,
    )


CONNECTOR = Connector(DuckDBSettings, "duckdb", _open)
