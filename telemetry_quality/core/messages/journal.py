"""The journal: what a channel has heard, by its log of deliveries, and which incident each mention means."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import chain, count
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.incidents import EVERYWHERE, UNREADABLE
from telemetry_quality.core.incidents.segments import is_same_segment
from telemetry_quality.core.messages.model import DeliveryOutcome, Mention, MessageKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from telemetry_quality.core.incidents import Incident
    from telemetry_quality.core.messages.model import Delivery

LEASE = timedelta(minutes=2)
"""How long a claim holds a channel: longer than sending takes at most, and than clocks of machines differ."""

FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=15)
LATER_WAIT = timedelta(hours=6)
PATIENT_ATTEMPTS = 100
"""After so many attempts, a day of them, a message is tried a few times a day only; it is never given up."""


def wait_after(attempts: int) -> timedelta:
    """How long to wait after so many failed attempts to send a message: doubled each time, up to LONGEST_WAIT."""
    if attempts >= PATIENT_ATTEMPTS:
        return LATER_WAIT
    return min(FIRST_WAIT * (1 << min(attempts - 1, 10)), LONGEST_WAIT)


@dataclass(frozen=True, slots=True)
class Heard:
    """The latest that a channel has heard of an incident, or would have if nothing had failed.

    Attributes:
        sequence: Of the last message about it that was sent; 0 if none was, because all attempts have failed so far.
        at: When that was; None if none was.
    """

    mention: Mention
    sequence: int
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A message that was tried and has not been sent."""

    key: str
    kind: MessageKind
    mentions: tuple[Mention, ...]
    attempts: int
    next_at: datetime


@dataclass(frozen=True)
class Journal:
    """What the log says about one channel.

    Attributes:
        heard: What was mentioned in messages that were sent, each incident once, as last mentioned.
        unfinished: By key, messages that were tried and not sent, the one last that was tried last.
        finished: The keys of messages that were sent.
        busy_until: When the claim of a process that is sending expires; None if no process is.
        last_attempt_at: When a message was last tried; None if none ever was.
        last_sequence: The position of the last row.
    """

    heard: tuple[Heard, ...] = ()
    unfinished: dict[str, Unfinished] | None = None
    finished: frozenset[str] = frozenset()
    busy_until: datetime | None = None
    last_attempt_at: datetime | None = None
    last_sequence: int = 0

    def is_busy(self, now: datetime) -> bool:
        """Whether a process is sending a message on the channel; a claim made by a clock far ahead does not count."""
        return self.busy_until is not None and now < self.busy_until <= now + 2 * LEASE

    def tried(self, key: str) -> Unfinished | None:
        """The attempts to send the message; None if there were none."""
        return (self.unfinished or {}).get(key)


def journal_of(deliveries: Iterable[Delivery]) -> Journal:
    """The journal of one channel, from its rows in their order."""
    heard: dict[str, Heard] = {}
    unfinished: dict[str, Unfinished] = {}
    finished: set[str] = set()
    busy_until = last_attempt_at = None
    last_sequence = 0
    for row in deliveries:
        last_sequence = row.sequence
        if row.outcome in {DeliveryOutcome.CLAIMED, DeliveryOutcome.FAILED}:
            is_claim = row.outcome is DeliveryOutcome.CLAIMED
            wait = LEASE if is_claim else wait_after(row.attempt)
            unfinished.pop(row.key, None)
            unfinished[row.key] = Unfinished(row.key, row.kind, row.mentions, row.attempt, row.at + wait)
            busy_until, last_attempt_at = row.at + LEASE if is_claim else None, row.at
            continue
        if row.outcome is DeliveryOutcome.SENT:
            busy_until = None
            finished.add(row.key)
            unfinished.pop(row.key, None)
        for mention in row.mentions:
            _hear(heard, row, mention)
    latest = tuple(dict.fromkeys(heard.values()))
    return Journal(latest, unfinished, frozenset(finished), busy_until, last_attempt_at, last_sequence)


def _hear(heard: dict[str, Heard], row: Delivery, mention: Mention) -> None:
    before = [heard[thread] for thread in mention.threads if thread in heard]
    if row.outcome is DeliveryOutcome.SENT:
        now = Heard(mention, row.sequence, row.at)
    else:
        latest = max(before, key=lambda said: said.sequence, default=Heard(mention, 0, None))
        now = replace(latest, mention=mention)
    heard.update(dict.fromkeys(mention.threads, now))


class Case(NamedTuple):
    """Incidents as they are, with what was heard of them: usually one of each.

    Attributes:
        threads: The names under which they were mentioned; a new one if they were not.
    """

    heard: tuple[Heard, ...]
    incidents: tuple[Incident, ...]
    threads: tuple[str, ...]


