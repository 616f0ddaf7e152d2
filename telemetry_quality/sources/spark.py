"""The Spark connector: tables and files that a cluster reads, through Spark Connect or a session of this process.

The queries are those of every other source, compiled as for DuckDB and translated by sqlglot; values are passed as
parameters. Spark computes where the events are and returns aggregates and sampled ids, never the events.
"""

from __future__ import annotations

import re
import socket
import warnings
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

import sqlglot
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlglot import expressions as exp

from telemetry_quality.errors import SourceError, SourceSilentError, SourceUnavailableError
from telemetry_quality.interrupts import postponed_interrupts, pressed_interrupts
from telemetry_quality.sources.aggregates import aggregate_query
from telemetry_quality.sources.columns import Column, ColumnKind, fitted
from telemetry_quality.sources.costs import too_costly
from telemetry_quality.sources.duckdb_sql import DuckDBDialect
from telemetry_quality.sources.limits import TIME_LIMIT, QueryTime, time_limit
from telemetry_quality.sources.query import DayRange, EventTable, named_table
from telemetry_quality.sources.roles import resolve_roles
from telemetry_quality.sources.spark_costs import CHEAP_BYTES, relation_bytes
from telemetry_quality.sources.spark_errors import failures, require_package, source_error
from telemetry_quality.sources.spark_files import FILE, SparkFiles
from telemetry_quality.sources.sql_source import TableSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy import Select

    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.signals import SignalCatalogue
    from telemetry_quality.sources.scanning import EventTables
    from telemetry_quality.sources.sql_source import Answer

    class _Field(Protocol):
        name: str
        dataType: Any  # noqa: N815 - pyspark's name

    class _Frame(Protocol):
        """What a Spark Connect DataFrame and a classic DataFrame have in common."""

        schema: Any

        def collect(self) -> Sequence[Sequence[Any]]: ...

        def createOrReplaceTempView(self, name: str) -> None: ...  # noqa: N802

        def select(self, *columns: Any) -> _Frame: ...

        def unionByName(self, other: _Frame) -> _Frame: ...  # noqa: N802

        def __getitem__(self, name: str) -> Any: ...

    class _Spark(Protocol):
        """What a Spark Connect session and a session of this process have in common."""

        conf: Any
        read: Any

        def sql(self, text: str, args: Mapping[str, Any]) -> _Frame: ...

        def table(self, name: str) -> _Frame: ...

        def interruptAll(self) -> Sequence[str]: ...  # noqa: N802


class SparkDialect(DuckDBDialect):
    """DuckDB's SQL with numbered parameters, which sqlglot turns into Spark's; compiles only, never connects."""

    name = "spark"
    supports_statement_cache = False

    def __init__(self) -> None:
        PGDialect.__init__(self, paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]


_DIALECT = SparkDialect()

_EVENTS, _SIGNALS = "events_of_source", "signals_of_source"

_SETTINGS = {
    # Text and timestamps without a zone are UTC, whatever the cluster's time zone.
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_LTZ",
    # What cannot be computed is an error, never a null or an overflow.
    "spark.sql.ansi.enabled": "true",
    # A column named ${x} is taken literally.
    "spark.sql.variable.substitute": "false",
}

_PORTS = {"sc": 15002, "spark": 7077}
_MASTER = re.compile(r"local(\[[\w*, ]+\])?|yarn|k8s://[^@]+")

_CONNECT_SECONDS = 10
"""How long the first byte from a cluster may take."""

_GRACE_SECONDS = 5
"""How much longer than the time limit a cluster may take to say that it has interrupted a query."""

_CLOSING_SECONDS = 2
"""How long ending a session may take; the server ends it by itself later."""

_KINDS = {
    "string": ColumnKind.TEXT,
    "boolean": ColumnKind.BOOLEAN,
    "tinyint": ColumnKind.INTEGER,
    "smallint": ColumnKind.INTEGER,
    "int": ColumnKind.INTEGER,
    "bigint": ColumnKind.INTEGER,
    "float": ColumnKind.NUMBER,
    "double": ColumnKind.NUMBER,
    "decimal": ColumnKind.NUMBER,
    "timestamp": ColumnKind.INSTANT,
    "timestamp_ntz": ColumnKind.INSTANT,
}


def _column(name: str, type_name: str) -> Column:
    base = type_name.partition("(")[0]
    if base in {"varchar", "char"}:
        return Column(name, type_name, ColumnKind.TEXT)
    if base == "decimal" and type_name.endswith(",0)"):
        return Column(name, type_name, ColumnKind.INTEGER)
    # Spark's other name for it: in DuckDB's SQL, from which the query is translated, a timestamp has no zone.
    written = "timestamp_ltz" if type_name == "timestamp" else type_name
    return Column(name, written, _KINDS.get(base, ColumnKind.OTHER))


