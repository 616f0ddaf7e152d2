from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry_quality.core.guardrails.verdicts import DAY_UNREADABLE, Level, Outcome, Verdict
from telemetry_quality.core.incidents import (
    EVERYWHERE,
    UNREADABLE,
    Action,
    FailedGuardrail,
    IncidentAction,
    incidents_of,
    require_incident,
)
from telemetry_quality.core.ports import JudgedDay
from telemetry_quality.core.running.model import RUNNING
from telemetry_quality.errors import RequestError
from telemetry_quality_tests.core.incidents.march import (
    IOS,
    IOS_VIEWS,
    NOW,
    TODAY,
    WEB,
    day,
    fail,
    group,
    make_verdict,
    segment,
    unreadable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry_quality.core.marks import MarkedDays


def test_an_unknown_key_is_refused_with_the_key_that_may_have_been_meant() -> None:
    found = group([fail(7), fail(8)])
    assert require_incident(found, "web/2026-03-07") is found[0]
    for key in ("web/2026-03-08", "web/2026-03-07.3"):
        with pytest.raises(RequestError, match=rf"no incident has the key '{key}'; did you mean web/2026-03-07\?"):
            require_incident(found, key)
    with pytest.raises(RequestError, match="telemetry-quality incidents --all lists them"):
        require_incident(found, "web/2026-03-10")


SEGMENTS = (EVERYWHERE, IOS, WEB, IOS_VIEWS, "event_name=page.view")
GUARDRAILS = ("activity", "error_rate", "missing_version", "volume")


@dataclass(frozen=True)
class Past:
    """Judged days with their failures; implements as much of a store as incidents need."""

    judged: Mapping[date, tuple[FailedGuardrail, ...]]
    actions: tuple[IncidentAction, ...] = ()
    running: Mapping[date, tuple[Verdict, ...]] = field(default_factory=dict)

    @property
    def failures(self) -> list[FailedGuardrail]:
        return [failure for failed in self.judged.values() for failure in failed]

    @property
    def unreadable(self) -> set[date]:
        return {failure.day for failure in self.failures if failure.root_cause == UNREADABLE}

    def judged_days(self, source: str) -> list[JudgedDay]:
        return [JudgedDay(judged_day, 2, not self.judged[judged_day]) for judged_day in sorted(self.judged)]

    def failed_verdicts(self, source: str, first: date, last: date) -> dict[date, dict[int, tuple[Verdict, ...]]]:
        return {
            failed_day: {1: (make_verdict(outcome=Outcome.FAILED),), 2: tuple(map(verdict_of, failed))}
            for failed_day, failed in self.judged.items()
            if first <= failed_day <= last
        }

    def incident_actions(self, source: str) -> list[IncidentAction]:
        return list(self.actions)

    def marked_days(self, source: str) -> list[MarkedDays]:
        return []

    def running_verdicts(self, source: str) -> dict[date, tuple[Verdict, ...]]:
        return dict(self.running)


def verdict_of(failure: FailedGuardrail) -> Verdict:
    share = 100.0 if failure.is_confined else 60.0 if failure.root_cause == failure.foremost else 10.0
    root_causes = (
        (segment("" if failure.foremost == EVERYWHERE else failure.foremost, share),) if failure.foremost else ()
    )
    outcome = Outcome.UNKNOWN if failure.root_cause == UNREADABLE else Outcome.FAILED
    code = DAY_UNREADABLE if failure.root_cause == UNREADABLE else failure.reason_code
    return Verdict(
        failure.guardrail, failure.level, outcome, code, failure.value, failure.threshold, failure.sentence, root_causes
    )


@st.composite
def failed_days(draw: st.DrawFn, number: int) -> tuple[FailedGuardrail, ...]:
    if draw(st.integers(0, 5)) == 0:
        return (unreadable(number),)
    names = draw(st.sets(st.sampled_from(GUARDRAILS), max_size=3))
    failures = []
    for name in sorted(names):
        root_cause, level = draw(st.sampled_from(SEGMENTS)), draw(st.sampled_from(Level))
        foremost = root_cause if root_cause != EVERYWHERE else draw(st.sampled_from(("", IOS, WEB, EVERYWHERE)))
        is_confined = root_cause == foremost and draw(st.booleans())
        failure = fail(number, name, root_cause, level=level, foremost=foremost, is_confined=is_confined)
        failures.append(replace(failure, contributors=verdict_of(failure).contributors))
    return tuple(failures)


@st.composite
def pasts(draw: st.DrawFn) -> Past:
    numbers = draw(st.sets(st.integers(1, 14), min_size=1))
    past = Past({day(number): draw(failed_days(number)) for number in sorted(numbers)})
    incidents = group(past.failures, past.judged)
    actions = [
        incident.decide(action, "ada", NOW, note="why", muted_until=TODAY, assignee="grace")
        for action in (draw(st.lists(st.sampled_from(Action), max_size=3)) if incidents else [])
        for incident in (draw(st.sampled_from(incidents)),)
        if action is not Action.ACCEPT or incident.root_cause != UNREADABLE
    ]
    healed = draw(st.sets(st.sampled_from(sorted(past.judged)), max_size=2)) if actions else set()
    return Past(
        {past_day: () if past_day in healed else failed for past_day, failed in past.judged.items()}, tuple(actions)
    )


@pytest.mark.slow
@given(pasts(), st.randoms(use_true_random=False))
def test_every_failure_belongs_to_exactly_one_incident_whatever_the_order(past: Past, random: Any) -> None:
    found = group(past.failures, past.judged, past.actions)
    assert sorted(map(repr, past.failures)) == sorted(
        repr(failure) for incident in found for failure in incident.failures
    )
    assert len({incident.key for incident in found}) == len(found)
    assert [incident.first_day for incident in found] == sorted(incident.first_day for incident in found)
    shuffled, judged = past.failures, list(past.judged)
    random.shuffle(shuffled)
    random.shuffle(judged)
    assert group(shuffled, judged, past.actions) == found


@pytest.mark.slow
@given(pasts())
def test_the_days_of_an_incident_are_consecutive_judged_days_and_it_is_open_while_none_follows(past: Past) -> None:
    for incident in group(past.failures, past.judged):
        telling = sorted(past.judged if incident.root_cause == UNREADABLE else past.judged.keys() - past.unreadable)
        begin, end = telling.index(incident.first_day), telling.index(incident.last_day)
        assert list(incident.days) == telling[begin : end + 1]
        assert incident.is_open is (end == len(telling) - 1)


@pytest.mark.slow
@given(pasts(), st.integers(1, 14), st.integers(0, 14))
def test_incidents_of_a_range_are_those_of_the_whole_history_that_touch_it(past: Past, first: int, days: int) -> None:
    begin, end = day(first), day(first) + timedelta(days=days)
    everything = incidents_of(past, "web")
    assert everything == group(past.failures, past.judged, past.actions)
    touching = [incident for incident in everything if incident.first_day <= end and begin <= incident.last_day]
    assert incidents_of(past, "web", begin, end) == touching


def test_a_source_without_snapshots_has_no_incidents() -> None:
    assert incidents_of(Past({}), "web") == []


def failing(name: str, *places: str) -> Verdict:
    return replace(make_verdict(name, *(segment(place, 100.0) for place in places), outcome=Outcome.FAILED))


def test_what_fails_on_a_running_day_opens_the_incident_that_its_snapshot_goes_on_with() -> None:
    past = Past({day(1): (), day(2): ()}, running={day(3): (failing("error_rate"),)})
    (today,) = incidents_of(past, "web")
    assert (today.key, today.is_open, today.days) == ("web/2026-03-03", True, (day(3),))
    assert [failure.revision for failure in today.failures] == [RUNNING]
    judged = Past({**past.judged, day(3): (fail(3, "error_rate"), fail(3, "volume"))})
    (tomorrow,) = incidents_of(judged, "web")
    assert (tomorrow.key, tomorrow.root_cause) == (today.key, today.root_cause)
    assert incidents_of(Past({**past.judged, day(3): ()}), "web") == []


def test_a_running_day_goes_on_with_an_incident_and_closes_none() -> None:
    yesterday = {day(2): (fail(2, "error_rate", IOS), fail(2, "volume", WEB))}
    running = {day(3): (failing("error_rate", IOS),)}
    ios, web = sorted(incidents_of(Past(yesterday, running=running), "web"), key=lambda each: -len(each.days))
    assert (ios.days, web.days) == ((day(2), day(3)), (day(2),))
    assert ios.is_open
    assert web.is_open


def test_a_running_day_belongs_to_the_range_that_holds_it() -> None:
    past = Past({day(1): (), day(2): (fail(2, "volume"),)}, running={day(3): (failing("volume"),)})
    (found,) = incidents_of(past, "web", day(3), day(3))
    assert found.days == (day(2), day(3))
    assert incidents_of(past, "web", day(4), day(9)) == []


def test_a_source_of_which_only_a_running_day_is_known_has_its_incident() -> None:
    (found,) = incidents_of(Past({}, running={day(3): (failing("volume"),)}), "web")
    assert found.days == (day(3),)
