"""The API's responses: frozen and strictly typed; the description of each field appears in the OpenAPI document.

Null always means *not known*, never zero. The functions that build these responses are in ``summary``, ``series``,
``incident_responses`` and ``day_responses``. Annotations are evaluated here so that pydantic can resolve them.
"""

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from telemetry_quality.core.guardrails.catalogue import guardrails
from telemetry_quality.core.guardrails.verdicts import Level, Outcome
from telemetry_quality.core.incidents import Action
from telemetry_quality.core.marks import Mark
from telemetry_quality.core.metrics import LISTED, NOT_LISTED, Metric
from telemetry_quality.core.snapshots import DayStatus

Source = Annotated[str, Field(description="The source's name in the settings.")]
Day = Annotated[date, Field(description="A calendar day in the source's time zone.")]
Count = Annotated[int | None, Field(description="A number of events; null where it is not known.")]
Percent = Annotated[float | None, Field(description="A percentage, 0 to 100; null where it is not known.")]
Events = Annotated[float | None, Field(description="The expected number of events; null where it is not known.")]


class ApiResponse(BaseModel):
    """What every response of the API has in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CalendarStatus(StrEnum):
    """What a calendar shows for a day: its status, or why it has no status."""

    UNKNOWN = "unknown"
    NO_ACTIVITY = "no_activity"
    UNHEALTHY = "unhealthy"
    DEGRADED = "degraded"
    HEALTHY = "healthy"
    MISSING = "missing"
    """The day has no snapshot."""
    OUTSIDE = "outside"
    """The day is before the source's first day or after the last day shown."""


def _numbers(metrics: Iterable[Metric]) -> dict[str, Any]:
    """Fields for the numbers of a day, as the catalogue describes them."""
    return {
        metric.name: (
            Annotated[metric.kind | None, Field(description=f"{metric.description} Null where it is not known.")],
            ...,
        )
        for metric in metrics
    }


class _DayKey(ApiResponse):
    source: Source
    day: Day
    revision: int = Field(description="1 for the first; it grows by one whenever numbers, verdicts or policy change.")
    status: DayStatus = Field(description="The day's status in one word.")
    computed_at: datetime = Field(description="When the day was judged, in UTC.")


if TYPE_CHECKING:

    class _ListedNumbers(_DayKey):
        def __getattr__(self, name: str) -> Any: ...

    class _OtherNumbers(ApiResponse):
        def __getattr__(self, name: str) -> Any: ...

else:
    _ListedNumbers = create_model("_ListedNumbers", __base__=_DayKey, **_numbers(LISTED))
    _OtherNumbers = create_model("_OtherNumbers", __base__=ApiResponse, **_numbers(NOT_LISTED))


class SnapshotLine(_ListedNumbers):
    """The latest revision of one day's snapshot, as the log of snapshots lists it."""

    run_id: str | None = Field(description="The Dagster run that judged the day, where it is known.")


class LogResponse(ApiResponse):
    """One page of the log of snapshots."""

    snapshots: tuple[SnapshotLine, ...]
    total: int = Field(description="The number of snapshots on all pages.")
    page: int = Field(description="The number of this page, from 1.")
    pages: int = Field(description="The number of pages, at least 1.")
    page_size: int = Field(description="The maximum number of snapshots on a page.")
    trouble: str | None = Field(
        description="Why the store cannot be read now; the response then shows its last known content."
    )


class Window(ApiResponse):
    """The last days of a source taken together; counts are pooled, so a quiet day weighs little."""

    days: int = Field(description="Calendar days in the window.")
    first: Day
    last: Day
    known_days: int = Field(description="Days that could be read.")
    healthy_days: int
    failed_days: int = Field(description="Days that are degraded, unhealthy or without activity.")
    unknown_days: int = Field(description="Days whose snapshot says that they could not be read.")
    missing_days: int = Field(description="Days without a snapshot.")
    total_events: Count = Field(description="Events of the known days; null if no day is known.")
    compared_days: int = Field(description="Known days that have a baseline.")
    compared_events: Count = Field(description="Events of the compared days.")
    expected_events: Events = Field(description="Events expected on the compared days.")
    volume_deviation_percent: float | None = Field(
        description="Signed distance of compared_events from expected_events, in percent of the latter."
    )
    error_rate_percent: Percent
    missing_version_percent: Percent
    sampling_success_rate_percent: Percent


class MarkResponse(ApiResponse):
    """What somebody said about a day, apart from what the guardrails found."""

    mark: Mark = Field(description="bad: cannot be trusted; special: like no ordinary day; accepted: can be trusted.")
    by: str = Field(description="Who said it.")
    note: str
    marked_at: datetime
    day: Day
    until: date = Field(description="The last day about which the same was said.")


