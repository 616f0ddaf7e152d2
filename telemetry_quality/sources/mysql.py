"""The connector for MariaDB: read-only, one point in time per day, and ending whatever the network does.

Texts are compared by their characters: the table is read through a derived table, which the server merges into the
query, whose text columns have a collation that ignores nothing.
"""

from __future__ import annotations

import socket
from contextlib import contextmanager, suppress
from threading import Event
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import column, func, make_url, select, table
from sqlalchemy.sql.elements import quoted_name

from telemetry_quality.documentation import page
from telemetry_quality.errors import SourceError, SourceSilentError, SourceUnavailableError
from telemetry_quality.interrupts import postponed_interrupts
from telemetry_quality.sources.columns import Column, ColumnKind, fitted
from telemetry_quality.sources.costs import cost_of_rows, rows_read
from telemetry_quality.sources.limits import MEMORY_LIMIT_BYTES, TIME_LIMIT, QueryTime, time_limit
from telemetry_quality.sources.query import EventTable
from telemetry_quality.sources.roles import resolve_roles
from telemetry_quality.sources.sql_source import TableSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import URL, Select, Subquery

    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.signals import SignalCatalogue

CONNECT_SECONDS = 5
GRACE_SECONDS = 5
"""How much longer than the server the client waits: the server's own message says more."""

KILL_SECONDS = 1
"""How long asking the server to stop a query may take."""

LOCK_SECONDS = 2
"""Only changes to the table's structure make a reader wait, and every insert behind the reader would wait too."""

_TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set")
_BYTES = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob")
_KINDS = {
    **dict.fromkeys((*_TEXTS, *_BYTES), ColumnKind.TEXT),
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint"), ColumnKind.INTEGER),
    **dict.fromkeys(("float", "double", "decimal"), ColumnKind.NUMBER),
    **dict.fromkeys(("datetime", "timestamp"), ColumnKind.INSTANT),
}
_TYPES_OF_RESULTS = {
    **dict.fromkeys((1, 2, 3, 8, 9), "bigint"),
    **dict.fromkeys((249, 250, 251, 252, 253, 254), "longtext"),
    **dict.fromkeys((4, 5), "double"),
    **dict.fromkeys((7, 12), "datetime"),
    10: "date",
    246: "decimal",
}
"""The types of the protocol, by their numbers."""

_TABLE = ("TABLE_MISSING", "cannot be read; grant SELECT or correct the table.")
_USER = ("CONNECTION_REFUSED", "must accept the connection, but does not; correct the url.")
_TIME = (
    TIME_LIMIT,
    "must answer within {seconds:g} s, but did not; raise time_limit_seconds or index the time column.",
)
_MEMORY = ("MEMORY_LIMIT", "must answer with the memory that is allowed, but needed more; raise memory_limit.")
_PERMANENT = {
    **dict.fromkeys((1044, 1045, 1049, 1130, 1251, 1698, 2059), _USER),
    **dict.fromkeys((1142, 1143, 1146), _TABLE),
    **dict.fromkeys((1969, 3024), _TIME),
    **dict.fromkeys((1038, 1041, 1290), _MEMORY),
}
"""Reason code and sentence for errors that another try would not mend, by their numbers."""

_PASSING = {1205: "SOURCE_LOCKED", 1317: "QUERY_CANCELLED"} | dict.fromkeys(
    (1021, 1040, 1053, 1080, 1129, 1159, 1161, 1203, 1213, 1226, 1927, 2002, 2003, 2006, 2013, 2055),
    "SOURCE_UNREACHABLE",
)
"""Errors that may pass, with their reason code: a lock, too many connections, a shutdown, a lost connection, …"""


