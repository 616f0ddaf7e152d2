"""The built-in kinds of channels, against a real web server and a real mail server."""

from __future__ import annotations

import base64
import hmac
import json
import logging
from contextlib import nullcontext
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from telemetry_quality.core.messages.model import IncidentNote, Message, MessageKind, VolumeDay
from telemetry_quality.errors import DeliveryError
from telemetry_quality.notifications import process
from telemetry_quality.notifications.kinds.apprise import AppriseSettings
from telemetry_quality.notifications.kinds.webhook import WebhookSettings, signature
from telemetry_quality.notifications.kinds.webhook import send as post
from telemetry_quality.notifications.picture import BAD, BAND, BAR, draw
from telemetry_quality.notifications.process import check_in_process, run_task, send_in_process
from telemetry_quality_tests.notifications.receivers import (
    PATH_SECRET,
    WEBHOOK_SECRET,
    MailServer,
    WebReceiver,
    mail_server,
    web_receiver,
)
from telemetry_quality_tests.packages import blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTE = IncidentNote(
    "web/2026-03-10", ("a1",), "web", "CRITICAL", True, "2026-03-10", "2026-03-10", 1, "Too many.", "everywhere"
)
VOLUMES = tuple(VolumeDay(f"2026-03-{day:02}", 100 * day, 50.0 * day, 150.0 * day, day == 10) for day in range(1, 11))
MESSAGE = Message("k1", "team", MessageKind.OPENED, "CRITICAL", "CRITICAL: web fails", "Too many.", (NOTE,), VOLUMES)


@pytest.fixture(scope="module")
def server() -> Iterator[WebReceiver]:
    with web_receiver() as receiver:
        yield receiver


@pytest.fixture
def web(server: WebReceiver) -> WebReceiver:
    server.requests.clear()
    server.status = 200
    return server


@pytest.fixture(scope="module")
def mail() -> Iterator[tuple[MailServer, str]]:
    with mail_server() as found:
        yield found


def settings(web: WebReceiver, secret: str = WEBHOOK_SECRET) -> WebhookSettings:
    return WebhookSettings(webhook=web.url, secret=secret)


# Webhooks


