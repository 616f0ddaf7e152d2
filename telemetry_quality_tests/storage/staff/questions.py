"""What tests of staff ask a store directly, bypassing its methods."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from telemetry_quality_tests.builders import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry_quality.storage.staff.store import StaffStore

INSTANT = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
LATER = NOW + HOUR


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'quality.db'}"


def rows(folder: Path, statement: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(folder / "quality.db")
    found = connection.execute(statement).fetchall()
    connection.close()
    return found


@contextmanager
def statements_of(store: StaffStore) -> Iterator[list[str]]:
    """The statements that the store runs in the meantime."""
    asked: list[str] = []

    @event.listens_for(store._engine, "before_cursor_execute")
    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            asked.append(statement)

    yield asked
    event.remove(store._engine, "before_cursor_execute", note)