class OtherRulesResponse(ApiResponse):
    """Stored days that were counted by other settings than those of now."""

    days: int = Field(description="How many stored days.")
    first: Day
    last: date = Field(description="The last of them.")
    changed: tuple[str, ...] = Field(description="The settings that have changed since.")
    sentence: str = Field(description="What was found, what follows from it, and the remedy.")
    command: str = Field(description="The command that scans these days again.")


class IncidentLine(ApiResponse):
    """An incident in a list: failures with one root cause on consecutive judged days."""

    source: Source
    key: str = Field(
        description="Identifies the incident: source/first-day, with .2, .3 and so on from the second one of that day."
    )
    first_day: Day
    last_day: Day
    days: int = Field(description="Failed days so far.")
    is_open: bool = Field(description="Whether no later judged day has closed it.")
    level: Level = Field(description="The highest level of any of its days.")
    root_cause: str = Field(
        description="The root cause of the worst failure: a segment with its hours, everywhere, or unreadable."
    )
    guardrails: tuple[str, ...] = Field(description="The guardrails that failed, the most frequent first.")
    sentence: str = Field(description="What happened, since when and where.")
    state: tuple[str, ...] = Field(description="Its state in words, such as open, acknowledged by ada.")
    assignee: str | None = Field(description="Who has it: to whom it was assigned last.")
    acknowledged_by: str | None = Field(description="Who is looking after it.")
    is_muted: bool = Field(description="Whether its alerts are not dispatched today.")
    muted_until: date | None = Field(description="The last day, in UTC, on which its alerts are muted.")
    is_confirmed: bool = Field(description="Whether somebody confirmed some of its days as a real incident.")
    is_dismissed: bool = Field(description="Whether somebody dismissed it as not an incident.")
    is_accepted: bool = Field(description="Whether somebody accepted all its failed days as intended.")
    accepted_by: str | None = Field(description="Who accepted it as intended.")


class FailureResponse(ApiResponse):
    """A guardrail that failed on a day of an incident."""

    day: Day
    guardrail: str
    level: Level
    reason_code: str = Field(description="Stable upper-case identifier.")
    value: float | None = Field(description="The number that was judged.")
    threshold: float | None = Field(description="The threshold it was compared with.")
    sentence: str = Field(description="What happened, for a person.")
    root_cause: str = Field(
        description="The segment, with its hours, that explains most of it, everywhere, or unreadable."
    )
    revision: int = Field(description="The revision of the snapshot that holds this verdict; 0 while the day runs.")


class ActionResponse(ApiResponse):
    """A decision that somebody made about an incident."""

    action: Action
    by: str = Field(description="Who decided.")
    note: str
    acted_at: datetime
    day: date = Field(description="The first failed day it applies to; for a mute, the last failed day at that time.")
    until: date | None = Field(description="The last failed day it applies to; for a mute, the last muted day.")
    assignee: str | None = Field(description="To whom it was assigned; null unless the action is assign.")


class IncidentResponse(ApiResponse):
    """Everything that is known about an incident."""

    incident: IncidentLine
    peak: FailureResponse = Field(description="The worst failure.")
    failed_days: tuple[date, ...] = Field(description="Its failed days, oldest first.")
    confirmed_days: tuple[date, ...] = Field(description="The failed days that somebody confirmed.")
    failures: tuple[FailureResponse, ...] = Field(description="All failures, by day.")
    actions: tuple[ActionResponse, ...] = Field(description="All decisions about it, oldest first.")


class IncidentsResponse(ApiResponse):
    """One page of incidents, the worst first."""

    incidents: tuple[IncidentLine, ...]
    total: int = Field(description="The number of incidents on all pages.")
    page: int = Field(description="The number of this page, from 1.")
    pages: int = Field(description="The number of pages, at least 1.")
    page_size: int = Field(description="The maximum number of incidents on a page.")
    trouble: str | None = Field(
        description="Why the store cannot be read now; the response then shows its last known content."
    )


class RangeSummary(ApiResponse):
    """Whether every day of a range can be trusted."""

    trusted_days: int = Field(description="Days that can be trusted.")
    not_trusted: dict[date, str] = Field(
        description="Why not, for the first 100 days that cannot: the status, or more."
    )
    window: Window = Field(description="The days of the range taken together.")


