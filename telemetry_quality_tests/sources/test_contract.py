"""One contract for every connector: the same events are the same day, wherever they are stored."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial, reduce
from itertools import count, product
from math import sqrt
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql
from pyiceberg.catalog.memory import InMemoryCatalog

from telemetry_quality.core.clipping import clipped
from telemetry_quality.core.days import DayWindow, day_window, days_between
from telemetry_quality.core.event_schema import OPTIONAL_ROLES, Rate
from telemetry_quality.core.events import (
    AggregateRow,
    Arrivals,
    Cardinality,
    DayAggregates,
    DayCounts,
    DayScan,
    Duplicates,
    EventGroup,
    SampledEvent,
    Slice,
    SliceCounts,
)
from telemetry_quality.core.sampling import count_verified, verify_sample
from telemetry_quality.errors import SourceError
from telemetry_quality.settings import RoleSettings
from telemetry_quality.sources import aggregates, combinations, duplicates, scanning
from telemetry_quality.sources.clickhouse import ClickHouseSource
from telemetry_quality.sources.delta import DeltaSource
from telemetry_quality.sources.duckdb import DuckDBFileSource, ParquetSource
from telemetry_quality.sources.iceberg import IcebergSource
from telemetry_quality.sources.iceberg_tables import TableAddress
from telemetry_quality.sources.mysql import MariaDBSource
from telemetry_quality.sources.postgresql import PostgresSource
from telemetry_quality.sources.sqlite import SqliteSource
from telemetry_quality.sources.text_files import TextSource
from telemetry_quality.sources.text_formats import Csv, JsonLines
from telemetry_quality_tests.builders import (
    DAY,
    NEW_YORK,
    SCHEMA,
    SHARED_DATA,
    each_hour,
    make_event,
    make_events,
    row_order,
    write_parquet,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality_tests.servers import ClickHouse, MariaDB, PostgreSQL

    Event = Mapping[str, Any]

UTC_ZONE = ZoneInfo("UTC")
CONTRACT_SCHEMA = replace(
    SCHEMA,
    critical_fields=("user_id", "session"),
    observed_at="observed_at",
    dimensions=("platform", "build"),
    rates=(
        Rate("diverted", "landed <> 'plan'"),
        Rate("failed", "is_error", of="session"),
        Rate("web", "platform LIKE 'w%' OR build BETWEEN 1 AND 7", of="landed IS NULL OR NOT is_error"),
    ),
)
LEAN_SCHEMA = replace(CONTRACT_SCHEMA, dimensions=(), rates=())
"""For tests that read many times and need no slices: without slices a day takes half as long."""
COUNTED_FOR_RATES: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "diverted": lambda event: event.get("landed") not in {None, "plan"},
    "failed": lambda event: event["is_error"] is True and bool(event.get("session")),
    "failed.of": lambda event: bool(event.get("session")),
    "web": lambda event: (
        (event.get("landed") is None or event["is_error"] is False)
        and ((event.get("platform") or "").startswith("w") or 1 <= (event.get("build") or 0) <= 7)
    ),
    "web.of": lambda event: event.get("landed") is None or event["is_error"] is False,
}
"""The events that each of the schema's rate counts holds, in its order."""
TYPES = {
    "user_id": "VARCHAR",
    "session": "BIGINT",
    "observed_at": "TIMESTAMPTZ",
    "platform": "VARCHAR",
    "build": "BIGINT",
    "landed": "VARCHAR",
}
COLUMN_TYPES = {
    "event_id": "VARCHAR",
    "occurred_at": "TIMESTAMPTZ",
    "event_name": "VARCHAR",
    "service_version": "VARCHAR",
    "is_error": "BOOLEAN",
} | TYPES
COLUMNS = tuple(COLUMN_TYPES)
ARROW_TYPES = {
    "VARCHAR": pa.string(),
    "BIGINT": pa.int64(),
    "BOOLEAN": pa.bool_(),
    "TIMESTAMPTZ": pa.timestamp("us", "UTC"),
}
ARROW_SCHEMA = pa.schema([(name, ARROW_TYPES[type_]) for name, type_ in COLUMN_TYPES.items()])
"""Of the columns beyond those of SCHEMA, ``landed`` has a role in rates only."""
HOUR, ONE_DAY = timedelta(hours=1), timedelta(days=1)


class Source(Protocol):
    """What the contract asks of a connector."""

    def scan_days(self, windows: Sequence[DayWindow], sample_size: int) -> Any: ...

    def scan_hours(self, window: DayWindow) -> Any: ...

    def count_day(self, window: DayWindow) -> DayCounts: ...

    def count_days(self, windows: Sequence[DayWindow]) -> Any: ...


@dataclass(frozen=True)
class Location:
    """Events written somewhere in ``zone``, and the salt to sample them with."""

    folder: Path
    zone: ZoneInfo = UTC_ZONE
    salt: str = ""
    schema: EventSchema = CONTRACT_SCHEMA


def rates_of(schema: EventSchema) -> dict[str, dict[str, Any]]:
    """The rates of a schema as settings have them."""
    return {rate.name: {"where": rate.where, "of": rate.of, "above_percent": 50} for rate in schema.rates}


def roles_of(schema: EventSchema) -> dict[str, Any]:
    """The roles as ``[sources.NAME.roles]`` has them, for a connector that is opened by settings."""
    found = {role: getattr(schema, role) for role in RoleSettings.model_fields}
    for role in ("critical_fields", "dimensions"):
        if any(name in schema.named for name in found[role]):
            found[role] = {name: schema.expression_of(name) for name in found[role]}
    return found


def in_one_parquet_file(location: Location, events: Sequence[Event]) -> Source:
    path = write_parquet(location.folder / "events.parquet", events, TYPES)
    return ParquetSource(str(path), location.schema, location.zone, salt=location.salt)


def in_parquet_with_text_times(location: Location, events: Sequence[Event]) -> Source:
    types = TYPES | {"occurred_at": "VARCHAR", "observed_at": "VARCHAR"}
    path = write_parquet(location.folder / "events.parquet", with_times(events, iso_with_offset), types)
    return ParquetSource(str(path), location.schema, location.zone, salt=location.salt)


def in_parquet_with_float_times(location: Location, events: Sequence[Event]) -> Source:
    types = TYPES | {"occurred_at": "DOUBLE", "observed_at": "DOUBLE"}
    path = write_parquet(location.folder / "events.parquet", with_times(events, lambda at: at.timestamp()), types)
    return ParquetSource(str(path), replace(location.schema, time_unit="s"), location.zone, salt=location.salt)


def in_parquet_with_named_times(location: Location, events: Sequence[Event]) -> Source:
    """Each column has its own format, in another zone."""
    types = TYPES | {"occurred_at": "VARCHAR", "observed_at": "VARCHAR"}
    forms = {"occurred_at": "%d.%m.%Y %H:%M:%S.%f %z", "observed_at": "%m/%d/%Y, %I:%M:%S.%f %p%z"}
    written = [
        {
            **event,
            **{
                name: None if event.get(name) is None else event[name].astimezone(NEW_YORK).strftime(form)
                for name, form in forms.items()
            },
        }
        for event in events
    ]
    path = write_parquet(location.folder / "events.parquet", written, types)
    return ParquetSource(str(path), replace(location.schema, time_format=forms), location.zone, salt=location.salt)


def in_a_parquet_folder(location: Location, events: Sequence[Event]) -> Source:
    days = defaultdict(list)
    for event in events:
        occurred_at = event["occurred_at"]
        days[DAY if occurred_at is None else occurred_at.astimezone(location.zone).date()].append(event)
    for day, members in (days or {DAY: []}).items():
        write_parquet(location.folder / f"day={day}" / "part-0.parquet", members, TYPES)
    return ParquetSource(str(location.folder), location.schema, location.zone, salt=location.salt)


def in_a_duckdb_file(location: Location, events: Sequence[Event]) -> Source:
    written = write_parquet(location.folder / "import" / "events.parquet", events, TYPES)
    path = location.folder / "events.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"CREATE TABLE events AS FROM '{written}'")
    return DuckDBFileSource(str(path), "events", location.schema, salt=location.salt)


