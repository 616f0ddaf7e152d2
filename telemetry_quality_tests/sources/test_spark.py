"""The Spark connector on a real cluster: the shared contract, DuckDB's rows, and what only Spark can get wrong."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import redirect_stdout
from dataclasses import replace
from datetime import date, timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import duckdb
import pytest

from telemetry_quality.core.days import day_window
from telemetry_quality.core.events import UnreadableDay
from telemetry_quality.core.signals import SignalCatalogue
from telemetry_quality.errors import SourceError, SourceSilentError, SourceUnavailableError
from telemetry_quality.sources import spark as connector
from telemetry_quality.sources.aggregates import aggregate_query
from telemetry_quality.sources.duckdb import ParquetSource
from telemetry_quality.sources.query import day_ranges_of
from telemetry_quality.sources.spark import SparkSource, spark_sql
from telemetry_quality_tests.builders import (
    DAY,
    NEW_YORK,
    NOW,
    SCHEMA,
    each_hour,
    make_event,
    make_events,
    write_parquet,
)
from telemetry_quality_tests.servers import StallingProxy, free_port
from telemetry_quality_tests.sources.event_tables import table_of
from telemetry_quality_tests.sources.test_contract import (
    ALL_EVENTS,
    CASE_WINDOWS,
    CONTRACT_SCHEMA,
    ODD_NAMES,
    ONE_DAY,
    TYPES,
    UTC_ZONE,
    AllCases,
    Location,
    arrived,
    counted,
    iso_with_offset,
    local_hours,
    read,
    test_a_day_whose_ids_are_all_the_same_still_fills_its_sample,
    test_a_day_without_events_is_read_as_empty_and_not_left_out,
    test_a_sampled_event_shows_its_id_name_version_and_what_it_misses,
    test_counting_days_says_what_reading_them_says,
    test_events_without_an_id_are_drawn_and_shown_without_one,
    test_frequent_values_are_counted_within_the_day,
    test_hours_are_read_as_they_are_read_with_their_day,
    test_longer_texts_than_anybody_reads_are_clipped_and_remain_different_ones,
    test_only_the_rows_that_meet_the_condition_are_events_of_the_source,
    test_rates_are_counted_where_their_predicates_hold_and_a_null_does_not,
    test_reading_never_changes_a_byte_of_the_source,
    test_the_busiest_hundred_values_of_a_dimension_are_distinguished_and_the_rest_summed,
    test_the_counts_of_a_day_alone_are_those_of_its_reading,
    test_the_same_events_are_the_same_day_wherever_they_live,
    test_what_a_rate_cannot_be_counted_of_is_named_with_the_rate,
    test_what_lies_inside_json_or_is_computed_plays_its_role_as_a_column_would,
    test_without_rates_nothing_is_counted_for_any,
    windows_of,
    with_times,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.core.events import DayScan
    from telemetry_quality_tests.servers import Spark

    Event = Mapping[str, Any]

pytestmark = [pytest.mark.slow, pytest.mark.costly]

CONTRACT = (
    test_a_day_whose_ids_are_all_the_same_still_fills_its_sample,
    test_a_day_without_events_is_read_as_empty_and_not_left_out,
    test_a_sampled_event_shows_its_id_name_version_and_what_it_misses,
    test_counting_days_says_what_reading_them_says,
    test_events_without_an_id_are_drawn_and_shown_without_one,
    test_frequent_values_are_counted_within_the_day,
    test_hours_are_read_as_they_are_read_with_their_day,
    test_only_the_rows_that_meet_the_condition_are_events_of_the_source,
    test_rates_are_counted_where_their_predicates_hold_and_a_null_does_not,
    test_reading_never_changes_a_byte_of_the_source,
    test_the_busiest_hundred_values_of_a_dimension_are_distinguished_and_the_rest_summed,
    test_longer_texts_than_anybody_reads_are_clipped_and_remain_different_ones,
    test_the_counts_of_a_day_alone_are_those_of_its_reading,
    test_the_same_events_are_the_same_day_wherever_they_live,
    test_what_lies_inside_json_or_is_computed_plays_its_role_as_a_column_would,
    test_what_a_rate_cannot_be_counted_of_is_named_with_the_rate,
    test_without_rates_nothing_is_counted_for_any,
)
"""The imported tests run here with the fixtures below; the rest do not depend on Spark or compare with DuckDB.

