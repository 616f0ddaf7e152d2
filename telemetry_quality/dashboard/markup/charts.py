"""The table that the charts of the last days are drawn from."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.dashboard.rendering import number

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from markupsafe import Markup

    from telemetry_quality.dashboard.models import DailyPoint


class ChartRow(NamedTuple):
    """One day of the charts: each number as the drawing reads it and as people do."""

    day: date
    status: str
    values: tuple[tuple[str, Markup], ...]


def chart_rows(points: Iterable[DailyPoint]) -> list[ChartRow]:
    """The table that the charts are drawn from."""
    return [
        ChartRow(
            one.day,
            one.status.value,
            (
                *(
                    (_plain(value), number(value))
                    for value in (
                        one.total_events,
                        one.expected_events,
                        one.expected_low_events,
                        one.expected_high_events,
                    )
                ),
                *(
                    (_plain(value), number(value, 2))
                    for value in (
                        one.error_rate_percent,
                        one.error_rate_threshold_percent,
                        one.missing_version_percent,
                        one.missing_version_threshold_percent,
                        one.sampling_success_rate_percent,
                        one.sample_success_threshold_percent,
                    )
                ),
            ),
        )
        for one in points
    ]


def _plain(value: float | None) -> str:
    return "" if value is None else repr(value)
