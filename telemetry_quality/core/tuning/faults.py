"""Known faults, and how they change the evidence of a normal day."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.events import EVENT_NAME, OTHER_VALUES, SERVICE_VERSION, Slice, SliceCounts
from telemetry_quality.core.guardrails.faults import Fault
from telemetry_quality.core.metrics import METRICS, Unit, deviation_percent, is_outside
from telemetry_quality.core.policies import Direction

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.metrics import DayFigures

LEAK_FACTOR = 0.98
SPOILED_RATIO = 0.1
BAD_HOURS = 3
SMALL_SIGNAL = 0.1
"""A signal with up to this share of the events is small: the total hides what happens to it."""


PARTIAL = frozenset({Fault.TAGS, Fault.DEAD_HOURS, Fault.BURST})
"""Faults of a part of the day or of the stream, which a day may not have."""

FACTORS = {Fault.DROP_20: 0.80, Fault.DROP_35: 0.65, Fault.DROP_50: 0.50, Fault.RISE_50: 1.50}


def inject(
    fault: Fault, evidence: Evidence, schema: EventSchema, fails: Direction = Direction.ABOVE
) -> Evidence | None:
    """The evidence of the same day with ``fault``; None if the day has nothing that could break.

    LEAK takes more than a day, see ``leaking``. Only faults that concern the sample's guardrail change the sample.

    Args:
        fault: What to inject into the day.
        evidence: The day.
        schema: The dimensions of the stream, and its rates.
        fails: Which side of the threshold fails: a rate may have too many matching events, or too few.
    """
    if not evidence.figures.total_events:
        return None
    if fault in PARTIAL:
        return _without_tags(evidence, schema) if fault is Fault.TAGS else _with_bad_hours(fault, evidence)
    if fault in SIGNAL_FAULTS:
        return _with_small_signal(evidence, SIGNAL_FAULTS[fault])
    if fault is Fault.ZERO:
        return None if evidence.expectation.is_empty_usual else _emptied(evidence)
    if fault is Fault.SPOILED:
        return replace(_spoiled(evidence), rate_counts=_spoiled_rates(evidence, schema, fails))
    return _doubled(evidence) if fault is Fault.DOUBLED else _scaled(evidence, FACTORS[fault])


def leaking(evidence: Evidence, start: date) -> Evidence:
    """The evidence of a day if 2 % more of the stream had been lost on each day since ``start``."""

    def left(day: date, total: int) -> int:
        days = (day - start).days + 1
        return round(total * LEAK_FACTOR**days) if days > 0 else total

    totals = {day: left(day, total) for day, total in evidence.totals.items()}
    return replace(evidence, totals=totals, figures=_figures_with(evidence, total_events=totals[evidence.day]))


def _figures_with(evidence: Evidence, total_events: int, **changed: Any) -> DayFigures:
    """The figures with another volume, compared with what was expected of the day."""
    expectation = evidence.expectation
    return replace(
        evidence.figures,
        total_events=total_events,
        volume_deviation_percent=deviation_percent(total_events, expectation.events),
        is_volume_unusual=is_outside(total_events, expectation.low, expectation.high),
        **changed,
    )


def _scaled(evidence: Evidence, factor: float) -> Evidence:
    """All counts times ``factor``, so that shares stay as they are."""

    def times(count: int | None) -> int | None:
        return None if count is None else round(count * factor)

    figures, day = evidence.figures, evidence.day
    total = round((figures.total_events or 0) * factor)
    slices = {segment: counts.scaled(factor) for segment, counts in evidence.slices.get(day, {}).items()}
    return replace(
        evidence,
        figures=_figures_with(
            evidence,
            total,
            error_events=times(figures.error_events),
            missing_version_events=times(figures.missing_version_events),
            verified_events=times(figures.verified_events),
            compared_events=times(figures.compared_events),
            duplicate_events=times(figures.duplicate_events),
        ),
        totals={**evidence.totals, day: total},
        slices={**evidence.slices, day: {segment: counts for segment, counts in slices.items() if counts.events}},
        missing_critical={name: round(count * factor) for name, count in evidence.missing_critical.items()},
        rate_counts={name: round(count * factor) for name, count in evidence.rate_counts.items()},
    )


def _doubled(evidence: Evidence) -> Evidence:
    """Every event twice: the earlier duplicates, and one more of each event that was compared."""
    twice = _scaled(evidence, 2)
    compared, duplicated = evidence.figures.compared_events, evidence.figures.duplicate_events
    if not compared or duplicated is None:
        return twice
    now = compared + duplicated
    figures = replace(twice.figures, duplicate_events=now, duplicate_percent=100 * now / (2 * compared))
    return replace(twice, figures=figures)


def _emptied(evidence: Evidence) -> Evidence:
    """A day without events: all its counts are zero, and it has no shares."""
    figures = evidence.figures
    counts = {
        metric.name: 0
        for metric in METRICS
        if metric.unit is Unit.EVENTS and metric.kind is int and getattr(figures, metric.name) is not None
    }
    shares = {metric.name: None for metric in METRICS if metric.is_share}
    return replace(
        evidence,
        figures=_figures_with(evidence, counts.pop("total_events"), **counts, **shares),
        totals={**evidence.totals, evidence.day: 0},
        slices={**evidence.slices, evidence.day: {}},
        missing_critical=dict.fromkeys(evidence.missing_critical, 0),
        rate_counts=dict.fromkeys(evidence.rate_counts, 0),
    )


def _spoiled(evidence: Evidence) -> Evidence:
    """One in ten good events turns bad in every way at once; each guardrail sees its own kind."""

    def count(bad: int | None, whole: int | None) -> int | None:
        return None if bad is None or whole is None else bad + round((whole - bad) * SPOILED_RATIO)

    def share(percent: float | None) -> float | None:
        return None if percent is None else percent + (100 - percent) * SPOILED_RATIO

    figures = evidence.figures
    total, size, verified = figures.total_events or 0, figures.sample_size or 0, figures.verified_events
    passed = size - (count(size - (figures.sample_passed or 0), size) or 0)
    spoiled = replace(
        figures,
        error_events=count(figures.error_events, total),
        error_rate_percent=share(figures.error_rate_percent),
        sample_passed=passed,
        sampling_success_rate_percent=100 * passed / size if size else None,
        verified_events=None if verified is None else total - (count(total - verified, total) or 0),
        verified_percent=None if verified is None else (1 - SPOILED_RATIO) * (figures.verified_percent or 0),
        critical_missing_percent=share(figures.critical_missing_percent),
        late_percent=share(figures.late_percent),
        impossible_timestamp_percent=share(figures.impossible_timestamp_percent),
        unreadable_time_events=count(figures.unreadable_time_events, figures.arrived_events),
        unreadable_time_percent=share(figures.unreadable_time_percent),
        invalid_timestamp_percent=share(figures.invalid_timestamp_percent),
    )
    fields = {name: count(missing, total) or 0 for name, missing in evidence.missing_critical.items()}
    return replace(evidence, figures=spoiled, missing_critical=fields)


def _spoiled_rates(evidence: Evidence, schema: EventSchema, fails: Direction) -> dict[str, int]:
    """One in ten other events now matches each rate, or no longer matches if too few matches fail."""
    counts = dict(evidence.rate_counts)
    for rate in schema.rates:
        found = rate.found(counts, evidence.figures.total_events or 0)
        if found is not None:
            matching, base = found
            spoiled = -matching if fails is Direction.BELOW else base - matching
            counts[rate.name] = matching + round(spoiled * SPOILED_RATIO)
    return counts


def _with_bad_hours(fault: Fault, evidence: Evidence) -> Evidence | None:
    """Three busy hours without events, or full of errors; None if the hours were not counted.

    Different days break at different hours. Only the hours and the totals change, which the guardrails of hours judge.
    """
    hours = evidence.hours.get(evidence.day)
    if hours is None or len(hours.events) < BAD_HOURS:
        return None
    starts = range(len(hours.events) - BAD_HOURS + 1)
    average = BAD_HOURS * sum(hours.events) / len(hours.events)
    busy = [start for start in starts if sum(hours.events[start : start + BAD_HOURS]) >= average]
    if not busy:
        return None
    start = busy[evidence.day.toordinal() % len(busy)]
    bad = range(start, start + BAD_HOURS)
    events, errors = list(hours.events), list(hours.errors)
    for hour in bad:
        if fault is Fault.DEAD_HOURS:
            events[hour] = errors[hour] = 0
        else:
            errors[hour] += (events[hour] - errors[hour]) // 2
    broken = replace(hours, events=tuple(events), errors=tuple(errors))
    return replace(
        evidence,
        figures=_figures_with(evidence, sum(events), error_events=sum(errors)),
        hours={**evidence.hours, evidence.day: broken},
        totals={**evidence.totals, evidence.day: sum(events)},
    )


def _without_tags(evidence: Evidence, schema: EventSchema) -> Evidence | None:
    """The events of one value lose their version; None if there is no such value, or if they have no version."""
    slices = evidence.slices.get(evidence.day, {})
    dimension = schema.dimensions[0] if schema.dimensions else EVENT_NAME
    total = evidence.figures.total_events or 0
    value = _one_value(slices, dimension, total)
    if value is None:
        return None
    counts = slices[Slice(dimension, value)]
    newly = counts.events - counts.missing_version
    if newly <= 0 or evidence.figures.missing_version_events is None:
        return None
    missing = (evidence.figures.missing_version_events or 0) + newly
    figures = replace(evidence.figures, missing_version_events=missing, missing_version_percent=100 * missing / total)
    changed = _untagged(slices, dimension, value, counts.events / total)
    return replace(evidence, figures=figures, slices={**evidence.slices, evidence.day: changed})


def _half_failing(counts: SliceCounts) -> SliceCounts:
    return counts._replace(errors=counts.errors + (counts.events - counts.errors) // 2)


SIGNAL_FAULTS: dict[Fault, Callable[[SliceCounts], SliceCounts]] = {
    Fault.SIGNAL_FAILS: _half_failing,
    Fault.SIGNAL_HALVED: lambda counts: counts.scaled(0.5),
}


def _with_small_signal(evidence: Evidence, change: Callable[[SliceCounts], SliceCounts]) -> Evidence | None:
    """The evidence with a changed signal, the busiest small one; None if there is none.

    Dimension values change by what they have of it; which versions they have is not known.
    """
    slices, day = dict(evidence.slices.get(evidence.day, {})), evidence.day
    total, errors = evidence.figures.total_events or 0, evidence.figures.error_events
    small = [
        segment
        for segment, counts in slices.items()
        if segment.dimension == EVENT_NAME and segment.by is None and counts.events <= SMALL_SIGNAL * total
    ]
    if not small or errors is None:
        return None
    signal = max(small, key=lambda segment: (slices[segment].events, segment.order))
    before, after = slices[signal], change(slices[signal])
    for segment in [segment for segment in slices if signal in {segment, *segment.parents}]:
        counts = slices[segment]
        slices[segment] = change(counts)
        if (parent := Slice(segment.dimension, segment.value)) != signal and parent in slices:
            slices[parent] = slices[parent].plus(counts.scaled(-1)).plus(slices[segment])
    total, errors = total + after.events - before.events, errors + after.errors - before.errors
    figures = _figures_with(evidence, total, error_events=errors, error_rate_percent=100 * errors / total)
    left = {segment: counts for segment, counts in slices.items() if counts.events}
    totals = {**evidence.totals, day: total}
    return replace(evidence, figures=figures, totals=totals, slices={**evidence.slices, day: left})


def _one_value(slices: Mapping[Slice, SliceCounts], dimension: str, total: int) -> str | None:
    """The busiest value that is less than half of the stream, or else the second busiest."""
    events = {
        segment.value: counts.events
        for segment, counts in slices.items()
        if segment.dimension == dimension and segment.by is None and segment.value not in {None, OTHER_VALUES}
    }
    busiest = sorted(events, key=lambda value: (-events[value], value or ""))
    return next((value for value in busiest if 2 * events[value] < total), busiest[1] if len(busiest) > 1 else None)


def _untagged(
    slices: Mapping[Slice, SliceCounts], dimension: str, value: str, share: float
) -> dict[Slice, SliceCounts]:
    """The slices of a day on which the events of ``value`` carry no version.

    Which versions they had is known for a dimension value, but not for a signal, which loses the same
    ``share`` of each.
    """
    if dimension == EVENT_NAME:
        taken = {
            segment.value: counts.scaled(share)
            for segment, counts in slices.items()
            if segment.dimension == SERVICE_VERSION and segment.by is None and segment.value is not None
        }
    else:
        taken = {
            segment.by_value: counts
            for segment, counts in slices.items()
            if segment[:3] == (dimension, value, SERVICE_VERSION) and segment.by_value is not None
        }
    changed = dict(slices)
    for version, lost in taken.items():
        _move(changed, Slice(SERVICE_VERSION, version), Slice(SERVICE_VERSION, None), lost)
        if dimension != EVENT_NAME:
            source, target = (Slice(dimension, value, SERVICE_VERSION, name) for name in (version, None))
            _move(changed, source, target, lost)
    for segment, counts in list(changed.items()):
        if (segment.dimension, segment.value) == (dimension, value):
            changed[segment] = counts._replace(missing_version=counts.events)
            signal = Slice(EVENT_NAME, segment.by_value)
            if segment.by == EVENT_NAME and signal in changed:
                before = changed[signal]
                changed[signal] = before._replace(
                    missing_version=before.missing_version + counts.events - counts.missing_version
                )
    return changed


def _move(slices: dict[Slice, SliceCounts], source: Slice, target: Slice, counts: SliceCounts) -> None:
    before, there = slices.get(source, counts), slices.get(target, counts.scaled(0))
    slices[source] = before.plus(counts.scaled(-1))
    if slices[source].events <= 0:
        del slices[source]
    slices[target] = there.plus(counts._replace(missing_version=counts.events))