def in_sqlite_with_spaced_times(location: Location, events: Sequence[Event]) -> Source:
    return in_sqlite(location, with_times(events, lambda at: at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")))


def in_sqlite_with_offset_times(location: Location, events: Sequence[Event]) -> Source:
    return in_sqlite(location, with_times(events, iso_with_offset))


def in_sqlite_with_go_times(location: Location, events: Sequence[Event]) -> Source:
    return in_sqlite(location, with_times(events, lambda at: f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f +0000 UTC}"))


def in_sqlite_with_float_times(location: Location, events: Sequence[Event]) -> Source:
    schema = replace(location.schema, time_unit="s")
    return in_sqlite(replace(location, schema=schema), with_times(events, datetime.timestamp), time_type="REAL")


def in_sqlite_with_epoch_times(location: Location, events: Sequence[Event]) -> Source:
    whole = with_times(events, lambda at: (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))
    return in_sqlite(replace(location, schema=replace(location.schema, time_unit="us")), whole, time_type="INTEGER")


def in_sqlite(location: Location, events: Sequence[Event], time_type: str = "TEXT") -> Source:
    path = location.folder / "events.db"
    connection = sqlite3.connect(path)
    connection.execute(
        f"CREATE TABLE events (event_id TEXT, occurred_at {time_type}, event_name TEXT, service_version TEXT,"
        f" is_error BOOLEAN, user_id TEXT, session INTEGER, observed_at {time_type}, platform TEXT, build INTEGER,"
        " landed TEXT)"
    )
    rows = [[event.get(name) for name in COLUMNS] for event in events]
    connection.executemany(f"INSERT INTO events VALUES ({', '.join('?' * len(COLUMNS))})", rows)
    connection.commit()
    connection.close()
    return SqliteSource(f"sqlite:///{path}", "events", location.schema, salt=location.salt)


def in_delta(location: Location, events: Sequence[Event]) -> Source:
    """A table in two versions, whose log alone holds the values of a column."""
    folder, middle = location.folder / "table", len(events) // 2
    for part in (events[:middle], events[middle:]):
        rows = [{name: event.get(name) for name in COLUMNS} for event in part]
        write_deltalake(folder, pa.Table.from_pylist(rows, ARROW_SCHEMA), mode="append", partition_by=["build"])
    return DeltaSource(str(folder), location.schema, salt=location.salt)


def in_iceberg(location: Location, events: Sequence[Event]) -> Source:
    """A table in two versions, between which a column was renamed."""
    rows = pa.Table.from_pylist([{name: event.get(name) for name in COLUMNS} for event in events], ARROW_SCHEMA)
    middle, before = len(events) // 2, [name if name != "landed" else "landing" for name in COLUMNS]
    catalog = InMemoryCatalog("contract", warehouse=str(location.folder))
    catalog.create_namespace("lake")
    table = catalog.create_table("lake.events", rows.rename_columns(before).schema)
    with table.update_spec() as spec:
        spec.add_identity("build")
    table.append(rows[:middle].rename_columns(before))
    with table.update_schema() as schema:
        schema.rename_column("landing", "landed")
    table.append(rows[middle:])
    return IcebergSource(TableAddress(str(location.folder / "lake" / "events")), location.schema, salt=location.salt)


def in_json_lines(location: Location, events: Sequence[Event]) -> Source:
    """A file of each half, one of them compressed; what is null is left out of every second event."""
    rows = [
        {name: event.get(name) for name in COLUMNS if n % 2 or event.get(name) is not None}
        for n, event in enumerate(with_times(events, iso_with_offset))
    ]
    folder, middle = location.folder / "json", len(events) // 2
    folder.mkdir()
    for name, opened, part in (("a.jsonl", open, rows[:middle]), ("b.jsonl.gz", gzip.open, rows[middle:])):
        with opened(folder / name, "wt", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(row, ensure_ascii=name == 'a.jsonl')}\n" for row in part)
    return TextSource(str(folder), JsonLines(), location.schema, location.zone, salt=location.salt)


def in_csv(location: Location, events: Sequence[Event]) -> Source:
    """What is null is empty, and an empty text is quoted."""

    def written(value: Any) -> str:
        if value is None:
            return ""
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return '"{}"'.format(text.replace('"', '""'))

    rows = [[event.get(name) for name in COLUMNS] for event in with_times(events, iso_with_offset)]
    lines = (";".join(map(written, row)) for row in [COLUMNS, *rows])
    path = location.folder / "events.csv"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return TextSource(str(path), Csv(), location.schema, location.zone, salt=location.salt)


SERVERS: dict[str, Callable[[], Any]] = {}
"""The servers that some locations need; each is started by the first test that uses it."""
TABLE_NUMBERS = count(1)


@pytest.fixture(scope="module", autouse=True)
def _servers(request: pytest.FixtureRequest) -> None:
    for name in ("postgresql", "clickhouse", "mariadb"):
        SERVERS[name] = partial(request.getfixturevalue, name)


def in_postgresql_with_text_times(location: Location, events: Sequence[Event]) -> Source:
    return in_postgresql(location, with_times(events, iso_with_offset), time_type="TEXT")


def in_postgresql_with_decimal_times(location: Location, events: Sequence[Event]) -> Source:
    """Of two units."""
    schema = replace(location.schema, time_unit={"occurred_at": "s", "observed_at": "ms"})
    written = [
        {
            **event,
            "occurred_at": None if event["occurred_at"] is None else Decimal(epoch(event["occurred_at"])).scaleb(-6),
            "observed_at": None
            if event.get("observed_at") is None
            else Decimal(epoch(event["observed_at"])).scaleb(-3),
        }
        for event in events
    ]
    return in_postgresql(replace(location, schema=schema), written, time_type="NUMERIC")


def in_postgresql_with_epoch_times(location: Location, events: Sequence[Event]) -> Source:
    whole = with_times(events, lambda at: (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))
    return in_postgresql(replace(location, schema=replace(location.schema, time_unit="us")), whole, time_type="BIGINT")


def in_postgresql(location: Location, events: Sequence[Event], time_type: str = "TIMESTAMPTZ") -> Source:
    server: PostgreSQL = SERVERS["postgresql"]()
    table = sql.Identifier(name := f"Contract {next(TABLE_NUMBERS)}")
    with server.connect() as connection:
        connection.execute(
            sql.SQL(
                f"CREATE TABLE {{}} (event_id TEXT, occurred_at {time_type}, event_name TEXT, service_version TEXT,"
                f" is_error BOOLEAN, user_id TEXT, session BIGINT, observed_at {time_type}, platform TEXT,"
                " build BIGINT, landed TEXT)"
            ).format(table)
        )
        with connection.cursor() as cursor, cursor.copy(sql.SQL("COPY {} FROM STDIN").format(table)) as copy:
            for event in events:
                copy.write_row([event.get(name) for name in COLUMNS])
    return PostgresSource(server.url(), name, location.schema, salt=location.salt)


def in_clickhouse_with_text_times(location: Location, events: Sequence[Event]) -> Source:
    return in_clickhouse(location, with_times(events, iso_with_offset), time_type="String")


def in_clickhouse_with_epoch_texts(location: Location, events: Sequence[Event]) -> Source:
    """Nanoseconds as OTLP writes them in JSON."""
    written = with_times(events, lambda at: f"{epoch(at)}000")
    return in_clickhouse(replace(location, schema=replace(location.schema, time_unit="ns")), written, "String")


def in_clickhouse_with_epoch_times(location: Location, events: Sequence[Event]) -> Source:
    whole = with_times(events, lambda at: (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))
    return in_clickhouse(replace(location, schema=replace(location.schema, time_unit="us")), whole, time_type="Int64")


def in_clickhouse(
    location: Location, events: Sequence[Event], time_type: str = "DateTime64(6, 'Asia/Tokyo')"
) -> Source:
    server: ClickHouse = SERVERS["clickhouse"]()
    table = server.new_table(
        f"event_id Nullable(String), occurred_at Nullable({time_type}), event_name LowCardinality(Nullable(String)),"
        " service_version Nullable(String), is_error Nullable(Bool), user_id Nullable(String), session Nullable(Int64),"
        f" observed_at Nullable({time_type}), platform LowCardinality(Nullable(String)), build Nullable(UInt64),"
        " landed Nullable(String)",
        [{name: event.get(name) for name in COLUMNS} for event in events],
    )
    return ClickHouseSource(server.url(), table, location.schema, salt=location.salt)


def in_mariadb_with_text_times(location: Location, events: Sequence[Event]) -> Source:
    return in_mariadb(location, with_times(events, iso_with_offset), time_type="VARCHAR(40)")


def in_mariadb_with_epoch_times(location: Location, events: Sequence[Event]) -> Source:
    whole = with_times(events, lambda at: (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))
    return in_mariadb(replace(location, schema=replace(location.schema, time_unit="us")), whole, time_type="BIGINT")


def in_mariadb(location: Location, events: Sequence[Event], time_type: str = "DATETIME(6)") -> Source:
    server: MariaDB = SERVERS["mariadb"]()
    if time_type == "DATETIME(6)":
        events = with_times(events, lambda at: at.astimezone(UTC).replace(tzinfo=None))
    table = server.new_table(
        f"event_id TEXT, occurred_at {time_type}, event_name TEXT, service_version VARCHAR(12000), is_error BOOLEAN,"
        f" user_id TEXT, session BIGINT, observed_at {time_type}, platform TEXT, build BIGINT UNSIGNED, landed TEXT",
        [[event.get(name) for name in COLUMNS] for event in events],
    )
    return MariaDBSource(server.url(), table, location.schema, salt=location.salt)


def with_times(events: Sequence[Event], written: Callable[[datetime], Any]) -> list[dict[str, Any]]:
    times = ("occurred_at", "observed_at")
    return [
        {**event, **{name: None if event.get(name) is None else written(event[name]) for name in times}}
        for event in events
    ]


def epoch(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def iso_with_offset(at: datetime) -> str:
    return at.astimezone(ZoneInfo("Asia/Kolkata")).isoformat()


WRITERS = (
    in_one_parquet_file,
    in_a_parquet_folder,
    in_a_duckdb_file,
    in_sqlite_with_spaced_times,
    in_postgresql,
    in_clickhouse,
    in_delta,
    in_mariadb,
)
FURTHER_WRITERS = (
    in_iceberg,
    in_sqlite_with_offset_times,
    in_sqlite_with_epoch_times,
    in_json_lines,
    in_csv,
    in_parquet_with_text_times,
    in_parquet_with_float_times,
    in_parquet_with_named_times,
    in_sqlite_with_go_times,
    in_sqlite_with_float_times,
    in_postgresql_with_decimal_times,
    in_clickhouse_with_epoch_texts,
    in_postgresql_with_text_times,
    in_postgresql_with_epoch_times,
    in_clickhouse_with_text_times,
    in_clickhouse_with_epoch_times,
    in_mariadb_with_text_times,
    in_mariadb_with_epoch_times,
)
"""Locations that differ from others only in how a time is written or files are listed: read once, with every case."""
COSTLY = {in_clickhouse, in_mariadb}
"""Locations whose tests are slow: unless asked for, only essential tests and every case run there."""
TWINS = {in_a_duckdb_file, in_a_parquet_folder, in_delta, *FURTHER_WRITERS}
"""Locations whose engine another location tries: unless asked for, only every case is read there."""
RARE = {
    in_clickhouse_with_epoch_texts,
    in_clickhouse_with_text_times,
    in_clickhouse_with_epoch_times,
    in_mariadb_with_text_times,
    in_mariadb_with_epoch_times,
    in_parquet_with_float_times,
    in_parquet_with_named_times,
    in_parquet_with_text_times,
    in_postgresql_with_decimal_times,
    in_postgresql_with_epoch_times,
    in_postgresql_with_text_times,
    in_sqlite_with_float_times,
    in_sqlite_with_go_times,
    in_sqlite_with_offset_times,
}
"""Locations that are read only if asked for: test_times.py tries all ways to write a time on these engines."""
wherever = pytest.mark.usefixtures("write")
"""Marks what must hold everywhere; a file with other connectors runs it with its own fixture ``write``."""


def places(*writers: Callable[[Location, Sequence[Event]], Source]) -> list[Any]:
    """Parameters for a test of each; a fast run tests one engine, a full run all of them."""
    return [pytest.param(write, id=write.__name__, marks=_marks_of(write)) for write in writers]


def _marks_of(write: Callable[[Location, Sequence[Event]], Source]) -> list[pytest.MarkDecorator]:
    if write is in_one_parquet_file:
        return []
    costly = [pytest.mark.costly] * (write in COSTLY)
    twin = [pytest.mark.twin] * (write in TWINS)
    rare = [pytest.mark.rare] * (write in RARE)
    return [pytest.mark.slow, *costly, *twin, *rare]


@pytest.fixture(params=places(*WRITERS))
def write(request: pytest.FixtureRequest) -> Callable[[Location, Sequence[Event]], Source]:
    """What writes events somewhere and reads them from there."""
    return request.param  # type: ignore[no-any-return]


def windows_of(zone: ZoneInfo, first: date, last: date | None = None) -> list[DayWindow]:
    return [day_window(day, zone) for day in days_between(first, last or first)]


def counted(events: Sequence[Event], window: DayWindow) -> tuple[AggregateRow, ...]:
    """The day's aggregates, counted the slow way."""
    groups = defaultdict(list)
    for event in events:
        if is_within(event["occurred_at"], window):
            hour = (event["occurred_at"] - window.start) // HOUR
            groups[hour, short(event["event_name"]), short(event["service_version"])].append(event)
    rows = [
        AggregateRow(
            hour=hour,
            event_name=name,
            service_version=version,
            events=len(members),
            errors=sum(event["is_error"] is True for event in members),
            error_unknown_events=sum(event["is_error"] is None for event in members),
            missing_version=len(members) if is_missing(version) else 0,
            missing_critical=(
                sum(not (event.get("user_id") or "").strip() for event in members),
                sum(event.get("session") is None for event in members),
            ),
            late_events=sum(is_late(event) for event in members),
            rate_counts=rated(members),
        )
        for (hour, name, version), members in groups.items()
    ]
    return tuple(sorted(rows, key=row_order))


def short(text: str | None) -> str | None:
    """A text as every engine returns it."""
    return None if text is None else clipped(text)


def rated(events: Sequence[Event]) -> tuple[int, ...]:
    """What is counted for the rates of CONTRACT_SCHEMA, counted the slow way."""
    return tuple(sum(map(holds, events)) for holds in COUNTED_FOR_RATES.values())


def incomplete(events: Sequence[Event], window: DayWindow) -> Counter[EventGroup]:
    """The day's events without an id or a critical field, counted the slow way."""
    return Counter(
        (short(event["event_name"]), short(event["service_version"]))
        for event in events
        if is_within(event["occurred_at"], window)
        and (event["event_id"] is None or not (event.get("user_id") or "").strip() or event.get("session") is None)
    )


def is_within(instant: datetime | None, window: DayWindow) -> bool:
    return instant is not None and window.start <= instant < window.end


def is_missing(version: str | None) -> bool:
    return (version or "").strip() in {"", "unknown"}


def sliced(events: Sequence[Event], window: DayWindow) -> dict[Slice, SliceCounts]:
    """The day's slices, counted the slow way; for at most 100 values of a dimension."""
    groups: defaultdict[Slice, list[Event]] = defaultdict(list)
    for event in events:
        if is_within(event["occurred_at"], window):
            hour = str((event["occurred_at"] - window.start) // HOUR)
            name, version, build = short(event["event_name"]), short(event["service_version"]), event.get("build")
            groups[Slice("event_name", name)].append(event)
            groups[Slice("service_version", version)].append(event)
            for dimension, value in (
                ("platform", short(event.get("platform"))),
                ("build", None if build is None else str(build)),
            ):
                groups[Slice(dimension, value)].append(event)
                for by, by_value in (("event_name", name), ("service_version", version), ("hour", hour)):
                    groups[Slice(dimension, value, by, by_value)].append(event)
    return {
        part: SliceCounts(
            len(members),
            sum(event["is_error"] is True for event in members),
            sum(is_missing(event["service_version"]) for event in members),
            rated(members),
        )
        for part, members in groups.items()
    }


def duplicated(events: Sequence[Event], window: DayWindow) -> Duplicates:
    """The day's duplicates, counted the slow way."""
    found = [event["event_id"] for event in events if is_within(event["occurred_at"], window)]
    with_id = [event_id for event_id in found if event_id is not None]
    return Duplicates(len(with_id), len(with_id) - len(set(with_id)))


def arrived(events: Sequence[Event], window: DayWindow) -> Arrivals:
    """The day's arrivals, counted the slow way."""
    hours: Counter[int] = Counter()
    for event in events:
        if is_within(event["occurred_at"], window) and event.get("observed_at") is not None:
            lag = event["observed_at"] - window.end
            hours[0 if lag < timedelta(0) else min(168, max(1, -(-lag // HOUR)))] += 1
    observed = [event for event in events if is_within(event.get("observed_at"), window)]
    ages = [event["observed_at"] - event["occurred_at"] for event in observed if event["occurred_at"] is not None]
    return Arrivals(
        tuple(hours[hour] for hour in range(max(hours, default=-1) + 1)),
        len(observed),
        sum(age < -timedelta(minutes=10) for age in ages),
        sum(age > timedelta(days=7) for age in ages),
        len(observed) - len(ages),
    )


def is_late(event: Event) -> bool:
    observed = event.get("observed_at")
    return observed is not None and observed - event["occurred_at"] > HOUR


def read(source: Source, windows: Sequence[DayWindow], sample_size: int = 100) -> list[DayScan]:
    answers = list(source.scan_days(windows, sample_size))
    assert [answer.day for answer in answers] == [window.day for window in windows]
    assert all(isinstance(answer, DayScan) for answer in answers), answers
    return answers


def assert_days_are_read_as_counted(
    source: Source, events: Sequence[Event], windows: Sequence[DayWindow]
) -> list[DayScan]:
    scans = read(source, windows)
    for scan, window in zip(scans, windows, strict=True):
        expected = counted(events, window)
        assert each_hour(scan.aggregates) == expected
        assert not expected or scan.aggregates.critical_fields == ("user_id", "session")
        assert not expected or scan.aggregates.rate_names == CONTRACT_SCHEMA.rate_counts
        assert len(scan.sample) == min(100, sum(row.events for row in expected))
        assert scan.slices == sliced(events, window)
        assert scan.incomplete_events == incomplete(events, window)
        assert scan.duplicates == duplicated(events, window)
        assert scan.arrivals == arrived(events, window)
        assert read(source, [window]) == [scan], "a day alone must read as it does in a range"
    assert source.count_days(windows) == {day.day: day.aggregates.totals().events for day in scans}
    return scans


def local_hours(window: DayWindow) -> list[dict[str, Any]]:
    """Two events in every hour of a day, its first and its last microsecond, and its neighbours'."""
    first, last = window.start, window.end - timedelta(microseconds=1)
    edges = [first, last, first - timedelta(microseconds=1), window.end]
    inside = [window.start + hour * HOUR + timedelta(minutes=m) for hour in range(int(window.hours)) for m in (7, 59)]
    return [make_event(event_id=f"h{n}", occurred_at=at) for n, at in enumerate([*edges, *inside])]


def moved(event: Event, by: timedelta) -> dict[str, Any]:
    return {name: event[name] + by for name in ("occurred_at", "observed_at") if event.get(name) is not None}


def without_ids(count: int) -> list[dict[str, Any]]:
    return [event | {"event_id": None} for event in make_events(count)]


ODD_NAMES = [
    'it\'s "quoted" `twice`',
    "🛰️ emoji",
    "two\nlines\tand a tab",
    "x" * 10_000,
    "'; DROP TABLE events; --",
    "<script>alert(1)</script>",
    "100 % :name ? $1",
    " ",
    "",
    "é",
    "e\u0301",
]

NOON, MIDNIGHT = datetime(2026, 3, 10, 12, tzinfo=UTC), datetime(2026, 3, 11, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

CASES: dict[str, list[dict[str, Any]]] = {
    "no_events_at_all": [],
    "an_ordinary_day": make_events(30),
    "versions_null_blank_and_unknown": [
        make_event(event_id=f"v{n}", service_version=version)
        for n, version in enumerate((None, "", "   ", "unknown", "1.0", "1.0 ", "v2", "2.0-rc1"))
    ],
    "ids_null": without_ids(5) + make_events(5),
    "ids_duplicated": [make_event(event_id="same") for _ in range(7)],
    "names_null": make_events(3, event_name=None) + make_events(3),
    "errors_true_false_and_null": [
        make_event(event_id=f"e{n}", is_error=value) for n, value in enumerate((True, False, None, True, None, None))
    ],
    "nothing_but_errors_of_unknown_state": make_events(4, is_error=None),
    "critical_fields_null_and_blank": [
        make_event(event_id=f"c{n}", user_id=user, session=session)
        for n, (user, session) in enumerate([("u", 1), (None, 0), ("", None), ("  ", None), ("u", -1)])
    ],
    "ids_and_fields_missing_together": [
        make_event(
            event_id=f"i{n}" if has_id else None,
            occurred_at=NOON + timedelta(seconds=n),
            user_id=user,
            service_version=version,
        )
        for n, (has_id, user, version) in enumerate(product((True, True, False), (None, "u"), (None, "1.0", "2.0")))
    ],
    "events_that_came_late": [
        make_event(event_id=f"l{n}", observed_at=None if delay is None else NOON + timedelta(seconds=delay))
        for n, delay in enumerate((None, 0, 3599, 3600, 3601, 90_000, -90_000))
    ],
    "odd_names": [make_event(event_id=f"n{n}", event_name=name) for n, name in enumerate(ODD_NAMES)],
    "odd_versions": [make_event(event_id=f"n{n}", service_version=name) for n, name in enumerate(ODD_NAMES)],
    "odd_ids": [make_event(event_id=name) for name in ODD_NAMES],
    "dimensions_null_empty_and_odd": [
        make_event(event_id=f"d{n}", platform=value, build=n % 3 or None, is_error=n % 2 == 0, service_version=version)
        for n, (value, version) in enumerate(product([None, *ODD_NAMES, "(other)"], [None, "1.0", "unknown"]))
    ],
    "arrivals_around_every_boundary": [
        make_event(event_id=f"b{n}", observed_at=MIDNIGHT + hours * HOUR + by)
        for n, (hours, by) in enumerate(product((0, 1, 2, 167, 168, 169, 9999), (-MICROSECOND, 0 * HOUR, MICROSECOND)))
    ],
    "clocks_that_were_wrong": [
        make_event(event_id=f"w{n}", occurred_at=NOON + ahead + by, observed_at=NOON)
        for n, (ahead, by) in enumerate(
            product((timedelta(minutes=10), -timedelta(days=7)), (-MICROSECOND, 0 * HOUR, MICROSECOND))
        )
    ],
    "rates_of_nulls_and_of_nothing": [
        make_event(event_id=f"r{n}", landed=landed, is_error=is_error, session=session, platform=platform, build=n % 9)
        for n, (landed, is_error, session, platform) in enumerate(
            product((None, "plan", "hub", ""), (True, False, None), (None, 0, -7), (None, "web", "Web"))
        )
    ],
    "hours_of_a_day_observed_later": [
        make_event(event_id=f"o{n}", occurred_at=MIDNIGHT - n * HOUR / 2 - MICROSECOND, observed_at=MIDNIGHT + n * HOUR)
        for n in range(20)
    ],
    "hours_and_their_boundaries": [
        make_event(
            event_id=f"b{n}",
            occurred_at=NOON + hours * HOUR + by,
            observed_at=MIDNIGHT + 30 * HOUR,
            is_error=n % 2 == 0,
            service_version=f"1.{n % 2}",
        )
        for n, (hours, by) in enumerate(product((-12, -1, 0, 1, 11, 12), (-MICROSECOND, 0 * HOUR, MICROSECOND)))
    ],
}


CASE_DAYS = {name: DAY + 2 * number * ONE_DAY for number, name in enumerate(CASES)}
CASE_WINDOWS = windows_of(UTC_ZONE, DAY - ONE_DAY, DAY + 2 * len(CASES) * ONE_DAY)
ALL_EVENTS = [
    {"user_id": "u", "session": 1} | event | moved(event, CASE_DAYS[name] - DAY)
    for name, events in CASES.items()
    for event in events
]
"""Each case has its own day; timestamps of wrong clocks are days before and after."""


@dataclass(frozen=True)
class AllCases:
    """Every case on its own day with an empty day after it, and the result of reading them all at once."""

    source: Source
    scans: Mapping[date, DayScan]


@pytest.fixture(scope="module", params=places(*WRITERS, *FURTHER_WRITERS))
def all_cases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AllCases:
    source = request.param(Location(tmp_path_factory.mktemp("cases")), ALL_EVENTS)
    return AllCases(source, {scan.day: scan for scan in read(source, CASE_WINDOWS)})


@pytest.mark.parametrize("case", CASES)
def test_the_same_events_are_the_same_day_wherever_they_live(all_cases: AllCases, case: str) -> None:
    window = day_window(CASE_DAYS[case], UTC_ZONE)
    scan = all_cases.scans[window.day]
    assert each_hour(scan.aggregates) == counted(ALL_EVENTS, window)
    assert scan.slices == sliced(ALL_EVENTS, window)
    assert scan.incomplete_events == incomplete(ALL_EVENTS, window)
    assert scan.duplicates == duplicated(ALL_EVENTS, window)
    assert scan.arrivals == arrived(ALL_EVENTS, window)
    assert len(scan.sample) == min(100, sum(row.events for row in scan.aggregates.rows))
    assert scan.aggregates.critical_fields == (("user_id", "session") if CASES[case] else ())
    assert scan.aggregates.rate_names == (CONTRACT_SCHEMA.rate_counts if CASES[case] else ())


@pytest.mark.parametrize("case", [name for name, events in CASES.items() if len(events) <= 100])
@pytest.mark.parametrize("known", [None, {"page.view", " "}])
def test_as_many_events_of_a_day_would_pass_as_pass_where_each_is_sampled(
    all_cases: AllCases, case: str, known: set[str] | None
) -> None:
    scan = all_cases.scans[CASE_DAYS[case]]
    verdicts = verify_sample(scan.sample, CONTRACT_SCHEMA, known)

    assert len(verdicts) == scan.aggregates.totals().events
    assert count_verified(scan, CONTRACT_SCHEMA, known) == sum(verdict.passed for verdict in verdicts)


def test_a_day_without_events_is_read_as_empty_and_not_left_out(all_cases: AllCases) -> None:
    empty = {window.day for window in CASE_WINDOWS if not counted(ALL_EVENTS, window)}
    assert CASE_DAYS["no_events_at_all"] in empty
    assert len(empty) >= len(CASE_WINDOWS) - len(CASES) - 2
    for day in empty:
        arrivals = arrived(ALL_EVENTS, day_window(day, UTC_ZONE))
        expected = DayScan(
            day,
            DayAggregates(),
            duplicates=Duplicates(0, 0),
            arrivals=arrivals,
            incomplete_events={},
            cardinality=Cardinality(0, 0, 0),
        )
        assert all_cases.scans[day] == expected


@pytest.mark.slow
@pytest.mark.again
def test_a_day_reads_the_same_alone_and_together_with_others(all_cases: AllCases) -> None:
    for day in CASE_DAYS.values():
        assert read(all_cases.source, [day_window(day, UTC_ZONE)]) == [all_cases.scans[day]]


def test_counting_days_says_what_reading_them_says(all_cases: AllCases) -> None:
    totals = {day: scan.aggregates.totals().events for day, scan in all_cases.scans.items()}
    assert all_cases.source.count_days(CASE_WINDOWS) == totals
    assert all_cases.source.count_days(CASE_WINDOWS[1:2]) == {DAY: totals[DAY]}


def hours_of(window: DayWindow, first: int, hours: int) -> DayWindow:
    return DayWindow(window.day, window.start + first * HOUR, window.start + (first + hours) * HOUR)


def assert_hours_are_those_of_the_day(source: Source, day: DayScan, window: DayWindow, first: int, hours: int) -> None:
    looked_at = source.scan_hours(hours_of(window, first, hours))
    assert isinstance(looked_at, DayAggregates), looked_at
    of_day = (
        row._replace(hour=row.hour - first, missing_critical=(), late_events=0) for row in each_hour(day.aggregates)
    )
    assert each_hour(looked_at) == tuple(row for row in of_day if 0 <= row.hour < hours)
    if looked_at.rows:
        assert looked_at.rate_names == day.aggregates.rate_names


@pytest.mark.again
def test_hours_are_read_as_they_are_read_with_their_day(all_cases: AllCases) -> None:
    day = CASE_DAYS["hours_and_their_boundaries"]
    window, scan = day_window(day, UTC_ZONE), all_cases.scans[day]
    assert scan.aggregates.by_hour().keys() == {0, 10, 11, 12, 13, 22, 23}
    for first, hours in ((0, 1), (11, 2), (14, 8), (23, 1)):
        assert_hours_are_those_of_the_day(all_cases.source, scan, window, first, hours)


@pytest.mark.essential
@wherever
def test_hours_begin_when_those_of_their_day_do_whatever_the_zone(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source]
) -> None:
    """On a day of 25 hours, and in a zone half an hour off."""
    longer, kolkata = day_window(date(2013, 11, 3), NEW_YORK), day_window(date(2013, 11, 8), ZoneInfo("Asia/Kolkata"))
    source = write(Location(tmp_path, NEW_YORK), local_hours(longer) + local_hours(kolkata))
    for window in (longer, kolkata):
        (scan,) = read(source, [window])
        for first in (0, 1, int(window.hours) - 2):
            assert_hours_are_those_of_the_day(source, scan, window, first, 2)


@pytest.mark.slow
@wherever
@pytest.mark.parametrize(("day", "hours"), [(date(2013, 3, 10), 23), (date(2013, 11, 3), 25)], ids=str)
def test_every_hour_of_a_local_day_is_counted_where_it_belongs(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source], day: date, hours: int
) -> None:
    window = day_window(day, NEW_YORK)
    events = local_hours(window)
    source = write(Location(tmp_path, NEW_YORK), events)
    around = windows_of(NEW_YORK, day - ONE_DAY, day + ONE_DAY)

    _, scan, _ = assert_days_are_read_as_counted(source, events, around)
    assert {hour: totals.events for hour, totals in scan.aggregates.by_hour().items()} == {
        hour: 2 + (hour == 0) + (hour == hours - 1) for hour in range(hours)
    }
    assert source.count_days(around) == dict(zip([w.day for w in around], [1, 2 + 2 * hours, 1], strict=True))


@pytest.mark.slow
@wherever
def test_days_of_a_zone_half_an_hour_off_are_cut_at_their_own_midnight(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source]
) -> None:
    lord_howe = ZoneInfo("Australia/Lord_Howe")
    window = day_window(date(2026, 4, 5), lord_howe)
    assert window.hours == 24.5
    events = [make_event(event_id=str(n), occurred_at=window.start + n * HOUR / 2) for n in range(-2, 51)]
    windows = windows_of(lord_howe, date(2026, 4, 4), date(2026, 4, 6))
    assert_days_are_read_as_counted(write(Location(tmp_path, lord_howe), events), events, windows)


@pytest.mark.slow
@wherever
def test_days_may_be_asked_for_in_any_order_and_with_gaps(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source]
) -> None:
    events = [event for n in range(5) for event in make_events(n + 1, DAY + timedelta(days=n))]
    windows = [day_window(DAY + timedelta(days=n), UTC_ZONE) for n in (4, 0, 2, 9)]
    assert_days_are_read_as_counted(write(Location(tmp_path), events), events, windows)


@wherever
def test_a_day_that_the_zone_skipped_is_reported_as_skipped_and_stops_no_other(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source]
) -> None:
    apia = ZoneInfo("Pacific/Apia")
    windows = windows_of(apia, date(2011, 12, 29), date(2011, 12, 31))
    events = [make_event(occurred_at=windows[0].start), make_event(occurred_at=windows[2].start)]
    before, skipped, after = write(Location(tmp_path, apia), events).scan_days(windows, 10)
    assert skipped.reason_code == "DAY_SKIPPED"
    assert [len(before.sample), len(after.sample)] == [1, 1]


@pytest.mark.essential
@wherever
def test_reading_never_changes_a_byte_of_the_source(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source]
) -> None:
    source = write(Location(tmp_path), make_events(20))
    before = state_of(tmp_path)
    read(source, windows_of(UTC_ZONE, DAY))
    source.count_days(windows_of(UTC_ZONE, DAY))
    source.scan_hours(hours_of(day_window(DAY, UTC_ZONE), 11, 2))
    assert state_of(tmp_path) == before


def state_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = (Path(root) / name for root, _, names in os.walk(folder) for name in names)
    return {str(file): (file.stat().st_mtime_ns, file.read_bytes()) for file in files}


MARCH_9 = datetime(2013, 3, 9, tzinfo=UTC)
TEXTS = st.one_of(st.none(), st.sampled_from(["", " ", "a", "b", "unknown"]))
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "event_id": st.one_of(st.none(), st.sampled_from(["1", "2", "3"])),
            "occurred_at": st.timedeltas(timedelta(0), timedelta(days=3, hours=6)).map(lambda after: MARCH_9 + after),
            "event_name": TEXTS,
            "service_version": TEXTS,
            "is_error": st.sampled_from([True, False, None]),
            "user_id": TEXTS,
            "session": st.sampled_from([None, 0, 5]),
            "platform": TEXTS,
            "build": st.sampled_from([None, 0, 3, 17]),
            "landed": st.sampled_from([None, "plan", "hub", ""]),
            "observed_at": st.one_of(
                st.none(), st.timedeltas(timedelta(0), timedelta(days=12)).map(lambda after: MARCH_9 + after)
            ),
        }
    ),
    max_size=12,
)


@pytest.mark.parametrize("write", places(in_a_duckdb_file, in_sqlite_with_offset_times, in_postgresql))
@settings(max_examples=10, deadline=None, derandomize=True)
@given(events=EVENTS)
def test_any_events_are_read_as_counted_alone_and_in_a_range_over_a_change_of_clocks(
    write: Callable[[Location, Sequence[Event]], Source], events: list[dict[str, Any]]
) -> None:
    windows = windows_of(NEW_YORK, date(2013, 3, 9), date(2013, 3, 11))
    with tempfile.TemporaryDirectory() as folder:
        source = write(Location(Path(folder), NEW_YORK), events)
        assert_days_are_read_as_counted(source, events, windows)


MANY = 250


@pytest.fixture(scope="module", params=places(*WRITERS))
def write_many(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Source]:
    """250 events of one day and 90 of the next, in one location; call it with a salt."""
    location = Location(tmp_path_factory.mktemp("many"), schema=LEAN_SCHEMA)
    events = make_events(MANY) + make_events(90, DAY + ONE_DAY)
    source = request.param(location, events)

    def salted(salt: str) -> Source:
        source._salt = salt
        return source  # type: ignore[no-any-return]

    return salted


def ids(scan: DayScan) -> list[str | None]:
    return [event.event_id for event in scan.sample]


@pytest.mark.essential
def test_a_sample_is_the_same_whenever_it_is_drawn(write_many: Callable[[str], Source]) -> None:
    windows = windows_of(UTC_ZONE, DAY)
    assert read(write_many("salt"), windows, 50) == read(write_many("salt"), windows, 50)


@pytest.mark.essential
def test_a_sample_is_the_same_whether_its_day_is_read_alone_or_in_a_range(write_many: Callable[[str], Source]) -> None:
    windows = windows_of(UTC_ZONE, DAY - timedelta(days=3), DAY + timedelta(days=3))
    in_range = read(write_many(""), windows, 40)
    assert [read(write_many(""), [window], 40)[0].sample for window in windows] == [day.sample for day in in_range]


@pytest.mark.essential
def test_another_salt_draws_another_sample(write_many: Callable[[str], Source]) -> None:
    windows = windows_of(UTC_ZONE, DAY)
    first, second = (set(ids(read(write_many(salt), windows, 50)[0])) for salt in ("one", "other"))
    assert first != second


@pytest.mark.essential
@pytest.mark.parametrize("size", [0, 1, 100, MANY - 1, MANY, MANY + 1])
def test_a_sample_has_the_size_asked_for_or_every_event_where_there_are_fewer(
    write_many: Callable[[str], Source], size: int
) -> None:
    (scan,) = read(write_many(""), windows_of(UTC_ZONE, DAY), size)
    assert len(scan.sample) == min(size, MANY)
    assert len(set(ids(scan))) == len(scan.sample), "no event is drawn twice"


@pytest.mark.essential
def test_a_smaller_sample_is_the_beginning_of_a_larger_one(write_many: Callable[[str], Source]) -> None:
    (small,), (large,) = (read(write_many(""), windows_of(UTC_ZONE, DAY), size) for size in (20, 200))
    assert large.sample[:20] == small.sample


def evenness(drawn: Counter[int], kinds: int, share: float) -> float:
    """The chi-square probability of counts this uneven; drawing without replacement evens them by ``1 - share``.

    Source: Wilson and Hilferty, "The distribution of chi-square" (1931): its cube root is nearly normal.
    """
    expected = drawn.total() / kinds
    squares = sum((drawn[kind] - expected) ** 2 for kind in range(kinds))
    freedom = kinds - 1
    chi_square = squares / (expected * (1 - share))
    spread = 2 / (9 * freedom)
    return 1 - NormalDist(1 - spread, sqrt(spread)).cdf((chi_square / freedom) ** (1 / 3))


def numbers(scan: DayScan) -> list[int]:
    return [int(str(event_id).rpartition("-")[2]) for event_id in ids(scan)]


@pytest.mark.parametrize("write", places(in_a_duckdb_file, in_sqlite_with_epoch_times, in_postgresql))
def test_every_part_of_a_day_is_drawn_equally_often(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source]
) -> None:
    """Counted over 30 days of 60 events; ids and salt are fixed, so it never flakes."""
    events = [event for n in range(30) for event in make_events(60, DAY + n * ONE_DAY)]
    source = write(Location(tmp_path, schema=LEAN_SCHEMA), events)
    scans = read(source, windows_of(UTC_ZONE, DAY, DAY + 29 * ONE_DAY), 20)
    drawn = Counter(number for scan in scans for number in numbers(scan))
    assert 0.001 < evenness(drawn, 60, 1 / 3) < 0.999