Only the cases, which are read together, run by default.
"""


def in_parquet(
    spark: Spark, location: Location, events: Sequence[Event], types: Mapping[str, str] = TYPES
) -> SparkSource:
    path = write_parquet(location.folder / "events.parquet", events, types)
    return SparkSource(spark.url, str(path), location.schema, reads_files=True, salt=location.salt)


@pytest.fixture(params=[pytest.param("spark", marks=pytest.mark.rare)])
def write(spark: Spark) -> Callable[[Location, Sequence[Event]], SparkSource]:
    return lambda location, events: in_parquet(spark, location, events)


@pytest.fixture(scope="module")
def all_cases(spark: Spark, tmp_path_factory: pytest.TempPathFactory) -> AllCases:
    source = in_parquet(spark, Location(tmp_path_factory.mktemp("cases")), ALL_EVENTS)
    return AllCases(source, {scan.day: scan for scan in read(source, CASE_WINDOWS)})


def random_events(count: int, seed: int) -> list[dict[str, Any]]:
    """Events of three days with randomly drawn values, including repeated ids and odd texts."""
    draw = random.Random(seed)
    texts = [None, "", " ", "a", "b", "unknown", *ODD_NAMES]
    start = day_window(DAY, UTC_ZONE).start
    events = []
    for _ in range(count):
        occurred_at = start + timedelta(microseconds=draw.randrange(3 * 86_400_000_000))
        arrived_at = occurred_at + timedelta(seconds=draw.choice([-90_000, -601, 0, 59, 3600, 90_000, 700_000]))
        events.append(
            make_event(
                event_id=draw.choice([None, f"id-{draw.randrange(count)}"]),
                occurred_at=draw.choice([occurred_at] * 20 + [None]),
                event_name=draw.choice(texts),
                service_version=draw.choice(texts),
                is_error=draw.choice([True, False, None]),
                user_id=draw.choice(texts),
                session=draw.choice([None, 0, -(2**63), 2**63 - 1]),
                observed_at=draw.choice([None, arrived_at]),
                platform=draw.choice(texts),
                build=draw.choice([None, 7, 2**40]),
                landed=draw.choice([None, "plan", "hub"]),
            )
        )
    return events


@pytest.mark.rare
def test_every_hour_of_the_days_when_clocks_change_is_counted_where_it_belongs(spark: Spark, tmp_path: Path) -> None:
    """As in the contract, but each day is read once, because a scan takes a second here."""
    windows = [day_window(day, NEW_YORK) for day in (date(2013, 3, 10), date(2013, 11, 3))]
    events = [event for window in windows for event in local_hours(window)]
    scans = read(in_parquet(spark, Location(tmp_path, NEW_YORK), events), windows)
    assert [len(scan.aggregates.by_hour()) for scan in scans] == [23, 25]
    found = [each_hour(scan.aggregates) for scan in scans]
    assert found == [counted(events, window) for window in windows]
    assert [scan.arrivals for scan in scans] == [arrived(events, window) for window in windows]


THREE_DAYS = windows_of(UTC_ZONE, DAY - ONE_DAY, DAY + 2 * ONE_DAY)


def assert_same_but_for_the_sample(found: Sequence[DayScan], expected: Sequence[DayScan]) -> None:
    for scan, wanted in zip(found, expected, strict=True):
        assert replace(scan, sample=()) == replace(wanted, sample=())
        assert len(scan.sample) == len(wanted.sample)


@pytest.mark.rare
@pytest.mark.parametrize("times", ["TIMESTAMP", "VARCHAR"])
def test_spark_and_duckdb_read_the_same_rows_from_the_same_files(spark: Spark, tmp_path: Path, times: str) -> None:
    events = random_events(1500, seed=5)
    if times == "VARCHAR":
        odd = ["2026-03-10", "2026", "12:30:00", "soon", "2026-03-10T10:00:00Z", "2026-03-10 10:00:00.123456-03:30"]
        events = [*with_times(events, iso_with_offset), *(make_event(occurred_at=t, observed_at=t) for t in odd)]
    types = TYPES | {"occurred_at": times, "observed_at": "VARCHAR" if times == "VARCHAR" else "TIMESTAMPTZ"}
    source = in_parquet(spark, Location(tmp_path), events, types)
    same = ParquetSource(str(tmp_path / "events.parquet"), CONTRACT_SCHEMA, UTC_ZONE)
    assert_same_but_for_the_sample(read(source, THREE_DAYS), read(same, THREE_DAYS))


@pytest.mark.rare
def test_the_driver_receives_aggregates_and_the_sample_and_never_the_events(
    spark: Spark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = make_events(5000, user_id="someone", session=1, platform="web", build=3)
    schema = replace(SCHEMA, critical_fields=("user_id",), dimensions=("platform",))
    source = in_parquet(spark, Location(tmp_path, schema=schema), events)
    received: list[Sequence[Sequence[Any]]] = []
    execute = connector._Client.execute

    def listening(client: connector._Client, query: Any) -> Sequence[Sequence[Any]]:
        received.append(execute(client, query))
        return received[-1]

    monkeypatch.setattr(connector._Client, "execute", listening)
    (scan,) = read(source, windows_of(UTC_ZONE, DAY))
    assert scan.aggregates.totals().events == 5000
    with_ids = [sum(any("0310-" in str(value) for value in row) for row in rows) for rows in received]
    assert [rows for rows in with_ids if rows] == [100], "ids come only with the sample"
    assert sum(map(len, received)) < 300
    assert not any("someone" in str(rows) for rows in received)


def test_a_snapshot_with_two_dimensions_and_arrivals_reads_the_events_six_times(
    spark: Spark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arrivals, invalid timestamps, aggregates, ids, values of all dimensions, slices of all dimensions."""
    events = make_events(50, user_id="u", session=1, platform="web", build=3, observed_at=NOW)
    source = in_parquet(spark, Location(tmp_path, schema=replace(CONTRACT_SCHEMA, rates=())), events)
    execute, plans = connector._Client.execute, list[str]()

    def explaining(client: connector._Client, query: Any) -> Sequence[Sequence[Any]]:
        text, arguments = spark_sql(query)
        with redirect_stdout(StringIO()) as plan:
            client._spark.sql(text, args=arguments).explain()  # type: ignore[attr-defined]
        plans.append(plan.getvalue())
        return execute(client, query)

    monkeypatch.setattr(connector._Client, "execute", explaining)
    (scan,) = read(source, windows_of(UTC_ZONE, DAY))
    assert scan.arrivals is not None
    assert {part.dimension for part in scan.slices} >= {"platform", "build"}
    assert [plan.count("FileScan") for plan in plans] == [1] * 6, plans


