"""The points of charts: what was found of each day, what was expected, what failed, and what changed."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.days import days_between
from telemetry_quality.dashboard.series import calendar_status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from telemetry_quality.core.incidents import Incident
    from telemetry_quality.dashboard.models import CalendarStatus
    from telemetry_quality.dashboard.state import DashboardState
    from telemetry_quality.storage.reader import JournalRow

MOST_CHANGES = 3
"""The most settings that a change names; a whole new policy has dozens."""


@dataclass(frozen=True, slots=True)
class DailyPoint:
    """A day in the charts.

    Attributes:
        row: Its snapshot; None if it has none.
        policy: The settings by which it was judged; empty if it was not.
        failed: The guardrails that failed, as the verdicts stand now.
        incidents: The incidents that last over this day.
        changes: What is different in the settings from those of the last judged day before it.
    """

    day: date
    status: CalendarStatus
    row: JournalRow | None
    policy: Mapping[str, Any]
    failed: frozenset[str] = frozenset()
    incidents: tuple[Incident, ...] = ()
    changes: tuple[str, ...] = ()

    def found(self, name: str) -> float | None:
        """A number of its snapshot."""
        return getattr(self.row, name, None)


def daily_series(
    state: DashboardState, source: str, last: date, days: int, first: date | None = None
) -> list[DailyPoint]:
    """One point per day up to ``last``, oldest first, without days before ``first``, the source's first day."""
    begin = last - timedelta(days=days - 1)
    begin = begin if first is None else max(begin, first)
    before, *rows = state.index.window(source, begin - timedelta(days=1), last)
    policy = {} if before is None else _policy(before.policy)
    incidents = [incident for incident in state.incidents.get(source, ()) if incident.last_day >= begin]
    lasting, failed = _lasting(incidents, begin, last), _failed(incidents)
    points = []
    for day, row in zip(days_between(begin, last), rows, strict=True):
        own = {} if row is None else _policy(row.policy)
        points.append(
            DailyPoint(
                day,
                calendar_status(state, row),
                row,
                own,
                frozenset(failed[day]),
                tuple(lasting[day]),
                _changes(policy, own),
            )
        )
        policy = own or policy
    return points


def _lasting(incidents: Iterable[Incident], first: date, last: date) -> Mapping[date, list[Incident]]:
    """The incidents of each day, from their first failed day to their last."""
    found: dict[date, list[Incident]] = defaultdict(list)
    for incident in incidents:
        for day in days_between(max(incident.first_day, first), min(incident.last_day, last)):
            found[day].append(incident)
    return found


def _failed(incidents: Iterable[Incident]) -> Mapping[date, set[str]]:
    """The guardrails that failed on each day."""
    found: dict[date, set[str]] = defaultdict(set)
    for incident in incidents:
        for failure in incident.failures:
            found[failure.day].add(failure.guardrail)
    return found


@lru_cache(maxsize=256)
def _policy(text: str) -> dict[str, Any]:
    """A stored policy, cached because thousands of days share it."""
    policy: dict[str, Any] = json.loads(text)
    return policy


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """The settings in both that differ, in words; a name that only one has came with another version of the program."""
    if before is after:
        return ()
    different = [name for name in sorted(before.keys() & after.keys()) if before[name] != after[name]]
    words = [_change(name, before[name], after[name]) for name in different[:MOST_CHANGES]]
    rest = len(different) - len(words)
    return (*words, f"{rest} more") if rest else tuple(words)


def _change(name: str, before: object, after: object) -> str:
    if isinstance(before, int | float) and isinstance(after, int | float):
        return f"{name} {before:g} → {after:g}"
    return name