@pytest.mark.parametrize("write", places(in_sqlite_with_epoch_times))
def test_every_event_is_drawn_equally_often_whatever_the_salt(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source]
) -> None:
    """Counted over 60 fixed salts, so it never flakes."""
    source: Any = write(Location(tmp_path, schema=LEAN_SCHEMA), make_events(120))
    drawn: Counter[int] = Counter()
    for salt in range(60):
        source._salt = f"salt-{salt}"
        drawn.update(numbers(read(source, windows_of(UTC_ZONE, DAY), 40)[0]))
    assert 0.001 < evenness(drawn, 120, 1 / 3) < 0.999


@pytest.mark.essential
@wherever
def test_a_day_whose_ids_are_all_the_same_still_fills_its_sample(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source]
) -> None:
    events = [make_event(event_id="same") for _ in range(400)]
    other = make_events(30, DAY + ONE_DAY)
    windows = windows_of(UTC_ZONE, DAY, DAY + ONE_DAY)
    same, next_day = read(write(Location(tmp_path), events + other), windows, 25)
    assert ids(same) == ["same"] * 25
    assert len(set(ids(next_day))) == 25


@pytest.mark.essential
@wherever
def test_events_without_an_id_are_drawn_and_shown_without_one(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source]
) -> None:
    events = without_ids(60) + make_events(60)
    (scan,) = read(write(Location(tmp_path), events), windows_of(UTC_ZONE, DAY), 60)
    without = ids(scan).count(None)
    assert 15 <= without <= 45, "both halves are drawn alike"


