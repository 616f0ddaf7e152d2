"""The model: an incident, and the actions on it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.guardrails.verdicts import Level
from telemetry_quality.core.incidents.acceptance import AcceptedFailure, accepted_failures
from telemetry_quality.core.incidents.segments import EVERYWHERE, UNREADABLE, segment_parts
from telemetry_quality.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, datetime

    from telemetry_quality.core.incidents.failures import FailedGuardrail


LONGEST_MUTE = timedelta(days=90)
"""What is quiet for longer is forgotten; whoever still wants it quiet says so again."""

LONGEST_NAME = 100
"""The characters of the name of somebody to whom an incident is assigned."""


class Action(StrEnum):
    """What a person may decide about an incident."""

    ACKNOWLEDGE = "acknowledge"
    """Somebody is looking into it."""
    ASSIGN = "assign"
    """Somebody is to look into it."""
    COMMENT = "comment"
    """Words for others, which change nothing."""
    MUTE = "mute"
    """Its alerts are not dispatched until a date."""
    CONFIRM = "confirm"
    """A real incident: later days are not compared with its days."""
    DISMISS = "dismiss"
    """Not an incident: revokes an earlier confirmation or acceptance."""
    ACCEPT = "accept"
    """Intended: what was found is normal from its first day on, and nothing more is raised about it."""


@dataclass(frozen=True, slots=True)
class IncidentAction:
    """A decision, stored for ever; it applies to the days from ``day`` to ``until``.

    Attributes:
        day: The first failed day that was seen; for MUTE the last one, because muting looks ahead.
        root_cause: The root cause of the incident at that time.
        by: Who decided.
        until: The last failed day that was seen; for MUTE the last day that is muted.
        accepted: How the guardrails had failed; empty unless the action is ACCEPT.
        assignee: Who is to look into it; None unless the action is ASSIGN.
    """

    source: str
    day: date
    root_cause: str
    action: Action
    by: str
    note: str
    until: date | None
    acted_at: datetime
    accepted: tuple[AcceptedFailure, ...] = ()
    assignee: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Every field under its own name; JSON types only."""
        return {
            "action": self.action.value,
            "by": self.by,
            "note": self.note,
            "acted_at": self.acted_at.isoformat(),
            "day": self.day.isoformat(),
            "until": self.until and self.until.isoformat(),
            "root_cause": self.root_cause,
            "accepted": [failure.as_json() for failure in self.accepted],
            "assignee": self.assignee,
        }

    @property
    def last_seen(self) -> date:
        """The last failed day that was seen."""
        return self.day if self.action is Action.MUTE or self.until is None else self.until

    def speaks_of(self, first: date, last: date) -> bool:
        """Whether any of the failed days that were seen may lie between ``first`` and ``last``."""
        return first <= self.last_seen and self.day <= last


