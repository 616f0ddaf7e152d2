"""The daily work: read days, verify their samples, keep both, and judge what was kept.

Dagster's assets, the command line and TelemetryHealthService all go through DailyWork; there is no second way.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from time import sleep
from typing import TYPE_CHECKING

from telemetry_quality.core.baselines import HISTORY_DAYS, expected_events
from telemetry_quality.core.events import DayReading, UnreadableDay
from telemetry_quality.core.ports import StoredReading
from telemetry_quality.core.sampling import signals_seen_before, verify_sample
from telemetry_quality.core.snapshots import DayFigures, take_snapshot
from telemetry_quality.errors import RequestError, SourceError, SourceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import date, datetime

    from telemetry_quality.core.days import Calendar
    from telemetry_quality.core.policies import Policy
    from telemetry_quality.core.ports import EventSource, QualityStore
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot

log = logging.getLogger(__name__)

CHUNK_DAYS = 31
"""Days asked of a source at once: enough to share a scan, few enough to bound memory and show progress."""

RETRY_WAITS_SECONDS = (1.0, 5.0)
"""Pauses before a source that was unavailable is asked again; after the last the days are unreadable."""


@dataclass(frozen=True)
class DailyWork:
    """Everything one source needs to have its days read and judged.

    Attributes:
        name: The source's name in the settings; the key of all it leaves in the store.
        wait: Sleeps between retries; replaced in tests.
    """

    name: str
    source: EventSource
    store: QualityStore
    calendar: Calendar
    policy: Policy
    wait: Callable[[float], None] = field(default=sleep, repr=False)

    def read(self, days: Sequence[date], now: datetime) -> Iterator[StoredReading]:
        """Read ``days`` at the source and keep what changed, one answer per day, in order.

        An outage says nothing about days that were read before: while the source is unavailable their readings
        stand. Days that never were become unreadable.

        Raises:
            RequestError: If a day is not complete at ``now`` or lies outside the calendar.
            SourceUnavailableError: If the source stays unavailable and all days asked for were read before.
            StoreError: If the store refuses.
        """
        for day in days:
            self.calendar.require(day, now)
        first_seen = self.store.signals_first_seen(self.name)
        for start in range(0, len(days), CHUNK_DAYS):
            catalogue, readings = self._read_chunk(days[start : start + CHUNK_DAYS])
            for reading in readings:
                if isinstance(reading, StoredReading):
                    yield reading
                    continue
                if isinstance(reading, UnreadableDay):
                    yield self.store.append_reading(self.name, reading, (), now)
                    continue
                known = catalogue if catalogue is not None else signals_seen_before(reading.day, first_seen)
                verdicts = verify_sample(reading.sample, self.source.schema, known)
                yield self.store.append_reading(self.name, reading, verdicts, now)
                for name in reading.aggregates.signals():
                    first_seen[name] = min(first_seen.get(name, reading.day), reading.day)

    def judge(
        self, days: Sequence[date], now: datetime
    ) -> Iterator[tuple[TelemetryIntegritySnapshot, StoredReading, bool]]:
        """Judge days already read: the current snapshot, its reading, and whether the snapshot is new.

        Raises:
            RequestError: If a day has never been read.
            StoreError: If the store refuses.
        """
        if not days:
            return
        readings = self.store.latest_readings(self.name, days)
        first = min(days) - timedelta(days=HISTORY_DAYS)
        history = self.store.daily_totals(self.name, first, max(days))
        for day in days:
            if day not in readings:
                raise RequestError(
                    f"A day must be read before it is judged, but {day} of {self.name} never was; "
                    f"run telemetry-quality snapshot {day}."
                )
            snapshot = take_snapshot(
                source=self.name,
                day=day,
                figures=figures_of(readings[day], history, self.policy),
                policy=self.policy,
                reading_revision=readings[day].revision,
                reading_hash=readings[day].figures_hash,
                now=now,
            )
            stored, is_new = self.store.append_snapshot(snapshot)
            yield stored, readings[day], is_new

    def changed_days(self, days: Sequence[date]) -> list[date]:
        """Which of ``days`` need another look.

        Those never read, unreadable before, holding another count now, or read by a process that ended before it
        judged them. A day that cannot be counted now but could be read before is left alone: its snapshot stands.
        """
        if not days:
            return []
        counts = self.source.count_days([self.calendar.window(day) for day in days])
        readings = self.store.latest_readings(self.name, days)
        judged = {one.day: one.reading_hash for one in self.store.snapshots(self.name, min(days), max(days))}
        return [day for day in days if _needs_another_look(readings.get(day), judged.get(day), counts[day])]

    def _read_chunk(
        self, days: Sequence[date]
    ) -> tuple[Collection[str] | None, Sequence[DayReading | UnreadableDay | StoredReading]]:
        """The signal catalogue, and one answer per day."""
        windows = [self.calendar.window(day) for day in days]
        for pause in (*RETRY_WAITS_SECONDS, None):
            try:
                catalogue = self.source.read_signals()
                # Collected before it is passed on: a retry must not repeat days already kept.
                return catalogue, list(self.source.read_days(windows, self.policy.sample_size))
            except SourceUnavailableError as error:
                if pause is None:
                    return None, self._answers_during_an_outage(days, error)
                log.warning("%s is unavailable (%s), trying again in %g s", self.name, error, pause)
                self.wait(pause)
            except SourceError as error:
                return None, [_unreadable(day, error) for day in days]
        raise AssertionError("the last round always returns")

    def _answers_during_an_outage(
        self, days: Sequence[date], error: SourceUnavailableError
    ) -> list[UnreadableDay | StoredReading]:
        readings = self.store.latest_readings(self.name, days)
        known = {day: one for day, one in readings.items() if one.unreadable_reason_code is None}
        if len(known) == len(days):
            raise error
        return [known.get(day) or _unreadable(day, error) for day in days]


def _unreadable(day: date, error: SourceError) -> UnreadableDay:
    return UnreadableDay(day, error.reason_code, str(error))


def _needs_another_look(reading: StoredReading | None, judged_hash: str | None, count: int | UnreadableDay) -> bool:
    if reading is None or reading.unreadable_reason_code is not None or reading.figures_hash != judged_hash:
        return True
    return not isinstance(count, UnreadableDay) and count != reading.total_events


def figures_of(reading: StoredReading, history: Mapping[date, int], policy: Policy) -> DayFigures:
    """The figures of a stored reading beside what ``history`` leads to expect."""
    expected = expected_events(reading.day, history, policy)
    if reading.unreadable_reason_code is not None:
        return DayFigures(
            expected_events=expected,
            unreadable_reason_code=reading.unreadable_reason_code,
            unreadable_reason=reading.unreadable_reason,
        )
    total = reading.total_events or 0
    errors = reading.error_events or 0
    missing = reading.missing_version_events or 0
    size, passed = reading.sample_size or 0, reading.sample_passed or 0
    return DayFigures(
        total_events=total,
        error_events=errors,
        error_rate_percent=None if total == reading.error_unknown_events else 100 * errors / total,
        missing_version_events=missing,
        missing_version_percent=100 * missing / total if total else None,
        sample_size=size,
        sample_passed=passed,
        sampling_success_rate_percent=100 * passed / size if size else None,
        expected_events=expected,
        volume_deviation_percent=100 * (total - expected) / expected if expected else None,
    )