@pytest.mark.essential
@wherever
def test_a_sampled_event_shows_its_id_name_version_and_what_it_misses(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source]
) -> None:
    events = [
        make_event(event_id="whole", event_name="a", service_version="1", user_id="u", session=0),
        make_event(event_id="bare", event_name=None, service_version=None, user_id=" ", session=None),
        make_event(event_id="", event_name="", service_version="", user_id="u", session=None),
    ]
    (scan,) = read(write(Location(tmp_path), events), windows_of(UTC_ZONE, DAY))
    assert set(scan.sample) == {
        SampledEvent("whole", "a", "1", ()),
        SampledEvent("bare", None, None, ("user_id", "session")),
        SampledEvent("", "", "", ("session",)),
    }


@pytest.mark.essential
@wherever
def test_frequent_values_are_counted_within_the_day(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source]
) -> None:
    events = make_events(5, event_name="often") + make_events(2, event_name=None) + make_events(2, event_name="b")
    source: Any = write(Location(tmp_path), events + make_events(9, DAY + ONE_DAY))
    window = day_window(DAY, UTC_ZONE)
    assert source.frequent_values("event_name", window, 1) == [("often", 5)]
    assert dict(source.frequent_values("event_name", window, 9)) == {"often": 5, None: 2, "b": 2}


