"""What every route of the dashboard works with, put together once by ``create_app``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

from starlette.concurrency import run_in_threadpool

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from starlette.requests import HTTPConnection

    from telemetry_quality.dashboard.access.oidc import Provider
    from telemetry_quality.dashboard.access.users import Access
    from telemetry_quality.dashboard.cache import ResponseCache
    from telemetry_quality.dashboard.hub import Hub
    from telemetry_quality.dashboard.state import DashboardState, StateKeeper
    from telemetry_quality.settings import Settings
    from telemetry_quality.storage.reader import StoreReader
    from telemetry_quality.storage.store import SqlQualityStore


@dataclass(frozen=True)
class Dashboard:
    """The parts of one running dashboard.

    Attributes:
        clock: Shows the time; the only clock there is.
        reader: The store, opened read-only.
        action_store: The store again, used for nothing but actions on incidents.
        keeper: What the store says, kept in RAM as long as it does.
        responses: Rendered responses, good as long as the state they were made of.
        access: Who may see anything.
        hub: The open pages that want to hear of news.
    """

    settings: Settings
    clock: Callable[[], datetime]
    reader: StoreReader
    action_store: SqlQualityStore
    keeper: StateKeeper
    responses: ResponseCache
    access: Access
    hub: Hub

    @cached_property
    def provider(self) -> Provider | None:
        """The OpenID Connect provider, None where the settings name none."""
        if self.settings.dashboard.oidc is None:
            return None
        from telemetry_quality.dashboard.access.oidc import Provider  # noqa: PLC0415 - most have no use for it

        return Provider(self.settings.dashboard.oidc, self.access)

    async def state(self) -> DashboardState:
        """The state; looked up in a thread where that may mean to wait for the store, for which others cannot wait.

        What is made of it is made where requests are served, one after the other: threads would take turns at the
        interpreter, so that all responses would be late instead of some.
        """
        may_wait = not self.reader.is_local or self.keeper.has_update()
        return await run_in_threadpool(self.keeper.state) if may_wait else self.keeper.shown


def dashboard_of(connection: HTTPConnection) -> Dashboard:
    """The dashboard that serves a request or a WebSocket."""
    return cast("Dashboard", connection.app.state.dashboard)
