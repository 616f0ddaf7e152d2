"""The search for the segment, as a reduced form of its benchmark: which of the faults that are hard to find are named.

Most changes are small, or few events are left, so the constants that weigh segments against each other decide.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from random import Random
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.guardrails.verdicts import Segment
from telemetry_quality.core.root_cause import DayBreakdown, Measure, RateMeasure, find_root_cause
from telemetry_quality.core.root_cause.answer import _Change, _first, _tables
from telemetry_quality.core.root_cause.likelihood import Fit
from telemetry_quality.core.root_cause.noise import LEAST_SPREAD
from telemetry_quality.core.root_cause.search import SCREENED, Search
from telemetry_quality_tests.core.root_cause.streams import (
    PAST,
    SEGMENTS,
    at,
    double,
    fail,
    lose,
    make_events,
    sell,
    untag,
)
from telemetry_quality_tests.core.root_cause.streams import break_down as breakdown_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from telemetry_quality_tests.core.root_cause.streams import Events

SEGMENT_OF = {str(segment): segment for segment in SEGMENTS}


def untag_half(group: Events) -> Events:
    """Remove the version of the events of every second hour."""
    return replace(group, version=None, untagged=group.count) if group.hour % 2 else group


CHANGES: dict[str, tuple[Measure, Callable[[Events], Events]]] = {
    "loses 15 %": (Measure.EVENTS, lose(0.15)),
    "loses 30 %": (Measure.EVENTS, lose(0.3)),
    "loses all": (Measure.EVENTS, lose(1.0)),
    "doubles": (Measure.EVENTS, double),
    "fails by 4 %": (Measure.ERRORS, fail(0.04)),
    "fails by 30 %": (Measure.ERRORS, fail(0.3)),
    "loses versions": (Measure.MISSING_VERSION, untag),
    "loses half of its versions": (Measure.MISSING_VERSION, untag_half),
}


@cache
def reference(volumes: tuple[int, ...]) -> Sequence[DayBreakdown]:
    days = zip(PAST[-len(volumes) :], volumes, strict=True)
    return [breakdown_of(make_events(n, noise=Random(300 + number)), day) for number, (day, n) in enumerate(days)]


@pytest.mark.parametrize(
    ("segment", "change", "volumes", "expected", "named"),
    [
        (
            "country=(null)",
            "loses 15 %",
            (60000,) * 4,
            14049.196,
            (
                "country=(null)",
                "country=(null) × event_name=page.view",
                "country=DE",
                "country=(null) × service_version=i2",
                "country=(null) × event_name=search",
            ),
        ),
        (
            "platform=ios",
            "loses 30 %",
            (60000,) * 4,
            31418.842,
            (
                "platform=ios",
                "service_version=i2",
                "event_name=page.view × service_version=a3",
                "platform=android × event_name=purchase",
                "everywhere",
            ),
        ),
        (
            "between 14:00 and 24:00",
            "loses 30 %",
            (3000,) * 2,
            1553.5727,
            (
                "between 14:00 and 24:00",
                "event_name=page.view, between 14:00 and 24:00",
                "everywhere",
            ),
        ),
        (
            "platform=ios × event_name=page.view",
            "loses 30 %",
            (3000,) * 2,
            932.22437,
            (
                "platform=ios × event_name=page.view",
                "event_name=purchase × service_version=i1",
                "event_name=page.view × service_version=i2",
                "everywhere",
            ),
        ),
        (
            "event_name=search, between 10:00 and 24:00",
            "loses 30 %",
            (3000,) * 2,
            694.38638,
            (
                "event_name=search, between 10:00 and 23:00",
                "event_name=purchase × service_version=i1",
                "platform=android × event_name=search",
                "everywhere",
            ),
        ),
        (
            "platform=ios × event_name=page.view",
            "doubles",
            (3000,) * 4,
            1002.1314,
            (
                "platform=ios × event_name=page.view",
                "platform=ios, between 01:00 and 24:00",
                "event_name=page.view, between 00:00 and 23:00",
                "event_name=page.view × service_version=i2",
                "event_name=page.view × service_version=i1",
            ),
        ),
        (
            "event_name=search, between 10:00 and 24:00",
            "doubles",
            (3000,) * 4,
            729.47386,
            (
                "event_name=search, between 10:00 and 24:00",
                "country=DE × event_name=search",
                "platform=web × event_name=search",
                "platform=ios × event_name=search",
                "event_name=search × service_version=i2",
            ),
        ),
        (
            "between 03:00 and 10:00",
            "fails by 4 %",
            (3000,) * 3,
            5.9150445e-07,
            (
                "service_version=i2",
                "platform=ios",
                "everywhere",
                "country=DE",
            ),
        ),
        (
            "event_name=search",
            "loses versions",
            (60000,) * 4,
            1365.2264,
            (
                "event_name=search",
                "country=DE × event_name=search",
                "country=FR × event_name=search",
                "country=(null) × event_name=search",
            ),
        ),
        (
            "platform=ios",
            "loses half of its versions",
            (3000,) * 4,
            0.099729032,
            (
                "platform=ios, between 01:00 and 24:00",
                "country=DE, between 01:00 and 24:00",
                "country=FR, between 01:00 and 24:00",
            ),
        ),
        (
            "platform=ios × event_name=page.view",
            "loses versions",
            (600,) * 2,
            0.083336763,
            (
                "platform=ios × event_name=page.view",
                "platform=ios, between 00:00 and 23:00",
                "event_name=page.view, between 00:00 and 23:00",
                "between 01:00 and 24:00",
                "country=DE × event_name=page.view",
            ),
        ),
        (
            "event_name=search, between 10:00 and 24:00",
            "loses versions",
            (600,) * 2,
            10.501283,
            (
                "event_name=search, between 10:00 and 24:00",
                "country=DE × event_name=search",
                "country=FR × event_name=search",
                "country=(null) × event_name=search",
            ),
        ),
        (
            "event_name=search",
            "loses 15 %",
            (20000, 90000, 30000, 60000),
            8682.8927,
            (
                "event_name=purchase",
                "everywhere",
            ),
        ),
        (
            "event_name=search",
            "loses 30 %",
            (20000, 90000, 30000, 60000),
            15243.192,
            (
                "event_name=search",
                "everywhere",
                "event_name=purchase",
                "platform=ios × event_name=purchase",
                "platform=android × event_name=purchase",
            ),
        ),
    ],
)
def test_which_faults_that_are_hard_to_find_are_named(
    segment: str, change: str, volumes: tuple[int, ...], expected: float, named: tuple[str, ...]
) -> None:
    """``volumes`` belong to the reference days, the last also to the day; ``expected`` to the first contributor."""
    measure, broken = CHANGES[change]
    events = at(SEGMENT_OF[segment], broken, make_events(volumes[-1], noise=Random(100)))

    contributors = find_root_cause(measure, breakdown_of(events), reference(volumes), None)

    assert tuple(str(contributor.segment) for contributor in contributors) == named
    assert contributors[0].expected == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize(
    ("segment", "hours", "is_named"),
    [
        ("service_version=a3", 4, False),
        ("service_version=a3", 6, True),
        ("event_name=search × service_version=i1", 16, False),
        ("event_name=search × service_version=i1", 18, True),
    ],
)
def test_a_version_is_named_once_it_is_far_likelier_than_another_to_have_lost_its_tags(
    segment: str, hours: int, is_named: bool
) -> None:
    # Likelier by 5.9 and 7.5, 6.0 and 7.5 in logarithms, where 6 is required.
    where = Segment(tuple(tuple(part.split("=")) for part in segment.split(" × ")))  # type: ignore[misc]
    events = [
        untag(group) if group.holds(where) and group.hour < hours else group
        for group in make_events(3000, noise=Random(100))
    ]

    contributor = find_root_cause(Measure.MISSING_VERSION, breakdown_of(events), reference((3000,) * 4), None)[0]

    assert (contributor.segment.parts == where.parts) is is_named


def test_only_the_most_powerful_segments_are_judged_by_all_cells() -> None:
    day, past = breakdown_of(make_events(3000, noise=Random(100))), reference((3000,) * 4)
    tables, spread = _tables(Measure.EVENTS, day, past, None)
    search = Search(tables, spread)

    ranked = search.run()

    assert SCREENED <= len(ranked) < len(search.hypotheses)
    # Those with hours are compared with the same segment without hours, and all with everywhere.
    assert len([hypothesis for hypothesis in ranked if hypothesis.hours is not None]) <= SCREENED == 60


def test_reference_days_that_are_exactly_alike_are_still_not_taken_to_be_without_noise() -> None:
    day = breakdown_of(at(SEGMENT_OF["platform=ios"], lose(0.03), make_events(3_000_000)))
    alike = [breakdown_of(make_events(3_000_000), past) for past in PAST]

    tables, _ = _tables(Measure.EVENTS, day, alike, None)

    assert min(min(table.group_spreads) for table in tables) >= LEAST_SPREAD**2 == 0.0004
    rate = RateMeasure("paid", "paid.of")
    sold = [breakdown_of([sell(1.0)(group) for group in make_events(3000)], past) for past in PAST]
    assert _tables(rate, sold[-1], sold[:-1], None)[1] == pytest.approx(LEAST_SPREAD**2)


@pytest.mark.parametrize(("share", "heavier", "first"), [(40.0, 9.0, 0), (39.9, 2.0, 0), (39.9, 2.1, 1)])
def test_the_likeliest_segment_comes_first_unless_it_holds_little_and_another_outweighs_it(
    share: float, heavier: float, first: int
) -> None:
    table = _tables(Measure.EVENTS, breakdown_of(make_events(3000)), reference((3000,) * 4), None)[0][0]
    shares = (share, share * heavier, 100.0)
    # Each lost the same part of its events, so their weights are as their shares.
    changes = [
        _Change(segment, Fit(table, [], 0.0, 100.0, 100.0), of_change)
        for segment, of_change in zip((SEGMENTS[0], SEGMENTS[1], Segment()), shares, strict=True)
    ]

    assert _first(changes) is changes[first]
