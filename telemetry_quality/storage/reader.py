"""StoreReader: the store for code that only reads it; the database itself refuses it every write.

The number of queries per call does not grow with what is stored, and all of them run in one transaction, so that
their results belong together while others append.
"""

from __future__ import annotations

from collections import namedtuple
from contextlib import contextmanager
from datetime import UTC, date, datetime
from threading import local
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sqlalchemy import Text, bindparam, cast, func, or_, select

from telemetry_quality.core.events import HOUR
from telemetry_quality.core.incidents import incidents_of
from telemetry_quality.core.metrics import LISTED
from telemetry_quality.garbage_collection import garbage_collection_paused
from telemetry_quality.storage.charted_days import charted_days
from telemetry_quality.storage.compared_days import (
    StoredSegments,
    aggregates_by_day,
    hours_by_day,
    segments_by_day,
    signals_of_versions,
    versions_by_day,
)
from telemetry_quality.storage.deliveries import latest_deliveries
from telemetry_quality.storage.engine import database_at, transaction
from telemetry_quality.storage.forecasts import forecasts
from telemetry_quality.storage.history import History
from telemetry_quality.storage.known_days import known_days, newest_snapshots
from telemetry_quality.storage.rows import (
    SNAPSHOT_FIELDS,
    snapshot_of,
)
from telemetry_quality.storage.running_days import running_days
from telemetry_quality.storage.running_hours import running_hours
from telemetry_quality.storage.schema import require_schema_of
from telemetry_quality.storage.stored_days import stored_day
from telemetry_quality.storage.tables import (
    day_mark,
    incident_action,
    integrity_snapshot,
    running_hour,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence

    from sqlalchemy import Connection, Select, Table

    from telemetry_quality.core.counting import CountedDays
    from telemetry_quality.core.forecasts.model import Forecast
    from telemetry_quality.core.hours import HourTotals
    from telemetry_quality.core.incidents import Incident
    from telemetry_quality.core.known_days import KnownDay
    from telemetry_quality.core.marks import MarkedDays
    from telemetry_quality.core.messages.model import Delivery
    from telemetry_quality.core.running.model import RunningHour
    from telemetry_quality.core.snapshots import TelemetryIntegritySnapshot
    from telemetry_quality.storage.charted_days import ChartedDays
    from telemetry_quality.storage.compared_days import Segments, Within
    from telemetry_quality.storage.running_days import RunningDays, RunningPosition
    from telemetry_quality.storage.stored_days import StoredDay

if TYPE_CHECKING:

    class JournalRow(tuple[Any, ...]):
        """One snapshot as the journal has it; between ``computed_at`` and ``policy`` are the LISTED numbers."""

        sequence: int
        source: str
        day: date
        revision: int
        status: str
        computed_at: datetime
        policy: str
        run_id: str | None
        _fields: ClassVar[tuple[str, ...]]

        def __new__(cls, *values: Any, **named: Any) -> Self: ...  # noqa: D102
        @classmethod
        def _make(cls, values: Iterable[Any]) -> Self: ...
        def _replace(self, **changes: Any) -> Self: ...
        def __getattr__(self, name: str) -> Any: ...

else:
    JournalRow = namedtuple(
        "JournalRow",
        (
            *("sequence", "source", "day", "revision", "status", "computed_at"),
            *(metric.name for metric in LISTED),
            *("policy", "run_id"),
        ),
    )
    JournalRow.__doc__ = """One snapshot as the journal has it; a tuple, since hundreds of thousands are held in RAM.

    Attributes:
        sequence: The position in the journal, which only ever grows.
        status: The value of a DayStatus.
        computed_at: The aware instant of the judgement; between it and ``policy`` are the LISTED numbers.
        policy: Canonical JSON of the thresholds in force.
        run_id: The Dagster run that computed it; None if there was no run or it is unknown.
    """


class StoreReader:
    """The store, read-only; thread-safe.

    Args:
        url: Where the store is; see ``engine.database_at``.

    Raises:
        StoreError: If the URL is wrong. Every method raises it if the store cannot be read, and works again as soon
            as it can.
    """

    def __init__(self, url: str) -> None:
        self._database = database_at(url)
        self._engine = self._database.open_read_only_engine()
        self._watch = self._database.commit_watch()
        self._shared = local()

    @property
    def is_local(self) -> bool:
        """Whether ``version`` responds in microseconds, so that an event loop may ask."""
        return self._database.is_local

    def version(self) -> Hashable:
        """A value that changes if anything was committed since the last call, or if the store was replaced."""
        return self._watch.version()

    def require_schema(self) -> None:
        """Ask the database again whether it can be reached and has this version's schema.

        Raises:
            StoreError: If not.
        """
        with self._read_only() as connection:
            require_schema_of(connection)

    def journal(self, after: int = 0) -> list[JournalRow]:
        """All revisions of the snapshots with a sequence above ``after``, in the order in which they were stored."""
        with self._read_only() as connection, garbage_collection_paused():
            return _journal_rows(connection.execute(_JOURNAL, {"after": after}))

    def journal_until(self, as_of: datetime, sources: Collection[str] = ()) -> list[JournalRow]:
        """All revisions that were judged by ``as_of``, of these sources or of all, in the order they were stored."""
        kept = integrity_snapshot.c
        query = _JOURNAL.where(kept.computed_at <= as_of)
        if sources:
            query = query.where(kept.source.in_(sources))
        with self._read_only() as connection, garbage_collection_paused():
            return _journal_rows(connection.execute(query, {"after": 0}))

    def content_hash(self, sequence: int) -> str | None:
        """The hash of the snapshot at this position in the journal; None if there is none.

        A different hash than before means that the store was replaced.
        """
        with self._read_only() as connection:
            found: str | None = connection.scalar(_CONTENT_HASH, {"sequence": sequence})
            return found

    def last_actions(self) -> dict[str, str]:
        """The content hash of the latest incident action, for each source that has any."""
        with self._read_only() as connection:
            return dict(connection.execute(_LAST_ACTIONS).all())

    def last_marks(self) -> dict[str, str]:
        """The content hash of the latest mark of days, for each source that has any."""
        with self._read_only() as connection:
            return dict(connection.execute(_LAST_MARKS).all())

    def running_days(self, after: RunningPosition | None = None) -> RunningDays:
        """The last day that was looked at, of each source that was looked at since ``after``."""
        with self._read_only() as connection:
            return running_days(connection, after)

    def running_hours(self, source: str, day: date) -> tuple[RunningHour, ...]:
        """The latest revision of each hour of a day that was looked at while the day ran, in order."""
        with self._read_only() as connection:
            return tuple(running_hours(connection, source, running_hour.c.day == day).get(day, ()))

    def marked_days(self, source: str, as_of: datetime | None = None) -> list[MarkedDays]:
        """All that people said about days of the source, or had said by ``as_of``, oldest first."""
        with self._read_only() as connection:
            return History(connection, as_of).marked_days(source)

    def known_days(self, source: str, first: date, last: date, as_of: datetime | None = None) -> list[KnownDay]:
        """The judged days from ``first`` to ``last`` as they were known at ``as_of``, oldest first."""
        with self._read_only() as connection, garbage_collection_paused():
            return known_days(connection, source, first, last, as_of)

    def counted_days(self, source: str) -> list[CountedDays]:
        """How many days were counted by each set of rules, by their latest scans."""
        with self._read_only() as connection:
            return History(connection).counted_days(source)

    def incidents(self, source: str, as_of: datetime | None = None) -> list[Incident]:
        """All incidents that the source ever had, or had by ``as_of``, oldest first, with their actions."""
        with self._read_only() as connection, garbage_collection_paused():
            return incidents_of(History(connection, as_of), source)

    def day(self, source: str, day: date, as_of: datetime | None = None) -> StoredDay:
        """Everything stored about one day, or that was stored about it by ``as_of``."""
        with self._read_only() as connection:
            return stored_day(connection, source, day, as_of)

    def snapshots(
        self,
        *,
        sources: Collection[str] = (),
        statuses: Collection[str] = (),
        first: date | None = None,
        last: date | None = None,
        after: tuple[date, str] | None = None,
        limit: int = 1000,
        as_of: datetime | None = None,
    ) -> list[TelemetryIntegritySnapshot]:
        """At most ``limit`` current snapshots by day and source, after the day and source in ``after``.

        Without a source or a status, all of them are included. With ``as_of``, they are those of that instant.
        """
        kept = newest_snapshots(as_of).c
        query = select(*(kept[name] for name in SNAPSHOT_FIELDS)).order_by(kept.day, kept.source).limit(limit)
        for column, wanted in ((kept.source, sources), (kept.status, statuses)):
            if wanted:
                query = query.where(column.in_(wanted))
        if first is not None:
            query = query.where(kept.day >= first)
        if last is not None:
            query = query.where(kept.day <= last)
        if after is not None:
            query = query.where(kept.day >= after[0], or_(kept.day > after[0], kept.source > after[1]))
        with self._read_only() as connection, garbage_collection_paused():
            return [snapshot_of(row) for row in connection.execute(query).mappings()]

    def forecasts(self, source: str, first: date, last: date) -> list[Forecast]:
        """The latest forecast made on each of the days from ``first`` to ``last``, oldest first, without its hours."""
        with self._read_only() as connection:
            return forecasts(connection, source, first, last)

    def hours_by_day(self, source: str, first: date, last: date) -> dict[date, HourTotals | None]:
        """The hours of the latest scan of each day; None for a day that could not be read."""
        with self._read_only() as connection:
            return hours_by_day(connection, source, first, last)

    def charted_days(self, source: str, first: date, last: date) -> ChartedDays:
        """What charts of the days from ``first`` to ``last`` show besides their snapshots."""
        with self._read_only() as connection:
            return charted_days(connection, source, first, last)

    def segments_by_day(
        self, source: str, days: Collection[date], within: Within | None = None, *, has_aggregates: bool = False
    ) -> StoredSegments:
        """The segments of these days, of all events or of those with a value; with their aggregates if asked for.

        The hour of an event is a value too, but aggregates are then those of the whole day.
        """
        of_value = None if within is None or within[0] == HOUR else within
        with self._read_only() as connection:
            aggregates = aggregates_by_day(connection, source, days, of_value) if has_aggregates else {}
            return StoredSegments(aggregates, segments_by_day(connection, source, days, within))

    def versions_by_day(self, source: str, first: date, last: date) -> dict[date, Segments]:
        """The events of each version by day; days without events are left out."""
        with self._read_only() as connection:
            return versions_by_day(connection, source, first, last)

    def signals_of_versions(
        self, source: str, days: tuple[date, date], versions: Collection[str]
    ) -> dict[tuple[str | None, str], tuple[int, int]]:
        """Events and errors by signal and version, summed over the days."""
        with self._read_only() as connection:
            return signals_of_versions(connection, source, days, versions)

    def latest_deliveries(self, limit: int) -> list[Delivery]:
        """The last rows of the log of deliveries about messages, newest first, of all channels."""
        with self._read_only() as connection:
            return latest_deliveries(connection, None, limit)

    def close(self) -> None:
        """Close the database; the reader can be used again afterwards."""
        self._watch.close()
        self._engine.dispose()

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        """What this thread reads within the block belongs together, and takes one transaction."""
        with self._read_only() as connection:
            self._shared.connection = connection
            try:
                yield
            finally:
                del self._shared.connection

    @contextmanager
    def _read_only(self) -> Iterator[Connection]:
        """One transaction, which sees the store as of its first query, or that of ``one_moment``."""
        shared: Connection | None = getattr(self._shared, "connection", None)
        if shared is not None:
            yield shared
            return
        try:
            with transaction(self._engine, writes=False) as connection:
                # A connection never leads to a different store than the one it was opened on.
                if _IS_CHECKED not in connection.info:
                    require_schema_of(connection)
                    connection.info[_IS_CHECKED] = True
                yield connection
        except (OSError, ValueError) as error:
            # A value that this program never writes: the store was changed or is damaged.
            raise self._database.unusable(error, is_read_only=True) from error


_IS_CHECKED = "telemetry_quality.has_schema"


# Built once: building a statement takes longer than the database takes for a day.
_JOURNAL = (
    select(
        *(
            # Read as text: a few thousand days have hundreds of thousands of rows.
            cast(integrity_snapshot.c[name], Text) if name in {"day", "computed_at"} else integrity_snapshot.c[name]
            for name in JournalRow._fields
        )
    )
    .where(integrity_snapshot.c.sequence > bindparam("after"))
    .order_by(integrity_snapshot.c.sequence)
)
_CONTENT_HASH = select(integrity_snapshot.c.content_hash).where(integrity_snapshot.c.sequence == bindparam("sequence"))


def _last_of_each_source(chained: Table) -> Select[Any]:
    latest = select(func.max(chained.c.sequence)).group_by(chained.c.source)
    return select(chained.c.source, chained.c.content_hash).where(chained.c.sequence.in_(latest))


_LAST_ACTIONS, _LAST_MARKS = _last_of_each_source(incident_action), _last_of_each_source(day_mark)


def _journal_rows(rows: Iterable[Sequence[Any]]) -> list[JournalRow]:
    """The rows of _JOURNAL; equal texts share one object, as the policies alone would take a hundred megabytes."""
    days: dict[str, date] = _Cached(date.fromisoformat)
    texts: dict[str, str] = _Cached(str)
    new, instant = JournalRow._make, datetime.fromisoformat
    return [
        new(
            (
                sequence,
                texts[source],
                days[day],
                revision,
                texts[status],
                instant(computed_at).replace(tzinfo=UTC),
                *numbers,
                texts[policy],
                run_id if run_id is None else texts[run_id],
            )
        )
        for sequence, source, day, revision, status, computed_at, *numbers, policy, run_id in rows
    ]


class _Cached(dict[str, Any]):
    """Maps each text to its value, which is computed once."""

    def __init__(self, make: Callable[[str], Any]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, text: str) -> Any:
        self[text] = made = self._make(text)
        return made
