"""The ClickHouse connector: read-only queries over HTTP, with limits that the server and the client both keep.

Settings are sent with each query and change nothing on the server. A query ends on the server when its client goes
away.
"""

from __future__ import annotations

import logging
import socket
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, timedelta
from functools import cache
from threading import Event
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import uuid4
from weakref import WeakSet

from sqlalchemy import and_, cast, column, func, literal, select, table
from sqlalchemy.sql.elements import quoted_name

from telemetry_quality.errors import SourceError, SourceSilentError, SourceUnavailableError
from telemetry_quality.interrupts import postponed_interrupts
from telemetry_quality.sources.columns import Column, ColumnKind, fitted
from telemetry_quality.sources.costs import cost_of_rows, rows_read
from telemetry_quality.sources.functions import EngineType
from telemetry_quality.sources.limits import MEMORY_LIMIT_BYTES, TIME_LIMIT, QueryTime, time_limit
from telemetry_quality.sources.query import EventTable
from telemetry_quality.sources.roles import resolve_roles
from telemetry_quality.sources.sql_source import TableSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Select, TableClause
    from urllib3 import PoolManager

    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.signals import SignalCatalogue
    from telemetry_quality.sources.query import DayRange

CONNECT_SECONDS = 5
"""How long the first answer may take, of each address of the host."""

GRACE_SECONDS = 5
"""How much longer than the server the client waits: the server's own message says more."""

KILL_SECONDS = 2
"""How long asking the server to stop a query may take."""

_TIMES_OF_PARTITIONS = ("Date", "Date32", "DateTime", "DateTime64")
_WRAPPERS = ("LowCardinality(", "Nullable(", "SimpleAggregateFunction(anyLast, ", "SimpleAggregateFunction(any, ")
_KINDS = {
    "String": ColumnKind.TEXT,
    "FixedString": ColumnKind.TEXT,
    "Bool": ColumnKind.BOOLEAN,
    "DateTime": ColumnKind.INSTANT,
    "DateTime64": ColumnKind.INSTANT,
    "Float32": ColumnKind.NUMBER,
    "Float64": ColumnKind.NUMBER,
    "Decimal": ColumnKind.NUMBER,
} | dict.fromkeys([f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)], ColumnKind.INTEGER)

_TABLE = ("TABLE_MISSING", "cannot be read ({name}); grant SELECT or correct the table.")
_USER = ("CONNECTION_REFUSED", "must accept the user, but does not ({name}); correct the url.")
_PROFILE = (
    "CONNECTION_REFUSED",
    "must let its user limit queries, but refuses the limits ({name}); give the user readonly = 2 instead of 1.",
)
_PERMANENT = {
    60: _TABLE,
    81: _TABLE,
    497: _TABLE,
    192: _USER,
    193: _USER,
    194: _USER,
    516: _USER,
    164: _PROFILE,
    452: _PROFILE,
    159: (TIME_LIMIT, "must answer within {seconds:g} s, but did not; raise time_limit_seconds."),
    241: (
        "MEMORY_LIMIT",
        "must answer with {mebibytes:,.0f} MiB, but needed more; raise memory_limit or lower max_threads.",
    ),
}
"""Reason code and sentence for errors that another try would not mend, by ClickHouse's number."""

_CANCELLED = 394
_PASSING = frozenset({201, 202, 203, 209, 210, 225, 236, 242, 243, 279, 286, 319, _CANCELLED, 425, 439, 745, 999})
"""Errors that may pass: a quota, too many queries, a replica or its keeper away, no disk or thread left, …"""


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """What one query may take of the server."""

    seconds: float = 300
    threads: int = 2
    memory_bytes: int = MEMORY_LIMIT_BYTES


_OVERFLOWS = ("timeout", "read", "result", "group_by", "sort", "distinct", "set", "join", "transfer")


def _settings(limits: QueryLimits, *, reads_final: bool) -> dict[str, Any]:
    return {
        "max_threads": limits.threads,
        "max_memory_usage": limits.memory_bytes,
        # A group by that needs more RAM continues on disk.
        "max_bytes_before_external_group_by": limits.memory_bytes // 2,
        "max_bytes_before_external_sort": limits.memory_bytes // 2,
        "cancel_http_readonly_queries_on_client_close": 1,
        # Thousands of versions may be compared with.
        "max_query_size": 2**24,
        "log_comment": "telemetry-quality",
        # A limit of the user's profile is an error, and so is a shard that is away; both could shorten the answer.
        **dict.fromkeys([f"{of}_overflow_mode" for of in _OVERFLOWS], "throw"),
        "skip_unavailable_shards": 0,
        # What the queries rely on, whatever the server's defaults are.
        "count_distinct_implementation": "uniqExact",
        "session_timezone": "UTC",
        "join_use_nulls": 1,
        "transform_null_in": 0,
        "prefer_column_name_to_alias": 1,
        "union_default_mode": "ALL",
        **({"final": 1} if reads_final else {}),
    }


