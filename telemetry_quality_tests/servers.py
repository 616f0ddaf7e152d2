"""Real servers for the tests: each is started on a free port of the loopback and stopped again.

Where a server cannot be had, its tests are skipped, and fail instead where ``REQUIRE_SERVERS`` is set.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
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


# Spark


@dataclass(frozen=True)
class Spark:
    """A running standalone cluster, a master and two workers of one core each, with a Spark Connect server.

    Attributes:
        folder: A folder that all of them see.
        url: That of the Spark Connect server.
    """

    folder: Path
    url: str


_CLUSTER_SETTINGS = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.executor.memory": "600m",
    "spark.sql.session.timeZone": "Asia/Kolkata",
    "spark.cores.max": "2",
    "spark.log.level": "WARN",
    # A handful of events is planned, not computed, for most of the time: without compiling every plan to Java.
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}


@contextmanager
def running_spark() -> Iterator[Spark]:
    """A new cluster; its time zone is not UTC, so that a source that forgets to set its own is found out."""
    found = find_spec("pyspark")
    if found is None or not found.submodule_search_locations:
        cannot_be_had('A Spark cluster is required, but PySpark was not found; run pip install "pyspark[connect]".')
    if shutil.which("java") is None:
        cannot_be_had(
            "A Spark cluster requires Java, but it was not found; run apt-get install openjdk-17-jre-headless."
        )
    home = Path(found.submodule_search_locations[0])
    folder = Path(tempfile.mkdtemp(prefix="telemetry-quality-spark-"))
    master, connect = free_port(), free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))} | {
        "SPARK_HOME": str(home),
        "SPARK_CONF_DIR": str(folder),
        "SPARK_LOCAL_DIRS": str(folder / "scratch"),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_JAVA_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    }
    run = home / "bin" / "spark-class"
    worker: list[str | Path] = [
        *(run, "org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1", "--webui-port", "0"),
        *("--cores", "1", "--memory", "800m", "--work-dir", folder / "work", f"spark://127.0.0.1:{master}"),
    ]
    settings = _CLUSTER_SETTINGS | {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(connect),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
    }
    commands: dict[str, list[str | Path]] = {
        "master": [
            *(run, "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1"),
            *("--port", str(master), "--webui-port", "0"),
        ],
        "worker-1": worker,
        "worker-2": worker,
        "connect": [
            *(home / "bin" / "spark-submit", "--class", "org.apache.spark.sql.connect.service.SparkConnectServer"),
            *("--master", f"spark://127.0.0.1:{master}", "--driver-memory", "800m"),
            *("--driver-java-options", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"),
            *(part for name, value in settings.items() for part in ("--conf", f"{name}={value}")),
            "spark-internal",
        ],
    }
    try:
        with ExitStack() as running:
            servers = {
                name: running.enter_context(_in_a_group_of_its_own(command, folder / name, environment))
                for name, command in commands.items()
            }
            _wait_for_port(connect, servers["connect"], folder / "connect")
            yield Spark(folder, f"sc://127.0.0.1:{connect}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _in_a_group_of_its_own(
    command: list[str | Path], log: Path, environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended together with those it started."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, cwd=log.parent, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)


def _wait_for_port(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 240
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        else:
            return
