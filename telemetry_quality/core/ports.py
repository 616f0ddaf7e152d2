"""What the core needs from the outside: somewhere to read events, somewhere to keep what it found.

The implementations live in ``sources`` and ``storage``; the core knows only these shapes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import date, datetime

    from telemetry_quality.core.alerts import Alert
    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.core.events import (
        DayAggregates,
        DayScan,
        EventSchema,
        Slice,
        SliceCounts,
        UnreadableDay,
    )
    from telemetry_quality.core.guardrails.verdicts import Verdict
    from telemetry_quality.core.incidents.model import IncidentAction
    from telemetry_quality.core.sampling import SampleVerdict
    from telemetry_quality.core.scans import StoredScan
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot


class EventSource(Protocol):
    """Where events live. Reads only; every method may raise SourceError or SourceUnavailableError."""

    @property
    def schema(self) -> EventSchema:
        """Which column plays which role."""
        ...

    @property
    def can_prefetch(self) -> bool:
        """Whether days are worth reading in another thread while those before them are kept: ``interrupt`` works."""
        ...

    def interrupt(self) -> None:
        """End what another thread is reading, which raises there; nothing happens where none is."""
        ...

    def scan_days(self, windows: Sequence[DayWindow], sample_size: int) -> Iterator[DayScan | UnreadableDay]:
        """One answer per window, in their order; a day that cannot be read says so and stops no other."""
        ...

    def count_days(self, windows: Sequence[DayWindow]) -> Mapping[date, int | UnreadableDay]:
        """Events per day, by the cheapest query the engine has."""
        ...

    def read_signals(self) -> frozenset[str] | None:
        """The signal catalogue the settings name, or None where it is learnt from earlier days."""
        ...


class JudgedDay(NamedTuple):
    """As much of a day's current snapshot as incidents need."""

    day: date
    revision: int
    is_healthy: bool


class IncidentStore(Protocol):
    """What incidents are made of. Every method may raise StoreError."""

    def judged_days(self, source: str) -> list[JudgedDay]:
        """Every day that has a snapshot, oldest first."""
        ...

    def failed_verdicts(self, source: str, first: date, last: date) -> dict[date, dict[int, tuple[Verdict, ...]]]:
        """Per day and revision the verdicts that failed, or say that the day could not be read, in their order."""
        ...

    def incident_actions(self, source: str) -> list[IncidentAction]:
        """All actions on incidents of the source, oldest first."""
        ...


class QualityStore(IncidentStore, Protocol):
    """The append-only record of what was read, judged and dispatched. Every method may raise StoreError."""

    def kept_open(self) -> AbstractContextManager[None]:
        """Within, what opening the store costs is paid once, for one thread; what is appended is kept at once."""
        ...

    def append_scan(
        self, source: str, scan: DayScan | UnreadableDay, sample: Sequence[SampleVerdict], now: datetime
    ) -> StoredScan:
        """Append a revision if the content differs from the latest one; return the latest either way."""
        ...

    def latest_scans(self, source: str, days: Iterable[date]) -> dict[date, StoredScan]:
        """The latest scan of each day that has one."""
        ...

    def aggregates(self, source: str, day: date) -> DayAggregates:
        """The aggregates of the day's latest scan, empty where there is none."""
        ...

    def scans(self, source: str, first: date, last: date) -> list[StoredScan]:
        """All revisions of all scans from ``first`` to ``last``, by day and revision."""
        ...

    def slices(
        self, source: str, first: date, last: date, minimum_events: int = 0, *, with_hours: bool = True
    ) -> dict[date, dict[Slice, SliceCounts]]:
        """The slices of each day's latest scan, those of fewer events left out, and those by hour if unwanted."""
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
        """The verdicts of each day's snapshots, per revision, in their order."""
        ...

    def snapshots(self, source: str, first: date, last: date) -> list[TelemetryIntegritySnapshot]:
        """The current snapshot of each day that has one, oldest first."""
        ...

    def revisions(self, source: str, day: date) -> list[TelemetryIntegritySnapshot]:
        """All snapshots of a day, the first revision first."""
        ...

    def append_incident_action(self, action: IncidentAction) -> None:
        """Keep what somebody decided about an incident."""
        ...

    def append_alerts(self, alerts: Iterable[Alert], now: datetime) -> None:
        """Keep each alert that is not kept yet."""
        ...

    def new_alerts(self, alerts: Sequence[Alert]) -> list[Alert]:
        """Those of ``alerts`` that are not kept yet, each once, in order."""
        ...
