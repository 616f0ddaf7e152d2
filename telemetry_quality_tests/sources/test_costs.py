"""What a look at some hours would read: a source that would read far more than these is refused, with the remedy."""

from __future__ import annotations

import gzip
import sqlite3
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from deltalake import write_deltalake

from telemetry_quality.core.days import DayWindow, day_window
from telemetry_quality.sources import costs, postgresql, sqlite
from telemetry_quality.sources.clickhouse import ClickHouseSource
from telemetry_quality.sources.costs import Reading
from telemetry_quality.sources.databases import open_database
from telemetry_quality.sources.delta import DeltaSource
from telemetry_quality.sources.duckdb import DuckDBFileSource, ParquetSource
from telemetry_quality.sources.mysql import MariaDBSource
from telemetry_quality.sources.postgresql import PostgresSource
from telemetry_quality.sources.spark_costs import relation_bytes
from telemetry_quality.sources.sqlite import SqliteSource
from telemetry_quality.sources.text_files import TextSource
from telemetry_quality.sources.text_formats import Csv, JsonLines
from telemetry_quality_tests.builders import DAY, SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry_quality_tests.servers import ClickHouse, MariaDB, PostgreSQL

UTC_ZONE = ZoneInfo("UTC")
LEAN = replace(SCHEMA, critical_fields=())
NOON = day_window(DAY, UTC_ZONE).start + timedelta(hours=12)
HOURS = DayWindow(DAY, NOON, NOON + timedelta(hours=2))
EVENTS = 20_000
"""Of a day, in as many row groups as it has hours."""
IN_ORDER, MIXED = "n", "md5(n::VARCHAR)"


@pytest.fixture(autouse=True)
def _everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "CHEAP_BYTES", 1000)
    monkeypatch.setattr(costs, "CHEAP_ROWS", 1000)
    monkeypatch.setattr(sqlite, "CHEAP_BYTES", 1000)
    monkeypatch.setattr(postgresql, "CHEAP_BYTES", 1000)


@pytest.fixture
def writer() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def day(order: str = IN_ORDER, time: str = "happened") -> str:
    at = f"TIMESTAMPTZ '{DAY} 00:00:00+00' + to_seconds(n * 86400 // {EVENTS})"
    return (
        f"SELECT n::VARCHAR AS event_id, {time} AS occurred_at, 's' || n % 50 AS event_name, '1.0' AS service_version,"
        f" n % 50 = 0 AS is_error FROM (SELECT n, {at} AS happened FROM range({EVENTS}) AS t(n)) ORDER BY {order}"
    )


def parquet(writer: duckdb.DuckDBPyConnection, folder: Path, query: str) -> str | None:
    path = folder / "events.parquet"
    writer.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 2048)")
    schema = replace(LEAN, time_unit="s") if "epoch" in query else LEAN
    return ParquetSource(str(path), schema, UTC_ZONE).costly_hours(HOURS)


def assert_costly(sentence: str | None, what: str, remedy: str) -> None:
    assert sentence is not None
    assert sentence.startswith("A look at some hours must not read far more than these, but would read ")
    assert what in sentence
    assert remedy in sentence


@pytest.mark.parametrize(
    ("everything", "of_hours", "is_far_more"),
    [(1000, 0, False), (1001, 0, True), (1200, 299, True), (1200, 300, False), (1200, 1200, False)],
)
def test_what_is_little_or_mostly_of_the_hours_is_cheap(everything: int, of_hours: int, is_far_more: bool) -> None:
    assert Reading(everything, of_hours).is_far_more(1000) is is_far_more


@pytest.mark.parametrize("time", ["happened", "epoch(happened)::BIGINT"])
def test_parquet_in_the_order_of_its_time_is_cheap_and_mixed_it_is_not(
    tmp_path: Path, writer: duckdb.DuckDBPyConnection, time: str
) -> None:
    assert parquet(writer, tmp_path, day(IN_ORDER, time)) is None
    found = parquet(writer, tmp_path, day(MIXED, time))
    assert_costly(found, "MiB of Parquet, whose row groups do not tell hours apart", "sort each by its time")


def test_parquet_with_times_as_text_has_no_statistics_to_go_by(
    tmp_path: Path, writer: duckdb.DuckDBPyConnection
) -> None:
    assert_costly(
        parquet(writer, tmp_path, day(IN_ORDER, "happened::VARCHAR")), "Parquet", "which has to be a timestamp"
    )


