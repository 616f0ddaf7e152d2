"""Which schema a store has, and what to do if this version needs a different one."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import column, inspect, select, table

from telemetry_quality.errors import StoreError
from telemetry_quality.interrupts import postponed_interrupts
from telemetry_quality.storage.engine import database_of, says_no_in_a_sentence, transaction
from telemetry_quality.storage.tables import SCHEMA_REVISION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Engine


def require_schema(engine: Engine) -> None:
    """Refuse a store that does not exist or was made by another version.

    Raises:
        StoreError: If the store is missing or has another schema; the sentence says what to run.
    """
    database_of(engine).require_presence()
    with transaction(engine, writes=False) as connection:
        require_schema_of(connection)


def require_schema_of(connection: Connection) -> None:
    """Refuse a store of another version, given a connection to it.

    Raises:
        StoreError: If the store has another schema; the sentence says what to run.
    """
    found = _schema_of(connection)
    if found != SCHEMA_REVISION:
        is_newer = found is not None and found > SCHEMA_REVISION
        remedy = "install the telemetry-quality version that made it" if is_newer else "run telemetry-quality migrate"
        label = database_of(connection).label
        raise StoreError(f"The store {label} must have schema {SCHEMA_REVISION}, but has {found or 'none'}; {remedy}.")


def _schema_of(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(select(column("version_num")).select_from(table("alembic_version")))
    return found


class MigratedDatabase:
    """The store's database for reading and writing; its schema is checked before the first query.

    Args:
        engine: Opened on the store.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_checked = False
        self._kept: Connection | None = None

    def close(self) -> None:
        """Close the database; it can be used again afterwards."""
        self._engine.dispose()

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Use one connection for every transaction in the block, from one thread, one after another.

        Opening and closing the database takes longer than writing a day's rows: SQLite checkpoints on every close.
        """
        if self._kept is not None:
            yield
            return
        self._require_schema()
        with says_no_in_a_sentence(self._engine), postponed_interrupts():
            self._kept = connection = self._engine.connect()
        try:
            yield
        finally:
            with postponed_interrupts():
                self._kept = None
                connection.close()

    def _read_only(self) -> AbstractContextManager[Connection]:
        self._require_schema()
        return transaction(self._kept or self._engine, writes=False)

    def _writing(self) -> AbstractContextManager[Connection]:
        self._require_schema()
        return transaction(self._kept or self._engine, writes=True)

    def _require_schema(self) -> None:
        if not self._is_checked:
            require_schema(self._engine)
            self._is_checked = True
