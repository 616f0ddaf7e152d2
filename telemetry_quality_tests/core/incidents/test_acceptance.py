"""Acceptance: what is accepted with an incident, and which later failures are still only that."""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.incidents import EVERYWHERE, AcceptedFailure, Action
from telemetry_quality.core.incidents.acceptance import HOURS_APART, MARKEDLY, MOST_SEGMENTS, accepted_failures
from telemetry_quality.errors import RequestError
from telemetry_quality_tests.core.incidents.march import (
    IOS,
    IOS_VIEWS,
    NOW,
    TODAY,
    WEB,
    day,
    decided,
    fail,
    group,
    loose,
    segment,
    unreadable,
)

if TYPE_CHECKING:
    from telemetry_quality.core.incidents.failures import FailedGuardrail


def accepted(*failures: FailedGuardrail) -> AcceptedFailure:
    (found,) = accepted_failures(failures)
    return found


def shifted(number: int, *changes: tuple[str, float, float], hours: tuple[int, int] | None = None) -> FailedGuardrail:
    """A failure whose contributors changed each for itself, from what was expected to what was found."""
    contributors = tuple(
        replace(segment(text, None, hours), expected=expected, found=found) for text, expected, found in changes
    )
    return fail(number, "version_drift", changes[0][0], contributors=contributors)


def test_what_is_accepted_is_the_worst_of_each_guardrail_and_reason_on_all_its_days() -> None:
    failures = [
        fail(8, value=10.0, root_cause=IOS),
        fail(9, value=20.0, root_cause=EVERYWHERE, foremost=WEB),
        fail(9, "missing_version", value=3.0, threshold=1.0),
        fail(10, reason_code="OTHER"),
    ]

    errors, versions, other = accepted_failures(failures)

    assert (errors.days, errors.value, errors.times_threshold) == ((day(8), day(9)), 20.0, 4.0)
    assert (set(errors.segments), errors.is_confined) == ({IOS, EVERYWHERE, WEB}, True)
    assert (versions.guardrail, other.reason_code) == ("missing_version", "OTHER")


def test_it_is_read_back_from_json_as_it_was() -> None:
    found = accepted(shifted(8, (IOS, 1.0, 40.0), ("", 2.0, 1.0), hours=(2, 4)))

    assert AcceptedFailure.from_json(json.loads(json.dumps(found.as_json()))) == found


@pytest.mark.parametrize(("value", "is_covered"), [(24.9, True), (20 * MARKEDLY, True), (25.1, False), (6.0, True)])
def test_a_failure_not_markedly_farther_beyond_its_threshold_is_covered(value: float, is_covered: bool) -> None:
    known = accepted(fail(8, value=10.0), fail(9, value=20.0), fail(10, value=12.0))

    assert known.covers(fail(12, value=value)) is is_covered


@pytest.mark.parametrize(("value", "is_covered"), [(4.9, True), (4 * MARKEDLY, True), (5.1, False), (None, False)])
def test_without_a_threshold_to_divide_by_the_values_are_compared(value: float | None, is_covered: bool) -> None:
    known = accepted(fail(8, "activity", value=4.0, threshold=0.0))

    assert known.times_threshold is None
    assert known.covers(fail(12, "activity", value=value, threshold=0.0)) is is_covered


def test_a_failure_without_any_number_covers_the_same_failure() -> None:
    known = accepted(fail(8, value=None))

    assert fail(8, value=None).times_threshold() == inf
    assert known.covers(fail(12, value=None))


@pytest.mark.parametrize(
    ("failure", "is_covered"),
    [
        (fail(12, root_cause=IOS), True),
        (fail(12, root_cause=IOS_VIEWS), True),
        (fail(12, root_cause=EVERYWHERE), True),
        (loose(12, "error_rate", IOS), True),
        (fail(12, root_cause=f"{IOS} × service_version=1.0"), True),
        (fail(12, root_cause=WEB), False),
        (fail(12, root_cause=EVERYWHERE, foremost=WEB, is_confined=True), False),
        (fail(12, "missing_version", root_cause=IOS), False),
        (fail(12, root_cause=IOS, reason_code="OTHER"), False),
    ],
)
def test_only_the_same_failure_in_the_same_segment_is_covered(failure: FailedGuardrail, is_covered: bool) -> None:
    assert accepted(fail(8, root_cause=IOS)).covers(failure) is is_covered


def test_what_was_everywhere_does_not_cover_a_failure_confined_to_a_segment() -> None:
    assert not accepted(fail(8)).covers(fail(12, root_cause=IOS))
    assert accepted(fail(8)).covers(fail(12))


@pytest.mark.parametrize(
    ("found", "is_covered"),
    [(40.0, True), (49.7, True), (49.75, True), (49.8, False), (20.0, True), (1.0, True), (0.5, False)],
)
def test_a_segment_that_rose_may_rise_by_a_quarter_of_the_change_but_not_fall(found: float, is_covered: bool) -> None:
    known = accepted(shifted(8, (IOS, 1.0, 40.0)))

    assert known.covers(shifted(12, (IOS, 1.0, found))) is is_covered


@pytest.mark.parametrize(("found", "is_covered"), [(50.0, True), (40.0, True), (37.5, True), (37.4, False)])
def test_a_segment_that_fell_may_fall_by_a_quarter_of_the_change(found: float, is_covered: bool) -> None:
    known = accepted(shifted(8, (IOS, 100.0, 80.0)), shifted(9, (IOS, 100.0, 50.0)))

    assert known.covers(shifted(12, (IOS, 100.0, found))) is is_covered


