"""The breakdown of a day: what was expected of each segment, what fell silent, and the day cut to a part of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality import Settings
from telemetry_quality.core.events import Slice, SliceCounts
from telemetry_quality.core.sampling import SampleVerdict
from telemetry_quality_tests.builders import make_row, make_scan, make_store, spread
from telemetry_quality_tests.dashboard.desk import NOW, YESTERDAY, Desk, keep
from telemetry_quality_tests.dashboard.pages.twelve_days import EVIL, api_error_of, page_of, web_day

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from telemetry_quality.core.events import DayScan
    from telemetry_quality_tests.dashboard.markup import Element

WEEKS = 5
PATH = web_day(YESTERDAY)
USUAL = {("open", "1.0", 9): 400, ("open", "1.0", 10): 200, ("close", "1.0", 10): 300, ("close", EVIL, 9): 100}
"""Events by name, version and hour."""
TODAY = {("open", "1.0", 9): 400, ("open", "2.0", 10): 20, ("close", "1.0", 10): 300}
ANDROID = "a/b&c d"


def scan_of(day: date, counts: dict[tuple[str, str, int], int], platforms: dict[str | None, int]) -> DayScan:
    """A day with a row per name and version, whose events at 10:00 are errors, and its slices."""
    pairs = sorted({(name, version) for name, version, _ in counts})
    rows = [
        spread(
            *(
                make_row(
                    hour=hour,
                    event_name=name,
                    service_version=version,
                    events=events,
                    errors=events // 10 if hour == 10 else 0,
                )
                for (its_name, its_version, hour), events in sorted(counts.items())
                if (its_name, its_version) == (name, version)
            )
        )
        for name, version in pairs
    ]
    slices: dict[Slice, int] = {}
    for (name, version, _), events in counts.items():
        for part in (Slice("event_name", name), Slice("service_version", version)):
            slices[part] = slices.get(part, 0) + events
    for platform, events in platforms.items():
        slices[Slice("platform", platform)] = events
        slices[Slice("platform", platform, "event_name", "open")] = events
        slices[Slice("platform", platform, "service_version", "1.0")] = events
        slices[Slice("platform", platform, "hour", "10")] = events
    return make_scan(day, *rows, slices={part: SliceCounts(events, 0, 0) for part, events in slices.items()})


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Five weeks of a source with a dimension; on the last day a version is missing, and a platform."""
    folder = tmp_path_factory.mktemp("desk")
    roles = {name: name for name in ("event_id", "occurred_at", "event_name", "service_version", "is_error")}
    source = {"connector": "parquet", "path": "events", "first_day": "2026-02-01"}
    sources = {"web": source | {"roles": roles | {"dimensions": ["platform"]}}}
    settings = Settings(store=f"sqlite:///{folder / 'quality.db'}", sources=sources)
    desk = Desk(folder, settings, make_store(folder))
    for back in range(7 * WEEKS, -1, -1):
        day = YESTERDAY - timedelta(days=back)
        scan = scan_of(day, USUAL, {"ios": 600, ANDROID: 400}) if back else scan_of(day, TODAY, {"ios": 720})
        total = scan.aggregates.totals().events
        desk.store.append_scan("web", scan, [SampleVerdict("e1")], NOW)
        keep(desk.store, day, "web", total_events=total, expected_events=1000.0)
    yield desk
    desk.close()


def tables_of(desk: Desk, query: str = "") -> dict[str, list[list[str]]]:
    """The rows of each table of the breakdown, by its caption."""
    section = page_of(desk, PATH + query).one("section", aria_labelledby="aggregates")
    return {table.one("caption").text: table.rows()[1:] for table in section.all("table")}


def link_of(section: Element, text: str) -> str:
    (href,) = {link.attributes["href"] for link in section.all("a") if link.text == text}
    return href


def test_each_segment_is_compared_with_its_usual_share_of_the_expected_day(desk: Desk) -> None:
    tables = tables_of(desk)
    assert list(tables) == ["By hour, in UTC", "By signal", "By version", "By platform"]
    assert [row[:4] for row in tables["By signal"]] == [
        ["open", "420", "600", "▼ −30 %"],
        ["close", "300", "400", "−25 %"],
    ]
    assert [row[:4] for row in tables["By platform"]] == [
        ["ios", "720", "600", "+20 %"],
        [ANDROID, "0", "400", "▼ −100 %"],
    ]


def test_silent_values_stay_with_zero_and_new_ones_are_called_new(desk: Desk) -> None:
    versions = {row[0]: row[1:4] for row in tables_of(desk)["By version"]}
    assert versions == {
        "1.0": ["700", "900", "−22 %"],
        "2.0": ["20", "0.0", "new"],
        EVIL: ["0", "100", "▼ −100 %"],
    }


def test_the_days_before_are_drawn_and_described(desk: Desk) -> None:
    section = page_of(desk, PATH).one("section", aria_labelledby="aggregates")
    labels = {picture.attributes["aria-label"] for picture in section.all("svg", class_="days")}
    assert "14 of 14 days known, 0 to 400 events" in labels


def test_an_hour_shows_its_own_segments(desk: Desk) -> None:
    page = page_of(desk, f"{PATH}?hour=10")
    section = page.one("section", aria_labelledby="aggregates")
    assert section.one("h2").text == "Breakdown of 10:00 to 11:00"
    assert "320 events, 500 expected, 32 errors (10.00 %)" in section.text
    tables = tables_of(desk, "?hour=10")
    assert [row[:3] for row in tables["By signal"]] == [["close", "300", "300"], ["open", "20", "200"]]
    assert [row[:3] for row in tables["By version"]] == [["1.0", "300", "500"], ["2.0", "20", "0.0"]]
    assert [row[:2] for row in tables["By platform"]] == [["ios", "720"], [ANDROID, "0"]]
    assert [row.one("th").text for row in section.all("tr", aria_current="true")] == ["10:00"]


