"""Version drift: lost tags and fallbacks alarm on their first day, releases of any shape do not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.events import SliceCounts
from telemetry_quality.core.guardrails import version_drift
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.verdicts import Outcome, Verdict
from telemetry_quality_tests.core.guardrails.streams import DAY, FIRST, evidence_of, poisson

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from telemetry_quality.core.policies import Policy
    from telemetry_quality_tests.core.guardrails.streams import Cell

FAILED, PASSED, UNKNOWN = Outcome.FAILED, Outcome.PASSED, Outcome.UNKNOWN

Shares = dict[str | None, float]
Days = dict[date, dict["Cell", int]]

EVENTS = {"web": 6000, "android": 3000, "ios": 400}
USUAL: Shares = {"2.0": 0.7, "1.9": 0.298, None: 0.002}


def stream(
    mix: Callable[[str, date], Shares],
    first: date = FIRST,
    last: date = DAY,
    random: Random | None = None,
    events: Mapping[str, int] | None = None,
) -> Days:
    """Days whose platforms have the shares of versions that ``mix`` says."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return {
        day: {
            (platform, "page.view", version): round(n * share) if random is None else poisson(random, n * share)
            for platform, n in (events or EVENTS).items()
            for version, share in mix(platform, day).items()
        }
        for day in days
    }


def usual_but(changed: Shares, platform: str = "ios", since: date = DAY, until: date = DAY) -> Days:
    """The usual shares, and others on one platform for some days."""
    return stream(lambda segment, day: changed if segment == platform and since <= day <= until else USUAL)


def judge(days: Days, day: date = DAY, policy: Policy | None = None, **figures: float | bool) -> Verdict:
    return version_drift.judge(evidence_of(days, day, **figures), policy or policy_of())


def segments(verdict: Verdict) -> list[str]:
    return [str(contributor.segment) for contributor in verdict.contributors]


def test_steady_shares_pass() -> None:
    verdict = judge(usual_but(USUAL))

    assert (verdict.outcome, verdict.reason_code, verdict.threshold) == (PASSED, "VERSIONS_STEADY", 10.0)


@pytest.mark.parametrize("lost", [{None: 1.0}, {"2.0": 0.4, "1.9": 0.2, None: 0.4}])
def test_a_platform_that_loses_its_tags_alarms_on_the_first_day(lost: Shares) -> None:
    verdict = judge(usual_but(lost))

    assert (verdict.outcome, verdict.reason_code, verdict.level) == (FAILED, "VERSIONS_LOST", version_drift.LEVEL)
    assert segments(verdict) == ["platform=ios × service_version=(null)"]
    assert "platform=ios: " in verdict.sentence
    assert "carry no version" in verdict.sentence


def test_lost_tags_of_one_platform_alarm_where_the_whole_stream_loses_less_than_one_percent() -> None:
    events = {"web": 60_000, "android": 30_000, "ios": 400}
    days = stream(lambda p, day: {None: 1.0} if (p, day) == ("ios", DAY) else USUAL, events=events)

    assert segments(judge(days)) == ["platform=ios × service_version=(null)"]


def test_tags_lost_everywhere_are_reported_once_for_the_whole_stream() -> None:
    days = stream(lambda _, day: {"2.0": 0.5, None: 0.5} if day == DAY else USUAL)

    assert segments(judge(days)) == ["service_version=(null)"]


@pytest.mark.parametrize(("lost", "outcome"), [(9.0, PASSED), (10.0, PASSED), (10.5, FAILED)])
def test_a_share_must_move_by_more_than_the_points_of_the_policy(lost: float, outcome: Outcome) -> None:
    mix: Shares = {"2.0": 1 - lost / 100, None: lost / 100}
    days = stream(lambda p, day: mix if (p, day) == ("web", DAY) else {"2.0": 1.0})

    assert judge(days).outcome is outcome


