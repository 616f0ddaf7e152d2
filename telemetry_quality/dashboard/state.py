"""The state: the content of the store in RAM, refreshed when the store has changed.

Every page and every response is made from a single state, so its parts are consistent. A store that cannot be read is
not an error here: the last state remains in use and says why it may be out of date.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from itertools import chain
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from telemetry_quality.core.incidents import worst_first
from telemetry_quality.core.marks import marks_of
from telemetry_quality.dashboard.index import SnapshotIndex
from telemetry_quality.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from datetime import date

    from telemetry_quality.core.counting import CountedDays
    from telemetry_quality.core.incidents import Incident
    from telemetry_quality.core.marks import MarkedDays, Marks
    from telemetry_quality.core.running.model import RunningHour
    from telemetry_quality.storage.reader import StoreReader
    from telemetry_quality.storage.running_days import RunningPosition

log = logging.getLogger(__name__)

Made = TypeVar("Made")

TROUBLE = (
    "The store must be readable to show what is new, but it cannot be read now; its last content is shown, "
    "if it was ever read; ask the operator of this dashboard to read its log."
)
"""The sentence for users; the database's own message, which names files and tables, goes to the log."""

MOST_CACHED = 20
"""The most cached values per source; they change with the clock a few times a day, and old values are dropped."""

RESTS = 5
"""The pause after a refresh, in multiples of its duration: requests come first, even during a backfill."""

LONGEST_REST = timedelta(minutes=1)
"""The longest pause: a refresh that waited for a lock says nothing about the next."""


@dataclass(frozen=True)
class DashboardState:
    """The content of the store at one moment.

    Attributes:
        incidents: The incidents of each source, oldest first.
        marks: What people said about days, per source.
        counted: How many days were counted by each set of rules, per source.
        running: The hours of the last day that was looked at while it ran, in order, per source.
        version: Changes if and only if the content does; the same in every process that reads the same store.
        read_at: When the content was read; with ``trouble``, when it was last known to be current.
        trouble: Why the store cannot be read now, in one sentence; None if it can.
        has_been_read: Whether the store was ever read; until then nothing is known, not even that a day is missing.
        cache: Per source, values computed from its days; passed on to the next state unless the source has changed.
    """

    index: SnapshotIndex
    incidents: Mapping[str, tuple[Incident, ...]]
    version: str
    read_at: datetime
    trouble: str | None = None
    has_been_read: bool = True
    cache: dict[str, dict[Hashable, Any]] = field(default_factory=dict, repr=False, compare=False)
    marks: Mapping[str, Marks] = field(default_factory=dict)
    counted: Mapping[str, Sequence[CountedDays]] = field(default_factory=dict)
    running: Mapping[str, tuple[RunningHour, ...]] = field(default_factory=dict)

    def mark(self, source: str, day: date) -> MarkedDays | None:
        """What somebody said about a day."""
        return self.marks.get(source, {}).get(day)

    def cached(self, source: str, key: Hashable, make: Callable[[], Made]) -> Made:
        """What ``make`` computes from the source's days, once for each ``key``, which names all else it depends on."""
        # A source without a snapshot is not in the index.
        cache = self.cache.setdefault(source, {})
        made: Made
        if key in cache:
            made = cache[key]
            return made
        if len(cache) >= MOST_CACHED:
            cache.clear()
        made = cache[key] = make()
        return made

    @cached_property
    def listed_incidents(self) -> tuple[Incident, ...]:
        """The incidents of all sources, the worst first; sorted once because there may be ten thousand."""
        return tuple(worst_first(chain.from_iterable(self.incidents.values())))


@dataclass(frozen=True)
class _Loaded:
    """What has been read from the store so far.

    Attributes:
        actions: Per source, the hash of its last incident action.
        marks: What people said about days, per source.
        last_marks: Per source, the hash of its last mark of days.
        counted: How many days were counted by each set of rules, per source.
        running: See DashboardState.
        last_running: The last running hour that was read.
        cache: See DashboardState.
        last_hash: The hash of the last row of the journal; if it differs in the store, the store is another one.
    """

    index: SnapshotIndex = field(default_factory=SnapshotIndex)
    incidents: Mapping[str, tuple[Incident, ...]] = field(default_factory=dict)
    actions: Mapping[str, str] = field(default_factory=dict)
    marks: Mapping[str, Marks] = field(default_factory=dict)
    last_marks: Mapping[str, str] = field(default_factory=dict)
    counted: Mapping[str, Sequence[CountedDays]] = field(default_factory=dict)
    running: Mapping[str, tuple[RunningHour, ...]] = field(default_factory=dict)
    last_running: RunningPosition | None = None
    last_hash: str | None = None
    cache: dict[str, dict[Hashable, Any]] = field(default_factory=dict)

    def version(self) -> str:
        """A hash of the last rows of what is shown; all are chained, so it covers everything before them."""
        said = sorted(self.actions.items()), sorted(self.last_marks.items()), self.last_running
        return _short_hash(self.index.last_sequence, self.last_hash, *said)


