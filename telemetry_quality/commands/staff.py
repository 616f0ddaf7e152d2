"""The command ``telemetry-quality staff``: who may sign in to the dashboard, which machines may read, and who tried.

A password is typed twice without being shown, or is the first line of standard input; it never stands in an argument,
which other users of a machine can read. Exit codes: 0 done; 2 a mistake.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from telemetry_quality.assembly import utc_now
from telemetry_quality.commands.options import EXIT_HEALTHY, config_option, json_option, print_json, say
from telemetry_quality.console import console
from telemetry_quality.core.visible import visible
from telemetry_quality.dashboard import server
from telemetry_quality.errors import RequestError
from telemetry_quality.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from rich.text import Text

    from telemetry_quality.storage.staff.lookup import Account
    from telemetry_quality.storage.staff.sign_ins import SignIn
    from telemetry_quality.storage.staff.store import StaffStore
    from telemetry_quality.storage.staff.tokens import Token

STATES = {"active": ("green", "✓"), "disabled": ("red", "✗"), "revoked": ("red", "✗"), "expired": ("yellow", "!")}
"""Never shown by colour alone: the sign and the word say it too."""

name_argument = click.argument("name")
stdin_option = click.option(
    "--password-stdin", "is_stdin", is_flag=True, help="Read the password from standard input: its first line."
)
oidc_option = click.option(
    "--oidc", "is_oidc", is_flag=True, help="No password: sign in at the OpenID Connect provider only."
)


@click.group()
def staff() -> None:
    """Say who may sign in to the dashboard, and see who tried."""


@staff.command()
@name_argument
@oidc_option
@stdin_option
@config_option
@json_option
def add(name: str, is_oidc: bool, is_stdin: bool, config: str | None, as_json: bool) -> int:
    """Make an account; NAME is what its owner signs in with, such as an email address."""
    _require_one(is_oidc=is_oidc, is_stdin=is_stdin)
    with _staff_store(config) as store:
        # Nobody types a password twice to hear that the name is taken: then it is refused below.
        hashed = None if is_oidc or store.account(name) else _new_password(name, is_stdin=is_stdin)
        account = store.add_account(name, hashed, utc_now())
    say(as_json, {"account": _account_as_json(account)}, f"{account.name} can sign in {_way(account)}.")
    return EXIT_HEALTHY


@staff.command("list")
@config_option
@json_option
def list_accounts(config: str | None, as_json: bool) -> int:
    """List all accounts, disabled ones too."""
    with _staff_store(config) as store:
        accounts, last = store.accounts(), store.last_signed_in()
    if as_json:
        print_json({"accounts": [_account_as_json(one, last.get(one.name)) for one in accounts]})
        return EXIT_HEALTHY
    _print_table(
        ("account", "state", "signs in", "created", "last signed in"),
        (
            (_text(one.name), _state(_account_state(one)), _way(one), _time(one.created_at), _time(last.get(one.name)))
            for one in accounts
        ),
        "No account; telemetry-quality staff add NAME makes one.",
    )
    return EXIT_HEALTHY


@staff.command()
@name_argument
@config_option
@json_option
def disable(name: str, config: str | None, as_json: bool) -> int:
    """Shut an account out at once; its sessions and tokens end."""
    with _staff_store(config) as store:
        store.disable(name, utc_now())
        account = store.require_account(name)
    say(as_json, {"account": _account_as_json(account)}, f"{account.name} is disabled; its sessions and tokens ended.")
    return EXIT_HEALTHY


@staff.command()
@name_argument
@oidc_option
@stdin_option
@config_option
@json_option
def reset(name: str, is_oidc: bool, is_stdin: bool, config: str | None, as_json: bool) -> int:
    """Give an account a new password and enable it again; its sessions end, its tokens stay.

    With --oidc it has none afterwards, and is bound anew to who signs in with its name at the provider.
    """
    _require_one(is_oidc=is_oidc, is_stdin=is_stdin)
    with _staff_store(config) as store:
        account = store.require_account(name)
        if is_oidc:
            store.reset_oidc(name, utc_now())
        else:
            store.set_password(name, _new_password(account.name, is_stdin=is_stdin), utc_now())
        store.enable(name)
        account = store.require_account(name)
    sentence = f"{account.name} can sign in {_way(account)}; its sessions ended."
    say(as_json, {"account": _account_as_json(account)}, sentence)
    return EXIT_HEALTHY


@staff.command("sign-ins")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many at most.")
@click.option("--account", metavar="NAME", help="Those with this name only.")
@config_option
@json_option
def sign_ins(limit: int, account: str | None, config: str | None, as_json: bool) -> int:
    """Show the last attempts to sign in, the newest first."""
    with _staff_store(config) as store:
        attempts = store.sign_ins(limit, account)
    if as_json:
        print_json({"sign_ins": [_sign_in_as_json(one) for one in attempts]})
        return EXIT_HEALTHY
    _print_table(
        ("at", "account", "address", "method", "outcome"),
        (
            (_time(one.at), _text(one.account_name), _text(one.address), _text(one.method), one.outcome.value)
            for one in attempts
        ),
        "Nobody tried to sign in.",
    )
    return EXIT_HEALTHY


@staff.group()
def token() -> None:
    """Say which machines may read the JSON API on behalf of an account."""


@token.command("add")
@name_argument
@click.option("--label", metavar="TEXT", required=True, help="What it is for.")
@click.option("--days", type=click.IntRange(1, 3650), default=365, show_default=True, help="How long it is good.")
@config_option
@json_option
def add_token(name: str, label: str, days: int, config: str | None, as_json: bool) -> int:
    """Print a new token for an account's machine; it is shown this once only."""
    from telemetry_quality.storage.staff.tokens import fingerprint, new_token  # noqa: PLC0415 - loads SQLAlchemy

    text, now = new_token(), utc_now()
    with _staff_store(config) as store:
        account = store.require_account(name)
        added = store.add_token(account.id, label, fingerprint(text), now, now + timedelta(days=days))
    say(as_json, {"token": _token_as_json(added, now), "text": text}, text)
    if not as_json:
        click.echo(
            f"This is token {added.id} of {account.name}, good for {days} days; keep it, it is not shown again.",
            err=True,
        )
    return EXIT_HEALTHY


