"""SqlQualityStore: appends revisions and reads them back; it never updates and never deletes."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, func, select

from telemetry_quality.core.events import EVENT_NAME, HOUR, SERVICE_VERSION, DayAggregates, UnreadableDay
from telemetry_quality.core.root_cause import DayBreakdown
from telemetry_quality.garbage_collection import garbage_collection_paused
from telemetry_quality.storage.alerts import (
    claim_alert,
    settle_alert,
    settled_levels,
    undispatched_verdicts,
    withdrawn_verdicts,
)
from telemetry_quality.storage.anchors import Anchor, anchor_of
from telemetry_quality.storage.bulk import append_rows
from telemetry_quality.storage.chains import append
from telemetry_quality.storage.deliveries import (
    append_delivery,
    days_judged_since,
    deliveries,
    judgements,
    latest_deliveries,
)
from telemetry_quality.storage.engine import open_engine
from telemetry_quality.storage.forecasts import append_forecast, forecasts
from telemetry_quality.storage.history import History
from telemetry_quality.storage.known_days import judged_scans, known_days, newest_snapshots
from telemetry_quality.storage.rows import (
    AGGREGATE_COLUMNS,
    AGGREGATE_FIELDS,
    SCAN_COLUMNS,
    SLICE_COLUMNS,
    SNAPSHOT_FIELDS,
    VERDICT_COLUMNS,
    SliceReader,
    action_row,
    aggregate_rows,
    aggregates_of,
    as_text,
    figures_hash,
    figures_row,
    mark_row,
    sample_rows,
    slice_rows,
    snapshot_of,
    stored_scan,
    stored_scans,
    verdict_rows,
    verdicts_by_revision,
    verdicts_hash,
)
from telemetry_quality.storage.running_hours import RunningHourStore
from telemetry_quality.storage.tables import (
    day_mark,
    day_scan,
    event_aggregate,
    event_sample,
    event_slice,
    guardrail_verdict,
    incident_action,
    integrity_snapshot,
)
from telemetry_quality.storage.verification import Verification, verify_store

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import date, datetime, timedelta

    from sqlalchemy import BindParameter, ColumnElement, Connection, Select, Subquery, Table

    from telemetry_quality.core.alerts import Alert, Settlement
    from telemetry_quality.core.counting import CountedDays
    from telemetry_quality.core.events import DayScan, Slice, SliceCounts
    from telemetry_quality.core.forecasts.model import Forecast
    from telemetry_quality.core.guardrails.verdicts import Level, Verdict
    from telemetry_quality.core.incidents import IncidentAction
    from telemetry_quality.core.known_days import KnownDay
    from telemetry_quality.core.marks import MarkedDays
    from telemetry_quality.core.messages.model import Delivery
    from telemetry_quality.core.ports import JudgedDay, StoredVerdict
    from telemetry_quality.core.sampling import SampleVerdict
    from telemetry_quality.core.scans import StoredScan
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot
    from telemetry_quality.core.training import JudgedScan

_NOT_COMPARED = {
    "revision",
    "computed_at",
    "completeness_percent",
    "scan_revision",
    "run_id",
    "verdicts_hash",
    "previous_hash",
    "content_hash",
}
"""What may differ between two snapshots that say the same; completeness grows with time alone."""

SCANS_AT_ONCE = 100
"""How many scans' event names are fetched at a time."""

_COMPARED = ("guardrail", "level", "outcome", "reason_code", "value", "threshold", "contributors")
"""What two verdicts that say the same have in common; their sentences may differ."""


