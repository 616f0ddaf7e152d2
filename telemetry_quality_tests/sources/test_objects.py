"""Parquet in an object store, read from a real server through a proxy that records every request."""

from __future__ import annotations

import logging
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from telemetry_quality import cli
from telemetry_quality.core.days import day_window
from telemetry_quality.core.events import DayScan, UnreadableDay
from telemetry_quality.core.signals import SignalCatalogue
from telemetry_quality.errors import SourceError, SourceUnavailableError
from telemetry_quality.sources import objects as object_stores
from telemetry_quality.sources.duckdb import ParquetSource
from telemetry_quality_tests.builders import DAY, NEW_YORK, SCHEMA, each_hour, make_events, write_parquet
from telemetry_quality_tests.orchestration.station import SETTINGS
from telemetry_quality_tests.sources import test_contract as contract

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from telemetry_quality.core.days import DayWindow
    from telemetry_quality_tests.servers import ObjectServer, Request

UTC_ZONE = ZoneInfo("UTC")
WINDOW = day_window(DAY, UTC_ZONE)
ONE_DAY = timedelta(days=1)


def source_of(bucket: str, path: str = "", **options: Any) -> ParquetSource:
    return ParquetSource(f"s3://{bucket}/{path}", SCHEMA, UTC_ZONE, **options)


def put_days(objects: ObjectServer, folder: Path, days: int = 1, events: int = 30) -> str:
    """A bucket with a hive folder per day from DAY on."""
    for number in range(days):
        day = DAY + number * ONE_DAY
        write_parquet(folder / f"day={day}" / "part-0.parquet", make_events(events, day))
    bucket = objects.new_bucket()
    objects.put_folder(bucket, folder)
    return bucket


def total(source: ParquetSource, window: DayWindow = WINDOW) -> int:
    (answer,) = source.scan_days([window], 100)
    assert isinstance(answer, DayScan), answer
    return answer.aggregates.totals().events


def data_requests(requests: Sequence[Request]) -> list[Request]:
    return [request for request in requests if request.path.endswith(".parquet")]


# The contract


def in_an_object_store(objects: ObjectServer, location: contract.Location, events: Sequence[Any]) -> ParquetSource:
    contract.in_a_parquet_folder(location, events)
    bucket = objects.new_bucket()
    objects.put_folder(bucket, location.folder)
    return ParquetSource(f"s3://{bucket}/", location.schema, location.zone, salt=location.salt)


def test_the_same_events_are_the_same_days_in_an_object_store(objects: ObjectServer, tmp_path: Path) -> None:
    location = contract.Location(tmp_path, salt="salt")
    remote = in_an_object_store(objects, location, contract.ALL_EVENTS)
    local = ParquetSource(str(tmp_path), location.schema, location.zone, salt=location.salt)
    scans = contract.read(remote, contract.CASE_WINDOWS)
    assert scans == contract.read(local, contract.CASE_WINDOWS)
    for scan in scans:
        expected = contract.counted(contract.ALL_EVENTS, day_window(scan.day, UTC_ZONE))
        assert each_hour(scan.aggregates) == expected
    assert remote.count_days(contract.CASE_WINDOWS) == local.count_days(contract.CASE_WINDOWS)
    assert remote.columns() == local.columns()


@pytest.mark.parametrize("day", [date(2013, 3, 10), date(2013, 11, 3)], ids=str)
def test_a_local_day_of_23_or_25_hours_is_read_as_counted(objects: ObjectServer, tmp_path: Path, day: date) -> None:
    events = contract.local_hours(day_window(day, NEW_YORK))
    source = in_an_object_store(objects, contract.Location(tmp_path, NEW_YORK), events)
    around = contract.windows_of(NEW_YORK, day - ONE_DAY, day + ONE_DAY)
    contract.assert_days_are_read_as_counted(source, events, around)


# Which objects are read


