"""The addresses of a list's other pages, orders and filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from pydantic import BaseModel

FILTERS = ("source", "status", "first", "last")
IN_ORDER = (*FILTERS, "is_open", "sort", "descending", "page_size", "page")
"""In an address, so that the same question has the same one and is kept once."""


class Address:
    """Addresses of a list that keep what was asked for, but for what is passed."""

    def __init__(self, asked: BaseModel) -> None:
        given = asked.model_dump(mode="json", exclude_defaults=True)
        # Encoded once: a page has twenty addresses that differ in one value.
        self._given = {name: _encoded(name, given[name]) for name in IN_ORDER if name in given}

    def __call__(self, **changes: Any) -> str:
        """The same page with ``changes``; another order or filter begins at the first page."""
        changed = {name: _encoded(name, value) for name, value in changes.items()}
        pieces = {**self._given, "page": "", **changed}
        return f"?{'&'.join(pieces[name] for name in IN_ORDER if pieces.get(name))}"

    def filters(self) -> str:
        """Only what says which snapshots, for the exports."""
        pieces = [self._given[name] for name in FILTERS if self._given.get(name)]
        return f"?{'&'.join(pieces)}" if pieces else ""


def _encoded(name: str, value: Any) -> str:
    return urlencode({name: str(value).lower() if isinstance(value, bool) else value}, doseq=True)
