"""Who may write what in a store in PostgreSQL: runs append what was measured, the dashboard what people do.

So a process that reads events can add no account, and the dashboard can add no snapshot. Triggers keep both from
changing or deleting what was appended, and only the owner of the store can remove the triggers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Table, inspect

from telemetry_quality.errors import StoreError
from telemetry_quality.storage.engine import database_at, transaction
from telemetry_quality.storage.postgresql import PostgresqlDatabase, chain_length
from telemetry_quality.storage.tables import APPEND_ONLY, MUTABLE, account_change, day_mark, incident_action, sign_in
from telemetry_quality.storage.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

SAID_BY_PEOPLE = (incident_action, day_mark, sign_in, account_change)
"""What people do, which the dashboard records; every other table that is append-only is written by runs."""

MEASURED = tuple(stored for stored in APPEND_ONLY if stored not in SAID_BY_PEOPLE)

_APPEND = "SELECT, INSERT"
_READ = "SELECT"
_CHANGE = "SELECT, INSERT, UPDATE, DELETE"
_SCHEMA_REVISION = "alembic_version"


def grant(url: str, runs: str, dashboard: str) -> None:
    """Let the role ``runs`` and the role ``dashboard`` do their part in the store at ``url``, and no more.

    Raises:
        StoreError: If the store is not in PostgreSQL, if a role does not exist, or if these are not the owner's rights.
    """
    database = database_at(url)
    if not isinstance(database, PostgresqlDatabase):
        raise StoreError(f"Roles require a store in PostgreSQL, but {database.label} was found; SQLite has no roles.")
    engine = database.open_engine()
    try:
        with transaction(engine, writes=True) as connection:
            for statement in _statements(connection, runs, dashboard):
                connection.exec_driver_sql(statement)
    finally:
        engine.dispose()


def _statements(connection: Connection, runs: str, dashboard: str) -> Iterator[str]:
    preparer = connection.dialect.identifier_preparer
    quote = preparer.quote_identifier
    schema = quote(str(inspect(connection).default_schema_name))
    ours = (
        *map(preparer.format_table, (*APPEND_ONLY, *MUTABLE, chain_length)),
        *map(quote, (_SCHEMA_REVISION, *VIEWS)),
    )
    for role in map(quote, (runs, dashboard)):
        # Other tables in this schema are somebody else's.
        yield f"REVOKE ALL ON {', '.join(ours)} FROM {role}"
        yield f"GRANT USAGE ON SCHEMA {schema} TO {role}"
        yield f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}"
        yield f"GRANT SELECT ON {quote(_SCHEMA_REVISION)} TO {role}"
    for stored, rights_of_runs, rights_of_dashboard in _rights():
        for role, rights in ((runs, rights_of_runs), (dashboard, rights_of_dashboard)):
            if rights is not None:
                yield f"GRANT {rights} ON {preparer.format_table(stored)} TO {quote(role)}"
    # Views read with their owner's rights.
    for view in VIEWS:
        yield f"GRANT SELECT ON {quote(view)} TO {quote(runs)}, {quote(dashboard)}"


def _rights() -> Iterator[tuple[Table, str | None, str]]:
    """Each table with what runs and what the dashboard may do with it."""
    yield from ((stored, _APPEND, _READ) for stored in MEASURED)
    yield from ((stored, _READ, _APPEND) for stored in SAID_BY_PEOPLE)
    yield from ((stored, None, _CHANGE) for stored in MUTABLE)
    # Both append to chains.
    yield chain_length, "SELECT, INSERT, UPDATE", "SELECT, INSERT, UPDATE"
