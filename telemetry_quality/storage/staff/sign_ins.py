"""The sign-in log: every attempt to sign in or out, in a chain that nobody can rewrite unnoticed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from telemetry_quality.storage.chains import append
from telemetry_quality.storage.schema import MigratedDatabase
from telemetry_quality.storage.staff.lookup import account_key, shortened
from telemetry_quality.storage.tables import sign_in

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


@dataclass(frozen=True, slots=True)
class SignIn:
    """One attempt to sign in or out, whoever made it.

    Attributes:
        account_name: The name that was given, whether or not such an account exists.
        address: Where the attempt came from.
        method: ``password``, ``oidc``, …
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

    def failures_since(self, account_name: str, address: str, since: datetime) -> tuple[int, int]:
        """How often somebody guessed wrong after ``since``: for the account, and from the address."""
        query = select(
            _failures(sign_in.c.account_name == account_key(account_name), since),
            _failures(sign_in.c.address == shortened(address), since),
        )
        with self._read_only() as connection:
            of_account, of_address = connection.execute(query).one()
            return of_account, of_address

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
