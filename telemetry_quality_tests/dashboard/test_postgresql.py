"""A dashboard whose store is on a server: requests do not wait for it unless they must, and it may go away."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import make_url

from telemetry_quality.dashboard.app import create_app
from telemetry_quality.storage.migrations import migrate
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.dashboard.desk import NOW, YESTERDAY, Desk, keep, make_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry_quality.dashboard.context import Dashboard
    from telemetry_quality_tests.servers import PostgreSQL


@pytest.fixture
def url(postgresql: PostgreSQL) -> str:
    url = postgresql.new_database()
    migrate(url)
    keep(SqlQualityStore(url), YESTERDAY)
    return url


@pytest.fixture
def dashboard(tmp_path: Path, url: str) -> Iterator[Dashboard]:
    settings = make_settings(tmp_path).model_copy(update={"store": url})
    moments = (NOW + timedelta(minutes=2 * n) for n in range(1000))
    dashboard: Dashboard = create_app(settings, clock=lambda: next(moments)).state.dashboard
    yield dashboard
    dashboard.reader.close()
    dashboard.access.close()


def test_the_event_loop_goes_on_while_the_server_does_not_answer(dashboard: Dashboard, url: str) -> None:
    dashboard.keeper.state()

    async def ask() -> None:
        with psycopg.connect(url) as blocker:
            blocker.execute("LOCK TABLE sign_in IN ACCESS EXCLUSIVE MODE")
            asking = asyncio.create_task(dashboard.state())
            await asyncio.sleep(0.2)
            assert not asking.done()
            blocker.rollback()
            state = await asking
        assert state.trouble is None

    asyncio.run(ask())


def test_the_last_known_content_is_shown_with_a_warning_while_the_store_is_unavailable(
    dashboard: Dashboard, url: str, postgresql: PostgreSQL, caplog: pytest.LogCaptureFixture
) -> None:
    assert dashboard.keeper.state().index.last_sequence == 1
    parts = make_url(url)
    with postgresql.connect() as server:
        server.execute(f"ALTER DATABASE {parts.database} ALLOW_CONNECTIONS false")
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [parts.database])
        state = dashboard.keeper.state()
        assert state.trouble is not None
        assert state.index.last_sequence == 1
        assert "is not currently accepting connections" in caplog.text
        assert str(parts.password) not in caplog.text + state.trouble
        server.execute(f"ALTER DATABASE {parts.database} ALLOW_CONNECTIONS true")
    assert dashboard.keeper.state().trouble is None


def test_staff_and_machines_are_answered_and_decisions_of_staff_are_stored(tmp_path: Path, url: str) -> None:
    settings = make_settings(tmp_path).model_copy(update={"store": url})
    desk = Desk(tmp_path, settings, SqlQualityStore(url))
    for path in ("/health/", "/health/snapshots/", f"/health/snapshots/web/{YESTERDAY}/", "/health/incidents/"):
        assert desk.ask(path).status_code == 200, path
    for part in ("", "?hour=3", "?by=event_name&value=x"):
        assert desk.ask(f"/health/snapshots/web/{YESTERDAY}/{part}").status_code == 200, part
    for part in ("hours", "versions"):
        assert desk.ask(f"/health/sources/web/{part}/").status_code == 200, part
    assert desk.dashboard.reader.signals_of_versions("web", (YESTERDAY, YESTERDAY), ["1.0"]) == {}
    assert desk.dashboard.reader.charted_days("web", YESTERDAY, YESTERDAY) == ({}, None)
    for path in ("/health/snapshots.csv", "/health/snapshots.parquet"):
        assert desk.ask(path).content, path
    response = desk.ask("/api/health/summary/", headers=desk.by_token)
    assert response.json()["sources"][0]["source"] == "web"
    desk.dashboard.access.staff.disable("ada", desk.now)
    assert desk.ask("/api/health/summary/", headers=desk.by_token).status_code == 401
    assert desk.ask("/health/").status_code == 303
    desk.close()
