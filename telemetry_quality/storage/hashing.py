"""Content hashes: SHA-256 over canonical JSON, so that the same content has the same hash on every machine."""

from __future__ import annotations

import json
from datetime import date, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def content_hash(content: Any) -> str:
    """SHA-256 of ``content`` as JSON with sorted keys; dates and instants in ISO 8601."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=_plain)
    return sha256(text.encode()).hexdigest()


def row_hash(row: Mapping[Any, Any]) -> str:
    """The hash that a chained row must contain: over all its columns except the hash itself."""
    return content_hash({name: row[name] for name in row if name != "content_hash"})


def _plain(value: Any) -> str:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    raise TypeError(f"Only plain values can be hashed, not {type(value).__name__}.")
