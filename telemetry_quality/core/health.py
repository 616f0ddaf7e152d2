"""TelemetryHealthService: what a production process may ask about days, answered without exceptions."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date, datetime
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from telemetry_quality.core.days import in_utc
from telemetry_quality.core.detectors.expected_volume import Expectation
from telemetry_quality.core.events import UnreadableDay
from telemetry_quality.core.guardrails.activity import USUALLY_EMPTY, why_empty_is_usual
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.core.judging import expectation_of, load_totals
from telemetry_quality.core.marks import Gate, is_trustworthy
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.errors import RequestError, SettingsError, SourceError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry_quality.core.daily import DailyWork, Judgement
    from telemetry_quality.core.marks import MarkedDays
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot

log = logging.getLogger(__name__)

INTERNAL_ERROR = "INTERNAL_ERROR"
NOT_JUDGED = "NOT_JUDGED"
"""Why a day is unknown: the store has, or had at that instant, no snapshot of it."""


@dataclass(frozen=True, slots=True)
class DailyIntegrity:
    """The answer to "can this day be trusted?"; without a snapshot, ``reason_code`` says why.

    Attributes:
        mark: What somebody said about the day.
        gate: Which days of the source can be trusted.
    """

    status: DayStatus = DayStatus.UNKNOWN
    snapshot: TelemetryIntegritySnapshot | None = None
    reason_code: str | None = None
    reason: str | None = None
    mark: MarkedDays | None = None
    gate: Gate = Gate.HEALTHY

    def is_healthy(self) -> bool:
        """True if and only if the day was read, judged and found healthy."""
        return self.status is DayStatus.HEALTHY

    def is_trustworthy(self) -> bool:
        """Whether the source's gate lets the judged day through, or somebody accepted it and did not mark it as bad."""
        is_provisional = bool(self.snapshot and self.snapshot.is_provisional)
        return is_trustworthy(self.mark, self.status, self.gate, is_provisional=is_provisional)


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
    """The answer to "has the stream gone silent?"; None means not known, and a usually empty day is not silence."""

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
Asked = ParamSpec("Asked")


def _never_raises(unknown: type[Result]) -> Callable[[Callable[Asked, Result]], Callable[Asked, Result]]:
    """Turn every exception into a logged ``unknown``: the caller serves users and must not crash."""

    def decorate(method: Callable[Asked, Result]) -> Callable[Asked, Result]:
        @wraps(method)
        def guarded(*asked: Asked.args, **more: Asked.kwargs) -> Result:
            try:
                return method(*asked, **more)
            except Exception as error:
                code, words = _reason_code(error), _words(error)
                # A traceback is logged only for a bug in this package.
                log.error("%s: %s %s", method.__name__, code, words, exc_info=code == INTERNAL_ERROR)  # noqa: TRY400
                return unknown(reason_code=code, reason=words)

        return guarded

    return decorate


def _reason_code(error: Exception) -> str:
    if isinstance(error, SourceError):
        return error.reason_code
    if isinstance(error, RequestError):
        return "DAY_NOT_AVAILABLE"
    if isinstance(error, SettingsError):
        return "SETTINGS_WRONG"
    return "STORE_FAILED" if isinstance(error, StoreError) else INTERNAL_ERROR


def _words(error: Exception) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - even an error that cannot be put into words must not be raised
        return type(error).__name__