class SourceSummary(ApiResponse):
    """Whether the latest complete day of a source can be trusted, or with a range every day of it."""

    source: Source
    time_zone: str = Field(description="The IANA time zone that the source's days are in.")
    first_day: Day = Field(description="The source's first day.")
    owners: tuple[str, ...] = Field(description="The owners of the source, by the settings.")
    day: date | None = Field(
        description="The day shown: the latest complete day that should have a snapshot by now; null if there is none."
    )
    status: DayStatus = Field(description="The status of that day; unknown if it has no snapshot.")
    is_trustworthy: bool = Field(
        description="Whether the source's gate lets the status through, unless the day was marked as bad or accepted."
    )
    mark: MarkResponse | None = Field(description="What somebody said about the day.")
    sentence: str = Field(description="The verdict in words: what is wrong, by how much, since when and where.")
    since: date | None = Field(description="The first day of that day's worst incident; null without an incident.")
    is_stale: bool = Field(description="Whether a snapshot that should exist by now is missing.")
    stale_sentence: str | None = Field(
        description="Which snapshot is missing, and how old the last one is; null unless stale."
    )
    awaited_day: date | None = Field(description="A later day that is complete but not judged yet.")
    awaited_until: datetime | None = Field(description="When its snapshot becomes overdue, in UTC.")
    last_snapshot_day: date | None = Field(description="The latest day with a snapshot.")
    snapshot: SnapshotLine | None = Field(description="The snapshot of the day shown.")
    other_rules: OtherRulesResponse | None = Field(
        description="Stored days that were counted by other settings; null if there are none."
    )
    range: RangeSummary | None = Field(
        None, description="The range that was asked for; is_trustworthy, status and sentence are about it then."
    )
    windows: dict[str, Window] = Field(description='The last 7 and 30 days, under the keys "7" and "30".')
    open_incidents: tuple[IncidentLine, ...] = Field(description="Open incidents, the worst first.")


class Summary(ApiResponse):
    """Whether yesterday can be trusted."""

    as_of: datetime = Field(description="When this was requested, in UTC.")
    read_at: datetime = Field(description="When the store was last read, in UTC.")
    version: str = Field(description="Changes if and only if the content of the store changes.")
    status: DayStatus = Field(description="The worst status of all sources; unknown while the store cannot be read.")
    is_trustworthy: bool = Field(description="Whether the store can be read and every source can be trusted.")
    sentence: str = Field(description="The verdict in words.")
    trouble: str | None = Field(
        description="Why the store cannot be read now; the response then shows its last known content."
    )
    sources: tuple[SourceSummary, ...] = Field(description="In the order of the settings.")


class YearDay(ApiResponse):
    """A square of the calendar."""

    day: Day
    status: CalendarStatus
    total_events: Count
    mark: str | None = Field(description="What somebody said about the day, such as marked bad by ada.")


class Week(ApiResponse):
    """A column of the calendar."""

    first: date = Field(description="The Monday of the week.")
    days: tuple[YearDay, ...] = Field(description="Seven days, Monday first.")


class Year(ApiResponse):
    """The statuses of a year as a calendar, oldest week first."""

    source: Source
    first: Day
    last: Day
    weeks: tuple[Week, ...]
    counts: dict[CalendarStatus, int] = Field(description="The number of days with each status, without days outside.")


class ContributorResponse(ApiResponse):
    """A segment that changed, and its share of the change."""

    segment: str = Field(description="The segment, such as carrier=EV, between 07:00 and 10:00, or everywhere.")
    expected: float = Field(description="What earlier days suggest for the segment.")
    found: float = Field(description="What was found there on the day.")
    share_percent: float | None = Field(description="The segment's share of the whole day's change.")
    since: date | None = Field(
        description="The first day on which it was broken; null if that is this day or not known."
    )


class VerdictResponse(ApiResponse):
    """What a guardrail says about a day."""

    guardrail: str
    level: Level
    outcome: Outcome
    reason_code: str = Field(description="Stable upper-case identifier.")
    value: float | None = Field(description="The number that was judged.")
    threshold: float | None = Field(description="The threshold it was compared with.")
    sentence: str = Field(description="What happened, for a person.")
    contributors: tuple[ContributorResponse, ...] = Field(
        description="Where it happened, the most significant segment first."
    )


def _describe_extra_numbers(schema: dict[str, Any]) -> None:
    """Each number that a guardrail of another package adds, under its name; a source's own rates may be there too."""
    numbers = [number.metric for rule in guardrails() for number in rule.numbers]
    schema["properties"] = {
        metric.name: {
            "anyOf": [{"type": "number"}, {"type": "null"}],
            "title": metric.label,
            "description": metric.description,
        }
        for metric in numbers
    }


