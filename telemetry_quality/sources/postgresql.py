"""The PostgreSQL connector: read-only, one point in time per day, and never in the way of writers.

All queries of a day see the data of one point in time and take no lock that an insert could wait for. They use one
core, because cores are what a reader takes from inserts. Settings are made per transaction, so poolers and
replicas work.
"""

from __future__ import annotations

from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import (
    ClauseElement,
    Executable,
    case,
    cast,
    column,
    func,
    literal,
    make_url,
    null,
    select,
    table,
    tuple_,
)
from sqlalchemy.dialects.postgresql import OID
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import NullPool

from telemetry_quality.errors import SourceError, SourceSilentError, SourceUnavailableError
from telemetry_quality.interrupts import postponed_interrupts
from telemetry_quality.sources.aggregates import aggregate_query
from telemetry_quality.sources.columns import Column, ColumnKind, fitted
from telemetry_quality.sources.costs import CHEAP_BYTES, too_costly
from telemetry_quality.sources.limits import LOOK_LIMIT_SECONDS, TIME_LIMIT, QueryTime
from telemetry_quality.sources.query import DayRange, EventTable, named_table
from telemetry_quality.sources.roles import resolve_roles
from telemetry_quality.sources.sql_source import FullScan, TableSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import URL, ColumnElement, Connection, Engine, Select, TableClause
    from sqlalchemy.sql.compiler import SQLCompiler

    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.signals import SignalCatalogue

WORK_MEMORY = "32MB"
"""The least RAM that the server may use for a sort, and twice that for a hash table, before it spills to disk."""

LOCK_SECONDS = 2
"""Only changes to the table's structure make a reader wait, and every insert behind the reader would wait too."""

LARGE_PAGES, LARGE_FACTOR = 1024, 4
"""A full table scan is worth a warning from 8 MiB, if the day is less than a quarter of the table."""
PAGE_BYTES = 8192
APPENDED_CORRELATION = 0.9
"""From this correlation on, rows lie in time order, and BRIN, which hardly slows inserts, finds a day as well."""

_KINDS = {
    "timestamp with time zone": ColumnKind.INSTANT,
    "timestamp without time zone": ColumnKind.INSTANT,
    "boolean": ColumnKind.BOOLEAN,
    "smallint": ColumnKind.INTEGER,
    "integer": ColumnKind.INTEGER,
    "bigint": ColumnKind.INTEGER,
    "real": ColumnKind.NUMBER,
    "double precision": ColumnKind.NUMBER,
    "numeric": ColumnKind.NUMBER,
    "text": ColumnKind.TEXT,
    "character varying": ColumnKind.TEXT,
    "character": ColumnKind.TEXT,
    "citext": ColumnKind.TEXT,
}

_EXACT_TYPES = {"text", "character varying"}
"""Excludes ``character``, which ignores trailing blanks, and ``citext``, which ignores case."""

_PERMANENT_REFUSALS = (
    "password authentication failed",
    "no password supplied",
    "authentication failed",
    "does not exist",
    "no pg_hba.conf entry",
    "not permitted to log in",
    "permission denied",
    "invalid connection option",
    "certificate",
)
"""Server messages that refuse a connection permanently; libpq reports no code for them."""

_UNAVAILABLE_STATES = ("08", "25P", "40", "53", "55P03", "57", "58")
"""SQLSTATEs that may pass: connection lost, conflict with recovery, too many connections, locked, shutdown, …"""

_UNAVAILABLE = {
    "55P03": ("SOURCE_LOCKED", "its table is locked by another session"),
    "57014": ("QUERY_CANCELLED", "the query was cancelled"),
}


