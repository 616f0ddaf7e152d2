"""Counting: the aggregates of some hours as the counts of each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.events import OTHER_VALUES, AggregateRow, hourly_counts
from telemetry_quality.core.running.model import MOST_SIGNALS, HourCounts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.events import DayAggregates


class _Hour:
    """The sums of one hour."""

    def __init__(self, rates: int) -> None:
        self.events = self.errors = self.unknown = self.missing_version = 0
        self.rates = [0] * rates
        self.signals: dict[str, tuple[int, int]] = {}

    def add(self, row: AggregateRow) -> None:
        self.events += row.events
        self.errors += row.errors
        self.unknown += row.error_unknown_events
        self.missing_version += row.missing_version
        for place, count in enumerate(row.rate_counts):
            self.rates[place] += count
        if row.event_name not in {None, OTHER_VALUES}:
            events, errors = self.signals.get(str(row.event_name), (0, 0))
            self.signals[str(row.event_name)] = events + row.events, errors + row.errors

    def busiest(self) -> dict[str, tuple[int, int]]:
        in_order = sorted(self.signals.items(), key=lambda item: (-item[1][0], item[0]))
        return dict(in_order[:MOST_SIGNALS])


def hour_counts(aggregates: DayAggregates, schema: EventSchema, hours: int) -> list[HourCounts]:
    """The counts of each of ``hours`` hours, those without events included.

    Args:
        aggregates: What a source says of these hours, counted from the first of them.
        schema: What plays which role.
        hours: How many there are.
    """
    counted = [_Hour(len(schema.rate_counts)) for _ in range(hours)]
    for row in _each_hour(aggregates):
        counted[row.hour].add(row)
    absent = schema.absent_roles
    return [
        HourCounts(
            hour.events,
            None if "is_error" in absent else hour.errors,
            hour.unknown,
            None if "service_version" in absent else hour.missing_version,
            dict(zip(schema.rate_counts, hour.rates, strict=True)),
            hour.busiest(),
        )
        for hour in counted
    ]


def _each_hour(aggregates: DayAggregates) -> Iterator[AggregateRow]:
    """The rows cut into single hours, as far as the counts of an hour need them."""
    for row, spread in zip(aggregates.rows, hourly_counts(aggregates.rows), strict=True):
        if spread is None:
            yield row
            continue
        nothing = [0] * len(spread["hours"])
        errors, unknown = spread.get("errors", nothing), spread.get("error_unknown_events", nothing)
        rates = [spread.get("rate_counts", {}).get(name, nothing) for name in aggregates.rate_names]
        for place, (hour, events) in enumerate(zip(spread["hours"], spread["events"], strict=True)):
            yield row._replace(
                hour=hour,
                events=events,
                errors=errors[place],
                error_unknown_events=unknown[place],
                missing_version=events if row.missing_version else 0,
                rate_counts=tuple(counts[place] for counts in rates),
            )
