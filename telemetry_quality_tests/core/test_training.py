"""Training days: what a row says of a day, and that no row as of an instant depends on what came later."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry_quality.core.days import Calendar
from telemetry_quality.core.events import DayAggregates, DayScan, Slice, SliceCounts, UnreadableDay
from telemetry_quality.core.incidents import UNREADABLE, Action, incidents_of
from telemetry_quality.core.known_days import rows_of
from telemetry_quality.core.marks import Mark, mark_days
from telemetry_quality.core.training import MOST_VALUES, TRAINING_COLUMNS, training_days
from telemetry_quality_tests.builders import (
    DAY,
    NOW,
    SLICED_SCHEMA,
    FakeSource,
    make_row,
    make_scan,
    make_sliced_scan,
    make_store,
    make_work,
)

if TYPE_CHECKING:
    from telemetry_quality.core.daily import DailyWork
    from telemetry_quality.storage.store import SqlQualityStore

UTC_CALENDAR = Calendar(ZoneInfo("UTC"), date(2026, 1, 1))
T = NOW + timedelta(hours=1)
DAYS = [DAY + timedelta(days=offset) for offset in range(4)]


def rows_as_of(store: SqlQualityStore, as_of: datetime | None) -> list[dict[str, Any]]:
    names = [column.name for column in TRAINING_COLUMNS]
    found = training_days(store.known_scans("web", as_of=as_of), UTC_CALENDAR)
    return [dict(zip(names, row, strict=True)) for row in rows_of(TRAINING_COLUMNS, found)]


def row_of(folder: Path, scan: DayScan | UnreadableDay, calendar: Calendar = UTC_CALENDAR) -> dict[str, Any]:
    """The row of DAY after a run that found ``scan``."""
    work = make_work(folder, FakeSource({DAY: scan}, schema=SLICED_SCHEMA), calendar=calendar)
    run(work, DAY, NOW)
    names = [column.name for column in TRAINING_COLUMNS]
    (row,) = rows_of(TRAINING_COLUMNS, training_days(work.store.known_scans("web"), calendar))
    return dict(zip(names, row, strict=True))


def run(work: DailyWork, day: date, now: datetime) -> None:
    list(work.read([day], now))
    list(work.judge([day], now))


def test_a_row_holds_counts_rates_hours_shares_and_labels(tmp_path: Path) -> None:
    row = row_of(tmp_path, make_sliced_scan(DAY, {"ios": 75, "android": 25}))
    assert (row["total_events"], row["error_rate_percent"], row["weekday"]) == (100, 0.0, DAY.isoweekday())
    assert [row[f"hour_{hour:02}_events"] for hour in (0, 12, 23, 24)] == [0, 100, 0, None]
    assert (row["event_names"], row["top_event_name_percent"], row["versions"]) == (1, 100.0, 1)
    assert [part for part in row["segments"] if part["dimension"] == "platform"] == [
        {"dimension": "platform", "value": "ios", "percent": 75.0},
        {"dimension": "platform", "value": "android", "percent": 25.0},
    ]
    assert (row["is_healthy"], row["is_trusted"], row["weight"], row["why_not"]) == (True, True, 1.0, None)


def test_a_day_that_could_not_be_read_has_no_features_and_no_weight(tmp_path: Path) -> None:
    row = row_of(tmp_path, UnreadableDay(DAY, "FILE_CORRUPT", "Broken."))
    hours = [row[f"hour_{hour:02}_events"] for hour in range(25)]
    assert (row["total_events"], set(hours), row["event_names"], row["segments"]) == (None, {None}, None, None)
    assert (row["is_healthy"], row["is_trusted"], row["weight"], row["why_not"]) == (None, False, 0.0, "FILE_CORRUPT")


def test_an_empty_day_is_zero_and_not_unknown(tmp_path: Path) -> None:
    row = row_of(tmp_path, DayScan(DAY, DayAggregates()))
    assert (row["total_events"], row["hour_12_events"], row["event_names"], row["segments"]) == (0, 0, 0, [])
    assert (row["is_healthy"], row["weight"]) == (False, 0.0)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 8), 23), (date(2026, 3, 9), 24), (date(2026, 11, 1), 25)])
def test_a_day_has_the_hours_that_the_clock_gave_it(tmp_path: Path, day: date, hours: int) -> None:
    calendar = Calendar(ZoneInfo("America/New_York"), date(2026, 1, 1))
    work = make_work(tmp_path, FakeSource({day: make_scan(day)}), calendar=calendar)
    run(work, day, datetime(2026, 12, 1, tzinfo=ZoneInfo("UTC")))
    (found,) = training_days(work.store.known_scans("web"), calendar)
    assert [hour for hour in range(25) if found.events_in(hour) is not None] == list(range(hours))


def test_hostile_names_are_bounded_in_number_and_length_and_stay_json(tmp_path: Path) -> None:
    names = [f'"}}]\x00\x1b[31m</script>{number}' for number in range(MOST_VALUES + 5)]
    slices = {Slice("event_name", name): SliceCounts(100 - place, 0, 0) for place, name in enumerate(names)}
    rows = tuple(make_row(event_name=name, events=100 - place) for place, name in enumerate(names))
    row = row_of(tmp_path, make_scan(DAY, *rows, slices=slices))
    assert row["event_names"] == MOST_VALUES + 5
    assert [part["value"] for part in row["segments"]] == names[:MOST_VALUES]
    assert json.loads(json.dumps(row["segments"])) == row["segments"]


def test_a_missing_name_is_null_and_a_name_that_reads_null_is_not(tmp_path: Path) -> None:
    slices = {Slice("event_name", None): SliceCounts(60, 0, 0), Slice("event_name", "null"): SliceCounts(40, 0, 0)}
    rows = (make_row(event_name=None, events=60), make_row(event_name="null", events=40))
    row = row_of(tmp_path, make_scan(DAY, *rows, slices=slices))
    assert [(part["value"], part["percent"]) for part in row["segments"]] == [(None, 60.0), ("null", 40.0)]


@pytest.mark.parametrize(("completeness", "weight"), [(None, 1.0), (80.0, 0.8), (100.0, 1.0), (100.1, 1.0)])
def test_a_day_counts_as_far_as_its_events_have_arrived(
    tmp_path: Path, completeness: float | None, weight: float
) -> None:
    work = make_work(tmp_path, FakeSource({DAY: make_scan()}))
    run(work, DAY, NOW)
    (day,) = training_days(work.store.known_scans("web"), UTC_CALENDAR)
    assert replace(day, snapshot=replace(day.snapshot, completeness_percent=completeness)).weight == weight


RUNS = st.tuples(
    st.just("run"),
    st.sampled_from(DAYS),
    st.sampled_from([None, 0, 50, 100]),
    st.sampled_from([100, 140]),
)
MARKS = st.tuples(st.just("mark"), st.sampled_from(DAYS), st.sampled_from([None, *Mark]))
ACTIONS = st.tuples(st.just("act"), st.sampled_from([Action.ACCEPT, Action.DISMISS, Action.CONFIRM]))
STEPS = st.lists(st.one_of(RUNS, RUNS, MARKS, ACTIONS), max_size=6)


def take(work: DailyWork, source: FakeSource, step: tuple[Any, ...], now: datetime) -> None:
    """Do what a run or a person does: read and judge a day again, mark a day, or decide about an incident."""
    kind, *rest = step
    if kind == "run":
        day, errors, events = rest
        found = make_sliced_scan(day, {"ios": events}) if errors == 0 else make_scan(day, make_row(errors=errors or 0))
        source.days[day] = UnreadableDay(day, "FILE", "Broken.") if errors is None else found
        run(work, day, now)
    elif kind == "mark":
        day, mark = rest
        work.store.append_marked_days(mark_days("web", (day, day), mark, "ada", now))
    else:
        incidents = [found for found in incidents_of(work.store, "web") if found.root_cause != UNREADABLE]
        if incidents:
            work.store.append_incident_action(incidents[-1].decide(rest[0], "ada", now))


@pytest.mark.slow
@given(before=STEPS, after=STEPS)
@settings(max_examples=12)
def test_whatever_is_stored_after_an_instant_the_rows_as_of_that_instant_stay_the_same(
    before: list[tuple[Any, ...]], after: list[tuple[Any, ...]]
) -> None:
    with TemporaryDirectory() as folder:
        source = FakeSource(schema=SLICED_SCHEMA)
        store = make_store(Path(folder))
        work = make_work(Path(folder), source, store=store)
        run(work, DAYS[0], NOW)
        for number, step in enumerate(before):
            take(work, source, step, min(NOW + timedelta(minutes=10 * number), T))
        then = rows_as_of(store, None)
        for number, step in enumerate([("run", DAYS[0], 0, 777), *after], 1):
            take(work, source, step, T + timedelta(microseconds=number))

        assert rows_as_of(store, T) == then
        assert rows_as_of(store, None) != then
        assert rows_as_of(store, NOW - timedelta(microseconds=1)) == []
        store.close()
