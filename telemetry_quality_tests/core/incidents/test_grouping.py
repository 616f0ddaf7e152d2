from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from telemetry_quality.core.days import days_between
from telemetry_quality.core.guardrails.verdicts import DAY_UNREADABLE, Contributor, Level, Outcome
from telemetry_quality.core.incidents import (
    EVERYWHERE,
    UNREADABLE,
    Action,
    failures_of,
)
from telemetry_quality.core.root_cause import cause_of
from telemetry_quality_tests.core.incidents.march import (
    FIRST,
    IOS,
    IOS_VIEWS,
    MARCH,
    NOW,
    WEB,
    day,
    fail,
    group,
    loose,
    make_verdict,
    segment,
    shape,
    unreadable,
)

USER_ID = "user_id="


@pytest.mark.parametrize(
    ("root_causes", "root_cause", "foremost", "is_confined"),
    [
        ((), EVERYWHERE, "", False),
        ((segment(IOS, 39.9),), EVERYWHERE, IOS, False),
        ((segment(IOS, 40.0),), IOS, IOS, False),
        ((segment(IOS, 79.9),), IOS, IOS, False),
        ((segment(IOS, 80.0), segment(WEB, 20.0)), IOS, IOS, True),
        ((segment(IOS, None),), IOS, IOS, True),
        ((segment(IOS, 80.0, (3, 5)),), IOS, IOS, True),
        ((segment(IOS_VIEWS, 60.0),), IOS_VIEWS, IOS_VIEWS, False),
        ((segment("", 100.0, (3, 5)),), EVERYWHERE, EVERYWHERE, True),
        ((segment("", 40.0),), EVERYWHERE, EVERYWHERE, False),
        ((segment("", None),), EVERYWHERE, "", False),
        ((segment(IOS, 90.0), segment(USER_ID, None)), IOS, IOS, True),
        ((segment(IOS, 30.0), segment(USER_ID, None)), EVERYWHERE, IOS, False),
    ],
)
def test_the_root_cause_is_the_segment_that_holds_most_of_the_change_whatever_the_hour(
    root_causes: tuple[Contributor, ...], root_cause: str, foremost: str, is_confined: bool
) -> None:
    (failure,) = failures_of(FIRST, 2, [make_verdict("error_rate", *root_causes)])
    assert (failure.root_cause, failure.foremost, failure.is_confined, failure.revision) == (
        root_cause,
        foremost,
        is_confined,
        2,
    )
    assert failure.cause == cause_of(root_causes)


def test_only_failures_count_and_a_day_that_could_not_be_read_counts_once() -> None:
    passed = make_verdict(outcome=Outcome.PASSED)
    unknown = make_verdict("volume", outcome=Outcome.UNKNOWN, reason_code="HISTORY_TOO_SHORT")
    assert failures_of(FIRST, 1, [passed, unknown]) == []
    nothing = [
        make_verdict(name, outcome=Outcome.UNKNOWN, reason_code=DAY_UNREADABLE, value=None)
        for name in ("activity", "error_rate", "volume")
    ]
    (failure,) = failures_of(FIRST, 1, nothing)
    assert (failure.guardrail, failure.root_cause, failure.times_threshold()) == ("activity", UNREADABLE, inf)


def test_one_root_cause_that_fails_two_guardrails_on_consecutive_days_is_one_incident() -> None:
    """Cancelled flights do so: errors and missing versions on the same days, blamed on an airport or on none."""
    blamed = {8: "origin=EWR", 9: EVERYWHERE, 10: "origin=LGA", 11: "origin=EWR"}
    failures = [
        fail(number, name, root_cause) for number, root_cause in blamed.items() for name in ("error_rate", "sample")
    ]
    failures += [
        fail(number, "missing_version", root_cause, level=Level.WARNING) for number, root_cause in blamed.items()
    ]
    (incident,) = group(failures)
    assert incident.key == "web/2026-03-08"
    assert (incident.first_day, incident.last_day, len(incident.days)) == (day(8), day(11), 4)
    assert {name: len(days) for name, days in incident.guardrails.items()} == dict.fromkeys(
        ("error_rate", "missing_version", "sample"), 4
    )
    assert (incident.level, incident.root_cause, incident.is_open) == (Level.CRITICAL, "origin=EWR", False)


def test_an_incident_of_yesterday_is_not_two_because_its_segments_moved_apart() -> None:
    together = [fail(8, "error_rate", IOS), fail(8, "missing_version", IOS)]
    apart = [fail(9, "error_rate", IOS), fail(9, "missing_version", WEB)]
    assert shape(group(together + apart)) == [([8, 9], ["error_rate", "missing_version"])]
    assert shape(group(apart)) == [([9], ["error_rate"]), ([9], ["missing_version"])]


def test_two_unrelated_root_causes_on_one_day_are_two_incidents_the_highest_level_first() -> None:
    failures = [fail(8, "volume", WEB, level=Level.INFO), fail(8, "error_rate", IOS), fail(9, "volume", WEB)]
    found = group(failures)
    assert shape(found) == [([8], ["error_rate"]), ([8, 9], ["volume"])]
    assert [incident.key for incident in found] == ["web/2026-03-08", "web/2026-03-08.2"]


def test_a_later_day_changes_no_key() -> None:
    begun = [fail(8, "volume", WEB, level=Level.INFO), fail(8, "silence", IOS, level=Level.WARNING)]
    keys = {incident.root_cause: incident.key for incident in group(begun)}
    grown = group([*begun, *(fail(9, name, WEB) for name in ("volume", "error_rate", "sample"))])
    assert {incident.root_cause: incident.key for incident in grown} == keys


