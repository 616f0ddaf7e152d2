"""What incidents are derived from, read in one transaction: finding them needs no other data of the days."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, bindparam, func, or_, select, true

from telemetry_quality.core.counting import CountedDays
from telemetry_quality.core.guardrails.verdicts import DAY_UNREADABLE, Outcome
from telemetry_quality.core.ports import JudgedDay
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.storage.rows import VERDICT_COLUMNS, action_of, as_text, mark_of, verdicts_by_revision
from telemetry_quality.storage.running_hours import running_verdicts
from telemetry_quality.storage.tables import day_mark, day_scan, guardrail_verdict, incident_action, integrity_snapshot

if TYPE_CHECKING:
    from datetime import date, datetime

    from sqlalchemy import ColumnElement, Connection

    from telemetry_quality.core.guardrails.verdicts import Verdict
    from telemetry_quality.core.incidents import IncidentAction
    from telemetry_quality.core.marks import MarkedDays

_SAID = guardrail_verdict.c
FAILED = or_(
    # Literals, not parameters, so that the database recognizes the condition of its partial index.
    _SAID.outcome == bindparam(None, Outcome.FAILED.value, literal_execute=True),
    _SAID.reason_code == bindparam(None, DAY_UNREADABLE, literal_execute=True),
)


class History:
    """An IncidentStore as one transaction sees it.

    Args:
        connection: A connection in that transaction.
        as_of: Leaves out what was judged or said later; None for everything that is stored.
    """

    def __init__(self, connection: Connection, as_of: datetime | None = None) -> None:
        self._connection = connection
        self._as_of = as_of

    def _was_known(self, instant: ColumnElement[datetime]) -> ColumnElement[bool]:
        return true() if self._as_of is None else instant <= self._as_of

    def judged_days(self, source: str) -> list[JudgedDay]:
        """Every day that has a snapshot, oldest first."""
        kept = integrity_snapshot.c
        query = (
            select(kept.day, kept.revision, kept.status)
            .where(kept.source == source, self._was_known(kept.computed_at))
            .order_by(kept.day, kept.revision)
        )
        # Later revisions replace earlier ones.
        days = {
            day: JudgedDay(day, revision, status == DayStatus.HEALTHY)
            for day, revision, status in self._connection.execute(query).all()
        }
        return list(days.values())

    def failed_verdicts(self, source: str, first: date, last: date) -> dict[date, dict[int, tuple[Verdict, ...]]]:
        """Per day and revision, the verdicts that failed or say that the day could not be read, in their order."""
        query = (
            select(*as_text(guardrail_verdict, ("day", "revision", *VERDICT_COLUMNS)))
            .where(_SAID.source == source, _SAID.day.between(first, last), FAILED)
            .order_by(_SAID.day, _SAID.revision, _SAID.position)
        )
        return verdicts_by_revision(self._connection.execute(query).all())

    def incident_actions(self, source: str) -> list[IncidentAction]:
        """All actions on incidents of the source, oldest first."""
        kept = incident_action.c
        query = (
            select(incident_action).where(kept.source == source, self._was_known(kept.acted_at)).order_by(kept.sequence)
        )
        return [action_of(row) for row in self._connection.execute(query).mappings()]

    def marked_days(self, source: str) -> list[MarkedDays]:
        """All that people said about days of the source, oldest first."""
        kept = day_mark.c
        query = select(day_mark).where(kept.source == source, self._was_known(kept.marked_at)).order_by(kept.sequence)
        return [mark_of(row) for row in self._connection.execute(query).mappings()]

    def running_verdicts(self, source: str) -> dict[date, tuple[Verdict, ...]]:
        """What failed so far on days that have no snapshot yet."""
        return running_verdicts(self._connection, source, self._as_of)

    def counted_days(self, source: str) -> list[CountedDays]:
        """How many days were counted by each set of rules, by their latest scans; unreadable days were not."""
        kept = day_scan.c
        latest = (
            select(kept.day, func.max(kept.revision).label("revision"))
            .where(kept.source == source)
            .group_by(kept.day)
            .subquery()
        )
        query = (
            select(kept.counting_rules, func.min(kept.day), func.max(kept.day), func.count())
            .join(latest, and_(kept.day == latest.c.day, kept.revision == latest.c.revision))
            .where(kept.source == source, kept.counting_rules.is_not(None))
            .group_by(kept.counting_rules)
            .order_by(kept.counting_rules)
        )
        return [CountedDays(*row) for row in self._connection.execute(query)]
