"""Puts the parts together: from settings to sources, the store and the work that joins them.

The command line, Dagster and a process that uses the library all get their parts here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from telemetry_quality.connectors import Opening, connector
from telemetry_quality.core.daily import DailyWork
from telemetry_quality.core.health import TelemetryHealthService
from telemetry_quality.core.signals import SignalCatalogue
from telemetry_quality.errors import SettingsError

if TYPE_CHECKING:
    from telemetry_quality.settings import Settings, SourceSettings
    from telemetry_quality.sources.sql_source import SqlSource
    from telemetry_quality.storage.store import SqlQualityStore

# Engines and databases are imported where they are needed: a code location must load fast.


def utc_now() -> datetime:
    """The one place where the clock is read."""
    return datetime.now(UTC)


def open_source(name: str, settings: SourceSettings) -> SqlSource[Any]:
    """The source as its connector opens it; nothing is read yet.

    Raises:
        SettingsError: If the connector is of another package and does not load, or opens something else.
        SourceError: If its URL is wrong.
    """
    from telemetry_quality.sources.sql_source import SqlSource  # noqa: PLC0415

    opening = Opening(
        settings.event_schema(),
        ZoneInfo(settings.time_zone),
        SignalCatalogue(**settings.signals.model_dump()) if settings.signals else None,
        settings.time_limit_seconds,
        salt=name,
    )
    try:
        source = connector(settings.connector).open(settings.connector_settings, opening)
    except ImportError as error:
        raise SettingsError(
            f"The connector {settings.connector!r} must find what it imports, but opening it says {error}; "
            "install what its documentation names."
        ) from None
    if not isinstance(source, SqlSource):
        raise SettingsError(
            f"The connector {settings.connector!r} must open a {SqlSource.__module__}.SqlSource, "
            f"but opens a {type(source).__name__}; repair or uninstall its package."
        )
    return source


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
