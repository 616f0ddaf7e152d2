"""The back-test: what every guardrail says of stored days, as they were and with known faults, at all thresholds."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import fmean
from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails.catalogue import guardrails_of, with_extra_numbers
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.core.judging import evidence_of
from telemetry_quality.core.policies import Direction
from telemetry_quality.core.tuning.faults import Fault, inject, leaking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import date, datetime

    from telemetry_quality.core.days import Calendar
    from telemetry_quality.core.events import EventSchema
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.guardrails.guardrail import Guardrail
    from telemetry_quality.core.judging import HistoricalContext
    from telemetry_quality.core.policies import Policy, Threshold

MAXIMUM_SLICED_DAYS = 119
"""Guardrails that read slices take milliseconds a day: they are tried on so many days only."""

LEAK_DAYS = 30
LEAK_STARTS = 24

_MANTISSAS = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)


@dataclass(frozen=True, slots=True)
class Try:
    """One fault on one day, for all thresholds at once, which are named by their position.

    Attributes:
        quiet: Where the day raises no alarm without the fault: elsewhere it says nothing of the fault.
        caught: Where it raises one with it.
    """

    quiet: Container[int]
    caught: Container[int]


@dataclass(frozen=True, slots=True)
class Catch:
    """How often a fault was noticed.

    Attributes:
        tried: Times it was put into days that were quiet before.
    """

    tried: int
    caught: int

    @property
    def percent(self) -> float | None:
        """The share caught; None where it was never tried."""
        return 100 * self.caught / self.tried if self.tried else None


@dataclass(frozen=True, slots=True)
class Score:
    """What one guardrail said at one threshold.

    Attributes:
        alarms: Days it failed on. They count as false: nobody confirmed an incident on them.
        catches: Of each fault that concerns it.
    """

    threshold: float | None
    judged_days: int
    unknown_days: int
    alarms: int
    catches: Mapping[Fault, Catch]

    @property
    def alarms_per_100_days(self) -> float | None:
        """False alarms per 100 judged days; None where no day was judged."""
        return 100 * self.alarms / self.judged_days if self.judged_days else None

    @property
    def catch_percent(self) -> float | None:
        """The mean over the faults that were tried."""
        known = [one.percent for one in self.catches.values() if one.percent is not None]
        return fmean(known) if known else None


@dataclass(frozen=True)
class Trial:
    """One guardrail at all values of its threshold that may be proposed and at today's.

    Attributes:
        threshold: The declaration of its threshold, None for a guardrail without one.
        thresholds: The values tried, the strictest first; ``(None,)`` without a threshold.
        today: The position of today's.
        failing: Per judged day, oldest first, how many thresholds, from the strictest on, it fails at.
        unknown_days: Days that could not be judged.
        tries: Per fault that concerns the guardrail.
    """

    guardrail: str
    threshold: Threshold | None
    thresholds: tuple[float | None, ...]
    today: int
    failing: tuple[int, ...]
    unknown_days: int
    tries: Mapping[Fault, tuple[Try, ...]] = field(repr=False)

    @property
    def setting(self) -> str | None:
        """The name of its threshold, None for a guardrail without one."""
        return None if self.threshold is None else self.threshold.name

    def at(self, position: int) -> Score:
        """What it said at one threshold."""
        catches = {
            fault: Catch(
                tried=sum(position in one.quiet for one in tries),
                caught=sum(position in one.quiet and position in one.caught for one in tries),
            )
            for fault, tries in self.tries.items()
        }
        return Score(
            self.thresholds[position],
            len(self.failing),
            self.unknown_days,
            alarms_at(self.failing, position),
            catches,
        )


def alarms_at(failing: Sequence[int], position: int) -> int:
    """Days that fail at the threshold of this position."""
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
    """The evidence of each of ``days`` that could be read and belongs to no confirmed incident.

    It is what judging the day today would look at: nothing younger than the day, but its latest scan.
    """
    for day in days:
        if day in context.totals and day not in context.left_out:
            yield evidence_of(day, context, policy, calendar, schema, now=now)


def back_test(
    evidences: Sequence[Evidence],
    policy: Policy,
    schema: EventSchema,
    advance: Callable[[int], None] = lambda _: None,
) -> tuple[Trial, ...]:
    """Ask every guardrail of the source about days as they were and with faults, at all values of its thresholds.

    Args:
        evidences: Readable days outside confirmed incidents, oldest first.
        policy: What is in force today; all but the threshold tried stays as it is.
        schema: Says which guardrails there are, and by what the stream can be distinguished.
        advance: Called with the number of days after each guardrail.
    """
    trials = []
    for rule in guardrails_of(schema):
        trials += [trial_of(rule, threshold, evidences, policy, schema) for threshold in rule.thresholds or (None,)]
        advance(len(evidences))
    return tuple(trials)


def whole_weeks(evidences: Sequence[Evidence], limit: int) -> Sequence[Evidence]:
    """At most ``limit`` days, evenly spread; whole weeks, since single days would favour some weekdays."""
    if len(evidences) <= limit:
        return evidences
    count, chosen = len(evidences) // 7, limit // 7
    starts = [7 * (week * count // chosen) for week in range(chosen)]
    return [one for start in starts for one in evidences[start : start + 7]]


def trial_of(
    rule: Guardrail, threshold: Threshold | None, evidences: Sequence[Evidence], policy: Policy, schema: EventSchema
) -> Trial:
    """What ``back_test`` asks of one guardrail; the slow ones are asked about some of the days only."""
    days = whole_weeks(evidences, MAXIMUM_SLICED_DAYS) if rule.reads_slices else evidences
    values: tuple[float | None, ...] = (None,)
    policies = [policy]
    if threshold is not None:
        values = tried = candidates(threshold, policy[threshold])
        policies = [policy.changed(threshold, value) for value in tried]
    fails = Direction.ABOVE if threshold is None else threshold.fails
    judged = {one.day: (one, count) for one in days if (count := _failing(rule, one, policies)) is not None}
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
    )


def _failing(rule: Guardrail, evidence: Evidence, policies: Sequence[Policy]) -> int | None:
    """At how many policies, from the strictest on, the day fails; None where it cannot be judged.

    A day that fails at one threshold fails at every stricter one, so a few questions answer for all.
    """
    first = rule.judge(evidence, policies[0]).outcome
    if first is Outcome.UNKNOWN:
        return None
    if first is Outcome.PASSED:
        return 0
    positions = range(len(policies))
    return bisect_left(
        positions, True, lo=1, key=lambda one: rule.judge(evidence, policies[one]).outcome is not Outcome.FAILED
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
    """Leaks that begin on days evenly spread; caught by a day that fails only since it leaks.

    Chance would catch most of them otherwise: a guardrail with 5 false alarms per 100 days raises one within
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
    """The values worth trying, the strictest first: round ones within the bounds, and today's.

    The first is a step stricter than the bounds allow and never proposed; see ``propose`` for its use.
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
    """Whether what matters is how far it is from 100 %: 99.5 % is twice as strict as 99 %."""
    return threshold.fails is Direction.BELOW and threshold.proposed[0] >= 50


def reach(threshold: Threshold, value: float) -> float:
    """How far from the best possible number a day may be; only ratios of it mean something."""
    if _is_counted_from_hundred(threshold):
        return 100 - value
    return 1 / value if threshold.fails is Direction.BELOW and value else value
