"""The HTTP edge: what a connection may cost while nobody knows yet who is behind it.

uvicorn's parser holds whatever arrives until a request is complete, and waits for the rest for ever. Here requests are
bounded in bytes and in time while they arrive, and connections are bounded in number, for each address and in total.
``access.headers`` checks complete requests. (h11, uvicorn's other parser, has a limit of bytes, but no deadline, and
takes twice the processor time per request.)
"""

from __future__ import annotations

import resource
from collections import Counter
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from telemetry_quality.dashboard.access.identity import network_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

MOST_HEAD_BYTES = 64 * 1024
"""More than ``access.headers`` accepts, so that slightly oversized requests get its sentence."""

MOST_REQUEST_BYTES = 512 * 1024
"""A request with its body, which may arrive in tiny chunks with a line each."""

PIECE_BYTES = 16 * 1024
"""The parser gets no more at a time, so that a limit is exceeded by no more."""

MOST_PIPELINED = 8
"""Complete requests that wait for the response to an earlier one on their connection; browsers let none wait."""

HEAD_SECONDS = 10.0
"""How long a new connection may be silent, and how long the head of a request may take."""

REQUEST_SECONDS = 30.0
"""How long the rest of a request may take; ``access.bodies`` has answered slow forms by then."""

STALL_SECONDS = 60.0
"""A client that reads nothing of its response for so long is no longer waited for."""

MOST_PER_ADDRESS = 200
"""Connections of an address, which a whole office may share."""

MOST_CONNECTIONS = 4000
SPARE_FILES = 200
"""Files that this process needs for anything but connections."""


class Doors:
    """The connections of one server; belongs to its event loop.

    Args:
        is_trusted: Whether an address is that of a proxy, whose connections are those of many people.
        most: The maximum number of connections; the one that has waited longest gives way to a new one.
    """

    def __init__(self, is_trusted: Callable[[str], bool], most: int = MOST_CONNECTIONS) -> None:
        self._is_trusted = is_trusted
        self._most = most
        self._open: Counter[str] = Counter()
        self._waiting: dict[EdgeProtocol, None] = {}

    def enter(self, peer: str) -> bool:
        """Count a new connection; False if its address has too many."""
        address = network_of(peer)
        self._open[address] += 1
        if self._open[address] > MOST_PER_ADDRESS and not self._is_trusted(peer):
            return False
        if self._open.total() > self._most and self._waiting:
            next(iter(self._waiting)).end()
        return True

    def leave(self, peer: str) -> None:
        """Count a connection no longer."""
        address = network_of(peer)
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]

    def wait(self, connection: EdgeProtocol) -> None:
        """Note that a connection has no complete request to respond to."""
        self._waiting[connection] = None

    def work(self, connection: EdgeProtocol) -> None:
        """Note that a connection has a request to respond to, or is gone."""
        self._waiting.pop(connection, None)


