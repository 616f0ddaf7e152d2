from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from websockets.asyncio.client import connect as connect_later
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from telemetry_quality.core.incidents import Action, incidents_of
from telemetry_quality.dashboard import live
from telemetry_quality.dashboard.app import create_app
from telemetry_quality.dashboard.hub import MOST_CHANGES, Change, Farewell, Hub, UpdateEvent
from telemetry_quality.dashboard.live import BEAT_SECONDS
from telemetry_quality.settings import Settings
from telemetry_quality.storage.staff.store import StaffStore
from telemetry_quality.storage.staff.tokens import fingerprint, new_token
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import DAY, NOW, make_snapshot, make_store, make_verdicts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from datetime import date, datetime

    from fastapi import FastAPI
    from websockets.sync.client import ClientConnection

    from telemetry_quality.dashboard.access.users import Access
    from telemetry_quality.dashboard.context import Dashboard

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 20

APPEND = """
import sys
from datetime import date
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import make_snapshot, make_verdicts

figures = {"error_events": 90, "error_rate_percent": 9.0}
day = date.fromisoformat(sys.argv[2])
SqlQualityStore(sys.argv[1]).append_snapshot(make_snapshot(day, **figures), make_verdicts(**figures))
"""


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def _settings(folder: Path, port: int) -> Settings:
    roles = {"occurred_at": "at", "event_name": "name", "service_version": "version", "is_error": "is_error"}
    web = {"connector": "parquet", "path": str(folder), "first_day": "2026-01-01", "roles": roles}
    url = f"http://127.0.0.1:{port}"
    return Settings(
        store=f"sqlite:///{folder / 'quality.db'}", sources={"web": web}, dashboard={"url": url, "session_hours": 0.75}
    )


@dataclass
class Running:
    """A dashboard served by this process, with a store of ten days with one snapshot each."""

    app: FastAPI
    server: uvicorn.Server
    settings: Settings
    clock: Clock

    @property
    def dashboard(self) -> Dashboard:
        found: Dashboard = self.app.state.dashboard
        return found

    @property
    def access(self) -> Access:
        return self.dashboard.access

    @property
    def shown_version(self) -> str | None:
        latest = self.dashboard.hub._latest
        return None if latest is None else latest.version

    @property
    def address(self) -> str:
        return f"{self.settings.dashboard.url.replace('http', 'ws')}/health/live/"

    def headers(self, name: str = "ada") -> dict[str, str]:
        """The headers of a browser in which ``name`` has just signed in; creates the account."""
        staff = StaffStore(self.settings.store)
        account = staff.account(name) or staff.add_account(name, None, self.clock.now)
        staff.close()
        value = self.access.open_session(account, "127.0.0.1", "password")
        return {"Cookie": f"{self.access.session_cookie.name}={value}", "Origin": self.settings.dashboard.url}

    @contextmanager
    def open(self, headers: dict[str, str] | None = None) -> Iterator[ClientConnection]:
        """A page that listens and has received the current version, after earlier listeners have received theirs."""
        _wait_until(lambda: self.shown_version == self.dashboard.keeper.state().version)
        with connect(self.address, additional_headers=self.headers() if headers is None else headers) as page:
            assert _update(page)["changed"] == []
            yield page

    def append(self, day: date = DAY, **figures: Any) -> None:
        """Append a revision through a connection other than the dashboard's."""
        store = SqlQualityStore(self.settings.store)
        _, is_new = store.append_snapshot(make_snapshot(day, **figures), make_verdicts(**figures))
        store.close()
        assert is_new

    def last_used_at(self, name: str) -> datetime:
        """When the newest session of an account was last used."""
        account = self.access.staff.require_account(name)
        return self.access.staff.sessions(account.id, self.clock.now)[0].last_used_at

    def end_sessions(self, name: str) -> None:
        staff = StaffStore(self.settings.store)
        account = staff.account(name)
        assert account is not None
        staff.end_sessions(account.id, self.clock.now)
        staff.close()


