"""A webhook with the signature of Standard Webhooks (standardwebhooks.com), and an id by which repeats are known."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from hashlib import sha256
from time import time
from typing import TYPE_CHECKING, Annotated
from urllib.request import Request

from pydantic import AfterValidator

from telemetry_quality.addresses import failure_of, is_web_address
from telemetry_quality.connectors import Secret
from telemetry_quality.errors import DeliveryError
from telemetry_quality.notifiers import Notifier, NotifierSettings

if TYPE_CHECKING:
    from telemetry_quality.core.messages.model import Message

PREFIX = "whsec_"
"""What a secret in the notation of Standard Webhooks begins with; base64 follows."""

SHORTEST_SECRET = 16


def _is_address(value: str) -> str:
    if not is_web_address(value):
        raise ValueError("must be an address such as https://hooks.example.org/telemetry")
    return value


def _is_secret(value: str) -> str:
    if len(key_of(value)) < SHORTEST_SECRET:
        raise ValueError(
            f"must have at least {SHORTEST_SECRET} bytes, such as whsec_ and what openssl rand -base64 32 prints"
        )
    return value


def key_of(secret: str) -> bytes:
    """The bytes that sign: those behind ``whsec_`` in base64, or else the text itself.

    Raises:
        ValueError: If what follows ``whsec_`` is not base64.
    """
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("must have base64 behind whsec_") from None


class WebhookSettings(NotifierSettings):
    """Where to post messages, and the secret that signs them."""

    webhook: Annotated[Secret, AfterValidator(_is_address)]
    secret: Annotated[Secret, AfterValidator(_is_secret)]


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The header ``webhook-signature``: the HMAC-SHA256 of id, time and body, joined by full stops."""
    signed = b".".join([message_id.encode(), str(timestamp).encode(), body])
    return f"v1,{base64.b64encode(hmac.digest(key_of(secret), signed, sha256)).decode()}"


def body_of(message: Message) -> bytes:
    """The JSON that is posted."""
    fields = message.as_json()
    names = ("key", "channel", "kind", "level", "title", "text", "incidents")
    return json.dumps({name: fields[name] for name in names}, ensure_ascii=False).encode()


def send(settings: WebhookSettings, message: Message, timeout_seconds: float) -> None:
    """Post a message; any status from 200 to 299 accepts it, and redirects are not followed."""
    body, timestamp = body_of(message), int(time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "telemetry-quality",
        "webhook-id": message.key,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(settings.secret, message.key, timestamp, body),
    }
    request = Request(settings.webhook, body, headers)  # noqa: S310 - settings allow http and https only
    if (failure := failure_of(request, timeout_seconds)) is not None:
        raise DeliveryError("RECEIVER_FAILED", f"The receiver did not accept the message: {failure}.")


NOTIFIER = Notifier(WebhookSettings, send)