LONG_TEXTS = ("x" * 200, "x" * 201, "x" * 300 + "a", "x" * 300 + "b", "😀" * 250, "\u202eب" * 150, "\x01\x1b[31m" * 99)
"""Texts around the longest that is kept, two that differ beyond it, and others that look shorter than they are."""


@pytest.mark.essential
@wherever
def test_longer_texts_than_anybody_reads_are_clipped_and_remain_different_ones(
    write: Callable[[Location, Sequence[Event]], Source], tmp_path: Path
) -> None:
    events = [
        make_event(event_id=text, event_name=text, service_version=text, platform=text, user_id="u", session=1)
        for text in LONG_TEXTS
    ]
    source, expected = write(Location(tmp_path), events), {clipped(text) for text in LONG_TEXTS}
    (day,) = source.scan_days([day_window(DAY, UTC_ZONE)], 100)
    assert len(expected) == len(LONG_TEXTS)
    assert max(map(len, expected)) == 200 + 1 + 16
    assert day.cardinality == Cardinality(len(LONG_TEXTS), 0, len(LONG_TEXTS) - 1)
    assert {row.event_name for row in day.aggregates.rows} == expected
    assert {row.service_version for row in day.aggregates.rows} == expected
    assert {event.event_id for event in day.sample} == expected
    assert {event.event_name for event in day.sample} == expected
    assert day.slices == sliced(events, day_window(DAY, UTC_ZONE))


