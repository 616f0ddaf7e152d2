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
    from telemetry_quality.dashboard.access.visitors import Access
    from telemetry_quality.dashboard.board import Board, BoardKeeper
    from telemetry_quality.dashboard.cache import AnswerCache
    from telemetry_quality.dashboard.hub import Hub
    from telemetry_quality.settings import Settings
    from telemetry_quality.storage.reader import StoreReader
    from telemetry_quality.storage.store import SqlQualityStore


@dataclass(frozen=True)
class Dashboard:
    """The parts of one running dashboard.

    Attributes:
        clock: Tells the time; the only clock there is.
        reader: The store, opened read-only.
        acts: The store again, used for nothing but acts on incidents.
        keeper: What the store says, kept in memory as long as it does.
        answers: Rendered answers, good as long as the board they were made of.
        access: Who may see anything.
        hub: The open pages that want to hear of news.
    """

    settings: Settings
    clock: Callable[[], datetime]
    reader: StoreReader
    acts: SqlQualityStore
    keeper: BoardKeeper
    answers: AnswerCache
    access: Access
    hub: Hub

    @cached_property
    def provider(self) -> Provider | None:
        """The OpenID Connect provider, None where the settings name none."""
        if self.settings.dashboard.oidc is None:
            return None
        from telemetry_quality.dashboard.access.oidc import Provider  # noqa: PLC0415 - most have no use for it

        return Provider(self.settings.dashboard.oidc, self.access)

    async def board(self) -> Board:
        """The board; looked up in a thread where that may mean to wait for the store, for which others cannot wait.

        What is made of it is made where requests are served, one after the other: threads would take turns at the
        interpreter, so that all answers would be late instead of some.
        """
        may_wait = not self.reader.is_local or self.keeper.has_news()
        return await run_in_threadpool(self.keeper.board) if may_wait else self.keeper.shown


def dashboard_of(connection: HTTPConnection) -> Dashboard:
    """The dashboard that serves a request or a WebSocket."""
    return cast("Dashboard", connection.app.state.dashboard)
