"""The board: what the store says, kept in memory and brought up to date when the store has changed.

Every page and every answer is made from one board, so that its parts belong together. A store that cannot be read is
never an error here: the last board stands, and says that it is the last.
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

from telemetry_quality.dashboard.ledger import Ledger
from telemetry_quality.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from telemetry_quality.core.incidents import Incident
    from telemetry_quality.storage.reader import StoreReader

log = logging.getLogger(__name__)

Made = TypeVar("Made")

TROUBLE = (
    "The store must be readable to tell what is new, but it cannot be read now; what is told is what it said last, "
    "if it ever was read, so ask whoever runs this dashboard to read its log."
)
"""What visitors are told; the database's own words, which name files and tables, are for the log."""

MOST_REMEMBERED = 20
"""What is made of a source changes with the clock a few times a day; older ones are forgotten."""

RESTS = 5
"""A refresh is followed by so many times its own length without one: readers come first, even during a backfill."""

LONGEST_REST = timedelta(minutes=1)
"""However long a refresh took: one that waited for a lock says nothing about the next."""


@dataclass(frozen=True)
class Board:
    """What the store says, all at one moment.

    Attributes:
        incidents: Per source, oldest first.
        version: Changes exactly when the content does, and is the same in every process that reads the same store.
        read_at: When this became what the store says; with ``trouble``, when it was last known to be so.
        trouble: Why the store cannot be read now, in one sentence; None where it can.
        has_been_read: Whether the store was ever read; until then nothing is known, not even that a day is missing.
        memory: Per source, what was made of its days; handed on to the next board unless the source has news.
    """

    ledger: Ledger
    incidents: Mapping[str, tuple[Incident, ...]]
    version: str
    read_at: datetime
    trouble: str | None = None
    has_been_read: bool = True
    memory: Mapping[str, dict[Hashable, Any]] = field(default_factory=dict, repr=False, compare=False)

    def remembered(self, source: str, key: Hashable, make: Callable[[], Made]) -> Made:
        """What ``make`` makes of the source's days; made once for each ``key``, which names all else it depends on."""
        memory = self.memory.get(source, {})
        made: Made
        if key in memory:
            made = memory[key]
            return made
        if len(memory) >= MOST_REMEMBERED:
            memory.clear()
        made = memory[key] = make()
        return made

    @cached_property
    def newest_incidents(self) -> tuple[Incident, ...]:
        """The incidents of all sources, newest first; sorted once, for there may be ten thousand."""
        found = chain.from_iterable(self.incidents.values())
        return tuple(sorted(found, key=lambda one: (-one.first_day.toordinal(), one.key)))


@dataclass(frozen=True)
class _Reading:
    """How far the store was read.

    Attributes:
        acts: Per source, the hash of the last act on its incidents.
        memory: See Board.
        last_hash: Of the last row of the journal; another one there means another store.
    """

    ledger: Ledger = field(default_factory=Ledger)
    incidents: Mapping[str, tuple[Incident, ...]] = field(default_factory=dict)
    acts: Mapping[str, str] = field(default_factory=dict)
    last_hash: str | None = None
    memory: Mapping[str, dict[Hashable, Any]] = field(default_factory=dict)

    def version(self) -> str:
        """Snapshots and acts are chained: the last of each stands for all before."""
        return _short_hash(self.ledger.last_sequence, self.last_hash, sorted(self.acts.items()))


def _short_hash(*content: object) -> str:
    return sha256(json.dumps(content).encode()).hexdigest()[:16]


def _read_on(reader: StoreReader, before: _Reading) -> _Reading:
    """What the store says now, read from where ``before`` ended; ``before`` itself where nothing is new.

    Raises:
        StoreError: If it cannot be read.
    """
    if before.last_hash != (reader.content_hash(before.ledger.last_sequence) if before.last_hash else None):
        before = _Reading()
    rows = reader.journal(before.ledger.last_sequence)
    # Acts before incidents: one that comes in between is found again by its hash next time.
    acts = reader.last_acts()
    if not rows and acts == before.acts:
        return before
    ledger = before.ledger.extended(rows)
    changed = {row.source for row in rows} | {one for one in ledger.sources if acts.get(one) != before.acts.get(one)}
    incidents = {source: tuple(reader.incidents(source)) for source in sorted(changed)}
    last_hash = reader.content_hash(ledger.last_sequence)
    memory = {source: {} if source in changed else before.memory[source] for source in ledger.sources}
    return _Reading(ledger, {**before.incidents, **incidents}, acts, last_hash, memory)


class BoardKeeper:
    """Keeps the board; safe from many threads, of which one at a time reads the store while the others go on.

    Args:
        clock: Tells the time; also how long a refresh takes.
    """

    def __init__(self, reader: StoreReader, clock: Callable[[], datetime]) -> None:
        self._reader = reader
        self._clock = clock
        self._lock = Lock()
        self._reading = _Reading()
        self._seen: Hashable = None
        self._checked_at = self._rests_from = clock()
        self._rest = timedelta(0)
        self._board = Board(Ledger(), {}, "", self._checked_at, "The store has not been read yet.", has_been_read=False)
        self._has_looked = False
        self._logged = ""

    def board(self) -> Board:
        """The board as the store has it now, or as it last had; never raises because the store cannot be read.

        Who asks first waits until the store was read. Who asks while another one reads it gets the board before.
        """
        if self._lock.acquire(blocking=not self._has_looked):
            try:
                now = self._clock()
                # A clock that was set back must not make the rest last until it has caught up.
                if not timedelta(0) <= now - self._rests_from < self._rest:
                    self._look(now)
            finally:
                self._lock.release()
        return self._board

    @property
    def shown(self) -> Board:
        """The board as it was looked up last."""
        return self._board

    def has_news(self) -> bool:
        """Whether the store may say something else than the board, so that ``board`` would read it."""
        if not self._has_looked:
            return True
        if timedelta(0) <= self._clock() - self._rests_from < self._rest:
            return False
        try:
            return self._board.trouble is not None or self._reader.version() != self._seen
        except StoreError:
            return True

    def expect_news(self) -> None:
        """Let whoever asks next look at the store at once: something was just written to it."""
        self._rest = timedelta(0)

    def _look(self, now: datetime) -> None:
        try:
            seen = self._reader.version()
            if seen == self._seen and self._board.trouble is None:
                self._checked_at = now
                return
            self._show(_read_on(self._reader, self._reading), now)
            self._seen = seen
        except StoreError as error:
            self._tell_trouble(str(error))
        self._has_looked = True
        self._rests_from = self._clock()
        self._rest = min(RESTS * (self._rests_from - now), LONGEST_REST)

    def _show(self, reading: _Reading, now: datetime) -> None:
        self._checked_at = now
        if reading is not self._reading or self._board.trouble is not None:
            self._reading = reading
            self._board = Board(reading.ledger, reading.incidents, reading.version(), now, memory=reading.memory)

    def _tell_trouble(self, sentence: str) -> None:
        """Another version, since pages that show the board must say so too."""
        if self._board.trouble == TROUBLE and sentence == self._logged:
            return
        log.warning("The dashboard shows what was read last: %s", sentence)
        self._logged = sentence
        version = _short_hash(self._reading.version(), TROUBLE)
        self._board = replace(self._board, version=version, read_at=self._checked_at, trouble=TROUBLE)