@pytest.mark.essential
@wherever
def test_the_busiest_names_and_versions_are_told_apart_and_the_rest_is_summed_exactly(
    write: Callable[[Location, Sequence[Event]], Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three of ten are counted individually; the others fall into two hours, and some of them have no version."""
    busy = [("busy", "1.0")] * 5 + [("untagged", None)] * 3 + [("fair", "2.0")] * 2
    rare = [(f"n{n}", ("unknown", "3.0", None, f"3.{n}")[n % 4]) for n in range(7)]
    events = [
        make_event(event_id=f"e{n}", event_name=name, service_version=version)
        | {"occurred_at": NOON + n % 2 * HOUR, "is_error": n % 3 == 0, "platform": f"p{n % 2}", "user_id": "u"}
        | {"session": n % 5 or None}
        for n, (name, version) in enumerate(busy + rare)
    ]
    source, windows = write(Location(tmp_path), events + make_events(2, DAY + ONE_DAY)), windows_of(UTC_ZONE, DAY)
    (whole,), counts = read(source, windows), source.count_day(windows[0])
    monkeypatch.setattr(aggregates, "MAXIMUM_COMBINATIONS", 3)
    monkeypatch.setattr(combinations, "ROWS_AT_ONCE", 2)
    monkeypatch.setattr(scanning, "ROWS_AT_ONCE", 2)
    (day,) = read(source, windows)
    hours = source.scan_hours(hours_of(windows[0], 12, 2))

    assert (whole.cardinality, day.cardinality) == (Cardinality(10, 0, 0), Cardinality(10, 7, 0))
    told_apart = [(row.event_name, row.service_version) for row in day.aggregates.rows]
    assert told_apart == [*sorted(set(busy), key=str), ("(other)", "(other)"), ("(other)", "(other)")]
    assert day.aggregates.totals() == whole.aggregates.totals()
    assert day.aggregates.by_hour() == whole.aggregates.by_hour()
    assert {row.event_name for row in hours.rows} == {row.event_name for row in day.aggregates.rows}
    assert {12 + hour: totals for hour, totals in hours.by_hour().items()} == whole.aggregates.by_hour()
    assert day.aggregates.missing_critical() == whole.aggregates.missing_critical()
    assert day.aggregates.rate_counts() == whole.aggregates.rate_counts()
    assert day.incomplete_events is None
    assert day.aggregates.signals() == {name for name, _ in busy}
    for part, found in whole.slices.items():
        if part.by in {None, "hour"} and part.dimension in {"platform", "build"}:
            assert day.slices[part] == found
    for by, dimension in product(("event_name", "service_version"), ("platform", "build")):
        values = {part: found for part, found in day.slices.items() if part.dimension == dimension and part.by is None}
        pairs = [(part, found) for part, found in day.slices.items() if part[::2] == (dimension, by)]
        for part, found in values.items():
            assert reduce(SliceCounts.plus, (counts for pair, counts in pairs if pair.value == part.value)) == found
        assert all(Slice(by, pair.by_value) in day.slices for pair, _ in pairs)
    assert source.count_day(windows[0]) == counts
    assert read(source, windows_of(UTC_ZONE, DAY, DAY + ONE_DAY))[0] == day


@pytest.mark.essential
@wherever
def test_the_busiest_hundred_values_of_a_dimension_are_distinguished_and_the_rest_summed(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source]
) -> None:
    """102 values: a text and a null twice, the others once; the last two of those by name are not distinguished."""
    values = [*(f"v{n:03}" for n in range(101)), "v050", None, None]
    events = [
        event
        | {"platform": value, "is_error": value in {"v000", "v100"}, "service_version": value and "1.0"}
        | {"landed": "hub" if value in {"v100", None} else "plan"}
        for event, value in zip(make_events(len(values)), values, strict=True)
    ]
    source = write(Location(tmp_path), events + make_events(3, DAY + ONE_DAY, platform="v100"))
    scan, next_day = read(source, windows_of(UTC_ZONE, DAY, DAY + ONE_DAY))
    shown = {part.value: counts for part, counts in scan.slices.items() if part == Slice("platform", part.value)}
    assert len(shown) == 101
    assert shown[None] == SliceCounts(2, 0, 2, (2, 0, 0, 0, 2))
    assert shown["v000"] == SliceCounts(1, 1, 0, (0, 0, 0, 0, 0))
    assert shown["v050"] == SliceCounts(2, 0, 0, (0, 0, 0, 0, 2))
    assert shown["(other)"] == SliceCounts(2, 1, 0, (1, 0, 0, 0, 1))
    assert "v098" in shown
    assert not {"v099", "v100"} & shown.keys()
    assert scan.slices[Slice("platform", "(other)", "event_name", "page.view")] == SliceCounts(2, 1, 0, (1, 0, 0, 0, 1))
    assert next_day.slices[Slice("platform", "v100")] == SliceCounts(3, 0, 0, (0, 0, 0, 0, 3))
    assert read(source, windows_of(UTC_ZONE, DAY)) == [scan]


@wherever
@pytest.mark.parametrize("missing", ["few", "most"])
def test_a_missing_version_means_the_same_in_a_slice_as_in_the_day_however_many_there_are(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source], missing: str
) -> None:
    versions = ["unknown_service:java", " UNKNOWN ", None, "1.0", "2.0", "3.0", "it's"]
    versions += [f"unknown_service:{n}" for n in range(9 if missing == "most" else 0)]
    events = [
        event | {"service_version": version, "platform": "web"}
        for event, version in zip(make_events(len(versions)), versions, strict=True)
    ]
    source = write(Location(tmp_path), events)
    (scan,) = read(source, windows_of(UTC_ZONE, DAY))
    assert scan.slices[Slice("platform", "web")].missing_version == len(versions) - 4
    assert scan.aggregates.totals().missing_version == len(versions) - 4
    assert source.count_day(day_window(DAY, UTC_ZONE)).missing_version == len(versions) - 4


@pytest.mark.essential
@wherever
def test_the_counts_of_a_day_alone_are_those_of_its_reading(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source]
) -> None:
    events = [
        event | {"is_error": error, "user_id": user, "session": session, "service_version": version, "landed": landed}
        for event, error, user, session, version, landed in zip(
            make_events(8),
            [True, False, None, True] * 2,
            ["u", " ", None, ""] * 2,
            [5, None, 0, None, 0, None, 7, None],
            ["1.0", "", "2.0", "unknown", None, "1.0", " ", "1.0"],
            ["plan", "hub", None, "hub", None, "plan", "hub", "hub"],
            strict=True,
        )
    ]
    source = write(Location(tmp_path), events + make_events(9, DAY + ONE_DAY))
    for window in windows_of(UTC_ZONE, DAY, DAY + 2 * ONE_DAY):
        (scan,) = read(source, [window])
        counts, totals = source.count_day(window), scan.aggregates.totals()
        assert (counts.events, counts.errors) == (totals.events, totals.errors)
        assert (counts.error_unknown_events, counts.missing_version) == (
            totals.error_unknown_events,
            totals.missing_version,
        )
        assert counts.missing_critical == (scan.aggregates.missing_critical() or {"user_id": 0, "session": 0})
        nothing = dict.fromkeys(CONTRACT_SCHEMA.rate_counts, 0)
        assert counts.rate_counts == (scan.aggregates.rate_counts() or nothing)
    day = source.count_day(day_window(DAY, UTC_ZONE))
    rates = {"diverted": 4, "failed": 1, "failed.of": 2, "web": 0, "web.of": 4}
    assert day == DayCounts(8, 4, 2, 4, {"user_id": 6, "session": 4}, rates)
    assert (day.error_rate_percent, day.missing_version_percent) == (50.0, 50.0)


@pytest.mark.essential
@wherever
def test_rates_are_counted_where_their_predicates_hold_and_a_null_does_not(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source]
) -> None:
    """A rate of all events, a rate of some events, and a rate of no events; then a day without events."""
    rates = (
        Rate("diverted", "landed <> 'plan'"),
        Rate("diverted_of_known", "landed <> 'plan'", of="landed IS NOT NULL"),
        Rate("failed_of_sessions", "is_error", of="session >= 10"),
    )
    names = ("diverted", "diverted_of_known", "diverted_of_known.of", "failed_of_sessions", "failed_of_sessions.of")
    landings = [None, "plan", "hub", "hub", None, "plan"]
    events = [
        event | {"landed": landed, "is_error": True, "platform": "web" if n < 3 else "ios"}
        for n, (event, landed) in enumerate(zip(make_events(6), landings, strict=True))
    ]
    sessions = [
        event | {"session": session, "is_error": error, "platform": "web"}
        for event, session, error in zip(
            make_events(5, DAY + ONE_DAY), [10, 11, 9, None, 12], [True, None, True, True, False], strict=True
        )
    ]
    schema = replace(CONTRACT_SCHEMA, rates=rates, dimensions=("platform",))
    source = write(Location(tmp_path, schema=schema), events + sessions)
    windows = windows_of(UTC_ZONE, DAY, DAY + 2 * ONE_DAY)
    first, second, empty = scans = read(source, windows)

    assert first.aggregates.rate_counts() == dict(zip(names, (2, 2, 4, 0, 0), strict=True))
    assert second.aggregates.rate_counts() == dict(zip(names, (0, 0, 0, 1, 3), strict=True))
    assert empty.aggregates.rate_counts() == {}
    assert first.slices[Slice("platform", "web")] == SliceCounts(3, 3, 0, (1, 1, 2, 0, 0))
    assert first.slices[Slice("platform", "ios")] == SliceCounts(3, 3, 0, (1, 1, 2, 0, 0))
    assert first.slices[Slice("platform", "ios", "hour", "12")] == SliceCounts(1, 1, 0, (1, 1, 1, 0, 0))
    assert first.slices[Slice("event_name", "page.view")] == SliceCounts(6, 6, 0, (2, 2, 4, 0, 0))
    assert [hour.rate_counts[0] for hour in each_hour(first.aggregates)] == [0, 0, 1, 1, 0, 0]
    assert [read(source, [window])[0] for window in windows] == scans
    assert [source.count_day(window).rate_counts for window in windows] == [
        first.aggregates.rate_counts(),
        second.aggregates.rate_counts(),
        dict.fromkeys(names, 0),
    ]


@pytest.mark.essential
@wherever
def test_without_rates_nothing_is_counted_for_any(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source]
) -> None:
    source = write(Location(tmp_path, schema=replace(CONTRACT_SCHEMA, rates=())), make_events(9, platform="web"))
    (scan,) = read(source, windows_of(UTC_ZONE, DAY))
    assert {row.rate_counts for row in scan.aggregates.rows} == {()}
    assert (scan.aggregates.rate_names, scan.aggregates.rate_counts()) == ((), {})
    assert scan.slices[Slice("platform", "web")] == SliceCounts(9, 0, 0, ())
    assert source.count_day(day_window(DAY, UTC_ZONE)).rate_counts == {}


@pytest.mark.essential
@wherever
@pytest.mark.parametrize(
    ("rate", "found"),
    [
        (
            Rate("lost", "landed = '' OR gate = 3"),
            ("COLUMN_MISSING", "rates.lost.where requires the column 'gate'"),
        ),
        (Rate("lost", "is_error", of="gate"), ("COLUMN_MISSING", "rates.lost.of requires the column 'gate'")),
        (Rate("lost", "landed"), ("COLUMN_TYPE", "rates.lost.where requires a boolean or an integer column")),
        (
            Rate("lost", "is_error", of="reverse(landed) = 'X'"),
            ("EXPRESSION_INVALID", "rates.lost.of requires a column"),
        ),
    ],
    ids=["where misses a column", "of misses a column", "of text", "no predicate"],
)
def test_what_a_rate_cannot_be_counted_of_is_named_with_the_rate(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source], rate: Rate, found: tuple[str, str]
) -> None:
    source = write(Location(tmp_path, schema=replace(CONTRACT_SCHEMA, rates=(rate,))), make_events(3, landed="plan"))
    with pytest.raises(SourceError) as caught:
        source.count_day(day_window(DAY, UTC_ZONE))
    assert caught.value.reason_code == found[0]
    assert str(caught.value).startswith(found[1])


INSIDE = replace(
    CONTRACT_SCHEMA,
    event_id="landed.id",
    event_name='landed.event."the name"',
    service_version="COALESCE(landed.$app.version, landed['app version'])",
    is_error="CASE WHEN landed.severity = 0 THEN NULL ELSE landed.severity >= 17 END",
    critical_fields=("user_id", "seat"),
    dimensions=("platform", "second"),
    named={"seat": "landed.seats[1]", "second": "NULLIF(lower(landed.list[1]), 'none')"},
    rates=(Rate("big", "landed.deep.count + 1 > 10", of="landed.deep.is_known = TRUE"),),
)


@pytest.mark.essential
@wherever
def test_what_lies_inside_json_or_is_computed_plays_its_role_as_a_column_would(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source]
) -> None:
    """The roles are read from JSON text, which holds what an event's own columns do not."""
    insides: list[dict[str, Any]] = [
        {
            "id": f"i{n}",
            "event": {"the name": name},
            **({"app version": version} if n % 2 else {"$app": {"version": version}}),
            "severity": severity,
            "seats": ["1A", seat],
            "list": ["x", item],
            "deep": {"count": n, "is_known": n != 8},
        }
        for n, (name, version, severity, seat, item) in enumerate(
            [
                ("page.view", "1.0", 9, "1B", "WEB"),
                ("page.view", "1.0", 17, "1B", "web"),
                ("it's", "2.0", 16, None, "iOS"),
                ("é 🛰️", None, 21, "", "NONE"),
                (None, "unknown", 0, "1B", None),
                ("page.view", "1.0", 0, " ", "web"),
                ("page.view", "1.0", None, "1B", "web"),
                ("page.view", "", 9, "1B", "web"),
                ("page.view", "1.0", 9, "1B", "web"),
                ("page.view", "1.0", 9, "1B", "web"),
                ("page.view", "1.0", 9, "1B", "web"),
            ]
        )
    ]
    events = [
        make_event(event_id=None, event_name="?", service_version="?", user_id="u", landed=json.dumps(inside))
        for inside in insides
    ]
    (scan,) = read(write(Location(tmp_path, schema=INSIDE), events), windows_of(UTC_ZONE, DAY))
    totals = scan.aggregates.totals()
    assert (totals.events, totals.errors, totals.error_unknown_events, totals.missing_version) == (11, 2, 3, 3)
    assert {name: part.events for name, part in scan.aggregates.by_signal().items()} == {
        "page.view": 8,
        "it's": 1,
        "é 🛰️": 1,
        "(null)": 1,
    }
    assert scan.aggregates.missing_critical() == {"user_id": 0, "seat": 3}
    assert scan.aggregates.rate_counts() == {"big": 1, "big.of": 10}
    seconds = {part.value: counts.events for part, counts in scan.slices.items() if part[::2] == ("second", None)}
    assert seconds == {"web": 8, "ios": 1, None: 2}
    assert set(ids(scan)) == {f"i{n}" for n in range(11)}
    assert scan.duplicates == Duplicates(11, 0)


@pytest.mark.essential
@wherever
def test_only_the_rows_that_meet_the_condition_are_events_of_the_source(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source]
) -> None:
    mine, others = make_events(20, platform="web", observed_at=NOON), make_events(7, platform="ios", observed_at=NOON)
    unknown = make_events(3, platform=None, observed_at=NOON)
    other_day = make_events(5, DAY + ONE_DAY, platform="web", observed_at=NOON)
    events = [event | {"event_id": f"w{n}"} for n, event in enumerate([*mine, *others, *unknown, *other_day])]
    schema = replace(CONTRACT_SCHEMA, where="platform <> 'ios'")
    source = write(Location(tmp_path, schema=schema), events)
    windows = windows_of(UTC_ZONE, DAY, DAY + ONE_DAY)
    scans = read(source, windows)
    assert [scan.aggregates.totals().events for scan in scans] == [20, 5]
    assert [len(scan.sample) for scan in scans] == [20, 5]
    assert scans[0].duplicates == Duplicates(20, 0)
    assert {part.value for scan in scans for part in scan.slices if part.dimension == "platform"} == {"web"}
    assert scans[0].arrivals is not None
    assert scans[0].arrivals.observed_events == 25
    assert source.count_day(windows[0]).events == 20
    assert source.count_days(windows) == {DAY: 20, DAY + ONE_DAY: 5}


@wherever
def test_a_day_sent_twice_is_half_duplicates(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source]
) -> None:
    once, twice = make_events(40), make_events(30, DAY + ONE_DAY)
    source = write(Location(tmp_path), once + twice + twice + without_ids(5))
    scans = read(source, windows_of(UTC_ZONE, DAY, DAY + 2 * ONE_DAY))
    assert [scan.duplicates for scan in scans] == [Duplicates(40, 0), Duplicates(60, 30), Duplicates(0, 0)]