def spark_sql(query: Select[Any]) -> tuple[str, dict[str, Any]]:
    """A query in Spark's SQL, and the values of its named parameters."""
    compiled = query.compile(dialect=_DIALECT)
    # Read once: each access computes the values of all parameters.
    named = compiled.params
    values = [named[name] for name in compiled.positiontup or ()]
    tree = sqlglot.parse_one(str(compiled), read="duckdb")
    arguments: dict[str, Any] = {}
    for number, place in enumerate(list(tree.find_all(exp.Placeholder)), start=1):
        value, name = values[int(place.name) - 1], f"p{number}"
        if isinstance(place.parent, exp.Like) and place.arg_key == "expression":
            # Only Spark treats a backslash in a pattern as an escape.
            value = value.replace("\\", "\\\\")
        arguments[name] = value
        bound = exp.Placeholder(this=name)
        # A small literal would have 32 bits, too few for what is computed with it.
        is_whole = isinstance(value, int) and not isinstance(value, bool) and not isinstance(place.parent, exp.Limit)
        place.replace(exp.cast(bound, "BIGINT") if is_whole else bound)
    # Quoting every name also protects those that Spark reserves.
    return tree.sql("spark", identify=True), arguments


class _Client:
    """This source's own Spark session; its errors become SourceErrors, and each query has a time limit."""

    def __init__(self, spark: _Spark, what: str, seconds: float, *, reads_files: bool) -> None:
        self._spark = spark
        self.time = QueryTime(seconds)
        self._what = what
        self._reads_files = reads_files

    def settle(self) -> None:
        """Set the options that the queries rely on."""
        with self._answering():
            for name, value in _SETTINGS.items():
                self._spark.conf.set(name, value)

    def execute(self, query: Select[Any]) -> Sequence[Sequence[Any]]:
        text, arguments = spark_sql(query)
        with self._answering():
            return self._spark.sql(text, args=arguments).collect()

    def bytes_read(self, query: Select[Any]) -> float:
        """How many bytes of files and tables a query reads, by the server's plan."""
        text, arguments = spark_sql(query)
        with self._answering():
            return relation_bytes(self._spark.sql(f"EXPLAIN COST {text}", args=arguments).collect()[0][0])

    def columns_of(self, relation: str) -> dict[str, Column]:
        with self._answering():
            return _columns(self._frame(relation))

    def event_table(self, relation: str, schema: EventSchema, salt: str) -> EventTable:
        try:
            with self._answering():
                columns = self._shown(self._frame(relation), _EVENTS)
        except SourceError as error:
            if error.reason_code == "TABLE_MISSING":
                require_package(self._what, relation)
            raise
        return self.table_of(_EVENTS, columns, schema, salt)

    def table_of(self, view: str, columns: Mapping[str, Column], schema: EventSchema, salt: str) -> EventTable:
        """A view whose columns can play their roles."""
        names = {name: column for name, column in columns.items() if name != FILE}
        table = named_table(view, *columns)
        schema = fitted(schema, names)
        roles = resolve_roles(schema, table, names, self._described, "spark", read=self.execute)
        return EventTable(table, roles, schema, salt, has_grouping_sets=True)

    def _shown(self, frame: _Frame, view: str) -> dict[str, Column]:
        frame.createOrReplaceTempView(view)
        # Asked of the view: asking the files would read every footer again.
        return _columns(self._spark.table(view))

    def listed(self, path: str) -> list[str]:
        """The Parquet files of a path; no footer is read, since the schema is said beforehand."""
        with self._answering():
            files = self._spark.read.schema("unused INT").parquet(path).inputFiles()
        if not files:
            raise SourceError(
                "NO_FILES",
                f"{self._what} must find at least one Parquet file, but found none; check the path as it sees it.",
            )
        return sorted(map(unquote, files))

    def show(self, patterns: Sequence[str], view: str, base: str | None = None) -> dict[str, Column]:
        """Show files as one view, with ``FILE``; returns its columns."""
        with self._answering():
            # A column that only later files have belongs to all; otherwise Spark would look at one file only.
            reader = self._spark.read.option("mergeSchema", "true")
            frame = (reader if base is None else reader.option("basePath", base)).parquet(*patterns)
            return self._shown(frame.select("*", frame["_metadata.file_path"].alias(FILE)), view)

    def show_together(self, views: Mapping[str, Sequence[tuple[str, str]]], view: str) -> dict[str, Column]:
        """Show the named columns of views, each cast to a type, as one view."""
        with self._answering():
            frames = []
            for name, casts in views.items():
                frame = self._spark.table(name)
                columns = [frame[_quoted_name(column)].cast(kind).alias(column) for column, kind in casts]
                frames.append(frame.select(*columns, frame[FILE]))
            first, *others = frames
            for other in others:
                first = first.unionByName(other)
            return self._shown(first, view)

    def _described(self, query: Select[Any]) -> list[Column]:
        text, arguments = spark_sql(query)
        with self._answering():
            return list(_columns(self._spark.sql(text, args=arguments)).values())

    def show_signals(self, relation: str) -> str:
        """Create a view of the signal catalogue and return its name."""
        with self._answering():
            self._frame(relation).createOrReplaceTempView(_SIGNALS)
        return _SIGNALS

    def _frame(self, relation: str) -> _Frame:
        if self._reads_files:
            frame: _Frame = self._spark.read.option("mergeSchema", "true").parquet(relation)
            return frame
        return self._spark.table(_quoted(relation))

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Ask Spark within the time limit, and translate its errors."""
        has_ended = Event()

        def interrupt() -> None:
            # Interrupt repeatedly: between two steps of a query nothing runs that could be interrupted.
            with suppress(*failures()):
                while not has_ended.wait(0.2):
                    self._spark.interruptAll()

        seconds = self.time.left()
        silence_seconds = seconds + _GRACE_SECONDS
        with (
            time_limit(seconds, interrupt) as deadline,
            time_limit(silence_seconds, lambda: _hang_up(self._spark)) as silence,
            pressed_interrupts(lambda: _hang_up(self._spark)),
        ):
            try:
                yield
            except Exception as error:
                if silence.has_passed:
                    raise SourceSilentError(
                        f"{self._what} must answer, but nothing arrived within {silence_seconds:g} s; "
                        "check the network and the server."
                    ) from None
                if not isinstance(error, failures()):
                    raise
                # Drop the cause: its text may quote values of events, and its traceback shows another machine's stack.
                if deadline.has_passed:
                    raise SourceError(
                        TIME_LIMIT,
                        f"{self._what} must answer within {seconds:g} s, but did not; raise time_limit_seconds.",
                    ) from None
                raise source_error(self._what, error) from None
            finally:
                has_ended.set()


def _columns(frame: _Frame) -> dict[str, Column]:
    fields: Sequence[_Field] = frame.schema.fields
    return {field.name: _column(field.name, _type_name(field.dataType)) for field in fields}


def _type_name(type_: Any) -> str:
    """Spark's own name of a type, with the names of fields quoted, which may be anything."""
    match type_.typeName():
        case "struct":
            fields = (f"{_quoted_name(field.name)}: {_type_name(field.dataType)}" for field in type_.fields)
            return f"struct<{', '.join(fields)}>"
        case "map":
            return f"map<{_type_name(type_.keyType)}, {_type_name(type_.valueType)}>"
        case "array":
            return f"array<{_type_name(type_.elementType)}>"
    name: str = type_.simpleString()
    return name


