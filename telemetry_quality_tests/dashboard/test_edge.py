"""Connections are bounded in bytes, in time and in number while nobody knows who is behind them: over real sockets."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from websockets.sync.client import connect

from telemetry_quality.dashboard import edge
from telemetry_quality_tests.dashboard.access.house import serving
from telemetry_quality_tests.dashboard.test_server import running_dashboard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

STRANGER = "127.0.0.2"
"""An address of this machine that is no trusted proxy."""

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
PATIENCE_SECONDS = 20


async def plain_app(scope: Any, receive: Any, send: Any) -> None:
    """Reads the whole request, then answers with as many bytes as the path says."""
    if scope["type"] == "lifespan":
        return
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        return
    while (await receive()).get("more_body"):
        pass
    length = int(scope["path"].strip("/") or 2) if scope["path"] != "/healthz" else 2
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % length)]})
    await send({"type": "http.response.body", "body": b"x" * length})


@contextmanager
def edge_server(app: Any = plain_app, **options: Any) -> Iterator[Callable[..., socket.socket]]:
    """A server of ``app``; yields what connects to it, from STRANGER unless another address is given."""
    with serving(app, lifespan="off", **options) as url, ExitStack() as stack:

        def connected(source: str = STRANGER) -> socket.socket:
            place = ("127.0.0.1", urlsplit(url).port or 0)
            return stack.enter_context(socket.create_connection(place, PATIENCE_SECONDS, (source, 0)))

        yield connected


def _answer(client: socket.socket) -> bytes:
    """Everything the server sends until it closes the connection."""
    found = b""
    with suppress(ConnectionResetError):
        while part := client.recv(65_536):
            found += part
    return found


def _whole_response(client: socket.socket) -> bytes:
    """The response of ``plain_app``; its head may arrive before its body."""
    found = b""
    while not found.endswith(b"\r\n\r\nxx") and (part := client.recv(4096)):
        found += part
    return found


def _get(client: socket.socket) -> bytes:
    client.sendall(GET + b"\r\n")
    return _whole_response(client)


def _is_refused(client: socket.socket) -> bool:
    try:
        return not _get(client)
    except OSError:
        return True


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# Bytes


@pytest.mark.parametrize("line", [b"X: y\r\n", b"X" * 1000], ids=["endless lines", "one endless line"])
def test_headers_that_never_end_are_refused_at_their_limit(line: bytes) -> None:
    head = (GET + line * edge.MOST_HEAD_BYTES)[: edge.MOST_HEAD_BYTES]
    with edge_server() as connected:
        client = connected()
        client.sendall(head)
        client.setblocking(False)
        time.sleep(0.1)
        with pytest.raises(BlockingIOError):
            client.recv(1)
        client.settimeout(PATIENCE_SECONDS)
        client.sendall(b"x")
        assert _answer(client).startswith(b"HTTP/1.1 431 ")


def test_headers_below_their_limit_are_read_however_they_arrive() -> None:
    head = (GET + b"X: y\r\n" * 9000)[: edge.MOST_HEAD_BYTES - 100] + b"\r\n\r\n"
    with edge_server() as connected:
        client = connected()
        for place in range(0, len(head), 7000):
            client.sendall(head[place : place + 7000])
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("start", "more"), [(b"", b"1\r\nx\r\n"), (b"0\r\n", b"X: y\r\n")], ids=["tiny chunks", "trailers"]
)
def test_bodies_and_trailers_that_never_end_are_cut_off(start: bytes, more: bytes) -> None:
    with edge_server() as connected:
        client = connected()
        with suppress(OSError):
            client.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n" + start)
            client.sendall(more * (edge.MOST_REQUEST_BYTES // len(more) + 1000))
        assert _answer(client) == b""


def test_requests_on_one_connection_are_counted_one_by_one() -> None:
    with edge_server() as connected:
        client = connected()
        for _ in range(3):
            client.sendall(GET + b"X: " + b"y" * (edge.MOST_HEAD_BYTES // 2) + b"\r\n\r\n")
            assert _whole_response(client).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("waiting", [edge.MOST_PIPELINED - 1, edge.MOST_PIPELINED, edge.MOST_PIPELINED + 1])
def test_only_so_many_requests_wait_for_a_response_on_one_connection(waiting: int) -> None:
    with edge_server() as connected:
        client = connected()
        # Whatever arrives at once is parsed before the first request is responded to.
        client.sendall((GET + b"\r\n") * waiting + GET + b"Connection: close\r\n\r\n")
        answers = _answer(client).count(b"HTTP/1.1 200 ")
    assert answers == (waiting + 1 if waiting <= edge.MOST_PIPELINED else 0)


# Time


def _trickle(client: socket.socket) -> None:
    for _ in range(PATIENCE_SECONDS * 20):
        client.sendall(b"x")
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("sent", "answer"),
    [(b"", b""), (b"\r\n", b""), (b"GET / HT", b"HTTP/1.1 408 "), (GET, b"HTTP/1.1 408 ")],
    ids=["silence", "empty lines", "half a line", "half a head"],
)
@pytest.mark.parametrize("is_second", [False, True])
def test_a_request_that_does_not_come_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, sent: bytes, answer: bytes, is_second: bool
) -> None:
    monkeypatch.setattr(edge, "HEAD_SECONDS", 0.2)
    with edge_server(timeout_keep_alive=0.2 if not sent else 60) as connected:
        client = connected()
        if is_second:
            assert _get(client).startswith(b"HTTP/1.1 200 ")
        client.sendall(sent)
        found = _answer(client)
    assert found.startswith(answer)
    assert bool(found) is bool(answer)


@pytest.mark.parametrize("start", [GET + b"X: ", POST + b"Content-Length: 9999\r\n\r\n"], ids=["head", "body"])
def test_bytes_that_trickle_in_do_not_prolong_the_wait(monkeypatch: pytest.MonkeyPatch, start: bytes) -> None:
    monkeypatch.setattr(edge, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(edge, "REQUEST_SECONDS", 0.3)
    with edge_server() as connected:
        client = connected()
        client.sendall(start)
        with pytest.raises(OSError, match=r"reset|pipe"):
            _trickle(client)


def test_a_client_that_does_not_read_its_response_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "STALL_SECONDS", 0.2)
    doors = edge.Doors(lambda _: False)
    with edge_server(http=partial(edge.EdgeProtocol, doors), timeout_keep_alive=1) as connected:
        idle, slow = connected(), connected()
        for client in (idle, slow):
            client.sendall(b"GET /30000000 HTTP/1.1\r\nHost: x\r\n\r\n")
        found = len(slow.recv(4096))
        while found < 30_000_000:
            time.sleep(0.01)
            found += len(slow.recv(500_000))
        _wait_until(lambda: doors._open.total() == 0)
        assert len(_answer(idle)) < 30_000_000


# Number


def test_an_address_has_only_so_many_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "MOST_PER_ADDRESS", 3)
    with edge_server() as connected:
        clients = [connected() for _ in range(3)]
        assert all(_get(client).startswith(b"HTTP/1.1 200 ") for client in clients)
        assert _is_refused(connected())
        assert not _is_refused(connected("127.0.0.3")), "another address is not affected"
        clients.pop().close()
        _wait_until(lambda: not _is_refused(connected()))


def test_the_connections_of_a_trusted_proxy_are_those_of_many_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "MOST_PER_ADDRESS", 3)
    with edge_server() as connected:
        clients = [connected("127.0.0.1") for _ in range(10)]
        assert not any(_is_refused(client) for client in clients)


def test_sockets_of_pages_count_as_connections_until_they_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "MOST_PER_ADDRESS", 1)
    monkeypatch.setattr(edge, "HEAD_SECONDS", 0.2)
    with edge_server() as connected:
        client = connected()
        with connect("ws://x/", sock=client) as page:
            assert _is_refused(connected())
            time.sleep(0.4)
            page.send("still open, although the time for a request has passed")
            assert page.ping().wait(PATIENCE_SECONDS)
        _wait_until(lambda: not _is_refused(connected()))


def test_a_socket_that_is_reset_while_it_opens_is_no_longer_counted() -> None:
    is_held, is_reset = threading.Event(), threading.Event()

    async def held_app(scope: Any, receive: Any, send: Any) -> None:
        """The server reads nothing until the other connection is reset."""
        if scope["type"] == "http":
            is_held.set()
            is_reset.wait(PATIENCE_SECONDS)
        await plain_app(scope, receive, send)

    doors = edge.Doors(lambda _: False)
    with edge_server(held_app, http=partial(edge.EdgeProtocol, doors)) as connected:
        client, other = connected(), connected()
        _wait_until(lambda: doors._open.total() == 2)
        other.sendall(GET + b"Connection: close\r\n\r\n")
        assert is_held.wait(PATIENCE_SECONDS)
        client.sendall(UPGRADE)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        is_reset.set()
        assert _answer(other).startswith(b"HTTP/1.1 200 ")
        _wait_until(lambda: not doors._open)


def test_the_connection_that_has_waited_longest_gives_way_to_a_new_one() -> None:
    doors = edge.Doors(lambda _: True, most=3)
    with edge_server(http=partial(edge.EdgeProtocol, doors)) as connected:
        busy = connected()
        busy.sendall(b"GET /30000000 HTTP/1.1\r\nHost: x\r\n\r\n")
        busy.recv(1)
        second, third, fourth = (connected() for _ in range(3))
        assert not _is_refused(fourth)
        assert not _is_refused(third)
        assert _is_refused(second)
        assert busy.recv(1), "a response in progress is finished"


def test_a_connection_that_is_refused_takes_nobody_s_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "MOST_PER_ADDRESS", 1)
    doors = edge.Doors(lambda _: False, most=2)
    with edge_server(http=partial(edge.EdgeProtocol, doors)) as connected:
        waiting, other = connected("127.0.0.3"), connected()
        _wait_until(lambda: doors._open.total() == 2)
        assert _is_refused(connected())
        assert not _is_refused(waiting)
        assert not _is_refused(other)


# All at once, against the command that people run


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """The port of ``telemetry-quality dashboard`` in its own process."""
    with running_dashboard(tmp_path) as (_, port):
        yield port


def _attack(port: int, start: bytes, more: bytes, is_over: threading.Event) -> None:
    """Send what never ends, and begin again whenever the server closes the connection."""
    while not is_over.is_set():
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5, (STRANGER, 0)) as client:
            client.sendall(start)
            while not is_over.is_set():
                client.sendall(more)


def test_endless_headers_slow_bodies_and_silent_sockets_do_not_keep_others_from_an_answer(port: int) -> None:
    slow = b"POST /health/sign-in/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 60000\r\n\r\n"
    is_over = threading.Event()
    attacks = [(GET, b"X: y\r\n" * 2000), (GET, b"X: y\r\n" * 2000), (GET + b"X: ", b"y" * 65_536)]
    threads = [threading.Thread(target=_attack, args=(port, *attack, is_over)) for attack in attacks]
    with ExitStack() as stack:
        stack.callback(is_over.set)
        silent = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), 5, (STRANGER, 0))) for _ in range(500)
        ]
        for client in silent[:20]:
            client.sendall(slow)
        for thread in threads:
            thread.start()
        for _ in range(100):
            with closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)) as connection:
                connection.request("GET", "/healthz")
                assert connection.getresponse().read() == b"ok\n"
        is_over.set()
        for client in silent[20:]:
            client.settimeout(PATIENCE_SECONDS)
            assert _answer(client) == b"", "it is closed without a word"
    for thread in threads:
        thread.join()
