"""The words of messages. Names and values of events come from strangers: they address nobody and link nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.guardrails.said_once import listed
from telemetry_quality.core.incidents import UNREADABLE
from telemetry_quality.core.incidents.wording import incident_sentence
from telemetry_quality.core.links import day_link, incident_link
from telemetry_quality.core.messages.model import IncidentNote, Message, MessageKind
from telemetry_quality.core.visible import visible

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date

    from telemetry_quality.core.messages.due import Draft, Item
    from telemetry_quality.core.messages.model import VolumeDay

MOST_LISTED = 20
"""The incidents that a message lists; the dashboard has all of them."""

LONGEST_SENTENCE = 500

INVISIBLE = "\u200b"
"""A space without width: what it separates is neither an address nor a mention of somebody."""


_WITHDRAWN = "Withdrawn: what failed passes, since it was judged again or as a whole."


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What messages say apart from incidents.

    Attributes:
        dashboard: The dashboard's address; None if only its own machine reaches it, so that nothing links to it.
        owners: Of each source.
        provisional: The days whose late events are still expected, with their sources.
    """

    dashboard: str | None
    owners: Mapping[str, tuple[str, ...]]
    provisional: Collection[tuple[str, date]] = ()


def message_of(channel: str, draft: Draft, surroundings: Surroundings, volumes: Sequence[VolumeDay] = ()) -> Message:
    """The message that a draft becomes."""
    notes = tuple(_note(item, surroundings) for item in draft.items)
    title = _title(draft, notes)
    return Message(draft.key, channel, draft.kind, draft.level.value, title, _text(draft, notes), notes, tuple(volumes))


def try_out(channel: str, key: str, dashboard: str | None) -> Message:
    """The message of ``alerts test``."""
    link = f" The dashboard is at {dashboard}/health/." if dashboard else ""
    text = f"This is a test of the channel {channel}: messages about incidents will arrive here.{link}"
    return Message(key, channel, MessageKind.TEST, "INFO", f"Test of the channel {channel}", text)


def harmless(text: str) -> str:
    """``text`` on one line, clipped, in which nothing is a link, a mention or markup of a chat."""
    shown = visible(text if len(text) <= LONGEST_SENTENCE else f"{text[:LONGEST_SENTENCE]}…")
    for sign in ("@", "<", "/", "www"):
        shown = shown.replace(sign, f"{sign}{INVISIBLE}")
    return shown


def _note(item: Item, surroundings: Surroundings) -> IncidentNote:
    mention, incident = item.mention, item.incident
    dashboard = surroundings.dashboard
    day = mention.last_day if incident is None else incident.last_day
    provisional = (mention.source, day) in surroundings.provisional
    common: dict[str, Any] = {
        "ids": tuple(sha256(thread.encode()).hexdigest()[:16] for thread in mention.threads),
        "source": mention.source,
        "owners": surroundings.owners.get(mention.source, ()),
        "level": mention.level.value,
        "is_open": mention.is_open,
        "is_provisional": provisional,
        "day_url": dashboard and day_link(dashboard, mention.source, day),
    }
    if incident is None:
        days = (mention.last_day - mention.first_day).days + 1
        return IncidentNote(
            key="",
            first_day=mention.first_day.isoformat(),
            last_day=mention.last_day.isoformat(),
            days=days,
            sentence=_WITHDRAWN if mention.root_cause != UNREADABLE else "What could not be read passes since.",
            where=harmless(mention.root_cause),
            **common,
        )
    return IncidentNote(
        key=incident.key,
        first_day=incident.first_day.isoformat(),
        last_day=incident.last_day.isoformat(),
        days=len(incident.days),
        sentence=harmless(incident_sentence(incident)),
        where=harmless(incident.where),
        guardrails=tuple(incident.guardrails),
        assignee=incident.assignee or incident.acknowledged_by,
        incident_url=dashboard and incident_link(dashboard, incident.key),
        **common,
    )


def _title(draft: Draft, notes: Sequence[IncidentNote]) -> str:
    if draft.kind is MessageKind.DIGEST:
        return _digest_title(notes)
    sources = listed(list(dict.fromkeys(note.source for note in notes)))
    fails, passes = ("fail", "pass") if len({note.source for note in notes}) > 1 else ("fails", "passes")
    first = min(note.first_day for note in notes)
    since = f"{sources} {fails} since {first}"
    if draft.kind is MessageKind.OPENED:
        return f"{draft.level}: {since}"
    if draft.kind is MessageKind.WORSENED:
        return f"{draft.level}, worse than before: {since}"
    if draft.kind is MessageKind.REMINDER:
        return f"{draft.level}, still open: {since}"
    if all(item.incident is None and item.mention.root_cause != UNREADABLE for item in draft.items):
        return f"Withdrawn: {sources} {passes}, {_days(notes, 'on')}"
    return f"Resolved: {sources} {passes} again, {_days(notes)}"


def _days(notes: Sequence[IncidentNote], preposition: str = "after") -> str:
    first, last = min(note.first_day for note in notes), max(note.last_day for note in notes)
    return f"{preposition} {first}" if first == last else f"{preposition} {first} to {last}"


def _digest_title(notes: Sequence[IncidentNote]) -> str:
    if not notes:
        return "No incidents last week"
    sources = listed(sorted({note.source for note in notes}))
    count, still_open = len(notes), sum(note.is_open for note in notes)
    first, last = min(note.first_day for note in notes), max(note.last_day for note in notes)
    span = first if first == last else f"{first} to {last}"
    return f"{count} incident{'' if count == 1 else 's'} of {sources}, {span}, {still_open or 'none'} of them open"


def _text(draft: Draft, notes: Sequence[IncidentNote]) -> str:
    if draft.kind is MessageKind.DIGEST:
        lines = [line for note in notes[:MOST_LISTED] for line in _digest_lines(note)]
        if len(notes) > MOST_LISTED:
            lines.append(f"And {len(notes) - MOST_LISTED} more.")
        return "\n".join(lines or ["Every day that was judged passed, or was accepted."])
    return "\n\n".join("\n".join(_lines(note)) for note in notes[:MOST_LISTED])


def _digest_lines(note: IncidentNote) -> Iterable[str]:
    state = "open" if note.is_open else "closed"
    yield f"• {note.level} {note.source}, {state}: {note.sentence}"
    if note.incident_url or note.day_url:
        yield f"  {note.incident_url or note.day_url}"


def _lines(note: IncidentNote) -> Iterable[str]:
    yield f"{note.source}: {note.sentence}"
    failed = f"{note.days} failed day{'' if note.days == 1 else 's'}"
    yield f"Level {note.level}, {failed}, where: {note.where}"
    if note.is_provisional:
        yield f"{note.last_day} is provisional: late events may still change it."
    if note.assignee:
        yield f"{harmless(note.assignee)} has it."
    if note.owners:
        yield f"Owners: {', '.join(note.owners)}"
    if note.day_url:
        yield f"Day: {note.day_url}"
    if note.incident_url:
        yield f"{'Acknowledge' if note.is_open else 'Incident'}: {note.incident_url}"