def test_only_columns_that_are_read_count(
    tmp_path: Path, writer: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    heavy = day(MIXED).replace("SELECT n::VARCHAR", "SELECT repeat(md5(n::VARCHAR), 20) AS payload, n::VARCHAR")
    monkeypatch.setattr(costs, "CHEAP_BYTES", 1_000_000)
    assert parquet(writer, tmp_path, heavy) is None
    assert (tmp_path / "events.parquet").stat().st_size > 1_000_000


def test_hours_without_any_file_are_cheap(tmp_path: Path, writer: duckdb.DuckDBPyConnection) -> None:
    assert parquet(writer, tmp_path, day(MIXED).replace(str(DAY), "2025-01-01")) is None


@pytest.mark.parametrize("order", [IN_ORDER, MIXED])
def test_a_delta_table_is_as_cheap_as_its_files_and_partitions(
    tmp_path: Path, writer: duckdb.DuckDBPyConnection, order: str
) -> None:
    rows: Any = writer.sql(day(order)).to_arrow_table()
    hourly = rows.append_column("hour", [[at.hour for at in rows["occurred_at"].to_pylist()]])
    write_deltalake(tmp_path / "whole", rows)
    write_deltalake(tmp_path / "hourly", hourly, partition_by=["hour"])
    assert_costly(DeltaSource(str(tmp_path / "whole"), LEAN).costly_hours(HOURS), "Parquet", "by hour")
    assert DeltaSource(str(tmp_path / "hourly"), LEAN).costly_hours(HOURS) is None


def test_a_duckdb_table_in_the_order_of_its_time_is_cheap_and_mixed_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telemetry_quality.sources.row_groups.ROWS_TOGETHER", 2048)
    path = tmp_path / "events.duckdb"
    with duckdb.connect(str(path)) as connection:
        for name, order in (("sorted", IN_ORDER), ("mixed", MIXED)):
            connection.execute(f"CREATE TABLE {name} AS {day(order)}")
        connection.execute("CREATE VIEW seen AS FROM sorted")

    def found(table: str) -> str | None:
        return DuckDBFileSource(str(path), table, LEAN).costly_hours(HOURS)

    assert found("sorted") is None
    assert_costly(found("mixed"), "20,480 rows of mixed", "in the order of a column with their time")
    assert_costly(found("seen"), "40,000 rows of seen", "keep the events in one table")


@pytest.mark.parametrize(
    ("layout", "name", "size", "is_costly"),
    [(JsonLines(), "a.jsonl", 1000, False), (JsonLines(), "a.jsonl", 1001, True), (Csv(), "a.csv", 1001, True)],
)
def test_text_is_cheap_up_to_so_many_bytes_because_it_is_read_from_end_to_end(
    tmp_path: Path, layout: Any, name: str, size: int, is_costly: bool
) -> None:
    (tmp_path / name).write_text("x" * size)
    found = TextSource(str(tmp_path), layout, LEAN, UTC_ZONE).costly_hours(HOURS)
    assert (found is not None) is is_costly
    if is_costly:
        assert_costly(found, "MiB of text from end to end", "write Parquet")


def test_compressed_text_counts_as_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(bytes(range(200)) * 1, 0))
    assert_costly(TextSource(str(tmp_path), JsonLines(), LEAN, UTC_ZONE).costly_hours(HOURS), "text", "Parquet")


def sqlite_file(folder: Path, order: str, index: str = "", time: str = "epoch(happened)::BIGINT") -> SqliteSource:
    path = folder / "events.db"
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE events (event_id TEXT, occurred_at, event_name TEXT, service_version TEXT, is_error BOOLEAN)"
        )
        with duckdb.connect() as rows:
            rows.execute("SET TimeZone = 'UTC'")
            connection.executemany(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?)",
                rows.execute(day(order, time)).fetchall(),
            )
        connection.execute("CREATE VIEW seen AS SELECT * FROM events")
        connection.execute(index or "SELECT 1")
    connection.close()
    return SqliteSource(f"sqlite:///{path}", "events", replace(LEAN, time_unit="s"))


INDEX = "CREATE INDEX by_time ON events (occurred_at)"


def test_sqlite_is_cheap_with_an_index_on_times_that_rows_were_inserted_by(tmp_path: Path) -> None:
    assert sqlite_file(tmp_path, IN_ORDER, INDEX).costly_hours(HOURS) is None
    (tmp_path / "events.db").unlink()
    without = sqlite_file(tmp_path, IN_ORDER)
    assert_costly(without.costly_hours(HOURS), "20,000 rows of events", "store occurred_at as a number, index it")


def test_sqlite_finds_no_hours_by_an_index_on_texts(tmp_path: Path) -> None:
    source = sqlite_file(tmp_path, IN_ORDER, INDEX, "strftime(happened, '%Y-%m-%d %H:%M:%S')")
    assert_costly(source.costly_hours(HOURS), "20,000 rows of events", "as a number")


def test_sqlite_with_an_index_on_mixed_times_is_costly_because_it_is_read_in_the_order_of_its_rows(
    tmp_path: Path,
) -> None:
    assert_costly(sqlite_file(tmp_path, MIXED, INDEX).costly_hours(HOURS), "rows of events", "about when they happen")


def test_a_view_in_sqlite_is_costly_unless_the_file_is_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = sqlite_file(tmp_path, IN_ORDER, INDEX)
    source._table = "seen"
    assert_costly(source.costly_hours(HOURS), "a view", "name a table that has row ids")
    monkeypatch.setattr(sqlite, "CHEAP_BYTES", 2**30)
    assert source.costly_hours(HOURS) is None


