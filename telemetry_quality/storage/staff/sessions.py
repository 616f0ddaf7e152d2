"""Sessions: browsers that signed in, and until when they stay signed in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, update

from telemetry_quality.storage.schema import MigratedDatabase
from telemetry_quality.storage.staff.lookup import Account, account_of, require_active_account, select_accounts
from telemetry_quality.storage.tables import staff_account, staff_session

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Select


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that signed in and is still signed in."""

    account: Account
    id_hash: str = field(repr=False)
    method: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


class StaffSessions(MigratedDatabase):
    """The sessions of a StaffStore."""

    def open_session(self, account_id: int, id_hash: str, method: str, now: datetime, expires_at: datetime) -> None:
        """Record a browser that just signed in, and delete sessions that have expired.

        Raises:
            RequestError: If the account was disabled in the meantime.
        """
        row = {"id_hash": id_hash, "account_id": account_id, "method": method}
        with self._writing() as connection:
            require_active_account(connection, account_id)
            connection.execute(delete(staff_session).where(staff_session.c.expires_at <= now))
            connection.execute(
                insert(staff_session), [{**row, "created_at": now, "last_used_at": now, "expires_at": expires_at}]
            )

    def session(self, id_hash: str, now: datetime) -> Session | None:
        """The session; None if it has expired or was ended, or if its account is disabled."""
        with self._read_only() as connection:
            row = connection.execute(_live_sessions(now).where(staff_session.c.id_hash == id_hash)).mappings().first()
            return None if row is None else _session_of(row)

    def sessions(self, account_id: int, now: datetime) -> list[Session]:
        """The sessions of an account that have not expired, newest first."""
        columns = staff_session.c
        query = _live_sessions(now).where(columns.account_id == account_id)
        query = query.order_by(columns.created_at.desc(), columns.id_hash)
        with self._read_only() as connection:
            return [_session_of(row) for row in connection.execute(query).mappings()]

    def use_session(self, id_hash: str, now: datetime) -> None:
        """Record that a session was used."""
        columns = staff_session.c
        with self._writing() as connection:
            older = update(staff_session).where(columns.id_hash == id_hash, columns.last_used_at < now)
            connection.execute(older.values(last_used_at=now))

    def end_session(self, id_hash: str, now: datetime) -> None:
        """End one session."""
        with self._writing() as connection:
            end_sessions(connection, now, staff_session.c.id_hash == id_hash)

    def end_sessions(self, account_id: int, now: datetime, except_hash: str | None = None) -> None:
        """End all sessions of an account, except the one with ``except_hash``."""
        others = [] if except_hash is None else [staff_session.c.id_hash != except_hash]
        with self._writing() as connection:
            end_sessions(connection, now, staff_session.c.account_id == account_id, *others)


def end_sessions(connection: Connection, now: datetime, *which: ColumnElement[bool]) -> None:
    """End the sessions that meet all of these conditions and were not ended before."""
    is_open = staff_session.c.revoked_at.is_(None)
    connection.execute(update(staff_session).where(is_open, *which).values(revoked_at=now))


def _live_sessions(now: datetime) -> Select[Any]:
    columns = staff_session.c
    opened_at = columns.created_at.label("opened_at")
    return (
        select_accounts()
        .add_columns(columns.id_hash, columns.method, opened_at, columns.last_used_at, columns.expires_at)
        .join(staff_session, staff_account.c.id == columns.account_id)
        .where(columns.expires_at > now, columns.revoked_at.is_(None), staff_account.c.disabled_at.is_(None))
    )


def _session_of(row: Mapping[Any, Any]) -> Session:
    moments = (row["opened_at"], row["last_used_at"], row["expires_at"])
    return Session(account_of(row), row["id_hash"], row["method"], *moments)