@dataclass(frozen=True)
class _PartitionedEvents(EventTable):
    """Events whose partitions are made by another column than their time.

    Attributes:
        partition_time: A column that lies within a day of the time.
    """

    partition_time: str = ""

    def near(self, day_range: DayRange, name: str) -> ColumnElement[bool]:
        """Bounds on the column, and generous ones on the one that makes the partitions."""
        bounds = super().near(day_range, name)
        if name != self.schema.occurred_at:
            return bounds
        own_type, value = EngineType(self.columns[self.partition_time].type_name), self.column(self.partition_time)
        first, last = (
            cast(literal(at.astimezone(UTC).isoformat(), own_type), own_type)
            for at in (day_range.start - timedelta(days=1), day_range.end + timedelta(days=1))
        )
        return and_(value >= first, value <= last, bounds)


class _Client:
    """A client of the server; its errors become SourceErrors, and each query ends in time whatever the network does."""

    def __init__(
        self, address: _Address, limits: QueryLimits, *, reads_final: bool, partition_time: str | None
    ) -> None:
        self.time = QueryTime(limits.seconds)
        self._what = address.what
        self._partition_time = partition_time
        self._limits = limits
        self._sockets = _Sockets()
        self._pool = self._sockets.pool(address.tls)
        with self._ending("", 2 * CONNECT_SECONDS):
            self._driver = _driver().get_client(
                **address.arguments,
                settings=_settings(limits, reads_final=reads_final),
                pool_mgr=self._pool,
                connect_timeout=CONNECT_SECONDS,
                send_receive_timeout=limits.seconds + 2 * GRACE_SECONDS,
                query_retries=0,
                autogenerate_session_id=False,
                compress=False,
                client_name="telemetry-quality",
            )
        if self._driver.server_settings["readonly"].value == "0":
            # Who may already only read must not change this very setting.
            self._driver.set_client_setting("readonly", 1)

    def execute(self, query: Select[Any]) -> Sequence[Sequence[Any]]:
        return self._answer(query).result_rows  # type: ignore[no-any-return]

    def rows_read(self, query: Select[Any]) -> int:
        """How many rows the server expects to read; 0 if it does not say, as of tables that are no MergeTree."""
        found = self._answer(query, "EXPLAIN ESTIMATE ")
        return sum(rows["rows"] for rows in found.named_results())

    def _answer(self, query: Select[Any], before: str = "") -> Any:
        compiled = query.compile(dialect=_dialect())
        query_id = f"telemetry-quality-{uuid4()}"
        seconds = self.time.left()
        settings = {"query_id": query_id, "max_execution_time": f"{seconds:g}"}
        with self._ending(query_id, seconds + GRACE_SECONDS):
            return self._driver.query(f"{before}{compiled}", parameters=compiled.params, settings=settings)

    def columns_of(self, relation: str) -> dict[str, Column]:
        database, _, name = relation.rpartition(".")
        columns = table("columns", *map(column, ("database", "table", "name", "type", "position")), schema="system")
        found = self.execute(
            select(columns.c.name, columns.c.type)
            .where(columns.c.database == (database or func.currentDatabase()), columns.c.table == name)
            .order_by(columns.c.position)
        )
        if not found:
            raise SourceError(
                "TABLE_MISSING",
                f"{self._what} requires the table {relation!r}, but shows this user no table of that name; correct "
                "the name or grant SELECT.",
            )
        return {
            name: Column(name, type_name, _kind(type_name), is_exact=_is_exact(type_name)) for name, type_name in found
        }

    def event_table(self, relation: str, schema: EventSchema, salt: str) -> EventTable:
        columns = self.columns_of(relation)
        table = _typed_table(relation, columns)
        schema = fitted(schema, columns)
        roles = resolve_roles(schema, table, columns, self._described, "clickhouse", read=self.execute)
        if self._partition_time is None:
            return EventTable(table, roles, schema, salt)
        if _base(getattr(columns.get(self._partition_time), "type_name", "")) not in _TIMES_OF_PARTITIONS:
            raise SourceError(
                "COLUMN_TYPE",
                f"partition_time requires a column of type {', '.join(_TIMES_OF_PARTITIONS)}, but "
                f"{self._partition_time!r} is none; name another column, or leave it out.",
            )
        return _PartitionedEvents(table, roles, schema, salt, partition_time=self._partition_time)

    def _described(self, query: Select[Any]) -> list[Column]:
        """The columns that a query would return."""
        found = self._answer(query.limit(0))
        return [
            Column(name, type_.name, _kind(type_.name), is_exact=_is_exact(type_.name))
            for name, type_ in zip(found.column_names, found.column_types, strict=True)
        ]

    def close(self) -> None:
        self._sockets.close()
        self._pool.clear()

    @contextmanager
    def _ending(self, query_id: str, seconds: float) -> Iterator[None]:
        """Let a request end within ``seconds``, and its query with it."""
        has_ended = Event()

        def stop() -> None:
            self._sockets.close()
            self._kill(query_id)
            # The driver sends a query again whose connection was closed.
            while not has_ended.wait(0.2):
                self._sockets.close()

        with time_limit(seconds, stop) as deadline:
            try:
                yield
            except _failures() as error:
                # Raised without its cause, because a server's message may quote values of events.
                if deadline.has_passed:
                    raise SourceSilentError(
                        f"{self._what} must answer within {seconds:g} s, be it that its own limit has passed, but "
                        "does not; check the network and the server."
                    ) from None
                raise _source_error(self._what, error, self._limits) from None
            except KeyboardInterrupt:
                self._sockets.close()
                self._kill(query_id)
                raise
            finally:
                has_ended.set()

    def _kill(self, query_id: str) -> None:
        """Ask the server to stop a query, for proxies that keep its connection open when ours is closed."""
        if query_id:
            with suppress(Exception):
                self._pool.request(
                    "POST",
                    self._driver.url,
                    body=f"KILL QUERY WHERE query_id = '{query_id}' ASYNC",
                    headers=self._driver.headers,
                    timeout=KILL_SECONDS,
                    retries=False,
                )


