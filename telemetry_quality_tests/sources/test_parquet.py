"""Faults of Parquet files: a broken file puts exactly those days in doubt that it may have held."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from telemetry_quality.core.days import day_window, days_between
from telemetry_quality.core.events import Arrivals, DayScan, UnreadableDay
from telemetry_quality.errors import SourceError
from telemetry_quality.sources import parquet
from telemetry_quality.sources.duckdb import DuckDBClient, ParquetSource
from telemetry_quality.sources.parquet import ParquetFile, describe_files
from telemetry_quality_tests.builders import DAY, NEW_YORK, SCHEMA, make_event, make_events, write_parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from telemetry_quality.core.event_schema import EventSchema

    Break = Callable[[Path], object]

pytestmark = pytest.mark.slow

UTC_ZONE = ZoneInfo("UTC")
ONE_DAY = timedelta(days=1)
DAYS = [DAY + n * ONE_DAY for n in range(5)]


def read(
    path: Path, *days: date, zone: ZoneInfo = UTC_ZONE, schema: EventSchema = SCHEMA
) -> dict[date, DayScan | UnreadableDay]:
    windows = [day_window(day, zone) for day in days or DAYS]
    source = ParquetSource(str(path), schema, zone)
    answers = {answer.day: answer for answer in source.scan_days(windows, 10)}
    counts = source.count_days(windows)
    for day, answer in answers.items():
        if isinstance(answer, DayScan):
            assert counts[day] == answer.aggregates.totals().events
        else:
            assert counts[day] == answer, "counting a day doubts what reading it doubts"
    return answers


def events_of(answer: DayScan | UnreadableDay) -> int | str:
    """The number of events, or the reason code."""
    return answer.reason_code if isinstance(answer, UnreadableDay) else answer.aggregates.totals().events


def read_events(path: Path, *days: date, **options: Any) -> list[int | str]:
    return [events_of(answer) for answer in read(path, *days, **options).values()]


def write_days(folder: Path, name: str, zone: ZoneInfo = UTC_ZONE) -> list[Path]:
    """One file per day of DAYS, three events at its beginning, middle and end."""
    files = []
    for day in DAYS:
        window = day_window(day, zone)
        times = [window.start, window.start + ONE_DAY / 2, window.end - timedelta(microseconds=1)]
        events = [make_event(event_id=f"{day}-{n}", occurred_at=at) for n, at in enumerate(times)]
        files.append(write_parquet(folder / name.format(day=day, compact=f"{day:%Y%m%d}"), events))
    return files


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


def cut_in_half(file: Path) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def fill_with_garbage(file: Path) -> None:
    file.write_bytes(b"no parquet, just words\n" * 40)


def lose_the_time_column(file: Path) -> None:
    write_parquet(file, make_events(3), {"occurred_at": None})


BREAKS = (truncate, cut_in_half, empty, fill_with_garbage, lose_the_time_column)
however_broken = pytest.mark.parametrize("break_file", [truncate, lose_the_time_column], ids=lambda each: each.__name__)
NAMES = [
    "day={day}/part-0.parquet",
    "events-{day}.parquet",
    "{compact}.parquet",
    "year={day:%Y}/month={day:%m}/day={day:%d}/a.parquet",
]


@pytest.mark.parametrize(
    ("break_file", "name"),
    [*((each, NAMES[0]) for each in BREAKS), *((truncate, name) for name in NAMES[1:])],
    ids=lambda part: getattr(part, "__name__", part),
)
def test_a_half_written_file_makes_its_day_unreadable_and_no_other(
    tmp_path: Path, break_file: Break, name: str
) -> None:
    files = write_days(tmp_path, name)
    break_file(files[2])
    answers = read(tmp_path)
    assert [events_of(answer) for answer in answers.values()] == [3, 3, "FILE_BROKEN", 3, 3]
    doubtful = answers[DAYS[2]]
    assert isinstance(doubtful, UnreadableDay)
    assert str(files[2]) in doubtful.reason
    assert str(DAYS[2]) in doubtful.reason


@however_broken
def test_a_broken_file_makes_its_day_unreadable_even_if_other_files_of_the_day_are_intact(
    tmp_path: Path, break_file: Break
) -> None:
    write_days(tmp_path, "day={day}/part-0.parquet")
    more = write_days(tmp_path, "day={day}/part-1.parquet")
    break_file(more[1])
    assert read_events(tmp_path) == [6, "FILE_BROKEN", 6, 6, 6]


@however_broken
def test_a_broken_file_whose_name_contains_no_day_puts_every_day_in_doubt(tmp_path: Path, break_file: Break) -> None:
    write_days(tmp_path, "day={day}/part-0.parquet")
    break_file(write_parquet(tmp_path / "late.parquet", make_events(1)))
    assert read_events(tmp_path) == ["FILE_BROKEN"] * 5


@however_broken
def test_a_broken_file_puts_every_day_in_doubt_if_other_names_contain_no_day(tmp_path: Path, break_file: Break) -> None:
    files = write_days(tmp_path, "day={day}/part-0.parquet")
    write_parquet(tmp_path / "late.parquet", make_events(1))
    break_file(files[2])
    assert read_events(tmp_path) == ["FILE_BROKEN"] * 5


def test_a_broken_file_puts_every_day_in_doubt_if_another_name_contains_a_wrong_day(tmp_path: Path) -> None:
    files = write_days(tmp_path, "day={day}/part-0.parquet")
    write_parquet(tmp_path / f"day={DAYS[0]}" / "part-1.parquet", make_events(3, DAYS[1]))
    empty(files[2])
    assert read_events(tmp_path) == ["FILE_BROKEN"] * 5


def write_days_of_arrival(folder: Path, files: int, *days_late: int) -> list[date]:
    """A file for each day of arrival, the first with an event that came ``days_late`` too."""
    days = [DAY + n * ONE_DAY for n in range(files)]
    for day in days:
        late = days_late if day == DAY else (0, 1)
        times = [datetime(day.year, day.month, day.day, 12, tzinfo=UTC) - n * ONE_DAY for n in (0, *late)]
        events = [make_event(event_id=f"{day}-{n}", occurred_at=at) for n, at in enumerate(times)]
        write_parquet(folder / f"day={day}" / "part-0.parquet", events)
    return days


@pytest.mark.parametrize(("files", "doubtful"), [(21, (11, 12)), (20, range(20))])
def test_names_by_day_of_arrival_say_which_days_a_broken_file_may_hold_if_enough_files_show_it(
    tmp_path: Path, files: int, doubtful: Sequence[int]
) -> None:
    days = write_days_of_arrival(tmp_path, files, 1)
    truncate(tmp_path / f"day={days[12]}" / "part-0.parquet")
    found = read_events(tmp_path, *days)
    assert [number for number, events in enumerate(found) if events == "FILE_BROKEN"] == list(doubtful)


def test_one_event_of_long_ago_puts_all_days_before_a_broken_file_in_doubt_and_none_after(tmp_path: Path) -> None:
    days = write_days_of_arrival(tmp_path, 22, 1, 9000)
    truncate(tmp_path / f"day={days[12]}" / "part-0.parquet")
    found = read_events(tmp_path, *days)
    assert [number for number, events in enumerate(found) if events == "FILE_BROKEN"] == list(range(13))


def test_a_lone_broken_file_puts_every_day_in_doubt_because_nothing_confirms_its_name(tmp_path: Path) -> None:
    empty(write_days(tmp_path / "one", "{day}.parquet")[0])
    for file in sorted((tmp_path / "one").iterdir())[1:]:
        file.unlink()
    assert read_events(tmp_path / "one") == ["FILE_BROKEN"] * 5


def test_a_broken_file_named_after_a_local_day_puts_that_local_day_in_doubt(tmp_path: Path) -> None:
    files = write_days(tmp_path, "day={day}/part-0.parquet", NEW_YORK)
    truncate(files[2])
    assert read_events(tmp_path, zone=NEW_YORK) == [3, 3, "FILE_BROKEN", 3, 3]


def test_a_broken_file_named_after_a_utc_day_puts_both_local_days_it_reaches_into_in_doubt(tmp_path: Path) -> None:
    files = write_days(tmp_path, "day={day}/part-0.parquet", UTC_ZONE)
    truncate(files[2])
    # A local day begins four hours into its UTC day: one event is in the previous file, two are in its own.
    assert read_events(tmp_path, zone=NEW_YORK) == [3, "FILE_BROKEN", "FILE_BROKEN", 3, 2]


def test_a_file_that_vanished_is_not_a_broken_one(tmp_path: Path) -> None:
    write_days(tmp_path, "day={day}/part-0.parquet")[2].unlink()
    assert read_events(tmp_path) == [3, 3, 0, 3, 3]


@pytest.mark.parametrize("lost", ["event_id", "event_name", "service_version", "is_error"])
def test_a_file_that_lost_a_column_makes_its_day_unreadable_and_never_zero(tmp_path: Path, lost: str) -> None:
    files = write_days(tmp_path, "day={day}/part-0.parquet")
    write_parquet(files[2], make_events(3, DAYS[2], is_error=True), {lost: None})
    answers = read(tmp_path)
    assert [events_of(answer) for answer in answers.values()] == [3, 3, "COLUMN_MISSING", 3, 3]
    day = answers[DAYS[2]]
    assert isinstance(day, UnreadableDay)
    assert lost in day.reason
    assert read_events(tmp_path, DAYS[2]) == ["COLUMN_MISSING"], "read alone it says the same"


@pytest.mark.parametrize(
    "schema",
    [
        replace(SCHEMA, is_error="severity >= 17"),
        replace(SCHEMA, critical_fields=("severity",)),
        replace(SCHEMA, dimensions=("severity",)),
        replace(SCHEMA, observed_at="severity", time_unit="s"),
    ],
    ids=["predicate", "critical field", "dimension", "observed_at"],
)
def test_a_file_that_lost_any_column_the_settings_name_makes_its_day_unreadable(
    tmp_path: Path, schema: EventSchema
) -> None:
    write_parquet(tmp_path / "whole.parquet", make_events(3, DAYS[0], severity=1), {"severity": "BIGINT"})
    write_parquet(tmp_path / "without.parquet", make_events(3, DAYS[1]))
    assert read_events(tmp_path, *DAYS[:3], schema=schema) == [3, "COLUMN_MISSING", 0]


def test_the_broken_part_of_a_file_makes_only_days_that_may_lie_in_it_unreadable(tmp_path: Path) -> None:
    """The footer is intact and says which days the damaged pages hold."""
    files = write_days(tmp_path, "{day}.parquet")
    damaged = bytearray(files[2].read_bytes())
    damaged[4:200] = b"\xff" * 196
    files[2].write_bytes(bytes(damaged))
    first, second, third, *rest = read_events(tmp_path)
    assert [first, second, *rest] == [3, 3, 3, 3]
    assert isinstance(third, str)


def test_a_folder_without_files_is_an_error_and_not_a_year_of_silence(tmp_path: Path) -> None:
    source = ParquetSource(str(tmp_path), SCHEMA, UTC_ZONE)
    for ask in (lambda: list(source.scan_days([day_window(DAY, UTC_ZONE)], 1)), lambda: source.count_days([])):
        with pytest.raises(SourceError, match="At least one Parquet file is required") as caught:
            ask()
        assert caught.value.reason_code == "NO_FILES"


def test_a_path_that_does_not_exist_is_the_same_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        read(tmp_path / "absent.parquet")
    assert caught.value.reason_code == "NO_FILES"


def test_a_file_without_rows_is_an_empty_day(tmp_path: Path) -> None:
    write_parquet(tmp_path / f"{DAYS[0]}.parquet", [])
    assert read_events(tmp_path) == [0] * 5
    write_parquet(tmp_path / f"{DAYS[1]}.parquet", make_events(3, DAYS[1]))
    assert read_events(tmp_path) == [0, 3, 0, 0, 0]


def test_a_pattern_chooses_its_files(tmp_path: Path) -> None:
    write_days(tmp_path, "{day}.parquet")
    fill_with_garbage(tmp_path / "notes.txt")
    assert read_events(tmp_path / "*-1[01].parquet") == [3, 3, 0, 0, 0]


def test_files_are_listed_again_for_every_scan(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", make_events(3))
    source = ParquetSource(str(tmp_path), SCHEMA, UTC_ZONE)
    window = day_window(DAY, UTC_ZONE)
    assert source.count_days([window]) == {DAY: 3}
    write_parquet(tmp_path / "b.parquet", make_events(2))
    assert source.count_days([window]) == {DAY: 5}


def test_a_footer_is_read_again_only_after_its_file_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described: list[str] = []

    def describe(connection: duckdb.DuckDBPyConnection, paths: Sequence[str], schema: EventSchema) -> list[ParquetFile]:
        described.extend(Path(path).stem for path in paths)
        return describe_files(connection, paths, schema)

    monkeypatch.setattr(parquet, "describe_files", describe)
    write_parquet(tmp_path / "a.parquet", make_events(3))
    write_parquet(tmp_path / "b.parquet", make_events(2))
    source, window = ParquetSource(str(tmp_path), SCHEMA, UTC_ZONE), day_window(DAY, UTC_ZONE)
    assert [source.count_days([window]) for _ in range(2)] == [{DAY: 5}, {DAY: 5}]
    assert described == ["a", "b"]
    other_day = write_parquet(tmp_path / "other day", make_events(1, day=DAY - ONE_DAY))
    (tmp_path / "b.parquet").write_bytes(other_day.read_bytes())
    assert source.count_days([window]) == {DAY: 3}
    (tmp_path / "a.parquet").unlink()
    assert source.count_days([window]) == {DAY: 0}
    assert described == ["a", "b", "b"]


def test_a_file_that_was_broken_is_checked_again(tmp_path: Path) -> None:
    (whole,) = write_days(tmp_path, "{day}.parquet")[:1]
    source, window = ParquetSource(str(tmp_path), SCHEMA, UTC_ZONE), day_window(DAYS[0], UTC_ZONE)
    status, content = whole.stat(), whole.read_bytes()
    whole.write_bytes(bytes(len(content)))
    os.utime(whole, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert isinstance(source.count_days([window])[DAYS[0]], UnreadableDay)
    whole.write_bytes(content)
    os.utime(whole, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert source.count_days([window]) == {DAYS[0]: 3}


def test_every_file_may_have_its_own_column_order(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", make_events(3, is_error=True))
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            f"COPY (SELECT is_error, service_version, event_name, event_id, 1 AS more, occurred_at"
            f" FROM '{tmp_path / 'a.parquet'}') TO '{tmp_path / 'b.parquet'}'"
        )
    (answer,) = read(tmp_path, DAY).values()
    assert isinstance(answer, DayScan)
    assert (answer.aggregates.totals().events, answer.aggregates.totals().errors) == (6, 6)
    assert answer.aggregates.signals() == {"page.view"}


def typed(events: list[dict[str, Any]], **columns: Callable[[Any], Any]) -> list[dict[str, Any]]:
    return [{name: columns.get(name, lambda it: it)(value) for name, value in event.items()} for event in events]


def naive(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


@pytest.mark.parametrize(
    ("types", "convert"),
    [
        ({"event_id": "BIGINT"}, {"event_id": lambda text: int(text.rpartition("-")[2])}),
        ({"event_id": "DOUBLE"}, {"event_id": lambda text: float(text.rpartition("-")[2])}),
        ({"occurred_at": "TIMESTAMP"}, {"occurred_at": naive}),
        ({"occurred_at": "TIMESTAMP_NS"}, {"occurred_at": naive}),
        ({"occurred_at": "TIMESTAMP_MS"}, {"occurred_at": naive}),
        ({"occurred_at": "VARCHAR"}, {"occurred_at": naive}),
        ({"is_error": "INTEGER"}, {"is_error": int}),
        ({"service_version": "DOUBLE"}, {"service_version": float}),
    ],
    ids=["BIGINT id", "DOUBLE id", "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_MS", "VARCHAR", "INTEGER", "DOUBLE version"],
)
def test_a_column_whose_type_changed_between_files_loses_no_event(
    tmp_path: Path, types: Mapping[str, str], convert: Mapping[str, Callable[[Any], Any]]
) -> None:
    write_parquet(tmp_path / "a.parquet", make_events(4, DAYS[0], is_error=True))
    write_parquet(tmp_path / "b.parquet", typed(make_events(5, DAYS[1], is_error=True), **convert), types)
    write_parquet(tmp_path / "c.parquet", typed(make_events(6, DAYS[2], is_error=True), **convert), types)
    write_parquet(tmp_path / "d.parquet", make_events(7, DAYS[2], is_error=True))
    answers = read(tmp_path)
    assert [events_of(answer) for answer in answers.values()] == [4, 5, 13, 0, 0]
    for answer in answers.values():
        assert isinstance(answer, DayScan)
        assert answer.aggregates.totals().errors == answer.aggregates.totals().events
        assert answer.aggregates.by_version().keys() <= {"1.0"}


@pytest.mark.parametrize("type_", ["TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "VARCHAR"])
def test_a_time_without_a_zone_is_utc(tmp_path: Path, type_: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    events = [make_event(occurred_at="2026-03-10 00:00:00"), make_event(occurred_at="2026-03-10 23:59:59")]
    write_parquet(tmp_path / "a.parquet", events, {"occurred_at": type_})
    answer = read(tmp_path)[DAY]
    assert isinstance(answer, DayScan)
    assert list(answer.aggregates.by_hour()) == [0, 23]


@pytest.mark.parametrize("type_", ["TIMESTAMPTZ", "TIMESTAMP", "VARCHAR"])
def test_times_far_out_of_range_belong_to_no_asked_day_and_break_nothing(tmp_path: Path, type_: str) -> None:
    far = ["0001-01-01 00:00:00", "9999-12-31 23:59:59", "290000-01-01 00:00:00", "4000-01-01 (BC) 00:00:00"]
    events = [make_event(occurred_at=at) for at in [*far, "2026-03-10 12:00:00", None]]
    write_parquet(tmp_path / "a.parquet", events, {"occurred_at": type_})
    assert read_events(tmp_path) == [1, 0, 0, 0, 0]


def test_infinite_times_written_as_text_leave_the_day_of_their_file_unknown(tmp_path: Path) -> None:
    events = [make_event(occurred_at=at) for at in ("infinity", "-infinity", "2026-03-10 12:00:00")]
    write_parquet(tmp_path / "a.parquet", events, {"occurred_at": "VARCHAR"})
    assert read_events(tmp_path) == ["TIMES_UNREADABLE", 0, 0, 0, 0]


def test_text_that_is_not_a_time_leaves_the_day_of_its_file_unknown(tmp_path: Path) -> None:
    nonsense = ["", " ", "yesterday", "2026-03-10 25:00:00", "2026-03-99", "20260310", "2026-03-10; DROP TABLE events"]
    events = [make_event(occurred_at=at) for at in [*nonsense, "2026-03-10T12:00:00Z"]]
    write_parquet(tmp_path / "a.parquet", events, {"occurred_at": "VARCHAR"})
    assert read_events(tmp_path) == ["TIMES_UNREADABLE", 0, 0, 0, 0]


def test_an_integer_time_needs_its_unit_and_is_then_read_exactly(tmp_path: Path) -> None:
    seconds = int(datetime(2026, 3, 10, tzinfo=UTC).timestamp())
    for unit, per_second in {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}.items():
        times = [seconds * per_second, (seconds + 86_400) * per_second - 1, (seconds + 86_400) * per_second]
        events = [make_event(occurred_at=at) for at in times]
        path = write_parquet(tmp_path / f"{unit}.parquet", events, {"occurred_at": "BIGINT"})
        assert read_events(path, schema=replace(SCHEMA, time_unit=unit)) == [2, 1, 0, 0, 0]
        answer = read(path, DAY)[DAY]
        assert isinstance(answer, UnreadableDay)
        assert answer.reason_code == "COLUMN_TYPE"
        assert "set time_unit to s, ms, us or ns" in answer.reason


def test_a_date_is_not_an_instant(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", [make_event(occurred_at=DAY)], {"occurred_at": "DATE"})
    answer = read(tmp_path, DAY)[DAY]
    assert isinstance(answer, UnreadableDay)
    assert answer.reason_code == "COLUMN_TYPE"
    assert answer.reason == (
        "occurred_at requires a timestamp, text or a number, but 'occurred_at' is DATE; name another column."
    )


def test_an_error_column_of_text_makes_its_day_unreadable_and_never_zero(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", make_events(3, is_error="true"), {"is_error": "VARCHAR"})
    write_parquet(tmp_path / "b.parquet", make_events(3, DAYS[1], is_error=True))
    assert read_events(tmp_path, *DAYS[:2]) == ["COLUMN_TYPE", 3]


def test_a_column_of_the_hive_folder_may_play_a_role(tmp_path: Path) -> None:
    for name in ("web", "app"):
        write_parquet(tmp_path / f"signal={name}" / "a.parquet", make_events(3), {"event_name": None})
    answer = read(tmp_path, DAY, schema=replace(SCHEMA, event_name="signal"))[DAY]
    assert isinstance(answer, DayScan)
    assert answer.aggregates.signals() == {"web", "app"}


@pytest.mark.parametrize(
    ("path", "day"),
    [
        ("events/day=2013-02-08/part.parquet", date(2013, 2, 8)),
        ("events-20130208.parquet", date(2013, 2, 8)),
        ("2013_02_08.parquet", date(2013, 2, 8)),
        ("year=2013/month=02/day=08/part.parquet", date(2013, 2, 8)),
        ("2013/02/08/part.parquet", date(2013, 2, 8)),
        ("backup-2020-01-01/day=2013-02-08/part.parquet", date(2013, 2, 8)),
        ("day=2013-02-30/part.parquet", None),
        ("part-0001.parquet", None),
        ("120130208.parquet", None),
        ("201302081.parquet", None),
    ],
)
def test_a_day_is_found_in_a_file_name(path: str, day: date | None) -> None:
    assert ParquetFile(path).days_in_name == (day and (day, day))


@pytest.mark.parametrize(
    ("first", "last", "may_hold"),
    [
        (0, 24, True),
        (-24, -1 / 3600e6, False),
        (-24, 0, True),
        (24, 48, False),
        (24 - 1 / 3600e6, 48, True),
        (-48, 72, True),
        (None, None, True),
        (None, 0, True),
        (0, None, True),
    ],
)
def test_a_file_may_hold_a_day_unless_its_footer_says_otherwise(
    first: float | None, last: float | None, *, may_hold: bool
) -> None:
    window = day_window(DAY, UTC_ZONE)
    begin, end = (None if hour is None else window.start + timedelta(hours=hour) for hour in (first, last))
    assert ParquetFile("a", rows=1, first=begin, last=end).may_hold(window) is may_hold
    assert not ParquetFile("a", rows=0, first=begin, last=end).may_hold(window)


def test_every_day_of_a_long_folder_is_read_in_one_go(tmp_path: Path) -> None:
    days = list(days_between(DAY, DAY + 99 * ONE_DAY))
    write_parquet(tmp_path / "a.parquet", [event for day in days for event in make_events(2, day)])
    assert read_events(tmp_path, *days) == [2] * 100


def test_the_columns_of_all_readable_files_are_shown_together(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", make_events(1))
    write_parquet(tmp_path / "b.parquet", make_events(1), {"extra": "BIGINT"})
    fill_with_garbage(tmp_path / "c.parquet")
    found = ParquetSource(str(tmp_path), SCHEMA, UTC_ZONE).columns()
    assert {"event_id", "occurred_at", "event_name", "service_version", "is_error", "extra"} <= found.keys()


def test_a_day_is_the_same_alone_and_in_a_range_even_if_its_id_has_another_type_on_another_day(
    tmp_path: Path,
) -> None:
    numbered = [event | {"event_id": number} for number, event in enumerate(make_events(500))]
    write_parquet(tmp_path / "a.parquet", numbered, {"event_id": "BIGINT"})
    write_parquet(tmp_path / "b.parquet", make_events(500, DAYS[1]))
    assert read(tmp_path, DAY)[DAY] == read(tmp_path, *DAYS[:2])[DAY]


def test_a_version_is_the_same_alone_and_in_a_range_even_if_another_day_s_has_a_fraction(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", make_events(5, service_version=42), {"service_version": "BIGINT"})
    write_parquet(tmp_path / "b.parquet", make_events(5, DAYS[1], service_version=42.0), {"service_version": "DOUBLE"})
    assert read(tmp_path, DAY)[DAY] == read(tmp_path, *DAYS[:2])[DAY]


def test_a_day_with_both_integers_and_text_as_times_is_refused_rather_than_half_counted(tmp_path: Path) -> None:
    numbers = [event | {"occurred_at": int(event["occurred_at"].timestamp())} for event in make_events(5)]
    texts = [event | {"occurred_at": event["occurred_at"].isoformat()} for event in make_events(5)]
    write_parquet(tmp_path / "a.parquet", numbers, {"occurred_at": "BIGINT"})
    write_parquet(tmp_path / "b.parquet", texts, {"occurred_at": "VARCHAR"})
    source = ParquetSource(str(tmp_path), replace(SCHEMA, time_unit="s"), UTC_ZONE)
    (answer,) = source.scan_days([day_window(DAY, UTC_ZONE)], 10)
    assert isinstance(answer, UnreadableDay)
    assert answer.reason_code == "COLUMN_TYPE"


def test_infinite_instants_belong_to_no_day(tmp_path: Path) -> None:
    times = ["infinity", "-infinity", "0001-01-01 00:00:00+00", "9999-12-31 00:00:00+00"]
    events = [make_event(event_id=at, occurred_at=at) for at in times]
    write_parquet(tmp_path / "a.parquet", [make_event(), *events])
    assert read_events(tmp_path, DAY) == [1]


def test_the_last_nanosecond_of_a_day_is_still_in_it(tmp_path: Path) -> None:
    last = make_event(occurred_at=f"{DAY} 23:59:59.999999999+00")
    write_parquet(tmp_path / "a.parquet", [last], {"occurred_at": "TIMESTAMPTZ_NS"})
    assert read_events(tmp_path, DAY) == [1]
    assert read_events(tmp_path, *DAYS[:2]) == [1, 0]


def test_a_nested_field_does_not_replace_a_missing_column(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.sql(
            f"SELECT 'e' AS event_id, TIMESTAMPTZ '{DAY} 12:00:00+00' AS occurred_at, 'x' AS event_name,"
            " '1' AS service_version, {'is_error': true} AS payload, [1, 2] AS numbers, 3 AS last"
        ).to_parquet(str(tmp_path / "a.parquet"))
    write_parquet(tmp_path / "b.parquet", make_events(5, DAYS[1]))
    assert read_events(tmp_path, *DAYS[:2]) == ["COLUMN_MISSING", 5]


def test_a_writer_s_own_files_are_skipped(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", make_events(3))
    for hidden in ("_temporary/0/b.parquet", ".staging/c.parquet", "_d.parquet"):
        write_parquet(tmp_path / hidden, make_events(3))
    assert read_events(tmp_path, DAY) == [3]


def test_a_hidden_folder_that_is_named_is_read(tmp_path: Path) -> None:
    write_parquet(tmp_path / ".lake" / "_x" / "a.parquet", make_events(3))
    assert read_events(tmp_path / ".lake" / "_x", DAY) == [3]


def test_brackets_in_a_folder_name_are_not_a_pattern(tmp_path: Path) -> None:
    write_parquet(tmp_path / "[prod]" / "a.parquet", make_events(3))
    assert read_events(tmp_path / "[prod]", DAY) == [3]


def test_where_names_fit_local_and_utc_days_alike_a_broken_file_puts_the_days_of_both_in_doubt(tmp_path: Path) -> None:
    for day in (date(2026, 3, 2), date(2026, 3, 3)):
        noon = datetime(day.year, day.month, day.day, 17, tzinfo=UTC)
        write_parquet(tmp_path / f"events-{day}.parquet", [make_event(occurred_at=noon)])
    fill_with_garbage(tmp_path / "events-2026-03-04.parquet")
    source = ParquetSource(str(tmp_path), SCHEMA, NEW_YORK)
    windows = [day_window(date(2026, 3, day), NEW_YORK) for day in (2, 3, 4, 5)]
    unreadable = [isinstance(answer, UnreadableDay) for answer in source.scan_days(windows, 5)]
    assert unreadable == [False, True, True, False]


OBSERVED = replace(SCHEMA, observed_at="observed_at")


def write_arrivals(path: Path, day: date, observed: date, kind: str = "TIMESTAMPTZ", **types: str | None) -> Path:
    """Three events of ``day``, all observed at eight in the evening of another day."""
    events = make_events(3, day, observed_at=f"{observed} 20:00:00+00")
    return write_parquet(path, events, {"observed_at": kind, **types})


def damage_pages(file: Path) -> None:
    """Leave only the footer intact; its length is stored before the last four bytes."""
    content = bytearray(file.read_bytes())
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    content[4:footer] = b"\xff" * (footer - 4)
    file.write_bytes(bytes(content))


def arrivals_of(path: Path, *days: date, schema: EventSchema = OBSERVED) -> list[Arrivals | str | None]:
    answers = read(path, *days, schema=schema).values()
    return [answer.reason_code if isinstance(answer, UnreadableDay) else answer.arrivals for answer in answers]


def test_only_files_that_may_hold_arrivals_of_a_day_are_read_for_them(tmp_path: Path) -> None:
    write_arrivals(tmp_path / "a.parquet", DAYS[0], DAYS[0])
    write_arrivals(tmp_path / "b.parquet", DAYS[1], DAYS[1])
    damage_pages(write_arrivals(tmp_path / "c.parquet", DAYS[2], DAYS[1]))
    assert arrivals_of(tmp_path, DAYS[0]) == [Arrivals((3,), 3, 0, 0, 0)]
    assert arrivals_of(tmp_path, *DAYS[:2]) == [Arrivals((3,), 3, 0, 0, 0), None], "one that arrived cannot be read"


def test_a_day_whose_arrivals_cannot_be_counted_is_read_all_the_same(tmp_path: Path) -> None:
    write_arrivals(tmp_path / "a.parquet", DAYS[0], DAYS[0])
    damage_pages(write_arrivals(tmp_path / "b.parquet", DAYS[1], DAYS[0]))
    answer = read(tmp_path, DAYS[0], schema=OBSERVED)[DAYS[0]]
    assert isinstance(answer, DayScan)
    assert answer.arrivals is None
    assert answer.aggregates.totals().events == 3


def test_events_that_arrived_on_a_day_without_events_of_its_own_are_counted(tmp_path: Path) -> None:
    write_arrivals(tmp_path / "a.parquet", DAYS[0], DAYS[2])
    write_arrivals(tmp_path / "b.parquet", DAY + 30 * ONE_DAY, DAYS[2])
    answers = arrivals_of(tmp_path, *DAYS[:3])
    twenty_four_and_twenty_hours_late = (*[0] * 44, 3)
    assert answers == [
        Arrivals(twenty_four_and_twenty_hours_late, 0, 0, 0, 0),
        Arrivals((), 0, 0, 0, 0),
        Arrivals((), 6, 3, 0, 0),
    ]
    assert answers == [arrivals_of(tmp_path, day)[0] for day in DAYS[:3]]


def test_a_file_without_the_column_of_arrival_makes_its_own_day_unreadable_and_no_other(tmp_path: Path) -> None:
    write_arrivals(tmp_path / "a.parquet", DAYS[0], DAYS[0])
    write_parquet(tmp_path / "b.parquet", make_events(3, DAYS[1]))
    assert arrivals_of(tmp_path, *DAYS[:2]) == [Arrivals((3,), 3, 0, 0, 0), "COLUMN_MISSING"]


@pytest.mark.parametrize("kind", ["TIMESTAMP", "TIMESTAMP_NS", "VARCHAR"])
def test_arrivals_of_different_types_are_the_same_alone_and_in_a_range(tmp_path: Path, kind: str) -> None:
    write_arrivals(tmp_path / "a.parquet", DAYS[0], DAYS[0])
    write_arrivals(tmp_path / "b.parquet", DAYS[1], DAYS[1], kind)
    expected = Arrivals((3,), 3, 0, 0, 0)
    assert arrivals_of(tmp_path, *DAYS[:2]) == [expected, expected]


def test_a_day_with_both_integers_and_instants_as_arrivals_has_no_arrivals_rather_than_half_of_them(
    tmp_path: Path,
) -> None:
    write_arrivals(tmp_path / "a.parquet", DAYS[0], DAYS[0])
    numbers = make_events(3, DAYS[1], observed_at=1_773_259_200)
    write_parquet(tmp_path / "b.parquet", numbers, {"observed_at": "BIGINT"})
    assert arrivals_of(tmp_path, *DAYS[:2], schema=replace(OBSERVED, time_unit="s")) == [
        None,
        Arrivals((3,), 3, 0, 0, 0),
    ]


def test_infinite_and_absurd_instants_have_invalid_timestamps_and_break_nothing(tmp_path: Path) -> None:
    times = ["infinity", "-infinity", "290000-01-01 00:00:00+00", "4000-01-01 (BC) 00:00:00+00"]
    events = [make_event(event_id=at, occurred_at=at, observed_at="2026-03-10 12:00:00+00") for at in times]
    never = [make_event(event_id=at, observed_at=at) for at in times]
    write_parquet(tmp_path / "a.parquet", events + never, {"observed_at": "TIMESTAMPTZ"})
    (arrivals,) = arrivals_of(tmp_path, DAY)
    assert isinstance(arrivals, Arrivals)
    assert (arrivals.observed_events, arrivals.future_events + arrivals.stale_events + arrivals.undated_events) == (
        4,
        4,
    )
    assert arrivals.by_hour[0] == 1
    assert arrivals.by_hour[-1] == 1


@pytest.mark.parametrize(
    ("first", "last", "may_hold"),
    [(0, 24, True), (-24, -1, False), (-24, 0, True), (24, 48, False), (23, 48, True), (None, None, True)],
)
def test_a_file_may_hold_arrivals_of_a_day_unless_its_footer_says_otherwise(
    first: float | None, last: float | None, *, may_hold: bool
) -> None:
    window = day_window(DAY, UTC_ZONE)
    begin, end = (None if hour is None else window.start + timedelta(hours=hour) for hour in (first, last))
    file = ParquetFile("a", rows=1, first_observed=begin, last_observed=end)
    assert file.may_hold_arrivals(window.start, window.end) is may_hold


def test_a_duckdb_is_opened_once_for_many_reads_and_not_used_again_after_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[DuckDBClient] = []
    new_client = ParquetSource.new_client

    def opening(source: ParquetSource) -> DuckDBClient:
        opened.append(new_client(source))
        return opened[-1]

    monkeypatch.setattr(ParquetSource, "new_client", opening)
    source = ParquetSource(str(tmp_path), SCHEMA, UTC_ZONE)
    (file, *_) = write_days(tmp_path, "events-{day}.parquet")
    windows = [day_window(DAY, UTC_ZONE)]
    first = source.count_days(windows)

    assert source.count_days(windows) == first
    assert len(opened) == 1
    with pytest.raises(SourceError), source._client() as client:
        client.columns_of("no_such_table")
    assert source.count_days(windows) == first
    assert len(opened) == 2
    assert file.exists()


def test_a_file_that_was_replaced_within_its_timestamp_is_read_anew(tmp_path: Path) -> None:
    source = ParquetSource(str(tmp_path), SCHEMA, UTC_ZONE)
    windows = [day_window(DAY, UTC_ZONE)]
    counts = []
    for count in (3, 4):
        file = write_parquet(tmp_path / "events.parquet", make_events(count))
        os.utime(file, (1_700_000_000, 1_700_000_000))
        counts.append(source.count_days(windows)[DAY])

    assert counts == [3, 4]
