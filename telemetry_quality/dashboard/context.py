"""What every route of the dashboard works with, assembled once by ``create_app``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

from starlette.concurrency import run_in_threadpool

from telemetry_quality.dashboard.shared_checks import SharedCheck

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from starlette.requests import HTTPConnection

    from telemetry_quality.dashboard.access.oidc import Provider
    from telemetry_quality.dashboard.access.users import Access
    from telemetry_quality.dashboard.cache import ResponseCache
    from telemetry_quality.dashboard.durations import RequestDurations
    from telemetry_quality.dashboard.hub import Hub
    from telemetry_quality.dashboard.state import DashboardState, StateKeeper
    from telemetry_quality.settings import Settings
    from telemetry_quality.storage.reader import StoreReader
    from telemetry_quality.storage.store import SqlQualityStore


@dataclass(frozen=True)
class Dashboard:
    """The parts of one running dashboard.

    Attributes:
        clock: Returns the current time; there is no other clock.
        reader: The store, opened read-only.
        action_store: The store opened for writing, used only for incident actions.
        keeper: Keeps the state in RAM and up to date.
        responses: Rendered responses, valid as long as the state they show.
        access: Decides who may use the dashboard.
        hub: The open pages that receive update events.
        durations: How long requests took.
    """

    settings: Settings
    clock: Callable[[], datetime]
    reader: StoreReader
    action_store: SqlQualityStore
    keeper: StateKeeper
    responses: ResponseCache
    access: Access
    hub: Hub
    durations: RequestDurations

    @cached_property
    def provider(self) -> Provider | None:
        """The OpenID Connect provider; None if the settings name none."""
        if self.settings.dashboard.oidc is None:
            return None
        from telemetry_quality.dashboard.access.oidc import Provider  # noqa: PLC0415 - most installations do not use it

        return Provider(self.settings.dashboard.oidc, self.access)

    async def state(self) -> DashboardState:
        """The state, loaded in a thread if that may mean waiting for the store, so that other requests need not wait.

        Responses are rendered on the event loop, one after the other: threads would compete for the interpreter, and
        all responses would be late instead of some.
        """
        if not self.reader.is_local:
            return await self._shared_state.answer()
        return await run_in_threadpool(self.keeper.state) if self.keeper.has_update() else self.keeper.shown

    @cached_property
    def _shared_state(self) -> SharedCheck[DashboardState]:
        return SharedCheck(self.keeper.state)


def dashboard_of(connection: HTTPConnection) -> Dashboard:
    """The dashboard that serves a request or a WebSocket."""
    return cast("Dashboard", connection.app.state.dashboard)