def test_a_further_change_on_top_of_what_became_usual_is_not_covered() -> None:
    known = accepted(shifted(8, (IOS, 1.0, 40.0)))

    assert not known.covers(shifted(30, (IOS, 40.0, 75.0)))


def test_of_several_segments_those_that_were_not_accepted_are_left() -> None:
    known = accepted(shifted(8, (IOS, 1.0, 40.0)))
    later = shifted(12, (IOS, 1.0, 40.0), (WEB, 1.0, 40.0))

    assert not known.covers(later)
    assert known.rest_of(later.contributors) == later.contributors[1:]
    assert known.covers(shifted(12, (IOS_VIEWS, 1.0, 40.0)))
    assert not known.covers(shifted(12, ("", 1.0, 40.0)))
    assert not accepted(shifted(8, ("", 1.0, 40.0))).covers(shifted(12, (IOS, 1.0, 40.0)))


@pytest.mark.parametrize(
    ("hours", "is_covered"),
    [((8, 10), True), ((8 - HOURS_APART, 10 + HOURS_APART), True), ((6, 10), False), ((8, 12), False), (None, False)],
)
def test_hours_must_be_about_those_that_were_accepted(hours: tuple[int, int] | None, is_covered: bool) -> None:
    known = accepted(shifted(8, ("", 100.0, 0.0), hours=(8, 10)))

    assert known.covers(shifted(12, ("", 100.0, 0.0), hours=hours)) is is_covered


@pytest.mark.parametrize("count", [MOST_SEGMENTS - 1, MOST_SEGMENTS, MOST_SEGMENTS + 1])
def test_at_most_so_many_segments_are_stored_those_that_changed_most(count: int) -> None:
    changes = [(f"platform={number}", 1.0, 2.0 + number) for number in range(count)]

    found = accepted(shifted(8, *changes)).contributors

    assert len(found) == min(count, MOST_SEGMENTS)
    assert found[0].found == 1.0 + count


# The incident


def test_an_accepted_incident_is_closed_and_says_by_whom() -> None:
    (incident,) = group([fail(18), fail(19)])

    (known,) = group([fail(18), fail(19)], actions=decided(incident, Action.ACCEPT))

    assert (incident.is_open, known.is_open, known.is_accepted, known.accepted_by) == (True, False, True, "ada")
    assert known.state_words(TODAY) == ("closed", "accepted by ada")
    assert known.as_json(TODAY)["accepted_by"] == "ada"


def test_a_day_that_fails_after_the_acceptance_opens_it_again() -> None:
    (incident,) = group([fail(17), fail(18)])

    (grown,) = group([fail(17), fail(18), fail(19)], actions=decided(incident, Action.ACCEPT))

    assert (grown.is_open, grown.is_accepted) == (True, False)
    assert grown.state_words(TODAY) == ("open", f"accepted up to {day(18)} by ada")


@pytest.mark.parametrize(
    ("actions", "words"),
    [
        ((Action.ACCEPT, Action.DISMISS), ("open", "dismissed")),
        ((Action.ACCEPT, Action.CONFIRM), ("open", "confirmed")),
        ((Action.CONFIRM, Action.ACCEPT), ("closed", "accepted by ada")),
        ((Action.ACCEPT, Action.MUTE), ("closed", f"muted until {TODAY}", "accepted by ada")),
    ],
)
def test_the_last_word_on_an_incident_counts(actions: tuple[Action, ...], words: tuple[str, ...]) -> None:
    (incident,) = group([fail(19)])

    (known,) = group([fail(19)], actions=decided(incident, *actions))

    assert known.state_words(TODAY) == words


def test_days_that_could_not_be_read_cannot_be_accepted() -> None:
    (incident,) = group([unreadable(8)])

    with pytest.raises(RequestError, match="could not be read"):
        incident.decide(Action.ACCEPT, "ada", NOW)


def test_only_an_acceptance_stores_how_the_guardrails_had_failed() -> None:
    (incident,) = group([fail(8)])

    assert [len(action.accepted) for action in decided(incident, Action.CONFIRM, Action.ACCEPT)] == [0, 1]


@pytest.mark.parametrize(
    ("segment", "is_covered"),
    [
        ("platform=ios × service_version=1.0", True),
        ("platform=web × event_name=page.view", False),
        ("service_version=1.0", False),
        ("carrier=ios", False),
    ],
)
def test_a_segment_with_a_condition_in_common_and_none_that_differs_is_covered(segment: str, is_covered: bool) -> None:
    known = accepted(fail(8, root_cause="platform=ios × event_name=page.view"))

    assert known.covers(fail(12, root_cause=segment)) is is_covered


@pytest.mark.parametrize(
    ("known", "found", "is_covered"), [("", IOS, True), (IOS, "", True), (IOS, WEB, False), (IOS, IOS, True)]
)
def test_hours_are_covered_though_a_single_segment_holds_them_on_some_days_only(
    known: str, found: str, is_covered: bool
) -> None:
    earlier = accepted(shifted(8, (known, 300.0, 0.0), hours=(9, 11)))

    assert earlier.covers(shifted(12, (found, 300.0, 10.0), hours=(9, 11))) is is_covered
