"""Postpones Ctrl-C, so that the commit or close of a connection is not interrupted halfway."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def postponed_interrupts() -> Iterator[None]:
    """Postpone SIGINT until the block has ended, and then handle it as usual.

    For blocks that take milliseconds: Ctrl-C cannot stop anything in the block. Signals reach only the main thread,
    so there is nothing to postpone in other threads.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):
        # Ignored, fatal or not handled by Python: nothing that could interrupt the block halfway.
        yield
        return
    came: list[tuple[int, Any]] = []
    signal.signal(signal.SIGINT, lambda *seen: came.append(seen))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if came:
            handler(*came[0])
