"""A look at some hours: what it reads, and that it ends in its own time whatever the source does."""

from __future__ import annotations

import re
import sqlite3
import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from sqlalchemy import func, select

from telemetry_quality.core.days import DayWindow, day_window
from telemetry_quality.core.events import DayAggregates, UnreadableDay
from telemetry_quality.errors import SourceError
from telemetry_quality.sources import limits
from telemetry_quality.sources.clickhouse import ClickHouseSource
from telemetry_quality.sources.duckdb import DuckDBClient, DuckDBFileSource, ParquetSource, compiled
from telemetry_quality.sources.limits import QueryTime
from telemetry_quality.sources.mysql import MariaDBSource
from telemetry_quality.sources.postgresql import PostgresSource
from telemetry_quality.sources.query import DayRange
from telemetry_quality.sources.sqlite import SqliteSource
from telemetry_quality_tests.builders import DAY, SCHEMA, make_event, make_events, write_parquet
from telemetry_quality_tests.sources import test_clickhouse, test_mysql

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Select

    from telemetry_quality.core.ports import EventSource
    from telemetry_quality_tests.servers import ClickHouse, MariaDB, PostgreSQL

HOUR = timedelta(hours=1)
LOOK_SECONDS = 0.6
LEAN = replace(SCHEMA, critical_fields=())
COLUMNS = "event_id TEXT, occurred_at TEXT, event_name TEXT, service_version TEXT, is_error BOOLEAN"


def hours(first: int, count: int) -> DayWindow:
    start = day_window(DAY, ZoneInfo("UTC")).start + first * HOUR
    return DayWindow(DAY, start, start + count * HOUR)


def counted(source: EventSource, window: DayWindow) -> dict[int, int]:
    found = source.scan_hours(window)
    assert isinstance(found, DayAggregates), found
    return {hour: totals.events for hour, totals in found.by_hour().items()}


def endless_duckdb(folder: Path) -> EventSource:
    with duckdb.connect(str(folder / "events.duckdb")) as connection:
        connection.execute(
            f"CREATE VIEW endless AS SELECT 'a' AS event_id, '{DAY} 12:00:00' AS occurred_at, 'a' AS event_name,"
            " '1' AS service_version, false AS is_error FROM range(1000000), range(1000000)"
        )
    return DuckDBFileSource(str(folder / "events.duckdb"), "endless", LEAN)


def endless_sqlite(folder: Path) -> EventSource:
    with sqlite3.connect(folder / "events.db") as connection:
        connection.execute(f"CREATE TABLE one ({COLUMNS})")
        connection.execute(f"INSERT INTO one VALUES ('a', '{DAY} 12:00:00', 'a', '1', 0)")
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000000) SELECT i FROM n"
        connection.execute(f"CREATE VIEW endless AS SELECT one.* FROM one CROSS JOIN ({numbers})")
    connection.close()
    return SqliteSource(f"sqlite:///{folder / 'events.db'}", "endless", LEAN)