@pytest.mark.parametrize("path", ["", "events", "events/", "events/**/*.parquet", "e*/day=2026-03-1?/p*.parquet"])
def test_a_folder_is_named_with_or_without_a_slash_or_by_a_pattern(
    objects: ObjectServer, tmp_path: Path, path: str
) -> None:
    write_parquet(tmp_path / "events" / f"day={DAY}" / "part-0.parquet", make_events(7))
    bucket = objects.new_bucket()
    objects.put_folder(bucket, tmp_path)
    objects.put(bucket, "events/", b"")
    assert total(source_of(bucket, path)) == 7


def test_one_object_is_a_source(objects: ObjectServer, tmp_path: Path) -> None:
    bucket = put_days(objects, tmp_path, days=2)
    assert total(source_of(bucket, f"day={DAY}/part-0.parquet")) == 30


@pytest.mark.parametrize("name", ["with blank.parquet", "[x]*?.parquet", "ünï 🛰️.parquet", "a+b%20c&d=e.parquet"])
def test_an_object_may_have_any_name(objects: ObjectServer, tmp_path: Path, name: str) -> None:
    content = write_parquet(tmp_path / "events.parquet", make_events(3)).read_bytes()
    bucket = objects.new_bucket()
    objects.put(bucket, f"events/{name}", content)
    assert total(source_of(bucket, "events/")) == 3


def test_a_writer_s_own_objects_are_left_out(objects: ObjectServer, tmp_path: Path) -> None:
    bucket = put_days(objects, tmp_path)
    objects.put(bucket, "_temporary/0/part-1.parquet", b"half")
    objects.put(bucket, ".hidden/part-1.parquet", b"half")
    assert total(source_of(bucket)) == 30


def test_where_nothing_matches_the_path_is_reported(objects: ObjectServer) -> None:
    bucket = objects.new_bucket()
    with pytest.raises(SourceError, match="none matches s3://") as refused:
        list(source_of(bucket, "events/").scan_days([WINDOW], 10))
    assert refused.value.reason_code == "NO_FILES"


def test_a_broken_object_spoils_its_own_day_only(objects: ObjectServer, tmp_path: Path) -> None:
    bucket = put_days(objects, tmp_path, days=3)
    objects.put(bucket, f"day={DAY}/part-0.parquet", b"half")
    windows = [day_window(DAY + number * ONE_DAY, UTC_ZONE) for number in range(3)]
    broken, *readable = source_of(bucket).scan_days(windows, 10)
    assert isinstance(broken, UnreadableDay)
    assert broken.reason_code == "FILE_BROKEN"
    assert [isinstance(scan, DayScan) for scan in readable] == [True, True]


def test_the_signal_catalogue_may_be_an_object(objects: ObjectServer, tmp_path: Path) -> None:
    bucket = put_days(objects, tmp_path / "events")
    names = write_parquet(tmp_path / "signals.parquet", make_events(3))
    objects.put(bucket, "catalogue/signals.parquet", names.read_bytes())
    catalogue = SignalCatalogue(table=f"s3://{bucket}/catalogue/signals.parquet", column="event_name")
    assert source_of(bucket, f"day={DAY}/", catalogue=catalogue).read_signals() == frozenset({"page.view"})


# What is requested from the store


def write_wide(path: Path, rows: int = 100_000) -> Path:
    """Events in several row groups, with twenty columns that have no role."""
    wide = ", ".join(f"md5(concat(i, {number})) AS extra_{number}" for number in range(20))
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            f"COPY (SELECT i::VARCHAR AS event_id, TIMESTAMPTZ '{DAY}' + i * INTERVAL 800 MILLISECOND AS occurred_at,"
            f" 'page.view' AS event_name, '1.0' AS service_version, false AS is_error, {wide}"
            f" FROM range({rows}) AS numbers(i)) TO '{path}' (ROW_GROUP_SIZE 20000)"
        )
    return path


