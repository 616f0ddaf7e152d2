"""Engines on whose servers the queries have never been run: Snowflake, Trino and Redshift.

Their queries are compiled, reviewed and pinned, and Snowflake's run on an emulator; see docs/reference/sources.md.
Whoever sets ``allow_unproven`` should compare a few days with numbers from elsewhere.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import column, create_engine, func, make_url, select, table
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from telemetry_quality.documentation import page
from telemetry_quality.errors import SourceError, SourceSilentError, SourceUnavailableError
from telemetry_quality.interrupts import postponed_interrupts
from telemetry_quality.sources.columns import Column, ColumnKind, fitted
from telemetry_quality.sources.costs import too_costly
from telemetry_quality.sources.limits import TIME_LIMIT, QueryTime, time_limit
from telemetry_quality.sources.query import EventTable, named_table
from telemetry_quality.sources.roles import resolve_roles
from telemetry_quality.sources.sql_source import TableSource
from telemetry_quality.sources.unproven_sql import DRIVERS, sqlglot_dialect, use_exact_division

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import URL, Connection, Engine, Select

    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.signals import SignalCatalogue

CONNECT_SECONDS = 10
GRACE_SECONDS = 5
"""How much longer than the server's own limit the client waits."""

_KINDS = {
    **dict.fromkeys(("text", "varchar", "char", "character varying", "string"), ColumnKind.TEXT),
    **dict.fromkeys(("bigint", "integer", "int", "smallint", "tinyint"), ColumnKind.INTEGER),
    **dict.fromkeys(("boolean", "bool"), ColumnKind.BOOLEAN),
}
_SNOWFLAKE_TYPES = {
    0: "number",
    1: "float",
    2: "text",
    3: "date",
    5: "variant",
    9: "object",
    10: "array",
    13: "boolean",
}
"""Types of results by their numbers; 4, 6, 7 and 8 are the timestamps."""


class _Client:
    """A connection whose errors become SourceErrors."""

    def __init__(self, connection: Connection, what: str, seconds: float) -> None:
        self.connection = connection
        self.time = QueryTime(seconds)
        self._what = what

    def execute(self, query: Select[Any]) -> Sequence[Sequence[Any]]:
        with self._ending():
            return self.connection.execute(query).all()

    def columns_of(self, relation: str) -> dict[str, Column]:
        schema, _, name = relation.rpartition(".")
        named = ("table_schema", "table_name", "column_name", "data_type", "numeric_scale", "ordinal_position")
        columns = table("columns", *map(column, named), schema="information_schema").alias("found")
        found = self.execute(
            select(columns.c.column_name, columns.c.data_type, columns.c.numeric_scale)
            .where(columns.c.table_name == name)
            .where(columns.c.table_schema == (schema or func.current_schema()))
            .order_by(columns.c.ordinal_position)
        )
        if not found:
            raise SourceError(
                "TABLE_MISSING",
                f"{self._what} requires the table {relation!r}, but shows none of that name; correct the name, "
                "including its capital letters, or grant SELECT.",
            )
        return {name: Column(name, type_name, _kind(type_name, scale)) for name, type_name, scale in found}

    def event_table(self, relation: str, schema: EventSchema, salt: str) -> EventTable:
        columns = self.columns_of(relation)
        schema = fitted(schema, columns)
        events, types = named_table(relation, *columns), sqlglot_dialect(self.connection.dialect.name)
        roles = resolve_roles(schema, events, columns, self._described, types, read=self.execute)
        return EventTable(events, roles, schema, salt)

    def _described(self, query: Select[Any]) -> list[Column]:
        """The columns that a query would return."""
        with self._ending():
            cursor = self.connection.execute(query.limit(0)).cursor
            places: list[Any] = [] if cursor is None else list(cursor.description or ())
        return [Column(place[0], (name := _type_name(place[1])), _kind(name, place[5])) for place in places]

    @contextmanager
    def _ending(self) -> Iterator[None]:
        """Let a query end within its limit."""
        seconds = self.time.left() + GRACE_SECONDS

        def stop() -> None:
            with suppress(Exception):
                self.connection.connection.close()

        with time_limit(seconds, stop) as deadline:
            try:
                yield
            except (SQLAlchemyError, OSError) as error:
                # Raised without its cause, because a driver's message may quote values of events.
                if deadline.has_passed:
                    raise SourceSilentError(
                        f"{self._what} must answer within {seconds:g} s, but does not; check the network."
                    ) from None
                raise _source_error(self._what, error, self.time.seconds) from None


