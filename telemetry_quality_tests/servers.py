"""Real servers for the tests: each is started on a free port of the loopback and stopped again.

Where a server cannot be had, its tests are skipped, and fail instead where ``REQUIRE_SERVERS`` is set.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import URL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NUMBERS = count(1)


def cannot_be_had(sentence: str) -> NoReturn:
    """Skip the test, or fail it where servers are required."""
    if os.environ.get("REQUIRE_SERVERS"):
        pytest.fail(sentence)
    pytest.skip(sentence)


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@dataclass(frozen=True)
class PostgreSQL:
    """A running server.

    Attributes:
        folder: Its data directory.
        programs: Where ``psql``, ``pg_ctl`` and the like are.
    """

    folder: Path
    programs: Path
    port: int
    password: str

    def url(self, database: str = "postgres") -> str:
        """A SQLAlchemy URL, password included."""
        parts = URL.create("postgresql", "postgres", self.password, "127.0.0.1", self.port, database)
        return parts.render_as_string(hide_password=False)

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """A connection of its own that commits every statement."""
        return psycopg.connect(self.url(database), autocommit=True)

    def new_database(self) -> str:
        """The URL of an empty database, used by nobody else."""
        name = f"test_{os.getpid()}_{next(_NUMBERS)}"
        with self.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)


@contextmanager
def running_postgresql() -> Iterator[PostgreSQL]:
    """A new PostgreSQL server, without root: as ``nobody`` where the tests run as root, which it refuses."""
    programs = _postgresql_programs()
    user = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="telemetry-quality-postgresql-"))
    password, port = secrets.token_urlsafe(16), free_port()
    (folder / "password").write_text(password)
    data = folder / "data"
    if user:
        for path in (folder, folder / "password"):
            shutil.chown(path, user)
    try:
        _run(
            [
                *(programs / "initdb", "--pgdata", data, "--username", "postgres", "--encoding", "UTF8"),
                *("--pwfile", folder / "password", "--auth", "scram-sha-256", "--locale", "C.UTF-8", "--no-sync"),
            ],
            user,
        )
        # Nothing here outlives the test: what is not written to disk at once makes it faster.
        settings = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, *options], user=user, stdout=log, stderr=log, cwd="/"
            )
        try:
            one = PostgreSQL(data, programs, port, password)
            _wait_for(one, server, folder / "log")
            yield one
        finally:
            server.terminate()
            server.wait(timeout=30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _postgresql_programs() -> Path:
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if on_path := shutil.which("initdb"):
        found.append(Path(on_path).resolve().parent)
    if not found:
        cannot_be_had("A PostgreSQL server is required, but initdb was not found; run apt-get install postgresql.")
    return max(found, key=lambda path: [int(number) for number in re.findall(r"\d+", str(path))])


def _run(command: list[str | Path], user: str | None) -> None:
    done = subprocess.run(command, user=user, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr


def _wait_for(one: PostgreSQL, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            one.connect().close()
        except psycopg.OperationalError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        else:
            return


# An object store: moto's S3 in a process of its own, behind a gate that notes every request and can refuse it.


@dataclass(frozen=True)
class Request:
    """What reached the gate, and how it was answered."""

    method: str
    path: str
    status: int
    sent_bytes: int


Fault = tuple[int, str]
"""A status, and the code S3 gives with it."""


@dataclass
class ObjectServer:
    """A running object store.

    Attributes:
        url: The gate's address: what goes through it is noted in ``requests``.
        fault: Asked about every request's method and path; what it returns is answered in the store's place.
    """

    url: str
    port_of_store: int
    requests: list[Request] = field(default_factory=list)
    fault: Callable[[str, str], Fault | None] | None = None

    def new_bucket(self) -> str:
        """An empty bucket, used by nobody else."""
        name = f"test-{os.getpid()}-{next(_NUMBERS)}"
        self.request("PUT", f"/{name}")
        return name

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Write an object past the gate."""
        self.request("PUT", f"/{bucket}/{quote(key)}", content)

    def put_folder(self, bucket: str, folder: Path) -> None:
        """Write every file below ``folder`` past the gate."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(bucket, path.relative_to(folder).as_posix(), path.read_bytes())

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object past the gate."""
        self.request("DELETE", f"/{bucket}/{quote(key)}")

    def request(self, method: str, path: str, content: bytes = b"") -> None:
        """Ask the store past the gate."""
        connection = HTTPConnection("127.0.0.1", self.port_of_store, timeout=30)
        # S3 takes the region from the signature's scope; who signs, it does not ask.
        scope = "AWS4-HMAC-SHA256 Credential=writer/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
        connection.request(method, path, content, {"Authorization": scope})
        answer = connection.getresponse()
        assert answer.status < 300, answer.read()
        connection.close()


@contextmanager
def running_object_server() -> Iterator[ObjectServer]:
    """A new, empty object store."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    store = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for_port(port, store)
        gate = ThreadingHTTPServer(("127.0.0.1", 0), _Gate)
        gate.daemon_threads = True
        server = ObjectServer(f"http://127.0.0.1:{gate.server_address[1]}", port)
        gate.store = server  # type: ignore[attr-defined]
        thread = threading.Thread(target=gate.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            gate.shutdown()
            thread.join()
            gate.server_close()
    finally:
        store.terminate()
        store.wait(timeout=30)


def _wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert process.poll() is None, "The server ended."
            assert time.monotonic() < deadline, "The server does not answer."
            time.sleep(0.05)
        else:
            return


class _Gate(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _pass(self) -> None:
        server: ObjectServer = self.server.store  # type: ignore[attr-defined]
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if server.fault and (fault := server.fault(self.command, self.path)):
            status, code = fault
            body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
            headers = [("Content-Type", "application/xml")]
        else:
            connection = HTTPConnection("127.0.0.1", server.port_of_store, timeout=30)
            connection.request(self.command, self.path, content, dict(self.headers.items()))
            answer = connection.getresponse()
            status, body, headers = answer.status, answer.read(), answer.getheaders()
            connection.close()
        dropped = {"connection", "transfer-encoding"} | (set() if self.command == "HEAD" else {"content-length"})
        sent = b"" if self.command == "HEAD" else body
        # Noted first: who got the answer may look at once.
        server.requests.append(Request(self.command, self.path, status, len(sent)))
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in dropped:
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass  # noqa: N815 - names of the standard library

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: what was asked is in ``requests``."""