@pytest.mark.parametrize(("age", "outcome"), [(1, FAILED), (20, FAILED), (21, PASSED)])
def test_lost_tags_fail_until_they_are_three_weeks_old(age: int, outcome: Outcome) -> None:
    since = DAY - timedelta(days=age)
    verdict = judge(usual_but({None: 1.0}, since=since))

    assert verdict.outcome is outcome
    if outcome is FAILED:
        assert verdict.contributors[0].since == since


def test_nothing_alarms_when_the_tags_are_back() -> None:
    days = usual_but({None: 1.0}, since=DAY - timedelta(days=4), until=DAY - timedelta(days=1))

    assert judge(days).outcome is PASSED


def test_untagged_errors_are_for_the_error_rate_to_judge() -> None:
    evidence = evidence_of(usual_but({"2.0": 0.5, None: 0.5}))
    today = {
        part: SliceCounts(counts.events, counts.missing_version, counts.missing_version)
        for part, counts in evidence.slices[DAY].items()
    }

    assert version_drift.judge(evidence, policy_of()).outcome is FAILED
    cancelled = replace(evidence, slices={**evidence.slices, DAY: today})
    assert version_drift.judge(cancelled, policy_of()).outcome is PASSED


def test_a_platform_usually_without_tags_stays_quiet() -> None:
    days = stream(lambda p, _: {None: 1.0} if p == "web" else USUAL)

    assert judge(days).outcome is PASSED


def rollout(shares: Sequence[float], start: date, new: str = "2.1", old: str = "2.0") -> Callable[[str, date], Shares]:
    """``new`` takes these shares of everything, day after day, and keeps the last one."""

    def mix(_: str, day: date) -> Shares:
        at = (day - start).days
        share = 0.0 if at < 0 else shares[min(at, len(shares) - 1)]
        return {new: share, old: (1 - share) * 0.9, "1.9": (1 - share) * 0.1}

    return mix


@pytest.mark.parametrize(
    "shares",
    [
        (0.12, 0.24, 0.36, 0.48, 0.60),
        (0.01, 0.01, 0.20, 0.20, 0.60),
        (0.02, 0.05, 0.15, 0.40, 0.60),
        (0.40, 0.60),
        (0.60,),
        (1.0,),
    ],
)
@pytest.mark.parametrize(("new", "old"), [("2.1", "2.0"), ("r-aurora", "r-zephyr"), ("1f3a", "9c2e")])
def test_a_release_of_any_shape_raises_nothing_on_any_of_its_days(shares: Sequence[float], new: str, old: str) -> None:
    start = DAY - timedelta(days=15)
    days = stream(rollout(shares, start, new, old))

    assert {judge(days, start + timedelta(days=n)).outcome for n in range(15)} == {PASSED}


def test_a_canary_of_six_weeks_may_be_released_in_a_day() -> None:
    days = stream(rollout((*[0.01] * 39, 0.9), FIRST))

    assert judge(days, FIRST + timedelta(days=39)).outcome is PASSED


def test_a_release_that_comes_to_one_platform_weeks_later_raises_nothing() -> None:
    def mix(platform: str, day: date) -> Shares:
        start = DAY if platform == "ios" else DAY - timedelta(days=30)
        return {"r-b": 0.9, "r-a": 0.1} if day >= start else {"r-a": 1.0}

    assert judge(stream(mix)).outcome is PASSED


def test_a_platform_that_falls_back_to_a_long_known_version_alarms() -> None:
    verdict = judge(usual_but({"2.0": 0.01, "1.9": 0.99}))

    assert (verdict.outcome, verdict.reason_code) == (FAILED, "VERSION_FELL_BACK")
    assert segments(verdict) == ["platform=ios × service_version=1.9"]
    assert "they came from 2.0, and 1.9 is not a new release" in verdict.sentence


@pytest.mark.parametrize(("age", "outcome"), [(1, FAILED), (6, FAILED), (7, PASSED)])
def test_a_fallback_fails_for_a_week(age: int, outcome: Outcome) -> None:
    since = DAY - timedelta(days=age)
    verdict = judge(usual_but({"2.0": 0.01, "1.9": 0.99}, since=since))

    assert verdict.outcome is outcome
    if outcome is FAILED:
        assert verdict.contributors[0].since == since


