"""Which connector reads the database that a URL points to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from telemetry_quality.errors import SourceError

if TYPE_CHECKING:
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.signals import SignalCatalogue
    from telemetry_quality.sources.postgresql import PostgresSource
    from telemetry_quality.sources.sqlite import SqliteSource


def open_database(
    url: str,
    table: str,
    schema: EventSchema,
    *,
    catalogue: SignalCatalogue | None = None,
    time_limit_seconds: float = 300,
    pause_seconds: float = 0,
    salt: str = "",
) -> SqliteSource | PostgresSource:
    """The connector for ``url``; nothing is read yet.

    Raises:
        SourceError: If the URL is invalid or points to a database that events cannot be read from.
    """
    # Each engine's driver is imported only if it is used.
    if _backend(url) == "postgresql":
        from telemetry_quality.sources.postgresql import PostgresSource  # noqa: PLC0415

        return PostgresSource(url, table, schema, catalogue=catalogue, time_limit_seconds=time_limit_seconds, salt=salt)
    from telemetry_quality.sources.sqlite import SqliteSource  # noqa: PLC0415

    return SqliteSource(
        url,
        table,
        schema,
        catalogue=catalogue,
        time_limit_seconds=time_limit_seconds,
        pause_seconds=pause_seconds,
        salt=salt,
    )


def _backend(url: str) -> str:
    try:
        backend = make_url(url).get_backend_name()
    except ArgumentError:
        backend = None
    if backend not in {"postgresql", "sqlite"}:
        # The URL itself is not repeated, because it may contain a password.
        found = "something else" if backend is None else f"{backend}://…"
        raise SourceError(
            "URL_INVALID",
            f"url requires the form postgresql://USER:PASSWORD@HOST/DATABASE or sqlite:///FILE, but {found} was found; "
            "for another engine see docs/sources.md.",
        )
    return backend
