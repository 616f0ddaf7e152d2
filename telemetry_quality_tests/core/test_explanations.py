from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry_quality.core.events import AggregateRow, DayAggregates, Slice, SliceCounts
from telemetry_quality.core.explanations import DayParts, Measure, explain, reference_days, sentence
from telemetry_quality.core.guardrails.verdicts import Cause, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

DAY = date(2026, 3, 10)
PAST = tuple(DAY - timedelta(days=7 * week) for week in (4, 3, 2, 1))


@dataclass(frozen=True)
class Events:
    """Some events that are alike."""

    hour: int
    name: str | None
    version: str | None
    platform: str | None
    country: str | None
    count: int
    errors: int = 0
    untagged: int = 0
    missing: int = 0
    late: int = 0

    def holds(self, place: Place) -> bool:
        values = {
            "event_name": self.name,
            "service_version": self.version,
            "platform": self.platform,
            "country": self.country,
        }
        in_hours = place.hours is None or place.hours[0] <= self.hour <= place.hours[1]
        return in_hours and all(values[name] == value for name, value in place.parts)


PLATFORMS: dict[str | None, tuple[float, tuple[tuple[str | None, float], ...]]] = {
    "ios": (0.4, (("i2", 0.7), ("i1", 0.3))),
    "android": (0.35, (("a3", 0.6), ("a2", 0.4))),
    "web": (0.25, (("w1", 0.8), (None, 0.2))),
}
NAMES = {"page.view": 0.5, "search": 0.3, "purchase": 0.2}
COUNTRIES: dict[str | None, float] = {"DE": 0.5, "FR": 0.3, None: 0.2}


def make_events(volume: float = 60_000, noise: Random | None = None) -> list[Events]:
    """A day; without noise exactly as expected, else every value of every attribute has its own."""

    def sway(spread: float) -> float:
        return noise.lognormvariate(0, spread) if noise else 1.0

    swayed: defaultdict[object, float] = defaultdict(lambda: sway(0.04))
    day = []
    for platform, (share, versions) in PLATFORMS.items():
        for version, part in versions:
            for name, of_name in NAMES.items():
                for country, of_country in COUNTRIES.items():
                    for hour in range(24):
                        busy = 1.5 if 8 <= hour < 20 else 0.5
                        liking = 1.6 if (platform, name) in {("ios", "page.view"), ("web", "search")} else 1.0
                        mean = volume / 24 * share * part * of_name * of_country * busy * liking
                        mean *= swayed[version] * swayed[name] * swayed[country, "c"] * swayed[hour] * sway(0.1)
                        count = max(0, round(noise.gauss(mean, mean**0.5) if noise else mean))
                        untagged = count if version is None else 0
                        day.append(Events(hour, name, version, platform, country, count, untagged=untagged))
    return day


def at(place: Place, change: Callable[[Events], Events], events: Iterable[Events]) -> list[Events]:
    return [change(each) if each.holds(place) else each for each in events]


def lose(share: float) -> Callable[[Events], Events]:
    return lambda each: replace(each, count=round(each.count * (1 - share)))


def double(each: Events) -> Events:
    return replace(each, count=2 * each.count)


def fail(share: float) -> Callable[[Events], Events]:
    return lambda each: replace(each, errors=round(each.count * share))


def untag(each: Events) -> Events:
    return replace(each, version=None, untagged=each.count)


def take_apart(events: Sequence[Events], day: date = DAY) -> DayParts:
    rows: defaultdict[tuple[int, str | None, str | None], list[int]] = defaultdict(lambda: [0] * 5)
    slices: defaultdict[Slice, list[int]] = defaultdict(lambda: [0] * 3)
    for each in events:
        figures = (each.count, each.errors, each.untagged, each.missing, each.late)
        row = rows[each.hour, each.name, each.version]
        row[:] = [a + b for a, b in zip(row, figures, strict=True)]
        for dimension, value in (("platform", each.platform), ("country", each.country)):
            for by, by_value in ((None, None), ("event_name", each.name), ("service_version", each.version)):
                cut = slices[Slice(dimension, value, by, by_value)]
                cut[:] = [a + b for a, b in zip(cut, figures[:3], strict=True)]
            cut = slices[Slice(dimension, value, "hour", str(each.hour))]
            cut[:] = [a + b for a, b in zip(cut, figures[:3], strict=True)]
    aggregates = DayAggregates(
        tuple(
            AggregateRow(hour, name, version, count, errors, 0, untagged, (missing,), late)
            for (hour, name, version), (count, errors, untagged, missing, late) in rows.items()
            if count
        ),
        ("user_id",),
    )
    kept = {cut: SliceCounts(events, errors, untagged) for cut, (events, errors, untagged) in slices.items() if events}
    return DayParts(day, aggregates, kept)