@wherever
def test_beyond_the_limit_a_slice_of_the_ids_is_compared_and_says_the_same(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "MAXIMUM_COMPARED_EVENTS", 100)
    monkeypatch.setattr(duplicates, "EVENTS_AT_ONCE", 150)
    twice, once = make_events(400, DAY), make_events(399, DAY + 2 * ONE_DAY)
    small = [event for n in (1, 3, 4, 6) for event in make_events(100 - n, DAY + n * ONE_DAY)]
    source = write(Location(tmp_path, schema=LEAN_SCHEMA), twice + twice + once + small)
    windows = windows_of(UTC_ZONE, DAY - ONE_DAY, DAY + 7 * ONE_DAY)
    scans = read(source, windows)
    empty, first, _, third, *_ = found = [scan.duplicates or Duplicates(-1, -1) for scan in scans]
    assert empty == Duplicates(0, 0)
    assert first.compared_events == 2 * first.duplicate_events
    assert 50 < first.compared_events < 160
    assert 50 < third.compared_events < 160
    assert third.duplicate_events == 0
    exact = [(99, 0), (97, 0), (96, 0), (0, 0), (94, 0), (0, 0)]
    assert found[2:3] + found[4:] == [Duplicates(*counts) for counts in exact]
    assert [read(source, [window])[0].duplicates for window in windows] == found


