"""Puts the parts together: from settings to sources, the store and the work that joins them.

The command line, Dagster and a process that uses the library all get their parts here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from telemetry_quality.core.daily import DailyWork
from telemetry_quality.core.health import TelemetryHealthService

if TYPE_CHECKING:
    from telemetry_quality.settings import Settings, SourceSettings
    from telemetry_quality.sources.duckdb import DuckDBFileSource, ParquetSource
    from telemetry_quality.sources.postgresql import PostgresSource
    from telemetry_quality.sources.spark import SparkSource
    from telemetry_quality.sources.sqlite import SqliteSource
    from telemetry_quality.storage.store import SqlQualityStore

# Engines and databases are imported where they are needed: a code location must load fast.


def utc_now() -> datetime:
    """The one place where the clock is read."""
    return datetime.now(UTC)


def open_source(
    name: str, settings: SourceSettings
) -> ParquetSource | DuckDBFileSource | SqliteSource | PostgresSource | SparkSource:
    """The connector of one source; nothing is read yet.

    Raises:
        SourceError: If its URL is wrong.
    """
    from telemetry_quality.sources.signals import SignalCatalogue  # noqa: PLC0415

    schema, seconds = settings.event_schema(), settings.time_limit_seconds
    catalogue = SignalCatalogue(**settings.signals.model_dump()) if settings.signals else None
    if settings.connector == "database":
        from telemetry_quality.sources.databases import open_database  # noqa: PLC0415

        return open_database(
            settings.url or "",
            settings.table or "",
            schema,
            catalogue=catalogue,
            time_limit_seconds=seconds,
            pause_seconds=settings.pause_seconds,
            salt=name,
        )
    if settings.connector == "spark":
        from telemetry_quality.sources.spark import SparkSource  # noqa: PLC0415

        return SparkSource(
            settings.url or "",
            settings.path or settings.table or "",
            schema,
            reads_files=settings.path is not None,
            catalogue=catalogue,
            time_limit_seconds=seconds,
            salt=name,
        )
    from telemetry_quality.sources.duckdb import DuckDBFileSource, ParquetSource  # noqa: PLC0415

    path = settings.path or ""
    if settings.connector == "duckdb":
        return DuckDBFileSource(
            path, settings.table or "", schema, catalogue=catalogue, time_limit_seconds=seconds, salt=name
        )
    zone = ZoneInfo(settings.time_zone)
    return ParquetSource(path, schema, zone, catalogue=catalogue, time_limit_seconds=seconds, salt=name)


def open_store(settings: Settings) -> SqlQualityStore:
    """The quality store; whether it exists and is up to date shows at its first use.

    Raises:
        StoreError: If its URL is wrong.
    """
    from telemetry_quality.storage.store import SqlQualityStore  # noqa: PLC0415

    return SqlQualityStore(settings.store)


def daily_work(settings: Settings, name: str) -> DailyWork:
    """The daily work of the source called ``name``."""
    source = settings.sources[name]
    return DailyWork(name, open_source(name, source), open_store(settings), source.calendar(), source.policy())


def health_service(settings: Settings, source: str | None = None) -> TelemetryHealthService:
    """The service for one source, by name where there are several.

    Raises:
        SettingsError: If there is no such source.
    """
    name, _ = settings.source(source)
    return TelemetryHealthService(daily_work(settings, name), utc_now)
