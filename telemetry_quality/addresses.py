"""Addresses of other services that settings name, and requests to them that end in time."""

from __future__ import annotations

from functools import partial
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, build_opener

if TYPE_CHECKING:
    from collections.abc import Callable
    from urllib.request import Request


def is_web_address(text: str) -> bool:
    """Whether a text is an address that a request can be sent to."""
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def failure_of(request: Request, seconds: float) -> str | None:
    """Send a request; why it was not accepted, in words that hold nothing of its address; None if it was.

    Redirects are not followed: they would pass the body on to an address that nobody configured.

    Args:
        request: Its address must be a web address.
        seconds: How long to wait, whatever the network does.
    """
    return failure_within(seconds, partial(_send, request, seconds))


def failure_within(seconds: float, call: Callable[[], None]) -> str | None:
    """Wait for ``call``, but no longer than ``seconds``; why it failed, in words without secrets, or None."""
    failures: list[str] = []
    # A thread, because looking up a name and a response that drips have no timeout of their own.
    thread = Thread(target=_try, args=(call, failures), name="request", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive() or TimeoutError.__name__ in failures:
        return f"no response within {seconds:g} seconds"
    return failures[0] if failures else None


def _try(call: Callable[[], None], failures: list[str]) -> None:
    """Call; adds why that failed to ``failures``."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - a report about the work must not fail it
        # Only the kind of error: its words may hold the path and the query, and they a secret.
        status = getattr(error, "code", None) or getattr(getattr(error, "response", None), "status_code", None)
        failures.append(f"status {status}" if status else type(getattr(error, "reason", error)).__name__)


def _send(request: Request, seconds: float) -> None:
    with build_opener(_NoRedirects).open(request, timeout=seconds):
        pass


class _NoRedirects(HTTPRedirectHandler):
    """Makes a redirect an error."""

    def redirect_request(self, *_: object) -> None:
        """Follow nothing."""
