"""What the core needs from the outside: somewhere to read events, somewhere to keep what it found.

The implementations live in ``sources`` and ``storage``; the core knows only these shapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date, datetime

    from telemetry_quality.core.alerts import Alert
    from telemetry_quality.core.days import DayWindow
    from telemetry_quality.core.events import DayAggregates, DayReading, EventSchema, UnreadableDay
    from telemetry_quality.core.sampling import SampleVerdict
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot


class EventSource(Protocol):
    """Where events live. Reads only; every method may raise SourceError or SourceUnavailableError."""

    @property
    def schema(self) -> EventSchema:
        """Which column plays which role."""
        ...

    def read_days(self, windows: Sequence[DayWindow], sample_size: int) -> Iterator[DayReading | UnreadableDay]:
        """One answer per window, in their order; a day that cannot be read says so and stops no other."""
        ...

    def count_days(self, windows: Sequence[DayWindow]) -> Mapping[date, int | UnreadableDay]:
        """Events per day, by the cheapest query the engine has."""
        ...

    def read_signals(self) -> frozenset[str] | None:
        """The signal catalogue the settings name, or None where it is learnt from earlier days."""
        ...


@dataclass(frozen=True, slots=True)
class StoredReading:
    """What the store keeps of one reading of one day; figures are None where it could not be read.

    Attributes:
        figures_hash: Hash of all that was read; two readings of equal hash said the same.
        is_new: Whether this call appended it; False where the same content was already the latest.
    """

    source: str
    day: date
    revision: int
    figures_hash: str
    total_events: int | None
    error_events: int | None
    error_unknown_events: int | None
    missing_version_events: int | None
    late_events: int | None
    sample_size: int | None
    sample_passed: int | None
    unreadable_reason_code: str | None
    unreadable_reason: str | None
    is_new: bool


class QualityStore(Protocol):
    """The append-only memory of what was read, judged and told. Every method may raise StoreError."""

    def append_reading(
        self, source: str, reading: DayReading | UnreadableDay, sample: Sequence[SampleVerdict], now: datetime
    ) -> StoredReading:
        """Append a revision if the content differs from the latest one; return the latest either way."""
        ...

    def latest_readings(self, source: str, days: Iterable[date]) -> dict[date, StoredReading]:
        """The latest reading of each day that has one."""
        ...

    def aggregates(self, source: str, day: date) -> DayAggregates:
        """The aggregates of the day's latest reading, empty where there is none."""
        ...

    def daily_totals(self, source: str, first: date, last: date) -> dict[date, int]:
        """Events per readable day from ``first`` to ``last``."""
        ...

    def signals_first_seen(self, source: str) -> dict[str, date]:
        """The first day on which each event name was ever read."""
        ...

    def append_snapshot(self, snapshot: TelemetryIntegritySnapshot) -> tuple[TelemetryIntegritySnapshot, bool]:
        """Append a revision if numbers or policy changed; return the latest, and whether it is new."""
        ...

    def snapshots(self, source: str, first: date, last: date) -> list[TelemetryIntegritySnapshot]:
        """The current snapshot of each day that has one, oldest first."""
        ...

    def append_alerts(self, alerts: Iterable[Alert], now: datetime) -> None:
        """Keep each alert that is not kept yet."""
        ...

    def new_alerts(self, alerts: Sequence[Alert]) -> list[Alert]:
        """Those of ``alerts`` that are not kept yet, each once, in order."""
        ...
