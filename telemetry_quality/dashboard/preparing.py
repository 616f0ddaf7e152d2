"""Prepares the first page before anybody asks for it, so that no reader waits until all of its rows are rendered.

What was prepared is cached in the state. Rows are rendered on the event loop, as for requests, which are answered in
between.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from telemetry_quality.dashboard.api import this_minute
from telemetry_quality.dashboard.pages.overview import prepare_source
from telemetry_quality.dashboard.rendering import compile_templates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from telemetry_quality.dashboard.context import Dashboard

log = logging.getLogger(__name__)

START_SECONDS = 10.0
"""How long the first request may have to wait for this; a store may take longer, or not answer at all."""

PAUSE_SECONDS = 1.0
"""The pause between two looks at whether there is anything to prepare."""


@asynccontextmanager
async def preparing(dashboard: Dashboard) -> AsyncIterator[None]:
    """Keep the first page prepared until the block ends; the block begins when it is, or after START_SECONDS."""
    is_prepared = asyncio.Event()
    task = asyncio.create_task(_prepare_always(dashboard, is_prepared))
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                await is_prepared.wait()
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _prepare_always(dashboard: Dashboard, is_prepared: asyncio.Event) -> None:
    prepared = None
    while True:
        try:
            if prepared is None:
                await asyncio.to_thread(compile_templates)
                await asyncio.to_thread(dashboard.keeper.state)
            # From then on, the live pages keep the state up to date.
            state, now = dashboard.keeper.shown, this_minute(dashboard)
            if prepared != (state.version, now):
                prepared = (state.version, now)
                for source in dashboard.settings.sources:
                    prepare_source(state, dashboard.settings, now, source)
                    await asyncio.sleep(0)
        except Exception:
            # A bug here must not end this; whoever asks for the page gets the error.
            log.exception("PAGE_NOT_PREPARED: the first page could not be prepared; trying again within a minute")
        is_prepared.set()
        await asyncio.sleep(PAUSE_SECONDS)