def test_a_release_taken_back_after_three_days_alarms() -> None:
    days = stream(rollout((0.2, 0.4, 0.6, 0.02), DAY - timedelta(days=3)))

    assert judge(days).reason_code == "VERSION_FELL_BACK"
    assert judge(days, DAY - timedelta(days=1)).outcome is PASSED


def test_versions_that_alternate_every_few_days_are_used_to_it() -> None:
    days = stream(lambda _, day: {"a": 0.9, "b": 0.1} if day.toordinal() // 4 % 2 else {"a": 0.1, "b": 0.9})

    assert {judge(days, DAY - timedelta(days=n)).outcome for n in range(8)} == {PASSED}


def test_weekends_with_other_users_raise_nothing() -> None:
    weekend: Shares = {"2.0": 0.5, "1.9": 0.5}
    days = stream(lambda _, day: weekend if day.weekday() >= 5 else {"2.0": 0.8, "1.9": 0.2})

    assert {judge(days, DAY - timedelta(days=n)).outcome for n in range(14)} == {PASSED}


def test_when_a_platform_vanishes_the_shares_of_the_others_grow_and_nothing_drifts() -> None:
    def mix(platform: str, day: date) -> Shares:
        if platform == "web":
            return {"w": 0.0 if day == DAY else 1.0}
        return {"m": 1.0}

    assert judge(stream(mix)).outcome is PASSED


def test_a_few_events_prove_nothing() -> None:
    days = stream(lambda p, day: {None: 1.0} if (p, day) == ("ios", DAY) else USUAL, events={"web": 900, "ios": 19})

    assert judge(days).outcome is PASSED


def test_on_a_provisional_day_what_is_still_to_come_may_carry_the_versions() -> None:
    days = usual_but({"2.0": 0.6, "1.9": 0.25, None: 0.15})

    assert judge(days).outcome is FAILED
    assert judge(days, is_provisional=True, completeness_percent=60.0).outcome is PASSED


@pytest.mark.parametrize(("known", "outcome"), [(13, UNKNOWN), (14, FAILED)])
def test_two_weeks_must_be_known(known: int, outcome: Outcome) -> None:
    days = {day: cells for day, cells in usual_but({None: 1.0}).items() if (DAY - day).days <= known}
    verdict = judge(days)

    assert verdict.outcome is outcome
    if outcome is UNKNOWN:
        assert str(DAY + timedelta(days=1)) in verdict.sentence


@pytest.mark.parametrize("today", [USUAL, {None: 1.0}, {"1.9": 1.0}])
def test_later_days_change_nothing(today: Shares) -> None:
    days = usual_but(today)
    later = stream(lambda *_: {None: 1.0}, first=DAY + timedelta(days=1), last=DAY + timedelta(days=50))

    assert judge(days | later) == judge(days)


def test_releases_every_fortnight_raise_no_false_alarm() -> None:
    """Three platforms with releases of their own, weekend users, Poisson noise, seeded."""
    random = Random(11)

    def mix(platform: str, day: date) -> Shares:
        offset = {"web": 0, "android": 5, "ios": 9}[platform]
        age = (day.toordinal() + offset) % 14
        number = (day.toordinal() + offset) // 14 % 100
        share = min(0.95, (age + 1) * (0.16 if day.weekday() >= 5 else 0.12))
        older = (1 - share) * 0.8
        return {f"1.{number}": share, f"1.{number - 1}": older, f"1.{number - 2}": 0.998 - share - older, None: 0.002}

    days = stream(mix, first=DAY - timedelta(days=142), random=random)
    judged = sorted(days)[42:]
    windows = ({past: c for past, c in days.items() if 0 <= (day - past).days <= 42} for day in judged)
    alarms = [day for day, window in zip(judged, windows, strict=True) if judge(window, day).outcome is FAILED]

    assert alarms == []
