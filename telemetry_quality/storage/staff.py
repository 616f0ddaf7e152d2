"""Who may look at the dashboard: accounts, sessions and tokens, and the chain of all attempts to sign in.

Of sessions and tokens only fingerprints come here, of passwords only what argon2id makes of them. What a person, a
browser or a machine holds in its hand is never stored, logged or printed from here.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, or_, select, update

from telemetry_quality.errors import RequestError
from telemetry_quality.storage.chains import append
from telemetry_quality.storage.engine import database_at
from telemetry_quality.storage.schema import MigratedDatabase
from telemetry_quality.storage.tables import sign_in, staff_account, staff_secret, staff_session, staff_token

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, ScalarSelect, Select

_quiet_log = logging.getLogger(f"{__name__}.statements")
_quiet_log.setLevel(logging.WARNING)

NAME_LENGTH = 200
"""As much of a name, a label or an address is kept as this, in characters: strangers may send any amount."""

SECRET_BYTES = 32


class SignInOutcome(StrEnum):
    """How an attempt to sign in, or out, ended."""

    SIGNED_IN = "signed_in"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - an outcome
    UNKNOWN_ACCOUNT = "unknown_account"
    DISABLED = "disabled"
    THROTTLED = "throttled"
    SIGNED_OUT = "signed_out"
    REFUSED = "refused"


FAILURES = (SignInOutcome.WRONG_PASSWORD, SignInOutcome.UNKNOWN_ACCOUNT, SignInOutcome.DISABLED)
"""Attempts that guessed a password. Throttled ones did not: if they counted, trying on would lock out for ever."""


@dataclass(frozen=True, slots=True)
class Account:
    """A member of staff.

    Attributes:
        password_hash: None for who signs in at the OpenID Connect provider only.
        oidc_subject: Who the provider says it is; None until the first sign-in there.
    """

    id: int
    name: str
    password_hash: str | None = field(repr=False)
    oidc_subject: str | None
    oidc_issuer: str | None
    created_at: datetime
    disabled_at: datetime | None

    @property
    def is_active(self) -> bool:
        """Whether it may sign in."""
        return self.disabled_at is None


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that signed in and is still welcome."""

    account: Account
    id_hash: str = field(repr=False)
    method: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """A machine's way in; the text that opens the door is known to the machine only."""

    id: int
    account_name: str
    label: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class SignIn:
    """One attempt to sign in or out, whoever made it.

    Attributes:
        account_name: The name that was given, be there such an account or not.
        address: Where it came from.
        method: ``password``, ``oidc``, …
    """

    at: datetime
    account_name: str
    address: str
    method: str
    outcome: SignInOutcome


def new_token() -> str:
    """The text of a new token, of 256 random bits."""
    return f"tq_{secrets.token_urlsafe(32)}"


