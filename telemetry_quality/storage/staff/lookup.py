"""What an account is, how its name is written, and how it is found; nothing is changed here."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from telemetry_quality.errors import RequestError
from telemetry_quality.storage.tables import staff_account

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection, Select

NAME_LENGTH = 200
"""The maximum stored length of a name, a label or an address in characters: strangers may send any amount."""


class Role(StrEnum):
    """What an account may do; each role includes those before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        """Whether this role may do all that the other may."""
        return list(Role).index(self) >= list(Role).index(other)


ACCOUNT_COLUMNS = ("id", "name", "role", "password_hash", "oidc_subject", "oidc_issuer", "created_at", "disabled_at")


@dataclass(frozen=True, slots=True)
class Account:
    """A member of staff.

    Attributes:
        password_hash: None if the account signs in only through the OpenID Connect provider.
        oidc_subject: Who the provider says it is; None until the first sign-in there.
    """

    id: int
    name: str
    role: Role
    password_hash: str | None = field(repr=False)
    oidc_subject: str | None
    oidc_issuer: str | None
    created_at: datetime
    disabled_at: datetime | None

    @property
    def is_active(self) -> bool:
        """Whether the account may sign in."""
        return self.disabled_at is None


def account_key(name: str) -> str:
    """A name as it is stored and compared: in lower case, in one Unicode form, cut to NAME_LENGTH."""
    return unicodedata.normalize("NFKC", shortened(name)).casefold().strip()[:NAME_LENGTH]


def require_account_name(name: str) -> str:
    """The name of a new account, as it is stored.

    Raises:
        RequestError: If it is empty, too long, or contains characters that are not printable.
    """
    key = account_key(name)
    if not key or len(name) > NAME_LENGTH or not key.isprintable() or any(character.isspace() for character in key):
        raise RequestError(
            f"An account's name of 1 to {NAME_LENGTH} printable characters without spaces is required, "
            f"but {shortened(name)!r} was found; use an email address or a login name."
        )
    return key


def shortened(text: str) -> str:
    """The first characters of a text from outside, with invalid characters replaced."""
    return text[:NAME_LENGTH].encode("utf-8", "replace").decode("utf-8")


def select_accounts() -> Select[Any]:
    """Selects all accounts, with the columns that ``account_of`` needs."""
    return select(*(staff_account.c[name] for name in ACCOUNT_COLUMNS))


def account_of(row: Mapping[Any, Any]) -> Account:
    """The account in a row of ``select_accounts``, whatever else the row contains."""
    return Account(**{name: row[name] for name in ACCOUNT_COLUMNS} | {"role": Role(row["role"])})


def find_account(connection: Connection, key: str) -> Account | None:
    """The account of this name, which must be in the form of ``account_key``."""
    row = connection.execute(select_accounts().where(staff_account.c.name == key)).mappings().first()
    return None if row is None else account_of(row)


def require_account(connection: Connection, key: str) -> Account:
    """The account of this name.

    Raises:
        RequestError: If there is no such account.
    """
    account = find_account(connection, key)
    if account is None:
        raise RequestError(
            f"An account is required, but {key!r} does not exist; telemetry-quality staff list shows all."
        )
    return account


def require_active_account(connection: Connection, account_id: int) -> Account:
    """The account, if it may sign in.

    Raises:
        RequestError: If it is disabled or does not exist.
    """
    row = connection.execute(select_accounts().where(staff_account.c.id == account_id)).mappings().first()
    account = None if row is None else account_of(row)
    if account is None or not account.is_active:
        name = f"number {account_id}" if account is None else repr(account.name)
        raise RequestError(
            f"An account that may sign in is required, but {name} is disabled or missing; "
            "run telemetry-quality staff reset to enable it."
        )
    return account
