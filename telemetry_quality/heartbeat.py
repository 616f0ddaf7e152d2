"""Heartbeats: requests by which a service such as Healthchecks notices that days are no longer judged.

The service expects a request a day and raises the alarm if none comes. A heartbeat that cannot be sent is logged and
never fails the work. The URL is a secret, so only its host appears in messages.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from urllib.request import Request

from telemetry_quality.addresses import failure_of

log = logging.getLogger(__name__)

SOURCE_PLACE = "{source}"
"""Where the URL holds this, it differs from source to source, since each has its own days."""


@dataclass(frozen=True)
class Heartbeat:
    """The heartbeats of a source; none are sent without a URL.

    Attributes:
        url: Where to send them: as it is on success, with ``/start`` or ``/fail`` after its path otherwise.
        timeout_seconds: How long the work waits for a heartbeat at most, whatever the network does.
    """

    source: str
    url: str | None = field(repr=False)
    timeout_seconds: float

    def start(self) -> None:
        """Tell that the work has begun."""
        self._send("/start", "")

    def success(self, body: str) -> None:
        """Tell that the work is done, with a short text for people."""
        self._send("", body)

    def fail(self, body: str) -> None:
        """Tell that the work failed, with a short text for people."""
        self._send("/fail", body)

    def _send(self, suffix: str, body: str) -> None:
        if self.url is None:
            return
        request = Request(self._address(suffix), body.encode(), {"User-Agent": "telemetry-quality"})  # noqa: S310
        if (failure := failure_of(request, self.timeout_seconds)) is not None:
            host = urlsplit(self.url).hostname
            log.warning(
                "The heartbeat of %s could not be sent to %s (%s); the work goes on.", self.source, host, failure
            )

    def _address(self, suffix: str) -> str:
        parts = urlsplit((self.url or "").replace(SOURCE_PLACE, self.source))
        return parts._replace(path=parts.path.rstrip("/") + suffix).geturl()
