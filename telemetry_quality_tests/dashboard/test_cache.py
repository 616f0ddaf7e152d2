from __future__ import annotations

import asyncio
import os
from functools import partial
from itertools import pairwise
from threading import Event
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry_quality.dashboard.cache import ENTRY_BYTES, LOADERS, ResponseCache
from telemetry_quality.dashboard.compression import compressed

if TYPE_CHECKING:
    from collections.abc import Callable


class Kitchen:
    """Makes responses and counts them."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def maker(self, response: str) -> Callable[[], bytes]:
        def make() -> bytes:
            self.made.append(response)
            return response.encode()

        return make


def ask(cache: ResponseCache, key: object, version: str, make: Callable[[], bytes]) -> bytes:
    return asyncio.run(cache.get_or_make(key, version, make)).plain()


def test_a_response_is_made_once_per_version() -> None:
    cache, kitchen = ResponseCache(), Kitchen()
    for version in ("v1", "v1", "v2", "v2"):
        assert ask(cache, "/health/", version, kitchen.maker(f"page of {version}")) == f"page of {version}".encode()
    assert kitchen.made == ["page of v1", "page of v2"]


def test_responses_of_an_old_version_are_dropped_immediately() -> None:
    cache, kitchen = ResponseCache(), Kitchen()
    for number in range(5):
        ask(cache, ("/health/", number), "v1", kitchen.maker("x" * 1000))
    ask(cache, "new", "v2", kitchen.maker("y"))
    assert cache.size_bytes < 1000


def test_a_response_for_an_outdated_version_is_sent_but_not_cached() -> None:
    async def meanwhile() -> None:
        cache, is_asked, may_come = ResponseCache(), Event(), Event()

        def load() -> bytes:
            is_asked.set()
            assert may_come.wait(10)
            return b"of v1"

        early = asyncio.create_task(cache.get_or_load("page", "v1", load, bytes))
        await asyncio.to_thread(is_asked.wait, 10)
        assert (await cache.get_or_make("page", "v2", lambda: b"of v2")).plain() == b"of v2"
        may_come.set()
        assert (await early).plain() == b"of v1"
        assert (await cache.get_or_make("page", "v2", lambda: b"again")).plain() == b"again"
        assert (await cache.get_or_make("page", "v2", lambda: b"once more")).plain() == b"again"

    asyncio.run(meanwhile())


def test_the_least_recently_used_response_is_dropped_first() -> None:
    cache, kitchen = ResponseCache(max_bytes=2 * (ENTRY_BYTES + 3 + len(compressed(b"a" * 10).blocks))), Kitchen()
    for key in ("a", "b", "a", "c", "a", "b"):
        ask(cache, key, "v1", kitchen.maker(key * 10))
    assert [response[0] for response in kitchen.made] == ["a", "b", "c", "b"]


@given(st.lists(st.tuples(st.text(max_size=40), st.integers(0, 3000), st.sampled_from("ab")), max_size=30))
def test_keys_and_responses_never_exceed_the_limit(asked: list[tuple[str, int, str]]) -> None:
    async def ask_all() -> None:
        cache = ResponseCache(max_bytes=4000)
        for key, size, version in asked:
            assert len((await cache.get_or_make((key, size), version, partial(os.urandom, size))).plain()) == size
            assert cache.size_bytes <= 4000
            kept = sum(len(repr(key)) + len(part.blocks) + ENTRY_BYTES for key, part in cache._responses.items())
            assert cache.size_bytes == kept

    asyncio.run(ask_all())


def test_a_response_larger_than_the_whole_cache_is_sent_and_evicts_nothing() -> None:
    cache, kitchen = ResponseCache(max_bytes=2000), Kitchen()
    ask(cache, "small", "v1", kitchen.maker("s"))
    assert len(ask(cache, "large", "v1", lambda: os.urandom(5000))) == 5000
    ask(cache, "small", "v1", kitchen.maker("s"))
    assert kitchen.made.count("s") == 1


def test_a_response_is_made_once_for_many_simultaneous_requests() -> None:
    async def ask_together() -> None:
        cache, kitchen = ResponseCache(), Kitchen()
        responses = await asyncio.gather(*(cache.get_or_make("page", "v1", kitchen.maker("page")) for _ in range(8)))
        assert {response.plain() for response in responses} == {b"page"}
        assert kitchen.made == ["page"]

    asyncio.run(ask_together())


def test_a_cached_response_waits_for_at_most_one_that_is_being_made() -> None:
    async def ask_in_a_crowd() -> None:
        cache, order = ResponseCache(), []
        await cache.get_or_make("kept", "v1", lambda: b"kept")

        async def note(key: str) -> None:
            await cache.get_or_make(key, "v1", key.encode)
            order.append(key)

        crowd = [asyncio.create_task(note(f"new {number}")) for number in range(5)]
        await asyncio.sleep(0)
        await asyncio.gather(*crowd, note("kept"))
        assert order == ["new 0", "kept", "new 1", "new 2", "new 3", "new 4"]

    asyncio.run(ask_in_a_crowd())


def test_a_request_that_arrives_while_responses_are_made_is_accepted_after_one_of_them() -> None:
    async def ask_while_they_are_made() -> None:
        cache, kitchen = ResponseCache(), Kitchen()
        crowd = [
            asyncio.create_task(cache.get_or_make(number, "v1", kitchen.maker(str(number)))) for number in range(5)
        ]
        heard_at = []
        for _ in range(4):
            await asyncio.sleep(0)
            heard_at.append(len(kitchen.made))
        await asyncio.gather(*crowd)
        assert all(later - earlier <= 1 for earlier, later in pairwise(heard_at))
        assert kitchen.made == ["0", "1", "2", "3", "4"]

    asyncio.run(ask_while_they_are_made())


def test_data_is_loaded_in_a_few_threads_while_other_requests_are_answered() -> None:
    async def load_slowly() -> None:
        cache, may_end = ResponseCache(), Event()
        loading: list[int] = []
        most: list[int] = []

        def load(number: int) -> int:
            loading.append(number)
            most.append(len(loading))
            assert may_end.wait(10)
            loading.remove(number)
            return number

        crowd = [
            asyncio.create_task(cache.get_or_load(number, "v1", partial(load, number), lambda n: str(n).encode()))
            for number in range(6)
        ]
        while len(loading) < LOADERS:
            await asyncio.sleep(0.001)
        assert (await cache.get_or_make("quick", "v1", lambda: b"quick")).plain() == b"quick"
        may_end.set()
        assert [part.plain() for part in await asyncio.gather(*crowd)] == [str(number).encode() for number in range(6)]
        assert max(most) == LOADERS

    asyncio.run(load_slowly())


def test_a_response_that_cannot_be_made_is_tried_again_by_the_next_request() -> None:
    cache = ResponseCache()

    def broken() -> bytes:
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            ask(cache, "page", "v1", broken)
    assert ask(cache, "page", "v1", lambda: b"well") == b"well"
