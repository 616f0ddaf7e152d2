"""What only the connector for MariaDB promises: exact texts, one point in time, and how it ends and fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pymysql
import pytest
from sqlalchemy import make_url

from telemetry_quality.core.days import day_window
from telemetry_quality.core.event_schema import Rate
from telemetry_quality.core.events import UnreadableDay
from telemetry_quality.errors import SourceError, SourceSilentError, SourceUnavailableError
from telemetry_quality.sources import mysql as module
from telemetry_quality.sources.mysql import MariaDBSource
from telemetry_quality.sources.query import day_ranges_of
from telemetry_quality_tests.builders import DAY, SCHEMA
from telemetry_quality_tests.servers import StallingProxy, free_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry_quality.core.events import DayScan
    from telemetry_quality_tests.servers import MariaDB

pytestmark = pytest.mark.slow

LEAN = replace(SCHEMA, critical_fields=())
WINDOW = day_window(DAY, ZoneInfo("UTC"))
COLUMNS = (
    "event_id VARCHAR(40), occurred_at DATETIME(6), event_name VARCHAR(40), service_version TEXT, is_error BOOLEAN"
)
ENDLESS = (
    "CREATE OR REPLACE VIEW endless AS SELECT uuid() AS event_id, TIMESTAMP '2026-03-10 12:00:00' AS occurred_at,"
    " 'a' AS event_name, '1' AS service_version, 0 AS is_error FROM seq_1_to_1000000 a, seq_1_to_1000000 b"
)
"""A view that no query ever finishes."""


def event(number: int, name: str = "a", version: str = "1.0") -> tuple[str, str, str, str, bool]:
    return f"e{number}", "2026-03-10 12:00:00", name, version, False


def scan_of(source: MariaDBSource) -> DayScan:
    (scan,) = source.scan_days([WINDOW], 10)
    assert not isinstance(scan, UnreadableDay), scan
    return scan


def reason_of(source: MariaDBSource) -> tuple[str, str]:
    """Reason code and sentence of a day that cannot be read for good."""
    try:
        (scan,) = source.scan_days([WINDOW], 1)
    except SourceUnavailableError:
        raise
    except SourceError as error:
        return error.reason_code, str(error)
    assert isinstance(scan, UnreadableDay), scan
    return scan.reason_code, scan.reason


@pytest.mark.parametrize("collation", ["utf8mb4_general_ci", "utf8mb4_unicode_ci", "latin1_swedish_ci", "utf8mb4_bin"])
def test_texts_differ_in_case_accents_and_trailing_blanks_whatever_the_collation(
    mariadb: MariaDB, collation: str
) -> None:
    names = ["Café", "café", "cafe", "cafe ", "CAFE"]
    table = mariadb.new_table(
        COLUMNS.replace("VARCHAR(40)", f"VARCHAR(40) CHARACTER SET {collation.partition('_')[0]} COLLATE {collation}"),
        [event(number, name) for number, name in enumerate(names)] + [("E0", *event(0)[1:])],
    )
    rates = (Rate("like", "event_name LIKE 'caf_'"), Rate("equal", "event_name = 'cafe'"))
    scan = scan_of(MariaDBSource(mariadb.url(), table, replace(LEAN, rates=rates)))
    assert {row.event_name for row in scan.aggregates.rows} == {*names, "a"}
    assert scan.aggregates.rate_counts() == {"like": 2, "equal": 1}
    assert {found.event_id for found in scan.sample} == {"e0", "e1", "e2", "e3", "e4", "E0"}
    assert scan.duplicates is not None
    assert scan.duplicates.duplicate_events == 0


def test_bytes_enums_and_numbers_are_read_as_text_and_a_timestamp_as_utc(mariadb: MariaDB) -> None:
    table = mariadb.new_table(
        "event_id BINARY(4), occurred_at TIMESTAMP(6) NULL, event_name ENUM('start', 'stop'), service_version"
        " DECIMAL(4, 2), is_error BIT(1), build BIGINT UNSIGNED, born DATE, flags SET('x', 'y')"
    )
    mariadb.run(
        f"INSERT INTO `{table}` VALUES (X'00FF0A20', '2026-03-10 00:00:00', 'start', 1.5, 1, 18446744073709551615,"
        " '2020-02-29', 'x,y'), (X'00FF0A21', '2026-03-10 23:59:59.999999', 'start', NULL, NULL, 1, NULL, ''),"
        " (X'00FF0A22', '2026-03-11 00:00:00', 'start', 1.5, 0, 1, NULL, '')"
    )
    schema = replace(LEAN, dimensions=("build", "born", "flags"))
    scan = scan_of(MariaDBSource(mariadb.url(), table, schema))
    assert {hour: totals.events for hour, totals in scan.aggregates.by_hour().items()} == {0: 1, 23: 1}
    assert {(row.event_name, row.service_version, row.errors) for row in scan.aggregates.rows} == {
        ("start", "1.50", 1),
        ("start", None, 0),
    }
    assert {found.event_id for found in scan.sample} == {"00ff0a20", "00ff0a21"}
    shown = {(part.dimension, part.value) for part in scan.slices if part.by is None}
    assert {("build", "18446744073709551615"), ("born", "2020-02-29"), ("flags", "x,y")} <= shown


def test_all_queries_of_a_day_see_one_point_in_time_and_nothing_is_written(mariadb: MariaDB) -> None:
    table = mariadb.new_table(COLUMNS, [event(number) for number in range(5)])
    source = MariaDBSource(mariadb.url(), table, LEAN)
    (day_range,) = day_ranges_of([WINDOW])
    with source._client() as client:
        events = client.event_table(table, LEAN, "")
        with client.transaction():
            mariadb.run(f"INSERT INTO `{table}` VALUES (%s, %s, %s, %s, %s)", [event(9)])
            assert [tuple(row) for row in client.execute(events.count_query(day_range))] == [(0, 5)]
            with pytest.raises(SourceError):
                client._run(f"INSERT INTO `{table}` SELECT * FROM `{table}`")
    assert source.count_day(WINDOW).events == 6


def test_an_index_on_the_time_is_used(mariadb: MariaDB) -> None:
    table = mariadb.new_table(f"{COLUMNS}, KEY by_time (occurred_at)")
    mariadb.run(
        f"INSERT INTO `{table}` SELECT seq, TIMESTAMP '2026-01-01 00:00:00' + INTERVAL seq HOUR, 'a', '1', 0"
        " FROM seq_1_to_3000"
    )
    source = MariaDBSource(mariadb.url(), table, LEAN)
    (day_range,) = day_ranges_of([WINDOW])
    with source._client() as client:
        query = client.event_table(table, LEAN, "").count_query(day_range).compile(dialect=client._dialect)
        rows, _ = client._run(f"EXPLAIN {query}", query.params)
    assert any("by_time" in row for row in rows), rows
    assert source.count_day(WINDOW).events == 24


def test_what_a_server_refuses_is_said_with_its_remedy_and_without_the_password(mariadb: MariaDB) -> None:
    mariadb.run("CREATE USER IF NOT EXISTS poor@'%%' IDENTIFIED BY 'hunter2'")
    right = mariadb.url()
    poor = make_url(right).set(username="poor", password="hunter2")
    cases = {
        right.replace(mariadb.password, "hunter2"): "CONNECTION_REFUSED",
        mariadb.url("nowhere"): "CONNECTION_REFUSED",
        right: "TABLE_MISSING",
        poor.render_as_string(hide_password=False): "CONNECTION_REFUSED",
    }
    for url, code in cases.items():
        reason, sentence = reason_of(MariaDBSource(url, "absent", LEAN))
        assert reason == code, sentence
        assert mariadb.password not in sentence
        assert "hunter2" not in sentence


def test_a_server_that_is_away_may_come_back() -> None:
    source = MariaDBSource(f"mariadb://u:p@127.0.0.1:{free_port()}/db", "events", LEAN)
    with pytest.raises(SourceUnavailableError) as caught:
        source.count_day(WINDOW)
    assert caught.value.reason_code == "SOURCE_UNREACHABLE"


def test_a_query_that_takes_too_long_is_ended_by_the_server(mariadb: MariaDB) -> None:
    mariadb.run(ENDLESS)
    assert reason_of(MariaDBSource(mariadb.url(), "endless", LEAN, time_limit_seconds=0.5))[0] == "TIME_LIMIT"


def readers(mariadb: MariaDB) -> list[int]:
    """The connections that read the endless view."""
    found = mariadb.run("SELECT id, info FROM information_schema.processlist WHERE command = 'Query'")
    return [number for number, text in found if text and "endless" in text]


def kill_readers(mariadb: MariaDB, what: str = "") -> None:
    for number in readers(mariadb):
        # It may have ended by itself meanwhile.
        with suppress(pymysql.OperationalError):
            mariadb.run(f"KILL {what}{number}")


def wait_until(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_query_that_somebody_kills_may_be_tried_again(mariadb: MariaDB) -> None:
    mariadb.run(ENDLESS)

    has_ended = threading.Event()

    def kill() -> None:
        while not has_ended.wait(0.2):
            kill_readers(mariadb, "QUERY ")

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(SourceUnavailableError) as caught:
        MariaDBSource(mariadb.url(), "endless", LEAN, time_limit_seconds=30).count_day(WINDOW)
    has_ended.set()
    killer.join()
    assert caught.value.reason_code == "QUERY_CANCELLED"


def test_a_silent_network_is_given_up_soon_after_the_limit(mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.GRACE_SECONDS + 2 * module.CONNECT_SECONDS <= 15
    monkeypatch.setattr(module, "GRACE_SECONDS", 1)
    monkeypatch.setattr(module, "CONNECT_SECONDS", 1)
    mariadb.run(ENDLESS)
    with StallingProxy(mariadb.port) as proxy:
        url = mariadb.url().replace(str(mariadb.port), str(proxy.port))
        source = MariaDBSource(url, "endless", LEAN, time_limit_seconds=1)
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
from telemetry_quality.sources.mysql import MariaDBSource
from telemetry_quality_tests.sources.test_mysql import LEAN, WINDOW
print("reading", flush=True)
MariaDBSource({url!r}, "endless", LEAN).count_day(WINDOW)
"""


@pytest.mark.parametrize("stalls", [False, True], ids=["at a server", "behind a silent proxy"])
def test_ctrl_c_ends_within_five_seconds_and_stops_the_query(mariadb: MariaDB, stalls: bool) -> None:
    mariadb.run(ENDLESS)
    with StallingProxy(mariadb.port) as proxy:
        command = [sys.executable, "-c", SNIPPET.format(url=mariadb.url().replace(str(mariadb.port), str(proxy.port)))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ)) as process:
            wait_until(lambda: bool(readers(mariadb)))
            if stalls:
                proxy.stalled.set()
            start = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=20)
            assert time.monotonic() - start < 5
        assert b"KeyboardInterrupt" in said
        if not stalls:
            wait_until(lambda: not readers(mariadb))
    kill_readers(mariadb)
