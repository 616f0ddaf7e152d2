"""The state: what the store says, kept in RAM and brought up to date when the store has changed.

Every page and every response is made from one state, so that its parts belong together. A store that cannot be read is
never an error here: the last state stands, and says that it is the last.
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

from telemetry_quality.dashboard.index import SnapshotIndex
from telemetry_quality.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from telemetry_quality.core.incidents import Incident
    from telemetry_quality.storage.reader import StoreReader

log = logging.getLogger(__name__)

Made = TypeVar("Made")

TROUBLE = (
    "The store must be readable to show what is new, but it cannot be read now; what is shown is its last content, "
    "if it ever was read, so ask whoever runs this dashboard to read its log."
)
"""What is sent to users; the database's own words, which name files and tables, are for the log."""

MOST_CACHED = 20
"""What is made of a source changes with the clock a few times a day; older ones are forgotten."""

RESTS = 5
"""A refresh is followed by so many times its own length without one: readers come first, even during a backfill."""

LONGEST_REST = timedelta(minutes=1)
"""However long a refresh took: one that waited for a lock says nothing about the next."""


@dataclass(frozen=True)
class DashboardState:
    """What the store says, all at one moment.

    Attributes:
        incidents: Per source, oldest first.
        version: Changes exactly when the content does, and is the same in every process that reads the same store.
        read_at: When this became what the store says; with ``trouble``, when it was last known to be so.
        trouble: Why the store cannot be read now, in one sentence; None where it can.
        has_been_read: Whether the store was ever read; until then nothing is known, not even that a day is missing.
        cache: Per source, what was made of its days; handed on to the next state unless the source has news.
    """

    index: SnapshotIndex
    incidents: Mapping[str, tuple[Incident, ...]]
    version: str
    read_at: datetime
    trouble: str | None = None
    has_been_read: bool = True
    cache: Mapping[str, dict[Hashable, Any]] = field(default_factory=dict, repr=False, compare=False)

    def cached(self, source: str, key: Hashable, make: Callable[[], Made]) -> Made:
        """What ``make`` makes of the source's days; made once for each ``key``, which names all else it depends on."""
        cache = self.cache.get(source, {})
        made: Made
        if key in cache:
            made = cache[key]
            return made
        if len(cache) >= MOST_CACHED:
            cache.clear()
        made = cache[key] = make()
        return made

    @cached_property
    def newest_incidents(self) -> tuple[Incident, ...]:
        """The incidents of all sources, newest first; sorted once, for there may be ten thousand."""
        found = chain.from_iterable(self.incidents.values())
        return tuple(sorted(found, key=lambda one: (-one.first_day.toordinal(), one.key)))


@dataclass(frozen=True)
class _Loaded:
    """How far the store was read.

    Attributes:
        actions: Per source, the hash of the last action on its incidents.
        cache: See DashboardState.
        last_hash: Of the last row of the journal; another one there means another store.
    """

    index: SnapshotIndex = field(default_factory=SnapshotIndex)
    incidents: Mapping[str, tuple[Incident, ...]] = field(default_factory=dict)
    actions: Mapping[str, str] = field(default_factory=dict)
    last_hash: str | None = None
    cache: Mapping[str, dict[Hashable, Any]] = field(default_factory=dict)

    def version(self) -> str:
        """Snapshots and actions are chained: the last of each stands for all before."""
        return _short_hash(self.index.last_sequence, self.last_hash, sorted(self.actions.items()))


def _short_hash(*content: object) -> str:
    return sha256(json.dumps(content).encode()).hexdigest()[:16]


def _read_on(reader: StoreReader, before: _Loaded) -> _Loaded:
    """What the store says now, read from where ``before`` ended; ``before`` itself where nothing is new.

    Raises:
        StoreError: If it cannot be read.
    """
    if before.last_hash != (reader.content_hash(before.index.last_sequence) if before.last_hash else None):
        before = _Loaded()
    rows = reader.journal(before.index.last_sequence)
    # Acts before incidents: one that comes in between is found again by its hash next time.
    actions = reader.last_actions()
    if not rows and actions == before.actions:
        return before
    index = before.index.extended(rows)
    changed = {row.source for row in rows} | {
        one for one in index.sources if actions.get(one) != before.actions.get(one)
    }
    incidents = {source: tuple(reader.incidents(source)) for source in sorted(changed)}
    last_hash = reader.content_hash(index.last_sequence)
    cache = {source: {} if source in changed else before.cache[source] for source in index.sources}
    return _Loaded(index, {**before.incidents, **incidents}, actions, last_hash, cache)


class StateKeeper:
    """Keeps the state; safe from many threads, of which one at a time reads the store while the others go on.

    Args:
        clock: Shows the time; also how long a refresh takes.
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
        """The state as the store has it now, or as it last had; never raises because the store cannot be read.

        Who asks first waits until the store was read. Who asks while another one reads it gets the state before.
        """
        if self._lock.acquire(blocking=not self._has_looked):
            try:
                now = self._clock()
                # A clock that was set back must not make the rest last until it has caught up.
                if not timedelta(0) <= now - self._rests_from < self._rest:
                    self._look(now)
            finally:
                self._lock.release()
        return self._state

    @property
    def shown(self) -> DashboardState:
        """The state as it was looked up last."""
        return self._state

    def has_update(self) -> bool:
        """Whether the store may say something else than the state, so that ``state`` would read it."""
        if not self._has_looked:
            return True
        if timedelta(0) <= self._clock() - self._rests_from < self._rest:
            return False
        try:
            return self._state.trouble is not None or self._reader.version() != self._seen
        except StoreError:
            return True

    def expect_update(self) -> None:
        """Let whoever asks next look at the store at once: something was just written to it."""
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
            self._state = DashboardState(loaded.index, loaded.incidents, loaded.version(), now, cache=loaded.cache)

    def _show_trouble(self, sentence: str) -> None:
        """Another version, since pages that show the state must say so too."""
        if self._state.trouble == TROUBLE and sentence == self._logged:
            return
        log.warning("The dashboard shows what was read last: %s", sentence)
        self._logged = sentence
        version = _short_hash(self._loaded.version(), TROUBLE)
        self._state = replace(self._state, version=version, read_at=self._checked_at, trouble=TROUBLE)
