from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry_quality.core.detectors.expected_volume import Expectation
from telemetry_quality.core.event_schema import Rate
from telemetry_quality.core.events import Slice, SliceCounts
from telemetry_quality.core.guardrails.catalogue import BUILT_IN, policy_of
from telemetry_quality.core.guardrails.faults import Fault
from telemetry_quality.core.guardrails.rates import rate_guardrails
from telemetry_quality.core.hours import DayHours
from telemetry_quality.core.judging import load_history
from telemetry_quality.core.metrics import Basis, figures_of
from telemetry_quality.core.policies import Direction
from telemetry_quality.core.scans import StoredScan
from telemetry_quality.core.tuning.backtest import (
    LEAK_DAYS,
    Trial,
    Try,
    back_test,
    candidates,
    stored_evidences,
    trial_of,
    whole_weeks,
)
from telemetry_quality.core.tuning.faults import inject, leaking
from telemetry_quality.core.tuning.proposals import Advice, propose
from telemetry_quality_tests.builders import DAY, NOW, SCHEMA, FakeSource, make_evidence, make_figures, make_work
from telemetry_quality_tests.builders import make_scan as make_day_scan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.guardrails.guardrail import Guardrail
    from telemetry_quality.core.policies import Policy, Threshold

PLATFORMS = replace(SCHEMA, dimensions=("platform",))

SLICES = {
    Slice("event_name", "page.view"): SliceCounts(700, 30, 20),
    Slice("event_name", "page.leave"): SliceCounts(300, 20, 0),
    Slice("service_version", "1.0"): SliceCounts(780, 40, 0),
    Slice("service_version", "2.0"): SliceCounts(200, 10, 0),
    Slice("service_version", None): SliceCounts(20, 0, 20),
    Slice("platform", "android"): SliceCounts(600, 20, 10),
    Slice("platform", "ios"): SliceCounts(400, 30, 10),
    Slice("platform", "ios", "event_name", "page.view"): SliceCounts(250, 20, 10),
    Slice("platform", "ios", "event_name", "page.leave"): SliceCounts(150, 10, 0),
    Slice("platform", "ios", "service_version", "1.0"): SliceCounts(290, 25, 0),
    Slice("platform", "ios", "service_version", "2.0"): SliceCounts(100, 5, 0),
    Slice("platform", "ios", "service_version", None): SliceCounts(10, 0, 10),
    Slice("platform", "ios", "hour", "7"): SliceCounts(400, 30, 10),
}
"""A day of 1,000 events on two platforms in two versions."""


RATED = replace(PLATFORMS, rates=(Rate("paid", "is_paid", "is_basket"), Rate("lost", "is_lost")))


HOURS = DayHours((20,) * 8 + (60,) * 12 + (30,) * 4, (1,) * 8 + (3,) * 12 + (1,) * 4)
"""The hours of 1,000 events and 48 errors: busy from 8 to 19."""


def make_day(**figures: Any) -> Evidence:
    """A day of 1,000 events: 50 errors, 20 events without a version, 100 duplicates."""
    usual = make_figures(
        error_events=50,
        error_rate_percent=5.0,
        missing_version_events=20,
        missing_version_percent=2.0,
        duplicate_events=100,
        duplicate_percent=10.0,
    )
    return make_evidence(
        replace(usual, **figures), slices={DAY: SLICES}, missing_critical={"country": 7}, hours={DAY: HOURS}
    )


def broken(fault: Fault, evidence: Evidence | None = None) -> Evidence:
    changed = inject(fault, evidence or make_day(), PLATFORMS)
    assert changed is not None
    return changed