def _type_name(code: Any) -> str:
    if isinstance(code, int):
        return _SNOWFLAKE_TYPES.get(code, "timestamp" if code in {4, 6, 7, 8} else "unknown")
    return str(code)


def _kind(type_name: str, scale: int | None) -> ColumnKind:
    base = type_name.lower().partition("(")[0]
    if base in {"number", "decimal", "numeric"} and scale == 0:
        return ColumnKind.INTEGER
    if base.startswith("timestamp"):
        return ColumnKind.INSTANT
    return _KINDS.get(base, ColumnKind.OTHER)


def _source_error(what: str, error: Exception, seconds: float) -> SourceError:
    text = str(getattr(error, "orig", None) or error).lower()
    if "statement_timeout" in text or "statement timeout" in text or "exceeded_time_limit" in text:
        return SourceError(
            TIME_LIMIT, f"{what} must answer within {seconds:g} s, but did not; raise time_limit_seconds."
        )
    if "does not exist or not authorized" in text:
        return SourceError("TABLE_MISSING", f"{what} must show the table, but does not; grant SELECT or correct it.")
    if isinstance(error, OSError) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return SourceUnavailableError("SOURCE_UNREACHABLE", f"{what} must be reachable, but is not; try again.")
    return SourceError(
        "QUERY_FAILED",
        f"{what} cannot be queried: the engine refuses a query, or columns do not fit their roles "
        f"({type(getattr(error, 'orig', None) or error).__name__}); run telemetry-quality check.",
    )


class UnprovenSource(TableSource[_Client]):
    """Events in a table or view of an engine on which the queries have never been run.

    Args:
        url: SQLAlchemy's URL of a database; what it holds is never shown.
        table: ``table`` or ``schema.table``, with the capital letters that the engine stores.
        schema: Which column plays which role.
        catalogue: The known signals.
        time_limit_seconds: The time limit of one query.
        salt: Mixed into the sample's hash.

    Raises:
        SourceError: If the engine's driver is not installed.
    """

    maximum_days: ClassVar[int | None] = None

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
        self._what = f"The database {parsed.database!r} ({parsed.get_backend_name()})"
        self._engine = _engine(parsed, time_limit_seconds)
        self._seconds = time_limit_seconds

    def costly_hours(self, window: DayWindow) -> str | None:
        """Why hours are not asked for; see EventSource."""
        del window
        return too_costly(
            "what nobody has measured, and an engine that is paid by what it reads makes each look a cost",
            f"read a copy in another place of {page('reference/sources')} during the day",
        )

    @contextmanager
    def _client(self) -> Iterator[_Client]:
        try:
            connection = self._engine.connect()
        except (SQLAlchemyError, OSError) as error:
            raise _source_error(self._what, error, self._seconds) from None
        try:
            yield _Client(connection, self._what, self._seconds)
        finally:
            with postponed_interrupts(), suppress(Exception):
                connection.close()


def _engine(url: URL, seconds: float) -> Engine:
    driver = DRIVERS[url.get_backend_name()]
    try:
        engine = create_engine(
            url.set(drivername=driver.drivername),
            poolclass=NullPool,
            hide_parameters=True,
            connect_args=driver.connect_arguments(CONNECT_SECONDS, seconds + GRACE_SECONDS),
        )
    except (ModuleNotFoundError, NoSuchModuleError):
        raise SourceError(
            "DRIVER_MISSING",
            f"A {url.get_backend_name()} url requires {driver.package}, but it is not installed; "
            f"pip install '{driver.package}'.",
        ) from None
    use_exact_division(engine.dialect)
    return engine