class _Sockets:
    """The open connections of a client, so that another thread can close them."""

    def __init__(self) -> None:
        self._open: WeakSet[socket.socket] = WeakSet()

    def pool(self, tls: Mapping[str, Any]) -> PoolManager:
        """Connections that are kept track of."""
        from clickhouse_connect.driver.httputil import get_pool_manager  # noqa: PLC0415
        from urllib3.connection import HTTPConnection, HTTPSConnection  # noqa: PLC0415
        from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool  # noqa: PLC0415

        opened = self._open

        def tracked(connection: type[HTTPConnection]) -> type[HTTPConnection]:
            class Tracked(connection):  # type: ignore[misc, valid-type]
                def connect(self) -> None:
                    super().connect()
                    opened.add(self.sock)

            return Tracked

        manager: PoolManager = get_pool_manager(**tls)
        manager.pool_classes_by_scheme = {
            "http": type("Plain", (HTTPConnectionPool,), {"ConnectionCls": tracked(HTTPConnection)}),
            "https": type("Secure", (HTTPSConnectionPool,), {"ConnectionCls": tracked(HTTPSConnection)}),
        }
        return manager

    def close(self) -> None:
        """Close all of them: whoever waits for an answer gets an error immediately."""
        for opened in list(self._open):
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)


def _typed_table(relation: str, columns: Mapping[str, Column]) -> TableClause:
    from telemetry_quality.sources.clickhouse_sql import PaddedText, Unsigned  # noqa: PLC0415

    types: dict[str, Any] = {"FixedString": PaddedText(), "UInt64": Unsigned()}
    database, _, name = relation.rpartition(".")
    return table(
        quoted_name(name, quote=True),
        *(column(found.name, types.get(_base(found.type_name))) for found in columns.values()),
        schema=quoted_name(database, quote=True) if database else None,
    )


def _base(type_name: str) -> str:
    """``DateTime64`` for ``LowCardinality(Nullable(DateTime64(9)))``."""
    while wrapper := next((wrapper for wrapper in _WRAPPERS if type_name.startswith(wrapper)), None):
        type_name = type_name.removeprefix(wrapper).removesuffix(")")
    return type_name.partition("(")[0]


def _kind(type_name: str) -> ColumnKind:
    return _KINDS.get(_base(type_name), ColumnKind.OTHER)


def _is_exact(type_name: str) -> bool:
    return _base(type_name) != "FixedString"


@cache
def _dialect() -> Any:
    from telemetry_quality.sources.clickhouse_sql import ClickHouseDialect  # noqa: PLC0415

    return ClickHouseDialect()


def _driver() -> Any:
    try:
        import clickhouse_connect  # noqa: PLC0415
    except ModuleNotFoundError:
        raise SourceError(
            "EXTRA_MISSING",
            "connector 'clickhouse' requires clickhouse-connect, but it is not installed; "
            "run pip install 'telemetry-quality[clickhouse]'.",
        ) from None
    # It logs what it also raises.
    logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
    return clickhouse_connect


