"""The policy: every number a verdict depends on, in one immutable, comparable, storable value."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

BASELINES = ("weekday", "trailing_mean")
VOLUME_RULES = ("deviation", "unusual", "both", "either")

_REAL = ("_percent", "_spreads")
"""How the names of real numbers end; 5 and 5.0 are the same threshold."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Thresholds and choices in force when a day was judged.

    Attributes:
        error_rate_percent: The error rate fails strictly above this.
        missing_version_percent: The share of events without a version fails strictly above this.
        volume_deviation_percent: The distance from the expected volume fails strictly above this.
        sample_success_percent: The share of verified sampled events fails strictly below this.
        sample_size: Events drawn from each day.
        baseline: How the expected volume is found, one of BASELINES.
        volume_rule: What makes the volume fail: the deviation, being unusual for the stream (outside its own
            interval), both, or either; one of VOLUME_RULES.
        volume_far_percent: By the rule ``both``, a loss above this, or a gain as far upwards (40 % fewer, 67 % more),
            fails inside the interval too, unless the stream moves so far every other day.
        interval_percent: How many of the stream's normal days lie within the interval of what is expected.
        minimum_events: Where fewer are expected and fewer are seen, neither volume nor silence is judged.
        duplicate_percent: The share of events that repeat another fails strictly above this.
        critical_missing_percent: The share of events without a critical field fails strictly above this.
        late_percent: The share of late events may fail strictly above this.
        misdated_percent: The share of events with an impossible time fails strictly above this.
        leak_percent: A slow loss fails strictly above this, if it is also more than ``leak_spreads``.
        leak_spreads: The same in spreads of the stream itself.
        version_drift_percent: A version's share may fail only if it moved by more than this, in percentage points.
        complete_percent: A day is provisional until this share of its events has usually arrived.
        holidays: ``US`` or ``US-NY`` (country and subdivision), or None for no holiday calendar.
    """

    error_rate_percent: float = 5.0
    missing_version_percent: float = 1.0
    volume_deviation_percent: float = 30.0
    sample_success_percent: float = 99.0
    sample_size: int = 100
    volume_rule: str = "both"
    volume_far_percent: float = 40.0
    interval_percent: float = 99.0
    minimum_events: int = 20
    duplicate_percent: float = 10.0
    critical_missing_percent: float = 1.0
    late_percent: float = 5.0
    misdated_percent: float = 1.0
    leak_percent: float = 15.0
    leak_spreads: float = 2.75
    version_drift_percent: float = 10.0
    complete_percent: float = 99.0
    baseline: str = "weekday"
    holidays: str | None = None

    def text(self) -> str:
        """Canonical JSON: two policies are equal exactly when their texts are."""
        numbers = {name: float(value) for name, value in asdict(self).items() if name.endswith(_REAL)}
        return json.dumps(asdict(self) | numbers, sort_keys=True, separators=(",", ":"))
