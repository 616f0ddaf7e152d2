"""Schedules: yesterday, every morning, and days whose events have changed since they were read."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg

from telemetry_quality.core.days import days_between
from telemetry_quality.orchestration.resources import RESOURCE, telemetry_of

if TYPE_CHECKING:
    from dagster import UnresolvedAssetJobDefinition as Job

    from telemetry_quality.settings import SourceSettings


def daily_schedule(source: str, settings: SourceSettings, job: Job) -> dg.ScheduleDefinition:
    """The schedule for the previous day, after its allowed lateness."""
    minute_of_day = min(settings.allowed_lateness_minutes, 24 * 60 - 1)
    calendar = settings.calendar()

    @dg.schedule(
        name=f"{source}_daily",
        cron_schedule=f"{minute_of_day % 60} {minute_of_day // 60} * * *",
        execution_timezone=settings.time_zone,
        job=job,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Makes the snapshot of the previous day, once its allowed lateness has passed.",
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


def late_days_schedule(source: str, settings: SourceSettings, job: Job) -> dg.ScheduleDefinition:
    """Every six hours, the recent days that are unread, have a different number of events or have become complete."""
    calendar = settings.calendar()

    @dg.schedule(
        name=f"{source}_late_days",
        cron_schedule="30 */6 * * *",
        execution_timezone=settings.time_zone,
        job=job,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        required_resource_keys={RESOURCE},
        description=f"Checks the last {settings.late_days} days again and reads only those that changed.",
    )
    def late_days(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        telemetry = telemetry_of(context)
        now = context.scheduled_execution_time
        latest = calendar.latest_day(now)
        first = max(calendar.first_day, latest - timedelta(days=settings.late_days - 1))
        changed = telemetry.work(source).changed_days(list(days_between(first, latest)), now)
        if not changed:
            return dg.SkipReason(f"No day from {first} to {latest} has changed.")
        tick = now.isoformat()
        return [dg.RunRequest(run_key=f"{tick}:{day}", partition_key=day.isoformat()) for day in changed]

    return late_days
