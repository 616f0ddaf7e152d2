"""The sampling verifier: whether each drawn event is known, tagged and complete, and what that proves."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, lgamma, log, log1p
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import date

    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.events import DayScan, SampledEvent

MISSING_EVENT_ID = "MISSING_EVENT_ID"
MISSING_EVENT_NAME = "MISSING_EVENT_NAME"
UNKNOWN_SIGNAL = "UNKNOWN_SIGNAL"
MISSING_VERSION = "MISSING_VERSION"
MISSING_CRITICAL_FIELD = "MISSING_CRITICAL_FIELD"

LEARNING_DAYS = 7


@dataclass(frozen=True, slots=True)
class SampleVerdict:
    """What the verifier says about an event; of its fields, only the id is stored.

    Attributes:
        reason_codes: Why the event failed, empty if it passed; a missing critical field is named after a colon.
    """

    event_id: str | None
    reason_codes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong with the event."""
        return not self.reason_codes


def verify_sample(
    sample: Iterable[SampledEvent], schema: EventSchema, known_signals: Collection[str] | None
) -> tuple[SampleVerdict, ...]:
    """Judge every sampled event; ``known_signals`` is None while the catalogue is still being learnt."""
    return tuple(SampleVerdict(event.event_id, _reasons(event, schema, known_signals)) for event in sample)


def count_verified(scan: DayScan, schema: EventSchema, known_signals: Collection[str] | None) -> int | None:
    """How many of all events of a day would pass ``verify_sample``; None if the scan does not say."""
    if scan.incomplete_events is None:
        return None
    incomplete, passes = scan.incomplete_events, 0
    for row in scan.aggregates.rows:
        name, version = row.event_name, row.service_version
        if _name_reason(name, known_signals) is None and not schema.is_missing_version(version):
            passes += row.events - incomplete.get((name, version), 0)
    return passes


def _name_reason(name: str | None, known_signals: Collection[str] | None) -> str | None:
    if name is None or not name.strip():
        return MISSING_EVENT_NAME
    return UNKNOWN_SIGNAL if known_signals is not None and name not in known_signals else None


def _reasons(event: SampledEvent, schema: EventSchema, known_signals: Collection[str] | None) -> tuple[str, ...]:
    reasons = []
    if event.event_id is None and schema.event_id is not None:
        reasons.append(MISSING_EVENT_ID)
    if (reason := _name_reason(event.event_name, known_signals)) is not None:
        reasons.append(reason)
    if schema.is_missing_version(event.service_version):
        reasons.append(MISSING_VERSION)
    reasons.extend(f"{MISSING_CRITICAL_FIELD}:{name}" for name in event.missing_critical_fields)
    return tuple(reasons)


def signals_seen_before(day: date, first_seen: Mapping[str, date]) -> frozenset[str] | None:
    """Names seen on earlier days; None while fewer than LEARNING_DAYS days lie between the first and ``day``."""
    if not first_seen or (day - min(first_seen.values())).days < LEARNING_DAYS:
        return None
    return frozenset(name for name, seen in first_seen.items() if seen < day)


def clopper_pearson_percent(passed: int, size: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval, in percent, for the share of all events that would pass.

    Source: Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the
    binomial", Biometrika 26 (1934). With 100 of 100 passed the lower limit is 96.4 %: a clean sample of 100
    still permits 3.6 % bad events.

    Raises:
        ValueError: If not ``0 <= passed <= size`` with a positive size.
    """
    if not 0 <= passed <= size or size == 0:
        raise ValueError(f"0 <= passed <= size and a positive size are required, not {passed} of {size}.")
    failed, tail = size - passed, (1 - confidence) / 2
    if failed > passed:
        lower, upper = clopper_pearson_percent(failed, size, confidence)
        return 100 - upper, 100 - lower
    most = _share_of_failures(failed, size, tail)
    least = _share_of_failures(failed - 1, size, 1 - tail) if failed else 0.0
    return 100 * (1 - most), 100 * (1 - least)


def _share_of_failures(failed: int, size: int, probability: float) -> float:
    """The share of bad events at which at most ``failed`` of ``size`` fail with this probability, by bisection."""
    ways = [lgamma(size + 1) - lgamma(k + 1) - lgamma(size - k + 1) for k in range(failed + 1)]
    low, high = 0.0, 1.0
    for _ in range(50):
        share = (low + high) / 2
        fails, passes = log(share), log1p(-share)
        is_likelier = sum(exp(way + k * fails + (size - k) * passes) for k, way in enumerate(ways)) > probability
        low, high = (share, high) if is_likelier else (low, share)
    return low
