"""The limits of a read: a query that takes too long is interrupted, without disturbing the database it reads."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Timer
from time import monotonic
from typing import TYPE_CHECKING

from telemetry_quality.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


TIME_LIMIT = "TIME_LIMIT"
"""The reason code of an interrupted read."""

MEMORY_LIMIT_BYTES = 2**30
"""How much memory a scan may take unless the settings say otherwise."""


LOOK_LIMIT_SECONDS = 60
"""How long a look at some hours may take, however much time the settings give to a query."""

LEAST_SECONDS = 0.1
"""A query is not begun with less time than this: it might be interrupted before it runs, and then not be stopped."""


class QueryTime:
    """How long the queries of a client may take: each of them and, during a look, all of them together.

    Attributes:
        seconds: The limit of each query.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ends_at: float | None = None

    @property
    def is_shared(self) -> bool:
        """Whether all queries together have a limit."""
        return self._ends_at is not None

    def left(self, spent_seconds: float = 0) -> float:
        """How long the next query may take, if it continues one that took ``spent_seconds`` until now.

        Raises:
            SourceError: ``TIME_LIMIT`` if no time is left for all queries together.
        """
        left = self.seconds - spent_seconds
        if self._ends_at is None:
            return left
        if self._ends_at - monotonic() < LEAST_SECONDS:
            raise SourceError(TIME_LIMIT, "All queries of a look must end in its time, but more are needed.")
        return min(left, self._ends_at - monotonic())

    @contextmanager
    def of_a_look(self, began: float) -> Iterator[None]:
        """Let all queries together take as long as a look may, which ``began`` then by ``monotonic``.

        Raises:
            SourceError: ``TIME_LIMIT`` if they take longer.
        """
        seconds = min(self.seconds, LOOK_LIMIT_SECONDS)
        self._ends_at = began + seconds
        try:
            yield
        except SourceError as error:
            if error.reason_code != TIME_LIMIT:
                raise
            raise SourceError(
                TIME_LIMIT,
                f"A look at some hours must end within {seconds:g} s, but did not; telemetry-quality check says "
                "whether hours of this source can be read without reading far more.",
            ) from None
        finally:
            self._ends_at = None


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
