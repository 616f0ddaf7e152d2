"""The API's responses about running days; see ``models`` for how all of them are made."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from telemetry_quality.core.running.report import RunningState
from telemetry_quality.dashboard.models import ApiResponse, Count, Day, Events, Source, VerdictResponse

Hour = Annotated[int, Field(description="Whole hours since the day began: 0 to 22, 23 or 24.")]
BeginsAt = Annotated[datetime, Field(description="When the hour begins, in the source's time zone.")]


class LaterHourResponse(ApiResponse):
    """An hour of the running day that was not looked at yet, and how many events are expected in it."""

    hour: Hour
    begins_at: BeginsAt
    expected_events: Events
    expected_low_events: Events
    expected_high_events: Events


class RunningHourResponse(LaterHourResponse):
    """An hour of the running day that is over, as a look found it."""

    revision: int = Field(description="1 for the first; it grows by one whenever late events change what is known.")
    looked_at: datetime = Field(description="When this revision was found, in UTC.")
    events: Count
    errors: Count
    missing_version_events: Count
    failed_guardrails: tuple[str, ...] = Field(description="What failed at the end of the hour, by the hours up to it.")
    unreadable_reason_code: str | None = Field(description="Why the hour could not be read; null if it could.")
    unreadable_reason: str | None


class RunningDayResponse(ApiResponse):
    """What is known of a day that is not over; it is never called healthy."""

    source: Source
    day: Day
    time_zone: str = Field(description="The IANA time zone that the source's days are in.")
    state: RunningState = Field(
        description="failing, unknown, nothing_failed or not_looked_at; none of them is a status of a day."
    )
    is_provisional: bool = Field(description="Always true: the snapshot of the day confirms or withdraws what failed.")
    looked_at: datetime | None = Field(description="When something new was last found, in UTC; null before that.")
    events: Count = Field(description="The events of the hours that could be read; null if there are none.")
    failures: tuple[VerdictResponse, ...] = Field(description="What has failed so far, once per guardrail.")
    hours: tuple[RunningHourResponse, ...] = Field(description="The hours that were looked at, in order.")
    later_hours: tuple[LaterHourResponse, ...] = Field(
        description="The hours after the last one looked at, as expected; empty if too little is known."
    )
    sentence: str = Field(description="What is known, in words.")
    due_hours: int = Field(description="How many hours of the day should have been looked at by now.")
    is_stale: bool = Field(description="Whether an hour that should have been looked at by now was not.")
    stale_sentence: str | None = Field(description="Which hours were not looked at, and the remedy; null unless stale.")


class RunningResponse(ApiResponse):
    """The running day of every source with ``intraday = true``."""

    as_of: datetime = Field(description="When this was requested, in UTC.")
    read_at: datetime = Field(description="When the store was last read, in UTC.")
    version: str = Field(description="Changes if and only if the content of the store changes.")
    trouble: str | None = Field(
        description="Why the store cannot be read now; the response then shows its last known content."
    )
    sources: tuple[RunningDayResponse, ...] = Field(
        description="In the order of the settings; sources without a day that runs now are left out."
    )
