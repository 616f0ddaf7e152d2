"""OTLP/JSON files: every log record of a line is an event, and the preset for OpenTelemetry fits them."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from telemetry_quality.assembly import open_source
from telemetry_quality.core.days import day_window
from telemetry_quality.core.events import DayScan
from telemetry_quality.settings import SourceSettings
from telemetry_quality_tests.builders import DAY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from telemetry_quality.core.ports import EventSource

WINDOWS = [day_window(DAY + timedelta(days=n), ZoneInfo("UTC")) for n in range(3)]
NOON = int(WINDOWS[0].start.timestamp()) * 10**9 + 12 * 3600 * 10**9
DAY_NANOSECONDS = 86_400 * 10**9


def attributes(**values: Any) -> list[dict[str, Any]]:
    """Attributes as OTLP has them, by what their values are; ``__`` in a name stands for a dot."""
    kinds = {str: "stringValue", int: "intValue", float: "doubleValue", bool: "boolValue", list: "arrayValue"}
    return [
        {"key": name.replace("__", "."), "value": {kinds[type(value)]: str(value) if type(value) is int else value}}
        for name, value in values.items()
    ]


def record(nanoseconds: int = NOON, severity: Any = 9, **more: Any) -> dict[str, Any]:
    about = {"timeUnixNano": str(nanoseconds), "observedTimeUnixNano": str(nanoseconds + 10**9)}
    return {**about, "severityNumber": severity, "body": {"stringValue": "text"}, "traceId": "", **more}


def line(*records: Mapping[str, Any], version: str | None = "1.4.0", service: str = "shop") -> dict[str, Any]:
    """Records of one service, half of them in a second scope."""
    known = attributes(service__name=service, **({} if version is None else {"service__version": version}))
    middle = len(records) // 2
    scopes = [
        {"scope": {"name": "a", "version": "2"}, "logRecords": records[:middle]},
        {"logRecords": records[middle:]},
    ]
    return {"resourceLogs": [{"resource": {"attributes": known}, "scopeLogs": scopes}]}


def write(path: Path, *lines: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "".join(f"{json.dumps(each)}\n" for each in lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def source_of(path: Path, **more: Any) -> EventSource:
    given = {"connector": "json", "format": "otlp", "path": str(path), "preset": "opentelemetry", "first_day": DAY}
    return open_source("shop", SourceSettings.model_validate({**given, **more}))


def scans_of(source: EventSource) -> list[DayScan]:
    scans = list(source.scan_days(WINDOWS, 100))
    assert all(isinstance(scan, DayScan) for scan in scans), scans
    return [scan for scan in scans if isinstance(scan, DayScan)]


def test_the_preset_counts_every_record_with_its_errors_versions_and_names(tmp_path: Path) -> None:
    named = [record(severity=17, eventName="login"), record(severity=21, attributes=attributes(event__name="old"))]
    plain = [record(NOON + n) for n in range(5)]
    unknown = [record(severity=0), record(NOON + DAY_NANOSECONDS, severity=18)]
    write(tmp_path / "a.jsonl", line(*named, *plain), {"resourceSpans": []}, line(*unknown, version=None))
    write(tmp_path / "b/rotated.json.gz", line(record(NOON + DAY_NANOSECONDS), service="mail"), {"resourceMetrics": []})
    first, second, third = scans_of(source_of(tmp_path))
    totals = first.aggregates.totals()
    assert (totals.events, totals.errors, totals.error_unknown_events, totals.missing_version) == (8, 2, 1, 1)
    assert {(row.event_name, row.service_version): row.events for row in first.aggregates.rows} == {
        ("login", "1.4.0"): 1,
        ("old", "1.4.0"): 1,
        ("shop", "1.4.0"): 5,
        ("shop", None): 1,
    }
    totals = second.aggregates.totals()
    assert (totals.events, totals.errors, totals.missing_version) == (2, 1, 1)
    assert first.arrivals is not None
    assert (first.arrivals.observed_events, third.aggregates.totals().events) == (8, 0)


def test_a_record_without_a_time_happened_when_it_was_observed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", line(record(timeUnixNano="0"), {"observedTimeUnixNano": str(NOON)}))
    assert source_of(path).count_days(WINDOWS[:1]) == {DAY: 2}


def test_attributes_have_the_texts_of_their_values_and_the_first_of_a_name_counts(tmp_path: Path) -> None:
    found = attributes(s="x", i=7, f=1.5, b=True, l=["y"])
    twice = [*found, *attributes(s="second"), {"key": "empty"}, {"value": {"stringValue": "nameless"}}]
    path = write(tmp_path / "a.json", line(record(attributes=twice)))
    names = ["s", "i", "f", "b", "l", "empty"]
    roles = {"dimensions": {name: f"LogAttributes['{name}']" for name in names}}
    (scan, *_) = scans_of(source_of(path, roles=roles))
    values = {part.dimension: part.value for part in scan.slices if part.by is None}
    assert [values[name] for name in names] == ["x", "7", "1.5", "true", '["y"]', None]


@pytest.mark.parametrize(
    "broken",
    [
        {"event": 1},
        {},
        [],
        {"resourceLogs": {"a": 1}},
        {"resourceLogs": [5]},
        {"resourceLogs": [{"scopeLogs": [{"logRecords": [1]}]}]},
    ],
    ids=str,
)
def test_a_line_that_is_no_otlp_makes_its_days_unknown_instead_of_empty(tmp_path: Path, broken: Any) -> None:
    write(tmp_path / "a.jsonl", line(record()), broken, line(record(NOON + DAY_NANOSECONDS)))
    answers = list(source_of(tmp_path).scan_days(WINDOWS, 10))
    assert {getattr(answer, "reason_code", None) for answer in answers} == {"FILE_BROKEN"}


@pytest.mark.parametrize("time", ["soon", "99999999999999999999", "-1", ""])
def test_a_time_that_is_none_belongs_to_no_day_and_spoils_none(tmp_path: Path, time: str) -> None:
    path = write(tmp_path / "a.json", line(record(), {"timeUnixNano": time}))
    assert source_of(path).count_days(WINDOWS[:1]) == {DAY: 1}
