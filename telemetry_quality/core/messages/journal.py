"""The journal: what a channel has heard, by its log of deliveries, and which incident each mention means."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.incidents import EVERYWHERE, UNREADABLE
from telemetry_quality.core.incidents.segments import is_same_segment
from telemetry_quality.core.messages.model import DeliveryOutcome, Mention, MessageKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
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
        unfinished: By key, messages that were tried and not sent.
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
    """Incidents as they are, with what was heard of them: usually one of each."""

    heard: tuple[Heard, ...]
    incidents: tuple[Incident, ...]


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
    return [
        Case(tuple(heard[place] for place in sorted(known)), tuple(incidents[place] for place in sorted(its)))
        for known, its in cases
    ]


def _tried(journal: Journal) -> list[Heard]:
    """What nobody has heard yet, because all attempts failed: its incident keeps the name under which it was tried."""
    named = {thread for said in journal.heard for thread in said.mention.threads}
    tried = {
        mention.threads: Heard(replace(mention, is_open=False), 0, None)
        for attempt in (journal.unfinished or {}).values()
        for mention in attempt.mentions
        if named.isdisjoint(mention.threads)
    }
    return list(tried.values())


def _links(heard: Sequence[Heard], incidents: Sequence[Incident]) -> list[tuple[int, int]]:
    """Which incident each of ``heard`` means, by their places."""
    close: list[tuple[int, int]] = []
    loose: list[tuple[int, int]] = []
    for place, said in enumerate(heard):
        for other, incident in enumerate(incidents):
            if _have_a_day_in_common(said.mention, incident):
                root_causes = {failure.root_cause for failure in incident.failures}
                if any(is_same_segment(said.mention.root_cause, root_cause) for root_cause in root_causes):
                    close.append((place, other))
                elif _may_be_the_same({said.mention.root_cause, *root_causes}):
                    loose.append((place, other))
    # What was found everywhere may later be found in a segment, and vice versa, but only if nothing fits better.
    known, taken = {place for place, _ in close}, {other for _, other in close}
    for place, other in loose:
        if place not in known and other not in taken:
            close.append((place, other))
            known.add(place)
            taken.add(other)
    return close


def _have_a_day_in_common(mention: Mention, incident: Incident) -> bool:
    return mention.first_day <= incident.last_day and incident.first_day <= mention.last_day


def _may_be_the_same(root_causes: set[str]) -> bool:
    return EVERYWHERE in root_causes and UNREADABLE not in root_causes
