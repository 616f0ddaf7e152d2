"""Real servers for the tests, each started on a free port on loopback and stopped afterwards.

If a server is not available, its tests are skipped, or fail if ``REQUIRE_SERVERS`` is set.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote

import psycopg
import pymysql
import pytest
from psycopg import sql
from sqlalchemy import URL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_NUMBERS = count(1)


def cannot_be_had(sentence: str) -> NoReturn:
    """Skip the test, or fail it if servers are required."""
    if os.environ.get("REQUIRE_SERVERS"):
        pytest.fail(sentence)
    pytest.skip(sentence)


def free_port() -> int:
    """A free port on loopback."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_for_port(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 240
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        else:
            return


# PostgreSQL


@dataclass(frozen=True)
class PostgreSQL:
    """A running server.

    Attributes:
        folder: Its data directory.
        programs: The folder of ``psql``, ``pg_ctl`` and the like.
    """

    folder: Path
    programs: Path
    port: int
    password: str

    def url(self, database: str = "postgres") -> str:
        """A SQLAlchemy URL, including the password."""
        parts = URL.create("postgresql", "postgres", self.password, "127.0.0.1", self.port, database)
        return parts.render_as_string(hide_password=False)

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """A separate connection that commits every statement."""
        return psycopg.connect(self.url(database), autocommit=True)

    def new_database(self, template: str | None = None) -> str:
        """The URL of a new database: a copy of ``template``, or empty."""
        name = f"test_{os.getpid()}_{next(_NUMBERS)}"
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        with self.connect() as connection:
            connection.execute(create.format(sql.Identifier(name), sql.Identifier(template or "template1")))
        return self.url(name)


