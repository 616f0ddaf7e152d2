"""Reads days as the store knew them at an instant: the newest revisions by then, and what people had said by then."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select

from telemetry_quality.core.guardrails.verdicts import ACCEPTED
from telemetry_quality.core.known_days import KnownDay
from telemetry_quality.core.marks import marks_of
from telemetry_quality.storage.history import FAILED, History
from telemetry_quality.storage.rows import SNAPSHOT_FIELDS, snapshot_of
from telemetry_quality.storage.tables import current_snapshot, guardrail_verdict, integrity_snapshot

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, FromClause

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
