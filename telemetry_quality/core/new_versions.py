"""New versions: on which day a version that came to carry part of the stream was first seen."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

BEFORE_DAYS = 28
"""A version that was not seen for so long is new, or is back."""

KNOWN_DAYS = 7
"""So many days with events must come before, or else nobody knows which versions were there already."""

CARRIED_PERCENT = 5
"""A version is worth saying if it carried more than this share of the events of any day: rare ones come every day."""


def new_versions(days: Mapping[date, Mapping[str | None, int]]) -> dict[date, tuple[str, ...]]:
    """The versions that were first seen on each day, those with the most events on it first.

    Args:
        days: The events of each day by version, None for those without one, also of the days before those of interest.
    """
    carried = _carried(days)
    last_seen: dict[str, date] = {}
    found: dict[date, tuple[str, ...]] = {}
    counted = 0
    for day in sorted(days):
        seen = sorted(
            (version for version in days[day] if version is not None), key=lambda version: -days[day][version]
        )
        fresh = tuple(version for version in seen if version in carried and _is_fresh(last_seen.get(version), day))
        if fresh and counted >= KNOWN_DAYS:
            found[day] = fresh
        last_seen.update(dict.fromkeys(seen, day))
        counted += bool(days[day])
    return found


def _carried(days: Mapping[date, Mapping[str | None, int]]) -> frozenset[str]:
    """The versions that carried part of the stream on some day."""
    most: dict[str, float] = defaultdict(float)
    for events in days.values():
        total = sum(events.values())
        for version, count in events.items():
            if version is not None and total:
                most[version] = max(most[version], 100 * count / total)
    return frozenset(version for version, percent in most.items() if percent > CARRIED_PERCENT)


def _is_fresh(last_seen: date | None, day: date) -> bool:
    return last_seen is None or (day - last_seen).days > BEFORE_DAYS
