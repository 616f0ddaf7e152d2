"""The log of account changes: who changed whose access and how, in a chain that nobody can rewrite unnoticed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import select

from telemetry_quality.storage.chains import append
from telemetry_quality.storage.schema import MigratedDatabase
from telemetry_quality.storage.staff.lookup import shortened
from telemetry_quality.storage.tables import account_change

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection


class ChangeKind(StrEnum):
    """What was changed about an account."""

    ADDED = "added"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a kind of change
    RESET = "reset"
    ROLE_CHANGED = "role_changed"
    DISABLED = "disabled"
    ENABLED = "enabled"
    OIDC_BOUND = "oidc_bound"
    TOKEN_CREATED = "token_created"  # noqa: S105 - a kind of change
    TOKEN_REVOKED = "token_revoked"  # noqa: S105 - a kind of change


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes an account.

    Attributes:
        name: An account of the dashboard, or a user of the operating system.
        address: Where the request came from; None on the command line.
    """

    name: str
    address: str | None = None


COMMAND_LINE = Actor("command line")
"""Somebody who may write to the store and is not known by name."""


@dataclass(frozen=True, slots=True)
class AccountChange:
    """One change of an account.

    Attributes:
        changed_by: The name of the actor.
        address: The address of the actor.
        detail: What else is worth knowing, such as both roles; never a secret. May be empty.
    """

    at: datetime
    account_name: str
    change: ChangeKind
    changed_by: str
    address: str | None
    detail: str


class ChangeLog(MigratedDatabase):
    """The log of account changes of a StaffStore."""

    def account_changes(self, limit: int = 50) -> list[AccountChange]:
        """The last changes, newest first."""
        columns = account_change.c
        query = (
            select(
                columns.at,
                columns.account_name,
                columns.change,
                columns.changed_by,
                columns.address,
                columns.detail,
            )
            .order_by(columns.sequence.desc())
            .limit(limit)
        )
        with self._read_only() as connection:
            return [
                AccountChange(at, name, ChangeKind(change), *rest)
                for at, name, change, *rest in connection.execute(query)
            ]


def record_change(  # noqa: PLR0917 - a row
    connection: Connection, now: datetime, account_name: str, change: ChangeKind, actor: Actor, detail: str = ""
) -> None:
    """Append a change to the log, in the transaction that makes it."""
    row = {
        "at": now,
        "account_name": account_name,
        "change": change.value,
        "changed_by": shortened(actor.name),
        "address": None if actor.address is None else shortened(actor.address),
        "detail": detail,
    }
    append(connection, account_change, row)
