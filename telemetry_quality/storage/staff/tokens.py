"""Tokens: machines that are let in on behalf of an account."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, or_, select, update

from telemetry_quality.errors import RequestError
from telemetry_quality.storage.schema import MigratedDatabase
from telemetry_quality.storage.staff.lookup import (
    Account,
    account_of,
    require_active_account,
    select_accounts,
    shortened,
)
from telemetry_quality.storage.tables import staff_account, staff_token

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection


@dataclass(frozen=True, slots=True)
class Token:
    """A machine's way in; the text that opens the door is known to the machine only."""

    id: int
    account_name: str
    label: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def new_token() -> str:
    """The text of a new token, of 256 random bits."""
    return f"tq_{secrets.token_urlsafe(32)}"


def fingerprint(text: str) -> str:
    """What is stored of a token or a session id: random as they are, they cannot be guessed from it."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


class StaffTokens(MigratedDatabase):
    """The tokens of a StaffStore."""

    def add_token(
        self, account_id: int, label: str, token_hash: str, now: datetime, expires_at: datetime | None
    ) -> Token:
        """Let a machine in, on behalf of an account.

        Raises:
            RequestError: If the label says nothing, or the account is disabled.
        """
        its_label = shortened(label.strip())
        if not its_label or not its_label.isprintable():
            raise RequestError(
                f"A label that says what the token is for is required, but {its_label!r} was found; write a word."
            )
        row = {"account_id": account_id, "label": its_label, "token_hash": token_hash}
        with self._writing() as connection:
            account = require_active_account(connection, account_id)
            added = connection.execute(insert(staff_token), {**row, "created_at": now, "expires_at": expires_at})
            (number,) = added.inserted_primary_key or (0,)
            return Token(number, account.name, its_label, now, expires_at, None)

    def tokens(self, account_id: int | None = None) -> list[Token]:
        """The tokens of an account, or all, revoked ones too, the oldest first."""
        its = staff_token.c
        named = staff_account.c.name.label("account_name")
        query = (
            select(its.id, named, its.label, its.created_at, its.expires_at, its.revoked_at)
            .join(staff_account, staff_account.c.id == its.account_id)
            .order_by(its.id)
        )
        if account_id is not None:
            query = query.where(its.account_id == account_id)
        with self._read_only() as connection:
            return [Token(**row) for row in connection.execute(query).mappings()]

    def revoke_token(self, token_id: int, account_id: int | None, now: datetime) -> bool:
        """Shut a machine out; False if there is no such token, of that account where one is named, or it was out."""
        owned = [] if account_id is None else [staff_token.c.account_id == account_id]
        with self._writing() as connection:
            return revoke_tokens(connection, now, staff_token.c.id == token_id, *owned) == 1

    def token_account(self, token_hash: str, now: datetime) -> Account | None:
        """The account a token speaks for, None if it is unknown, over or revoked, or the account is disabled."""
        its = staff_token.c
        query = (
            select_accounts()
            .join(staff_token, staff_account.c.id == its.account_id)
            .where(its.token_hash == token_hash, its.revoked_at.is_(None), staff_account.c.disabled_at.is_(None))
            .where(or_(its.expires_at.is_(None), its.expires_at > now))
        )
        with self._read_only() as connection:
            row = connection.execute(query).mappings().first()
            return None if row is None else account_of(row)


def revoke_tokens(connection: Connection, now: datetime, *which: ColumnElement[bool]) -> int:
    """Revoke the tokens that meet all of these conditions and were not revoked before; return how many."""
    its = staff_token
    change = update(its).where(its.c.revoked_at.is_(None), *which).values(revoked_at=now)
    return connection.execute(change).rowcount
