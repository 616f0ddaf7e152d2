"""Accepting what a segment or some hours do: no guardrail fails about that again, and every further change is found."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from functools import cache
from math import cos, pi
from random import Random
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.events import DayScan, Slice, SliceCounts
from telemetry_quality.core.guardrails.catalogue import BUILT_IN
from telemetry_quality.core.guardrails.verdicts import MARKED_SPECIAL
from telemetry_quality.core.marks import Mark
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import make_row, make_scan
from telemetry_quality_tests.core.test_accepting import FIRST, STEP, Stream, failed, verdict_of
from telemetry_quality_tests.core.test_marks import say

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping
    from datetime import date
    from pathlib import Path

    Cells = dict[tuple[str, str], tuple[float, float]]
    """Events and the share of errors per platform and signal."""
    StreamOf = Callable[[Iterable[DayScan]], Stream]

USUAL: Cells = {
    ("web", "page.view"): (6000, 0.01),
    ("web", "pay"): (1500, 0.02),
    ("ios", "page.view"): (3000, 0.01),
    ("ios", "pay"): (800, 0.02),
    ("tv", "page.view"): (700, 0.01),
    ("tv", "guide"): (500, 0.01),
}
DAYS = 75
PROFILE = [1 + 0.6 * cos((hour - 15) * pi / 12) for hour in range(24)]


def scaled(factors: Mapping[tuple[str, str], float]) -> Cells:
    """The usual cells, those of which a platform or a signal is named (the other is ``*``) with other counts."""

    def factor(cell: tuple[str, str]) -> float:
        platform, signal = cell
        return next((factors[key] for key in (cell, (platform, "*"), ("*", signal)) if key in factors), 1.0)

    return {cell: (events * factor(cell), rate) for cell, (events, rate) in USUAL.items() if factor(cell)}


def failing(rate: float, platform: str, signal: str) -> Cells:
    """The usual cells; the share of errors in one of them is ``rate``."""
    return USUAL | {(platform, signal): (USUAL[platform, signal][0], rate)}


def scan_of(day: date, cells: Cells, dead: Container[int] = (), failing_ios: Container[int] = ()) -> DayScan:
    """A day of these cells, with three percent of noise, fewer events at weekends, and dead or failing hours."""
    random = Random(day.toordinal())
    slices: defaultdict[Slice, list[int]] = defaultdict(lambda: [0, 0])
    rows: defaultdict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0])
    size = 0.5 if day.weekday() > 4 else 1.0
    for (platform, signal), (usual, rate) in cells.items():
        mean, day_rate = usual * size * random.gauss(1, 0.03), rate * random.gauss(1, 0.05)
        for hour, weight in enumerate(PROFILE):
            if hour in dead:
                continue
            events = round(mean * weight / 24 + random.gauss(0, (mean * weight / 24) ** 0.5))
            hour_rate = 0.5 if platform == "ios" and hour in failing_ios else day_rate
            errors = sum(random.random() < hour_rate for _ in range(events))
            parts = [Slice("event_name", signal), Slice("service_version", "1.0"), Slice("platform", platform)]
            pairs = ("event_name", signal), ("service_version", "1.0"), ("hour", f"{hour:02}")
            parts += [Slice("platform", platform, *pair) for pair in pairs]
            for counted in (*(slices[part] for part in parts), rows[hour, signal]):
                counted[0] += max(events, 0)
                counted[1] += errors
    return make_scan(
        day,
        *(make_row(hour=hour, event_name=signal, events=n, errors=k) for (hour, signal), (n, k) in rows.items() if n),
        slices={part: SliceCounts(n, k, 0) for part, (n, k) in slices.items() if n},
    )


@cache
def usual_scans() -> tuple[DayScan, ...]:
    """The days before something changes."""
    return tuple(scan_of(FIRST + timedelta(n), USUAL) for n in range(STEP))


@pytest.fixture(scope="module")
def usual_store(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A store with the days before something changes, none of which fails."""
    folder = tmp_path_factory.mktemp("usual")
    assert failed(Stream(folder, usual_scans()).judge(0, STEP - 1)) == {}
    return (folder / "quality.db").read_bytes()


@pytest.fixture
def stream_of(tmp_path: Path, usual_store: bytes) -> StreamOf:
    """Makes the stream of the usual days, which are judged, and those that follow, which are read."""
    (tmp_path / "quality.db").write_bytes(usual_store)
    store = SqlQualityStore(f"sqlite:///{tmp_path / 'quality.db'}")
    return lambda changed: Stream(tmp_path, [*usual_scans(), *changed], first=STEP, store=store)


def days_of(cells: Callable[[int], Cells], days: int) -> list[DayScan]:
    """The days from STEP on."""
    return [scan_of(FIRST + timedelta(n), cells(n)) for n in range(STEP, days)]


