"""The sampling verifier: is each drawn event known, tagged and complete, and what does that prove?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import date

    from telemetry_quality.core.events import EventSchema, SampledEvent

MISSING_EVENT_ID = "MISSING_EVENT_ID"
MISSING_EVENT_NAME = "MISSING_EVENT_NAME"
UNKNOWN_SIGNAL = "UNKNOWN_SIGNAL"
MISSING_VERSION = "MISSING_VERSION"
MISSING_CRITICAL_FIELD = "MISSING_CRITICAL_FIELD"

LEARNING_DAYS = 7


@dataclass(frozen=True, slots=True)
class SampleVerdict:
    """What the verifier says of one event; holds no value of the event but its id.

    Attributes:
        reason_codes: Why it failed, empty when it passed; a missing critical field is named after a colon.
    """

    event_id: str | None
    reason_codes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing was wrong with the event."""
        return not self.reason_codes


def verify_sample(
    sample: Iterable[SampledEvent], schema: EventSchema, known_signals: Collection[str] | None
) -> tuple[SampleVerdict, ...]:
    """Judge every sampled event; ``known_signals`` None means the catalogue is still being learnt."""
    return tuple(SampleVerdict(event.event_id, _reasons(event, schema, known_signals)) for event in sample)


def _reasons(event: SampledEvent, schema: EventSchema, known_signals: Collection[str] | None) -> tuple[str, ...]:
    reasons = []
    if event.event_id is None and schema.event_id is not None:
        reasons.append(MISSING_EVENT_ID)
    if event.event_name is None or not event.event_name.strip():
        reasons.append(MISSING_EVENT_NAME)
    elif known_signals is not None and event.event_name not in known_signals:
        reasons.append(UNKNOWN_SIGNAL)
    if schema.is_missing_version(event.service_version):
        reasons.append(MISSING_VERSION)
    reasons.extend(f"{MISSING_CRITICAL_FIELD}:{name}" for name in event.missing_critical_fields)
    return tuple(reasons)


def signals_seen_before(day: date, first_seen: Mapping[str, date]) -> frozenset[str] | None:
    """Names seen on earlier days, or None while fewer than LEARNING_DAYS days lie between the first and ``day``."""
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
    tail = (1 - confidence) / 2
    # The two ends have closed forms: the usual clean day does not pay for importing scipy.
    if passed == size:
        return 100 * tail ** (1 / size), 100.0
    if passed == 0:
        return 0.0, 100 * (1 - tail ** (1 / size))
    from scipy.special import betaincinv  # noqa: PLC0415 - late: only a failed sample needs it

    lower = betaincinv(passed, size - passed + 1, tail)
    upper = betaincinv(passed + 1, size - passed, 1 - tail)
    return 100 * float(lower), 100 * float(upper)
