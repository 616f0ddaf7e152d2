"""The DuckDB connector: database files opened read-only, and faults reported in plain words."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import combinations
from statistics import mean, variance
from threading import Timer
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import duckdb
import pytest
from sqlalchemy import func, select

from telemetry_quality.core.days import day_window
from telemetry_quality.core.events import DayScan, UnreadableDay
from telemetry_quality.errors import SourceError, SourceUnavailableError
from telemetry_quality.sources.duckdb import DuckDBFileSource, ParquetSource
from telemetry_quality.sources.functions import HASH_SPACE
from telemetry_quality.sources.query import day_ranges_of
from telemetry_quality_tests.builders import DAY, SCHEMA, make_events, write_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WINDOW = day_window(DAY, ZoneInfo("UTC"))


def make_file(folder: Path, *statements: str) -> Path:
    """A file with a table ``events`` of three events on DAY."""
    path = folder / "events.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            "CREATE TABLE events AS SELECT 'e' || i AS event_id, TIMESTAMPTZ '2026-03-10 12:00:00+00' AS occurred_at,"
            " 'page.view' AS event_name, '1.0' AS service_version, i = 0 AS is_error FROM range(3) AS numbers(i)"
        )
        for statement in statements:
            connection.execute(statement)
    return path


@contextmanager
def open_for_writing_elsewhere(path: Path) -> Iterator[None]:
    program = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        try:
            yield
        finally:
            process.communicate()


@pytest.mark.slow
def test_a_file_open_for_writing_elsewhere_is_only_temporarily_unavailable(tmp_path: Path) -> None:
    path = make_file(tmp_path)
    source = DuckDBFileSource(str(path), "events", SCHEMA)
    with open_for_writing_elsewhere(path):
        for ask in (lambda: list(source.scan_days([WINDOW], 1)), lambda: source.count_days([WINDOW]), source.columns):
            with pytest.raises(SourceUnavailableError, match="must not be open for writing elsewhere") as caught:
                ask()
            assert caught.value.reason_code == "SOURCE_LOCKED"
            assert str(path) in str(caught.value)
    assert source.count_days([WINDOW]) == {DAY: 3}


def test_a_file_that_this_process_has_open_for_writing_is_temporarily_unavailable_too(tmp_path: Path) -> None:
    path = make_file(tmp_path)
    source = DuckDBFileSource(str(path), "events", SCHEMA)
    with duckdb.connect(str(path)), pytest.raises(SourceUnavailableError) as caught:
        source.count_days([WINDOW])
    assert caught.value.reason_code == "SOURCE_LOCKED"
    assert source.count_days([WINDOW]) == {DAY: 3}


def test_sources_with_different_memory_limits_may_be_in_one_file(tmp_path: Path) -> None:
    path = make_file(tmp_path)
    sources = [DuckDBFileSource(str(path), "events", SCHEMA, memory_limit_bytes=bytes_) for bytes_ in (2**28, 2**29)]
    with sources[0]._client():
        assert sources[1].count_days([WINDOW]) == {DAY: 3}


@pytest.mark.parametrize("name", ["memory", "temp", "system", "main", "it's my.file"])
def test_a_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    path = make_file(tmp_path).rename(tmp_path / f"{name}.duckdb")
    assert DuckDBFileSource(str(path), "events", SCHEMA).count_days([WINDOW]) == {DAY: 3}


def test_a_file_is_opened_read_only(tmp_path: Path) -> None:
    source = DuckDBFileSource(str(make_file(tmp_path)), "events", SCHEMA)
    with source._client() as client, pytest.raises(duckdb.InvalidInputException, match="read-only"):
        client.connection.execute("DELETE FROM events")
    assert source.count_days([WINDOW]) == {DAY: 3}


def test_a_view_is_as_good_as_a_table(tmp_path: Path) -> None:
    path = make_file(tmp_path, "CREATE VIEW seen AS SELECT *, 'x' AS more FROM events WHERE event_id <> 'e1'")
    assert DuckDBFileSource(str(path), "seen", SCHEMA).count_days([WINDOW]) == {DAY: 2}


@pytest.mark.parametrize("name", ["my events", "Events 2", "it's", "ünï", "select", "x; DROP TABLE events"])
def test_a_table_may_have_any_name(tmp_path: Path, name: str) -> None:
    path = make_file(tmp_path, f'CREATE TABLE "{name}" AS FROM events')
    (answer,) = DuckDBFileSource(str(path), name, SCHEMA).scan_days([WINDOW], 1)
    assert isinstance(answer, DayScan), answer
    assert answer.aggregates.totals().events == 3


def test_a_missing_file_is_not_created(tmp_path: Path) -> None:
    path = tmp_path / "absent.duckdb"
    with pytest.raises(SourceError, match="A DuckDB file is required") as caught:
        list(DuckDBFileSource(str(path), "events", SCHEMA).scan_days([WINDOW], 1))
    assert caught.value.reason_code == "FILE_MISSING"
    assert not path.exists()


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="absent") as caught:
        DuckDBFileSource(str(make_file(tmp_path)), "absent", SCHEMA).count_days([WINDOW])
    assert caught.value.reason_code == "TABLE_MISSING"
    assert not isinstance(caught.value, SourceUnavailableError)


def test_a_table_without_a_role_column_is_an_error_and_never_zero(tmp_path: Path) -> None:
    path = make_file(tmp_path, "ALTER TABLE events DROP COLUMN is_error")
    with pytest.raises(SourceError, match="is_error requires the column 'is_error'") as caught:
        list(DuckDBFileSource(str(path), "events", SCHEMA).scan_days([WINDOW], 1))
    assert caught.value.reason_code == "COLUMN_MISSING"


@pytest.mark.parametrize("content", [b"", b"no database, just words\n" * 400], ids=["empty", "garbage"])
def test_a_file_that_is_not_a_database_is_unreadable_and_not_retried(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "events.duckdb"
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        list(DuckDBFileSource(str(path), "events", SCHEMA).scan_days([WINDOW], 1))
    assert not isinstance(caught.value, SourceUnavailableError)
    assert path.read_bytes() == content


def test_a_failing_query_never_repeats_a_value_of_an_event(tmp_path: Path) -> None:
    """Reasons are stored, and no personal data may reach the store."""
    path = make_file(
        tmp_path,
        "CREATE VIEW private AS SELECT * REPLACE (CAST(CAST(event_id AS INTEGER) AS TEXT) AS event_id) FROM events",
    )
    (answer,) = DuckDBFileSource(str(path), "private", SCHEMA).scan_days([WINDOW], 1)
    assert isinstance(answer, UnreadableDay)
    assert answer.reason_code == "QUERY_FAILED"
    assert "'e" not in answer.reason
    assert "ConversionException" in answer.reason


def test_an_interrupt_by_the_user_is_not_reported_as_a_time_limit(tmp_path: Path) -> None:
    path = make_file(tmp_path, "CREATE VIEW endless AS SELECT events.* FROM events, range(1000000), range(1000000)")
    source = DuckDBFileSource(str(path), "endless", SCHEMA, time_limit_seconds=60)
    with source._client() as client:
        events = client.event_table("endless", SCHEMA, "")
        timer = Timer(0.2, client.connection.interrupt)
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            client.execute(select(func.count()).select_from(events.relation).where(events.relation.c.event_id != "x"))
        timer.join()


def test_a_read_in_another_thread_ends_when_it_is_interrupted(tmp_path: Path) -> None:
    path = make_file(tmp_path, "CREATE VIEW endless AS SELECT events.* FROM events, range(1000000), range(1000000)")
    source = DuckDBFileSource(str(path), "endless", SCHEMA)
    source.interrupt()  # without a read, nothing happens
    with ThreadPoolExecutor(1) as pool:
        scan = pool.submit(lambda: list(source.scan_days([WINDOW], 1)))
        while wait([scan], 0.1).not_done:
            source.interrupt()
        with pytest.raises(KeyboardInterrupt):
            scan.result()
    source.interrupt()


def test_the_time_zone_of_the_machine_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_file(
        tmp_path, "CREATE TABLE naive AS SELECT * REPLACE (TIMESTAMP '2026-03-10 23:30:00' AS occurred_at) FROM events"
    )
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    (answer,) = DuckDBFileSource(str(path), "naive", SCHEMA).scan_days([WINDOW], 1)
    assert isinstance(answer, DayScan)
    assert list(answer.aggregates.by_hour()) == [23]


def test_a_path_that_contains_the_word_lock_is_not_reported_as_locked(tmp_path: Path) -> None:
    path = tmp_path / "clock" / "events.duckdb"
    path.parent.mkdir()
    path.write_bytes(b"garbage" * 1000)
    with pytest.raises(SourceError) as caught:
        DuckDBFileSource(str(path), "events", SCHEMA).count_days([WINDOW])
    assert not isinstance(caught.value, SourceUnavailableError)


@pytest.mark.parametrize("name", ["s.events", "show"])
def test_a_table_may_be_in_a_schema_or_be_named_like_a_keyword(tmp_path: Path, name: str) -> None:
    quoted = ".".join(f'"{part}"' for part in name.split("."))
    path = make_file(tmp_path, "CREATE SCHEMA s", f"CREATE TABLE {quoted} AS FROM events")
    (scan,) = DuckDBFileSource(str(path), name, SCHEMA).scan_days([WINDOW], 10)
    (same,) = DuckDBFileSource(str(path), "events", SCHEMA).scan_days([WINDOW], 10)
    assert isinstance(scan, DayScan)
    assert isinstance(same, DayScan)
    assert scan.aggregates == same.aggregates


@pytest.mark.slow
def test_samples_under_different_salts_overlap_only_by_chance(tmp_path: Path) -> None:
    path = make_file(
        tmp_path,
        "INSERT INTO events SELECT 'n' || i, e.* EXCLUDE (event_id) FROM events e, range(117) AS t(i) WHERE is_error",
    )
    drawn = []
    for salt in range(60):
        (scan,) = DuckDBFileSource(str(path), "events", SCHEMA, salt=str(salt)).scan_days([WINDOW], 40)
        assert isinstance(scan, DayScan)
        drawn.append({event.event_id for event in scan.sample})
    shared = [len(first & second) for first, second in combinations(drawn, 2)]
    # Hypergeometric: two draws of 40 from 120 have 13 in common on average, with a variance of 6.
    assert mean(shared) == pytest.approx(13, abs=1)
    assert variance(shared) == pytest.approx(6, abs=1.5)


def test_an_id_that_is_repeated_endlessly_adds_no_more_events_than_are_drawn(tmp_path: Path) -> None:
    path = make_file(
        tmp_path, "INSERT INTO events SELECT 'same', e.* EXCLUDE (event_id) FROM events e, range(20000) AS t(i)"
    )
    source = DuckDBFileSource(str(path), "events", SCHEMA)
    with source._client() as client:
        events = client.event_table("events", SCHEMA, "")
        (day_range,) = day_ranges_of([WINDOW])
        assert len(client.execute(events.sample_query(day_range, {0: HASH_SPACE - 1}, 50))) == 50
    (scan,) = source.scan_days([WINDOW], 50)
    assert isinstance(scan, DayScan)
    assert len(scan.sample) == 50


# What a session may reach

OUTSIDE = {
    "a file": "read_text('{outside}/secret.txt')",
    "a file by its URL": "read_blob('file://{outside}/secret.txt')",
    "a Parquet file": "read_parquet('{outside}/other.parquet')",
    "a Parquet file's footer": "parquet_schema('{outside}/other.parquet')",
    "a file called by its name": "'{outside}/other.parquet'",
    "a file beside it": "read_csv('{outside}/../beside.csv')",
    "a CSV file": "read_csv('{outside}/secret.txt')",
    "lines of JSON": "read_json('{outside}/lines.json')",
    "names of files": "glob('{outside}/*')",
    "this process": "read_text('/proc/self/environ')",
    "a text that is run": "query('FROM read_text(''{outside}/secret.txt'')')",
    "an engine's extension": "sqlite_scan('{outside}/secret.txt', 'secret')",
}
"""What a view may try to read."""

EXTERNAL = [
    "FROM read_parquet('https://127.0.0.1:9/secret.parquet')",
    "FROM 's3://bucket/secret.parquet'",
    "FROM read_csv('/dev/stdin')",
    "LOAD httpfs",
    "INSTALL httpfs",
    "ATTACH '{outside}/other.duckdb'",
    "COPY events TO '{outside}/copy.csv'",
    "EXPORT DATABASE '{outside}/copy'",
]


def with_a_view_of(relation: str, folder: Path) -> Path:
    """A file whose view reads ``relation`` too, written by somebody whose DuckDB may."""
    path = make_file(folder)
    with duckdb.connect(str(path)) as connection:
        # Stands in for the extension that the writer has.
        connection.execute("CREATE MACRO sqlite_scan(file, name) AS TABLE SELECT file, name")
        connection.execute(
            f"CREATE VIEW private AS SELECT events.* FROM events, (SELECT count(*) FROM {relation}) AS c(n) WHERE n > 0"
        )
        connection.execute("DROP MACRO TABLE sqlite_scan")
    return path


def write_secrets(folder: Path) -> Path:
    outside = folder / "outside"
    write_parquet(outside / "other.parquet", make_events(3))
    (outside / "secret.txt").write_text("name,word\npassword,1234\n")
    (outside / "lines.json").write_text('{"password": 1234}\n')
    (folder / "beside.csv").write_text("a\n1234\n")
    return outside


@pytest.mark.parametrize("what", OUTSIDE)
def test_a_view_that_reads_anything_but_its_own_file_is_refused_in_a_sentence(tmp_path: Path, what: str) -> None:
    path = with_a_view_of(OUTSIDE[what].format(outside=write_secrets(tmp_path)), tmp_path)
    source = DuckDBFileSource(str(path), "private", SCHEMA)
    for ask in (lambda: list(source.scan_days([WINDOW], 1)), lambda: source.count_days([WINDOW]), source.columns):
        with pytest.raises(SourceError) as caught:
            ask()
        assert caught.value.reason_code == "EXTERNAL_ACCESS"
        assert str(caught.value).startswith(f"{path} must hold its events itself, but a view in it reads other files")
        assert "1234" not in str(caught.value)
    assert DuckDBFileSource(str(path), "events", SCHEMA).count_days([WINDOW]) == {DAY: 3}, "its tables are read"


def test_a_view_that_reads_a_file_only_when_it_runs_makes_the_day_unreadable(tmp_path: Path) -> None:
    path = with_a_view_of(f"sniff_csv('{write_secrets(tmp_path)}/secret.txt')", tmp_path)
    (answer,) = DuckDBFileSource(str(path), "private", SCHEMA).scan_days([WINDOW], 1)
    assert isinstance(answer, UnreadableDay)
    assert answer.reason_code == "EXTERNAL_ACCESS"


@pytest.mark.parametrize("statement", EXTERNAL)
def test_a_session_reaches_nothing_outside_its_file(tmp_path: Path, statement: str) -> None:
    outside = write_secrets(tmp_path)
    source = DuckDBFileSource(str(make_file(tmp_path)), "events", SCHEMA)
    with source._client() as client, pytest.raises(SourceError) as caught, client.limited():
        client.connection.execute(statement.format(outside=outside)).fetchall()
    assert caught.value.reason_code == "EXTERNAL_ACCESS"
    assert sorted(path.name for path in outside.iterdir()) == ["lines.json", "other.parquet", "secret.txt"]


@pytest.mark.parametrize(
    "setting",
    ["enable_external_access = true", "lock_configuration = false", "memory_limit = '99GB'", "threads = 99"]
    + [f"{name} = true" for name in ("autoload_known_extensions", "autoinstall_known_extensions")]
    + ["allowed_directories = ['/']", "allowed_paths = ['/etc/passwd']", "temp_directory = '/'"],
)
def test_a_session_s_limits_cannot_be_lifted(tmp_path: Path, setting: str) -> None:
    source = DuckDBFileSource(str(make_file(tmp_path)), "events", SCHEMA)
    with source._client() as client, pytest.raises(duckdb.Error):
        client.connection.execute(f"SET {setting}")


def test_a_variable_of_this_process_is_no_table(tmp_path: Path) -> None:
    source = DuckDBFileSource(str(make_file(tmp_path)), "events", SCHEMA)
    private = duckdb.connect().sql("SELECT 1234 AS password")
    with source._client() as client, pytest.raises(duckdb.CatalogException, match="private"):
        client.connection.execute("FROM private")
    assert private.fetchall() == [(1234,)]


def test_files_that_play_no_part_are_refused_to_a_session_over_parquet_too(tmp_path: Path) -> None:
    outside = write_secrets(tmp_path)
    write_parquet(tmp_path / "events" / "a.parquet", make_events(3))
    source = ParquetSource(str(tmp_path / "events"), SCHEMA, ZoneInfo("UTC"))
    assert source.count_days([WINDOW]) == {DAY: 3}
    with source._client() as client:
        assert client.connection.execute(f"SELECT count(*) FROM '{tmp_path}/events/a.parquet'").fetchall() == [(3,)]
        for file in (outside / "other.parquet", tmp_path / "events" / ".." / "outside" / "other.parquet"):
            with pytest.raises(duckdb.PermissionException):
                client.connection.execute(f"FROM '{file}'")


READ = """
import os, sys
from zoneinfo import ZoneInfo
from telemetry_quality.core.days import day_window
from telemetry_quality.errors import SourceError
from telemetry_quality.sources.duckdb import DuckDBFileSource, ParquetSource
from telemetry_quality_tests.builders import DAY, SCHEMA, make_events, write_parquet
kind, path, table = sys.argv[1:]
utc = ZoneInfo("UTC")

