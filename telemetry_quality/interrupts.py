"""Ctrl-C at a moment of our choosing: a connection that is committed or closed is not cut off in the middle."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def postponed_interrupts() -> Iterator[None]:
    """Let the block end before SIGINT is handled as it would have been.

    For what takes milliseconds: nothing in the block can be stopped by Ctrl-C. Signals reach the main thread alone,
    so that in any other thread there is nothing to postpone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):
        # Ignored, deadly at once, or not Python's: nothing that could interrupt the block halfway.
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