@pytest.mark.parametrize(("order", "method"), [("n", "brin"), ("md5(n::text)", "btree")])
def test_postgresql_is_cheap_with_the_index_that_is_proposed(postgresql: PostgreSQL, order: str, method: str) -> None:
    name = f"costly_{method}"
    with postgresql.connect() as connection:
        connection.execute(
            f"CREATE TABLE {name} AS SELECT n::text AS event_id, timestamptz '{DAY} 00:00:00+00'"
            " + n * interval '1 second' AS occurred_at, repeat('s', 99) AS event_name, '1.0' AS service_version,"
            f" false AS is_error FROM generate_series(0, 86399) AS n ORDER BY {order}"
        )
        connection.execute(f"ANALYZE {name}")
        source = PostgresSource(postgresql.url(), name, LEAN)
        found = source.costly_hours(HOURS)
        index = f'CREATE INDEX CONCURRENTLY ON "public"."{name}" USING {method} ("occurred_at")'
        assert_costly(found, f"public.{name} from end to end", f"run {index}.")
        connection.execute(index.replace(" CONCURRENTLY", ""))
        assert source.costly_hours(HOURS) is None


@pytest.mark.parametrize(
    ("key", "is_costly"),
    [("occurred_at", False), ("event_id", True), ("event_id PARTITION BY toStartOfHour(occurred_at)", False)],
)
def test_clickhouse_is_cheap_if_order_or_partitions_tell_hours_apart(
    clickhouse: ClickHouse, key: str, is_costly: bool
) -> None:
    table = f"costly_{abs(hash(key))}"
    order, _, partitions = key.partition(" PARTITION BY ")
    clickhouse.run(
        f"CREATE TABLE {table} (event_id String, occurred_at DateTime64(6), event_name String, service_version String,"
        f" is_error Bool) ENGINE = MergeTree ORDER BY {order} {f'PARTITION BY {partitions}' if partitions else ''}"
        " SETTINGS index_granularity = 256"
    )
    clickhouse.run(
        f"INSERT INTO {table} SELECT toString(cityHash64(number)), toDateTime64('{DAY} 00:00:00', 6, 'UTC')"
        f" + intDiv(number * 86400, {EVENTS}), 's', '1.0', false FROM numbers({EVENTS})"
    )
    found = ClickHouseSource(clickhouse.url(), table, LEAN).costly_hours(HOURS)
    if is_costly:
        assert_costly(found, f"20,000 rows of {table}", "order or partition the table by occurred_at")
    else:
        assert found is None


def test_what_clickhouse_does_not_say_is_no_reason_to_refuse(clickhouse: ClickHouse) -> None:
    clickhouse.run(
        "CREATE VIEW IF NOT EXISTS few_numbers AS SELECT toString(number) AS event_id,"
        f" toDateTime64('{DAY} 12:00:00', 6, 'UTC') AS occurred_at, 's' AS event_name, '1.0' AS service_version,"
        " false AS is_error FROM numbers(10)"
    )
    assert ClickHouseSource(clickhouse.url(), "few_numbers", LEAN).costly_hours(HOURS) is None


def test_mariadb_is_cheap_with_an_index_on_the_time(mariadb: MariaDB) -> None:
    table = mariadb.new_table(
        "event_id VARCHAR(40), occurred_at DATETIME(6), event_name VARCHAR(40), service_version TEXT, is_error BOOLEAN",
        [],
    )
    quoted = f"`{table}`"
    mariadb.run(
        f"INSERT INTO {quoted} SELECT seq, TIMESTAMP '{DAY} 00:00:00' + INTERVAL seq * 4 SECOND, 's', '1.0', 0"
        " FROM seq_0_to_19999"
    )
    mariadb.run(f"ANALYZE TABLE {quoted}")
    source = MariaDBSource(mariadb.url(), table, LEAN)
    assert_costly(source.costly_hours(HOURS), f"rows of {table}", "create an index on occurred_at")
    mariadb.run(f"CREATE INDEX by_time ON {quoted} (occurred_at)")
    assert source.costly_hours(HOURS) is None


def test_an_engine_that_nobody_has_measured_is_refused() -> None:
    source = open_database("trino://user@host/db", "events", LEAN, allow_unproven=True)
    assert_costly(source.costly_hours(HOURS), "what nobody has measured", "/reference/sources.html")


def test_the_plan_of_spark_says_how_much_of_its_relations_is_read() -> None:
    plan = """
Aggregate [count(1) AS count(1)#12L], Statistics(sizeInBytes=16.0 B, rowCount=1)
+- Filter (isnotnull(d#6) AND (d#6 = 3)), Statistics(sizeInBytes=1257.6 KiB)
   +- Relation [id#4L,occurred_at#5,d#6] parquet, Statistics(sizeInBytes=1.5 KiB)
+- RelationV2[id#4L] lake.events, Statistics(sizeInBytes=2.0 MiB, rowCount=3)
"""
    assert relation_bytes(plan) == 1.5 * 2**10 + 2 * 2**20
    assert relation_bytes("LocalTableScan, Statistics(sizeInBytes=8.0 EiB)") == 0
