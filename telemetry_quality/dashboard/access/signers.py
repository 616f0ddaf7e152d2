"""Signatures: text that a browser stores and can read, but cannot change or use after it expires."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime

from itsdangerous import BadSignature, Signer


class PurposeSigner:
    """Signs text for one purpose; text signed for another purpose is refused.

    Args:
        secret: The store's key, shared by all workers.
        purpose: What the text is for.
    """

    def __init__(self, secret: bytes, purpose: str) -> None:
        self._signer = Signer(
            secret, salt=f"telemetry-quality.{purpose}", key_derivation="hmac", digest_method=hashlib.sha256
        )

    def close(self, text: str, until: datetime) -> str:
        """``text``, signed and valid until then."""
        return self._signer.sign(f"{text}.{until.timestamp():.0f}").decode()

    def open(self, signed: str, now: datetime) -> str | None:
        """The text; None if it was changed or has expired."""
        try:
            text, _, until = self._signer.unsign(signed).decode().rpartition(".")
        except (BadSignature, UnicodeError):
            return None
        return text if now < datetime.fromtimestamp(int(until), UTC) else None


def csrf_token(secret: bytes, holder: str) -> str:
    """A token that only the dashboard's pages know, bound to ``holder``: a session or a sign-in cookie."""
    return hmac.digest(secret, f"telemetry-quality.csrf.{holder}".encode(), "sha256").hex()


def is_same(expected: str, found: str) -> bool:
    """Whether two texts are equal, in a time that does not reveal how much of them matches."""
    return hmac.compare_digest(expected.encode(), found.encode("utf-8", "replace"))
