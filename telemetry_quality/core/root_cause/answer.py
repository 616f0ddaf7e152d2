"""The answer: the segments that explain the change, the likeliest first."""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.events import EVENT_NAME, HOUR
from telemetry_quality.core.guardrails.verdicts import Contributor, Segment
from telemetry_quality.core.root_cause.likelihood import EVERYWHERE
from telemetry_quality.core.root_cause.noise import DAY_SPREAD, LEAST_SPREAD, RATE_SPREAD, rate_table, volume_table
from telemetry_quality.core.root_cause.search import Search
from telemetry_quality.core.root_cause.tables import Measure, RateMeasure, day_tables
from telemetry_quality.core.root_cause.untagged import untagged_segment
from telemetry_quality.core.root_cause.wording import HELD_PERCENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry_quality.core.root_cause.likelihood import Fit, Hypothesis
    from telemetry_quality.core.root_cause.noise import Table
    from telemetry_quality.core.root_cause.tables import DayBreakdown, Tables

MAXIMUM_CONTRIBUTORS = 5

OUTWEIGHED = 2.0
"""How many times as heavy another segment must be to come before the likeliest one, if that holds little."""

SAME_HOURS = 1
"""Ranges whose ends differ by at most so many hours are one range."""

WHOLE_DAY = (0, 23)

SAME_RATIO = 0.9
"""A segment whose part holds at least this ratio of its change is the same root cause as that part."""


def find_root_cause(
    measure: Measure | RateMeasure, day: DayBreakdown, reference: Sequence[DayBreakdown], expected_events: float | None
) -> tuple[Contributor, ...]:
    """The segments that explain the day's change best, the likeliest first.

    Empty without a reference, and empty if errors and the like are nowhere more than usual: a day can be above a
    threshold because all days are.

    Args:
        measure: What changed.
        day: The day whose root cause is searched.
        reference: Days to compare it with, as ``reference_days`` suggests; on all of them, and on the day, the
            measure was counted.
        expected_events: The volume to expect of the day; None for the median volume of the reference.
    """
    past = [breakdown for breakdown in reference if breakdown.aggregates.rows]
    if not past:
        return ()
    tables, spread = _tables(measure, day, past, expected_events)
    if not tables:
        return ()
    contributors = _contributors(Search(tables, spread).run(), measure)
    if measure is Measure.MISSING_VERSION and contributors:
        segment = untagged_segment(contributors[0], day, past)
        if segment is not None:
            contributors = [replace(contributors[0], segment=segment), *contributors][:MAXIMUM_CONTRIBUTORS]
    return tuple(contributors)


def _tables(
    measure: Measure | RateMeasure, day: DayBreakdown, past: Sequence[DayBreakdown], expected_events: float | None
) -> tuple[list[Table], float]:
    now, earlier = day_tables(day, measure), [day_tables(breakdown, measure) for breakdown in past]
    keys = [key for key in now if all(key in counts for counts in earlier)]
    totals = [sum(counts[EVENT_NAME, HOUR].sizes.values()) for counts in earlier]
    expected = expected_events if expected_events and expected_events > 0 else float(median(totals))
    per_event = len(day.aggregates.critical_fields) or 1 if measure is Measure.MISSING_CRITICAL else 1
    rate_spread = _rate_spread(measure, earlier)
    tables = []
    for key in keys:
        history = [counts[key] for counts in earlier]
        if measure is Measure.EVENTS:
            hidden = any(sum(counts.sizes.values()) < total for counts, total in zip(history, totals, strict=True))
            tables.append(volume_table(key, now[key], history, expected, hidden=hidden))
        else:
            tables.append(rate_table(key, now[key], history, per_event, rate_spread))
    day_spread = _day_spread(totals) if measure is Measure.EVENTS else rate_spread**2
    return [table for table in tables if table.found], day_spread


def _rate_spread(measure: Measure | RateMeasure, earlier: Sequence[Tables]) -> float:
    """How much shares vary from day to day: a share of 90 % cannot vary as much, relative to itself, as one of 1 %."""
    if not isinstance(measure, RateMeasure):
        return RATE_SPREAD  # Errors and the like are rare.
    sizes, found = (sum(sum(tables[EVENT_NAME, HOUR][n].values()) for tables in earlier) for n in (0, 1))
    return max(LEAST_SPREAD, RATE_SPREAD * (1 - found / sizes)) if sizes else RATE_SPREAD


