"""The limits of a read: a query that takes too long is interrupted, without disturbing the database it reads."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Timer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


TIME_LIMIT = "TIME_LIMIT"
"""The reason code of an interrupted read."""

MEMORY_LIMIT_BYTES = 2**30
"""How much memory a scan may take unless the settings say otherwise."""


class Deadline:
    """Whether the time limit of a read has passed."""

    def __init__(self) -> None:
        self.has_passed = False


@contextmanager
def time_limit(seconds: float, interrupt: Callable[[], None]) -> Iterator[Deadline]:
    """Call ``interrupt`` from another thread if the block is still running after ``seconds``."""
    deadline = Deadline()

    def expire() -> None:
        deadline.has_passed = True
        interrupt()

    timer = Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        yield deadline
    finally:
        timer.cancel()
        # The thread may end later than the process: if it then dropped a connection, DuckDB would abort the process.
        timer.function = _nothing


def _nothing() -> None:
    """What a timer does whose block has ended."""
