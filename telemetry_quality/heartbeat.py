"""Heartbeats: requests by which a service such as Healthchecks notices that days are no longer judged.

The service expects a request a day and raises the alarm if none comes. A heartbeat that cannot be sent is logged and
never fails the work. The URL is a secret, so only its host appears in messages.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from threading import Thread
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

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
        failures: list[str] = []
        # A thread, because looking up a name and a response that drips have no timeout of their own.
        thread = Thread(target=self._request, args=(suffix, body, failures), name="heartbeat", daemon=True)
        thread.start()
        thread.join(self.timeout_seconds)
        if thread.is_alive():
            failures = [f"no response within {self.timeout_seconds:g} seconds"]
        for failure in failures:
            host = urlsplit(self.url).hostname
            log.warning(
                "The heartbeat of %s could not be sent to %s (%s); the work goes on.", self.source, host, failure
            )

    def _request(self, suffix: str, body: str, failures: list[str]) -> None:
        """Send a request; adds why it failed to ``failures``."""
        try:
            request = Request(self._address(suffix), body.encode(), {"User-Agent": "telemetry-quality"})  # noqa: S310
            with urlopen(request, timeout=self.timeout_seconds):  # noqa: S310 - settings allow http and https only
                pass
        except HTTPError as error:
            error.close()
            failures.append(f"status {error.code}")
        except Exception as error:  # noqa: BLE001 - nothing about a heartbeat may fail the work
            failures.append(type(error.reason if isinstance(error, URLError) else error).__name__)

    def _address(self, suffix: str) -> str:
        parts = urlsplit((self.url or "").replace(SOURCE_PLACE, self.source))
        return parts._replace(path=parts.path.rstrip("/") + suffix).geturl()
