"""Incidents: alerts that share day and cause, gathered while consecutive days fail, and what people decided on them.

Three rules make incidents of failed guardrails, the same ones whatever order they are asked in:

* **One day.** Failures confined to a place share a cause where their places are equal or one lies within the other.
  A failure confined to none joins the only such place, or of several the one that it names itself, and else those
  that are everywhere: what one cause does is seldom found in the same place twice (cancelled flights raise error
  rate and missing versions on the same days, each most at another airline). A day without events has one cause.
* **From day to day.** An incident goes on when the next judged day fails in the same place or by the same guardrail.
  A day that was not judged, or could not be read, says nothing and closes nothing; a day that passes does. Days
  that could not be read are incidents of their own.
* **Now.** Only current verdicts count: a day that heals by a later revision leaves its incident, which may split it.

Nothing of this is stored. Only what people decide is, append-only, and finds its incident by days and cause.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from itertools import chain
from math import inf
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.guardrails.activity import NAME as ACTIVITY
from telemetry_quality.core.guardrails.sample import NAME as SAMPLE
from telemetry_quality.core.guardrails.verdicts import DAY_UNREADABLE, Level, Outcome, Place
from telemetry_quality.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import date, datetime

    from telemetry_quality.core.guardrails.verdicts import Verdict
    from telemetry_quality.core.ports import IncidentStore, JudgedDay

EVERYWHERE = str(Place())
UNREADABLE = "unreadable"
"""The cause of a day that could not be read: nothing is known of its events."""

MOST_PERCENT = 50
"""A place that holds at least this share of a change is its cause."""

CONFINED_PERCENT = 80
"""A place that holds at least this share leaves too little for another one to have the same cause."""


class Act(StrEnum):
    """What somebody may decide about an incident."""

    ACKNOWLEDGE = "acknowledge"
    """Somebody looks after it."""
    MUTE = "mute"
    """No alert of it is logged until a date."""
    CONFIRM = "confirm"
    """It was real: its days are left out of what later days are compared with."""
    DISMISS = "dismiss"
    """It was none: takes back an earlier confirmation."""


@dataclass(frozen=True, slots=True)
class IncidentAct:
    """One decision, kept for ever; it speaks of the days from ``day`` to ``until``.

    Attributes:
        day: The first failed day that was seen; for MUTE the last one, because it looks ahead.
        cause: The incident's cause as it was then.
        by: Who decided.
        until: The last failed day that was seen; for MUTE the last day that is muted.
    """

    source: str
    day: date
    cause: str
    act: Act
    by: str
    note: str
    until: date | None
    acted_at: datetime

    def as_json(self) -> dict[str, Any]:
        """Every field under its own name, JSON's types only."""
        return {
            "act": self.act.value,
            "by": self.by,
            "note": self.note,
            "acted_at": self.acted_at.isoformat(),
            "day": self.day.isoformat(),
            "until": self.until and self.until.isoformat(),
            "cause": self.cause,
        }

    @property
    def last_seen(self) -> date:
        """The last failed day that was seen."""
        return self.day if self.act is Act.MUTE or self.until is None else self.until

    def speaks_of(self, first: date, last: date) -> bool:
        """Whether one of the failed days that were seen may lie between ``first`` and ``last``."""
        return first <= self.last_seen and self.day <= last


@dataclass(frozen=True, slots=True)
class FailedGuardrail:
    """One failed verdict of a day as it stands now, or the one that says that the day could not be read.

    Attributes:
        cause: The place that explains most of it, EVERYWHERE where none does, or UNREADABLE.
        foremost: The place named first, even if it explains less than most; empty where none is named.
        is_confined: Whether nearly all of it lies there, so that what happened elsewhere has another cause.
    """

    day: date
    guardrail: str
    level: Level
    reason_code: str
    value: float | None
    threshold: float | None
    sentence: str
    cause: str
    foremost: str
    is_confined: bool
    revision: int

    def times_threshold(self) -> float:
        """How far beyond its threshold: how many times as large, infinitely where there is nothing to divide by.

        A share that must not fall below its threshold is measured by what it lacks to all.
        """
        if self.value is None or not self.threshold:
            return inf
        if self.guardrail != SAMPLE:
            return abs(self.value) / self.threshold
        return (100 - self.value) / (100 - self.threshold) if self.threshold < 100 else inf

    def as_json(self) -> dict[str, Any]:
        """Every field under its own name, JSON's types only."""
        return {
            "day": self.day.isoformat(),
            "guardrail": self.guardrail,
            "level": self.level.value,
            "reason_code": self.reason_code,
            "value": self.value,
            "threshold": self.threshold,
            "sentence": self.sentence,
            "cause": self.cause,
            "foremost": self.foremost,
            "is_confined": self.is_confined,
            "revision": self.revision,
        }