def test_a_table_is_found_by_its_name_in_the_catalog_and_so_is_that_of_the_signals(
    spark: Spark, tmp_path: Path
) -> None:
    path = write_parquet(tmp_path / "events.parquet", make_events(12), TYPES)
    source = SparkSource(
        spark.url,
        "spark_catalog.telemetry.select",
        CONTRACT_SCHEMA,
        catalogue=SignalCatalogue(table="telemetry.`select`", column="event_name"),
    )
    with source._client() as client:
        client._spark.sql("CREATE DATABASE IF NOT EXISTS telemetry", {})
        client._spark.sql(f"CREATE TABLE telemetry.`select` USING parquet LOCATION '{path}'", {})
    assert source.count_days(windows_of(UTC_ZONE, DAY)) == {DAY: 12}
    assert source.read_signals() == frozenset({"page.view"})


@pytest.mark.rare
def test_hive_folders_are_columns_and_a_writer_s_own_files_are_no_events(spark: Spark, tmp_path: Path) -> None:
    write_parquet(tmp_path / "platform=web" / "part-0.parquet", make_events(3), {})
    write_parquet(tmp_path / "platform=app" / "part-0.parquet", make_events(4), {})
    write_parquet(tmp_path / "_temporary" / "part-0.parquet", make_events(50), {})
    (tmp_path / "_SUCCESS").touch()
    source = SparkSource(spark.url, str(tmp_path), replace(SCHEMA, dimensions=("platform",)), reads_files=True)
    window = day_window(DAY, UTC_ZONE)
    assert source.frequent_values("platform", window, 9) == [("app", 4), ("web", 3)]


