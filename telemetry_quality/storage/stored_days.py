"""Reads everything that is stored about one day, in as few queries as possible: on a server each is a round trip."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from heapq import nsmallest
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, select

from telemetry_quality.garbage_collection import garbage_collection_paused
from telemetry_quality.storage.rows import (
    AGGREGATE_COLUMNS,
    SCAN_COLUMNS,
    SNAPSHOT_FIELDS,
    VERDICT_COLUMNS,
    aggregates_of,
    as_text,
    snapshot_of,
    stored_scans,
    verdicts_by_revision,
)
from telemetry_quality.storage.tables import (
    day_scan,
    event_aggregate,
    event_sample,
    guardrail_verdict,
    integrity_snapshot,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date

    from sqlalchemy import ColumnElement, Connection, Table

    from telemetry_quality.core.events import AggregateRow, DayAggregates
    from telemetry_quality.core.guardrails.verdicts import Verdict
    from telemetry_quality.core.scans import StoredScan
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot

MOST_BREAKDOWN_ROWS = 200
"""How many signals, or versions, of a day are listed; a day may have thousands."""


class BreakdownRow(NamedTuple):
    """Counts of one signal, version or hour of a day; ``value`` is None if the events have none."""

    value: str | int | None
    events: int
    errors: int
    missing_version: int
    late_events: int
    error_unknown_events: int


class SampledVerdict(NamedTuple):
    """What the verifier found in one sampled event."""

    position: int
    event_id: str | None
    passed: bool
    reason_codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredDay:
    """Everything stored about one day of one source; all of it is empty if the day was never read.

    Attributes:
        revisions: Its snapshots, first revision first.
        verdicts: Verdicts per revision, in their order; revisions without stored verdicts are left out.
        scans: First revision first. Breakdowns and sample are those of the last scan.
        by_signal: Largest first, at most MOST_BREAKDOWN_ROWS.
        by_version: Largest first, at most MOST_BREAKDOWN_ROWS.
        by_hour: By hour since the day began, in order; hours without events are left out.
        more_signals: How many further signals there are.
        more_versions: How many further versions there are.
    """

    source: str
    day: date
    revisions: tuple[TelemetryIntegritySnapshot, ...] = ()
    verdicts: Mapping[int, tuple[Verdict, ...]] = field(default_factory=dict)
    scans: tuple[StoredScan, ...] = ()
    by_signal: tuple[BreakdownRow, ...] = ()
    by_version: tuple[BreakdownRow, ...] = ()
    by_hour: tuple[BreakdownRow, ...] = ()
    more_signals: int = 0
    more_versions: int = 0
    sample: tuple[SampledVerdict, ...] = ()


def stored_day(connection: Connection, source: str, day: date, as_of: datetime | None) -> StoredDay:
    """Everything stored about one day, or that was stored about it by ``as_of``."""
    key: dict[str, Any] = {"source": source, "day": day}
    limit = as_of or _NEVER
    snapshots = (snapshot_of(row) for row in connection.execute(_REVISIONS, key).mappings())
    revisions = tuple(snapshot for snapshot in snapshots if snapshot.computed_at <= limit)
    verdicts = verdicts_by_revision(connection.execute(_VERDICTS, key).all()).get(day, {})
    scans = tuple(scan for scan in stored_scans(connection.execute(_SCANS, key).all()) if scan.scanned_at <= limit)
    aggregates, sample = _details(connection, {**key, "revision": scans[-1].revision}) if scans else (None, ())
    rows = aggregates.rows if aggregates else ()
    signals, versions = _breakdown(rows, _event_name), _breakdown(rows, _service_version)
    return StoredDay(
        source=source,
        day=day,
        revisions=revisions,
        verdicts={known: verdicts[known] for snapshot in revisions if (known := snapshot.revision or 0) in verdicts},
        scans=scans,
        by_signal=_busiest(signals),
        by_version=_busiest(versions),
        by_hour=_hours(aggregates) if aggregates else (),
        more_signals=max(0, len(signals) - MOST_BREAKDOWN_ROWS),
        more_versions=max(0, len(versions) - MOST_BREAKDOWN_ROWS),
        sample=sample,
    )


def _details(connection: Connection, scan: Mapping[str, Any]) -> tuple[DayAggregates, tuple[SampledVerdict, ...]]:
    """The aggregates and the sample of a scan."""
    with garbage_collection_paused():
        aggregates = aggregates_of(connection.execute(_AGGREGATES, scan).all())
    return aggregates, _sampled(connection.execute(_SAMPLE, scan).all())


_NEVER = datetime.max.replace(tzinfo=UTC)


def _of_day(stored: Table, *more: str) -> list[ColumnElement[bool]]:
    return [stored.c[name] == bindparam(name) for name in ("source", "day", *more)]


# Built once: building a statement takes longer than the database takes for a day.
_REVISIONS = (
    select(*(integrity_snapshot.c[name] for name in SNAPSHOT_FIELDS))
    .where(*_of_day(integrity_snapshot))
    .order_by(integrity_snapshot.c.revision)
)
_VERDICTS = (
    select(*as_text(guardrail_verdict, ("day", "revision", *VERDICT_COLUMNS)))
    .where(*_of_day(guardrail_verdict))
    .order_by(guardrail_verdict.c.revision, guardrail_verdict.c.position)
)
_SCANS = select(*as_text(day_scan, SCAN_COLUMNS)).where(*_of_day(day_scan)).order_by(day_scan.c.revision)
_AGGREGATES = select(*AGGREGATE_COLUMNS).where(*_of_day(event_aggregate, "revision"))
_SAMPLE = (
    select(*as_text(event_sample, ("position", "event_id", "verdict", "reason_codes")))
    .where(*_of_day(event_sample, "revision"))
    .order_by(event_sample.c.position)
)

_event_name, _service_version = attrgetter("event_name"), attrgetter("service_version")
_counts = attrgetter(*BreakdownRow._fields[1:])


def _breakdown(rows: Iterable[AggregateRow], value_of: Callable[[AggregateRow], str | None]) -> list[BreakdownRow]:
    """The counts of each value, in no order."""
    groups: defaultdict[str | None, list[AggregateRow]] = defaultdict(list)
    for row in rows:
        groups[value_of(row)].append(row)
    return [BreakdownRow(value, *map(sum, zip(*map(_counts, group), strict=True))) for value, group in groups.items()]


def _busiest(parts: Iterable[BreakdownRow]) -> tuple[BreakdownRow, ...]:
    """The values with the most events, the largest first; of equal ones the null value, and then by name."""
    order = nsmallest(MOST_BREAKDOWN_ROWS, parts, key=lambda part: (-part.events, part.value is not None, part.value))
    return tuple(order)


def _hours(aggregates: DayAggregates) -> tuple[BreakdownRow, ...]:
    return tuple(BreakdownRow(hour, *_counts(totals)) for hour, totals in aggregates.by_hour().items())


def _sampled(rows: Sequence[Sequence[Any]]) -> tuple[SampledVerdict, ...]:
    """The sample in _SAMPLE's rows, whose reason codes are nearly always the same text."""
    reasons = {codes: tuple(json.loads(codes)) for codes in {row[3] for row in rows}}
    return tuple(
        SampledVerdict(position, event_id, verdict == "passed", reasons[codes])
        for position, event_id, verdict, codes in rows
    )
