"""Loading: the incidents in a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry_quality.core.incidents.grouping import failures_of, group_incidents
from telemetry_quality.core.marks import Mark, days_marked, marks_of
from telemetry_quality.core.ports import JudgedDay
from telemetry_quality.core.running.model import RUNNING
from telemetry_quality.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from telemetry_quality.core.incidents.failures import FailedGuardrail
    from telemetry_quality.core.incidents.model import Incident, IncidentAction
    from telemetry_quality.core.ports import IncidentStore


def incidents_of(
    store: IncidentStore, source: str, first: date | None = None, last: date | None = None
) -> list[Incident]:
    """The whole incidents that touch the days from ``first`` to ``last``, oldest first; all incidents without days.

    Raises:
        StoreError: If the store fails.
    """
    days, running, actions = store.judged_days(source), store.running_verdicts(source), store.incident_actions(source)
    if running:
        days = sorted([*days, *(JudgedDay(day, RUNNING, is_healthy=False) for day in running)])
    if not days:
        return []
    first, last = first or days[0].day, last or days[-1].day
    begin, end = _whole_range(days, actions, first, last)
    failed = store.failed_verdicts(source, begin, end)
    failed |= {day: {RUNNING: verdicts} for day, verdicts in running.items()}
    failures: list[FailedGuardrail] = []
    judged: set[date] = set()
    for judged_day in days:
        if begin <= judged_day.day <= end:
            judged.add(judged_day.day)
            if judged_day.day in failed:
                failures += failures_of(
                    judged_day.day, judged_day.revision, failed[judged_day.day].get(judged_day.revision, ())
                )
    accepted = days_marked(marks_of(store.marked_days(source)), {Mark.ACCEPTED})
    found = group_incidents(source, failures, judged, actions, accepted, running_days=running)
    return [incident for incident in found if incident.first_day <= last and first <= incident.last_day]


def require_incident(incidents: Iterable[Incident], key: str) -> Incident:
    """The incident called ``key``.

    Raises:
        RequestError: If there is none; names incidents that may have been meant.
    """
    known = list(incidents)
    for incident in known:
        if incident.key == key:
            return incident
    near = [
        incident.key
        for incident in known
        if any(key.partition(".")[0] == f"{incident.source}/{day}" for day in incident.days)
    ]
    remedy = f"did you mean {' or '.join(near)}?" if near else "telemetry-quality incidents --all lists them."
    raise RequestError(
        f"An incident's key such as web/2026-03-10 is required, but no incident has the key {key!r}; {remedy}"
    )


def _whole_range(
    days: Sequence[JudgedDay], actions: Sequence[IncidentAction], first: date, last: date
) -> tuple[date, date]:
    """A range around ``first`` and ``last`` that cuts no incident, and nothing that an action applies to.

    A healthy day closes whatever was open: between two healthy days, incidents and their keys are the same as in the
    whole history, which need not be loaded.
    """
    healthy = [judged_day.day for judged_day in days if judged_day.is_healthy]
    while True:
        begin = max((day for day in healthy if day < first), default=min(first, days[0].day))
        end = min((day for day in healthy if day > last), default=max(last, days[-1].day))
        met = [action for action in actions if action.speaks_of(begin, end)]
        wider = min([first, *(action.day for action in met)]), max([last, *(action.last_seen for action in met)])
        if wider == (first, last):
            return begin, end
        first, last = wider
