"""A day and the last days taken together: numbers of one kind in a row, beside the threshold they are held against."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from telemetry_quality.dashboard.rendering import number, percent, signed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry_quality.core.policies import Policy
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


def window_figures(latest: SnapshotLine | None, windows: Sequence[Window], policy: Policy) -> list[Figure]:
    """A day and the last days taken together, one row per kind of number.

    The volume is never marked: whether it fails also depends on what is usual, which only its guardrail knows.
    """
    columns = [latest, *windows]

    def limited(words: str, name: str, threshold: float, limit: str) -> Figure:
        return Figure(words, tuple(_limited(getattr(one, name, None), name, threshold) for one in columns), limit)

    return [
        Figure("Events", tuple(Cell(number(one.total_events if one else None)) for one in columns)),
        Figure("Expected", tuple(Cell(number(one.expected_events if one else None)) for one in columns)),
        Figure(
            "Against expected",
            tuple(Cell(signed(one.volume_deviation_percent if one else None)) for one in columns),
            VOLUME_LIMITS[policy.volume_rule].format(f"{policy.volume_deviation_percent:g}"),
        ),
        limited("Errors", "error_rate_percent", policy.error_rate_percent, f"> {policy.error_rate_percent:g} %"),
        limited(
            "No version",
            "missing_version_percent",
            policy.missing_version_percent,
            f"> {policy.missing_version_percent:g} %",
        ),
        limited(
            "Sample passed",
            "sampling_success_rate_percent",
            policy.sample_success_percent,
            f"< {policy.sample_success_percent:g} %",
        ),
        Figure("Days", (Cell(Markup("")), *(Cell(_days_of(one)) for one in windows))),
    ]


def _limited(value: float | None, name: str, threshold: float) -> Cell:
    if value is None:
        return Cell(percent(None))
    is_beyond = value < threshold if name == "sampling_success_rate_percent" else value > threshold
    return Cell(percent(value, 2, threshold), is_beyond)


def _days_of(window: Window) -> Markup:
    """How many of its days are what, zeros left out."""
    counts = (
        (window.healthy_days, "healthy"),
        (window.failed_days, "failed"),
        (window.unknown_days, "unknown"),
        (window.missing_days, "without a snapshot"),
    )
    return Markup(", ").join(f"{count} {words}" for count, words in counts if count)
