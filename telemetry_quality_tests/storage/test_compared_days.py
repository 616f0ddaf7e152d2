"""What pages compare over many days is of the latest scan of each day, and of one source."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.events import Slice, SliceCounts, UnreadableDay
from telemetry_quality.core.hours import HourTotals
from telemetry_quality.storage.compared_days import SegmentCounts
from telemetry_quality.storage.reader import StoreReader
from telemetry_quality_tests.builders import DAY, NOW, make_row, make_scan, make_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEXT_DAY = DAY + timedelta(days=1)


def parts(version: str, events: int) -> dict[Slice, SliceCounts]:
    """Slices of a day with one platform."""
    counts = SliceCounts(events, 1, 0)
    return {
        Slice("service_version", version): counts,
        Slice("platform", "ios"): counts,
        Slice("platform", "ios", "event_name", "page.view"): counts,
        Slice("platform", "ios", "hour", "12"): counts,
    }


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[StoreReader]:
    """A reader of a day that was scanned twice, the last time with fewer events, and of a day that was lost."""
    store = make_store(tmp_path)
    for version, events in (("old", 100), ("new", 40)):
        row = make_row(service_version=version, events=events, errors=1)
        store.append_scan("web", make_scan(DAY, row, slices=parts(version, events)), (), NOW)
    store.append_scan("app", make_scan(DAY, make_row(events=7), slices=parts("app", 7)), (), NOW)
    store.append_scan("web", make_scan(NEXT_DAY), (), NOW)
    store.append_scan("web", UnreadableDay(NEXT_DAY, "FILE_CORRUPT", "The file is broken."), (), NOW)
    reader = StoreReader(f"sqlite:///{tmp_path / 'quality.db'}")
    yield reader
    reader.close()
    store.close()


def test_hours_are_those_of_the_latest_scan_and_unreadable_is_not_missing(reader: StoreReader) -> None:
    hours = reader.hours_by_day("web", DAY - timedelta(days=9), NEXT_DAY)
    assert hours == {DAY: HourTotals((*[0] * 12, 40), (*[0] * 12, 1)), NEXT_DAY: None}


def test_segments_are_of_all_events_or_of_those_with_a_value(reader: StoreReader) -> None:
    counts = SegmentCounts(40, 1, 0)
    whole = reader.segments_by_day("web", [DAY, NEXT_DAY])
    assert whole.by_dimension == {DAY: {"service_version": {"new": counts}, "platform": {"ios": counts}}}
    assert whole.aggregates == {}
    assert reader.segments_by_day("web", [DAY], ("hour", "12")).by_dimension == {DAY: {"platform": {"ios": counts}}}
    assert reader.segments_by_day("web", [DAY], ("hour", "13")).by_dimension == {DAY: {"platform": {}}}
    ios = reader.segments_by_day("web", [DAY], ("platform", "ios")).by_dimension[DAY]
    assert ios == {"event_name": {"page.view": counts}, "hour": {"12": counts}}


def test_aggregates_are_of_the_day_or_of_a_name_or_a_version(reader: StoreReader) -> None:
    for within, versions in ((("hour", "3"), ["new"]), (("service_version", "new"), ["new"]), (None, ["new"])):
        found = reader.segments_by_day("web", [DAY], within, has_aggregates=True).aggregates
        assert [row.service_version for row in found[DAY].rows] == versions
    for nothing in (("service_version", "old"), ("event_name", None)):
        assert reader.segments_by_day("web", [DAY], nothing, has_aggregates=True).aggregates == {}


def test_versions_and_their_signals_are_those_of_the_latest_scans(reader: StoreReader) -> None:
    assert reader.versions_by_day("web", DAY, NEXT_DAY) == {DAY: {"new": SegmentCounts(40, 1, 0)}}
    signals = reader.signals_of_versions("web", (DAY, NEXT_DAY), ["old", "new"])
    assert signals == {("page.view", "new"): (40, 1)}
