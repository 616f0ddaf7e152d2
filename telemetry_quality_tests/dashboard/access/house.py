"""A dashboard to break into: a store with accounts, a clock that the test moves, browsers, and a server on loopback."""

from __future__ import annotations

import logging
import re
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import uvicorn
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from telemetry_quality.dashboard.app import create_app
from telemetry_quality.settings import DashboardSettings, OidcSettings, RoleSettings, Settings, SourceSettings
from telemetry_quality.sources.connectors.parquet import ParquetSettings
from telemetry_quality.storage.staff.lookup import Role
from telemetry_quality.storage.staff.store import StaffStore
from telemetry_quality.storage.staff.tokens import Scope, fingerprint, new_token
from telemetry_quality_tests.builders import migrated_store

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from fastapi import FastAPI
    from httpx2 import Response

    from telemetry_quality.dashboard.context import Dashboard

URL = "http://127.0.0.1:3001"
NAME = "ada"
PASSWORD = "three green kettles sing"
ADDRESS = "203.0.113.7"
BROWSER = {"accept": "text/html,application/xhtml+xml", "sec-fetch-site": "same-origin"}

SESSION_COOKIE = "tq_session_3001"
FORM_COOKIE = "tq_sign_in_3001"
KNOWN_COOKIE = "tq_known_3001"


CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Hashes in no time what at the real costs takes a quarter of a second of the processor."""


@cache
def hash_of(password: str) -> str:
    """The hash of a password, always the same, so that tests can search for it."""
    return CHEAP.hash(password)


@dataclass
class Clock:
    now: datetime = field(default_factory=lambda: datetime(2026, 6, 1, 12, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class House:
    """A dashboard in this process, and ``staff``: its store, opened as another process would open it."""

    app: FastAPI
    staff: StaffStore
    clock: Clock
    url: str

    @property
    def dashboard(self) -> Dashboard:
        dashboard: Dashboard = self.app.state.dashboard
        return dashboard

    def add_account(self, name: str = NAME, password: str | None = PASSWORD, role: Role = Role.OPERATOR) -> None:
        self.staff.add_account(name, None if password is None else hash_of(password), self.clock(), role)

    def add_token(
        self, days: int = 365, name: str = NAME, scopes: Collection[Scope] = (Scope.JSON,)
    ) -> tuple[str, int]:
        """The text and the number of a new token."""
        account = self.staff.account(name)
        assert account is not None
        text = new_token()
        arguments = (account.id, "feed reader", fingerprint(text), self.clock(), days)
        return text, self.staff.add_token(*arguments, scopes=scopes).id

    def stranger(self, address: str = ADDRESS, **headers: str) -> TestClient:
        """A browser without cookies that does not follow redirects and gets internal errors as responses."""
        return TestClient(
            self.app,
            base_url=self.url,
            follow_redirects=False,
            raise_server_exceptions=False,
            headers={**BROWSER, **headers},
            client=(address, 50_000),
        )

    def member(self, name: str = NAME, address: str = ADDRESS, **headers: str) -> TestClient:
        """A browser with a session of ``name``."""
        account = self.staff.account(name)
        assert account is not None
        access, browser = self.dashboard.access, self.stranger(address, **headers)
        give(browser, access.session_cookie.name, access.open_session(account, address, "password"))
        return browser

    def machine(self, token: str) -> TestClient:
        """A client that sends a token."""
        return self.stranger(accept="application/json", authorization=f"Bearer {token}")


def make_settings(folder: Path, url: str = URL, oidc: OidcSettings | None = None, **dashboard: Any) -> Settings:
    source = SourceSettings(
        connector="parquet",
        connector_settings=ParquetSettings(path=str(folder / "events.parquet")),
        first_day=datetime(2026, 1, 1, tzinfo=UTC).date(),
        roles=RoleSettings(
            event_id="id", occurred_at="at", event_name="name", service_version="version", is_error="is_error"
        ),
    )
    return Settings(
        store=f"sqlite:///{folder / 'quality.db'}",
        sources={"web": source},
        dashboard=DashboardSettings(url=url, oidc=oidc, **dashboard),
    )


@contextmanager
def house_of(settings: Settings, clock: Clock | None = None) -> Iterator[House]:
    """A house with the store of these settings."""
    file = Path(settings.store.removeprefix("sqlite:///"))
    if not file.exists():
        migrated_store(file)
    clock = clock or Clock()
    staff = StaffStore(settings.store)
    app = create_app(settings, clock=clock)
    yield House(app, staff, clock, settings.dashboard.url)
    dashboard: Dashboard = app.state.dashboard
    dashboard.reader.close()
    dashboard.action_store.close()
    dashboard.access.close()
    staff.close()


def give(browser: TestClient, name: str, value: str) -> None:
    """Put a cookie into a browser as if the dashboard had set it."""
    browser.cookies.set(name, value, domain=str(browser.base_url.host))


def form_token(page: Response) -> str:
    """The token of the first form on a page."""
    found = re.search(r'name="csrf_token" value="([0-9a-f]{64})"', page.text)
    assert found, page.text
    return found[1]


def sign_in(browser: TestClient, name: str = NAME, password: str = PASSWORD, **fields: str) -> Response:
    """Sign in as a browser does: open the form, fill it in and send it."""
    page = browser.get("/health/sign-in/")
    assert page.status_code == 200
    filled = {"csrf_token": form_token(page), "name": name, "password": password, **fields}
    response: Response = browser.post("/health/sign-in/", data=filled)
    return response


def has_entered(response: Response) -> bool:
    """Whether a sign-in succeeded."""
    return response.status_code == 303 and any(
        cookie.startswith((f"{SESSION_COOKIE}=", "__Host-tq_session="))
        for cookie in response.headers.get_list("set-cookie")
    )


def is_refused(response: Response) -> bool:
    """Whether a stranger was refused or redirected to the sign-in page."""
    is_sent_away = response.status_code == 303 and response.headers["location"].startswith("/health/sign-in/")
    return is_sent_away or response.status_code in {400, 401, 403, 405, 413, 414, 415, 429, 431, 503}


@contextmanager
def serving(app: Any, **options: Any) -> Iterator[str]:
    """Serve ``app`` with a real server; yields its address."""
    from telemetry_quality.dashboard.server import listen, server_options  # noqa: PLC0415 - for real HTTP only

    listener = listen("127.0.0.1", 0)
    # A server that logs no requests silences this logger for every later server.
    logging.getLogger("uvicorn.access").propagate = True
    settings = DashboardSettings()
    server = uvicorn.Server(uvicorn.Config(app, **{**server_options(settings), **options}))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()


def http_client(url: str, **headers: str) -> httpx2.Client:
    """A client over real HTTP that neither follows redirects nor obeys a proxy of this machine."""
    return httpx2.Client(base_url=url, headers={**BROWSER, **headers}, trust_env=False, timeout=20)
