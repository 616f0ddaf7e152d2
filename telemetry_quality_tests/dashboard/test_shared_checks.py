from __future__ import annotations

import asyncio
from threading import Event

import pytest

from telemetry_quality.dashboard.shared_checks import SharedCheck


class Database:
    """Counts how often it was asked; the first answer can be held back."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_asked, self.may_answer = Event(), Event()
        self.may_answer.set()

    def ask(self) -> int:
        self.asked += 1
        number = self.asked
        self.is_asked.set()
        assert self.may_answer.wait(10)
        return number


def test_callers_that_wait_together_share_an_answer_that_was_asked_for_after_all_of_them() -> None:
    async def ask_together() -> None:
        database = Database()
        check = SharedCheck(database.ask)
        database.may_answer.clear()
        early = asyncio.create_task(check.answer())
        await asyncio.to_thread(database.is_asked.wait, 10)
        late = [asyncio.create_task(check.answer()) for _ in range(20)]
        await asyncio.sleep(0)
        database.may_answer.set()
        assert await early == 1
        assert set(await asyncio.gather(*late)) == {2}, "what was asked for before them might miss a commit"
        assert database.asked == 2

    asyncio.run(ask_together())


def test_a_caller_never_gets_the_answer_of_an_earlier_one() -> None:
    async def ask_in_turn() -> None:
        check = SharedCheck(Database().ask)
        assert [await check.answer() for _ in range(3)] == [1, 2, 3]

    asyncio.run(ask_in_turn())


def test_an_answer_that_cannot_be_had_is_asked_for_again_by_the_next_caller() -> None:
    asked: list[str] = []

    def ask() -> int:
        asked.append("once")
        if len(asked) == 1:
            raise ValueError("no")
        return 2

    async def ask_together() -> None:
        check = SharedCheck(ask)
        first, second = await asyncio.gather(check.answer(), check.answer(), return_exceptions=True)
        assert isinstance(first, ValueError)
        assert second == 2

    asyncio.run(ask_together())


@pytest.mark.parametrize("readers", [1, 5])
def test_what_one_reader_waits_for_does_not_end_with_another_that_goes_away(readers: int) -> None:
    async def leave() -> None:
        database = Database()
        check = SharedCheck(database.ask)
        database.may_answer.clear()
        gone = asyncio.create_task(check.answer())
        await asyncio.to_thread(database.is_asked.wait, 10)
        others = [asyncio.create_task(check.answer()) for _ in range(readers)]
        await asyncio.sleep(0)
        gone.cancel()
        database.may_answer.set()
        assert set(await asyncio.gather(*others)) == {2}

    asyncio.run(leave())
