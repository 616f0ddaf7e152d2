"""Append-only in the database itself, whoever writes: existing rows can be neither changed nor deleted.

On SQLite, UPDATE and DELETE are refused, and so is replacing a row by inserting it again, because INSERT OR REPLACE
runs no delete trigger. On PostgreSQL, UPDATE, DELETE and TRUNCATE are refused, whatever a session's replication role.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import TextClause, UniqueConstraint, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Table

REFUSING_FUNCTION = "refuse_change"
REFUSING_BODY = "BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END"
"""What the triggers on PostgreSQL do; one function for all of them."""


def refusing_function() -> TextClause:
    """What PostgreSQL needs before the triggers can be created."""
    return text(f"CREATE FUNCTION {REFUSING_FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $${REFUSING_BODY}$$")


def append_only(dialect: str, table: str, keys: Sequence[Sequence[str]]) -> Iterator[TextClause]:
    """The statements that make ``table`` append-only; its rows are unique by each of ``keys``."""
    if dialect == "postgresql":
        for name, trigger in _postgresql_triggers(table).items():
            yield text(trigger)
            yield text(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")
    else:
        yield from map(text, _sqlite_triggers(table, keys).values())


def expected_triggers(dialect: str, table: Table) -> dict[str, str]:
    """Name and text of the triggers that ``append_only`` creates for ``table``."""
    if dialect == "postgresql":
        return _postgresql_triggers(table.name)
    unique = [constraint for constraint in table.constraints if isinstance(constraint, UniqueConstraint)]
    keys = [[column.name for column in key.columns] for key in (table.primary_key, *unique)]
    return _sqlite_triggers(table.name, keys)


def _sqlite_triggers(table: str, keys: Sequence[Sequence[str]]) -> dict[str, str]:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    taken = " OR ".join("(" + " AND ".join(f"{name} = NEW.{name}" for name in key) + ")" for key in keys)
    exists = f"EXISTS (SELECT 1 FROM {table} WHERE {taken})"  # noqa: S608 - names of our own tables
    return {
        **{
            f"{table}_no_{action.lower()}": f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
            f"{refuse}"
            for action in ("UPDATE", "DELETE")
        },
        f"{table}_no_replace": f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {exists} {refuse}",
    }


def _postgresql_triggers(table: str) -> dict[str, str]:
    """As ``pg_get_triggerdef`` prints them; a statement is refused even if it would match no row."""
    return {
        f"{table}_no_{action.lower()}": f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {REFUSING_FUNCTION}()"
        for action in ("UPDATE", "DELETE", "TRUNCATE")
    }
