"""Accounts are added, changed, disabled and enabled; disabling takes effect at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, or_, select, update

from telemetry_quality.errors import RequestError
from telemetry_quality.storage.schema import MigratedDatabase
from telemetry_quality.storage.staff.lookup import (
    Account,
    Role,
    account_key,
    account_of,
    find_account,
    require_account,
    require_account_name,
    select_accounts,
)
from telemetry_quality.storage.staff.sessions import end_sessions
from telemetry_quality.storage.staff.tokens import revoke_tokens
from telemetry_quality.storage.tables import staff_account, staff_session, staff_token

if TYPE_CHECKING:
    from datetime import datetime


class StaffAccounts(MigratedDatabase):
    """The accounts of a StaffStore."""

    def add_account(self, name: str, password_hash: str | None, now: datetime, role: Role = Role.VIEWER) -> Account:
        """Create an account.

        Raises:
            RequestError: If the name is taken or invalid.
        """
        key = require_account_name(name)
        row = {"name": key, "role": role.value, "password_hash": password_hash, "created_at": now}
        with self._writing() as connection:
            if find_account(connection, key) is not None:
                raise RequestError(
                    f"The name of a new account is required, but {key!r} exists already; "
                    "choose another name, or run telemetry-quality staff reset."
                )
            changed_at = None if password_hash is None else now
            connection.execute(insert(staff_account), [{**row, "password_changed_at": changed_at}])
            return require_account(connection, key)

    def accounts(self) -> list[Account]:
        """All accounts by name, including disabled ones."""
        with self._read_only() as connection:
            rows = connection.execute(select_accounts().order_by(staff_account.c.name)).mappings()
            return [account_of(row) for row in rows]

    def account(self, name: str) -> Account | None:
        """The account of that name, in upper or lower case."""
        with self._read_only() as connection:
            return find_account(connection, account_key(name))

    def require_account(self, name: str) -> Account:
        """The account of that name.

        Raises:
            RequestError: If there is no such account.
        """
        with self._read_only() as connection:
            return require_account(connection, account_key(name))

    def set_password(self, name: str, password_hash: str, now: datetime) -> None:
        """Change a password and end the account's sessions.

        Raises:
            RequestError: If there is no such account.
        """
        self._change(name, now, password_hash=password_hash, password_changed_at=now)

    def rehash(self, account_id: int, old_hash: str, new_hash: str) -> None:
        """Store the same password hashed with other costs, unless it was changed in the meantime; sessions stay."""
        columns = staff_account.c
        with self._writing() as connection:
            same = update(staff_account).where(columns.id == account_id, columns.password_hash == old_hash)
            connection.execute(same.values(password_hash=new_hash))

    def reset_oidc(self, name: str, now: datetime) -> None:
        """Let an account sign in only through the provider and bind it again on the next sign-in; its sessions end.

        Raises:
            RequestError: If there is no such account.
        """
        self._change(name, now, password_hash=None, password_changed_at=None, oidc_issuer=None, oidc_subject=None)

    def bind_oidc(self, account_id: int, issuer: str, subject: str) -> None:
        """Record who an account is at the provider, where an address may be given to somebody else one day.

        Raises:
            RequestError: If the account is already bound to somebody else there, or this identity to another account.
        """
        columns, wanted = staff_account.c, (issuer, subject)
        with self._writing() as connection:
            query = select(columns.id, columns.oidc_issuer, columns.oidc_subject).where(
                or_(columns.id == account_id, (columns.oidc_issuer == issuer) & (columns.oidc_subject == subject))
            )
            found = {number: bound for number, *bound in connection.execute(query)}
            if found.keys() != {account_id} or tuple(found[account_id]) not in {wanted, (None, None)}:
                raise RequestError(
                    "An account that is not bound to somebody else at the OpenID Connect provider is required, "
                    "but this one is; run telemetry-quality staff reset --oidc if the person is the same."
                )
            change = update(staff_account).where(columns.id == account_id)
            connection.execute(change.values(oidc_issuer=issuer, oidc_subject=subject))

    def set_role(self, name: str, role: Role) -> None:
        """Let an account do more or less from its next request on.

        Raises:
            RequestError: If there is no such account.
        """
        with self._writing() as connection:
            account = require_account(connection, account_key(name))
            change = update(staff_account).where(staff_account.c.id == account.id)
            connection.execute(change.values(role=role.value))

    def disable(self, name: str, now: datetime) -> None:
        """Disable an account at once: its sessions and tokens end, and do not come back when it is enabled again.

        Raises:
            RequestError: If there is no such account.
        """
        with self._writing() as connection:
            account = require_account(connection, account_key(name))
            if account.is_active:
                change = update(staff_account).where(staff_account.c.id == account.id)
                connection.execute(change.values(disabled_at=now))
            end_sessions(connection, now, staff_session.c.account_id == account.id)
            revoke_tokens(connection, now, staff_token.c.account_id == account.id)

    def enable(self, name: str) -> None:
        """Let a disabled account sign in again.

        Raises:
            RequestError: If there is no such account.
        """
        with self._writing() as connection:
            account = require_account(connection, account_key(name))
            change = update(staff_account).where(staff_account.c.id == account.id)
            connection.execute(change.values(disabled_at=None))

    def _change(self, name: str, now: datetime, **values: Any) -> None:
        """Change how an account signs in, and end sessions that were opened the old way."""
        with self._writing() as connection:
            account = require_account(connection, account_key(name))
            connection.execute(update(staff_account).where(staff_account.c.id == account.id).values(**values))
            end_sessions(connection, now, staff_session.c.account_id == account.id)