REFERENCE = tuple(take_apart(make_events(noise=Random(number)), day) for number, day in enumerate(PAST))


def first(measure: Measure, events: Sequence[Events], expected_events: float | None = None) -> Cause:
    return explain(measure, take_apart(events), REFERENCE, expected_events)[0]


PLACES = [
    Place((("event_name", "search"),)),
    Place((("service_version", "a3"),)),
    Place((("platform", "ios"),)),
    Place((("country", None),)),
    Place(hours=(14, 23)),
    Place(hours=(3, 9)),
    Place((("event_name", "page.view"), ("service_version", "i2"))),
    Place((("platform", "ios"), ("event_name", "page.view"))),
    Place((("country", "FR"), ("service_version", "a2"))),
    Place((("platform", "android"),), (8, 15)),
    Place((("event_name", "search"),), (10, 23)),
    Place((("service_version", "a2"),), (6, 18)),
]


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


def test_only_earlier_days_are_references() -> None:
    days = [DAY + timedelta(days=offset) for offset in range(-40, 30)]

    assert reference_days(DAY, days) == PAST
    assert reference_days(DAY, [DAY, DAY + timedelta(days=7)]) == ()


def test_too_few_same_weekdays_are_topped_up_by_the_last_days() -> None:
    days = [DAY - timedelta(days=offset) for offset in range(1, 10)]

    assert reference_days(DAY, days) == tuple(DAY - timedelta(days=offset) for offset in (7, 3, 2, 1))


def test_an_unknown_same_weekday_is_replaced_by_an_older_one() -> None:
    days = [DAY - timedelta(days=offset) for offset in range(1, 40) if offset != 14]

    assert reference_days(DAY, days) == tuple(DAY - timedelta(days=offset) for offset in (35, 28, 21, 7))


def test_a_sentence_says_how_much_of_what_lies_where() -> None:
    place = Place((("platform", "ios"), ("event_name", "page.view")), (14, 23))

    assert sentence([Cause(place, 4210, 0, 92.4)], Measure.EVENTS) == (
        "92 % of the missing events are platform=ios × event_name=page.view, hours 14 to 23 (0 instead of 4,210)."
    )


def test_a_sentence_about_hours_alone_reads_as_one() -> None:
    assert sentence([Cause(Place(hours=(14, 23)), 100, 400, 75)], Measure.ERRORS) == (
        "75 % of the additional errors fall into hours 14 to 23 (400 instead of 100)."
    )


@pytest.mark.parametrize(
    ("measure", "expected", "found", "start"),
    [
        (Measure.EVENTS, 10, 2000, "80 % of the additional events are"),
        (Measure.ERRORS, 10, 2000, "80 % of the additional errors are"),
        (Measure.MISSING_VERSION, 10, 2000, "80 % of the additional events without a version are"),
        (Measure.MISSING_CRITICAL, 10, 2000, "80 % of the additional missing critical values are"),
        (Measure.LATE, 10, 2000, "80 % of the additional late events are"),
        (Measure.ERRORS, 2000, 10, "80 % of the missing errors are"),
    ],
)
def test_a_sentence_names_what_changed(measure: Measure, expected: float, found: float, start: str) -> None:
    cause = Cause(Place((("country", None),)), expected, found, 80)

    assert sentence([cause], measure).startswith(f"{start} country=(null) (")


def test_a_sentence_about_everywhere_and_one_about_nothing() -> None:
    everywhere = Cause(Place(), 60_000, 30_000, 100)

    assert sentence([everywhere], Measure.EVENTS) == (
        "The change is spread over the whole stream (30,000 instead of 60,000)."
    )
    assert sentence([], Measure.EVENTS) == "There is nothing to compare the day with."


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