def _short_hash(*content: object) -> str:
    return sha256(json.dumps(content).encode()).hexdigest()[:16]


def _read_on(reader: StoreReader, before: _Loaded) -> _Loaded:
    """The content of the store, read from where ``before`` ended; ``before`` itself if nothing is new.

    Raises:
        StoreError: If it cannot be read.
    """
    if before.last_hash != (reader.content_hash(before.index.last_sequence) if before.last_hash else None):
        before = _Loaded()
    rows = reader.journal(before.index.last_sequence)
    # Actions before incidents: the hash of an action that arrives in between differs next time.
    actions, last_marks = reader.last_actions(), reader.last_marks()
    looks = reader.running_days(before.last_running)
    is_as_before = (actions, last_marks, looks.last) == (before.actions, before.last_marks, before.last_running)
    if not rows and is_as_before:
        return before
    index = before.index.extended(rows)
    marked = {source for source, content_hash in last_marks.items() if before.last_marks.get(source) != content_hash}
    decided = {
        source for source in index.sources if source in marked or actions.get(source) != before.actions.get(source)
    }
    changed = {row.source for row in rows} | decided | looks.hours.keys()
    incidents = {source: tuple(reader.incidents(source)) for source in sorted(changed)}
    last_hash = reader.content_hash(index.last_sequence)
    cache = {source: {} if source in changed else before.cache[source] for source in index.sources}
    marks = {**before.marks, **{source: marks_of(reader.marked_days(source)) for source in sorted(marked)}}
    return _Loaded(
        index,
        incidents={**before.incidents, **incidents},
        actions=actions,
        marks=marks,
        last_marks=last_marks,
        counted={**before.counted, **{source: reader.counted_days(source) for source in sorted(changed)}},
        running={**({} if looks.is_whole else before.running), **looks.hours},
        last_running=looks.last,
        last_hash=last_hash,
        cache=cache,
    )


class StateKeeper:
    """Keeps the state up to date; thread-safe: one thread at a time reads the store while the others go on.

    Args:
        clock: Returns the current time, also to measure how long a refresh takes.
    """

    def __init__(self, reader: StoreReader, clock: Callable[[], datetime]) -> None:
        self._reader = reader
        self._clock = clock
        self._lock = Lock()
        self._loaded = _Loaded()
        self._seen: Hashable = None
        self._checked_at = self._rests_from = clock()
        self._rest = timedelta(0)
        self._state = DashboardState(
            SnapshotIndex(), {}, "", self._checked_at, "The store has not been read yet.", has_been_read=False
        )
        self._has_looked = False
        self._logged = ""

    def state(self) -> DashboardState:
        """The current state, or the last known state; never raises because the store cannot be read.

        The first caller waits until the store has been read. While a thread reads it, other callers get the old state.
        """
        if self._lock.acquire(blocking=not self._has_looked):
            try:
                now = self._clock()
                # If the clock is set back, the pause must not last until it has caught up.
                if not timedelta(0) <= now - self._rests_from < self._rest:
                    self._look(now)
            finally:
                self._lock.release()
        return self._state

    @property
    def shown(self) -> DashboardState:
        """The state of the last check, without a new one."""
        return self._state

    def has_update(self) -> bool:
        """Whether the store may have changed since the state, so that ``state`` would read it."""
        if not self._has_looked:
            return True
        if timedelta(0) <= self._clock() - self._rests_from < self._rest:
            return False
        try:
            return self._state.trouble is not None or self._reader.version() != self._seen
        except StoreError:
            return True

    def expect_update(self) -> None:
        """Make the next call of ``state`` check the store immediately, because something was just written to it."""
        self._rest = timedelta(0)

    def _look(self, now: datetime) -> None:
        try:
            seen = self._reader.version()
            if seen == self._seen and self._state.trouble is None:
                self._checked_at = now
                return
            self._show(_read_on(self._reader, self._loaded), now)
            self._seen = seen
        except StoreError as error:
            self._show_trouble(str(error))
        self._has_looked = True
        self._rests_from = self._clock()
        self._rest = min(RESTS * (self._rests_from - now), LONGEST_REST)

    def _show(self, loaded: _Loaded, now: datetime) -> None:
        self._checked_at = now
        if loaded is not self._loaded or self._state.trouble is not None:
            self._loaded = loaded
            self._state = DashboardState(
                loaded.index,
                loaded.incidents,
                loaded.version(),
                now,
                cache=loaded.cache,
                marks=loaded.marks,
                counted=loaded.counted,
                running=loaded.running,
            )

    def _show_trouble(self, sentence: str) -> None:
        """Show the trouble with a new version, so that open pages update and say so."""
        if self._state.trouble == TROUBLE and sentence == self._logged:
            return
        log.warning("The dashboard shows the content that was last read: %s", sentence)
        self._logged = sentence
        version = _short_hash(self._loaded.version(), TROUBLE)
        self._state = replace(self._state, version=version, read_at=self._checked_at, trouble=TROUBLE)
