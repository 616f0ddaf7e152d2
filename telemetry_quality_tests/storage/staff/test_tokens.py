"""Tokens act for their account until they are revoked, and cannot be guessed."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.errors import RequestError
from telemetry_quality.storage.staff.changes import ChangeKind
from telemetry_quality.storage.staff.lookup import NAME_LENGTH, Account
from telemetry_quality.storage.staff.tokens import Scope, fingerprint, new_token
from telemetry_quality_tests.builders import NOW
from telemetry_quality_tests.storage.staff.questions import INSTANT, LATER

DAY = timedelta(days=1)

if TYPE_CHECKING:
    from telemetry_quality.storage.staff.store import StaffStore


def test_a_token_speaks_for_its_account_until_it_is_revoked(store: StaffStore, ada: Account, ben: Account) -> None:
    token = store.add_token(ada.id, " cron of the wall screen ", "t1", NOW, 1)
    assert (token.account_name, token.label, token.created_at) == (ada.name, "cron of the wall screen", NOW)
    assert (token.expires_at, token.revoked_at) == (NOW + DAY, None)
    assert store.valid_token("t1", NOW) == token
    assert store.valid_token("t2", NOW) is None
    assert not store.revoke_token(token.id, ben.id, NOW)
    assert not store.revoke_token(token.id + 1, None, NOW)
    assert store.valid_token("t1", NOW) == token
    assert store.revoke_token(token.id, ada.id, NOW)
    assert store.valid_token("t1", NOW) is None
    assert not store.revoke_token(token.id, None, LATER)
    assert store.tokens()[0].revoked_at == NOW


@pytest.mark.parametrize(
    ("moment", "is_good"), [(NOW + DAY - INSTANT, True), (NOW + DAY, False), (NOW + DAY + INSTANT, False)]
)
def test_a_token_ends_at_the_very_moment_it_expires(
    store: StaffStore, ada: Account, moment: datetime, is_good: bool
) -> None:
    store.add_token(ada.id, "cron", "t1", NOW, 1)
    assert (store.valid_token("t1", moment) is not None) is is_good


@pytest.mark.parametrize(
    ("days", "is_taken"), [(-1, False), (0, False), (1, True), (364, True), (365, True), (366, False)]
)
def test_a_token_is_valid_for_a_year_at_most_whoever_asks_the_store(
    store: StaffStore, ada: Account, days: int, is_taken: bool
) -> None:
    if is_taken:
        assert store.add_token(ada.id, "cron", "t1", NOW, days).expires_at == NOW + days * DAY
    else:
        with pytest.raises(RequestError, match=f"a number of days from 1 to 365, but {days} was found"):
            store.add_token(ada.id, "cron", "t1", NOW, days)
        assert (store.tokens(), store.account_changes()[0].change) == ([], ChangeKind.ADDED)


def test_a_token_says_on_which_day_it_was_last_used(store: StaffStore, ada: Account) -> None:
    token = store.add_token(ada.id, "cron", "t1", NOW, 365)
    store.add_token(ada.id, "other", "t2", NOW, 365)
    assert token.last_used_date is None
    store.use_token(token.id, datetime.fromisoformat("2026-06-02T01:00:00+02:00"))
    assert [found.last_used_date for found in store.tokens()] == [date(2026, 6, 1), None]


def test_tokens_are_listed_oldest_first_for_one_account_or_all(store: StaffStore, ada: Account, ben: Account) -> None:
    for number, account in enumerate((ada, ben, ada)):
        store.add_token(account.id, f"label {number}", f"t{number}", NOW, 365)
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
        store.add_token(ada.id, label, "t1", NOW, 365)
    assert store.tokens() == []


def test_a_long_label_is_cut(store: StaffStore, ada: Account) -> None:
    assert store.add_token(ada.id, "x" * 10_000, "t1", NOW, 365).label == "x" * NAME_LENGTH


def test_tokens_are_random_and_long_enough_never_to_be_guessed() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) == 46 and token.startswith("tq_") for token in tokens)
    assert fingerprint("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert len(fingerprint("a lone \udcff surrogate")) == 64


@pytest.mark.parametrize("scopes", [[Scope.JSON], [Scope.EXPORTS], [Scope.METRICS, Scope.EXPORTS]])
def test_a_token_keeps_its_scopes(store: StaffStore, ada: Account, scopes: list[Scope]) -> None:
    store.add_token(ada.id, "cron", "t1", NOW, 365, scopes=scopes)
    kept = store.valid_token("t1", NOW)
    assert kept is not None
    assert kept.scopes == set(scopes)


def test_a_token_without_a_scope_is_refused(store: StaffStore, ada: Account) -> None:
    with pytest.raises(RequestError, match=r"^A token requires a scope, .* choose among json, exports, metrics\.$"):
        store.add_token(ada.id, "cron", "t1", NOW, 365, scopes=())
