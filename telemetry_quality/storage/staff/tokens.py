"""Tokens: machines that are let in on behalf of an account."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, or_, select, update

from telemetry_quality.errors import RequestError
from telemetry_quality.storage.schema import MigratedDatabase
from telemetry_quality.storage.staff.lookup import (
    require_active_account,
    shortened,
)
from telemetry_quality.storage.tables import staff_account, staff_token

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Select


class Scope(StrEnum):
    """What a token may read: the JSON API with the feed and the badge, or the files of snapshots."""

    JSON = "json"
    EXPORTS = "exports"


@dataclass(frozen=True, slots=True)
class Token:
    """A machine's access; the secret text is known to the machine only."""

    id: int
    account_name: str
    label: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
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
        expires_at: datetime | None,
        *,
        scopes: Collection[Scope] = (Scope.JSON,),
    ) -> Token:
        """Let a machine in, on behalf of an account.

        Raises:
            RequestError: If the label is empty or not printable, no scope is given, or the account is disabled.
        """
        shown_label = shortened(label.strip())
        if not shown_label or not shown_label.isprintable():
            raise RequestError(
                f"A label that says what the token is for is required, but {shown_label!r} was found; write a word."
            )
        if not scopes:
            raise RequestError(f"A token requires a scope, but none was given; choose among {', '.join(Scope)}.")
        row = {"account_id": account_id, "label": shown_label, "token_hash": token_hash, "scopes": " ".join(scopes)}
        with self._writing() as connection:
            account = require_active_account(connection, account_id)
            added = connection.execute(insert(staff_token), {**row, "created_at": now, "expires_at": expires_at})
            (number,) = added.inserted_primary_key or (0,)
            return Token(number, account.name, shown_label, frozenset(scopes), now, expires_at, None)

    def tokens(self, account_id: int | None = None) -> list[Token]:
        """The tokens of an account, or all tokens, including revoked ones, oldest first."""
        query = _select_tokens().order_by(staff_token.c.id)
        if account_id is not None:
            query = query.where(staff_token.c.account_id == account_id)
        with self._read_only() as connection:
            return [_token_of(row) for row in connection.execute(query).mappings()]

    def revoke_token(self, token_id: int, account_id: int | None, now: datetime) -> bool:
        """Revoke a token; False if it does not exist, belongs to another account than the given one, or was revoked."""
        owned = [] if account_id is None else [staff_token.c.account_id == account_id]
        with self._writing() as connection:
            return revoke_tokens(connection, now, staff_token.c.id == token_id, *owned) == 1

    def valid_token(self, token_hash: str, now: datetime) -> Token | None:
        """The token; None if it is unknown, expired or revoked, or its account is disabled."""
        columns = staff_token.c
        query = (
            _select_tokens()
            .where(columns.token_hash == token_hash, columns.revoked_at.is_(None))
            .where(staff_account.c.disabled_at.is_(None), or_(columns.expires_at.is_(None), columns.expires_at > now))
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
    names = ("id", "label", "scopes", "created_at", "expires_at", "revoked_at")
    return select(named, *(columns[name] for name in names)).join(
        staff_account, staff_account.c.id == columns.account_id
    )


def _token_of(row: Mapping[Any, Any]) -> Token:
    return Token(**{**row, "scopes": frozenset(map(Scope, row["scopes"].split()))})
