"""The health dashboard with many sources and days: how long 20 readers wait for one worker, and its RAM.

Run ``make bench`` or ``python benchmarks/dashboard.py`` with ``--sources N --days N`` (by default, ten years of fifty
sources), ``--postgresql`` for a store in a new server, ``--folder FOLDER`` to use the settings and the store there, if
``large_store`` has written any, and ``--route NAME`` with the beginning of a name below. The dashboard runs in its own
process; the readers share one loop that only writes prepared bytes and finds the end of each response. They accept
gzip, as browsers do. Nothing is warmed up: the first look at each page counts. The floor is ``/healthz``, which needs
no data. Any status other than 200 stops the run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import httpx2
from large_store import DAYS, DETAILED_DAYS, SOURCES, source_names, write_large_store

from telemetry_quality import load_settings
from telemetry_quality.dashboard.access.passwords import hash_password
from telemetry_quality.dashboard.index import SORTABLE
from telemetry_quality.storage.staff.store import StaffStore
from telemetry_quality_tests.servers import running_postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator

READERS = 20
REQUESTS = 1_000
LONG_RUN = (1_000, 5_000, 10_000)
LIMIT_MILLISECONDS = 100
NAME, PASSWORD = "bench", secrets.token_urlsafe(16)

Path_ = Callable[[Random], str]


def main() -> None:
    asked = _asked()
    with ExitStack() as stack:
        folder = asked.folder or Path(stack.enter_context(TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        store = "sqlite:///quality.db"
        if asked.postgresql:
            server = stack.enter_context(running_postgresql())
            store = server.new_database()
        start, file = perf_counter(), folder / "telemetry.toml"
        if not file.exists():
            write_large_store(folder, asked.sources, asked.days, store)
        print(f"{asked.sources:,} sources of {asked.days:,} days, written in {perf_counter() - start:.0f} s.")
        _make_account(load_settings(file).store)
        routes = _routes(source_names(asked.sources), asked.days)
        process, port = stack.enter_context(_server(file))
        cookie = _signed_in(port)
        routes = {name: path for name, path in routes.items() if name.startswith(asked.route)}
        asyncio.run(_measure(routes, process.pid, port, cookie))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", type=int, default=SOURCES)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--route", default="")
    return parser.parse_args()


def _routes(sources: list[str], length: int) -> dict[str, Path_]:
    """The requests by name; a path may differ each time."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    days = [yesterday - timedelta(days=back) for back in range(DETAILED_DAYS)]
    pages = len(sources) * length // 50

    def source(draw: Random) -> str:
        return draw.choice(sources)

    def day(draw: Random) -> str:
        return f"{source(draw)}/{draw.choice(days)}/"

    def old_day(draw: Random) -> str:
        return f"{source(draw)}/{yesterday - timedelta(days=draw.randrange(DETAILED_DAYS, length))}/"

    routes: dict[str, Path_] = {
        "floor: /healthz": lambda _: "/healthz",
        "dashboard": lambda _: "/health/",
        "page of a random source": lambda draw: f"/health/sources/{source(draw)}/",
        "the same, a year": lambda draw: f"/health/sources/{source(draw)}/?days=365",
        "log, page 1": lambda _: "/health/snapshots/",
        "log, random deep page": lambda draw: f"/health/snapshots/?page={draw.randint(1, pages)}",
    }
    for name in SORTABLE:
        routes[f"log, filtered, by {name}"] = lambda draw, name=name: (  # type: ignore[misc]
            f"/health/snapshots/?source={source(draw)}&source={source(draw)}&status=healthy&sort={name}"
            f"&descending={draw.choice(('true', 'false'))}&page={draw.randint(1, max(1, length // 52))}"
        )
    return routes | {
        "day, always the same": lambda _: f"/health/snapshots/{sources[6]}/{days[1]}/",
        "day, random recent": lambda draw: f"/health/snapshots/{day(draw)}",
        "day, random old": lambda draw: f"/health/snapshots/{old_day(draw)}",
        "day cut to a random hour": lambda draw: f"/health/snapshots/{day(draw)}?hour={draw.randrange(24)}",
        "versions of a random source": lambda draw: f"/health/sources/{source(draw)}/versions/",
        "wall": lambda _: "/health/?wall=1",
        "incidents": lambda _: "/health/incidents/",
        "incidents of a random source": lambda draw: f"/health/incidents/?source={source(draw)}",
        "JSON summary": lambda _: "/api/health/summary/",
        "JSON summary of a random source": lambda draw: f"/api/health/summary/?source={source(draw)}",
        "JSON snapshots, random page": lambda draw: f"/api/health/snapshots/?page={draw.randint(1, pages)}",
        "JSON day, random recent": lambda draw: f"/api/health/snapshots/{day(draw)}",
        "JSON incidents, random page": lambda draw: f"/api/health/incidents/?page={draw.randint(1, 40)}",
        "JSON version": lambda _: "/api/health/version/",
        "feed": lambda _: "/health/incidents.atom",
        "badge": lambda draw: f"/health/badge.svg?source={source(draw)}",
    }


