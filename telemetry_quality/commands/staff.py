"""The command ``telemetry-quality staff``: accounts and tokens of the dashboard, attempts to sign in, and changes.

A password is typed twice without being shown, or read from the first line of standard input; it is never an argument,
which other users of the machine could read. Exit codes: 0 done, 2 failed.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from telemetry_quality.assembly import utc_now
from telemetry_quality.commands.options import (
    EXIT_HEALTHY,
    Commands,
    config_option,
    json_option,
    list_format,
    login_name,
    print_list,
    say,
)
from telemetry_quality.console import Column, Kind, Part, Styled, print_listing, write
from telemetry_quality.dashboard import server
from telemetry_quality.errors import RequestError
from telemetry_quality.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from telemetry_quality.storage.staff.changes import AccountChange, Actor
    from telemetry_quality.storage.staff.lookup import Account
    from telemetry_quality.storage.staff.sign_ins import SignIn
    from telemetry_quality.storage.staff.store import StaffStore
    from telemetry_quality.storage.staff.tokens import Token

ACCOUNT_CSV = (
    *("name", "role", "is_active", "has_password", "is_bound_to_oidc"),
    *("created_at", "disabled_at", "last_signed_in_at"),
)
SIGN_IN_CSV = ("at", "account_name", "address", "method", "outcome")
CHANGE_CSV = ("at", "account_name", "change", "changed_by", "address", "detail")
TOKEN_CSV = (
    *("id", "account_name", "label", "scopes", "state"),
    *("created_at", "last_used_date", "expires_at", "revoked_at"),
)
STATES = {"active": ("green", "✓"), "disabled": ("red", "✗"), "revoked": ("red", "✗"), "expired": ("yellow", "!")}
"""States are never shown by colour alone, but also by a sign and a word."""

name_argument = click.argument("name")
role_type = click.Choice(["viewer", "operator", "admin"])
stdin_option = click.option(
    "--password-stdin", "is_stdin", is_flag=True, help="Read the password from the first line of standard input."
)
oidc_option = click.option(
    "--oidc", "is_oidc", is_flag=True, help="No password: sign in only at the OpenID Connect provider."
)


@click.group(cls=Commands)
def staff() -> None:
    """Manage who may sign in to the dashboard, and see who tried."""


@staff.command()
@name_argument
@click.option(
    "--role",
    type=role_type,
    default="viewer",
    show_default=True,
    help="What the account may do: read, also decide and mark days, also manage accounts.",
)
@oidc_option
@stdin_option
@config_option
@json_option
def add(  # noqa: PLR0917 - click passes options by name
    name: str, role: str, is_oidc: bool, is_stdin: bool, config: str | None, as_json: bool
) -> int:
    """Create an account; NAME is what its owner signs in with, such as an email address."""
    from telemetry_quality.storage.staff.lookup import Role  # noqa: PLC0415 - loads SQLAlchemy

    _require_one(is_oidc=is_oidc, is_stdin=is_stdin)
    with _staff_store(config) as store:
        # If the name is taken, skip the password prompt: the account is refused below.
        hashed = None if is_oidc or store.account(name) else _new_password(name, is_stdin=is_stdin)
        account = store.add_account(name, hashed, utc_now(), Role(role), actor=_actor())
    say(as_json, {"account": _account_as_json(account)}, f"{account.name} can sign in {_way(account)}.")
    return EXIT_HEALTHY


@staff.command("list")
@config_option
@list_format
def list_accounts(config: str | None, form: str) -> int:
    """List all accounts, including disabled ones."""
    with _staff_store(config) as store:
        accounts, last = store.accounts(), store.last_signed_in()
    objects = [_account_as_json(account, last.get(account.name)) for account in accounts]
    columns = _columns("account", "role", "state", signs_in=Kind.WORDS, created=Kind.FACT, last_signed_in=Kind.FACT)
    rows = [
        (
            account.name,
            account.role.value,
            _state(_account_state(account)),
            _way(account),
            _time(account.created_at),
            _time(last.get(account.name)),
        )
        for account in accounts
    ]
    none = "There are no accounts; create one with telemetry-quality staff add NAME."
    print_list(form, "accounts", objects, ACCOUNT_CSV, lambda: _print_table(columns, rows, none))
    return EXIT_HEALTHY


@staff.command()
@name_argument
@click.argument("role", type=role_type)
@config_option
@json_option
def role(name: str, role: str, config: str | None, as_json: bool) -> int:
    """Change what an account may do: viewers read, operators also decide and mark, admins also manage accounts."""
    from telemetry_quality.storage.staff.lookup import Role  # noqa: PLC0415 - loads SQLAlchemy

    with _staff_store(config) as store:
        store.set_role(name, Role(role), utc_now(), actor=_actor())
        account = store.require_account(name)
    say(as_json, {"account": _account_as_json(account)}, f"{account.name} has the role {account.role.value}.")
    return EXIT_HEALTHY


@staff.command()
@name_argument
@config_option
@json_option
def disable(name: str, config: str | None, as_json: bool) -> int:
    """Disable an account; its sessions and tokens end immediately."""
    with _staff_store(config) as store:
        store.disable(name, utc_now(), actor=_actor())
        account = store.require_account(name)
    say(
        as_json,
        {"account": _account_as_json(account)},
        f"{account.name} is disabled; its sessions and tokens have ended.",
    )
    return EXIT_HEALTHY


@staff.command()
@name_argument
@oidc_option
@stdin_option
@config_option
@json_option
def reset(name: str, is_oidc: bool, is_stdin: bool, config: str | None, as_json: bool) -> int:
    """Set a new password, enable the account and lift a lockout; its sessions and tokens end.

    With --oidc it has no password afterwards, and the next person who signs in with its name becomes its owner.
    """
    _require_one(is_oidc=is_oidc, is_stdin=is_stdin)
    with _staff_store(config) as store:
        account = store.require_account(name)
        hashed = None if is_oidc else _new_password(account.name, is_stdin=is_stdin)
        account = store.reset(name, hashed, utc_now(), actor=_actor())
    sentence = f"{account.name} can sign in {_way(account)}; its sessions and tokens have ended."
    say(as_json, {"account": _account_as_json(account)}, sentence)
    return EXIT_HEALTHY


@staff.command("sign-ins")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="The maximum number of attempts."
)
@click.option("--account", metavar="NAME", help="Only attempts with this name.")
@config_option
@list_format
def sign_ins(limit: int, account: str | None, config: str | None, form: str) -> int:
    """Show the latest attempts to sign in, newest first."""
    with _staff_store(config) as store:
        attempts = store.sign_ins(limit, account)
    objects = [_sign_in_as_json(attempt) for attempt in attempts]
    columns = _columns("at", "account", "address", "method", "outcome")
    rows = [(_time(it.at), it.account_name, it.address, it.method, it.outcome.value) for it in attempts]
    none = "Nobody has tried to sign in."
    print_list(form, "sign_ins", objects, SIGN_IN_CSV, lambda: _print_table(columns, rows, none))
    return EXIT_HEALTHY


@staff.command("log")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="The maximum number of changes."
)
@config_option
@list_format
def log(limit: int, config: str | None, form: str) -> int:
    """Show the latest changes to accounts, passwords, roles and tokens, newest first."""
    with _staff_store(config) as store:
        changes = store.account_changes(limit)
    objects = [_change_as_json(change) for change in changes]
    columns = _columns("at", "account", "change", by=Kind.FACT, **{"from": Kind.FACT}, detail=Kind.WORDS)
    rows = [
        (
            _time(change.at),
            change.account_name,
            change.change.value,
            change.changed_by,
            change.address or "command line",
            change.detail or "–",
        )
        for change in changes
    ]
    none = "No account has been changed."
    print_list(form, "changes", objects, CHANGE_CSV, lambda: _print_table(columns, rows, none))
    return EXIT_HEALTHY


@staff.group(cls=Commands)
def token() -> None:
    """Manage tokens, with which machines read the JSON API, exports and metrics on behalf of an account."""


@token.command("add")
@name_argument
@click.option("--label", metavar="TEXT", required=True, help="The purpose of the token.")
@click.option("--days", type=click.IntRange(1, 365), default=365, show_default=True, help="How many days it is valid.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(["json", "exports", "metrics"]),
    multiple=True,
    default=["json"],
    show_default=True,
    help="What it may read: the JSON API with the feed and the badge, the files of snapshots, or the metrics. "
    "May be repeated.",
)
@config_option
@json_option
def add_token(  # noqa: PLR0917 - click passes options by name
    name: str, label: str, days: int, scopes: Sequence[str], config: str | None, as_json: bool
) -> int:
    """Create a token for an account and print it; it is shown only once."""
    from telemetry_quality.storage.staff.tokens import Scope, fingerprint, new_token  # noqa: PLC0415 - loads SQLAlchemy

    text, now = new_token(), utc_now()
    with _staff_store(config) as store:
        account = store.require_account(name)
        wanted = [scope for scope in Scope if scope.value in scopes]
        added = store.add_token(account.id, label, fingerprint(text), now, days, scopes=wanted, actor=_actor())
    say(as_json, {"token": _token_as_json(added, now), "text": text}, text)
    if not as_json:
        write(
            f"This is token {added.id} of {account.name}, valid for {days} days; copy it now, it is not shown again.",
            stderr=True,
        )
    return EXIT_HEALTHY


@token.command("list")
@click.option("--account", metavar="NAME", help="Only tokens of this account.")
@config_option
@list_format
def list_tokens(account: str | None, config: str | None, form: str) -> int:
    """List all tokens, including revoked and expired ones, but never their secret text."""
    now = utc_now()
    with _staff_store(config) as store:
        tokens = store.tokens(None if account is None else store.require_account(account).id)
    objects = [_token_as_json(token_row, now) for token_row in tokens]
    columns = _columns(
        *("id", "account", "state"),
        label=Kind.WORDS,
        reads=Kind.WORDS,
        created=Kind.FACT,
        last_used=Kind.FACT,
        expires=Kind.FACT,
    )
    rows = [
        (
            str(token_row.id),
            token_row.account_name,
            _state(_token_state(token_row, now)),
            token_row.label,
            ", ".join(sorted(token_row.scopes)),
            _time(token_row.created_at),
            "never" if token_row.last_used_date is None else f"{token_row.last_used_date}",
            _time(token_row.expires_at),
        )
        for token_row in tokens
    ]
    none = "There are no tokens; create one with telemetry-quality staff token add NAME."
    print_list(form, "tokens", objects, TOKEN_CSV, lambda: _print_table(columns, rows, none))
    return EXIT_HEALTHY


@token.command()
@click.argument("token_id", metavar="ID", type=click.IntRange(1, 2**31 - 1))
@config_option
@json_option
def revoke(token_id: int, config: str | None, as_json: bool) -> int:
    """Revoke a token immediately."""
    with _staff_store(config) as store:
        if not store.revoke_token(token_id, None, utc_now(), actor=_actor()):
            raise RequestError(
                f"The number of an unrevoked token is required, but {token_id} is not one; "
                "telemetry-quality staff token list shows them."
            )
    say(as_json, {"token_id": token_id, "is_revoked": True}, f"Token {token_id} has been revoked.")
    return EXIT_HEALTHY


@contextmanager
def _staff_store(config: str | None) -> Iterator[StaffStore]:
    from telemetry_quality.storage.staff.store import StaffStore  # noqa: PLC0415 - loads SQLAlchemy

    store = StaffStore(load_settings(config).store)
    try:
        yield store
    finally:
        store.close()


def _actor() -> Actor:
    """Who types the command, as far as the operating system knows."""
    from telemetry_quality.storage.staff.changes import COMMAND_LINE, Actor  # noqa: PLC0415 - loads SQLAlchemy

    name = login_name()
    return Actor(name) if name else COMMAND_LINE


def _require_one(*, is_oidc: bool, is_stdin: bool) -> None:
    if is_oidc and is_stdin:
        raise click.UsageError("Either --oidc or --password-stdin may be given, but not both.")


def _new_password(name: str, *, is_stdin: bool) -> str:
    """The hash of a password read from the terminal or from a pipe.

    Raises:
        RequestError: If it is easily guessed, or there is no terminal to type it.
    """
    server.require_installed()
    from telemetry_quality.dashboard.access.passwords import (  # noqa: PLC0415 - of the extra "dashboard"
        hash_password,
        require_good_password,
    )

    text = sys.stdin.readline().rstrip("\r\n") if is_stdin else _typed_password()
    require_good_password(text, name)
    return hash_password(text)


def _typed_password() -> str:
    if not sys.stdin.isatty():
        raise RequestError("A terminal is required to type the password, but there is none; pass --password-stdin.")
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return typed


def _account_as_json(account: Account, last_signed_in_at: datetime | None = None) -> dict[str, Any]:
    return {
        "name": account.name,
        "role": account.role.value,
        "is_active": account.is_active,
        "has_password": account.password_hash is not None,
        "is_bound_to_oidc": account.oidc_subject is not None,
        "created_at": _instant(account.created_at),
        "disabled_at": _instant(account.disabled_at),
        "last_signed_in_at": _instant(last_signed_in_at),
    }


def _token_as_json(token_row: Token, now: datetime) -> dict[str, Any]:
    return {
        "id": token_row.id,
        "account_name": token_row.account_name,
        "label": token_row.label,
        "scopes": sorted(token_row.scopes),
        "state": _token_state(token_row, now),
        "created_at": _instant(token_row.created_at),
        "last_used_date": None if token_row.last_used_date is None else token_row.last_used_date.isoformat(),
        "expires_at": _instant(token_row.expires_at),
        "revoked_at": _instant(token_row.revoked_at),
    }


def _change_as_json(change: AccountChange) -> dict[str, Any]:
    return {
        "at": _instant(change.at),
        "account_name": change.account_name,
        "change": change.change.value,
        "changed_by": change.changed_by,
        "address": change.address,
        "detail": change.detail,
    }


def _sign_in_as_json(attempt: SignIn) -> dict[str, Any]:
    return {
        "at": _instant(attempt.at),
        "account_name": attempt.account_name,
        "address": attempt.address,
        "method": attempt.method,
        "outcome": attempt.outcome.value,
    }


def _instant(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _way(account: Account) -> str:
    ways = []
    if account.password_hash is not None:
        ways.append("with a password")
    if account.password_hash is None or account.oidc_subject is not None:
        ways.append("at the OpenID Connect provider")
    return " or ".join(ways)


def _account_state(account: Account) -> str:
    return "active" if account.is_active else "disabled"


def _token_state(token_row: Token, now: datetime) -> str:
    if token_row.revoked_at is not None:
        return "revoked"
    return "expired" if token_row.expires_at <= now else "active"


def _state(state: str) -> Styled:
    colour, sign = STATES[state]
    return Styled(f"{sign} {state}", colour)


def _time(moment: datetime | None) -> str:
    return "–" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _columns(*names: str, **others: Kind) -> list[Column]:
    """The columns that name a row, then others by their headings."""
    return [*map(Column, names), *(Column(name.replace("_", " "), kind) for name, kind in others.items())]


def _print_table(columns: Sequence[Column], rows: Sequence[Sequence[Part]], otherwise: str) -> None:
    """Print a list, or a sentence if there are no rows."""
    if rows:
        print_listing(columns, rows)
    else:
        write(otherwise)
