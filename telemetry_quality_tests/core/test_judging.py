"""Judging: from the records in the store to a day's evidence, its figures, and verdicts with root causes."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry_quality.core.days import Calendar
from telemetry_quality.core.detectors.expected_volume import HISTORY_DAYS, Expectation, expect
from telemetry_quality.core.detectors.late_arrivals import ARRIVAL_DAYS
from telemetry_quality.core.detectors.windows import WINDOW_DAYS
from telemetry_quality.core.events import (
    HOUR,
    MAXIMUM_ARRIVAL_HOURS,
    Arrivals,
    DayAggregates,
    DayScan,
    Duplicates,
    Slice,
    SliceCounts,
    UnreadableDay,
)
from telemetry_quality.core.guardrails.catalogue import judge_day, policy_of
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.core.incidents import Action, incidents_of
from telemetry_quality.core.judging import evidence_of, expectation_settings, judge, load_history, usual_completeness
from telemetry_quality.core.metrics import Basis, DayFigures, figures_of
from telemetry_quality_tests.builders import (
    DAY,
    NOW,
    SCHEMA,
    FakeSource,
    make_evidence,
    make_row,
    make_scan,
    make_sliced_scan,
    make_stored_scan,
    make_work,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from telemetry_quality.core.daily import DailyWork
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.guardrails.verdicts import Verdict
    from telemetry_quality.core.policies import Policy

TRAILING = policy_of(baseline="trailing_mean")
END = datetime(2026, 3, 11, tzinfo=UTC)
"""The instant at which DAY ends."""
LONG = Calendar(ZoneInfo("UTC"), date(2024, 1, 1))


COUNTS = (
    "total_events",
    "error_events",
    "error_unknown_events",
    "missing_version_events",
    "late_events",
    "sample_size",
    "sample_passed",
)


def days_before(day: date, count: int) -> list[date]:
    return [day - timedelta(days=n) for n in range(count, 0, -1)]


def make_figures_of(
    expectation: Expectation | None = None, completeness_percent: float | None = None, **overrides: Any
) -> DayFigures:
    scan = make_stored_scan(**overrides)
    return figures_of(Basis(scan, expectation or Expectation(), completeness_percent, policy_of()))


def outcomes(figures: DayFigures, policy: Policy | None = None) -> dict[str, Outcome]:
    return {
        verdict.guardrail: verdict.outcome
        for verdict in judge_day(make_evidence(figures), policy or policy_of(), SCHEMA)
    }


# Figures


@settings(deadline=None)
@given(st.data())
def test_shares_are_judged_exactly_however_many_events_there_are(data: st.DataObject) -> None:
    total = data.draw(st.integers(1, 10**9), label="total")
    near = st.integers(-2, 2)
    errors = min(total, max(0, total // 20 + data.draw(near, label="errors")))
    untagged = min(total, max(0, total // 100 + data.draw(near, label="untagged")))
    size = data.draw(st.integers(1, 100_000), label="size")
    passed = min(size, max(0, size * 99 // 100 + data.draw(near, label="passed")))
    compared = data.draw(st.integers(1, 10**9), label="compared")
    duplicated = min(compared, max(0, compared // 10 + data.draw(near, label="duplicated")))

    figures = make_figures_of(
        total_events=total,
        error_events=errors,
        missing_version_events=untagged,
        sample_size=size,
        sample_passed=passed,
        duplicates=Duplicates(compared, duplicated),
    )
    found = outcomes(figures)

    assert (found["error_rate"] is Outcome.FAILED) is (20 * errors > total)
    assert (found["missing_version"] is Outcome.FAILED) is (100 * untagged > total)
    assert (found["sample"] is Outcome.FAILED) is (100 * passed < 99 * size)
    assert (found["duplicates"] is Outcome.FAILED) is (10 * duplicated > compared)


@pytest.mark.parametrize(
    ("total", "deviation", "outcome"),
    [
        (700, -30.0, Outcome.PASSED),
        (1300, 30.0, Outcome.PASSED),
        (699, -30.1, Outcome.FAILED),
        (1301, 30.1, Outcome.FAILED),
        (0, -100.0, Outcome.FAILED),
    ],
)
def test_the_deviation_is_signed_and_in_percent_of_what_was_expected(
    total: int, deviation: float, outcome: Outcome
) -> None:
    history = dict.fromkeys(days_before(DAY, 7), 1000)

    figures = make_figures_of(expect(DAY, history, expectation_settings(TRAILING)), total_events=total)

    assert figures.volume_deviation_percent == pytest.approx(deviation)
    assert outcomes(figures, TRAILING)["volume"] is outcome


def test_nothing_can_deviate_from_an_expectation_of_nothing() -> None:
    figures = make_figures_of(expect(DAY, dict.fromkeys(days_before(DAY, 7), 0), expectation_settings(TRAILING)))

    assert (figures.expected_events, figures.volume_deviation_percent) == (0, None)


@pytest.mark.parametrize(("total", "is_unusual"), [(899, True), (900, False), (1100, False), (1101, True)])
def test_a_volume_is_unusual_strictly_outside_its_interval(total: int, is_unusual: bool) -> None:
    figures = make_figures_of(Expectation(1000.0, 900.0, 1100.0), total_events=total)

    assert (figures.expected_low_events, figures.expected_high_events) == (900.0, 1100.0)
    assert figures.is_volume_unusual is is_unusual


@pytest.mark.parametrize("expectation", [Expectation(), Expectation(1000.0)])
def test_without_an_interval_it_is_unknown_what_is_unusual(expectation: Expectation) -> None:
    assert make_figures_of(expectation).is_volume_unusual is None


@pytest.mark.parametrize(
    ("duplicates", "compared", "duplicated", "share"),
    [
        (None, None, None, None),
        (Duplicates(0, 0), 0, 0, None),
        (Duplicates(1000, 0), 1000, 0, 0.0),
        (Duplicates(250, 100), 250, 100, 40.0),
    ],
)
def test_the_share_of_duplicate_events_is_a_share_of_the_compared_events(
    duplicates: Duplicates | None, compared: int | None, duplicated: int | None, share: float | None
) -> None:
    figures = make_figures_of(duplicates=duplicates)

    assert (figures.compared_events, figures.duplicate_events, figures.duplicate_percent) == (
        compared,
        duplicated,
        share,
    )


@pytest.mark.parametrize(
    ("missing", "total", "share"),
    [
        (None, 1000, None),
        ({}, 1000, None),
        ({"user_id": 0}, 1000, 0.0),
        ({"user_id": 5, "amount": 20}, 1000, 2.0),
        ({"user_id": 0}, 0, None),
    ],
)
def test_the_critical_field_that_is_missing_most_often_is_the_day_s_figure(
    missing: dict[str, int] | None, total: int, share: float | None
) -> None:
    assert make_figures_of(missing_critical=missing, total_events=total).critical_missing_percent == share


def test_arrivals_say_how_many_events_were_late_and_how_many_have_an_invalid_timestamp() -> None:
    figures = make_figures_of(late_events=50, arrivals=Arrivals((950, 50), 400, 1, 2, 3))

    assert (figures.late_percent, figures.invalid_timestamp_percent) == (5.0, 1.5)
    assert (figures.arrived_events, figures.impossible_timestamp_percent) == (400, 0.75)
    assert (figures.unreadable_time_events, figures.unreadable_time_percent) == (3, 0.75)


def test_without_arrivals_nothing_is_known_about_lateness() -> None:
    figures = make_figures_of(late_events=50, arrivals=None)

    assert (figures.late_percent, figures.invalid_timestamp_percent) == (None, None)
    assert (figures.arrived_events, figures.impossible_timestamp_percent) == (None, None)
    assert (figures.unreadable_time_events, figures.unreadable_time_percent) == (None, None)


def test_where_nothing_arrived_on_the_day_no_share_of_it_has_an_invalid_timestamp() -> None:
    figures = make_figures_of(arrivals=Arrivals((1000,), 0, 0, 0, 0))

    assert (figures.arrived_events, figures.unreadable_time_events) == (0, 0)
    assert figures.impossible_timestamp_percent is None
    assert figures.unreadable_time_percent is None
    assert figures.invalid_timestamp_percent is None


@pytest.mark.parametrize(
    ("completeness", "is_provisional"), [(None, False), (98.9, True), (99.0, False), (99.1, False), (100.0, False)]
)
def test_a_day_is_provisional_strictly_below_the_completeness_wanted(
    completeness: float | None, is_provisional: bool | None
) -> None:
    figures = make_figures_of(completeness_percent=completeness)

    assert (figures.completeness_percent, figures.is_provisional) == (completeness, is_provisional)


def test_a_day_that_could_not_be_read_only_has_an_expectation() -> None:
    figures = make_figures_of(
        Expectation(1000.0, 900.0, 1100.0),
        100.0,
        **dict.fromkeys(COUNTS),
        unreadable_reason_code="FILE_CORRUPT",
        unreadable_reason="The file is broken.",
    )

    known = {declared.name: getattr(figures, declared.name) for declared in fields(DayFigures)}
    assert {name: value for name, value in known.items() if value is not None} == {
        "expected_events": 1000.0,
        "expected_low_events": 900.0,
        "expected_high_events": 1100.0,
        "completeness_percent": 100.0,
        "extra_numbers": {},
        "unreadable_reason_code": "FILE_CORRUPT",
        "unreadable_reason": "The file is broken.",
    }


# Evidence


def stored_work(folder: Path, scans: Iterable[DayScan | UnreadableDay], now: datetime = NOW) -> DailyWork:
    """The work of a stream whose days are read and stored, but not judged."""
    days = {scan.day: scan for scan in scans}
    work = make_work(folder, FakeSource(dict(days)), calendar=LONG)
    list(work.read(sorted(days), now))
    return work


def evidence(
    work: DailyWork, day: date = DAY, *others: date, now: datetime = NOW, policy: Policy | None = None
) -> Evidence:
    """The evidence of ``day``, loaded together with that of ``others``."""
    context = load_history(work.store, work.name, [day, *others])
    return evidence_of(day, context, policy or work.policy, work.calendar, work.source.schema, now=now)


def full_scan_of_day(day: date, events: int = 100) -> DayScan:
    """A day with slices, arrivals and a late event."""
    scan = make_sliced_scan(day, {"ios": 30, "web": events - 30})
    rows = tuple(row._replace(late_events=1) for row in scan.aggregates.rows)
    return replace(scan, aggregates=DayAggregates(rows), arrivals=Arrivals((events - 1, 1), events, 0, 0, 0))


@pytest.mark.parametrize("is_one_call", [True, False])
def test_evidence_holds_nothing_younger_than_the_day(tmp_path: Path, is_one_call: bool) -> None:
    later = [DAY + timedelta(days=n) for n in range(1, 4)]
    earlier = days_before(DAY, 3)
    work = stored_work(tmp_path, [full_scan_of_day(day) for day in [*earlier, DAY, *later]])

    evidence_of_day = evidence(work, DAY, *(later if is_one_call else ()))

    assert evidence_of_day.day == DAY
    assert list(evidence_of_day.totals) == [*earlier, DAY]
    assert list(evidence_of_day.slices) == [*earlier, DAY]
    assert list(evidence_of_day.late_percents) == earlier


def test_each_kind_of_evidence_reaches_as_far_back_as_it_is_needed(tmp_path: Path) -> None:
    reaches = (ARRIVAL_DAYS, WINDOW_DAYS, HISTORY_DAYS)
    assert reaches == (35, 42, 400)
    ages = [age for reach in reaches for age in (reach, reach + 1)]
    work = stored_work(tmp_path, [full_scan_of_day(DAY - timedelta(days=age)) for age in [*ages, 0]])

    evidence_of_day = evidence(work)

    found = [
        max((DAY - day).days for day in segment)
        for segment in (evidence_of_day.late_percents, evidence_of_day.slices, evidence_of_day.totals)
    ]
    assert found == list(reaches)


def test_totals_distinguish_an_empty_day_from_one_that_could_not_be_read(tmp_path: Path) -> None:
    empty, lost = days_before(DAY, 2)
    broken = UnreadableDay(lost, "FILE_CORRUPT", "The file is broken.")
    work = stored_work(tmp_path, [DayScan(empty, DayAggregates()), broken, full_scan_of_day(DAY)])

    evidence_of_day = evidence(work)

    assert evidence_of_day.totals == {empty: 0, DAY: 100}
    assert lost not in evidence_of_day.slices
    assert evidence_of_day.late_percents == {}


def test_the_totals_of_a_day_that_could_not_be_read_leave_it_out(tmp_path: Path) -> None:
    before = DAY - timedelta(days=1)
    work = stored_work(tmp_path, [full_scan_of_day(before), UnreadableDay(DAY, "FILE_CORRUPT", "The file is broken.")])

    evidence_of_day = evidence(work)

    assert evidence_of_day.totals == {before: 100}
    assert DAY not in evidence_of_day.slices
    assert evidence_of_day.figures.unreadable_reason_code == "FILE_CORRUPT"


def test_slices_and_missing_values_are_passed_on_as_they_were_read(tmp_path: Path) -> None:
    before = DAY - timedelta(days=1)
    row = make_row(missing_critical=(7,))
    scan = replace(full_scan_of_day(DAY), aggregates=DayAggregates((row,), ("user_id",)))
    work = stored_work(tmp_path, [full_scan_of_day(before), scan])

    evidence_of_day = evidence(work)

    whole = {segment: counts for segment, counts in scan.slices.items() if segment.by != HOUR}
    assert evidence_of_day.slices == {before: whole, DAY: whole}
    assert evidence_of_day.slices[DAY][Slice("platform", "ios")] == SliceCounts(30, 0, 0)
    assert evidence_of_day.missing_critical == {"user_id": 7}
    assert evidence_of_day.late_percents == {before: 1.0}


@pytest.mark.parametrize(("events", "is_known"), [(4, False), (5, True), (6, True)])
def test_slices_of_few_events_are_left_out_of_earlier_days(tmp_path: Path, events: int, is_known: bool) -> None:
    before = DAY - timedelta(days=1)
    work = stored_work(tmp_path, [make_sliced_scan(before, {"ios": events, "web": 100}), full_scan_of_day(DAY)])

    assert (Slice("platform", "ios") in evidence(work).slices[before]) is is_known


def test_the_day_itself_is_known_down_to_its_smallest_segment(tmp_path: Path) -> None:
    work = stored_work(tmp_path, [make_sliced_scan(DAY, {"ios": 1, "web": 100})])

    assert evidence(work).slices[DAY][Slice("platform", "ios")] == SliceCounts(1, 0, 0)


@pytest.mark.parametrize("is_one_call", [True, False])
def test_the_evidence_of_a_day_is_the_same_whichever_days_are_judged_with_it(tmp_path: Path, is_one_call: bool) -> None:
    days = [*days_before(DAY, 2), DAY]
    work = stored_work(tmp_path, [make_sliced_scan(day, {"ios": 3, "web": 100}) for day in days])

    evidence_of_day = evidence(work, DAY, *(days[:-1] if is_one_call else ()))

    assert [Slice("platform", "ios") in evidence_of_day.slices[day] for day in days[:-1]] == [False, False]


def test_lateness_is_known_only_of_days_whose_arrivals_were_counted(tmp_path: Path) -> None:
    first, second = days_before(DAY, 2)
    work = stored_work(
        tmp_path, [full_scan_of_day(first), replace(full_scan_of_day(second), arrivals=None), full_scan_of_day(DAY)]
    )

    assert evidence(work).late_percents == {first: 1.0}


def test_the_latest_revision_of_each_day_counts(tmp_path: Path) -> None:
    before = DAY - timedelta(days=1)
    work = stored_work(tmp_path, [full_scan_of_day(before), full_scan_of_day(DAY)])
    kept_source = FakeSource({before: full_scan_of_day(before, 150), DAY: full_scan_of_day(DAY, 160)})
    list(replace(work, source=kept_source).read([before, DAY], NOW))

    evidence_of_day = evidence(work)

    assert evidence_of_day.totals == {before: 150, DAY: 160}
    assert evidence_of_day.slices[before][Slice("platform", "web")].events == 120
    assert evidence_of_day.figures.total_events == 160


# Days of confirmed incidents


def decide(work: DailyWork, day: date, action: Action) -> None:
    (incident,) = incidents_of(work.store, work.name, day, day)
    work.store.append_incident_action(incident.decide(action, "ada", NOW))


def test_days_of_confirmed_incidents_are_left_out_of_everything_a_day_is_compared_with(tmp_path: Path) -> None:
    earlier = days_before(DAY, 10)
    bad = earlier[-3]
    scan = full_scan_of_day(bad, 800)
    broken = replace(scan, aggregates=DayAggregates(tuple(row._replace(errors=400) for row in scan.aggregates.rows)))
    work = stored_work(
        tmp_path, [full_scan_of_day(day) for day in earlier if day != bad] + [broken, full_scan_of_day(DAY)]
    )
    list(work.judge(earlier, NOW))

    before = evidence(work, policy=TRAILING)
    decide(work, bad, Action.CONFIRM)
    confirmed = evidence(work, policy=TRAILING)
    decide(work, bad, Action.DISMISS)
    dismissed = evidence(work, policy=TRAILING)

    assert before.expectation.events == pytest.approx(200)
    assert bad not in {*confirmed.totals, *confirmed.slices, *confirmed.late_percents, *confirmed.hours}
    assert bad in before.hours
    assert [len(by_day) for by_day in (confirmed.totals, confirmed.slices, confirmed.late_percents)] == [10, 10, 9]
    assert confirmed.expectation.events == pytest.approx(100)
    assert dismissed == before


def test_days_that_only_the_detector_alarmed_on_are_never_left_out(tmp_path: Path) -> None:
    bad = DAY - timedelta(days=1)
    work = stored_work(tmp_path, [make_scan(bad, make_row(errors=50)), full_scan_of_day(DAY)])
    list(work.judge([bad], NOW))
    decide(work, bad, Action.ACKNOWLEDGE)

    assert evidence(work).totals == {bad: 100, DAY: 100}


def test_a_confirmed_day_is_still_judged_itself(tmp_path: Path) -> None:
    work = stored_work(tmp_path, [make_scan(DAY, make_row(errors=50))])
    list(work.judge([DAY], NOW))
    decide(work, DAY, Action.CONFIRM)

    evidence_of_day = evidence(work)

    assert evidence_of_day.totals == {DAY: 100}
    assert evidence_of_day.figures.error_rate_percent == 50


# Provisional days


def arriving(day: date, events: int = 1000) -> DayScan:
    """Nine of ten events arrive before the day ends, the rest within two and five hours after it."""
    early, tail = events * 9 // 10, events // 20
    arrivals = Arrivals((early, 0, tail, 0, 0, events - early - tail), events, 0, 0, 0)
    return make_scan(day, make_row(events=events), arrivals=arrivals)


@pytest.fixture
def arriving_work(tmp_path: Path) -> DailyWork:
    """Thirty days of known arrivals, and DAY as it stands an hour after its end."""
    return stored_work(tmp_path, [*map(arriving, days_before(DAY, 30)), make_scan(DAY, make_row(events=900))])


@pytest.mark.parametrize(
    ("hours", "percent"),
    [(0, 90.0), (1, 90.0), (1.5, 92.5), (2, 95.0), (4, 95.0), (4.9, 99.5), (5, 100.0), (24, 100.0), (400, 100.0)],
)
def test_completeness_is_what_has_usually_arrived_by_then(
    arriving_work: DailyWork, hours: float, percent: float
) -> None:
    context = load_history(arriving_work.store, "web", [DAY])
    now = END + timedelta(hours=hours)

    assert usual_completeness(DAY, context, arriving_work.calendar, now) == pytest.approx(percent)


def test_completeness_is_not_known_if_no_earlier_day_shows_it(tmp_path: Path) -> None:
    work = stored_work(tmp_path, [*map(make_scan, days_before(DAY, 30)), make_scan(DAY)])
    context = load_history(work.store, "web", [DAY])

    assert usual_completeness(DAY, context, work.calendar, END + timedelta(hours=1)) is None


def test_after_a_week_a_day_is_complete_whatever_earlier_days_show(tmp_path: Path) -> None:
    work = stored_work(tmp_path, [make_scan(DAY)])
    context = load_history(work.store, "web", [DAY])
    week = END + timedelta(hours=MAXIMUM_ARRIVAL_HOURS)

    assert usual_completeness(DAY, context, work.calendar, week) == 100.0
    assert usual_completeness(DAY, context, work.calendar, week - timedelta(seconds=1)) is None


def test_later_days_say_nothing_about_how_complete_a_day_is(tmp_path: Path) -> None:
    later = [DAY + timedelta(days=n) for n in range(1, 31)]
    work = stored_work(tmp_path, [make_scan(DAY), *map(arriving, later)])
    context = load_history(work.store, "web", [DAY, *later])

    assert usual_completeness(DAY, context, work.calendar, END + timedelta(hours=1)) is None


def test_the_expectation_of_a_provisional_day_is_what_has_usually_arrived(arriving_work: DailyWork) -> None:
    complete = evidence(arriving_work)
    provisional = evidence(arriving_work, now=END + timedelta(hours=1))

    scaled, whole = provisional.expectation, complete.expectation
    assert whole.events == pytest.approx(1000)
    for segment, all_of_it in ((scaled.events, whole.events), (scaled.low, whole.low), (scaled.high, whole.high)):
        assert all_of_it is not None
        assert segment == pytest.approx(0.9 * all_of_it)
    assert (provisional.figures.expected_events, provisional.figures.expected_low_events) == (scaled.events, scaled.low)
    assert provisional.figures.volume_deviation_percent == pytest.approx(0)
    assert (provisional.figures.is_provisional, complete.figures.is_provisional) == (True, False)
    assert provisional.totals == complete.totals, "what was counted is what was counted"


@pytest.mark.parametrize(
    ("wanted", "is_provisional", "expected"), [(94.9, False, 1000), (95.0, False, 1000), (95.1, True, 950)]
)
def test_a_day_is_scaled_strictly_below_the_completeness_wanted(
    arriving_work: DailyWork, wanted: float, is_provisional: bool, expected: float
) -> None:
    policy = policy_of(complete_percent=wanted)

    evidence_of_day = evidence(arriving_work, now=END + timedelta(hours=2), policy=policy)

    assert evidence_of_day.figures.is_provisional is is_provisional
    assert evidence_of_day.expectation.events == pytest.approx(expected)


def test_a_day_whose_completeness_is_not_known_is_neither_scaled_nor_called_provisional(tmp_path: Path) -> None:
    earlier = days_before(DAY, 20)
    work = stored_work(tmp_path, [*map(make_scan, earlier), make_scan(DAY)])

    evidence_of_day = evidence(work, now=END + timedelta(hours=1))

    assert evidence_of_day.expectation.events == pytest.approx(100)
    assert (evidence_of_day.figures.completeness_percent, evidence_of_day.figures.is_provisional) == (None, False)


def test_a_provisional_day_without_a_history_expects_nothing(tmp_path: Path) -> None:
    work = stored_work(tmp_path, [*map(arriving, days_before(DAY, 8)), arriving(DAY, 900)])

    evidence_of_day = evidence(work, now=END + timedelta(hours=1))

    assert evidence_of_day.figures.is_provisional is True
    assert evidence_of_day.expectation.events is None


# Root causes


def verdicts(work: DailyWork, day: date = DAY) -> dict[str, Verdict]:
    context = load_history(work.store, work.name, [day])
    evidence_of_day = evidence_of(day, context, work.policy, work.calendar, work.source.schema, now=NOW)
    return {verdict.guardrail: verdict for verdict in judge(evidence_of_day, context, work.policy, SCHEMA)}


def with_errors(scan: DayScan, platform: str, errors: int) -> DayScan:
    """The same day with ``errors`` events of ``platform`` failed."""
    slices = {
        segment: counts._replace(errors=errors)
        if ("platform", platform) in segment.parts or segment.dimension != "platform"
        else counts
        for segment, counts in scan.slices.items()
    }
    rows = tuple(row._replace(errors=errors) for row in scan.aggregates.rows)
    return replace(scan, aggregates=DayAggregates(rows), slices=slices)


SPLIT = {"ios": 300, "android": 300, "web": 400}


def test_a_guardrail_names_a_root_cause_if_and_only_if_it_failed(tmp_path: Path) -> None:
    bad = with_errors(make_sliced_scan(DAY, SPLIT), "ios", 200)
    work = stored_work(tmp_path, [*(make_sliced_scan(day, SPLIT) for day in days_before(DAY, 20)), bad])

    by_guardrail = verdicts(work)

    first = by_guardrail["error_rate"].contributors[0]
    assert first.segment.parts == (("platform", "ios"),)
    assert first.found == 200
    assert first.share_percent == pytest.approx(100, abs=1)
    facts, root_cause = by_guardrail["error_rate"].sentence.split(" more than the 5 % allowed. ")
    assert facts.startswith("20.00 % of 1,000 events are errors (200),")
    assert "platform=ios" in root_cause
    assert {name for name, verdict in by_guardrail.items() if verdict.contributors} == {"error_rate", "segment_errors"}


def test_a_drop_of_volume_says_which_platform_lost_it(tmp_path: Path) -> None:
    earlier = [make_sliced_scan(day, SPLIT) for day in days_before(DAY, 40)]
    work = stored_work(tmp_path, [*earlier, make_sliced_scan(DAY, SPLIT | {"web": 20})])

    low = verdicts(work)["volume"]

    assert (low.outcome, low.contributors[0].segment.parts) == (Outcome.FAILED, (("platform", "web"),))
    assert "platform=web" in low.sentence


def test_without_a_day_to_compare_with_a_failure_names_no_root_cause(tmp_path: Path) -> None:
    work = stored_work(tmp_path, [make_scan(DAY, make_row(errors=6))])

    failed = verdicts(work)["error_rate"]

    assert failed.contributors == ()
    assert failed.sentence == "6.00 % of 100 events are errors (6), more than the 5 % allowed."


def test_the_search_for_a_root_cause_leaves_out_confirmed_days(tmp_path: Path) -> None:
    """The only earlier day is the first of the same incident; once confirmed, nothing is left to compare with."""
    before = DAY - timedelta(days=1)
    bad: Sequence[DayScan] = [with_errors(make_sliced_scan(day, SPLIT), "ios", 200) for day in (before, DAY)]
    work = stored_work(tmp_path, bad)
    list(work.judge([before], NOW))
    assert verdicts(work)["error_rate"].contributors != ()

    decide(work, before, Action.CONFIRM)

    assert verdicts(work)["error_rate"].contributors == ()