@wherever
def test_events_without_ids_repeat_where_all_that_is_known_of_them_is_equal(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = replace(CONTRACT_SCHEMA, event_id=None)
    original = make_event(event_id="a", user_id=None, platform="web", build=1, observed_at=NOON)
    changes: list[dict[str, Any]] = [
        {"user_id": ""},
        {"session": 0},
        {"platform": None},
        {"build": None},
        {"observed_at": None},
        {"observed_at": NOON + MICROSECOND},
        {"occurred_at": NOON + MICROSECOND},
        {"is_error": None},
        {"is_error": True},
        {"event_name": None},
        {"service_version": None},
    ]
    events = [original, original | {"event_id": "b"}, *(original | change for change in changes)]
    source = write(Location(tmp_path, schema=schema), events)
    (scan,) = read(source, windows_of(UTC_ZONE, DAY))
    assert scan.duplicates == Duplicates(13, 1)
    assert len(scan.sample) == 13
    assert set(ids(scan)) == {None}
    monkeypatch.setattr(duplicates, "MAXIMUM_COMPARED_EVENTS", 6)
    (sliced_scan,) = read(source, windows_of(UTC_ZONE, DAY))
    assert sliced_scan.duplicates is not None
    assert sliced_scan.duplicates.compared_events < 13


@wherever
def test_what_arrives_bearing_an_impossible_time_is_counted_where_it_arrived(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source]
) -> None:
    times = [None, datetime(2099, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC), NOON, NOON - ONE_DAY]
    events = [
        make_event(event_id=f"m{n}", occurred_at=occurred_at, observed_at=observed_at)
        for n, (occurred_at, observed_at) in enumerate(
            product(times, [NOON, MIDNIGHT - MICROSECOND, MIDNIGHT, NOON - ONE_DAY, None])
        )
    ]
    source = write(Location(tmp_path), events)
    windows = windows_of(UTC_ZONE, DAY - 3 * ONE_DAY, DAY + 3 * ONE_DAY)
    scans = read(source, windows)
    assert [scan.arrivals for scan in scans] == [arrived(events, window) for window in windows]
    assert scans[3].arrivals == Arrivals((3, 1), 10, 2, 2, 2)
    assert [read(source, [window])[0] for window in windows] == scans


@wherever
def test_without_a_column_of_arrival_there_are_no_arrivals(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source]
) -> None:
    schema = replace(CONTRACT_SCHEMA, observed_at=None, dimensions=())
    (scan,) = read(write(Location(tmp_path, schema=schema), make_events(3)), windows_of(UTC_ZONE, DAY))
    assert scan.arrivals is None
    assert {part.dimension for part in scan.slices} == {"event_name", "service_version"}


@wherever
def test_what_a_source_has_none_of_by_choice_is_neither_missing_nor_an_error(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source]
) -> None:
    nothing: dict[str, Any] = dict.fromkeys(OPTIONAL_ROLES, "FIRST_PRESENT(nowhere, NULL)")
    schema = replace(CONTRACT_SCHEMA, rates=(), dimensions=("platform",), **nothing)
    events = make_events(3, user_id="u", session=1, platform="web")
    source = write(Location(tmp_path, schema=schema), events)
    (window,) = windows_of(UTC_ZONE, DAY)
    (scan,) = read(source, [window])
    totals = scan.aggregates.totals()
    assert (totals.events, totals.errors, totals.error_unknown_events, totals.missing_version) == (3, 0, 3, 0)
    assert scan.absent_roles == frozenset(OPTIONAL_ROLES) == source.count_day(window).absent_roles
    assert scan.arrivals is None
    assert scan.slices[Slice("platform", "web")].missing_version == 0
    assert {(drawn.event_id, drawn.service_version) for drawn in scan.sample} == {(None, None)}
    present = schema.without(scan.absent_roles)
    assert all(verdict.passed for verdict in verify_sample(scan.sample, present, None))
    assert count_verified(scan, present, None) == 3


@wherever
def test_a_role_is_played_by_the_first_column_that_exists(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source]
) -> None:
    roles = ("event_id", "occurred_at", "event_name", "service_version", "is_error", "observed_at")
    texts: dict[str, Any] = {role: f"FIRST_PRESENT(nowhere, {role}, NULL)" for role in roles}
    schema = replace(CONTRACT_SCHEMA, **texts)
    events = make_events(3, observed_at=NOON, is_error=True, service_version=None)
    windows = windows_of(UTC_ZONE, DAY)
    folders = [tmp_path / "columns", tmp_path / "texts"]
    for folder in folders:
        folder.mkdir()
    by_columns, by_texts = (
        read(write(Location(folder, schema=roles), events), windows)
        for folder, roles in zip(folders, (CONTRACT_SCHEMA, schema), strict=True)
    )
    assert by_texts == by_columns


@pytest.mark.parametrize("role", ["occurred_at", "event_name"])
@wherever
def test_an_event_must_have_a_time_and_a_name(
    tmp_path: Path, write: Callable[[Location, Sequence[Event]], Source], role: str
) -> None:
    nothing: dict[str, Any] = {role: "NULL"}
    source = write(Location(tmp_path, schema=replace(CONTRACT_SCHEMA, **nothing)), make_events(1))
    with pytest.raises(SourceError, match=f"{role} requires a column or an expression, but 'NULL' is null") as caught:
        source.count_day(*windows_of(UTC_ZONE, DAY))
    assert caught.value.reason_code == "EXPRESSION_INVALID"


@pytest.mark.parametrize("write", places(in_a_duckdb_file, in_sqlite_with_spaced_times))
@settings(max_examples=10, deadline=None, derandomize=True)
@given(events=EVENTS)
def test_the_slices_of_every_dimension_and_its_hours_sum_to_the_day(
    write: Callable[[Location, Sequence[Event]], Source], events: list[dict[str, Any]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        scans = read(
            write(Location(Path(folder), NEW_YORK), events), windows_of(NEW_YORK, date(2013, 3, 9), date(2013, 3, 11))
        )
    for scan in scans:
        totals = scan.aggregates.totals()
        rates = tuple(scan.aggregates.rate_counts().values())
        sums: defaultdict[tuple[str, str | None], list[SliceCounts]] = defaultdict(list)
        for part, counts in scan.slices.items():
            sums[part.dimension, part.by].append(counts)
        for members in sums.values():
            assert reduce(SliceCounts.plus, members) == SliceCounts(
                totals.events, totals.errors, totals.missing_version, rates
            )
        assert len(sums) == (10 if totals.events else 0)
        assert scan.arrivals is not None
        assert sum(scan.arrivals.by_hour) <= totals.events


FLIGHTS = SHARED_DATA / "flights_events.parquet"


@pytest.mark.slow
def test_a_real_year_has_48_days_over_5_percent_errors_and_64_over_1_percent_without_a_version() -> None:
    """The figures were counted independently of this code, over the local days of New York in 2013."""
    if not FLIGHTS.is_file():
        pytest.skip(f"The real year of flights is absent: {FLIGHTS} does not exist.")
    schema = replace(SCHEMA, occurred_at="ts", service_version="version", critical_fields=("device_id",))
    source = ParquetSource(str(FLIGHTS), schema, NEW_YORK)
    scans = read(source, windows_of(NEW_YORK, date(2013, 1, 1), date(2013, 12, 31)))
    totals = [scan.aggregates.totals() for scan in scans]
    assert len(totals) == 365
    assert sum(day.events for day in totals) == 336_776
    assert sum((day.error_rate_percent or 0) > 5 for day in totals) == 48
    assert sum((day.missing_version_percent or 0) > 1 for day in totals) == 64
