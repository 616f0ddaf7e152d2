"""Drawing: numbers of days as SVG, in which nothing is text of events.

A chart has a line for what was found, a band for what was normal, a dashed line for a limit, and a sign at each day
that cannot be used. A day without a number leaves a gap, which is never a zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log10
from typing import TYPE_CHECKING

from markupsafe import Markup

from telemetry_quality.reports.model import MISSING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telemetry_quality.reports.model import ReportedDay

SIGNS = {"healthy": "✓", "degraded": "!", "unhealthy": "✗", "no_activity": "∅", "unknown": "?", MISSING: "·"}
"""A status is never shown by colour alone."""

WIDTH, HEIGHT = 720, 170
LEFT, RIGHT, TOP, BOTTOM = 64, 10, 14, 26
MOST_LABELS = 6
CELL = 10


@dataclass(frozen=True, slots=True)
class Plot:
    """What a chart shows, a value per day; None where it is not known."""

    label: str
    values: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    limit: float | None = None

    @property
    def top(self) -> float:
        """The upper end of its scale."""
        known = [value for value in (*self.values, *self.high, self.limit) if value is not None]
        return _round_up(max(known, default=0.0))


SMALLEST = 1e-12
"""What is smaller is drawn like zero: no share of events is, and powers of ten end far below."""


def _round_up(value: float) -> float:
    """The next number of which the half is easy to read, too."""
    if value < SMALLEST:
        return 1.0
    power: float = 10.0 ** floor(log10(value))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= value * (1 - 1e-9))


def chart(plot: Plot, days: Sequence[ReportedDay]) -> Markup:
    """A chart of days with a scale, a date below every few days, and signs."""
    scale = _Scale(len(days), plot.top, (LEFT, WIDTH - RIGHT), (HEIGHT - BOTTOM, TOP))
    parts = [*_grid(scale, plot.top), *_dates(scale, days), *_curves(scale, plot)]
    for number, (day, value) in enumerate(zip(days, plot.values, strict=True)):
        if value is not None and not day.is_trusted:
            parts.append(
                f'<text class="sign {day.status}" x="{scale.x(number):.1f}" y="{scale.y(value) - 5:.1f}">'
                f"{SIGNS[day.status]}</text>"
            )
    return _picture(f"0 0 {WIDTH} {HEIGHT}", "chart", _said(plot, days), parts)


def sparkline(plot: Plot) -> Markup:
    """A line as high as a line of text, with the band of what was normal."""
    scale = _Scale(len(plot.values), plot.top, (1, 119), (23, 1))
    return _picture("0 0 120 24", "spark", plot.label, _curves(scale, plot))


def strip(days: Sequence[ReportedDay]) -> Markup:
    """A cell for each day, oldest first; healthy days have no sign, so that the others stand out."""
    parts = []
    for number, day in enumerate(days):
        parts.append(f'<rect class="{day.status}" x="{CELL * number}" width="{CELL - 1}" height="20" rx="1"/>')
        if day.status != "healthy":
            parts.append(f'<text class="{day.status}" x="{CELL * number + 4.5}" y="14">{SIGNS[day.status]}</text>')
    counts = {status: sum(day.status == status for day in days) for status in SIGNS}
    said = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in counts.items() if count)
    return _picture(f"0 0 {CELL * max(len(days), 1)} 20", "strip", said or "no days", parts)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where a day and a value are in a picture."""

    count: int
    top: float
    columns: tuple[float, float]
    rows: tuple[float, float]

    def x(self, number: int) -> float:
        left, right = self.columns
        return left + (right - left) * (number + 0.5) / max(self.count, 1)

    def y(self, value: float) -> float:
        bottom, top = self.rows
        return bottom + (top - bottom) * min(max(value, 0.0), self.top) / self.top


def _picture(box: str, kind: str, said: str, parts: Iterable[str]) -> Markup:
    return Markup('<svg class="{}" viewBox="{}" role="img" aria-label="{}">{}</svg>').format(
        kind,
        box,
        said,
        Markup("".join(parts)),  # noqa: S704 - numbers, dates and our own signs
    )


def _said(plot: Plot, days: Sequence[ReportedDay]) -> str:
    """The chart in words, for those who cannot see it."""
    known = [value for value in plot.values if value is not None]
    if not known:
        return f"{plot.label}: not known on any day"
    return f"{plot.label}, {days[0].day} to {days[-1].day}: {min(known):,.6g} to {max(known):,.6g}"


def _grid(scale: _Scale, top: float) -> Iterable[str]:
    for share in (0, 0.5, 1):
        y = scale.y(top * share)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text class="scale" x="{LEFT - 6}" y="{y + 4:.1f}">{top * share:,.6g}</text>'


def _dates(scale: _Scale, days: Sequence[ReportedDay]) -> Iterable[str]:
    step = max(1, -(-len(days) // MOST_LABELS))
    for number in range(len(days) - 1, -1, -step):
        label = f"{days[number].day:%d %b}"
        yield f'<text class="date" x="{scale.x(number):.1f}" y="{HEIGHT - 8}">{label}</text>'


def _curves(scale: _Scale, plot: Plot) -> list[str]:
    """The band, the limit and the line; a day alone between gaps is a dot."""
    parts = [f'<path class="band" d="{_band(scale, piece, plot)}"/>' for piece in _pieces(_has_band(plot))]
    if plot.limit is not None:
        left, right = scale.columns
        parts.append(f'<path class="limit" d="M{left} {scale.y(plot.limit):.1f}H{right}"/>')
    points = {number: value for number, value in enumerate(plot.values) if value is not None}
    for piece in _pieces([value is not None for value in plot.values]):
        path = "L".join(f"{scale.x(number):.1f} {scale.y(points[number]):.1f}" for number in piece)
        parts.append(f'<path class="line" d="M{path}{"h.1" if len(piece) == 1 else ""}"/>')
    return parts


def _has_band(plot: Plot) -> list[bool]:
    return [low is not None and high is not None for low, high in zip(plot.low, plot.high, strict=True)]


def _band(scale: _Scale, piece: Sequence[int], plot: Plot) -> str:
    """The outline of consecutive days' intervals, each as wide as its day."""
    half = (scale.x(1) - scale.x(0)) / 2
    upper = [
        f"{scale.x(number) + side:.1f} {scale.y(plot.high[number] or 0):.1f}"
        for number in piece
        for side in (-half, half)
    ]
    lower = [
        f"{scale.x(number) + side:.1f} {scale.y(plot.low[number] or 0):.1f}"
        for number in reversed(piece)
        for side in (half, -half)
    ]
    return f"M{'L'.join([*upper, *lower])}Z"


def _pieces(known: Sequence[bool]) -> Iterable[list[int]]:
    """The runs of consecutive days that are known."""
    piece: list[int] = []
    for number, is_known in enumerate(known):
        if is_known:
            piece.append(number)
        elif piece:
            yield piece
            piece = []
    if piece:
        yield piece
