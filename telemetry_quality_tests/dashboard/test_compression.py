from __future__ import annotations

import gzip
import os
import re
from typing import TYPE_CHECKING

import anyio
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from telemetry_quality.dashboard.compression import SMALLEST_BYTES, compressed, gzipped, of_one_reader, response_of
from telemetry_quality_tests.dashboard.desk import URL, open_desk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.responses import Response

    from telemetry_quality_tests.dashboard.desk import Desk


def reply(accepted: str | None, content: bytes) -> Response:
    headers = [] if accepted is None else [(b"accept-encoding", accepted.encode())]
    return response_of(Request({"type": "http", "headers": headers}), [compressed(content)], "text/plain")


@given(st.lists(st.tuples(st.binary(max_size=5000), st.integers(0, 50), st.booleans()), max_size=5))
def test_parts_are_unpacked_to_what_they_were_joined_from(drawn: list[tuple[bytes, int, bool]]) -> None:
    contents = [content * times for content, times, _ in drawn]
    packed = [compressed if is_shared else of_one_reader for _, _, is_shared in drawn]
    parts = [pack(content) for pack, content in zip(packed, contents, strict=True)]
    assert gzip.decompress(gzipped(parts)) == b"".join(contents)
    assert [part.plain() for part in parts] == contents


def test_what_a_reader_s_own_part_repeats_of_another_does_not_change_the_length() -> None:
    """An attacker who can choose a part, and see lengths, must not learn another part by guessing it."""
    secret = os.urandom(32).hex().encode()
    guesses = [secret, os.urandom(32).hex().encode()]
    right, wrong = (len(gzipped([of_one_reader(secret), compressed(guess * 20)])) for guess in guesses)
    shared = [len(compressed(guess * 20).blocks) for guess in guesses]
    assert right - wrong == shared[0] - shared[1]
    assert len(of_one_reader(secret * 2).blocks) > 2 * len(secret)


@pytest.mark.parametrize("accepted", ["gzip", "deflate, gzip;q=0.5, br", "GZIP", "br;q=1, gzip; q=1.0"])
def test_a_client_that_accepts_gzip_gets_it(accepted: str) -> None:
    found = reply(accepted, b"x" * 1000)
    assert found.headers["content-encoding"] == "gzip"
    assert gzip.decompress(bytes(found.body)) == b"x" * 1000
    assert len(found.body) < 100
    assert found.headers["content-length"] == str(len(found.body))


@pytest.mark.parametrize("accepted", [None, "", "br", "gzip;q=0", "gzip; q=0.000", "x-gzip-like"])
def test_a_client_that_does_not_accept_gzip_gets_plain_content(accepted: str | None) -> None:
    found = reply(accepted, b"x" * 1000)
    assert "content-encoding" not in found.headers
    assert found.body == b"x" * 1000
    assert found.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(("size", "is_packed"), [(SMALLEST_BYTES - 1, False), (SMALLEST_BYTES, True)])
def test_a_response_that_would_hardly_shrink_is_sent_as_it_is(size: int, *, is_packed: bool) -> None:
    assert ("content-encoding" in reply("gzip", b"x" * size).headers) is is_packed


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A dashboard over an empty store."""
    desk = open_desk(tmp_path_factory.mktemp("desk"))
    yield desk
    desk.close()


ADDRESSES = ("/health/", "/health/incidents/", "/api/health/summary/", "/health/static/dashboard.css")


@pytest.mark.parametrize("address", ADDRESSES)
def test_pages_json_and_static_files_are_sent_compressed_and_are_the_same_without(desk: Desk, address: str) -> None:
    plain, packed = (
        desk.ask(address, headers=desk.by_session | {"Accept-Encoding": coding}) for coding in ("identity", "gzip")
    )
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content)
    assert packed.text == plain.text
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert packed.headers.get("etag") == plain.headers.get("etag")


def test_the_token_of_a_reader_s_forms_is_sent_uncompressed(desk: Desk) -> None:
    """So the length of a page says nothing about the token, whatever the page repeats of its address."""
    raw = anyio.run(raw_content, desk, "/health/")
    (token,) = set(re.findall(rb'name="csrf_token" value="([^"]+)"', gzip.decompress(raw)))
    assert token in raw
    assert b"</section>" not in raw


async def raw_content(desk: Desk, address: str) -> bytes:
    transport = httpx2.ASGITransport(desk.app)
    headers = desk.by_session | {"Accept-Encoding": "gzip"}
    async with (
        httpx2.AsyncClient(transport=transport, base_url=URL) as client,
        client.stream("GET", address, headers=headers) as response,
    ):
        return b"".join([piece async for piece in response.aiter_raw()])