class SqlQualityStore(RunningHourStore):
    """The append-only store; see QualityStore for what each method promises.

    Args:
        url: Where the store is; see ``engine.database_at``.

    Raises:
        StoreError: If the URL is wrong.
    """

    def __init__(self, url: str) -> None:
        super().__init__(open_engine(url))

    def append_scan(
        self,
        source: str,
        scan: DayScan | UnreadableDay,
        sample: Sequence[SampleVerdict],
        now: datetime,
        verified_events: int | None = None,
        *,
        counting_rules: str | None = None,
    ) -> StoredScan:
        """Append a revision if the content differs from the latest one; return the latest in either case."""
        figures = figures_row(scan, sample, verified_events, counting_rules)
        aggregates, verdicts, slices = aggregate_rows(scan), sample_rows(sample), slice_rows(scan)
        hashed = figures_hash(figures, aggregates, verdicts, slices)
        with self._writing() as connection:
            latest = _latest(connection, day_scan, source, scan.day)
            if latest is not None and latest["figures_hash"] == hashed:
                return stored_scan(latest, is_new=False)
            key = {
                "source": source,
                "day": scan.day,
                "revision": 1 + (latest["revision"] if latest else 0),
            }
            facts = {"scanned_at": now, "figures_hash": hashed, "source_version": scan.source_version}
            row = append(connection, day_scan, {**key, **facts, **figures})
            if aggregates:
                columns = dict(zip(AGGREGATE_FIELDS, zip(*aggregates, strict=True), strict=True))
                append_rows(connection, event_aggregate, key, columns)
            for part, rows in ((event_sample, verdicts), (event_slice, slices)):
                _append_details(connection, part, key, rows)
            return stored_scan(row, is_new=True)

    def latest_scans(self, source: str, days: Iterable[date]) -> dict[date, StoredScan]:
        """The latest scan of each day that has one."""
        wanted = set(days)
        if not wanted:
            return {}
        are_wanted = day_scan.c.day.between(min(wanted), max(wanted))
        latest = _latest_revisions(day_scan, source, are_wanted)
        query = _scans(source).join(latest, _is_of(day_scan, latest)).where(are_wanted)
        with self._read_only() as connection:
            stored = stored_scans(connection.execute(query).all())
        return {scan.day: scan for scan in stored if scan.day in wanted}

    def scans(self, source: str, first: date, last: date) -> list[StoredScan]:
        """All revisions of all scans from ``first`` to ``last``, by day and revision."""
        query = _scans(source).where(day_scan.c.day.between(first, last)).order_by(day_scan.c.day, day_scan.c.revision)
        with self._read_only() as connection:
            return stored_scans(connection.execute(query).all())

    def aggregates(self, source: str, day: date) -> DayAggregates:
        """The aggregates of the day's latest scan; empty if there is none."""
        with self._read_only() as connection, garbage_collection_paused():
            latest = _latest(connection, day_scan, source, day)
            if latest is None:
                return DayAggregates()
            same = (event_aggregate.c[name] == latest[name] for name in ("source", "day", "revision"))
            query = select(*AGGREGATE_COLUMNS).where(*same).order_by(event_aggregate.c.id)
            return aggregates_of(connection.execute(query).all())

    def counted_days(self, source: str) -> list[CountedDays]:
        """How many days were counted by each set of rules, by their latest scans."""
        with self._read_only() as connection:
            return History(connection).counted_days(source)

    def breakdowns(
        self, source: str, days: Collection[date], dimensions: Collection[str] | None = None
    ) -> dict[date, DayBreakdown]:
        """The aggregates and all slices of each day's latest scan, in two queries; days without a scan are left out."""
        wanted = {"source": source, "days": sorted(days)}
        with self._read_only() as connection, garbage_collection_paused():
            rows = connection.execute(_AGGREGATES_OF_DAYS, wanted).all()
            found_slices = connection.execute(_among(_SLICES_OF_DAYS, dimensions), wanted).all()
            slices = SliceReader().slices_by_day(found_slices, 0)
        by_day = {day: aggregates_of([row[1:] for row in found]) for day, found in groupby(rows, key=itemgetter(0))}
        return {
            day: DayBreakdown(day, by_day.get(day, DayAggregates()), slices.get(day, {}))
            for day in sorted({*by_day, *slices})
        }

    def slices(
        self,
        source: str,
        first: date,
        last: date,
        minimum_events: int = 0,
        *,
        with_hours: bool = True,
        dimensions: Collection[str] | None = None,
    ) -> dict[date, dict[Slice, SliceCounts]]:
        """The slices of each day's latest scan with enough events; days without stored slices are left out."""
        latest = _latest_revisions(day_scan, source, day_scan.c.day.between(first, last))
        query = _among(_slices(source, latest).where(event_slice.c.day.between(first, last)), dimensions)
        if not with_hours:
            query = query.where(func.coalesce(event_slice.c.by_dimension, "") != HOUR)
        with self._read_only() as connection, garbage_collection_paused():
            return SliceReader().slices_by_day(connection.execute(query).all(), minimum_events)

    def signals_first_seen(self, source: str) -> dict[str, date]:
        """The first day on which each event name was ever read."""
        first_seen: dict[str, date] = {}
        with self._read_only() as connection:
            for day, names in _names_by_day(connection, source):
                for name in names:
                    if name is not None:
                        first_seen[name] = min(first_seen.get(name, day), day)
        return first_seen

    def append_snapshot(
        self, snapshot: TelemetryIntegritySnapshot, verdicts: Sequence[Verdict]
    ) -> tuple[TelemetryIntegritySnapshot, bool]:
        """Append a revision if numbers, verdicts or policy changed; return the latest, and whether it is new.

        A snapshot made from an outdated scan is not appended, because another run was faster.
        """
        values = {name: getattr(snapshot, name) for name in SNAPSHOT_FIELDS}
        rows = verdict_rows(verdicts)
        with self._writing() as connection:
            latest = _latest(connection, integrity_snapshot, snapshot.source, snapshot.day)
            if latest is not None:
                is_older = latest["scan_revision"] > snapshot.scan_revision
                if is_older or _says_the_same(connection, latest, values, rows):
                    return snapshot_of(latest), False
            key = {
                "source": snapshot.source,
                "day": snapshot.day,
                "revision": 1 + (latest["revision"] if latest else 0),
            }
            row = {**values, **key, "verdicts_hash": verdicts_hash(rows)}
            stored = append(connection, integrity_snapshot, row)
            _append_details(connection, guardrail_verdict, key, rows)
            return snapshot_of(stored), True

    def verdicts(self, source: str, first: date, last: date) -> dict[date, dict[int, tuple[Verdict, ...]]]:
        """The verdicts of each day's snapshots by revision, in their order; revisions without verdicts are left out."""
        kept = guardrail_verdict.c
        query = (
            select(*as_text(guardrail_verdict, ("day", "revision", *VERDICT_COLUMNS)))
            .where(kept.source == source, kept.day.between(first, last))
            .order_by(kept.day, kept.revision, kept.position)
        )
        with self._read_only() as connection:
            return verdicts_by_revision(connection.execute(query).all())

    def judged_days(self, source: str) -> list[JudgedDay]:
        """Every day that has a snapshot, oldest first, with the parts of its current snapshot that incidents need."""
        with self._read_only() as connection:
            return History(connection).judged_days(source)

    def failed_verdicts(self, source: str, first: date, last: date) -> dict[date, dict[int, tuple[Verdict, ...]]]:
        """The ``verdicts`` that failed or say that the day could not be read."""
        with self._read_only() as connection:
            return History(connection).failed_verdicts(source, first, last)

    def snapshots(
        self, source: str, first: date, last: date, as_of: datetime | None = None
    ) -> list[TelemetryIntegritySnapshot]:
        """The current snapshot of each day that has one, or that of the instant ``as_of``, oldest first."""
        kept = newest_snapshots(as_of).c
        query = select(*kept).where(kept.source == source, kept.day.between(first, last)).order_by(kept.day)
        with self._read_only() as connection:
            return [snapshot_of(row) for row in connection.execute(query).mappings()]

    def known_days(
        self, source: str, first: date | None = None, last: date | None = None, as_of: datetime | None = None
    ) -> list[KnownDay]:
        """The judged days from ``first`` to ``last`` as they were known at ``as_of``, oldest first."""
        with self._read_only() as connection:
            return known_days(connection, source, first, last, as_of)

    def known_scans(
        self, source: str, first: date | None = None, last: date | None = None, as_of: datetime | None = None
    ) -> list[tuple[KnownDay, JudgedScan | None]]:
        """The ``known_days``, each with the scan that it was made from; None if the scan is gone."""
        with self._read_only() as connection, garbage_collection_paused():
            scans = judged_scans(connection, source, first, last, as_of)
            known = known_days(connection, source, first, last, as_of)
        return [(day, scans.get((day.snapshot.day, day.snapshot.scan_revision))) for day in known]

    def revisions(self, source: str, day: date) -> list[TelemetryIntegritySnapshot]:
        """All snapshots of a day, the first revision first."""
        query = (
            select(integrity_snapshot)
            .where(integrity_snapshot.c.source == source, integrity_snapshot.c.day == day)
            .order_by(integrity_snapshot.c.revision)
        )
        with self._read_only() as connection:
            return [snapshot_of(row) for row in connection.execute(query).mappings()]

    def append_incident_action(self, action: IncidentAction) -> None:
        """Store what somebody decided about an incident."""
        with self._writing() as connection:
            append(connection, incident_action, action_row(action))

    def incident_actions(self, source: str) -> list[IncidentAction]:
        """All actions on incidents of the source, oldest first."""
        with self._read_only() as connection:
            return History(connection).incident_actions(source)

    def append_marked_days(self, marked: MarkedDays) -> None:
        """Store what somebody said about days."""
        with self._writing() as connection:
            append(connection, day_mark, mark_row(marked))

    def marked_days(self, source: str) -> list[MarkedDays]:
        """All that people said about days of the source, oldest first."""
        with self._read_only() as connection:
            return History(connection).marked_days(source)

    def append_forecast(self, forecast: Forecast) -> tuple[Forecast, bool]:
        """Append a revision if it differs from the latest one of its day; return the latest, and whether it is new."""
        with self._writing() as connection:
            return append_forecast(connection, forecast)

    def forecasts(self, source: str, first: date, last: date) -> list[Forecast]:
        """The latest forecast made on each of the days from ``first`` to ``last``, oldest first, without its hours."""
        with self._read_only() as connection:
            return forecasts(connection, source, first, last)

    def undispatched_verdicts(self, source: str, channel: str) -> list[StoredVerdict]:
        """What failed in current snapshots or on running days and was not settled on the channel, oldest day first."""
        with self._read_only() as connection:
            return undispatched_verdicts(connection, source, channel)

    def withdrawn_verdicts(self, source: str, channel: str) -> list[StoredVerdict]:
        """What passes in current snapshots after an alert while the day was running, and nobody has heard."""
        with self._read_only() as connection:
            return withdrawn_verdicts(connection, source, channel)

    def settled_levels(self, alert: Alert, channel: str) -> dict[int, Level]:
        """The revisions of the day in which an alert of the guardrail was settled on the channel, with its level."""
        with self._read_only() as connection:
            return settled_levels(connection, alert, channel)

    def claim_alert(self, alert: Alert, channel: str, now: datetime, lease: timedelta) -> int:
        """Claim an alert, so that only the caller sends it; returns the number of the attempt, or 0."""
        with self._writing() as connection:
            return claim_alert(connection, alert, channel, now, lease)

    def settle_alerts(self, alerts: Iterable[Alert], channel: str, settlement: Settlement, now: datetime) -> None:
        """Store what became of each alert that is not settled on the channel yet."""
        with self._writing() as connection:
            for alert in alerts:
                settle_alert(connection, alert, channel, settlement, now)

    def deliveries(self, channel: str, now: datetime) -> list[Delivery]:
        """The log of deliveries of a channel, oldest first, without attempts of long ago."""
        with self._read_only() as connection:
            return deliveries(connection, channel, now)

    def latest_deliveries(self, channel: str | None = None, limit: int = 100) -> list[Delivery]:
        """The last rows of the log about messages, newest first, of one channel or of all."""
        with self._read_only() as connection:
            return latest_deliveries(connection, channel, limit)

    def append_delivery(self, row: Delivery, after: int | None = None) -> int:
        """Append to the log, unless somebody has since the row ``after``; returns the position, or 0."""
        with self._writing() as connection:
            return append_delivery(connection, row, after)

    def judgements(self, source: str, first: date, last: date) -> list[tuple[date, datetime, bool]]:
        """Of each day that was judged or looked at, when that was last, and whether it is provisional."""
        with self._read_only() as connection:
            return judgements(connection, source, first, last)

    def days_judged_since(self, source: str, instant: datetime) -> tuple[date, date] | None:
        """The first and the last day of which something new was stored since ``instant``; None if there is none."""
        with self._read_only() as connection:
            return days_judged_since(connection, source, instant)

    def verify(self, expected: Sequence[Anchor] = ()) -> Verification:
        """Every sign that a row was changed, added or removed behind the program's back; see ``verify_store``."""
        with self._read_only() as connection:
            return verify_store(connection, expected)

    def anchor(self) -> Anchor:
        """The anchor of the store as it is now; nothing is verified."""
        with self._read_only() as connection:
            return anchor_of(connection)


