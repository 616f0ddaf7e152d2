"""Request bodies: read whole, up to a limit, and passed on as if they had not been read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from telemetry_quality.dashboard.api_errors import ApiError

if TYPE_CHECKING:
    from starlette.types import Message, Receive

MOST_BYTES = 64 * 1024
"""Enough for the largest form, a note on an incident."""

MOST_SECONDS = 20
"""A slower client would only hold the connection open."""


def too_large() -> ApiError:
    """The API error for a body that is larger than any form of the dashboard."""
    return ApiError(
        413,
        "BODY_TOO_LARGE",
        f"A request body may have at most {MOST_BYTES} bytes, but this one is larger; send less.",
        {"Connection": "close"},
    )


async def read_body(receive: Receive) -> bytes:
    """The whole body of a request.

    Raises:
        ApiError: If it is too large or takes too long.
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
        sentence = f"The whole request must arrive within {MOST_SECONDS} seconds, but it did not; try again."
        raise ApiError(408, "TOO_SLOW", sentence, {"Connection": "close"}) from None


def replayed(body: bytes, receive: Receive) -> Receive:
    """A channel that delivers ``body`` first and then what ``receive`` delivers."""
    is_compared = False

    async def again() -> Message:
        nonlocal is_compared
        if is_compared:
            return await receive()
        is_compared = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
