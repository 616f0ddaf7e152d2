"""The log of account changes: whoever changes an account leaves a row, in the same transaction."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.errors import StoreError
from telemetry_quality.storage.staff.changes import COMMAND_LINE, AccountChange, Actor, ChangeKind
from telemetry_quality.storage.staff.lookup import NAME_LENGTH, Account, Role
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import NOW
from telemetry_quality_tests.storage.staff.questions import LATER, rows, url_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from telemetry_quality.storage.staff.store import StaffStore

EVE = Actor("eve", "203.0.113.7")
PROVIDER = "https://id.example.org"

CHANGES: dict[str, tuple[Callable[[StaffStore, Account], Any], ChangeKind, str]] = {
    "adding": (
        lambda store, _: store.add_account("ADA", "hash", LATER, Role.ADMIN, actor=EVE),
        ChangeKind.ADDED,
        "admin, password",
    ),
    "adding for single sign-on": (
        lambda store, _: store.add_account("ada", None, LATER, actor=EVE),
        ChangeKind.ADDED,
        "viewer, single sign-on",
    ),
    "password": (
        lambda store, ben: store.set_password(ben.name, "new hash", LATER, actor=EVE),
        ChangeKind.PASSWORD_CHANGED,
        "",
    ),
    "reset": (
        lambda store, ben: store.reset(ben.name, "new hash", LATER, actor=EVE),
        ChangeKind.RESET,
        "password, tokens revoked: 1",
    ),
    "reset for single sign-on": (
        lambda store, ben: store.reset(ben.name, None, LATER, actor=EVE),
        ChangeKind.RESET,
        "single sign-on, tokens revoked: 1",
    ),
    "role": (
        lambda store, ben: store.set_role(ben.name, Role.ADMIN, LATER, actor=EVE),
        ChangeKind.ROLE_CHANGED,
        "viewer to admin",
    ),
    "disabling": (
        lambda store, ben: store.disable(ben.name, LATER, actor=EVE),
        ChangeKind.DISABLED,
        "tokens revoked: 1",
    ),
    "binding": (
        lambda store, ben: store.bind_oidc(ben.id, PROVIDER, "1234", LATER, actor=EVE),
        ChangeKind.OIDC_BOUND,
        PROVIDER,
    ),
    "token": (
        lambda store, ben: store.add_token(ben.id, "wall", "t2", LATER, 30, actor=EVE),
        ChangeKind.TOKEN_CREATED,
        "token 2, json, valid for 30 days: wall",
    ),
    "revoking": (
        lambda store, _: store.revoke_token(1, None, LATER, actor=EVE),
        ChangeKind.TOKEN_REVOKED,
        "token 1: cron",
    ),
}
every_change = pytest.mark.parametrize("case", CHANGES)


@pytest.fixture
def member(store: StaffStore, ben: Account) -> Account:
    """An account with a session and a token."""
    store.open_session(ben.id, "s1", "oidc", NOW, LATER)
    store.add_token(ben.id, "cron", "t1", NOW, 365)
    return ben


@every_change
def test_every_change_says_what_changed_who_did_it_when_and_from_where(
    tmp_path: Path, store: StaffStore, member: Account, case: str
) -> None:
    (change, kind, detail), before = CHANGES[case], store.account_changes()
    change(store, member)
    name = "ada" if kind is ChangeKind.ADDED else "ben"
    expected = AccountChange(LATER, name, kind, "eve", "203.0.113.7", detail)
    assert store.account_changes() == [expected, *before]
    assert SqlQualityStore(url_of(tmp_path)).verify().findings == ()


@every_change
def test_a_change_that_cannot_be_recorded_is_not_made(
    tmp_path: Path, store: StaffStore, member: Account, case: str
) -> None:
    tables = ("staff_account", "staff_session", "staff_token")
    before = [rows(tmp_path, f"SELECT * FROM {table}") for table in tables]
    with closing(sqlite3.connect(tmp_path / "quality.db")) as connection, connection:
        refuse = "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        connection.execute(f"CREATE TRIGGER full BEFORE INSERT ON account_change {refuse}")
    with pytest.raises(StoreError, match="the disk is full"):
        CHANGES[case][0](store, member)
    assert [rows(tmp_path, f"SELECT * FROM {table}") for table in tables] == before


def test_enabling_and_resetting_a_disabled_account_are_recorded_as_such(store: StaffStore, ben: Account) -> None:
    store.disable(ben.name, NOW)
    store.enable(ben.name, NOW, actor=EVE)
    assert store.account_changes(1)[0] == AccountChange(NOW, "ben", ChangeKind.ENABLED, *_of(EVE), "")
    store.disable(ben.name, NOW)
    store.reset(ben.name, "hash", NOW, actor=EVE)
    assert store.account_changes(1)[0].detail == "password, was disabled, tokens revoked: 0"
    assert store.require_account(ben.name).is_active


def test_what_changes_nothing_is_not_recorded(store: StaffStore, ben: Account) -> None:
    store.bind_oidc(ben.id, PROVIDER, "1234", NOW)
    store.disable(ben.name, NOW)
    before = store.account_changes()
    store.disable(ben.name, NOW)
    store.set_role(ben.name, Role.VIEWER, NOW)
    store.bind_oidc(ben.id, PROVIDER, "1234", NOW)
    store.revoke_token(1, None, NOW)
    store.rehash(ben.id, "hash", "dearer hash")
    assert store.account_changes() == before
    store.enable(ben.name, NOW)
    store.enable(ben.name, NOW)
    assert len(store.account_changes()) == len(before) + 1


def test_whoever_does_not_say_who_they_are_is_the_command_line(store: StaffStore, ben: Account) -> None:
    assert ben
    (added,) = store.account_changes()
    assert (added.changed_by, added.address) == _of(COMMAND_LINE) == ("command line", None)


def test_only_the_last_changes_are_listed_newest_first_and_long_names_are_cut(store: StaffStore, ben: Account) -> None:
    for number in range(51):
        store.set_password(ben.name, f"hash {number}", NOW, actor=Actor("x" * 1000, "y" * 1000))
    listed = store.account_changes()
    assert len(listed) == 50
    assert {change.change for change in listed} == {ChangeKind.PASSWORD_CHANGED}
    assert (listed[0].changed_by, listed[0].address) == ("x" * NAME_LENGTH, "y" * NAME_LENGTH)
    assert store.account_changes(100)[-1].change is ChangeKind.ADDED


def test_no_change_holds_a_password_or_a_token(tmp_path: Path, store: StaffStore, member: Account) -> None:
    for case, (change, *_) in CHANGES.items():
        if case != "adding for single sign-on":
            change(store, member)
        store.enable(member.name, LATER)
    kept = repr(rows(tmp_path, "SELECT account_name, change, changed_by, address, detail FROM account_change"))
    assert not any(secret in kept for secret in ("hash", "'t1'", "t2", "1234"))


def _of(actor: Actor) -> tuple[str, str | None]:
    return actor.name, actor.address