_Group = list[FailedGuardrail]
"""The failures of one day that share a cause."""


@dataclass(eq=False, slots=True)
class _Strand:
    """An incident while it is being put together: its failures day by day."""

    days: list[_Group]

    @property
    def last_day(self) -> date:
        return self.days[-1][0].day


@dataclass(frozen=True)
class Incident:
    """Failures of one cause on consecutive judged days, and what was decided about them.

    Attributes:
        key: Names it on the command line: source and first day, and a number from the second one of that day on.
        failures: By day; never empty.
        is_open: Whether no later judged day says that it is over.
        acts: Oldest first.
    """

    key: str
    source: str
    failures: tuple[FailedGuardrail, ...]
    is_open: bool
    acts: tuple[IncidentAct, ...] = ()

    @cached_property
    def days(self) -> tuple[date, ...]:
        """The failed days, oldest first."""
        return tuple(sorted({one.day for one in self.failures}))

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
        """The highest level of any day."""
        return min((one.level for one in self.failures), key=_severity)

    @cached_property
    def guardrails(self) -> dict[str, tuple[date, ...]]:
        """The guardrails that failed, each with its days; the one that failed most often first."""
        days: dict[str, list[date]] = defaultdict(list)
        for one in self.failures:
            days[one.guardrail].append(one.day)
        return {name: tuple(days[name]) for name in sorted(days, key=lambda name: (-len(days[name]), name))}

    @cached_property
    def cause(self) -> str:
        """What the failures of the highest level blame on most days; of several the wider one, everywhere last."""
        blamed = Counter(cause for _, cause in {(one.day, one.cause) for one in self._worst})
        return min(blamed, key=lambda cause: (-blamed[cause], cause == EVERYWHERE, len(_parts(cause)), cause))

    @cached_property
    def peak(self) -> FailedGuardrail:
        """Among the failures of the highest level the one farthest beyond its threshold, the earliest of equals."""
        return max(self._worst, key=lambda one: (one.times_threshold(), -one.day.toordinal()))

    @property
    def acknowledged_by(self) -> str | None:
        """Who looks after it."""
        act = self._latest(Act.ACKNOWLEDGE)
        return None if act is None else act.by

    @property
    def muted_until(self) -> date | None:
        """The last day on which its alerts are not logged."""
        act = self._latest(Act.MUTE)
        return None if act is None else act.until

    @cached_property
    def confirmed_days(self) -> tuple[date, ...]:
        """Its failed days that somebody saw and confirmed.

        Days that fail afterwards are not: if one confirmation covered all that follows, a stream that has changed
        for good would be alarmed on for ever, because no new day could enter the history.
        """
        return tuple(day for day in self.days if self._decision(day) is Act.CONFIRM)

    @property
    def is_confirmed(self) -> bool:
        """Whether somebody said that it was real, at least of some of its days."""
        return bool(self.confirmed_days)

    @property
    def is_dismissed(self) -> bool:
        """Whether somebody said that it was none, and nobody the opposite afterwards."""
        act = self._latest(Act.CONFIRM, Act.DISMISS)
        return act is not None and act.act is Act.DISMISS

    def state_words(self, today: date) -> tuple[str, ...]:
        """Its state for a person, such as ``open``, ``acknowledged by ada``, ``muted until 2026-03-12``."""
        words = ["open" if self.is_open else "closed"]
        if self.acknowledged_by is not None:
            words.append(f"acknowledged by {self.acknowledged_by}")
        if is_muted(self, today):
            words.append(f"muted until {self.muted_until}")
        if confirmed := self.confirmed_days:
            is_whole = confirmed == self.days
            words.append("confirmed" if is_whole else f"confirmed for {len(confirmed)} of {len(self.days)} days")
        elif self.is_dismissed:
            words.append("dismissed")
        return tuple(words)

    def as_json(self, today: date) -> dict[str, Any]:
        """All that is known of it, JSON's types only, key fields first."""
        return {
            "source": self.source,
            "key": self.key,
            "first_day": self.first_day.isoformat(),
            "last_day": self.last_day.isoformat(),
            "days": _texts(self.days),
            "is_open": self.is_open,
            "level": self.level.value,
            "cause": self.cause,
            "guardrails": {name: _texts(days) for name, days in self.guardrails.items()},
            "peak": self.peak.as_json(),
            "acknowledged_by": self.acknowledged_by,
            "is_muted": is_muted(self, today),
            "muted_until": self.muted_until and self.muted_until.isoformat(),
            "is_confirmed": self.is_confirmed,
            "confirmed_days": _texts(self.confirmed_days),
            "is_dismissed": self.is_dismissed,
            "failures": [one.as_json() for one in self.failures],
            "acts": [one.as_json() for one in self.acts],
        }

    def decide(
        self, act: Act, by: str, now: datetime, *, note: str = "", muted_until: date | None = None
    ) -> IncidentAct:
        """The act of deciding this; the store must keep it.

        Raises:
            RequestError: If nobody decides, or it would be muted until a day that is over.
        """
        if not by.strip():
            raise RequestError("The name of who decides is required, but an empty one was found; pass --by NAME.")
        seen = (self.first_day, self.last_day)
        if act is Act.MUTE:
            if muted_until is None or muted_until < now.date():
                raise RequestError(
                    f"A day from {now.date()} (today in UTC) on is required to mute until, "
                    f"but {muted_until} was found; choose the last day on which nobody needs to hear of it."
                )
            seen = (self.last_day, muted_until)
        return IncidentAct(self.source, seen[0], self.cause, act, by.strip(), note.strip(), seen[1], now)

    @cached_property
    def _worst(self) -> list[FailedGuardrail]:
        level = self.level
        return [one for one in self.failures if one.level == level]

    def _latest(self, *kinds: Act) -> IncidentAct | None:
        return next((act for act in reversed(self.acts) if act.act in kinds), None)

    def _decision(self, day: date) -> Act | None:
        """Whether ``day`` was confirmed or dismissed, whichever was later."""
        kinds = (Act.CONFIRM, Act.DISMISS)
        return next((one.act for one in reversed(self.acts) if one.act in kinds and one.speaks_of(day, day)), None)