def _day_spread(totals: Sequence[int]) -> float:
    level = sum(totals) / len(totals) or 1.0
    squares = sum((total / level - 1) ** 2 for total in totals)
    return min(0.15**2, (squares + 3 * DAY_SPREAD**2) / (len(totals) + 2))


def _contributors(ranked: Sequence[Hypothesis], measure: Measure | RateMeasure) -> list[Contributor]:
    """The likeliest segment, unless it holds too little to be the root cause; all others by share and excess.

    Each set of events has one name. Fewer events may be a fault; fewer errors or fewer missing versions never are.
    """
    kept: list[Hypothesis] = []
    for position, hypothesis in enumerate(ranked):
        fit = hypothesis.fits[0]
        if measure is not Measure.EVENTS and fit.found <= fit.mean:
            continue
        if position and hypothesis.score <= 0 and hypothesis.key != EVERYWHERE:
            continue
        if not any(_is_nearly(hypothesis, likelier) for likelier in kept):
            kept.append(hypothesis)
    if not kept:
        return []
    changes = _changes(kept)
    first = _first(changes)
    others = sorted(
        (change for change in changes if change is not first), key=lambda change: change.weight, reverse=True
    )
    return [change.contributor() for change in (first, *others)][:MAXIMUM_CONTRIBUTORS]


def _changes(hypotheses: Sequence[Hypothesis]) -> list[_Change]:
    """Each change with its share of the day's change, or of the largest known one if the rest moved against it."""
    fits = [hypothesis.fits[0] for hypothesis in hypotheses]
    sizes = [fit.found - fit.mean for fit in fits]
    wholes = [fit.table.total_found - fit.table.total_mean for fit in fits]
    most, least = max(sizes), min(sizes)
    changes = []
    for hypothesis, fit, size, whole in zip(hypotheses, fits, sizes, wholes, strict=True):
        largest = max(most, whole) if size > 0 else -min(least, whole)
        changes.append(_Change(hypothesis.segment, fit, 100 * (abs(size) / largest) if size else 0.0))
    return changes


def _first(changes: Sequence[_Change]) -> _Change:
    """The likeliest of the changes, unless it holds too little and another segment clearly outweighs it."""
    likeliest, *others = changes
    if likeliest.share_percent >= HELD_PERCENT:
        return likeliest
    segments = [change for change in others if change.segment != Segment()]
    heaviest = max(segments, key=lambda change: change.weight, default=likeliest)
    return heaviest if heaviest.weight > OUTWEIGHED * likeliest.weight else likeliest


class _Change(NamedTuple):
    """How a segment changed."""

    segment: Segment
    fit: Fit
    share_percent: float

    @property
    def weight(self) -> float:
        """Share × excess, which is how much of what could change did: large only for all of the change and no more."""
        return self.share_percent * abs(self.fit.found - self.fit.mean) / (self.fit.room or 1.0)

    def contributor(self) -> Contributor:
        """The change as verdicts hold it."""
        return Contributor(self.segment, self.fit.mean, self.fit.found, self.share_percent)


def _is_nearly(hypothesis: Hypothesis, likelier: Hypothesis) -> bool:
    """Whether two segments are one for people: the same events, hours that differ by one, or a part with nearly all."""
    fit, other = hypothesis.fits[0], likelier.fits[0]
    if (round(fit.found, 6), round(fit.mean, 6)) == (round(other.found, 6), round(other.mean, 6)):
        return True
    if hypothesis.parts == likelier.parts:
        pairs = zip(hypothesis.hours or WHOLE_DAY, likelier.hours or WHOLE_DAY, strict=True)
        if all(abs(hour - other_hour) <= SAME_HOURS for hour, other_hour in pairs):
            return True
    if not (_contains(hypothesis, likelier) or _contains(likelier, hypothesis)):
        return False
    change, other_change = fit.found - fit.mean, other.found - other.mean
    smaller, larger = sorted((abs(change), abs(other_change)))
    return change * other_change > 0 and smaller >= SAME_RATIO * larger


def _contains(outer: Hypothesis, inner: Hypothesis) -> bool:
    hours, within = outer.hours, inner.hours
    holds_hours = hours is None or (within is not None and hours[0] <= within[0] and within[1] <= hours[1])
    return holds_hours and set(outer.parts) <= set(inner.parts)
