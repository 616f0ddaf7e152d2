from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry_quality.core.guardrails.verdicts import Contributor, Segment
from telemetry_quality.core.root_cause import Measure, RateMeasure, find_root_cause
from telemetry_quality.core.root_cause.wording import sentence
from telemetry_quality_tests.core.root_cause.streams import (
    PAST,
    REFERENCE,
    SEGMENTS,
    Events,
    at,
    break_down,
    double,
    fail,
    lose,
    make_events,
    sell,
    untag,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def first(measure: Measure, events: Sequence[Events], expected_events: float | None = None) -> Contributor:
    return find_root_cause(measure, break_down(events), REFERENCE, expected_events)[0]


def is_near(named: Segment, true: Segment) -> bool:
    """Whether the parts are equal, and the hours within one at each end."""
    if (named.hours is None) != (true.hours is None) or set(named.parts) != set(true.parts):
        return False
    return all(abs(a - b) <= 1 for a, b in zip(named.hours or (), true.hours or (), strict=True))


@pytest.mark.parametrize("segment", SEGMENTS, ids=str)
def test_a_segment_that_lost_its_events_is_the_first_contributor(segment: Segment) -> None:
    contributor = first(Measure.EVENTS, at(segment, lose(1.0), make_events()))

    assert is_near(contributor.segment, segment)
    assert contributor.found == 0
    assert contributor.expected > 0


@pytest.mark.parametrize("segment", SEGMENTS, ids=str)
def test_a_segment_whose_events_came_twice_is_the_first_contributor(segment: Segment) -> None:
    assert is_near(first(Measure.EVENTS, at(segment, double, make_events())).segment, segment)


@pytest.mark.parametrize("segment", SEGMENTS, ids=str)
def test_a_segment_that_fails_is_the_first_contributor_although_no_earlier_day_had_an_error(segment: Segment) -> None:
    contributor = first(Measure.ERRORS, at(segment, fail(0.3), make_events()))

    assert is_near(contributor.segment, segment)
    assert contributor.share_percent == pytest.approx(100, abs=1)


@pytest.mark.parametrize("segment", SEGMENTS, ids=str)
def test_events_that_lost_their_version_are_named_by_what_they_were(segment: Segment) -> None:
    assert is_near(first(Measure.MISSING_VERSION, at(segment, untag, make_events())).segment, segment)


SELLING = tuple(
    break_down([sell(0.6)(group) for group in make_events(noise=Random(number))], day)
    for number, day in enumerate(PAST)
)
"""Days on which 60 % of the baskets were paid, which is 30 % of all events."""


@pytest.mark.parametrize("segment", SEGMENTS, ids=str)
@pytest.mark.parametrize(
    ("paid", "measure"),
    [
        (1.0, RateMeasure("paid", "paid.of")),
        (1.0, RateMeasure("paid")),
        (0.2, RateMeasure("paid", "paid.of", is_of_the_rest=True)),
        (0.2, RateMeasure("paid", is_of_the_rest=True)),
    ],
)
def test_a_segment_where_a_rate_moved_is_the_first_contributor(
    segment: Segment, paid: float, measure: RateMeasure
) -> None:
    usual = [sell(0.6)(group) for group in make_events()]
    contributor = find_root_cause(measure, break_down(at(segment, sell(paid), usual)), SELLING, None)[0]
    inside = [sell(paid)(group) for group in usual if group.holds(segment)]
    whole = sum(group.baskets if measure.base else group.count for group in inside)
    matching = sum(group.paid for group in inside)

    assert is_near(contributor.segment, segment)
    if segment.hours is None:
        assert contributor.found == (whole - matching if measure.is_of_the_rest else matching)


def test_a_rate_that_improved_has_no_contributors() -> None:
    usual = [sell(0.6)(group) for group in make_events()]
    better = break_down([sell(0.9)(group) for group in usual])
    assert find_root_cause(RateMeasure("paid", "paid.of", is_of_the_rest=True), better, SELLING, None) == ()


@pytest.mark.parametrize(
    "segment", [segment for segment in SEGMENTS if not {"platform", "country"} & dict(segment.parts).keys()], ids=str
)
@pytest.mark.parametrize("measure", [Measure.MISSING_CRITICAL, Measure.LATE])
def test_missing_fields_and_late_events_are_found_within_the_aggregates(segment: Segment, measure: Measure) -> None:
    def spoil(group: Events) -> Events:
        return replace(group, missing=group.count // 2, late=group.count // 2)

    assert is_near(first(measure, at(segment, spoil, make_events())).segment, segment)


@pytest.mark.parametrize(
    ("measure", "change"),
    [
        (Measure.EVENTS, lose(0.5)),
        (Measure.EVENTS, double),
        (Measure.ERRORS, fail(0.2)),
        (Measure.MISSING_VERSION, untag),
    ],
)
def test_a_change_that_is_the_same_everywhere_is_not_blamed_on_a_segment(
    measure: Measure, change: Callable[[Events], Events]
) -> None:
    contributor = first(measure, at(Segment(), change, make_events()), expected_events=60_000)

    assert contributor.segment == Segment()
    assert contributor.share_percent == 100


def test_a_new_signal_is_the_segment_that_was_added() -> None:
    new = [replace(group, name="surprise") for group in make_events() if group.name == "search"]

    contributor = first(Measure.EVENTS, [*make_events(), *new])

    assert contributor.segment == Segment((("event_name", "surprise"),))
    assert contributor.expected == 0


def test_a_day_like_all_others_is_not_blamed_on_a_segment() -> None:
    usual = [break_down(make_events(), day) for day in PAST]

    assert find_root_cause(Measure.EVENTS, break_down(make_events()), usual, None)[0].segment == Segment()


def test_a_day_without_any_event_lost_everything_everywhere() -> None:
    contributor = first(Measure.EVENTS, [])

    assert contributor.segment == Segment()
    assert contributor.found == 0


def test_fewer_errors_than_usual_in_a_segment_do_not_contribute_to_more_errors() -> None:
    everywhere = [replace(group, errors=group.count // 10) for group in make_events()]
    past = [break_down(everywhere, day) for day in PAST]
    platform = Segment((("platform", "ios"),))
    better = break_down(at(platform, lambda group: replace(group, errors=0), everywhere))

    assert find_root_cause(Measure.ERRORS, better, past, None) == ()


@pytest.mark.parametrize("measure", Measure)
def test_without_reference_days_there_are_no_contributors(measure: Measure) -> None:
    assert find_root_cause(measure, break_down(make_events()), (), 60_000) == ()
    assert find_root_cause(measure, break_down(make_events()), (break_down([], PAST[0]),), 60_000) == ()


def test_the_aggregates_show_the_root_cause_of_a_stream_without_dimensions() -> None:
    segment = Segment((("service_version", "a3"),))
    day = break_down(at(segment, lose(1.0), make_events()))
    reference = [replace(breakdown, slices={}) for breakdown in REFERENCE]

    assert find_root_cause(Measure.EVENTS, replace(day, slices={}), reference, None)[0].segment == segment


@pytest.mark.slow
def test_nearly_all_of_sixty_random_faults_are_found_first() -> None:
    random = Random(20)
    days = [make_events(noise=random) for _ in range(6)]
    faults: list[tuple[Measure, Callable[[Events], Events]]] = [
        (Measure.EVENTS, lose(1.0)),
        (Measure.EVENTS, lose(0.6)),
        (Measure.EVENTS, double),
        (Measure.ERRORS, fail(0.3)),
        (Measure.MISSING_VERSION, untag),
    ]
    missed = []
    for number in range(60):
        segment, (measure, change) = SEGMENTS[number % len(SEGMENTS)], faults[number % len(faults)]
        contributor = first(measure, at(segment, change, days[number % 6]), random.gauss(61_000, 2_000))
        if not is_near(contributor.segment, segment):
            missed.append(f"{measure} {segment}: {contributor.segment}")

    assert len(missed) <= 3, missed


counts = st.integers(0, 10**6)
a_value = st.sampled_from(["a", "b", "", None])
some_events = st.builds(
    lambda events, sold: replace(events, paid=sold[0], baskets=sold[1], count=sold[2]),
    st.builds(Events, st.integers(0, 24), a_value, a_value, a_value, a_value, counts, counts, counts, counts, counts),
    st.tuples(counts, counts, counts).map(sorted),
)


@settings(max_examples=60, deadline=None)
@given(
    day=st.lists(some_events, max_size=12),
    reference=st.lists(st.lists(some_events, max_size=12), max_size=3),
    measure=st.sampled_from([*Measure, RateMeasure("paid"), RateMeasure("paid", "paid.of", is_of_the_rest=True)]),
    expected=st.none() | st.floats(0, 1e9),
)
def test_whatever_the_counts_there_are_at_most_five_contributors_with_finite_numbers(
    day: list[Events], reference: list[list[Events]], measure: Measure | RateMeasure, expected: float | None
) -> None:
    earlier = [break_down(events, past) for events, past in zip(reference, PAST, strict=False)]

    contributors = find_root_cause(measure, break_down(day), earlier, expected)

    assert len(contributors) <= 5
    assert len({contributor.segment for contributor in contributors}) == len(contributors)
    for contributor in contributors:
        assert contributor.share_percent is not None
        assert 0 <= contributor.share_percent <= 100
        assert 0 <= contributor.expected < float("inf")
    assert sentence(contributors, measure).endswith(".")