def incidents_of(
    store: IncidentStore, source: str, first: date | None = None, last: date | None = None
) -> list[Incident]:
    """The incidents that touch the days from ``first`` to ``last``, whole, oldest first; all of them without days.

    Raises:
        StoreError: If the store refuses.
    """
    days, acts = store.judged_days(source), store.acts(source)
    if not days:
        return []
    first, last = first or days[0].day, last or days[-1].day
    begin, end = _whole_range(days, acts, first, last)
    failed = store.failed_verdicts(source, begin, end)
    failures: list[FailedGuardrail] = []
    judged: set[date] = set()
    for one in days:
        if begin <= one.day <= end:
            judged.add(one.day)
            if one.day in failed:
                failures += failures_of(one.day, one.revision, failed[one.day].get(one.revision, ()))
    found = group_incidents(source, failures, judged, acts)
    return [one for one in found if one.first_day <= last and first <= one.last_day]


def failures_of(day: date, revision: int, verdicts: Iterable[Verdict]) -> list[FailedGuardrail]:
    """What failed on a day; one failure alone where it could not be read."""
    failures = []
    for one in verdicts:
        is_unreadable = one.reason_code == DAY_UNREADABLE and one.guardrail == ACTIVITY
        if one.outcome is Outcome.FAILED or is_unreadable:
            cause, foremost, is_confined = (UNREADABLE, "", False) if is_unreadable else _places(one)
            failures.append(
                FailedGuardrail(
                    day,
                    one.guardrail,
                    one.level,
                    one.reason_code,
                    one.value,
                    one.threshold,
                    one.sentence,
                    cause,
                    foremost,
                    is_confined,
                    revision,
                )
            )
    return failures


def group_incidents(
    source: str,
    failures: Iterable[FailedGuardrail],
    judged_days: Collection[date],
    acts: Iterable[IncidentAct] = (),
) -> list[Incident]:
    """The incidents that ``failures`` make up, oldest first, with their acts, which are given oldest first."""
    by_day: dict[date, list[FailedGuardrail]] = defaultdict(list)
    for one in failures:
        by_day[one.day].append(one)
    strands: list[_Strand] = []
    alive: list[_Strand] = []
    for day in sorted({*judged_days, *by_day}):
        if day not in by_day and not alive:
            # Nearly all days of years: nothing fails, and nothing is open.
            continue
        groups = _groups_of_day(by_day.get(day, ()))
        begun = _go_on(alive, groups)
        is_readable = not any(_is_unreadable(group) for group in groups)
        alive = [one for one in alive if one.last_day == day or not (is_readable or _is_unreadable(one.days[-1]))]
        alive += begun
        strands += begun
    incidents = _named(source, strands, alive)
    return _with_acts(incidents, acts)


