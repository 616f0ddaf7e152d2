"""Iceberg tables: the live files of one snapshot, and never a healthy day where one of them is missing."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.catalog.memory import InMemoryCatalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.types import LongType, TimestamptzType

from telemetry_quality.assembly import open_source
from telemetry_quality.core.days import day_window
from telemetry_quality.core.events import DayScan, UnreadableDay
from telemetry_quality.errors import SourceError, SourceUnavailableError
from telemetry_quality.settings import SourceSettings
from telemetry_quality.sources.iceberg import IcebergSnapshot, IcebergSource
from telemetry_quality.sources.iceberg_tables import TableAddress
from telemetry_quality_tests.builders import DAY, SCHEMA, make_events, write_parquet
from telemetry_quality_tests.sources.iceberg_tables import (
    delete_positions,
    delete_values,
    delete_vectors,
    live_file,
    new_table,
    path_of,
)

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from telemetry_quality.core.event_schema import EventSchema

ONE_DAY = timedelta(days=1)
WINDOWS = [day_window(DAY + n * ONE_DAY, ZoneInfo("UTC")) for n in range(3)]
ROLES = {
    name: getattr(SCHEMA, name) for name in ("event_id", "occurred_at", "event_name", "service_version", "is_error")
}
BARE = replace(SCHEMA, critical_fields=())


def source_of(table: Table, schema: EventSchema = BARE) -> IcebergSource:
    return IcebergSource(TableAddress(str(path_of(table))), schema)


def days_of(*counts: int, **overrides: Any) -> list[list[dict[str, Any]]]:
    """Events of each day from DAY on."""
    return [make_events(count, DAY + n * ONE_DAY, **overrides) for n, count in enumerate(counts)]


def answers(source: IcebergSource) -> list[int | str]:
    """The events of each of three days, or the reason code of one that could not be read."""
    found = source.scan_days(WINDOWS, 100)
    return [
        answer.aggregates.totals().events if isinstance(answer, DayScan) else answer.reason_code for answer in found
    ]


def reason(source: IcebergSource, day: int = 0) -> str:
    (answer,) = source.scan_days(WINDOWS[day : day + 1], 10)
    assert isinstance(answer, UnreadableDay), answer
    return answer.reason


def sampled(source: IcebergSource, day: int = 0) -> list[str]:
    (scan,) = source.scan_days(WINDOWS[day : day + 1], 100)
    assert isinstance(scan, DayScan), scan
    return sorted(str(event.event_id).rpartition("-")[2] for event in scan.sample)


def values_of(source: IcebergSource, dimension: str, day: int = 0) -> dict[str | None, int]:
    (scan,) = source.scan_days(WINDOWS[day : day + 1], 10)
    assert isinstance(scan, DayScan), scan
    slices = {part: counts.events for part, counts in scan.slices.items() if part.dimension == dimension}
    return {part.value: events for part, events in slices.items() if part.by is None}


# The live files of one snapshot


def test_files_that_were_rewritten_are_counted_once_and_the_snapshot_is_stored_with_the_scan(tmp_path: Path) -> None:
    table = new_table(tmp_path, *days_of(5, 6))
    table.delete(f"event_id = '{make_events(1)[0]['event_id']}'")
    assert answers(source_of(table)) == [4, 6, 0]
    table.overwrite(pa.Table.from_pylist(make_events(2)))
    assert answers(source_of(table)) == [2, 0, 0]
    snapshot = table.current_snapshot()
    assert snapshot is not None
    assert {scan.source_version for scan in source_of(table).scan_days(WINDOWS, 10)} == {str(snapshot.snapshot_id)}


@pytest.mark.parametrize("delete", [delete_positions, delete_vectors])
def test_rows_deleted_by_their_positions_are_left_out_and_only_those(tmp_path: Path, delete: Any) -> None:
    table = new_table(tmp_path, make_events(10), make_events(10), make_events(7, DAY + ONE_DAY))
    delete(table, {live_file(table, 0): [0, 3, 9], live_file(table, 2): [6]})
    assert answers(source_of(table)) == [17, 6, 0]
    ids = sampled(source_of(table))
    assert [ids.count(str(n)) for n in range(10)] == [1, 2, 2, 1, 2, 2, 2, 2, 2, 1]


def test_a_file_of_deletes_that_is_missing_makes_its_days_unknown(tmp_path: Path) -> None:
    table = new_table(tmp_path, *days_of(5, 6))
    delete_positions(table, {live_file(table, 0): [0]})
    (path_of(table) / "data" / "deletes.parquet").unlink()
    assert answers(source_of(table))[0] == "SOURCE_UNREADABLE"
    assert "deletes.parquet" in reason(source_of(table))


def test_rows_deleted_by_values_are_refused_by_name(tmp_path: Path) -> None:
    table = new_table(tmp_path, *days_of(5, 6))
    delete_values(table)
    assert answers(source_of(table)) == ["DELETES_UNSUPPORTED"] * 3
    assert "equality deletes" in reason(source_of(table))


# The table's own schema


def test_columns_are_found_by_their_ids_whatever_they_were_called(tmp_path: Path) -> None:
    about = {"about": {"version": "1.0", "name": "open"}}
    table = new_table(tmp_path, [event | about | {"plan": "old"} for event in make_events(4)])
    with table.update_schema() as schema:
        schema.rename_column("event_id", "id").delete_column("plan").rename_column("about.version", "release")
        schema.move_first(("about", "name"))
    with table.update_schema() as schema:
        schema.add_column("plan", table.schema().find_field("event_name").field_type)
        schema.add_column(("about", "new"), LongType())
    assert answers(source_of(table, replace(BARE, event_id="id", critical_fields=("plan",)))) == [4, 0, 0]
    known = replace(BARE, event_id="id", critical_fields=("plan",), dimensions=("about",))
    (scan,) = source_of(table, known).scan_days(WINDOWS[:1], 10)
    assert isinstance(scan, DayScan)
    assert scan.aggregates.missing_critical() == {"plan": 4}, "a new column with an old name is not that one"
    assert values_of(source_of(table, known), "about") == {"{'name': open, 'release': 1.0, 'new': NULL}": 4}
    with pytest.raises(SourceError, match="event_id requires the column 'event_id'"):
        list(source_of(table).scan_days(WINDOWS, 10))


def test_a_part_of_a_list_that_was_renamed_is_refused_only_where_it_plays_a_role(tmp_path: Path) -> None:
    table = new_table(tmp_path, [event | {"items": [{"old": 1}]} for event in make_events(3)])
    with table.update_schema() as schema:
        schema.rename_column("items.element.old", "new")
    assert answers(source_of(table)) == [3, 0, 0]
    assert answers(source_of(table, replace(BARE, dimensions=("items",)))) == ["COLUMN_RENAMED", 0, 0]


def test_files_of_an_older_type_are_read_as_the_type_that_the_table_has_now(tmp_path: Path) -> None:
    rows = pa.Table.from_pylist([event | {"build": 7} for event in make_events(3)])
    place = rows.schema.get_field_index("build")
    catalog = InMemoryCatalog("tests", warehouse=str(tmp_path))
    catalog.create_namespace("lake")
    narrow = rows.set_column(place, "build", rows["build"].cast(pa.int32()))
    table = catalog.create_table("lake.events", narrow.schema)
    table.append(narrow)
    with table.update_schema() as schema:
        schema.update_column("build", LongType())
    table.append(rows)
    source = source_of(table, replace(BARE, dimensions=("build",)))
    assert source.columns()["build"].type_name == "BIGINT"
    assert values_of(source, "build") == {"7": 6}


def without_ids(table: Table, *, mapping: list[dict[str, Any]] | None) -> None:
    """Give the table's only file columns without ids, and its metadata a name mapping or none."""
    path = live_file(table, 0).removeprefix("file://")
    with duckdb.connect() as connection:
        connection.execute(f"COPY (FROM '{path}') TO '{path}.new' (FORMAT parquet)")
    Path(f"{path}.new").replace(path)
    latest = max((path_of(table) / "metadata").glob("*.metadata.json"))
    about = json.loads(latest.read_text())
    about["properties"] = {} if mapping is None else {"schema.name-mapping.default": json.dumps(mapping)}
    latest.write_text(json.dumps(about))


