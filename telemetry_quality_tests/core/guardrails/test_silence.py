"""Silence: what stopped alarms on its first day, and what never was regular does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry_quality.core.events import OTHER_VALUES, Slice, SliceCounts
from telemetry_quality.core.guardrails import silence
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.verdicts import Outcome, Verdict
from telemetry_quality_tests.core.guardrails.streams import DAY, FIRST, evidence_of, poisson, weekly

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry_quality.core.policies import Policy
    from telemetry_quality_tests.core.guardrails.streams import Cell

FAILED, PASSED, UNKNOWN = Outcome.FAILED, Outcome.PASSED, Outcome.UNKNOWN

Levels = dict[tuple[str, str], "Callable[[date], float]"]

LEVELS: Levels = {
    ("web", "page.view"): weekly(8000, 0.6),
    ("web", "cart.add"): weekly(900, 0.6),
    ("android", "page.view"): weekly(1200),
    ("ios", "page.view"): weekly(300),
    ("ios", "cart.add"): weekly(60),
    ("batch", "report.sent"): weekly(200, 0.0),
}
"""ios holds 3 to 4 percent of the events; batch rests at weekends."""

Days = dict[date, dict["Cell", int]]


def steady(levels: Levels | None = None, first: date = FIRST, last: date = DAY) -> Days:
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    parts = (levels or LEVELS).items()
    return {day: {(*part, "1.0"): round(level(day)) for part, level in parts} for day in days}


def without(days: Days, gone: Callable[[date, Cell], bool]) -> Days:
    return {day: {cell: 0 if gone(day, cell) else n for cell, n in cells.items()} for day, cells in days.items()}


def judge(days: Days, day: date = DAY, policy: Policy | None = None) -> Verdict:
    return silence.judge(evidence_of(days, day), policy or policy_of())


def segments(verdict: Verdict) -> list[str]:
    return [str(contributor.segment) for contributor in verdict.contributors]


@pytest.mark.parametrize("back", range(14))
def test_a_stream_with_all_its_parts_passes_on_every_weekday(back: int) -> None:
    verdict = judge(steady(), DAY - timedelta(days=back))

    assert (verdict.outcome, verdict.reason_code, verdict.value) == (PASSED, "NOTHING_SILENT", 0)


def test_a_silent_platform_alarms_on_its_first_day_inside_a_total_that_hardly_moves() -> None:
    verdict = judge(without(steady(), lambda day, cell: day == DAY and cell[0] == "ios"))

    assert (verdict.outcome, verdict.reason_code, verdict.level) == (FAILED, "SEGMENT_SILENT", silence.LEVEL)
    assert segments(verdict) == ["platform=ios"]
    assert verdict.sentence == "platform=ios is silent (0 events, about 360 are usual)."
    assert verdict.contributors[0].since is None


def test_a_silent_signal_is_reported_once_and_not_again_for_each_platform() -> None:
    verdict = judge(without(steady(), lambda day, cell: day == DAY and cell[1] == "cart.add"))

    assert segments(verdict) == ["event_name=cart.add"]


def test_a_signal_may_be_silent_on_one_platform_only() -> None:
    verdict = judge(without(steady(), lambda day, cell: day == DAY and cell[:2] == ("ios", "cart.add")))

    assert segments(verdict) == ["platform=ios × event_name=cart.add"]


def test_stragglers_of_a_stopped_part_do_not_hide_its_silence() -> None:
    days = steady()
    days[DAY]["android", "page.view", "1.0"] = 24

    assert segments(judge(days)) == ["platform=android"]

    days[DAY]["android", "page.view", "1.0"] = 25

    assert judge(days).outcome is PASSED


@pytest.mark.parametrize(("age", "outcome"), [(1, FAILED), (7, FAILED), (20, FAILED), (21, PASSED), (25, PASSED)])
def test_a_silence_lasts_until_it_is_three_weeks_old(age: int, outcome: Outcome) -> None:
    since = DAY - timedelta(days=age)
    verdict = judge(without(steady(), lambda day, cell: day >= since and cell[0] == "ios"))

    assert verdict.outcome is outcome
    if outcome is FAILED:
        assert verdict.contributors[0].since == since
        assert f"since {since}" in verdict.sentence


def test_a_part_that_rests_at_weekends_is_missed_on_monday_only() -> None:
    friday = DAY - timedelta(days=4)
    days = without(steady(), lambda day, cell: day > friday and cell[0] == "batch")

    assert [judge(days, friday + timedelta(days=n)).outcome for n in range(1, 4)] == [PASSED, PASSED, FAILED]
    assert judge(days).contributors[0].since == friday + timedelta(days=3)


def test_on_a_weekday_that_resembles_a_sunday_what_rests_on_sundays_may_rest() -> None:
    quiet = {day: {c: n // (3 if day == DAY else 1) for c, n in cells.items()} for day, cells in steady().items()}
    resting = without(quiet, lambda day, cell: day == DAY and cell[0] == "batch")
    silent = without(resting, lambda day, cell: day == DAY and cell[0] == "ios")

    assert judge(resting).outcome is PASSED
    assert segments(judge(silent)) == ["platform=ios"]


def test_a_holiday_of_the_calendar_may_silence_what_rests_on_sundays() -> None:
    labor_day = date(2026, 9, 7)
    days = steady(first=labor_day - timedelta(days=42), last=labor_day)
    days = without(days, lambda day, cell: day == labor_day and cell[0] == "batch")

    assert judge(days, labor_day).outcome is FAILED
    assert judge(days, labor_day, policy_of(holidays="US")).outcome is PASSED


def test_when_the_whole_stream_is_down_its_parts_are_not_listed() -> None:
    tiny = {day: {c: n // (200 if day == DAY else 1) for c, n in cells.items()} for day, cells in steady().items()}

    assert judge(tiny).outcome is PASSED
    verdict = judge(without(steady(), lambda day, _: day == DAY))
    assert (verdict.outcome, verdict.reason_code) == (UNKNOWN, "NO_EVENTS")


def test_a_part_that_fades_away_is_mentioned_and_does_not_fail() -> None:
    def fading(day: date) -> float:
        return max(0.0, 500 * min(1.0, (DAY - day).days / 15))

    verdict = judge(steady(LEVELS | {("tv", "page.view"): fading}))

    assert verdict.outcome is PASSED
    assert "platform=tv shrank over the last days and is gone" in verdict.sentence


def test_a_stop_in_the_course_of_the_day_before_is_no_fading() -> None:
    days = without(steady(), lambda day, cell: day == DAY and cell[0] == "android")
    days[DAY - timedelta(days=1)]["android", "page.view", "1.0"] = 120

    assert segments(judge(days)) == ["platform=android"]


@pytest.mark.parametrize(("known", "outcome"), [(13, UNKNOWN), (14, FAILED)])
def test_two_weeks_must_be_known(known: int, outcome: Outcome) -> None:
    days = without(steady(first=DAY - timedelta(days=known)), lambda day, cell: day == DAY and cell[0] == "ios")
    verdict = judge(days)

    assert verdict.outcome is outcome
    if outcome is UNKNOWN:
        assert verdict.reason_code == "HISTORY_TOO_SHORT"
        assert str(DAY + timedelta(days=1)) in verdict.sentence


def test_a_young_part_is_not_missed_before_it_has_been_there_for_two_weeks() -> None:
    for age, outcome in ((10, PASSED), (14, FAILED)):
        born = DAY - timedelta(days=age)
        days = steady(LEVELS | {("tv", "page.view"): lambda day, born=born: 500.0 if born <= day < DAY else 0.0})
        assert judge(days).outcome is outcome


def test_days_that_are_not_known_are_no_silence() -> None:
    days = steady()
    for back in (3, 4, 5, 14, 21):
        del days[DAY - timedelta(days=back)]

    assert judge(days).outcome is PASSED
    assert segments(judge(without(days, lambda day, cell: day == DAY and cell[0] == "ios"))) == ["platform=ios"]


@pytest.mark.parametrize(("usual", "outcome"), [(19, PASSED), (20, FAILED), (21, FAILED)])
def test_silence_is_judged_from_the_least_number_of_events_on(usual: int, outcome: Outcome) -> None:
    levels = LEVELS | {("tv", "page.view"): lambda day: 0.0 if day == DAY else float(usual)}

    assert judge(steady(levels)).outcome is outcome


def test_a_part_that_comes_and_goes_is_not_missed() -> None:
    bursts = LEVELS | {("tv", "page.view"): lambda day: 900.0 if day.toordinal() % 3 and day != DAY else 0.0}

    assert judge(steady(bursts)).outcome is PASSED


def test_versions_are_not_watched_since_each_of_them_ends() -> None:
    days: Days = {
        day: {(p, s, "2.0" if day == DAY else "1.0"): n for (p, s, _), n in cells.items()}
        for day, cells in steady().items()
    }

    assert judge(days).outcome is PASSED


def test_what_may_be_hidden_among_other_values_is_not_silent() -> None:
    evidence = evidence_of(without(steady(), lambda day, cell: day == DAY and cell[0] == "ios"))
    today = dict(evidence.slices[DAY]) | {Slice("platform", OTHER_VALUES): SliceCounts(400, 0, 0)}
    hidden = replace(evidence, slices={**evidence.slices, DAY: today})

    assert silence.judge(evidence, policy_of()).outcome is FAILED
    assert silence.judge(hidden, policy_of()).outcome is PASSED


def test_what_may_still_arrive_on_a_provisional_day_is_not_silent() -> None:
    days = without(steady(), lambda day, cell: day == DAY and cell[0] == "ios")

    for completeness, outcome in ((90.0, PASSED), (99.0, FAILED)):
        evidence = evidence_of(days, is_provisional=True, completeness_percent=completeness)
        assert silence.judge(evidence, policy_of()).outcome is outcome


def test_a_day_whose_parts_were_not_counted_is_unknown() -> None:
    evidence = evidence_of(steady())
    evidence = replace(evidence, slices={**evidence.slices, DAY: {}})

    assert silence.judge(evidence, policy_of()).reason_code == "SLICES_NOT_COUNTED"


@pytest.mark.parametrize("silent", [False, True])
def test_later_days_change_nothing(silent: bool) -> None:
    days = without(steady(), lambda day, cell: silent and day == DAY and cell[0] == "ios")
    later = steady(first=DAY + timedelta(days=1), last=DAY + timedelta(days=50))

    assert judge(days | without(later, lambda *_: True)) == judge(days) == judge(days | later)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.6, 1.5))
def test_a_part_with_about_its_usual_events_never_alarms(seed: int, scale: float) -> None:
    random = Random(seed)
    days = {day: {c: poisson(random, n * scale) for c, n in cells.items()} for day, cells in steady().items()}

    assert judge(days).outcome is PASSED


@pytest.mark.slow
def test_noisy_parts_raise_no_false_alarm_in_two_hundred_days() -> None:
    """Eighty parts with weekday profiles, bursts (negative binomial, φ = 0.3) and rare ones, seeded."""
    random = Random(7)
    means = {("p" + str(p), f"s{s}"): 4000 / (s + 1) ** 1.6 / (p + 1) for p in range(4) for s in range(20)}
    first = DAY - timedelta(days=242)
    days: Days = {}
    for day in (first + timedelta(days=n) for n in range(243)):
        whole = random.lognormvariate(0, 0.15)
        days[day] = {
            (p, s, "1.0"): poisson(random, mean * whole * random.gammavariate(1 / 0.3, 0.3))
            for (p, s), mean in means.items()
            if int(s[1:]) % 4 or day.weekday() < 5
        }
    alarms = [day for day in sorted(days)[42::4] if judge(dict(_around(days, day)), day).outcome is FAILED]

    assert alarms == []


def _around(days: Days, day: date) -> list[tuple[date, dict[Cell, int]]]:
    return [(past, cells) for past, cells in days.items() if timedelta(0) <= day - past <= timedelta(days=42)]
