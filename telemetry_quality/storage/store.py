"""SqlQualityStore: appends revisions and reads them back; it never updates and never deletes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Float, column, func, insert, inspect, select, table

from telemetry_quality.core.events import DayAggregates
from telemetry_quality.errors import StoreError
from telemetry_quality.storage.engine import database_file, open_engine, transaction
from telemetry_quality.storage.hashing import row_hash
from telemetry_quality.storage.rows import (
    SNAPSHOT_FIELDS,
    aggregate_of,
    aggregate_rows,
    figures_hash,
    figures_row,
    sample_rows,
    snapshot_of,
    stored_reading,
)
from telemetry_quality.storage.tables import (
    SCHEMA_REVISION,
    alert,
    current_snapshot,
    day_reading,
    event_aggregate,
    event_sample,
    integrity_snapshot,
)
from telemetry_quality.storage.verification import Verification, verify_store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import date

    from sqlalchemy import Column, Connection, Table

    from telemetry_quality.core.alerts import Alert
    from telemetry_quality.core.events import DayReading, UnreadableDay
    from telemetry_quality.core.ports import StoredReading
    from telemetry_quality.core.sampling import SampleVerdict
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot

_NOT_COMPARED = {"revision", "computed_at", "reading_revision", "previous_hash", "content_hash"}
"""What two snapshots may differ in and still say the same."""


class SqlQualityStore:
    """The append-only store; see QualityStore for what each method promises.

    Args:
        url: ``sqlite:///FILE``.

    Raises:
        StoreError: If the URL is wrong.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        self._is_checked = False

    def append_reading(
        self, source: str, reading: DayReading | UnreadableDay, sample: Sequence[SampleVerdict], now: datetime
    ) -> StoredReading:
        """Append a revision if the content differs from the latest one; return the latest either way."""
        figures = figures_row(reading, sample)
        aggregates, verdicts = aggregate_rows(reading), sample_rows(sample)
        hashed = figures_hash(figures, aggregates, verdicts)
        with self._writing() as connection:
            latest = _latest(connection, day_reading, source, reading.day)
            if latest is not None and latest["figures_hash"] == hashed:
                return stored_reading(latest, is_new=False)
            key = {
                "source": source,
                "day": reading.day,
                "revision": 1 + (latest["revision"] if latest else 0),
            }
            row = _append(connection, day_reading, {**key, "read_at": now, **figures, "figures_hash": hashed})
            for part, rows in ((event_aggregate, aggregates), (event_sample, verdicts)):
                if rows:
                    connection.execute(insert(part), [{**key, **values} for values in rows])
            return stored_reading(row, is_new=True)

    def latest_readings(self, source: str, days: Iterable[date]) -> dict[date, StoredReading]:
        """The latest reading of each day that has one."""
        wanted = set(days)
        if not wanted:
            return {}
        query = (
            select(day_reading)
            .where(day_reading.c.source == source, day_reading.c.day.between(min(wanted), max(wanted)))
            .order_by(day_reading.c.revision)
        )
        with self._reading() as connection:
            rows = {row["day"]: row for row in connection.execute(query).mappings()}
        return {day: stored_reading(row, is_new=False) for day, row in rows.items() if day in wanted}

    def aggregates(self, source: str, day: date) -> DayAggregates:
        """The aggregates of the day's latest reading, empty where there is none."""
        with self._reading() as connection:
            latest = _latest(connection, day_reading, source, day)
            if latest is None:
                return DayAggregates()
            rows = _rows_of(connection, event_aggregate, latest)
        names = tuple(rows[0]["missing_critical"]) if rows else ()
        return DayAggregates(tuple(aggregate_of(row, names) for row in rows), names)

    def daily_totals(self, source: str, first: date, last: date) -> dict[date, int]:
        """Events per day from ``first`` to ``last`` whose latest reading could be read."""
        query = (
            select(day_reading.c.day, day_reading.c.total_events)
            .where(day_reading.c.source == source, day_reading.c.day.between(first, last))
            .order_by(day_reading.c.day, day_reading.c.revision)
        )
        with self._reading() as connection:
            latest = dict(connection.execute(query).all())
        return {day: total for day, total in latest.items() if total is not None}

    def signals_first_seen(self, source: str) -> dict[str, date]:
        """The first day on which each event name was ever read."""
        names = event_aggregate.c.event_name
        query = (
            select(names, func.min(event_aggregate.c.day))
            .where(event_aggregate.c.source == source, names.is_not(None))
            .group_by(names)
        )
        with self._reading() as connection:
            return dict(connection.execute(query).all())

    def append_snapshot(self, snapshot: TelemetryIntegritySnapshot) -> tuple[TelemetryIntegritySnapshot, bool]:
        """Append a revision if numbers or policy changed; return the latest, and whether it is new.

        A snapshot made from an older reading than the latest one is not appended: another run was faster.
        """
        values = {name: getattr(snapshot, name) for name in SNAPSHOT_FIELDS}
        with self._writing() as connection:
            latest = _latest(connection, integrity_snapshot, snapshot.source, snapshot.day)
            if latest is not None:
                says_the_same = all(latest[name] == values[name] for name in values.keys() - _NOT_COMPARED)
                if says_the_same or latest["reading_revision"] > snapshot.reading_revision:
                    return snapshot_of(latest), False
            revision = 1 + (latest["revision"] if latest else 0)
            return snapshot_of(_append(connection, integrity_snapshot, {**values, "revision": revision})), True

    def snapshots(self, source: str, first: date, last: date) -> list[TelemetryIntegritySnapshot]:
        """The current snapshot of each day that has one, oldest first."""
        query = (
            select(current_snapshot)
            .where(current_snapshot.c.source == source, current_snapshot.c.day.between(first, last))
            .order_by(current_snapshot.c.day)
        )
        with self._reading() as connection:
            return [snapshot_of(row) for row in connection.execute(query).mappings()]

    def new_alerts(self, alerts: Sequence[Alert]) -> list[Alert]:
        """Those of ``alerts`` that are not kept yet, each once, in order."""
        distinct = {_alert_key(one): one for one in alerts}
        with self._reading() as connection:
            return [one for key, one in distinct.items() if not _is_kept(connection, key)]

    def append_alerts(self, alerts: Iterable[Alert], now: datetime) -> None:
        """Keep each alert that is not kept yet."""
        with self._writing() as connection:
            for one in alerts:
                if not _is_kept(connection, _alert_key(one)):
                    _append(
                        connection,
                        alert,
                        {
                            "source": one.source,
                            "day": one.day,
                            "revision": one.revision,
                            "guardrail": one.guardrail,
                            "level": one.level.value,
                            "reason_code": one.reason_code,
                            "sentence": one.sentence,
                            "logged_at": now,
                        },
                    )

    def verify(self) -> Verification:
        """Every sign that a row was changed, added or removed behind the program's back."""
        with self._reading() as connection:
            return verify_store(connection)

    def close(self) -> None:
        """Close the database; the store can be used again afterwards."""
        self._engine.dispose()

    def _reading(self) -> AbstractContextManager[Connection]:
        self._require_schema()
        return transaction(self._engine, writes=False)

    def _writing(self) -> AbstractContextManager[Connection]:
        self._require_schema()
        return transaction(self._engine, writes=True)

    def _require_schema(self) -> None:
        if self._is_checked:
            return
        file = database_file(self._engine)
        if not file.is_file():
            raise StoreError(f"The store {file} must exist, but does not; run telemetry-quality migrate.")
        with transaction(self._engine, writes=False) as connection:
            is_there = inspect(connection).has_table("alembic_version")
            found = (
                connection.scalar(select(column("version_num")).select_from(table("alembic_version")))
                if is_there
                else None
            )
        if found != SCHEMA_REVISION:
            is_newer = found is not None and found > SCHEMA_REVISION
            remedy = "install the telemetry-quality that made it" if is_newer else "run telemetry-quality migrate"
            raise StoreError(
                f"The store {file} must have schema {SCHEMA_REVISION}, but has {found or 'none'}; {remedy}."
            )
        self._is_checked = True


