"""Anchors: how long every chain is, and one hash over the last hashes of all of them.

An anchor that is kept elsewhere proves later that the store still holds everything it held then: whoever cuts the end
of a chain, puts an older copy back or rewrites a chain with all its hashes cannot make the same hash. Its text contains
the lengths, so that the rows it was made of are found again after others were appended, and nothing has to be stored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, cast, func, select

from telemetry_quality.storage.hashing import content_hash
from telemetry_quality.storage.tables import CHAINED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection, Table

_FORM = re.compile(r"[a-z_]+=\d{1,18}(?:,[a-z_]+=\d{1,18})*:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Anchor:
    """The state of all chains at one moment.

    Attributes:
        lengths: The rows of each chain, by the name of its table.
        digest: The hash over the lengths and the last hash of each chain.
    """

    lengths: Mapping[str, int]
    digest: str

    def __str__(self) -> str:
        return ",".join(f"{name}={rows}" for name, rows in sorted(self.lengths.items())) + f":{self.digest}"

    @classmethod
    def parse(cls, text: str) -> Anchor:
        """The anchor that ``str`` printed; see ``is_anchor``."""
        lengths, _, digest = text.partition(":")
        pairs = (pair.split("=") for pair in lengths.split(","))
        return cls({name: int(rows) for name, rows in pairs}, digest)


def is_anchor(text: str) -> bool:
    """Whether a text has the form of an anchor."""
    return _FORM.fullmatch(text) is not None


def anchor_of(connection: Connection) -> Anchor:
    """The anchor of the store as it is now."""
    lengths = {chained.name: _length(connection, chained) for chained in CHAINED}
    return Anchor(lengths, _digest(connection, lengths))


def departures(connection: Connection, anchor: Anchor) -> Iterator[tuple[str, str]]:
    """Why the store does not go back to ``anchor``, as pairs of a table's name and a sentence; nothing if it does."""
    tables = {chained.name: chained for chained in CHAINED}
    is_cut = False
    for name, rows in anchor.lengths.items():
        found = _length(connection, tables[name]) if name in tables else 0
        if found < rows:
            is_cut = True
            sentence = f"{name} had {rows} rows when the anchor was made, but has {found}: the last rows were removed"
            yield name, f"{sentence}, or an older copy of the store was put in its place."
    if not is_cut and (anchor.lengths.keys() - tables.keys() or _digest(connection, anchor.lengths) != anchor.digest):
        sentence = "The rows that the anchor was made of have other hashes now: a chain was rewritten"
        yield "anchor", f"{sentence}, or the anchor belongs to another store."


def _length(connection: Connection, chained: Table) -> int:
    return connection.scalar(select(func.max(chained.c.sequence))) or 0


def _digest(connection: Connection, lengths: Mapping[str, int]) -> str:
    tables = {chained.name: chained for chained in CHAINED}
    ends: dict[str, Any] = {}
    for name, rows in lengths.items():
        chained = tables[name]
        # As text, whatever somebody put there: verifying the chain names a value that is none.
        last = select(cast(chained.c.content_hash, Text)).where(chained.c.sequence == rows)
        ends[name] = [rows, connection.scalar(last)]
    return content_hash(ends)