CHANGES: dict[str, tuple[Cells, set[str]]] = {
    "the stream loses 60 %": (scaled(dict.fromkeys(USUAL, 0.4)), {"volume"}),
    "the stream halves, unevenly": (scaled({("web", "*"): 0.3, ("ios", "*"): 0.7}), {"volume"}),
    "a platform is retired": (scaled({("tv", "*"): 0.0}), {"silence"}),
    "a signal is retired": (scaled({("*", "guide"): 0.0}), {"silence", "segment_volume"}),
    "a platform halves": (scaled({("tv", "*"): 0.5}), {"segment_volume"}),
    "a signal halves": (scaled({("*", "guide"): 0.5}), {"segment_volume"}),
    "a signal doubles": (scaled({("*", "guide"): 2.0}), {"segment_volume"}),
    "a signal fails": (failing(0.3, "tv", "guide"), {"segment_errors"}),
    "a signal fails on a platform": (failing(0.3, "ios", "pay"), {"segment_errors"}),
    "a large segment fails": (failing(0.3, "ios", "page.view"), {"segment_errors", "error_rate"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_after_an_acceptance_no_guardrail_fails_about_it(stream_of: StreamOf, change: str) -> None:
    cells, guardrails = CHANGES[change]
    stream = stream_of(days_of(lambda _: cells, DAYS))
    assert failed(stream.judge(STEP, STEP)) == {STEP: guardrails}

    stream.decide(STEP)

    after = stream.judge(STEP + 1, DAYS - 1)
    assert failed(after) == {}
    assert "accepted by ada on 2026-03-08" in "".join(verdict.sentence for verdict in after[0].verdicts)


FURTHER: dict[str, tuple[str, Cells, str]] = {
    "the rest halves again": ("the stream loses 60 %", scaled(dict.fromkeys(USUAL, 0.2)), "volume"),
    "a platform halves too": (
        "the stream loses 60 %",
        scaled({**dict.fromkeys(USUAL, 0.4), ("tv", "page.view"): 0.2, ("tv", "guide"): 0.2}),
        "segment_volume",
    ),
    "another platform halves": (
        "the stream halves, unevenly",
        scaled({("web", "*"): 0.3, ("ios", "*"): 0.7, ("tv", "*"): 0.5}),
        "segment_volume",
    ),
    "a signal stops": ("a platform is retired", scaled({("tv", "*"): 0.0, ("*", "pay"): 0.0}), "silence"),
    "the segment halves again": ("a signal halves", scaled({("*", "guide"): 0.25}), "segment_volume"),
    "the segment stops": ("a signal halves", scaled({("*", "guide"): 0.0}), "silence"),
    "another segment halves": ("a signal halves", scaled({("*", "guide"): 0.5, ("*", "pay"): 0.5}), "segment_volume"),
    "the segment fails": (
        "a signal halves",
        scaled({("*", "guide"): 0.5}) | {("tv", "guide"): (250, 0.6)},
        "segment_errors",
    ),
    "the segment fails wholly": ("a signal fails", failing(1.0, "tv", "guide"), "segment_errors"),
    "the failing segment stops": ("a signal fails", scaled({("*", "guide"): 0.0}), "silence"),
    "another segment fails": (
        "a signal fails",
        failing(0.3, "tv", "guide") | {("ios", "pay"): (800, 0.3)},
        "segment_errors",
    ),
}


@pytest.mark.parametrize("later", [3, 17])
@pytest.mark.parametrize("further", FURTHER)
def test_after_an_acceptance_a_further_change_is_found(stream_of: StreamOf, further: str, later: int) -> None:
    change, cells, guardrail = FURTHER[further]
    accepted, _ = CHANGES[change]
    day = STEP + later
    stream = stream_of(days_of(lambda n: accepted if n < day else cells, day + 1))
    stream.judge(STEP, STEP)
    stream.decide(STEP)

    found = failed(stream.judge(STEP + 1, day))

    assert set(found) == {day}
    assert guardrail in found[day]


@pytest.mark.parametrize(
    ("middle", "guardrail"),
    [
        (scaled({("tv", "*"): 0.0}), "silence"),
        (scaled({("tv", "*"): 0.5}), "segment_volume"),
        (failing(0.4, "tv", "guide"), "segment_errors"),
    ],
)
def test_what_was_accepted_and_is_over_alarms_when_it_comes_again(
    stream_of: StreamOf, middle: Cells, guardrail: str
) -> None:
    back, again = STEP + 3, STEP + 45
    stream = stream_of(days_of(lambda n: middle if n < back or n >= again else USUAL, again + 1))
    stream.judge(STEP, STEP)
    stream.decide(STEP)

    assert set(failed(stream.judge(STEP + 1, again))) == {again}
    assert guardrail in failed(stream.judge(again, again))[again]


HOURS: dict[str, tuple[dict[str, range], dict[str, range]]] = {
    "missing_hours": ({"dead": range(9, 12)}, {"dead": range(15, 18)}),
    "error_burst": ({"failing_ios": range(9, 12)}, {"failing_ios": range(15, 18)}),
}


@pytest.mark.parametrize("guardrail", HOURS)
def test_accepted_hours_pass_from_then_on_and_other_hours_do_not(stream_of: StreamOf, guardrail: str) -> None:
    accepted, other = HOURS[guardrail]
    *days, last = [FIRST + timedelta(n) for n in range(STEP, STEP + 30)]
    stream = stream_of([*(scan_of(day, USUAL, **accepted) for day in days), scan_of(last, USUAL, **other)])
    assert guardrail in failed(stream.judge(STEP, STEP))[STEP]

    stream.decide(STEP)

    after = failed(stream.judge(STEP + 1, STEP + 29))
    assert set(after) == {STEP + 29}
    assert guardrail in after[STEP + 29]


@pytest.mark.parametrize("change", [name for name in CHANGES if name != "a large segment fails"])
def test_a_special_day_is_judged_by_no_guardrail_that_compares_it_with_ordinary_days(
    stream_of: StreamOf, change: str
) -> None:
    cells, guardrails = CHANGES[change]
    stream = stream_of(days_of(lambda n: USUAL if n != STEP else cells, STEP + 8))
    say(stream, STEP, STEP, Mark.SPECIAL)

    judged = stream.judge(STEP, STEP + 7)

    assert failed(judged) == {}
    assert all(verdict_of(judged[0], name).reason_code == MARKED_SPECIAL for name in guardrails)


def test_the_guardrails_that_compare_a_day_with_ordinary_days() -> None:
    names = "activity volume leak silence version_drift missing_hours error_burst segment_errors segment_volume"

    assert {rule.name for rule in BUILT_IN if rule.needs_ordinary_days} == set(names.split())
