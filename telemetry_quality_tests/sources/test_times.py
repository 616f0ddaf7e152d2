"""Times as text and as numbers: every form means the same instant on every engine, and what is none is null on all."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from itertools import count, product
from math import isfinite
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql
from sqlalchemy import Double, Numeric, column, select, table

from telemetry_quality.core.days import day_window
from telemetry_quality.core.events import DayScan
from telemetry_quality.core.time_forms import TimeFormatError, named_form, unit_of_numbers
from telemetry_quality.errors import SourceError
from telemetry_quality.sources.clickhouse import ClickHouseSource
from telemetry_quality.sources.duckdb import DuckDBFileSource, ParquetSource
from telemetry_quality.sources.mysql import MariaDBSource
from telemetry_quality.sources.postgresql import PostgresSource
from telemetry_quality.sources.spark import SparkSource
from telemetry_quality.sources.times import text_microseconds, ticks_of_number
from telemetry_quality_tests.builders import DAY, SCHEMA, make_events, write_parquet
from telemetry_quality_tests.sources.read_times import read_number, read_time

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sqlalchemy import ColumnElement

    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality_tests.servers import ClickHouse, MariaDB, PostgreSQL, Spark

    Ask = Callable[[Sequence[Any], str, Sequence[Callable[[ColumnElement[Any]], ColumnElement[Any]]]], list[list[Any]]]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
NUMBERS = count(1)


def microseconds(at: datetime) -> int:
    return (at - EPOCH) // MICROSECOND


def written(form: str) -> Callable[[datetime], str]:
    """What writes an instant by a format of ``strftime``; unlike there, a year has four digits."""
    return lambda at: at.strftime(form.replace("%Y", f"{at.year:04}"))


def with_colon(at: datetime, form: str = "%Y-%m-%dT%H:%M:%S.%f") -> str:
    offset = at.strftime("%z")
    return f"{written(form)(at)}{offset[:3]}:{offset[3:]}"


WITHOUT_SETTING: dict[str, tuple[timedelta, Callable[[datetime], str]]] = {
    "ISO 8601 with Z": (MICROSECOND, written("%Y-%m-%dT%H:%M:%S.%fZ")),
    "a blank instead of T": (MICROSECOND, written("%Y-%m-%d %H:%M:%S.%f")),
    "a comma": (MICROSECOND, written("%Y-%m-%dT%H:%M:%S,%fZ")),
    "nanoseconds": (MICROSECOND, written("%Y-%m-%dT%H:%M:%S.%f999Z")),
    "seconds": (timedelta(seconds=1), written("%Y-%m-%dT%H:%M:%S")),
    "minutes": (timedelta(minutes=1), written("%Y-%m-%dT%H:%MZ")),
    "days": (timedelta(days=1), written("%Y-%m-%d")),
    "BigQuery": (timedelta(seconds=1), written("%Y-%m-%d %H:%M:%S UTC")),
    "BigQuery with a fraction": (MICROSECOND, written("%Y-%m-%d %H:%M:%S.%f UTC")),
    "Go": (MICROSECOND, written("%Y-%m-%d %H:%M:%S.%f %z UTC")),
    "Snowflake": (MICROSECOND, written("%Y-%m-%d %H:%M:%S.%f %z")),
    "Java": (MICROSECOND, written("%Y-%m-%dT%H:%M:%S.%f%z")),
    "an offset with a colon": (MICROSECOND, with_colon),
    "the basic form": (timedelta(seconds=1), written("%Y%m%dT%H%M%SZ")),
    "the basic form with more": (MICROSECOND, written("%Y%m%dT%H%M%S.%f%z")),
    "RFC 2822": (timedelta(seconds=1), written("%a, %d %b %Y %H:%M:%S %z")),
    "HTTP": (timedelta(seconds=1), written("%a, %d %b %Y %H:%M:%S GMT")),
}
"""What each form can say, and how it is written."""

NAMED = {
    "%d/%m/%Y %H:%M:%S": timedelta(seconds=1),
    "%m/%d/%Y %I:%M:%S.%f %p": MICROSECOND,
    "%d/%b/%Y:%H:%M:%S %z": timedelta(seconds=1),
    "%Y%m%d%H%M%S%f": MICROSECOND,
    "%Y.%m.%d %H:%M": timedelta(minutes=1),
    "%a %b %d %H:%M:%S UTC %Y": timedelta(seconds=1),
    "(%Y) %d-%m: 100%% %H'%M$%S": timedelta(seconds=1),
}
"""Formats and what they can say."""

NASTY = (
    *("", " ", "0", "-1", "null", "NaN", "infinity", "-infinity", "epoch", "now", "today", "2025", "12:00:00"),
    *(
        "2025-02-30",
        "2025-02-29T00:00:00Z",
        "1900-02-29",
        "2024-02-29",
        "2025-04-31 00:00:00",
        "2025-13-01",
        "2025-00-10",
    ),
    *("2025-03-10T24:00:00Z", "2025-03-10T23:59:60Z", "2025-03-10T12:60:00Z", "2025-03-10T25:00:00Z"),
    *("0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "10000-01-01T00:00:00Z"),
    *("0001-01-01T00:00:00+15:59", "9999-12-31T23:59:59-15:59", "-2025-03-10T00:00:00Z", "+002025-03-10T00:00:00Z"),
    *(
        "2025-03-10 BC",
        "2025-03-10 00:00:00 BC",
        "2025-3-1",
        "2025-03-1",
        "25-03-10",
        "2025/03/10",
        "20250310",
        "1741564800",
    ),
    *(
        "2025-03-10T12:00:00+16:00",
        "2025-03-10T12:00:00+5",
        "2025-03-10T12:00:00+05:60",
        "2025-03-10T12:00:00+05:30:15",
    ),
    *(
        "2025-03-10T12:00:00Z+05:00",
        "2025-03-10T12:00:00 Europe/Berlin",
        "2025-03-10T12:00:00 EST",
        "2025-03-10T12:00:00z",
    ),
    *(
        "2025-03-10t12:00:00Z",
        "2025-03-10  12:00:00",
        "2025-03-10 12:00:00 ",
        " 2025-03-10 12:00:00",
        "2025-03-10 12:00:00\n",
    ),
    *("2025-03-10T12:00:00Z\n", "2025-03-10\r\n", "2025-03-10\u2028", "\n2025-03-10", "2025-03-10T12:00:00\x85"),
    *(
        "2025-03-10T12:00:00.",
        "2025-03-10T12:00:00.Z",
        "2025-03-10T12:00:00..1",
        "2025-03-10T12:00:00.1.2",
        "2025-03-10T12",
    ),
    *(
        f"2025-03-10T12:00:00.{'1' * 60}Z",
        f"2025-03-10T12:00:00{'0' * 300}",
        "2025-03-10T12:00:00,",
        "2025-03-10T1:00:00",
    ),
    *("２０２５-03-10", "٢٠٢٥-٠٣-١٠", "2025‐03‐10", "2025-03-10T12:00:00\u00a0UTC", "é", "🛰️", "%", "\\1", "'", "a\tb"),
    *(
        "20250310T120000",
        "20250310T120000Z\n",
        "20250230T120000Z",
        "20250310T1200Z",
        "20250310T240000Z",
        "20250310 120000",
    ),
    *(
        "Mon, 10 Mar 2025 12:00:00 +0000",
        "Mon, 1 Mar 2025 12:00:00 GMT",
        "Mon, 30 Feb 2025 12:00:00 GMT",
        "Mon, 10 Mar 2025",
    ),
    *(
        "10 Mar 2025 12:00:00 +0000",
        "Mon, 10 mar 2025 12:00:00 GMT",
        "Mon, 10 Mar 25 12:00:00 GMT",
        "Mon, 10 Mar 2025 12:00:60 GMT",
    ),
    *("Mon, 10 Mar 2025 12:00:00 EST", "Fri, 10 Mär 2025 12:00:00 GMT", "Mon, 10 Mar 2025 12:00:00 +0000\n"),
    *(
        "2025-03-10 12:00 UTC",
        "2025-03-10 12:00:00 UTC UTC",
        "2025-03-10 12:00:00 +0000 UTC m=+0.1",
        "2025-03-10 +0000",
    ),
    *(
        "2025-03-10T12:00:00Z[UTC]",
        "2025-W11-1",
        "2025-069",
        "TRUE",
        "1.5e9",
        "1741564800.5",
        "2025-03-10T12:00:00−05:00",
    ),
)
NASTY_NUMBERS = (
    *(
        "1741564800",
        "1741564800.1234567",
        "1741651199.9999999",
        "1741564800.",
        ".5",
        "-5",
        "+5",
        "1e9",
        "0",
        "00",
        "007",
    ),
    *(
        "253402300799",
        "253402300800",
        "999999999999",
        "1000000000000",
        "1741564800000",
        "253402300799999",
        "253402300800000",
    ),
    *("1741564800000.9999", "1741564800000000", "1741564800000000000", "8999999999999999999", "9000000000000000000"),
    *(
        "9223372036854775808",
        "99999999999999999999",
        "1741564800\n",
        "1,741,564,800",
        "１７４１",
        "0x1",
        " 1",
        "1 ",
        "NaN",
    ),
)
INSTANTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
OFFSETS = st.integers(-15 * 60 - 59, 15 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def in_duckdb(values: Sequence[Any], type_name: str, readings: Sequence[Any]) -> list[list[Any]]:
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/times.duckdb"
        with duckdb.connect(path) as connection:
            connection.execute(f"CREATE TABLE times (n INTEGER, t {type_name})")
            connection.executemany("INSERT INTO times VALUES (?, ?)", list(enumerate(values)))
        return asked(DuckDBFileSource(path, "times", SCHEMA), "times", type_name, readings)


def in_postgresql(
    server: PostgreSQL, values: Sequence[Any], type_name: str, readings: Sequence[Any]
) -> list[list[Any]]:
    name = f"times {next(NUMBERS)}"
    with server.connect() as connection:
        connection.execute(
            sql.SQL(f"CREATE TABLE {{}} (n INTEGER, t {type_name.replace('DOUBLE', 'DOUBLE PRECISION')})").format(
                sql.Identifier(name)
            )
        )
        with (
            connection.cursor() as cursor,
            cursor.copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(name))) as copy,
        ):
            for row in enumerate(values):
                copy.write_row(row)
    return asked(PostgresSource(server.url(), name, SCHEMA), name, type_name, readings)


def in_clickhouse(
    server: ClickHouse, values: Sequence[Any], type_name: str, readings: Sequence[Any]
) -> list[list[Any]]:
    types = {"VARCHAR": "String", "DOUBLE": "Float64", "DECIMAL(38, 9)": "Decimal(38, 9)"}
    held = [str(value) if isinstance(value, (Decimal, float)) else value for value in values]
    name = server.new_table(
        f"n Int64, t Nullable({types[type_name]})", [{"n": n, "t": value} for n, value in enumerate(held)]
    )
    return asked(ClickHouseSource(server.url(), name, SCHEMA), name, type_name, readings)


def in_mariadb(server: MariaDB, values: Sequence[Any], type_name: str, readings: Sequence[Any]) -> list[list[Any]]:
    type_name = type_name.replace("VARCHAR", "VARCHAR(400) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    # It has neither NaN nor infinity.
    held = [None if isinstance(value, float) and not isfinite(value) else value for value in values]
    name = server.new_table(f"n INTEGER, t {type_name}", [list(row) for row in enumerate(held)])
    return asked(MariaDBSource(server.url(), name, SCHEMA), name, type_name, readings)


def in_spark(server: Spark, values: Sequence[Any], type_name: str, readings: Sequence[Any]) -> list[list[Any]]:
    with tempfile.TemporaryDirectory(dir=server.folder) as folder:
        path = f"{folder}/times.parquet"
        with duckdb.connect() as connection:
            connection.execute(f"CREATE TABLE times (n INTEGER, t {type_name})")
            connection.executemany("INSERT INTO times VALUES (?, ?)", list(enumerate(values)))
            connection.execute("COPY times TO ? (FORMAT parquet)", [path])
        source = SparkSource(server.url, path, SCHEMA, reads_files=True)
        with source._client() as client:
            client._frame(path).createOrReplaceTempView("times")
            return answers(client, "times", type_name, readings)


def asked(source: Any, name: str, type_name: str, readings: Sequence[Any]) -> list[list[Any]]:
    with source._client() as client:
        return answers(client, name, type_name, readings)


def answers(client: Any, name: str, type_name: str, readings: Sequence[Any]) -> list[list[Any]]:
    kinds: dict[str, Any] = {"DOUBLE": Double(), "DECIMAL(38, 9)": Numeric(38, 9)}
    times = table(name, column("n"), column("t", kinds.get(type_name)))
    rows = client.execute(select(times.c.n, *(reading(times.c.t) for reading in readings)))
    in_order = sorted(map(tuple, rows))
    return [[row[place + 1] for row in in_order] for place in range(len(readings))]


@pytest.fixture(
    scope="module",
    params=[
        "duckdb",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("postgresql", "clickhouse", "mariadb")),
        pytest.param("spark", marks=[pytest.mark.slow, pytest.mark.rare]),
    ],
)
def ask(request: pytest.FixtureRequest) -> Ask:
    """What reads values on an engine."""
    servers: dict[str, Callable[..., list[list[Any]]]] = {
        "postgresql": in_postgresql,
        "clickhouse": in_clickhouse,
        "mariadb": in_mariadb,
        "spark": in_spark,
    }
    name = request.param
    return in_duckdb if name == "duckdb" else partial(servers[name], request.getfixturevalue(name))


def reading(unit: str | None = None, form: str | None = None) -> Callable[[ColumnElement[Any]], ColumnElement[Any]]:
    return lambda text: text_microseconds(text, unit, form)


def truncated(at: datetime, to: timedelta) -> datetime:
    since = at.replace(tzinfo=UTC) - EPOCH
    return (EPOCH + since // to * to).replace(tzinfo=at.tzinfo)


@settings(max_examples=2, deadline=None, derandomize=True)
@given(instants=st.lists(st.tuples(INSTANTS, OFFSETS), min_size=30, max_size=30))
def test_every_form_that_needs_no_setting_is_read_as_the_instant_that_it_says(
    ask: Ask, instants: list[tuple[datetime, timezone]]
) -> None:
    texts, expected = [], []
    for (at, offset), (step, write) in product(instants, WITHOUT_SETTING.values()):
        says_offset = write(at) != write(at.replace(tzinfo=timezone(timedelta(hours=1))))
        local = truncated(at.replace(tzinfo=offset) if says_offset else at, step)
        texts.append(write(local))
        expected.append(microseconds(local))
    assert ask(texts, "VARCHAR", [reading()]) == [expected]


@settings(max_examples=2, deadline=None, derandomize=True)
@given(instants=st.lists(st.tuples(INSTANTS, OFFSETS), min_size=30, max_size=30))
def test_a_named_format_is_read_as_strptime_reads_it(ask: Ask, instants: list[tuple[datetime, timezone]]) -> None:
    texts, expected = [], []
    for form, step in NAMED.items():
        local = [truncated(at.replace(tzinfo=offset) if "%z" in form else at, step) for at, offset in instants]
        texts += [written(form)(at) for at in local]
        expected.append([microseconds(at) for at in local])
    found = ask(texts, "VARCHAR", [reading(form=form) for form in NAMED])
    size = len(instants)
    assert [answers[size * place : size * (place + 1)] for place, answers in enumerate(found)] == expected


READINGS = (
    *((None, None), ("s", None), ("ms", None), ("us", None), ("ns", None)),
    *((None, form) for form in NAMED),
    *((None, "%Y-%m-%d"), ("s", "%d.%m.%Y"), (None, "%Y-%m-%dT%H:%M:%SZ")),
)


def test_what_is_no_time_is_null_on_every_engine_and_never_an_error(ask: Ask) -> None:
    texts = [*NASTY, *NASTY_NUMBERS, None]
    found = ask(texts, "VARCHAR", [reading(*how) for how in READINGS])
    for how, answers in zip(READINGS, found, strict=True):
        expected = [read_time(text, *how) for text in texts]
        wrong = [
            (text, answer, wanted)
            for text, answer, wanted in zip(texts, answers, expected, strict=True)
            if answer != wanted
        ]
        assert wrong == [], how


FLOATS = (
    *(0.0, 1741564800.0, 1741564800.123457, 1741564800.0078125, 1741651199.9999999, 1741651199.9999998, -1.5, 1.7e12),
    *(
        1741564800123.456,
        1741651199999.9998,
        1741564800123456.0,
        1.7415648e18,
        1e300,
        -1e300,
        253402300799.5,
        253402300800.0,
    ),
    *(float("nan"), float("inf"), float("-inf"), -62135596800.0, -62135596801.0, 9.3e18, None),
)


def test_a_float_is_exact_to_the_microsecond_and_never_rounded_into_the_next_second(ask: Ask) -> None:
    units = ("s", "ms", "us", "ns")
    readings = [partial(lambda unit, value: ticks_of_number(value, unit)[0], unit) for unit in units]
    found = ask(FLOATS, "DOUBLE", readings)
    assert found == [[read_number(value, unit) for value in FLOATS] for unit in units]
    seconds = dict(zip(FLOATS, found[0], strict=True))
    assert seconds[1741564800.123457] == 1741564800123457
    assert seconds[1741651199.9999998] == 1741651199999999
    assert seconds[float("inf")] is None


def test_a_decimal_is_read_as_the_float_is(ask: Ask) -> None:
    values = [*(Decimal(text) for text in ("0", "1741564800.123456789", "1741651199.9999997", "-1.5", "9e18")), None]
    ((*found, nothing),) = ask(values, "DECIMAL(38, 9)", [lambda value: ticks_of_number(value, "s")[0]])
    assert (found, nothing) == ([0, 1741564800123457, 1741651199999999, -1500000, None], None)


@pytest.mark.parametrize(
    ("numbers", "unit"),
    [
        (["1000000000", "9999999999"], "s"),
        (["999999999", "1000000000"], None),
        (["9999999999", "10000000000"], None),
        (["1000000000000", "9999999999999.9"], "ms"),
        (["999999999999"], None),
        (["10000000000000"], None),
        (["1000000000000000"], "us"),
        (["1741564800000000000"], "ns"),
        (["1741564800", "1741564800000"], None),
        (["-1"], None),
        ([], None),
    ],
)
def test_the_unit_of_numbers_is_found_only_where_all_are_times_of_our_years_in_it(
    numbers: list[str], unit: str | None
) -> None:
    assert unit_of_numbers([Decimal(number) for number in numbers])[0] == unit


@pytest.mark.parametrize(
    ("form", "found"),
    [
        ("%d/%m %H:%M:%S", "has no year"),
        ("%Y-%m-%d %q", "but %q was found"),
        ("%Y-%m-%d %", "but % alone was found"),
        ("%Y-%m-%d %I:%M", "requires %I and %p together"),
        ("%Y-%m-%d %M", "requires %H before %M before %S"),
        ("%Y-%m-%d %f", "requires %S where it has %f"),
        ("%Y-%m-%d %d", "may name the day only once"),
        ("%Y-%m-%d\n", "printable ASCII"),
        ("%Y-%m-%d [x]", "may not have"),
    ],
)
def test_a_format_that_cannot_be_read_on_every_engine_is_refused_with_what_was_found(form: str, found: str) -> None:
    with pytest.raises(TimeFormatError, match=found):
        named_form(form)


def test_auto_finds_the_unit_in_some_rows_and_refuses_what_fits_two(tmp_path: Path) -> None:
    schema = replace(SCHEMA, time_unit="auto")
    assert events_at(tmp_path / "ms.duckdb", "BIGINT", [0, 1773144000000, 1773144001000], schema) == 2
    assert events_at(tmp_path / "ns.duckdb", "VARCHAR", ["1773144000000000000", "2026-03-10T12:00:01Z"], schema) == 2
    assert events_at(tmp_path / "none.duckdb", "DOUBLE", [None], schema) == 0
    with pytest.raises(SourceError, match="they lie between 1,773,144,000 and 1,773,144,000,000; set") as caught:
        events_at(tmp_path / "mixed.duckdb", "BIGINT", [1773144000, 1773144000000], schema)
    assert caught.value.reason_code == "TIME_UNIT_AMBIGUOUS"


def events_at(path: Path, type_name: str, times: Sequence[Any], schema: EventSchema) -> int:
    """How many of the times are counted on the day."""
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            f"CREATE TABLE events (occurred_at {type_name}, event_id VARCHAR, event_name VARCHAR,"
            " service_version VARCHAR, is_error BOOLEAN)"
        )
        connection.executemany("INSERT INTO events VALUES (?, 'e', 'n', '1', FALSE)", [[time] for time in times])
    return DuckDBFileSource(str(path), "events", schema).count_day(day_window(DAY, ZoneInfo("UTC"))).events


NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize("file", ["day=2026-03-10/part-0.parquet", "events.parquet"])
@pytest.mark.parametrize(
    "written",
    [
        ("VARCHAR", NOON.isoformat(), "10.3.2026 noon"),
        ("TIMESTAMPTZ", NOON, None),
        ("DOUBLE", 1773144000.5, float("nan")),
    ],
)
@pytest.mark.parametrize(
    ("unreadable", "reason"), [(0, None), (1, None), (2, "TIMES_UNREADABLE"), (100, "TIMES_UNREADABLE")]
)
def test_a_day_whose_files_hold_many_events_without_a_readable_time_is_unknown(
    tmp_path: Path, file: str, written: tuple[str, Any, Any], unreadable: int, reason: str | None
) -> None:
    time_type, good, bad = written
    times = [bad] * unreadable + [good] * (100 - unreadable if unreadable < 100 else 100)
    events = make_events(len(times))
    for event, at in zip(events, times, strict=True):
        event["occurred_at"] = at
    write_parquet(tmp_path / file, events, {"occurred_at": time_type})
    schema = replace(SCHEMA, critical_fields=(), time_unit="s")
    window = day_window(DAY, ZoneInfo("UTC"))
    around = [day_window(DAY + timedelta(days=n), ZoneInfo("UTC")) for n in (-1, 0, 1)]
    source = ParquetSource(str(tmp_path), schema, ZoneInfo("UTC"))
    (scan,) = source.scan_days([window], 10)
    _, same, _ = source.scan_days(around, 10)
    assert getattr(scan, "reason_code", None) == getattr(same, "reason_code", None) == reason
    if isinstance(scan, DayScan):
        assert scan.aggregates.totals().events == 100 - unreadable
    left_out = replace(schema, where="event_id = 'none'")
    assert not hasattr(next(ParquetSource(str(tmp_path), left_out, ZoneInfo("UTC")).scan_days([window], 10)), "reason")


def test_where_arrivals_are_known_unreadable_times_are_counted_there(tmp_path: Path) -> None:
    events = make_events(4, observed_at=NOON)
    events[0]["occurred_at"] = events[1]["occurred_at"] = None
    write_parquet(tmp_path / "events.parquet", events, {"observed_at": "TIMESTAMPTZ"})
    schema = replace(SCHEMA, critical_fields=(), observed_at="observed_at")
    source = ParquetSource(str(tmp_path), schema, ZoneInfo("UTC"))
    (scan,) = source.scan_days([day_window(DAY, ZoneInfo("UTC"))], 10)
    assert isinstance(scan, DayScan)
    assert scan.arrivals is not None
    assert (scan.arrivals.observed_events, scan.arrivals.undated_events) == (4, 2)