class _Client:
    """A connection with read-only transactions; its errors become SourceErrors."""

    def __init__(self, connection: Connection, what: str, seconds: float) -> None:
        self.connection = connection
        self.time = QueryTime(seconds)
        self._what = what

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Let all queries see the data of one point in time."""
        if self.connection.in_transaction():
            yield
            return
        settings = {
            "statement_timeout": _milliseconds(self.time.left()),
            "lock_timeout": f"{LOCK_SECONDS}s",
            # Refuse to answer rather than leave out the rows that a policy hides.
            "row_security": "off",
            "max_parallel_workers_per_gather": "0",
            # JIT compilation takes longer than it saves on a day of a million events.
            "jit": "off",
            "timezone": "UTC",
        }
        # With the default of 4 MB, writing a day's groups to disk and reading them back takes over half of the time.
        given = func.current_setting("work_mem")
        enough = case((func.pg_size_bytes(given) < func.pg_size_bytes(WORK_MEMORY), WORK_MEMORY), else_=given)
        with _translated(self._what), self.connection.begin():
            self._wait_at_most(self.time.left())
            changed = [func.set_config(name, value, True) for name, value in settings.items()]
            self.connection.execute(select(*changed, func.set_config("work_mem", enough, True)))
            yield

    def execute(self, query: Select[Any] | _Explain) -> Sequence[Sequence[Any]]:
        start = monotonic()
        with self.transaction(), _translated(self._what):
            seconds = self.time.left()
            try:
                if self.time.is_shared:
                    self._let_take(seconds)
                return self.connection.execute(query).all()
            except DBAPIError as error:
                # Only the server's message, in whatever language, tells its time limit from a cancellation by a person.
                if _state(error) == "57014" and monotonic() - start >= seconds:
                    raise SourceError(
                        TIME_LIMIT,
                        f"{self._what} must answer within {self.time.seconds:g} s, but did not; "
                        "raise time_limit_seconds or index the time column (telemetry-quality check says how).",
                    ) from None
                raise

    def _wait_at_most(self, seconds: float) -> None:
        from telemetry_quality.bounded_connections import GRACE_SECONDS  # noqa: PLC0415 - needs the driver

        driver: Any = self.connection.connection.driver_connection
        driver.limit_seconds = seconds + GRACE_SECONDS

    def _let_take(self, seconds: float) -> None:
        """Give the next query of the transaction another limit than the first."""
        self._wait_at_most(seconds)
        self.connection.execute(select(func.set_config("statement_timeout", _milliseconds(seconds), True)))

    def columns_of(self, name: str) -> dict[str, Column]:
        attribute = _table("pg_attribute", "attrelid", "attname", "atttypid", "attnum", "attisdropped", "attcollation")
        collation = _table("pg_collation", "oid", "collisdeterministic")
        of_type = _table("pg_type", "oid", "typtype", "typbasetype")
        found = self.execute(
            select(attribute.c.attname, _type_name_of(of_type), collation.c.collisdeterministic)
            .join_from(attribute, of_type, of_type.c.oid == attribute.c.atttypid)
            .outerjoin(collation, collation.c.oid == attribute.c.attcollation)
            .where(attribute.c.attrelid == self._relation_id(name))
            .where(attribute.c.attnum > 0, attribute.c.attisdropped.is_(False))
            .order_by(attribute.c.attnum)
        )
        if not found:
            raise SourceError(
                "TABLE_MISSING",
                f"{self._what} requires the table {name!r}, but has no visible table of that name; correct the name.",
            )
        return {
            name: Column(name, type_name, _kind(type_name), is_exact=bool(is_exact) and type_name in _EXACT_TYPES)
            for name, type_name, is_exact in found
        }

    def event_table(self, name: str, schema: EventSchema, salt: str) -> EventTable:
        columns = self.columns_of(name)
        table = named_table(name, *columns)
        schema = fitted(schema, columns)
        return EventTable(
            table, resolve_roles(schema, table, columns, self._described, "postgres", read=self.execute), schema, salt
        )

    def _described(self, query: Select[Any]) -> list[Column]:
        """The columns that a query would return; of an expression, nobody knows how its texts compare."""
        with self.transaction(), _translated(self._what):
            cursor = self.connection.execute(query.limit(0)).cursor
            places: list[Any] = [] if cursor is None else list(cursor.description or ())
        of_type = _table("pg_type", "oid", "typtype", "typbasetype")
        wanted = of_type.c.oid.in_({place[1] for place in places})
        names = dict(map(tuple, self.execute(select(of_type.c.oid, _type_name_of(of_type)).where(wanted))))
        return [Column(place[0], name, _kind(name), is_exact=False) for place in places for name in [names[place[1]]]]

    def largest_full_scan(self, query: Select[Any], large_pages: int) -> tuple[str, str] | None:
        """Schema and name of the largest table that ``query`` would scan in full for a small part of its rows.

        Args:
            query: What would be run.
            large_pages: From how many pages on that matters.
        """
        plan = self.execute(_Explain(query))[0][0][0]["Plan"]
        scans = {
            (node["Schema"], node["Relation Name"]): node["Plan Rows"]
            for node in _nodes(plan)
            if node["Node Type"] == "Seq Scan"
        }
        relation, schema = _table("pg_class", "oid", "relname", "relnamespace", "reltuples", "relpages"), _SCHEMAS
        sizes = self.execute(
            select(schema.c.nspname, relation.c.relname, relation.c.reltuples, relation.c.relpages)
            .join_from(relation, schema, schema.c.oid == relation.c.relnamespace)
            .where(tuple_(schema.c.nspname, relation.c.relname).in_(list(scans) or [("", "")]))
            .order_by(relation.c.relpages.desc())
        )
        for schema_name, name, rows, pages in sizes:
            is_unknown = rows <= 0
            if pages >= large_pages and (is_unknown or scans[schema_name, name] * LARGE_FACTOR < rows):
                return schema_name, name
        return None

    def index_on(self, schema_name: str, name: str, time_column: str) -> str | None:
        """The statement that creates an index on the time column; None if the table has no such column."""
        table = named_table(f"{schema_name}.{name}", time_column)
        if time_column not in self.columns_of(f"{schema_name}.{name}"):
            return None
        stats = _table("pg_stats", "schemaname", "tablename", "attname", "correlation")
        (order,) = self.execute(
            select(func.max(func.abs(stats.c.correlation))).where(
                stats.c.schemaname == schema_name, stats.c.tablename == name, stats.c.attname == time_column
            )
        )[0]
        method = "brin" if (order or 0) >= APPENDED_CORRELATION else "btree"
        prepare = self.connection.dialect.identifier_preparer
        return (
            f"CREATE INDEX CONCURRENTLY ON {prepare.format_table(table)}"
            f" USING {method} ({prepare.quote_identifier(time_column)});"
        )

    def _relation_id(self, name: str) -> Any:
        quoted = self.connection.dialect.identifier_preparer.format_table(named_table(name))
        return cast(func.to_regclass(literal(quoted)), OID)


def _milliseconds(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"


class _Explain(Executable, ClauseElement):
    """The server's plan for a query, which is not run."""

    inherit_cache = False

    def __init__(self, query: Select[Any]) -> None:
        self.query = query


