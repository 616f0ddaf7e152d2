"""The index: the current snapshots of all sources in columns; ten years of fifty sources are paged in milliseconds.

It holds only the latest revision of each day; earlier revisions are read from the store, day by day.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from math import isnan
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from telemetry_quality.core.days import days_between
from telemetry_quality.core.metrics import LISTED, MAIN
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.storage.reader import JournalRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    Columns = Mapping[str, NDArray[Any]]

SORTABLE: Final = (
    *("day", "computed_at", "source", "status"),
    *(metric.name for metric in MAIN),
)
"""The columns by which the log can be sorted; in descending order the worst status comes first."""

STATUSES: Final = tuple(status.value for status in reversed(DayStatus))
"""All statuses, the best first."""

COUNTS: Final = tuple(metric.name for metric in LISTED if metric.kind is int)
"""Columns of counts. They are never negative, so -1 means *not known*."""

REALS: Final = tuple(metric.name for metric in LISTED if metric.kind is float)
"""Columns of real numbers, NaN for *not known*."""

FLAGS: Final = tuple(metric.name for metric in LISTED if metric.kind is bool)
"""Columns of 0 and 1, -1 for *not known*."""

NOT_KNOWN: Final = -1
DAY_BITS: Final = 22
DAY_MASK: Final = (1 << DAY_BITS) - 1
"""The bits that hold the ordinal of a day; the source's code in the bits above makes the row's key."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class LogQuery:
    """Which snapshots to list, in which order, and which page of them.

    Attributes:
        sources: Only these sources; all if empty.
        statuses: Only these statuses; all if empty.
        first: The first day; None for no limit.
        last: The last day; None for no limit.
        sort: One of SORTABLE. Unknown values come last in either order; ties are sorted by latest day, then source.
        page: From 1; a page beyond the last is empty.
    """

    sources: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    first: date | None = None
    last: date | None = None
    sort: str = "day"
    descending: bool = True
    page: int = 1
    size: int = 50


@dataclass(frozen=True)
class LogPage:
    """A page of the log.

    Attributes:
        total: The number of rows on all pages.
        pages: The number of pages, at least 1.
    """

    rows: tuple[JournalRow, ...]
    total: int
    page: int
    pages: int


