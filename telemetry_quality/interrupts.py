"""Postpones Ctrl-C, so that the commit or close of a connection is not interrupted halfway."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

PATIENCE_SECONDS = 2.0
"""How long Ctrl-C is postponed; a block that takes longer waits for something that may never come."""


@contextmanager
def postponed_interrupts() -> Iterator[None]:
    """Postpone SIGINT until the block has ended, but not for long, and then handle it as usual.

    For blocks that take milliseconds, unless a server or another process keeps them waiting. Signals reach only the
    main thread, so there is nothing to postpone in other threads.
    """
    handler = signal.getsignal(signal.SIGINT)
    # A handler that is not callable ignores interrupts, or ends the process, or is not Python's.
    is_reached = threading.current_thread() is threading.main_thread() and callable(handler)
    if not is_reached or isinstance(handler, _Postponed):
        yield
        return
    postponed = _Postponed(handler)  # type: ignore[arg-type] # callable, as found above
    signal.signal(signal.SIGINT, postponed)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        postponed.end()


@contextmanager
def pressed_interrupts(hang_up: Callable[[], None]) -> Iterator[None]:
    """Call ``hang_up`` from another thread soon after SIGINT, unless the block ends before.

    For libraries that, even then, wait for a server, and report what became of that instead of the interrupt.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    timers: list[threading.Timer] = []
    interrupts: list[KeyboardInterrupt] = []

    def press(number: int, frame: FrameType | None) -> None:
        timers.append(threading.Timer(PATIENCE_SECONDS, hang_up))
        timers[-1].daemon = True
        timers[-1].start()
        try:
            handler(number, frame)
        except KeyboardInterrupt as interrupt:
            interrupts.append(interrupt)
            raise

    signal.signal(signal.SIGINT, press)
    try:
        yield
    except Exception:
        if interrupts:
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, handler)
        for timer in timers:
            timer.cancel()


class _Postponed:
    """Keeps the first interrupt for later, and no longer than PATIENCE_SECONDS."""

    def __init__(self, handler: Callable[[int, FrameType | None], Any]) -> None:
        self._handler = handler
        self._came: tuple[int, FrameType | None] | None = None
        self._timer: threading.Timer | None = None
        self._is_over = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self._is_over:
            self._came = None
            self._handler(number, frame)
        elif self._came is None:
            self._came = number, frame
            self._timer = threading.Timer(PATIENCE_SECONDS, self._interrupt)
            self._timer.daemon = True
            self._timer.start()

    def _interrupt(self) -> None:
        self._is_over = True
        # Sent to the main thread itself, so that a system call in which it waits returns.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def end(self) -> None:
        """Handle the interrupt that was kept."""
        if self._timer is not None:
            self._timer.cancel()
        if self._came is not None:
            self._handler(*self._came)
