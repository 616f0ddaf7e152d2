"""The hours of a day: counted since it began, and by the clock, daylight saving included."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from telemetry_quality.core.days import Calendar
from telemetry_quality.core.events import DayAggregates, Slice, SliceCounts
from telemetry_quality.core.hours import ALL_HOURS, DayHours, HourTotals, clock_of, day_hours, hour_totals
from telemetry_quality_tests.builders import NOW, SCHEMA, FakeSource, make_row, make_scan, make_work, spread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from telemetry_quality.core.daily import DailyWork
    from telemetry_quality.core.events import DayScan

NEW_YORK = Calendar(ZoneInfo("America/New_York"), date(2013, 1, 1))
ORDINARY, SPRING, AUTUMN = date(2013, 6, 1), date(2013, 3, 10), date(2013, 11, 3)


def test_the_totals_of_hours_add_up_all_rows_until_the_last_hour_with_events() -> None:
    rows = (
        spread(make_row(hour=1, events=10, errors=1), make_row(hour=3, events=20, errors=0)),
        make_row(hour=3, event_name="order", events=5, errors=2),
    )
    assert hour_totals(DayAggregates(rows, ("user_id",))) == HourTotals((0, 10, 0, 25), (0, 1, 0, 2))
    assert hour_totals(DayAggregates()) == HourTotals((), ())


def test_hours_list_missing_versions_only_if_there_are_any() -> None:
    versioned = hour_totals(DayAggregates((make_row(hour=1, events=2),)))
    assert versioned == HourTotals((0, 2), (0, 0))
    missing = hour_totals(DayAggregates((make_row(hour=1, events=2, missing_version=2),)))
    assert missing == HourTotals((0, 2), (0, 0), (0, 2))
    assert [HourTotals.from_json(hours.as_json()) for hours in (versioned, missing)] == [versioned, missing]
    assert "missing_version" not in versioned.as_json()


def test_an_ordinary_day_has_the_hours_of_the_clock() -> None:
    hours = day_hours(HourTotals((5, 6), (1, 0)), ORDINARY, NEW_YORK)
    assert hours == DayHours((5, 6, *[0] * 22), (1, *[0] * 23))
    assert hours.clock is ALL_HOURS
    assert hours.events_by_clock() is hours.events
    assert hours.errors_by_clock() is hours.errors


def test_an_hour_that_the_day_did_not_have_is_not_an_hour_without_events() -> None:
    hours = day_hours(HourTotals(tuple(range(23)), (0,) * 23), SPRING, NEW_YORK)
    assert len(hours.clock) == len(hours.events) == 23
    assert hours.events_by_clock()[:5] == (0, 1, None, 2, 3)
    assert hours.errors_by_clock()[2] is None


def test_an_hour_that_came_twice_counts_as_the_mean_of_both() -> None:
    hours = day_hours(HourTotals(tuple(range(25)), (4,) * 25), AUTUMN, NEW_YORK)
    assert clock_of(AUTUMN, NEW_YORK)[:4] == (0, 1, 1, 2)
    assert hours.events_by_clock()[:4] == (0, 1.5, 3, 4)
    assert hours.errors_by_clock() == (4,) * 24


@pytest.mark.parametrize(("day", "hours"), [(date(2011, 12, 30), 0), (date(2011, 12, 29), 24)])
def test_a_day_that_a_zone_skipped_has_no_hours(day: date, hours: int) -> None:
    assert len(clock_of(day, Calendar(ZoneInfo("Pacific/Apia"), date(2011, 1, 1)))) == hours


# The hours of days that were read


def read_days(folder: Path, days: Mapping[date, Sequence[int]]) -> DailyWork:
    """Days with these events per hour since they began, read from a source in New York."""
    folder.mkdir(exist_ok=True)
    scans = {
        day: make_scan(day, spread(*(make_row(hour=hour, events=count) for hour, count in enumerate(counts) if count)))
        for day, counts in days.items()
    }
    work = make_work(folder, FakeSource(dict(scans)), calendar=NEW_YORK)
    list(work.read(list(days), NOW))
    return work


def verdicts_on(work: DailyWork, *days: date) -> list[str]:
    """The reason codes of ``missing_hours``."""
    judged = [verdict for judgement in work.judge(days, NOW) for verdict in judgement.verdicts]
    return [verdict.reason_code for verdict in judged if verdict.guardrail == "missing_hours"]


def test_dead_hours_of_a_stored_day_are_named_and_the_days_on_which_clocks_change_are_quiet(tmp_path: Path) -> None:
    first = date(2013, 10, 1)
    days = {first + timedelta(days=n): [100] * 24 for n in range(40)}
    days[AUTUMN] = [100] * 25
    last = max(days)
    days[last] = [0 if hour in {9, 10, 11} else 100 for hour in range(24)]
    work = read_days(tmp_path, days)
    assert verdicts_on(work, AUTUMN, last) == ["HOURS_PRESENT", "HOURS_MISSING"]
    (failed,) = work.store.failed_verdicts("web", last, last)[last][1]
    assert [(found.segment.hours, found.found) for found in failed.contributors] == [((9, 11), 0)]


def test_no_later_day_changes_the_verdict_on_the_hours_of_a_day(tmp_path: Path) -> None:
    days = {date(2013, 6, 1) + timedelta(days=n): [100] * 24 for n in range(30)}
    judged, later = list(days)[20], list(days)[21:]
    days[judged] = [0] * 3 + [100] * 21
    work = read_days(tmp_path / "steady", days)
    emptied = read_days(tmp_path / "emptied", days | {day: [0, 0, 0, 5, *[0] * 20] for day in later})
    assert verdicts_on(work, judged) == verdicts_on(emptied, judged) == ["HOURS_MISSING"]
    assert verdicts_on(emptied, judged, *later)[0] == "HOURS_MISSING"


def day_on_two_platforms(day: date, *, ios: int = 80, errors: int = 0) -> DayScan:
    """80 and 20 events an hour, apart from the events of ios and the errors of web between 9:00 and 12:00."""
    rows, slices = [], {}
    for hour in range(24):
        is_bad = 9 <= hour <= 11
        counts = {"ios": (ios if is_bad else 80, 0), "web": (20, errors if is_bad else 0)}
        rows.append(make_row(hour=hour, events=sum(events for events, _ in counts.values()), errors=counts["web"][1]))
        for platform, (events, wrong) in counts.items():
            slices[Slice("platform", platform, "hour", str(hour))] = SliceCounts(events, wrong, 0)
    return make_scan(day, spread(*rows), slices=slices)


@pytest.mark.parametrize(
    ("bad", "guardrail", "segment", "end"),
    [
        ({"ios": 0}, "missing_hours", "platform=ios", "100 % of them are platform=ios, between 09:00 and 12:00."),
        ({"ios": 0}, "error_burst", None, "No hours have far more errors than usual."),
        ({"errors": 15}, "error_burst", "platform=web", "100 % of them are platform=web, between 09:00 and 12:00."),
    ],
)
def test_the_single_segment_behind_bad_hours_is_named(
    tmp_path: Path, bad: Mapping[str, int], guardrail: str, segment: str | None, end: str
) -> None:
    days = [date(2013, 6, 1) + timedelta(days=n) for n in range(29)]
    scans = {day: day_on_two_platforms(day) for day in days} | {days[-1]: day_on_two_platforms(days[-1], **bad)}
    work = make_work(tmp_path, FakeSource(dict(scans), schema=replace(SCHEMA, dimensions=("platform",))))
    work = replace(work, calendar=NEW_YORK)
    list(work.read(days, NOW))
    (judgement,) = work.judge(days[-1:], NOW)
    (verdict,) = (verdict for verdict in judgement.verdicts if verdict.guardrail == guardrail)

    assert [contributor.segment.name for contributor in verdict.contributors] == [segment] * bool(segment)
    assert [contributor.segment.hours for contributor in verdict.contributors] == [(9, 11)] * bool(segment)
    assert verdict.sentence.endswith(end)