def days_of_files(folder: Path, *days: Sequence[Mapping[str, str | None]]) -> list[DayWindow]:
    """A folder per day with files of ten events; of each file, the columns that are not as usual, None if absent."""
    windows = list(windows_of(UTC_ZONE, DAY, DAY + (len(days) - 1) * ONE_DAY))
    usual = {"event_name": "'view'", "service_version": "'1.0'", "is_error": "n = 0", "user_id": "1::INTEGER"}
    for window, files in zip(windows, days, strict=True):
        for number, columns in enumerate(files):
            chosen = {
                "event_id": f"'{number}-' || n",
                "occurred_at": f"TIMESTAMPTZ '{window.day} 12:00:00+00' + n * INTERVAL 1 MINUTE",
                **usual,
                **columns,
            }
            selected = ", ".join(f"{value} AS {name}" for name, value in chosen.items() if value is not None)
            path = folder / f"day={window.day}" / f"part-{number}.parquet"
            path.parent.mkdir(exist_ok=True)
            duckdb.sql(f"COPY (SELECT {selected} FROM range(10) events(n)) TO '{path}' (FORMAT parquet)")
    return windows


OF_FILES = replace(SCHEMA, critical_fields=("user_id",))


def answers(scans: Iterable[DayScan | UnreadableDay]) -> list[Any]:
    return [scan.reason_code if isinstance(scan, UnreadableDay) else scan.aggregates.totals() for scan in scans]


@pytest.mark.rare
def test_files_that_differ_spoil_only_the_days_that_need_them_as_they_do_in_duckdb(
    spark: Spark, tmp_path: Path
) -> None:
    windows = days_of_files(
        tmp_path,
        [{}, {"user_id": "2::BIGINT"}],
        [{}, {"is_error": None}],
        [{"service_version": "7"}, {"user_id": "'seven'"}],
        [{"is_error": "'x'"}],
    )
    source = SparkSource(spark.url, str(tmp_path), OF_FILES, reads_files=True)

    scans = list(source.scan_days(windows, 5))

    found = answers(scans)
    assert found == answers(ParquetSource(str(tmp_path), OF_FILES, UTC_ZONE).scan_days(windows, 5))
    assert [found[1], found[3]] == ["COLUMN_MISSING", "COLUMN_TYPE"]
    _, lost, _, odd = scans
    assert isinstance(lost, UnreadableDay)
    assert isinstance(odd, UnreadableDay)
    assert f"the column 'is_error', but {tmp_path}/day=2026-03-11/part-1.parquet does not have it" in lost.reason
    assert "'is_error' is string" in odd.reason
    assert f"({tmp_path}/day=2026-03-13/part-0.parquet)" in odd.reason


@pytest.mark.rare
def test_a_file_that_lost_a_column_is_named_where_all_types_agree(spark: Spark, tmp_path: Path) -> None:
    windows = days_of_files(tmp_path, [{}], [{}, {"user_id": None}], [{"user_id": "NULL::INTEGER"}])

    found = answers(SparkSource(spark.url, str(tmp_path), OF_FILES, reads_files=True).scan_days(windows, 5))

    assert found == answers(ParquetSource(str(tmp_path), OF_FILES, UTC_ZONE).scan_days(windows, 5))
    assert found[1] == "COLUMN_MISSING"
    assert not isinstance(found[2], str), "null throughout is not absent"


@pytest.mark.parametrize(("table_format", "package"), [("delta", "delta-spark"), ("iceberg", "iceberg-spark-runtime")])
def test_a_table_in_a_format_that_the_cluster_lacks_names_the_package(
    spark: Spark, tmp_path: Path, table_format: str, package: str
) -> None:
    with pytest.raises(SourceError, match=f"requires the package {package}") as rejection:
        SparkSource(spark.url, f"{table_format}.`{tmp_path}`", SCHEMA).columns()
    assert rejection.value.reason_code == "PACKAGE_MISSING"
    assert_one_sentence(rejection.value)


