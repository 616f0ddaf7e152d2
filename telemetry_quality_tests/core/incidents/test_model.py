from __future__ import annotations

from datetime import date, timedelta
from math import inf

import pytest

from telemetry_quality.core.days import days_between
from telemetry_quality.core.guardrails.verdicts import Level
from telemetry_quality.core.incidents import (
    EVERYWHERE,
    Action,
    FailedGuardrail,
    is_muted,
)
from telemetry_quality.errors import RequestError
from telemetry_quality_tests.core.incidents.march import (
    FIRST,
    IOS,
    IOS_VIEWS,
    NOW,
    TODAY,
    WEB,
    day,
    decided,
    fail,
    group,
    unreadable,
)


@pytest.mark.parametrize(
    ("blamed", "root_cause"),
    [
        ([IOS, IOS, EVERYWHERE], IOS),
        ([IOS, EVERYWHERE, EVERYWHERE], EVERYWHERE),
        ([EVERYWHERE, IOS], IOS),
        ([IOS_VIEWS, IOS], IOS),
        ([WEB, IOS], IOS),
    ],
)
def test_the_root_cause_of_an_incident_is_the_one_blamed_on_most_days(blamed: list[str], root_cause: str) -> None:
    (incident,) = group(fail(8 + offset, root_cause=name) for offset, name in enumerate(blamed))
    assert incident.root_cause == root_cause


def test_failures_of_a_lower_level_do_not_change_the_root_cause() -> None:
    (incident,) = group([fail(8, root_cause=EVERYWHERE), fail(8, "missing_version", IOS, level=Level.WARNING)])
    assert (incident.root_cause, incident.level) == (EVERYWHERE, Level.CRITICAL)


@pytest.mark.parametrize(
    ("failure", "times"),
    [
        (fail(8, value=50.0, threshold=5.0), 10),
        (fail(8, "volume", value=-60.0, threshold=30.0), 2),
        (fail(8, "sample", value=90.0, threshold=99.0), 10),
        (fail(8, "sample", value=90.0, threshold=100.0), inf),
        (fail(8, "activity", value=0, threshold=0), inf),
        (fail(8, value=1.0, threshold=0.0), inf),
        (unreadable(8), inf),
    ],
)
def test_how_far_beyond_its_threshold_a_failure_is(failure: FailedGuardrail, times: float) -> None:
    assert failure.times_threshold() == pytest.approx(times)


def test_the_peak_is_the_farthest_failure_of_the_highest_level_the_first_of_equals() -> None:
    far_but_low = fail(8, "missing_version", level=Level.WARNING, value=90.0, threshold=1.0)
    failures = [far_but_low, fail(8, value=6.0), fail(9, value=20.0), fail(10, value=20.0)]
    (incident,) = group(failures)
    assert (incident.peak.day, incident.peak.guardrail) == (day(9), "error_rate")


def test_actions_make_the_state_and_are_stored_with_who_when_and_why() -> None:
    failures, judged = [fail(8), fail(9)], list(days_between(FIRST, day(9)))
    (incident,) = group(failures, judged)
    assert incident.state_words(TODAY) == ("open",)
    actions = [
        incident.decide(Action.ACKNOWLEDGE, " ada ", NOW, note="a look"),
        incident.decide(Action.MUTE, "bob", NOW, muted_until=day(22)),
        incident.decide(Action.CONFIRM, "eve", NOW),
    ]
    (known,) = group(failures, judged, actions)
    assert known.actions == tuple(actions)
    assert (actions[0].by, actions[0].note, actions[0].acted_at) == ("ada", "a look", NOW)
    assert known.state_words(TODAY) == ("open", "acknowledged by ada", "muted until 2026-03-22", "confirmed")
    assert known.state_words(day(23)) == ("open", "acknowledged by ada", "confirmed")


def test_the_latest_action_of_its_kind_wins() -> None:
    (incident,) = group([fail(8)])
    first, second = decided(incident, Action.ACKNOWLEDGE)[0], decided(incident, Action.ACKNOWLEDGE, by="bob")[0]
    (known,) = group([fail(8)], actions=[first, second])
    assert known.acknowledged_by == "bob"
    short = decided(incident, Action.MUTE, until=day(30)) + decided(incident, Action.MUTE, until=day(21))
    (known,) = group([fail(8)], actions=short)
    assert known.muted_until == day(21)


@pytest.mark.parametrize(("days", "is_good"), [(89, True), (90, True), (91, False)])
def test_an_incident_is_muted_for_90_days_at_most(days: int, is_good: bool) -> None:
    (incident,) = group([fail(8)])
    until = TODAY + timedelta(days=days)
    if is_good:
        assert incident.decide(Action.MUTE, "ada", NOW, muted_until=until).until == until
    else:
        with pytest.raises(RequestError, match=r"A day from 2026-03-20 .* to 2026-06-18 is required to mute until"):
            incident.decide(Action.MUTE, "ada", NOW, muted_until=until)


@pytest.mark.parametrize(("today", "muted"), [(21, True), (22, True), (23, False)])
def test_an_incident_is_muted_up_to_its_date_included(today: int, muted: bool) -> None:
    (incident,) = group([fail(8)])
    (known,) = group([fail(8)], actions=decided(incident, Action.MUTE, until=day(22)))
    assert is_muted(known, day(today)) is muted
    assert not is_muted(incident, day(today))


@pytest.mark.parametrize("until", [TODAY - timedelta(days=1), None])
def test_muting_until_a_day_in_the_past_is_refused(until: date | None) -> None:
    (incident,) = group([fail(8)])
    with pytest.raises(RequestError, match=r"A day from 2026-03-20 .* is required to mute until"):
        incident.decide(Action.MUTE, "ada", NOW, muted_until=until)
    assert incident.decide(Action.MUTE, "ada", NOW, muted_until=TODAY).until == TODAY


def test_a_decision_requires_a_name() -> None:
    (incident,) = group([fail(8)])
    with pytest.raises(RequestError, match="The name of the person who decides is required"):
        incident.decide(Action.CONFIRM, "  ", NOW)


def test_a_comment_requires_words_and_changes_nothing_but_the_actions() -> None:
    (incident,) = group([fail(8)])
    with pytest.raises(RequestError, match="Words are required to comment on web/2026-03-08, but the note is empty"):
        incident.decide(Action.COMMENT, "ada", NOW, note=" ")
    comment = incident.decide(Action.COMMENT, "ada", NOW, note="A deployment.")
    (known,) = group([fail(8)], actions=[comment])
    assert known.actions == (comment,)
    assert known.state_words(TODAY) == incident.state_words(TODAY)
    assert known.who_has_it is None


def test_json_holds_days_peak_state_and_actions_in_json_types() -> None:
    (incident,) = group([fail(8), fail(9)])
    (known,) = group([fail(8), fail(9)], actions=decided(incident, Action.CONFIRM))
    shown = known.as_json(TODAY)
    assert list(shown)[:2] == ["source", "key"]
    assert shown["days"] == shown["confirmed_days"] == ["2026-03-08", "2026-03-09"]
    assert shown["guardrails"] == {"error_rate": ["2026-03-08", "2026-03-09"]}
    assert (shown["peak"]["day"], shown["peak"]["value"]) == ("2026-03-08", 50.0)
    assert (shown["is_open"], shown["is_muted"], shown["muted_until"], shown["is_confirmed"]) == (
        False,
        False,
        None,
        True,
    )
    assert [(action["action"], action["by"]) for action in shown["actions"]] == [("confirm", "ada")]