def _latest(connection: Connection, chained: Table, source: str, day: date) -> Mapping[Any, Any] | None:
    query = (
        select(chained)
        .where(chained.c.source == source, chained.c.day == day)
        .order_by(chained.c.revision.desc())
        .limit(1)
    )
    return connection.execute(query).mappings().one_or_none()


def _rows_of(connection: Connection, part: Table, reading: Mapping[Any, Any]) -> Sequence[Mapping[Any, Any]]:
    same = (part.c[name] == reading[name] for name in ("source", "day", "revision"))
    return connection.execute(select(part).where(*same).order_by(part.c.id)).mappings().all()


def _append(connection: Connection, chained: Table, values: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Append a row to a chained table, linked to the one before it, and return it as stored."""
    last = select(chained.c.content_hash).order_by(chained.c.sequence.desc()).limit(1)
    row: dict[str, Any] = {name: None for name in chained.c.keys() if name != "sequence"}  # noqa: SIM118 - not a dict
    row |= {name: _as_stored(chained.c[name], value) for name, value in values.items()}
    row["previous_hash"] = connection.scalar(last)
    row["content_hash"] = row_hash(row)
    connection.execute(insert(chained), row)
    return row


def _as_stored(column: Column[Any], value: Any) -> Any:
    """The value as the database will give it back, which is what later hashes are made of."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return float(value) if isinstance(column.type, Float) and value is not None else value


def _alert_key(one: Alert) -> tuple[str, date, str, int]:
    return one.source, one.day, one.guardrail, one.revision


def _is_kept(connection: Connection, key: tuple[str, date, str, int]) -> bool:
    source, day, guardrail, revision = key
    query = select(alert.c.sequence).where(
        alert.c.source == source,
        alert.c.day == day,
        alert.c.guardrail == guardrail,
        alert.c.revision == revision,
    )
    return connection.execute(query).first() is not None
