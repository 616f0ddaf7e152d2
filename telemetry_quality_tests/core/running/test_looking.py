"""Looking: the hours of a day that is not over are read when they are over, judged and stored."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from telemetry_quality.core.days import Calendar, days_between
from telemetry_quality.core.dispatch import Channel, dispatch_pending
from telemetry_quality.core.events import DayAggregates, DayScan, UnreadableDay
from telemetry_quality.core.incidents import incidents_of
from telemetry_quality.core.running.looking import RunningWork
from telemetry_quality.errors import SourceUnavailableError
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import FakeSource, make_row, make_scan, make_store, make_work, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry_quality.core.alerts import Alert
    from telemetry_quality.core.events import AggregateRow

FIRST, TODAY = date(2026, 1, 5), date(2026, 2, 16)
"""Six weeks of history, and a Monday."""
HISTORY_DAYS = 42
USUAL = [40, 30, 30, 30, 40, 60, 100, 160, 200, 220, 230, 230, 240, 240, 230, 220, 210, 200, 180, 150, 120, 90, 70, 50]
LATENESS, INTERVAL = timedelta(hours=1), timedelta(minutes=15)
ONE_HOUR = timedelta(hours=1)


class Stream:
    """A stream with a history in the store, whose days are looked at while they run."""

    def __init__(self, folder: Path, zone: str = "UTC", first: date = FIRST) -> None:
        self.calendar = Calendar(ZoneInfo(zone), first)
        self.source = FakeSource()
        (folder / "quality.db").write_bytes(_history(zone, first))
        self.daily = make_work(
            folder,
            self.source,
            calendar=self.calendar,
            store=SqlQualityStore(f"sqlite:///{folder / 'quality.db'}"),
        )
        self.work = RunningWork(self.daily, LATENESS, INTERVAL)
        self.heard: list[tuple[datetime, Alert]] = []

    def begin(self, day: date) -> datetime:
        return self.calendar.window(day).start

    def happen(self, day: date, events: Sequence[int], errors: Sequence[int] = ()) -> None:
        """What happens in the hours of a day since it began, whoever looks."""
        window, rows = self.calendar.window(day), rows_of(day, self.calendar, events, errors)
        self.source.days[day] = make_scan(day, spread(*rows)) if rows else DayScan(day, DayAggregates())
        for hour in range(25):
            self.source.hours.pop(window.start + hour * ONE_HOUR, None)
        self.source.hours |= {window.start + row.hour * ONE_HOUR: (row,) for row in rows}

    def judge(self, *days: date) -> None:
        """Read and judge days that are over."""
        now = self.calendar.window(max(days)).end + LATENESS
        list(self.daily.read(days, now))
        list(self.daily.judge(days, now))

    def look(self, now: datetime) -> list[int]:
        """Look, dispatch, and return the hours of which something was stored."""
        found = self.work.look(now)
        channel = Channel("log", lambda alert: self.heard.append((now, alert)))
        dispatch_pending(self.daily.store, ["web"], channel, lambda: now)
        return [hour.hour for hour in found.new]

    def look_every_hour(self, begin: datetime, end: datetime) -> None:
        now = begin
        while now <= end:
            self.look(now)
            now += ONE_HOUR

    def counts(self, day: date = TODAY) -> dict[int, int | None]:
        hours = self.daily.store.running_hours("web", day, day).get(day, [])
        return {hour.hour: None if hour.counts is None else hour.counts.events for hour in hours}


def rows_of(day: date, calendar: Calendar, events: Sequence[int], errors: Sequence[int] = ()) -> list[AggregateRow]:
    """The hours of a day that have events."""
    window = calendar.window(day)
    return [
        make_row(hour=hour, events=count, errors=errors[hour] if hour < len(errors) else 0)
        for hour, count in enumerate(events)
        if count and window.start + hour * ONE_HOUR < window.end
    ]


@cache
def _history(zone: str, first: date) -> bytes:
    """A store with six judged weeks, read and judged once for all streams that begin with them."""
    calendar, source = Calendar(ZoneInfo(zone), first), FakeSource()
    days = list(days_between(first, first + timedelta(days=HISTORY_DAYS - 1)))
    source.days = {day: make_scan(day, spread(*rows_of(day, calendar, USUAL))) for day in days}
    with TemporaryDirectory() as folder:
        store = make_store(Path(folder))
        work = make_work(Path(folder), source, calendar=calendar, store=store)
        now = calendar.window(days[-1]).end + LATENESS
        list(work.read(days, now))
        list(work.judge(days, now))
        store.close()
        return (Path(folder) / "quality.db").read_bytes()


def at(hour: float, day: date = TODAY) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour)


def test_an_hour_is_read_when_its_late_events_have_usually_arrived_and_not_before(tmp_path: Path) -> None:
    stream = Stream(tmp_path)
    stream.happen(TODAY, USUAL)
    assert stream.look(at(1.99)) == []
    assert stream.look(at(2)) == [0]
    assert stream.look(at(2)) == stream.look(at(2.9)) == []
    assert stream.look(at(3)) == [1]
    assert stream.counts() == {0: 40, 1: 30}


def test_hours_are_shown_against_what_is_expected_with_those_to_come(tmp_path: Path) -> None:
    stream = Stream(tmp_path)
    stream.happen(TODAY, USUAL)
    look = stream.work.look(at(11))
    last = look.hours[-1]
    assert (look.day, last.hour, last.revision, len(last.later)) == (TODAY, 9, 1, 14)
    assert last.expected is not None
    assert last.expected.low < 220 < last.expected.high
    assert round(last.expected.events) == 220
    assert [round(hour.events) for hour in last.later] == USUAL[10:]


def test_late_events_fill_an_hour_quietly(tmp_path: Path) -> None:
    stream = Stream(tmp_path)
    stream.happen(TODAY, [*USUAL[:10], 215])
    stream.look(at(12))
    stream.happen(TODAY, USUAL)
    assert stream.look(at(13)) == [10, 11]
    (hour,) = [hour for hour in stream.work.look(at(13)).hours if hour.hour == 10]
    assert (hour.revision, hour.counts and hour.counts.events) == (2, 230)
    assert stream.heard == []


def test_an_older_hour_is_read_again_by_a_later_look(tmp_path: Path) -> None:
    stream = Stream(tmp_path)
    stream.happen(TODAY, USUAL)
    stream.look(at(13))
    stream.happen(TODAY, [count + 1 for count in USUAL])
    assert stream.look(at(13.24)) == []
    assert [stream.look(at(13 + quarter / 4)) for quarter in (1, 2, 3)] == [[9], [7], [3]]


def test_what_was_missed_is_read_by_one_look(tmp_path: Path) -> None:
    stream = Stream(tmp_path)
    stream.happen(TODAY, USUAL)
    stream.look(at(3))
    stream.source.calls = 0
    assert stream.look(at(15)) == list(range(2, 14))
    assert stream.source.calls == 1
    assert stream.counts() == dict(enumerate(USUAL[:14]))


def test_the_last_hours_of_yesterday_are_read_until_it_has_a_snapshot(tmp_path: Path) -> None:
    stream = Stream(tmp_path)
    stream.happen(TODAY, USUAL)
    stream.look(at(23))
    tomorrow = TODAY + timedelta(days=1)
    assert stream.look(at(25)) == [22, 23]
    assert len(stream.counts()) == 24
    stream.judge(TODAY)
    stream.happen(TODAY, [count + 1 for count in USUAL])
    stream.happen(tomorrow, USUAL)
    assert stream.look(at(26.5)) == [0]
    assert set(stream.counts(tomorrow)) == {0}


def test_days_outside_the_calendar_are_not_looked_at(tmp_path: Path) -> None:
    stream = Stream(tmp_path)
    ended = Calendar(stream.calendar.zone, FIRST, TODAY - timedelta(days=1))
    work = RunningWork(make_work(tmp_path, stream.source, store=stream.daily.store, calendar=ended), LATENESS, INTERVAL)
    assert work.look(at(12)).new == ()


def test_what_cannot_be_read_is_neither_zero_nor_forgotten(tmp_path: Path) -> None:
    stream = Stream(tmp_path)
    stream.happen(TODAY, USUAL)
    stream.look(at(5))
    stream.source.failures = [SourceUnavailableError("UNREACHABLE", "The server is away.")]
    stream.look(at(7))
    assert stream.counts() == {0: 40, 1: 30, 2: 30, 3: 30, 4: None, 5: None}
    (*_, last) = stream.work.look(at(7)).hours
    assert (last.unreadable_reason_code, last.counts and last.counts.events) == (None, 60), (
        "it is read by the next look"
    )
    assert stream.heard == []


def test_hours_beside_one_that_cannot_be_read_are_read(tmp_path: Path) -> None:
    stream = Stream(tmp_path)
    stream.happen(TODAY, USUAL)
    broken = stream.begin(TODAY) + 3 * ONE_HOUR
    scan_hours = stream.source.scan_hours

    def scan(window: Any) -> Any:
        if window.start <= broken < window.end:
            return UnreadableDay(window.day, "FILE_CORRUPT", "The file of three o'clock is broken.")
        return scan_hours(window)

    stream.source.scan_hours = scan  # type: ignore[method-assign]
    stream.look(at(7))
    assert stream.counts() == {0: 40, 1: 30, 2: 30, 3: None, 4: 40, 5: 60}


def test_an_outage_at_ten_is_known_before_noon_by_one_alert_which_the_snapshot_confirms(tmp_path: Path) -> None:
    stream = Stream(tmp_path)
    outage = [*USUAL[:9], 0, 0, 0, *USUAL[12:]]
    stream.happen(TODAY, outage)
    stream.look_every_hour(at(2), at(24))
    ((heard_at, alert),) = stream.heard
    assert alert.guardrail == "missing_hours"
    assert heard_at <= at(12.25), "75 minutes after the second empty hour"
    (incident,) = incidents_of(stream.daily.store, "web")
    stream.judge(TODAY)
    stream.look(at(25))
    (confirmed,) = incidents_of(stream.daily.store, "web")
    assert (confirmed.key, confirmed.is_open) == (incident.key, True)
    assert [alert.guardrail for _, alert in stream.heard].count("missing_hours") == 1


def test_an_outage_that_late_events_fill_is_withdrawn(tmp_path: Path) -> None:
    stream = Stream(tmp_path)
    stream.happen(TODAY, [*USUAL[:9], 0, 0, 0, *USUAL[12:]])
    stream.look_every_hour(at(2), at(24))
    stream.happen(TODAY, USUAL)
    stream.judge(TODAY)
    stream.look(at(25))
    assert [alert.reason_code == "WITHDRAWN" for _, alert in stream.heard] == [False, True]
    assert incidents_of(stream.daily.store, "web") == []


def test_the_days_on_which_clocks_change_have_23_and_25_hours_and_alarm_nobody(tmp_path: Path) -> None:
    for name, day, hours in (("spring", date(2026, 3, 8), 23), ("autumn", date(2026, 11, 1), 25)):
        folder = tmp_path / name
        folder.mkdir()
        stream = Stream(folder, "America/New_York", first=day - timedelta(days=42))
        repeated = 1 if hours == 25 else 2
        counts = [*USUAL[:repeated], *USUAL[2 if hours == 25 else 3 :]]
        today = [*USUAL[:2], USUAL[1], *USUAL[2:]] if hours == 25 else counts
        stream.happen(day, today)
        window = stream.calendar.window(day)
        stream.look_every_hour(window.start, window.end + LATENESS)
        assert list(stream.counts(day)) == list(range(hours))
        assert stream.heard == []


def test_a_source_that_would_read_far_more_than_the_hours_is_not_asked_for_them(tmp_path: Path) -> None:
    stream = Stream(tmp_path)
    stream.happen(TODAY, USUAL)
    stream.source.costly = "The table has no index; create one."
    stream.source.calls = 0
    stream.look(at(3))
    assert stream.source.calls == 0
    (*_, last) = stream.work.look(at(3)).hours
    assert (last.counts, last.unreadable_reason_code, last.unreadable_reason) == (
        None,
        "COSTLY_HOURS",
        "The table has no index; create one.",
    )
    stream.source.costly = None
    stream.look(at(3.5))
    assert stream.counts() == {0: 40, 1: 30}


@pytest.mark.slow
def test_in_sixty_days_every_incident_of_a_running_day_is_confirmed_or_withdrawn_and_said_once(tmp_path: Path) -> None:
    """Faults of each kind, some of which late events mend before the day is judged."""
    stream, random = Stream(tmp_path), Random(18)
    opened, confirmed, withdrawn = set(), set(), set()
    with stream.daily.store.kept_open():
        for day in days_between(TODAY, TODAY + timedelta(days=59)):
            usual = [round(count * random.uniform(0.95, 1.05)) for count in USUAL]
            events, errors = list(usual), [count // 100 for count in usual]
            first, fault = random.randrange(7, 20), random.choice(["", "", "outage", "part", "burst", "mended"])
            for hour in range(first, first + 3):
                events[hour] = {"outage": 0, "mended": 0, "part": usual[hour] // 5}.get(fault, usual[hour])
                errors[hour] += usual[hour] // 5 if fault == "burst" else 0
            stream.happen(day, events, errors)
            if fault:
                stream.look(stream.begin(day) + timedelta(hours=first + 4))
            stream.look(stream.begin(day) + timedelta(hours=25))
            running = {
                (incident.key, failure.guardrail)
                for incident in incidents_of(stream.daily.store, "web", day, day)
                for failure in incident.failures
                if failure.day == day
            }
            if fault == "mended":
                stream.happen(day, usual, errors)
            stream.judge(day)
            stream.look(stream.begin(day) + timedelta(hours=25, minutes=10))
            judged = {
                (incident.key, failure.guardrail)
                for incident in incidents_of(stream.daily.store, "web", day, day)
                for failure in incident.failures
                if failure.day == day
            }
            taken_back = {
                alert.guardrail for _, alert in stream.heard if (alert.day, alert.reason_code) == (day, "WITHDRAWN")
            }
            opened |= running
            confirmed |= running & judged
            withdrawn |= {found for found in running - judged if found[1] in taken_back}
            assert running - judged == {found for found in running if found[1] in taken_back}, (day, fault)
    assert opened == confirmed | withdrawn
    assert len(confirmed) > 10
    assert withdrawn
    said = Counter((alert.day, alert.guardrail, alert.reason_code) for _, alert in stream.heard)
    assert set(said.values()) == {1}