@pytest.mark.rare
def test_a_predicate_means_in_spark_what_it_means_in_duckdb(spark: Spark, tmp_path: Path) -> None:
    names = ["a_b", "aXb", "a\\_b", "a%b", "A_B", "it's", None]
    events = [make_event(event_id=f"{n}{name}", event_name=name) for n, name in enumerate(names)]
    write_parquet(tmp_path / "events.parquet", events, {})
    for predicate in (r"event_name LIKE 'a\_b'", "event_name LIKE 'a%b' OR event_name IN ('it''s')"):
        schema = replace(SCHEMA, is_error=predicate)
        found = SparkSource(spark.url, str(tmp_path), schema, reads_files=True)
        same = ParquetSource(str(tmp_path), schema, UTC_ZONE)
        windows = windows_of(UTC_ZONE, DAY)
        assert_same_but_for_the_sample(read(found, windows), read(same, windows))


@pytest.mark.rare
def test_ids_that_are_uuids_are_refused_in_one_sentence(spark: Spark, tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE e AS SELECT uuid() AS event_id, TIMESTAMPTZ '2026-03-10 12:00Z' AS occurred_at"
        )
        connection.table("e").to_parquet(str(tmp_path / "events.parquet"))
    source = SparkSource(spark.url, str(tmp_path), SCHEMA, reads_files=True)
    with pytest.raises(SourceError, match="UUID") as rejection:
        source.columns()
    assert_one_sentence(rejection.value)


def assert_one_sentence(error: SourceError) -> None:
    assert error.__cause__ is None
    assert "\n" not in str(error)
    assert "org.apache" not in str(error)


@pytest.mark.rare
@pytest.mark.parametrize(
    ("relation", "reads_files", "reason_code"),
    [
        ("telemetry.nothing", False, "TABLE_MISSING"),
        ("nowhere.telemetry.events", False, "TABLE_MISSING"),
        ("/nowhere/at/all", True, "NO_FILES"),
        ("SELECT 1", False, "TABLE_MISSING"),
        ("", False, "TABLE_MISSING"),
    ],
)
def test_what_is_missing_is_reported_in_one_sentence(
    spark: Spark, relation: str, reads_files: bool, reason_code: str
) -> None:
    source = SparkSource(spark.url, relation, SCHEMA, reads_files=reads_files)
    with pytest.raises(SourceError) as rejection:
        source.columns()
    assert rejection.value.reason_code == reason_code
    assert_one_sentence(rejection.value)


@pytest.mark.rare
def test_a_file_that_is_not_parquet_is_reported_without_its_content(spark: Spark, tmp_path: Path) -> None:
    (tmp_path / "events.parquet").write_text("secret of a customer " * 20)
    source = SparkSource(spark.url, str(tmp_path), SCHEMA, reads_files=True)
    with pytest.raises(SourceError) as rejection:
        list(source.scan_days(windows_of(UTC_ZONE, DAY), 10))
    assert rejection.value.reason_code == "SOURCE_UNREADABLE"
    assert_one_sentence(rejection.value)
    assert "secret" not in str(rejection.value)