@pytest.mark.parametrize(
    ("segment", "other_segment", "incidents"),
    [
        (IOS, IOS, 1),
        (IOS, WEB, 2),
        (IOS, IOS_VIEWS, 1),
        (IOS_VIEWS, "event_name=page.view × platform=ios", 1),
        (WEB, IOS_VIEWS, 2),
        ("platform=io", IOS, 2),
        (EVERYWHERE, EVERYWHERE, 1),
    ],
)
def test_nested_segments_share_a_root_cause(segment: str, other_segment: str, incidents: int) -> None:
    assert len(group([fail(8, "error_rate", segment), fail(8, "volume", other_segment)])) == incidents


def test_failures_confined_to_no_segment_are_one_incident_whatever_they_name_first() -> None:
    assert len(group([loose(8, "error_rate", IOS), loose(8, "missing_version", WEB), fail(8, "sample")])) == 1


def test_a_failure_confined_to_no_segment_joins_the_only_segment() -> None:
    for failure in (loose(8, "missing_version", WEB), fail(8, "sample")):
        assert shape(group([fail(8, "error_rate", IOS), failure])) == [([8], sorted(["error_rate", failure.guardrail]))]


def test_of_two_segments_it_joins_the_one_it_names_or_else_neither() -> None:
    two = [fail(8, "error_rate", IOS), fail(8, "volume", WEB)]
    assert shape(group([*two, fail(8, "sample")])) == [([8], ["error_rate"]), ([8], ["sample"]), ([8], ["volume"])]
    named = group([*two, loose(8, "missing_version", WEB)])
    assert shape(named) == [([8], ["missing_version", "volume"]), ([8], ["error_rate"])]
    spread = fail(8, "duplicates", EVERYWHERE, foremost=EVERYWHERE, is_confined=True)
    assert ([8], ["duplicates", "sample"]) in shape(group([*two, spread, fail(8, "sample")]))


def test_an_evenly_spread_change_has_another_root_cause_than_a_confined_one() -> None:
    spread = fail(8, "duplicates", EVERYWHERE, foremost=EVERYWHERE, is_confined=True)
    assert len(group([spread, fail(8, "silence", IOS)])) == 2
    assert len(group([spread, replace(spread, guardrail="error_rate")])) == 1


def test_on_a_day_without_events_everything_has_one_root_cause() -> None:
    failures = [
        fail(8, "activity"),
        fail(8, "volume", EVERYWHERE, foremost=EVERYWHERE, is_confined=True),
        fail(8, "silence", IOS),
    ]
    assert shape(group(failures)) == [([8], ["activity", "silence", "volume"])]


@pytest.mark.parametrize(
    ("guardrail", "root_cause", "goes_on"),
    [
        ("error_rate", IOS, True),
        ("error_rate", WEB, True),
        ("error_rate", EVERYWHERE, True),
        ("volume", IOS, True),
        ("volume", IOS_VIEWS, True),
        ("volume", WEB, False),
    ],
)
def test_an_incident_goes_on_by_segment_or_by_guardrail(guardrail: str, root_cause: str, goes_on: bool) -> None:
    found = group([fail(8, "error_rate", IOS), fail(9, guardrail, root_cause)])
    assert (len(found) == 1) is goes_on


def test_of_two_incidents_the_one_in_the_same_segment_goes_on_and_the_other_ends() -> None:
    failures = [fail(8, "error_rate", IOS), fail(8, "volume", WEB), fail(9, "volume", IOS)]
    assert shape(group(failures)) == [([8, 9], ["error_rate", "volume"]), ([8], ["volume"])]


def test_a_day_that_passes_closes_an_incident_and_the_next_failure_is_another() -> None:
    found = group([fail(8), fail(9), fail(11)])
    assert shape(found) == [([8, 9], ["error_rate"]), ([11], ["error_rate"])]
    assert [incident.is_open for incident in found] == [False, False]


@pytest.mark.parametrize(("last_judged", "is_open"), [(8, True), (9, False)])
def test_an_incident_is_open_until_a_later_day_is_judged_otherwise(last_judged: int, is_open: bool) -> None:
    (incident,) = group([fail(8)], days_between(FIRST, day(last_judged)))
    assert incident.is_open is is_open


def test_a_day_that_was_not_judged_closes_nothing_and_is_not_a_failed_day() -> None:
    (incident,) = group([fail(8), fail(10)], [judged for judged in MARCH if judged != day(9)])
    assert incident.days == (day(8), day(10))


def test_unreadable_days_are_an_incident_of_their_own_and_close_no_other() -> None:
    failures = [fail(8, "activity"), unreadable(9), unreadable(10), fail(11, "activity")]
    found = group(failures, days_between(FIRST, day(11)))
    assert shape(found) == [([8, 11], ["activity"]), ([9, 10], ["activity"])]
    assert [incident.root_cause for incident in found] == [EVERYWHERE, UNREADABLE]
    assert [incident.is_open for incident in found] == [True, False]


def test_a_failing_incident_stays_open_while_days_cannot_be_read() -> None:
    found = group([fail(8), unreadable(9)], days_between(FIRST, day(9)))
    assert [(incident.root_cause, incident.is_open) for incident in found] == [(EVERYWHERE, True), (UNREADABLE, True)]


def test_earlier_failing_days_that_are_judged_later_join_the_incident() -> None:
    later = [fail(9), fail(10)]
    judged = list(days_between(day(9), day(12)))
    action = group(later, judged)[0].decide(Action.ACKNOWLEDGE, "ada", NOW)
    (grown,) = group([fail(7), fail(8), *later], [day(7), day(8), *judged], [action])
    assert (grown.key, grown.acknowledged_by) == ("web/2026-03-07", "ada")
