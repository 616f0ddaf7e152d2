"""Request bodies: read whole, up to a limit, and handed on as if nobody had read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from telemetry_quality.dashboard.api_errors import ApiError

if TYPE_CHECKING:
    from starlette.types import Message, Receive

MOST_BYTES = 64 * 1024
"""Our largest form is a note on an incident."""

MOST_SECONDS = 20
"""Whoever sends slower keeps a connection for nothing."""


def too_large() -> ApiError:
    """The API error of a body that is larger than any form of ours."""
    return ApiError(
        413,
        "BODY_TOO_LARGE",
        f"A request of at most {MOST_BYTES} bytes is required, but this one is larger; send less.",
        {"Connection": "close"},
    )


async def read_body(receive: Receive) -> bytes:
    """All that a request sends.

    Raises:
        ApiError: If that is too much or takes too long.
    """
    body = bytearray()
    try:
        with anyio.fail_after(MOST_SECONDS):
            while True:
                message = await receive()
                body += message.get("body", b"")
                if len(body) > MOST_BYTES:
                    raise too_large()
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        sentence = f"The whole request is required within {MOST_SECONDS} seconds, but it was not there; try again."
        raise ApiError(408, "TOO_SLOW", sentence, {"Connection": "close"}) from None


def replayed(body: bytes, receive: Receive) -> Receive:
    """A channel that shows ``body`` and then what ``receive`` does."""
    is_compared = False

    async def again() -> Message:
        nonlocal is_compared
        if is_compared:
            return await receive()
        is_compared = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
