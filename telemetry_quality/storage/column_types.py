"""The types of columns that mean the same in every database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, DateTime, Text, TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy import Dialect

OptionalJson = JSON(none_as_null=True)
"""JSON that may be missing: None is NULL, not the text ``null``."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant, stored in UTC by databases that store no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """To UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Aware again."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class StoredText(TypeDecorator[str]):
    """Any text, ordered by code point, whatever the database's locale.

    PostgreSQL cannot store the NUL character, which events and strangers may send anyway: it is stored as ``␀0``, and
    ``␀`` itself as ``␀1``.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """A built-in collation of PostgreSQL, which no upgrade of the operating system changes."""
        return Text(collation="C") if dialect.name == "postgresql" else self.impl_instance

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Encode what the database cannot store."""
        if value is None or dialect.name != "postgresql":
            return value
        return value.replace("␀", "␀1").replace("\0", "␀0")

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Back again."""
        if value is None or dialect.name != "postgresql":
            return value
        return value.replace("␀0", "\0").replace("␀1", "␀")
