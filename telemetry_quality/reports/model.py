"""The model: what a report says, ready to be drawn and written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry_quality.core.incidents import worst_first
from telemetry_quality.core.snapshots import DayStatus

if TYPE_CHECKING:
    from datetime import date, datetime

    from telemetry_quality.core.incidents import Incident
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot
    from telemetry_quality.core.trust import Trust

MISSING = "missing"
"""The status of a day without a snapshot: neither healthy nor unhealthy."""

WORST_FIRST = (
    DayStatus.UNKNOWN.value,
    DayStatus.NO_ACTIVITY.value,
    DayStatus.UNHEALTHY.value,
    MISSING,
    DayStatus.DEGRADED.value,
    DayStatus.HEALTHY.value,
)


@dataclass(frozen=True, slots=True)
class ReportedDay:
    """A day of a source.

    Attributes:
        snapshot: None if the day was never judged.
        trust: Whether it can be used; None without a snapshot.
        words: What failed, in a few words each, the worst first.
    """

    day: date
    snapshot: TelemetryIntegritySnapshot | None
    trust: Trust | None
    words: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """The status of the snapshot, or MISSING."""
        return MISSING if self.snapshot is None else self.snapshot.status.value

    @property
    def is_trusted(self) -> bool:
        """Whether the day can be used, by its source's gate and by what people said."""
        return self.trust is not None and self.trust.is_trusted


@dataclass(frozen=True, slots=True)
class ReportedSource:
    """A source and its last days.

    Attributes:
        title: What people call it.
        days: Every day up to the latest that is over, oldest first; empty if none is.
        incidents: Those that touch these days, in the order of every list.
        limits: The thresholds in force that charts show, by the name of the number.
    """

    name: str
    title: str
    owners: tuple[str, ...]
    days: tuple[ReportedDay, ...]
    incidents: tuple[Incident, ...]
    limits: dict[str, float]

    @property
    def latest(self) -> ReportedDay | None:
        """The latest day that is over."""
        return self.days[-1] if self.days else None

    @property
    def status(self) -> str:
        """The status of the latest day."""
        return MISSING if self.latest is None else self.latest.status

    @property
    def is_trusted(self) -> bool:
        """Whether its latest day can be used."""
        return self.latest is not None and self.latest.is_trusted

    @property
    def standing(self) -> Incident | None:
        """The foremost open incident that the latest day belongs to; None if there is none."""
        return next((incident for incident in self.incidents if incident.is_open and not self.is_trusted), None)

    @property
    def troubled_days(self) -> list[ReportedDay]:
        """The days that cannot be used, the newest first."""
        return [day for day in reversed(self.days) if not day.is_trusted]


@dataclass(frozen=True, slots=True)
class Report:
    """A report.

    Attributes:
        sources: The worst first.
        dashboard: The dashboard's address, for readers who can reach it; None if only its own machine can.
    """

    made_at: datetime
    sources: tuple[ReportedSource, ...]
    dashboard: str | None

    @property
    def untrusted(self) -> list[ReportedSource]:
        """The sources whose latest day cannot be used."""
        return [source for source in self.sources if not source.is_trusted]

    @property
    def incidents(self) -> list[Incident]:
        """The incidents of all sources, in the order of every list."""
        return worst_first(incident for source in self.sources for incident in source.incidents)

    @property
    def span(self) -> str:
        """The days of the report: ``2026-02-09 to 2026-03-10``."""
        days = [day.day for source in self.sources for day in source.days]
        return f"{min(days)} to {max(days)}" if days else "no day is over yet"
