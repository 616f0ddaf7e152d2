"""The response cache: compressed responses, valid as long as the state they show, within a fixed number of bytes."""

from __future__ import annotations

from asyncio import Lock, sleep
from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from telemetry_quality.dashboard.compression import compressed

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from telemetry_quality.dashboard.compression import Part

Loaded = TypeVar("Loaded")

LOADERS = 2
"""The number of threads that load at the same time; more would slow down the thread that serves."""

ENTRY_BYTES = 500
"""The most that an entry takes in addition to its key and its response."""


class ResponseCache:
    """Responses by key and version, for the single thread that serves.

    Args:
        max_bytes: The most that keys and responses may take together; the least recently used is evicted first.
    """

    def __init__(self, max_bytes: int = 64 * 2**20) -> None:
        self._max_bytes = max_bytes
        self._turn = Lock()
        self._loaders = CapacityLimiter(LOADERS)
        self._version: str | None = None
        self._responses: OrderedDict[Hashable, Part] = OrderedDict()
        self._bytes = 0

    async def get_or_make(self, key: Hashable, version: str, make: Callable[[], bytes]) -> Part:
        """The cached response for ``key``, or a new one, made once however many requests wait for it.

        Args:
            key: Everything the response depends on in addition to the state.
            version: The version of the state; a new version clears the cache.
            make: Makes the response, to be compressed; what it raises is raised here, and the next request tries again.
        """
        known = self._known(key, version)
        if known is not None:
            return known
        async with self._turn:
            # Requests that arrived meanwhile are accepted, and cached responses sent, before the next one is made:
            # otherwise all responses requested together would be late, and the last would be twice as late.
            await sleep(0)
            return self._known(key, version) or self._keep(key, version, compressed(make()))

    async def get_or_load(
        self, key: Hashable, version: str, load: Callable[[], Loaded], make: Callable[[Loaded], bytes]
    ) -> Part:
        """The same for a response that needs data, which is loaded in a thread first."""
        known = self._known(key, version)
        if known is not None:
            return known
        loaded = await run_sync(load, limiter=self._loaders)
        return await self.get_or_make(key, version, lambda: make(loaded))

    @property
    def size_bytes(self) -> int:
        """The size of the cache, including its keys."""
        return self._bytes

    def _known(self, key: Hashable, version: str) -> Part | None:
        if version != self._version:
            self._version = version
            self._responses.clear()
            self._bytes = 0
        if key in self._responses:
            self._responses.move_to_end(key)
        return self._responses.get(key)

    def _keep(self, key: Hashable, version: str, response: Part) -> Part:
        size = _size(key, response)
        if version == self._version and size <= self._max_bytes:
            self._responses[key] = response
            self._bytes += size
            while self._bytes > self._max_bytes:
                self._bytes -= _size(*self._responses.popitem(last=False))
        return response


def _size(key: Hashable, response: Part) -> int:
    # Keys contain what users send, such as a long query.
    return len(repr(key)) + len(response.blocks) + ENTRY_BYTES
