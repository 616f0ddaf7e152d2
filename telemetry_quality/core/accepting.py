"""Accepting: what judging makes of what people accepted as intended.

An acceptance affects the days after the first accepted day, and only judgements made after it was stored. The first
day stays as it was judged, so that everybody can see what was accepted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from telemetry_quality.core.detectors.windows import WINDOW_DAYS
from telemetry_quality.core.events import Slice
from telemetry_quality.core.guardrails.catalogue import guardrail_named
from telemetry_quality.core.guardrails.guardrail import AcceptedAs
from telemetry_quality.core.guardrails.verdicts import ACCEPTED, MARKED_SPECIAL, Outcome
from telemetry_quality.core.incidents import Action, failures_of
from telemetry_quality.core.incidents.grouping import CONFINED_PERCENT
from telemetry_quality.core.incidents.segments import is_same_segment
from telemetry_quality.core.marks import said

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from telemetry_quality.core.guardrails.guardrail import Guardrail
    from telemetry_quality.core.guardrails.verdicts import Verdict
    from telemetry_quality.core.incidents import AcceptedFailure, FailedGuardrail, IncidentAction
    from telemetry_quality.core.marks import MarkedDays

    Parts = frozenset[tuple[str, str | None]]

SETTLING = timedelta(days=7)
"""How long an accepted level rests mostly on the accepted days themselves: one week shows each weekday once."""

EVERYTHING_GONE = -100.0
"""The deviation of a volume of nothing, which is no level that could be learnt."""


@dataclass(frozen=True, slots=True)
class Acceptances:
    """The acceptances of a source that nobody revoked, oldest first."""

    actions: tuple[IncidentAction, ...] = ()

    def before(self, day: date) -> Acceptances:
        """Those that affect ``day``."""
        if not self.actions:
            return self
        return Acceptances(tuple(action for action in self.actions if action.day < day))

    def first_day(self, guardrail: str) -> date | None:
        """The first day on which somebody accepted a failure of ``guardrail``."""
        failures = (failure for action in self.actions for failure in action.accepted if failure.guardrail == guardrail)
        return min((failure.days[0] for failure in failures), default=None)

    @property
    def level_days(self) -> frozenset[date]:
        """The accepted days from which the level of the whole stream is learnt."""
        return frozenset(
            day
            for action in self.actions
            for failure in action.accepted
            if _accepted_as(failure) in {AcceptedAs.LEVEL, AcceptedAs.SEGMENT}
            for day in failure.days
        )

    def new_rates(self, day: date) -> dict[Slice, date]:
        """The segments whose error rates are learnt afresh in the window of ``day``, and since when."""
        return {
            _slice_of(contributor.segment.parts): failure.days[0]
            for action in self.actions
            if _is_recent(action, day)
            for failure in action.accepted
            if _accepted_as(failure) is AcceptedAs.RATE
            for contributor in failure.contributors
        }

    def forgotten(self, past: date) -> frozenset[Parts]:
        """The segments that are learnt afresh from a day after ``past`` on, so ``past`` tells nothing about them."""
        return frozenset(
            frozenset(parts)
            for action in self.actions
            for failure in action.accepted
            if past < failure.days[0]
            for parts in _learnt_afresh(failure)
        )

    def applied(self, verdict: Verdict, rule: Guardrail, day: date) -> Verdict:
        """The verdict given what was accepted: a failure that is only that passes and says so.

        A guardrail that learns what is usual is excused while it still compares with days before the acceptance;
        one with a limit of its own for good, since what was accepted is normal from then on.
        """
        if not self.actions:
            return verdict
        if verdict.outcome is Outcome.PASSED and rule.accepted_as is AcceptedAs.LEVEL:
            return self._with_new_level(verdict, day)
        if verdict.outcome is not Outcome.FAILED or rule.accepted_as is AcceptedAs.SEGMENT:
            return verdict
        (failure,) = failures_of(day, 0, [verdict])
        for action, accepted in self._of(verdict.guardrail, day if rule.reads_slices else None):
            if rule.accepted_as is AcceptedAs.LEVEL and not _is_all_gone(failure, accepted):
                continue
            if accepted.covers(failure):
                return as_accepted(verdict, action)
            if (rest := accepted.rest_of(verdict.contributors)) and len(rest) < len(verdict.contributors):
                known = ", ".join(str(known.segment) for known in verdict.contributors if known not in rest)
                sentence = f"{verdict.sentence} Of these, {known}: {_by(action)}"
                verdict = replace(verdict, sentence=sentence, contributors=rest)
                (failure,) = failures_of(day, 0, [verdict])
        return verdict

    def settling_since(self, guardrail: str, day: date) -> date | None:
        """The first day of an acceptance so recent that its level may rest on odd days; None if there is none."""
        recent = (action.day for action, _ in self._of(guardrail, day) if day - action.last_seen <= SETTLING)
        return min(recent, default=None)

    def settled(self, verdict: Verdict, day: date) -> Verdict | None:
        """The verdict measured from the level before, passed if it finds no more than what was accepted; else None."""
        if verdict.outcome is not Outcome.FAILED:
            return None
        (failure,) = failures_of(day, 0, [verdict])
        return next(
            (
                as_accepted(verdict, action)
                for action, accepted in self._of(verdict.guardrail, day)
                if day - action.last_seen <= SETTLING and accepted.covers(failure)
            ),
            None,
        )

    def are_about_segments(self, rule: Guardrail, day: date) -> bool:
        """Whether the rule learns segments afresh among the days that ``day`` is compared with."""
        if rule.accepted_as is AcceptedAs.RATE:
            return any(True for _ in self._of(rule.name, day))
        return any(_is_recent(action, day) and any(map(_learns_segments, action.accepted)) for action in self.actions)

    def of_segments(self, verdict: Verdict, day: date) -> IncidentAction | None:
        """The acceptance without which ``verdict`` would fail as it does, where segments are learnt afresh."""
        named = {contributor.segment.name for contributor in verdict.contributors}
        for action in reversed(self.actions):
            parts = {contributor.segment.name for failure in action.accepted for contributor in failure.contributors}
            if _is_recent(action, day) and any(is_same_segment(name, other) for name in named for other in parts):
                return action
        return None

    def _of(self, guardrail: str, day: date | None) -> Iterator[tuple[IncidentAction, AcceptedFailure]]:
        """What was accepted of a guardrail, the latest first; only recent acceptances if ``day`` is given."""
        for action in reversed(self.actions):
            if day is None or _is_recent(action, day):
                yield from ((action, failure) for failure in action.accepted if failure.guardrail == guardrail)

    def _with_new_level(self, verdict: Verdict, day: date) -> Verdict:
        for action, failure in self._of(verdict.guardrail, day):
            return replace(verdict, sentence=f"{verdict.sentence} The level since {failure.days[0]} was {_by(action)}")
        return verdict


def acceptances_of(actions: Sequence[IncidentAction]) -> Acceptances:
    """The acceptances among a source's actions on incidents, without those that were revoked afterwards."""
    accepted = [(n, action) for n, action in enumerate(actions) if action.action is Action.ACCEPT]
    return Acceptances(
        tuple(action for n, action in accepted if not any(_says_otherwise(later, action) for later in actions[n + 1 :]))
    )


