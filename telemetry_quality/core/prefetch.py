"""Prefetch: read the next days of a source in another thread while the current ones are stored."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from telemetry_quality.core.ports import EventSource

T = TypeVar("T")

INTERRUPT_SECONDS = 0.1
"""How often a read is interrupted until it ends: between two queries there is nothing to interrupt."""


class Begin(Protocol):
    """Begins a read."""

    def __call__(self, read: Callable[[], T], /) -> Callable[[], T]:
        """Begin ``read``; the function returned waits for its result, or raises its error."""
        ...


@contextmanager
def prefetching(source: EventSource) -> Iterator[Begin]:
    """Begin reads of ``source`` before their results are needed, one at a time; none outlives the block.

    If the source cannot be interrupted from another thread, a read runs when its result is needed.
    """
    if not source.can_prefetch:
        yield lambda read: read
        return
    begun: list[Future[Any]] = []

    def begin(read: Callable[[], T]) -> Callable[[], T]:
        begun[:] = [pool.submit(read)]
        return begun[0].result

    with ThreadPoolExecutor(1, "prefetching") as pool:
        try:
            yield begin
        finally:
            while wait(begun, INTERRUPT_SECONDS).not_done:
                source.interrupt()
