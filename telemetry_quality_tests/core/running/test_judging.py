"""The running day: what fails at the end of each of its hours, and what no later hour changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry_quality.core.days import Calendar
from telemetry_quality.core.event_schema import Rate
from telemetry_quality.core.guardrails.catalogue import BUILT_IN, policy_of
from telemetry_quality.core.guardrails.guardrail import RunningView
from telemetry_quality.core.guardrails.rates import rate_guardrails
from telemetry_quality.core.guardrails.verdicts import Contributor, Level, Outcome, Segment, Verdict
from telemetry_quality.core.hours import DayHours, HourTotals
from telemetry_quality.core.judging import HistoricalContext
from telemetry_quality.core.marks import Mark, MarkedDays
from telemetry_quality.core.running.judging import judge_running_day
from telemetry_quality.core.running.model import HourCounts
from telemetry_quality.core.running.verdicts import verdicts_of_day
from telemetry_quality_tests.builders import NOW, SCHEMA, make_stored_scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.policies import Policy
    from telemetry_quality.core.ports import QualityStore
    from telemetry_quality.core.scans import StoredScan

DAY = date(2026, 11, 19)
"""A Thursday."""
BUSY = [20, 15, 12, 12, 15, 30, 60, 110, 160, 190, 200, 205, 210, 205, 200, 195, 190, 180, 160, 130, 100, 70, 45, 30]
NEW_YORK = ZoneInfo("America/New_York")
LOST = "missing_hours"

Profile = "Callable[[date], Sequence[float]]"


def steady(day: date) -> Sequence[float]:
    """A hundred events an hour."""
    del day
    return [100.0] * 24


def weekly(day: date) -> Sequence[float]:
    """Busy in the daytime, and half as busy at the weekend."""
    return [count * (0.5 if day.weekday() >= 5 else 1.0) for count in BUSY]


def made(expected: Sequence[float], day: date, noise: float) -> list[int]:
    random = Random(day.toordinal())
    return [max(0, round(count * random.gauss(1, noise))) for count in expected]


def scan_of(day: date, events: Sequence[int], error_percent: float = 1.0, **overrides: Any) -> StoredScan:
    errors = tuple(round(count * error_percent / 100) for count in events)
    scan = make_stored_scan(sum(events), day=day, error_events=sum(errors), hours=HourTotals(tuple(events), errors))
    return replace(scan, **overrides)


def context_of(scans: Iterable[StoredScan], **parts: Any) -> HistoricalContext:
    known = {scan.day: [scan] for scan in scans}
    values: dict[str, Any] = {"left_out": frozenset()} | parts
    return HistoricalContext(cast("QualityStore", None), "web", known, {}, {}, **values)


def history(
    profile: Callable[[date], Sequence[float]] = steady, day: date = DAY, *, days: int = 43, noise: float = 0.05
) -> list[StoredScan]:
    past = [day - timedelta(days=n) for n in range(days, 0, -1)]
    return [scan_of(known, made(profile(known), known, noise)) for known in past]


def hour_of(events: int, errors: int | None = None, **overrides: Any) -> HourCounts:
    counts = HourCounts(events, round(events / 100) if errors is None else errors, 0, 0)
    return replace(counts, **overrides)


def today(
    changed: Mapping[int, float] = {}, profile: Callable[[date], Sequence[float]] = steady, day: date = DAY
) -> list[HourCounts | None]:
    """The hours of the day, some of them with this share of their events."""
    counts = made(profile(day), day, 0.05)
    return [hour_of(round(count * changed.get(hour, 1.0))) for hour, count in enumerate(counts)]


def judged(
    hours: Sequence[HourCounts | None],
    context: HistoricalContext | None = None,
    *,
    day: date = DAY,
    yesterday: DayHours | None = None,
    policy: Policy | None = None,
    zone: str | ZoneInfo = "UTC",
    schema: EventSchema = SCHEMA,
) -> list[tuple[Verdict, ...]]:
    calendar = Calendar(ZoneInfo(str(zone)), date(2020, 1, 1))
    known = context or context_of(history())
    return judge_running_day(
        day, hours, yesterday, known, policy=policy or policy_of(), calendar=calendar, schema=schema
    )


def failures(found: Sequence[tuple[Verdict, ...]], guardrail: str = LOST) -> list[int]:
    """At the ends of which hours the guardrail fails."""
    return [hour for hour, verdicts in enumerate(found) if any(v.guardrail == guardrail for v in verdicts)]


def spans(found: Sequence[tuple[Verdict, ...]]) -> list[tuple[int, int] | None]:
    """The hours of each verdict of a guardrail of hours."""
    return [verdict.contributors[0].segment.hours for verdicts in found for verdict in verdicts]


# Missing hours


@pytest.mark.parametrize("left", [0.0, 0.2])
@pytest.mark.parametrize("first", [0, 1, 10, 22])
def test_an_outage_is_found_by_the_end_of_its_second_hour(first: int, left: float) -> None:
    hours = today({first: left, first + 1: left})
    found = judged(hours[: first + 2])
    assert failures(found)[-1] == first + 1
    assert spans(found)[-1] == (first, first + 1)


def test_a_verdict_says_which_hours_of_the_day_what_is_usual_and_what_is_missing() -> None:
    (verdict,) = judged([hour_of(100)] * 10 + [hour_of(0)] * 2, context_of(history(noise=0.0)))[-1]
    assert (verdict.level, verdict.outcome, verdict.reason_code) == (Level.WARNING, Outcome.FAILED, "HOURS_MISSING")
    assert verdict.contributors == (Contributor(Segment(hours=(10, 11)), 200.0, 0),)
    assert verdict.sentence == (
        "0 events between 10:00 and 12:00, about 200 are usual: 8.3 % of the day's events are missing."
    )


def test_nothing_fails_on_a_day_like_any_other() -> None:
    for day in (DAY + timedelta(days=n) for n in range(7)):
        assert judged(today(profile=weekly, day=day), context_of(history(weekly, day)), day=day) == [()] * 24


def test_an_hour_that_was_over_is_not_found_again_when_later_hours_are_as_usual() -> None:
    assert failures(judged(today({10: 0.0, 11: 0.0}))) == [10, 11]


def test_what_happened_yesterday_is_not_todays() -> None:
    scans = history()
    scans[-1] = scan_of(DAY - timedelta(days=1), [100] * 20 + [0] * 4)
    assert judged(today(), context_of(scans)) == [()] * 24
    growing = judged(today({0: 0.0, 1: 0.0}), context_of(scans))
    assert spans(growing) == [(0, 0), (0, 1)]


def test_yesterdays_hours_are_used_while_the_store_has_no_scan_of_it() -> None:
    scans = history()[:-1]
    hours = today({2: 0.0, 3: 0.0})
    assert failures(judged(hours, context_of(scans))) == []
    yesterday = DayHours((100,) * 24, (1,) * 24)
    assert failures(judged(hours, context_of(scans), yesterday=yesterday)) == [2, 3]
    odd = context_of(scans, left_out=frozenset({DAY - timedelta(days=1)}))
    assert failures(judged(hours, odd, yesterday=yesterday)) == [], "somebody said that yesterday was odd"


def test_a_scan_of_yesterday_is_used_rather_than_its_hours() -> None:
    assert judged(today(), yesterday=DayHours((100_000,) * 24, (0,) * 24)) == [()] * 24


@pytest.mark.parametrize(("known", "is_judged"), [(5, False), (6, True), (7, True)])
def test_without_yesterday_six_hours_must_be_known_before_a_run(known: int, is_judged: bool) -> None:
    hours = [*today()[:known], hour_of(0)]
    assert bool(failures(judged(hours, context_of(history()[:-1])))) is is_judged


def test_an_hour_that_could_not_be_read_is_neither_empty_nor_judged() -> None:
    hours = today({10: 0.0, 13: 0.0})
    hours[11] = hours[12] = None
    found = judged(hours)
    assert failures(found) == [10, 13]
    assert found[11] == found[12] == ()
    assert judged([None, None]) == [(), ()]


@pytest.mark.parametrize(("left", "goes_on"), [(0.59, True), (0.60, True), (0.61, False)])
def test_a_run_goes_on_while_the_last_hour_is_below_six_tenths(left: float, goes_on: bool) -> None:
    hours = [hour_of(100)] * 8 + [hour_of(0)] * 4 + [hour_of(round(100 * left))]
    found = judged(hours, context_of(history(noise=0.0)))
    assert failures(found) == [8, 9, 10, 11, *([12] if goes_on else [])]


@pytest.mark.parametrize(("left", "is_found"), [(34, True), (35, True), (36, False)])
def test_a_run_of_a_running_day_holds_at_most_thirty_five_percent(left: int, is_found: bool) -> None:
    hours = [hour_of(100)] * 9 + [hour_of(left)] * 2
    assert bool(failures(judged(hours, context_of(history(noise=0.0))))) is is_found


def test_what_is_expected_follows_the_hours_before_the_run() -> None:
    # A day that has been half as busy as usual for six hours, and that is no longer half as busy as these.
    half = [hour_of(100)] * 8 + [hour_of(50)] * 6
    verdict = judged([*half, hour_of(0)], context_of(history(noise=0.0)))[-1][0]
    assert verdict.contributors == (Contributor(Segment(hours=(14, 14)), 50.0, 0),)
    assert failures(judged([*half, hour_of(20)], context_of(history(noise=0.0)))) == []


def test_after_a_quiet_night_the_opening_hours_are_expected_by_the_day_before() -> None:
    hours = [hour_of(round(count)) for count in closed_nights(DAY)]
    hours[8:10] = [hour_of(0)] * 2
    found = judged(hours[:10], context_of(history(closed_nights, noise=0.0)))
    assert spans(found)[-1] == (8, 9)
    assert found[9][0].contributors[0].expected == 400.0


def test_an_empty_running_day_is_an_outage() -> None:
    assert failures(judged([hour_of(0)] * 3)) == [0, 1, 2]


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 23), st.integers(0, 22), st.sampled_from([0.0, 0.2, 1.0, 3.0]))
def test_later_hours_never_change_what_an_earlier_hours_end_said(known: int, first: int, left: float) -> None:
    hours = today({first: left, first + 1: left}, weekly)
    context = context_of(history(weekly))
    assert judged(hours, context)[:known] == judged(hours[:known], context)


@pytest.mark.parametrize("factor", [3, 1000])
def test_a_stream_many_times_larger_is_judged_alike(factor: int) -> None:
    def large(day: date) -> Sequence[float]:
        return [factor * 100.0] * 24

    hours = [hour_of(factor * 100)] * 9 + [hour_of(factor * 20)] * 2
    found = judged(hours, context_of(history(large)))
    assert failures(found) == [9, 10]
    assert found[10][0].value == pytest.approx(judged([hour_of(100)] * 9 + [hour_of(20)] * 2)[10][0].value, rel=0.02)


# What is no outage


def working_days(day: date) -> Sequence[float]:
    return BUSY if day.weekday() < 5 else [0] * 24


def closed_nights(day: date) -> Sequence[float]:
    return [0] * 8 + [200] * 12 + [0] * 4


def daily_batch(day: date) -> Sequence[float]:
    return [0] * 3 + [5000] + [0] * 20


def long_batch(day: date) -> Sequence[float]:
    return [0] * 3 + [3000, 2000] + [0] * 19


@pytest.mark.parametrize("profile", [working_days, closed_nights, daily_batch, long_batch])
@pytest.mark.parametrize("weekday", range(7))
def test_hours_that_are_usually_empty_are_no_outage(profile: Callable[[date], Sequence[float]], weekday: int) -> None:
    day = DAY + timedelta(days=weekday)
    assert judged(today(profile=profile, day=day), context_of(history(profile, day)), day=day) == [()] * 24


SPRING, AUTUMN = date(2026, 3, 8), date(2026, 11, 1)


@pytest.mark.parametrize("change", [SPRING, AUTUMN])
@pytest.mark.parametrize("offset", [-1, 0, 1, 7])
def test_a_change_of_the_clock_is_no_outage(change: date, offset: int) -> None:
    def by_the_clock(day: date) -> list[int]:
        counts = made(weekly(day), day, 0.05)
        if day == SPRING:
            del counts[2]
        return [*counts[:2], *counts[1:]] if day == AUTUMN else counts

    day = change + timedelta(days=offset)
    past = [day - timedelta(days=n) for n in range(43, 0, -1)]
    hours = [hour_of(count) for count in by_the_clock(day)]
    context = context_of(scan_of(known, by_the_clock(known)) for known in past)
    assert judged(hours, context, day=day, zone=NEW_YORK) == [()] * len(hours)
    first = len(hours) - 6
    lost = [hour_of(0) if first <= hour < first + 2 else counts for hour, counts in enumerate(hours)]
    found = judged(lost, context, day=day, zone=NEW_YORK)
    assert spans(found)[-1] == (first, first + 1)
    assert found[first + 1][0].sentence.startswith("0 events between 18:00 and 20:00")


@pytest.mark.parametrize("change", [SPRING, AUTUMN])
@pytest.mark.parametrize("offset", [1, 9, 21])
def test_a_stream_that_keeps_utc_is_not_moved_by_a_change_of_the_clock(change: date, offset: int) -> None:
    def by_utc(day: date) -> list[int]:
        window = Calendar(NEW_YORK, day).window(day)
        begins = (window.start + timedelta(hours=hour) for hour in range(round(window.hours)))
        return [400 if begin.hour >= 13 else 20 for begin in begins]

    day = change + timedelta(days=offset)
    context = context_of(scan_of(known, by_utc(known)) for known in (day - timedelta(days=n) for n in range(43, 0, -1)))
    hours = [hour_of(count) for count in by_utc(day)]
    assert judged(hours, context, day=day, zone=NEW_YORK) == [()] * len(hours)
    lost = [hour_of(0) if hour in {14, 15} else counts for hour, counts in enumerate(hours)]
    assert failures(judged(lost, context, day=day, zone=NEW_YORK)) == [14, 15]


def test_a_holiday_is_judged_by_its_hours_only_where_no_calendar_knows_it() -> None:
    thanksgiving = date(2026, 11, 26)
    hours = today({9: 0.0, 10: 0.0}, day=thanksgiving)
    context = context_of(history(day=thanksgiving))
    assert failures(judged(hours, context, day=thanksgiving)) == [9, 10]
    assert judged(hours, context, day=thanksgiving, policy=policy_of(holidays="US")) == [()] * 24


def test_the_day_after_a_holiday_is_not_measured_by_the_holiday() -> None:
    veterans_day = date(2026, 11, 11)

    def festive(day: date) -> Sequence[float]:
        return [2000.0] * 24 if day == veterans_day else steady(day)

    day = veterans_day + timedelta(days=1)
    context = context_of(history(festive, day))
    assert failures(judged(today(day=day), context, day=day)) != []
    assert judged(today(day=day), context, day=day, policy=policy_of(holidays="US")) == [()] * 24


def test_a_special_day_is_not_compared_with_ordinary_days() -> None:
    mark = MarkedDays("web", DAY, DAY, Mark.SPECIAL, "ada", "launch", NOW)
    hours = today({9: 0.0, 10: 0.0})
    assert judged(hours, context_of(history(), marks={DAY: mark})) == [()] * 24
    bad = replace(mark, mark=Mark.BAD)
    assert failures(judged(hours, context_of(history(), marks={DAY: bad}))) == [9, 10]


@pytest.mark.parametrize(("days", "is_judged"), [(13, False), (14, True), (15, True)])
def test_a_young_stream_is_not_judged(days: int, is_judged: bool) -> None:
    assert bool(failures(judged(today({9: 0.0, 10: 0.0}), context_of(history(days=days))))) is is_judged


def test_a_handful_of_events_is_no_outage_when_missing() -> None:
    def quiet(day: date) -> Sequence[float]:
        return [4.0] * 24

    assert failures(judged([hour_of(4)] * 9 + [hour_of(0)] * 2, context_of(history(quiet)))) == []


# Bursts of errors


def test_a_burst_of_errors_is_found_by_the_end_of_its_hour() -> None:
    hours = today()
    hours[9] = hour_of(100, errors=20)
    found = judged(hours)
    assert failures(found, "error_burst") == [9]
    (verdict,) = found[9]
    assert verdict.sentence == "20.0 % of the 100 events between 09:00 and 10:00 are errors (20, about 1 are usual)."


@pytest.mark.parametrize(("limit", "fails"), [(19.9, True), (20.0, False), (20.1, False)])
def test_a_burst_is_compared_with_the_limit_of_the_finished_day(limit: float, fails: bool) -> None:
    hours = [hour_of(100)] * 9 + [hour_of(100, errors=20)]
    assert bool(failures(judged(hours, policy=policy_of(error_burst_percent=limit)), "error_burst")) is fails


def test_yesterdays_burst_is_not_todays() -> None:
    scans = history()
    errors = HourTotals((100,) * 24, (1,) * 23 + (60,))
    scans[-1] = make_stored_scan(2400, day=DAY - timedelta(days=1), error_events=83, hours=errors)
    assert failures(judged([hour_of(100, errors=3)], context_of(scans)), "error_burst") == []


@pytest.mark.parametrize(("errors", "goes_on"), [(1, False), (2, False), (3, True)])
def test_a_burst_goes_on_while_the_last_hour_has_half_of_its_least_share(errors: int, goes_on: bool) -> None:
    hours = [hour_of(100)] * 8 + [hour_of(80, errors=40), hour_of(80, errors=errors)]
    assert failures(judged(hours), "error_burst") == [8, *([9] if goes_on else [])]


# Shares of the hours so far


def test_an_error_rate_so_far_fails_only_beyond_what_a_usual_day_has_in_errors() -> None:
    # 2,400 events and 24 errors a day.
    context = context_of(history(noise=0.0))
    at_night = [hour_of(100, errors=24), hour_of(100, errors=10)]
    assert failures(judged(at_night, context), "error_rate") == []
    worse = [hour_of(100, errors=24), hour_of(100, errors=11)]
    assert failures(judged(worse, context), "error_rate") == [1]
    verdict = next(verdict for verdict in judged(worse, context)[1] if verdict.guardrail == "error_rate")
    assert (verdict.level, verdict.value) == (Level.CRITICAL, 17.5)
    assert verdict.sentence == (
        "Between 00:00 and 02:00, 17.50 % of 200 events are errors (35), more than the 5 % allowed."
    )


def test_a_few_errors_after_midnight_are_not_critical() -> None:
    assert judged([hour_of(3, errors=3)], context_of(history(lambda _: [3.0] + [100.0] * 23))) == [()]


def test_an_error_among_few_events_is_left_to_chance() -> None:
    def quiet(day: date) -> Sequence[float]:
        return [1.0] * 10 + [0.0] * 14

    context = context_of(history(quiet))
    assert judged([hour_of(1, errors=0)] * 2 + [hour_of(1, errors=1)], context)[-1] == ()
    assert failures(judged([hour_of(1, errors=1)] * 3, context), "error_rate") != []


@pytest.mark.parametrize(("known", "is_judged"), [(3, False), (4, True)])
def test_shares_are_judged_once_a_few_days_show_what_is_usual(known: int, is_judged: bool) -> None:
    hours = [hour_of(100, errors=60)]
    assert bool(failures(judged(hours, context_of(history(days=known))), "error_rate")) is is_judged


@pytest.mark.parametrize(("bad_days", "fails"), [(2, True), (3, False)])
def test_two_days_with_many_errors_do_not_show_that_these_are_usual(bad_days: int, fails: bool) -> None:
    scans = history()
    for n in range(bad_days):
        scans[n + 1] = scan_of(scans[n + 1].day, [100] * 24, error_percent=50.0)
    assert bool(failures(judged([hour_of(100, errors=60)], context_of(scans)), "error_rate")) is fails


def test_events_without_a_version_are_found_in_the_hours_so_far() -> None:
    hours = [hour_of(100)] * 8 + [hour_of(100, missing_version=50)]
    found = judged(hours)
    assert failures(found, "missing_version") == [8]
    none_by_choice = [hour_of(100, missing_version=None)] * 9
    assert failures(judged(none_by_choice), "missing_version") == []


def test_a_sources_own_rates_are_judged_in_both_directions() -> None:
    rates = (Rate("paid", "paid", above_percent=80.0, below_percent=20.0),)
    schema, policy = replace(SCHEMA, rates=rates), policy_of(rates)
    context = context_of(replace(scan, rate_counts={"paid": 50 * 24}) for scan in history(noise=0.0))

    def fails(paid: int) -> list[int]:
        hours = [hour_of(100, rate_counts={"paid": paid})] * 20
        return failures(judged(hours, context, policy=policy, schema=schema), "rate_paid")

    assert fails(50) == []
    assert min(fails(0)) == min(fails(100)) == 19, "more than a whole usual day may have"


def test_a_rate_that_is_usually_met_fails_when_it_is_not() -> None:
    rates = (Rate("paid", "paid", below_percent=90.0),)
    schema, policy = replace(SCHEMA, rates=rates), policy_of(rates)
    context = context_of(replace(scan, rate_counts={"paid": scan.total_events or 0}) for scan in history())
    found = judged([hour_of(100, rate_counts={"paid": 50})], context, policy=policy, schema=schema)
    assert failures(found, "rate_paid") == [0]
    assert found[0][0].sentence.startswith("Between 00:00 and 01:00, the rate paid is 50.00 %")


# The declaration


def test_the_guardrails_that_judge_a_running_day_are_declared() -> None:
    views = {rule.name: rule.running_view for rule in BUILT_IN if rule.running_view is not None}
    assert views == {
        "error_rate": RunningView.SO_FAR,
        "missing_version": RunningView.SO_FAR,
        "missing_hours": RunningView.LAST_HOURS,
        "error_burst": RunningView.LAST_HOURS,
    }
    assert [rule.running_view for rule in rate_guardrails((Rate("paid", "paid"),))] == [RunningView.SO_FAR]


# One verdict per guardrail and day


def test_a_run_that_grew_is_one_failure_and_runs_apart_are_listed() -> None:
    found = judged(today({3: 0.0, 4: 0.0, 10: 0.0, 11: 0.0, 12: 0.0}))
    (verdict,) = verdicts_of_day(found)
    assert [contributor.segment.hours for contributor in verdict.contributors] == [(3, 4), (10, 12)]
    first, last = found[4][0], found[12][0]
    assert verdict.sentence == f"{first.sentence} {last.sentence}"
    assert verdict.value == last.value


def test_the_verdict_on_a_share_is_that_of_the_last_hour_that_failed() -> None:
    hours = [hour_of(100, errors=60), hour_of(100, errors=60), *[hour_of(1000)] * 5]
    found = judged(hours)
    (verdict,) = (verdict for verdict in verdicts_of_day(found) if verdict.guardrail == "error_rate")
    last = max(failures(found, "error_rate"))
    assert last < 6
    assert verdict in found[last]
