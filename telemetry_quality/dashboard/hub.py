"""The hub: which open pages listen, and what each of them was not sent yet."""

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
"""More pages than this are not listened to; they ask for the version instead."""

MOST_CHANGES = 50
"""More changed days than this are not named one by one."""


class Farewell(IntEnum):
    """Why a socket is closed; ``live.js`` knows the numbers."""

    UNASKED = 1008
    TRY_LATER = 1013
    SIGNED_OUT = 4401


@dataclass(frozen=True, slots=True)
class Change:
    """One day that has a new snapshot."""

    source: str
    day: str
    revision: int
    status: str


@dataclass(frozen=True, slots=True)
class UpdateEvent:
    """What is sent to open pages.

    Attributes:
        version: The state's; a page that shows another one is out of date.
        changed: The days with new snapshots since the last news, the latest ones where there are many.
    """

    version: str
    changed: tuple[Change, ...] = ()

    def after(self, earlier: UpdateEvent | None) -> UpdateEvent:
        """These news for a page that was not sent ``earlier`` yet."""
        changed = (*(earlier.changed if earlier else ()), *self.changed)
        return replace(self, changed=changed[-MOST_CHANGES:])

    def as_text(self) -> str:
        """What goes over the wire."""
        return json.dumps(asdict(self), ensure_ascii=False)


class Listener:
    """One open page; holds only what it was not sent yet, so that a slow one costs no RAM.

    Args:
        reason_to_end: Why it may not listen any longer; None as long as it may.
    """

    def __init__(self, reason_to_end: Callable[[], Farewell | None]) -> None:
        self.reason_to_end = reason_to_end
        self._update: UpdateEvent | None = None
        self._farewell: Farewell | None = None
        self._has_word = asyncio.Event()

    def publish(self, update: UpdateEvent) -> None:
        """Leave ``update`` for the page; never waits for it."""
        self._update = update.after(self._update)
        self._has_word.set()

    def dismiss(self, farewell: Farewell) -> None:
        """Let the page go."""
        self._farewell = farewell
        self._has_word.set()

    async def next_word(self) -> UpdateEvent | Farewell:
        """What the page is to be sent next, as soon as there is something."""
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
        """Whether no further page can listen."""
        return len(self._listeners) >= self._most_sockets

    @contextmanager
    def listening(self, reason_to_end: Callable[[], Farewell | None]) -> Iterator[Listener]:
        """A listener, sent the present version at once: its page may have been made a while ago."""
        listener = Listener(reason_to_end)
        if self._latest is not None:
            listener.publish(self._latest)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def publish(self, update: UpdateEvent) -> None:
        """Show every page."""
        self._latest = replace(update, changed=())
        for listener in self._listeners:
            listener.publish(update)

    def repeat(self) -> None:
        """Show every page the present version again."""
        if self._latest is not None:
            self.publish(self._latest)

    def listeners(self) -> tuple[Listener, ...]:
        """The pages that listen now."""
        return tuple(self._listeners)