def assert_ends_in_time(source: EventSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LOOK_LIMIT_SECONDS", LOOK_SECONDS)
    began = time.monotonic()
    with pytest.raises(SourceError) as caught:
        source.scan_hours(hours(12, 1))
    assert time.monotonic() - began < 20 * LOOK_SECONDS
    assert caught.value.reason_code == "TIME_LIMIT"
    assert "A look at some hours must end within 0.6 s, but did not" in str(caught.value)


@pytest.mark.parametrize("endless", [endless_duckdb, endless_sqlite], ids=lambda endless: endless.__name__)
def test_a_look_ends_in_its_own_time_however_much_the_settings_give_to_a_query(
    tmp_path: Path, endless: Callable[[Path], EventSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_ends_in_time(endless(tmp_path), monkeypatch)


def test_postgresql_ends_a_look_in_its_own_time(postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    with postgresql.connect() as connection:
        connection.execute(f"CREATE TABLE looked_at ({COLUMNS})")
        connection.execute(f"INSERT INTO looked_at VALUES ('a', '{DAY} 12:00:00', 'a', '1', false)")
        connection.execute(
            "CREATE VIEW slow_look AS SELECT looked_at.* FROM looked_at, (SELECT pg_sleep(30) OFFSET 0) AS nap"
        )
    assert_ends_in_time(PostgresSource(postgresql.url(), "slow_look", LEAN), monkeypatch)


def test_clickhouse_ends_a_look_in_its_own_time(clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    clickhouse.run(test_clickhouse.ENDLESS)
    assert_ends_in_time(ClickHouseSource(clickhouse.url(), "endless", LEAN), monkeypatch)


def test_mariadb_ends_a_look_in_its_own_time(mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch) -> None:
    mariadb.run(test_mysql.ENDLESS)
    assert_ends_in_time(MariaDBSource(mariadb.url(), "endless", LEAN), monkeypatch)


def test_a_source_that_gives_a_query_less_time_gives_a_look_no_more(tmp_path: Path) -> None:
    source: Any = endless_duckdb(tmp_path)
    source._seconds = 0.4
    with pytest.raises(SourceError, match=r"must end within 0\.4 s"):
        source.scan_hours(hours(12, 1))


def test_all_queries_of_a_look_share_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(limits, "monotonic", lambda: now[0])
    query_time = QueryTime(300)
    assert (query_time.left(), query_time.is_shared) == (300, False)
    with query_time.of_a_look(began=90):
        assert (query_time.left(), query_time.is_shared) == (50, True)
        now[0] = 149.5
        assert query_time.left() == pytest.approx(0.5)
        now[0] = 149.95
        with pytest.raises(SourceError, match="must end in its time"):
            query_time.left()
    assert (query_time.left(), query_time.left(250)) == (300, 50)


def test_a_client_that_is_used_again_has_its_whole_time_after_a_look(tmp_path: Path) -> None:
    source = ParquetSource(str(write_parquet(tmp_path / "e.parquet", make_events(24))), SCHEMA, ZoneInfo("UTC"))
    assert counted(source, hours(3, 2)) == {0: 1, 1: 1}
    with source._client() as client:
        assert client.time.left() == 300


def test_an_hour_ends_before_the_nanosecond_at_which_the_next_begins(tmp_path: Path) -> None:
    times = [f"{DAY} {at}+00" for at in ("09:59:59.999999999", "10:00:00.000000000", "10:59:59.999999999", "11:00:00")]
    events = [make_event(event_id=str(number), occurred_at=at) for number, at in enumerate(times)]
    path = write_parquet(tmp_path / "events.parquet", events, {"occurred_at": "TIMESTAMPTZ_NS"})
    assert counted(ParquetSource(str(path), SCHEMA, ZoneInfo("UTC")), hours(10, 1)) == {0: 2}


def test_hours_of_a_broken_file_are_unreadable_and_not_empty(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", make_events(24))
    (tmp_path / "b.parquet").write_bytes(b"PAR1 is all that was written")
    answer = ParquetSource(str(tmp_path), SCHEMA, ZoneInfo("UTC")).scan_hours(hours(3, 2))
    assert isinstance(answer, UnreadableDay)
    assert answer.reason_code == "FILE_BROKEN"


def test_of_sqlite_only_the_events_of_the_hours_are_copied_whenever_others_arrive(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE events ({COLUMNS}, observed_at TEXT, platform TEXT)")
        rows = [(str(n), f"{DAY} {n:02}:30:00", "a", "1", 0, f"{DAY} 12:00:00", "web") for n in range(24)]
        connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    connection.close()
    schema = replace(LEAN, observed_at="observed_at", dimensions=("platform",))
    source = SqliteSource(f"sqlite:///{path}", "events", schema)

    with source._client() as client:
        copy = source._tables_of_hours(client).of(DayRange((hours(12, 2),))).relation
        assert client.execute(select(func.count()).select_from(copy)) == [(2,)]
        assert "web" not in client.execute(copy.select())[0]
    assert counted(source, hours(11, 2)) == {0: 1, 1: 1}


def test_of_parquet_only_the_columns_are_read_that_hours_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    execute = DuckDBClient.execute

    def noted(self: DuckDBClient, query: Select[Any]) -> list[tuple[Any, ...]]:
        read.extend(re.findall(r"\w+", compiled(query)[0]))
        return execute(self, query)

    monkeypatch.setattr(DuckDBClient, "execute", noted)
    events = [
        event | {"user_id": "u", "observed_at": event["occurred_at"], "platform": "web"} for event in make_events(9)
    ]
    types = {"user_id": "VARCHAR", "observed_at": "TIMESTAMPTZ", "platform": "VARCHAR"}
    schema = replace(SCHEMA, critical_fields=("user_id",), observed_at="observed_at", dimensions=("platform",))
    path = write_parquet(tmp_path / "events.parquet", events, types)
    assert sum(counted(ParquetSource(str(path), schema, ZoneInfo("UTC")), hours(0, 24)).values()) == 9
    assert not {"event_id", "user_id", "observed_at", "platform"} & set(read)
    assert {"occurred_at", "event_name", "service_version", "is_error"} <= set(read)
