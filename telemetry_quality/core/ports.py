"""What the core needs from outside: a source to read events from, and a store for the results.

The implementations are in ``sources`` and ``storage``; the core knows only these protocols.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import date, datetime, timedelta

    from telemetry_quality.core.alerts import Alert, Settlement
    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.events import DayAggregates, DayScan, Slice, SliceCounts, UnreadableDay
    from telemetry_quality.core.forecasts.model import Forecast
    from telemetry_quality.core.guardrails.verdicts import Level, Verdict
    from telemetry_quality.core.incidents.model import IncidentAction
    from telemetry_quality.core.known_days import KnownDay
    from telemetry_quality.core.marks import MarkedDays
    from telemetry_quality.core.messages.model import Delivery
    from telemetry_quality.core.root_cause import DayBreakdown
    from telemetry_quality.core.running.model import RunningHour
    from telemetry_quality.core.sampling import SampleVerdict
    from telemetry_quality.core.scans import StoredScan
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot
    from telemetry_quality.core.training import JudgedScan


class EventSource(Protocol):
    """A read-only source of events. Every method may raise SourceError or SourceUnavailableError."""

    @property
    def schema(self) -> EventSchema:
        """Which column plays which role."""
        ...

    @property
    def can_prefetch(self) -> bool:
        """Whether another thread may read days while earlier ones are stored, which requires ``interrupt`` to work."""
        ...

    def interrupt(self) -> None:
        """Interrupt a read in another thread, which raises there; does nothing if there is none."""
        ...

    def scan_days(self, windows: Sequence[DayWindow], sample_size: int) -> Iterator[DayScan | UnreadableDay]:
        """One scan per window, in the same order; a day that cannot be read does not stop the others."""
        ...

    def scan_hours(self, window: DayWindow) -> DayAggregates | UnreadableDay:
        """The aggregates of some hours, counted from the first of them, by one light query.

        Each hour means what it means on the finished day, but only what ``hour_counts`` needs is read: late events and
        missing critical fields are not counted, and there are no sample, slices, duplicates and arrivals.

        Args:
            window: The hours of a day; both ends are whole hours after the day began.

        Raises:
            SourceError: ``TIME_LIMIT`` if it takes longer than a look may.
        """
        ...

    def costly_hours(self, window: DayWindow) -> str | None:
        """Why a look at these hours would read far more than them, with the remedy; None if it would not."""
        ...

    def count_days(self, windows: Sequence[DayWindow]) -> Mapping[date, int | UnreadableDay]:
        """Events per day, by the cheapest query the engine has."""
        ...

    def read_signals(self) -> frozenset[str] | None:
        """The signal catalogue in the settings; None if it is learnt from earlier days."""
        ...


class JudgedDay(NamedTuple):
    """The fields of a day's current snapshot that incidents need."""

    day: date
    revision: int
    is_healthy: bool


class StoredVerdict(NamedTuple):
    """A verdict with the snapshot to which it belongs."""

    day: date
    revision: int
    verdict: Verdict


class IncidentStore(Protocol):
    """The records that incidents are derived from. Every method may raise StoreError."""

    def judged_days(self, source: str) -> list[JudgedDay]:
        """Every day that has a snapshot, oldest first."""
        ...

    def failed_verdicts(self, source: str, first: date, last: date) -> dict[date, dict[int, tuple[Verdict, ...]]]:
        """Per day and revision, the verdicts that failed or say that the day could not be read, in order."""
        ...

    def incident_actions(self, source: str) -> list[IncidentAction]:
        """All actions on incidents of the source, oldest first."""
        ...

    def marked_days(self, source: str) -> list[MarkedDays]:
        """All that people said about days of the source, oldest first."""
        ...

    def running_verdicts(self, source: str) -> dict[date, tuple[Verdict, ...]]:
        """What failed so far on the last days that have no snapshot yet; days on which nothing did are left out."""
        ...


class MessageStore(IncidentStore, Protocol):
    """What messages about incidents follow from, and the log of their deliveries. Every method may raise StoreError."""

    def kept_open(self) -> AbstractContextManager[None]:
        """Keep the store open for one thread, so that opening costs once; what is appended is stored at once."""
        ...

    def snapshots(self, source: str, first: date, last: date) -> list[TelemetryIntegritySnapshot]:
        """The current snapshot of each day that has one, oldest first."""
        ...

    def judgements(self, source: str, first: date, last: date) -> list[tuple[date, datetime, bool]]:
        """Of each day that was judged or looked at, when that was last, and whether it is provisional."""
        ...

    def days_judged_since(self, source: str, instant: datetime) -> tuple[date, date] | None:
        """The first and the last day of which something new was stored since ``instant``; None if there is none."""
        ...

    def deliveries(self, channel: str, now: datetime) -> list[Delivery]:
        """The log of deliveries of a channel, oldest first; attempts of long ago may be left out."""
        ...

    def append_delivery(self, row: Delivery, after: int | None = None) -> int:
        """Append to the log; returns the position of the row.

        0 if the channel has a row beyond the position ``after``: what was decided by the log may not hold any more.
        """
        ...