def as_accepted(verdict: Verdict, action: IncidentAction) -> Verdict:
    """A failed verdict that passes because somebody accepted what it found."""
    sentence = f"{verdict.sentence} This was {_by(action)}"
    return replace(verdict, outcome=Outcome.PASSED, reason_code=ACCEPTED, sentence=sentence)


def as_special(verdict: Verdict, marked: MarkedDays) -> Verdict:
    """A verdict that compares a day with ordinary days, given that somebody marked the day as special."""
    if verdict.outcome is Outcome.UNKNOWN:
        return verdict
    special = replace(verdict, sentence=f"{verdict.sentence} {marked.sentence}")
    if verdict.outcome is Outcome.PASSED:
        return special
    return replace(special, outcome=Outcome.PASSED, reason_code=MARKED_SPECIAL)


def _by(action: IncidentAction) -> str:
    """Who accepted it, when, and why: ``accepted by ada on 2025-03-08: retired with 5.0.``."""
    return f"accepted by {action.by} on {said(action.acted_at, action.note)}"


def _says_otherwise(later: IncidentAction, acceptance: IncidentAction) -> bool:
    """Whether a later action confirms or dismisses what was accepted: an incident keeps its first day."""
    segments = {failure for accepted in acceptance.accepted for failure in accepted.segments}
    return (
        later.action in {Action.CONFIRM, Action.DISMISS}
        and later.day == acceptance.day
        and any(is_same_segment(later.root_cause, segment) for segment in segments)
    )


def _accepted_as(failure: AcceptedFailure) -> AcceptedAs:
    rule = guardrail_named(failure.guardrail)
    return AcceptedAs.LIMIT if rule is None else rule.accepted_as


def _slice_of(parts: Sequence[tuple[str, str | None]]) -> Slice:
    (name, value), (by, by_value) = (*parts, (None, None))[:2]
    return Slice(str(name), value, by, by_value)


def _learns_segments(failure: AcceptedFailure) -> bool:
    return any(True for _ in _learnt_afresh(failure))


def _learnt_afresh(failure: AcceptedFailure) -> Iterable[tuple[tuple[str, str | None], ...]]:
    """The segments of an accepted failure whose own history no longer shows what is usual."""
    accepted_as = _accepted_as(failure)
    if accepted_as in {AcceptedAs.LIMIT, AcceptedAs.RATE}:
        return
    for contributor in failure.contributors:
        is_held = accepted_as is AcceptedAs.SEGMENT or (contributor.share_percent or 0) >= CONFINED_PERCENT
        if contributor.segment.parts and is_held:
            yield contributor.segment.parts


def _is_all_gone(failure: FailedGuardrail, accepted: AcceptedFailure) -> bool:
    return failure.value == accepted.value == EVERYTHING_GONE


def _is_recent(action: IncidentAction, day: date) -> bool:
    """Whether days before the acceptance may still be among those that ``day`` is compared with."""
    return day - action.last_seen <= timedelta(days=WINDOW_DAYS)
