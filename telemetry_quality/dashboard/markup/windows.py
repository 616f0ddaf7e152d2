"""A day and windows of recent days: one row per metric, with the threshold it is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from telemetry_quality.core.guardrails import volume
from telemetry_quality.core.metrics import MAIN
from telemetry_quality.dashboard.markup.numbers import limits_of, text_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from telemetry_quality.core.guardrails.guardrail import Guardrail
    from telemetry_quality.core.metrics import Metric
    from telemetry_quality.core.policies import Policy
    from telemetry_quality.dashboard.models import SnapshotLine, Window

VOLUME_LIMITS = {
    "deviation": "± {} %",
    "unusual": "outside the normal interval",
    "both": "± {} %, and outside the normal interval",
    "either": "± {} %, or outside the normal interval",
}


class Cell(NamedTuple):
    """A number as shown, and whether its guardrail failed."""

    text: Markup
    is_beyond: bool = False


class Figure(NamedTuple):
    """The row of a metric, with the threshold its numbers are compared with."""

    words: str
    cells: tuple[Cell, ...]
    limit: str = ""


def window_figures(
    latest: SnapshotLine | None,
    windows: Sequence[Window],
    rules: Sequence[Guardrail],
    policy: Policy,
    failed: Collection[str] = (),
) -> list[Figure]:
    """A day and windows of recent days, one row per metric.

    Only numbers of the day are marked, and only where one of the guardrails named in ``failed`` is about them: a
    guardrail may pass what is beyond its threshold because it is usual, and judges days, not weeks or months.
    """
    columns = [latest, *windows]
    marked = {rule.metric for rule in rules if rule.name in failed}
    return [
        *(_figure(metric, columns, rules, policy, is_marked=metric.name in marked) for metric in MAIN),
        Figure("Days", (Cell(Markup("")), *(Cell(_days_of(window)) for window in windows))),
    ]


def _figure(
    metric: Metric,
    columns: Sequence[SnapshotLine | Window | None],
    rules: Sequence[Guardrail],
    policy: Policy,
    *,
    is_marked: bool,
) -> Figure:
    limits = limits_of(metric.name, rules, policy.values)
    threshold = limits[0].value if limits else None
    texts = [text_of(metric, getattr(column, metric.name, None), threshold) for column in columns]
    cells = tuple(Cell(text, is_marked and place == 0) for place, text in enumerate(texts))
    if metric.name == "volume_deviation_percent":
        words = VOLUME_LIMITS[policy[volume.RULE]].format(f"{policy[volume.THRESHOLD]:g}")
    else:
        words = ", ".join(limit.sign for limit in limits)
    return Figure(metric.label, cells, words)


def _days_of(window: Window) -> Markup:
    """How many days of the window have each status, without zeros."""
    counts = (
        (window.healthy_days, "healthy"),
        (window.failed_days, "failed"),
        (window.unknown_days, "unknown"),
        (window.missing_days, "without a snapshot"),
    )
    return Markup(", ").join(f"{count} {words}" for count, words in counts if count)