def _failures() -> tuple[type[Exception], ...]:
    """The exceptions of the driver, and those of the connection that it lets through while it reads an answer."""
    from clickhouse_connect.driver.exceptions import ClickHouseError  # noqa: PLC0415
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    return (ClickHouseError, HTTPError, OSError)


def _source_error(what: str, error: Exception, limits: QueryLimits) -> SourceError:
    code, name = getattr(error, "code", None), getattr(error, "name", None)
    if code is None and "is readonly" in str(error):
        # The driver looks before it sends a setting.
        code, name = 164, "READONLY"
    if code in _PERMANENT:
        reason, sentence = _PERMANENT[code]
        known = {"name": name or code, "seconds": limits.seconds, "mebibytes": limits.memory_bytes / 2**20}
        return SourceError(reason, f"{what} {sentence.format_map(known)}")
    if code is None or code in _PASSING:
        reason = "QUERY_CANCELLED" if code == _CANCELLED else "SOURCE_UNREACHABLE"
        return SourceUnavailableError(
            reason, f"{what} must stay reachable, but is not ({name or 'no answer'}); try again."
        )
    return SourceError(
        "QUERY_FAILED",
        f"{what} cannot be queried: its columns do not fit their roles ({name or code}); run telemetry-quality check.",
    )


@dataclass(frozen=True, slots=True)
class _Address:
    """Where the server is.

    Attributes:
        what: What errors call it; without credentials.
        arguments: The driver's names of host, user, database and so on.
        tls: How its certificate is checked.
    """

    what: str
    arguments: Mapping[str, Any]
    tls: Mapping[str, Any]


_TLS_OPTIONS = ("verify", "ca_cert", "client_cert", "client_cert_key")


def _address(url: str) -> _Address:
    """The parts of ``https://USER:PASSWORD@HOST:8443/DATABASE?verify=false``."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 8123, "https": 8443}.get(parts.scheme)
    except ValueError:
        raise _invalid_url() from None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    database = unquote(parts.path.strip("/"))
    if port is None or not parts.hostname or "/" in database or not options.keys() <= set(_TLS_OPTIONS):
        raise _invalid_url()
    tls: dict[str, Any] = options | {"verify": options.get("verify", "true").lower() not in {"false", "0", "no"}}
    arguments = {
        "interface": parts.scheme,
        "host": parts.hostname,
        "port": port,
        "username": unquote(parts.username or "default"),
        "password": unquote(parts.password or ""),
        **({"database": database} if database else {}),
    }
    return _Address(f"ClickHouse at {parts.scheme}://{parts.hostname}:{port}", arguments, tls)


def _invalid_url() -> SourceError:
    # The URL is not repeated, because it may contain a password.
    return SourceError(
        "URL_INVALID",
        "url requires the form https://USER:PASSWORD@HOST:PORT/DATABASE, with no parameters other than "
        f"{', '.join(_TLS_OPTIONS)}, but something else was found; give the address of ClickHouse's HTTP interface.",
    )


class ClickHouseSource(TableSource[_Client]):
    """Events in a table or view of ClickHouse.

    Args:
        url: The HTTP interface, ``https://USER:PASSWORD@HOST:8443/DATABASE``; its password is never shown.
        table: ``table`` or ``database.table``.
        schema: Which column plays which role.
        catalogue: The known signals.
        limits: What one query may take of the server.
        partition_time: A column that is always within a day of ``occurred_at`` and makes the partitions.
        reads_final: Whether rows that a ReplacingMergeTree would merge are merged while reading.
        salt: Mixed into the sample's hash.

    Raises:
        SourceError: If the URL is none of an HTTP interface.
    """

    def __init__(
        self,
        url: str,
        table: str,
        schema: EventSchema,
        *,
        catalogue: SignalCatalogue | None = None,
        limits: QueryLimits | None = None,
        reads_final: bool = False,
        partition_time: str | None = None,
        salt: str = "",
    ) -> None:
        super().__init__(table, schema, catalogue, salt)
        self._address = _address(url)
        self._limits = limits or QueryLimits()
        self._options: dict[str, Any] = {"reads_final": reads_final, "partition_time": partition_time}

    def costly_hours(self, window: DayWindow) -> str | None:
        """Why a look at these hours would read far more than them; see EventSource."""
        with self._client() as client:
            reading = rows_read(client, self._some_events(client), window)
        remedy = f"order or partition the table by {self.schema.occurred_at}, or set partition_time"
        return cost_of_rows(reading, self._table, remedy)

    @contextmanager
    def _client(self) -> Iterator[_Client]:
        client = _Client(self._address, self._limits, **self._options)
        try:
            yield client
        finally:
            with postponed_interrupts():
                client.close()