def cases_of(journal: Journal, incidents: Sequence[Incident]) -> list[Case]:
    """Each incident with what was heard of it, and everything heard with what has become of it.

    A mention means an incident of its source that has a day in common with it and the same root cause, as incident
    actions do. Healed days may split an incident and late ones merge two: all that hangs together is one case.
    """
    heard_of: defaultdict[str, list[Heard]] = defaultdict(list)
    incidents_of: defaultdict[str, list[Incident]] = defaultdict(list)
    for said in (*journal.heard, *_tried(journal)):
        heard_of[said.mention.source].append(said)
    for incident in incidents:
        incidents_of[incident.source].append(incident)
    sources = dict.fromkeys([*heard_of, *incidents_of])
    return [case for source in sources for case in _cases_of_source(heard_of[source], incidents_of[source])]


def _cases_of_source(heard: Sequence[Heard], incidents: Sequence[Incident]) -> list[Case]:
    links = _links(heard, incidents)
    cases: list[tuple[set[int], set[int]]] = []
    for place in range(len(heard)):
        mine = {place}, {incident for known, incident in links if known == place}
        kin = [case for case in cases if case[1] & mine[1]]
        cases = [case for case in cases if case not in kin]
        cases.append((mine[0].union(*(case[0] for case in kin)), mine[1].union(*(case[1] for case in kin))))
    found = {incident for _, incident in links}
    cases += [(set(), {place}) for place in range(len(incidents)) if place not in found]
    named = {thread for said in heard for thread in said.mention.threads}
    return [
        _case([heard[place] for place in sorted(known)], [incidents[place] for place in sorted(its)], named)
        for known, its in cases
    ]


def _case(heard: Sequence[Heard], incidents: Sequence[Incident], named: Collection[str]) -> Case:
    threads = dict.fromkeys(thread for said in heard for thread in said.mention.threads)
    if not threads:
        # A name may have been used for an incident that has become another one since.
        name = f"{incidents[0].key} {incidents[0].root_cause}"
        threads[next(each for each in chain([name], (f"{name} #{n}" for n in count(2))) if each not in named)] = None
    return Case(tuple(heard), tuple(incidents), tuple(threads))


def _tried(journal: Journal) -> list[Heard]:
    """What nobody has heard yet, because all attempts failed: its incident keeps the name under which it was tried."""
    named = {thread for said in journal.heard for thread in said.mention.threads}
    tried = []
    for attempt in reversed((journal.unfinished or {}).values()):
        for mention in attempt.mentions:
            if named.isdisjoint(mention.threads):
                tried.append(Heard(replace(mention, is_open=False), 0, None))
                named.update(mention.threads)
    return tried


def _links(heard: Sequence[Heard], incidents: Sequence[Incident]) -> list[tuple[int, int]]:
    """Which incident each of ``heard`` means, by their places; the best fit first.

    Each is given one before any is given two: a second mention if incidents have merged, and a second incident if a
    healed day has split one, but never two incidents of the same day.
    """
    pairs = [
        (fit, place, other)
        for place, said in enumerate(heard)
        for other, incident in enumerate(incidents)
        if (fit := _fit(said.mention, incident)) is not None
    ]
    pairs.sort(reverse=True)
    incident_of: defaultdict[int, list[int]] = defaultdict(list)
    known: set[int] = set()
    for _, place, other in pairs:
        if place not in incident_of and other not in known:
            incident_of[place].append(other)
            known.add(other)
    for fit, place, other in pairs:
        pieces = [incidents[piece] for piece in incident_of[place]]
        is_merged = not pieces and fit.is_close
        is_piece = (
            other not in known and fit.is_close and not any(_overlap(piece, incidents[other]) for piece in pieces)
        )
        if is_merged or is_piece:
            incident_of[place].append(other)
            known.add(other)
    return [(place, other) for place, others in incident_of.items() for other in others]


class _Fit(NamedTuple):
    """How well an incident fits a mention; the greatest is the best."""

    is_close: bool
    has_root_cause: bool
    has_range: bool
    has_end: bool


def _fit(mention: Mention, incident: Incident) -> _Fit | None:
    """How well they fit; None if they have no day in common, or one was found in a segment and one in another.

    What was found everywhere may later be found in a segment, and vice versa, if nothing fits better.
    """
    if not _overlap(mention, incident):
        return None
    root_causes = {failure.root_cause for failure in incident.failures}
    is_close = any(is_same_segment(mention.root_cause, root_cause) for root_cause in root_causes)
    is_loose = EVERYWHERE in {mention.root_cause, *root_causes} and UNREADABLE not in {mention.root_cause, *root_causes}
    if not is_close and not is_loose:
        return None
    ends = (incident.first_day == mention.first_day, incident.last_day == mention.last_day)
    return _Fit(is_close, incident.root_cause == mention.root_cause, all(ends), any(ends))


def _overlap(known: Mention | Incident, found: Incident) -> bool:
    return known.first_day <= found.last_day and found.first_day <= known.last_day