def test_only_the_columns_that_play_a_role_are_fetched_and_each_once(objects: ObjectServer, tmp_path: Path) -> None:
    content = write_wide(tmp_path / "events.parquet").read_bytes()
    bucket = objects.new_bucket()
    objects.put(bucket, "events.parquet", content)
    assert total(source_of(bucket)) == 100_000
    assert sum(request.sent_bytes for request in objects.requests) < len(content) / 20


def test_only_the_footers_of_other_days_are_fetched_and_only_once(
    objects: ObjectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_stores, "_ENDS_AT_ONCE", 5)
    bucket = put_days(objects, tmp_path, days=12)
    assert total(source_of(bucket)) == 30
    assert len({request.path for request in data_requests(objects.requests)}) == 12
    objects.requests.clear()
    assert total(source_of(bucket), day_window(DAY + 5 * ONE_DAY, UTC_ZONE)) == 30
    assert {request.path.rpartition("%3D")[2] for request in data_requests(objects.requests)} == {
        f"{DAY + 5 * ONE_DAY}/part-0.parquet"
    }
    assert len(objects.requests) <= 3


def test_an_object_that_was_rewritten_is_read_again(objects: ObjectServer, tmp_path: Path) -> None:
    bucket = put_days(objects, tmp_path)
    assert total(source_of(bucket)) == 30
    source = source_of(bucket)
    assert total(source) == 30
    again = write_parquet(tmp_path / "again.parquet", make_events(31))
    objects.put(bucket, f"day={DAY}/part-0.parquet", again.read_bytes())
    assert total(source) == 31


def test_the_footers_kept_are_bounded(objects: ObjectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_stores, "_MAXIMUM_FOOTERS", 3)
    bucket = put_days(objects, tmp_path, days=2)
    assert total(source_of(bucket)) == 30
    other = put_days(objects, tmp_path, days=2)
    assert total(source_of(other)) == 30
    assert len(object_stores._footers) <= 3


def test_nothing_is_ever_written_to_the_store(objects: ObjectServer, tmp_path: Path) -> None:
    bucket = put_days(objects, tmp_path, days=2)
    source = source_of(bucket)
    windows = [day_window(DAY + number * ONE_DAY, UTC_ZONE) for number in range(2)]
    list(source.scan_days(windows, 10))
    source.count_days(windows)
    source.columns()
    source.frequent_values("event_name", WINDOW, 5)
    assert len(objects.requests) > 3
    assert {request.method for request in objects.requests} <= {"GET", "HEAD"}


# What may go wrong