@token.command("list")
@click.option("--account", metavar="NAME", help="Those of this account only.")
@config_option
@json_option
def list_tokens(account: str | None, config: str | None, as_json: bool) -> int:
    """List all tokens, revoked and expired ones too; what they open with is known to their machines only."""
    now = utc_now()
    with _staff_store(config) as store:
        tokens = store.tokens(None if account is None else store.require_account(account).id)
    if as_json:
        print_json({"tokens": [_token_as_json(one, now) for one in tokens]})
        return EXIT_HEALTHY
    _print_table(
        ("id", "account", "label", "state", "created", "expires"),
        (
            (
                str(one.id),
                _text(one.account_name),
                _text(one.label),
                _state(_token_state(one, now)),
                _time(one.created_at),
                _time(one.expires_at),
            )
            for one in tokens
        ),
        "No token; telemetry-quality staff token add NAME makes one.",
    )
    return EXIT_HEALTHY


@token.command()
@click.argument("token_id", metavar="ID", type=click.IntRange(1, 2**31 - 1))
@config_option
@json_option
def revoke(token_id: int, config: str | None, as_json: bool) -> int:
    """Shut a machine out at once."""
    with _staff_store(config) as store:
        if not store.revoke_token(token_id, None, utc_now()):
            raise RequestError(
                f"A token that was not revoked is required, but {token_id} is none; "
                "telemetry-quality staff token list shows them."
            )
    say(as_json, {"token_id": token_id, "is_revoked": True}, f"Token {token_id} is revoked.")
    return EXIT_HEALTHY


@contextmanager
def _staff_store(config: str | None) -> Iterator[StaffStore]:
    from telemetry_quality.storage.staff.store import StaffStore  # noqa: PLC0415 - loads SQLAlchemy

    store = StaffStore(load_settings(config).store)
    try:
        yield store
    finally:
        store.close()


def _require_one(*, is_oidc: bool, is_stdin: bool) -> None:
    if is_oidc and is_stdin:
        raise click.UsageError("--oidc or --password-stdin is required, but both were given.")


def _new_password(name: str, *, is_stdin: bool) -> str:
    """The hash of a password that the owner, or a pipe, gave just now.

    Raises:
        RequestError: If it is easily guessed, or nobody is there to type it.
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
        raise RequestError("A terminal to type the password is required, but there is none; pass --password-stdin.")
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return typed


def _account_as_json(account: Account, last_signed_in_at: datetime | None = None) -> dict[str, Any]:
    return {
        "name": account.name,
        "is_active": account.is_active,
        "has_password": account.password_hash is not None,
        "is_bound_to_oidc": account.oidc_subject is not None,
        "created_at": _instant(account.created_at),
        "disabled_at": _instant(account.disabled_at),
        "last_signed_in_at": _instant(last_signed_in_at),
    }


def _token_as_json(its: Token, now: datetime) -> dict[str, Any]:
    return {
        "id": its.id,
        "account_name": its.account_name,
        "label": its.label,
        "state": _token_state(its, now),
        "created_at": _instant(its.created_at),
        "expires_at": _instant(its.expires_at),
        "revoked_at": _instant(its.revoked_at),
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


def _token_state(its: Token, now: datetime) -> str:
    if its.revoked_at is not None:
        return "revoked"
    return "expired" if its.expires_at is not None and its.expires_at <= now else "active"


def _state(state: str) -> Text:
    colour, sign = STATES[state]
    return _text(f"{sign} {state}", colour)


def _time(moment: datetime | None) -> str:
    return "–" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _text(words: str, style: str = "") -> Text:
    """Words as they are: what strangers typed may look like markup or hold control characters."""
    from rich.text import Text  # noqa: PLC0415 - late: JSON readers do not need it

    return Text(visible(words), style=style)


def _print_table(headings: Sequence[str], rows: Iterable[Sequence[str | Text]], otherwise: str) -> None:
    """A table, or a sentence where there is nothing to show."""
    from rich.table import Table  # noqa: PLC0415

    listed = list(rows)
    if not listed:
        click.echo(otherwise)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in listed:
        table.add_row(*row)
    console().print(table)