def fingerprint(text: str) -> str:
    """What is stored of a token or a session id: random as they are, they cannot be guessed from it."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def account_key(name: str) -> str:
    """A name as it is stored and compared: in lower case, in one spelling of its characters, cut to NAME_LENGTH."""
    return unicodedata.normalize("NFKC", _cut(name)).casefold().strip()[:NAME_LENGTH]


def require_account_name(name: str) -> str:
    """The name of a new account, as it is stored.

    Raises:
        RequestError: If it has no characters, too many, or some that cannot be seen.
    """
    key = account_key(name)
    if not key or len(name) > NAME_LENGTH or not key.isprintable() or any(one.isspace() for one in key):
        raise RequestError(
            f"An account's name of 1 to {NAME_LENGTH} printable characters without spaces is required, "
            f"but {_cut(name)!r} was found; use an email address or a login name."
        )
    return key


def _cut(text: str) -> str:
    """The first characters of a text from outside; what is no character of any script is replaced."""
    return text[:NAME_LENGTH].encode("utf-8", "replace").decode("utf-8")


class StaffStore(MigratedDatabase):
    """Accounts, sessions, tokens and sign-ins in the quality store; safe from many threads and processes.

    Args:
        url: Where the store is; see ``engine.database_at``.

    Attributes:
        is_local: Whether ``version`` answers in microseconds, so that an event loop may ask.

    Raises:
        StoreError: If the URL is wrong; from every method, if the store cannot be used.
    """

    def __init__(self, url: str) -> None:
        database = database_at(url)
        super().__init__(database.open_engine())
        # Whoever logs an error of the database with its traceback, or everything, learns no hash and no key by it.
        self._engine.hide_parameters = True
        self._engine.logger = _quiet_log
        self.is_local = database.is_local
        self._commits = database.commit_watch()

    # Accounts

    def add_account(self, name: str, password_hash: str | None, now: datetime) -> Account:
        """Make an account.

        Raises:
            RequestError: If the name is taken or none.
        """
        key = require_account_name(name)
        row = {"name": key, "password_hash": password_hash, "created_at": now}
        with self._writing() as connection:
            if _account_named(connection, key) is not None:
                raise RequestError(
                    f"The name of a new account is required, but {key!r} exists; "
                    "choose another one, or run telemetry-quality staff reset."
                )
            changed_at = None if password_hash is None else now
            connection.execute(insert(staff_account), [{**row, "password_changed_at": changed_at}])
            return _require_account(connection, key)

    def accounts(self) -> list[Account]:
        """All accounts by name, disabled ones too."""
        with self._reading() as connection:
            rows = connection.execute(_accounts().order_by(staff_account.c.name)).mappings()
            return [_account_of(row) for row in rows]

    def account(self, name: str) -> Account | None:
        """The account of that name, in whatever case it is written."""
        with self._reading() as connection:
            return _account_named(connection, account_key(name))

    def require_account(self, name: str) -> Account:
        """The account of that name.

        Raises:
            RequestError: If there is none.
        """
        with self._reading() as connection:
            return _require_account(connection, account_key(name))

    def set_password(self, name: str, password_hash: str, now: datetime) -> None:
        """Change a password and end the account's sessions.

        Raises:
            RequestError: If there is no such account.
        """
        self._change(name, now, password_hash=password_hash, password_changed_at=now)

    def rehash(self, account_id: int, old_hash: str, new_hash: str) -> None:
        """Keep the same password hashed at other costs, unless it was changed in the meantime; sessions stay."""
        its = staff_account.c
        with self._writing() as connection:
            same = update(staff_account).where(its.id == account_id, its.password_hash == old_hash)
            connection.execute(same.values(password_hash=new_hash))

    def reset_oidc(self, name: str, now: datetime) -> None:
        """Let an account sign in at the provider only, and bind it anew when it does; its sessions end.

        Raises:
            RequestError: If there is no such account.
        """
        self._change(name, now, password_hash=None, password_changed_at=None, oidc_issuer=None, oidc_subject=None)

    def bind_oidc(self, account_id: int, issuer: str, subject: str) -> None:
        """Remember who an account is at the provider: an address may be given to somebody else there one day.

        Raises:
            RequestError: If the account is somebody else there already, or another account is this one.
        """
        its, wanted = staff_account.c, (issuer, subject)
        with self._writing() as connection:
            query = select(its.id, its.oidc_issuer, its.oidc_subject).where(
                or_(its.id == account_id, (its.oidc_issuer == issuer) & (its.oidc_subject == subject))
            )
            found = {number: bound for number, *bound in connection.execute(query)}
            if found.keys() != {account_id} or tuple(found[account_id]) not in {wanted, (None, None)}:
                raise RequestError(
                    "An account that is bound to nobody else at the OpenID Connect provider is required, "
                    "but this one is; run telemetry-quality staff reset --oidc if the person is the same."
                )
            change = update(staff_account).where(its.id == account_id)
            connection.execute(change.values(oidc_issuer=issuer, oidc_subject=subject))

    def disable(self, name: str, now: datetime) -> None:
        """Shut an account out at once: its sessions and tokens end, and do not come back when it is enabled again.

        Raises:
            RequestError: If there is no such account.
        """
        with self._writing() as connection:
            account = _require_account(connection, account_key(name))
            if account.is_active:
                change = update(staff_account).where(staff_account.c.id == account.id)
                connection.execute(change.values(disabled_at=now))
            _end_sessions(connection, now, staff_session.c.account_id == account.id)
            _revoke_tokens(connection, now, staff_token.c.account_id == account.id)

    def enable(self, name: str) -> None:
        """Let a disabled account sign in again.

        Raises:
            RequestError: If there is no such account.
        """
        with self._writing() as connection:
            account = _require_account(connection, account_key(name))
            change = update(staff_account).where(staff_account.c.id == account.id)
            connection.execute(change.values(disabled_at=None))

    def _change(self, name: str, now: datetime, **values: Any) -> None:
        """Change how an account signs in; whoever is in by the old way is out."""
        with self._writing() as connection:
            account = _require_account(connection, account_key(name))
            connection.execute(update(staff_account).where(staff_account.c.id == account.id).values(**values))
            _end_sessions(connection, now, staff_session.c.account_id == account.id)

    # Sessions

    def open_session(self, account_id: int, id_hash: str, method: str, now: datetime, expires_at: datetime) -> None:
        """Remember a browser that just signed in, and forget those whose time is over.

        Raises:
            RequestError: If the account was disabled in the meantime.
        """
        row = {"id_hash": id_hash, "account_id": account_id, "method": method}
        with self._writing() as connection:
            _require_active(connection, account_id)
            connection.execute(delete(staff_session).where(staff_session.c.expires_at <= now))
            connection.execute(insert(staff_session), [{**row, "created_at": now, "expires_at": expires_at}])

    def session(self, id_hash: str, now: datetime) -> Session | None:
        """The session, None if it is over, was ended, or its account is disabled."""
        with self._reading() as connection:
            row = connection.execute(_live_sessions(now).where(staff_session.c.id_hash == id_hash)).mappings().first()
            return None if row is None else _session_of(row)

    def sessions(self, account_id: int, now: datetime) -> list[Session]:
        """The sessions of an account that are not over, the newest first."""
        its = staff_session.c
        query = _live_sessions(now).where(its.account_id == account_id).order_by(its.created_at.desc(), its.id_hash)
        with self._reading() as connection:
            return [_session_of(row) for row in connection.execute(query).mappings()]

    def end_session(self, id_hash: str, now: datetime) -> None:
        """End one session."""
        with self._writing() as connection:
            _end_sessions(connection, now, staff_session.c.id_hash == id_hash)

    def end_sessions(self, account_id: int, now: datetime, except_hash: str | None = None) -> None:
        """End all sessions of an account but, perhaps, the one that asks."""
        others = [] if except_hash is None else [staff_session.c.id_hash != except_hash]
        with self._writing() as connection:
            _end_sessions(connection, now, staff_session.c.account_id == account_id, *others)

    # Tokens

    def add_token(
        self, account_id: int, label: str, token_hash: str, now: datetime, expires_at: datetime | None
    ) -> Token:
        """Let a machine in, on behalf of an account.

        Raises:
            RequestError: If the label says nothing, or the account is disabled.
        """
        its_label = _cut(label.strip())
        if not its_label or not its_label.isprintable():
            raise RequestError(
                f"A label that says what the token is for is required, but {its_label!r} was found; write a word."
            )
        row = {"account_id": account_id, "label": its_label, "token_hash": token_hash}
        with self._writing() as connection:
            account = _require_active(connection, account_id)
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
        with self._reading() as connection:
            return [Token(**row) for row in connection.execute(query).mappings()]

    def revoke_token(self, token_id: int, account_id: int | None, now: datetime) -> bool:
        """Shut a machine out; False if there is no such token, of that account where one is named, or it was out."""
        owned = [] if account_id is None else [staff_token.c.account_id == account_id]
        with self._writing() as connection:
            return _revoke_tokens(connection, now, staff_token.c.id == token_id, *owned) == 1

    def token_account(self, token_hash: str, now: datetime) -> Account | None:
        """The account a token speaks for, None if it is unknown, over or revoked, or the account is disabled."""
        its = staff_token.c
        query = (
            _accounts()
            .join(staff_token, staff_account.c.id == its.account_id)
            .where(its.token_hash == token_hash, its.revoked_at.is_(None), staff_account.c.disabled_at.is_(None))
            .where(or_(its.expires_at.is_(None), its.expires_at > now))
        )
        with self._reading() as connection:
            row = connection.execute(query).mappings().first()
            return None if row is None else _account_of(row)

    # Sign-ins

    def record(self, attempt: SignIn) -> None:
        """Keep an attempt, for ever."""
        row = {
            "at": attempt.at,
            "account_name": account_key(attempt.account_name),
            "address": _cut(attempt.address),
            "method": _cut(attempt.method),
            "outcome": attempt.outcome.value,
        }
        with self._writing() as connection:
            append(connection, sign_in, row)

    def failures_since(self, account_name: str, address: str, since: datetime) -> tuple[int, int]:
        """How often somebody guessed wrong after ``since``: for the account, and from the address."""
        query = select(
            _failures(sign_in.c.account_name == account_key(account_name), since),
            _failures(sign_in.c.address == _cut(address), since),
        )
        with self._reading() as connection:
            of_account, of_address = connection.execute(query).one()
            return of_account, of_address

    def sign_ins(self, limit: int = 50, account_name: str | None = None) -> list[SignIn]:
        """The last attempts, the newest first."""
        its = sign_in.c
        query = select(its.at, its.account_name, its.address, its.method, its.outcome)
        query = query.order_by(its.sequence.desc()).limit(limit)
        if account_name is not None:
            query = query.where(its.account_name == account_key(account_name))
        with self._reading() as connection:
            return [SignIn(*row[:-1], SignInOutcome(row[-1])) for row in connection.execute(query)]

    def last_signed_in(self) -> dict[str, datetime]:
        """When each account that ever signed in did so last."""
        its = sign_in.c
        signed_in = its.outcome == SignInOutcome.SIGNED_IN.value
        query = select(its.account_name, func.max(its.at)).where(signed_in).group_by(its.account_name)
        with self._reading() as connection:
            return dict(connection.execute(query).all())

    # All of them

    def secret(self, now: datetime) -> bytes:
        """The key that cookies are signed with, made when it is first asked for; the same for all workers."""
        with self._reading() as connection:
            kept = connection.scalar(select(staff_secret.c.secret))
        if kept is None:
            with self._writing() as connection:
                # Another worker may have been faster.
                kept = connection.scalar(select(staff_secret.c.secret))
                if kept is None:
                    kept = secrets.token_bytes(SECRET_BYTES)
                    connection.execute(insert(staff_secret), [{"id": 1, "secret": kept, "created_at": now}])
        return bytes(kept)

    def version(self) -> Hashable:
        """A value that is another one whenever anything was committed: what was read before it may be kept as long."""
        self._require_schema()
        return self._commits.version()

    def close(self) -> None:
        """Close the database; the store can be used again afterwards."""
        self._commits.close()
        super().close()


ACCOUNT_COLUMNS = ("id", "name", "password_hash", "oidc_subject", "oidc_issuer", "created_at", "disabled_at")


def _accounts() -> Select[Any]:
    return select(*(staff_account.c[name] for name in ACCOUNT_COLUMNS))


def _account_of(row: Mapping[Any, Any]) -> Account:
    return Account(**{name: row[name] for name in ACCOUNT_COLUMNS})


def _account_named(connection: Connection, key: str) -> Account | None:
    row = connection.execute(_accounts().where(staff_account.c.name == key)).mappings().first()
    return None if row is None else _account_of(row)


def _require_account(connection: Connection, key: str) -> Account:
    account = _account_named(connection, key)
    if account is None:
        raise RequestError(f"An account is required, but {key!r} is none; telemetry-quality staff list shows them.")
    return account


def _require_active(connection: Connection, account_id: int) -> Account:
    row = connection.execute(_accounts().where(staff_account.c.id == account_id)).mappings().first()
    account = None if row is None else _account_of(row)
    if account is None or not account.is_active:
        name = f"number {account_id}" if account is None else repr(account.name)
        raise RequestError(
            f"An account that may sign in is required, but {name} is disabled or gone; "
            "run telemetry-quality staff reset to enable it."
        )
    return account


def _live_sessions(now: datetime) -> Select[Any]:
    its = staff_session.c
    opened_at = its.created_at.label("opened_at")
    return (
        _accounts()
        .add_columns(its.id_hash, its.method, opened_at, its.expires_at)
        .join(staff_session, staff_account.c.id == its.account_id)
        .where(its.expires_at > now, its.revoked_at.is_(None), staff_account.c.disabled_at.is_(None))
    )


def _session_of(row: Mapping[Any, Any]) -> Session:
    return Session(_account_of(row), row["id_hash"], row["method"], row["opened_at"], row["expires_at"])


def _end_sessions(connection: Connection, now: datetime, *which: ColumnElement[bool]) -> None:
    its = staff_session
    connection.execute(update(its).where(its.c.revoked_at.is_(None), *which).values(revoked_at=now))


def _revoke_tokens(connection: Connection, now: datetime, *which: ColumnElement[bool]) -> int:
    its = staff_token
    change = update(its).where(its.c.revoked_at.is_(None), *which).values(revoked_at=now)
    return connection.execute(change).rowcount


def _failures(whose: ColumnElement[bool], since: datetime) -> ScalarSelect[int]:
    outcomes = [one.value for one in FAILURES]
    its = sign_in.c
    return select(func.count()).where(whose, its.outcome.in_(outcomes), its.at > since).scalar_subquery()
