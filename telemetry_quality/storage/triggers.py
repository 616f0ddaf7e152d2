"""Append-only by the database itself: UPDATE and DELETE are refused, and so is replacing a row by inserting it again.

SQLite runs no delete trigger for INSERT OR REPLACE, hence the third kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import TextClause, UniqueConstraint, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Table


def append_only(table: str, keys: Sequence[Sequence[str]]) -> Iterator[TextClause]:
    """The triggers that keep ``table``, unique by each of ``keys``, append-only on SQLite."""
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    for action in ("UPDATE", "DELETE"):
        yield text(f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} {refuse}")
    taken = " OR ".join("(" + " AND ".join(f"{name} = NEW.{name}" for name in key) + ")" for key in keys)
    exists = f"EXISTS (SELECT 1 FROM {table} WHERE {taken})"  # noqa: S608 - names of our own tables
    yield text(f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {exists} {refuse}")


def expected_triggers(table: Table) -> dict[str, str]:
    """Name and text of the triggers that ``append_only`` makes for ``table``."""
    unique = [constraint for constraint in table.constraints if isinstance(constraint, UniqueConstraint)]
    keys = [[column.name for column in key.columns] for key in (table.primary_key, *unique)]
    return {str(trigger).split()[2]: str(trigger) for trigger in append_only(table.name, keys)}
