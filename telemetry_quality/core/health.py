"""TelemetryHealthService: the four questions a production process may ask, and never an exception."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from telemetry_quality.core.events import UnreadableDay
from telemetry_quality.core.guardrails import judge_day
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.errors import RequestError, SourceError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

    from telemetry_quality.core.daily import DailyWork
    from telemetry_quality.core.guardrails.verdicts import Verdict
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot

log = logging.getLogger(__name__)

INTERNAL_ERROR = "INTERNAL_ERROR"


@dataclass(frozen=True, slots=True)
class DailyIntegrity:
    """The answer to "can this day be trusted?"; without a snapshot, ``reason_code`` says why there is none."""

    status: DayStatus = DayStatus.UNKNOWN
    snapshot: TelemetryIntegritySnapshot | None = None
    reason_code: str | None = None
    reason: str | None = None

    def is_healthy(self) -> bool:
        """True exactly when the day was read, judged and found healthy."""
        return self.status is DayStatus.HEALTHY


@dataclass(frozen=True, slots=True)
class AnomalySpikes:
    """The answer to "did errors or volume jump?"; None means not known."""

    has_error_spike: bool | None = None
    has_volume_anomaly: bool | None = None
    error_rate_percent: float | None = None
    volume_deviation_percent: float | None = None
    reason_code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ZeroActivity:
    """The answer to "has the stream gone silent?"; None means not known."""

    is_zero_activity: bool | None = None
    day: date | None = None
    total_events: int | None = None
    reason_code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class VersionMismatch:
    """The answer to "are events untagged?"; None means not known."""

    has_version_anomaly: bool | None = None
    missing_version_events: int | None = None
    missing_version_percent: float | None = None
    reason_code: str | None = None
    reason: str | None = None


Result = TypeVar("Result", DailyIntegrity, AnomalySpikes, ZeroActivity, VersionMismatch)


def _never_raises(
    unknown: type[Result],
) -> Callable[[Callable[[TelemetryHealthService, Any], Result]], Callable[[TelemetryHealthService, Any], Result]]:
    """Turn every failure into a logged ``unknown``: the caller serves users and must not fall over."""

    def decorate(
        method: Callable[[TelemetryHealthService, Any], Result],
    ) -> Callable[[TelemetryHealthService, Any], Result]:
        @wraps(method)
        def guarded(self: TelemetryHealthService, when: Any) -> Result:
            try:
                return method(self, when)
            except Exception as error:
                code = _reason_code(error)
                # A traceback only for a mistake of our own.
                log.error("%s(%s): %s %s", method.__name__, when, code, error, exc_info=code == INTERNAL_ERROR)  # noqa: TRY400
                return unknown(reason_code=code, reason=str(error))

        return guarded

    return decorate


def _reason_code(error: Exception) -> str:
    if isinstance(error, SourceError):
        return error.reason_code
    if isinstance(error, RequestError):
        return "DAY_NOT_AVAILABLE"
    return "STORE_FAILED" if isinstance(error, StoreError) else INTERNAL_ERROR


class TelemetryHealthService:
    """Whether a source's days can be trusted, for use inside a production process.

    Each method returns a small frozen result and never raises: a failure is logged with its reason code and
    comes back as unknown. Nothing here writes to, locks or slows the source.

    Args:
        work: The source, store, calendar and policy to ask; ``telemetry_quality.health_service`` builds one.
        clock: Returns the aware instant of now.
    """

    def __init__(self, work: DailyWork, clock: Callable[[], datetime]) -> None:
        self._work = work
        self._clock = clock

    @_never_raises(DailyIntegrity)
    def calculate_daily_integrity(self, day: date) -> DailyIntegrity:
        """Read, judge and keep ``day``; the same numbers add nothing to the store."""
        snapshot = self._snapshot(day)
        return DailyIntegrity(snapshot.status, snapshot, snapshot.unreadable_reason_code, snapshot.unreadable_reason)

    @_never_raises(AnomalySpikes)
    def detect_anomaly_spikes(self, day: date) -> AnomalySpikes:
        """Whether the error rate or the volume of ``day`` breaches its guardrail; reads it only if nobody has."""
        snapshot = self._known_snapshot(day)
        worst = self._worst(snapshot, ("error_rate", "volume"))
        return AnomalySpikes(
            snapshot.has_error_spike,
            snapshot.has_volume_anomaly,
            snapshot.error_rate_percent,
            snapshot.volume_deviation_percent,
            worst.reason_code,
            worst.sentence,
        )

    @_never_raises(ZeroActivity)
    def detect_zero_activity(self, now: datetime) -> ZeroActivity:
        """Whether the last day that was complete at the aware instant ``now`` holds no event at all."""
        day = self._work.calendar.latest_day(now)
        count = self._work.source.count_days([self._work.calendar.window(day)])[day]
        if isinstance(count, UnreadableDay):
            return ZeroActivity(None, day, None, count.reason_code, count.reason)
        code = "ACTIVE" if count else "ZERO_ACTIVITY"
        return ZeroActivity(count == 0, day, count, code, f"{count:,} events were seen on {day}.")

    @_never_raises(VersionMismatch)
    def detect_version_mismatch(self, day: date) -> VersionMismatch:
        """Whether too many events of ``day`` carry no version; reads it only if nobody has."""
        snapshot = self._known_snapshot(day)
        worst = self._worst(snapshot, ("missing_version",))
        return VersionMismatch(
            snapshot.has_version_anomaly,
            snapshot.missing_version_events,
            snapshot.missing_version_percent,
            worst.reason_code,
            worst.sentence,
        )

    def _snapshot(self, day: date) -> TelemetryIntegritySnapshot:
        """Read and judge ``day``."""
        for _ in self._work.read([day], self._clock()):
            pass
        return self._judged(day)

    def _known_snapshot(self, day: date) -> TelemetryIntegritySnapshot:
        """Judge what was read of ``day``; read it first if nothing was, or if it could not be."""
        self._work.calendar.require(day, self._clock())
        reading = self._work.store.latest_readings(self._work.name, [day]).get(day)
        is_known = reading is not None and reading.unreadable_reason_code is None
        return self._judged(day) if is_known else self._snapshot(day)

    def _judged(self, day: date) -> TelemetryIntegritySnapshot:
        ((snapshot, _, _),) = self._work.judge([day], self._clock())
        return snapshot

    def _worst(self, snapshot: TelemetryIntegritySnapshot, names: tuple[str, ...]) -> Verdict:
        """The most telling verdict among ``names``: a failure first, then what is unknown."""
        order = (Outcome.FAILED, Outcome.UNKNOWN, Outcome.PASSED)
        verdicts = [v for v in judge_day(snapshot, self._work.policy) if v.guardrail in names]
        return min(verdicts, key=lambda verdict: order.index(verdict.outcome))