@pytest.mark.rare
def test_hours_are_costly_if_the_plan_reads_much(spark: Spark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, window = in_parquet(spark, Location(tmp_path), make_events(3)), windows_of(UTC_ZONE, DAY)[0]
    assert source.costly_hours(window) is None
    monkeypatch.setattr("telemetry_quality.sources.spark.CHEAP_BYTES", 10)
    assert "read a table that is partitioned by its time" in str(source.costly_hours(window))


@pytest.mark.rare
def test_a_query_beyond_its_time_is_interrupted_on_the_cluster(spark: Spark) -> None:
    source = SparkSource(spark.url, "telemetry.endless", SCHEMA)
    with source._client() as client:
        view = client._spark.sql(ENDLESS, {})
        client.time.seconds = 1
        with pytest.raises(SourceError) as stopped, client._answering():
            view.collect()
        assert stopped.value.reason_code == "TIME_LIMIT"
        assert_one_sentence(stopped.value)
        client.time.seconds = 60
        with client._answering():
            assert client._spark.sql("SELECT 1", {}).collect() == [(1,)], "the cluster is free again"


ENDLESS = "SELECT count(*) AS n FROM range(0, 9000000000000, 1, 4)"

PROGRAM = """
import sys
from telemetry_quality.sources.spark import SparkSource
from telemetry_quality_tests.builders import SCHEMA
with SparkSource(sys.argv[1], "events", SCHEMA)._client() as client, client._answering():
    view = client._spark.sql(sys.argv[2], {})
    print("begun", flush=True)
    view.collect()
"""


@pytest.fixture
def proxy(spark: Spark) -> Iterator[StallingProxy]:
    """Stands in front of the server."""
    with StallingProxy(urlsplit(spark.url).port or 15002) as proxy:
        yield proxy


def test_a_server_that_falls_silent_is_an_outage_soon_after_the_time_limit(
    proxy: StallingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector, "_GRACE_SECONDS", 1)
    source = SparkSource(f"sc://127.0.0.1:{proxy.port}", "events", SCHEMA)
    begun = time.monotonic()
    with source._client() as client:
        view = client._spark.sql(ENDLESS, {})
        client.time.seconds = 2
        threading.Timer(1, proxy.stalled.set).start()
        with pytest.raises(SourceSilentError, match="nothing arrived within 3 s") as silent, client._answering():
            view.collect()
        begun_to_close = time.monotonic()
    assert silent.value.reason_code == "SOURCE_SILENT"
    assert begun_to_close - begun < 8
    assert time.monotonic() - begun_to_close < 4


def test_ctrl_c_ends_what_waits_for_a_silent_server(proxy: StallingProxy) -> None:
    command = [sys.executable, "-c", PROGRAM, f"sc://127.0.0.1:{proxy.port}", ENDLESS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(1)
        proxy.stalled.set()
        process.send_signal(signal.SIGINT)
        pressed = time.monotonic()
        _, errors = process.communicate(timeout=30)
    assert time.monotonic() - pressed < 5
    assert "KeyboardInterrupt" in errors


def test_an_address_where_nothing_listens_is_retried_and_a_token_is_never_shown() -> None:
    port = free_port()
    source = SparkSource(f"sc://127.0.0.1:{port}/;token=s3cret", "events", SCHEMA)
    with pytest.raises(SourceUnavailableError, match=f"127.0.0.1:{port} must be running") as rejection:
        source.columns()
    assert "s3cret" not in str(rejection.value)
    assert_one_sentence(rejection.value)


@pytest.mark.parametrize("url", ["", "http://u:s3cret@host/", "sc://", "sc://host:s3cret", "local[2] s3cret"])
def test_another_url_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(SourceError, match="url requires") as rejection:
        SparkSource(url, "events", SCHEMA)
    assert "s3cret" not in str(rejection.value)


def test_without_pyspark_one_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [module for module in sys.modules if module.split(".")[0] == "pyspark"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(SourceError, match=r'pip install "telemetry-quality\[spark\]"') as rejection:
        SparkSource("sc://127.0.0.1:1", "events", SCHEMA).columns()
    assert rejection.value.reason_code == "EXTRA_MISSING"


def translated(predicate: str) -> tuple[str, dict[str, Any]]:
    columns = {
        name: connector._column(name, "timestamp" if name == "occurred_at" else "string")
        for name in ("event_id", "occurred_at", "event_name", "service_version")
    }
    table = table_of("events", columns, replace(SCHEMA, is_error=predicate))
    (run,) = day_ranges_of([day_window(DAY, UTC_ZONE), day_window(DAY + ONE_DAY, UTC_ZONE)])
    return spark_sql(aggregate_query(table, run))


def test_values_are_passed_as_parameters_of_a_query() -> None:
    text, values = translated("event_name LIKE 'it''s \\%' AND service_version <> '; DROP TABLE x'")
    assert "DROP" not in text
    assert "it's" not in text
    assert set(values.values()) >= {"it's \\\\%", "; DROP TABLE x"}
    assert "`event_name` LIKE :p" in text


def test_integers_have_64_bits_and_division_drops_the_remainder() -> None:
    text, _ = translated("event_name = 'x'")
    assert "DIV CAST(:p" in text
    assert " / " not in text