class RevisionResponse(_OtherNumbers):
    """A revision of a day's snapshot, with everything that was judged."""

    snapshot: SnapshotLine
    extra_numbers: Annotated[dict[str, float | None], Field(json_schema_extra=_describe_extra_numbers)] = Field(
        description="Numbers added by guardrails of other packages and by the source's own rates; null where not known."
    )
    unreadable_reason_code: str | None = Field(description="Why the day could not be read; null if it could.")
    unreadable_reason: str | None
    policy: dict[str, Any] = Field(description="The thresholds in force.")
    scan_revision: int = Field(description="The scan that the snapshot was made from.")
    content_hash: str | None = Field(description="SHA-256 of the snapshot and of the hash before it.")
    verdicts: tuple[VerdictResponse, ...]
    changes: str | None = Field(description="What changed since the previous revision; null for the first.")
    dagster_run_url: str | None = Field(description="The Dagster run that made this revision.")


class BreakdownRowResponse(ApiResponse):
    """The events of a signal, version or hour."""

    value: str | int | None = Field(
        description="The signal, the version, or the hour since the day began; null if missing."
    )
    events: int
    errors: int
    missing_version: int
    late_events: int
    error_unknown_events: int = Field(description="Events that do not say whether they are errors.")


class BreakdownResponse(ApiResponse):
    """A day cut one way, the busiest part first; hours are in order."""

    rows: tuple[BreakdownRowResponse, ...]
    rest: int = Field(description="The number of parts that are left out.")


class SampledResponse(ApiResponse):
    """A sampled event: its id and whether it passed; nothing else about it is stored."""

    position: int
    event_id: str | None
    passed: bool
    reason_codes: tuple[str, ...]


class ScanResponse(ApiResponse):
    """A scan of the day."""

    revision: int
    scanned_at: datetime
    source_version: str | None = Field(
        description="The version of the table in which these events were first found; null for other sources."
    )
    total_events: Count
    error_events: Count
    missing_version_events: Count
    late_events: Count
    sample_size: int | None
    sample_passed: int | None
    verified_events: int | None
    unreadable_reason_code: str | None
    unreadable_reason: str | None


class DayResponse(ApiResponse):
    """Everything that is stored about a day."""

    source: Source
    day: Day
    time_zone: str
    status: DayStatus = Field(description="The status of the latest revision; unknown without a snapshot.")
    is_trustworthy: bool = Field(
        description="Whether the source's gate lets the status through, unless the day was marked as bad or accepted."
    )
    mark: MarkResponse | None = Field(description="What somebody said about the day.")
    sentence: str = Field(description="The verdict in words.")
    since: date | None = Field(description="The first day of the day's worst incident; null without an incident.")
    trouble: str | None = Field(description="Why the store cannot be read now.")
    snapshot: SnapshotLine | None = Field(description="The latest revision; null without a snapshot.")
    revisions: tuple[RevisionResponse, ...] = Field(description="All revisions, oldest first.")
    changes: tuple[str, ...] = Field(description="What changed in each revision from the second on.")
    incidents: tuple[IncidentLine, ...] = Field(description="The incidents that include the day, the worst first.")
    scans: tuple[ScanResponse, ...]
    by_signal: BreakdownResponse
    by_version: BreakdownResponse
    by_hour: BreakdownResponse
    sample: tuple[SampledResponse, ...]
    other_rules: tuple[str, ...] = Field(
        description="The settings that have changed since the day was counted: scan it again."
    )
    previous_day: date | None = Field(description="The previous day with a snapshot.")
    next_day: date | None = Field(description="The next day with a snapshot.")
    dagster_run_url: str | None = Field(description="The page in Dagster of the run, or of the day's partition.")


class VersionResponse(ApiResponse):
    """Which version of the store's content the dashboard shows."""

    version: str = Field(description="Changes if and only if the content of the store changes.")


class WatchedSource(ApiResponse):
    """How far the days of a source have been judged."""

    source: str = Field(description="The source.")
    newest_day: date | None = Field(description="The latest day that has a snapshot and is over; null if none is due.")
    missing_days: int = Field(description="How many earlier days have no snapshot.")


class DeepHealth(ApiResponse):
    """The store can be read, and the newest day of no source is overdue."""

    sources: tuple[WatchedSource, ...]


class ErrorDetail(ApiResponse):
    """What went wrong."""

    status: int = Field(description="The HTTP status.")
    reason_code: str = Field(description="Stable upper-case identifier.")
    sentence: str = Field(description="What was required, what was found, and the remedy.")


class ErrorResponse(ApiResponse):
    """The shape of every error."""

    error: ErrorDetail
