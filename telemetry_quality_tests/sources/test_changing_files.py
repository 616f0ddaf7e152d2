"""Files that are written to, replaced or removed while they are read: a day is one version of them or unknown."""

from __future__ import annotations

import os
import shutil
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from telemetry_quality.core.days import day_window
from telemetry_quality.core.events import DayScan, UnreadableDay
from telemetry_quality.errors import SourceUnavailableError
from telemetry_quality.sources.duckdb import DuckDBClient, DuckDBFileSource, ParquetSource
from telemetry_quality_tests.builders import DAY, SCHEMA, make_events, write_parquet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from telemetry_quality.core.events import DayCounts

    Change = Callable[[Path, Path], object]
    """Does something to a file; the second path is another version of it, which it may take."""

pytestmark = pytest.mark.slow

UTC_ZONE = ZoneInfo("UTC")
DAYS = [DAY + timedelta(days=n) for n in range(3)]
WINDOWS = [day_window(day, UTC_ZONE) for day in DAYS]
EVENTS = {"1.0": 300, "2.0": 500}
"""How many events each version of the file of the second day has; they all have the same version."""


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """A file for each day; that of the second day is the first version."""
    for day in DAYS:
        write_parquet(tmp_path / "events" / f"{day}.parquet", make_events(EVENTS["1.0"], day, service_version="1.0"))
    write_parquet(tmp_path / "other", make_events(EVENTS["2.0"], DAYS[1], service_version="2.0"))
    return tmp_path / "events"


def rename_over(file: Path, other: Path) -> None:
    other.replace(file)


def rewrite(file: Path, other: Path) -> None:
    file.write_bytes(other.read_bytes())


def rewrite_with_its_old_time(file: Path, other: Path) -> None:
    status = file.stat()
    file.write_bytes(other.read_bytes())
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def remove_and_write(file: Path, other: Path) -> None:
    file.unlink()
    shutil.copy(other, file)


def remove(file: Path, _: Path) -> None:
    file.unlink()


