"""The policy: every number a verdict depends on, in one immutable, comparable, storable value."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

BASELINES = ("weekday", "trailing_mean")


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
        holidays: ``US`` or ``US-NY`` (country and subdivision), or None for no holiday calendar.
    """

    error_rate_percent: float = 5.0
    missing_version_percent: float = 1.0
    volume_deviation_percent: float = 30.0
    sample_success_percent: float = 99.0
    sample_size: int = 100
    baseline: str = "weekday"
    holidays: str | None = None

    def text(self) -> str:
        """Canonical JSON: two policies are equal exactly when their texts are."""
        numbers = {name: float(value) for name, value in asdict(self).items() if name.endswith("_percent")}
        return json.dumps(asdict(self) | numbers, sort_keys=True, separators=(",", ":"))
