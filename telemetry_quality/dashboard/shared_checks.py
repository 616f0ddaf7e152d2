"""Checks of a database that many requests ask for at the same time, and that are made once for all of them."""

from __future__ import annotations

from asyncio import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

from starlette.concurrency import run_in_threadpool

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = TypeVar("Answer")


class SharedCheck(Generic[Answer]):
    """Asks in a thread, once for all callers that were already waiting when asking began; for one event loop.

    Every caller gets an answer that was asked for after it called, so none sees less than it would see alone.

    Args:
        ask: Returns the answer; may wait. What it raises is raised to one caller, and the next one asks again.
    """

    def __init__(self, ask: Callable[[], Answer]) -> None:
        self._ask = ask
        self._turn = Lock()
        self._begun = 0
        self._last: tuple[int, Answer] | None = None

    async def answer(self) -> Answer:
        """The answer, asked for after this call."""
        begun = self._begun
        async with self._turn:
            if self._last is not None and self._last[0] > begun:
                return self._last[1]
            self._begun += 1
            answer = await run_in_threadpool(self._ask)
            self._last = self._begun, answer
            return answer
