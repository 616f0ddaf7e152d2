"""A day and windows of recent days: one row per metric, with the threshold it is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from telemetry_quality.core.guardrails import volume
from telemetry_quality.core.metrics import MAIN
from telemetry_quality.dashboard.markup.numbers import limits_of, text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry_quality.core.guardrails.guardrail import Guardrail
    from telemetry_quality.core.metrics import Metric
    from telemetry_quality.core.policies import Policy
    from telemetry_quality.dashboard.markup.numbers import Limit
    from telemetry_quality.dashboard.models import SnapshotLine, Window

VOLUME_LIMITS = {
    "deviation": "± {} %",
    "unusual": "outside the normal interval",
    "both": "± {} %, and outside the normal interval",
    "either": "± {} %, or outside the normal interval",
}


class Cell(NamedTuple):
    """A number as shown, and whether it is beyond its threshold."""

    text: Markup
    is_beyond: bool = False


class Figure(NamedTuple):
    """The row of a metric, with the threshold its numbers are compared with."""

    words: str
    cells: tuple[Cell, ...]
    limit: str = ""


def window_figures(
    latest: SnapshotLine | None, windows: Sequence[Window], rules: Sequence[Guardrail], policy: Policy
) -> list[Figure]:
    """A day and windows of recent days, one row per metric.

    The volume is never marked: whether it fails also depends on what is usual, and only its guardrail knows that.
    """
    columns = [latest, *windows]
    return [
        *(_figure(metric, columns, rules, policy) for metric in MAIN),
        Figure("Days", (Cell(Markup("")), *(Cell(_days_of(window)) for window in windows))),
    ]


def _figure(
    metric: Metric, columns: Sequence[SnapshotLine | Window | None], rules: Sequence[Guardrail], policy: Policy
) -> Figure:
    limits = limits_of(metric.name, rules, policy.values)
    cells = tuple(_cell(metric, getattr(column, metric.name, None), limits) for column in columns)
    if metric.name == "volume_deviation_percent":
        words = VOLUME_LIMITS[policy[volume.RULE]].format(f"{policy[volume.THRESHOLD]:g}")
    else:
        words = ", ".join(limit.sign for limit in limits)
    return Figure(metric.label, cells, words)


def _cell(metric: Metric, value: float | None, limits: Sequence[Limit]) -> Cell:
    threshold = limits[0].value if limits else None
    return Cell(
        text_of(metric, value, threshold), value is not None and any(limit.is_beyond(value) for limit in limits)
    )


def _days_of(window: Window) -> Markup:
    """How many days of the window have each status, without zeros."""
    counts = (
        (window.healthy_days, "healthy"),
        (window.failed_days, "failed"),
        (window.unknown_days, "unknown"),
        (window.missing_days, "without a snapshot"),
    )
    return Markup(", ").join(f"{count} {words}" for count, words in counts if count)