class _Client:
    """A connection with read-only transactions; its errors become SourceErrors, and each query ends in time."""

    def __init__(self, url: URL, what: str, seconds: float, memory_bytes: int) -> None:
        self.time = QueryTime(seconds)
        self._what = what
        self._dialect, arguments = _connecting(url)
        self._connect = {**arguments, "connect_timeout": CONNECT_SECONDS, "charset": "utf8mb4", "autocommit": True}
        self._is_within = False
        with self._ending(2 * CONNECT_SECONDS):
            self._driver = _pymysql().connect(**self._connect, read_timeout=seconds + 2 * GRACE_SECONDS)
            _keep_alive(self._driver._sock)  # noqa: SLF001 - the driver shows it nowhere else
            self._settle(memory_bytes)

    def _settle(self, memory_bytes: int) -> None:
        """Set what the queries rely on, for this connection only."""
        version = self._driver.get_server_info()
        if "mariadb" not in version.lower():
            raise SourceError(
                "UNPROVEN",
                f"{self._what} must be MariaDB, but is {version}, on which the queries have never been run; read a "
                f"copy in another place of {page('reference/sources')}.",
            )
        settings: dict[str, Any] = {
            "time_zone": "+00:00",
            "sql_mode": "NO_UNSIGNED_SUBTRACTION",
            "group_concat_max_len": 2**32 - 1,
            "sql_select_limit": 2**64 - 1,
            "lock_wait_timeout": LOCK_SECONDS,
            "innodb_lock_wait_timeout": LOCK_SECONDS,
            "max_statement_time": self.time.seconds,
            "max_session_mem_used": memory_bytes,
        }
        with self._driver.cursor() as cursor:
            assignments = ", ".join(f"{name} = %s" for name in settings)
            cursor.execute(f"SET SESSION {assignments}", list(settings.values()))
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Let all queries see the data of one point in time."""
        self._run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        try:
            yield
        finally:
            with suppress(SourceError):
                self._run("ROLLBACK")

    def execute(self, query: Select[Any]) -> Sequence[Sequence[Any]]:
        compiled = query.compile(dialect=self._dialect)
        limit = f"SET STATEMENT max_statement_time = {self.time.left():.3f} FOR " if self.time.is_shared else ""
        return self._run(f"{limit}{compiled}", compiled.params)[0]

    def rows_read(self, query: Select[Any]) -> int:
        """About how many rows the server would read of a table from end to end; 0 if it uses an index."""
        compiled = query.compile(dialect=self._dialect)
        plan, description = self._run(f"EXPLAIN {compiled}", compiled.params)
        steps = [dict(zip((name for name, *_ in description), step, strict=True)) for step in plan]
        # Tables in angle brackets are results of other steps.
        scans = (step for step in steps if step["type"] == "ALL" and not str(step["table"]).startswith("<"))
        return max((int(step["rows"]) for step in scans), default=0)

    def _run(self, text: str, values: Mapping[str, Any] | None = None) -> tuple[Sequence[Sequence[Any]], Any]:
        with self._ending(self.time.left() + GRACE_SECONDS), self._driver.cursor() as cursor:
            cursor.execute(text, values)
            return cursor.fetchall(), cursor.description

    def columns_of(self, relation: str) -> dict[str, Column]:
        schema, _, name = relation.rpartition(".")
        columns = table(
            "columns",
            *map(column, ("table_schema", "table_name", "column_name", "column_type", "ordinal_position")),
            schema="information_schema",
        )
        found = self.execute(
            select(columns.c.column_name, columns.c.column_type)
            .where(columns.c.table_schema == (schema or func.database()), columns.c.table_name == name)
            .order_by(columns.c.ordinal_position)
        )
        if not found:
            raise SourceError(
                "TABLE_MISSING",
                f"{self._what} requires the table {relation!r}, but shows this user no table of that name; correct "
                "the name or grant SELECT.",
            )
        return {name: Column(name, type_name, _kind(type_name)) for name, type_name in found}

    def event_table(self, relation: str, schema: EventSchema, salt: str) -> EventTable:
        columns = self.columns_of(relation)
        schema = fitted(schema, columns)
        exact = _exact_table(relation, columns)
        roles = resolve_roles(schema, exact, columns, self._described, "mysql", read=self.execute)
        return EventTable(exact, roles, schema, salt)

    def _described(self, query: Select[Any]) -> list[Column]:
        """The columns that a query would return."""
        compiled = query.limit(0).compile(dialect=self._dialect)
        _, description = self._run(str(compiled), compiled.params)
        names = ((name, _TYPES_OF_RESULTS.get(number, "unknown")) for name, number, *_ in description)
        return [Column(name, type_name, _kind(type_name)) for name, type_name in names]

    def close(self) -> None:
        with suppress(Exception):
            self._driver.close()

    @contextmanager
    def _ending(self, seconds: float) -> Iterator[None]:
        """Let a request end within ``seconds``, and its query with it."""
        has_ended = Event()

        def stop() -> None:
            self._hang_up()
            self._kill()
            while not has_ended.wait(0.2):
                self._hang_up()

        with time_limit(seconds, stop) as deadline:
            try:
                yield
            except _failures() as error:
                # Raised without its cause, because a server's message may quote values of events.
                if deadline.has_passed or "timed out" in str(error):
                    raise SourceSilentError(
                        f"{self._what} must answer, but has not within {seconds:g} s; check the network and the server."
                    ) from None
                raise _source_error(self._what, error, self.time.seconds) from None
            except KeyboardInterrupt:
                self._hang_up()
                self._kill()
                raise
            finally:
                has_ended.set()

    def _hang_up(self) -> None:
        with suppress(AttributeError, OSError):
            self._driver._sock.shutdown(socket.SHUT_RDWR)  # noqa: SLF001

    def _kill(self) -> None:
        """Ask the server to stop the query: it does not notice that its client has gone."""
        with suppress(Exception):
            number = self._driver.thread_id()
            limits = {"connect_timeout": KILL_SECONDS, "read_timeout": KILL_SECONDS, "write_timeout": KILL_SECONDS}
            with _pymysql().connect(**self._connect | limits) as other, other.cursor() as cursor:
                cursor.execute("KILL %s", (number,))


def _exact_table(relation: str, columns: Mapping[str, Column]) -> Subquery:
    """The table with texts that are compared by their characters."""
    from telemetry_quality.sources.mysql_sql import Binary, exact_column  # noqa: PLC0415

    schema, _, name = relation.rpartition(".")
    raw = table(
        quoted_name(name, quote=True),
        *(column(found.name, Binary() if _base(found.type_name) in _BYTES else None) for found in columns.values()),
        schema=quoted_name(schema, quote=True) if schema else None,
    )
    values = (
        exact_column(raw.c[found.name]).label(found.name) if found.kind is ColumnKind.TEXT else raw.c[found.name]
        for found in columns.values()
    )
    return select(*values).subquery("events_of_source")


def _base(type_name: str) -> str:
    """``int`` for ``int(10) unsigned``."""
    return type_name.partition("(")[0].partition(" ")[0]


def _kind(type_name: str) -> ColumnKind:
    if type_name == "bit(1)":
        return ColumnKind.BOOLEAN
    return _KINDS.get(_base(type_name), ColumnKind.OTHER)


def _keep_alive(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if connection.family != socket.AF_UNIX and hasattr(socket, "TCP_KEEPIDLE"):
        for option, value in ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3)):
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


def _pymysql() -> Any:
    try:
        import pymysql  # noqa: PLC0415
    except ModuleNotFoundError:
        raise SourceError(
            "DRIVER_MISSING",
            "A mariadb url requires PyMySQL, but it is not installed; pip install 'telemetry-quality[mysql]'.",
        ) from None
    return pymysql


def _failures() -> tuple[type[Exception], ...]:
    # A connection that another thread closes fails in the driver in ways that it does not translate.
    return (_pymysql().MySQLError, OSError, AttributeError, ValueError)


def _connecting(url: URL) -> tuple[Any, Mapping[str, Any]]:
    """The dialect, and what the driver needs to connect."""
    from telemetry_quality.sources.mysql_sql import MySQLDialect  # noqa: PLC0415

    dialect = MySQLDialect()
    _, arguments = dialect.create_connect_args(url)
    arguments.pop("client_flag", None)
    return dialect, arguments


def _source_error(what: str, error: Exception, seconds: float) -> SourceError:
    number = error.args[0] if error.args and isinstance(error.args[0], int) else None
    if number in _PERMANENT:
        reason, sentence = _PERMANENT[number]
        return SourceError(reason, f"{what} {sentence.format(seconds=seconds)[:-1]} (error {number}).")
    if number is None or number in _PASSING:
        reason = "SOURCE_UNREACHABLE" if number is None else _PASSING[number]
        return SourceUnavailableError(reason, f"{what} must stay readable, but is not (error {number}); try again.")
    return SourceError(
        "QUERY_FAILED",
        f"{what} cannot be queried: its columns do not fit their roles (error {number}); run telemetry-quality check.",
    )


class MariaDBSource(TableSource[_Client]):
    """Events in a table or view of a MariaDB database, 10.5 or newer.

    Args:
        url: ``mariadb://USER:PASSWORD@HOST/DATABASE``; its password is never shown.
        table: Table or view of events.
        schema: Which column plays which role.
        catalogue: The known signals.
        time_limit_seconds: The time limit of one query.
        memory_limit_bytes: How much memory the server may use for the connection.
        salt: Mixed into the sample's hash.
    """

    maximum_days: ClassVar[int | None] = 1
    """A database snapshot is held no longer than the queries of a day take."""

    def __init__(
        self,
        url: str,
        table: str,
        schema: EventSchema,
        *,
        catalogue: SignalCatalogue | None = None,
        time_limit_seconds: float = 300,
        memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
        salt: str = "",
    ) -> None:
        super().__init__(table, schema, catalogue, salt)
        self._url = make_url(url)
        self._what = f"The database {self._url.database!r} on {self._url.host or 'this machine'}"
        self._seconds = time_limit_seconds
        self._memory_limit_bytes = memory_limit_bytes

    def costly_hours(self, window: DayWindow) -> str | None:
        """Why a look at these hours would read far more than them; see EventSource."""
        with self._client() as client:
            reading = rows_read(client, self._some_events(client), window)
        return cost_of_rows(reading, self._table, f"create an index on {self.schema.occurred_at}")

    @contextmanager
    def _client(self) -> Iterator[_Client]:
        client = _Client(self._url, self._what, self._seconds, self._memory_limit_bytes)
        try:
            yield client
        finally:
            with postponed_interrupts():
                client.close()

    def _scanning(self, client: _Client) -> AbstractContextManager[None]:
        return client.transaction()