class EdgeProtocol(HttpToolsProtocol):
    """HTTP with limits that apply while a request arrives.

    Args:
        doors: The connections of this server.
        options: What uvicorn passes to a protocol.
    """

    def __init__(self, doors: Doors, **options: Any) -> None:
        super().__init__(**options)
        self._doors = doors
        self._peer = ""
        self._is_in_head = False
        self._is_in_request = False
        self._request_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None

    @property
    def _is_responding(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Admit a connection, unless its address has too many."""
        super().connection_made(transport)
        self._peer = self.client[0] if self.client else "unknown"
        if self._doors.enter(self._peer):
            self._doors.wait(self)
            self._set_deadline(HEAD_SECONDS)
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._forget()
        self._doors.leave(self._peer)

    def data_received(self, data: bytes) -> None:
        """Parse what arrived, piece by piece, and stop at the first that exceeds a limit."""
        for start in range(0, len(data), PIECE_BYTES):
            piece = data[start : start + PIECE_BYTES]
            super().data_received(piece)
            if self.transport.is_closing() or self.transport.get_protocol() is not self:
                return
            self._request_bytes += len(piece)
            if self._is_in_request and self._request_bytes > self._most_bytes:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
                return
        # Bytes that arrive later do not move a deadline, and bytes between two requests have one too.
        if self._deadline is None and (self._is_in_request or not self._is_responding):
            is_in_body = self._is_in_request and not self._is_in_head
            self._set_deadline(REQUEST_SECONDS if is_in_body else HEAD_SECONDS)

    @property
    def _most_bytes(self) -> int:
        return MOST_HEAD_BYTES if self._is_in_head else MOST_REQUEST_BYTES

    def on_message_begin(self) -> None:
        """Begin to count."""
        super().on_message_begin()
        self._is_in_request = self._is_in_head = True
        self._request_bytes = 0

    def on_headers_complete(self) -> None:
        """Give the body a deadline of its own, and let only so many requests wait for a response."""
        self._is_in_head = False
        self._set_deadline(None)
        super().on_headers_complete()
        if len(self.pipeline) > MOST_PIPELINED:
            self.end()

    def on_message_complete(self) -> None:
        """Wait no longer for this request."""
        self._is_in_request = False
        self._set_deadline(None)
        if self._is_responding:
            self._doors.work(self)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request, and for the client to read this response."""
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self._watch_writing()
        elif not self.transport.is_closing() and not self._is_responding:
            self._doors.wait(self)

    def handle_websocket_upgrade(self) -> None:
        """Leave the connection to an EdgeSocket, which counts it from now on."""
        self._forget()
        self.ws_protocol_class = partial(EdgeSocket, self._doors, self._peer)  # type: ignore[assignment]
        super().handle_websocket_upgrade()

    def pause_writing(self) -> None:
        """Watch a client that reads more slowly than the response is made."""
        super().pause_writing()
        self._watch_writing()

    def end(self) -> None:
        """Close the connection at once."""
        self.transport.abort()

    def _set_deadline(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._end_late)

    def _end_late(self) -> None:
        if self._is_in_head:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.end()

    def _refuse(self, status: HTTPStatus) -> None:
        """Say why, unless another response is being sent, and close the connection."""
        if not self._is_in_head or self._is_responding:
            self.end()
            return
        text = f"{status.phrase}\n"
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}",
            "content-type: text/plain; charset=utf-8",
            f"content-length: {len(text)}",
            "x-content-type-options: nosniff",
            "connection: close",
        )
        self.transport.write("\r\n".join((*head, "", text)).encode())
        self.transport.close()

    def _watch_writing(self, left: int | None = None) -> None:
        """Look every minute whether the client has read anything, while a response waits for it."""
        if self._watch is not None:
            if left is None:
                return
            self._watch = None
        waiting = self.transport.get_write_buffer_size()
        is_stuck = left is not None and waiting >= left and (self.flow.write_paused or self.transport.is_closing())
        if waiting and is_stuck:
            self.end()
        elif waiting:
            self._watch = self.loop.call_later(STALL_SECONDS, self._watch_writing, waiting)

    def _forget(self) -> None:
        self._doors.work(self)
        self._set_deadline(None)
        if self._watch is not None:
            self._watch.cancel()


class EdgeSocket(WebSocketsSansIOProtocol):
    """A WebSocket that is counted as the connection that it was.

    Args:
        doors: The connections of this server.
        peer: The address under which it is counted; a socket that was reset does not say its address any more.
        options: What uvicorn passes to a protocol.
    """

    def __init__(self, doors: Doors, peer: str, **options: Any) -> None:
        super().__init__(**options)
        self._doors = doors
        self._peer = peer

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._doors.leave(self._peer)


def protocols(is_trusted: Callable[[str], bool]) -> dict[str, Any]:
    """The options of uvicorn that bound the connections of a server."""
    doors = Doors(is_trusted, _most_connections())
    return {"http": partial(EdgeProtocol, doors), "ws": EdgeSocket}


def _most_connections() -> int:
    """How many connections this process may have; raises the limit of open files, which is often 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(wanted - SPARE_FILES, SPARE_FILES)
