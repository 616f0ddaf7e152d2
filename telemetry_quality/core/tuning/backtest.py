"""The back-test: how every guardrail judges stored days, as they were and with known faults, at all thresholds."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import fmean
from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails.catalogue import guardrails_of, with_extra_numbers
from telemetry_quality.core.guardrails.faults import Fault
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.core.judging import evidence_of
from telemetry_quality.core.policies import Direction
from telemetry_quality.core.sampling import clopper_pearson_percent
from telemetry_quality.core.tuning.faults import inject, leaking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import date, datetime

    from telemetry_quality.core.days import Calendar
    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.guardrails.guardrail import Guardrail
    from telemetry_quality.core.judging import HistoricalContext
    from telemetry_quality.core.policies import Policy, Threshold

MAXIMUM_SLICED_DAYS = 119
"""Guardrails that read slices take milliseconds a day, so they are tried only on so many days."""

LEAK_DAYS = 30
LEAK_STARTS = 24

_MANTISSAS = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)


@dataclass(frozen=True)
class Labels:
    """What people said about failures, by guardrail.

    Attributes:
        dismissed: Days of dismissed incidents: false alarms, which a proposal should avoid.
        confirmed: The evidence of days of confirmed incidents, which a proposal must find.
    """

    dismissed: Mapping[str, frozenset[date]]
    confirmed: Mapping[str, tuple[Evidence, ...]]


@dataclass(frozen=True, slots=True)
class Try:
    """A fault on a day, at all thresholds at once; thresholds are named by their position.

    Attributes:
        quiet: Where the day raises no alarm without the fault; elsewhere it says nothing about the fault.
        caught: Where the day raises an alarm with the fault.
    """

    quiet: Container[int]
    caught: Container[int]


@dataclass(frozen=True, slots=True)
class Catch:
    """How often a fault was noticed.

    Attributes:
        tried: How often the fault was injected into a day that was quiet before.
    """

    tried: int
    caught: int

    @property
    def percent(self) -> float | None:
        """The share that was caught; None if the fault was never tried."""
        return 100 * self.caught / self.tried if self.tried else None


@dataclass(frozen=True, slots=True)
class Score:
    """How a guardrail did at one threshold.

    Attributes:
        alarms: Days that failed. They count as false alarms, because nobody confirmed an incident on them.
        catches: The catches of each fault that concerns the guardrail.
        dismissed_alarms: Those of the alarms that somebody dismissed.
        confirmed_days: Days on which somebody confirmed a failure of the guardrail; they are not among the judged days.
        found_days: Those of the confirmed days that fail.
    """

    threshold: float | None
    judged_days: int
    unknown_days: int
    alarms: int
    catches: Mapping[Fault, Catch]
    dismissed_alarms: int = 0
    confirmed_days: int = 0
    found_days: int = 0

    @property
    def alarms_interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the false alarms per 100 days in the long run; None if no day was judged."""
        return clopper_pearson_percent(self.alarms, self.judged_days) if self.judged_days else None

    @property
    def alarms_per_100_days(self) -> float | None:
        """False alarms per 100 judged days; None if no day was judged."""
        return 100 * self.alarms / self.judged_days if self.judged_days else None

    @property
    def catch_percent(self) -> float | None:
        """The mean share caught of the faults that were tried; None if none were."""
        known = [catch.percent for catch in self.catches.values() if catch.percent is not None]
        return fmean(known) if known else None


