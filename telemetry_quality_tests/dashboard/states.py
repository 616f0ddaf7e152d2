"""Builders of states and their parts, with defaults."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.verdicts import Contributor, Level, Outcome, Segment, Verdict
from telemetry_quality.core.hours import ExpectedHour
from telemetry_quality.core.incidents import EVERYWHERE, UNREADABLE, FailedGuardrail, group_incidents
from telemetry_quality.core.running.model import HourCounts, RunningHour
from telemetry_quality.dashboard.index import SnapshotIndex
from telemetry_quality.dashboard.state import DashboardState
from telemetry_quality.settings import Settings
from telemetry_quality.storage.reader import JournalRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry_quality.core.incidents import Incident

TODAY = date(2026, 3, 11)
YESTERDAY = date(2026, 3, 10)
BEFORE = date(2026, 3, 9)
DUE_AT = datetime(2026, 3, 11, 3, tzinfo=UTC)
"""When a snapshot of YESTERDAY becomes overdue: the day's end, an hour of lateness and two hours of grace."""

MORNING = datetime(2026, 3, 11, 9, tzinfo=UTC)


def make_settings(*sources: str, dashboard: Mapping[str, Any] | None = None, **overrides: Any) -> Settings:
    """Settings of ``sources``, by default ``web``, whose days are in UTC; ``overrides`` apply to all of them."""
    source = {
        "connector": "parquet",
        "path": "events",
        "first_day": date(2026, 1, 1),
        "preset": "cloudevents",
        **overrides,
    }
    return Settings.model_validate(
        {"sources": dict.fromkeys(sources or ("web",), source), "dashboard": dict(dashboard or {})}
    )


def make_journal_row(day: date = YESTERDAY, sequence: int = 1, **overrides: Any) -> JournalRow:
    """A healthy day of 1,000 events, as many as expected."""
    row = JournalRow(
        sequence=sequence,
        source="web",
        day=day,
        revision=1,
        status="healthy",
        computed_at=datetime(day.year, day.month, day.day, 2, tzinfo=UTC) + timedelta(days=1),
        total_events=1000,
        error_events=10,
        error_rate_percent=1.0,
        missing_version_events=0,
        missing_version_percent=0.0,
        sample_size=100,
        sample_passed=100,
        sampling_success_rate_percent=100.0,
        expected_events=1000.0,
        expected_low_events=900.0,
        expected_high_events=1100.0,
        volume_deviation_percent=0.0,
        is_provisional=False,
        policy=policy_of().text(),
        run_id="run-1",
    )
    return row._replace(**overrides)


def make_unknown_row(day: date = YESTERDAY, **overrides: Any) -> JournalRow:
    """A day that could not be read."""
    kept = {"sequence", "source", "day", "revision", "status", "computed_at", "policy", "run_id"}
    nothing: dict[str, Any] = {name: None for name in JournalRow._fields if name not in kept}
    return make_journal_row(day)._replace(status="unknown", **nothing)._replace(**overrides)


def because(
    segment: Segment, share_percent: float | None = None, named: Segment | None = None
) -> tuple[Contributor, ...]:
    """The contributors of a failure with this root cause, and what its guardrail itself names."""
    cause = Contributor(segment, 1.0, 2.0, share_percent)
    return (cause,) if share_percent is None or named is None else (cause, Contributor(named, 1.0, 2.0))


def make_failure(day: date = YESTERDAY, **overrides: Any) -> FailedGuardrail:
    """An error rate of 50.75 %, spread over the whole stream."""
    failure: dict[str, Any] = {
        "day": day,
        "guardrail": "error_rate",
        "level": Level.CRITICAL,
        "reason_code": "ERROR_RATE_HIGH",
        "value": 50.75,
        "threshold": 5.0,
        "sentence": "50.75 % of 930 events are errors (472), more than the 5 % allowed.",
        "root_cause": EVERYWHERE,
        "foremost": "",
        "is_confined": False,
        "revision": 1,
    }
    return FailedGuardrail(**(failure | overrides))


def make_unreadable(day: date = YESTERDAY) -> FailedGuardrail:
    """The day could not be read."""
    return make_failure(
        day,
        guardrail="activity",
        reason_code="DAY_UNREADABLE",
        value=None,
        threshold=None,
        sentence="The day could not be read (FILE_CORRUPT): day=2026-03-10.parquet is no Parquet file.",
        root_cause=UNREADABLE,
    )


def make_incidents(*failures: FailedGuardrail, source: str = "web") -> tuple[Incident, ...]:
    """The incidents formed by ``failures``, if every other day up to the last of them passed."""
    return tuple(group_incidents(source, failures, {failure.day for failure in failures}))


def make_state(*rows: JournalRow, incidents: Iterable[Incident] = (), **overrides: Any) -> DashboardState:
    """The state as read on MORNING."""
    by_source: dict[str, tuple[Incident, ...]] = {}
    for incident in incidents:
        by_source[incident.source] = (*by_source.get(incident.source, ()), incident)
    parts: dict[str, Any] = {
        "index": SnapshotIndex().extended(rows),
        "incidents": by_source,
        "version": "0123456789abcdef",
        "read_at": MORNING,
    }
    return DashboardState(**(parts | overrides))


def make_running_hours(count: int, day: date = TODAY, source: str = "web", **overrides: Any) -> list[RunningHour]:
    """The first hours of a day, each with 100 events where 100 are expected; ``overrides`` apply to the last one."""
    hours = [
        RunningHour(
            source,
            day,
            hour,
            1,
            MORNING,
            HourCounts(100, 1, 0, 0),
            EXPECTED_HOUR,
            later=(EXPECTED_HOUR,) * (23 - hour),
        )
        for hour in range(count)
    ]
    return [*hours[:-1], replace(hours[-1], **overrides)]


EXPECTED_HOUR = ExpectedHour(100, 80, 120)
HOURS_MISSING = Verdict(
    "missing_hours", Level.CRITICAL, Outcome.FAILED, "MISSING_HOURS", 2.0, 0.0, "Between 06:00 and 08:00 no event came."
)
