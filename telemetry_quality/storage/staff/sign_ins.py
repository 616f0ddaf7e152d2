"""The sign-in log: every attempt to sign in or out, in a chain that nobody can rewrite unnoticed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select

from telemetry_quality.storage.chains import append
from telemetry_quality.storage.schema import MigratedDatabase
from telemetry_quality.storage.staff.lookup import account_key, shortened
from telemetry_quality.storage.tables import sign_in, staff_account

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, ScalarSelect


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
"""Attempts that guessed a password. Throttled attempts do not count, or retrying would lock out for ever."""


KNOWN_BROWSER = "known_browser"
"""The method of an attempt by password in a browser in which the account has signed in before."""


@dataclass(frozen=True, slots=True)
class Failures:
    """How often somebody guessed wrong lately, since the account's password was last set.

    Attributes:
        in_known_browsers: For the account, in browsers in which it has signed in before. The others do not count these.
        here: For the account, from the address.
        of_address: From the address, for all accounts.
        of_account: For the account, from all addresses.
    """

    in_known_browsers: int
    here: int
    of_address: int
    of_account: int


@dataclass(frozen=True, slots=True)
class SignIn:
    """One attempt to sign in or out, whoever made it.

    Attributes:
        account_name: The name that was given, whether or not such an account exists.
        address: Where the attempt came from.
        method: ``password``, ``known_browser``, ``oidc``, …
    """

    at: datetime
    account_name: str
    address: str
    method: str
    outcome: SignInOutcome


class SignInLog(MigratedDatabase):
    """The sign-in log of a StaffStore."""

    def record(self, attempt: SignIn) -> None:
        """Store an attempt permanently."""
        row = {
            "at": attempt.at,
            "account_name": account_key(attempt.account_name),
            "address": shortened(attempt.address),
            "method": shortened(attempt.method),
            "outcome": attempt.outcome.value,
        }
        with self._writing() as connection:
            append(connection, sign_in, row)

    def failures_since(self, account_name: str, address: str, since: datetime) -> Failures:
        """How often somebody guessed wrong after ``since``; a new password makes earlier guesses irrelevant."""
        key, columns = account_key(account_name), sign_in.c
        of_account, of_address = columns.account_name == key, columns.address == shortened(address)
        is_known = columns.method == KNOWN_BROWSER
        changed_at = select(staff_account.c.password_changed_at).where(staff_account.c.name == key).scalar_subquery()
        is_relevant = or_(~of_account, changed_at.is_(None), columns.at >= changed_at)
        query = select(
            _failures(of_account & is_known & is_relevant, since),
            _failures(of_account & of_address & ~is_known & is_relevant, since),
            _failures(of_address & ~is_known & is_relevant, since),
            _failures(of_account & ~is_known & is_relevant, since),
        )
        with self._read_only() as connection:
            return Failures(*connection.execute(query).one())

    def sign_ins(self, limit: int = 50, account_name: str | None = None) -> list[SignIn]:
        """The last attempts, newest first."""
        columns = sign_in.c
        query = select(columns.at, columns.account_name, columns.address, columns.method, columns.outcome)
        query = query.order_by(columns.sequence.desc()).limit(limit)
        if account_name is not None:
            query = query.where(columns.account_name == account_key(account_name))
        with self._read_only() as connection:
            return [SignIn(*row[:-1], SignInOutcome(row[-1])) for row in connection.execute(query)]

    def last_signed_in(self) -> dict[str, datetime]:
        """When each account that ever signed in last did so."""
        columns = sign_in.c
        signed_in = columns.outcome == SignInOutcome.SIGNED_IN.value
        query = select(columns.account_name, func.max(columns.at)).where(signed_in).group_by(columns.account_name)
        with self._read_only() as connection:
            return dict(connection.execute(query).all())


def _failures(whose: ColumnElement[bool], since: datetime) -> ScalarSelect[int]:
    outcomes = [outcome.value for outcome in FAILURES]
    columns = sign_in.c
    return select(func.count()).where(whose, columns.outcome.in_(outcomes), columns.at > since).scalar_subquery()
