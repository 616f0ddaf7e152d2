"""Thirty days as small pictures for a row of a table, each a few hundred bytes: hundreds of rows share a page.

A day whose number is not known is a gap, never zero.
"""

from __future__ import annotations

from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Values = Sequence[float | None]

STEP, HEIGHT = 4, 24
"""The units from a day to the next, and the units that a picture is high."""

TOP = 1.25
"""A limit stands at four fifths of the picture, unless a value lies above it."""


def volume_sparkline(events: Values, low: Values, high: Values) -> Markup:
    """The events of each day, and the band in which they are expected."""
    most = max((value for values in (events, high) for value in values if value is not None), default=0) or 1
    return _picture(f'<path class="band" d="{_band(low, high, most)}"/><path d="{_line(events, most)}"/>')


def error_sparkline(rates: Values, limit: float) -> Markup:
    """The error rate of each day, and its limit as a line."""
    most = max((TOP * limit, *(rate for rate in rates if rate is not None))) or 1
    across = f'<path class="limit" d="M0 {_height(limit, most)}h{STEP * max(len(rates) - 1, 1)}"/>'
    return _picture(f'{across}<path d="{_line(rates, most)}"/>')


def _picture(paths: str) -> Markup:
    return Markup(  # noqa: S704 - numbers only
        f'<svg class="spark" viewBox="-1 0 {30 * STEP} {HEIGHT}" aria-hidden="true">{paths}</svg>'
    )


def _height(value: float, most: float) -> int:
    return HEIGHT - 1 - round((HEIGHT - 2) * max(value, 0) / most)


def _known(*columns: Values) -> Iterator[tuple[int, list[tuple[float, ...]]]]:
    """Each stretch of days of which all numbers are known: its first position, and the numbers of each day."""
    rows = list(enumerate(zip(*columns, strict=True)))
    for is_known, found in groupby(rows, key=lambda row: None not in row[1]):
        stretch = list(found)
        if is_known:
            yield stretch[0][0], [tuple(float(value or 0) for value in values) for _, values in stretch]


def _line(values: Values, most: float) -> str:
    """One path; a day between two gaps is a dot."""
    drawn = []
    for start, stretch in _known(values):
        heights = [_height(value, most) for (value,) in stretch]
        drawn.append(f"M{STEP * start} {heights[0]}{_steps(heights, STEP) or 'h0'}")
    return "".join(drawn)


def _band(low: Values, high: Values, most: float) -> str:
    drawn = []
    for start, stretch in _known(low, high):
        lows, highs = ([_height(values[place], most) for values in stretch] for place in (0, 1))
        back = lows[::-1]
        drawn.append(f"M{STEP * start} {highs[0]}{_steps(highs, STEP)}V{back[0]}{_steps(back, -STEP)}z")
    return "".join(drawn)


def _steps(heights: Sequence[int], step: int) -> str:
    """Lines from each height to the next, relative to it; a minus sign separates numbers as well as a space does."""
    pairs = pairwise(heights)
    said = "".join(f" {step} {after - before}" for before, after in pairs).replace(" -", "-")
    return f"l{said.strip()}" if said else ""
