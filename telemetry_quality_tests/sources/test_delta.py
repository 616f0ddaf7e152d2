"""Delta tables: the live files of one version, and never a healthy day where one of them is missing."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from telemetry_quality.assembly import open_source
from telemetry_quality.core.days import day_window
from telemetry_quality.core.events import DayScan, UnreadableDay
from telemetry_quality.errors import SourceError, SourceUnavailableError
from telemetry_quality.settings import SourceSettings
from telemetry_quality.sources import lake_files, lakes
from telemetry_quality.sources.delta import DeltaSnapshot, DeltaSource
from telemetry_quality_tests.builders import DAY, SCHEMA, make_event, make_events, write_parquet
from telemetry_quality_tests.sources.delta_tables import (
    add,
    deletion_vector,
    field,
    mapped,
    metadata,
    protocol,
    remove,
    struct,
    write_log,
)

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry_quality.core.event_schema import EventSchema

ONE_DAY = timedelta(days=1)
WINDOWS = [day_window(DAY + n * ONE_DAY, ZoneInfo("UTC")) for n in range(3)]
ROLES = {
    name: getattr(SCHEMA, name) for name in ("event_id", "occurred_at", "event_name", "service_version", "is_error")
}
FIELDS = [
    field("event_id", "string"),
    field("occurred_at", "timestamp"),
    field("event_name", "string"),
    field("service_version", "string"),
    field("is_error", "boolean"),
]
BARE = replace(SCHEMA, critical_fields=())


def source_of(folder: Path, schema: EventSchema = BARE) -> DeltaSource:
    return DeltaSource(str(folder), schema)


def answers(source: DeltaSource) -> list[int | str]:
    """The events of each of three days, or the reason code of one that could not be read."""
    found = source.scan_days(WINDOWS, 10)
    return [
        answer.aggregates.totals().events if isinstance(answer, DayScan) else answer.reason_code for answer in found
    ]


def reason(source: DeltaSource, day: int = 0) -> str:
    (answer,) = source.scan_days(WINDOWS[day : day + 1], 10)
    assert isinstance(answer, UnreadableDay), answer
    return answer.reason


def write_days(folder: Path, *counts: int, **options: Any) -> Path:
    """A table with one file for each day from DAY on."""
    for number, count in enumerate(counts):
        written = write_parquet(
            folder.parent / "written" / f"{number}.parquet", make_events(count, DAY + number * ONE_DAY)
        )
        write_deltalake(folder, duckdb.read_parquet(str(written)).to_arrow_table(), mode="append", **options)
    return folder


def copy(query: str, path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({query}) TO '{path}'")


def live_file(folder: Path, day: int) -> Path:
    about = pa.table(DeltaTable(folder).get_add_actions(flatten=True)).to_pylist()
    (path,) = [str(file["path"]) for file in about if file["min.occurred_at"].date() == DAY + day * ONE_DAY]
    return folder / path


def day(number: int, rows: int) -> dict[str, Any]:
    """Statistics of a file that holds events of one day."""
    at = {"occurred_at": f"{DAY + number * ONE_DAY}T12:00:00Z"}
    return {"numRecords": rows, "minValues": at, "maxValues": at}


# The live files of one version


def test_files_that_were_rewritten_are_counted_once_and_the_version_is_stored_with_the_scan(tmp_path: Path) -> None:
    folder = write_days(tmp_path / "t", 5, 6)
    assert [scan.source_version for scan in source_of(folder).scan_days(WINDOWS, 10)] == ["1", "1", "1"]
    DeltaTable(folder).optimize.compact()
    assert len(list(folder.glob("*.parquet"))) == 3, "the old files are still there"
    assert answers(source_of(folder)) == [5, 6, 0]
    assert {scan.source_version for scan in source_of(folder).scan_days(WINDOWS, 10)} == {"2"}


def test_deleted_and_updated_events_count_as_the_table_has_them(tmp_path: Path) -> None:
    folder = write_days(tmp_path / "t", 5, 6)
    DeltaTable(folder).delete("event_id LIKE '%-0'")
    DeltaTable(folder).update(updates={"is_error": "true"}, predicate="event_id LIKE '%-1'")
    first, second, _ = source_of(folder).scan_days(WINDOWS, 10)
    assert isinstance(first, DayScan)
    assert isinstance(second, DayScan)
    totals = [scan.aggregates.totals() for scan in (first, second)]
    assert [(day.events, day.errors) for day in totals] == [(4, 1), (5, 1)]


def test_rows_in_deletion_vectors_are_left_out_and_only_those(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", make_events(10))
    write_parquet(tmp_path / "b.parquet", make_events(10))
    write_parquet(tmp_path / "c.parquet", make_events(7, DAY + ONE_DAY))
    deleted = add("a.parquet", {"numRecords": 10, "tightBounds": False}, deletionVector=deletion_vector(0, 3, 9))
    files = [deleted, add("b.parquet"), add("c.parquet", {"numRecords": 7}, deletionVector=deletion_vector(6))]
    write_log(tmp_path, [protocol("deletionVectors"), metadata(FIELDS), *files])
    assert answers(source_of(tmp_path)) == [17, 6, 0]
    scan = next(iter(source_of(tmp_path).scan_days(WINDOWS, 100)))
    assert isinstance(scan, DayScan)
    ids = sorted(str(event.event_id) for event in scan.sample)
    assert [ids.count(event["event_id"]) for event in make_events(10)] == [1, 2, 2, 1, 2, 2, 2, 2, 2, 1]


def test_a_column_whose_name_hides_the_positions_of_deleted_rows_is_refused_by_name(tmp_path: Path) -> None:
    events = [event | {"file_row_number": 5, "filename": "x"} for event in make_events(4)]
    write_parquet(tmp_path / "a.parquet", events, {"file_row_number": "BIGINT", "filename": "VARCHAR"})
    write_parquet(tmp_path / "b.parquet", make_events(3, DAY + ONE_DAY))
    fields = [*FIELDS, field("file_row_number", "long"), field("filename", "string"), field("p", "string")]
    files = [
        add("a.parquet", day(0, 4), deletionVector=deletion_vector(0), partitionValues={"p": "x"}),
        add("b.parquet", day(1, 3), partitionValues={"p": "y"}),
    ]
    write_log(tmp_path, [protocol("deletionVectors"), metadata(fields, ["p"]), *files])
    assert answers(source_of(tmp_path)) == ["COLUMN_NAME", 3, 0]
    write_log(
        tmp_path,
        [
            protocol("deletionVectors"),
            metadata(fields, ["p"]),
            *files[1:],
            add("a.parquet", partitionValues={"p": "x"}),
        ],
    )
    assert values_of(source_of(tmp_path, replace(BARE, dimensions=("p",))), "p") == {"x": 4}


def values_of(source: DeltaSource, dimension: str, day: int = 0) -> dict[str | None, int]:
    (scan,) = source.scan_days(WINDOWS[day : day + 1], 10)
    assert isinstance(scan, DayScan), scan
    return {
        part.value: counts.events
        for part, counts in scan.slices.items()
        if part.dimension == dimension and part.by is None
    }


# Partitions


@pytest.mark.parametrize("value", ["a/b =%é", "%2F", "it's", "{x}", "[a]*?", "café\n", " ", "🛰️", None])
def test_partition_values_come_from_the_log_whatever_they_are(tmp_path: Path, value: str | None) -> None:
    rows = [event | {"platform": platform} for platform in (value, "web") for event in make_events(3)]
    write_deltalake(tmp_path / "t", pa.Table.from_pylist(rows), partition_by=["platform"])
    folder = (tmp_path / "t").rename(tmp_path / "[t] é*")
    source = source_of(folder, replace(BARE, dimensions=("platform",)))
    assert values_of(source, "platform") == {value: 3, "web": 3}


def test_partition_values_have_the_type_of_their_column(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", make_events(4))
    write_parquet(tmp_path / "b.parquet", make_events(2))
    types = {"i": "integer", "d": "date", "t": "timestamp", "b": "boolean", "m": "decimal(5,2)", "x": "binary"}
    found = {"i": "7", "d": "2026-03-10", "t": "2026-03-10 01:02:03", "b": "true", "m": "1.50", "x": "\x00A"}
    fields = [*FIELDS, *(field(name, type_) for name, type_ in types.items())]
    files = [add("a.parquet", partitionValues=found), add("b.parquet", partitionValues=dict.fromkeys(types))]
    write_log(tmp_path, [protocol(), metadata(fields, list(types)), *files])
    source = source_of(tmp_path, replace(BARE, dimensions=tuple(types)))
    assert {name: source.columns()[name].type_name for name in types} == {
        "i": "INTEGER",
        "d": "DATE",
        "t": "TIMESTAMP WITH TIME ZONE",
        "b": "BOOLEAN",
        "m": "DECIMAL(5,2)",
        "x": "BLOB",
    }
    assert [values_of(source, name) for name in types] == [
        {"7": 4, None: 2},
        {"2026-03-10": 4, None: 2},
        {"2026-03-10 01:02:03+00": 4, None: 2},
        {"true": 4, None: 2},
        {"1.50": 4, None: 2},
        {"\\x00A": 4, None: 2},
    ]


def test_roles_may_be_played_by_partition_columns(tmp_path: Path) -> None:
    rows = [event | {"event_name": name} for name in ("open", "close") for event in make_events(3)]
    write_deltalake(tmp_path / "t", pa.Table.from_pylist(rows), partition_by=["event_name", "is_error"])
    (scan,) = source_of(tmp_path / "t").scan_days(WINDOWS[:1], 10)
    assert isinstance(scan, DayScan)
    assert {row.event_name: row.events for row in scan.aggregates.rows} == {"open": 3, "close": 3}


# The table's own schema


def test_renamed_columns_are_found_by_their_physical_names_also_inside_structs(tmp_path: Path) -> None:
    copy(
        "SELECT 'e' || i AS c1, TIMESTAMPTZ '2026-03-10 12:00:00+00' AS c2, {'c4': 'open', 'c5': '1.0'} AS c3,"
        " {'kept': 'x'} AS c6 FROM range(4) t(i)",
        tmp_path / "a.parquet",
    )
    fields = [
        mapped("event_id", "string", 1, "c1"),
        mapped("occurred_at", "timestamp", 2, "c2"),
        mapped("about", struct(mapped("version", "string", 5, "c5"), mapped("name", "string", 4, "c4")), 3, "c3"),
        mapped("gone", struct(mapped("kept", "string", 7, "kept"), mapped("new", "string", 8, "c8")), 6, "c6"),
        mapped("c1", "string", 9, "c9"),
        mapped("event_name", "string", 10, "c10"),
        mapped("service_version", "string", 11, "c11"),
        mapped("is_error", "boolean", 12, "c12"),
    ]
    file = add(
        "a.parquet", {"numRecords": 4, "minValues": {"c2": "2026-03-10T12:00:00Z"}}, partitionValues={"c10": "open"}
    )
    mode = {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "12"}
    write_log(tmp_path, [protocol("columnMapping"), metadata(fields, ["event_name"], **mode), file])
    schema = replace(BARE, critical_fields=("c1",), dimensions=("about", "gone"))
    (scan,) = source_of(tmp_path, schema).scan_days(WINDOWS[:1], 10)
    assert isinstance(scan, DayScan), scan
    assert sorted(str(event.event_id) for event in scan.sample) == ["e0", "e1", "e2", "e3"]
    assert scan.aggregates.missing_critical() == {"c1": 4}, "a new column with the old name of another is not that one"
    assert [row[1:4] for row in scan.aggregates.rows] == [("open", None, 4)]
    assert values_of(source_of(tmp_path, schema), "about") == {"{'version': 1.0, 'name': open}": 4}
    assert values_of(source_of(tmp_path, schema), "gone") == {"{'kept': x, 'new': NULL}": 4}


def test_a_part_of_a_list_that_was_renamed_is_refused_only_where_it_plays_a_role(tmp_path: Path) -> None:
    events = write_parquet(tmp_path / "written.parquet", make_events(3))
    copy(f"SELECT *, [{{'old': 1}}] AS items FROM '{events}'", tmp_path / "a.parquet")
    items = {"type": "array", "elementType": struct(mapped("new", "long", 9, "old")), "containsNull": True}
    fields = [mapped(field["name"], field["type"], n, field["name"]) for n, field in enumerate(FIELDS)]
    mode = {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "12"}
    known = metadata([*fields, mapped("items", items, 8, "items")], **mode)
    write_log(tmp_path, [protocol("columnMapping"), known, add("a.parquet")])
    assert answers(source_of(tmp_path)) == [3, 0, 0]
    assert answers(source_of(tmp_path, replace(BARE, dimensions=("items",)))) == ["COLUMN_RENAMED"] * 3


def test_a_column_that_came_later_is_null_before_and_one_that_went_is_missing(tmp_path: Path) -> None:
    folder = write_days(tmp_path / "t", 4)
    later = [event | {"plan": "paid"} for event in make_events(3, DAY + ONE_DAY)]
    write_deltalake(folder, pa.Table.from_pylist(later), mode="append", schema_mode="merge")
    schema = replace(BARE, critical_fields=("plan",))
    scans = [scan for scan in source_of(folder, schema).scan_days(WINDOWS[:2], 10) if isinstance(scan, DayScan)]
    assert [scan.aggregates.missing_critical() for scan in scans] == [{"plan": 4}, {"plan": 0}]
    with pytest.raises(SourceError, match="critical_fields requires the column 'gate'"):
        list(source_of(folder, replace(BARE, critical_fields=("gate",))).scan_days(WINDOWS, 10))


def test_files_of_an_older_type_are_read_as_the_type_that_the_table_has_now(tmp_path: Path) -> None:
    events = write_parquet(tmp_path / "written.parquet", make_events(3))
    copy(
        f"SELECT * REPLACE (occurred_at::TIMESTAMP AS occurred_at), 7::INTEGER AS build FROM '{events}'",
        tmp_path / "a.parquet",
    )
    copy(f"SELECT *, 8::BIGINT AS build FROM '{events}'", tmp_path / "b.parquet")
    known = metadata([*FIELDS, field("build", "long")])
    write_log(tmp_path, [protocol(), known, add("a.parquet"), add("b.parquet")])
    assert values_of(source_of(tmp_path, replace(BARE, dimensions=("build",))), "build") == {"7": 3, "8": 3}


def test_a_log_that_declares_no_columns_has_those_of_its_files(tmp_path: Path) -> None:
    """As other tools write it; the folder also holds the two files that one replaced."""
    for name, start, end in (("a", 0, 500), ("b", 500, 1000), ("c", 0, 1000)):
        write_parquet(tmp_path / f"{name}.parquet", make_events(1000)[start:end])
    about = metadata([])
    undeclared = {"metaData": {**about["metaData"], "schemaString": "{}"}}
    rewritten = [remove("a.parquet"), remove("b.parquet"), add("c.parquet")]
    write_log(tmp_path, [protocol(), undeclared, add("a.parquet"), add("b.parquet")], rewritten)
    assert answers(source_of(tmp_path)) == [1000, 0, 0]
    assert source_of(tmp_path).snapshot().version == "1"


# Which files are read


def test_files_of_other_days_are_neither_opened_nor_needed(tmp_path: Path) -> None:
    folder = write_days(tmp_path / "t", 5, 6, 7)
    live_file(folder, 1).unlink()
    live_file(folder, 2).write_bytes(b"PAR1 no longer")
    assert answers(source_of(folder)) == [5, "FILE_MISSING", "FILE_BROKEN"]
    assert source_of(folder).count_days(WINDOWS[:1]) == {DAY: 5}
    assert str(next(iter((folder).glob("*.parquet"))).parent) in reason(source_of(folder), 1)


def test_a_time_that_is_the_first_column_that_exists_decides_which_files_are_needed(tmp_path: Path) -> None:
    folder = write_days(tmp_path / "t", 5, 6)
    live_file(folder, 1).unlink()
    schema = replace(BARE, occurred_at="FIRST_PRESENT(timestamp, occurred_at)")
    assert answers(source_of(folder, schema)) == [5, "FILE_MISSING", 0]


@pytest.mark.parametrize("microseconds", [0, 1, 999, 1000])
def test_statistics_that_are_cut_to_milliseconds_hide_no_event(tmp_path: Path, microseconds: int) -> None:
    at = WINDOWS[1].start + timedelta(microseconds=microseconds)
    write_parquet(tmp_path / "a.parquet", [make_event(occurred_at=at)])
    cut = {"occurred_at": at.isoformat(timespec="milliseconds")}
    write_log(tmp_path, [protocol(), metadata(FIELDS), add("a.parquet", {"minValues": cut, "maxValues": cut})])
    assert answers(source_of(tmp_path)) == [0, 1, 0]


@pytest.mark.parametrize(
    "statistics",
    [None, {"numRecords": 3}, {"numRecords": 3, "maxValues": {"occurred_at": "+294247-01-10T04:00:54.775Z"}}],
)
def test_a_file_without_usable_statistics_may_hold_any_day(tmp_path: Path, statistics: dict[str, Any] | None) -> None:
    write_parquet(tmp_path / "a.parquet", make_events(3))
    write_parquet(tmp_path / "b.parquet", make_events(2, DAY + ONE_DAY))
    write_log(tmp_path, [protocol(), metadata(FIELDS), add("a.parquet", statistics), add("b.parquet")])
    assert answers(source_of(tmp_path)) == [3, 2, 0]
    (tmp_path / "a.parquet").unlink()
    assert answers(source_of(tmp_path)) == ["FILE_MISSING"] * 3


def test_a_file_with_another_number_of_rows_than_the_log_says_is_not_that_file(tmp_path: Path) -> None:
    folder = write_days(tmp_path / "t", 5, 6)
    shutil.copy(write_parquet(tmp_path / "other.parquet", make_events(4)), live_file(folder, 0))
    assert answers(source_of(folder)) == ["FILE_BROKEN", 6, 0]
    assert "holds 4 rows instead of 5" in reason(source_of(folder))


def test_a_broken_file_hides_no_arrivals_of_other_files(tmp_path: Path) -> None:
    events = [event | {"observed_at": event["occurred_at"]} for event in make_events(5)]
    late = [event | {"observed_at": event["occurred_at"] + ONE_DAY} for event in make_events(3, DAY)]
    schema = replace(BARE, observed_at="observed_at")
    for n, rows in enumerate((events, late)):
        write_deltalake(tmp_path / "t", pa.Table.from_pylist(rows), mode="append" if n else "error")
    (second,) = source_of(tmp_path / "t", schema).scan_days(WINDOWS[1:2], 10)
    assert isinstance(second, DayScan)
    assert second.arrivals is not None
    assert (second.aggregates.totals().events, second.arrivals.observed_events) == (0, 3)


def test_files_may_lie_outside_the_table(tmp_path: Path) -> None:
    outside = write_parquet(tmp_path / "out side" / "a.parquet", make_events(3))
    write_log(tmp_path / "t", [protocol(), metadata(FIELDS), add(outside.as_uri())])
    assert answers(source_of(tmp_path / "t")) == [3, 0, 0]


# What cannot be read


def cut_last_commit(log: Path, to: int | None = None) -> None:
    last = max(log.glob("*.json"))
    content = last.read_bytes()
    last.write_bytes(content[: len(content) // 2 if to is None else to])


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (cut_last_commit, "SOURCE_UNREADABLE"),
        (lambda log: cut_last_commit(log, 0), "SOURCE_UNREADABLE"),
        (lambda log: (log / f"{1:020}.json").write_bytes(b""), "SOURCE_UNREADABLE"),
        (lambda log: (log / f"{1:020}.json").unlink(), "SOURCE_UNREADABLE"),
        (lambda log: (log / f"{0:020}.json").unlink(), "SOURCE_UNREADABLE"),
        (lambda log: (log / f"{2:020}.json").write_text("[]"), "SOURCE_UNREADABLE"),
        (lambda log: (log / f"{0:020}.json").write_text('{"protocol":{"minReaderVersion":99}}'), "SOURCE_UNREADABLE"),
        (shutil.rmtree, "TABLE_MISSING"),
    ],
    ids=["cut", "empty", "empty before", "gap", "no beginning", "no actions", "a protocol of the future", "no log"],
)
def test_a_log_that_cannot_be_read_is_an_error_for_all_days(tmp_path: Path, damage: Any, code: str) -> None:
    folder = write_days(tmp_path / "t", 1, 2, 3)
    damage(folder / "_delta_log")
    with pytest.raises(SourceError) as caught:
        list(source_of(folder).scan_days(WINDOWS, 10))
    assert caught.value.reason_code == code
    assert str(folder) in str(caught.value)


def test_an_error_of_the_log_repeats_no_value_of_an_event(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", make_events(1))
    known = metadata([*FIELDS, field("secret", "integer")], ["secret"])
    write_log(tmp_path, [protocol(), known, add("a.parquet", partitionValues={"secret": "hunter2"})])
    with pytest.raises(SourceError) as caught:
        list(source_of(tmp_path).scan_days(WINDOWS, 10))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("moment", ["before its files are looked at", "before its files are read"])
def test_a_table_that_is_rewritten_while_it_is_read_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    folder = write_days(tmp_path / "t", 5, 6)

    def rewrite() -> None:
        DeltaTable(folder).optimize.compact()
        DeltaTable(folder).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)

    class Rewritten(DeltaSnapshot):
        def files(self, *asked: Any) -> Any:
            found = super().files(*asked)
            rewrite()
            return found

    def show(*asked: Any) -> Any:
        shown = lake_files.show(*asked)
        rewrite()
        return shown

    source = source_of(folder)
    with monkeypatch.context() as patched:
        if moment == "before its files are read":
            patched.setattr(lakes, "show", show)
        else:
            patched.setattr(source, "snapshot", lambda: Rewritten(str(folder), {}))
        with pytest.raises(SourceUnavailableError) as caught:
            list(source.scan_days(WINDOWS, 10))
    assert caught.value.reason_code == "SOURCE_CHANGED"
    assert answers(source) == [5, 6, 0]


def test_recent_times_are_those_of_the_latest_files_that_can_be_read(tmp_path: Path) -> None:
    folder = write_days(tmp_path / "t", 5, 6, 7, 8, 9)
    live_file(folder, 4).unlink()
    (found,) = source_of(folder).look_at_times(100)
    assert (found.events, found.readable) == (15, 15)
    assert found.first is not None
    assert found.first.date() == DAY + 2 * ONE_DAY
    (nothing,) = source_of(write_log(tmp_path / "empty", [protocol(), metadata(FIELDS)])).look_at_times(100)
    assert nothing.events == 0


# Settings


def settings_of(folder: Path, **more: Any) -> SourceSettings:
    given = {"connector": "delta", "path": str(folder), "first_day": DAY, "roles": ROLES, **more}
    return SourceSettings.model_validate(given)


def test_settings_open_a_table_and_a_file_of_signals(tmp_path: Path) -> None:
    folder = write_days(tmp_path / "t", 5)
    copy("SELECT 'page.view' AS name", tmp_path / "signals.parquet")
    source = open_source(
        "web", settings_of(folder, signals={"table": str(tmp_path / "signals.parquet"), "column": "name"})
    )
    assert source.count_days(WINDOWS[:1]) == {DAY: 5}
    assert source.read_signals() == frozenset({"page.view"})


def test_options_of_the_store_are_shown_nowhere(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, storage_options={"AWS_SECRET_ACCESS_KEY": "hunter2"})
    assert "hunter2" not in repr(settings)


def test_without_the_package_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "deltalake", None)
    for name in ("delta", "delta_log"):
        monkeypatch.delitem(sys.modules, f"telemetry_quality.sources.{name}", raising=False)
    with pytest.raises(Exception, match="telemetry-quality\\[delta\\]"):
        open_source("web", settings_of(tmp_path))
