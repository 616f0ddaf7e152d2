"""Events in a table or view of a ClickHouse server or cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from telemetry_quality.connectors import Connector, ConnectorSettings, Name, Opening, Secret
from telemetry_quality.datasets import Dataset, table_at

if TYPE_CHECKING:
    from telemetry_quality.sources.clickhouse import ClickHouseSource


class ClickHouseSettings(ConnectorSettings):
    """A server, a table of it, and how a query reads it."""

    url: Secret
    table: Name
    max_threads: Annotated[int, Field(ge=1, le=256)] = 2
    final: bool = False
    partition_time: Name | None = None

    @property
    def location(self) -> str:
        """The table; the URL is not shown, because it may contain a password."""
        return self.table

    @property
    def dataset(self) -> Dataset:
        """The table on its server."""
        return table_at(self.url, self.table)


def _open(settings: ClickHouseSettings, opening: Opening) -> ClickHouseSource:
    from telemetry_quality.sources.clickhouse import ClickHouseSource, QueryLimits  # noqa: PLC0415 - loads SQLAlchemy

    return ClickHouseSource(
        settings.url,
        settings.table,
        opening.schema,
        catalogue=opening.catalogue,
        limits=QueryLimits(opening.time_limit_seconds, settings.max_threads, opening.memory_limit_bytes),
        reads_final=settings.final,
        partition_time=settings.partition_time,
        salt=opening.salt,
    )


CONNECTOR = Connector(ClickHouseSettings, "clickhouse", _open)