@dataclass(frozen=True)
class Trial:
    """A guardrail at all values of its threshold that may be proposed, and at today's.

    Attributes:
        threshold: The declaration of the threshold; None for a guardrail without one.
        thresholds: The values tried, the strictest first; ``(None,)`` without a threshold.
        today: The position of today's threshold.
        failing: At how many thresholds, from the strictest on, each judged day fails; oldest day first.
        unknown_days: Days that could not be judged.
        tries: The tries of each fault that concerns the guardrail.
        dismissed: As ``failing``, for the days on which somebody dismissed a failure of this guardrail.
        confirmed: As ``failing``, for the days on which somebody confirmed one.
    """

    guardrail: str
    threshold: Threshold | None
    thresholds: tuple[float | None, ...]
    today: int
    failing: tuple[int, ...]
    unknown_days: int
    tries: Mapping[Fault, tuple[Try, ...]] = field(repr=False)
    dismissed: tuple[int, ...] = ()
    confirmed: tuple[int, ...] = ()

    @property
    def setting(self) -> str | None:
        """The name of the threshold; None for a guardrail without one."""
        return None if self.threshold is None else self.threshold.name

    def at(self, position: int) -> Score:
        """The score at one threshold."""
        catches = {
            fault: Catch(
                tried=sum(position in attempt.quiet for attempt in tries),
                caught=sum(position in attempt.quiet and position in attempt.caught for attempt in tries),
            )
            for fault, tries in self.tries.items()
        }
        return Score(
            self.thresholds[position],
            len(self.failing),
            self.unknown_days,
            alarms_at(self.failing, position),
            catches,
            alarms_at(self.dismissed, position),
            len(self.confirmed),
            alarms_at(self.confirmed, position),
        )


def alarms_at(failing: Sequence[int], position: int) -> int:
    """The number of days that fail at the threshold of this position."""
    return sum(position < count for count in failing)


def stored_evidences(
    days: Iterable[date],
    context: HistoricalContext,
    policy: Policy,
    calendar: Calendar,
    schema: EventSchema,
    *,
    now: datetime,
) -> Iterator[Evidence]:
    """The evidence of each of ``days`` that could be read and does not belong to a confirmed incident.

    It is what judging the day today would look at: nothing younger than the day, except for its latest scan.
    """
    for day in days:
        if day in context.totals and day not in context.left_out:
            yield evidence_of(day, context, policy, calendar, schema, now=now)


def back_test(
    evidences: Sequence[Evidence],
    policy: Policy,
    schema: EventSchema,
    advance: Callable[[int], None] = lambda _: None,
    labels: Labels | None = None,
) -> tuple[Trial, ...]:
    """Try every guardrail of the source on days as they were and with faults, at all values of its thresholds.

    Args:
        evidences: Readable days outside confirmed incidents, oldest first.
        policy: The policy in force today; only the threshold that is tried changes.
        schema: Determines the guardrails, and the dimensions of the stream.
        advance: Called with the number of days after each guardrail.
        labels: What people said about failures; nothing by default.
    """
    trials = []
    for rule in guardrails_of(schema):
        trials += [
            trial_of(rule, threshold, evidences, policy, schema, labels) for threshold in rule.thresholds or (None,)
        ]
        advance(len(evidences))
    return tuple(trials)


