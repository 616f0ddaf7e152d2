"""How long the dashboard's requests take, for its own metrics."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Histogram

from telemetry_quality.core.gauges import PREFIX
from telemetry_quality.dashboard.access.paths import is_open
from telemetry_quality.dashboard.access.permissions import address_of_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_DURATION = f"{PREFIX}_request_duration_seconds"
DURATION_DESCRIPTION = "How long requests to the dashboard took, by route and class of status."
BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

OTHER = "other"
"""The route of all paths that belong to no address."""


class RequestDurations:
    """How long the requests of one application took."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._histogram = Histogram(
            REQUEST_DURATION,
            DURATION_DESCRIPTION,
            ("route", "code"),
            registry=self.registry,
            buckets=BUCKETS_SECONDS,
        )

    def add(self, path: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._histogram.labels(_route_of(path), f"{status // 100}xx").observe(seconds)


class Timed:
    """The outermost layer: measures every HTTP request, from its head to the end of the response.

    Args:
        app: The application behind it.
        durations: Where to count.
        timer: A clock that only measures differences, in seconds.
    """

    def __init__(self, app: ASGIApp, *, durations: RequestDurations, timer: Callable[[], float] = perf_counter) -> None:
        self._app = app
        self._durations = durations
        self._timer = timer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Layers behind this one change both.
        path, status, started = scope["path"], 500, self._timer()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._durations.add(path, status, self._timer() - started)


def _route_of(path: str) -> str:
    """The address that a path belongs to; there are as many as are declared, whatever clients ask for."""
    return path if is_open(path) else address_of_path(path) or OTHER
