"""What a password must be like, and what is kept of it: argon2id, so that trying many costs whoever stole the store."""

from __future__ import annotations

import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.profiles import RFC_9106_LOW_MEMORY

from telemetry_quality.errors import RequestError

MINIMUM_LENGTH = 12
MAXIMUM_BYTES = 1024
"""Hashing more would let a stranger keep the processor busy."""

MINIMUM_VARIETY = 4
"""A password of fewer different characters than this is as good as none."""

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
"""What fingers do by themselves."""

COMMON_WORDS = frozenset(
    {
        *(
            "abc",
            "admin",
            "administrator",
            "changeme",
            "changemenow",
            "correcthorsebatterystaple",
            "dashboard",
            "iloveyou",
        ),
        *("letmein", "letmeinplease", "passw", "password", "pssword", "qwerty", "secret", "sunshine", "superman"),
        *("telemetry", "telemetryquality", "trustno", "welcome"),
    }
)
"""Words that the commonest passwords are made of, and this program's own; digits and signs around them help little."""

_NOBODYS_HASH = "$argon2id$v=19$m=65536,t=3,p=4$SriulojIWJpWB9hcj2OGVA$sqZ8OBziTshqHuC3cvFsEcTE0ThN6KKhkl59RyV3qIA"
"""Of a password that nobody has; made with the same costs as all others."""

_hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


def hash_password(text: str) -> str:
    """What is kept of a password; another text each time."""
    return _hasher.hash(_bytes(text))


def matches(password_hash: str | None, text: str) -> bool:
    """Whether ``text`` is the password; takes as long where there is none: nobody learns which accounts exist."""
    tried = _bytes(text)
    is_tried = len(tried) <= MAXIMUM_BYTES
    try:
        is_right = _hasher.verify(password_hash or _NOBODYS_HASH, tried if is_tried else b"")
    except (Argon2Error, InvalidHashError):
        return False
    return is_right and is_tried and password_hash is not None


def needs_rehash(password_hash: str) -> bool:
    """Whether a password should be hashed anew, with the costs of this version, at its next use."""
    return _hasher.check_needs_rehash(password_hash)


def require_good_password(text: str, name: str) -> None:
    """Let nobody choose a password that is guessed at once; the sentence never repeats it.

    Length is what counts; that letters, digits and signs be mixed is not asked for (NIST SP 800-63B-4, 3.1.1.2).

    Raises:
        RequestError: If ``text`` will not do for the account called ``name``.
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
        return f"has {len(text)}"
    repeated = _repeated_part(text.casefold().strip())
    if len(set(repeated)) < MINIMUM_VARIETY:
        return "repeats the same few characters"
    word, names = _letters(repeated), {name.casefold(), name.casefold().partition("@")[0]}
    if repeated in names or word in {_letters(one) for one in names}:
        return "is the account's name"
    if word in COMMON_WORDS or any(_is_run(part) for part in (repeated, word)):
        return "is among those that are tried first"
    return None


def _is_run(text: str) -> bool:
    return len(text) >= MINIMUM_VARIETY and any(text in run for run in RUNS)


def _repeated_part(text: str) -> str:
    """What a text says again and again; the whole of it, where it does not repeat itself."""
    return text[: (text + text).find(text, 1)] if text else text


def _letters(text: str) -> str:
    """A text without digits and signs, said once."""
    return _repeated_part("".join(one for one in text if one.isalpha()))


def _bytes(text: str) -> bytes:
    """A password as it is hashed: however its accents are typed, and whatever a form can hold."""
    return unicodedata.normalize("NFC", text).encode("utf-8", "replace")
