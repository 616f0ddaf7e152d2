from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry_quality.dashboard.cache import ENTRY_BYTES, AnswerCache

if TYPE_CHECKING:
    from collections.abc import Callable


class Kitchen:
    """Makes answers and counts them."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def maker(self, answer: str) -> Callable[[], bytes]:
        def make() -> bytes:
            self.made.append(answer)
            return answer.encode()

        return make


def test_an_answer_is_made_once_per_version() -> None:
    cache, kitchen = AnswerCache(), Kitchen()
    for version in ("v1", "v1", "v2", "v2"):
        assert (
            cache.get_or_make("/health/", version, kitchen.maker(f"page of {version}")) == f"page of {version}".encode()
        )
    assert kitchen.made == ["page of v1", "page of v2"]


def test_answers_of_an_old_version_are_forgotten_at_once() -> None:
    cache, kitchen = AnswerCache(), Kitchen()
    for number in range(5):
        cache.get_or_make(("/health/", number), "v1", kitchen.maker("x" * 1000))
    cache.get_or_make("new", "v2", kitchen.maker("y"))
    assert cache.size_bytes < 1000


def test_an_answer_made_for_a_version_that_has_passed_meanwhile_is_given_but_not_kept() -> None:
    cache = AnswerCache()

    def slow() -> bytes:
        cache.get_or_make("other", "v2", lambda: b"")
        return b"of v1"

    assert cache.get_or_make("page", "v1", slow) == b"of v1"
    assert cache.get_or_make("page", "v2", lambda: b"of v2") == b"of v2"


def test_the_answer_longest_unasked_for_is_forgotten_first() -> None:
    cache, kitchen = AnswerCache(max_bytes=2 * (ENTRY_BYTES + 3 + 10)), Kitchen()
    for key in ("a", "b", "a", "c", "a", "b"):
        cache.get_or_make(key, "v1", kitchen.maker(key * 10))
    assert [answer[0] for answer in kitchen.made] == ["a", "b", "c", "b"]


@given(st.lists(st.tuples(st.text(max_size=40), st.integers(0, 3000), st.sampled_from("ab")), max_size=30))
def test_keys_and_answers_never_take_more_than_they_may(asked: list[tuple[str, int, str]]) -> None:
    cache = AnswerCache(max_bytes=4000)
    for key, size, version in asked:
        assert len(cache.get_or_make((key, size), version, lambda size=size: b"x" * size)) == size  # type: ignore[misc]
        assert cache.size_bytes <= 4000
        kept = sum(len(repr(key)) + len(answer) + ENTRY_BYTES for key, answer in cache._answers.items())
        assert cache.size_bytes == kept


def test_an_answer_larger_than_the_whole_cache_is_given_and_empties_nothing() -> None:
    cache, kitchen = AnswerCache(max_bytes=2000), Kitchen()
    cache.get_or_make("small", "v1", kitchen.maker("s"))
    assert len(cache.get_or_make("large", "v1", kitchen.maker("l" * 5000))) == 5000
    cache.get_or_make("small", "v1", kitchen.maker("s"))
    assert kitchen.made.count("s") == 1


def test_an_answer_is_made_once_however_many_ask_for_it_at_the_same_time() -> None:
    cache, kitchen, together, is_made = AnswerCache(), Kitchen(), Barrier(8), Event()

    def make() -> bytes:
        is_made.wait(timeout=0.05)
        return kitchen.maker("page")()

    def ask(_: int) -> bytes:
        together.wait()
        return cache.get_or_make("/health/", "v1", make)

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(ask, range(8))) == {b"page"}
    assert kitchen.made == ["page"]


def test_other_answers_do_not_wait_for_a_slow_one() -> None:
    cache, has_begun, may_end = AnswerCache(), Event(), Event()

    def slow() -> bytes:
        has_begun.set()
        assert may_end.wait(timeout=10)
        return b"slow"

    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(cache.get_or_make, "slow", "v1", slow)
        assert has_begun.wait(timeout=10)
        assert cache.get_or_make("quick", "v1", lambda: b"quick") == b"quick"
        may_end.set()
        assert answer.result() == b"slow"


def test_an_answer_that_cannot_be_made_is_tried_again_by_the_next_who_asks() -> None:
    cache = AnswerCache()

    def broken() -> bytes:
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            cache.get_or_make("page", "v1", broken)
    assert cache.get_or_make("page", "v1", lambda: b"well") == b"well"
