"""The resource that all assets share: a shell that returns the plain objects that do the work."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from telemetry_quality.assembly import daily_work, keep_anchor, lineage, look_at, open_store, push_metrics, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from telemetry_quality.core.daily import DailyWork
    from telemetry_quality.core.running.report import RunningDay
    from telemetry_quality.monitoring.lineage import Lineage
    from telemetry_quality.settings import Settings
    from telemetry_quality.storage.store import SqlQualityStore


class HasResources(Protocol):
    """Any of Dagster's contexts."""

    @property
    def resources(self) -> Any:
        """The context's resources."""
        ...


def telemetry_of(context: HasResources, key: str) -> TelemetryResource:
    """The telemetry resource with this key, typed."""
    telemetry: TelemetryResource = getattr(context.resources, key)
    return telemetry


def _no_progress(_: int) -> None:
    pass


@dataclass(frozen=True)
class TelemetryResource:
    """What runs need to do their work.

    Attributes:
        clock: Returns the current time as an aware instant.
        on_progress: Called with the number of steps done, for a progress bar.
    """

    settings: Settings
    clock: Callable[[], datetime] = utc_now
    on_progress: Callable[[int], None] = field(default=_no_progress, repr=False)

    def work(self, source: str) -> DailyWork:
        """The daily work of a source."""
        return daily_work(self.settings, source)

    def look(self, source: str) -> RunningDay:
        """Look at the running day of a source."""
        return look_at(self.settings, source, self.clock())

    def store(self) -> SqlQualityStore:
        """The quality store."""
        return open_store(self.settings)

    def keep_anchor(self) -> str | None:
        """Keep the store's anchor where the settings say; a sentence if that failed."""
        return keep_anchor(self.settings, self.clock())

    def lineage(self, source: str) -> Lineage:
        """The lineage of a source, which may be silent."""
        return lineage(self.settings, source, self.clock)

    def push_metrics(self) -> str | None:
        """Push the metrics of all sources where the settings say; a sentence if that failed."""
        return push_metrics(self.settings, self.clock())
