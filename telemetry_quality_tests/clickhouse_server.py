"""ClickHouse's HTTP interface around chdb, which is ClickHouse as a library: run as a process of its own.

Only what a client of the tests needs: users, settings, parameters, errors with their codes, and queries that end when
their client hangs up or another one kills them. Usage: ``python -m telemetry_quality_tests.clickhouse_server FOLDER
PORT PASSWORD``.
"""

from __future__ import annotations

import re
import select
import sys
import threading
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import chdb

TRANSPORT = frozenset(
    {"query", "database", "user", "password", "query_id", "session_id", "wait_end_of_query", "client_protocol_version"}
    | {
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "cancel_http_readonly_queries_on_client_close",
    }
)
"""Parameters of a request that are no settings of its query."""

STATUS = {"516": 403, "497": 403, "164": 403, "60": 404, "81": 404, "62": 400}
"""The HTTP status for ClickHouse's error codes; 500 for all others."""

USERS: dict[str, dict[str, str]] = {"reader": {}, "viewer": {"readonly": "2"}, "limited": {"readonly": "1"}}
"""Each user's own settings; all have the same password."""


class Server(ThreadingHTTPServer):
    """The server, with the queries that clients may kill."""

    daemon_threads = True

    def __init__(self, folder: str, port: int, password: str) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.folder = folder
        self.password = password
        self.root = _connection(folder)

    def kill(self, query_id: str) -> None:
        """Kill the query that a client calls ``query_id``: chdb gives it another id of its own."""
        marked = "".join(character for character in query_id if character.isalnum() or character in "-_")
        _connection(self.folder).query(f"KILL QUERY WHERE startsWith(query, '/* {marked} */') ASYNC")


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer a ping or a query."""
        self._answer(b"")

    def do_POST(self) -> None:
        """Answer a query."""
        self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def _answer(self, body: bytes) -> None:
        given = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        text = "\n".join(part for part in (given.get("query", ""), body.decode("utf-8", "surrogateescape")) if part)
        if not text:
            self._send(200, b"Ok.\n")
            return
        user = self._user(given)
        if user is None:
            self._send_error("Code: 516. DB::Exception: reader: Authentication failed. (AUTHENTICATION_FAILED)")
            return
        if killed := re.match(r"KILL QUERY WHERE query_id = '([^']*)'", text):
            self.server.kill(killed[1])
            self._send(200, b"")
            return
        self._run(text, given, USERS[user])

    def _user(self, given: dict[str, str]) -> str | None:
        name, password = given.get("user", ""), given.get("password", "")
        scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
        if scheme == "Basic":
            name, _, password = b64decode(encoded).decode().partition(":")
        name = self.headers.get("X-ClickHouse-User", name)
        password = self.headers.get("X-ClickHouse-Key", password)
        return name if name in USERS and password == self.server.password else None

    def _run(self, text: str, given: dict[str, str], of_user: dict[str, str]) -> None:
        marked = f"/* {given.get('query_id', '')} */ {text}"
        done = threading.Event()
        threading.Thread(target=self._kill_if_left, args=(given.get("query_id"), done), daemon=True).start()
        connection = _connection(self.server.folder)
        try:
            answer = _result(connection, marked, given, of_user).bytes()
        except Exception as error:  # noqa: BLE001 - chdb has only one kind, and a client gets whatever it is
            self._send_error(str(error))
        else:
            self._send(200, answer)
        finally:
            done.set()
            connection.close()

    def _kill_if_left(self, query_id: str | None, done: threading.Event) -> None:
        """Kill the query if its client hangs up, as ClickHouse does for queries that only read."""
        while not done.wait(0.05):
            readable, _, _ = select.select([self.connection], [], [], 0)
            if readable and query_id and not self.connection.recv(1, 2):  # MSG_PEEK
                self.server.kill(query_id)
                return

    def _send_error(self, message: str) -> None:
        code = (re.search(r"Code: (\d+)", message) or ["", "1002"])[1]
        self._send(STATUS.get(code, 500), message.encode(), {"X-ClickHouse-Exception-Code": code})

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response_only(status)
        for name, value in {
            "X-ClickHouse-Timezone": "UTC",
            "Content-Length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing."""


def _result(connection: Any, text: str, given: dict[str, str], of_user: dict[str, str]) -> Any:
    settings = {name: value for name, value in given.items() if name not in TRANSPORT and not name.startswith("param_")}
    parameters = {name.removeprefix("param_"): value for name, value in given.items() if name.startswith("param_")}
    if database := given.get("database"):
        connection.query(f"USE {_quoted(database, '`')}")
    for name, value in of_user.items():
        connection.query(f"SET {name} = {_quoted(value)}")
    if settings:
        connection.query("SET " + ", ".join(f"{name} = {_quoted(value)}" for name, value in settings.items()))
    return connection.query(text, "TabSeparated", params=parameters)


def _connection(folder: str) -> Any:
    """A session of its own: what is set in it changes no other."""
    return chdb.connect(folder)  # type: ignore[no-untyped-call]


def _quoted(text: str, quote: str = "'") -> str:
    return quote + text.replace("\\", "\\\\").replace(quote, f"\\{quote}") + quote


if __name__ == "__main__":
    _, where, port, password = sys.argv
    Server(where, int(port), password).serve_forever(poll_interval=0.05)
