"""The picture of a message: the events of the last days, with what was expected of them."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry_quality.core.messages.model import VolumeDay

WIDTH, HEIGHT, MARGIN = 600, 200, 12
FEWEST_BARS = 30
"""A bar is never wider than one of so many."""

LABELS = 18
"""The height of the line of text below the bars."""

PAPER, INK, BAND, BAR, BAD = "#ffffff", "#444444", "#cfe3f5", "#5b8db8", "#c62828"
"""Bars of failed days differ from others by a mark below them too, for those who do not see the colours."""


def draw(volumes: Sequence[VolumeDay]) -> bytes | None:
    """A PNG with a bar for each day and the expected interval behind it; None without Pillow, or without a number."""
    try:
        from PIL import Image, ImageDraw  # noqa: PLC0415 - the extra may not be installed
    except ImportError:
        return None
    top = max((value for volume in volumes for value in (volume.events, volume.high) if value), default=0)
    if not top:
        return None
    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    canvas = ImageDraw.Draw(image)
    floor, room = HEIGHT - MARGIN - LABELS, HEIGHT - 2 * MARGIN - LABELS
    # The newest day is on the right, also while there are few.
    step = (WIDTH - 2 * MARGIN) / max(len(volumes), FEWEST_BARS)
    begin = WIDTH - MARGIN - step * len(volumes)

    def y(events: float) -> float:
        return floor - room * min(max(events, 0), top) / top

    for place, volume in enumerate(volumes):
        left = begin + place * step
        _draw_day(canvas, volume, (left, left + step), floor, y)
    span = f"{volumes[0].day} to {volumes[-1].day}"
    words = f"Events per day, {span}, up to {top:,.0f}; light: expected; marked: failed"
    canvas.text((MARGIN, HEIGHT - MARGIN - LABELS / 2), words, fill=INK)
    target = BytesIO()
    image.save(target, "PNG")
    return target.getvalue()


def _draw_day(canvas: Any, volume: VolumeDay, columns: tuple[float, float], floor: float, y: Any) -> None:
    left, right = columns
    if volume.low is not None and volume.high is not None:
        canvas.rectangle([left, y(volume.high), right, y(volume.low)], fill=BAND)
    middle, half = (left + right) / 2, (right - left) * 0.3
    if volume.events is not None:
        colour = BAD if volume.has_failed else BAR
        canvas.rectangle([middle - half, y(volume.events), middle + half, floor], fill=colour)
    if volume.has_failed:
        canvas.polygon([(middle - half, floor + 6), (middle + half, floor + 6), (middle, floor + 1)], fill=BAD)