@dataclass(frozen=True)
class Incident:
    """Failures with one root cause on consecutive judged days, and what was decided about them.

    Attributes:
        key: Its name on the command line: source and first day, and a number from the second incident of a day on.
        failures: By day; never empty.
        is_open: Whether no later judged day has closed it.
        actions: Oldest first.
        accepted_days: Those of its days that somebody marked as accepted.
    """

    key: str
    source: str
    failures: tuple[FailedGuardrail, ...]
    is_open: bool
    actions: tuple[IncidentAction, ...] = ()
    accepted_days: tuple[date, ...] = ()

    @cached_property
    def days(self) -> tuple[date, ...]:
        """The failed days, oldest first."""
        return tuple(sorted({failure.day for failure in self.failures}))

    @property
    def first_day(self) -> date:
        """The first failed day."""
        return self.failures[0].day

    @property
    def last_day(self) -> date:
        """The last failed day so far."""
        return self.failures[-1].day

    @cached_property
    def level(self) -> Level:
        """The highest level of all failures."""
        return min((failure.level for failure in self.failures), key=severity)

    @cached_property
    def guardrails(self) -> dict[str, tuple[date, ...]]:
        """The guardrails that failed, each with its days; the guardrail that failed most often first."""
        days: dict[str, list[date]] = defaultdict(list)
        for failure in self.failures:
            days[failure.guardrail].append(failure.day)
        return {name: tuple(days[name]) for name in sorted(days, key=lambda name: (-len(days[name]), name))}

    @cached_property
    def root_cause(self) -> str:
        """The root cause of the worst failures on most days; of several the widest segment, but everywhere last.

        Actions apply to it; people see ``where``.
        """
        blamed = Counter(root_cause for _, root_cause in {(failure.day, failure.root_cause) for failure in self._worst})
        return min(
            blamed,
            key=lambda root_cause: (
                -blamed[root_cause],
                root_cause == EVERYWHERE,
                len(segment_parts(root_cause)),
                root_cause,
            ),
        )

    @property
    def where(self) -> str:
        """The root cause for people, with its hours: that of the worst failure, which the headline is about."""
        return self.peak.where

    @cached_property
    def peak(self) -> FailedGuardrail:
        """The failure of the highest level that is farthest beyond its threshold, the earliest of equals."""
        return max(self._worst, key=lambda failure: (failure.times_threshold(), -failure.day.toordinal()))

    @property
    def acknowledged_by(self) -> str | None:
        """Who is looking into it."""
        action = self._latest(Action.ACKNOWLEDGE)
        return None if action is None else action.by

    @property
    def assignee(self) -> str | None:
        """Who has it: to whom it was assigned last."""
        action = self._latest(Action.ASSIGN)
        return None if action is None else action.assignee

    @property
    def who_has_it(self) -> str | None:
        """Who looks into it or is to: the assignee, or else whoever acknowledged it."""
        return self.acknowledged_by if self.assignee is None else self.assignee

    @property
    def muted_until(self) -> date | None:
        """The last day on which its alerts are not dispatched."""
        action = self._latest(Action.MUTE)
        return None if action is None else action.until

    @cached_property
    def confirmed_days(self) -> tuple[date, ...]:
        """The failed days that somebody saw and confirmed.

        Days that fail afterwards do not count: if a confirmation covered them too, a stream that has changed
        for good would raise alarms for ever, because no new day could enter the history.
        """
        return tuple(day for day in self.days if self._decision(day) is Action.CONFIRM)

    @property
    def is_confirmed(self) -> bool:
        """Whether somebody confirmed at least some of its days."""
        return bool(self.confirmed_days)

    @property
    def is_dismissed(self) -> bool:
        """Whether somebody dismissed it, and nobody confirmed it afterwards."""
        return self._last_word is not None and self._last_word.action is Action.DISMISS

    @property
    def accepted_by(self) -> str | None:
        """Who accepted it as intended, if nobody confirmed or dismissed it afterwards."""
        return None if self._acceptance is None else self._acceptance.by

    @property
    def is_accepted(self) -> bool:
        """Whether somebody accepted all its failed days as intended, so that nothing more is raised about it."""
        return self._acceptance is not None and self.last_day <= self._acceptance.last_seen

    @property
    def is_settled(self) -> bool:
        """Whether nothing more is raised about it, because it, or the last of its days, was accepted."""
        return self.is_accepted or self.last_day in self.accepted_days

    def state_words(self, today: date) -> tuple[str, ...]:
        """Its state for a person, such as ``open``, ``acknowledged by ada``, ``muted until 2026-03-12``."""
        words = ["open" if self.is_open else "closed"]
        if self.assignee is not None:
            words.append(f"assigned to {self.assignee}")
        if self.acknowledged_by is not None:
            words.append(f"acknowledged by {self.acknowledged_by}")
        if is_muted(self, today):
            words.append(f"muted until {self.muted_until}")
        if confirmed := self.confirmed_days:
            is_whole = confirmed == self.days
            words.append("confirmed" if is_whole else f"confirmed for {len(confirmed)} of {len(self.days)} days")
        elif self.is_dismissed:
            words.append("dismissed")
        if self._acceptance is not None:
            seen = "" if self.is_accepted else f" up to {self._acceptance.last_seen}"
            words.append(f"accepted{seen} by {self._acceptance.by}")
        if self.accepted_days:
            words.append(f"{len(self.accepted_days)} of {len(self.days)} days marked accepted")
        return tuple(words)

    def as_json(self, today: date) -> dict[str, Any]:
        """All that is known about it, key fields first; JSON types only."""
        return {
            "source": self.source,
            "key": self.key,
            "first_day": self.first_day.isoformat(),
            "last_day": self.last_day.isoformat(),
            "days": _texts(self.days),
            "is_open": self.is_open,
            "level": self.level.value,
            "root_cause": self.where,
            "guardrails": {name: _texts(days) for name, days in self.guardrails.items()},
            "peak": self.peak.as_json(),
            "assignee": self.assignee,
            "acknowledged_by": self.acknowledged_by,
            "is_muted": is_muted(self, today),
            "muted_until": self.muted_until and self.muted_until.isoformat(),
            "is_confirmed": self.is_confirmed,
            "confirmed_days": _texts(self.confirmed_days),
            "is_dismissed": self.is_dismissed,
            "is_accepted": self.is_accepted,
            "accepted_by": self.accepted_by,
            "accepted_days": _texts(self.accepted_days),
            "failures": [failure.as_json() for failure in self.failures],
            "actions": [action.as_json() for action in self.actions],
        }

    def decide(
        self,
        action: Action,
        by: str,
        now: datetime,
        *,
        note: str = "",
        muted_until: date | None = None,
        assignee: str = "",
    ) -> IncidentAction:
        """The action that records this decision; the caller must store it.

        Raises:
            RequestError: If ``by`` is empty, the incident would be muted until a day in the past or for longer than
                LONGEST_MUTE, days that could not be read would be accepted, it would be assigned to nobody, or a
                comment is empty.
        """
        if not by.strip():
            raise RequestError("The name of the person who decides is required, but it is empty; pass --by NAME.")
        seen = (self.first_day, self.last_day)
        if action is Action.MUTE:
            today = now.date()
            if muted_until is None or not today <= muted_until <= today + LONGEST_MUTE:
                raise RequestError(
                    f"A day from {today} (today in UTC) to {today + LONGEST_MUTE} is required to mute until, "
                    f"but {muted_until} was found; choose the last day on which nobody needs to hear of it."
                )
            seen = (self.last_day, muted_until)
        if action is Action.ACCEPT and self.root_cause == UNREADABLE:
            raise RequestError(
                f"An incident of days that could be read is required to accept it, but the days of {self.key} could "
                "not be read, so that nobody knows what they hold; correct the source and read them again."
            )
        if action is Action.COMMENT and not note.strip():
            raise RequestError(f"Words are required to comment on {self.key}, but the note is empty; write some.")
        name = assignee.strip() if action is Action.ASSIGN else None
        if name is not None and not 0 < len(name) <= LONGEST_NAME:
            raise RequestError(
                f"The name of a person, of at most {LONGEST_NAME} characters, is required to assign {self.key}, but "
                f"{name[:LONGEST_NAME]!r} was found; name who is to look into it."
            )
        accepted = accepted_failures(self.failures) if action is Action.ACCEPT else ()
        return IncidentAction(
            self.source, seen[0], self.root_cause, action, by.strip(), note.strip(), seen[1], now, accepted, name
        )

    @cached_property
    def _worst(self) -> list[FailedGuardrail]:
        level = self.level
        return [failure for failure in self.failures if failure.level == level]

    @property
    def _last_word(self) -> IncidentAction | None:
        """The latest action that says what the incident was."""
        return self._latest(Action.CONFIRM, Action.DISMISS, Action.ACCEPT)

    @property
    def _acceptance(self) -> IncidentAction | None:
        action = self._last_word
        return action if action is not None and action.action is Action.ACCEPT else None

    def _latest(self, *kinds: Action) -> IncidentAction | None:
        return next((action for action in reversed(self.actions) if action.action in kinds), None)

    def _decision(self, day: date) -> Action | None:
        """The latest action that confirmed, dismissed or accepted ``day``; None if there is none."""
        kinds = (Action.CONFIRM, Action.DISMISS, Action.ACCEPT)
        return next(
            (
                action.action
                for action in reversed(self.actions)
                if action.action in kinds and action.speaks_of(day, day)
            ),
            None,
        )


def is_muted(incident: Incident, today: date) -> bool:
    """Whether alerts of ``incident`` are stored but not dispatched on ``today``."""
    return incident.muted_until is not None and today <= incident.muted_until


def severity(level: Level) -> int:
    """The rank of a level, 0 for the highest."""
    return _SEVERITIES[level]


_SEVERITIES = {level: rank for rank, level in enumerate(Level)}


def worst_first(incidents: Iterable[Incident]) -> list[Incident]:
    """Open incidents before closed ones, then by level, then the most recent first: the order of every list."""
    return sorted(
        incidents,
        key=lambda incident: (
            not incident.is_open,
            severity(incident.level),
            -incident.first_day.toordinal(),
            incident.key,
        ),
    )


def _texts(days: Iterable[date]) -> list[str]:
    return [day.isoformat() for day in days]