def _latest(connection: Connection, chained: Table, source: str, day: date) -> Mapping[Any, Any] | None:
    query = (
        select(chained)
        .where(chained.c.source == source, chained.c.day == day)
        .order_by(chained.c.revision.desc())
        .limit(1)
    )
    return connection.execute(query).mappings().one_or_none()


def _latest_revisions(chained: Table, source: str | BindParameter[str], are_wanted: ColumnElement[bool]) -> Subquery:
    """The latest revision of each wanted day.

    What is joined to it has to name the days too: otherwise the database reads all days of the source.
    """
    return (
        select(chained.c.day, func.max(chained.c.revision).label("revision"))
        .where(chained.c.source == source, are_wanted)
        .group_by(chained.c.day)
        .subquery()
    )


def _slices(source: str | BindParameter[str], latest: Subquery) -> Select[Any]:
    """The slices of the latest scans, with their day."""
    return (
        select(event_slice.c.day, *as_text(event_slice, SLICE_COLUMNS))
        .join(latest, _is_of(event_slice, latest))
        .where(event_slice.c.source == source)
    )


def _among(slices: Select[Any], dimensions: Collection[str] | None) -> Select[Any]:
    """Those of ``slices`` that are of event names, of versions or of the ``dimensions``; all if these are None."""
    if dimensions is None:
        return slices
    return slices.where(event_slice.c.dimension.in_(sorted({EVENT_NAME, SERVICE_VERSION, *dimensions})))


