"""Events in a table of a database given by a URL: PostgreSQL, MariaDB or SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from telemetry_quality.connectors import (
    Connector,
    ConnectorSettings,
    Name,
    Opening,
    Secret,
    anchored_url,
    engine_of_url,
)
from telemetry_quality.datasets import Dataset, table_at

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from telemetry_quality.sources.mysql import MariaDBSource
    from telemetry_quality.sources.postgresql import PostgresSource
    from telemetry_quality.sources.sqlite import SqliteSource
    from telemetry_quality.sources.unproven import UnprovenSource


class DatabaseSettings(ConnectorSettings):
    """A database, a table in it, and how it is read."""

    url: Secret
    table: Name
    pause_seconds: Annotated[float, Field(ge=0, le=60)] = 0.03
    allow_unproven: bool = False

    @property
    def location(self) -> str:
        """The table; the URL is not shown, because it may contain a password."""
        return self.table

    @property
    def dataset(self) -> Dataset:
        """The table on its server."""
        return table_at(self.url, self.table)

    def anchored(self, folder: Path) -> Self:
        """A relative SQLite path is resolved against the settings file's folder."""
        return self.model_copy(update={"url": anchored_url(self.url, folder)})


def _open(
    settings: DatabaseSettings, opening: Opening
) -> SqliteSource | PostgresSource | MariaDBSource | UnprovenSource:
    from telemetry_quality.sources.databases import open_database  # noqa: PLC0415 - loads SQLAlchemy

    return open_database(
        settings.url,
        settings.table,
        opening.schema,
        catalogue=opening.catalogue,
        time_limit_seconds=opening.time_limit_seconds,
        memory_limit_bytes=opening.memory_limit_bytes,
        pause_seconds=settings.pause_seconds,
        allow_unproven=settings.allow_unproven,
        salt=opening.salt,
    )


CONNECTOR = Connector(DatabaseSettings, lambda settings: engine_of_url(settings.url), _open)
