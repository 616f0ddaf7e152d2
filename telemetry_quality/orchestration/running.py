"""The running day in Dagster: the asset ``current_day``, and the sensor that looks at all sources.

Dagster evaluates one sensor after another. So a tick starts a thread per source that is due, waits a moment for all of
them, and reports those that are done; a slow source is reported by a later tick, and no other waits for it. No run is
started for a look: a process of its own would cost more than the look.
"""

# Dagster resolves the annotations of what it decorates: no postponed ones, no imports for type checkers only.
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from threading import Lock, Thread
from time import monotonic
from typing import Any

import dagster as dg

from telemetry_quality.core.running.report import RunningDay
from telemetry_quality.orchestration.names import Names, SourceNames
from telemetry_quality.orchestration.resources import telemetry_of
from telemetry_quality.settings import Settings, SourceSettings

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 30
PATIENCE_SECONDS = 5.0
"""How long a tick waits for the looks that it started."""

Outcome = RunningDay | Exception


def build_running_asset(names: SourceNames, settings: SourceSettings) -> dg.AssetsDefinition:
    """The running day of a source; materializing it by hand looks once."""

    @dg.asset(
        key=names.current_day,
        deps=[names.events],
        group_name=names.group,
        owners=list(settings.owners),
        description="The hours of the day that is not over, as the last look found them: provisional, never healthy.",
        required_resource_keys={names.resource},
    )
    def current_day(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        telemetry = telemetry_of(context, names.resource)
        return dg.MaterializeResult(metadata=_metadata(telemetry.look(names.source)))

    return current_day


class Lookout:
    """Looks at sources in the background, each at most once at a time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._busy: dict[str, Thread] = {}
        self._begun_at: dict[str, datetime] = {}
        self._outcomes: dict[str, Outcome] = {}

    def begin(self, source: str, look: Callable[[], RunningDay], now: datetime, interval: timedelta) -> None:
        """Begin to look at a source, unless it is being looked at or was within ``interval``."""
        with self._lock:
            begun_at = self._begun_at.get(source)
            # A clock that was set back must not stop the looks.
            is_recent = begun_at is not None and timedelta(0) <= now - begun_at < interval
            if source in self._busy or is_recent:
                return
            self._begun_at[source] = now
            self._busy[source] = thread = Thread(target=self._run, args=(source, look), name=source, daemon=True)
        thread.start()

    def _run(self, source: str, look: Callable[[], RunningDay]) -> None:
        outcome: Outcome
        try:
            outcome = look()
        except Exception as error:  # noqa: BLE001 - the next tick says so, and a later one looks again
            outcome = error
        with self._lock:
            self._outcomes[source] = outcome
            del self._busy[source]

    def wait(self, patience_seconds: float) -> list[str]:
        """Wait for all looks, but no longer than that; returns the sources that are still being looked at."""
        until = monotonic() + patience_seconds
        with self._lock:
            threads = list(self._busy.values())
        for thread in threads:
            thread.join(max(0.0, until - monotonic()))
        with self._lock:
            return sorted(self._busy)

    def collect(self) -> dict[str, Outcome]:
        """What was found since the last call, by source."""
        with self._lock:
            found, self._outcomes = self._outcomes, {}
        return found


def build_running_sensors(names: Names, settings: Settings) -> list[dg.SensorDefinition]:
    """One sensor for all sources whose running day is looked at; none if there are no such sources."""
    intraday = {name: source for name, source in settings.sources.items() if source.intraday}
    if not intraday:
        return []
    lookout = Lookout()

    @dg.sensor(
        name=names.named("running_day_sensor"),
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={names.resource},
        description="Looks at the hours of today of each source with intraday = true, every intraday_minutes, and "
        "reports them as its asset current_day. A tick whose result says failing has found something wrong already.",
    )
    def running_day_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        telemetry = telemetry_of(context, names.resource)
        for name, source in intraday.items():
            interval = timedelta(minutes=source.intraday_minutes)
            lookout.begin(name, partial(telemetry.look, name), telemetry.clock(), interval)
        busy, found = lookout.wait(PATIENCE_SECONDS), lookout.collect()
        for name, outcome in found.items():
            if isinstance(outcome, Exception):
                context.log.warning(f"{name} could not be looked at: {outcome}")
        days = [outcome for outcome in found.values() if isinstance(outcome, RunningDay)]
        events = [
            dg.AssetMaterialization(names.of(day.source).current_day, metadata=_metadata(day))
            for day in sorted(days, key=lambda day: day.source)
        ]
        return dg.SensorResult(asset_events=events, skip_reason=_sentence(days, busy, len(found) - len(days)))

    return [running_day_sensor]


def _sentence(days: list[RunningDay], busy: list[str], failed: int) -> str:
    """What a tick did."""
    words = [f"{len(days)} running day{'' if len(days) == 1 else 's'} looked at"]
    if failing := [day.source for day in days if day.verdicts]:
        words.append(f"failing: {', '.join(failing)}")
    if failed:
        words.append(f"{failed} could not be looked at")
    if busy:
        words.append(f"still looking: {', '.join(busy)}")
    return f"{'; '.join(words)}."


def _metadata(day: RunningDay) -> dict[str, Any]:
    shown = day.as_json()
    metadata: dict[str, Any] = {name: shown[name] for name in ("day", "state", "is_provisional", "events")}
    metadata["hours"] = len(day.hours)
    if day.verdicts:
        # Plain text: what events are called must not become markup.
        metadata["failures"] = "\n".join(f"{verdict.guardrail}: {verdict.sentence}" for verdict in day.verdicts)
    return metadata
