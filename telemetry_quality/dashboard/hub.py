"""The hub: the open pages that listen, and the update events not yet sent to each."""

from __future__ import annotations

import asyncio
import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_SOCKETS = 1000
"""The maximum number of open sockets; further pages poll the version instead."""

MOST_CHANGES = 50
"""The maximum number of changed days that an update event names."""


class Farewell(IntEnum):
    """Why a socket is closed; ``live.js`` knows the numbers."""

    UNASKED = 1008
    TRY_LATER = 1013
    SIGNED_OUT = 4401


@dataclass(frozen=True, slots=True)
class Change:
    """A day that has a new snapshot."""

    source: str
    day: str
    revision: int
    status: str


@dataclass(frozen=True, slots=True)
class UpdateEvent:
    """A change of the state, as sent to open pages.

    Attributes:
        version: The version of the state; a page that shows another version is out of date.
        changed: The days with new snapshots since the last update event; only the latest if there are many.
    """

    version: str
    changed: tuple[Change, ...] = ()

    def after(self, earlier: UpdateEvent | None) -> UpdateEvent:
        """This update event for a page to which ``earlier`` has not been sent yet."""
        changed = (*(earlier.changed if earlier else ()), *self.changed)
        return replace(self, changed=changed[-MOST_CHANGES:])

    def as_text(self) -> str:
        """The update event as JSON text."""
        return json.dumps(asdict(self), ensure_ascii=False)


class Listener:
    """An open page; holds only what has not been sent yet, so a slow page costs no RAM.

    Args:
        reason_to_end: Returns why the page may no longer listen; None while it may.
    """

    def __init__(self, reason_to_end: Callable[[], Farewell | None]) -> None:
        self.reason_to_end = reason_to_end
        self._update: UpdateEvent | None = None
        self._farewell: Farewell | None = None
        self._has_word = asyncio.Event()

    def publish(self, update: UpdateEvent) -> None:
        """Queue ``update`` for the page; never waits."""
        self._update = update.after(self._update)
        self._has_word.set()

    def dismiss(self, farewell: Farewell) -> None:
        """Queue the end of the connection."""
        self._farewell = farewell
        self._has_word.set()

    async def next_word(self) -> UpdateEvent | Farewell:
        """Wait for the next thing to send to the page."""
        while True:
            await self._has_word.wait()
            self._has_word.clear()
            if self._farewell is not None:
                return self._farewell
            if self._update is not None:
                update, self._update = self._update, None
                return update


class Hub:
    """The open pages of this process; belongs to its event loop."""

    def __init__(self, most_sockets: int = MOST_SOCKETS) -> None:
        self._listeners: set[Listener] = set()
        self._most_sockets = most_sockets
        self._latest: UpdateEvent | None = None

    def __len__(self) -> int:
        return len(self._listeners)

    @property
    def is_full(self) -> bool:
        """Whether the maximum number of pages is listening."""
        return len(self._listeners) >= self._most_sockets

    @contextmanager
    def listening(self, reason_to_end: Callable[[], Farewell | None]) -> Iterator[Listener]:
        """A listener, which gets the current version at once because its page may be a while old."""
        listener = Listener(reason_to_end)
        if self._latest is not None:
            listener.publish(self._latest)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def publish(self, update: UpdateEvent) -> None:
        """Queue ``update`` for every page."""
        self._latest = replace(update, changed=())
        for listener in self._listeners:
            listener.publish(update)

    def repeat(self) -> None:
        """Queue the current version for every page again."""
        if self._latest is not None:
            self.publish(self._latest)

    def listeners(self) -> tuple[Listener, ...]:
        """The pages that are listening now."""
        return tuple(self._listeners)
