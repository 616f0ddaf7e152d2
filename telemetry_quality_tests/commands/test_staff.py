"""The command ``staff`` on a real store: accounts, tokens and attempts, with passwords that nobody sees."""

from __future__ import annotations

import getpass
import io
import json
import os
import pty
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
import pytest

from telemetry_quality import cli
from telemetry_quality.dashboard.access.passwords import matches
from telemetry_quality.storage.migrations import migrate
from telemetry_quality.storage.staff.sign_ins import SignInOutcome
from telemetry_quality.storage.staff.store import StaffStore
from telemetry_quality.storage.staff.tokens import Scope, fingerprint
from telemetry_quality_tests.builders import NOW
from telemetry_quality_tests.orchestration.station import SETTINGS
from telemetry_quality_tests.storage.examples import make_sign_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PASSWORD, OTHER = "heron lamp gravel", "ninety wet umbrellas"


class Keyboard(io.StringIO):
    """Standard input; ``is_terminal`` says whether a person is typing."""

    def __init__(self, text: str = "", *, is_terminal: bool = False) -> None:
        super().__init__(text)
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


class Terminal:
    """A folder in which the command is typed, and the store of accounts in its settings."""

    def __init__(self, staff: StaffStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.staff = staff
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def type(self, *arguments: str, stdin: str = "", hidden: Sequence[str] | None = None) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of ``telemetry-quality staff ARGUMENTS``.

        Args:
            arguments: The arguments after the command.
            stdin: What is piped into it.
            hidden: What a person types at each hidden prompt; None if there is no terminal.
        """
        self._monkeypatch.setattr(sys, "stdin", Keyboard(stdin, is_terminal=hidden is not None))
        typed = iter(hidden or ())
        self._monkeypatch.setattr(click.termui, "hidden_prompt_func", lambda _: next(typed))
        with pytest.raises(SystemExit) as stop:
            cli.main(["staff", *arguments])
        captured = self._capsys.readouterr()
        assert next(typed, None) is None, "there must be a prompt for everything that was typed"
        for secret in (PASSWORD, OTHER, "$argon2"):
            assert secret not in captured.out + captured.err
        return int(stop.value.code or 0), captured.out, captured.err

    def json(self, *arguments: str, stdin: str = "") -> tuple[int, Any]:
        code, out, _ = self.type(*arguments, "--json", stdin=stdin)
        return code, json.loads(out)

    def is_password(self, name: str, password: str) -> bool:
        return matches(self.staff.require_account(name).password_hash, password)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings and an empty store, made once, for copying."""
    made = tmp_path_factory.mktemp("staff")
    (made / "telemetry.toml").write_text(SETTINGS.format(extra=""))
    migrate(f"sqlite:///{made / 'quality.db'}")
    return made


@pytest.fixture
def terminal(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Terminal]:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    staff = StaffStore(f"sqlite:///{tmp_path / 'quality.db'}")
    yield Terminal(staff, monkeypatch, capsys)
    staff.close()


def test_an_account_is_created_with_a_password_from_standard_input(terminal: Terminal) -> None:
    code, out, err = terminal.type("add", "Ada@Example.org", "--password-stdin", stdin=f"{PASSWORD}\r\nmore\n")
    assert (code, out, err) == (0, "ada@example.org can sign in with a password.\n", "")
    assert terminal.is_password("ada@example.org", PASSWORD)


def test_an_account_is_created_with_a_password_that_is_typed_twice_and_not_shown(terminal: Terminal) -> None:
    code, out, err = terminal.type("add", "ada", hidden=[PASSWORD, OTHER, PASSWORD, PASSWORD])
    assert (code, out) == (0, "ada can sign in with a password.\n")
    assert "do not match" in err
    assert terminal.is_password("ada", PASSWORD)


def test_an_account_for_single_sign_on_has_no_password(terminal: Terminal) -> None:
    code, out, _ = terminal.type("add", "ada", "--oidc")
    assert (code, out) == (0, "ada can sign in at the OpenID Connect provider.\n")
    assert terminal.staff.require_account("ada").password_hash is None


def test_the_answer_for_machines_holds_every_field_of_an_account_and_no_hash(terminal: Terminal) -> None:
    before = datetime.now(UTC)
    code, shown = terminal.json("add", "ada", "--password-stdin", stdin=PASSWORD)
    account = shown["account"]
    assert code == 0
    assert before <= datetime.fromisoformat(account.pop("created_at")) <= datetime.now(UTC)
    assert account == {
        "name": "ada",
        "role": "viewer",
        "is_active": True,
        "has_password": True,
        "is_bound_to_oidc": False,
        "disabled_at": None,
        "last_signed_in_at": None,
    }


@pytest.mark.parametrize("command", ["add", "reset"])
@pytest.mark.parametrize(
    ("options", "stdin", "sentence"),
    [
        (["--password-stdin"], "short\n", "A password of at least 12 characters"),
        (["--password-stdin"], "", "A password of at least 12 characters"),
        ([], "", "A terminal is required to type the password, but there is none; pass --password-stdin."),
        (["--oidc", "--password-stdin"], "", "Either --oidc or --password-stdin may be given, but not both."),
    ],
)
def test_an_unacceptable_password_changes_nothing(
    terminal: Terminal, command: str, options: list[str], stdin: str, sentence: str
) -> None:
    terminal.staff.add_account("ben", "hash", NOW)
    terminal.staff.disable("ben", NOW)
    before = terminal.staff.accounts()
    code, out, err = terminal.type(command, "eve" if command == "add" else "ben", *options, stdin=stdin)
    assert (code, out) == (2, "")
    assert err.startswith(f"Error: {sentence}")
    assert terminal.staff.accounts() == before


def test_a_name_that_is_taken_is_refused_before_anybody_types_a_password(terminal: Terminal) -> None:
    terminal.staff.add_account("ada", "hash", NOW)
    code, _, err = terminal.type("add", "ADA", hidden=[])
    assert code == 2
    assert err.startswith("Error: The name of a new account is required, but 'ada' exists")
    assert terminal.json("add", "ada", "--oidc") == (2, {"error": {"sentence": err.removeprefix("Error: ").strip()}})


@pytest.mark.parametrize("arguments", [["disable"], ["reset"], ["token", "add", "--label", "cron"]])
def test_an_unknown_name_is_refused_with_a_remedy(terminal: Terminal, arguments: list[str]) -> None:
    code, _, err = terminal.type(*arguments, "eve", hidden=[])
    assert (code, err) == (
        2,
        "Error: An account is required, but 'eve' does not exist; telemetry-quality staff list shows all.\n",
    )


def test_the_list_shows_who_may_sign_in_how_and_when_they_last_did(terminal: Terminal) -> None:
    assert terminal.type("list")[1] == "There are no accounts; create one with telemetry-quality staff add NAME.\n"
    terminal.staff.add_account("ada", "hash", NOW)
    ben = terminal.staff.add_account("ben", "hash", NOW)
    terminal.staff.bind_oidc(ben.id, "https://id.example.org", "1234", NOW)
    terminal.staff.disable("ben", NOW)
    terminal.staff.record(make_sign_in(account_name="ada", outcome=SignInOutcome.SIGNED_IN))
    code, out, _ = terminal.type("list")
    heading, first, second = out.splitlines()
    assert code == 0
    assert heading.split() == ["account", "role", "state", "signs", "in", "created", "last", "signed", "in"]
    assert "ada      viewer  ✓ active    with a password " in first
    assert first.rstrip().endswith("2026-06-01 12:00:00 UTC  2026-06-01 12:00:00 UTC")
    assert "ben      viewer  ✗ disabled  with a password or at the OpenID Connect provider" in second
    assert second.rstrip().endswith("–")
    _, shown = terminal.json("list")
    assert [(account["name"], account["is_active"], account["is_bound_to_oidc"]) for account in shown["accounts"]] == [
        ("ada", True, False),
        ("ben", False, True),
    ]
    assert [account["last_signed_in_at"] for account in shown["accounts"]] == ["2026-06-01T12:00:00+00:00", None]


def test_a_disabled_account_is_locked_out_and_returns_only_by_a_reset_with_a_new_password(terminal: Terminal) -> None:
    ada = terminal.staff.add_account("ada", "hash", NOW)
    until = NOW + timedelta(days=10_000)
    terminal.staff.open_session(ada.id, "s1", "password", NOW, until)
    code, out, _ = terminal.type("disable", "ada")
    assert (code, out) == (0, "ada is disabled; its sessions and tokens have ended.\n")
    assert terminal.staff.session("s1", NOW) is None
    assert not terminal.json("disable", "ada")[1]["account"]["is_active"]
    code, out, _ = terminal.type("reset", "ADA", hidden=[OTHER, OTHER])
    assert (code, out) == (0, "ada can sign in with a password; its sessions and tokens have ended.\n")
    assert terminal.staff.require_account("ada").is_active
    assert terminal.is_password("ada", OTHER)
    assert terminal.staff.session("s1", NOW) is None


def test_a_reset_ends_sessions_and_revokes_tokens(terminal: Terminal) -> None:
    ada = terminal.staff.add_account("ada", "hash", NOW)
    terminal.staff.open_session(ada.id, "s1", "password", NOW, NOW + timedelta(days=10_000))
    terminal.staff.add_token(ada.id, "cron", "t1", NOW, 365)
    assert terminal.type("reset", "ada", "--password-stdin", stdin=OTHER)[0] == 0
    assert terminal.staff.session("s1", NOW) is None
    assert terminal.staff.valid_token("t1", NOW) is None
    assert terminal.staff.require_account("ada").is_active


def test_a_reset_for_single_sign_on_removes_the_password_and_the_bound_identity(terminal: Terminal) -> None:
    ada = terminal.staff.add_account("ada", "hash", NOW)
    terminal.staff.bind_oidc(ada.id, "https://id.example.org", "1234", NOW)
    code, shown = terminal.json("reset", "ada", "--oidc")
    assert (code, shown["account"]["has_password"], shown["account"]["is_bound_to_oidc"]) == (0, False, False)


def test_the_reset_password_must_not_be_the_name_either(terminal: Terminal) -> None:
    terminal.staff.add_account("ada@example.org", "hash", NOW)
    code, _, err = terminal.type("reset", "Ada@example.org", "--password-stdin", stdin="ada@example.org")
    assert code == 2
    assert "this one is the account's name" in err


def test_a_token_is_printed_alone_on_standard_output_and_is_accepted(terminal: Terminal) -> None:
    terminal.staff.add_account("ada", "hash", NOW)
    code, out, err = terminal.type("token", "add", "ada", "--label", "cron", "--days", "7")
    token = out.removesuffix("\n")
    assert (code, len(token), token[:3]) == (0, 46, "tq_")
    assert err == "This is token 1 of ada, valid for 7 days; copy it now, it is not shown again.\n"
    kept = terminal.staff.valid_token(fingerprint(token), datetime.now(UTC))
    assert kept is not None
    assert (kept.account_name, [*kept.scopes]) == ("ada", [Scope.JSON])
    listed = terminal.type("token", "list")[1] + json.dumps(terminal.json("token", "list")[1])
    assert token not in listed
    assert fingerprint(token) not in listed


@pytest.mark.parametrize(("options", "days"), [([], 365), (["--days", "1"], 1), (["--days", "365"], 365)])
def test_a_token_is_valid_for_a_year_or_the_given_days(terminal: Terminal, options: list[str], days: int) -> None:
    terminal.staff.add_account("ada", "hash", NOW)
    _, shown = terminal.json("token", "add", "ada", "--label", "cron", *options)
    token = shown["token"]
    assert (token["id"], token["account_name"], token["label"], token["state"]) == (1, "ada", "cron", "active")
    assert token["revoked_at"] is None
    lasts = datetime.fromisoformat(token["expires_at"]) - datetime.fromisoformat(token["created_at"])
    assert lasts == timedelta(days=days)
    assert terminal.staff.valid_token(fingerprint(shown["text"]), datetime.now(UTC)) is not None


@pytest.mark.parametrize("options", [[], ["--label", " "], ["--label", "cron", "--days", "0"]])
def test_a_token_without_a_label_or_a_lifetime_is_refused(terminal: Terminal, options: list[str]) -> None:
    terminal.staff.add_account("ada", "hash", NOW)
    assert terminal.type("token", "add", "ada", *options)[0] == 2
    assert terminal.staff.tokens() == []


def test_tokens_are_listed_with_their_state_for_all_or_one_account(terminal: Terminal) -> None:
    assert (
        terminal.type("token", "list")[1]
        == "There are no tokens; create one with telemetry-quality staff token add NAME.\n"
    )
    ada, ben = (terminal.staff.add_account(name, "hash", NOW) for name in ("ada", "ben"))
    terminal.staff.add_token(ada.id, "[red]wall", "t1", datetime.now(UTC), 365)
    terminal.staff.add_token(ada.id, "old", "t2", NOW, 1)
    terminal.staff.add_token(ben.id, "cron", "t3", NOW, 365)
    assert terminal.type("token", "revoke", "3")[:2] == (0, "Token 3 has been revoked.\n")
    assert terminal.staff.valid_token("t3", NOW) is None
    terminal.staff.use_token(1, NOW)
    _, out, _ = terminal.type("token", "list")
    used = [re.split(" {2,}", line.strip())[-2] for line in out.splitlines()[1:]]
    assert used == ["2026-06-01", "never", "never"]
    for state, line in zip(("✓ active", "! expired", "✗ revoked"), out.splitlines()[1:], strict=True):
        assert state in line
    assert "[red]wall" in out
    _, shown = terminal.json("token", "list", "--account", "ADA")
    assert [(token["id"], token["state"]) for token in shown["tokens"]] == [(1, "active"), (2, "expired")]


@pytest.mark.parametrize("number", ["1", "2"])
def test_a_token_that_does_not_exist_or_was_revoked_cannot_be_revoked(terminal: Terminal, number: str) -> None:
    ada = terminal.staff.add_account("ada", "hash", NOW)
    terminal.staff.add_token(ada.id, "cron", "t1", NOW, 365)
    terminal.staff.revoke_token(1, None, NOW)
    code, _, err = terminal.type("token", "revoke", number)
    assert code == 2
    assert err == (
        f"Error: The number of an unrevoked token is required, but {number} is not one; "
        "telemetry-quality staff token list shows them.\n"
    )


def test_the_answer_for_machines_says_that_a_token_is_revoked(terminal: Terminal) -> None:
    ada = terminal.staff.add_account("ada", "hash", NOW)
    terminal.staff.add_token(ada.id, "cron", "t1", NOW, 365)
    assert terminal.json("token", "revoke", "1") == (0, {"token_id": 1, "is_revoked": True})


def test_what_a_command_changes_is_recorded_as_done_by_the_user_of_the_system(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert terminal.type("log")[:2] == (0, "No account has been changed.\n")
    monkeypatch.setenv("LOGNAME", "grace")
    terminal.type("add", "ada", "--oidc")
    terminal.type("role", "ada", "admin")
    terminal.type("token", "add", "ada", "--label", "[red]wall")
    terminal.type("token", "revoke", "1")
    terminal.type("disable", "ada")
    terminal.type("reset", "ada", "--password-stdin", stdin=PASSWORD)
    code, shown = terminal.json("log")
    assert code == 0
    assert [change["change"] for change in shown["changes"]] == [
        "reset",
        "disabled",
        "token_revoked",
        "token_created",
        "role_changed",
        "added",
    ]
    last = shown["changes"][0]
    assert datetime.fromisoformat(last.pop("at")).tzinfo is not None
    assert last == {
        "account_name": "ada",
        "change": "reset",
        "changed_by": "grace",
        "address": None,
        "detail": "password, was disabled, tokens revoked: 0",
    }
    assert {change["changed_by"] for change in shown["changes"]} == {"grace"}
    _, out, _ = terminal.type("log", "--limit", "3")
    assert [word in out for word in ("reset", "token_revoked", "token_created", "[red]wall")] == [
        True,
        True,
        False,
        True,
    ]


def test_a_user_without_a_name_is_the_command_line(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise OSError

    monkeypatch.setattr(getpass, "getuser", nameless)
    terminal.type("add", "ada", "--oidc")
    assert terminal.json("log")[1]["changes"][0]["changed_by"] == "command line"


def test_attempts_are_shown_newest_first_with_control_characters_escaped(terminal: Terminal) -> None:
    assert terminal.type("sign-ins")[:2] == (0, "Nobody has tried to sign in.\n")
    for number, name in enumerate(("ada", "[red]\x1b[2Jeve", "ada")):
        terminal.staff.record(make_sign_in(at=NOW + timedelta(seconds=number), account_name=name))
    code, out, _ = terminal.type("sign-ins", "--limit", "2")
    heading, first, second = out.splitlines()
    assert (code, heading.split()) == (0, ["at", "account", "address", "method", "outcome"])
    assert first.split() == ["2026-06-01", "12:00:02", "UTC", "ada", "192.0.2.7", "password", "wrong_password"]
    assert "[red]�[2jeve" in second
    assert "\x1b" not in out
    _, shown = terminal.json("sign-ins", "--account", "ADA")
    assert shown["sign_ins"][1] == {
        "at": "2026-06-01T12:00:00+00:00",
        "account_name": "ada",
        "address": "192.0.2.7",
        "method": "password",
        "outcome": "wrong_password",
    }
    assert len(shown["sign_ins"]) == 2


def test_a_store_that_was_not_migrated_says_what_to_run(terminal: Terminal, tmp_path: Path) -> None:
    terminal.staff.close()
    (tmp_path / "quality.db").unlink()
    code, _, err = terminal.type("list")
    assert code == 2
    assert "run telemetry-quality migrate" in err
    assert not (tmp_path / "quality.db").exists()


@pytest.mark.slow
def test_a_real_terminal_does_not_show_what_is_typed(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    person, terminal = pty.openpty()
    command = [sys.executable, "-m", "telemetry_quality", "staff", "add", "ada"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    )
    shown = ""
    for expected in ("Password: ", "Repeat for confirmation: ", "ada can sign in with a password."):
        while expected not in shown:
            shown += os.read(person, 1024).decode()
        if expected.endswith(": "):
            os.write(person, f"{PASSWORD}\n".encode())
    assert process.wait(60) == 0
    os.close(person)
    os.close(terminal)
    assert PASSWORD not in shown


def test_roles_are_given_with_an_account_and_changed_later(terminal: Terminal) -> None:
    assert terminal.json("add", "ada", "--oidc", "--role", "operator")[1]["account"]["role"] == "operator"
    assert terminal.type("role", "ADA", "admin")[:2] == (0, "ada has the role admin.\n")
    assert "admin" in terminal.type("list")[1]
    assert terminal.type("role", "ada", "king")[0] == 2
    assert terminal.type("role", "nobody", "viewer")[0] == 2


def test_a_token_is_valid_for_a_year_at_most(terminal: Terminal) -> None:
    terminal.staff.add_account("ada", "hash", NOW)
    assert terminal.type("token", "add", "ada", "--label", "cron", "--days", "366")[0] == 2
    assert terminal.staff.tokens() == []


def test_a_token_reads_what_its_scopes_say(terminal: Terminal) -> None:
    terminal.staff.add_account("ada", "hash", NOW)
    scopes = ["--scope", "exports", "--scope", "json"]
    _, shown = terminal.json("token", "add", "ada", "--label", "x", *scopes)
    assert shown["token"]["scopes"] == ["exports", "json"]
    assert "exports, json" in terminal.type("token", "list")[1]
