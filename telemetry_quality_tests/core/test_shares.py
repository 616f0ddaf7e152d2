"""Shares: the counts behind them, which days' counts guardrails get, and a whole stream of three events a day."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from telemetry_quality.core.days import Calendar
from telemetry_quality.core.detectors.small_counts import USUAL_DAYS
from telemetry_quality.core.event_schema import Rate
from telemetry_quality.core.events import Arrivals, Duplicates, UnreadableDay
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.core.incidents import Action, incidents_of
from telemetry_quality.core.judging import evidence_of, load_history
from telemetry_quality.core.shares import ShareCount, share_counts
from telemetry_quality_tests.builders import DAY, NOW, FakeSource, make_row, make_scan, make_stored_scan, make_work

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from telemetry_quality.core.daily import DailyWork
    from telemetry_quality.core.events import DayScan

CALENDAR = Calendar(ZoneInfo("UTC"), date(2025, 1, 1))


def test_every_share_is_known_by_how_many_of_how_many_events_count() -> None:
    scan = make_stored_scan(
        total_events=50,
        error_events=1,
        error_unknown_events=49,
        missing_version_events=2,
        late_events=3,
        missing_critical={"user_id": 4, "session": 0},
        duplicates=Duplicates(40, 5),
        arrivals=Arrivals((50,), 60, 1, 2, 3),
        rate_counts={"paid": 7, "paid.of": 9, "lost": 8, "unknown": 1},
    )

    assert share_counts(scan, (Rate("paid", "a", "b"), Rate("lost", "c"), Rate("new", "d"))) == {
        "error_rate_percent": (1, 50),
        "missing_version_percent": (2, 50),
        "critical_missing_percent:user_id": (4, 50),
        "critical_missing_percent:session": (0, 50),
        "duplicate_percent": (5, 40),
        "late_percent": (3, 50),
        "impossible_timestamp_percent": (3, 60),
        "unreadable_time_percent": (3, 60),
        "rate_paid_percent": (7, 9),
        "rate_lost_percent": (8, 50),
    }


def test_a_share_that_was_not_counted_or_is_of_no_events_is_left_out() -> None:
    assert share_counts(make_stored_scan(50, error_unknown_events=50)) == {"missing_version_percent": (0, 50)}
    assert share_counts(make_stored_scan(0, duplicates=Duplicates(0, 0))) == {}
    unread = make_stored_scan(total_events=None, error_unknown_events=None)  # type: ignore[arg-type]
    assert share_counts(unread) == {}


def read(folder: Path, scans: Mapping[date, DayScan | UnreadableDay]) -> DailyWork:
    work = make_work(folder, FakeSource(dict(scans)), calendar=CALENDAR)
    list(work.read(sorted(scans), NOW))
    return work


def shares_on(work: DailyWork, day: date = DAY) -> Mapping[str, Mapping[date, ShareCount]]:
    context = load_history(work.store, work.name, [day])
    return evidence_of(day, context, work.policy, work.calendar, work.source.schema, now=NOW).small_shares


@pytest.mark.parametrize(("events", "is_small"), [(99, True), (100, False), (101, False)])
def test_guardrails_get_earlier_counts_only_on_days_of_fewer_than_a_hundred_events(
    tmp_path: Path, events: int, is_small: bool
) -> None:
    before = DAY - timedelta(days=1)
    work = read(tmp_path, {before: make_scan(before, make_row(errors=2)), DAY: make_scan(DAY, make_row(events=events))})

    shares = shares_on(work)

    assert ("error_rate_percent" in shares) is is_small
    assert shares.get("error_rate_percent", {}) == ({before: (2, 100), DAY: (0, events)} if is_small else {})


@pytest.mark.parametrize(("events", "outcome"), [(99, Outcome.PASSED), (100, Outcome.FAILED), (101, Outcome.FAILED)])
def test_six_errors_of_about_a_hundred_pass_only_on_a_day_of_fewer_than_a_hundred_events(
    tmp_path: Path, events: int, outcome: Outcome
) -> None:
    days = [DAY - timedelta(days=n) for n in range(40, 0, -1)]
    scans = {day: make_scan(day, make_row(errors=3)) for day in days}
    work = read(tmp_path, scans | {DAY: make_scan(DAY, make_row(events=events, errors=6))})

    (judgement,) = work.judge([DAY], NOW)

    assert {verdict.guardrail: verdict.outcome for verdict in judgement.verdicts}["error_rate"] is outcome


def test_no_earlier_day_counts_that_is_empty_unreadable_far_back_or_part_of_an_incident(tmp_path: Path) -> None:
    empty, unread, far, confirmed, known = (DAY - timedelta(days=n) for n in (2, 3, USUAL_DAYS + 1, 4, USUAL_DAYS))
    work = read(
        tmp_path,
        {
            far: make_scan(far),
            known: make_scan(known),
            confirmed: make_scan(confirmed, make_row(errors=90)),
            unread: UnreadableDay(unread, "FILE_CORRUPT", "It is broken."),
            empty: make_scan(empty, make_row(events=0)),
            DAY: make_scan(DAY, make_row(events=3)),
        },
    )
    list(work.judge([confirmed], NOW))
    confirm(work, confirmed)

    assert set(shares_on(work)["error_rate_percent"]) == {known, DAY}


def confirm(work: DailyWork, day: date) -> None:
    (incident,) = incidents_of(work.store, work.name, day, day)
    work.store.append_incident_action(incident.decide(Action.CONFIRM, "ada", NOW))


def make_small_stream(seed: int, days: int) -> dict[date, DayScan]:
    """Three events on each day up to DAY, 2 % of them errors."""
    random = Random(seed)
    return {
        day: make_scan(day, make_row(events=3, errors=sum(random.random() < 0.02 for _ in range(3))), sample=())
        for day in (DAY - timedelta(days=n) for n in range(days - 1, -1, -1))
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_stream_of_three_events_a_day_with_two_percent_errors_is_critical_at_most_once_in_120_days(
    tmp_path: Path, seed: int
) -> None:
    scans = make_small_stream(seed, 120)
    work = read(tmp_path, scans)

    codes = [
        verdict.reason_code
        for judgement in work.judge(sorted(scans), NOW)
        for verdict in judgement.verdicts
        if verdict.guardrail == "error_rate"
    ]

    assert sum(scan.aggregates.totals().errors > 0 for scan in scans.values()) > 3
    assert codes.count("ERROR_RATE_HIGH") <= 1


def test_a_day_of_three_errors_among_them_is_critical(tmp_path: Path) -> None:
    scans = make_small_stream(1, 60)
    scans[DAY] = make_scan(DAY, make_row(events=3, errors=3))
    work = read(tmp_path, scans)

    (judgement,) = work.judge([DAY], NOW)

    assert {verdict.guardrail: verdict.outcome for verdict in judgement.verdicts}["error_rate"] is Outcome.FAILED


def test_no_later_day_changes_the_counts_that_a_small_day_is_judged_by(tmp_path: Path) -> None:
    scans = make_small_stream(1, 40)
    earlier = DAY - timedelta(days=10)
    work = read(tmp_path, {day: scans[day] for day in scans if day <= earlier})
    before = shares_on(work, earlier)
    later = [day for day in scans if day > earlier]
    work.source.days.update({day: scans[day] for day in later})  # type: ignore[attr-defined]
    list(work.read(later, NOW))

    assert before
    assert shares_on(work, earlier) == before