def rejection(source: ParquetSource) -> SourceError:
    with pytest.raises(SourceError) as refused:
        list(source.scan_days([WINDOW], 10))
    sentence = str(refused.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return refused.value


def test_a_bucket_that_does_not_exist_is_reported(objects: ObjectServer) -> None:
    error = rejection(source_of("no-such-bucket-anywhere"))
    assert error.reason_code == "BUCKET_MISSING"
    assert not isinstance(error, SourceUnavailableError)


@pytest.mark.parametrize(
    ("what", "fault", "reason", "may_pass"),
    [
        ("list-type", (403, "AccessDenied"), "ACCESS_DENIED", False),
        (".parquet", (403, "AccessDenied"), "ACCESS_DENIED", False),
        ("list-type", (403, "InvalidAccessKeyId"), "CREDENTIALS_REFUSED", False),
        ("list-type", (403, "SignatureDoesNotMatch"), "CREDENTIALS_REFUSED", False),
        (".parquet", (400, "ExpiredToken"), "CREDENTIALS_REFUSED", False),
        (".parquet", (400, "InvalidRequest"), "SOURCE_UNREADABLE", False),
        ("list-type", (500, "InternalError"), "STORE_UNAVAILABLE", True),
        (".parquet", (503, "SlowDown"), "STORE_UNAVAILABLE", True),
    ],
)
def test_errors_of_the_store_are_reported_in_one_sentence_and_retried_if_temporary(
    objects: ObjectServer, what: str, fault: tuple[int, str], reason: str, may_pass: bool
) -> None:
    bucket = objects.new_bucket()
    objects.put(bucket, "events.parquet", b"is never read")
    objects.fault = lambda _, path: fault if what in path else None
    error = rejection(source_of(bucket))
    assert (error.reason_code, isinstance(error, SourceUnavailableError)) == (reason, may_pass)
    assert fault[1] in str(error) or reason == "ACCESS_DENIED"


def test_a_store_that_was_down_for_a_moment_is_asked_again(objects: ObjectServer, tmp_path: Path) -> None:
    bucket = put_days(objects, tmp_path)
    answers = iter([(503, "SlowDown")])
    objects.fault = lambda *_: next(answers, None)
    assert total(source_of(bucket)) == 30


def test_an_endpoint_where_nothing_listens_is_retried(objects: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        error = rejection(source_of("bucket"))
    assert error.reason_code == "STORE_UNAVAILABLE"
    assert isinstance(error, SourceUnavailableError)


def test_missing_credentials_are_reported_with_where_they_are_looked_for(
    objects: ObjectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = put_days(objects, tmp_path)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    assert rejection(source_of(bucket)).reason_code == "CREDENTIALS_MISSING"


def test_credentials_and_endpoint_may_be_in_the_store_s_own_files(
    objects: ObjectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = put_days(objects, tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_S3", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    (tmp_path / "credentials").write_text("[telemetry]\naws_access_key_id = a\naws_secret_access_key = b\n")
    (tmp_path / "config").write_text(f"[profile telemetry]\nregion = us-east-1\nendpoint_url = {objects.url}\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "telemetry")
    assert total(source_of(bucket)) == 30


@pytest.mark.parametrize("is_replaced", [True, False], ids=["replaced", "removed"])
def test_an_object_that_changes_between_listing_and_reading_is_retried(
    objects: ObjectServer, tmp_path: Path, is_replaced: bool
) -> None:
    content = write_wide(tmp_path / "events.parquet").read_bytes()
    bucket = objects.new_bucket()
    objects.put(bucket, "events.parquet", content)
    asked: list[str] = []

    def change(_: str, path: str) -> None:
        if path.endswith(".parquet"):
            asked.append(path)
            if len(asked) == 2:  # the footer is read
                if is_replaced:
                    objects.put(bucket, "events.parquet", content[:-1] + b"X")
                else:
                    objects.delete(bucket, "events.parquet")

    objects.fault = change
    error = rejection(source_of(bucket))
    assert error.reason_code == "OBJECT_CHANGED"
    assert isinstance(error, SourceUnavailableError)


def test_a_day_that_is_denied_spoils_no_other(objects: ObjectServer, tmp_path: Path) -> None:
    bucket = put_days(objects, tmp_path, days=3)
    total(source_of(bucket))
    objects.fault = lambda _, path: (403, "AccessDenied") if f"{DAY}/part" in path else None
    windows = [day_window(DAY + number * ONE_DAY, UTC_ZONE) for number in range(3)]
    denied, *readable = source_of(bucket).scan_days(windows, 10)
    assert isinstance(denied, UnreadableDay)
    assert denied.reason_code == "ACCESS_DENIED"
    assert [isinstance(scan, DayScan) for scan in readable] == [True, True]


@pytest.mark.slow
def test_a_missing_package_is_reported_with_the_command_that_installs_it() -> None:
    code = """
import sys
for package in ("s3fs", "gcsfs", "adlfs"):
    sys.modules[package] = None
from telemetry_quality.errors import SourceError
from telemetry_quality_tests.sources.test_objects import SCHEMA, UTC_ZONE, WINDOW, ParquetSource
for protocol in ("s3", "gs", "abfss"):
    try:
        list(ParquetSource(f"{protocol}://bucket/events/", SCHEMA, UTC_ZONE).scan_days([WINDOW], 10))
    except SourceError as error:
        print(error.reason_code, error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    shown = done.stdout.splitlines()
    assert [line.split()[0] for line in shown] == ["PACKAGE_MISSING"] * 3, done.stderr
    for line, package in zip(shown, ("'telemetry-quality[s3]'", "'gcsfs'", "'adlfs'"), strict=True):
        assert line.endswith(f"run pip install {package}.")


# Time and Ctrl-C


@pytest.fixture
def silent_store() -> Iterator[str]:
    """The address of a store that accepts every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_store_that_never_answers_is_abandoned_at_the_time_limit(
    objects: ObjectServer, silent_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", silent_store)
    assert rejection(source_of("bucket", time_limit_seconds=0.5)).reason_code == "TIME_LIMIT"


def test_ranges_that_never_arrive_are_abandoned_at_the_time_limit_and_the_next_day_is_read(
    objects: ObjectServer, tmp_path: Path
) -> None:
    bucket = put_days(objects, tmp_path, days=2)
    total(source_of(bucket))
    source = source_of(bucket, time_limit_seconds=2)
    over = threading.Event()

    def hold(_: str, path: str) -> None:
        if f"{DAY}/part" in path:
            over.wait(30)

    objects.fault = hold
    windows = [day_window(DAY + number * ONE_DAY, UTC_ZONE) for number in range(2)]
    try:
        slow, other = source.scan_days(windows, 10)
    finally:
        over.set()
    assert isinstance(slow, UnreadableDay)
    assert slow.reason_code == "TIME_LIMIT"
    assert isinstance(other, DayScan)


@pytest.mark.slow
@pytest.mark.parametrize("part", ["list", "ranges"])
def test_ctrl_c_ends_a_read_that_waits_for_the_store(objects: ObjectServer, tmp_path: Path, part: str) -> None:
    bucket = put_days(objects, tmp_path)
    reached, over = threading.Event(), threading.Event()

    def hold(_: str, path: str) -> None:
        if part == "list" or path.endswith(".parquet"):
            reached.set()
            over.wait(600)

    objects.fault = hold
    code = f"""
from telemetry_quality_tests.sources.test_objects import WINDOW, source_of
try:
    list(source_of({bucket!r}).scan_days([WINDOW], 10))
except KeyboardInterrupt:
    print("interrupted")
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert reached.wait(300)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    finally:
        over.set()
        process.kill()
        process.communicate()
    assert out == "interrupted\n", err


# Secrets

SECRET, TOKEN = "sentinel-secret-key", "sentinel-session-token"


@pytest.mark.parametrize("fault", [None, (403, "InvalidAccessKeyId")], ids=str)
def test_no_secret_is_in_any_log_answer_error_or_store(  # noqa: PLR0917 - fixtures
    objects: ObjectServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    fault: tuple[int, str] | None,
) -> None:
    bucket = put_days(objects, tmp_path / "events")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    monkeypatch.chdir(tmp_path)
    text = SETTINGS.format(extra="").replace("2026-02-01", str(DAY))
    (tmp_path / "telemetry.toml").write_text(re.sub('path = ".*"', f'path = "s3://{bucket}/"', text))
    objects.fault = lambda *_: fault
    shown: list[str] = []
    with caplog.at_level(logging.DEBUG):
        for command in (["migrate"], ["check", "--day", str(DAY)], ["snapshot", str(DAY)], ["--debug", "check"]):
            with pytest.raises(SystemExit):
                cli.main(command)
            captured = capsys.readouterr()
            shown += [captured.out, captured.err]
        if fault:
            shown.append(repr(chain_of(rejection(source_of(bucket)))))
    shown += [record.getMessage() + str(record.args) for record in caplog.records]
    stored = [path.read_bytes() for path in tmp_path.iterdir() if path.is_file()]
    assert str(bucket) in "".join(shown), "the commands must have spoken of it"
    for secret in (SECRET, TOKEN):
        assert secret not in "".join(shown)
        assert not any(secret.encode() in content for content in stored)


def chain_of(error: BaseException | None) -> list[BaseException]:
    return [] if error is None else [error, *chain_of(error.__cause__)]