def test_files_without_ids_are_read_by_the_name_mapping_or_not_at_all(tmp_path: Path) -> None:
    table = new_table(tmp_path, make_events(4))
    names = [{"field-id": field.field_id, "names": ["x", field.name]} for field in table.schema().fields]
    without_ids(table, mapping=names)
    assert answers(source_of(table)) == [4, 0, 0]
    assert sampled(source_of(table)) == ["0", "1", "2", "3"]
    without_ids(table, mapping=None)
    assert answers(source_of(table)) == ["FILE_BROKEN", 0, 0]
    assert "name mapping" in reason(source_of(table))


# Which files are read


def test_files_of_other_days_are_neither_opened_nor_needed(tmp_path: Path) -> None:
    table = new_table(tmp_path, *days_of(5, 6, 7))
    Path(live_file(table, 1).removeprefix("file://")).rename(tmp_path / "away")
    assert answers(source_of(table)) == [5, "FILE_MISSING", 7]


@pytest.mark.parametrize("content", [b"", b"PAR1 no longer"])
def test_a_broken_file_makes_its_own_days_unknown(tmp_path: Path, content: bytes) -> None:
    table = new_table(tmp_path, *days_of(5, 6, 7))
    Path(live_file(table, 2).removeprefix("file://")).write_bytes(content)
    assert answers(source_of(table)) == [5, 6, "FILE_BROKEN"]


