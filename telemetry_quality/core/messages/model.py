"""The model: a message, what it mentions, and the rows of the log of deliveries."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.guardrails.verdicts import Level

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class MessageKind(StrEnum):
    """Why a message is sent."""

    OPENED = "opened"
    """An incident is open that the channel has not heard of, or has heard is over."""
    WORSENED = "worsened"
    """An incident has reached a higher level than any message about it had."""
    RESOLVED = "resolved"
    """An incident is over: a judged day passed, or its days pass since they were judged again."""
    REMINDER = "reminder"
    """An incident is still open after ``repeat_days``, and nobody has it."""
    DIGEST = "digest"
    """Many incidents in one message: those of a backfill, of a busy morning, or of a week."""
    TEST = "test"
    """Somebody tries the channel out."""


class DeliveryOutcome(StrEnum):
    """What a row of the log says."""

    CLAIMED = "claimed"
    """A process is about to send the message, and no other may until its claim expires."""
    SENT = "sent"
    """The receiver accepted the message."""
    FAILED = "failed"
    """The receiver did not accept it; it is sent again later."""
    FOLLOWED = "followed"
    """Nothing is sent: an incident of an earlier message has gone on for more days."""
    WITHHELD = "withheld"
    """Nothing is sent: an incident of an earlier message was muted, accepted or dismissed when it ended."""


@dataclass(frozen=True, slots=True)
class Mention:
    """How the log remembers an incident of a message, so that it is found again when it has changed.

    Attributes:
        threads: Names of the incident, given when the channel first heard of it; several after incidents have merged.
        last_day: The last failed day so far.
        level: The highest level that a message has had about it.
        is_open: Whether the channel believes it to be open.
    """

    threads: tuple[str, ...]
    source: str
    first_day: date
    last_day: date
    root_cause: str
    level: Level
    is_open: bool

    def as_json(self) -> dict[str, Any]:
        """Every field under its own name; JSON types only."""
        return {
            "threads": list(self.threads),
            "source": self.source,
            "first_day": self.first_day.isoformat(),
            "last_day": self.last_day.isoformat(),
            "root_cause": self.root_cause,
            "level": self.level.value,
            "is_open": self.is_open,
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Mention:
        """The mention whose ``as_json`` this is."""
        return cls(
            tuple(row["threads"]),
            row["source"],
            date.fromisoformat(row["first_day"]),
            date.fromisoformat(row["last_day"]),
            row["root_cause"],
            Level(row["level"]),
            row["is_open"],
        )


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of the log of deliveries.

    Attributes:
        key: The message's, the same at each attempt; a receiver can drop what it has received before.
        attempt: From 1; 0 where nothing is sent.
        title: The message's first line.
        reason: Why an attempt failed, without anything secret; None otherwise.
        sequence: Its position in the log; 0 until it is stored.
    """

    channel: str
    key: str
    kind: MessageKind
    outcome: DeliveryOutcome
    attempt: int
    at: datetime
    title: str
    mentions: tuple[Mention, ...] = ()
    reason: str | None = None
    sequence: int = 0

    def as_json(self) -> dict[str, Any]:
        """What people may want to know of it; JSON types only."""
        return {
            "at": self.at.isoformat(),
            "channel": self.channel,
            "kind": self.kind.value,
            "outcome": self.outcome.value,
            "attempt": self.attempt,
            "title": self.title,
            "reason": self.reason,
            "key": self.key,
            "sources": sorted({mention.source for mention in self.mentions}),
        }


@dataclass(frozen=True, slots=True)
class IncidentNote:
    """What a message says about an incident; texts of events are made harmless, and a URL is None if there is none.

    Attributes:
        key: The incident's own, which may change; empty if no incident is left, because its days pass now.
        ids: What later messages about it repeat; several after incidents have merged.
        days: How many days failed.
        sentence: What happened.
        where: The segment and the hours.
        owners: Of the source, by the settings.
        assignee: Who has it; None if nobody has.
        is_provisional: Whether late events may still change its last day.
    """

    key: str
    ids: tuple[str, ...]
    source: str
    level: str
    is_open: bool
    first_day: str
    last_day: str
    days: int
    sentence: str
    where: str
    guardrails: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    assignee: str | None = None
    is_provisional: bool = False
    day_url: str | None = None
    incident_url: str | None = None


@dataclass(frozen=True, slots=True)
class VolumeDay:
    """A day in the picture of a message; None for what is not known."""

    day: str
    events: int | None
    low: float | None
    high: float | None
    has_failed: bool


@dataclass(frozen=True, slots=True)
class Message:
    """A message, complete: a notifier needs nothing else.

    Attributes:
        key: Stable, so that a message that is sent again after a crash can be recognized.
        level: The highest level of the incidents.
        text: Everything in lines of plain text.
        incidents: The worst first.
        volumes: The last days of the foremost incident's source, for a picture.
        report: A file of HTML about the last days of the channel's sources; None if the message has none.
    """

    key: str
    channel: str
    kind: MessageKind
    level: str
    title: str
    text: str
    incidents: tuple[IncidentNote, ...] = ()
    volumes: tuple[VolumeDay, ...] = field(default=(), repr=False)
    report: str | None = field(default=None, repr=False)

    def as_json(self) -> dict[str, Any]:
        """Every field under its own name; JSON types only."""
        return {
            **{name: getattr(self, name) for name in ("key", "channel", "level", "title", "text", "report")},
            "kind": self.kind.value,
            "incidents": [_as_json(note) for note in self.incidents],
            "volumes": [_as_json(volume) for volume in self.volumes],
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Message:
        """The message whose ``as_json`` this is."""
        lists = {"ids", "guardrails", "owners"}
        notes: list[dict[str, Any]] = [
            {name: tuple(value) if name in lists else value for name, value in note.items()}
            for note in row["incidents"]
        ]
        return cls(
            **{name: row[name] for name in ("key", "channel", "level", "title", "text", "report")},
            kind=MessageKind(row["kind"]),
            incidents=tuple(IncidentNote(**note) for note in notes),
            volumes=tuple(VolumeDay(**volume) for volume in row["volumes"]),
        )


def _as_json(part: IncidentNote | VolumeDay) -> dict[str, Any]:
    values = {f.name: getattr(part, f.name) for f in fields(part)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
