"""What only the ClickHouse connector promises: its types, its limits, and how it ends and fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from clickhouse_connect.driver.binding import finalize_query
from sqlalchemy import func, select

from telemetry_quality.assembly import open_source
from telemetry_quality.core.days import day_window
from telemetry_quality.core.event_schema import Rate
from telemetry_quality.core.events import UnreadableDay
from telemetry_quality.errors import SourceError, SourceSilentError, SourceUnavailableError
from telemetry_quality.settings import SourceSettings
from telemetry_quality.sources import clickhouse as module
from telemetry_quality.sources.aggregates import aggregate_query
from telemetry_quality.sources.clickhouse import ClickHouseSource, QueryLimits
from telemetry_quality.sources.query import day_ranges_of
from telemetry_quality_tests.builders import DAY, SCHEMA, make_event, make_events
from telemetry_quality_tests.servers import StallingProxy, free_port

if TYPE_CHECKING:
    from telemetry_quality.core.events import DayScan
    from telemetry_quality_tests.servers import ClickHouse

pytestmark = pytest.mark.slow

WINDOW = day_window(DAY, ZoneInfo("UTC"))
SCHEMA_COLUMNS = ("event_id", "occurred_at", "event_name", "service_version", "is_error")
LEAN = replace(SCHEMA, critical_fields=())
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
COLUMNS = (
    "event_id String, occurred_at DateTime64(9, 'UTC'), event_name LowCardinality(String), service_version String,"
    " is_error Bool"
)


ENDLESS = (
    "CREATE VIEW IF NOT EXISTS endless AS SELECT toString(number) AS event_id, toDateTime64('2026-03-10 12:00:00', 9,"
    " 'UTC') AS occurred_at, 'page.view' AS event_name, '1.0' AS service_version, false AS is_error"
    " FROM numbers(1000000000000)"
)
"""A view that no query ever finishes."""


def reason_of(source: ClickHouseSource) -> tuple[str, str]:
    """Reason code and sentence of a day that cannot be read for good."""
    try:
        (scan,) = source.scan_days([WINDOW], 1)
    except SourceUnavailableError:
        raise
    except SourceError as error:
        return error.reason_code, str(error)
    assert isinstance(scan, UnreadableDay), scan
    return scan.reason_code, scan.reason


def scan_of(source: ClickHouseSource, size: int = 10) -> DayScan:
    (scan,) = source.scan_days([WINDOW], size)
    assert not isinstance(scan, UnreadableDay), scan
    return scan


@pytest.mark.parametrize(
    "time_type",
    ["DateTime", "DateTime('Asia/Tokyo')", "DateTime64(0)", "DateTime64(3, 'America/New_York')", "DateTime64(9)"],
)
def test_a_day_has_the_same_bounds_in_every_type_of_time(clickhouse: ClickHouse, time_type: str) -> None:
    second = timedelta(seconds=1)
    times = [WINDOW.start - second, WINDOW.start, NOON, WINDOW.end - second, WINDOW.end]
    rows = [event | {"occurred_at": at} for event, at in zip(make_events(5), times, strict=True)]
    columns = COLUMNS.replace("DateTime64(9, 'UTC')", time_type)
    table = clickhouse.new_table(columns, [{name: row[name] for name in SCHEMA_COLUMNS} for row in rows])
    hours = scan_of(ClickHouseSource(clickhouse.url(), table, LEAN)).aggregates.by_hour()
    assert {hour: totals.events for hour, totals in hours.items()} == {0: 1, 12: 1, 23: 1}


def test_any_type_that_can_be_read_as_text_can_be_a_name_a_version_or_a_dimension(clickhouse: ClickHouse) -> None:
    columns = {
        "event_id": "UUID",
        "event_name": "Enum8('start' = 1, 'it''s' = 2)",
        "service_version": "LowCardinality(FixedString(8))",
        "build": "Nullable(UInt64)",
        "device": "FixedString(4)",
        "address": "IPv4",
        "born": "Date",
        "price": "Decimal(9, 2)",
        "tags": "Map(String, String)",
        "pair": "Tuple(a UInt8, b String)",
    }
    table = clickhouse.new_table(
        "occurred_at DateTime, is_error UInt8, " + ", ".join(f"{name} {kind}" for name, kind in columns.items())
    )
    clickhouse.run(
        f"INSERT INTO `{table}` VALUES ('2026-03-10 12:00:00', 1, '61f0c404-5cb3-11e7-907b-a6006ad3dba0', 'it''s',"
        " '1.0', 18446744073709551615, 'ab', '10.0.0.1', '2020-02-29', 1.5, {'k': 'v'}, (1, 'x'))"
    )
    dimensions = ("build", "device", "address", "born", "price", "tags", "pair")
    schema = replace(LEAN, dimensions=dimensions, critical_fields=("device", "tags"))
    scan = scan_of(ClickHouseSource(clickhouse.url(), table, schema))
    (row,) = scan.aggregates.rows
    assert (row.event_name, row.service_version, row.errors, row.missing_critical) == ("it's", "1.0", 1, (0, 0))
    assert scan.sample[0].event_id == "61f0c404-5cb3-11e7-907b-a6006ad3dba0"
    shown = {part.dimension: part.value for part in scan.slices if part.dimension in dimensions}
    values = ("18446744073709551615", "ab", "10.0.0.1", "2020-02-29", "1.5", "{'k':'v'}", "(1,'x')")
    assert shown == dict(zip(dimensions, values, strict=True))


def test_a_padded_text_of_nothing_but_padding_is_blank(clickhouse: ClickHouse) -> None:
    table = clickhouse.new_table(f"{COLUMNS}, device FixedString(4)")
    clickhouse.run(
        f"INSERT INTO `{table}` SELECT toString(number), '2026-03-10 12:00:00', 'a', '1', false,"
        " ['', 'ab', '  '][number + 1] FROM numbers(3)"
    )
    source = ClickHouseSource(clickhouse.url(), table, replace(LEAN, critical_fields=("device",)))
    assert scan_of(source).aggregates.missing_critical() == {"device": 2}


def test_bytes_that_are_no_text_are_told_apart_and_shown_as_digits(clickhouse: ClickHouse) -> None:
    table = clickhouse.new_table(COLUMNS)
    clickhouse.run(
        f"INSERT INTO `{table}` SELECT concat('\\xff', toString(number % 3)), '2026-03-10 12:00:00',"
        " concat('\\xfe', toString(number % 2)), '\\xff', false FROM numbers(6)"
    )
    scan = scan_of(ClickHouseSource(clickhouse.url(), table, LEAN))
    assert {row.event_name: row.events for row in scan.aggregates.rows} == {"fe30": 3, "fe31": 3}
    assert {row.service_version for row in scan.aggregates.rows} == {"ff"}
    assert {event.event_id for event in scan.sample} == {"ff30", "ff31", "ff32"}
    assert scan.duplicates is not None
    assert scan.duplicates.duplicate_events == 3


def test_patterns_tell_capital_letters_apart_and_take_a_backslash_for_a_character(clickhouse: ClickHouse) -> None:
    rows = [make_event(event_id=name, event_name=name) for name in ("C:\\temp", "c:\\temp", "C:_temp", "100%", "100x")]
    table = clickhouse.new_table(COLUMNS, [{name: row[name] for name in SCHEMA_COLUMNS} for row in rows])
    rates = (
        Rate("a", "event_name LIKE 'C:\\t%'"),
        Rate("b", "NOT event_name LIKE 'C%'"),
        Rate("c", "event_name LIKE '100_'"),
    )
    counts = ClickHouseSource(clickhouse.url(), table, replace(LEAN, rates=rates)).count_day(WINDOW)
    assert counts.rate_counts == {"a": 1, "b": 3, "c": 2}


def test_final_is_used_only_where_it_is_asked_for(clickhouse: ClickHouse) -> None:
    table = clickhouse.new_table(f"{COLUMNS}", engine="ReplacingMergeTree ORDER BY event_id")
    clickhouse.run(f"SYSTEM STOP MERGES `{table}`")
    for _ in range(2):
        clickhouse.run(f"INSERT INTO `{table}` VALUES ('same', '2026-03-10 12:00:00', 'a', '1', false)")
    assert ClickHouseSource(clickhouse.url(), table, LEAN).count_day(WINDOW).events == 2
    assert ClickHouseSource(clickhouse.url(), table, LEAN, reads_final=True).count_day(WINDOW).events == 1


@pytest.mark.parametrize(
    ("time_type", "partition", "unit"),
    [
        ("DateTime", "toDate(occurred_at)", None),
        ("DateTime64(9)", "toDate(occurred_at)", None),
        ("DateTime64(6, 'UTC')", "toYYYYMMDD(occurred_at)", None),
        ("Int64", "intDiv(occurred_at, 86400000)", "ms"),
    ],
)
def test_only_the_partitions_of_the_day_are_read(
    clickhouse: ClickHouse, time_type: str, partition: str, unit: str | None
) -> None:
    columns = COLUMNS.replace("DateTime64(9, 'UTC')", time_type)
    table = clickhouse.new_table(columns, engine=f"MergeTree PARTITION BY {partition} ORDER BY event_id")
    at = "toDateTime('2026-03-05 01:00:00', 'UTC') + number * 43200"
    written = f"toUnixTimestamp({at}) * 1000" if unit else at
    clickhouse.run(f"INSERT INTO `{table}` SELECT toString(number), {written}, 'a', '1', false FROM numbers(20)")
    source = ClickHouseSource(clickhouse.url(), table, replace(LEAN, time_unit=unit))
    with source._client() as client:
        (day_range,) = day_ranges_of([WINDOW])
        query = aggregate_query(client.event_table(table, source.schema, ""), day_range)
        compiled = query.compile(dialect=module._dialect())
        estimate = clickhouse.run(f"EXPLAIN ESTIMATE {finalize_query(str(compiled), compiled.params)}")
    assert source.count_day(WINDOW).events == 2
    assert estimate.split("\t")[2:4] == ["1", "2"], "one part with two rows"


@pytest.mark.parametrize("kind", ["DateTime", "Date", "DateTime64(3)", "Date32"])
def test_another_column_may_tell_the_partitions(clickhouse: ClickHouse, kind: str) -> None:
    table = clickhouse.new_table(
        f"{COLUMNS}, made {kind}", engine="MergeTree PARTITION BY toDate(made) ORDER BY event_id"
    )
    at = "toDateTime('2026-03-01 00:00:00', 'UTC') + number * 3600"
    clickhouse.run(f"INSERT INTO `{table}` SELECT toString(number), {at}, 'a', '1', false, {at} FROM numbers(480)")
    source = ClickHouseSource(clickhouse.url(), table, LEAN, partition_time="made")
    (day_range,) = day_ranges_of([WINDOW])
    with source._client() as client:
        query = client.event_table(table, source.schema, "").count_query(day_range).compile(dialect=module._dialect())
        estimate = clickhouse.run(f"EXPLAIN ESTIMATE {finalize_query(str(query), query.params)}")
    assert source.count_day(WINDOW).events == 24
    assert int(estimate.split("\t")[3]) <= 4 * 24
    assert reason_of(ClickHouseSource(clickhouse.url(), table, LEAN, partition_time="event_id"))[0] == "COLUMN_TYPE"


def test_every_query_carries_its_limits_and_may_only_read(clickhouse: ClickHouse) -> None:
    limits = QueryLimits(seconds=7.5, threads=3, memory_bytes=2**28)
    source = ClickHouseSource(clickhouse.url(), "events", LEAN, limits=limits)
    names = ("readonly", "max_threads", "max_execution_time", "max_memory_usage", "join_use_nulls", "session_timezone")
    with source._client() as client:
        (found,) = client.execute(select(*map(func.getSetting, names)))
        with pytest.raises(SourceError, match="READONLY"):
            client.execute(select(func.getSetting("readonly")).with_statement_hint("SETTINGS max_threads = 64"))
    assert [str(value) for value in found] == ["1", "3", "7.5", "268435456", "True", "UTC"]


@pytest.mark.parametrize("user", ["reader", "viewer"])
def test_a_user_who_may_limit_its_queries_can_read(clickhouse: ClickHouse, user: str) -> None:
    table = clickhouse.new_table(COLUMNS, [{name: row[name] for name in SCHEMA_COLUMNS} for row in make_events(3)])
    assert ClickHouseSource(clickhouse.url(user=user), table, LEAN).count_day(WINDOW).events == 3


def test_what_a_server_refuses_is_said_with_its_remedy_and_without_the_password(clickhouse: ClickHouse) -> None:
    right, wrong = clickhouse.url(), clickhouse.url().replace(clickhouse.password, "hunter2")
    cases = {
        clickhouse.url(user="limited"): ("CONNECTION_REFUSED", "readonly = 2 instead of 1"),
        wrong: ("CONNECTION_REFUSED", "AUTHENTICATION_FAILED"),
        clickhouse.url(database="nowhere"): ("TABLE_MISSING", "UNKNOWN_DATABASE"),
        right: ("TABLE_MISSING", "requires the table 'absent'"),
    }
    for url, (code, words) in cases.items():
        reason, sentence = reason_of(ClickHouseSource(url, "absent", LEAN))
        assert (reason, words in sentence) == (code, True), sentence
        assert clickhouse.password not in sentence
        assert "hunter2" not in sentence


@pytest.mark.parametrize(
    "url",
    [
        "clickhouse://reader:hunter2@host/db",
        "https:///db",
        "https://reader:hunter2@host/db/table",
        "https://host/db?max_threads=9",
        "http://host:port/",
        "hunter2",
    ],
)
def test_an_address_that_is_none_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(SourceError, match="url requires the form https://") as caught:
        ClickHouseSource(url, "events", LEAN)
    assert caught.value.reason_code == "URL_INVALID"
    assert "hunter2" not in str(caught.value)


def test_a_server_that_is_away_may_come_back() -> None:
    source = ClickHouseSource(f"http://127.0.0.1:{free_port()}", "events", LEAN)
    with pytest.raises(SourceUnavailableError, match="must stay reachable") as caught:
        source.count_day(WINDOW)
    assert caught.value.reason_code == "SOURCE_UNREACHABLE"


def test_a_query_that_takes_too_long_is_ended_by_the_server(clickhouse: ClickHouse) -> None:
    clickhouse.run(ENDLESS)
    source = ClickHouseSource(clickhouse.url(), "endless", LEAN, limits=QueryLimits(seconds=0.3))
    assert reason_of(source)[0] == "TIME_LIMIT"


def test_a_query_that_takes_too_much_memory_is_ended_by_the_server(clickhouse: ClickHouse) -> None:
    clickhouse.run(ENDLESS.replace("endless", "many").replace("1000000000000", "1000000"))
    source = ClickHouseSource(clickhouse.url(), "many", LEAN, limits=QueryLimits(threads=1, memory_bytes=2**24))
    code, sentence = reason_of(source)
    assert (code, "raise memory_limit" in sentence) == ("MEMORY_LIMIT", True), sentence


def test_a_silent_network_is_given_up_soon_after_the_limit(
    clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert module.GRACE_SECONDS + 2 * module.CONNECT_SECONDS <= 15
    monkeypatch.setattr(module, "GRACE_SECONDS", 1)
    monkeypatch.setattr(module, "CONNECT_SECONDS", 1)
    clickhouse.run(ENDLESS)
    with StallingProxy(clickhouse.port) as proxy:
        url = clickhouse.url().replace(str(clickhouse.port), str(proxy.port))
        source = ClickHouseSource(url, "endless", LEAN, limits=QueryLimits(seconds=1))
        with source._client() as client:
            events = client.event_table("endless", LEAN, "")
            proxy.stalled.set()
            start = time.monotonic()
            with pytest.raises(SourceSilentError, match="check the network"):
                client.execute(events.count_query(next(day_ranges_of([WINDOW]))))
        assert 2 <= time.monotonic() - start < 7
        start = time.monotonic()
        with pytest.raises(SourceUnavailableError):
            source.count_day(WINDOW)
        assert time.monotonic() - start < 7


SNIPPET = """
from dataclasses import replace
from telemetry_quality.sources.clickhouse import ClickHouseSource
from telemetry_quality_tests.sources.test_clickhouse import LEAN, WINDOW
source = ClickHouseSource({url!r}, "endless", LEAN)
print("reading", flush=True)
source.count_day(WINDOW)
"""


@pytest.mark.parametrize("stalls", [False, True], ids=["at a server", "behind a silent proxy"])
def test_ctrl_c_ends_within_five_seconds_and_leaves_no_query_behind(clickhouse: ClickHouse, stalls: bool) -> None:
    clickhouse.run(ENDLESS)
    running = "SELECT count() FROM system.processes WHERE query LIKE '%endless%' AND query NOT LIKE '%processes%'"
    with StallingProxy(clickhouse.port) as proxy:
        url = clickhouse.url().replace(str(clickhouse.port), str(proxy.port))
        command = [sys.executable, "-c", SNIPPET.format(url=url)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ)) as process:
            wait_until(lambda: clickhouse.run(running).strip() != "0")
            if stalls:
                proxy.stalled.set()
            start = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=20)
            assert time.monotonic() - start < 5
        assert b"KeyboardInterrupt" in said
    # The proxy has closed its connections to the server by now.
    wait_until(lambda: clickhouse.run(running).strip() == "0")


def wait_until(holds: Any, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_settings_open_the_source(clickhouse: ClickHouse) -> None:
    table = clickhouse.new_table(COLUMNS, [{name: row[name] for name in SCHEMA_COLUMNS} for row in make_events(4)])
    settings = {
        "connector": "clickhouse",
        "url": clickhouse.url(),
        "table": f"default.{table}",
        "max_threads": 1,
        "memory_limit": "512MiB",
        "first_day": "2026-01-01",
        "roles": {name: name for name in SCHEMA_COLUMNS},
    }
    source: Any = open_source("web", SourceSettings.model_validate(settings))
    assert source.count_day(WINDOW).events == 4
    assert (source._limits.threads, source._limits.memory_bytes) == (1, 2**29)


def test_roles_lie_inside_maps_tuples_lists_and_json_and_what_is_absent_is_null(clickhouse: ClickHouse) -> None:
    table = clickhouse.new_table(
        "Timestamp DateTime64(9), LogAttributes Map(LowCardinality(String), String), Body JSON,"
        " Resource Tuple(service Tuple(version Nullable(String)), id UInt64), Scopes Array(String),"
        " Attributes Array(Tuple(key String, value String)), SeverityNumber UInt8, Raw String",
        engine="MergeTree ORDER BY Timestamp",
    )
    clickhouse.run(
        f"INSERT INTO `{table}` VALUES"
        " ('2026-03-10 12:00:00.000000001', {'event.name': 'it''s'}, '{\"app\": {\"build\": 7}, \"tags\": [\"x\"]}',"
        " (('1.0'), 1), ['a', 'b'], [('user.id', 'u'), ('k', 'v')], 17, '{\"a\": [{\"b\": 1}]}'),"
        " ('2026-03-10 12:00:01', {'other': ''}, '{\"app\": {}}', ((NULL), 2), [], [('k', '')], 9, 'not json'),"
        " ('2026-03-10 12:00:02', {'event.name': ''}, '{}', (('1.1'), 3), ['c'], [], 0, '{\"a\": {\"0\": {\"b\": 2}}}')"
    )
    schema = replace(
        SCHEMA,
        event_id="Resource.id",
        occurred_at="Timestamp",
        event_name="LogAttributes['event.name']",
        service_version="Resource.service.version",
        is_error="CASE WHEN SeverityNumber = 0 THEN NULL ELSE SeverityNumber >= 17 END",
        critical_fields=("user", "scope"),
        dimensions=("build", "tag", "raw"),
        named={
            "user": "Attributes['user.id']",
            "scope": "Scopes[1]",
            "build": "Body.app.build",
            "tag": "Body.tags[0]",
            "raw": "Raw.a[0].b",
        },
    )
    scan = scan_of(ClickHouseSource(clickhouse.url(), table, schema))
    assert [(row.event_name, row.service_version, row.errors) for row in scan.aggregates.rows] == [
        (None, None, 0),
        ("", "1.1", 0),
        ("it's", "1.0", 1),
    ]
    assert scan.aggregates.totals().error_unknown_events == 1
    assert scan.aggregates.missing_critical() == {"user": 2, "scope": 2}
    shown = {(part.dimension, part.value): counts.events for part, counts in scan.slices.items() if part.by is None}
    for dimension, value in (("build", "7"), ("tag", "x"), ("raw", "1")):
        assert {part[1]: events for part, events in shown.items() if part[0] == dimension} == {value: 1, None: 2}
    assert {event.event_id for event in scan.sample} == {"1", "2", "3"}
