"""Content hashes: SHA-256 over canonical JSON, so that the same content has the same hash on every machine."""

from __future__ import annotations

import json
from datetime import date, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def content_hash(content: Any) -> str:
    """SHA-256 of ``content`` as JSON with sorted keys; dates and instants in ISO 8601."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=_plain)
    return sha256(text.encode()).hexdigest()


def known(values: Mapping[Any, Any], added_later: Collection[str]) -> dict[str, Any]:
    """``values`` as they are hashed: without those of columns added by a later migration that are None.

    So a row written before the migration keeps the hash it has. An edit is found all the same: whatever takes the
    place of None, and None in the place of anything, changes which names are hashed.
    """
    return {name: value for name, value in values.items() if value is not None or name not in added_later}


def row_hash(row: Mapping[Any, Any], added_later: Collection[str] = ()) -> str:
    """The hash a chained row must carry: over all its columns but the hash itself."""
    return content_hash(known({name: row[name] for name in row if name != "content_hash"}, added_later))


def _plain(value: Any) -> str:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    raise TypeError(f"Only plain values can be hashed, not {type(value).__name__}.")
