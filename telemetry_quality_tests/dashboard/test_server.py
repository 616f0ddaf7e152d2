"""The dashboard is served by a process on its own port and stops when it is asked to."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from telemetry_quality.dashboard import server
from telemetry_quality.errors import RequestError, SettingsError
from telemetry_quality.settings import DashboardSettings, Settings
from telemetry_quality.storage.migrations import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SETTINGS = """
store = "sqlite:///quality.db"

[sources.web]
connector = "parquet"
path = "events"
first_day = 2026-02-01

[sources.web.roles]
event_id = "event_id"
occurred_at = "occurred_at"
event_name = "event_name"
service_version = "service_version"
is_error = "is_error"
"""


def settings_at(url: str) -> Settings:
    roles = {"occurred_at": "at", "event_name": "name", "service_version": "version", "is_error": "failed"}
    web = {"connector": "parquet", "path": "events", "first_day": "2026-02-01", "roles": roles}
    return Settings(sources={"web": web}, dashboard={"url": url})


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://127.0.0.1:3001", 3001),
        ("http://localhost:8080", 8080),
        ("http://[::1]:8081", 8081),
        ("http://localhost", server.DEFAULT_PORT),
        ("https://telemetry.example.org", server.DEFAULT_PORT),
        ("https://telemetry.example.org:8443", server.DEFAULT_PORT),
    ],
)
def test_the_port_is_the_one_of_the_url_unless_a_proxy_listens_there(url: str, port: int) -> None:
    assert server.port_of(DashboardSettings(url=url)) == port


@pytest.mark.parametrize(
    ("url", "served"),
    [
        ("http://127.0.0.1:3001", "http://127.0.0.1:4001"),
        ("http://localhost", "http://localhost:4001"),
        ("http://[::1]:3001", "http://[::1]:4001"),
        ("https://telemetry.example.org", "https://telemetry.example.org"),
    ],
)
def test_another_port_appears_in_the_url_unless_there_is_a_proxy(url: str, served: str) -> None:
    assert server.served_at_port(settings_at(url), 4001).dashboard.url == served


def test_the_port_of_the_url_changes_nothing() -> None:
    settings = settings_at("http://localhost:3001")
    assert server.served_at_port(settings, 3001) is settings


def test_a_port_in_use_is_one_sentence() -> None:
    with server.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RequestError, match=rf"free port is required, but 127.0.0.1:{port} .*--port\.$"):
            server.listen("127.0.0.1", port)


def test_an_address_of_another_machine_is_one_sentence() -> None:
    with pytest.raises(RequestError, match=r"A free port is required, but 192\.0\.2\.1:3001 cannot be used"):
        server.listen("192.0.2.1", 3001)


def test_a_port_is_free_again_right_after_the_last_server(tmp_path: Path) -> None:
    with server.listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = first.accept()
        accepted.close()  # the server's side now waits for late packets, as after a restart
        client.close()
    server.listen("127.0.0.1", port).close()


@pytest.mark.parametrize("module", server.EXTRA)
def test_without_the_extra_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SettingsError, match=rf'"dashboard", but {module} is not .*telemetry-quality\[dashboard\]'):
        server.require_installed()


def test_with_the_extra_installed_nothing_is_raised() -> None:
    server.require_installed()


CLIENT = "203.0.113.9"
FORGED = "192.0.2.66"


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "seen"),
    [
        (None, "127.0.0.1", CLIENT, CLIENT),
        (None, "::1", CLIENT, CLIENT),
        (None, "::ffff:127.0.0.1", CLIENT, CLIENT),
        (None, "10.1.2.3", CLIENT, "10.1.2.3"),
        (["10.1.0.0/16"], "10.1.2.3", CLIENT, CLIENT),
        (["10.1.0.0/16"], "::ffff:10.1.2.3", CLIENT, CLIENT),
        (["10.1.0.0/16"], "10.2.0.1", CLIENT, "10.2.0.1"),
        (["10.1.0.0/16"], "127.0.0.1", CLIENT, "127.0.0.1"),
        (["2001:db8::/32"], "2001:db8::7", CLIENT, CLIENT),
        # Proxies append, so only what stands to the right of the first stranger is believed.
        (["10.1.0.0/16"], "10.1.2.3", f"{FORGED}, {CLIENT}, 10.1.9.9", CLIENT),
        (["10.1.0.0/16"], "10.1.2.3", f"10.1.0.1, {CLIENT}", CLIENT),
        (["10.1.0.0/16"], "10.1.2.3", "", "10.1.2.3"),
    ],
)
def test_only_a_trusted_proxy_may_say_where_a_request_comes_from(
    proxies: list[str] | None, peer: str, forwarded: str, seen: str
) -> None:
    found = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.append(scope["client"][0])

    settings = DashboardSettings() if proxies is None else DashboardSettings(trusted_proxies=proxies)
    config = uvicorn.Config(app, **server.server_options(settings))
    config.load()
    headers = [(b"x-forwarded-for", forwarded.encode())]
    asyncio.run(config.loaded_app({"type": "http", "client": (peer, 1), "headers": headers}, None, None))
    assert found == [seen]


@contextmanager
def running_dashboard(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """``telemetry-quality dashboard`` in its own process, once it responds, and its port."""
    (folder / "telemetry.toml").write_text(SETTINGS)
    migrate(f"sqlite:///{folder / 'quality.db'}")
    with server.listen("127.0.0.1", 0) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "telemetry_quality", "dashboard", "--port", str(port)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            wait_for(process, port)
            yield process, port
        finally:
            process.kill()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A running dashboard over an empty store."""
    with running_dashboard(tmp_path) as started:
        yield started


def wait_for(process: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"the dashboard did not start: {process.communicate(timeout=1)[0]}")


def _get(port: int, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return response.status, found, response.read().decode()


@pytest.mark.slow
def test_it_serves_says_how_to_sign_in_and_ends_cleanly_with_ctrl_c(
    served: tuple[subprocess.Popen[str], int],
) -> None:
    process, port = served
    status, headers, text = _get(port, "/healthz")
    assert (status, text) == (200, "ok\n")
    assert "server" not in headers, "what is behind the address is nobody's business"
    assert _get(port, "/health/?source=SECRET")[0] == 303
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=30)[0]
    assert process.returncode == 0, output
    assert f"http://127.0.0.1:{port}/health/" in output
    assert "nobody has an account yet: run telemetry-quality staff add NAME" in output
    assert "SECRET" not in output, "addresses are not logged"
    assert len(output.splitlines()) == 1, output


@pytest.mark.slow
def test_sigterm_stops_it_although_a_page_holds_a_connection(served: tuple[subprocess.Popen[str], int]) -> None:
    process, port = served
    with socket.create_connection(("127.0.0.1", port)) as page:
        page.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert page.recv(1024).startswith(b"HTTP/1.1 200")
        process.terminate()
        output = process.communicate(timeout=30)[0]
    assert process.returncode == -signal.SIGTERM
    assert "Traceback" not in output
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