def _make_account(store: str) -> None:
    staff = StaffStore(store)
    now = datetime.now(UTC)
    if staff.account(NAME) is None:
        staff.add_account(NAME, hash_password(PASSWORD), now)
    else:
        staff.set_password(NAME, hash_password(PASSWORD), now)
    staff.close()


@contextmanager
def _server(file: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The real command in its own process, once it responds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = [sys.executable, "-m", "telemetry_quality", "dashboard", "--port", str(port), "--config", str(file)]
    start = perf_counter()
    with subprocess.Popen(command) as process:  # noqa: S603 - no shell, and nothing from outside
        try:
            while not _answers(port):
                if process.poll() is not None:
                    raise SystemExit("The server ended before it answered.")
                sleep(0.05)
            print(
                f"It answers after {perf_counter() - start:.1f} s, with {_resident_mib(process.pid):.0f} MiB resident."
            )
            yield process, port
        finally:
            process.terminate()


def _cpu_seconds(process: int) -> float:
    """CPU seconds of the server's process so far, which other work on the machine hardly changes."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def _answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=60) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


def _resident_mib(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


def _signed_in(port: int) -> str:
    """The session cookie, obtained by signing in as a browser does."""
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as browser:
        form = browser.get("/health/sign-in/").text
        (token,) = set(re.findall(r'name="csrf_token" value="([^"]+)"', form))
        response = browser.post(
            "/health/sign-in/",
            data={"name": NAME, "password": PASSWORD, "csrf_token": token, "next": "/health/"},
            headers={"Origin": f"http://127.0.0.1:{port}"},
        )
        if response.status_code != 303:
            raise SystemExit(f"Signing in was to succeed, but it answers {response.status_code}: {response.text[:300]}")
        start = perf_counter()
        browser.get("/health/").raise_for_status()
        print(f"The first page, with everything read from the store, takes {perf_counter() - start:.1f} s.")
        return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())


def _draws(seed: str) -> Random:
    return Random(seed)  # noqa: S311 - the same at every run, and no secret


async def _measure(routes: dict[str, Path_], process: int, port: int, cookie: str) -> None:
    print(f"\n{READERS} readers, {REQUESTS:,} requests each route:")
    print(f"  {'':34}{'p50 ms':>8}{'p99 ms':>8}{'max ms':>8}{'per s':>8}{'CPU ms':>8}{'KiB':>7}")
    for name, path in routes.items():
        draw, computed = _draws(name), _cpu_seconds(process)
        seconds, taken, size = await _read(port, cookie, [path(draw) for _ in range(REQUESTS)])
        p50, p99, most = (1000 * seconds[int(len(seconds) * share) - 1] for share in (0.5, 0.99, 1))
        mark = "" if p99 < LIMIT_MILLISECONDS else f"  beyond {LIMIT_MILLISECONDS}"
        rate, cpu = len(seconds) / taken, 1000 * (_cpu_seconds(process) - computed) / len(seconds)
        print(f"  {name:34}{p50:8.1f}{p99:8.1f}{most:8.1f}{rate:8.0f}{cpu:8.1f}{size / 1024:7.1f}{mark}", flush=True)
    print("\nResident memory while all of these are asked at random:")
    draw, done = _draws("long run"), 0
    print(f"  before                {_resident_mib(process):6.0f} MiB")
    for wanted in LONG_RUN:
        await _read(port, cookie, [draw.choice([*routes.values()])(draw) for _ in range(wanted - done)])
        done = wanted
        print(f"  after {done:6,} requests {_resident_mib(process):6.0f} MiB", flush=True)


async def _read(port: int, cookie: str, paths: list[str]) -> tuple[list[float], float, float]:
    """Request all paths over READERS connections; sorted seconds of each, seconds of all, mean bytes of a response."""
    seconds: list[float] = []
    sizes: list[int] = []
    turns = count()

    async def reader() -> None:
        stream, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
        try:
            while (turn := next(turns)) < len(paths):
                head = (
                    f"GET {paths[turn]} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n"
                    "Accept-Encoding: gzip\r\n\r\n"
                )
                start = perf_counter()
                writer.write(head.encode())
                sizes.append(await _whole_response(stream, paths[turn]))
                seconds.append(perf_counter() - start)
        finally:
            writer.close()

    start = perf_counter()
    await asyncio.gather(*(reader() for _ in range(READERS)))
    return sorted(seconds), perf_counter() - start, sum(sizes) / len(sizes)


async def _whole_response(stream: asyncio.StreamReader, path: str) -> int:
    head = await stream.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"{path} was to answer 200, but {head.splitlines()[0].decode()} was found.")
    length = int(re.findall(rb"content-length: (\d+)", head.lower())[0])
    await stream.readexactly(length)
    return len(head) + length


if __name__ == "__main__":
    main()
