"""Marks: what people say about days, whether the guardrails found anything or not, and whether they were judged yet."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.days import days_between
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import date, datetime

LONGEST_MARKED_DAYS = 400
"""How many days can be marked at once: a typing error in a year must not mark a century."""

LONGEST_NOTE = 2_000
LONGEST_NOTE_SHOWN = 200
"""How many characters of a note are stored, and how many a sentence repeats."""


class Mark(StrEnum):
    """What a person may say about a day."""

    BAD = "bad"
    """Its events are wrong: no day is compared with it, and it cannot be trusted."""
    SPECIAL = "special"
    """It is like no ordinary day: it is not compared with ordinary days, nor they with it."""
    ACCEPTED = "accepted"
    """It can be trusted as it is: it stays in the history, and nothing more is raised about it."""


class Gate(StrEnum):
    """Which days can be trusted where nobody has said so."""

    HEALTHY = "healthy"
    """Those that are healthy and complete."""
    NOT_UNHEALTHY = "not_unhealthy"
    """Degraded and provisional ones too."""


@dataclass(frozen=True, slots=True)
class MarkedDays:
    """What somebody said about the days from ``day`` to ``until``, stored for ever; what is said later counts.

    Attributes:
        mark: None if earlier marks of these days are withdrawn.
        by: Who said it.
    """

    source: str
    day: date
    until: date
    mark: Mark | None
    by: str
    note: str
    marked_at: datetime

    def as_json(self) -> dict[str, Any]:
        """Every field under its own name; JSON types only."""
        return {
            "source": self.source,
            "day": self.day.isoformat(),
            "until": self.until.isoformat(),
            "mark": self.mark and self.mark.value,
            "by": self.by,
            "note": self.note,
            "marked_at": self.marked_at.isoformat(),
        }

    @property
    def words(self) -> str:
        """The mark and who made it: ``marked bad by ada``."""
        return f"{f'marked {self.mark}' if self.mark else 'unmarked'} by {self.by}"

    @property
    def sentence(self) -> str:
        """The same with the day and the note: ``Marked bad by ada on 2025-03-09: the loader ran twice.``."""
        return f"{self.words[:1].upper()}{self.words[1:]} on {said(self.marked_at, self.note)}"


Marks = dict["date", MarkedDays]
"""What was said last about each marked day."""


def marks_of(rows: Iterable[MarkedDays]) -> Marks:
    """What was said last about each day, from all that was said about a source, oldest first."""
    marks: Marks = {}
    for row in rows:
        for day in days_between(row.day, row.until):
            if row.mark is None:
                marks.pop(day, None)
            else:
                marks[day] = row
    return marks


def days_marked(marks: Mapping[date, MarkedDays], kinds: Collection[Mark]) -> frozenset[date]:
    """The days with one of these marks."""
    return frozenset(day for day, marked in marks.items() if marked.mark in kinds)


def is_trustworthy(
    marked: MarkedDays | None, status: DayStatus, gate: Gate = Gate.HEALTHY, *, is_provisional: bool = False
) -> bool:
    """Whether a day can be trusted: a mark decides, otherwise the status; nobody can vouch for an unknown day.

    Args:
        marked: What somebody said about the day.
        status: What the guardrails found.
        gate: What the source's settings let through.
        is_provisional: Whether late events may still change the day, for those who build on its numbers.
    """
    if status is not DayStatus.UNKNOWN and marked is not None and marked.mark in {Mark.BAD, Mark.ACCEPTED}:
        return marked.mark is Mark.ACCEPTED
    if gate is Gate.NOT_UNHEALTHY:
        return status in {DayStatus.HEALTHY, DayStatus.DEGRADED}
    return status is DayStatus.HEALTHY and not is_provisional


def mark_days(
    source: str, days: tuple[date, date], mark: Mark | None, by: str, now: datetime, *, note: str = ""
) -> MarkedDays:
    """What somebody says about the days from the first to the last; the caller must store it.

    Raises:
        RequestError: If nobody says it, the days are in the wrong order or too many, or the note is too long.
    """
    first, last = days
    if not by.strip():
        raise RequestError("The name of the person who marks is required, but it is empty; pass --by NAME.")
    if first > last:
        raise RequestError(f"The first day must not be after the last, but {first} is after {last}; swap them.")
    if (last - first).days >= LONGEST_MARKED_DAYS:
        raise RequestError(
            f"At most {LONGEST_MARKED_DAYS} days can be marked at once, but {first}...{last} are "
            f"{(last - first).days + 1}; mark them in parts."
        )
    if len(note) > LONGEST_NOTE:
        raise RequestError(
            f"A note of at most {LONGEST_NOTE} characters is required, but {len(note)} were found; shorten it."
        )
    return MarkedDays(source, first, last, mark, by.strip(), note.strip(), now)


def said(at: datetime, note: str) -> str:
    """The day on which something was said, and the note: ``2025-03-08: retired with 5.0.``."""
    words = " ".join(note.split())
    if len(words) > LONGEST_NOTE_SHOWN:
        words = f"{words[: LONGEST_NOTE_SHOWN - 1]}…"
    end = "" if words.endswith((".", "…", "!", "?")) else "."
    return f"{at.date()}{f': {words}' if words else ''}{end}"
