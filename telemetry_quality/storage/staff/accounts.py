"""Accounts are added, changed, disabled and enabled; disabling takes effect at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, or_, update

from telemetry_quality.errors import RequestError
from telemetry_quality.storage.schema import MigratedDatabase
from telemetry_quality.storage.staff.changes import COMMAND_LINE, ChangeKind, record_change
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

    from sqlalchemy import Connection

    from telemetry_quality.storage.staff.changes import Actor


class StaffAccounts(MigratedDatabase):
    """The accounts of a StaffStore.

    Every change of an account is recorded in its own transaction, as one of the ``actor``.
    """

    def add_account(
        self,
        name: str,
        password_hash: str | None,
        now: datetime,
        role: Role = Role.VIEWER,
        *,
        actor: Actor = COMMAND_LINE,
    ) -> Account:
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
            record_change(connection, now, key, ChangeKind.ADDED, actor, f"{role.value}, {_way(password_hash)}")
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

    def set_password(self, name: str, password_hash: str, now: datetime, *, actor: Actor = COMMAND_LINE) -> None:
        """Change a password and end the account's sessions.

        Raises:
            RequestError: If there is no such account.
        """
        with self._writing() as connection:
            account = require_account(connection, account_key(name))
            _update(connection, account, password_hash=password_hash, password_changed_at=now)
            end_sessions(connection, now, staff_session.c.account_id == account.id)
            record_change(connection, now, account.name, ChangeKind.PASSWORD_CHANGED, actor)

    def rehash(self, account_id: int, old_hash: str, new_hash: str) -> None:
        """Store the same password hashed with other costs, unless it was changed in the meantime; sessions stay."""
        columns = staff_account.c
        with self._writing() as connection:
            same = update(staff_account).where(columns.id == account_id, columns.password_hash == old_hash)
            connection.execute(same.values(password_hash=new_hash))

    def reset(self, name: str, password_hash: str | None, now: datetime, *, actor: Actor = COMMAND_LINE) -> Account:
        """Enable an account with a new way to sign in; whatever was opened the old way ends.

        Args:
            name: The account's name.
            password_hash: Of the new password; None to let the account sign in only through the provider, where the
                next sign-in binds it again.
            now: The current time.
            actor: Who resets it.

        Raises:
            RequestError: If there is no such account.
        """
        values: dict[str, Any] = {"password_hash": password_hash, "disabled_at": None}
        if password_hash is None:
            values |= {"password_changed_at": None, "oidc_issuer": None, "oidc_subject": None}
        else:
            values["password_changed_at"] = now
        with self._writing() as connection:
            account = require_account(connection, account_key(name))
            _update(connection, account, **values)
            end_sessions(connection, now, staff_session.c.account_id == account.id)
            revoked = revoke_tokens(connection, now, staff_token.c.account_id == account.id)
            was = "" if account.is_active else ", was disabled"
            detail = f"{_way(password_hash)}{was}, tokens revoked: {revoked}"
            record_change(connection, now, account.name, ChangeKind.RESET, actor, detail)
            return require_account(connection, account.name)

    def bind_oidc(
        self, account_id: int, issuer: str, subject: str, now: datetime, *, actor: Actor = COMMAND_LINE
    ) -> None:
        """Record who an account is at the provider, where an address may be given to somebody else one day.

        Raises:
            RequestError: If the account is already bound to somebody else there, or this identity to another account.
        """
        columns, wanted = staff_account.c, (issuer, subject)
        with self._writing() as connection:
            query = select_accounts().where(
                or_(columns.id == account_id, (columns.oidc_issuer == issuer) & (columns.oidc_subject == subject))
            )
            found = {row["id"]: account_of(row) for row in connection.execute(query).mappings()}
            account = found.get(account_id)
            bound = None if account is None else (account.oidc_issuer, account.oidc_subject)
            if account is None or len(found) > 1 or bound not in {wanted, (None, None)}:
                raise RequestError(
                    "An account that is not bound to somebody else at the OpenID Connect provider is required, "
                    "but this one is; run telemetry-quality staff reset --oidc if the person is the same."
                )
            if bound != wanted:
                _update(connection, account, oidc_issuer=issuer, oidc_subject=subject)
                record_change(connection, now, account.name, ChangeKind.OIDC_BOUND, actor, issuer)

    def set_role(self, name: str, role: Role, now: datetime, *, actor: Actor = COMMAND_LINE) -> None:
        """Let an account do more or less from its next request on.

        Raises:
            RequestError: If there is no such account.
        """
        with self._writing() as connection:
            account = require_account(connection, account_key(name))
            if role is not account.role:
                _update(connection, account, role=role.value)
                detail = f"{account.role.value} to {role.value}"
                record_change(connection, now, account.name, ChangeKind.ROLE_CHANGED, actor, detail)

    def disable(self, name: str, now: datetime, *, actor: Actor = COMMAND_LINE) -> None:
        """Disable an account at once: its sessions and tokens end, and do not come back when it is enabled again.

        Raises:
            RequestError: If there is no such account.
        """
        with self._writing() as connection:
            account = require_account(connection, account_key(name))
            end_sessions(connection, now, staff_session.c.account_id == account.id)
            revoked = revoke_tokens(connection, now, staff_token.c.account_id == account.id)
            if account.is_active:
                _update(connection, account, disabled_at=now)
                detail = f"tokens revoked: {revoked}"
                record_change(connection, now, account.name, ChangeKind.DISABLED, actor, detail)

    def enable(self, name: str, now: datetime, *, actor: Actor = COMMAND_LINE) -> None:
        """Let a disabled account sign in again.

        Raises:
            RequestError: If there is no such account.
        """
        with self._writing() as connection:
            account = require_account(connection, account_key(name))
            if not account.is_active:
                _update(connection, account, disabled_at=None)
                record_change(connection, now, account.name, ChangeKind.ENABLED, actor)


def _update(connection: Connection, account: Account, **values: Any) -> None:
    connection.execute(update(staff_account).where(staff_account.c.id == account.id).values(**values))


def _way(password_hash: str | None) -> str:
    """How an account signs in, for the log."""
    return "single sign-on" if password_hash is None else "password"
