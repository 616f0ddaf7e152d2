"""A whole dashboard over a small store, used in this process without fakes."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import anyio
import httpx2

from telemetry_quality import Settings
from telemetry_quality.core.guardrails.catalogue import judge_day, policy_of
from telemetry_quality.dashboard.app import create_app
from telemetry_quality.storage.staff.lookup import Role
from telemetry_quality.storage.staff.tokens import fingerprint, new_token
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import (
    SCHEMA,
    make_evidence,
    make_figures,
    make_snapshot,
    make_store,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from fastapi import FastAPI
    from starlette.routing import BaseRoute

    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot
    from telemetry_quality.dashboard.context import Dashboard

NOW = datetime(2026, 3, 12, 12, 30, 15, tzinfo=UTC)
YESTERDAY = date(2026, 3, 11)
URL = "http://127.0.0.1:3001"


def make_settings(folder: Path, *sources: str, **dashboard: Any) -> Settings:
    """Settings of the store in ``folder``; all sources begin on 2026-02-01."""
    kept = {
        name: {"connector": "parquet", "path": "events", "preset": "opentelemetry", "first_day": "2026-02-01"}
        for name in sources or ("web",)
    }
    return Settings(store=f"sqlite:///{folder / 'quality.db'}", sources=kept, dashboard=dashboard)


def keep(store: SqlQualityStore, day: date, source: str = "web", **figures: Any) -> TelemetryIntegritySnapshot:
    """Append the snapshot of ``make_figures(**figures)`` with its verdicts."""
    verdicts = judge_day(make_evidence(make_figures(**figures), day), policy_of(), SCHEMA)
    return store.append_snapshot(make_snapshot(day, source=source, **figures), verdicts)[0]


@dataclass
class Desk:
    """A dashboard and a user who is signed in to it.

    Attributes:
        store: Appends what the dashboard shows.
        now: The time on the dashboard's clock.
    """

    folder: Path
    settings: Settings
    store: SqlQualityStore
    now: datetime = NOW
    token: str = ""
    cookie: str = ""
    app: FastAPI = field(init=False)

    def __post_init__(self) -> None:
        self.app = create_app(self.settings, clock=lambda: self.now)
        if self.token:
            return
        access = self.dashboard.access
        account = access.staff.add_account("ada", None, self.now, Role.OPERATOR)
        self.token = new_token()
        access.staff.add_token(account.id, "tests", fingerprint(self.token), self.now, 365)
        value = access.open_session(account, "127.0.0.1", "password")
        self.cookie = f"{access.session_cookie.name}={value}"

    @property
    def dashboard(self) -> Dashboard:
        dashboard: Dashboard = self.app.state.dashboard
        return dashboard

    @property
    def by_token(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def by_session(self) -> dict[str, str]:
        return {"Cookie": self.cookie}

    def ask(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None, **more: Any
    ) -> httpx2.Response:
        """The response to a user with a session, or to the user in ``headers``; internal errors are raised."""
        return anyio.run(self._ask, path, method, self.by_session if headers is None else headers, more)

    async def _ask(self, path: str, method: str, headers: Mapping[str, str], more: dict[str, Any]) -> httpx2.Response:
        transport = httpx2.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url=URL) as client:
            return await client.request(method, path, headers=dict(headers), **more)

    def json(self, path: str, **parameters: Any) -> dict[str, Any]:
        """The JSON of a response that must be 200."""
        response = self.ask(path, params=parameters)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    def copy_to(self, folder: Path) -> Desk:
        """A desk over a copy of the store with the same token and session, for a test that changes it."""
        files = (self.folder / "quality.db", folder / "quality.db")
        with closing(sqlite3.connect(files[0])) as ours, closing(sqlite3.connect(files[1])) as copy:
            ours.backup(copy)
        url = f"sqlite:///{folder / 'quality.db'}"
        settings = self.settings.model_copy(update={"store": url})
        return Desk(folder, settings, SqlQualityStore(url), token=self.token, cookie=self.cookie)

    def close(self) -> None:
        self.dashboard.reader.close()
        self.dashboard.action_store.close()
        self.dashboard.access.close()
        self.store.close()


def open_desk(folder: Path, *sources: str, **dashboard: Any) -> Desk:
    """A desk over a new, empty store."""
    return Desk(folder, make_settings(folder, *sources, **dashboard), make_store(folder))


def paths_of(routes: Iterable[BaseRoute]) -> Iterator[str]:
    """The path of every route, including those of included routers; parameters without their types."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from paths_of(included.routes)
        else:
            yield re.sub(r"{(\w+):\w+}", r"{\1}", getattr(route, "path"))  # noqa: B009 - each kind has one
