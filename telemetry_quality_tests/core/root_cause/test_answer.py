from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry_quality.core.guardrails.verdicts import Cause, Place
from telemetry_quality.core.root_cause import Measure, explain, sentence
from telemetry_quality_tests.core.root_cause.streams import (
    PAST,
    PLACES,
    REFERENCE,
    Events,
    at,
    double,
    fail,
    lose,
    make_events,
    take_apart,
    untag,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def first(measure: Measure, events: Sequence[Events], expected_events: float | None = None) -> Cause:
    return explain(measure, take_apart(events), REFERENCE, expected_events)[0]


def is_near(named: Place, true: Place) -> bool:
    """The same words, hours within one at each end."""
    if (named.hours is None) != (true.hours is None) or set(named.parts) != set(true.parts):
        return False
    return all(abs(a - b) <= 1 for a, b in zip(named.hours or (), true.hours or (), strict=True))


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_place_that_lost_its_events_is_the_first_cause(place: Place) -> None:
    cause = first(Measure.EVENTS, at(place, lose(1.0), make_events()))

    assert is_near(cause.place, place)
    assert cause.found == 0
    assert cause.expected > 0


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_place_whose_events_came_twice_is_the_first_cause(place: Place) -> None:
    assert is_near(first(Measure.EVENTS, at(place, double, make_events())).place, place)


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_place_that_fails_is_the_first_cause_though_no_earlier_day_had_an_error(place: Place) -> None:
    cause = first(Measure.ERRORS, at(place, fail(0.3), make_events()))

    assert is_near(cause.place, place)
    assert cause.share_percent == pytest.approx(100, abs=1)


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_events_that_lost_their_version_are_named_by_what_they_were(place: Place) -> None:
    assert is_near(first(Measure.MISSING_VERSION, at(place, untag, make_events())).place, place)


@pytest.mark.parametrize(
    "place", [each for each in PLACES if not {"platform", "country"} & dict(each.parts).keys()], ids=str
)
@pytest.mark.parametrize("measure", [Measure.MISSING_CRITICAL, Measure.LATE])
def test_missing_fields_and_late_events_are_found_within_the_aggregates(place: Place, measure: Measure) -> None:
    def spoil(each: Events) -> Events:
        return replace(each, missing=each.count // 2, late=each.count // 2)

    assert is_near(first(measure, at(place, spoil, make_events())).place, place)


@pytest.mark.parametrize(
    ("measure", "change"),
    [
        (Measure.EVENTS, lose(0.5)),
        (Measure.EVENTS, double),
        (Measure.ERRORS, fail(0.2)),
        (Measure.MISSING_VERSION, untag),
    ],
)
def test_a_change_that_is_the_same_everywhere_is_not_pinned_on_a_place(
    measure: Measure, change: Callable[[Events], Events]
) -> None:
    cause = first(measure, at(Place(), change, make_events()), expected_events=60_000)

    assert cause.place == Place()
    assert cause.share_percent == 100


def test_a_new_signal_is_what_was_added() -> None:
    new = [replace(each, name="surprise") for each in make_events() if each.name == "search"]

    cause = first(Measure.EVENTS, [*make_events(), *new])

    assert cause.place == Place((("event_name", "surprise"),))
    assert cause.expected == 0


def test_a_day_like_all_others_is_not_pinned_on_a_place() -> None:
    usual = [take_apart(make_events(), day) for day in PAST]

    assert explain(Measure.EVENTS, take_apart(make_events()), usual, None)[0].place == Place()


def test_a_day_without_any_event_lost_everything_everywhere() -> None:
    cause = first(Measure.EVENTS, [])

    assert cause.place == Place()
    assert cause.found == 0


def test_fewer_errors_than_usual_in_one_place_are_no_cause_of_more() -> None:
    everywhere = [replace(each, errors=each.count // 10) for each in make_events()]
    past = [take_apart(everywhere, day) for day in PAST]
    platform = Place((("platform", "ios"),))
    better = take_apart(at(platform, lambda each: replace(each, errors=0), everywhere))

    assert explain(Measure.ERRORS, better, past, None) == ()


@pytest.mark.parametrize("measure", Measure)
def test_without_reference_days_there_are_no_causes(measure: Measure) -> None:
    assert explain(measure, take_apart(make_events()), (), 60_000) == ()
    assert explain(measure, take_apart(make_events()), (take_apart([], PAST[0]),), 60_000) == ()


def test_a_stream_without_dimensions_is_explained_by_its_aggregates() -> None:
    place = Place((("service_version", "a3"),))
    day = take_apart(at(place, lose(1.0), make_events()))
    reference = [replace(parts, slices={}) for parts in REFERENCE]

    assert explain(Measure.EVENTS, replace(day, slices={}), reference, None)[0].place == place


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
        place, (measure, change) = PLACES[number % len(PLACES)], faults[number % len(faults)]
        cause = first(measure, at(place, change, days[number % 6]), random.gauss(61_000, 2_000))
        if not is_near(cause.place, place):
            missed.append(f"{measure} {place}: {cause.place}")

    assert len(missed) <= 3, missed


counts = st.integers(0, 10**6)
a_value = st.sampled_from(["a", "b", "", None])
some_events = st.builds(
    Events, st.integers(0, 24), a_value, a_value, a_value, a_value, counts, counts, counts, counts, counts
)


@settings(max_examples=60, deadline=None)
@given(
    day=st.lists(some_events, max_size=12),
    reference=st.lists(st.lists(some_events, max_size=12), max_size=3),
    measure=st.sampled_from(Measure),
    expected=st.none() | st.floats(0, 1e9),
)
def test_whatever_the_counts_there_are_at_most_five_causes_with_finite_numbers(
    day: list[Events], reference: list[list[Events]], measure: Measure, expected: float | None
) -> None:
    earlier = [take_apart(events, past) for events, past in zip(reference, PAST, strict=False)]

    causes = explain(measure, take_apart(day), earlier, expected)

    assert len(causes) <= 5
    assert len({cause.place for cause in causes}) == len(causes)
    for cause in causes:
        assert cause.share_percent is not None
        assert 0 <= cause.share_percent <= 100
        assert 0 <= cause.expected < float("inf")
    assert sentence(causes, measure).endswith(".")
