"""Object stores that are years old: archived objects, many footers, long backfills."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry_quality.core.days import day_window
from telemetry_quality.core.events import UnreadableDay
from telemetry_quality.errors import SourceError
from telemetry_quality.sources import footer_cache
from telemetry_quality.sources import objects as object_stores
from telemetry_quality.sources.duckdb import ParquetSource
from telemetry_quality.sources.object_ranges import ObjectRanges, gaps
from telemetry_quality_tests.builders import DAY, SCHEMA, make_events, write_parquet

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry_quality_tests.servers import ObjectServer

UTC_ZONE = ZoneInfo("UTC")
DAYS = [DAY + timedelta(days=n) for n in range(6)]
WINDOWS = [day_window(day, UTC_ZONE) for day in DAYS]
HIVE, FLAT, UNDATED = "day={day}/part.parquet", "events-{day}.parquet", "part-{number}.parquet"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of footers, which is new."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(object_stores, "_footers", {})
    return tmp_path / "cache" / "telemetry-quality" / "footers.db"


def put_days(objects: ObjectServer, folder: Path, name: str = HIVE) -> str:
    bucket = objects.new_bucket()
    for number, day in enumerate(DAYS):
        file = write_parquet(folder / "one.parquet", make_events(30, day))
        objects.put(bucket, name.format(day=day, number=number), file.read_bytes())
    return bucket


def in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_stores, "_footers", {})


def read(bucket: str, path: str = "") -> list[int | str]:
    source = ParquetSource(f"s3://{bucket}/{path}", SCHEMA, UTC_ZONE)
    scans = list(source.scan_days(WINDOWS, 10))
    return [scan.reason_code if isinstance(scan, UnreadableDay) else scan.aggregates.totals().events for scan in scans]


def archive(objects: ObjectServer, name: str, code: str = "InvalidObjectState") -> None:
    objects.fault = lambda method, path: (403, code) if method == "GET" and name in path else None


@pytest.mark.parametrize("name", [HIVE, FLAT])
@pytest.mark.parametrize(
    ("code", "reason_code"), [("InvalidObjectState", "OBJECT_ARCHIVED"), ("AccessDenied", "ACCESS_DENIED")]
)
def test_an_object_that_may_not_be_read_spoils_the_day_in_its_name_and_is_named(
    objects: ObjectServer, tmp_path: Path, name: str, code: str, reason_code: str
) -> None:
    bucket = put_days(objects, tmp_path, name)
    archive(objects, str(DAYS[2]), code)
    assert read(bucket) == [30, 30, reason_code, 30, 30, 30]
    source = ParquetSource(f"s3://{bucket}/", SCHEMA, UTC_ZONE)
    (answer,) = source.scan_days(WINDOWS[2:3], 10)
    assert isinstance(answer, UnreadableDay)
    assert f"s3://{bucket}/{name.format(day=DAYS[2])} cannot be read: " in answer.reason
    assert code in answer.reason
    assert answer.reason.endswith("or move it away.")


def test_an_archived_object_whose_name_contains_no_day_spoils_every_day_unless_its_footer_is_known(
    objects: ObjectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = put_days(objects, tmp_path, UNDATED)
    archive(objects, "part-2")
    assert read(bucket) == ["OBJECT_ARCHIVED"] * 6
    objects.fault = None
    assert read(bucket) == [30] * 6
    in_another_process(monkeypatch)
    archive(objects, "part-2")
    assert read(bucket) == [30, 30, "OBJECT_ARCHIVED", 30, 30, 30]


def test_a_store_that_denies_every_object_is_an_error_that_names_one(objects: ObjectServer, tmp_path: Path) -> None:
    bucket = put_days(objects, tmp_path)
    archive(objects, ".parquet", "AccessDenied")
    with pytest.raises(SourceError, match="AccessDenied") as refused:
        read(bucket)
    assert refused.value.reason_code == "ACCESS_DENIED"
    assert f"s3://{bucket}/day={DAYS[0]}/part.parquet" in str(refused.value)


def test_footers_are_kept_for_later_processes_until_the_object_is_written_again(
    objects: ObjectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    bucket = put_days(objects, tmp_path)
    whole = read(bucket)
    assert cache.stat().st_mode & 0o777 == 0o600
    in_another_process(monkeypatch)
    objects.requests.clear()
    source = ParquetSource(f"s3://{bucket}/", SCHEMA, UTC_ZONE)
    list(source.scan_days(WINDOWS[:1], 10))
    assert {request.path.rpartition("/")[0][-10:] for request in objects.requests[1:]} == {str(DAYS[0])}
    more = write_parquet(tmp_path / "more.parquet", make_events(31, DAYS[3]))
    objects.put(bucket, HIVE.format(day=DAYS[3]), more.read_bytes())
    in_another_process(monkeypatch)
    assert read(bucket) == [*whole[:3], 31, *whole[4:]]


def test_footers_that_were_kept_say_what_the_objects_say(
    objects: ObjectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = put_days(objects, tmp_path)
    indexes = []
    for _ in range(2):
        source = ParquetSource(f"s3://{bucket}/", SCHEMA, UTC_ZONE)
        with source._client() as client:
            indexes.append(source._index(client))
        in_another_process(monkeypatch)
    assert indexes[0] == indexes[1]
    assert all(file.first is not None and file.columns for file in indexes[1].files)


@pytest.mark.parametrize("damage", ["garbage", "folder", "denied", "other"])
def test_a_cache_that_cannot_be_used_only_costs_requests(
    objects: ObjectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path, damage: str
) -> None:
    bucket = put_days(objects, tmp_path)
    read(bucket)
    in_another_process(monkeypatch)
    if damage == "garbage":
        cache.write_bytes(b"no database, just words" * 1000)
    elif damage == "folder":
        cache.unlink()
        cache.mkdir()
    elif damage == "denied":
        monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    else:
        with sqlite3.connect(cache) as connection:
            connection.execute("UPDATE footers SET footer = '[1, 2]'")
        connection.close()
    assert read(bucket) == [30] * 6
    if damage == "garbage":
        in_another_process(monkeypatch)
        assert read(bucket) == [30] * 6


def test_the_oldest_footers_are_forgotten(
    objects: ObjectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    monkeypatch.setattr(footer_cache, "MOST_FOOTERS", 4)
    bucket = put_days(objects, tmp_path)
    assert read(bucket) == [30] * 6
    connection = sqlite3.connect(cache)
    keys = [key for (key,) in connection.execute("SELECT key FROM footers ORDER BY number")]
    connection.close()
    assert len(keys) == 4
    assert all(str(day) in key for day, key in zip(DAYS[2:], keys, strict=True))


def test_a_backfill_fetches_no_byte_twice(objects: ObjectServer, tmp_path: Path) -> None:
    bucket = put_days(objects, tmp_path)
    source = ParquetSource(f"s3://{bucket}/", SCHEMA, UTC_ZONE)
    for windows in (WINDOWS[:1], WINDOWS[1:3], WINDOWS[3:]):
        list(source.scan_days(windows, 10))
        source.count_days(windows)
    fetched = Counter((request.path, byte) for request in objects.requests for byte in bytes_of(request.range))
    assert fetched
    assert set(fetched.values()) == {1}


def bytes_of(range_: str) -> range:
    first, _, last = range_.removeprefix("bytes=").partition("-")
    return range(int(first), int(last) + 1) if last else range(0)


@pytest.mark.parametrize("log", ["_delta_log/0.json", "metadata/v1.metadata.json", ".hoodie/hoodie.properties"])
@pytest.mark.parametrize("path", ["", "lake/"])
def test_a_lake_s_table_in_a_store_is_refused_by_name(
    objects: ObjectServer, tmp_path: Path, path: str, log: str
) -> None:
    bucket = put_days(objects, tmp_path, "lake/" + HIVE)
    objects.put(bucket, f"lake/{log}", b"{}")
    with pytest.raises(SourceError, match=f"s3://{bucket}/lake is a table of") as refused:
        read(bucket, path)
    assert refused.value.reason_code.endswith("_TABLE")


@pytest.mark.slow
def test_nothing_is_written_to_standard_error(objects: ObjectServer, tmp_path: Path) -> None:
    bucket = put_days(objects, tmp_path)
    archive(objects, str(DAYS[2]))
    code = (
        "from telemetry_quality_tests.sources.test_objects_at_age import read\n"
        "import logging; logging.basicConfig(level=logging.INFO)\n"
        f"print(read({bucket!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[30, 30, 'OBJECT_ARCHIVED', 30, 30, 30]"
    assert not done.stderr


# Ranges


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 60), st.integers(1, 30)), max_size=40),
    st.integers(1, 120),
)
def test_what_is_found_of_a_range_is_what_was_fetched(wanted: list[tuple[str, int, int]], most_bytes: int) -> None:
    contents = {name: bytes((7 * place + ord(name)) % 256 for place in range(100)) for name in "abc"}
    ranges = ObjectRanges(most_bytes)
    for name, start, size in wanted:
        end = start + size
        found = ranges.find(name, "tag", start, end)
        missing = gaps(found, start, end)
        for first, last in missing:
            ranges.keep(name, "tag", first, contents[name][first:last])
        whole = sorted([*found, *((first, contents[name][first:last]) for first, last in missing)])
        assert b"".join(content for _, content in whole) == contents[name][start:end]
        assert ranges.find(name, "other tag", start, end) == []


def test_ranges_are_kept_up_to_a_limit_and_not_by_a_forked_process(monkeypatch: pytest.MonkeyPatch) -> None:
    ranges = ObjectRanges(most_bytes=100)
    ranges.keep("a", "1", 0, bytes(60))
    assert ranges.find("a", "1", 10, 20) == [(10, bytes(10))]
    ranges.keep("b", "1", 0, bytes(60))
    assert ranges.find("a", "1", 10, 20) == []
    assert ranges.find("b", "1", 50, 90) == [(50, bytes(10))]
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert ranges.find("b", "1", 0, 60) == []


def test_a_full_disk_only_means_that_ranges_are_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ranges = ObjectRanges()
    ranges.keep("a", "1", 0, bytes(60))

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    ranges.keep("b", "1", 0, bytes(60))
    assert ranges.find("a", "1", 0, 60) == []
    monkeypatch.undo()
    ranges.keep("a", "1", 0, bytes(60))
    assert ranges.find("a", "1", 0, 60) == [(0, bytes(60))]
