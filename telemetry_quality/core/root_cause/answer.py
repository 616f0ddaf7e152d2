"""The answer: the segments that explain the change, the likeliest first."""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

from telemetry_quality.core.events import EVENT_NAME, HOUR
from telemetry_quality.core.guardrails.verdicts import Contributor
from telemetry_quality.core.root_cause.likelihood import EVERYWHERE
from telemetry_quality.core.root_cause.noise import DAY_SPREAD, LEAST_SPREAD, RATE_SPREAD, rate_table, volume_table
from telemetry_quality.core.root_cause.search import Search
from telemetry_quality.core.root_cause.tables import Measure, RateMeasure, day_tables
from telemetry_quality.core.root_cause.untagged import untagged_segment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telemetry_quality.core.root_cause.likelihood import Fit, Hypothesis
    from telemetry_quality.core.root_cause.noise import Table
    from telemetry_quality.core.root_cause.tables import DayBreakdown, Tables

MAXIMUM_CONTRIBUTORS = 5


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
    contributors = list(_contributors(Search(tables, spread).run(), measure))
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


def _contributors(ranked: Sequence[Hypothesis], measure: Measure | RateMeasure) -> Iterable[Contributor]:
    """The best hypothesis and the others that explain something, each set of events under one name only.

    Fewer events may be a fault; fewer errors or fewer missing versions never are.
    """
    if not ranked:
        return
    seen: set[tuple[float, float]] = set()
    for position, hypothesis in enumerate(ranked):
        fit = hypothesis.fits[0]
        same = (round(fit.found, 6), round(fit.mean, 6))
        if measure is not Measure.EVENTS and fit.found <= fit.mean:
            continue
        if same in seen or (position and hypothesis.score <= 0 and hypothesis.key != EVERYWHERE):
            continue
        seen.add(same)
        yield Contributor(hypothesis.segment, fit.mean, fit.found, _share_percent(fit))
        if len(seen) == MAXIMUM_CONTRIBUTORS:
            return


def _share_percent(fit: Fit) -> float:
    """Share of the whole change; all of it if the rest moved the other way."""
    change, whole = fit.found - fit.mean, fit.table.total_found - fit.table.total_mean
    if change == 0:
        return 0.0
    return min(100.0, 100 * abs(change) / abs(whole)) if change * whole > 0 else 100.0