def _columns_of(rows: Sequence[JournalRow], sources: Sequence[str]) -> Columns:
    """Rows as columns; ``key`` combines source and day in one number."""
    codes = {source: code << DAY_BITS for code, source in enumerate(sources)}
    ranks = {status: rank for rank, status in enumerate(STATUSES)}
    given: dict[str, list[Any]] = {name: [row[place] for row in rows] for place, name in enumerate(JournalRow._fields)}
    whole = {
        "sequence": given["sequence"],
        "key": [codes[source] + day.toordinal() for source, day in zip(given["source"], given["day"], strict=True)],
        "revision": given["revision"],
        "computed_at": [(instant - EPOCH) // MICROSECOND for instant in given["computed_at"]],
        **{name: [NOT_KNOWN if value is None else value for value in given[name]] for name in COUNTS},
    }
    small = {
        "status": [ranks[status] for status in given["status"]],
        **{name: [NOT_KNOWN if value is None else value for value in given[name]] for name in FLAGS},
    }
    # Thousands of rows share a policy or a run id: each text is stored once.
    texts = {name: [text and sys.intern(text) for text in given[name]] for name in ("policy", "run_id")}
    return {
        **{name: np.array(values, np.int64) for name, values in whole.items()},
        **{name: np.array(values, np.int8) for name, values in small.items()},
        **{name: np.array(given[name], np.float64) for name in REALS},
        **{name: np.array(values, object) for name, values in texts.items()},
    }


def _newest(columns: Columns) -> NDArray[Any]:
    """The positions of the highest revision of each source and day, in the order of source and day."""
    order: NDArray[Any] = np.lexsort((columns["revision"], columns["key"]))
    keys = columns["key"][order]
    is_last = np.append(keys[1:] != keys[:-1], True)
    newest: NDArray[Any] = order[is_last[: len(keys)]]
    return newest


def _smallest(ranks: NDArray[Any], start: int, stop: int) -> NDArray[Any]:
    """The ranks from ``start`` to ``stop`` in sorted order, without sorting all of them, which takes longer."""
    stop = min(stop, len(ranks))
    if start >= stop:
        return ranks[:0]
    chosen: NDArray[Any] = np.partition(ranks, (start, stop - 1))[start:stop]
    return np.sort(chosen)


@dataclass(frozen=True, eq=False)
class SnapshotIndex:
    """The current snapshots of all days of all sources; immutable, so new rows make a new index.

    Attributes:
        sources: The names of the sources, sorted.
        last_sequence: The sequence number of the last row of the journal in the index.
    """

    sources: tuple[str, ...] = ()
    last_sequence: int = 0
    _columns: Columns = field(default_factory=lambda: _columns_of((), ()), repr=False)
    _orders: dict[tuple[str, bool], NDArray[Any]] = field(default_factory=dict, init=False, repr=False)
    _ranks: dict[tuple[str, bool], NDArray[Any]] = field(default_factory=dict, init=False, repr=False)

    def extended(self, rows: Iterable[JournalRow]) -> SnapshotIndex:
        """This index with more rows of the journal; a higher revision replaces a lower one."""
        new = list(rows)
        if not new:
            return self
        sources = tuple(sorted({*self.sources, *(row.source for row in new)}))
        parts = self._recoded(sources), _columns_of(new, sources)
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        newest = _newest(columns)
        last_sequence = max(self.last_sequence, *(row.sequence for row in new))
        return SnapshotIndex(sources, last_sequence, {name: column[newest] for name, column in columns.items()})

    def _recoded(self, sources: Sequence[str]) -> Columns:
        """The columns with ``key`` renumbered for ``sources``."""
        codes = np.array([sources.index(source) for source in self.sources], np.int64)
        if not len(codes) or codes[-1] == len(codes) - 1:
            return self._columns
        key = self._columns["key"]
        ordinals = key & DAY_MASK
        return {**self._columns, "key": (codes[key >> DAY_BITS] << DAY_BITS) + ordinals}

    def __len__(self) -> int:
        """The number of days, over all sources."""
        return len(self._columns["key"])

    def current(self, source: str, day: date) -> JournalRow | None:
        """The latest revision of a day; None if it has no snapshot."""
        return self.window(source, day, day)[0]

    def latest(self, source: str) -> JournalRow | None:
        """The snapshot of the source's latest day; None without snapshots."""
        low, high = self._range(source)
        return self._rows(slice(high - 1, high))[0] if high > low else None

    def first_day(self, source: str) -> date | None:
        """The source's earliest day with a snapshot; None without snapshots."""
        low, high = self._range(source)
        return self._rows(slice(low, low + 1))[0].day if high > low else None

    def days(self, source: str) -> frozenset[date]:
        """All days of the source that have a snapshot."""
        low, high = self._range(source)
        return frozenset(map(date.fromordinal, (self._columns["key"][low:high] & DAY_MASK).tolist()))

    def neighbours(self, source: str, day: date) -> tuple[date | None, date | None]:
        """The nearest days with a snapshot before and after ``day``."""
        low, high = self._range(source)
        before, after = self._range(source, day, day)
        days = [self._rows(slice(at, at + 1))[0].day if low <= at < high else None for at in (before - 1, after)]
        return days[0], days[1]

    def window(self, source: str, first: date, last: date) -> list[JournalRow | None]:
        """One row per day from ``first`` to ``last``; None for a day without a snapshot."""
        found = {row.day: row for row in self._rows(slice(*self._range(source, first, last)))}
        return [found.get(day) for day in days_between(first, last)]

    def page(self, query: LogQuery) -> LogPage:
        """The page of snapshots that ``query`` describes.

        Raises:
            ValueError: If the log cannot be sorted by that column.
        """
        if query.sort not in SORTABLE:
            raise ValueError(f"The log is sorted by one of {', '.join(SORTABLE)}, but {query.sort!r} was asked for.")
        order = self._order(query.sort, query.descending)
        wanted = self._wanted(query)
        start = (query.page - 1) * query.size
        if wanted is None:
            total, chosen = len(order), order[start : start + query.size]
        else:
            ranks = self._ranks_in(query.sort, query.descending)[wanted]
            total, chosen = len(ranks), order[_smallest(ranks, start, start + query.size)]
        return LogPage(tuple(self._rows(chosen)), total, query.page, max(-(-total // query.size), 1))

    def _wanted(self, query: LogQuery) -> NDArray[Any] | None:
        """A mask of the rows that match the filters; None if all of them do."""
        is_range = bool(query.sources or query.first or query.last)
        if not (is_range or query.statuses):
            return None
        wanted = np.full(len(self), not is_range)
        if is_range:
            # Rows are sorted by source and day, so the wanted rows of a source are contiguous.
            for source in query.sources or self.sources:
                wanted[slice(*self._range(source, query.first or date.min, query.last or date.max))] = True
        if query.statuses:
            is_listed = np.array([status in query.statuses for status in STATUSES])
            wanted &= is_listed.take(self._columns["status"])
        return wanted

    def _order(self, sort: str, descending: bool) -> NDArray[Any]:
        """The positions of the rows in sorted order; sorted once and then cached."""
        known = self._orders.get((sort, descending))
        if known is not None:
            return known
        # Rows are sorted by source and day: a stable sort by day alone leaves the sources of a day in order.
        youngest_first = np.argsort(-self._sort_key("day"), kind="stable").astype(np.int32)
        key = self._sort_key(sort)[youngest_first]
        towards = -key if descending else key
        if sort in COUNTS:
            towards[key == NOT_KNOWN] = np.iinfo(np.int64).max
        order = youngest_first[np.argsort(towards, kind="stable")]
        self._orders[sort, descending] = order
        return order

    def _ranks_in(self, sort: str, descending: bool) -> NDArray[Any]:
        """The rank of each row in an order."""
        known = self._ranks.get((sort, descending))
        if known is None:
            order = self._order(sort, descending)
            known = np.empty_like(order)
            known[order] = np.arange(len(order), dtype=order.dtype)
            self._ranks[sort, descending] = known
        return known

    def _sort_key(self, sort: str) -> NDArray[Any]:
        key = self._columns["key"]
        if sort == "day":
            return key & DAY_MASK
        return key >> DAY_BITS if sort == "source" else self._columns[sort].copy()

    def _range(self, source: str, first: date = date.min, last: date = date.max) -> tuple[int, int]:
        """The positions of the source's days from ``first`` to ``last``, as a half-open range."""
        if source not in self.sources:
            return 0, 0
        key = self.sources.index(source) << DAY_BITS
        ends = [key + first.toordinal(), key + last.toordinal() + 1]
        low, high = np.searchsorted(self._columns["key"], ends)
        return int(low), int(high)

    def _rows(self, places: slice | NDArray[Any]) -> list[JournalRow]:
        """The rows at these positions, as in the journal."""
        found = {name: column[places].tolist() for name, column in self._columns.items()}
        parts = {
            **found,
            "source": [self.sources[key >> DAY_BITS] for key in found["key"]],
            "day": [date.fromordinal(key & DAY_MASK) for key in found["key"]],
            "status": [STATUSES[rank] for rank in found["status"]],
            "computed_at": [EPOCH + microseconds * MICROSECOND for microseconds in found["computed_at"]],
            **{name: [None if value == NOT_KNOWN else value for value in found[name]] for name in COUNTS},
            **{name: [None if isnan(value) else value for value in found[name]] for name in REALS},
            **{name: [None if value == NOT_KNOWN else bool(value) for value in found[name]] for name in FLAGS},
        }
        return [JournalRow(*values) for values in zip(*(parts[name] for name in JournalRow._fields), strict=True)]