def confirmed_days(incidents: Iterable[Incident]) -> frozenset[date]:
    """The days to leave out of what later days are compared with: those that people confirmed, no others."""
    return frozenset(chain.from_iterable(incident.confirmed_days for incident in incidents))


def is_muted(incident: Incident, today: date) -> bool:
    """Whether alerts of ``incident`` are kept without being logged on ``today``."""
    return incident.muted_until is not None and today <= incident.muted_until


def require_incident(incidents: Iterable[Incident], key: str) -> Incident:
    """The incident called ``key``.

    Raises:
        RequestError: If there is none; names those that look like what was meant.
    """
    known = list(incidents)
    for one in known:
        if one.key == key:
            return one
    near = [one.key for one in known if any(key.partition(".")[0] == f"{one.source}/{day}" for day in one.days)]
    remedy = f"did you mean {' or '.join(near)}?" if near else "telemetry-quality incidents --all lists them."
    raise RequestError(f"An incident's key such as web/2026-03-10 is required, but {key!r} names none; {remedy}")


def _whole_range(days: Sequence[JudgedDay], acts: Sequence[IncidentAct], first: date, last: date) -> tuple[date, date]:
    """A range around ``first`` and ``last`` in which incidents, and what acts speak of, are whole.

    A healthy day closes whatever was open: between two of them an incident and its key are what they are in the
    whole history, which need not be loaded.
    """
    healthy = [one.day for one in days if one.is_healthy]
    while True:
        begin = max((day for day in healthy if day < first), default=min(first, days[0].day))
        end = min((day for day in healthy if day > last), default=max(last, days[-1].day))
        met = [act for act in acts if act.speaks_of(begin, end)]
        wider = min([first, *(act.day for act in met)]), max([last, *(act.last_seen for act in met)])
        if wider == (first, last):
            return begin, end
        first, last = wider


def _places(verdict: Verdict) -> tuple[str, str, bool]:
    """Cause, foremost place, and whether all lies there; hours do not count, for they differ day by day."""
    if not verdict.causes:
        return EVERYWHERE, "", False
    first = verdict.causes[0]
    # What is missing is named before where it is missing, and the latter is what other guardrails have in common.
    where = next((one for one in verdict.causes if one.share_percent is not None), first)
    place, foremost = str(Place(first.place.parts)), str(Place(where.place.parts))
    explains_most = first.share_percent is None or first.share_percent >= MOST_PERCENT
    if where.share_percent is None:
        is_named = foremost != EVERYWHERE
        return place, foremost if is_named else "", is_named
    return (place if explains_most else EVERYWHERE), foremost, where.share_percent >= CONFINED_PERCENT


def _parts(place: str) -> frozenset[str]:
    return frozenset(place.split(" × "))


def _is_same_place(one: str, other: str) -> bool:
    """Whether two places are equal or one lies within the other; everywhere holds no other, it is spread evenly."""
    if EVERYWHERE in {one, other} or not (one and other):
        return one == other != ""
    parts, others = _parts(one), _parts(other)
    return parts <= others or others <= parts


def _meet(group: _Group, others: _Group) -> bool:
    return any(_is_same_place(one.foremost, other.foremost) for one in group for other in others)


def _is_unreadable(group: _Group) -> bool:
    return any(one.cause == UNREADABLE for one in group)


def _severity(level: Level) -> int:
    """0 for the highest."""
    return list(Level).index(level)


def _order(one: FailedGuardrail) -> tuple[Any, ...]:
    return (one.day, _severity(one.level), one.guardrail, one.cause, one.foremost, one.is_confined, one.sentence)


def _groups_of_day(failures: Iterable[FailedGuardrail]) -> list[_Group]:
    """The failures of one day, those that share a cause together, the worst group first."""
    failures = sorted(failures, key=_order)
    groups = [[one for one in failures if one.cause == UNREADABLE]]
    readable = [one for one in failures if one.cause != UNREADABLE]
    if any(one.guardrail == ACTIVITY for one in readable):
        groups.append(readable)
    else:
        groups += _by_cause(
            [one for one in readable if one.is_confined], [one for one in readable if not one.is_confined]
        )
    return sorted((sorted(group, key=_order) for group in groups if group), key=_group_order)


