"""Delivery: claims a channel, sends what is due there, and stores what became of it.

A process that dies loses nothing: what it had not sent is due again when its claim has expired. If it dies between
sending and storing that it did, the message is sent again, with the same key.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from telemetry_quality.core.clipping import clipped
from telemetry_quality.core.incidents import incidents_of
from telemetry_quality.core.messages.due import Due, Judged, due_messages
from telemetry_quality.core.messages.journal import journal_of
from telemetry_quality.core.messages.model import Delivery, DeliveryOutcome, MessageKind, VolumeDay
from telemetry_quality.core.messages.wording import Surroundings, message_of, try_out
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.core.visible import visible
from telemetry_quality.errors import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date

    from telemetry_quality.core.incidents import Incident
    from telemetry_quality.core.messages.due import Draft
    from telemetry_quality.core.messages.journal import Journal
    from telemetry_quality.core.messages.model import Message
    from telemetry_quality.core.messages.rules import Rules
    from telemetry_quality.core.ports import MessageStore

LOOK_BACK = timedelta(days=30)
"""Days that were judged longer ago are no news; if nothing is delivered for so long, the dashboard still has them."""

DAYS_IN_PICTURE = 30

MESSAGES_AT_ONCE = 10
"""How many messages a call sends at most; the next call sends the others."""

_NEVER = datetime.min.replace(tzinfo=UTC)

TIME_FOR_ALL = timedelta(seconds=30)
"""No message is begun later than this after a call has."""


def _no_report(_: datetime) -> None:
    """Make no report."""


@dataclass(frozen=True)
class MessageChannel:
    """A channel that messages go out by.

    Attributes:
        name: Under which the store keeps its log.
        sources: Those whose incidents it hears of.
        send: Sends a message within half of LEASE; raises DeliveryError if the receiver did not accept it.
        report: Makes the report that goes with the digest of a week; None if it cannot be made.
    """

    name: str
    sources: tuple[str, ...]
    rules: Rules
    send: Callable[[Message], None]
    report: Callable[[datetime], str | None] = _no_report


class Delivered(NamedTuple):
    """What a call did.

    Attributes:
        sent: How many messages were accepted.
        failures: Why others were not, each as a sentence.
        waiting: How many incidents wait for a message.
    """

    sent: int
    failures: tuple[str, ...]
    waiting: int

    def sentence(self) -> str:
        """What was done, for people."""
        words = [f"{self.sent} message{'' if self.sent == 1 else 's'} sent" if self.sent else "No message sent"]
        if self.failures:
            words.append(f"{len(self.failures)} failed and will be sent again")
        if self.waiting:
            words.append(
                f"{self.waiting} incident{' waits for its' if self.waiting == 1 else 's wait for their'} message"
            )
        return f"{', '.join(words)}."


def deliver(
    store: MessageStore,
    channels: Iterable[MessageChannel],
    surroundings: Surroundings,
    clock: Callable[[], datetime],
    *,
    is_hurried: bool = False,
) -> Delivered:
    """Send what is due on ``channels``, the one first that was tried longest ago.

    Each channel is left alone after a failure, so that a receiver that is away costs one attempt at a time.
    With ``is_hurried``, messages do not wait for other sources that may fail too.
    """
    call = _Call(store, surroundings, clock, is_hurried=is_hurried)
    with store.kept_open():
        found = [(channel, journal_of(store.deliveries(channel.name, call.began))) for channel in channels]
        found.sort(key=lambda pair: (pair[1].last_attempt_at or _NEVER, pair[0].name))
        for channel, journal in found:
            if not journal.is_busy(clock()):
                call.serve(channel, journal)
    return Delivered(call.sent, tuple(call.failures), call.waiting)


class _Call:
    """One call of ``deliver``, and what it has done so far."""

    def __init__(
        self, store: MessageStore, surroundings: Surroundings, clock: Callable[[], datetime], *, is_hurried: bool
    ) -> None:
        self.began = clock()
        self._is_hurried = is_hurried
        self.sent = self.waiting = 0
        self.failures: list[str] = []
        self._store = store
        self._surroundings = surroundings
        self._clock = clock

    def serve(self, channel: MessageChannel, journal: Journal) -> None:
        """Send what is due on a channel, until the receiver fails."""
        due, provisional = _due(self._store, channel, journal, self._clock(), is_hurried=self._is_hurried)
        self.waiting += due.waiting + sum(len(draft.items) for draft in due.drafts)
        last_sequence = self._store_unsent(channel, due, journal.last_sequence)
        surroundings = replace(self._surroundings, provisional=provisional)
        for draft in due.drafts:
            if self.sent >= MESSAGES_AT_ONCE or self._clock() - self.began >= TIME_FOR_ALL:
                return
            tried = journal.tried(draft.key)
            message = message_of(channel.name, draft, surroundings, _volumes(self._store, draft))
            if channel.rules.is_weekly:
                message = replace(message, report=channel.report(self._clock()))
            claim = Delivery(
                channel.name,
                draft.key,
                draft.kind,
                DeliveryOutcome.CLAIMED,
                1 if tried is None else tried.attempts + 1,
                self._clock(),
                message.title,
                tuple(item.mention for item in draft.items),
            )
            last_sequence = self._send(channel, message, claim, last_sequence)
            if not last_sequence:
                return
            self.sent, self.waiting = self.sent + 1, self.waiting - len(draft.items)

    def _send(self, channel: MessageChannel, message: Message, claim: Delivery, after: int) -> int:
        """Claim the channel, send, and store the outcome; returns the last position, or 0 if it was not sent."""
        if not self._store.append_delivery(claim, after):
            # Another process has been faster.
            return 0
        try:
            channel.send(message)
        except DeliveryError as error:
            reason = clipped(visible(str(error)))
            failed = replace(claim, outcome=DeliveryOutcome.FAILED, at=self._clock(), reason=reason)
            self._store.append_delivery(failed)
            self.failures.append(f"{channel.name}: {reason}")
            return 0
        return self._store.append_delivery(replace(claim, outcome=DeliveryOutcome.SENT, at=self._clock()))

    def _store_unsent(self, channel: MessageChannel, due: Due, after: int) -> int:
        """Store what is known of incidents about which nothing is sent; returns the last position."""
        for outcome, mention in due.unsent:
            is_over = outcome is DeliveryOutcome.WITHHELD
            kind = MessageKind.RESOLVED if is_over else MessageKind.REMINDER
            title = f"{mention.source} since {mention.first_day}: {'over' if is_over else 'goes on'}"
            row = Delivery(channel.name, "", kind, outcome, 0, self._clock(), title, (mention,))
            # If another process has been faster, it stores the same, and nothing can be claimed after this.
            after = self._store.append_delivery(row, after) or -1
        return after


def send_test(
    store: MessageStore, channel: MessageChannel, dashboard: str | None, clock: Callable[[], datetime]
) -> None:
    """Send a message that says it is a test, and store what became of it.

    Raises:
        DeliveryError: If the receiver did not accept it.
    """
    at = clock()
    message = try_out(channel.name, f"test-{at:%Y%m%dT%H%M%S%f}", dashboard)
    row = Delivery(channel.name, message.key, message.kind, DeliveryOutcome.SENT, 1, at, message.title)
    try:
        channel.send(message)
    except DeliveryError as error:
        store.append_delivery(replace(row, outcome=DeliveryOutcome.FAILED, at=clock(), reason=str(error)))
        raise
    store.append_delivery(replace(row, at=clock()))


def _due(
    store: MessageStore, channel: MessageChannel, journal: Journal, now: datetime, *, is_hurried: bool
) -> tuple[Due, frozenset[tuple[str, date]]]:
    """What is due on a channel, and which days of its sources are provisional."""
    # A source that is no longer its own must not seem to be healed.
    heard = tuple(said for said in journal.heard if said.mention.source in channel.sources)
    journal = replace(journal, heard=heard)
    incidents: list[Incident] = []
    by_day: dict[tuple[str, date], datetime] = {}
    provisional: set[tuple[str, date]] = set()
    for source in channel.sources:
        span = _span(store, source, journal, now)
        if span is None:
            continue
        incidents += incidents_of(store, source, *span)
        for day, computed_at, is_provisional in store.judgements(source, *span):
            by_day[source, day] = computed_at
            if is_provisional:
                provisional.add((source, day))
    judged = Judged(None if is_hurried else max(by_day.values(), default=None), by_day)
    due = due_messages(channel.name, incidents, judged, journal=journal, rules=channel.rules, now=now)
    return due, frozenset(provisional)


def _span(store: MessageStore, source: str, journal: Journal, now: datetime) -> tuple[date, date] | None:
    """The days whose incidents a message may be about: judged lately, or mentioned as open."""
    judged = store.days_judged_since(source, now - LOOK_BACK)
    mentions = [said.mention for said in journal.heard if said.mention.is_open and said.mention.source == source]
    days = [*(judged or ()), *(day for mention in mentions for day in (mention.first_day, mention.last_day))]
    return (min(days), max(days)) if days else None


def _volumes(store: MessageStore, draft: Draft) -> Sequence[VolumeDay]:
    """The last days of the foremost incident's source, for a picture."""
    if not draft.items:
        return ()
    mention = draft.items[0].mention
    first = mention.last_day - timedelta(days=DAYS_IN_PICTURE - 1)
    return [
        VolumeDay(
            snapshot.day.isoformat(),
            snapshot.total_events,
            snapshot.expected_low_events,
            snapshot.expected_high_events,
            snapshot.status is not DayStatus.HEALTHY,
        )
        for snapshot in store.snapshots(mention.source, first, mention.last_day)
    ]