@contextmanager
def _serving(folder: Path, **options: Any) -> Iterator[Running]:
    store = make_store(folder)
    for number in range(10):
        store.append_snapshot(make_snapshot(DAY - timedelta(days=number)), make_verdicts())
    store.close()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        clock = Clock()
        settings = _settings(folder, listener.getsockname()[1])
        app = create_app(settings, clock=clock)
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, log_level="warning", **options))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            _wait_until(lambda: server.started)
            yield Running(app, server, settings, clock)
        finally:
            server.should_exit = True
            thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive(), "the server ends"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with _serving(tmp_path_factory.mktemp("live")) as running:
        yield running


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Running]:
    """A server that a test may break; it pings its clients every half second."""
    with _serving(tmp_path, ws_ping_interval=0.5, ws_ping_timeout=0.5) as running:
        yield running


def _update(page: ClientConnection, timeout: float = PATIENCE_SECONDS) -> dict[str, Any]:
    update: dict[str, Any] = json.loads(page.recv(timeout))
    assert set(update) == {"version", "changed"}
    return update


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"still waiting after {PATIENCE_SECONDS} s"
        time.sleep(0.02)


def _why_closed(page: ClientConnection) -> int:
    with suppress(ConnectionClosed):
        while True:
            _update(page)
    assert page.close_code is not None
    return page.close_code


def _api_error(address: str, headers: dict[str, str]) -> int:
    with pytest.raises(InvalidStatus) as refused, connect(address, additional_headers=headers):
        pass
    return refused.value.response.status_code


# Updates


def test_a_page_is_notified_immediately_of_a_revision_that_another_process_appends(running: Running) -> None:
    with running.open() as page, running.open() as other:
        command = [sys.executable, "-c", APPEND, running.settings.store, str(DAY)]
        subprocess.run(command, check=True, cwd=Path(__file__).parents[2])
        update = _update(page, timeout=BEAT_SECONDS / 2)
        assert update["changed"] == [{"source": "web", "day": str(DAY), "revision": 2, "status": "unhealthy"}]
        assert update["version"] == running.dashboard.keeper.state().version
        assert _update(other) == update


def test_a_page_is_notified_of_an_action_although_no_day_has_changed(running: Running) -> None:
    day = DAY - timedelta(days=9)
    running.append(day, error_events=100, error_rate_percent=10.0)
    with running.open() as page:
        store = SqlQualityStore(running.settings.store)
        incident = incidents_of(store, "web")[0]
        store.append_incident_action(incident.decide(Action.ACKNOWLEDGE, "ada", NOW))
        store.close()
        assert _update(page) == {"version": running.dashboard.keeper.state().version, "changed": []}


def test_a_page_from_before_the_last_change_learns_of_it_when_it_begins_to_listen(running: Running) -> None:
    made = running.dashboard.keeper.state().version
    running.append(DAY - timedelta(days=1), total_events=1001)
    _wait_until(lambda: running.shown_version not in {made, None})
    with connect(running.address, additional_headers=running.headers()) as page:
        assert _update(page, timeout=BEAT_SECONDS / 2) == {
            "version": running.dashboard.keeper.state().version,
            "changed": [],
        }


