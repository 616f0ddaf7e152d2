"""Gathering: what the store knows of the last days of some sources. Nothing is read from sources."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from telemetry_quality.core.days import days_between
from telemetry_quality.core.guardrails import error_rate, missing_version
from telemetry_quality.core.incidents import incidents_of, worst_first
from telemetry_quality.core.incidents.model import severity
from telemetry_quality.core.incidents.wording import failure_words, where_words
from telemetry_quality.core.marks import marks_of
from telemetry_quality.core.trust import trust_in
from telemetry_quality.reports.model import WORST_FIRST, Report, ReportedDay, ReportedSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date, datetime

    from telemetry_quality.core.days import Calendar
    from telemetry_quality.core.incidents import FailedGuardrail
    from telemetry_quality.core.marks import Gate
    from telemetry_quality.core.policies import Policy
    from telemetry_quality.core.ports import QualityStore

LIMITS = (error_rate.THRESHOLD, missing_version.THRESHOLD)
"""The thresholds that charts show, each with the name of the number that it limits."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A source that a report is to be about."""

    name: str
    title: str
    owners: tuple[str, ...]
    calendar: Calendar
    policy: Policy
    gate: Gate


def gather(
    store: QualityStore, subjects: Iterable[Subject], last: int, now: datetime, dashboard: str | None = None
) -> Report:
    """The report about the ``last`` days of each source that are over at ``now``.

    Raises:
        StoreError: If the store cannot be read.
    """
    with store.kept_open():
        sources = [_source(store, subject, last, now) for subject in subjects]
    return Report(now, tuple(sorted(sources, key=_order)), dashboard)


def _order(source: ReportedSource) -> tuple[bool, int, str]:
    return source.is_trusted, WORST_FIRST.index(source.status), source.name


def _source(store: QualityStore, subject: Subject, last: int, now: datetime) -> ReportedSource:
    limits = {threshold.name: float(subject.policy[threshold]) for threshold in LIMITS}
    latest = subject.calendar.latest_day(now)
    first = max(subject.calendar.first_day, latest - timedelta(days=last - 1))
    if latest < first:
        return ReportedSource(subject.name, subject.title, subject.owners, (), (), limits)
    incidents = incidents_of(store, subject.name, first, latest)
    snapshots = {snapshot.day: snapshot for snapshot in store.snapshots(subject.name, first, latest)}
    marks = marks_of(store.marked_days(subject.name))
    words = _words(failure for incident in incidents for failure in incident.failures)
    days = []
    for day in days_between(first, latest):
        snapshot = snapshots.get(day)
        trust = None if snapshot is None else trust_in(snapshot, marks.get(day), subject.gate)
        days.append(ReportedDay(day, snapshot, trust, words.get(day, ())))
    incidents = worst_first(incidents)
    return ReportedSource(subject.name, subject.title, subject.owners, tuple(days), tuple(incidents), limits)


def _words(failures: Iterable[FailedGuardrail]) -> Mapping[date, tuple[str, ...]]:
    """What failed on each day, the worst first."""
    by_day: defaultdict[date, list[FailedGuardrail]] = defaultdict(list)
    for failure in failures:
        by_day[failure.day].append(failure)
    return {
        day: tuple(
            ", ".join([failure_words(failure), *where_words(failure)])
            for failure in sorted(of_day, key=lambda each: (severity(each.level), -each.times_threshold()))
        )
        for day, of_day in by_day.items()
    }