class TelemetryHealthService:
    """Whether a source's days can be trusted, for use inside a production process.

    Each method returns a small frozen result and never raises: a failure is logged with its reason code and
    returned as unknown. Nothing here writes to, locks or slows the source.

    Args:
        work: The source, store, calendar and policy to ask; ``telemetry_quality.health_service`` builds one.
        clock: Returns the current instant, aware.
    """

    def __init__(self, work: DailyWork, clock: Callable[[], datetime]) -> None:
        self._work = work
        self._clock = clock

    @_never_raises(DailyIntegrity)
    def calculate_daily_integrity(self, day: date) -> DailyIntegrity:
        """Read, judge and store ``day``; the same numbers add nothing to the store."""
        judgement = self._read_and_judge(day)
        snapshot = judgement.snapshot
        return DailyIntegrity(
            snapshot.status,
            snapshot,
            snapshot.unreadable_reason_code,
            snapshot.unreadable_reason,
            judgement.mark,
            self._work.gate,
        )

    @_never_raises(DailyIntegrity)
    def stored_integrity(self, day: date, as_of: datetime | None = None) -> DailyIntegrity:
        """What the store knows about ``day``, or knew at the aware instant ``as_of``; reads no events, judges nothing.

        What was judged or said about the day after ``as_of`` is left out. A day without a snapshot is unknown.
        """
        _require_kind(day, date)
        known = self._work.store.known_days(self._work.name, day, day, None if as_of is None else in_utc(as_of))
        if not known:
            there_is = "There is" if as_of is None else f"At {as_of.isoformat()} there was"
            sentence = f"{there_is} no snapshot of {day}; run telemetry-quality snapshot {day}."
            return DailyIntegrity(reason_code=NOT_JUDGED, reason=sentence)
        (found,) = known
        code, reason = found.snapshot.unreadable_reason_code, found.snapshot.unreadable_reason
        return DailyIntegrity(found.snapshot.status, found.snapshot, code, reason, found.mark, self._work.gate)

    @_never_raises(AnomalySpikes)
    def detect_anomaly_spikes(self, day: date) -> AnomalySpikes:
        """Whether the error rate or the volume of ``day`` breaches its guardrail; reads it only if needed."""
        judgement = self._known(day, ("error_rate", "volume"))
        snapshot = judgement.snapshot
        code, reason = _reason(judgement, ("error_rate", "volume"))
        return AnomalySpikes(
            snapshot.has_error_spike,
            snapshot.has_volume_anomaly,
            snapshot.error_rate_percent,
            snapshot.volume_deviation_percent,
            code,
            reason,
        )

    @_never_raises(ZeroActivity)
    def detect_zero_activity(self, now: datetime) -> ZeroActivity:
        """Whether the last day that was complete at the aware instant ``now`` has no events, which is not usual."""
        _require_kind(now, datetime)
        day = self._work.calendar.latest_day(now)
        self._work.calendar.require(day, now)
        count = self._work.source.count_days([self._work.calendar.window(day)])[day]
        if isinstance(count, UnreadableDay):
            log.error("detect_zero_activity: %s %s", count.reason_code, count.reason)
            return ZeroActivity(None, day, None, count.reason_code, count.reason)
        seen = f"{count:,} events were seen on {day}"
        if count:
            return ZeroActivity(False, day, count, "ACTIVE", f"{seen}.")
        expectation = self._expectation(day)
        if expectation.is_empty_usual:
            why = why_empty_is_usual(day, expectation, self._work.policy)
            return ZeroActivity(False, day, count, USUALLY_EMPTY, f"{seen}, which is usual: {why}.")
        return ZeroActivity(True, day, count, "ZERO_ACTIVITY", f"{seen}.")

    def _expectation(self, day: date) -> Expectation:
        """What the stored history suggests for ``day``: nothing if there is no store to ask."""
        try:
            context = load_totals(self._work.store, self._work.name, day)
        except StoreError as error:
            log.warning("detect_zero_activity: STORE_FAILED %s", error)
            return Expectation()
        return expectation_of(day, context, self._work.policy)

    @_never_raises(VersionMismatch)
    def detect_version_mismatch(self, day: date) -> VersionMismatch:
        """Whether too many events of ``day`` carry no version; reads the day only if it was not read before."""
        judgement = self._known(day, ("missing_version",))
        snapshot = judgement.snapshot
        code, reason = _reason(judgement, ("missing_version",))
        return VersionMismatch(
            snapshot.has_version_anomaly,
            snapshot.missing_version_events,
            snapshot.missing_version_percent,
            code,
            reason,
        )

    def _read_and_judge(self, day: date) -> Judgement:
        _require_kind(day, date)
        with self._work.store.kept_open():
            for _ in self._work.read([day], self._clock()):
                pass
            return self._judged(day)

    def _known(self, day: date, names: tuple[str, ...]) -> Judgement:
        """The judgement of ``day`` by the guardrails with these names; read first if it never was or could not be."""
        _require_kind(day, date)
        now = self._clock()
        self._work.calendar.require(day, now)
        if (judgement := self._work.still_valid(day, names, now)) is not None and _is_readable(judgement):
            return judgement
        scan = self._work.store.latest_scans(self._work.name, [day]).get(day)
        is_known = scan is not None and scan.unreadable_reason_code is None
        return self._judged(day) if is_known else self._read_and_judge(day)

    def _judged(self, day: date) -> Judgement:
        (judgement,) = self._work.judge([day], self._clock())
        snapshot = judgement.snapshot
        if snapshot.unreadable_reason_code is not None:
            log.error("%s %s: %s %s", snapshot.source, day, snapshot.unreadable_reason_code, snapshot.unreadable_reason)
        return judgement


def _is_readable(judgement: Judgement) -> bool:
    return judgement.snapshot.unreadable_reason_code is None


def _reason(judgement: Judgement, names: tuple[str, ...]) -> tuple[str | None, str | None]:
    """Why the day could not be read, or the worst verdict among ``names``: failed, then unknown, then passed."""
    snapshot = judgement.snapshot
    if snapshot.unreadable_reason_code is not None:
        return snapshot.unreadable_reason_code, snapshot.unreadable_reason
    order = (Outcome.FAILED, Outcome.UNKNOWN, Outcome.PASSED)
    verdicts = [verdict for verdict in judgement.verdicts if verdict.guardrail in names]
    worst = min(verdicts, key=lambda verdict: order.index(verdict.outcome))
    return worst.reason_code, worst.sentence


def _require_kind(when: object, kind: type[date]) -> None:
    """Raise RequestError unless ``when`` is exactly of this kind, since a datetime is also a date in Python."""
    if type(when) is not kind:
        raise RequestError(f"A {kind.__name__} is required, but a {type(when).__name__} was passed.")