def _by_cause(confined: Iterable[FailedGuardrail], loose: Iterable[FailedGuardrail]) -> list[_Group]:
    places: list[_Group] = []
    for failure in confined:
        kin = [group for group in places if _meet([failure], group)]
        places = [group for group in places if group not in kin]
        places.append([failure, *chain.from_iterable(kin)])
    joining: list[tuple[_Group, FailedGuardrail]] = []
    nowhere: _Group = []
    for failure in loose:
        named = [group for group in places if _meet([failure], group)]
        homes = places if len(places) == 1 else named or [group for group in places if group[0].cause == EVERYWHERE]
        # Joined afterwards: what one brings along must not be what draws the next.
        joining.append((homes[0] if len(homes) == 1 else nowhere, failure))
    for group, failure in joining:
        group.append(failure)
    return [*places, nowhere]


def _group_order(group: _Group) -> tuple[Any, ...]:
    """Older before younger, higher level before lower, more guardrails before fewer."""
    return group[0].day, min(_severity(one.level) for one in group), -len(group), [_order(one) for one in group]


def _go_on(alive: Sequence[_Strand], groups: Iterable[_Group]) -> list[_Strand]:
    """Let each group of a new day join the strand that it goes on best; the strands that the others begin.

    A strand may take in several: what was one incident yesterday is not two because its parts moved apart.
    """
    yesterday = [(strand, strand.days[-1]) for strand in alive]
    begun = []
    for group in groups:
        links = [(_link(earlier, group), strand) for strand, earlier in yesterday]
        best, strand = max(links, key=lambda one: one[0], default=(_NO_LINK, None))
        if strand is None or best == _NO_LINK:
            begun.append(_Strand([group]))
        elif strand.last_day == group[0].day:
            strand.days[-1] = sorted(strand.days[-1] + group, key=_order)
        else:
            strand.days.append(group)
    return begun


_NO_LINK = (False, 0, False)


def _link(earlier: _Group, later: _Group) -> tuple[bool, int, bool]:
    """How well a day's failures go on an earlier day's: the same named place, the same guardrails, any same cause."""
    if _is_unreadable(earlier) != _is_unreadable(later):
        return _NO_LINK
    common = {one.guardrail for one in earlier} & {one.guardrail for one in later}
    same_cause = {one.cause for one in earlier} & {one.cause for one in later}
    return _meet(earlier, later), len(common), bool(same_cause)


def _named(source: str, strands: Iterable[_Strand], alive: Sequence[_Strand]) -> list[Incident]:
    """Oldest first. What numbers them is what their first day says, so that no later day changes a key."""
    seen: Counter[date] = Counter()
    incidents = []
    for strand in sorted(strands, key=lambda one: _group_order(one.days[0])):
        first_day = strand.days[0][0].day
        seen[first_day] += 1
        number = "" if seen[first_day] == 1 else f".{seen[first_day]}"
        failures = tuple(chain.from_iterable(strand.days))
        incidents.append(Incident(f"{source}/{first_day}{number}", source, failures, strand in alive))
    return incidents


def _with_acts(incidents: Sequence[Incident], acts: Iterable[IncidentAct]) -> list[Incident]:
    found: dict[str, list[IncidentAct]] = defaultdict(list)
    for act in acts:
        for one in _meant(act, incidents):
            found[one.key].append(act)
    return [replace(one, acts=tuple(found[one.key])) for one in incidents]


def _meant(act: IncidentAct, incidents: Iterable[Incident]) -> list[Incident]:
    """The incident that an act speaks of; all parts of it where a healed day has split it."""
    candidates = [one for one in incidents if act.speaks_of(one.first_day, one.last_day)]
    candidates.sort(key=lambda one: _fit(act, one), reverse=True)
    meant: list[Incident] = []
    for one in candidates:
        is_beside = any(one.first_day <= other.last_day and other.first_day <= one.last_day for other in meant)
        if _is_cause_of(act.cause, one) and not is_beside:
            meant.append(one)
    # What was found everywhere may be found in a place later, and the other way round; never one place in another.
    return meant or [one for one in candidates if _may_be_cause_of(act.cause, one)][:1]


def _fit(act: IncidentAct, incident: Incident) -> tuple[bool, bool]:
    return incident.cause == act.cause, incident.first_day == act.day or incident.last_day == act.last_seen


def _is_cause_of(cause: str, incident: Incident) -> bool:
    causes = {one.cause for one in incident.failures}
    return any(_is_same_place(cause, one) for one in causes)


def _may_be_cause_of(cause: str, incident: Incident) -> bool:
    causes = {cause, *(one.cause for one in incident.failures)}
    return EVERYWHERE in causes and UNREADABLE not in causes


def _texts(days: Iterable[date]) -> list[str]:
    return [day.isoformat() for day in days]
