"""Password rules and hashes: argon2id makes guessing expensive for somebody who stole the store."""

from __future__ import annotations

import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.profiles import RFC_9106_LOW_MEMORY

from telemetry_quality.errors import RequestError

MINIMUM_LENGTH = 12
MAXIMUM_BYTES = 1024
"""Hashing longer passwords would let a stranger keep the processor busy."""

MINIMUM_VARIETY = 4
"""A password with fewer distinct characters is too easy to guess."""

RUNS = (
    "0123456789" * 4,
    "9876543210" * 4,
    "abcdefghijklmnopqrstuvwxyz" * 2,
    "qwertyuiop[]asdfghjkl;'zxcvbnm",
    "qwertyuiopasdfghjklzxcvbnm",
    "1q2w3e4r5t6y7u8i9o0p",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "qazwsxedcrfvtgbyhnujm",
)
"""Sequences that fingers type by themselves."""

COMMON_PASSWORDS = 10_000
"""So many of the most common passwords are refused, also with digits and punctuation around them or repeated."""

OWN_WORDS = frozenset(
    {
        *(
            "abc",
            "administrator",
            "changemenow",
            "correcthorsebatterystaple",
            "dashboard",
            "letmeinplease",
            "passw",
            "pssword",
        ),
        *("telemetry", "telemetryquality"),
    }
)
"""Words of this program and of long passwords that the list of common ones lacks; treated alike."""

_NOBODYS_HASH = "$argon2id$v=19$m=65536,t=3,p=4$SriulojIWJpWB9hcj2OGVA$sqZ8OBziTshqHuC3cvFsEcTE0ThN6KKhkl59RyV3qIA"
"""The hash of a password that nobody has, made at the same cost as all others."""

_hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


def hash_password(text: str) -> str:
    """The stored hash of a password, different each time because of its salt."""
    return _hasher.hash(_bytes(text))


def matches(password_hash: str | None, text: str) -> bool:
    """Whether ``text`` is the password; equally slow without a hash, so that nobody learns which accounts exist."""
    tried = _bytes(text)
    is_tried = len(tried) <= MAXIMUM_BYTES
    try:
        is_right = _hasher.verify(password_hash or _NOBODYS_HASH, tried if is_tried else b"")
    except (Argon2Error, InvalidHashError):
        return False
    return is_right and is_tried and password_hash is not None


def needs_rehash(password_hash: str) -> bool:
    """Whether a password should be rehashed at its next use, with the cost parameters of this version."""
    return _hasher.check_needs_rehash(password_hash)


def require_good_password(text: str, name: str) -> None:
    """Refuse a password that is easily guessed; the message never repeats it.

    Only length counts; no mix of letters, digits and punctuation is required (NIST SP 800-63B-4, 3.1.1.2).

    Raises:
        RequestError: If ``text`` is too weak for the account called ``name``.
    """
    found = _weakness(text, name)
    if found is not None:
        raise RequestError(
            f"A password of at least {MINIMUM_LENGTH} characters that is not easily guessed is required, "
            f"but this one {found}; several words in a row make a good one."
        )


def _weakness(text: str, name: str) -> str | None:
    if len(_bytes(text)) > MAXIMUM_BYTES:
        return f"has more than {MAXIMUM_BYTES} bytes"
    if len(text) < MINIMUM_LENGTH:
        return f"has only {len(text)}"
    whole = text.casefold().strip()
    repeated = _repeated_part(whole)
    if len(set(repeated)) < MINIMUM_VARIETY:
        return "repeats the same few characters"
    word, names = _letters(repeated), {name.casefold(), name.casefold().partition("@")[0]}
    if repeated in names or word in {_letters(account) for account in names}:
        return "is the account's name"
    if {whole, repeated, _only_letters(whole), word} & _common_passwords() or any(
        _is_run(part) for part in (repeated, word)
    ):
        return "is among the first that attackers try"
    return None


@cache
def _common_passwords() -> frozenset[str]:
    """The most common passwords of known breaches, as the list of zxcvbn ranks them."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # noqa: PLC0415 - takes a moment, and few set a password

    return frozenset(FREQUENCY_LISTS["passwords"][:COMMON_PASSWORDS]) | OWN_WORDS


def _is_run(text: str) -> bool:
    return len(text) >= MINIMUM_VARIETY and any(text in run for run in RUNS)


def _repeated_part(text: str) -> str:
    """The part that a text repeats; the whole text if it does not repeat itself."""
    return text[: (text + text).find(text, 1)] if text else text


def _letters(text: str) -> str:
    """The letters of a text, without repetition."""
    return _repeated_part(_only_letters(text))


def _only_letters(text: str) -> str:
    return "".join(character for character in text if character.isalpha())


def _bytes(text: str) -> bytes:
    """The bytes of a password to hash: accents are normalized, and anything a form can hold is accepted."""
    return unicodedata.normalize("NFC", text).encode("utf-8", "replace")
