"""A day and the last days taken together: numbers of one kind in a row, beside the threshold they are held against."""

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
    """One number as it is shown, and whether it is beyond its threshold."""

    text: Markup
    is_beyond: bool = False


class Figure(NamedTuple):
    """A row of numbers of one kind, and what they are held against."""

    words: str
    cells: tuple[Cell, ...]
    limit: str = ""


def window_figures(
    latest: SnapshotLine | None, windows: Sequence[Window], rules: Sequence[Guardrail], policy: Policy
) -> list[Figure]:
    """A day and the last days taken together, one row per kind of number.

    The volume is never marked: whether it fails also depends on what is usual, which only its guardrail knows.
    """
    columns = [latest, *windows]
    return [
        *(_figure(one, columns, rules, policy) for one in MAIN),
        Figure("Days", (Cell(Markup("")), *(Cell(_days_of(one)) for one in windows))),
    ]


def _figure(
    metric: Metric, columns: Sequence[SnapshotLine | Window | None], rules: Sequence[Guardrail], policy: Policy
) -> Figure:
    limits = limits_of(metric.name, rules, policy.values)
    cells = tuple(_cell(metric, getattr(one, metric.name, None), limits) for one in columns)
    if metric.name == "volume_deviation_percent":
        words = VOLUME_LIMITS[policy[volume.RULE]].format(f"{policy[volume.THRESHOLD]:g}")
    else:
        words = ", ".join(limit.sign for limit in limits)
    return Figure(metric.label, cells, words)


def _cell(metric: Metric, value: float | None, limits: Sequence[Limit]) -> Cell:
    threshold = limits[0].value if limits else None
    return Cell(text_of(metric, value, threshold), value is not None and any(one.is_beyond(value) for one in limits))


def _days_of(window: Window) -> Markup:
    """How many of its days are what, zeros left out."""
    counts = (
        (window.healthy_days, "healthy"),
        (window.failed_days, "failed"),
        (window.unknown_days, "unknown"),
        (window.missing_days, "without a snapshot"),
    )
    return Markup(", ").join(f"{count} {words}" for count, words in counts if count)