def _quoted_name(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


def _quoted(relation: str) -> str:
    """A table name such as ``catalog.db.events`` or ``delta.`/path```, with every part quoted."""
    try:
        return exp.to_table(relation, dialect="spark").sql("spark", identify=True)
    except sqlglot.errors.SqlglotError:
        raise SourceError(
            "TABLE_MISSING",
            f"table requires a name such as catalog.database.events, but {relation!r} was found; correct it.",
        ) from None


class SparkSource(TableSource[_Client]):
    """Events in a table, or in Parquet files, that a Spark cluster reads.

    Args:
        url: ``sc://HOST:PORT`` of a Spark Connect server, or a master such as ``spark://HOST:PORT`` or ``local[2]``.
        relation: A table as ``catalog.db.events`` or ``delta.`/path```; or a path, see ``reads_files``.
        schema: Which column plays which role.
        reads_files: Whether ``relation`` is a path of Parquet files as the cluster sees it.
        catalogue: The known signals.
        time_limit_seconds: The time limit of one query.
        salt: Mixed into the sample's hash.

    Raises:
        SourceError: If the URL is neither.
    """

    def __init__(
        self,
        url: str,
        relation: str,
        schema: EventSchema,
        *,
        reads_files: bool = False,
        catalogue: SignalCatalogue | None = None,
        time_limit_seconds: float = 300,
        salt: str = "",
    ) -> None:
        super().__init__(relation, schema, catalogue, salt)
        self._url = url
        self._what = _without_secrets(url)
        self._seconds = time_limit_seconds
        self._reads_files = reads_files

    def costly_hours(self, window: DayWindow) -> str | None:
        """Why a look at these hours would read far more than them; see EventSource."""
        day_range = DayRange((window,))
        with self._client() as client:
            events = self._tables(client).of(day_range)
            read = client.bytes_read(aggregate_query(events, day_range)) if events else 0
        if read <= CHEAP_BYTES:
            return None
        return too_costly(f"{read / 2**20:,.0f} MiB of {self._table}", "read a table that is partitioned by its time")

    @contextmanager
    def _client(self) -> Iterator[_Client]:
        spark = self._opened()
        try:
            client = _Client(spark, self._what, self._seconds, reads_files=self._reads_files)
            client.settle()
            yield client
        finally:
            with postponed_interrupts():
                _close(spark)

    def _opened(self) -> Any:
        try:
            spark_failures = failures()
        except ImportError:
            raise SourceError(
                "EXTRA_MISSING",
                "connector 'spark' requires PySpark, but it is not installed; "
                'run pip install "telemetry-quality[spark]".',
            ) from None
        _require_listener(self._url, self._what)
        try:
            with warnings.catch_warnings():
                # It recommends an older pandas, which is not used here.
                warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
                return _connected(self._url) if self._url.startswith("sc://") else _started(self._url)
        except spark_failures as error:
            raise source_error(self._what, error) from None

    def _tables(self, client: _Client) -> EventTables:
        if self._reads_files:
            return SparkFiles(client, self._table, self.schema, self._salt).require_any()
        return super()._tables(client)

    def _settled(
        self, client: _Client, tables: EventTables, read: Callable[[DayRange], Answer], day_range: DayRange
    ) -> Answer:
        del client
        answer = read(day_range)
        if isinstance(tables, SparkFiles):
            tables.require_columns(day_range, answer)
        return answer

    def columns(self) -> dict[str, Column]:
        """The columns of the events, and the expressions that play roles; of files that are alike, the first."""
        if not self._reads_files:
            return super().columns()
        with self._client() as client:
            return SparkFiles(client, self._table, self.schema, self._salt).columns()

    def _catalogue_relation(self, client: _Client, table: str) -> str:
        return client.show_signals(table)


def _without_secrets(url: str) -> str:
    """The URL in a form that may be shown: what follows the host may contain a token."""
    try:
        parts = urlsplit(url)
        if parts.scheme in {"sc", "spark"} and parts.hostname:
            return f"Spark at {parts.scheme}://{parts.hostname}:{parts.port or _PORTS[parts.scheme]}"
    except ValueError:
        parts = None
    if parts is not None and _MASTER.fullmatch(url):
        return f"Spark ({url})"
    raise SourceError(
        "URL_INVALID",
        "url requires sc://HOST:PORT, spark://HOST:PORT, local[CORES], yarn or k8s://URL, but something else was "
        "found; point it at a Spark Connect server or a master.",
    )


def _require_listener(url: str, what: str) -> None:
    """Check that something listens: Spark itself retries for many minutes before it reports that nothing does."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS:
        return
    try:
        socket.create_connection((parts.hostname, parts.port or _PORTS[parts.scheme]), _CONNECT_SECONDS).close()
    except OSError:
        raise SourceUnavailableError(
            "SOURCE_UNREACHABLE", f"{what} must be running, but nothing answers there; start it or correct the url."
        ) from None


def _connected(url: str) -> Any:
    """A new session on a Spark Connect server."""
    from pyspark.sql.connect.client.retries import DefaultPolicy  # noqa: PLC0415
    from pyspark.sql.connect.session import SparkSession  # noqa: PLC0415

    spark = SparkSession.builder.remote(url).create()
    # By default it retries for ten minutes; Dagster retries later anyway.
    spark.client.set_retry_policies([DefaultPolicy(max_retries=6)])
    return spark


def _started(master: str) -> Any:
    """A new session in this process's Spark application, which is started if there is none."""
    from pyspark.sql import SparkSession  # noqa: PLC0415

    builder = SparkSession.builder.master(master).appName("telemetry-quality")
    return builder.config("spark.ui.enabled", "false").getOrCreate().newSession()


def _hang_up(spark: Any) -> None:
    """Close the connection to the server, which ends every call that waits for it."""
    if hasattr(spark, "client"):
        spark.client._channel.close()  # noqa: SLF001 - closing the client itself would wait for the server


def _close(spark: Any) -> None:
    """End the session; the application of this process is kept for the next one, since starting it takes seconds."""
    with suppress(*failures()):
        if hasattr(spark, "client"):
            # This ends whatever still runs; tried once, since a server that is gone will not come back for it.
            spark.client.set_retry_policies([])
            ending = Thread(target=spark.stop, daemon=True)
            ending.start()
            ending.join(_CLOSING_SECONDS)
            _hang_up(spark)
        else:
            spark.interruptAll()
