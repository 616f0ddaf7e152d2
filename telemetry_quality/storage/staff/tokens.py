"""Tokens: machines that are let in on behalf of an account."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from telemetry_quality.errors import RequestError
from telemetry_quality.storage.schema import MigratedDatabase
from telemetry_quality.storage.staff.changes import COMMAND_LINE, ChangeKind, record_change
from telemetry_quality.storage.staff.lookup import require_active_account, shortened
from telemetry_quality.storage.tables import staff_account, staff_token

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date

    from sqlalchemy import ColumnElement, Connection, Select

    from telemetry_quality.storage.staff.changes import Actor

MOST_TOKEN_DAYS = 365
"""How long a token may be valid: nobody remembers it for longer."""


class Scope(StrEnum):
    """What a token may read: the JSON API with the feed and the badge, the files of snapshots, or the metrics."""

    JSON = "json"
    EXPORTS = "exports"
    METRICS = "metrics"


@dataclass(frozen=True, slots=True)
class Token:
    """A machine's access; the secret text is known to the machine only.

    Attributes:
        last_used_date: The last UTC day on which it let a machine in; None if it never did.
    """

    id: int
    account_name: str
    label: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime
    last_used_date: date | None
    revoked_at: datetime | None


def new_token() -> str:
    """The text of a new token, of 256 random bits."""
    return f"tq_{secrets.token_urlsafe(32)}"


def fingerprint(text: str) -> str:
    """What is stored of a token or a session id, which are random and so cannot be guessed from it."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


class StaffTokens(MigratedDatabase):
    """The tokens of a StaffStore."""

    def add_token(
        self,
        account_id: int,
        label: str,
        token_hash: str,
        now: datetime,
        days: int,
        *,
        scopes: Collection[Scope] = (Scope.JSON,),
        actor: Actor = COMMAND_LINE,
    ) -> Token:
        """Let a machine in for a number of days, on behalf of an account.

        Raises:
            RequestError: If the label is empty or not printable, no scope is given, the token would never be valid or
                be valid for more than MOST_TOKEN_DAYS, or the account is disabled.
        """
        shown_label = shortened(label.strip())
        if not shown_label or not shown_label.isprintable():
            raise RequestError(
                f"A label that says what the token is for is required, but {shown_label!r} was found; write a word."
            )
        if not scopes:
            raise RequestError(f"A token requires a scope, but none was given; choose among {', '.join(Scope)}.")
        if not 1 <= days <= MOST_TOKEN_DAYS:
            raise RequestError(
                f"A token requires a number of days from 1 to {MOST_TOKEN_DAYS}, but {days} was found; "
                f"enter {MOST_TOKEN_DAYS} for a year."
            )
        expires_at, scope_names = now + timedelta(days=days), " ".join(scopes)
        row = {"account_id": account_id, "label": shown_label, "token_hash": token_hash, "scopes": scope_names}
        with self._writing() as connection:
            account = require_active_account(connection, account_id)
            added = connection.execute(insert(staff_token), {**row, "created_at": now, "expires_at": expires_at})
            (number,) = added.inserted_primary_key or (0,)
            detail = f"token {number}, {scope_names}, valid for {days} days: {shown_label}"
            record_change(connection, now, account.name, ChangeKind.TOKEN_CREATED, actor, detail)
            return Token(number, account.name, shown_label, frozenset(scopes), now, expires_at, None, None)

    def tokens(self, account_id: int | None = None) -> list[Token]:
        """The tokens of an account, or all tokens, including revoked ones, oldest first."""
        query = _select_tokens().order_by(staff_token.c.id)
        if account_id is not None:
            query = query.where(staff_token.c.account_id == account_id)
        with self._read_only() as connection:
            return [_token_of(row) for row in connection.execute(query).mappings()]

    def revoke_token(
        self, token_id: int, account_id: int | None, now: datetime, *, actor: Actor = COMMAND_LINE
    ) -> bool:
        """Revoke a token; False if it does not exist, belongs to another account than the given one, or was revoked."""
        owned = [] if account_id is None else [staff_token.c.account_id == account_id]
        with self._writing() as connection:
            is_revoked = revoke_tokens(connection, now, staff_token.c.id == token_id, *owned) == 1
            if is_revoked:
                query = _select_tokens().where(staff_token.c.id == token_id)
                token = _token_of(connection.execute(query).mappings().one())
                detail = f"token {token_id}: {token.label}"
                record_change(connection, now, token.account_name, ChangeKind.TOKEN_REVOKED, actor, detail)
            return is_revoked

    def use_token(self, token_id: int, now: datetime) -> None:
        """Record the day on which a token was used."""
        with self._writing() as connection:
            change = update(staff_token).where(staff_token.c.id == token_id)
            connection.execute(change.values(last_used_date=now.astimezone(UTC).date()))

    def valid_token(self, token_hash: str, now: datetime) -> Token | None:
        """The token; None if it is unknown, expired or revoked, or its account is disabled."""
        columns = staff_token.c
        query = (
            _select_tokens()
            .where(columns.token_hash == token_hash, columns.revoked_at.is_(None))
            .where(staff_account.c.disabled_at.is_(None), columns.expires_at > now)
        )
        with self._read_only() as connection:
            row = connection.execute(query).mappings().first()
            return None if row is None else _token_of(row)


def revoke_tokens(connection: Connection, now: datetime, *which: ColumnElement[bool]) -> int:
    """Revoke the tokens that meet all of these conditions and were not revoked before; return how many."""
    is_valid = staff_token.c.revoked_at.is_(None)
    change = update(staff_token).where(is_valid, *which).values(revoked_at=now)
    return connection.execute(change).rowcount


def _select_tokens() -> Select[Any]:
    columns, named = staff_token.c, staff_account.c.name.label("account_name")
    names = ("id", "label", "scopes", "created_at", "expires_at", "last_used_date", "revoked_at")
    return select(named, *(columns[name] for name in names)).join(
        staff_account, staff_account.c.id == columns.account_id
    )


def _token_of(row: Mapping[Any, Any]) -> Token:
    return Token(**{**row, "scopes": frozenset(map(Scope, row["scopes"].split()))})
