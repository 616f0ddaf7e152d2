"""Accounts: disabling takes effect at once, and nobody can take over another's name or identity."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.errors import RequestError
from telemetry_quality.storage.staff.lookup import NAME_LENGTH, Account, Role
from telemetry_quality_tests.builders import NOW
from telemetry_quality_tests.storage.staff.questions import LATER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from telemetry_quality.storage.staff.store import StaffStore


def test_a_new_account_is_found_in_upper_and_lower_case(store: StaffStore) -> None:
    added = store.add_account(" Ada@Example.ORG ", "hash", NOW)
    assert (added.name, added.password_hash, added.is_active) == ("ada@example.org", "hash", True)
    assert (added.created_at, added.disabled_at, added.oidc_subject, added.oidc_issuer) == (NOW, None, None, None)
    assert store.account("ADA@example.org") == store.require_account("ada@Example.org") == added
    assert store.account("ada") is None


def test_accounts_are_listed_by_name_with_those_that_are_disabled(store: StaffStore, ben: Account) -> None:
    store.add_account("Ada", "hash", NOW)
    store.disable("ben", LATER)
    assert [(account.name, account.is_active, account.disabled_at) for account in store.accounts()] == [
        ("ada", True, None),
        ("ben", False, LATER),
    ]


@pytest.mark.parametrize("name", ["ada@example.org", "ADA@EXAMPLE.ORG", "ａda@example.org"])
def test_a_name_that_is_taken_is_refused_however_it_is_written(store: StaffStore, ada: Account, name: str) -> None:
    with pytest.raises(RequestError, match=r"but 'ada@example\.org' exists already; .* staff reset"):
        store.add_account(name, "other", NOW)
    assert store.accounts() == [ada]


@pytest.mark.parametrize("name", ["", " ", "a b", "a\tb", "a\x00b", "a\x1b[2Jb", "a\u202eb", "x" * (NAME_LENGTH + 1)])
def test_a_name_that_could_be_mistaken_is_refused(store: StaffStore, name: str) -> None:
    with pytest.raises(RequestError, match="name of 1 to 200 printable characters without spaces is required") as no:
        store.add_account(name, None, NOW)
    assert len(str(no.value)) < 400
    assert store.accounts() == []


@pytest.mark.parametrize("length", [1, NAME_LENGTH - 1, NAME_LENGTH])
def test_a_name_may_be_as_long_as_it_is_kept(store: StaffStore, length: int) -> None:
    assert store.add_account("x" * length, None, NOW).name == "x" * length


def test_a_name_that_nobody_has_is_refused_wherever_an_account_is_changed(store: StaffStore, ada: Account) -> None:
    changes: list[Callable[[], Any]] = [
        lambda: store.require_account("eve"),
        lambda: store.set_password("eve", "hash", NOW),
        lambda: store.reset("eve", None, NOW),
        lambda: store.disable("eve", NOW),
        lambda: store.enable("eve", NOW),
    ]
    for change in changes:
        with pytest.raises(RequestError, match="'eve' does not exist; telemetry-quality staff list shows all"):
            change()
    assert store.accounts() == [ada]


def test_a_new_password_replaces_the_old_one_and_ends_the_sessions_opened_with_it(
    store: StaffStore, ada: Account, ben: Account
) -> None:
    store.open_session(ada.id, "s1", "password", NOW, LATER)
    store.open_session(ben.id, "s2", "oidc", NOW, LATER)
    store.set_password("ADA@example.org", "new hash", NOW)
    assert store.require_account(ada.name).password_hash == "new hash"
    assert store.session("s1", NOW) is None
    assert store.session("s2", NOW) is not None
    assert store.require_account("ben").password_hash is None


def test_rehashing_a_password_ends_no_session_and_never_restores_an_old_password(
    store: StaffStore, ada: Account
) -> None:
    store.open_session(ada.id, "s1", "password", NOW, LATER)
    store.rehash(ada.id, "hash", "dearer hash")
    assert store.require_account(ada.name).password_hash == "dearer hash"
    assert store.session("s1", NOW) is not None
    store.set_password(ada.name, "hash of another password", NOW)
    store.rehash(ada.id, "dearer hash", "still dearer hash")
    assert store.require_account(ada.name).password_hash == "hash of another password"


def test_disabling_ends_sessions_and_tokens_at_once_and_for_good(store: StaffStore, ada: Account, ben: Account) -> None:
    for account in (ada, ben):
        store.open_session(account.id, f"session of {account.name}", "password", NOW, LATER)
        store.add_token(account.id, "cron", f"token of {account.name}", NOW, 365)
    store.disable(ada.name, NOW)
    for _ in range(2):
        assert store.session("session of ada@example.org", NOW) is None
        assert store.sessions(ada.id, NOW) == []
        assert store.valid_token("token of ada@example.org", NOW) is None
        assert store.tokens(ada.id)[0].revoked_at == NOW
        store.enable(ada.name, NOW)
        assert store.require_account(ada.name) == ada
    assert store.session("session of ben", NOW) is not None
    assert store.valid_token("token of ben", NOW) is not None


def test_a_disabled_account_is_shut_out_even_where_a_session_or_a_token_were_left(
    tmp_path: Path, store: StaffStore, ada: Account
) -> None:
    store.open_session(ada.id, "s1", "password", NOW, LATER)
    store.add_token(ada.id, "cron", "t1", NOW, 365)
    connection = sqlite3.connect(tmp_path / "quality.db")
    connection.execute("UPDATE staff_account SET disabled_at = '2026-06-01 12:00:00.000000'")
    connection.commit()
    connection.close()
    assert (store.session("s1", NOW), store.sessions(ada.id, NOW), store.valid_token("t1", NOW)) == (None, [], None)


def test_disabling_twice_keeps_the_first_time(store: StaffStore, ada: Account) -> None:
    store.disable(ada.name, NOW)
    store.disable(ada.name, LATER)
    assert store.require_account(ada.name).disabled_at == NOW


def test_a_disabled_account_gets_neither_session_nor_token(store: StaffStore, ada: Account) -> None:
    store.disable(ada.name, NOW)
    with pytest.raises(RequestError, match=r"'ada@example\.org' is disabled or missing"):
        store.open_session(ada.id, "s1", "password", NOW, LATER)
    with pytest.raises(RequestError, match="number 77 is disabled or missing"):
        store.add_token(77, "cron", "t1", NOW, 365)
    store.enable(ada.name, NOW)
    assert store.sessions(ada.id, NOW) == []
    assert store.tokens() == []


def test_an_account_is_bound_to_one_subject_at_the_provider_and_to_no_other(store: StaffStore, ben: Account) -> None:
    store.bind_oidc(ben.id, "https://id.example.org", "1234", NOW)
    store.bind_oidc(ben.id, "https://id.example.org", "1234", NOW)
    for issuer, subject in (("https://id.example.org", "5678"), ("https://other.example.org", "1234")):
        with pytest.raises(RequestError, match="not bound to somebody else at the OpenID Connect provider"):
            store.bind_oidc(ben.id, issuer, subject, NOW)
    bound = store.require_account("ben")
    assert (bound.oidc_issuer, bound.oidc_subject) == ("https://id.example.org", "1234")


def test_one_subject_at_the_provider_has_one_account(store: StaffStore, ada: Account, ben: Account) -> None:
    store.bind_oidc(ada.id, "https://id.example.org", "1234", NOW)
    with pytest.raises(RequestError, match="not bound to somebody else"):
        store.bind_oidc(ben.id, "https://id.example.org", "1234", NOW)
    with pytest.raises(RequestError, match="not bound to somebody else"):
        store.bind_oidc(77, "https://id.example.org", "9999", NOW)
    assert store.require_account("ben").oidc_subject is None
    store.bind_oidc(ben.id, "https://other.example.org", "1234", NOW)


def test_a_reset_lets_an_account_be_bound_again_and_removes_password_and_sessions(
    store: StaffStore, ada: Account
) -> None:
    store.bind_oidc(ada.id, "https://id.example.org", "1234", NOW)
    store.open_session(ada.id, "s1", "oidc", NOW, LATER)
    store.reset(ada.name, None, NOW)
    assert store.session("s1", NOW) is None
    assert store.require_account(ada.name).password_hash is None
    store.bind_oidc(ada.id, "https://new.example.org", "1234", NOW)
    assert store.require_account(ada.name).oidc_issuer == "https://new.example.org"


def test_an_account_is_a_viewer_until_it_gets_another_role(store: StaffStore, ada: Account, ben: Account) -> None:
    assert ada.role is Role.VIEWER
    store.set_role("ADA@example.org", Role.ADMIN, NOW)
    assert (store.require_account(ada.name).role, store.require_account(ben.name).role) == (Role.ADMIN, Role.VIEWER)
    with pytest.raises(RequestError, match="An account is required"):
        store.set_role("nobody", Role.ADMIN, NOW)


def test_each_role_includes_those_before_it_and_itself() -> None:
    included = [[other.value for other in Role if role.includes(other)] for role in Role]
    assert included == [["viewer"], ["viewer", "operator"], ["viewer", "operator", "admin"]]