def test_a_time_without_a_zone_is_utc_and_decides_which_files_are_read(tmp_path: Path) -> None:
    plain = [
        [event | {"occurred_at": event["occurred_at"].replace(tzinfo=None)} for event in day] for day in days_of(3, 4)
    ]
    table = new_table(tmp_path, *plain)
    assert answers(source_of(table)) == [3, 4, 0]
    Path(live_file(table, 0).removeprefix("file://")).unlink()
    assert answers(source_of(table)) == ["FILE_MISSING", 4, 0]


def test_recent_times_are_those_of_the_latest_files_that_can_be_read(tmp_path: Path) -> None:
    table = new_table(tmp_path, *days_of(5, 6, 7, 8, 9))
    Path(live_file(table, 4).removeprefix("file://")).unlink()
    (found,) = source_of(table).look_at_times(100)
    assert found.events == 15
    assert found.first is not None
    assert found.first.date() == DAY + 2 * ONE_DAY


def test_files_may_lie_outside_the_table(tmp_path: Path) -> None:
    table = new_table(tmp_path / "lake", make_events(4))
    late = [event | {"observed_at": event["occurred_at"] + ONE_DAY} for event in make_events(3, DAY + ONE_DAY)]
    outside = write_parquet(tmp_path / "else where" / "a.parquet", late, {"observed_at": "TIMESTAMPTZ"})
    with table.update_schema() as schema:
        schema.add_column("observed_at", TimestamptzType())
    table.add_files([str(outside)])
    second, third = source_of(table, replace(BARE, observed_at="observed_at")).scan_days(WINDOWS[1:], 10)
    assert isinstance(second, DayScan)
    assert isinstance(third, DayScan)
    assert third.arrivals is not None
    assert (second.aggregates.totals().events, third.arrivals.observed_events) == (3, 3)
    assert answers(source_of(table)) == [4, 3, 0]


# What cannot be read


@pytest.mark.parametrize("pattern", ["*.avro", "snap-*.avro"])
@pytest.mark.parametrize("content", [None, b"", b"Obj\x01 cut"])
def test_metadata_that_cannot_be_read_makes_all_days_unknown(
    tmp_path: Path, pattern: str, content: bytes | None
) -> None:
    table = new_table(tmp_path, *days_of(5, 6))
    for file in (path_of(table) / "metadata").glob(pattern):
        if content is None:
            file.unlink()
        else:
            file.write_bytes(content)
    assert answers(source_of(table)) == ["SOURCE_UNREADABLE"] * 3
    assert str(path_of(table)) in reason(source_of(table))


@pytest.mark.parametrize("content", ["", "{", "{}", "[]"])
def test_a_metadata_file_that_is_cut_short_is_an_error_for_all_days(tmp_path: Path, content: str) -> None:
    table = new_table(tmp_path, *days_of(5, 6))
    max((path_of(table) / "metadata").glob("*.metadata.json")).write_text(content)
    with pytest.raises(SourceError) as caught:
        list(source_of(table).scan_days(WINDOWS, 10))
    assert caught.value.reason_code == "SOURCE_UNREADABLE"