def whole_weeks(evidences: Sequence[Evidence], limit: int) -> Sequence[Evidence]:
    """At most ``limit`` days, evenly spread in whole weeks, since single days would favour some weekdays."""
    if len(evidences) <= limit:
        return evidences
    count, chosen = len(evidences) // 7, limit // 7
    starts = [7 * (week * count // chosen) for week in range(chosen)]
    return [evidence for start in starts for evidence in evidences[start : start + 7]]


def trial_of(  # noqa: PLR0917
    rule: Guardrail,
    threshold: Threshold | None,
    evidences: Sequence[Evidence],
    policy: Policy,
    schema: EventSchema,
    labels: Labels | None = None,
) -> Trial:
    """The trial of one guardrail and threshold; slow guardrails are tried only on some of the days."""
    days = whole_weeks(evidences, MAXIMUM_SLICED_DAYS) if rule.reads_slices else evidences
    values: tuple[float | None, ...] = (None,)
    policies = [policy]
    if threshold is not None:
        values = tried = candidates(threshold, policy[threshold])
        policies = [policy.changed(threshold, value) for value in tried]
    fails = Direction.ABOVE if threshold is None else threshold.fails
    judged = {
        evidence.day: (evidence, count)
        for evidence in days
        if (count := _failing(rule, evidence, policies)) is not None
    }
    return Trial(
        rule.name,
        threshold,
        values,
        0 if threshold is None else values.index(policy[threshold]),
        tuple(count for _, count in judged.values()),
        len(days) - len(judged),
        {
            fault: tuple(
                _leak_tries(rule, judged, policies)
                if fault is Fault.LEAK
                else _tries(fault, rule, judged, policies, schema, fails)
            )
            for fault in Fault
            if fault in rule.faults
        },
        *_labelled(rule, judged, policies, labels),
    )


def _labelled(
    rule: Guardrail, judged: _Judged, policies: Sequence[Policy], labels: Labels | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """At how many thresholds the dismissed days fail, and the confirmed days."""
    if labels is None:
        return (), ()
    dismissed = labels.dismissed.get(rule.name, frozenset())
    confirmed = (_failing(rule, evidence, policies) for evidence in labels.confirmed.get(rule.name, ()))
    return (
        tuple(count for day, (_, count) in judged.items() if day in dismissed),
        tuple(count for count in confirmed if count is not None),
    )


def _failing(rule: Guardrail, evidence: Evidence, policies: Sequence[Policy]) -> int | None:
    """At how many policies, from the strictest on, the day fails; None if it cannot be judged.

    A day that fails at one threshold fails at every stricter one, so a few judgements are enough for all.
    """
    first = rule.judge(evidence, policies[0]).outcome
    if first is Outcome.UNKNOWN:
        return None
    if first is Outcome.PASSED:
        return 0
    positions = range(len(policies))
    return bisect_left(
        positions,
        True,
        lo=1,
        key=lambda position: rule.judge(evidence, policies[position]).outcome is not Outcome.FAILED,
    )


_Judged = Mapping["date", tuple["Evidence", int]]


def _tries(  # noqa: PLR0917
    fault: Fault, rule: Guardrail, judged: _Judged, policies: Sequence[Policy], schema: EventSchema, fails: Direction
) -> Iterator[Try]:
    for evidence, before in judged.values():
        broken = inject(fault, evidence, schema, fails)
        if broken is not None:
            broken = with_extra_numbers(broken, (rule,))
            yield Try(range(before, len(policies)), range(_failing(rule, broken, policies) or 0))


def _leak_tries(rule: Guardrail, judged: _Judged, policies: Sequence[Policy]) -> Iterator[Try]:
    """Leaks that begin on evenly spread days; a leak is caught by a day that fails only because of it.

    Otherwise chance would catch most of them: a guardrail with 5 false alarms per 100 days raises one within
    30 days 78 times in 100.
    """
    for start in _leak_starts(list(judged)):
        caught: set[int] = set()
        for n in range(LEAK_DAYS):
            if (day := start + timedelta(days=n)) in judged:
                evidence, before = judged[day]
                caught.update(range(before, _failing(rule, leaking(evidence, start), policies) or 0))
        yield Try(range(len(policies)), caught)


def _leak_starts(days: Sequence[date]) -> Sequence[date]:
    possible = [day for day in days if day + timedelta(days=LEAK_DAYS - 1) <= days[-1]]
    count = min(len(possible), LEAK_STARTS)
    return [possible[n * len(possible) // count] for n in range(count)]


def candidates(threshold: Threshold, today: float) -> tuple[float, ...]:
    """The values worth trying, the strictest first: round values within the bounds, and today's.

    The first is a step stricter than the bounds allow and is never proposed; ``propose`` says what it is for.
    """
    low, high = threshold.proposed
    if _is_counted_from_hundred(threshold):
        low, high = 100 - high, 100 - low
    steps = [float(f"{mantissa * 10.0**power:.6g}") for power in range(-2, 3) for mantissa in _MANTISSAS]
    is_minimum = threshold.fails is Direction.BELOW
    if is_minimum and not _is_counted_from_hundred(threshold):
        high = min((step for step in steps if step > high), default=high)
    else:
        low = max(step for step in steps if step < low)
    chosen = [step for step in steps if low <= step <= high]
    if _is_counted_from_hundred(threshold):
        chosen = [round(100 - step, 6) for step in chosen]
    return tuple(sorted({*chosen, today}, reverse=is_minimum))


def _is_counted_from_hundred(threshold: Threshold) -> bool:
    """Whether the distance from 100 % is what matters: 99.5 % is twice as strict as 99 %."""
    return threshold.fails is Direction.BELOW and threshold.proposed[0] >= 50


def reach(threshold: Threshold, value: float) -> float:
    """How far from the best possible number a day may be; only ratios of it are meaningful."""
    if _is_counted_from_hundred(threshold):
        return 100 - value
    return 1 / value if threshold.fails is Direction.BELOW and value else value
