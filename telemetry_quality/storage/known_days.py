"""Reads days as the store knew them at an instant: the newest revisions by then, and what people had said by then."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, or_, select

from telemetry_quality.core.guardrails.verdicts import ACCEPTED
from telemetry_quality.core.hours import HourTotals
from telemetry_quality.core.known_days import KnownDay
from telemetry_quality.core.marks import marks_of
from telemetry_quality.core.training import MOST_VALUES, DimensionCounts, JudgedScan
from telemetry_quality.storage.history import FAILED, History
from telemetry_quality.storage.rows import SNAPSHOT_FIELDS, snapshot_of
from telemetry_quality.storage.tables import (
    current_snapshot,
    day_scan,
    event_slice,
    guardrail_verdict,
    integrity_snapshot,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Any

    from sqlalchemy import Column, Connection, FromClause, Select, Table

Causes = dict[tuple[date, int], list[tuple[str, str]]]


def newest_snapshots(as_of: datetime | None) -> FromClause:
    """The newest revision of each day among those judged by ``as_of``; the current ones without an instant."""
    if as_of is None:
        return current_snapshot
    kept, other = integrity_snapshot.c, integrity_snapshot.alias("other").c
    newest = (
        select(func.max(other.revision))
        .where(other.source == kept.source, other.day == kept.day, other.computed_at <= as_of)
        .correlate(integrity_snapshot)
        .scalar_subquery()
    )
    return select(integrity_snapshot).where(kept.revision == newest).subquery("known_snapshot")


def known_days(
    connection: Connection, source: str, first: date | None, last: date | None, as_of: datetime | None
) -> list[KnownDay]:
    """The judged days from ``first`` to ``last``, oldest first, as they were known at ``as_of``."""
    days = first or date.min, last or date.max
    kept = newest_snapshots(as_of).c
    query = (
        select(*(kept[name] for name in SNAPSHOT_FIELDS))
        .where(kept.source == source, kept.day.between(*days))
        .order_by(kept.day)
    )
    snapshots = [snapshot_of(row) for row in connection.execute(query).mappings()]
    marks = marks_of(History(connection, as_of).marked_days(source))
    failed, accepted = _causes(connection, source, days)
    return [
        KnownDay(
            snapshot,
            marks.get(snapshot.day),
            tuple(failed[snapshot.day, snapshot.revision or 0]),
            tuple(guardrail for guardrail, _ in accepted[snapshot.day, snapshot.revision or 0]),
        )
        for snapshot in snapshots
    ]


def judged_scans(
    connection: Connection, source: str, first: date | None, last: date | None, as_of: datetime | None
) -> dict[tuple[date, int], JudgedScan]:
    """Hours and dimensions of the scans from which the snapshots known at ``as_of`` were made, by day and revision."""
    days = first or date.min, last or date.max
    kept = newest_snapshots(as_of)
    scans = _made_from(kept, day_scan, [day_scan.c.totals_by_hour], source, days)
    cuts = _made_from(
        kept, event_slice, [event_slice.c[name] for name in ("dimension", "value", "events")], source, days
    )
    cuts = cuts.where(event_slice.c.by_dimension.is_(None)).order_by(event_slice.c.dimension)
    dimensions: dict[tuple[date, int], list[DimensionCounts]] = defaultdict(list)
    for day, revision, dimension, values, events in connection.execute(cuts):
        busiest = tuple(zip(values[:MOST_VALUES], events[:MOST_VALUES], strict=True))
        dimensions[day, revision].append(DimensionCounts(dimension, len(values), busiest))
    return {
        (day, revision): JudgedScan(
            None if hours is None else HourTotals.from_json(hours),
            tuple(dimensions[day, revision]),
        )
        for day, revision, hours in connection.execute(scans)
    }


def _made_from(
    kept: FromClause,
    stored: Table,
    columns: Sequence[Column[Any]],
    source: str,
    days: tuple[date, date],
) -> Select[Any]:
    """Day, revision and columns of the rows from which snapshots were made."""
    is_of = and_(
        kept.c.source == stored.c.source, kept.c.day == stored.c.day, kept.c.scan_revision == stored.c.revision
    )
    return (
        select(stored.c.day, stored.c.revision, *columns)
        .join(kept, is_of)
        .where(stored.c.source == source, stored.c.day.between(*days))
    )


def _causes(connection: Connection, source: str, days: tuple[date, date]) -> tuple[Causes, Causes]:
    """Guardrail and reason code of the verdicts that failed, and of those that pass because of an acceptance."""
    said = guardrail_verdict.c
    query = (
        select(said.day, said.revision, said.guardrail, said.reason_code)
        .where(said.source == source, said.day.between(*days), or_(FAILED, said.reason_code == ACCEPTED))
        .order_by(said.day, said.revision, said.position)
    )
    failed: Causes = defaultdict(list)
    accepted: Causes = defaultdict(list)
    for day, revision, guardrail, reason_code in connection.execute(query):
        causes = accepted if reason_code == ACCEPTED else failed
        causes[day, revision].append((guardrail, reason_code))
    return failed, accepted
