"""Due: which messages a channel is to get now. Nothing here reads, sends or looks at a clock."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails.verdicts import Level
from telemetry_quality.core.incidents import is_muted
from telemetry_quality.core.incidents.model import severity
from telemetry_quality.core.messages.journal import cases_of
from telemetry_quality.core.messages.model import DeliveryOutcome, Mention, MessageKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from telemetry_quality.core.incidents import Incident
    from telemetry_quality.core.messages.journal import Case, Heard, Journal
    from telemetry_quality.core.messages.rules import Rules

NEWS = timedelta(days=3)
"""An incident whose last day is older is history, which a backfill found: it goes into a digest."""

GATHERING = timedelta(minutes=2), timedelta(minutes=10)
"""Messages wait until nothing has been judged for so long, but no longer than that: sources that fail together are
judged one after the other."""

BACKFILLING = timedelta(minutes=10), timedelta(hours=1)
"""The same where history is being judged."""

MOST_AT_ONCE = 5
"""More messages than this at a time become a digest."""


@dataclass(frozen=True, slots=True)
class Judged:
    """When days of the sources were judged, as far as messages depend on it.

    Attributes:
        last_at: When any day of them was judged last; None if none was, or if messages wait for no other day.
        by_day: When each day was judged as it is now, by source and day.
    """

    last_at: datetime | None
    by_day: Mapping[tuple[str, date], datetime]

    def first_about(self, mention: Mention, *, is_over: bool) -> datetime | None:
        """When the first day was judged that speaks of an incident, or of its end; None if that is not known."""
        days = {day: at for (source, day), at in self.by_day.items() if source == mention.source}
        later = [at for day, at in days.items() if day > mention.last_day]
        within = [at for day, at in days.items() if mention.first_day <= day <= mention.last_day]
        return min((later if is_over else within) or within, default=None)


@dataclass(frozen=True, slots=True)
class Item:
    """An incident in a message.

    Attributes:
        incident: As it is; None if its days pass now.
        mention: As the log will remember it.
        after: The position of the last message about it that was sent; 0 for the first.
    """

    kind: MessageKind
    mention: Mention
    incident: Incident | None
    after: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that is due: what it is about, without its words."""

    key: str
    kind: MessageKind
    items: tuple[Item, ...]

    @property
    def level(self) -> Level:
        """The highest level of its incidents; INFO without any."""
        return min((item.mention.level for item in self.items), key=severity, default=Level.INFO)


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be done for a channel now.

    Attributes:
        drafts: The messages to send, those that were tried least often first.
        unsent: What is stored without a message: incidents that went on, and ends that nobody wants to hear of.
        waiting: How many incidents wait for a message: for quiet hours to end, for a receiver, or for others to fail.
    """

    drafts: tuple[Draft, ...] = ()
    unsent: tuple[tuple[DeliveryOutcome, Mention], ...] = ()
    waiting: int = 0


def due_messages(
    channel: str, incidents: Sequence[Incident], judged: Judged, *, journal: Journal, rules: Rules, now: datetime
) -> Due:
    """The messages that a channel is to get at ``now``.

    Args:
        channel: Its name, part of the messages' keys.
        incidents: Those of its sources that touch a day which was judged lately or of which it has heard as open.
        judged: When these days were judged.
        journal: What it has heard.
        rules: What it wants to hear.
        now: The current time.
    """
    decided = [_decided(case, rules, now) for case in cases_of(journal, incidents)]
    unsent = tuple(said for said in decided if isinstance(said, tuple))
    if rules.is_weekly:
        return _weekly(channel, incidents, journal, rules, now)
    items = [item for item in decided if isinstance(item, Item)]
    has_history = any(_is_history(item, now) for item in items)
    ready = items if _have_gathered(items, judged, now, has_history=has_history) else []
    if rules.is_quiet(now):
        ready = [item for item in ready if _wakes(item, rules)]
    groups = _groups(ready)
    if len(groups) > MOST_AT_ONCE or (has_history and ready):
        groups = [ready]
    drafts = [_draft(channel, group) for group in groups]
    drafts = [draft for draft in drafts if _may_be_tried(journal, draft.key, now)]
    sending = sum(len(draft.items) for draft in drafts)
    return Due(tuple(sorted(drafts, key=lambda draft: _order(journal, draft))), unsent, len(items) - sending)


def _decided(case: Case, rules: Rules, now: datetime) -> Item | tuple[DeliveryOutcome, Mention] | None:
    """What becomes of a case: an item of a message, a row without one, or nothing."""
    heard = [said for said in case.heard if said.sequence]
    if any(said.mention.is_open for said in heard):
        return _of_open(case, heard, rules, now)
    last_heard = max((said.mention.last_day for said in heard), default=date.min)
    news = [
        incident
        for incident in case.incidents
        if severity(incident.level) <= severity(rules.minimum_level)
        and not _is_done(incident)
        and not is_muted(incident, now.date())
        and (incident.is_open or not heard)
        and incident.last_day > last_heard
    ]
    if not news:
        return None
    incident = min(news, key=lambda found: (not found.is_open, severity(found.level), found.first_day))
    kind = MessageKind.OPENED if incident.is_open else MessageKind.RESOLVED
    return Item(kind, _mention(case, incident, incident.level), incident, _last_sequence(heard))


def _of_open(
    case: Case, heard: Sequence[Heard], rules: Rules, now: datetime
) -> Item | tuple[DeliveryOutcome, Mention] | None:
    """What becomes of a case that the channel believes to be open."""
    said_level = min((said.mention.level for said in heard), key=severity)
    open_now = [incident for incident in case.incidents if incident.is_open and not incident.is_dismissed]
    if not open_now:
        incident = max(case.incidents, key=lambda found: found.last_day, default=None)
        closed = _mention(case, incident, said_level, is_open=False)
        if any(_is_done(found) or is_muted(found, now.date()) for found in case.incidents):
            return DeliveryOutcome.WITHHELD, closed
        return Item(MessageKind.RESOLVED, closed, incident, _last_sequence(heard))
    incident = min(open_now, key=lambda found: (severity(found.level), found.first_day))
    if not is_muted(incident, now.date()):
        if severity(incident.level) < severity(said_level):
            return Item(MessageKind.WORSENED, _mention(case, incident, incident.level), incident, _last_sequence(heard))
        if _is_forgotten(incident, heard, rules, now):
            return Item(MessageKind.REMINDER, _mention(case, incident, said_level), incident, _last_sequence(heard))
    followed = _mention(case, incident, said_level)
    return None if all(said.mention == followed for said in heard) else (DeliveryOutcome.FOLLOWED, followed)


def _is_done(incident: Incident) -> bool:
    """Whether somebody decided that nothing more is to be said about it."""
    return incident.is_settled or incident.is_dismissed


def _is_forgotten(incident: Incident, heard: Iterable[Heard], rules: Rules, now: datetime) -> bool:
    """Whether nobody has an open incident, and it was mentioned long ago."""
    if rules.repeat_days is None or incident.who_has_it is not None:
        return False
    last = max((said.at for said in heard if said.at is not None), default=now)
    return now - last >= timedelta(days=rules.repeat_days)


def _mention(case: Case, incident: Incident | None, level: Level, *, is_open: bool | None = None) -> Mention:
    """How the log will remember the case: with all days by which it was ever found, so that it is found again."""
    before = [said.mention for said in case.heard]
    latest = incident or max(before, key=lambda mention: mention.last_day)
    # What was tried and not sent only lends its name: its days may have been healed since.
    heard = [said.mention for said in case.heard if said.sequence]
    return Mention(
        case.threads,
        latest.source,
        min([latest.first_day, *(mention.first_day for mention in heard)]),
        max([latest.last_day, *(mention.last_day for mention in heard)]),
        latest.root_cause,
        level,
        incident is not None and incident.is_open if is_open is None else is_open,
    )


def _last_sequence(heard: Iterable[Heard]) -> int:
    return max((said.sequence for said in heard), default=0)


def _is_history(item: Item, now: datetime) -> bool:
    """Whether the channel is to hear for the first time of an incident that was over long ago, or began to be found."""
    return not item.after and item.incident is not None and now.date() - item.incident.last_day > NEWS


def _have_gathered(items: Iterable[Item], judged: Judged, now: datetime, *, has_history: bool) -> bool:
    """Whether nothing has been judged for a while, or the first of ``items`` has waited long enough."""
    pause, longest = BACKFILLING if has_history else GATHERING
    if judged.last_at is None or abs(now - judged.last_at) >= pause:
        return True
    began = (judged.first_about(item.mention, is_over=not item.mention.is_open) for item in items)
    first = min((at for at in began if at is not None), default=judged.last_at)
    return now - first >= longest


def _wakes(item: Item, rules: Rules) -> bool:
    """Whether an item ignores the quiet hours."""
    is_alarm = item.kind in {MessageKind.OPENED, MessageKind.WORSENED}
    return rules.wakes_for_critical and is_alarm and item.mention.level is Level.CRITICAL


def _groups(items: Iterable[Item]) -> list[list[Item]]:
    """Items that make one message: those of sources that fail together, and later what is said about them together."""
    groups: defaultdict[tuple[object, ...], list[Item]] = defaultdict(list)
    seen: Counter[tuple[object, ...]] = Counter()
    for item in items:
        if item.after:
            together: tuple[object, ...] = (item.kind, item.after)
        elif item.incident is not None:
            # Two incidents of one source have two root causes.
            alike = (item.kind, item.incident.first_day, item.incident.peak.reason_code)
            seen[alike, item.mention.source] += 1
            together = (*alike, seen[alike, item.mention.source])
        groups[together].append(item)
    return list(groups.values())


def _draft(channel: str, items: Collection[Item]) -> Draft:
    kinds = {item.kind for item in items}
    is_one = len(kinds) == 1 and len(_groups(items)) == 1
    kind = next(iter(kinds)) if is_one else MessageKind.DIGEST
    return Draft(_key(channel, kind, items), kind, _worst_first(items))


def _worst_first(items: Iterable[Item]) -> tuple[Item, ...]:
    return tuple(
        sorted(items, key=lambda item: (severity(item.mention.level), item.mention.source, item.mention.first_day))
    )


def _key(channel: str, kind: MessageKind, items: Iterable[Item]) -> str:
    """The same whenever the same is to be said: by what was said before, and not by days, which may change."""
    parts = sorted(f"{item.mention.threads[0]} {item.after} {item.kind} {item.mention.level}" for item in items)
    return sha256("\n".join([channel, kind, *parts]).encode()).hexdigest()[:32]


def _may_be_tried(journal: Journal, key: str, now: datetime) -> bool:
    tried = journal.tried(key)
    # A clock that was far ahead must not hold a message up.
    return tried is None or not now < tried.next_at <= now + timedelta(days=1)


def _order(journal: Journal, draft: Draft) -> tuple[int, int]:
    """A message that a receiver refuses must not hold up the others."""
    tried = journal.tried(draft.key)
    return 0 if tried is None else tried.attempts, severity(draft.level)


def _weekly(channel: str, incidents: Sequence[Incident], journal: Journal, rules: Rules, now: datetime) -> Due:
    """The digest of the week before the last Monday, with what is open and what was in it; also if nothing was."""
    due_at = rules.week_begins(now)
    monday = due_at.date()
    key = sha256(f"{channel} week before {monday}".encode()).hexdigest()[:32]
    if key in journal.finished or not _may_be_tried(journal, key, now) or rules.is_quiet(now):
        return Due()
    items = [
        Item(MessageKind.DIGEST, _mention_of(incident), incident, 0)
        for incident in incidents
        if severity(incident.level) <= severity(rules.minimum_level)
        and (incident.is_open or monday - timedelta(days=7) <= incident.last_day)
        and incident.first_day < monday
        and not _is_done(incident)
        and not is_muted(incident, now.date())
    ]
    return Due((Draft(key, MessageKind.DIGEST, _worst_first(items)),))


def _mention_of(incident: Incident) -> Mention:
    return Mention(
        (f"{incident.key} {incident.root_cause}",),
        incident.source,
        incident.first_day,
        incident.last_day,
        incident.root_cause,
        incident.level,
        incident.is_open,
    )
