"""Schedules: yesterday, every morning, days without a snapshot, and days whose events changed since they were read."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg

from telemetry_quality.core.days import days_between
from telemetry_quality.core.gaps import day_ranges, missing_days
from telemetry_quality.orchestration.resources import telemetry_of

if TYPE_CHECKING:
    from datetime import date

    from dagster import UnresolvedAssetJobDefinition as Job

    from telemetry_quality.core.gaps import DayRange
    from telemetry_quality.orchestration.names import SourceNames
    from telemetry_quality.settings import SourceSettings

MISSING_DAYS_PER_TICK = 100
"""How many days without a snapshot a tick may request: few enough that a run ends before the next tick."""

GAPS_PER_TICK = 10
"""How many gaps a tick may request, each of which is a run."""

GAP_TAG = "telemetry_quality/gap"
RANGE_START_TAG, RANGE_END_TAG = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def daily_cron(settings: SourceSettings) -> str:
    """When the previous day is complete: the allowed lateness after midnight in the source's time zone."""
    minute_of_day = min(settings.allowed_lateness_minutes, 24 * 60 - 1)
    return f"{minute_of_day % 60} {minute_of_day // 60} * * *"


def daily_schedule(names: SourceNames, settings: SourceSettings, job: Job) -> dg.ScheduleDefinition:
    """The schedule for the previous day, after its allowed lateness."""
    calendar = settings.calendar()

    @dg.schedule(
        name=names.named("daily"),
        cron_schedule=daily_cron(settings),
        execution_timezone=settings.time_zone,
        job=job,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Every morning, judges yesterday's events of {names.source}, as soon as allowed_lateness_minutes "
        f"have passed since midnight in {settings.time_zone}. Days that it misses are found by late_days.",
    )
    def daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        now = context.scheduled_execution_time
        latest = calendar.latest_day(now)
        if calendar.last_day is not None and now > calendar.window(latest).end + timedelta(days=1):
            return dg.SkipReason(f"The data set ended on {calendar.last_day}.")
        if latest < calendar.first_day:
            return dg.SkipReason(f"The first day, {calendar.first_day}, is not over yet.")
        return dg.RunRequest(run_key=latest.isoformat(), partition_key=latest.isoformat())

    return daily


def late_days_schedule(names: SourceNames, settings: SourceSettings, job: Job) -> dg.ScheduleDefinition:
    """Every six hours, days that have no snapshot, and recent days whose events changed or have become complete."""
    calendar = settings.calendar()

    @dg.schedule(
        name=names.named("late_days"),
        cron_schedule="30 */6 * * *",
        execution_timezone=settings.time_zone,
        job=job,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        required_resource_keys={names.resource},
        description=f"Every six hours, requests the days of {names.source} since {calendar.first_day} that have no "
        f"snapshot, and those of the last {settings.late_days} whose events have changed since they were scanned. It "
        "asks the source for a count of each, and scans nothing else.",
    )
    def late_days(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        work, now = telemetry_of(context, names.resource).work(names.source), context.scheduled_execution_time
        judged = {judged.day for judged in work.store.judged_days(names.source)}
        latest = calendar.latest_day(now)
        first = max(calendar.first_day, latest - timedelta(days=settings.late_days - 1))
        changed = work.changed_days([day for day in days_between(first, latest) if day in judged], now)
        missing = missing_days(calendar, judged, now, timedelta(minutes=settings.allowed_lateness_minutes))
        is_filling = bool(missing) and _is_filling_gaps(context.instance, names)
        tick = now.isoformat()
        requests = [dg.RunRequest(run_key=f"{tick}:{day}", partition_key=day.isoformat()) for day in changed]
        requests += [] if is_filling else [_gap_request(names.source, tick, gap) for gap in _bounded(missing)]
        if is_filling and not requests:
            return dg.SkipReason(f"A run that fills gaps is not over yet; {len(missing)} days have no snapshot.")
        return requests or dg.SkipReason(f"No day is missing, and none from {first} to {latest} has changed.")

    return late_days


def _bounded(missing: list[date]) -> list[DayRange]:
    """The oldest of the missing days, as many as a tick may request."""
    return day_ranges(missing[:MISSING_DAYS_PER_TICK])[:GAPS_PER_TICK]


def _gap_request(source: str, tick: str, gap: DayRange) -> dg.RunRequest:
    """One run for all days of a gap."""
    first, last = (day.isoformat() for day in gap)
    tags = {RANGE_START_TAG: first, RANGE_END_TAG: last, GAP_TAG: source}
    return dg.RunRequest(run_key=f"{tick}:{first}:{last}", tags=tags)


def _is_filling_gaps(instance: dg.DagsterInstance, names: SourceNames) -> bool:
    """Whether the runs of an earlier tick are not over yet: the same days must not be requested twice."""
    unfinished = dg.RunsFilter(job_name=names.materialize_day, tags={GAP_TAG: names.source}, statuses=UNFINISHED)
    return bool(instance.get_run_records(unfinished, limit=1))
