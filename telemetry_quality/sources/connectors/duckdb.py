"""Events in a table or view of a DuckDB database file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import model_validator

from telemetry_quality.connectors import (
    Connector,
    Name,
    Opening,
    PathSettings,
    protocol_of,
)
from telemetry_quality.datasets import Dataset, table_in_file

if TYPE_CHECKING:
    from typing import Self

    from telemetry_quality.sources.duckdb import DuckDBFileSource


class DuckDBSettings(PathSettings):
    """A database file on this machine, and a table in it."""

    table: Name

    @property
    def dataset(self) -> Dataset:
        """The table in its file."""
        return table_in_file("duckdb", self.path, self.table)

    @model_validator(mode="after")
    def _is_on_this_machine(self) -> Self:
        if protocol_of(self.path):
            raise ValueError("connector 'duckdb' requires path to be a file on this machine")
        return self


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