@compiles(_Explain, "postgresql")
def _explain_postgresql(element: _Explain, compiler: SQLCompiler, **kw: Any) -> str:
    return f"EXPLAIN (FORMAT JSON, VERBOSE) {compiler.process(element.query, **kw)}"


def _table(name: str, *columns: str) -> TableClause:
    return table(name, *map(column, columns), schema="pg_catalog")


_SCHEMAS = _table("pg_namespace", "oid", "nspname")


def _type_name_of(of_type: TableClause) -> ColumnElement[str]:
    # A domain has the kind of its base type.
    type_id = case((of_type.c.typtype == "d", of_type.c.typbasetype), else_=of_type.c.oid)
    return func.format_type(type_id, null())


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def _kind(type_name: str) -> ColumnKind:
    return _KINDS.get(type_name.partition("(")[0].rpartition(".")[2], ColumnKind.OTHER)


def _state(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def _is_row_security(error: SQLAlchemyError) -> bool:
    """Whether the server refused because a policy would hide rows: only its function tells, in whatever language."""
    diagnosis = getattr(getattr(error, "orig", None), "diag", None)
    return getattr(diagnosis, "source_function", None) == "check_enable_rls"


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        # Raised without its cause, because a driver's message may quote values of events.
        raise _source_error(what, error) from None


def _source_error(what: str, error: SQLAlchemyError) -> SourceError:
    state = _state(error) if isinstance(error, DBAPIError) else ""
    reason = str(getattr(error, "orig", None) or type(error).__name__).strip().splitlines()[0]
    if not state and isinstance(error, DBAPIError):
        return _connection_error(what, error.orig, reason)
    if state.startswith(_UNAVAILABLE_STATES):
        code, cause = _UNAVAILABLE.get(state, ("SOURCE_UNREACHABLE", f"the server says: {reason}"))
        return SourceUnavailableError(code, f"{what} must stay readable, but {cause}; try again.")
    if _is_row_security(error):
        return SourceError(
            "ROW_SECURITY",
            f"{what} must show all rows, but row-level security hides some from this user ({reason}); "
            "grant the user BYPASSRLS, or name a view of the table that the table's owner created.",
        )
    if state in {"42501", "42P01", "3F000"}:
        return SourceError("TABLE_MISSING", f"{what} cannot be read: {reason}; grant SELECT or correct the table.")
    # Other messages may quote values of events, and no event data may reach the store.
    return SourceError(
        "QUERY_FAILED",
        f"{what} cannot be queried: its columns do not fit their roles ({state or type(error).__name__}); "
        "run telemetry-quality check.",
    )


def _connection_error(what: str, error: BaseException | None, reason: str) -> SourceError:
    # Imported late, because it needs the driver, which was loaded to get here.
    from telemetry_quality.bounded_connections import is_silence  # noqa: PLC0415

    if is_silence(error):
        return SourceSilentError(f"{what} must answer, but does not ({reason}); check the network and the server.")
    if any(rejection in reason for rejection in _PERMANENT_REFUSALS):
        return SourceError(
            "CONNECTION_REFUSED", f"{what} must accept the connection, but said: {reason}; correct the url."
        )
    return SourceUnavailableError("SOURCE_UNREACHABLE", f"{what} must be reachable, but is not: {reason}.")


class PostgresSource(TableSource[_Client]):
    """Events in a table or view of a PostgreSQL database, 14 or newer.

    Args:
        url: ``postgresql://USER:PASSWORD@HOST/DATABASE``; its password is never shown.
        table: Table or view of events.
        schema: Which column plays which role.
        catalogue: The known signals.
        time_limit_seconds: The time limit of one query.
        salt: Mixed into the sample's hash.

    Raises:
        SourceError: If psycopg is not installed.
    """

    maximum_days: ClassVar[int | None] = 1  # 36.5 million events: day by day 104 s, in one scan 139 s

    def __init__(
        self,
        url: str,
        table: str,
        schema: EventSchema,
        *,
        catalogue: SignalCatalogue | None = None,
        time_limit_seconds: float = 300,
        salt: str = "",
    ) -> None:
        super().__init__(table, schema, catalogue, salt)
        parsed = make_url(url)
        # Each transaction sets the limit of its own statements.
        self._engine = _engine(parsed, min(time_limit_seconds, LOOK_LIMIT_SECONDS))
        self._what = f"The database {parsed.database or parsed.username!r} on {parsed.host or 'this machine'}"
        self._seconds = time_limit_seconds

    @contextmanager
    def _client(self) -> Iterator[_Client]:
        with _translated(self._what):
            connection = self._engine.connect()
        try:
            yield _Client(connection, self._what, self._seconds)
        finally:
            with postponed_interrupts():
                connection.close()

    def full_scan(self, window: DayWindow) -> FullScan | None:
        """The largest table or partition that would be scanned in full although the day is a small part of it."""
        return self._full_scan(window, LARGE_PAGES)

    def costly_hours(self, window: DayWindow) -> str | None:
        """Why a look at these hours would read far more than them; see EventSource."""
        found = self._full_scan(window, CHEAP_BYTES // PAGE_BYTES)
        if found is None:
            return None
        remedy = (
            f"run {found.create_index.removesuffix(';')}" if found.create_index else "index the time its view shows"
        )
        return too_costly(f"{found.relation} from end to end", remedy)

    def _full_scan(self, window: DayWindow, large_pages: int) -> FullScan | None:
        with self._client() as client, client.transaction():
            events = client.event_table(self._table, self.schema, self._salt)
            found = client.largest_full_scan(aggregate_query(events, DayRange((window,))), large_pages)
            if found is None:
                return None
            return FullScan(".".join(found), client.index_on(*found, events.schema.occurred_at))

    def _scanning(self, client: _Client) -> AbstractContextManager[None]:
        return client.transaction()


def _engine(url: URL, seconds: float) -> Engine:
    try:
        from telemetry_quality.bounded_connections import GRACE_SECONDS, bounded_engine  # noqa: PLC0415

        return bounded_engine(
            url,
            seconds + GRACE_SECONDS,
            # A prepared statement belongs to one server connection, which a pooler may give to other clients.
            {"prepare_threshold": None},
            poolclass=NullPool,
            # Replicas refuse serializable transactions.
            isolation_level="REPEATABLE READ",
            execution_options={"postgresql_readonly": True},
            hide_parameters=True,
        )
    except ModuleNotFoundError:
        raise SourceError(
            "DRIVER_MISSING",
            "A postgresql url requires psycopg, but it is not installed; pip install 'telemetry-quality[postgresql]'.",
        ) from None