def _is_of(stored: Table, latest: Subquery) -> ColumnElement[bool]:
    return and_(stored.c.day == latest.c.day, stored.c.revision == latest.c.revision)


# Built once: building a statement takes longer than the database takes for a few days.
_SOURCE: BindParameter[str] = bindparam("source")
_DAYS: BindParameter[Any] = bindparam("days", expanding=True)
_LATEST_OF_DAYS = _latest_revisions(day_scan, _SOURCE, day_scan.c.day.in_(_DAYS))
_AGGREGATES_OF_DAYS = (
    select(event_aggregate.c.day, *AGGREGATE_COLUMNS)
    .join(_LATEST_OF_DAYS, _is_of(event_aggregate, _LATEST_OF_DAYS))
    .where(event_aggregate.c.source == _SOURCE, event_aggregate.c.day.in_(_DAYS))
    .order_by(event_aggregate.c.day, event_aggregate.c.id)
)
_SLICES_OF_DAYS = _slices(_SOURCE, _LATEST_OF_DAYS).where(event_slice.c.day.in_(_DAYS))


def _scans(source: str) -> Select[Any]:
    return select(*as_text(day_scan, SCAN_COLUMNS)).where(day_scan.c.source == source)


def _names_by_day(connection: Connection, source: str) -> Iterator[tuple[date, Sequence[str | None]]]:
    """The day and the event names of each scan of ``source``, a few at a time, since there may be millions."""
    query = select(event_slice.c.day, event_slice.c.value).where(
        event_slice.c.source == source,
        event_slice.c.dimension == EVENT_NAME,
        event_slice.c.by_dimension.is_(None),
    )
    yield from connection.execute(query, execution_options={"yield_per": SCANS_AT_ONCE})


def _says_the_same(
    connection: Connection, latest: Mapping[Any, Any], values: Mapping[str, Any], verdicts: Sequence[Mapping[str, Any]]
) -> bool:
    """Whether a snapshot and its verdicts say the same as ``latest``."""
    if any(latest[name] != values[name] for name in values.keys() - _NOT_COMPARED):
        return False
    stored = _rows_of(connection, guardrail_verdict, latest)
    before, now = ([[row[name] for name in _COMPARED] for row in rows] for rows in (stored, verdicts))
    return before == now


def _rows_of(connection: Connection, part: Table, scan: Mapping[Any, Any]) -> Sequence[Mapping[Any, Any]]:
    same = (part.c[name] == scan[name] for name in ("source", "day", "revision"))
    return connection.execute(select(part).where(*same).order_by(part.c.id)).mappings().all()


def _append_details(
    connection: Connection, part: Table, key: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Append rows, under the key of the row of a chained table whose hash covers them."""
    if rows:
        append_rows(connection, part, key, {name: [row[name] for row in rows] for name in rows[0]})
