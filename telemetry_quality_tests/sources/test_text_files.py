"""Files of JSON lines and CSV: no line is left out in silence, and a value means the same on every day."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
import zstandard

from telemetry_quality.assembly import open_source
from telemetry_quality.core.days import day_window
from telemetry_quality.core.event_schema import Rate
from telemetry_quality.core.events import DayScan, UnreadableDay
from telemetry_quality.errors import SourceError
from telemetry_quality.settings import SourceSettings
from telemetry_quality.sources.compressed import damage
from telemetry_quality.sources.text_files import TextSource
from telemetry_quality.sources.text_formats import Csv, JsonLines
from telemetry_quality_tests.builders import DAY, SCHEMA, make_events, write_parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.sources.text_formats import TextFormat

UTC_ZONE = ZoneInfo("UTC")
ONE_DAY = timedelta(days=1)
WINDOWS = [day_window(DAY + n * ONE_DAY, UTC_ZONE) for n in range(3)]
BARE = replace(SCHEMA, critical_fields=())
ROLES = {
    name: getattr(SCHEMA, name) for name in ("event_id", "occurred_at", "event_name", "service_version", "is_error")
}


def source_of(path: Path, schema: EventSchema = BARE, layout: TextFormat | None = None) -> TextSource:
    return TextSource(str(path), layout or JsonLines(), schema, UTC_ZONE)


def answers(source: TextSource) -> list[int | str]:
    """The events of each of three days, or the reason code of one that could not be read."""
    return [
        answer.aggregates.totals().events if isinstance(answer, DayScan) else answer.reason_code
        for answer in source.scan_days(WINDOWS, 10)
    ]


def reason(source: TextSource, day: int = 0) -> str:
    (answer,) = source.scan_days(WINDOWS[day : day + 1], 10)
    assert isinstance(answer, UnreadableDay), answer
    return answer.reason


def events_of(count: int, day: int = 0, **more: Any) -> list[dict[str, Any]]:
    """Events as JSON has them."""
    events = make_events(count, DAY + day * ONE_DAY)
    return [event | {"occurred_at": event["occurred_at"].isoformat()} | more for event in events]


def lines(events: Iterable[Mapping[str, Any]]) -> str:
    return "".join(f"{json.dumps(event)}\n" for event in events)


def table(events: Sequence[Mapping[str, Any]], by: str = ",") -> str:
    written = [
        [str(value).lower() if isinstance(value, bool) else value for value in event.values()] for event in events
    ]
    rows = [[*events[0]], *written]
    return "".join(f"{by.join('' if value is None else str(value) for value in row)}\n" for row in rows)


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = content.encode() if isinstance(content, str) else content
    packed = {".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}.get(path.suffix, bytes)(raw)
    path.write_bytes(packed)
    return path


def values_of(source: TextSource, dimension: str, day: int = 0) -> dict[str | None, int]:
    (scan,) = source.scan_days(WINDOWS[day : day + 1], 10)
    assert isinstance(scan, DayScan), scan
    slices = {part: counts.events for part, counts in scan.slices.items() if part.dimension == dimension}
    return {part.value: events for part, events in slices.items() if part.by is None}


# Which files there are


def test_files_of_every_name_and_compression_are_read_and_others_are_not(tmp_path: Path) -> None:
    for number, name in enumerate(("a.json", "b.jsonl", "c.ndjson", "d.jsonl.gz", "e/f.json.zst", "g.txt", "_h.json")):
        write(tmp_path / name, lines(events_of(number + 1)))
    write(tmp_path / "i.json", json.dumps(events_of(8)))
    write(tmp_path / "j.json.gz", json.dumps(events_of(9)))
    write(tmp_path / "k.jsonl", b"\xef\xbb\xbf" + lines(events_of(10)).encode())
    write(tmp_path / "l.jsonl", lines(events_of(11)).replace("\n", "\r\n\r\n"))
    write(tmp_path / "m.jsonl", "")
    assert answers(source_of(tmp_path)) == [1 + 2 + 3 + 4 + 5 + 8 + 9 + 10 + 11, 0, 0]
    assert answers(source_of(tmp_path / "*.jsonl.gz")) == [4, 0, 0]
    assert answers(source_of(tmp_path / "g.txt")) == [6, 0, 0]


def test_a_file_is_read_again_only_when_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.jsonl", lines(events_of(3)))
    write(tmp_path / "b.jsonl", lines(events_of(4, 1)))
    read: list[str] = []
    original = JsonLines.raw

    def raw(self: JsonLines, connection: Any, paths: Sequence[str], columns: Iterable[str]) -> Any:
        read.extend(path.rpartition("/")[2] for path in paths)
        return original(self, connection, paths, columns)

    monkeypatch.setattr(JsonLines, "raw", raw)
    source = source_of(tmp_path)
    assert answers(source) == answers(source) == [3, 4, 0]
    assert read == ["a.jsonl", "b.jsonl"]
    write(tmp_path / "b.jsonl", lines(events_of(5, 2)))
    assert answers(source) == [3, 0, 5]
    assert read == ["a.jsonl", "b.jsonl", "b.jsonl"]


def test_a_day_copies_only_the_files_that_may_hold_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in range(3):
        write(tmp_path / f"{day}.jsonl", lines(events_of(day + 1, day)))
    source = source_of(tmp_path)
    assert answers(source) == [1, 2, 3]
    shown: list[Sequence[str]] = []
    original = JsonLines.typed

    def typed(self: JsonLines, connection: Any, paths: Sequence[str], types: Mapping[str, str]) -> Any:
        shown.append([path.rpartition("/")[2] for path in paths])
        return original(self, connection, paths, types)

    monkeypatch.setattr(JsonLines, "typed", typed)
    assert source.count_days(WINDOWS[1:2]) == {DAY + ONE_DAY: 2}
    assert shown == [["1.jsonl"]]


# What cannot be read


WHOLE = lines(events_of(200))


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("b.jsonl", WHOLE + '{"occurred_at": \n' + WHOLE, "line 201"),
        ("b.jsonl", WHOLE[:-20], "line 200"),
        ("b.jsonl", WHOLE + "5\n", "line 201"),
        ("b.jsonl", WHOLE + '["x"]\n', "line 201"),
        ("b.jsonl", WHOLE.encode() + b'{"event_name": "\xff"}\n', "line 201"),
        ("b.jsonl", WHOLE.encode() + bytes(100), "line 201"),
        ("b.jsonl", "secret\n" + WHOLE, "line 1"),
        ("b.jsonl.gz", WHOLE + "secret\n", "line 201"),
        ("b.jsonl", json.dumps(events_of(3))[:-9], "cannot be read"),
        ("b.csv", table(events_of(50)) + "a,b\n", "line 52"),
        ("b.csv", table(events_of(50)) + 'secret,"b,c,d,e,f\n', "line 52"),
        ("b.csv", table(events_of(50)) + "secret,a,b,c,d,e,f,g,h,i\n", "line 52"),
        ("b.csv", b"PK\x03\x04\x00\x00\xff\xfe\x00" * 99, "cannot be read"),
    ],
)
def test_a_broken_line_makes_the_days_of_its_file_unknown_and_is_named_without_its_content(
    tmp_path: Path, name: str, content: str | bytes, line: str
) -> None:
    layout: TextFormat = Csv() if "csv" in name else JsonLines()
    good = {"a": events_of(3), "c": events_of(4, 2)}
    for stem, events in good.items():
        write(tmp_path / f"{stem}{name[1:]}", table(events) if "csv" in name else lines(events))
    write(tmp_path / name, content)
    source = source_of(tmp_path, layout=layout)
    assert answers(source) == ["FILE_BROKEN"] * 3
    assert f"{tmp_path / name} is not (" in reason(source)
    assert line in reason(source)
    assert "secret" not in reason(source)


def test_a_broken_file_whose_name_says_its_day_spoils_no_other(tmp_path: Path) -> None:
    for day in range(3):
        write(tmp_path / f"events-{DAY + day * ONE_DAY}.jsonl", lines(events_of(day + 1, day)) + "{" * (day == 1))
    assert answers(source_of(tmp_path)) == [1, "FILE_BROKEN", 3]


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst"])
@pytest.mark.parametrize("damaged", ["cut", "last byte", "first byte", "empty", "other content"])
def test_a_compressed_file_that_is_not_whole_is_noticed(tmp_path: Path, suffix: str, damaged: str) -> None:
    path = write(tmp_path / f"a{suffix}", lines(events_of(500)))
    content = path.read_bytes()
    cut = {"cut": content[: len(content) // 2], "last byte": content[:-1], "first byte": content[:1], "empty": b""}
    path.write_bytes(cut.get(damaged, b"{}"))
    assert answers(source_of(tmp_path)) == ["FILE_BROKEN"] * 3
    assert str(damage(str(path))) in reason(source_of(tmp_path))


def test_gzip_content_that_does_not_match_its_checksum_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl.gz", lines(events_of(5)))
    content = path.read_bytes()
    path.write_bytes(content[:-8] + bytes(4) + content[-4:])
    assert answers(source_of(tmp_path)) == ["FILE_BROKEN"] * 3


@pytest.mark.parametrize("level", [1, 19])
@pytest.mark.parametrize("checksum", [True, False])
def test_every_zstandard_frame_is_whole_or_not(tmp_path: Path, level: int, checksum: bool) -> None:
    content = b"ab" * 200_000 + bytes(range(256)) * 99
    one = zstandard.ZstdCompressor(level=level, write_checksum=checksum).compress(content)
    stream = zstandard.ZstdCompressor(level=level, write_checksum=checksum).compressobj()
    other = stream.compress(content) + stream.flush()
    skipped = b"\x50\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"abc"
    path = tmp_path / "x.zst"
    for whole in (one, other, one + skipped + other):
        path.write_bytes(whole)
        assert damage(str(path)) is None
        for size in {0, 1, 4, 5, 9, len(whole) // 2, len(whole) - 4, len(whole) - 1} - {len(one), len(one + skipped)}:
            path.write_bytes(whole[:size])
            assert damage(str(path)), size


def test_a_file_without_any_time_is_broken_and_no_events_are_lost(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", lines(events_of(3)))
    write(
        tmp_path / "b.jsonl",
        lines([{**event, "at": event["occurred_at"], "occurred_at": None} for event in events_of(2)]),
    )
    assert answers(source_of(tmp_path)) == ["FILE_BROKEN"] * 3
    assert "it has no value of 'occurred_at'" in reason(source_of(tmp_path))


def test_no_file_and_no_such_column_are_errors(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        list(source_of(tmp_path).scan_days(WINDOWS, 10))
    assert caught.value.reason_code == "NO_FILES"
    write(tmp_path / "a.jsonl", lines(events_of(3)))
    with pytest.raises(SourceError, match="critical_fields requires the column 'gate'"):
        list(source_of(tmp_path, replace(BARE, critical_fields=("gate",))).scan_days(WINDOWS, 10))


def test_a_csv_file_that_lost_a_column_is_not_read_as_if_it_were_null(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", table(events_of(3)))
    lost = [{name: value for name, value in event.items() if name != "is_error"} for event in events_of(2, 1)]
    write(tmp_path / "b.csv", table(lost))
    assert answers(source_of(tmp_path, layout=Csv())) == [3, "COLUMN_MISSING", 0]


# What a value means


def test_types_are_those_of_all_values_so_that_no_day_reads_a_value_differently(tmp_path: Path) -> None:
    values: list[Any] = [7, "007", 1.5, True, {"a": 1}, [1], None, 2**63, 2**64, -1, 1e3]
    for day, found in enumerate((values, [7, 7, None])):
        rows = [event | {"build": value} for event, value in zip(events_of(len(found), day), found, strict=True)]
        write(tmp_path / f"{day}.jsonl", lines(rows))
    source = source_of(tmp_path, replace(BARE, dimensions=("build",)))
    assert source.columns()["build"].type_name == "VARCHAR"
    assert set(values_of(source, "build")) == {
        *("7", "007", "1.5", "true", '{"a":1}', "[1]", None),
        *(str(2**63), str(2**64), "-1", "1000.0"),
    }
    assert values_of(source, "build", 1) == {"7": 2, None: 1}


@pytest.mark.parametrize(
    ("values", "type_name"),
    [
        ([1, None], "BIGINT"),
        ([1, 2**63], "HUGEINT"),
        ([1, 1.5], "DOUBLE"),
        ([True, False], "BOOLEAN"),
        ([True, 1], "VARCHAR"),
        (["1"], "VARCHAR"),
        ([{"a": 1}], "JSON"),
        ([None], '"NULL"'),
    ],
)
def test_json_says_what_its_values_are(tmp_path: Path, values: list[Any], type_name: str) -> None:
    write(tmp_path / "a.jsonl", lines([*(events_of(1, build=value)[0] for value in values)]))
    assert source_of(tmp_path, replace(BARE, dimensions=("build",))).columns()["build"].type_name == type_name


@pytest.mark.parametrize(
    ("values", "type_name"),
    [
        (["1", "-20", ""], "BIGINT"),
        (["1", "007"], "VARCHAR"),
        (["1.0", "2.5"], "DOUBLE"),
        (["1.10", "2.0"], "VARCHAR"),
        (["true", "false"], "BOOLEAN"),
        (["t", "f"], "VARCHAR"),
        (["1", str(2**63)], "VARCHAR"),
        (["", ""], '"NULL"'),
    ],
)
def test_a_csv_column_is_a_number_only_if_every_value_is_written_like_one(
    tmp_path: Path, values: list[str], type_name: str
) -> None:
    write(tmp_path / "a.csv", table([events_of(1, build=value)[0] for value in values]))
    source = source_of(tmp_path, replace(BARE, dimensions=("build",)), Csv())
    assert source.columns()["build"].type_name == type_name
    assert values_of(source, "build") == {value or None: values.count(value) for value in values}


def test_roles_reach_into_nested_objects(tmp_path: Path) -> None:
    properties = {"$lib_version": "2.1", "code": 500}
    write(tmp_path / "a.jsonl", lines(events_of(3, properties=properties)))
    schema = replace(
        BARE,
        service_version="properties.$lib_version",
        rates=(Rate("server", "CAST(properties.code AS INTEGER) >= 500"),),
    )
    (scan,) = source_of(tmp_path, schema).scan_days(WINDOWS[:1], 10)
    assert isinstance(scan, DayScan), scan
    assert {row.service_version for row in scan.aggregates.rows} == {"2.1"}
    assert scan.aggregates.rate_counts() == {"server": 3}


@pytest.mark.parametrize(("delimiter", "given"), [(",", None), (";", None), ("\t", None), ("|", None), ("^", "^")])
def test_the_delimiter_of_csv_is_found_out_or_given(tmp_path: Path, delimiter: str, given: str | None) -> None:
    write(tmp_path / "a.csv", table(events_of(9, note='"a, b; c| d"'), delimiter))
    write(tmp_path / "b.csv.gz", table(events_of(2, 1), delimiter))
    assert answers(source_of(tmp_path, layout=Csv(given))) == [9, 2, 0]


def test_days_whose_times_are_numbers_and_texts_are_refused_and_others_are_not(tmp_path: Path) -> None:
    seconds = int(WINDOWS[0].start.timestamp())
    write(tmp_path / "a.jsonl", lines(event | {"occurred_at": seconds} for event in events_of(2)))
    write(tmp_path / "b.jsonl", lines(event | {"occurred_at": seconds + 86_400} for event in events_of(3)))
    write(tmp_path / "c.jsonl", lines(events_of(4, 1)))
    assert answers(source_of(tmp_path, replace(BARE, time_unit="s"))) == [2, "COLUMN_TYPE", 0]


# Settings


@pytest.mark.parametrize(("connector", "content"), [("json", lines), ("csv", table)])
def test_settings_open_files_and_a_file_of_signals(
    tmp_path: Path, connector: str, content: Callable[[Any], str]
) -> None:
    write(tmp_path / f"events/a.{connector}", content(events_of(3)))
    signals = write_parquet(tmp_path / "signals.parquet", make_events(1))
    given = {"connector": connector, "path": str(tmp_path / "events"), "first_day": DAY, "roles": ROLES}
    known = {"signals": {"table": str(signals), "column": "event_name"}}
    source = open_source("web", SourceSettings.model_validate({**given, **known}))
    assert source.count_days(WINDOWS[:1]) == {DAY: 3}
    assert source.read_signals() == frozenset({"page.view"})
    (found,) = source.look_at_times(100)
    assert (found.events, found.readable) == (3, 3)
    with pytest.raises(ValueError, match="requires path to be on this machine"):
        SourceSettings.model_validate({**given, "path": "s3://bucket/events"})
