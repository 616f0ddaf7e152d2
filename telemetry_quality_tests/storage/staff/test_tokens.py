"""Tokens act for their account until they are revoked, and cannot be guessed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.errors import RequestError
from telemetry_quality.storage.staff.lookup import NAME_LENGTH, Account
from telemetry_quality.storage.staff.tokens import Scope, fingerprint, new_token
from telemetry_quality_tests.builders import NOW
from telemetry_quality_tests.storage.staff.questions import INSTANT, LATER

if TYPE_CHECKING:
    from telemetry_quality.storage.staff.store import StaffStore


def test_a_token_speaks_for_its_account_until_it_is_revoked(store: StaffStore, ada: Account, ben: Account) -> None:
    token = store.add_token(ada.id, " cron of the wall screen ", "t1", NOW, LATER)
    assert (token.account_name, token.label, token.created_at) == (ada.name, "cron of the wall screen", NOW)
    assert (token.expires_at, token.revoked_at) == (LATER, None)
    assert store.valid_token("t1", NOW) == token
    assert store.valid_token("t2", NOW) is None
    assert not store.revoke_token(token.id, ben.id, NOW)
    assert not store.revoke_token(token.id + 1, None, NOW)
    assert store.valid_token("t1", NOW) == token
    assert store.revoke_token(token.id, ada.id, NOW)
    assert store.valid_token("t1", NOW) is None
    assert not store.revoke_token(token.id, None, LATER)
    assert store.tokens()[0].revoked_at == NOW


@pytest.mark.parametrize(("moment", "is_good"), [(LATER - INSTANT, True), (LATER, False), (LATER + INSTANT, False)])
def test_a_token_ends_at_the_very_moment_it_expires(
    store: StaffStore, ada: Account, moment: datetime, is_good: bool
) -> None:
    store.add_token(ada.id, "cron", "t1", NOW, LATER)
    assert (store.valid_token("t1", moment) is not None) is is_good


def test_a_token_without_an_expiry_stays_valid(store: StaffStore, ada: Account) -> None:
    token = store.add_token(ada.id, "cron", "t1", NOW, None)
    assert store.valid_token("t1", datetime(2126, 1, 1, tzinfo=UTC)) == token


def test_tokens_are_listed_oldest_first_for_one_account_or_all(store: StaffStore, ada: Account, ben: Account) -> None:
    for number, account in enumerate((ada, ben, ada)):
        store.add_token(account.id, f"label {number}", f"t{number}", NOW, None)
    store.revoke_token(1, None, NOW)
    assert [(token.id, token.account_name, token.revoked_at) for token in store.tokens()] == [
        (1, ada.name, NOW),
        (2, "ben", None),
        (3, ada.name, None),
    ]
    assert [token.label for token in store.tokens(ben.id)] == ["label 1"]


@pytest.mark.parametrize("label", ["", "  ", "a\x1b[2J"])
def test_a_label_must_say_something(store: StaffStore, ada: Account, label: str) -> None:
    with pytest.raises(RequestError, match="A label that says what the token is for is required"):
        store.add_token(ada.id, label, "t1", NOW, None)
    assert store.tokens() == []


def test_a_long_label_is_cut(store: StaffStore, ada: Account) -> None:
    assert store.add_token(ada.id, "x" * 10_000, "t1", NOW, None).label == "x" * NAME_LENGTH


def test_tokens_are_random_and_long_enough_never_to_be_guessed() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) == 46 and token.startswith("tq_") for token in tokens)
    assert fingerprint("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert len(fingerprint("a lone \udcff surrogate")) == 64


@pytest.mark.parametrize("scopes", [[Scope.JSON], [Scope.EXPORTS], [Scope.JSON, Scope.EXPORTS]])
def test_a_token_keeps_its_scopes(store: StaffStore, ada: Account, scopes: list[Scope]) -> None:
    store.add_token(ada.id, "cron", "t1", NOW, None, scopes=scopes)
    kept = store.valid_token("t1", NOW)
    assert kept is not None
    assert kept.scopes == set(scopes)


def test_a_token_without_a_scope_is_refused(store: StaffStore, ada: Account) -> None:
    with pytest.raises(RequestError, match=r"^A token requires a scope, .* choose among json, exports\.$"):
        store.add_token(ada.id, "cron", "t1", NOW, None, scopes=())
