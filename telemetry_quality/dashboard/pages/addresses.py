"""Addresses of a list with other pages, orders or filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from pydantic import BaseModel

FILTERS = ("source", "status", "first", "last")
IN_ORDER = (*FILTERS, "is_open", "assignee", "is_assigned", "sort", "descending", "page_size", "page")
"""The order of parameters, so that the same query always has the same address and is cached once."""


class Address:
    """Builds addresses of a list from the current parameters, with changes."""

    def __init__(self, asked: BaseModel) -> None:
        given = asked.model_dump(mode="json", exclude_defaults=True)
        # Encoded once: a page has twenty addresses that differ in one parameter.
        self._given = {name: _encoded(name, given[name]) for name in IN_ORDER if name in given}

    def __call__(self, **changes: Any) -> str:
        """The address of this list with ``changes``; a new order or filter starts at the first page."""
        changed = {name: _encoded(name, value) for name, value in changes.items()}
        pieces = {**self._given, "page": "", **changed}
        return f"?{'&'.join(pieces[name] for name in IN_ORDER if pieces.get(name))}"

    def filters(self) -> str:
        """Only the filters, for the exports."""
        pieces = [self._given[name] for name in FILTERS if self._given.get(name)]
        return f"?{'&'.join(pieces)}" if pieces else ""


def _encoded(name: str, value: Any) -> str:
    return urlencode({name: str(value).lower() if isinstance(value, bool) else value}, doseq=True)