def test_every_page_is_sent_the_version_again_and_again_so_that_silence_means_a_lost_connection(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert BEAT_SECONDS == 20, "live.js waits 60 s"
    monkeypatch.setattr(live, "BEAT_SECONDS", 0.0)
    with running.open() as page:
        version = running.dashboard.keeper.state().version
        assert [_update(page) for _ in range(2)] == [{"version": version, "changed": []}] * 2


def test_a_page_is_disconnected_to_retry_later_while_its_session_cannot_be_checked(own: Running) -> None:
    file = Path(own.settings.store.removeprefix("sqlite:///"))
    with own.open() as page:
        before = own.dashboard.keeper.state()
        file.rename(file.with_suffix(".away"))
        assert _why_closed(page) == Farewell.TRY_LATER
        state = own.dashboard.keeper.state()
        assert state.version != before.version, "the trouble must be sent as an update"
        assert live._changes(own.dashboard, before, state) == ()
    file.with_suffix(".away").rename(file)
    with own.open():
        pass


def test_only_days_that_the_state_already_shows_are_sent(running: Running) -> None:
    days, states = [DAY - timedelta(days=7), DAY - timedelta(days=8)], [running.dashboard.keeper.state()]
    for day in days:
        running.append(day, total_events=1006)
        _wait_until(lambda: running.dashboard.keeper.state().version != states[-1].version)
        states.append(running.dashboard.keeper.state())
    published = [live._changes(running.dashboard, states[0], state) for state in states]
    assert [[change.day for change in changes] for changes in published] == [
        [],
        [str(days[0])],
        [str(each_day) for each_day in days],
    ]
    assert live._changes(running.dashboard, None, states[-1]) == ()


def test_an_error_in_a_check_of_the_store_is_logged_and_the_next_check_is_made(
    running: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Stumbling:
        """Fails once and then works like the real keeper."""

        looks = 0

        def state(self) -> Any:
            self.looks += 1
            if self.looks == 1:
                raise RuntimeError("out of memory")
            return running.dashboard.keeper.state()

    hub = Hub()
    dashboard = replace(running.dashboard, keeper=Stumbling(), hub=hub)  # type: ignore[arg-type]
    monkeypatch.setattr(live, "PAUSE_SECONDS", 0.01)

    async def listen() -> object:
        with hub.listening(lambda: None) as listener:
            async with live.watching(dashboard), asyncio.timeout(PATIENCE_SECONDS):
                return await listener.next_word()

    assert asyncio.run(listen()) == UpdateEvent(running.dashboard.keeper.state().version)
    assert "out of memory" in caplog.text


# Who may listen


def test_a_page_of_another_site_or_without_an_origin_gets_no_updates(running: Running) -> None:
    headers = running.headers()
    port = running.settings.dashboard.url.rpartition(":")[2]
    for origin in ("https://evil.example", f"https://127.0.0.1:{port}", "http://127.0.0.1:1", "null"):
        assert _api_error(running.address, headers | {"Origin": origin}) == 403, origin
    assert _api_error(running.address, {"Cookie": headers["Cookie"]}) == 403, "no Origin"
    with running.open(headers):
        pass


def test_a_stranger_gets_no_updates(running: Running) -> None:
    headers = running.headers()
    for cookie in ("", f"{headers['Cookie']}x", f"{running.access.session_cookie.name}=ada"):
        assert _api_error(running.address, headers | {"Cookie": cookie}) == 403, cookie


def test_a_token_cannot_listen_for_updates(running: Running) -> None:
    token = new_token()
    staff = StaffStore(running.settings.store)
    account = staff.add_account("eve", None, running.clock.now)
    staff.add_token(account.id, "cron", fingerprint(token), running.clock.now, 365)
    staff.close()
    headers = {"Authorization": f"Bearer {token}", "Origin": running.settings.dashboard.url}
    assert _api_error(running.address, headers) == 403


def test_a_page_is_disconnected_when_its_session_ends_and_no_other_page_is(running: Running) -> None:
    with running.open(running.headers("bob")) as ended, running.open(running.headers("cyd")) as other:
        running.end_sessions("bob")
        assert _why_closed(ended) == Farewell.SIGNED_OUT
        running.append(DAY - timedelta(days=2), total_events=1002)
        assert _update(other)["changed"][0]["day"] == str(DAY - timedelta(days=2))


def test_a_page_is_disconnected_when_its_account_is_disabled(running: Running) -> None:
    with running.open(running.headers("dan")) as page:
        staff = StaffStore(running.settings.store)
        staff.disable("dan", running.clock.now)
        staff.close()
        assert _why_closed(page) == Farewell.SIGNED_OUT


def test_an_open_page_keeps_its_session_in_use_until_it_expires_and_no_longer(own: Running) -> None:
    opened_at, session_hours = own.clock.now, own.settings.dashboard.session_hours
    with own.open() as page:
        own.clock.now += timedelta(minutes=own.settings.dashboard.idle_minutes) - timedelta(seconds=1)
        _wait_until(lambda: own.last_used_at("ada") == own.clock.now)
        own.clock.now = opened_at + timedelta(hours=session_hours) - timedelta(seconds=1)
        with pytest.raises(TimeoutError):
            page.recv(2.5)
        own.clock.now += timedelta(seconds=1)
        assert _why_closed(page) == Farewell.SIGNED_OUT


def test_a_page_that_sends_anything_is_disconnected(running: Running) -> None:
    with running.open() as page:
        page.send("hello")
        assert _why_closed(page) == Farewell.UNASKED


# Many, slow and dead pages


def test_a_dead_page_is_dropped_and_does_not_block_others(own: Running) -> None:
    headers = "".join(f"{name}: {value}\r\n" for name, value in own.headers().items())
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    port = int(own.settings.dashboard.url.rpartition(":")[2])
    with own.open() as page, socket.create_connection(("127.0.0.1", port)) as dead:
        upgrade = f"Host: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        dead.sendall(f"GET /health/live/ HTTP/1.1\r\n{upgrade}{headers}{key}\r\n".encode())
        _wait_until(lambda: len(own.dashboard.hub) == 2)
        own.append(total_events=1003)
        assert _update(page, timeout=BEAT_SECONDS / 2)["changed"]
        _wait_until(lambda: len(own.dashboard.hub) == 1)
        own.append(total_events=1004)
        assert _update(page)["changed"][0]["revision"] == 3


def test_a_page_that_does_not_receive_its_messages_is_disconnected(
    tmp_path: Path, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SEND_SECONDS", 0.05)
    headers = running.headers()
    app = create_app(running.settings, clock=running.clock)
    hub: Hub = app.state.dashboard.hub
    inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    sent: list[str] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])
        if message["type"] != "websocket.accept":
            await asyncio.sleep(PATIENCE_SECONDS)

    async def serve() -> None:
        host = running.settings.dashboard.url.removeprefix("http://")
        scope = {
            "type": "websocket",
            "path": "/health/live/",
            "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in ({"Host": host} | headers).items()],
        }
        inbox.put_nowait({"type": "websocket.connect"})
        hub.publish(UpdateEvent("v1"))
        async with asyncio.timeout(PATIENCE_SECONDS / 2):
            await app(scope, inbox.get, send)

    asyncio.run(serve())
    assert sent == ["websocket.accept", "websocket.send"]
    assert len(hub) == 0


def test_many_pages_are_all_notified_and_leave_nothing_behind(running: Running) -> None:
    headers, many = running.headers(), 150

    @asynccontextmanager
    async def page() -> AsyncIterator[Any]:
        async with connect_later(running.address, additional_headers=headers) as socket:
            await socket.recv()
            yield socket

    async def hear(ready: asyncio.Barrier, after: asyncio.Event) -> str:
        async with page() as socket, asyncio.timeout(PATIENCE_SECONDS):
            await ready.wait()
            await after.wait()
            return str(json.loads(await socket.recv())["changed"][0]["day"])

    async def all_hear() -> list[str]:
        ready, after = asyncio.Barrier(many + 1), asyncio.Event()
        tasks = [asyncio.create_task(hear(ready, after)) for _ in range(many)]
        await ready.wait()
        assert len(running.dashboard.hub) == many
        await asyncio.to_thread(running.append, DAY - timedelta(days=3), total_events=1005)
        after.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(all_hear()) == [str(DAY - timedelta(days=3))] * many
    _wait_until(lambda: len(running.dashboard.hub) == 0)
    _wait_until(lambda: not running.server.server_state.connections and not running.server.server_state.tasks)


def test_the_number_of_listening_pages_is_limited_and_a_page_that_leaves_makes_room(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = running.dashboard.hub
    _wait_until(lambda: len(hub) == 0)
    monkeypatch.setattr(hub, "_most_sockets", 2)
    headers = running.headers()
    with running.open(headers), running.open(headers) as second:
        assert _api_error(running.address, headers) == 403
        second.close()
        _wait_until(lambda: len(hub) == 1)
        with running.open(headers):
            pass


def test_unsent_changes_are_merged_into_one_update_event() -> None:
    def update(number: int) -> UpdateEvent:
        return UpdateEvent(f"v{number}", (Change("web", f"day {number}", 1, "healthy"),))

    async def published(count: int) -> object:
        hub = Hub()
        with hub.listening(lambda: None) as slow:
            for number in range(count):
                hub.publish(update(number))
            async with asyncio.timeout(1):
                return await slow.next_word()

    for count in (1, MOST_CHANGES - 1, MOST_CHANGES, MOST_CHANGES + 1, 10 * MOST_CHANGES):
        word = asyncio.run(published(count))
        assert isinstance(word, UpdateEvent)
        assert word.version == f"v{count - 1}"
        assert [change.day for change in word.changed] == [f"day {n}" for n in range(count)][-MOST_CHANGES:]