class QualityStore(MessageStore, Protocol):
    """The append-only record of what was read, judged and dispatched. Every method may raise StoreError."""

    def append_scan(
        self,
        source: str,
        scan: DayScan | UnreadableDay,
        sample: Sequence[SampleVerdict],
        now: datetime,
        verified_events: int | None = None,
        *,
        counting_rules: str | None = None,
    ) -> StoredScan:
        """Append a revision if the content differs from the latest one; return the latest either way.

        Args:
            source: The source's name.
            scan: What was read.
            sample: The verdicts on its sampled events.
            now: When it was read.
            verified_events: How many of all events of the day would pass the sample's verification.
            counting_rules: The rules by which the day was counted; None if they are not known.
        """
        ...

    def latest_scans(self, source: str, days: Iterable[date]) -> dict[date, StoredScan]:
        """The latest scan of each day that has one."""
        ...

    def aggregates(self, source: str, day: date) -> DayAggregates:
        """The aggregates of the day's latest scan; empty if there is none."""
        ...

    def breakdowns(
        self, source: str, days: Collection[date], dimensions: Collection[str] | None = None
    ) -> dict[date, DayBreakdown]:
        """The aggregates and slices of the latest scan of each of ``days``; days that have none are left out.

        Slices by other dimensions than ``dimensions``, event name and version are left out, unless these are None.
        """
        ...

    def scans(self, source: str, first: date, last: date) -> list[StoredScan]:
        """All revisions of all scans from ``first`` to ``last``, by day and revision."""
        ...

    def slices(
        self,
        source: str,
        first: date,
        last: date,
        minimum_events: int = 0,
        *,
        with_hours: bool = True,
        dimensions: Collection[str] | None = None,
    ) -> dict[date, dict[Slice, SliceCounts]]:
        """The slices of each day's latest scan with at least ``minimum_events``, those by hour only ``with_hours``.

        For ``dimensions`` see ``breakdowns``.
        """
        ...

    def signals_first_seen(self, source: str) -> dict[str, date]:
        """The first day on which each event name was ever read."""
        ...

    def append_snapshot(
        self, snapshot: TelemetryIntegritySnapshot, verdicts: Sequence[Verdict]
    ) -> tuple[TelemetryIntegritySnapshot, bool]:
        """Append a revision if numbers, verdicts or policy changed; return the latest, and whether it is new."""
        ...

    def verdicts(self, source: str, first: date, last: date) -> dict[date, dict[int, tuple[Verdict, ...]]]:
        """The verdicts of each day's snapshots, per revision, in order."""
        ...

    def known_days(
        self, source: str, first: date | None = None, last: date | None = None, as_of: datetime | None = None
    ) -> list[KnownDay]:
        """The judged days from ``first`` to ``last``, oldest first, as they were known at the aware ``as_of``.

        What was judged, marked or withdrawn after ``as_of`` is left out; without it, nothing is. Days that were not
        judged by then are left out too.
        """
        ...

    def known_scans(
        self, source: str, first: date | None = None, last: date | None = None, as_of: datetime | None = None
    ) -> list[tuple[KnownDay, JudgedScan | None]]:
        """The ``known_days``, each with the scan that it was made from; None if the scan is gone."""
        ...

    def revisions(self, source: str, day: date) -> list[TelemetryIntegritySnapshot]:
        """All snapshots of a day, the first revision first."""
        ...

    def append_incident_action(self, action: IncidentAction) -> None:
        """Store what somebody decided about an incident."""
        ...

    def append_marked_days(self, marked: MarkedDays) -> None:
        """Store what somebody said about days."""
        ...

    def append_running_hours(self, hours: Sequence[RunningHour]) -> list[RunningHour]:
        """Append those of ``hours`` that differ from their latest revision; returns them as stored."""
        ...

    def running_hours(self, source: str, first: date, last: date) -> dict[date, list[RunningHour]]:
        """The latest revision of each hour that was looked at, by day and hour."""
        ...

    def append_forecast(self, forecast: Forecast) -> tuple[Forecast, bool]:
        """Append a revision if it differs from the latest one of its day; return the latest, and whether it is new."""
        ...

    def forecasts(self, source: str, first: date, last: date) -> list[Forecast]:
        """The latest forecast made on each of the days from ``first`` to ``last``, oldest first, without its hours."""
        ...

    def undispatched_verdicts(self, source: str, channel: str) -> list[StoredVerdict]:
        """What failed in current snapshots or on running days and was not settled on the channel, oldest day first.

        Like ``failed_verdicts``, it includes all that a guardrail says of a day that could not be read.
        """
        ...

    def withdrawn_verdicts(self, source: str, channel: str) -> list[StoredVerdict]:
        """What passes in current snapshots after an alert while the day was running, and nobody has heard."""
        ...

    def settled_levels(self, alert: Alert, channel: str) -> dict[int, Level]:
        """The revisions of the day in which an alert of the guardrail was settled on the channel, with its level."""
        ...

    def claim_alert(self, alert: Alert, channel: str, now: datetime, lease: timedelta) -> int:
        """Claim an alert, so that only the caller sends it; returns the number of the attempt.

        0 if the alert is settled, or replaced by a newer revision, or claimed by another process.
        A claim holds for ``lease``; the alert of a process that died is left to the next one afterwards.
        """
        ...

    def settle_alerts(self, alerts: Iterable[Alert], channel: str, settlement: Settlement, now: datetime) -> None:
        """Store what became of each alert that is not settled on the channel yet."""
        ...
