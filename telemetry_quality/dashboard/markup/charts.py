"""The table from which the charts of recent days are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.dashboard.rendering import number

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from markupsafe import Markup

    from telemetry_quality.dashboard.models import DailyPoint


class ChartRow(NamedTuple):
    """A day in the charts: each number as the script parses it and as people read it."""

    day: date
    status: str
    values: tuple[tuple[str, Markup], ...]


def chart_rows(points: Iterable[DailyPoint]) -> list[ChartRow]:
    """One row per day, with the columns that the charts need."""
    return [
        ChartRow(
            point.day,
            point.status.value,
            (
                *(
                    (_plain(value), number(value))
                    for value in (
                        point.total_events,
                        point.expected_events,
                        point.expected_low_events,
                        point.expected_high_events,
                    )
                ),
                *(
                    (_plain(value), number(value, 2))
                    for value in (
                        point.error_rate_percent,
                        point.error_rate_threshold_percent,
                        point.missing_version_percent,
                        point.missing_version_threshold_percent,
                        point.sampling_success_rate_percent,
                        point.sample_success_threshold_percent,
                    )
                ),
            ),
        )
        for point in points
    ]


def _plain(value: float | None) -> str:
    return "" if value is None else repr(value)
