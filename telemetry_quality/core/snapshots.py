"""The integrity snapshot: a day's numbers and what they mean, frozen as known at one moment."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.guardrails.lost_bases import LOST
from telemetry_quality.core.guardrails.verdicts import Level, Outcome
from telemetry_quality.core.metrics import DayFigures

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from telemetry_quality.core.guardrails.verdicts import Verdict
    from telemetry_quality.core.policies import Policy


class DayStatus(StrEnum):
    """The status of a day, worst first."""

    UNKNOWN = "unknown"
    """The day could not be read or was never judged: neither healthy nor zero."""
    NO_ACTIVITY = "no_activity"
    """The day has no events, which is not usual for the stream; on a usually empty day the other verdicts decide."""
    UNHEALTHY = "unhealthy"
    """A CRITICAL guardrail failed."""
    DEGRADED = "degraded"
    """A WARNING or INFO guardrail failed."""
    HEALTHY = "healthy"


@dataclass(frozen=True, kw_only=True)
class TelemetryIntegritySnapshot(DayFigures):
    """Whether one day of one source can be trusted, as it was known at ``computed_at``.

    Attributes:
        revision: 1 for the first, one more whenever the day's numbers or the policy changed; None until stored.
        policy: Canonical JSON of the thresholds in force.
        scan_revision: Revision of the scan that was judged.
        scan_hash: Hash of that scan's content.
        run_id: The Dagster run that computed the snapshot; None if no run did or it is not known.
        verdicts_hash: Hash of all its verdicts; None until stored.
        previous_hash: Content hash of the snapshot stored before; None for a source's first.
        content_hash: SHA-256 over everything above; None until stored.
    """

    source: str
    day: date
    revision: int | None = None
    has_volume_anomaly: bool | None
    has_version_anomaly: bool | None
    has_error_spike: bool | None
    is_zero_activity: bool | None
    status: DayStatus
    policy: str
    computed_at: datetime
    scan_revision: int
    scan_hash: str
    run_id: str | None = None
    verdicts_hash: str | None = None
    previous_hash: str | None = None
    content_hash: str | None = None

    def is_healthy(self) -> bool:
        """True if and only if the status is ``healthy``."""
        return self.status is DayStatus.HEALTHY

    def as_json(self) -> dict[str, Any]:
        """Every field under its own name, key fields first; JSON types only."""
        return {
            **dict.fromkeys(("source", "day", "revision")),
            **{f.name: self._plain(f.name) for f in fields(self)},
        }

    def _plain(self, name: str) -> Any:
        value = getattr(self, name)
        if name == "policy":
            return json.loads(value)
        return value.isoformat() if name in {"day", "computed_at"} else value


def unknown_day_as_json(source: str, day: date) -> dict[str, Any]:
    """The JSON of a day without a snapshot: the same keys, status ``unknown``, everything else null."""
    empty: dict[str, Any] = dict.fromkeys(f.name for f in fields(TelemetryIntegritySnapshot))
    return {
        "source": source,
        "day": day.isoformat(),
        "revision": None,
        **{name: value for name, value in empty.items() if name not in {"source", "day", "revision"}},
        "extra_numbers": {},
        "status": DayStatus.UNKNOWN.value,
    }


def take_snapshot(
    *,
    source: str,
    day: date,
    figures: DayFigures,
    verdicts: Sequence[Verdict],
    policy: Policy,
    scan_revision: int,
    scan_hash: str,
    now: datetime,
    run_id: str | None = None,
) -> TelemetryIntegritySnapshot:
    """Freeze a day's figures and the status that its verdicts give it; the store adds revision and hashes."""
    failed = {verdict.guardrail: _failed(verdict) for verdict in verdicts}
    return TelemetryIntegritySnapshot(
        **{f.name: getattr(figures, f.name) for f in fields(DayFigures)},
        source=source,
        day=day,
        has_volume_anomaly=failed["volume"],
        has_version_anomaly=failed["missing_version"],
        has_error_spike=failed["error_rate"],
        is_zero_activity=failed["activity"],
        status=day_status(figures, verdicts),
        policy=policy.text(),
        computed_at=now,
        scan_revision=scan_revision,
        scan_hash=scan_hash,
        run_id=run_id,
    )


def day_status(figures: DayFigures, verdicts: Sequence[Verdict]) -> DayStatus:
    """The status of a day by its figures and verdicts."""
    if figures.unreadable_reason_code is not None:
        return DayStatus.UNKNOWN
    is_activity_as_usual = any(v.guardrail == "activity" and v.outcome is Outcome.PASSED for v in verdicts)
    if not figures.total_events and not is_activity_as_usual:
        return DayStatus.NO_ACTIVITY
    failed = [verdict for verdict in verdicts if verdict.outcome is Outcome.FAILED]
    if any(verdict.level is Level.CRITICAL for verdict in failed):
        return DayStatus.UNHEALTHY
    return DayStatus.DEGRADED if failed else DayStatus.HEALTHY


def _failed(verdict: Verdict) -> bool | None:
    """Whether the guardrail found what it looks for; None if it could not, because nothing says it."""
    is_unknown = verdict.outcome is Outcome.UNKNOWN or verdict.reason_code in LOST
    return None if is_unknown else verdict.outcome is Outcome.FAILED