@pytest.mark.parametrize(
    ("secret", "key"),
    [
        (WEBHOOK_SECRET, base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")),
        ("sixteen bytes now", b"sixteen bytes now"),
    ],
)
def test_a_webhook_is_json_with_the_signature_of_standard_webhooks(web: WebReceiver, secret: str, key: bytes) -> None:
    post(settings(web, secret), MESSAGE, 5)
    ((headers, body),) = web.requests

    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-id"] == MESSAGE.key
    content = json.loads(body)
    assert content.keys() == {"key", "channel", "kind", "level", "title", "text", "incidents"}
    assert (content["kind"], content["incidents"][0]["source"]) == ("opened", "web")


@pytest.mark.parametrize(
    ("status", "is_accepted"), [(200, True), (204, True), (302, False), (404, False), (500, False)]
)
def test_any_status_of_success_accepts_a_webhook_and_nothing_is_redirected(
    web: WebReceiver, status: int, is_accepted: bool
) -> None:
    web.status = status
    with nullcontext() if is_accepted else pytest.raises(DeliveryError, match=f"status {status}") as failure:
        post(settings(web), MESSAGE, 5)
    assert len(web.requests) == 1
    if failure is not None:
        assert failure.value.reason_code == "RECEIVER_FAILED"
        assert PATH_SECRET not in str(failure.value)


def test_a_webhook_that_cannot_be_reached_is_one_sentence_without_its_address() -> None:
    nowhere = WebhookSettings(webhook=f"http://127.0.0.1:1/{PATH_SECRET}", secret=WEBHOOK_SECRET)
    with pytest.raises(DeliveryError) as failure:
        post(nowhere, MESSAGE, 5)
    assert str(failure.value) == "The receiver did not accept the message: ConnectionRefusedError."


def test_a_receiver_that_answers_nothing_is_left_after_the_time_limit(web: WebReceiver) -> None:
    web.hangs.set()
    try:
        with pytest.raises(DeliveryError) as failure:
            post(settings(web), MESSAGE, 0.2)
    finally:
        web.hangs.clear()
    assert str(failure.value) == "The receiver did not accept the message: no response within 0.2 seconds."


def test_a_webhook_is_verified_as_the_docs_say(web: WebReceiver) -> None:
    (snippet,) = blocks("how-to/alerts.md", "python")
    found: dict[str, Any] = {}
    exec(snippet, found)
    post(settings(web), MESSAGE, 5)
    ((headers, body),) = web.requests

    assert found["is_genuine"](headers, body, WEBHOOK_SECRET)
    assert not found["is_genuine"](headers, body + b" ", WEBHOOK_SECRET)
    assert not found["is_genuine"]({**headers, "webhook-id": "k2"}, body, WEBHOOK_SECRET)
    later = str(int(headers["webhook-timestamp"]) + 1)
    assert not found["is_genuine"]({**headers, "webhook-timestamp": later}, body, WEBHOOK_SECRET)
    earlier = int(headers["webhook-timestamp"]) - 600
    signed = {"webhook-id": "k1", "webhook-timestamp": str(earlier)}
    signed["webhook-signature"] = signature(WEBHOOK_SECRET, "k1", earlier, body)
    assert not found["is_genuine"](signed, body, WEBHOOK_SECRET), "it was sent again by somebody else"


# Apprise, here by mail


@pytest.mark.slow
def test_a_mail_has_the_message_a_picture_and_the_report_of_a_week(mail: tuple[MailServer, str]) -> None:
    server, url = mail
    server.mails.clear()
    send_in_process("apprise", AppriseSettings(url=url), replace(MESSAGE, report="<!doctype html>\n<p>Grün"), 5)
    (received,) = server.mails

    assert received["Subject"] == MESSAGE.title
    parts = {part.get_content_type(): part for part in received.walk()}
    text = parts["text/plain"].get_payload(decode=True)
    assert isinstance(text, bytes)
    assert MESSAGE.text in text.decode()
    picture = parts["image/png"].get_payload(decode=True)
    assert isinstance(picture, bytes)
    assert Image.open(BytesIO(picture)).size == (600, 200)
    (report,) = (part for part in received.walk() if part.get_filename() == "report.html")
    content = report.get_payload(decode=True)
    assert isinstance(content, bytes)
    assert (report.get_content_type(), content.decode()) == ("text/html", "<!doctype html>\n<p>Grün")


@pytest.mark.slow
def test_a_mail_that_is_refused_is_a_failure_without_the_url(
    mail: tuple[MailServer, str], caplog: pytest.LogCaptureFixture
) -> None:
    server, url = mail
    server.refuses = True
    try:
        with pytest.raises(DeliveryError) as failure:
            send_in_process("apprise", AppriseSettings(url=url), MESSAGE, 5)
    finally:
        server.refuses = False
    assert "team@example.org" not in str(failure.value)


@pytest.mark.slow
def test_a_url_that_apprise_cannot_read_is_found_without_sending_and_logs_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(DeliveryError) as failure:
        check_in_process("apprise", AppriseSettings(url="slack://wrong-secret"))
    assert failure.value.reason_code == "URL_INVALID"
    assert "wrong-secret" not in caplog.text + str(failure.value)


# The picture


def test_the_picture_shows_bars_the_expected_interval_and_failed_days() -> None:
    picture = draw(VOLUMES)
    assert picture is not None
    colours = {f"#{r:02x}{g:02x}{b:02x}" for _, (r, g, b) in Image.open(BytesIO(picture)).getcolors(600 * 200)}  # type: ignore[misc, union-attr]
    assert {BAD, BAND, BAR} <= colours


@pytest.mark.parametrize(
    "volumes", [(), (VolumeDay("2026-03-10", None, None, None, True),), (VolumeDay("x", 0, 0, 0, True),)]
)
def test_without_a_number_there_is_no_picture(volumes: tuple[VolumeDay, ...]) -> None:
    assert draw(volumes) is None


# The process that sends


@pytest.mark.slow
def test_a_message_is_sent_by_a_process_of_its_own_which_is_ended_when_its_time_is_up(
    web: WebReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_in_process("webhook", settings(web), MESSAGE, 5)
    assert web.keys() == ["k1"]

    monkeypatch.setattr(process, "START_SECONDS", 1.0)
    web.drips.set()
    try:
        with pytest.raises(DeliveryError, match="so that sending was ended"):
            send_in_process("apprise", AppriseSettings(url=web.url.replace("http:", "json:")), MESSAGE, 0.5)
    finally:
        web.drips.clear()


def test_what_a_notifier_raises_unexpectedly_is_named_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    task = {"kind": "webhook", "settings": {"webhook": "x-secret"}, "message": None, "timeout_seconds": 1}
    found = run_task(task)
    assert found["reason_code"] == "NOTIFIER_FAILED"
    assert "x-secret" not in str(found)