def make_stream(
    days: int,
    volume: Callable[[int], int] = lambda _: 1000,
    missing: Callable[[int], float] = lambda _: 0.0,
) -> list[Evidence]:
    """Consecutive days with 1,000 events expected on each, between 900 and 1,100; 70 % android, 30 % ios, which
    has 10 % refunds."""
    first = DAY - timedelta(days=days - 1)
    totals = {first + timedelta(days=n): volume(max(n, 0)) for n in range(-100, days)}
    slices = {day: _platforms(total) for day, total in totals.items()}
    stream = []
    for n in range(days):
        day = first + timedelta(days=n)
        earlier = {past: total for past, total in totals.items() if day - timedelta(days=100) <= past <= day}
        known = {past: slices[past] for past in earlier if past >= day - timedelta(days=42)}
        total, share = totals[day], missing(n)
        figures = make_figures(
            total_events=total,
            missing_version_events=round(total * share / 100),
            missing_version_percent=share,
            volume_deviation_percent=100 * (total - 1000) / 1000,
            is_volume_unusual=not 900 <= total <= 1100,
            compared_events=total,
        )
        expectation = Expectation(1000.0, 900.0, 1100.0)
        hours = {past: DayHours((totals[past] // 24,) * 24, (0,) * 24) for past in known}
        stream.append(make_evidence(figures, day, totals=earlier, slices=known, hours=hours, expectation=expectation))
    return stream


def _platforms(total: int) -> dict[Slice, SliceCounts]:
    ios = round(0.3 * total)
    day_slices = {}
    for platform, events in (("android", total - ios), ("ios", ios)):
        day_slices[Slice("platform", platform)] = SliceCounts(events, 0, 0)
        day_slices[Slice("platform", platform, "service_version", "1.0")] = SliceCounts(events, 0, 0)
        views = events - (round(0.1 * total) if platform == "ios" else 0)
        day_slices[Slice("platform", platform, "event_name", "page.view")] = SliceCounts(views, 0, 0)
    refunds = SliceCounts(round(0.1 * total), 0, 0)
    return {
        Slice("event_name", "page.view"): SliceCounts(total - refunds.events, 0, 0),
        Slice("event_name", "refund"): refunds,
        Slice("platform", "ios", "event_name", "refund"): refunds,
        Slice("service_version", "1.0"): SliceCounts(total, 0, 0),
        **day_slices,
    }


def threshold_of(rule: Guardrail) -> Threshold | None:
    return rule.thresholds[0] if rule.thresholds else None


def threshold_named(setting: str) -> Threshold:
    return next(threshold for rule in BUILT_IN for threshold in rule.thresholds if threshold.name == setting)


def make_trial_of(name: str, stream: Sequence[Evidence], policy: Policy | None = None) -> Trial:
    rule = next(rule for rule in BUILT_IN if rule.name == name)
    return trial_of(rule, threshold_of(rule), stream, policy or policy_of(), PLATFORMS)


@pytest.fixture(scope="module")
def steady() -> dict[str, Trial]:
    """The trial of every guardrail on a stream that never changes."""
    return {trial.guardrail: trial for trial in back_test(make_stream(120), policy_of(), PLATFORMS)}


def make_trial(failing: Sequence[int], tries: dict[Fault, tuple[Try, ...]] | None = None, today: float = 30.0) -> Trial:
    """A trial of the volume whose days fail at the ``failing`` strictest thresholds."""
    threshold = threshold_named("volume_deviation_percent")
    thresholds = candidates(threshold, today)
    known = {Fault.ZERO: caught_below(100)} if tries is None else tries
    return Trial("volume", threshold, thresholds, thresholds.index(today), tuple(failing), 0, known)


def caught_below(position: int, times: int = 100) -> tuple[Try, ...]:
    return (Try(range(100), range(position)),) * times


class TestFaults:
    @pytest.mark.parametrize(
        ("fault", "total", "errors", "deviation", "ios"),
        [
            (Fault.DROP_20, 800, 40, -20.0, SliceCounts(320, 24, 8)),
            (Fault.DROP_35, 650, 32, -35.0, SliceCounts(260, 20, 6)),
            (Fault.DROP_50, 500, 25, -50.0, SliceCounts(200, 15, 5)),
            (Fault.RISE_50, 1500, 75, 50.0, SliceCounts(600, 45, 15)),
            (Fault.DOUBLED, 2000, 100, 100.0, SliceCounts(800, 60, 20)),
        ],
    )
    def test_a_volume_fault_changes_every_count_by_the_same_factor_and_no_share(
        self, fault: Fault, total: int, errors: int, deviation: float, ios: SliceCounts
    ) -> None:
        changed = broken(fault)
        assert changed.figures.total_events == total
        assert changed.totals[DAY] == total
        assert changed.figures.error_events == errors
        assert changed.figures.error_rate_percent == 5.0
        assert changed.figures.volume_deviation_percent == deviation
        assert changed.figures.is_volume_unusual
        assert changed.slices[DAY][Slice("platform", "ios")] == ios

    def test_a_day_that_was_unusual_may_be_usual_with_a_fault(self) -> None:
        high = make_day(total_events=2000, volume_deviation_percent=100.0, is_volume_unusual=True)
        assert broken(Fault.DROP_50, high).figures.is_volume_unusual is False

    def test_a_doubled_day_repeats_each_event_once_more(self) -> None:
        figures = broken(Fault.DOUBLED).figures
        assert (figures.compared_events, figures.duplicate_events) == (2000, 1100)
        assert figures.duplicate_percent == 55.0

    def test_half_of_the_events_of_a_clean_doubled_day_are_duplicates(self) -> None:
        clean = make_day(duplicate_events=0, duplicate_percent=0.0)
        assert broken(Fault.DOUBLED, clean).figures.duplicate_percent == 50.0

    def test_a_doubled_day_has_no_duplicates_if_they_are_not_counted(self) -> None:
        uncounted = make_day(compared_events=None, duplicate_events=None, duplicate_percent=None)
        assert broken(Fault.DOUBLED, uncounted).figures.duplicate_percent is None

    def test_an_emptied_day_has_the_figures_of_an_empty_scan(self) -> None:
        evidence = make_day()
        changed = broken(Fault.ZERO, evidence)
        scan = StoredScan(
            source="web",
            day=DAY,
            revision=1,
            scanned_at=NOW,
            figures_hash="",
            total_events=0,
            error_events=0,
            error_unknown_events=0,
            missing_version_events=0,
            late_events=0,
            sample_size=0,
            sample_passed=0,
            verified_events=None,
            unreadable_reason_code=None,
            unreadable_reason=None,
            missing_critical={"country": 0},
            rate_counts=None,
            duplicates=None,
            arrivals=None,
            is_new=True,
        )
        expected = figures_of(Basis(scan, evidence.expectation, 100.0, policy_of()))
        counted = replace(expected, compared_events=0, duplicate_events=0, completeness_percent=None)
        assert changed.figures == counted
        assert changed.totals[DAY] == 0
        assert changed.slices[DAY] == {}
        assert changed.missing_critical == {"country": 0}

    @pytest.mark.parametrize(
        ("fails", "counts"),
        [
            (Direction.ABOVE, {"paid": 64, "paid.of": 100, "lost": 145}),
            (Direction.BELOW, {"paid": 54, "paid.of": 100, "lost": 45}),
        ],
    )
    def test_a_tenth_of_the_events_changes_to_the_wrong_side_of_a_rate(
        self, fails: Direction, counts: dict[str, int]
    ) -> None:
        evidence = replace(make_day(), rate_counts={"paid": 60, "paid.of": 100, "lost": 50})
        changed = inject(Fault.SPOILED, evidence, RATED, fails)
        assert changed is not None
        assert changed.rate_counts == counts

    def test_a_rate_that_was_not_counted_stays_uncounted(self) -> None:
        changed = inject(Fault.SPOILED, make_day(), RATED)
        assert changed is not None
        assert changed.rate_counts == {}

    @pytest.mark.parametrize(
        ("fault", "counts"), [(Fault.DROP_50, {"paid": 30, "paid.of": 50}), (Fault.ZERO, {"paid": 0, "paid.of": 0})]
    )
    def test_a_volume_fault_takes_the_same_share_of_rate_counts(self, fault: Fault, counts: dict[str, int]) -> None:
        assert broken(fault, replace(make_day(), rate_counts={"paid": 60, "paid.of": 100})).rate_counts == counts

    def test_nothing_can_break_on_a_day_without_events(self) -> None:
        assert inject(Fault.DROP_50, make_day(total_events=0), PLATFORMS) is None

    def test_three_busy_hours_in_a_row_lose_all_their_events(self) -> None:
        changed = broken(Fault.DEAD_HOURS)
        dead = [hour for hour, count in enumerate(changed.hours[DAY].events) if count == 0]
        assert len(dead) == 3
        assert dead[-1] - dead[0] == 2
        assert sum(HOURS.events[dead[0] : dead[-1] + 1]) >= 125
        assert changed.hours[DAY].errors[dead[0]] == 0
        assert changed.figures.total_events == changed.totals[DAY] == sum(changed.hours[DAY].events)

    def test_every_second_event_of_three_busy_hours_becomes_an_error(self) -> None:
        changed = broken(Fault.BURST)
        more = [new - old for new, old in zip(changed.hours[DAY].errors, HOURS.errors, strict=True)]
        assert sorted(more)[-4:] == [0, 28, 28, 28]
        assert changed.hours[DAY].events == HOURS.events
        assert changed.figures.error_events == 48 + 84

    def test_other_days_break_at_other_hours(self) -> None:
        days = [DAY + timedelta(days=n) for n in range(10)]
        evidence = [make_evidence(make_figures(), day, hours={day: HOURS}) for day in days]
        assert len({broken(Fault.DEAD_HOURS, found).hours[found.day].events for found in evidence}) > 5

    @pytest.mark.parametrize("fault", [Fault.DEAD_HOURS, Fault.BURST])
    def test_hours_that_were_not_counted_cannot_break(self, fault: Fault) -> None:
        assert inject(fault, replace(make_day(), hours={}), PLATFORMS) is None

    def test_a_leak_takes_2_percent_more_every_day_from_its_start(self) -> None:
        days = [DAY - timedelta(days=n) for n in (3, 2, 1, 0)]
        evidence = make_evidence(totals=dict.fromkeys(days, 10_000))
        changed = leaking(evidence, days[1])
        assert [changed.totals[day] for day in days] == [10_000, 9_800, 9_604, 9_412]
        assert changed.figures.total_events == 9_412

    def test_the_busiest_platform_below_half_of_the_stream_loses_its_versions(self) -> None:
        changed = broken(Fault.TAGS)
        day_slices = changed.slices[DAY]
        assert changed.figures.missing_version_events == 20 + 390
        assert changed.figures.missing_version_percent == 41.0
        assert day_slices[Slice("platform", "ios")] == SliceCounts(400, 30, 400)
        assert day_slices[Slice("platform", "ios", "hour", "7")].missing_version == 400
        assert day_slices[Slice("platform", "ios", "event_name", "page.view")].missing_version == 250
        assert day_slices[Slice("platform", "ios", "service_version", None)] == SliceCounts(400, 30, 400)
        assert Slice("platform", "ios", "service_version", "1.0") not in day_slices
        assert day_slices[Slice("platform", "android")] == SLICES[Slice("platform", "android")]

    def test_versions_and_signals_of_all_platforms_lose_what_the_platform_lost(self) -> None:
        day_slices = broken(Fault.TAGS).slices[DAY]
        assert day_slices[Slice("service_version", "1.0")] == SliceCounts(490, 15, 0)
        assert day_slices[Slice("service_version", "2.0")] == SliceCounts(100, 5, 0)
        assert day_slices[Slice("service_version", None)] == SliceCounts(410, 30, 410)
        assert day_slices[Slice("event_name", "page.view")].missing_version == 20 + 240
        assert day_slices[Slice("event_name", "page.leave")].missing_version == 150

    def test_without_dimensions_one_signal_loses_its_versions_in_proportion(self) -> None:
        changed = inject(Fault.TAGS, make_day(), SCHEMA)
        assert changed is not None
        day_slices = changed.slices[DAY]
        assert changed.figures.missing_version_percent == 32.0
        assert day_slices[Slice("event_name", "page.leave")].missing_version == 300
        assert day_slices[Slice("service_version", "1.0")].events == 780 - 234
        assert day_slices[Slice("service_version", None)].events == 20 + 234 + 60

    @staticmethod
    def with_a_small_signal(events: int = 100) -> Evidence:
        refund = Slice("platform", "ios", "event_name", "refund")
        day_slices = {
            Slice("event_name", "page.view"): SliceCounts(1000 - events, 10, 0),
            Slice("event_name", "refund"): SliceCounts(events, 4, 0),
            Slice("platform", "ios"): SliceCounts(events + 50, 5, 0),
            refund: SliceCounts(events, 4, 0),
        }
        return replace(make_day(), slices={DAY: day_slices})

    def test_half_of_the_good_events_of_a_small_signal_turn_into_errors(self) -> None:
        changed = broken(Fault.SIGNAL_FAILS, self.with_a_small_signal())
        day_slices = changed.slices[DAY]
        assert day_slices[Slice("event_name", "refund")] == SliceCounts(100, 52, 0)
        assert day_slices[Slice("platform", "ios", "event_name", "refund")].errors == 52
        assert day_slices[Slice("platform", "ios")] == SliceCounts(150, 53, 0)
        assert day_slices[Slice("event_name", "page.view")].errors == 10
        before = make_day().figures
        assert changed.figures.error_events == (before.error_events or 0) + 48
        assert changed.figures.error_rate_percent == pytest.approx((before.error_rate_percent or 0) + 4.8)

    def test_a_small_signal_loses_half_of_its_events(self) -> None:
        changed = broken(Fault.SIGNAL_HALVED, self.with_a_small_signal())
        assert changed.slices[DAY][Slice("event_name", "refund")].events == 50
        assert changed.slices[DAY][Slice("platform", "ios")].events == 100
        assert changed.totals[DAY] == changed.figures.total_events == 950

    @pytest.mark.parametrize(("events", "is_small"), [(100, True), (101, False)])
    def test_a_signal_is_small_with_a_tenth_of_the_events(self, events: int, is_small: bool) -> None:
        changed = inject(Fault.SIGNAL_FAILS, self.with_a_small_signal(events), PLATFORMS)
        assert (changed is not None) is is_small

    def test_of_two_equal_platforms_one_is_chosen_and_a_single_platform_never(self) -> None:
        def with_events(**platforms: int) -> Evidence:
            day_slices = {Slice("platform", value): SliceCounts(events, 0, 0) for value, events in platforms.items()}
            return replace(make_day(), slices={DAY: day_slices})

        changed = broken(Fault.TAGS, with_events(ios=500, android=500))
        assert changed.slices[DAY][Slice("platform", "ios")].missing_version == 500
        assert inject(Fault.TAGS, with_events(ios=1000), PLATFORMS) is None

    def test_a_platform_without_versions_has_none_to_lose(self) -> None:
        day_slices = {**SLICES, Slice("platform", "ios"): SliceCounts(400, 0, 400)}
        assert inject(Fault.TAGS, replace(make_day(), slices={DAY: day_slices}), PLATFORMS) is None

    def test_on_a_spoiled_day_one_in_ten_good_events_turns_bad(self) -> None:
        changed = broken(
            Fault.SPOILED, make_day(sample_passed=90, sampling_success_rate_percent=90.0, late_percent=20.0)
        )
        assert changed.figures.total_events == 1000
        assert (changed.figures.error_events, changed.figures.error_rate_percent) == (50 + 95, 14.5)
        assert (changed.figures.sample_passed, changed.figures.sampling_success_rate_percent) == (81, 81.0)
        assert changed.figures.late_percent == 28.0
        assert changed.missing_critical == {"country": 7 + 99}

    def test_on_a_spoiled_day_one_in_ten_arrived_events_loses_its_time_and_another_has_an_impossible_one(self) -> None:
        arrived = make_day(
            arrived_events=500,
            unreadable_time_events=100,
            unreadable_time_percent=20.0,
            impossible_timestamp_percent=0.0,
        )
        figures = broken(Fault.SPOILED, arrived).figures
        assert (figures.unreadable_time_events, figures.unreadable_time_percent) == (100 + 40, 28.0)
        assert figures.impossible_timestamp_percent == 10.0

    def test_what_is_unknown_about_a_day_stays_unknown_when_it_is_spoiled(self) -> None:
        figures = broken(Fault.SPOILED, make_day(error_events=None, error_rate_percent=None, sample_size=0)).figures
        assert (figures.error_events, figures.error_rate_percent, figures.late_percent) == (None, None, None)
        assert figures.sampling_success_rate_percent is None

    def test_the_earlier_days_are_left_as_they_were(self) -> None:
        earlier = DAY - timedelta(days=1)
        today = SLICES | {Slice("event_name", "refund"): SliceCounts(60, 0, 0)}
        evidence = replace(make_day(), slices={earlier: SLICES, DAY: today}, totals={earlier: 900, DAY: 1000})
        for fault in Fault:
            if fault is not Fault.LEAK:
                changed = broken(fault, evidence)
                assert changed.slices[earlier] == SLICES
                assert changed.totals[earlier] == 900


class TestBackTest:
    def test_a_steady_stream_raises_no_alarm_and_every_fault_is_caught(self, steady: dict[str, Trial]) -> None:
        for trial in steady.values():
            score = trial.at(trial.today)
            assert score.alarms == 0
            for fault, catch in score.catches.items():
                assert catch.tried > 0
                # 20 % fewer events are within the threshold, and 15 refunds instead of 30 may be chance.
                is_unseen = fault in {Fault.DROP_20, Fault.SIGNAL_HALVED}
                assert catch.percent == (0.0 if is_unseen else 100.0), (trial.guardrail, fault)

    def test_a_halved_signal_is_caught_where_it_has_enough_events(self) -> None:
        busy = [
            replace(
                evidence,
                expectation=Expectation(10_000.0, 9_000.0, 11_000.0),
                figures=replace(
                    evidence.figures,
                    expected_events=10_000.0,
                    expected_low_events=9_000.0,
                    expected_high_events=11_000.0,
                    volume_deviation_percent=0.0,
                    is_volume_unusual=False,
                ),
            )
            for evidence in make_stream(40, volume=lambda _: 10_000)
        ]
        trial = make_trial_of("segment_volume", busy)
        assert trial.at(trial.today).catches[Fault.SIGNAL_HALVED].percent == 100.0

    def test_a_fault_is_shown_only_to_the_guardrails_it_concerns(self, steady: dict[str, Trial]) -> None:
        for name, trial in steady.items():
            assert set(trial.tries) == next(rule.faults for rule in BUILT_IN if rule.name == name)

    def test_a_day_that_alarms_without_the_fault_says_nothing_about_the_fault(self) -> None:
        trial = make_trial_of("volume", make_stream(40, volume=lambda n: 1000 if n % 2 else 1500))
        assert trial.at(trial.today).alarms == 20
        assert trial.at(trial.today).catches[Fault.DROP_50].tried == 20

    def test_days_that_cannot_be_judged_are_counted_separately(self) -> None:
        stream = make_stream(40)
        unknown = [
            replace(evidence, figures=replace(evidence.figures, expected_events=None)) for evidence in stream[:10]
        ]
        score = make_trial_of("volume", [*unknown, *stream[10:]]).at(0)
        assert (score.judged_days, score.unknown_days) == (30, 10)

    def test_without_a_judged_day_there_is_no_rate(self) -> None:
        stream = [
            replace(evidence, figures=replace(evidence.figures, duplicate_percent=None)) for evidence in make_stream(20)
        ]
        trial = make_trial_of("duplicates", stream)
        assert trial.at(trial.today).alarms_per_100_days is None
        assert trial.at(trial.today).catch_percent is None

    def test_every_threshold_raises_the_alarms_that_its_guardrail_would(self) -> None:
        random = Random(1)
        stream = make_stream(50, volume=lambda _: random.randint(500, 1500))
        trial = make_trial_of("volume", stream, policy_of(volume_rule="deviation"))
        for position, threshold in enumerate(trial.thresholds):
            assert threshold is not None
            deviations = (abs(evidence.figures.volume_deviation_percent or 0) for evidence in stream)
            assert trial.at(position).alarms == sum(deviation > threshold for deviation in deviations)

    def test_progress_is_reported_for_every_guardrail(self) -> None:
        shown: list[int] = []
        trials = back_test(make_stream(20), policy_of(), PLATFORMS, shown.append)
        assert shown == [20] * len(trials)

    def test_a_leak_is_tried_only_where_a_month_follows(self) -> None:
        assert make_trial_of("leak", make_stream(LEAK_DAYS - 1)).tries[Fault.LEAK] == ()
        assert len(make_trial_of("leak", make_stream(LEAK_DAYS)).tries[Fault.LEAK]) == 1

    @pytest.mark.parametrize("days", [120, 365, 840, 843])
    def test_the_days_of_slow_guardrails_are_spread_and_favour_no_weekday(self, days: int) -> None:
        stream = [make_evidence(day=date(2024, 1, 1) + timedelta(days=n)) for n in range(days)]
        chosen = [evidence.day for evidence in whole_weeks(stream, 119)]
        assert len(set(chosen)) == len(chosen) == 119
        assert [sum(day.weekday() == weekday for day in chosen) for weekday in range(7)] == [17] * 7
        assert (chosen[-1] - chosen[0]).days > 0.9 * days - 7

    def test_few_days_are_all_tried(self) -> None:
        stream = [make_evidence(day=DAY + timedelta(days=n)) for n in range(119)]
        assert whole_weeks(stream, 119) == stream


class TestThresholds:
    def test_every_default_lies_within_the_bounds_of_what_may_be_proposed(self) -> None:
        thresholds = [threshold for rule in BUILT_IN for threshold in rule.thresholds]
        assert len(thresholds) == 15
        for threshold in thresholds:
            low, high = threshold.proposed
            assert low <= threshold.default <= high

    def test_candidates_are_round_and_the_strictest_comes_first(self) -> None:
        assert candidates(threshold_named("volume_deviation_percent"), 30.0) == (
            *(8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 200),
        )
        assert candidates(threshold_named("sample_success_percent"), 99.0)[:4] == (99.6, 99.5, 99.4, 99.2)

    def test_todays_value_is_always_among_the_candidates(self) -> None:
        assert 33.0 in candidates(threshold_named("volume_deviation_percent"), 33.0)
        assert candidates(threshold_named("volume_deviation_percent"), 1.0)[0] == 1.0


class TestProposals:
    def test_a_steady_stream_may_be_watched_more_closely(self, steady: dict[str, Trial]) -> None:
        proposal = propose(steady["volume"])
        assert proposal.advice is Advice.TIGHTEN
        assert proposal.proposed is not None
        assert proposal.proposed.threshold == 15.0
        assert proposal.proposed.catches[Fault.DROP_20].percent == 100.0
        assert proposal.proposed.alarms == 0

    def test_todays_threshold_stays_if_no_other_catches_clearly_more(self, steady: dict[str, Trial]) -> None:
        for name in ("duplicates", "missing_version", "version_drift", "leak", "error_rate", "sample"):
            proposal = propose(steady[name])
            assert (proposal.advice, proposal.proposed) == (Advice.KEEP, None), name

    def test_a_noisy_stream_gets_a_looser_threshold(self) -> None:
        random = Random(2)
        stream = make_stream(200, missing=lambda _: random.uniform(0.5, 1.8))
        proposal = propose(make_trial_of("missing_version", stream))
        assert proposal.advice is Advice.LOOSEN
        assert proposal.today.alarms > 100
        assert proposal.proposed is not None
        assert proposal.proposed.threshold == 2.5
        assert proposal.proposed.alarms == 0

    def test_a_threshold_that_just_fits_the_noise_is_not_proposed(self) -> None:
        # 40 would have raised no alarm, but the step before it would have raised many: 50 has a margin.
        position = candidates(threshold_named("volume_deviation_percent"), 20.0).index(40.0)
        proposal = propose(make_trial([position] * 20 + [0] * 80, today=20.0))
        assert proposal.proposed is not None
        assert proposal.proposed.threshold == 50.0

    def test_a_threshold_must_fit_both_halves_of_the_history(self) -> None:
        # 3 alarms in 365 days are within 1 in 100; 3 in the last 182 days are not.
        trial = make_trial([0] * 362 + [10] * 3, {Fault.DROP_20: caught_below(4)})
        assert 100 * trial.at(0).alarms / 365 <= 1
        assert propose(trial).advice is Advice.KEEP

    def test_no_looser_threshold_hides_a_fault_that_todays_catches(self) -> None:
        at_40 = candidates(threshold_named("volume_deviation_percent"), 30.0).index(40.0)
        noisy = [12] * 50 + [0] * 50
        proposal = propose(make_trial(noisy, {Fault.DROP_50: caught_below(at_40)}))
        assert proposal.advice is Advice.NOTHING_FITS
        assert proposal.proposed is None
        assert "confirm" in proposal.sentence

    def test_if_no_threshold_fits_the_quietest_is_proposed_if_it_halves_the_alarms(self) -> None:
        at_40 = candidates(threshold_named("volume_deviation_percent"), 30.0).index(40.0)
        days = [at_40] * 10 + [12] * 5 + [0] * 85
        proposal = propose(make_trial(days, {Fault.DROP_50: caught_below(at_40 + 1)}))
        assert proposal.proposed is not None
        assert (proposal.proposed.threshold, proposal.proposed.alarms) == (40.0, 5)

    @pytest.mark.parametrize(("days", "advice"), [(13, Advice.TOO_LITTLE_HISTORY), (14, Advice.LOOSEN)])
    def test_nothing_is_proposed_from_fewer_than_14_judged_days(self, days: int, advice: Advice) -> None:
        proposal = propose(make_trial([9] * days))
        assert proposal.advice is advice

    @pytest.mark.parametrize(("days", "advice"), [(59, Advice.KEEP), (60, Advice.TIGHTEN)])
    def test_a_threshold_is_tightened_only_from_60_days_on(self, days: int, advice: Advice) -> None:
        at_20 = candidates(threshold_named("volume_deviation_percent"), 30.0).index(20.0)
        catches = {Fault.DROP_20: (Try(range(100), range(at_20 + 1)),) * 100, Fault.ZERO: caught_below(100)}
        assert propose(make_trial([0] * days, catches)).advice is advice

    @pytest.mark.parametrize(("alarms", "advice"), [(1, Advice.KEEP), (2, Advice.LOOSEN)])
    def test_a_young_threshold_is_loosened_if_its_alarms_are_certainly_too_many(
        self, alarms: int, advice: Advice
    ) -> None:
        proposal = propose(make_trial([9] * alarms + [0] * (14 - alarms)))
        assert proposal.advice is advice
        assert f"{alarms} of 14 days failed, which may be " in proposal.sentence

    def test_a_dismissed_alarm_is_avoided_however_young_the_stream_is(self) -> None:
        failing = [9] + [0] * 13
        assert propose(make_trial(failing)).advice is Advice.KEEP
        proposal = propose(replace(make_trial(failing), dismissed=(9,)))
        assert proposal.advice is Advice.LOOSEN
        assert proposal.proposed is not None
        assert (proposal.today.dismissed_alarms, proposal.proposed.dismissed_alarms) == (1, 0)

    def test_a_dismissed_alarm_is_avoided_although_the_target_allows_it(self) -> None:
        failing = [9] + [0] * 199
        assert propose(make_trial(failing)).advice is Advice.KEEP
        assert propose(replace(make_trial(failing), dismissed=(9,))).advice is Advice.LOOSEN

    @pytest.mark.parametrize("found_at", [9, 11])
    def test_a_threshold_that_misses_a_confirmed_day_is_never_proposed(self, found_at: int) -> None:
        noisy = [9] * 50 + [0] * 50
        proposal = propose(replace(make_trial(noisy), confirmed=(found_at,)))
        assert proposal.proposed is None or proposal.proposed.found_days == 1
        assert (proposal.proposed is None) is (found_at == 9)

    def test_a_guardrail_that_never_had_a_value_says_so(self) -> None:
        proposal = propose(replace(make_trial([]), unknown_days=365))
        assert proposal.advice is Advice.TOO_LITTLE_HISTORY
        assert proposal.sentence == "It could not judge any of the 365 days."

    def test_a_guardrail_without_a_threshold_gets_no_proposal(self, steady: dict[str, Trial]) -> None:
        for name in ("activity", "silence"):
            assert propose(steady[name]).advice is Advice.NO_THRESHOLD

    def test_a_threshold_that_is_not_known_to_catch_anything_is_not_proposed(self) -> None:
        noisy = [12] * 50 + [0] * 50
        assert propose(make_trial(noisy, {})).advice is Advice.NOTHING_FITS
        assert propose(make_trial(noisy, {Fault.DROP_20: caught_below(0)})).advice is Advice.NOTHING_FITS

    @given(
        today=st.sampled_from([1.0, 10.0, 15.0, 30.0, 33.0, 200.0, 400.0]),
        failing=st.lists(st.integers(0, 17), max_size=120),
        halved=st.integers(0, 17),
        small=st.integers(0, 17),
        target=st.floats(0, 100),
    )
    def test_a_proposal_is_within_bounds_and_never_hides_a_halved_day(
        self, today: float, failing: list[int], halved: int, small: int, target: float
    ) -> None:
        trial = make_trial(failing, {Fault.DROP_50: caught_below(halved), Fault.DROP_20: caught_below(small)}, today)
        proposal = propose(trial, target)
        if proposal.proposed is None:
            return
        assert len(failing) >= 14
        assert proposal.proposed.threshold is not None
        assert 10 <= proposal.proposed.threshold <= 200
        assert proposal.proposed.threshold != today
        before, after = proposal.today.catches[Fault.DROP_50], proposal.proposed.catches[Fault.DROP_50]
        assert after.caught >= 0.95 * before.caught
        assert proposal.proposed.alarms <= max(proposal.today.alarms / 2, target * len(failing) / 100)


def test_only_readable_days_of_the_store_are_tried(tmp_path: Path) -> None:
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(30)]
    work = make_work(tmp_path, FakeSource({day: make_day_scan(day) for day in days}))
    list(work.read(days, NOW))
    context = replace(load_history(work.store, "web", days), left_out=frozenset(days[10:12]))
    wanted = [*days, days[-1] + timedelta(days=1)]
    found = list(stored_evidences(wanted, context, work.policy, work.calendar, work.source.schema, now=NOW))
    assert [evidence.day for evidence in found] == [*days[:10], *days[12:]]
    assert not set(found[-1].totals) & set(days[10:12])


class TestRates:
    """Days on which a rate varies between 4 and 6 %, or between 94 and 96 %."""

    @pytest.mark.parametrize(
        ("rate", "counts", "advice", "proposed"),
        [
            (Rate("lost", "", above_percent=5.0), (40, 60), Advice.LOOSEN, 8.0),
            (Rate("lost", "", above_percent=40.0), (40, 60), Advice.TIGHTEN, 12.0),
            (Rate("lost", "", above_percent=8.0), (40, 60), Advice.KEEP, None),
            (Rate("lost", "", below_percent=95.0), (940, 960), Advice.LOOSEN, 92.0),
            (Rate("lost", "", below_percent=60.0), (940, 960), Advice.TIGHTEN, 88.0),
        ],
    )
    def test_a_limit_is_proposed_beyond_which_hardly_any_day_lies(
        self, rate: Rate, counts: tuple[int, int], advice: Advice, proposed: float | None
    ) -> None:
        random = Random(5)
        stream = [replace(evidence, rate_counts={"lost": random.randint(*counts)}) for evidence in make_stream(120)]
        schema = replace(PLATFORMS, rates=(rate,))
        (rule,) = rate_guardrails(schema.rates)
        trial = trial_of(rule, rule.thresholds[0], stream, policy_of(schema.rates), schema)
        proposal = propose(trial)
        assert (proposal.advice, proposal.proposed and proposal.proposed.threshold) == (advice, proposed)
        assert trial.at(trial.today).catches.keys() == {Fault.SPOILED}

    def test_each_side_is_tried_with_the_fault_that_concerns_it(self) -> None:
        rate = Rate("lost", "", above_percent=55.0, below_percent=48.0)
        stream = [replace(evidence, rate_counts={"lost": 515}) for evidence in make_stream(70)]
        schema = replace(PLATFORMS, rates=(rate,))
        trials = [
            trial_of(rule, threshold, stream, policy_of(schema.rates), schema)
            for rule in rate_guardrails(schema.rates)
            for threshold in rule.thresholds
        ]
        assert [trial.setting for trial in trials] == ["rates.lost.above_percent", "rates.lost.below_percent"]
        assert [trial.at(trial.today).catches[Fault.SPOILED].percent for trial in trials] == [100.0, 100.0]
