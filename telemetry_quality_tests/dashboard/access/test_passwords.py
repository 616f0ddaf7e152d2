"""Checking a password takes time, whether or not the account exists, and easily guessed passwords are refused."""

from __future__ import annotations

from time import perf_counter

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type
from argon2.profiles import RFC_9106_LOW_MEMORY
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from telemetry_quality.dashboard.access import passwords
from telemetry_quality.dashboard.access.passwords import (
    MAXIMUM_BYTES,
    MINIMUM_LENGTH,
    MINIMUM_VARIETY,
    hash_password,
    matches,
    needs_rehash,
    require_good_password,
)
from telemetry_quality.errors import RequestError

pytestmark = pytest.mark.slow

GOOD = "heron lamp gravel ninety"
LONGEST = "heron lamp " * 93 + "x"


@pytest.fixture(autouse=True)
def _cheap_hashing() -> None:
    """Here what hashing costs is the subject."""


@pytest.fixture(scope="module")
def kept() -> str:
    return hash_password(GOOD)


def test_the_right_password_matches_and_no_other_does(kept: str) -> None:
    assert matches(kept, GOOD)
    for other in ("", GOOD.title(), f"{GOOD} ", GOOD[:-1]):
        assert not matches(kept, other)


def test_the_hash_is_argon2id_at_the_costs_of_rfc_9106_and_different_each_time(kept: str) -> None:
    parameters = extract_parameters(kept)
    assert parameters.type is Type.ID
    assert (parameters.memory_cost, parameters.time_cost) == (64 * 1024, 3)
    assert parameters == RFC_9106_LOW_MEMORY
    assert GOOD not in kept
    assert hash_password(GOOD) != kept


@pytest.mark.parametrize("text", ["", GOOD, "x" * (MAXIMUM_BYTES + 1)])
def test_no_password_matches_an_account_without_one(text: str) -> None:
    assert not matches(None, text)


def test_a_password_without_an_account_costs_as_much_to_check_as_one_with_an_account(kept: str) -> None:
    assert extract_parameters(passwords._NOBODYS_HASH) == extract_parameters(kept)
    assert not needs_rehash(passwords._NOBODYS_HASH)
    assert shortest(None) > shortest(kept) / 3


def shortest(password_hash: str | None) -> float:
    """The seconds that an attempt takes without interference."""
    return min(seconds(password_hash) for _ in range(3))


def seconds(password_hash: str | None) -> float:
    started = perf_counter()
    assert not matches(password_hash, "not the password")
    return perf_counter() - started


@pytest.mark.parametrize("broken", ["", "plain", "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ"])
def test_an_invalid_hash_matches_nothing(broken: str) -> None:
    assert not matches(broken, "")
    assert not matches(broken, broken)


def test_a_hash_made_at_other_costs_still_matches_and_needs_a_rehash(kept: str) -> None:
    cheap = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(GOOD)
    assert matches(cheap, GOOD)
    assert (needs_rehash(cheap), needs_rehash(kept)) == (True, False)


def test_an_accent_is_the_same_however_it_is_typed() -> None:
    assert matches(hash_password("Gr\u00fcner Hering 12"), "Gru\u0308ner Hering 12")


def test_characters_without_a_utf_8_encoding_are_hashed_too() -> None:
    assert not matches(hash_password("a lone \udcff surrogate"), GOOD)


def test_a_password_over_the_limit_is_never_hashed_and_never_matches() -> None:
    assert len(LONGEST) == MAXIMUM_BYTES
    kept = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY).hash(f"{LONGEST}x")
    assert not matches(kept, f"{LONGEST}x")
    assert matches(hash_password(LONGEST), LONGEST)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "has only 0"),
        ("heron lamp "[: MINIMUM_LENGTH - 1], "has only 11"),
        (f"{LONGEST}x", "has more than 1024 bytes"),
        ("ü" * (MAXIMUM_BYTES // 2 + 1), "has more than 1024 bytes"),
        ("x" * 40, "repeats the same few characters"),
        ("abc" * 8, "repeats the same few characters"),
        ("aaaaaaaaaaab", "repeats the same few characters"),
        ("ada@example.org", "is the account's name"),
        ("ADA@example.ORG", "is the account's name"),
        ("ada@example.org1", "is the account's name"),
        ("password1234", "is among the first that attackers try"),
        ("PasswordPassword", "is among the first that attackers try"),
        ("Qwertyuiop12", "is among the first that attackers try"),
        ("ABC123456789", "is among the first that attackers try"),
        ("123456789012", "is among the first that attackers try"),
        ("123456123456", "is among the first that attackers try"),
        ("abcdefghijklm", "is among the first that attackers try"),
        ("1qaz2wsx3edc", "is among the first that attackers try"),
        ("telemetry-quality", "is among the first that attackers try"),
        ("  welcome 2026  ", "is among the first that attackers try"),
    ],
)
def test_a_password_that_is_easily_guessed_is_refused_without_being_repeated(text: str, reason: str) -> None:
    with pytest.raises(RequestError, match="A password of at least 12 characters that is not easily guessed") as no:
        require_good_password(text, "ada@example.org")
    assert f"but this one {reason}; several words in a row make a good one." in str(no.value)
    assert not text or text not in str(no.value)


@pytest.mark.parametrize("text", ["oskarheron1234", "Oskarheron-Oskarheron", "!!!oskarheron!!!"])
def test_digits_and_punctuation_around_a_name_do_not_make_it_a_password(text: str) -> None:
    with pytest.raises(RequestError, match="is the account's name"):
        require_good_password(text, "oskarheron@example.org")
    require_good_password(text, "somebody@example.org")
    require_good_password("oskarheron lamp", "oskarheron@example.org")


def test_each_of_the_ten_thousand_most_common_passwords_is_refused_whatever_is_put_around_it() -> None:
    common = FREQUENCY_LISTS["passwords"][:10_000]
    tried = [text for text in common if len(text) >= MINIMUM_LENGTH]
    tried += [f"--{text.title()}--20262026" for text in common if text.isalpha()]
    assert len(tried) > 7000
    for text in tried:
        with pytest.raises(RequestError, match="that is not easily guessed is required"):
            require_good_password(text, "ada@example.org")


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        "heron lamp g"[:MINIMUM_LENGTH],
        "heron lamp gravel",
        LONGEST,
        "abcd" * 3 + "e",
        "aaaaaaaaabcd",
        "839201745566",
        "8392abd45566",
        "password of a heron",
        "Übermäßig große Reiher",
        "correct horse 7 staples",
        "鷺と灯と砂利と九十と雨傘",
    ],
)
def test_anything_else_of_twelve_characters_is_accepted(text: str) -> None:
    assert len(text) >= MINIMUM_LENGTH
    assert len(set(text)) >= MINIMUM_VARIETY
    require_good_password(text, "ada@example.org")
