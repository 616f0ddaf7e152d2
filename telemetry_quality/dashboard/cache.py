"""The response cache: rendered responses, valid as long as the state they were made of, in a fixed number of bytes."""

from __future__ import annotations

from asyncio import Lock, sleep
from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Loaded = TypeVar("Loaded")

LOADERS = 2
"""Threads that load at the same time; more would keep the one that serves from its turn."""

ENTRY_BYTES = 500
"""What an entry takes beside its key and its answer, at most."""


class ResponseCache:
    """Answers by key and version, for the one thread that serves.

    Args:
        max_bytes: What keys and answers may take together; the one longest unasked for is forgotten first.
    """

    def __init__(self, max_bytes: int = 64 * 2**20) -> None:
        self._max_bytes = max_bytes
        self._turn = Lock()
        self._loaders = CapacityLimiter(LOADERS)
        self._version: str | None = None
        self._responses: OrderedDict[Hashable, bytes] = OrderedDict()
        self._bytes = 0

    async def get_or_make(self, key: Hashable, version: str, make: Callable[[], bytes]) -> bytes:
        """The response kept for ``key``, or a new one; made once, however many ask for it at the same time.

        Args:
            key: Everything the response depends on beside the state.
            version: The state's. All responses of another one are forgotten.
            make: Called in turn, and what it raises is raised; the next who asks tries again.
        """
        known = self._known(key, version)
        if known is not None:
            return known
        async with self._turn:
            # Whoever came in meanwhile is heard before the next answer is made, and those that are kept are given
            # out: made in one go, all that were asked for together would be late, and the last one twice as late.
            await sleep(0)
            return self._known(key, version) or self._keep(key, version, make())

    async def get_or_load(
        self, key: Hashable, version: str, load: Callable[[], Loaded], make: Callable[[Loaded], bytes]
    ) -> bytes:
        """The same where something must be loaded first, which is done in a thread."""
        known = self._known(key, version)
        if known is not None:
            return known
        loaded = await run_sync(load, limiter=self._loaders)
        return await self.get_or_make(key, version, lambda: make(loaded))

    @property
    def size_bytes(self) -> int:
        """What is kept now, keys included."""
        return self._bytes

    def _known(self, key: Hashable, version: str) -> bytes | None:
        if version != self._version:
            self._version = version
            self._responses.clear()
            self._bytes = 0
        if key in self._responses:
            self._responses.move_to_end(key)
        return self._responses.get(key)

    def _keep(self, key: Hashable, version: str, response: bytes) -> bytes:
        size = _size(key, response)
        if version == self._version and size <= self._max_bytes:
            self._responses[key] = response
            self._bytes += size
            while self._bytes > self._max_bytes:
                self._bytes -= _size(*self._responses.popitem(last=False))
        return response


def _size(key: Hashable, response: bytes) -> int:
    # Keys hold what users send, such as a long query.
    return len(repr(key)) + len(response) + ENTRY_BYTES
