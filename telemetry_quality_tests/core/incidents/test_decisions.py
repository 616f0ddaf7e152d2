from __future__ import annotations

from telemetry_quality.core.days import days_between
from telemetry_quality.core.guardrails.verdicts import Level
from telemetry_quality.core.incidents import (
    EVERYWHERE,
    Action,
    confirmed_days,
    is_muted,
)
from telemetry_quality_tests.core.incidents.march import (
    FIRST,
    IOS,
    IOS_VIEWS,
    TODAY,
    WEB,
    day,
    decided,
    fail,
    group,
    unreadable,
)


def test_only_confirmed_days_are_left_out_and_a_dismissal_revokes_that() -> None:
    failures = [fail(8), fail(9), fail(12)]
    first, second = group(failures)
    assert confirmed_days([first, second]) == frozenset()
    actions = decided(first, Action.CONFIRM)
    assert confirmed_days(group(failures, actions=actions)) == {day(8), day(9)}
    taken_back = decided(first, Action.CONFIRM, Action.DISMISS)
    known = group(failures, actions=taken_back)
    assert confirmed_days(known) == frozenset()
    assert known[0].state_words(TODAY) == ("closed", "dismissed")
    again = group(failures, actions=decided(first, Action.CONFIRM, Action.DISMISS, Action.CONFIRM))
    assert confirmed_days(again) == {day(8), day(9)}


def test_days_that_fail_after_a_confirmation_are_not_confirmed_by_it() -> None:
    failures = [fail(8), fail(9)]
    (incident,) = group(failures, days_between(FIRST, day(9)))
    actions = decided(incident, Action.CONFIRM)
    (grown,) = group([fail(7), *failures, fail(10)], actions=actions)
    assert grown.confirmed_days == (day(8), day(9))
    assert grown.state_words(TODAY) == ("closed", "confirmed for 2 of 4 days")
    assert confirmed_days(
        group([fail(7), *failures, fail(10)], actions=[*actions, *decided(grown, Action.CONFIRM)])
    ) == {day(number) for number in (7, 8, 9, 10)}


def test_actions_survive_a_day_that_heals_and_apply_to_both_pieces() -> None:
    failures = [fail(number) for number in (8, 9, 10)]
    (incident,) = group(failures, days_between(FIRST, day(10)))
    actions = decided(incident, Action.ACKNOWLEDGE, Action.CONFIRM, Action.MUTE)
    first, second = group([fail(8), fail(10), fail(11)], days_between(FIRST, day(11)), actions)
    assert (first.acknowledged_by, second.acknowledged_by) == ("ada", "ada")
    assert confirmed_days([first, second]) == {day(8), day(10)}
    assert is_muted(second, TODAY), "the piece that goes on is the one that was muted"
    for gone in (8, 10):
        (shrunk,) = group([failure for failure in failures if failure.day != day(gone)], actions=actions)
        assert shrunk.acknowledged_by == "ada"
        assert confirmed_days([shrunk]) == set(shrunk.days)


def test_actions_survive_another_top_root_cause() -> None:
    (incident,) = group([fail(8, root_cause=IOS)])
    actions = decided(incident, Action.ACKNOWLEDGE)
    for root_cause in (IOS_VIEWS, EVERYWHERE):
        (known,) = group([fail(8, root_cause=root_cause)], actions=actions)
        assert known.actions == tuple(actions), root_cause


def test_an_action_belongs_to_the_incident_whose_root_cause_fits() -> None:
    failures = [fail(8, "error_rate", IOS), fail(8, "volume", WEB, level=Level.INFO)]
    _, web = group(failures)
    ios, web = group(failures, actions=decided(web, Action.CONFIRM))
    assert (ios.is_confirmed, web.is_confirmed) == (False, True)


def test_an_action_belongs_to_one_of_two_incidents_in_the_same_segment_on_different_days() -> None:
    moving = [fail(8, "error_rate", IOS), fail(9, "error_rate", WEB)]
    staying = fail(8, "volume", WEB, level=Level.INFO)
    _, web = group([moving[0], staying], [day(8)])
    found = group([*moving, staying], actions=decided(web, Action.ACKNOWLEDGE))
    assert [incident.acknowledged_by for incident in found] == [None, "ada"]


def test_an_action_whose_incident_vanished_does_not_apply_to_another_incident() -> None:
    ios, _ = group([fail(8, "error_rate", IOS), fail(8, "volume", WEB)])
    actions = decided(ios, Action.CONFIRM, Action.MUTE)
    for stranger in ([fail(8, "volume", WEB)], [unreadable(8)], [fail(9, "error_rate", IOS)]):
        (known,) = group(stranger, actions=actions)
        assert known.actions == ()


def test_a_new_incident_with_the_same_root_cause_is_not_muted_by_an_older_one() -> None:
    (incident,) = group([fail(8)])
    actions = decided(incident, Action.MUTE, until=day(31))
    older, newer = group([fail(8), fail(10)], actions=actions)
    assert (is_muted(older, TODAY), is_muted(newer, TODAY)) == (True, False)
