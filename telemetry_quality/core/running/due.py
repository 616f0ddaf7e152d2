"""Due: which hours of a running day a look reads."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

READ_AGAIN_HOURS = (2, 4, 8)
"""A look that finds no hour newly over reads the hour so long before the last one again, each time another one."""


def due_hours(read: Collection[int], over: int, looks_since: int) -> list[range]:
    """The hours to read, as spans of consecutive hours.

    Hours that were never read, or could not be, come first, and with them the hour before the newest one, whose late
    events have arrived since. If there are none, an older hour is read again: a look is light however long the day is.

    Args:
        read: The hours that could be read before.
        over: How many hours of the day are over.
        looks_since: How many looks there have been since the last hour was over, 0 at the first one.
    """
    missing = [hour for hour in range(over) if hour not in read]
    if not missing:
        return _again(over, looks_since)
    spans = []
    for _, found in groupby(enumerate(missing), key=lambda place: place[1] - place[0]):
        hours = [hour for _, hour in found]
        spans.append(range(hours[0], hours[-1] + 1))
    newest = spans[-1]
    if newest.start and newest.start - 1 in read:
        spans[-1] = range(newest.start - 1, newest.stop)
    return spans


def _again(over: int, looks_since: int) -> list[range]:
    if not 1 <= looks_since <= len(READ_AGAIN_HOURS):
        return []
    hour = over - 1 - READ_AGAIN_HOURS[looks_since - 1]
    return [range(hour, hour + 1)] if hour >= 0 else []
