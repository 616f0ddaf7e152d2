"""Live pages: open pages get an update event over a WebSocket when the store's content has changed.

The event says that something changed, and on which days; the pages then fetch their content. ``static/live.js`` is the
other end.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.websockets import WebSocketDisconnect

from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.hub import MOST_CHANGES, Change, Farewell, UpdateEvent
from telemetry_quality.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.websockets import WebSocket

    from telemetry_quality.dashboard.context import Dashboard
    from telemetry_quality.dashboard.hub import Listener
    from telemetry_quality.dashboard.state import DashboardState

log = logging.getLogger(__name__)

router = APIRouter()

PAUSE_SECONDS = 1.0
"""The pause between two checks of the store and of the sessions of open pages."""

BEAT_SECONDS = 20.0
"""The longest time without a message, so that a page notices when its connection is lost."""

SEND_SECONDS = 10.0
"""How long a page may take to receive a message before its connection is closed."""


@asynccontextmanager
async def watching(dashboard: Dashboard) -> AsyncIterator[None]:
    """Watch the store, and the sessions of open pages, until the block ends."""
    tasks = [asyncio.create_task(watch(dashboard)) for watch in (_watch_store, _watch_sessions)]
    try:
        yield
    finally:
        await _end(*tasks)


async def _watch_store(dashboard: Dashboard) -> None:
    published: DashboardState | None = None
    quiet_seconds = 0.0
    while True:
        try:
            state = await asyncio.to_thread(dashboard.keeper.state)
            if published is None or published.version != state.version:
                changed = await asyncio.to_thread(_changes, dashboard, published, state)
                dashboard.hub.publish(UpdateEvent(state.version, changed))
                published, quiet_seconds = state, 0.0
            elif quiet_seconds >= BEAT_SECONDS:
                dashboard.hub.repeat()
                quiet_seconds = 0.0
        except Exception:
            # A bug here must not leave open pages outdated for ever.
            log.exception("UPDATE_NOT_SENT: open pages could not be notified of an update; trying again")
        await asyncio.sleep(PAUSE_SECONDS)
        quiet_seconds += PAUSE_SECONDS


async def _watch_sessions(dashboard: Dashboard) -> None:
    while True:
        try:
            for listener, farewell in await asyncio.to_thread(_to_be_ended, dashboard.hub.listeners()):
                listener.dismiss(farewell)
        except Exception:
            log.exception("SESSIONS_NOT_SEEN: the sessions of open pages could not be checked; trying again")
        await asyncio.sleep(PAUSE_SECONDS)


def _to_be_ended(listeners: tuple[Listener, ...]) -> list[tuple[Listener, Farewell]]:
    return [(listener, farewell) for listener in listeners if (farewell := listener.reason_to_end()) is not None]


def _changes(dashboard: Dashboard, before: DashboardState | None, state: DashboardState) -> tuple[Change, ...]:
    """The days with new snapshots; empty for the first state, in which everything is new."""
    if before is None:
        return ()
    try:
        rows = dashboard.reader.journal(before.index.last_sequence)
    except StoreError:
        # The pages are still notified that something changed.
        return ()
    new = [row for row in rows if row.sequence <= state.index.last_sequence][-MOST_CHANGES:]
    return tuple(Change(row.source, row.day.isoformat(), row.revision, row.status) for row in new)


async def _listen(websocket: WebSocket) -> None:
    """Send update events to a page until it goes away or its session ends.

    StaffOnly has already checked that it is a page of the dashboard and that its user is signed in.
    """
    dashboard = dashboard_of(websocket)
    if dashboard.hub.is_full:
        await websocket.close(Farewell.TRY_LATER)
        return
    with dashboard.hub.listening(partial(_reason_to_end, dashboard, websocket)) as listener:
        await websocket.accept()
        farewell = await _farewell_of(websocket, listener)
        if farewell is not None:
            with suppress(WebSocketDisconnect, TimeoutError):
                async with asyncio.timeout(SEND_SECONDS):
                    await websocket.close(farewell)


# Not the decorator: it evaluates the annotation, for which WebSocket would have to be imported.
router.add_websocket_route("/health/live/", _listen)


def _reason_to_end(dashboard: Dashboard, websocket: WebSocket) -> Farewell | None:
    try:
        user = dashboard.access.user_of(websocket.headers)
    except StoreError:
        # Nobody knows whether the session is still valid.
        return Farewell.TRY_LATER
    return Farewell.SIGNED_OUT if user is None else None


async def _farewell_of(websocket: WebSocket, listener: Listener) -> Farewell | None:
    """Send update events; returns why to close the socket, or None if it is already closed or unresponsive."""
    hearing, sending = asyncio.create_task(websocket.receive()), asyncio.create_task(_send_updates(websocket, listener))
    try:
        await asyncio.wait({hearing, sending}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            return sending.result()
        # The dashboard's pages never send anything.
        return Farewell.UNASKED if hearing.result()["type"] == "websocket.receive" else None
    finally:
        await _end(hearing, sending)


async def _send_updates(websocket: WebSocket, listener: Listener) -> Farewell | None:
    with suppress(WebSocketDisconnect, TimeoutError):
        while isinstance(word := await listener.next_word(), UpdateEvent):
            async with asyncio.timeout(SEND_SECONDS):
                await websocket.send_text(word.as_text())
        return word
    return None


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