def ask():
    source = DuckDBFileSource(path, table, SCHEMA) if kind == "duckdb" else ParquetSource(path, SCHEMA, utc)
    return list(source.scan_days([day_window(DAY, utc)], 10))

ParquetSource(sys.argv[0], SCHEMA, utc)  # imports are over
try:
    warm = ask()
except SourceError:
    pass
os.path.exists("/begin")
try:
    ask()
    print("read")
except SourceError as error:
    print(error.reason_code)
os.path.exists("/end")
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize(
    ("kind", "table", "answer"),
    [
        ("parquet", "", "read"),
        ("duckdb", "events", "read"),
        *(
            ("duckdb", what, "EXTERNAL_ACCESS")
            for what in ("a Parquet file", "an engine's extension", "names of files")
        ),
    ],
)
def test_no_socket_is_opened_and_no_file_but_the_source(tmp_path: Path, kind: str, table: str, answer: str) -> None:
    outside = write_secrets(tmp_path)
    path = with_a_view_of(OUTSIDE.get(table, "range(1)").format(outside=outside), tmp_path)
    if kind == "parquet":
        path = write_parquet(tmp_path / "events" / "a.parquet", make_events(3)).parent
    (tmp_path / "read.py").write_text(READ)
    command = ["strace", "-f", "-qq", "-o", str(tmp_path / "calls"), "-e", "trace=%network,%file"]
    program = [sys.executable, str(tmp_path / "read.py"), kind, str(path), "private" if table in OUTSIDE else "events"]
    done = subprocess.run([*command, *program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [answer]
    calls = (tmp_path / "calls").read_text().split('"/begin"')[1].split('"/end"')[0].splitlines()
    assert not [call for call in calls if re.search(r"\b(socket|connect|sendto|bind)\(", call)]
    opened = {found[1] for call in calls if (found := re.search(r'\bopen(?:at)?\([^"]*"([^"]*)"', call))}
    ours = (str(path), "/proc/", "/sys/", str(tmp_path / "events"), f"{tempfile.gettempdir()}/telemetry-quality-")
    assert not [file for file in opened if not file.startswith(ours)]
    assert any(file.startswith(str(path)) for file in opened)
