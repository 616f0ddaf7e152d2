"""The charts of recent days: what each shows, and the table from which the script draws them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.guardrails import activity, error_rate, missing_version, sample, volume
from telemetry_quality.core.policies import INTERVAL_PERCENT, Direction
from telemetry_quality.core.visible import visible
from telemetry_quality.dashboard.rendering import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from markupsafe import Markup

    from telemetry_quality.core.forecasts.model import DayForecast
    from telemetry_quality.core.guardrails.guardrail import Guardrail
    from telemetry_quality.core.incidents import Incident
    from telemetry_quality.core.policies import Policy
    from telemetry_quality.dashboard.daily_points import DailyPoint

SPANS = (7, 30, 90, 365)
"""The numbers of days that the page offers."""

MOST_VERSIONS, LONGEST_VERSION = 3, 40
"""How many new versions of a day are named, and how many characters of each."""

COMING = "coming"
"""The status of a day that is only forecast."""


@dataclass(frozen=True, slots=True)
class Chart:
    """The kind of a chart and its caption."""

    kind: str
    words: str
    note: str


def charts_of(policy: Policy) -> tuple[Chart, ...]:
    """The charts of a source, with its thresholds of today."""
    return (
        Chart("events", "Events against expected", f"{policy[INTERVAL_PERCENT]:g} % of normal days lie in the band"),
        Chart("errors", "Error rate", _note(error_rate.GUARDRAIL, policy)),
        Chart("versions", "Missing version", _note(missing_version.GUARDRAIL, policy)),
        Chart("sampling", "Sample passed", _note(sample.GUARDRAIL, policy)),
    )


def _note(rule: Guardrail, policy: Policy) -> str:
    (threshold,) = rule.thresholds
    return f"{rule.level.value.lower()} {threshold.fails} {policy[threshold]:g} %"


class Cell(NamedTuple):
    """A number in the table.

    Attributes:
        mark: ``failed`` if the guardrail of this number failed, ``unusual`` if it is outside its band or beyond its
            threshold and passed all the same; empty otherwise.
    """

    text: Markup
    mark: str = ""


class ChartRow(NamedTuple):
    """A day in the charts, with its numbers as people read them and the script parses them."""

    day: date
    status: str
    cells: Sequence[Cell]
    incidents: Sequence[Incident] = ()
    settings: str = ""
    versions: str = ""


def chart_rows(
    points: Iterable[DailyPoint], versions: Mapping[date, Sequence[str]], coming: Iterable[DayForecast] = ()
) -> list[ChartRow]:
    """One row per day, with the columns that the charts need, and one per day that is only forecast.

    Args:
        points: The days.
        versions: The new versions of each day that has any.
        coming: The days that are only forecast.
    """
    rows = [
        ChartRow(
            point.day,
            point.status.value,
            (*_volume_cells(point), *(cell for rate in _RATES for cell in _rate_cells(point, *rate))),
            point.incidents,
            f"settings: {'; '.join(point.changes)}" if point.changes else "",
            _versions_words(versions.get(point.day, ())),
        )
        for point in points
    ]
    return rows + [ChartRow(day.day, COMING, _coming_cells(day)) for day in coming]


_RATES = (
    ("error_rate_percent", error_rate.GUARDRAIL),
    ("missing_version_percent", missing_version.GUARDRAIL),
    ("sampling_success_rate_percent", sample.GUARDRAIL),
)
"""The rates that have a chart, each with its guardrail."""


def _versions_words(names: Sequence[str]) -> str:
    """The new versions of a day, in few words."""
    if not names:
        return ""
    shown = [visible(name if len(name) <= LONGEST_VERSION else f"{name[:LONGEST_VERSION]}…") for name in names]
    rest = len(shown) - MOST_VERSIONS
    words = ", ".join(shown[:MOST_VERSIONS]) + (f" and {rest} more" if rest > 0 else "")
    return f"new version{'' if len(names) == 1 else 's'} {words}"


def _volume_cells(point: DailyPoint) -> tuple[Cell, ...]:
    names = ("total_events", "expected_events", "expected_low_events", "expected_high_events")
    total, _, low, high = values = [point.found(name) for name in names]
    is_outside = total is not None and ((low is not None and total < low) or (high is not None and total > high))
    has_failed = not point.failed.isdisjoint({volume.GUARDRAIL.name, activity.GUARDRAIL.name})
    return Cell(number(total), _mark(has_failed, is_outside)), *(Cell(number(value)) for value in values[1:])


def _rate_cells(point: DailyPoint, name: str, rule: Guardrail) -> tuple[Cell, Cell]:
    (threshold,) = rule.thresholds
    value, limit = point.found(name), point.policy.get(threshold.name)
    mark = _mark(rule.name in point.failed, _is_beyond(value, limit, threshold.fails))
    return Cell(number(value, 2), mark), Cell(number(limit, 2))


def _is_beyond(value: float | None, limit: float | None, fails: Direction) -> bool:
    if value is None or limit is None:
        return False
    return value < limit if fails is Direction.BELOW else value > limit


def _mark(has_failed: bool, is_unusual: bool) -> str:
    if has_failed:
        return "failed"
    return "unusual" if is_unusual else ""


def _coming_cells(day: DayForecast) -> list[Cell]:
    unknown = Cell(number(None))
    return [unknown, *(Cell(number(value)) for value in (day.events, day.low, day.high)), *[unknown] * 2 * len(_RATES)]
