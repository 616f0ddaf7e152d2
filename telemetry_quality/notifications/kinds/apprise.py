"""Apprise: Slack, Teams, e-mail, PagerDuty and a hundred more services, each by a URL of its own form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator

from telemetry_quality.connectors import Secret
from telemetry_quality.errors import DeliveryError
from telemetry_quality.notifications.picture import draw
from telemetry_quality.notifiers import Notifier, NotifierSettings

if TYPE_CHECKING:
    from telemetry_quality.core.messages.model import Message

TYPES = {"CRITICAL": "failure", "WARNING": "warning", "INFO": "info"}
"""Apprise's types of messages, which services show as colours or icons."""


def _is_url(value: str) -> str:
    scheme, separator, rest = value.partition("://")
    if not (separator and rest and scheme.replace("+", "").isalnum()):
        raise ValueError("must be a URL of Apprise, such as slack://… or mailto://…")
    return value


class AppriseSettings(NotifierSettings):
    """Where to send messages."""

    url: Annotated[Secret, AfterValidator(_is_url)]


def check(settings: AppriseSettings) -> None:
    """Refuse a URL that Apprise cannot read; nothing is sent."""
    _services(settings)


def send(settings: AppriseSettings, message: Message, timeout_seconds: float) -> None:
    """Send a message, with its files where the service takes any."""
    services = _services(settings)
    options: dict[str, Any] = {"notify_type": TYPES[message.level], "body_format": "text"}
    if message.kind == "resolved":
        options["notify_type"] = "success"
    if any(it.attachment_support for it in services):
        options["attach"] = _files(message)
    for service in services:
        service.socket_connect_timeout = service.socket_read_timeout = timeout_seconds
    result = services.notify(title=message.title, body=message.text, **options)
    if not result:
        # The log of Apprise says why, but may repeat the URL.
        raise DeliveryError(
            "RECEIVER_FAILED",
            f"{services[0].service_name} did not accept the message, or could not be reached; "
            "look at its URL, its rights and its limits.",
        )


def _files(message: Message) -> list[Any]:
    """The picture and the report of a message, as far as it has them."""
    from apprise.attachment.memory import AttachMemory  # noqa: PLC0415 - the extra may not be installed

    memory: Any = AttachMemory
    picture = draw(message.volumes) if message.volumes else None
    files = [] if picture is None else [memory(content=picture, name="events.png", mimetype="image/png")]
    if message.report is not None:
        files.append(memory(content=message.report.encode(), name="report.html", mimetype="text/html"))
    return files


def _services(settings: AppriseSettings) -> Any:
    try:
        from apprise import Apprise  # noqa: PLC0415
    except ImportError:
        raise DeliveryError(
            "EXTRA_MISSING",
            "A channel with url requires the package apprise, but it is not installed; "
            "install telemetry-quality[alerts].",
        ) from None
    services = Apprise()
    if not services.add(settings.url) or not len(services):
        raise DeliveryError(
            "URL_INVALID",
            "url must be a URL that Apprise can read, but it cannot; see https://github.com/caronc/apprise for the "
            "form of each service.",
        )
    return services


NOTIFIER = Notifier(AppriseSettings, send, check)