def test_a_folder_without_metadata_and_one_with_two_latest_files_are_refused(tmp_path: Path) -> None:
    table = new_table(tmp_path, *days_of(5, 6))
    latest = max((path_of(table) / "metadata").glob("*.metadata.json"))
    latest.with_name(f"{latest.name[:5]}-other.metadata.json").write_bytes(latest.read_bytes())
    with pytest.raises(SourceError, match="have the same version; read the table through its catalog"):
        source_of(table).count_days(WINDOWS)
    named = IcebergSource(TableAddress(str(latest)), BARE)
    assert answers(named) == [5, 6, 0]
    with pytest.raises(SourceError) as caught:
        IcebergSource(TableAddress(str(tmp_path)), BARE).count_days(WINDOWS)
    assert caught.value.reason_code == "TABLE_MISSING"


def test_a_table_that_is_rewritten_while_it_is_read_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = new_table(tmp_path, *days_of(5, 6))

    class Rewritten(IcebergSnapshot):
        def files(self, *asked: Any) -> Any:
            found = super().files(*asked)
            table.overwrite(pa.Table.from_pylist([event for day in days_of(5, 6) for event in day]))
            for file in found:
                Path(file.path).unlink()
            return found

    source = source_of(table)
    with monkeypatch.context() as patched:
        patched.setattr(source, "snapshot", lambda: Rewritten(TableAddress(str(path_of(table)))))
        with pytest.raises(SourceUnavailableError) as caught:
            list(source.scan_days(WINDOWS, 10))
    assert caught.value.reason_code == "SOURCE_CHANGED"
    assert answers(source) == [5, 6, 0]


# Settings


def settings_of(**more: Any) -> SourceSettings:
    return SourceSettings.model_validate({"connector": "iceberg", "first_day": DAY, "roles": ROLES, **more})


def test_settings_open_a_table_of_a_catalog_without_writing_to_it(tmp_path: Path) -> None:
    properties = {"uri": f"sqlite:///{tmp_path}/catalog.db", "warehouse": str(tmp_path)}
    table = new_table(tmp_path, *days_of(5, 6), catalog=SqlCatalog("tests", **properties))
    known = {"catalog": "prod", "properties": {**properties, "type": "sql"}}
    SqlCatalog("prod", **properties).create_namespace_if_not_exists("lake")
    SqlCatalog("prod", **properties).register_table("lake.events", table.metadata_location)
    before = (tmp_path / "catalog.db").read_bytes()
    source = open_source("web", settings_of(table="lake.events", **known))
    assert source.count_days(WINDOWS) == {DAY: 5, DAY + ONE_DAY: 6, DAY + 2 * ONE_DAY: 0}
    assert (tmp_path / "catalog.db").read_bytes() == before
    with pytest.raises(SourceError) as caught:
        open_source("web", settings_of(table="lake.gone", **known)).count_days(WINDOWS)
    assert caught.value.reason_code == "TABLE_MISSING"


def test_a_catalog_that_does_not_answer_is_tried_again_and_its_address_is_not_repeated(tmp_path: Path) -> None:
    known = {"type": "rest", "uri": "http://user:hunter2@127.0.0.1:9/"}
    source = open_source("web", settings_of(catalog="prod", table="lake.events", properties=known))
    with pytest.raises(SourceUnavailableError) as caught:
        source.count_days(WINDOWS)
    assert caught.value.reason_code == "CATALOG_UNAVAILABLE"
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(settings_of(catalog="prod", table="lake.events", properties=known))


@pytest.mark.parametrize(
    "keys", [{}, {"path": "x", "table": "t"}, {"table": "t"}, {"catalog": "c"}, {"path": "x", "catalog": "c"}]
)
def test_settings_name_either_a_path_or_a_table_of_a_catalog(keys: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="requires either path, or catalog and table"):
        settings_of(**keys)


def test_without_the_package_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyiceberg", None)
    for name in [name for name in sys.modules if name.startswith(("pyiceberg.", "telemetry_quality.sources.iceberg"))]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(Exception, match="telemetry-quality\\[iceberg\\]"):
        open_source("web", settings_of(path=str(tmp_path)))
