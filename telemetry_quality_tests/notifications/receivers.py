"""Real receivers of messages on this machine: a web server whose answers are set by hand, and a mail server."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from aiosmtpd.controller import Controller

from telemetry_quality_tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message as Mail

PATH_SECRET = "c0ffee-path-secret"
WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass
class WebReceiver:
    """A web server that keeps what is posted to it.

    Attributes:
        requests: Headers, in lower case, and body of each request, answered or not.
        status: What it answers.
        hangs: While this is set, it answers nothing.
        drips: While this is set, it answers a byte now and then, so that no limit of a socket is reached.
    """

    url: str = ""
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    status: int = 200
    hangs: threading.Event = field(default_factory=threading.Event)
    drips: threading.Event = field(default_factory=threading.Event)
    is_released: threading.Event = field(default_factory=threading.Event)

    def keys(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.requests]


@contextmanager
def web_receiver() -> Iterator[WebReceiver]:
    receiver = WebReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
            if receiver.hangs.is_set():
                receiver.is_released.wait()
                return
            with suppress(OSError):
                self._answer()

        def _answer(self) -> None:
            while receiver.drips.is_set():
                self.wfile.write(b"x")
                receiver.is_released.wait(0.05)
            self.send_response(receiver.status)
            if receiver.status == 302:
                host = self.headers["Host"]
                self.send_header("Location", f"http://{host}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            receiver.requests.append(({}, b""))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/{PATH_SECRET}"
    try:
        yield receiver
    finally:
        receiver.is_released.set()
        server.shutdown()
        thread.join()
        server.server_close()


class MailServer:
    """A mail server that keeps what it is sent."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.refuses = False

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refuses:
            return "550 No"
        self.mails.append(message_from_bytes(envelope.content))
        return "250 OK"


@contextmanager
def mail_server() -> Iterator[tuple[MailServer, str]]:
    """A mail server and the URL by which Apprise sends to it."""
    server = MailServer()
    port = free_port()
    controller = Controller(server, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield server, f"mailto://127.0.0.1:{port}/?from=quality@example.org&to=team@example.org&mode=insecure"
    finally:
        controller.stop()
