"""Everything that is stored about a day, and the link to its Dagster run."""

from __future__ import annotations

import json
from datetime import UTC
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from pydantic import TypeAdapter

from telemetry_quality.core.alerts import changes
from telemetry_quality.core.counting import changed_rules
from telemetry_quality.core.incidents import worst_first
from telemetry_quality.core.marks import is_trustworthy
from telemetry_quality.core.metrics import NOT_LISTED
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.dashboard.incident_responses import incident_line, mark_response
from telemetry_quality.dashboard.models import (
    BreakdownResponse,
    BreakdownRowResponse,
    ContributorResponse,
    DayResponse,
    RevisionResponse,
    SampledResponse,
    ScanResponse,
    VerdictResponse,
)
from telemetry_quality.dashboard.sentences import day_sentence, wrong_on
from telemetry_quality.dashboard.series import snapshot_line
from telemetry_quality.dashboard.summary import sentence_without_snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from pydantic import BaseModel

    from telemetry_quality.core.guardrails.verdicts import Contributor, Verdict
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot
    from telemetry_quality.dashboard.state import DashboardState
    from telemetry_quality.settings import Settings
    from telemetry_quality.storage.stored_days import BreakdownRow, StoredDay

Answer = TypeVar("Answer", bound="BaseModel")

COPIED = (
    *(metric.name for metric in NOT_LISTED),
    "extra_numbers",
    "unreadable_reason_code",
    "unreadable_reason",
    "scan_revision",
    "content_hash",
)
"""The fields of a revision that are copied from the snapshot, in addition to those that the log lists."""


def day_response(stored: StoredDay, state: DashboardState, settings: Settings, now: datetime) -> DayResponse:
    """Everything that is stored about a day, and its verdict in words."""
    source, day = stored.source, stored.day
    latest = stored.revisions[-1] if stored.revisions else None
    wrong = wrong_on(day, state.incidents.get(source, ()))
    touching = {failure.incident.key: failure.incident for failure in wrong}.values()
    previous_day, next_day = state.index.neighbours(source, day)
    revisions = _revisions(stored, settings)
    marked = state.mark(source, day)
    return DayResponse(
        source=source,
        day=day,
        time_zone=settings.sources[source].time_zone,
        status=latest.status if latest else DayStatus.UNKNOWN,
        is_trustworthy=is_trustworthy(
            marked, latest.status if latest else DayStatus.UNKNOWN, settings.sources[source].gate
        ),
        mark=mark_response(marked),
        sentence=(
            day_sentence(day, latest, wrong, marked)
            if latest
            else sentence_without_snapshot(state, settings, now, source, day)
        ),
        since=wrong[0].incident.first_day if wrong else None,
        trouble=state.trouble,
        snapshot=revisions[-1].snapshot if revisions else None,
        revisions=revisions,
        changes=tuple(revision.changes for revision in revisions if revision.changes is not None),
        incidents=tuple(incident_line(incident, now.astimezone(UTC).date()) for incident in worst_first(touching)),
        scans=tuple(_copy(ScanResponse, scan) for scan in stored.scans),
        by_signal=_breakdown(stored.by_signal, stored.more_signals),
        by_version=_breakdown(stored.by_version, stored.more_versions),
        by_hour=_breakdown(stored.by_hour, 0),
        sample=_SAMPLE.validate_python(stored.sample, from_attributes=True),
        other_rules=_rules_changed(stored, settings),
        previous_day=previous_day,
        next_day=next_day,
        dagster_run_url=dagster_url_of(settings, source, day, latest.run_id if latest else None),
    )


def _rules_changed(stored: StoredDay, settings: Settings) -> tuple[str, ...]:
    if not stored.scans:
        return ()
    return tuple(
        sorted(changed_rules(stored.scans[-1].counting_rules, settings.sources[stored.source].counting_rules()))
    )


def dagster_url_of(settings: Settings, source: str, day: date, run_id: str | None) -> str | None:
    """The page in Dagster of a day's run, or of its partition; None without ``dashboard.dagster_url``."""
    server = settings.dashboard.dagster_url
    if server is None:
        return None
    if run_id is not None:
        return f"{server}/runs/{quote(run_id, safe='')}"
    return f"{server}/assets/{quote(source)}/integrity_snapshot?view=partitions&partition={day}"


def _revisions(stored: StoredDay, settings: Settings) -> tuple[RevisionResponse, ...]:
    comparisons = [None, *(changes(earlier, later) for earlier, later in pairwise(stored.revisions))]
    return tuple(
        _revision(snapshot, stored.verdicts.get(snapshot.revision or 0, ()), changed, settings)
        for snapshot, changed in zip(stored.revisions, comparisons, strict=False)
    )


def _revision(
    snapshot: TelemetryIntegritySnapshot, verdicts: Sequence[Verdict], changed: str | None, settings: Settings
) -> RevisionResponse:
    return RevisionResponse.model_validate(
        {
            **{name: getattr(snapshot, name) for name in COPIED},
            "snapshot": snapshot_line(snapshot),
            "policy": json.loads(snapshot.policy),
            "verdicts": tuple(verdict_response(verdict) for verdict in verdicts),
            "changes": changed,
            "dagster_run_url": dagster_url_of(settings, snapshot.source, snapshot.day, snapshot.run_id),
        }
    )


def verdict_response(verdict: Verdict) -> VerdictResponse:
    """What a guardrail says, with its segments in words."""
    return _copy(
        VerdictResponse, verdict, contributors=tuple(_contributor(contributor) for contributor in verdict.contributors)
    )


def _contributor(contributor: Contributor) -> ContributorResponse:
    return _copy(ContributorResponse, contributor, segment=str(contributor.segment))


def _breakdown(rows: Sequence[BreakdownRow], rest: int) -> BreakdownResponse:
    return BreakdownResponse(rows=_ROWS.validate_python(rows, from_attributes=True), rest=rest)


# There are hundreds: copying them one by one takes five times as long.
_ROWS: TypeAdapter[tuple[BreakdownRowResponse, ...]] = TypeAdapter(tuple[BreakdownRowResponse, ...])
_SAMPLE: TypeAdapter[tuple[SampledResponse, ...]] = TypeAdapter(tuple[SampledResponse, ...])


def _copy(response: type[Answer], original: object, **other: object) -> Answer:
    """The response with the fields of ``original`` that have the same names, and ``other`` fields."""
    return response.model_validate(
        {name: getattr(original, name) for name in response.model_fields if name not in other} | other
    )
