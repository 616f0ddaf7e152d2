"""Which connector reads the database that a URL points to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from telemetry_quality.documentation import page
from telemetry_quality.errors import SourceError
from telemetry_quality.sources.limits import MEMORY_LIMIT_BYTES

if TYPE_CHECKING:
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.signals import SignalCatalogue
    from telemetry_quality.sources.mysql import MariaDBSource
    from telemetry_quality.sources.postgresql import PostgresSource
    from telemetry_quality.sources.sqlite import SqliteSource
    from telemetry_quality.sources.unproven import UnprovenSource

UNPROVEN = ("redshift", "snowflake", "trino")
"""Backends of URLs whose engines the queries have never been run on."""


def open_database(
    url: str,
    table: str,
    schema: EventSchema,
    *,
    catalogue: SignalCatalogue | None = None,
    time_limit_seconds: float = 300,
    memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
    pause_seconds: float = 0,
    allow_unproven: bool = False,
    salt: str = "",
) -> SqliteSource | PostgresSource | MariaDBSource | UnprovenSource:
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
    if backend in UNPROVEN:
        _require_consent(backend, is_given=allow_unproven)
        from telemetry_quality.sources.unproven import UnprovenSource  # noqa: PLC0415

        return UnprovenSource(url, table, schema, catalogue=catalogue, time_limit_seconds=time_limit_seconds, salt=salt)
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
    if backend not in {"mariadb", "mysql", "postgresql", "sqlite", *UNPROVEN}:
        # The URL itself is not repeated, because it may contain a password.
        found = "something else" if backend is None else f"{backend}://…"
        raise SourceError(
            "URL_INVALID",
            "url requires the form postgresql://USER:PASSWORD@HOST/DATABASE, mariadb://USER:PASSWORD@HOST/DATABASE or "
            f"sqlite:///FILE, but {found} was found; for another engine see {page('reference/sources')}.",
        )
    return backend


def _require_consent(backend: str, *, is_given: bool) -> None:
    if not is_given:
        raise SourceError(
            "UNPROVEN",
            f"The queries have never been run on a server of {backend}, so its numbers may be wrong; compare some days "
            "with numbers from elsewhere, and set allow_unproven = true to read it nevertheless.",
        )
