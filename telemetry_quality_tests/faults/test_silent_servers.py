"""A network that stops working keeps nobody waiting: not in a source, not in the store, and not with Ctrl-C."""

from __future__ import annotations

import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import make_url

from telemetry_quality import bounded_connections
from telemetry_quality.core.days import day_window
from telemetry_quality.errors import SourceSilentError, StoreError
from telemetry_quality.sources.postgresql import PostgresSource
from telemetry_quality.storage import postgresql as storage
from telemetry_quality.storage.engine import open_engine, open_read_only_engine, transaction
from telemetry_quality_tests.builders import DAY, SCHEMA
from telemetry_quality_tests.servers import StallingProxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from telemetry_quality_tests.servers import PostgreSQL

pytestmark = pytest.mark.slow

WINDOW = day_window(DAY, ZoneInfo("UTC"))


@pytest.fixture
def proxy(postgresql: PostgreSQL) -> Iterator[StallingProxy]:
    """Stands in front of the server."""
    with StallingProxy(postgresql.port) as proxy:
        yield proxy


@pytest.fixture
def url(postgresql: PostgreSQL, proxy: StallingProxy) -> str:
    """The server behind the proxy, with a table ``slow`` that takes a second."""
    made = postgresql.new_database()
    with postgresql.connect(make_url(made).database or "") as connection:
        connection.execute(
            "CREATE VIEW slow AS SELECT 'e' AS event_id, TIMESTAMPTZ '2026-03-10 12:00+00' AS occurred_at,"
            " 'page.view' AS event_name, '1.0' AS service_version, false AS is_error"
            " FROM (SELECT pg_sleep(1) OFFSET 0) AS nap"
        )
    return make_url(made).set(port=proxy.port).render_as_string(hide_password=False)


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_connections, "GRACE_SECONDS", 1)
    monkeypatch.setattr(bounded_connections, "CONNECTING", {**bounded_connections.CONNECTING, "connect_timeout": 2})


def seconds_of(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("cut_after_seconds", [0, 0.5])
def test_a_source_that_falls_silent_is_an_outage_soon_after_the_time_limit(
    url: str, proxy: StallingProxy, cut_after_seconds: float
) -> None:
    source = PostgresSource(url, "slow", SCHEMA, time_limit_seconds=2)
    threading.Timer(cut_after_seconds, proxy.stalled.set).start()

    def read() -> None:
        with pytest.raises(SourceSilentError, match="must answer, but does not") as caught:
            list(source.scan_days([WINDOW], 10))
        assert caught.value.reason_code == "SOURCE_SILENT"

    assert seconds_of(read) < 6


def test_a_network_that_vanishes_is_noticed_by_the_connection_itself(url: str) -> None:
    with PostgresSource(url, "slow", SCHEMA)._client() as client:
        driver: Any = client.connection.connection.driver_connection
        with socket.socket(fileno=socket.dup(driver.fileno())) as end:
            found = {
                name: end.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
                for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
            }
            assert end.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert found == {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 25_000}


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("is_writer", [False, True])
def test_a_store_that_falls_silent_fails_in_a_sentence(
    url: str, proxy: StallingProxy, is_writer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "CLIENT_SECONDS", 1)
    engine = (open_engine if is_writer else open_read_only_engine)(url)

    def ask() -> None:
        with transaction(engine, writes=is_writer) as connection:
            connection.exec_driver_sql("SELECT 1")

    def fail() -> None:
        with pytest.raises(StoreError, match=r"nothing arrived from the server within 1 s|timeout expired"):
            ask()

    ask()
    proxy.stalled.set()
    assert seconds_of(fail) < 6


PROGRAMS = {
    "source": """
from zoneinfo import ZoneInfo
from telemetry_quality.core.days import day_window
from telemetry_quality.sources.postgresql import PostgresSource
from telemetry_quality_tests.builders import DAY, SCHEMA
print("begun", flush=True)
PostgresSource(sys.argv[1], "slow", SCHEMA).count_days([day_window(DAY, ZoneInfo("UTC"))])
""",
    "store": """
from telemetry_quality.storage.engine import open_engine, transaction
with transaction(open_engine(sys.argv[1]), writes=True) as connection:
    print("begun", flush=True)
    connection.exec_driver_sql("SELECT pg_sleep(1)")
""",
    "store in SQLite": """
from telemetry_quality.storage.engine import open_engine, transaction
print("begun", flush=True)
with transaction(open_engine(sys.argv[1]), writes=True):
    pass
""",
}


def assert_ctrl_c_ends(program: str, url: str, stall: Callable[[], object]) -> None:
    command = [sys.executable, "-c", "import sys" + PROGRAMS[program], url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.5)
        stall()
        process.send_signal(signal.SIGINT)
        assert seconds_of(lambda: process.wait(timeout=20)) < 5
        _, errors = process.communicate()
    assert errors.strip().splitlines()[-1] == "KeyboardInterrupt"


@pytest.mark.parametrize("program", ["source", "store"])
def test_ctrl_c_ends_what_waits_for_a_silent_server(url: str, proxy: StallingProxy, program: str) -> None:
    assert_ctrl_c_ends(program, url, proxy.stalled.set)


def test_ctrl_c_ends_a_writer_that_waits_for_another(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("BEGIN IMMEDIATE")
        assert_ctrl_c_ends("store in SQLite", f"sqlite:///{path}", lambda: None)
        other.execute("ROLLBACK")
    other.close()
