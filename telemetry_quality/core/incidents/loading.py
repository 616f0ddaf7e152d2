"""Loading: the incidents of what a store holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.incidents.grouping import failures_of, group_incidents
from telemetry_quality.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from telemetry_quality.core.incidents.model import FailedGuardrail, Incident, IncidentAction
    from telemetry_quality.core.ports import IncidentStore, JudgedDay


def incidents_of(
    store: IncidentStore, source: str, first: date | None = None, last: date | None = None
) -> list[Incident]:
    """The incidents that touch the days from ``first`` to ``last``, whole, oldest first; all of them without days.

    Raises:
        StoreError: If the store refuses.
    """
    days, actions = store.judged_days(source), store.incident_actions(source)
    if not days:
        return []
    first, last = first or days[0].day, last or days[-1].day
    begin, end = _whole_range(days, actions, first, last)
    failed = store.failed_verdicts(source, begin, end)
    failures: list[FailedGuardrail] = []
    judged: set[date] = set()
    for one in days:
        if begin <= one.day <= end:
            judged.add(one.day)
            if one.day in failed:
                failures += failures_of(one.day, one.revision, failed[one.day].get(one.revision, ()))
    found = group_incidents(source, failures, judged, actions)
    return [one for one in found if one.first_day <= last and first <= one.last_day]


def require_incident(incidents: Iterable[Incident], key: str) -> Incident:
    """The incident called ``key``.

    Raises:
        RequestError: If there is none; names those that look like what was meant.
    """
    known = list(incidents)
    for one in known:
        if one.key == key:
            return one
    near = [one.key for one in known if any(key.partition(".")[0] == f"{one.source}/{day}" for day in one.days)]
    remedy = f"did you mean {' or '.join(near)}?" if near else "telemetry-quality incidents --all lists them."
    raise RequestError(f"An incident's key such as web/2026-03-10 is required, but {key!r} names none; {remedy}")


def _whole_range(
    days: Sequence[JudgedDay], actions: Sequence[IncidentAction], first: date, last: date
) -> tuple[date, date]:
    """A range around ``first`` and ``last`` in which incidents, and what acts speak of, are whole.

    A healthy day closes whatever was open: between two of them an incident and its key are what they are in the
    whole history, which need not be loaded.
    """
    healthy = [one.day for one in days if one.is_healthy]
    while True:
        begin = max((day for day in healthy if day < first), default=min(first, days[0].day))
        end = min((day for day in healthy if day > last), default=max(last, days[-1].day))
        met = [action for action in actions if action.speaks_of(begin, end)]
        wider = min([first, *(action.day for action in met)]), max([last, *(action.last_seen for action in met)])
        if wider == (first, last):
            return begin, end
        first, last = wider