def truncate(file: Path, _: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def empty(file: Path, _: Path) -> None:
    os.truncate(file, 0)


def append(file: Path, _: Path) -> None:
    with file.open("ab") as opened:
        opened.write(b"more")


def swap_the_folder(file: Path, other: Path) -> None:
    new = file.parent.with_name("new")
    shutil.copytree(file.parent, new)
    other.replace(new / file.name)
    file.parent.rename(file.parent.with_name("old"))
    new.rename(file.parent)


CHANGES: dict[Change, set[Any]] = {
    rename_over: {500},
    rewrite: {500},
    rewrite_with_its_old_time: {500},
    remove_and_write: {500},
    remove: {0},
    truncate: {"FILE_BROKEN"},
    empty: {"FILE_BROKEN"},
    append: {"FILE_BROKEN"},
    swap_the_folder: {500},
}
"""What the day may be after each change; before it, there are 300 events."""


def scanned(source: ParquetSource | DuckDBFileSource) -> list[Any]:
    return [number_in(scan) for scan in source.scan_days(WINDOWS, 400)]


def number_in(scan: DayScan | UnreadableDay) -> int | str:
    """The events of a scan, all of whose parts are of one version."""
    if isinstance(scan, UnreadableDay):
        return scan.reason_code
    by_version = {version: counts.events for version, counts in scan.aggregates.by_version().items()}
    assert len(by_version) <= 1, "two versions are mixed"
    for version, events in by_version.items():
        assert events == EVENTS[str(version)]
        assert {event.service_version for event in scan.sample} == {version}
        assert len(scan.sample) == min(400, events)
    return scan.aggregates.totals().events


def counted(source: ParquetSource) -> list[Any]:
    counts = source.count_days(WINDOWS).values()
    return [count.reason_code if isinstance(count, UnreadableDay) else count for count in counts]


def change_at(query: int, change: Callable[[], object], patched: pytest.MonkeyPatch) -> None:
    """Have the files change before the session's ``query``-th statement."""
    asked: list[int] = []
    limited = DuckDBClient.limited

    def limited_and_changed(client: DuckDBClient) -> Any:
        asked.append(1)
        if len(asked) == query:
            change()
        return limited(client)

    patched.setattr(DuckDBClient, "limited", limited_and_changed)


@pytest.mark.parametrize("query", [1, 2, 3, 4, 5, 7, 9])
@pytest.mark.parametrize("change", CHANGES)
def test_a_day_is_one_version_of_a_file_that_changes_while_it_is_read(
    events: Path, monkeypatch: pytest.MonkeyPatch, change: Change, query: int
) -> None:
    source = ParquetSource(str(events), SCHEMA, UTC_ZONE)
    file, other = events / f"{DAYS[1]}.parquet", events.parent / "other"
    change_at(query, lambda: change(file, other), monkeypatch)
    first, second, third = scanned(source)
    assert (first, third) == (300, 300)
    assert second in {300, *CHANGES[change]}
    assert counted(source)[1] in CHANGES[change] | {300}


@pytest.mark.parametrize("ask", [scanned, counted])
def test_a_file_that_changes_at_every_attempt_makes_its_day_unknown_and_no_other(
    events: Path, monkeypatch: pytest.MonkeyPatch, ask: Callable[[ParquetSource], list[Any]]
) -> None:
    monkeypatch.setattr("telemetry_quality.sources.parquet_tables._WAITS_SECONDS", (0, 0))
    limited = DuckDBClient.limited
    number = iter(range(1000, 100_000))

    def limited_and_changed(client: DuckDBClient) -> Any:
        os.utime(events / f"{DAYS[1]}.parquet", (1, next(number)))
        return limited(client)

    monkeypatch.setattr(DuckDBClient, "limited", limited_and_changed)
    assert ask(ParquetSource(str(events), SCHEMA, UTC_ZONE)) == [300, "SOURCE_CHANGED", 300]


def test_a_count_of_a_day_is_of_one_version_too(events: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = ParquetSource(str(events), SCHEMA, UTC_ZONE)
    change_at(4, lambda: rewrite(events / f"{DAYS[1]}.parquet", events.parent / "other"), monkeypatch)
    counts: DayCounts = source.count_day(WINDOWS[1])
    assert counts.events == 500


def test_files_that_are_replaced_all_the_time_are_never_mixed(events: Path) -> None:
    file, other = events / f"{DAYS[1]}.parquet", events.parent / "other"
    versions = [file.read_bytes(), other.read_bytes()]
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.wait(0.013):
            number += 1
            new = events.parent / "new"
            new.write_bytes(versions[number % 2])
            new.replace(file)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        source = ParquetSource(str(events), SCHEMA, UTC_ZONE)
        for _ in range(4):
            first, second, third = scanned(source)
            assert (first, third) == (300, 300)
            assert second in {300, 500, "SOURCE_CHANGED"}
    finally:
        stop.set()
        writer.join()
    assert scanned(source)[1] in {300, 500}


@pytest.mark.parametrize("query", [1, 2, 3, 4])
@pytest.mark.parametrize("change", [rename_over, rewrite, rewrite_with_its_old_time, truncate, empty])
def test_a_duckdb_file_that_changes_while_it_is_read_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Change, query: int
) -> None:
    for name, (version, number) in zip(("events", "other"), EVENTS.items(), strict=True):
        rows = write_parquet(tmp_path / "rows.parquet", make_events(number, DAYS[1], service_version=version))
        with duckdb.connect(str(tmp_path / name)) as connection:
            connection.execute(f"CREATE TABLE events AS FROM '{rows}'")
    source = DuckDBFileSource(str(tmp_path / "events"), "events", SCHEMA)
    with monkeypatch.context() as patched:
        change_at(query, lambda: change(tmp_path / "events", tmp_path / "other"), patched)
        with pytest.raises(SourceUnavailableError) as caught:
            scanned(source)
    assert caught.value.reason_code == "SOURCE_CHANGED"
    if change not in {truncate, empty}:
        assert scanned(source) == [0, 500, 0]


def test_a_file_that_was_just_written_is_read_once_its_time_says_so(events: Path) -> None:
    file = events / f"{DAYS[1]}.parquet"
    versions = [file.read_bytes(), (events.parent / "other").read_bytes()]
    source = ParquetSource(str(events), SCHEMA, UTC_ZONE)
    for number in range(12):
        file.write_bytes(versions[number % 2])
        assert counted(source)[1] == [300, 500][number % 2]