def test_segments_whose_error_rate_is_beyond_the_limit_are_marked(desk: Desk) -> None:
    hour = {row[0]: row[6:8] for row in tables_of(desk, "?hour=10")["By version"]}
    assert hour == {"1.0": ["30", "✗ 10.00 %"], "2.0": ["2", "10.00 %"]}
    assert [row[7] for row in tables_of(desk, "?hour=9")["By signal"]] == ["0.00 %", "–"]


def test_a_signal_shows_its_versions_platforms_and_hours(desk: Desk) -> None:
    section = page_of(desk, PATH).one("section", aria_labelledby="aggregates")
    address = link_of(section, "open")
    assert address == "?by=event_name&value=open#aggregates"
    tables = tables_of(desk, address.partition("#")[0])
    assert list(tables) == ["By hour, in UTC", "By version", "By platform"]
    assert [row[:3] for row in tables["By version"]] == [["1.0", "400", "600"], ["2.0", "20", "0.0"]]
    assert {row[0]: row[1] for row in tables["By hour, in UTC"] if row[1] != "0"} == {"09:00": "400", "10:00": "20"}


def test_a_signal_at_an_hour_is_the_signal_of_the_cut_hour(desk: Desk) -> None:
    section = page_of(desk, f"{PATH}?hour=10").one("section", aria_labelledby="aggregates")
    address = link_of(section, "open")
    assert address == "?hour=10&by=event_name&value=open#aggregates"
    tables = tables_of(desk, address.partition("#")[0])
    assert [row[:3] for row in tables["By version"]] == [["2.0", "20", "0.0"], ["1.0", "0", "200"]]
    assert "By platform" not in tables


def test_values_of_dimensions_lead_to_signals_versions_and_hours(desk: Desk) -> None:
    section = page_of(desk, PATH).one("section", aria_labelledby="aggregates")
    address = link_of(section, ANDROID)
    assert address == "?by=platform&value=a%2Fb%26c%20d#aggregates"
    tables = tables_of(desk, address.partition("#")[0])
    assert [row[:3] for row in tables["By signal"]] == [["open", "0", "400"]]
    assert [row[:3] for row in tables["By version"]] == [["1.0", "0", "400"]]
    shown = tables_of(desk, "?by=platform&value=ios")
    assert {row[0]: row[1] for row in shown["By hour, in UTC"] if row[1] != "0"} == {"10:00": "720"}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?by=country&value=x", "by must be one of event_name, service_version, platform"),
        ("?value=x", "by is required with value"),
        ("?by=platform&value=ios&hour=3", "hour is known of event_name and service_version alone"),
        ("?hour=48", "48"),
    ],
)
def test_a_part_that_is_not_counted_is_refused_in_a_sentence(desk: Desk, query: str, words: str) -> None:
    assert words in api_error_of(desk, PATH + query, 422)


def test_the_events_without_a_value_are_those_of_the_missing_one(desk: Desk) -> None:
    section = page_of(desk, f"{PATH}?by=service_version").one("section", aria_labelledby="aggregates")
    assert section.one("h2").text == "Breakdown of version (null)"
    assert "0 events" in section.text
    assert "(empty)" in page_of(desk, f"{PATH}?by=service_version&value=").one("h2", id="aggregates").text


VERSIONS = "/health/sources/web/versions/"


def test_the_versions_of_a_source_say_since_when_they_are_seen(desk: Desk) -> None:
    section = page_of(desk, VERSIONS).one("section", aria_labelledby="all")
    rows = {row[0]: row[2:] for row in section.one("table").rows()[1:]}
    first = YESTERDAY - timedelta(days=29)
    assert rows["2.0"] == ["2.8 %", "2.8 %", "0.1 %", "20", "0.00 %", str(YESTERDAY), str(YESTERDAY), "never"]
    assert rows["1.0"][5:] == [f"by {first}", str(YESTERDAY), str(first)]
    assert rows[EVIL][6] == str(YESTERDAY - timedelta(days=1))
    assert f"{PATH}?by=service_version&value=2.0#aggregates" in {link.attributes["href"] for link in section.all("a")}


def test_two_versions_stand_side_by_side_also_by_signal(desk: Desk) -> None:
    page = page_of(desk, f"{VERSIONS}?left=1.0&right=2.0")
    both, signals = (table.rows() for table in page.one("section", aria_labelledby="two").all("table"))
    assert both[0] == ["", "1.0", "2.0"]
    assert ["Last seen", str(YESTERDAY), str(YESTERDAY)] in both
    names = [row[0] for row in signals[1:]]
    assert names == ["open", "close"]
    assert signals[1][3:] == ["20", "10.00 %"]
    chosen = {option.text for option in page.all("option") if "selected" in option.attributes}
    assert chosen == {"1.0", "2.0"}


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("?left=1.0", 422, "left and right are required together"),
        ("?left=1.0&right=9.9", 404, "A version that was seen from"),
        ("?days=6", 422, "7"),
        ("?days=366", 422, "365"),
    ],
)
def test_versions_that_cannot_be_compared_are_refused(desk: Desk, query: str, status: int, words: str) -> None:
    assert words in api_error_of(desk, VERSIONS + query, status)
