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
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import URL

if TYPE_CHECKING:
    from collections.abc import Iterator

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

    def new_database(self, template: str | None = None) -> str:
        """The URL of a database used by nobody else: a copy of ``template``, or empty."""
        name = f"test_{os.getpid()}_{next(_NUMBERS)}"
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        with self.connect() as connection:
            connection.execute(create.format(sql.Identifier(name), sql.Identifier(template or "template1")))
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
