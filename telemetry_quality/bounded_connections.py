"""Connections to PostgreSQL that end: no wait is longer than its limit, whatever becomes of the network.

The server's own limits, such as ``statement_timeout``, end nothing if what the server says does not arrive: behind a
cut cable, or a proxy that keeps its connections but forwards nothing, a driver waits for hours. Sources and the store
share this module, which needs psycopg and is imported only if a PostgreSQL database is used.
"""

from __future__ import annotations

from contextlib import suppress
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import waiting
from psycopg.pq import TransactionStatus
from sqlalchemy import create_engine, event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psycopg.abc import PQGen
    from sqlalchemy import URL, Engine

RV = TypeVar("RV")

CONNECTING: Mapping[str, str | int] = {
    "application_name": "telemetry-quality",
    # Of each address of the host.
    "connect_timeout": 5,
    # A server that vanished silently is noticed within half a minute, also in the middle of a long query.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""How to connect, unless the URL says otherwise."""

GRACE_SECONDS = 5
"""How much later than the server's own limit the client's is: until then, the server may say what it has done."""

WAKE_SECONDS = 0.1
"""How often a wait looks at the clock, and for Ctrl-C."""

CANCEL_SECONDS = 1
"""How long Ctrl-C waits until the server has been asked to cancel a query."""


class SilentServerError(psycopg.OperationalError):
    """The server said nothing within the limit, and the connection was closed."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection whose every wait for the server ends.

    Attributes:
        limit_seconds: How long a statement, including commit and rollback, may take.
    """

    limit_seconds: float = 60

    def wait(self, gen: PQGen[RV], interval: float = WAKE_SECONDS, timeout: float | None = None) -> RV:
        """Wait for the server like psycopg, but within the limit; Ctrl-C closes the connection."""
        limit_seconds = self.limit_seconds if timeout is None else min(timeout, self.limit_seconds)
        try:
            return waiting.wait(_within(limit_seconds, gen), self.pgconn.socket, interval=interval)
        except SilentServerError:
            self.pgconn.finish()
            raise
        except KeyboardInterrupt:
            # psycopg would wait for the server to confirm that it cancelled, which it may never do.
            try:
                self._ask_to_cancel()
            finally:
                self.pgconn.finish()
            raise

    def _ask_to_cancel(self) -> None:
        if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
            return

        def ask() -> None:
            with suppress(psycopg.Error):
                self.cancel_safe(timeout=CANCEL_SECONDS)

        # Before libpq 17 asking cannot be given a time limit, so it may stay behind.
        asking = Thread(target=ask, daemon=True)
        asking.start()
        asking.join(CANCEL_SECONDS)


def _within(seconds: float, gen: PQGen[RV]) -> PQGen[RV]:
    """The same generator, until ``seconds`` have passed: psycopg resumes it every ``WAKE_SECONDS``."""
    deadline = monotonic() + seconds
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            wanted = gen.send(ready)
            if monotonic() > deadline:
                raise SilentServerError(f"nothing arrived from the server within {seconds:g} s")
    except StopIteration as end:
        result: RV = end.value
        return result


def is_silence(error: BaseException | None) -> bool:
    """Whether a driver's error says that the server did not answer, rather than what it answered."""
    return isinstance(error, (SilentServerError, psycopg.errors.ConnectionTimeout))


def bounded_engine(url: URL, limit_seconds: float, arguments: Mapping[str, Any], **options: Any) -> Engine:
    """An engine whose connections end every wait after ``limit_seconds``.

    Args:
        url: The database; what its query says about connecting has precedence.
        limit_seconds: The limit of each statement.
        arguments: More arguments for psycopg.
        options: Options for SQLAlchemy.
    """
    connecting = {name: value for name, value in CONNECTING.items() if name not in url.query}
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"), connect_args={**connecting, **arguments}, **options
    )

    @event.listens_for(engine, "do_connect")
    def connect(_: Any, __: Any, arguments: Any, keywords: Any) -> BoundedConnection:
        connection = BoundedConnection.connect(*arguments, **keywords)
        connection.limit_seconds = limit_seconds
        return connection

    return engine
