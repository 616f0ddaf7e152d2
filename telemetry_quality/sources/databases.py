"""Which connector reads the database that a URL points to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from telemetry_quality.errors import SourceError
from telemetry_quality.sources.limits import MEMORY_LIMIT_BYTES

if TYPE_CHECKING:
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.signals import SignalCatalogue
    from telemetry_quality.sources.mysql import MariaDBSource
    from telemetry_quality.sources.postgresql import PostgresSource
    from telemetry_quality.sources.sqlite import SqliteSource


def open_database(
    url: str,
    table: str,
    schema: EventSchema,
    *,
    catalogue: SignalCatalogue | None = None,
    time_limit_seconds: float = 300,
    memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
    pause_seconds: float = 0,
    salt: str = "",
) -> SqliteSource | PostgresSource | MariaDBSource:
    """The connector for ``url``; nothing is read yet.

    Raises:
        SourceError: If the URL is invalid or points to a database that events cannot be read from.
    """
    # Each engine's driver is imported only if it is used.
    backend = _backend(url)
    if backend in {"mariadb", "mysql"}:
        from telemetry_quality.sources.mysql import MariaDBSource  # noqa: PLC0415

        return MariaDBSource(
            url,
            table,
            schema,
            catalogue=catalogue,
            time_limit_seconds=time_limit_seconds,
            memory_limit_bytes=memory_limit_bytes,
            salt=salt,
        )
    if backend == "postgresql":
        from telemetry_quality.sources.postgresql import PostgresSource  # noqa: PLC0415

        return PostgresSource(url, table, schema, catalogue=catalogue, time_limit_seconds=time_limit_seconds, salt=salt)
    from telemetry_quality.sources.sqlite import SqliteSource  # noqa: PLC0415

    return SqliteSource(
        url,
        table,
        schema,
        catalogue=catalogue,
        time_limit_seconds=time_limit_seconds,
        memory_limit_bytes=memory_limit_bytes,
        pause_seconds=pause_seconds,
        salt=salt,
    )


def _backend(url: str) -> str:
    try:
        backend = make_url(url).get_backend_name()
    except ArgumentError:
        backend = None
    if backend not in {"mariadb", "mysql", "postgresql", "sqlite"}:
        # The URL itself is not repeated, because it may contain a password.
        found = "something else" if backend is None else f"{backend}://…"
        raise SourceError(
            "URL_INVALID",
            "url requires the form postgresql://USER:PASSWORD@HOST/DATABASE, mariadb://USER:PASSWORD@HOST/DATABASE or "
            f"sqlite:///FILE, but {found} was found; for another engine see docs/sources.md.",
        )
    return backend
