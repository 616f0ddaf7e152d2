"""What the API answers: frozen, strictly typed, each field described, for these descriptions are the OpenAPI document.

Everywhere null means *not known*, never zero. The functions that make these responses stand in ``summary``, ``series``,
``incident_responses`` and ``day_responses``. Annotations are evaluated here, so that pydantic finds what they name.
"""

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from telemetry_quality.core.guardrails.catalogue import guardrails
from telemetry_quality.core.guardrails.verdicts import Level, Outcome
from telemetry_quality.core.incidents import Action
from telemetry_quality.core.metrics import LISTED, NOT_LISTED, Metric
from telemetry_quality.core.snapshots import DayStatus

Source = Annotated[str, Field(description="The source's name in the settings.")]
Day = Annotated[date, Field(description="A calendar day in the source's time zone.")]
Count = Annotated[int | None, Field(description="A number of events; null where it is not known.")]
Percent = Annotated[float | None, Field(description="A percentage, 0 to 100; null where it is not known.")]
Events = Annotated[float | None, Field(description="A number of events that was expected; null where it is not known.")]


class _Response(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DayMark(StrEnum):
    """What a calendar shows of a day: its status, or why it has none."""

    UNKNOWN = "unknown"
    NO_ACTIVITY = "no_activity"
    UNHEALTHY = "unhealthy"
    DEGRADED = "degraded"
    HEALTHY = "healthy"
    MISSING = "missing"
    """There is no snapshot of it."""
    OUTSIDE = "outside"
    """It lies before the source's first day or after the last one shown."""


def _numbers(metrics: Iterable[Metric]) -> dict[str, Any]:
    """Fields for numbers of the day, as the catalogue describes them."""
    return {
        one.name: (Annotated[one.kind | None, Field(description=f"{one.description} Null where it is not known.")], ...)
        for one in metrics
    }


class _DayKey(_Response):
    source: Source
    day: Day
    revision: int = Field(description="1 for the first, one more whenever numbers, verdicts or policy changed.")
    status: DayStatus = Field(description="The day in one word.")
    computed_at: datetime = Field(description="When it was judged, in UTC.")


if TYPE_CHECKING:

    class _ListedNumbers(_DayKey):
        def __getattr__(self, name: str) -> Any: ...

    class _OtherNumbers(_Response):
        def __getattr__(self, name: str) -> Any: ...

else:
    _ListedNumbers = create_model("_ListedNumbers", __base__=_DayKey, **_numbers(LISTED))
    _OtherNumbers = create_model("_OtherNumbers", __base__=_Response, **_numbers(NOT_LISTED))


class SnapshotLine(_ListedNumbers):
    """The latest revision of one day's snapshot, as the log of snapshots lists it."""

    run_id: str | None = Field(description="The Dagster run that judged it, where it is known.")


class LogResponse(_Response):
    """One page of the log of snapshots."""

    snapshots: tuple[SnapshotLine, ...]
    total: int = Field(description="Snapshots on all pages.")
    page: int = Field(description="This page, from 1.")
    pages: int = Field(description="Pages there are, at least 1.")
    page_size: int = Field(description="Snapshots a page holds at most.")
    trouble: str | None = Field(description="Why the store cannot be read now; what is shown is its last content.")


class Window(_Response):
    """The last days of a source taken together; counts are pooled, so that a quiet day weighs little."""

    days: int = Field(description="Calendar days in the window.")
    first: Day
    last: Day
    known_days: int = Field(description="Days that could be read.")
    healthy_days: int
    failed_days: int = Field(description="Days that are degraded, unhealthy or without activity.")
    unknown_days: int = Field(description="Days with a snapshot that says that they could not be read.")
    missing_days: int = Field(description="Days without a snapshot.")
    total_events: Count = Field(description="Events of the known days; null if there is none.")
    compared_days: int = Field(description="Known days of which it is known how many events to expect.")
    compared_events: Count = Field(description="Events of the compared days.")
    expected_events: Events = Field(description="Events expected of the compared days.")
    volume_deviation_percent: float | None = Field(
        description="Signed distance of compared_events from expected_events, in percent of the latter."
    )
    error_rate_percent: Percent
    missing_version_percent: Percent
    sampling_success_rate_percent: Percent


class IncidentLine(_Response):
    """An incident in a list: failures of one cause on consecutive judged days."""

    source: Source
    key: str = Field(description="Names it: source/first-day, and .2 from the second one of that day on.")
    first_day: Day
    last_day: Day
    days: int = Field(description="Failed days so far.")
    is_open: bool = Field(description="Whether no later judged day says that it is over.")
    level: Level = Field(description="The highest level of any of its days.")
    root_cause: str = Field(description="What the worst failures blame: a place, everywhere, or unreadable.")
    guardrails: tuple[str, ...] = Field(description="What failed, most often first.")
    sentence: str = Field(description="What happened, since when and where.")
    state: tuple[str, ...] = Field(description="Its state in words, such as open, acknowledged by ada.")
    acknowledged_by: str | None = Field(description="Who looks after it.")
    is_muted: bool = Field(description="Whether its alerts are kept without being logged today.")
    muted_until: date | None = Field(description="The last day, in UTC, without logged alerts.")
    is_confirmed: bool = Field(description="Whether somebody said of some of its days that it was real.")
    is_dismissed: bool = Field(description="Whether somebody said that it was none.")


class FailureResponse(_Response):
    """One guardrail that failed on one day of an incident."""

    day: Day
    guardrail: str
    level: Level
    reason_code: str = Field(description="Stable upper-case identifier.")
    value: float | None = Field(description="The number judged.")
    threshold: float | None = Field(description="What it was compared with.")
    sentence: str = Field(description="What happened, for a person.")
    root_cause: str = Field(description="The place that explains most of it, everywhere, or unreadable.")
    revision: int = Field(description="The revision of the snapshot that says so.")


class ActionResponse(_Response):
    """Something that somebody decided about an incident."""

    action: Action
    by: str = Field(description="Who decided.")
    note: str
    acted_at: datetime
    day: date = Field(description="The first failed day it speaks of; of a mute the last one seen.")
    until: date | None = Field(description="The last failed day it speaks of; of a mute the last muted day.")


class IncidentResponse(_Response):
    """All that is known of one incident."""

    incident: IncidentLine
    peak: FailureResponse = Field(description="The worst failure.")
    failed_days: tuple[date, ...] = Field(description="Its failed days, oldest first.")
    confirmed_days: tuple[date, ...] = Field(description="Those that somebody confirmed.")
    failures: tuple[FailureResponse, ...] = Field(description="All its failures, by day.")
    actions: tuple[ActionResponse, ...] = Field(description="What was decided, oldest first.")


class IncidentsResponse(_Response):
    """One page of incidents, newest first."""

    incidents: tuple[IncidentLine, ...]
    total: int = Field(description="Incidents on all pages.")
    page: int = Field(description="This page, from 1.")
    pages: int = Field(description="Pages there are, at least 1.")
    page_size: int = Field(description="Incidents a page holds at most.")
    trouble: str | None = Field(description="Why the store cannot be read now; what is shown is its last content.")


class SourceSummary(_Response):
    """Whether the latest complete day of one source can be trusted."""

    source: Source
    time_zone: str = Field(description="The IANA time zone that the source's days are in.")
    first_day: Day = Field(description="The source's first day.")
    day: date | None = Field(description="The day shown: the latest complete one that should be there, if any is.")
    status: DayStatus = Field(description="That day's status; unknown where it has no snapshot.")
    is_trustworthy: bool = Field(description="True exactly for the status healthy.")
    sentence: str = Field(description="The verdict in words: what is wrong, how much, since when, where.")
    since: date | None = Field(description="The first day of the worst incident of that day; null without one.")
    is_stale: bool = Field(description="Whether a snapshot is missing that should be there by now.")
    stale_sentence: str | None = Field(description="Which one, and how old the last is; null unless stale.")
    awaited_day: date | None = Field(description="A later day that is complete but not judged yet.")
    awaited_until: datetime | None = Field(description="When that one becomes overdue, in UTC.")
    last_snapshot_day: date | None = Field(description="The latest day with a snapshot.")
    snapshot: SnapshotLine | None = Field(description="The snapshot of the day shown.")
    windows: dict[str, Window] = Field(description='The last days by their number: "7" and "30".')
    open_incidents: tuple[IncidentLine, ...] = Field(description="The worst first.")


class Summary(_Response):
    """Whether yesterday can be trusted."""

    as_of: datetime = Field(description="When this was asked, in UTC.")
    read_at: datetime = Field(description="When the store was last read, in UTC.")
    version: str = Field(description="Changes exactly when what the store says does.")
    status: DayStatus = Field(description="The worst of all sources; unknown while the store cannot be read.")
    is_trustworthy: bool = Field(description="Whether the store can be read and every source's day is healthy.")
    sentence: str = Field(description="The verdict in words.")
    trouble: str | None = Field(description="Why the store cannot be read now; what is shown then is its last content.")
    sources: tuple[SourceSummary, ...] = Field(description="In the order of the settings.")


class DailyPoint(_Response):
    """One day in a chart: what was seen, what was expected, and the thresholds in force on that day."""

    day: Day
    status: DayMark
    total_events: Count
    expected_events: Events
    expected_low_events: Events
    expected_high_events: Events
    volume_deviation_percent: float | None = Field(description="Signed distance from expected_events, in percent.")
    error_rate_percent: Percent
    missing_version_percent: Percent
    sampling_success_rate_percent: Percent
    is_provisional: bool | None
    volume_deviation_threshold_percent: Percent
    error_rate_threshold_percent: Percent
    missing_version_threshold_percent: Percent
    sample_success_threshold_percent: Percent


class YearDay(_Response):
    """One square of the calendar."""

    day: Day
    status: DayMark
    total_events: Count


class Week(_Response):
    """One column of the calendar."""

    first: date = Field(description="Its Monday.")
    days: tuple[YearDay, ...] = Field(description="Seven days, Monday first.")


class Year(_Response):
    """A calendar of a year of statuses, oldest week first."""

    source: Source
    first: Day
    last: Day
    weeks: tuple[Week, ...]
    counts: dict[DayMark, int] = Field(description="How many days have each status, those outside left out.")


class ContributorResponse(_Response):
    """A place that broke, and how much of what happened lies there."""

    segment: str = Field(description="Such as carrier=EV, or everywhere.")
    expected: float = Field(description="What earlier days suggest for the place.")
    found: float = Field(description="What the day holds there.")
    share_percent: float | None = Field(description="How much of the whole day's change lies there.")
    since: date | None = Field(description="The first day it was broken, null where it is this one or not known.")


class VerdictResponse(_Response):
    """What one guardrail said of a day."""

    guardrail: str
    level: Level
    outcome: Outcome
    reason_code: str = Field(description="Stable upper-case identifier.")
    value: float | None = Field(description="The number judged.")
    threshold: float | None = Field(description="What it was compared with.")
    sentence: str = Field(description="What happened, for a person.")
    contributors: tuple[ContributorResponse, ...] = Field(description="Where it happened, the most telling first.")


def _describe_extra_numbers(schema: dict[str, Any]) -> None:
    """Each number that a guardrail of another package adds, under its name; a source's own rates come beside them."""
    numbers = [number.metric for rule in guardrails() for number in rule.numbers]
    schema["properties"] = {
        one.name: {"anyOf": [{"type": "number"}, {"type": "null"}], "title": one.label, "description": one.description}
        for one in numbers
    }


class RevisionResponse(_OtherNumbers):
    """One revision of a day's snapshot, with everything that was judged."""

    snapshot: SnapshotLine
    extra_numbers: Annotated[dict[str, float | None], Field(json_schema_extra=_describe_extra_numbers)] = Field(
        description="Numbers that guardrails of other packages and the source's own rates add; null: not known."
    )
    unreadable_reason_code: str | None = Field(description="Why the day could not be read, null where it could.")
    unreadable_reason: str | None
    policy: dict[str, Any] = Field(description="The thresholds in force.")
    scan_revision: int = Field(description="The reading it was made from.")
    content_hash: str | None = Field(description="SHA-256 over the snapshot and the one before it.")
    verdicts: tuple[VerdictResponse, ...]
    changes: str | None = Field(description="What it changed since the revision before it; null for the first.")
    dagster_run_url: str | None = Field(description="The Dagster run that made it.")


class BreakdownRowResponse(_Response):
    """The events of one signal, version or hour."""

    value: str | int | None = Field(description="The signal, the version or the hour since the day began; null: none.")
    events: int
    errors: int
    missing_version: int
    late_events: int
    error_unknown_events: int = Field(description="Events that do not say whether they are errors.")


class BreakdownResponse(_Response):
    """A day cut one way, the busiest part first, hours in their order."""

    rows: tuple[BreakdownRowResponse, ...]
    rest: int = Field(description="Parts that are left out here.")


class SampledResponse(_Response):
    """One event of the sample: its identifier and whether it passed; nothing else of it is stored."""

    position: int
    event_id: str | None
    passed: bool
    reason_codes: tuple[str, ...]


class ScanResponse(_Response):
    """One scan of the day."""

    revision: int
    scanned_at: datetime
    total_events: Count
    error_events: Count
    missing_version_events: Count
    late_events: Count
    sample_size: int | None
    sample_passed: int | None
    unreadable_reason_code: str | None
    unreadable_reason: str | None


class DayResponse(_Response):
    """Everything that is stored of one day."""

    source: Source
    day: Day
    time_zone: str
    status: DayStatus = Field(description="The status of the latest revision; unknown without one.")
    is_trustworthy: bool = Field(description="True exactly for the status healthy.")
    sentence: str = Field(description="The verdict in words.")
    since: date | None = Field(description="The first day of the day's worst incident; null without one.")
    trouble: str | None = Field(description="Why the store cannot be read now.")
    snapshot: SnapshotLine | None = Field(description="The latest revision; null without one.")
    revisions: tuple[RevisionResponse, ...] = Field(description="All of them, the first one first.")
    changes: tuple[str, ...] = Field(description="What each revision from the second on changed.")
    incidents: tuple[IncidentLine, ...] = Field(description="The incidents that the day belongs to, the worst first.")
    scans: tuple[ScanResponse, ...]
    by_signal: BreakdownResponse
    by_version: BreakdownResponse
    by_hour: BreakdownResponse
    sample: tuple[SampledResponse, ...]
    previous_day: date | None = Field(description="The day before it with a snapshot.")
    next_day: date | None = Field(description="The day after it with a snapshot.")
    dagster_run_url: str | None = Field(description="Where Dagster shows the run, or the day's partition.")


class VersionResponse(_Response):
    """Whether anything is new."""

    version: str = Field(description="Changes exactly when what the store says does.")


class ErrorDetail(_Response):
    """What went wrong."""

    status: int = Field(description="The HTTP status.")
    reason_code: str = Field(description="Stable upper-case identifier.")
    sentence: str = Field(description="What was required, what was found, and the remedy.")


class ErrorResponse(_Response):
    """The one shape of all errors."""

    error: ErrorDetail