@contextmanager
def running_postgresql() -> Iterator[PostgreSQL]:
    """A new PostgreSQL server; it refuses to run as root, so it then runs as ``nobody``."""
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
        with _serving(PostgreSQL(data, programs, port, password), folder / "log") as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_standby(primary: PostgreSQL) -> Iterator[PostgreSQL]:
    """A hot standby of ``primary``: a server that replays what happens there, and refuses to write."""
    user = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="telemetry-quality-standby-"))
    if user:
        shutil.chown(folder, user)
    try:
        _run(
            [
                *(primary.programs / "pg_basebackup", "--dbname", primary.url(), "--pgdata", folder / "data"),
                *("--write-recovery-conf", "--checkpoint", "fast", "--no-sync"),
            ],
            user,
        )
        standby = PostgreSQL(folder / "data", primary.programs, free_port(), primary.password)
        # Queries that block the replay are cancelled immediately.
        with _serving(standby, folder / "log", max_standby_streaming_delay="0"):
            yield standby
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _serving(postgresql: PostgreSQL, log: Path, **more: str) -> Iterator[PostgreSQL]:
    # Nothing here outlives the test, so skipping fsync makes it faster.
    settings = {
        "port": postgresql.port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        # With hundreds of databases, a worker would be started every tenth of a second.
        "autovacuum": "off",
        **more,
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    user = "nobody" if os.geteuid() == 0 else None
    with log.open("wb") as written:
        server = subprocess.Popen(
            [postgresql.programs / "postgres", "-D", postgresql.folder, *options],
            user=user,
            stdout=written,
            stderr=written,
            cwd="/",
        )
    try:
        _wait_for(postgresql, server, log)
        yield postgresql
    finally:
        server.terminate()
        server.wait(timeout=30)


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


def _wait_for(postgresql: PostgreSQL, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            postgresql.connect().close()
        except psycopg.OperationalError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        else:
            return


# A network that stops working, although every connection stays open.


class StallingProxy:
    """Forwards to a port until it stalls: then it still accepts and keeps connections, but forwards nothing."""

    def __init__(self, port: int) -> None:
        self.stalled = threading.Event()
        self._target = port
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> StallingProxy:
        return self

    def __exit__(self, *_: object) -> None:
        for end in (self._listener, *self._open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                if not self.stalled.is_set():
                    server = socket.create_connection(("127.0.0.1", self._target))
                    self._open.append(server)
                    for source, sink in ((client, server), (server, client)):
                        threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if self.stalled.is_set():
                    return
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


# ClickHouse: chdb, the same engine as a library, behind ClickHouse's HTTP interface in its own process.


@dataclass(frozen=True)
class ClickHouse:
    """A running server.

    Its user ``reader`` may do everything, ``viewer`` only read and change settings, and ``limited`` only read.
    """

    port: int
    password: str
    process_id: int

    def processor_seconds(self) -> float:
        """How long its threads have kept processors busy so far."""
        fields = Path(f"/proc/{self.process_id}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def url(self, database: str = "default", user: str = "reader") -> str:
        """The URL of the HTTP interface, as settings have it, including the password."""
        return f"http://{user}:{self.password}@127.0.0.1:{self.port}/{database}"

    def run(self, statement: str) -> str:
        """Run any statement, such as ``CREATE TABLE`` or ``INSERT``, and return what it says."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        identity = {"X-ClickHouse-User": "reader", "X-ClickHouse-Key": self.password}
        connection.request("POST", "/", statement.encode(), identity)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        assert answer.status == 200, text
        return text

    def new_table(self, columns: str, rows: Sequence[Mapping[str, Any]] = (), engine: str | None = None) -> str:
        """The name of a new table of ``columns``, as CREATE TABLE lists them, that holds ``rows``.

        Values are those of JSON, and aware times.
        """
        name = f"events {next(_NUMBERS)}"
        self.run(f"CREATE TABLE `{name}` ({columns}) ENGINE = {engine or 'MergeTree ORDER BY tuple()'}")
        if rows:
            lines = "\n".join(json.dumps(row, default=datetime.isoformat) for row in rows)
            self.run(f"INSERT INTO `{name}` SETTINGS date_time_input_format = 'best_effort' FORMAT JSONEachRow {lines}")
        return name


@contextmanager
def running_clickhouse() -> Iterator[ClickHouse]:
    """A new, empty server."""
    if find_spec("chdb") is None:
        cannot_be_had('ClickHouse is required, but chdb was not found; run pip install "telemetry-quality[dev]".')
    folder = Path(tempfile.mkdtemp(prefix="telemetry-quality-clickhouse-"))
    port, password = free_port(), secrets.token_urlsafe(16)
    command: list[str | Path] = [
        *(sys.executable, "-m", "telemetry_quality_tests.clickhouse_server", folder / "data", str(port), password)
    ]
    try:
        with _in_a_group_of_its_own(command, folder / "log", dict(os.environ)) as server:
            _wait_for_port(port, server, folder / "log")
            yield ClickHouse(port, password, server.pid)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# MariaDB


@dataclass(frozen=True)
class MariaDB:
    """A running server, whose texts ignore case, accents and trailing blanks unless told otherwise."""

    folder: Path
    port: int
    password: str

    def url(self, database: str = "telemetry", user: str = "writer") -> str:
        """A SQLAlchemy URL, including the password."""
        parts = URL.create("mariadb", user, self.password, "127.0.0.1", self.port, database)
        return parts.render_as_string(hide_password=False)

    def run(self, statement: str, rows: Sequence[Sequence[Any]] = ()) -> Any:
        """Run a statement once, or once for each of ``rows``, commit it, and return what it found."""
        with (
            pymysql.connect(
                host="127.0.0.1",
                port=self.port,
                user="writer",
                password=self.password,
                database="telemetry",
                autocommit=True,
                init_command="SET time_zone = '+00:00'",
            ) as connection,
            connection.cursor() as cursor,
        ):
            if rows:
                cursor.executemany(statement, rows)
            else:
                cursor.execute(statement)
            return cursor.fetchall()

    def new_table(self, columns: str, rows: Sequence[Sequence[Any]] = ()) -> str:
        """The name of a new table of ``columns``, as CREATE TABLE lists them, that holds ``rows``."""
        name = f"events {next(_NUMBERS)}"
        self.run(f"CREATE TABLE `{name}` ({columns})")
        if rows:
            self.run(f"INSERT INTO `{name}` VALUES ({', '.join(['%s'] * len(rows[0]))})", rows)
        return name


@contextmanager
def running_mariadb() -> Iterator[MariaDB]:
    """A new MariaDB server with an empty database; as root, it runs as ``nobody``."""
    programs = [
        shutil.which(name, path=f"/usr/sbin:{os.environ['PATH']}") for name in ("mariadb-install-db", "mariadbd")
    ]
    if None in programs:
        cannot_be_had("A MariaDB server is required, but mariadbd was not found; run apt-get install mariadb-server.")
    install, server = map(str, programs)
    folder = Path(tempfile.mkdtemp(prefix="telemetry-quality-mariadb-"))
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    data, port, password = folder / "data", free_port(), secrets.token_urlsafe(16)
    start = folder / "start.sql"
    start.write_text(
        "CREATE DATABASE IF NOT EXISTS telemetry CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;\n"
        f"CREATE USER writer@'%' IDENTIFIED BY '{password}';\n"
        "GRANT ALL ON *.* TO writer@'%' WITH GRANT OPTION;\n"
    )
    options = ["--no-defaults", f"--datadir={data}"]
    try:
        _run([install, *options, "--auth-root-authentication-method=normal", "--skip-test-db"], user)
        command: list[str | Path] = [
            *(server, *options, f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder / 'socket'}"),
            # Nothing here outlives the test.
            *("--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=16M"),
            *("--skip-name-resolve", "--default-time-zone=+05:30", f"--init-file={start}"),
        ]
        with _in_a_group_of_its_own(command, folder / "log", dict(os.environ), user) as process:
            _wait_for_port(port, process, folder / "log")
            yield MariaDB(data, port, password)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# An object store: moto's S3 in its own process, behind a gate that records every request and can refuse it.


@dataclass(frozen=True)
class Request:
    """A request that reached the gate, and the response."""

    method: str
    path: str
    status: int
    sent_bytes: int
    range: str = ""


Fault = tuple[int, str]
"""A status and its S3 error code."""


@dataclass
class ObjectServer:
    """A running object store.

    Attributes:
        url: The gate's address; requests through it are recorded in ``requests``.
        fault: Called with every request's method and path; what it returns is sent instead of the store's response.
    """

    url: str
    port_of_store: int
    requests: list[Request] = field(default_factory=list)
    fault: Callable[[str, str], Fault | None] | None = None

    def new_bucket(self) -> str:
        """Create a new, empty bucket."""
        name = f"test-{os.getpid()}-{next(_NUMBERS)}"
        self.request("PUT", f"/{name}")
        return name

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Write an object, bypassing the gate."""
        self.request("PUT", f"/{bucket}/{quote(key)}", content)

    def put_folder(self, bucket: str, folder: Path) -> None:
        """Write every file in ``folder``, bypassing the gate."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(bucket, path.relative_to(folder).as_posix(), path.read_bytes())

    def delete(self, bucket: str, key: str) -> None:
        """Delete an object, bypassing the gate."""
        self.request("DELETE", f"/{bucket}/{quote(key)}")

    def request(self, method: str, path: str, content: bytes = b"") -> None:
        """Send a request to the store, bypassing the gate."""
        connection = HTTPConnection("127.0.0.1", self.port_of_store, timeout=30)
        # S3 takes the region from the signature's scope; this store does not check who signed.
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
    log = Path(tempfile.mkdtemp(prefix="telemetry-quality-objects-")) / "log"
    with log.open("wb") as output:
        store = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        _wait_for_port(port, store, log)
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
        shutil.rmtree(log.parent, ignore_errors=True)


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
        # Recorded first: a client may look immediately after the response.
        server.requests.append(Request(self.command, self.path, status, len(sent), self.headers.get("Range", "")))
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
        """Log nothing: requests are recorded in ``requests``."""


# Spark


@dataclass(frozen=True)
class Spark:
    """A running standalone cluster, a master and two workers of one core each, with a Spark Connect server.

    Attributes:
        folder: A folder that all of them share.
        url: The URL of the Spark Connect server.
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
    # With a handful of events, most of the time is spent on planning, so plans are not compiled to Java.
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}


@contextmanager
def running_spark(workers: int) -> Iterator[Spark]:
    """A new cluster; its time zone is not UTC, to detect a source that does not set its own.

    Args:
        workers: How many processes execute what the server plans; with none, the server does so itself.
    """
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
    cluster: dict[str, list[str | Path]] = {
        "master": [
            *(run, "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1"),
            *("--port", str(master), "--webui-port", "0"),
        ],
        **{f"worker-{number}": worker for number in range(workers)},
    }
    commands: dict[str, list[str | Path]] = {
        **(cluster if workers else {}),
        "connect": [
            *(home / "bin" / "spark-submit", "--class", "org.apache.spark.sql.connect.service.SparkConnectServer"),
            *("--master", f"spark://127.0.0.1:{master}" if workers else "local[2]", "--driver-memory", "800m"),
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
    command: list[str | Path], log: Path, environment: dict[str, str], user: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is stopped together with its children."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, cwd=log.parent, stdout=output, stderr=output, start_new_session=True, user=user
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)
