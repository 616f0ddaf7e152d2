"""Sessions: browsers that signed in, and how long they stay welcome."""

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
    """A browser that signed in and is still welcome."""

    account: Account
    id_hash: str = field(repr=False)
    method: str
    created_at: datetime
    expires_at: datetime


class StaffSessions(MigratedDatabase):
    """The sessions of a StaffStore."""

    def open_session(self, account_id: int, id_hash: str, method: str, now: datetime, expires_at: datetime) -> None:
        """Record a browser that just signed in, and forget those whose time is over.

        Raises:
            RequestError: If the account was disabled in the meantime.
        """
        row = {"id_hash": id_hash, "account_id": account_id, "method": method}
        with self._writing() as connection:
            require_active_account(connection, account_id)
            connection.execute(delete(staff_session).where(staff_session.c.expires_at <= now))
            connection.execute(insert(staff_session), [{**row, "created_at": now, "expires_at": expires_at}])

    def session(self, id_hash: str, now: datetime) -> Session | None:
        """The session, None if it is over, was ended, or its account is disabled."""
        with self._read_only() as connection:
            row = connection.execute(_live_sessions(now).where(staff_session.c.id_hash == id_hash)).mappings().first()
            return None if row is None else _session_of(row)

    def sessions(self, account_id: int, now: datetime) -> list[Session]:
        """The sessions of an account that are not over, the newest first."""
        its = staff_session.c
        query = _live_sessions(now).where(its.account_id == account_id).order_by(its.created_at.desc(), its.id_hash)
        with self._read_only() as connection:
            return [_session_of(row) for row in connection.execute(query).mappings()]

    def end_session(self, id_hash: str, now: datetime) -> None:
        """End one session."""
        with self._writing() as connection:
            end_sessions(connection, now, staff_session.c.id_hash == id_hash)

    def end_sessions(self, account_id: int, now: datetime, except_hash: str | None = None) -> None:
        """End all sessions of an account but, perhaps, the one that asks."""
        others = [] if except_hash is None else [staff_session.c.id_hash != except_hash]
        with self._writing() as connection:
            end_sessions(connection, now, staff_session.c.account_id == account_id, *others)


def end_sessions(connection: Connection, now: datetime, *which: ColumnElement[bool]) -> None:
    """End the sessions that meet all of these conditions and were not ended before."""
    its = staff_session
    connection.execute(update(its).where(its.c.revoked_at.is_(None), *which).values(revoked_at=now))


def _live_sessions(now: datetime) -> Select[Any]:
    its = staff_session.c
    opened_at = its.created_at.label("opened_at")
    return (
        select_accounts()
        .add_columns(its.id_hash, its.method, opened_at, its.expires_at)
        .join(staff_session, staff_account.c.id == its.account_id)
        .where(its.expires_at > now, its.revoked_at.is_(None), staff_account.c.disabled_at.is_(None))
    )


def _session_of(row: Mapping[Any, Any]) -> Session:
    return Session(account_of(row), row["id_hash"], row["method"], row["opened_at"], row["expires_at"])
