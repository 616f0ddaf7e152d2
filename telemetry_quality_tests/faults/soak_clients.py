"""The clients of a soaked dashboard: people who read pages, and open pages that listen, in a process of their own.

Prints what happened once a second, as a line of JSON, until standard input ends.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PATHS = ("/health/", "/health/snapshots/", "/health/incidents/", "/api/health/summary/", "/healthz")
PAUSE_SECONDS = 1.0
"""How long a reader looks at a page, and how long everybody waits before connecting again."""


@dataclass
class Report:
    """What happened within a second.

    Attributes:
        seconds: How long each response took.
        refused: The first lines of responses that were not 200.
        lost: Connections that failed or ended, as they do while the dashboard is down.
        listening: WebSockets that are open now.
        updates: Update events that they have received.
    """

    seconds: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    lost: int = 0
    updates: int = 0
    listening: int = 0


class Clients:
    """Readers and listeners who share a session."""

    def __init__(self, port: int, cookie: str) -> None:
        self._port = port
        self._cookie = cookie
        self._report = Report()
        self._listening = 0

    async def run(self, readers: int, sockets: int) -> None:
        """Read and listen until standard input ends."""
        work = [self._read] * readers + [self._listen] * sockets
        tasks = [asyncio.create_task(self._again_and_again(each)) for each in work]
        tasks.append(asyncio.create_task(self._write_reports()))
        await asyncio.to_thread(sys.stdin.read)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _again_and_again(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(random.uniform(0, PAUSE_SECONDS))
            try:
                await work()
            except (OSError, EOFError, WebSocketException):
                self._report.lost += 1

    async def _read(self) -> None:
        stream, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2**24)
        try:
            while True:
                path = random.choice(PATHS)
                head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nCookie: {self._cookie}\r\n\r\n"
                start = time.perf_counter()
                writer.write(head.encode())
                status = await _status_of_response(stream)
                self._report.seconds.append(time.perf_counter() - start)
                if " 200 " not in status:
                    self._report.refused.append(f"{path} {status}")
                await asyncio.sleep(PAUSE_SECONDS)
        finally:
            writer.close()

    async def _listen(self) -> None:
        headers = {"Cookie": self._cookie, "Origin": f"http://127.0.0.1:{self._port}"}
        async with connect(f"ws://127.0.0.1:{self._port}/health/live/", additional_headers=headers) as page:
            self._listening += 1
            try:
                async for _ in page:
                    self._report.updates += 1
            finally:
                self._listening -= 1

    async def _write_reports(self) -> None:
        while True:
            await asyncio.sleep(1)
            report, self._report = self._report, Report()
            report.listening = self._listening
            sys.stdout.write(json.dumps(asdict(report)) + "\n")
            sys.stdout.flush()


async def _status_of_response(stream: asyncio.StreamReader) -> str:
    head = (await stream.readuntil(b"\r\n\r\n")).decode()
    length = re.search(r"content-length: (\d+)", head.lower())
    await stream.readexactly(int(length[1]) if length else 0)
    return head.splitlines()[0] + " "


def main() -> None:
    """Serve as clients of the dashboard at a port: ``PORT COOKIE READERS SOCKETS``."""
    port, cookie, readers, sockets = sys.argv[1:]
    asyncio.run(Clients(int(port), cookie).run(int(readers), int(sockets)))


if __name__ == "__main__":
    main()
